//! What is only shown: a test message, what would be sent, what filters would have let pass. Nothing is saved.

use super::errors::{Errors, sentence};
use super::errors_of;
use super::model::Form;
use super::page::Place;
use super::stored::Stored;
use crate::Console;
use crate::failure::Failure;
use crate::integrations::tested::{Preview, Tested};
use crate::session::Session;
use crate::text::number;
use askama::Template;
use http::StatusCode;

/// What a filter would have let pass.
pub(super) struct WouldSend {
    pub(super) error: Option<String>,
    pub(super) words: String,
}

#[derive(Template)]
#[template(path = "integrations/would_send.html")]
pub(super) struct WouldSendPart {
    pub(super) would_send: WouldSend,
}

/// Sends a test message of what is in the fields.
pub(super) async fn test(
    console: &Console,
    session: &Session,
    place: &Place,
    form: &Form,
    stored: &Stored,
    errors: &mut Errors,
) -> Result<Tested, Failure> {
    let mut body = form.to_body(&stored.integration, errors);
    if let Some(id) = place.id {
        body["id"] = id.into();
    }
    if !form.example.is_empty() {
        body["test"] = serde_json::json!({"event": form.example});
    }
    if errors.is_empty() {
        match console.post(session, "/v2/integration/test", &body).await {
            Ok(answer) => return Ok(Tested::of(&answer.object())),
            Err(refused) if refused.status == StatusCode::TOO_MANY_REQUESTS => {
                return Ok(Tested::refused(&refused));
            }
            Err(refused) => *errors = errors_of(form, refused)?,
        }
    }
    let wrong = errors.all().iter().map(|wrong| match &*wrong.id {
        "" => wrong.message.clone(),
        _ => format!("{}: {}", wrong.label, wrong.message),
    });
    Ok(Tested::wrong(wrong.collect()))
}

pub(super) async fn preview(console: &Console, session: &Session, form: &Form) -> Result<Preview, Failure> {
    match console.post(session, "/v2/integration/render", &form.to_preview()).await {
        Ok(answer) => Ok(Preview::of(&answer.object())),
        Err(refused) if refused.status == StatusCode::UNPROCESSABLE_ENTITY => Ok(Preview::refused(&refused)),
        Err(refused) => Err(refused.into()),
    }
}

pub(super) async fn would_send(
    console: &Console,
    session: &Session,
    form: &Form,
    errors: &mut Errors,
) -> Result<WouldSend, Failure> {
    let refused = match console.post(session, "/v2/integration/preview", &form.to_filter_preview()).await {
        Ok(answer) => {
            let warnings = answer.warnings();
            let found = answer.object();
            let of = |name: &str| found[name].as_u64().unwrap_or(0);
            let words = match (form.events.is_empty(), of("looked_at")) {
                (true, _) => "No event is ticked, so nothing would have been sent.".to_owned(),
                (_, 0) => "There are no events of these kinds yet.".to_owned(),
                (_, all) => {
                    format!("Would have sent {} of the last {}.", number(of("would_send")), number(all))
                }
            };
            let doubts = warnings.iter().map(|warning| sentence(&warning.message));
            let words = std::iter::once(words).chain(doubts).collect::<Vec<_>>().join(" ");
            return Ok(WouldSend { error: None, words });
        }
        Err(refused) => refused,
    };
    if refused.status == StatusCode::TOO_MANY_REQUESTS {
        return Ok(WouldSend { error: Some(sentence(&refused.detail)), words: String::new() });
    }
    *errors = errors_of(form, refused)?;
    Ok(WouldSend { error: Some(errors.in_sentences().join(" ")), words: String::new() })
}
