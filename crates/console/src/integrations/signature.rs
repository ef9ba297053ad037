//! The signature checker: why a message that a receiver got verifies, or does not.

use super::{HOME, check_may, text};
use crate::Shared;
use crate::failure::{Failure, Refused};
use crate::fields::Posted;
use crate::frame::{Frame, Nav, Tab};
use crate::session::Session;
use crate::zone::{self, End};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/settings/integrations/{id}/check-signature", get(ask).post(check))
}

/// What was pasted. The receiver's secret is not among it: it is not shown again.
#[derive(Default)]
struct Pasted {
    headers: String,
    body: String,
    received_at: String,
}

/// What the API found.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Found {
    fits: bool,
    accepted: bool,
    findings: Vec<Finding>,
    signatures: Vec<Given>,
    expected: Vec<Expected>,
    attempt: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Finding {
    text: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Given {
    signature: String,
    fits: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Expected {
    key: String,
    begins: String,
}

#[derive(Template)]
#[template(path = "integrations/signature.html")]
struct Page {
    frame: Frame,
    id: u64,
    name: String,
    pasted: Pasted,
    /// What is wrong with the time of arrival.
    wrong_time: String,
    error: String,
    found: Option<Found>,
}

impl Found {
    fn class(&self) -> &'static str {
        if self.accepted { "ok" } else { "bad" }
    }

    fn words(&self) -> &'static str {
        match (self.accepted, self.fits) {
            (true, _) => "A receiver accepts this message.",
            (false, true) => "The signature is right, but a receiver does not accept this message.",
            (false, false) => "No signature fits.",
        }
    }
}

/// `current_secret` as people read it.
fn key(name: &str) -> &'static str {
    match name {
        "current_secret" => "the signing secret",
        "previous_secret" => "the previous secret",
        "signing_key" => "the signing key (Ed25519)",
        _ => "another key",
    }
}

async fn ask(
    State(console): State<Shared>,
    session: Session,
    Path(id): Path<u64>,
) -> Result<Response, Failure> {
    check_may(&console, &session)?;
    page(&console, &session, id, Pasted::default(), Ok(None), String::new()).await
}

async fn check(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    Posted { session, fields }: Posted,
) -> Result<Response, Failure> {
    let pasted = Pasted {
        headers: fields.get("headers").to_owned(),
        // A browser sends each line's end of a text area as CR LF, whatever was pasted.
        body: fields.get("body").replace("\r\n", "\n"),
        received_at: fields.get("received_at").trim().to_owned(),
    };
    let bytes = fields.file("body_file").map_or(pasted.body.as_bytes(), |file| file);
    let mut call = json!({"headers": pasted.headers, "body_base64": STANDARD.encode(bytes)});
    if !pasted.received_at.is_empty() {
        match zone::moment(&pasted.received_at, End::From) {
            Ok(ms) => call["received_at"] = (ms / 1_000).into(),
            Err(wrong) => return page(&console, &session, id, pasted, Ok(None), wrong).await,
        }
    }
    let secret = fields.get("secret");
    if !secret.is_empty() {
        call["secret"] = secret.into();
    }
    let answer = console.post(&session, &format!("/v2/integration/{id}/check-signature"), &call).await;
    let found = match answer {
        Ok(answer) => Ok(Some(answer.read()?)),
        Err(refused) if refused.is_for_the_form() || refused.status == StatusCode::TOO_MANY_REQUESTS => {
            Err(refused)
        }
        Err(refused) => return Err(refused.into()),
    };
    page(&console, &session, id, pasted, found, String::new()).await
}

async fn page(
    console: &Shared,
    session: &Session,
    id: u64,
    pasted: Pasted,
    found: Result<Option<Found>, Refused>,
    wrong_time: String,
) -> Result<Response, Failure> {
    let integration = console.get(session, &format!("/v2/integration/{id}")).await?.object();
    let name = text(&integration, "name").to_owned();
    let (found, error) = match found {
        Ok(found) => (found, String::new()),
        Err(refused) => {
            let first = refused.errors.first().map(|error| format!("{} {}.", error.pointer, error.message));
            (None, first.unwrap_or_else(|| refused.whole()))
        }
    };
    let is_wrong = !error.is_empty() || !wrong_time.is_empty();
    let page = Page {
        frame: Frame::new(
            console,
            session,
            Nav::Settings(Tab::Integrations),
            format!("Check a signature of {name}"),
        ),
        id,
        name,
        pasted,
        wrong_time,
        error,
        found,
    };
    let status = if is_wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, Html(page.render()?)).into_response())
}
