//! One integration: how it is doing, its settings in words, and what can be done with it.

mod settings;

use super::doing::Doing;
use super::form::{SecretPage, certificates};
use super::list;
use super::tested::{Tested, TestedPart};
use super::{HOME, check_may, events_in_words, moment, text};
use crate::charts::{self, IntegrationCharts};
use crate::deliveries::log;
use crate::failure::Failure;
use crate::fields::Posted;
use crate::frame::{Frame, Nav, Tab};
use crate::session::Session;
use crate::text::{bytes, count};
use crate::{Console, Shared};
use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use hitwire_event::IntegrationId;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/settings/integrations/{id}", get(show))
        .route("/settings/integrations/{id}/disable", post(disable))
        .route("/settings/integrations/{id}/enable", post(enable))
        .route("/settings/integrations/{id}/test", post(test))
        .route("/settings/integrations/{id}/rotate-secret", post(rotate))
        .route("/settings/integrations/{id}/delete", get(ask_to_delete).post(delete))
}

/// How long a secret that is replaced may go on signing, seconds.
const OVERLAPS: &[(u64, &str)] =
    &[(86_400, "for a day"), (3_600, "for an hour"), (7 * 86_400, "for a week"), (0, "not at all")];

/// What was just done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Done {
    done: String,
    /// Of the charts.
    range: String,
}

impl Done {
    fn words(&self) -> Option<&'static str> {
        match &*self.done {
            "saved" => Some("The changes are saved."),
            "disabled" => Some("The integration is disabled: nothing is sent."),
            "enabled" => Some("The integration is enabled."),
            "retried" => Some("What waits is tried now."),
            _ => None,
        }
    }
}

/// One of the two ways of its live events.
struct Lane {
    name: &'static str,
    events: String,
    state: &'static str,
    lag: String,
    /// What is on its way.
    open: Vec<String>,
    /// Since when a response is awaited.
    awaited_since: Option<u64>,
    next_attempt: Option<u64>,
    last_error: Option<String>,
}

