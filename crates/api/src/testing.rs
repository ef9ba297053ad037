//! `/v2/integration/{id}/test`, `/v2/integration/test` and `/v2/integration/render`: a test message, sent the way that
//! notifications go, or only shown.

use super::auth::Caller;
use super::contract::{Asked, AskedTest, RenderedAnswer, TestAnswer, TestsAnswer};
use super::description::schema::{SuccessWithWarnings, TestSettings, UnsavedSettings};
use super::fields::{self, Errors, Fields};
use super::incoming::IncomingCall;
use super::integrations::{as_changed, as_new, find, invalid};
use super::path::Path;
use super::problem::{FieldError, Problem};
use super::query::Query;
use super::turnstile::ComeAgain;
use super::{Shared, with_warnings};
use axum::extract::State;
use axum::response::Response;
use hitwire_delivery::webhook_id;
use hitwire_delivery::{compose, try_once};
use hitwire_event::{IntegrationId, Kind};
use hitwire_store::{Activity, Integration};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Test messages that one call sends at most, if it names no event.
const MESSAGES_MAX: usize = 5;

/// Tests of one client in a minute: more than somebody who tries settings needs, and too few to trouble a receiver with.
pub const TESTS_A_MINUTE: usize = 10;

/// Tests of one client that are under way at once. Each may last as long as the integration's timeouts allow.
pub const TESTS_AT_ONCE: usize = 4;

/// The same of all clients: each holds a connection and an answer.
pub const TESTS_OF_ALL: usize = 64;

