//! `/v2/integration/{id}/attempts/{n}`: one attempt in full.

use super::auth::Caller;
use super::contract::{ResponseAnswer, TimingsAnswer, Values, by_name};
use super::history::{Attempt, sees_receivers};
use super::path::Path;
use super::problem::Problem;
use super::query::Query;
use super::{Shared, integrations, json};
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use hitwire_courier::Verdict;
use hitwire_delivery::{Again, WhyNot};
use hitwire_endpoint::WEBHOOK_SIGNATURE;
use hitwire_store::{ActivityQuery, AttemptKey, AttemptRow, DELIVERED_OF_EACH, Detail, Integration, MASK};
use http::StatusCode;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// How much of a body is shown: more than people read, and little enough for a page.
const BODY_BYTES_SHOWN: usize = 1 << 20;

/// Entries of the activity log that are looked at for what was changed since an attempt.
const CHANGES_LOOKED_AT: usize = 500;

/// An attempt in full.
#[derive(Serialize, ToSchema)]
#[schema(as = AttemptInFull)]
pub(super) struct InFull {
    attempt: Attempt,
    /// What is kept of failures and of the newest successes; null for others.
    detail: Option<DetailAnswer>,
    /// Why there is no detail.
    no_detail: Option<String>,
    body: BodyAnswer,
}

/// What is kept beside the row of the delivery log. No secret is in it but, for those who may change the integration, the URL.
#[derive(Serialize, ToSchema)]
#[schema(as = AttemptDetail)]
pub(super) struct DetailAnswer {
    timings_ms: TimingsAnswer,
    /// The connection had been used before: name, connection and TLS took no time.
    connection_reused: bool,
    /// Of the answer.
    http_version: Option<String>,
    /// Why there is no complete answer, in one word: `settings`, `guard`, `resolve`, `connect`, `open_timeout`, `tls`, `timeout`,
    /// `closed`, `protocol`.
    cause: Option<String>,
    request: SentRequest,
    /// Null if there is no complete answer, and for analysts.
    response: Option<ResponseAnswer>,
}

/// A request as it was sent; its body stands apart.
#[derive(Serialize, ToSchema)]
pub(super) struct SentRequest {
    method: String,
    /// Path and query are masked for analysts, and in attempts from before the key of the secrets was rotated.
    url: String,
    /// `webhook-signature` is masked likewise, values that a user set always.
    headers: BTreeMap<String, Values>,
}

/// The body of the request, made again from the log.
#[derive(Serialize, ToSchema)]
#[schema(as = AttemptBody)]
pub(super) struct BodyAnswer {
    /// `reproduced`: byte for byte the one that was sent. `not_reproducible`: it cannot be made again.
    state: &'static str,
    text: Option<String>,
    /// `text` is the beginning of it.
    truncated: bool,
    /// Its length when it was sent.
    bytes: u64,
    /// Its SHA-256 when it was sent, in hexadecimal; null for attempts of older versions.
    sha256: Option<String>,
    /// Why it cannot be made again.
    why: Option<String>,
}

/// One attempt in full: times, headers, answer, and the body that was sent.
///
/// Failures and the newest 20 successes of each integration are kept in detail. The body is made again from the log, and shown if
/// it is the one that was sent.
#[utoipa::path(
    get,
    path = "/v2/integration/{id}/attempts/{n}",
    tag = "integrations",
    operation_id = "showAttempt",
    params(
        ("id" = u64, Path, description = "the integration"),
        ("n" = u64, Path, description = "the attempt's `id`")
    ),
    responses((status = 200, description = "The attempt.", body = InFull)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Path((id, number)): Path<(String, String)>,
    query: Query,
) -> Result<Response, Problem> {
    query.finish()?;
    let integration = integrations::find(&api, &caller, &id).await?;
    let row = find(&api, &integration, &number).await?;
    let body = body(&api, &integration, &row.attempt).await?;
    let found = detail_of(&api, &integration, &row).await;
    let shows_all = sees_receivers(caller.role());
    let (detail, no_detail) = match found {
        Ok(detail) => (Some(DetailAnswer::of(detail, shows_all)), None),
        Err(why) => (None, Some(why)),
    };
    let attempt = Attempt::of(row, caller.role());
    Ok(json(StatusCode::OK, &InFull { attempt, detail, no_detail, body }))
}

/// The row of an attempt that a path names.
pub(super) async fn find(
    api: &Shared,
    integration: &Integration,
    number: &str,
) -> Result<AttemptRow, Problem> {
    let not_found = || {
        Problem::not_found("there is no such attempt any more; GET /v2/integration/{id}/attempts lists them")
    };
    let number = number.parse().map_err(|_| not_found())?;
    api.store.attempt(integration.id, number).await?.ok_or_else(not_found)
}

/// What is kept of it in detail, or why there is nothing.
pub(super) async fn detail_of(
    api: &Shared,
    integration: &Integration,
    row: &AttemptRow,
) -> Result<Detail, String> {
    let key = AttemptKey {
        integration: integration.id,
        webhook_id: row.attempt.webhook_id.clone(),
        number: row.attempt.number,
    };
    let delivered = row.attempt.verdict == Verdict::Delivered;
    let details = std::sync::Arc::clone(&api.details);
    let found = tokio::task::spawn_blocking(move || details.find(&key, delivered)).await;
    let (found, unreadable) = match found {
        Ok(Ok(found)) => (found, false),
        Ok(Err(error)) => {
            tracing::warn!(%error, "an attempt's detail cannot be read");
            (None, true)
        }
        Err(_) => (None, true),
    };
    found.ok_or_else(|| no_detail(delivered, unreadable, api.details.dropped()))
}