#[derive(Template)]
#[template(path = "integrations/show.html")]
struct Page {
    frame: Frame,
    id: u64,
    name: String,
    active: bool,
    doing: Doing,
    notice: Option<String>,
    warnings: Vec<String>,
    /// Events that were missed while it is disabled.
    missed: u64,
    missed_words: String,
    /// hitwire itself disabled it: what was missed is what people want then.
    by_hitwire: bool,
    lanes: Vec<Lane>,
    /// Something waits to be sent again.
    waits: bool,
    settings: Vec<settings::Setting>,
    ca: Vec<super::form::Certificate>,
    client: Vec<super::form::Certificate>,
    examples: Vec<(&'static str, String)>,
    tested: Option<Tested>,
    created_at: u64,
    created_by: String,
    /// None: the index cannot be read at the moment.
    charts: Option<IntegrationCharts>,
    /// The newest attempts, and where newer ones are told.
    rows: Vec<log::Row>,
    live: String,
}

#[derive(Template)]
#[template(path = "integrations/delete.html")]
struct DeletePage {
    frame: Frame,
    id: u64,
    name: String,
    etag: String,
    typed: String,
    error: String,
    undelivered: String,
    /// Why its settings cannot be read; empty: they can.
    broken: String,
}

async fn show(
    State(console): State<Shared>,
    session: Session,
    Path(id): Path<u64>,
    Query(done): Query<Done>,
) -> Result<Response, Failure> {
    check_may(&console, &session)?;
    match page(&console, &session, id, &done, None).await {
        // Nothing but this can be done with it.
        Err(failure) => match broken(&console, &session, id).await? {
            Some(_) => Ok(Redirect::to(&format!("{HOME}/{id}/delete")).into_response()),
            None => Err(failure),
        },
        shown => shown,
    }
}

/// An integration whose stored settings are damaged, as it is listed; none: it is not.
async fn broken(console: &Console, session: &Session, id: u64) -> Result<Option<Value>, Failure> {
    let path = format!("/v2/integration?after={}&limit=1", id.saturating_sub(1));
    let listed = console.get(session, &path).await?.object();
    Ok(listed[0]["broken"].is_string().then(|| listed[0].clone()).filter(|broken| broken["id"] == id))
}

async fn page(
    console: &Console,
    session: &Session,
    id: u64,
    done: &Done,
    tested: Option<Tested>,
) -> Result<Response, Failure> {
    let integration = console.get(session, &format!("/v2/integration/{id}")).await?.object();
    let status = console.get(session, &format!("/v2/integration/{id}/status")).await?.body;
    let name = text(&integration, "name").to_owned();
    let missed = lag_events(&status);
    let (rows, live) = log::newest(console, session, id).await?;
    let warnings = status["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let page = Page {
        frame: Frame::new(console, session, Nav::Settings(Tab::Integrations), &*name).with_done(done.words()),
        id,
        active: status["active"] == true,
        doing: doing(&status, (console.now_ms)()),
        notice: status["notice"].as_str().map(super::form::sentence),
        warnings: warnings.map(super::form::sentence).collect(),
        missed,
        missed_words: count(missed, "event", "events"),
        by_hitwire: status["disabled_by"] == "hitwire",
        lanes: status["lanes"].as_array().into_iter().flatten().filter_map(lane).collect(),
        waits: status["failing"] == true,
        settings: settings::of(&integration),
        ca: certificates(&status["tls"]["ca"]),
        client: certificates(&status["tls"]["client_cert"]),
        examples: super::form::examples(),
        tested,
        created_at: integration["created_at"].as_u64().unwrap_or(0) * 1_000,
        created_by: text(&integration, "created_by").to_owned(),
        charts: charts::of_integration(console, IntegrationId(id), format!("{HOME}/{id}"), &done.range)
            .await
            .ok(),
        rows,
        live,
        name,
    };
    Ok(Html(page.render()?).into_response())
}

/// The state of both lanes together.
fn doing(status: &Value, now_ms: u64) -> Doing {
    let lanes =
        || status["lanes"].as_array().into_iter().flatten().filter(|lane| lane["events"] != json!([]));
    let state = ["refused", "waiting", "sending"]
        .into_iter()
        .find(|state| lanes().any(|lane| lane["state"] == *state));
    let awaited = lanes().filter_map(|lane| lane["waiting_for_response_since"].as_str()).min();
    let of = json!({
        "disabled_by": status["disabled_by"],
        "sends": status["sends"],
        "failing": status["failing"],
        "waiting_for_response_since": awaited,
        "state": state.unwrap_or("caught_up"),
    });
    list::state(&of, now_ms)
}

fn lag_events(status: &Value) -> u64 {
    let lanes = status["lanes"].as_array().into_iter().flatten();
    lanes.filter_map(|lane| lane["lag"]["events"].as_u64()).sum()
}

/// A lane; none if nothing that is ticked travels in it.
fn lane(of: &Value) -> Option<Lane> {
    let events: Vec<_> = of["events"].as_array()?.iter().filter_map(Value::as_str).collect();
    if events.is_empty() {
        return None;
    }
    let batch = |batch: &Value| {
        let number = |name: &str| batch[name].as_u64().unwrap_or(0);
        let tries = match number("tries") {
            0 => "not tried yet".to_owned(),
            tries => count(tries, "try", "tries"),
        };
        format!("{}, {}, {tries}", count(number("events"), "event", "events"), bytes(number("body_bytes")))
    };
    Some(Lane {
        name: if of["lane"] == "urgent" { "Urgent: does not wait behind the rest" } else { "Bulk: the rest" },
        events: events_in_words(&events),
        state: match text(of, "state") {
            "caught_up" => "up to date",
            "sending" => "sending",
            "waiting" => "waiting",
            "refused" => "failing; the batch is tried again",
            _ => "disabled",
        },
        lag: list::lag(&of["lag"]).unwrap_or_else(|| "nothing".to_owned()),
        open: of["open_batches"].as_array().into_iter().flatten().map(batch).collect(),
        awaited_since: moment(&of["waiting_for_response_since"]),
        next_attempt: moment(&of["next_attempt_at"]),
        last_error: of["last_error"].as_str().map(str::to_owned),
    })
}

async fn disable(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    Posted { session, .. }: Posted,
) -> Result<Redirect, Failure> {
    let path = format!("/v2/integration/{id}");
    console.put(&session, &path, &json!({"active": false}), None).await?;
    Ok(Redirect::to(&format!("{HOME}/{id}?done=disabled")))
}

async fn enable(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    Posted { session, fields }: Posted,
) -> Result<Redirect, Failure> {
    let resume = match fields.get("resume") {
        "missed" => "?resume=missed",
        "now" => "?resume=now",
        _ => "",
    };
    let path = format!("/v2/integration/{id}{resume}");
    console.put(&session, &path, &json!({"active": true}), None).await?;
    Ok(Redirect::to(&format!("{HOME}/{id}?done=enabled")))
}

async fn test(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    headers: HeaderMap,
    Posted { session, fields }: Posted,
) -> Result<Response, Failure> {
    let event = fields.get("example");
    let body = if event.is_empty() { json!({}) } else { json!({"event": event}) };
    let tested = match console.post(&session, &format!("/v2/integration/{id}/test"), &body).await {
        Ok(answer) => Tested::of(&answer.object()),
        Err(refused) if refused.status == StatusCode::TOO_MANY_REQUESTS => Tested::refused(&refused),
        Err(refused) => return Err(refused.into()),
    };
    if headers.contains_key("hx-request") {
        return Ok(Html(TestedPart { tested }.render()?).into_response());
    }
    page(&console, &session, id, &Done::default(), Some(tested)).await
}

async fn rotate(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    Posted { session, fields }: Posted,
) -> Result<Response, Failure> {
    let overlap: u64 = fields.get("overlap").parse().unwrap_or(OVERLAPS[0].0);
    let body = json!({"overlap": overlap});
    let rotated =
        console.post(&session, &format!("/v2/integration/{id}/rotate-secret"), &body).await?.object();
    let integration = console.get(&session, &format!("/v2/integration/{id}")).await?.object();
    let page = SecretPage {
        frame: Frame::new(&console, &session, Nav::Settings(Tab::Integrations), "New signing secret"),
        id,
        name: text(&integration, "name").to_owned(),
        secret: text(&rotated, "signing_secret").to_owned(),
        added: false,
        previous_until: rotated["previous_expires_at"].as_u64().map(|at| at * 1_000),
        sends_nothing: false,
        warnings: Vec::new(),
    };
    Ok(Html(page.render()?).into_response())
}

async fn ask_to_delete(
    State(console): State<Shared>,
    session: Session,
    Path(id): Path<u64>,
) -> Result<Response, Failure> {
    check_may(&console, &session)?;
    delete_page(&console, &session, id, "", "").await
}

async fn delete_page(
    console: &Console,
    session: &Session,
    id: u64,
    typed: &str,
    error: &str,
) -> Result<Response, Failure> {
    let frame = Frame::new(console, session, Nav::Settings(Tab::Integrations), "Delete integration");
    let (typed, error) = (typed.to_owned(), error.to_owned());
    let page = if let Some(of) = broken(console, session, id).await? {
        DeletePage {
            frame,
            id,
            name: list::name(&of),
            etag: String::new(),
            typed,
            error,
            undelivered: String::new(),
            broken: super::form::sentence(text(&of, "broken")),
        }
    } else {
        let answer = console.get(session, &format!("/v2/integration/{id}")).await?;
        let etag = answer.etag.clone().unwrap_or_default();
        let status = console.get(session, &format!("/v2/integration/{id}/status")).await?.body;
        DeletePage {
            frame,
            id,
            name: text(&answer.object(), "name").to_owned(),
            etag,
            typed,
            error,
            undelivered: match lag_events(&status) {
                0 => String::new(),
                events => count(events, "event", "events"),
            },
            broken: String::new(),
        }
    };
    let error = &page.error;
    let status = if error.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok((status, Html(page.render()?)).into_response())
}

async fn delete(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    Posted { session, fields }: Posted,
) -> Result<Response, Failure> {
    check_may(&console, &session)?;
    let path = format!("/v2/integration/{id}");
    let broken = broken(&console, &session, id).await?;
    let name = match &broken {
        Some(of) => list::name(of),
        None => text(&console.get(&session, &path).await?.object(), "name").to_owned(),
    };
    let typed = fields.get("name").trim();
    if typed != name.trim() {
        return delete_page(&console, &session, id, typed, "This is not its name.").await;
    }
    let etag = Some(fields.get("etag")).filter(|_| broken.is_none());
    match console.delete(&session, &path, etag).await {
        Ok(_) => Ok(Redirect::to(&format!("{HOME}?done=deleted")).into_response()),
        Err(refused) if refused.status == StatusCode::PRECONDITION_FAILED => {
            let error =
                "Somebody has changed it since you opened this page. Look at it again before you delete it.";
            delete_page(&console, &session, id, typed, error).await
        }
        Err(refused) => Err(refused.into()),
    }
}
