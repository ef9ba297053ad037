//! `/v2/integration/{id}/test`, `/v2/integration/test` and `/v2/integration/render`: a test message, sent the way that
//! notifications go, or only shown.

use super::auth::Caller;
use super::contract::{Asked, AskedTest, RenderedAnswer, TestAnswer};
use super::description::schema::{Success, TestSettings, UnsavedSettings};
use super::fields::{self, Errors, Fields};
use super::integrations::{as_changed, as_new, find, invalid};
use super::problem::Problem;
use super::query::Query;
use super::turnstile::ComeAgain;
use super::{Shared, enveloped, success};
use crate::dispatch::{compose, try_once};
use crate::server::webhook_id;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use hitwire_event::{IntegrationId, Kind};
use hitwire_log::{Activity, Integration};

/// Test messages of one client in a minute: more than somebody who tries settings needs, and too few to trouble a receiver with.
pub(crate) const TESTS_A_MINUTE: usize = 10;

/// Test messages of one client that are under way at once. Each may last as long as the integration's timeouts allow.
pub(crate) const TESTS_AT_ONCE: usize = 4;

/// Sends a test message of an integration as it is stored, be it disabled.
#[utoipa::path(
    post,
    path = "/v2/integration/{id}/test",
    tag = "integrations",
    operation_id = "testIntegration",
    params(("id" = u64, Path, description = "the integration")),
    request_body = Option<TestSettings>,
    responses((status = 200, description = "What was sent and what came back: `result` is `success` or `failure`.", body = Success<TestAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn stored(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    query: Query,
    body: Body,
) -> Result<Response, Problem> {
    query.finish()?;
    let held = api.bodies.read(body, super::body::SETTINGS_BYTES_MAX).await?;
    let bytes = &held.bytes;
    let asked = if bytes.is_empty() { AskedTest::default() } else { read(bytes)? };
    let integration = find(&api, &caller, &id).await?;
    test(&api, &integration, asked).await
}

/// Sends a test message of settings that are not stored.
///
/// They are checked as a creation's would be; with an `id`, as a change of that integration would be.
#[utoipa::path(
    post,
    path = "/v2/integration/test",
    tag = "integrations",
    operation_id = "testSettings",
    request_body = UnsavedSettings,
    responses((status = 200, description = "What was sent and what came back: `result` is `success` or `failure`.", body = Success<TestAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn unsaved(
    State(api): State<Shared>,
    caller: Caller,
    query: Query,
    body: Body,
) -> Result<Response, Problem> {
    let (integration, asked) = settings(&api, caller, query, body, SENT).await?;
    test(&api, &integration, asked).await
}

/// Shows the test message of settings that are not stored. Nothing is sent.
///
/// The settings are checked as those of a test are. It is made as a notification is: the same rendering, format and headers.
#[utoipa::path(
    post,
    path = "/v2/integration/render",
    tag = "integrations",
    operation_id = "renderMessage",
    request_body = UnsavedSettings,
    responses((status = 200, description = "The request that a test would send.", body = Success<RenderedAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn render(
    State(api): State<Shared>,
    caller: Caller,
    query: Query,
    body: Body,
) -> Result<Response, Problem> {
    let (integration, asked) = settings(&api, caller, query, body, "rendered").await?;
    let kind = kind_of(&integration, asked);
    let labels = api.names.labels(integration.client);
    let trial = compose(&integration, &labels, kind, webhook_id(), api.now_s());
    Ok(success(RenderedAnswer::of(&integration, kind, &trial)))
}

/// What was not done if settings are refused.
const SENT: &str = "sent";

/// The integration that the settings in a body would make, and which message of it is asked for.
async fn settings(
    api: &Shared,
    caller: Caller,
    query: Query,
    body: Body,
    done: &str,
) -> Result<(Integration, AskedTest), Problem> {
    query.finish()?;
    let held = api.bodies.read(body, super::body::SETTINGS_BYTES_MAX).await?;
    let errors = Errors::default();
    let (asked, asked_test) = Asked::read_with_test(fields::document(&held.bytes)?, &errors);
    let caller = caller.naming(api, asked.clientid)?;
    if !errors.is_empty() {
        return Err(invalid(errors.into_vec(), done));
    }
    Ok((as_it_would_be(api, &caller, asked, done).await?, asked_test))
}

fn read(bytes: &[u8]) -> Result<AskedTest, Problem> {
    let errors = Errors::default();
    let asked = Fields::of(fields::document(bytes)?, "", &errors).map(AskedTest::read);
    if errors.is_empty() { Ok(asked.unwrap_or_default()) } else { Err(invalid(errors.into_vec(), SENT)) }
}

async fn as_it_would_be(
    api: &Shared,
    caller: &Caller,
    asked: Asked,
    done: &str,
) -> Result<Integration, Problem> {
    if let Some(id) = asked.id {
        let current = find(api, caller, &id.to_string()).await?;
        return as_changed(api, current, asked, done).await;
    }
    let new = as_new(api, caller, asked, done).await?;
    Ok(Integration {
        id: IntegrationId(0),
        client: new.client,
        name: new.name,
        activity: Activity::DisabledByUser,
        created_at: new.created_at,
        created_by: new.created_by,
        target: new.target,
        events: new.events,
        filter: new.filter,
        revision: 0,
        content_revision: 0,
    })
}

/// The kind that is asked for, or else the first that is ticked.
fn kind_of(integration: &Integration, asked: AskedTest) -> Kind {
    let ticked = integration.events.iter().find(|ticked| ticked.active).map(|ticked| ticked.kind);
    asked.kind.or(ticked).unwrap_or(Kind::Hit)
}

async fn test(api: &Shared, integration: &Integration, asked: AskedTest) -> Result<Response, Problem> {
    let _passage = api.tests.pass(integration.client, api.clock.now()).map_err(|ComeAgain(wait)| {
        let detail = format!(
            "a client may send {TESTS_A_MINUTE} test messages a minute, and {TESTS_AT_ONCE} at once; the header Retry-After says when the next may go"
        );
        Problem::too_many(detail, wait)
    })?;
    let kind = kind_of(integration, asked);
    let labels = api.names.labels(integration.client);
    let tried = try_once(&api.sender, integration, &labels, kind, webhook_id(), api.now_s()).await;
    let answer = TestAnswer::of(integration, kind, tried);
    tracing::info!(integration = %integration.id, client = %integration.client, event = kind.name(),
        delivered = answer.delivered(), "test message sent");
    Ok(enveloped(if answer.delivered() { "success" } else { "failure" }, &answer))
}