fn no_detail(delivered: bool, unreadable: bool, dropped: u64) -> String {
    if unreadable {
        return "the file of the details cannot be read; see hitwire's log".to_owned();
    }
    let kept = if delivered {
        format!("of successes the newest {DELIVERED_OF_EACH} of each integration are kept in detail")
    } else {
        "older details of failures make room for newer ones; those of the last second before a crash are lost"
            .to_owned()
    };
    match dropped {
        0 => kept,
        dropped => format!("{kept}; {dropped} were not kept since the start, because too many came at once"),
    }
}

async fn body(
    api: &Shared,
    integration: &Integration,
    attempt: &hitwire_courier::Attempt,
) -> Result<BodyAnswer, Problem> {
    let (text, why) = match sent_body(api, integration, attempt).await? {
        Ok(body) => (Some(body), None),
        Err(why) => (None, Some(why)),
    };
    Ok(BodyAnswer {
        state: if text.is_some() { "reproduced" } else { "not_reproducible" },
        truncated: text.as_ref().is_some_and(|body| body.len() > BODY_BYTES_SHOWN),
        text: text.as_ref().map(beginning),
        bytes: attempt.body_bytes,
        sha256: attempt.body_sha256.map(|sha256| HEXLOWER.encode(&sha256)),
        why,
    })
}

/// The body byte for byte as it was sent, or why it cannot be made again.
pub(super) async fn sent_body(
    api: &Shared,
    integration: &Integration,
    attempt: &hitwire_courier::Attempt,
) -> Result<Result<Bytes, String>, Problem> {
    match api.dispatch.body_of(integration, attempt).await? {
        Again::Same(body) => Ok(Ok(body)),
        Again::Not(why) => Ok(Err(in_words(api, integration, attempt, why).await?)),
    }
}

fn beginning(body: &Bytes) -> String {
    let mut text = String::from_utf8_lossy(body).into_owned();
    text.truncate(text.floor_char_boundary(BODY_BYTES_SHOWN));
    text
}

/// Why a body cannot be made again.
async fn in_words(
    api: &Shared,
    integration: &Integration,
    attempt: &hitwire_courier::Attempt,
    why: WhyNot,
) -> Result<String, Problem> {
    let changed = attempt.content_revision.is_some_and(|revision| revision != integration.content_revision);
    let gone = match why {
        WhyNot::NoHash => {
            return Ok(
                "an older version of hitwire recorded the attempt, without a hash of its body".to_owned()
            );
        }
        WhyNot::TooMuch => {
            return Ok("its events lie among too many others to be searched for here".to_owned());
        }
        WhyNot::Missing { found } if !changed => {
            return Ok(format!(
                "{} of its {} events are no longer in the log",
                attempt.events as usize - found,
                attempt.events
            ));
        }
        WhyNot::Missing { found: 0 } => "; or its events are no longer in the log",
        WhyNot::Missing { .. } | WhyNot::Different => "",
    };
    if !changed {
        return Ok("made again, it is another one: the names in envelopes (product, cloud, the client's name), or hitwire \
             itself, changed since"
            .to_owned());
    }
    let fields = content_changes(api, integration, attempt.started_ms).await?;
    let fields = if fields.is_empty() { "what the integration sends".to_owned() } else { fields.join(", ") };
    Ok(format!("settings were changed since: {fields}{gone}"))
}

/// The settings of an integration's content that were changed since then, as the activity log calls them.
async fn content_changes(
    api: &Shared,
    integration: &Integration,
    since_ms: u64,
) -> Result<Vec<String>, Problem> {
    let query = ActivityQuery {
        client: Some(integration.client),
        object_type: Some("integration".to_owned()),
        object_id: Some(integration.id.to_string()),
        action: None,
        actor: None,
        since_ms: Some(since_ms),
        until_ms: None,
        before: None,
        limit: CHANGES_LOOKED_AT,
    };
    let own = api.store.activity(query).await?.rows.into_iter().flat_map(|row| row.entry.changes);
    let is_content = |field: &str| {
        ["events", "filter", "target.rendering", "target.format"].iter().any(|of| field.starts_with(of))
    };
    let fields: BTreeSet<String> = own.map(|change| change.field).filter(|field| is_content(field)).collect();
    Ok(fields.into_iter().collect())
}

impl DetailAnswer {
    /// `shows_all`: to whoever may change the integration.
    fn of(detail: Detail, shows_all: bool) -> Self {
        let private = detail.private.as_ref().filter(|_| shows_all);
        let signature = private.and_then(|private| private.signature.as_ref());
        let headers = detail.headers.iter().map(|(name, value)| match signature {
            Some(signature) if **name == WEBHOOK_SIGNATURE => (name.as_str(), signature.expose().to_owned()),
            _ => (name.as_str(), value.clone()),
        });
        let url = match private {
            Some(private) => format!("{}{}", detail.origin, private.path_and_query.expose()),
            None => format!("{}/{MASK}", detail.origin),
        };
        DetailAnswer {
            timings_ms: detail.timings.into(),
            connection_reused: detail.reused,
            http_version: detail.http_version,
            cause: detail.cause,
            request: SentRequest { method: detail.method, url, headers: by_name(headers) },
            response: detail.response.as_ref().filter(|_| shows_all).map(ResponseAnswer::kept),
        }
    }
}
