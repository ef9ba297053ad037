//! One attempt in full.

use super::bar::{self, Part, Timings};
use super::explain::{Explanation, explain};
use super::since::Since;
use super::{Attempt, Crumbs, Outcome, positions};
use crate::failure::Failure;
use crate::frame::{Frame, Nav, Tab};
use crate::session::Session;
use crate::text::{bytes, count, laid_out, span_us};
use crate::{Console, Shared};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use hitwire_store::Role;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{Method, StatusCode};
use serde::Deserialize;
use std::collections::BTreeMap;

/// How much of a request's body a page shows: a few screens; the rest is there to be saved.
const BODY_BYTES_SHOWN: usize = 64 << 10;

/// A longer body is saved beside the request as a script, and does not stand in it.
const SCRIPT_BODY_BYTES_MAX: u64 = 32 << 10;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/settings/integrations/{id}/attempts/{n}", get(show))
        .route("/settings/integrations/{id}/attempts/{n}/body", get(save_body))
}

/// An attempt in full, as the API tells it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InFull {
    attempt: Attempt,
    detail: Option<Detail>,
    no_detail: Option<String>,
    body: Body,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    timings_ms: Timings,
    connection_reused: bool,
    http_version: Option<String>,
    cause: Option<String>,
    request: Request,
    response: Option<Answer>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Request {
    method: String,
    url: String,
    headers: BTreeMap<String, Values>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, Values>,
    body: String,
    truncated: bool,
    incomplete: Option<String>,
}

/// A header that came once, or several times.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    text: Option<String>,
    truncated: bool,
    bytes: u64,
    sha256: Option<String>,
    why: Option<String>,
}

#[derive(Template)]
#[template(path = "deliveries/attempt.html")]
struct Page {
    frame: Frame,
    crumbs: Crumbs,
    id: u64,
    attempt: Attempt,
    outcome: Outcome,
    explanation: Explanation,
    /// A later attempt that the explanation names.
    later: Option<u64>,
    /// It names a range that was given up.
    lost: bool,
    may_resend: bool,
    events: String,
    positions: String,
    took: String,
    started_ms: u64,
    no_detail: String,
    exchange: Option<Exchange>,
    /// The same request as a script; empty: there is none.
    curl: String,
    /// The script reads the body from a file of this name.
    curl_file: Option<String>,
    body: Body,
    body_bytes: String,
    body_shown: String,
    /// The same with indents, if it is JSON or lines of it.
    body_laid_out: Option<String>,
    /// The page shows the beginning of the body.
    body_cut: bool,
}

/// What is kept in detail, as the page shows it.
struct Exchange {
    parts: Vec<Part>,
    total: String,
    reused: bool,
    http_version: String,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    answer: Option<ShownAnswer>,
    /// Whoever looks may not see what the receiver answered.
    withheld: bool,
}

struct ShownAnswer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    laid_out: Option<String>,
    truncated: bool,
    incomplete: Option<String>,
}

async fn full(console: &Console, session: &Session, id: u64, number: u64) -> Result<InFull, Failure> {
    Ok(console.get(session, &format!("/v2/integration/{id}/attempts/{number}")).await?.read()?)
}

