//! `/v2/integration/{id}/check-signature`: why a received message verifies, or does not. Nothing of it is kept.

mod explain;

use super::description::schema::SignatureCheck;
use super::fields::{self, Errors, Fields};
use super::incoming::IncomingCall;
use super::integrations::{self, invalid};
use super::path::Path;
use super::problem::Problem;
use super::query::Query;
use super::{Shared, attempt, json};
use axum::extract::State;
use axum::response::Response;
use data_encoding::BASE64;
use explain::{Explanation, Message, SentMessage, SigningKey, explain};
use hitwire_event::WebhookId;
use hitwire_store::{AttemptQuery, AttemptRow, Integration, Secret};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// The largest body of a call: a message of 5 MiB, of which JSON makes a little more.
const CALL_BYTES_MAX: u64 = 8 << 20;

/// Headers of a message that are taken, and their bytes together.
const HEADERS_MAX: usize = 200;
const HEADERS_BYTES_MAX: usize = 64 << 10;

/// Attempts of one batch that are looked at.
const ATTEMPTS_MAX: usize = 100;

/// What a check found.
#[derive(Serialize, ToSchema)]
pub(super) struct SignatureExplanation {
    /// One of its signatures fits one of the integration's keys.
    fits: bool,
    /// A receiver with these keys accepts it at the time of its arrival.
    accepted: bool,
    /// What was found, the most important first; empty if there is nothing wrong.
    findings: Vec<SignatureFinding>,
    /// Each signature of `webhook-signature`, in its order; at most 16.
    signatures: Vec<CheckedSignature>,
    /// What each key makes of the message. Only the beginning is shown: nobody can have messages signed here.
    expected: Vec<ExpectedBeginning>,
    /// The newest attempt with this `webhook-id`; null: none is on record.
    attempt: Option<u64>,
}

/// Something that was found.
#[derive(Serialize, ToSchema)]
pub(super) struct SignatureFinding {
    /// `trailing_newline`, `json_rewritten`, `timestamp_too_old`, `wrong_secret`, ...
    code: &'static str,
    /// For people.
    text: String,
}

/// A signature of the header.
#[derive(Serialize, ToSchema)]
pub(super) struct CheckedSignature {
    signature: String,
    /// `current_secret`, `previous_secret`, `signing_key`; null: it fits none of them.
    fits: Option<&'static str>,
}

/// What a key makes of the message.
#[derive(Serialize, ToSchema)]
pub(super) struct ExpectedBeginning {
    /// `current_secret`, `previous_secret`, `signing_key`
    key: &'static str,
    /// `v1,g0hM9SsE...`
    begins: String,
}

/// What is asked.
struct Asked {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    received_s: Option<u64>,
    secret: Option<Secret>,
}

/// Why a received message verifies, or does not.
///
/// Compares it with what was sent under its `webhook-id`. Nothing of it is kept, and no key is shown.
#[utoipa::path(
    post,
    path = "/v2/integration/{id}/check-signature",
    tag = "integrations",
    operation_id = "checkSignature",
    params(("id" = u64, Path, description = "the integration")),
    request_body = SignatureCheck,
    responses((status = 200, description = "What was found.", body = SignatureExplanation)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn check(
    State(api): State<Shared>,
    Path(id): Path<String>,
    query: Query,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    query.finish()?;
    let (caller, held) = incoming.read(&api, CALL_BYTES_MAX).await?;
    let asked = read(&held.bytes)?;
    let integration = integrations::find(&api, &caller, &id).await?;
    // A message may have megabytes, and is hashed once for each key and change.
    let _place = api.places.list(&caller).await?;
    let webhook_id = asked.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("webhook-id"));
    let rows = match webhook_id {
        Some((_, id)) => attempts(&api, &integration, id.trim()).await?,
        None => Vec::new(),
    };
    let newest = rows.first().map(|row| row.id);
    let sent = match rows.first() {
        Some(row) => Some(SentMessage {
            body: attempt::sent_body(&api, &integration, &row.attempt).await?.ok().map(|body| body.to_vec()),
            at_s: rows.iter().map(|row| row.attempt.started_ms / 1_000).collect(),
        }),
        None => None,
    };
    let now_s = api.now_s();
    let explained = tokio::task::spawn_blocking(move || {
        let keys = keys(&integration);
        explain(&Message {
            keys: &keys,
            headers: &asked.headers,
            body: &asked.body,
            received_s: asked.received_s.unwrap_or(now_s),
            is_received_known: asked.received_s.is_some(),
            held: asked.secret.as_ref().map(Secret::expose),
            sent: sent.as_ref(),
        })
    });
    let explanation = explained.await.map_err(|_| Problem::internal())?;
    Ok(json(StatusCode::OK, &SignatureExplanation::of(explanation, newest)))
}

