//! What an integration is sent once more: a list, a form to begin with, and how each is steered; and what waits, tried now.

use super::{HOME, moment, text};
use crate::failure::{Failure, Refused};
use crate::fields::{Fields, Posted};
use crate::frame::{Frame, Nav, Tab};
use crate::session::Session;
use crate::text::{count, number, rfc3339};
use crate::zone::{self, End};
use crate::{Console, Shared};
use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/settings/integrations/{id}/replays", get(show).post(start))
        .route("/settings/integrations/{id}/replays/{n}/{act}", post(steer))
        .route("/settings/integrations/{id}/retry", post(retry))
}

/// What was just done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Done {
    done: String,
}

impl Done {
    fn words(&self) -> Option<&'static str> {
        match &*self.done {
            "started" => Some("The replay is started."),
            "paused" => Some("The replay is paused: it keeps its place."),
            "resumed" => Some("The replay goes on."),
            "cancelled" => Some("The replay is cancelled. What was on its way may still arrive."),
            _ => None,
        }
    }
}

/// A replay in the list.
struct Row {
    number: u64,
    what: String,
    badge: &'static str,
    state: &'static str,
    /// It has not ended, and is not held.
    runs: bool,
    paused: bool,
    ended: bool,
    delivered: String,
    left: String,
    given_up: u64,
    rate: Option<String>,
    started_ms: u64,
    started_by: String,
    ended_ms: Option<u64>,
    next_attempt: Option<u64>,
}

/// What was put into the form, and what is wrong with it.
#[derive(Default)]
struct Form {
    from: String,
    until: String,
    rate: String,
    wrong_from: String,
    wrong_until: String,
    wrong_rate: String,
    wrong: String,
    /// What would be sent.
    preview: Option<String>,
}

#[derive(Template)]
#[template(path = "integrations/replays.html")]
struct Page {
    frame: Frame,
    id: u64,
    name: String,
    replays: Vec<Row>,
    under_way: bool,
    may_start: bool,
    form: Form,
}

async fn show(
    State(console): State<Shared>,
    session: Session,
    Path(id): Path<u64>,
    Query(done): Query<Done>,
) -> Result<Response, Failure> {
    page(&console, &session, id, Form::default(), done.words()).await
}

async fn page(
    console: &Console,
    session: &Session,
    id: u64,
    form: Form,
    done: Option<&'static str>,
) -> Result<Response, Failure> {
    let found = console.get(session, &format!("/v2/integration/{id}/replays")).await?.body;
    let replays: Vec<Row> = found["replays"].as_array().into_iter().flatten().map(Row::of).collect();
    let name = crate::deliveries::name(console, session, id).await;
    let has_errors = [&form.wrong, &form.wrong_from, &form.wrong_until, &form.wrong_rate]
        .iter()
        .any(|wrong| !wrong.is_empty());
    let page = Page {
        frame: Frame::new(console, session, Nav::Settings(Tab::Integrations), "Replays").with_done(done),
        id,
        name: name.unwrap_or_else(|| format!("integration {id}")),
        under_way: replays.iter().any(|replay| replay.runs),
        replays,
        may_start: console.may(session, &Method::POST, "/v2/integration/{id}/replays"),
        form,
    };
    let status = if has_errors { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, Html(page.render()?)).into_response())
}

impl Row {
    fn of(replay: &Value) -> Row {
        let figure = |name: &str| replay[name].as_u64().unwrap_or(0);
        let (badge, state) = match text(replay, "state") {
            "done" => ("ok", "Done"),
            "cancelled" => ("off", "Cancelled"),
            "paused" => ("warn", "Paused"),
            "refused" => ("bad", "Failing; tried again"),
            "disabled" => ("off", "The integration is disabled"),
            "sending" => ("ok", "Sending"),
            _ => ("ok", "Waiting for its turn"),
        };
        let ended = !replay["ended_at"].is_null();
        let paused = replay["state"] == "paused";
        Row {
            number: figure("number"),
            what: super::form::sentence(text(replay, "what")),
            badge,
            state,
            runs: !ended && !paused,
            paused,
            ended,
            delivered: format!(
                "{} of {}",
                number(figure("delivered")),
                count(figure("total"), "event", "events")
            ),
            left: number(figure("left")),
            given_up: figure("given_up"),
            rate: replay["events_per_second"]
                .as_u64()
                .map(|rate| format!("at most {} a second", number(rate))),
            started_ms: crate::text::ms_of(text(replay, "started_at")),
            started_by: text(replay, "started_by").to_owned(),
            ended_ms: moment(&replay["ended_at"]),
            next_attempt: moment(&replay["next_attempt_at"]),
        }
    }
}

