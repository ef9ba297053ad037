//! `/v2/integration/preview`: what a filter would have let pass.

use super::Shared;
use super::contract::{AskedPreview, PreviewAnswer};
use super::description::schema::{PreviewSettings, SuccessWithWarnings};
use super::fields::{self, Errors};
use super::incoming::IncomingCall;
use super::integrations::invalid;
use super::problem::Problem;
use super::query::Query;
use super::turnstile::ComeAgain;
use super::{unknown_applications, with_warnings};
use axum::extract::State;
use axum::response::Response;
use hitwire_event::Stream;

/// Previews of one client in a minute. Somebody who tries filters needs a few; each may read 100,000 events.
pub const PREVIEWS_A_MINUTE: usize = 30;

/// Previews of one client that are under way at once.
pub const PREVIEWS_AT_ONCE: usize = 2;

/// The same of all clients.
pub const PREVIEWS_OF_ALL: usize = 16;

/// How many of the newest events a filter would have let pass. Nothing is sent.
#[utoipa::path(
    post,
    path = "/v2/integration/preview",
    tag = "integrations",
    operation_id = "previewFilter",
    request_body = PreviewSettings,
    responses((status = 200, description = "How many events were looked at, and how many of them would have been sent.", body = SuccessWithWarnings<PreviewAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn preview(
    State(api): State<Shared>,
    query: Query,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    query.finish()?;
    let (caller, held) = incoming.settings(&api).await?;
    let bytes = &held.bytes;
    let errors = Errors::default();
    let asked = AskedPreview::read(fields::document(bytes)?, &errors);
    let caller = caller.naming(&api, asked.as_ref().and_then(|asked| asked.clientid))?;
    let mut warnings = errors.warnings();
    let Some(asked) = asked.filter(|_| errors.is_empty()) else {
        return Err(invalid(errors.into_vec(), "looked at").with_warnings(&warnings));
    };
    let client = caller.client();
    warnings.extend(unknown_applications::warnings(&api, client, &asked.filter).await?);
    let _passage = api.previews.pass(caller.own_client(), api.clock.now()).map_err(|ComeAgain(wait)| {
        let detail = format!(
            "a client may have {PREVIEWS_A_MINUTE} previews a minute, and {PREVIEWS_AT_ONCE} at once; the header Retry-After says when the next may be asked for"
        );
        Problem::too_many(detail, wait)
    })?;
    let streams: Vec<_> = asked.kinds.into_iter().map(|kind| Stream { client, kind }).collect();
    let preview = api.dispatch.preview(&streams, &asked.filter, asked.last).await?;
    // It may have read for long.
    caller.check_again(&api).await?;
    Ok(with_warnings("success", PreviewAnswer::from(preview), &warnings))
}