/// Attempts of this batch, the newest first: those that the delivery log finds, and those that the index knows.
async fn attempts(api: &Shared, integration: &Integration, id: &str) -> Result<Vec<AttemptRow>, Problem> {
    let webhook_id = WebhookId(id.into());
    let query = AttemptQuery {
        webhook_id: Some(webhook_id.clone()),
        ..AttemptQuery::of(integration.id, None, ATTEMPTS_MAX)
    };
    let indexed = api.index.attempts_of(integration.id, webhook_id, u64::MAX).await;
    // Without the index the newest attempts are looked at all the same.
    let indexed =
        indexed.inspect_err(|error| tracing::warn!(%error, "attempts cannot be found by a webhook-id"));
    Ok(super::history::of_webhook(api, query, indexed.unwrap_or_default()).await?.rows)
}

fn keys(integration: &Integration) -> Vec<SigningKey<'_>> {
    let target = &integration.target;
    let mut keys =
        vec![SigningKey { name: "current_secret", text: target.signing_secret.expose(), expires_at: None }];
    keys.extend(target.previous_secret.as_ref().map(|previous| SigningKey {
        name: "previous_secret",
        text: previous.secret.expose(),
        expires_at: Some(previous.expires_at),
    }));
    keys.extend(target.signing_key.as_ref().map(|key| SigningKey {
        name: "signing_key",
        text: key.expose(),
        expires_at: None,
    }));
    keys
}

fn read(bytes: &[u8]) -> Result<Asked, Problem> {
    let errors = Errors::default();
    let asked = Fields::of(fields::document(bytes)?, "", &errors).map(|mut fields| {
        let headers = fields.string("headers").unwrap_or_default();
        let headers = lines(&headers).unwrap_or_else(|message| {
            fields.refuse("headers", message);
            Vec::new()
        });
        let (text, encoded) = (fields.string("body"), fields.string("body_base64"));
        let body = match (text, encoded) {
            (Some(_), Some(_)) => {
                fields.refuse("body_base64", "excludes body: send one of them");
                Vec::new()
            }
            (text, None) => text.unwrap_or_default().into_bytes(),
            (None, Some(encoded)) => BASE64.decode(encoded.trim().as_bytes()).unwrap_or_else(|_| {
                fields.refuse("body_base64", "must be base64");
                Vec::new()
            }),
        };
        let received_s = fields.integer("received_at", 0..=u64::from(u32::MAX));
        let secret = fields.string("secret").map(Secret::new);
        fields.finish();
        Asked { headers, body, received_s, secret }
    });
    match asked.filter(|_| errors.is_empty()) {
        Some(asked) => Ok(asked),
        None => Err(invalid(errors.into_vec(), "checked")),
    }
}

/// Headers as people copy them: a line each, `name: value`; marks of `curl -v` and lines without a colon are passed over.
fn lines(text: &str) -> Result<Vec<(String, String)>, String> {
    if text.len() > HEADERS_BYTES_MAX {
        return Err(format!("has more than {HEADERS_BYTES_MAX} bytes"));
    }
    let header = |line: &str| {
        let line = line.trim().trim_start_matches(['<', '>']).trim_start();
        let (name, value) = line.split_once(':')?;
        Some((name.trim().trim_matches('"').to_owned(), value.trim().to_owned()))
    };
    let headers: Vec<_> = text.lines().filter_map(header).collect();
    if headers.len() > HEADERS_MAX {
        return Err(format!("has more than {HEADERS_MAX} headers"));
    }
    Ok(headers)
}

impl SignatureExplanation {
    fn of(explanation: Explanation, attempt: Option<u64>) -> Self {
        let Explanation { fits, accepted, findings, given, expected } = explanation;
        let findings = findings.into_iter();
        let given = given.into_iter();
        let expected = expected.into_iter();
        SignatureExplanation {
            fits,
            accepted,
            findings: findings
                .map(|finding| SignatureFinding { code: finding.code, text: finding.text })
                .collect(),
            signatures: given
                .map(|given| CheckedSignature { signature: given.text, fits: given.fits })
                .collect(),
            expected: expected
                .map(|expected| ExpectedBeginning { key: expected.key, begins: expected.begins })
                .collect(),
            attempt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_taken_as_people_copy_them() {
        let text = "POST /hooks HTTP/1.1\n> Webhook-Id: msg_1\r\n< webhook-signature:v1,a= v1,b=\n\nnothing";
        let headers = lines(text).expect("read");
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(headers, [header("Webhook-Id", "msg_1"), header("webhook-signature", "v1,a= v1,b=")]);
        assert!(lines(&"a: b\n".repeat(HEADERS_MAX + 1)).is_err());
        assert!(lines(&"a".repeat(HEADERS_BYTES_MAX + 1)).is_err());
    }
}
