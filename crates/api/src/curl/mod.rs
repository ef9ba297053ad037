//! `/v2/integration/{id}/attempts/{n}/curl`: an attempt as a script that makes the same request again.

mod script;

use super::Shared;
use super::attempt;
use super::auth::Caller;
use super::history::sees_receivers;
use super::integrations;
use super::path::Path;
use super::problem::Problem;
use super::query::Query;
use super::rfc3339;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hitwire_endpoint::{WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use hitwire_store::{AttemptRow, Detail, Integration, Secret};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use script::{Body, Files, Script, Signature};

/// Where the body of the request stands.
#[derive(Clone, Copy)]
enum BodyPlace {
    Inline,
    File,
}

/// An attempt as a script for bash or zsh that makes the same request with curl: method, headers, body.
///
/// What is secret is a variable. The signature is the recorded one, which a receiver takes for 5 minutes; if
/// `HITWIRE_SIGNING_SECRET` is set, the script signs anew with openssl.
#[utoipa::path(
    get,
    path = "/v2/integration/{id}/attempts/{n}/curl",
    tag = "integrations",
    operation_id = "attemptAsCurl",
    params(
        ("id" = u64, Path, description = "the integration"),
        ("n" = u64, Path, description = "the attempt's `id`"),
        ("body" = inline(Option<super::description::schema::CurlBody>), Query, description = "`inline`: the body stands in the script; `file`: it is read from the file that `HITWIRE_BODY_FILE` names, `attempt-<n>.json` if it is not set")
    ),
    responses((status = 200, description = "The script.", body = String, content_type = "text/plain")),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Path((id, number)): Path<(String, String)>,
    mut query: Query,
) -> Result<Response, Problem> {
    let choices = [("inline", BodyPlace::Inline), ("file", BodyPlace::File)];
    let place = query.one_of("body", &choices)?.unwrap_or(BodyPlace::Inline);
    query.finish()?;
    let integration = integrations::find(&api, &caller, &id).await?;
    let row = attempt::find(&api, &integration, &number).await?;
    let detail = attempt::detail_of(&api, &integration, &row).await;
    let detail = detail.map_err(|why| Problem::not_found(format!("its headers were not kept: {why}")))?;
    let sent = attempt::sent_body(&api, &integration, &row.attempt).await?.ok();
    let body = match (place, &sent) {
        (BodyPlace::Inline, Some(sent)) => Body::Inline(sent),
        (BodyPlace::File, Some(_)) => Body::File(Some(format!("attempt-{}.json", row.id))),
        (_, None) => Body::File(None),
    };
    let text = script(&integration, &row, &detail, sees_receivers(caller.role()), body);
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    Ok((headers, text).into_response())
}

/// `shows_all`: to whoever may change the integration.
fn script(
    integration: &Integration,
    row: &AttemptRow,
    detail: &Detail,
    shows_all: bool,
    body: Body<'_>,
) -> String {
    let private = detail.private.as_ref().filter(|_| shows_all);
    let value = |wanted: &str| {
        let found = detail.headers.iter().find(|(name, _)| name == wanted);
        found.map_or("", |(_, value)| value.as_str())
    };
    let is_own = |name: &str| *name == WEBHOOK_SIGNATURE || *name == WEBHOOK_TIMESTAMP;
    let headers = detail.headers.iter().filter(|(name, _)| !is_own(name));
    let is_signed = detail.headers.iter().any(|(name, _)| **name == WEBHOOK_SIGNATURE);
    let recorded = private.and_then(|private| private.signature.as_ref()).map(Secret::expose);
    let target = &integration.target;
    Script {
        attempt: row.id,
        integration: integration.id.0,
        started_at: rfc3339(row.attempt.started_ms),
        method: &detail.method,
        origin: &detail.origin,
        path_and_query: private.map(|private| private.path_and_query.expose()),
        is_http1: detail.http_version.as_deref() == Some("HTTP/1.1"),
        headers: headers.map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        webhook_id: value(WEBHOOK_ID.as_str()),
        timestamp: value(WEBHOOK_TIMESTAMP.as_str()),
        signature: match (is_signed, recorded) {
            (false, _) => Signature::None,
            (true, Some(recorded)) => Signature::Recorded(recorded),
            (true, None) => Signature::Withheld,
        },
        body,
        // As the integration is set up now: attempts do not keep it.
        files: Files {
            ca: shows_all && !target.ca_file.is_empty() && target.ca_verify,
            client: shows_all && !target.client_cert.is_empty(),
            verify: target.ca_verify || !shows_all,
        },
    }
    .to_string()
}