/// Begins one: from the form of this page; or from a button beside an attempt, an event or what was lost.
async fn start(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    Posted { session, fields }: Posted,
) -> Result<Response, Failure> {
    if !console.may(&session, &Method::POST, "/v2/integration/{id}/replays") {
        return Err(Failure::forbidden("Sending events once more is for Administrators."));
    }
    let (body, mut form) = asked(&fields);
    let Some(body) = body else { return page(&console, &session, id, form, None).await };
    match console.post(&session, &format!("/v2/integration/{id}/replays"), &Value::Object(body)).await {
        Ok(answer) if fields.get("preview").is_empty() => {
            drop(answer);
            Ok(Redirect::to(&format!("{HOME}/{id}/replays?done=started")).into_response())
        }
        Ok(answer) => {
            let would = answer.object();
            let events = count(would["total"].as_u64().unwrap_or(0), "event", "events");
            let filtered =
                if would["filtered"] == true { ", of which its filter lets some pass" } else { "" };
            form.preview = Some(format!("{events}{filtered}. Nothing was started."));
            page(&console, &session, id, form, None).await
        }
        Err(refused) if refused.is_for_the_form() => {
            page(&console, &session, id, form.refused(&refused), None).await
        }
        Err(refused) => Err(refused.into()),
    }
}

impl Form {
    fn refused(self, refused: &Refused) -> Form {
        Form {
            wrong: if refused.errors.is_empty() { refused.whole() } else { refused.at("") },
            wrong_from: refused.at("/from"),
            wrong_until: refused.at("/until"),
            wrong_rate: refused.at("/events_per_second"),
            ..self
        }
    }
}

/// What is asked for; none: it is not clear, and the form says what is wrong.
fn asked(fields: &Fields) -> (Option<Map<String, Value>>, Form) {
    let mut body = Map::new();
    let mut form = Form {
        from: fields.get("from").to_owned(),
        until: fields.get("until").to_owned(),
        rate: fields.get("rate").to_owned(),
        ..Form::default()
    };
    let mut is_clear = true;
    for name in ["attempt", "seq", "lost"] {
        match fields.get(name) {
            "" => {}
            "all" => drop(body.insert(name.to_owned(), "all".into())),
            text => match text.parse::<u64>() {
                Ok(number) => drop(body.insert(name.to_owned(), number.into())),
                Err(_) => is_clear = false,
            },
        }
    }
    let names_one = !body.is_empty();
    for (name, end) in [("from", End::From), ("until", End::Before)] {
        let text = fields.get(name);
        if text.is_empty() {
            continue;
        }
        match zone::moment(text, end) {
            Ok(ms) => drop(body.insert(name.to_owned(), rfc3339(ms).into())),
            Err(words) => {
                is_clear = false;
                if name == "from" { form.wrong_from = words } else { form.wrong_until = words }
            }
        }
    }
    if !names_one && fields.get("from").is_empty() {
        is_clear = false;
        "Say from when on.".clone_into(&mut form.wrong_from);
    }
    if !form.rate.is_empty() {
        if let Ok(rate) = form.rate.parse::<u64>() {
            body.insert("events_per_second".to_owned(), rate.into());
        } else {
            is_clear = false;
            "A whole number.".clone_into(&mut form.wrong_rate);
        }
    }
    if !fields.get("preview").is_empty() {
        body.insert("preview".to_owned(), true.into());
    }
    (is_clear.then_some(body), form)
}

async fn steer(
    State(console): State<Shared>,
    Path((id, number, act)): Path<(u64, u32, String)>,
    Posted { session, .. }: Posted,
) -> Result<Redirect, Failure> {
    let path = format!("/v2/integration/{id}/replays/{number}");
    let done = match &*act {
        "pause" => {
            console.put(&session, &path, &json!({"paused": true}), None).await?;
            "paused"
        }
        "resume" => {
            console.put(&session, &path, &json!({"paused": false}), None).await?;
            "resumed"
        }
        "cancel" => {
            console.delete(&session, &path, None).await?;
            "cancelled"
        }
        _ => return Err(Failure::not_found("A replay can be paused, resumed or cancelled.")),
    };
    Ok(Redirect::to(&format!("{HOME}/{id}/replays?done={done}")))
}

async fn retry(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    Posted { session, .. }: Posted,
) -> Result<Redirect, Failure> {
    console.post(&session, &format!("/v2/integration/{id}/retry"), &json!({})).await?;
    Ok(Redirect::to(&format!("{HOME}/{id}?done=retried")))
}