/// Sends test messages of an integration as it is stored, be it disabled.
///
/// One of the event that is named; else one of each event that is ticked, at most five, one after the other.
#[utoipa::path(
    post,
    path = "/v2/integration/{id}/test",
    tag = "integrations",
    operation_id = "testIntegration",
    params(("id" = u64, Path, description = "the integration")),
    request_body = Option<TestSettings>,
    responses((status = 200, description = "What was sent and what came back: `result` is `success` or `failure`.", body = SuccessWithWarnings<TestsAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn stored(
    State(api): State<Shared>,
    Path(id): Path<String>,
    query: Query,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    query.finish()?;
    let (caller, held) = incoming.settings(&api).await?;
    let bytes = &held.bytes;
    let asked = if bytes.is_empty() { AskedTest::default() } else { read(bytes)? };
    let integration = find(&api, &caller, &id).await?;
    test(&api, caller, &integration, asked, &[], true).await
}

/// Sends test messages of settings that are not stored.
///
/// They are checked as a creation's would be; with an `id`, as a change of that integration would be.
#[utoipa::path(
    post,
    path = "/v2/integration/test",
    tag = "integrations",
    operation_id = "testSettings",
    request_body = UnsavedSettings,
    responses((status = 200, description = "What was sent and what came back: `result` is `success` or `failure`.", body = SuccessWithWarnings<TestsAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn unsaved(
    State(api): State<Shared>,
    query: Query,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    let Unsaved { caller, integration, test: asked, warnings } =
        settings(&api, query, incoming, SENT).await?;
    test(&api, caller, &integration, asked, &warnings, false).await
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
    responses((status = 200, description = "The request that a test would send.", body = SuccessWithWarnings<RenderedAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn render(
    State(api): State<Shared>,
    query: Query,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    let Unsaved { integration, test, warnings, .. } = settings(&api, query, incoming, "rendered").await?;
    let kind = kinds_of(&integration, test)[0];
    let labels = api.names.labels(integration.client);
    let trial = compose(&integration, &labels, kind, webhook_id(), api.now_s());
    Ok(with_warnings("success", RenderedAnswer::of(&integration, kind, &trial), &warnings))
}

/// Settings that are not stored.
struct Unsaved {
    /// Who sent them.
    caller: Caller,
    /// The integration that they would make.
    integration: Integration,
    /// Which message of it is asked for.
    test: AskedTest,
    /// What of the body is passed over.
    warnings: Vec<FieldError>,
}

/// What was not done if settings are refused.
const SENT: &str = "sent";

async fn settings(
    api: &Shared,
    query: Query,
    incoming: IncomingCall,
    done: &str,
) -> Result<Unsaved, Problem> {
    query.finish()?;
    let (caller, held) = incoming.settings(api).await?;
    let errors = Errors::default();
    let (mut asked, test) = Asked::read_with_test(fields::document(&held.bytes)?, &errors);
    let caller = caller.naming(api, asked.clientid)?;
    if !errors.is_empty() {
        return Err(invalid(errors.into_vec(), done).with_warnings(&asked.warnings));
    }
    let warnings = std::mem::take(&mut asked.warnings);
    let integration = as_it_would_be(api, &caller, asked, done)
        .await
        .map_err(|problem| problem.with_warnings(&warnings))?;
    Ok(Unsaved { caller, integration, test, warnings })
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

/// The kind that is asked for, or else those that are ticked, in their order: at least one, at most five.
fn kinds_of(integration: &Integration, asked: AskedTest) -> Vec<Kind> {
    if let Some(kind) = asked.kind {
        return vec![kind];
    }
    let ticked = integration.events.iter().filter(|ticked| ticked.active).map(|ticked| ticked.kind);
    let kinds: Vec<_> = ticked.take(MESSAGES_MAX).collect();
    if kinds.is_empty() { vec![Kind::Hit] } else { kinds }
}

async fn test(
    api: &Shared,
    mut caller: Caller,
    integration: &Integration,
    asked: AskedTest,
    warnings: &[FieldError],
    is_stored: bool,
) -> Result<Response, Problem> {
    // Opening a client certificate may have taken long.
    caller.check_again(api).await?;
    let _passage = api.tests.pass(caller.own_client(), api.clock.now()).map_err(|ComeAgain(wait)| {
        let detail = format!(
            "a client may run {TESTS_A_MINUTE} tests a minute, and {TESTS_AT_ONCE} at once; the header Retry-After says when the next may go"
        );
        Problem::too_many(detail, wait)
    })?;
    caller.release();
    let is_one = asked.kind.is_some();
    let (mut messages, not_sent) = send_all(api, &caller, integration, kinds_of(integration, asked)).await;
    let answer = match messages.pop_if(|_| is_one) {
        Some(message) => Some(TestsAnswer::of_one(message)),
        None => TestsAnswer::of(messages, not_sent),
    };
    // At least one message was sent.
    let answer = answer.ok_or_else(Problem::internal)?;
    if is_stored {
        api.dispatch.was_tested(integration.id, answer.delivered());
    }
    Ok(with_warnings(if answer.delivered() { "success" } else { "failure" }, answer, warnings))
}

/// Sends a message of each kind, one after the other; what became of them, and the kinds of which none was sent. All together they last no longer than the integration's timeouts allow a
/// single one, and a receiver that gave no complete answer is not asked again.
async fn send_all(
    api: &Shared,
    caller: &Caller,
    integration: &Integration,
    kinds: Vec<Kind>,
) -> (Vec<TestAnswer>, Vec<&'static str>) {
    let target = &integration.target;
    let seconds = u64::from(target.open_timeout_s) + u64::from(target.timeout_s);
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let labels = api.names.labels(integration.client);
    let mut kinds = kinds.into_iter();
    let mut messages: Vec<TestAnswer> = Vec::new();
    let mut not_sent = Vec::new();
    for kind in kinds.by_ref() {
        // The one before may have taken minutes.
        if !messages.is_empty() && caller.check_again(api).await.is_err() {
            not_sent.push(kind.name());
            break;
        }
        let trying = try_once(&api.sender, integration, &labels, kind, webhook_id(), api.now_s());
        let tried = if messages.is_empty() {
            // It has the timeouts of its own.
            trying.await
        } else if let Ok(tried) = timeout_at(deadline, trying).await {
            tried
        } else {
            not_sent.push(kind.name());
            break;
        };
        let message = TestAnswer::of(integration, kind, tried, caller.role());
        tracing::info!(integration = %integration.id, client = %integration.client, event = kind.name(),
            delivered = message.delivered(), "test message sent");
        let goes_on = message.was_answered();
        messages.push(message);
        if !goes_on {
            break;
        }
    }
    not_sent.extend(kinds.map(Kind::name));
    (messages, not_sent)
}