async fn show(
    State(console): State<Shared>,
    session: Session,
    Path((id, number)): Path<(u64, u64)>,
) -> Result<Html<String>, Failure> {
    let InFull { attempt, detail, no_detail, body } = full(&console, &session, id, number).await?;
    let crumbs = Crumbs::of(&console, &session, id).await;
    let cause = detail.as_ref().and_then(|detail| detail.cause.as_deref());
    let since = Since::of(&console, &session, id, &attempt).await;
    let explanation = explain(&attempt, cause, &since);
    let (body_shown, body_cut) = beginning(body.text.as_deref().unwrap_or_default());
    let is_analyst = session.role() == Role::Analyst;
    let in_file = body.bytes > SCRIPT_BODY_BYTES_MAX && !body.truncated;
    let curl = match &detail {
        Some(_) => {
            let place = if in_file { "file" } else { "inline" };
            let path = format!("/v2/integration/{id}/attempts/{number}/curl?body={place}");
            match console.text(&session, &path).await {
                // Newer attempts may have pushed its headers out meanwhile.
                Err(refused) if refused.status == StatusCode::NOT_FOUND => String::new(),
                script => script?,
            }
        }
        None => String::new(),
    };
    let page = Page {
        frame: Frame::new(
            &console,
            &session,
            Nav::Settings(Tab::Integrations),
            format!("Attempt {number} of {}", crumbs.called()),
        ),
        crumbs,
        id,
        outcome: attempt.outcome(),
        explanation,
        later: since.later.map(|later| later.id),
        lost: since.lost,
        may_resend: console.may(&session, &Method::POST, "/v2/integration/{id}/replays"),
        events: count(attempt.events, "event", "events"),
        positions: positions(attempt.first, attempt.last),
        took: span_us(attempt.took_us),
        started_ms: attempt.started_ms(),
        no_detail: no_detail.unwrap_or_default(),
        exchange: detail.map(|detail| Exchange::of(detail, &attempt, is_analyst)),
        curl,
        curl_file: (in_file && body.text.is_some()).then(|| file_name(number)),
        body_bytes: bytes(body.bytes),
        body_laid_out: laid_out(&body_shown, body_cut || body.truncated),
        body_shown,
        body_cut: body_cut || body.truncated,
        body,
        attempt,
    };
    Ok(Html(page.render()?))
}

/// The body as a file. It is what others sent: a browser must not show it as a page.
async fn save_body(
    State(console): State<Shared>,
    session: Session,
    Path((id, number)): Path<(u64, u64)>,
) -> Result<Response, Failure> {
    let body = full(&console, &session, id, number).await?.body;
    let (Some(text), false) = (body.text, body.truncated) else {
        return Err(Failure::not_found(
            "The body cannot be made again, or is too large to be saved here. The page of the attempt says why.",
        ));
    };
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", file_name(number))),
    ];
    Ok((headers, text).into_response())
}

fn file_name(number: u64) -> String {
    format!("attempt-{number}.json")
}

/// The beginning of a text, and whether there is more.
fn beginning(text: &str) -> (String, bool) {
    let end = text.floor_char_boundary(BODY_BYTES_SHOWN);
    (text[..end].to_owned(), end < text.len())
}

fn listed(headers: BTreeMap<String, Values>) -> Vec<(String, String)> {
    let each = headers.into_iter().flat_map(|(name, values)| {
        let values = match values {
            Values::One(value) => vec![value],
            Values::Several(values) => values,
        };
        values.into_iter().map(move |value| (name.clone(), value))
    });
    each.collect()
}

impl Exchange {
    fn of(detail: Detail, attempt: &Attempt, is_analyst: bool) -> Exchange {
        let Detail { timings_ms, connection_reused, http_version, request, response, .. } = detail;
        let headers = listed(request.headers);
        Exchange {
            parts: bar::parts(&timings_ms, attempt.status.is_some()),
            total: bar::total(&timings_ms),
            reused: connection_reused,
            http_version: http_version.unwrap_or_default(),
            method: request.method,
            url: request.url,
            headers,
            answer: response.map(|answer| ShownAnswer {
                status: answer.status,
                headers: listed(answer.headers),
                laid_out: laid_out(&answer.body, answer.truncated),
                body: answer.body,
                truncated: answer.truncated,
                incomplete: answer.incomplete,
            }),
            withheld: is_analyst && attempt.status.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_body_is_cut_between_characters() {
        let (shown, cut) = beginning(&"ä".repeat(BODY_BYTES_SHOWN));
        assert!(cut && shown.len() <= BODY_BYTES_SHOWN);
        assert_eq!(beginning("[]"), ("[]".to_owned(), false));
    }

    #[test]
    fn a_header_that_came_twice_is_listed_twice() {
        let headers: BTreeMap<String, Values> =
            serde_json::from_str(r#"{"set-cookie": ["a", "b"], "via": "1.1 x"}"#).unwrap();
        let all = listed(headers);
        let all: Vec<_> = all.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(all, ["set-cookie: a", "set-cookie: b", "via: 1.1 x"]);
    }
}
