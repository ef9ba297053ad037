//! `/v2/integration/{id}/replays` and `/v2/integration/{id}/retry`: what is sent once more, and what is tried at once.
//!
//! A retry is the same batch under the same `webhook-id`. A replay sends events anew, in batches of their own.

mod answer;
mod asked;
mod plan;

use super::auth::Caller;
use super::description::schema::{ReplaySettings, ReplaySteering, Success};
use super::fields::{self, Errors, Fields};
use super::incoming::IncomingCall;
use super::integrations::{find, invalid};
use super::path::Path;
use super::problem::Problem;
use super::query::Query;
use super::{Shared, json, success};
use answer::{PreviewedReplay, ReplayAnswer, Replays};
use asked::Asked;
use axum::extract::State;
use axum::response::Response;
use hitwire_store::change::replay as change;
use hitwire_store::{Activity, Done, Integration, NewReplay, Op, Replay, ReplayChange, StoreError, new_uuid};
use http::StatusCode;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Events a second that a replay may be held to.
const EVENTS_PER_S: RangeInclusive<u64> = 1..=100_000;

/// Has a part of the log sent once more.
///
/// Exactly one of these says which: `from` (and `until`), `first` (and `last`), `attempt`, `event`, `seq`, `lost`. With
/// `preview` nothing is begun: the answer says how many events there are.
#[utoipa::path(
    post,
    path = "/v2/integration/{id}/replays",
    tag = "integrations",
    operation_id = "startReplay",
    params(("id" = u64, Path, description = "the integration")),
    request_body = ReplaySettings,
    responses((status = 200, description = "The replay; with `preview`, what it would send.", body = Success<ReplayAnswer>), (status = 409)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn start(
    State(api): State<Shared>,
    Path(id): Path<String>,
    query: Query,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    query.finish()?;
    let (caller, held) = incoming.settings(&api).await?;
    let asked = Asked::read(&held.bytes)?;
    let integration = find(&api, &caller, &id).await?;
    let (preview, events_per_s, paused) = (asked.preview, asked.events_per_s, asked.paused);
    let plan = plan::plan(&api, &integration, asked, caller.name()).await?;
    if preview {
        return Ok(success(PreviewedReplay::of(&plan)));
    }
    let new = NewReplay { integration: integration.id, plan, events_per_s, paused };
    let ops = change::begun(&integration, new, new_uuid().as_bytes(), &api.by(&caller));
    let done = commit(&api, &caller, ops).await?;
    let number = done.into_iter().find_map(|done| match done {
        Done::Replay(number) => Some(number),
        _ => None,
    });
    let number = number.ok_or_else(Problem::internal)?;
    tracing::info!(integration = %integration.id, replay = number, by = caller.name(), "replay started");
    let replay = one(&api, &integration, number).await?;
    Ok(success(ReplayAnswer::of(&api, &integration, replay).await?))
}

/// The replays of an integration, the newest first: those under way, and those that ended last.
#[utoipa::path(
    get,
    path = "/v2/integration/{id}/replays",
    tag = "integrations",
    operation_id = "listReplays",
    params(("id" = u64, Path, description = "the integration")),
    responses((status = 200, description = "Replays, at most 100.", body = Replays)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn list(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, Problem> {
    query.finish()?;
    let integration = find(&api, &caller, &id).await?;
    let found = api.store.replays(integration.id).await?;
    let status = answer::courier(&api, &integration).await?;
    let mut replays = Vec::with_capacity(found.len());
    for replay in found {
        replays.push(ReplayAnswer::with_status(&api, &integration, replay, &status).await?);
    }
    Ok(json(StatusCode::OK, &Replays { replays }))
}

/// One replay.
#[utoipa::path(
    get,
    path = "/v2/integration/{id}/replays/{n}",
    tag = "integrations",
    operation_id = "showReplay",
    params(("id" = u64, Path, description = "the integration"), ("n" = u32, Path, description = "the replay")),
    responses((status = 200, description = "The replay.", body = Success<ReplayAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Path((id, number)): Path<(String, String)>,
    query: Query,
) -> Result<Response, Problem> {
    query.finish()?;
    let integration = find(&api, &caller, &id).await?;
    let replay = named(&api, &integration, &number).await?;
    Ok(success(ReplayAnswer::of(&api, &integration, replay).await?))
}

/// Pauses a replay, lets it go on, or makes it slower or faster.
#[utoipa::path(
    put,
    path = "/v2/integration/{id}/replays/{n}",
    tag = "integrations",
    operation_id = "changeReplay",
    params(("id" = u64, Path, description = "the integration"), ("n" = u32, Path, description = "the replay")),
    request_body = ReplaySteering,
    responses((status = 200, description = "The replay as it is now.", body = Success<ReplayAnswer>), (status = 409)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn steer(
    State(api): State<Shared>,
    Path((id, number)): Path<(String, String)>,
    query: Query,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    query.finish()?;
    let (caller, held) = incoming.settings(&api).await?;
    let integration = find(&api, &caller, &id).await?;
    let replay = named(&api, &integration, &number).await?;
    let changes = steering(&held.bytes, &replay)?;
    if replay.ended.is_some() {
        return Err(has_ended());
    }
    if !changes.is_empty() {
        steered(&api, &caller, &integration, &replay, &changes).await?;
    }
    let replay = one(&api, &integration, replay.number).await?;
    Ok(success(ReplayAnswer::of(&api, &integration, replay).await?))
}

/// Ends a replay. What is on its way may still arrive.
#[utoipa::path(
    delete,
    path = "/v2/integration/{id}/replays/{n}",
    tag = "integrations",
    operation_id = "cancelReplay",
    params(("id" = u64, Path, description = "the integration"), ("n" = u32, Path, description = "the replay")),
    responses((status = 200, description = "The replay as it ended.", body = Success<ReplayAnswer>), (status = 409)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn cancel(
    State(api): State<Shared>,
    caller: Caller,
    Path((id, number)): Path<(String, String)>,
    query: Query,
) -> Result<Response, Problem> {
    query.finish()?;
    let integration = find(&api, &caller, &id).await?;
    let replay = match named(&api, &integration, &number).await {
        Ok(replay) => replay,
        // One whose record is damaged can be cancelled all the same.
        Err(problem) => {
            let number = number.parse().map_err(|_| problem)?;
            let unique = new_uuid();
            let ops = change::cancelled_unread(&integration, number, unique.as_bytes(), &api.by(&caller));
            commit(&api, &caller, ops).await.map_err(|error| match error {
                StoreError::NotFound => not_found(),
                error => error.into(),
            })?;
            return Ok(success(answer::Cancelled { number }));
        }
    };
    steered(&api, &caller, &integration, &replay, &[ReplayChange::Cancel]).await?;
    let replay = one(&api, &integration, replay.number).await?;
    Ok(success(ReplayAnswer::of(&api, &integration, replay).await?))
}

/// Tries at once what waits: each batch again as it was, under the same `webhook-id`. The schedule goes on from where it was.
#[utoipa::path(
    post,
    path = "/v2/integration/{id}/retry",
    tag = "integrations",
    operation_id = "retryNow",
    params(("id" = u64, Path, description = "the integration")),
    responses((status = 200, description = "What waits is being tried.", body = Success<answer::Retried>), (status = 409, description = "It is disabled.")),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn retry(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, Problem> {
    query.finish()?;
    let integration = find(&api, &caller, &id).await?;
    let sends =
        integration.activity == Activity::Active && api.accounts.clients().is_enabled(integration.client);
    if !sends {
        return Err(Problem::conflict("nothing is sent to it, so nothing can be tried; enable it first"));
    }
    let status = answer::courier(&api, &integration).await?;
    let tried = status.lanes.values().filter(|lane| lane.state != "paused");
    let waiting: u64 = tried.map(|lane| lane.open.len() as u64).sum();
    commit(&api, &caller, change::retried(&integration, new_uuid().as_bytes(), &api.by(&caller))).await?;
    api.dispatch.retry(integration.id);
    tracing::info!(integration = %integration.id, by = caller.name(), "what waits is tried at once");
    Ok(success(answer::Retried { batches: waiting }))
}

async fn steered(
    api: &Shared,
    caller: &Caller,
    integration: &Integration,
    replay: &Replay,
    changes: &[ReplayChange],
) -> Result<(), Problem> {
    let by = api.by(caller);
    let ops = changes
        .iter()
        .flat_map(|change| change::steered(integration, replay, *change, new_uuid().as_bytes(), &by));
    let ops = ops.collect();
    match commit(api, caller, ops).await {
        Ok(_) => Ok(()),
        Err(StoreError::NotFound) => Err(has_ended()),
        Err(error) => Err(error.into()),
    }
}

/// Commits a caller's change, also when the caller goes away meanwhile. The couriers hear of it from the store.
async fn commit(api: &Shared, caller: &Caller, ops: Vec<Op>) -> Result<Vec<Done>, StoreError> {
    let (api, by) = (Arc::clone(api), caller.identity.clone());
    let committing = tokio::spawn(async move { by.commit(&*api.store, ops).await });
    committing.await.unwrap_or(Err(StoreError::Closed))
}

async fn named(api: &Shared, integration: &Integration, number: &str) -> Result<Replay, Problem> {
    match number.parse() {
        Ok(number) => one(api, integration, number).await,
        Err(_) => Err(not_found()),
    }
}

async fn one(api: &Shared, integration: &Integration, number: u32) -> Result<Replay, Problem> {
    api.store.replay(integration.id, number).await?.ok_or_else(not_found)
}

fn has_ended() -> Problem {
    Problem::conflict("the replay has ended; nothing was changed")
}

fn not_found() -> Problem {
    Problem::not_found("there is no such replay; GET /v2/integration/{id}/replays lists them")
}

/// What is to be changed; what is not named stays.
fn steering(bytes: &[u8], now: &Replay) -> Result<Vec<ReplayChange>, Problem> {
    let errors = Errors::default();
    let mut changes = Vec::new();
    if let Some(mut fields) = Fields::of(fields::document(bytes)?, "", &errors) {
        let names_a_rate = fields.has("events_per_second");
        let rate = fields.integer("events_per_second", EVENTS_PER_S).and_then(|rate| rate.try_into().ok());
        if names_a_rate && rate != now.events_per_s {
            changes.push(ReplayChange::EventsPerSecond(rate));
        }
        let paused = fields.bool("paused").filter(|paused| *paused != now.paused);
        changes.extend(paused.map(ReplayChange::Pause));
        fields.finish();
    }
    if errors.is_empty() { Ok(changes) } else { Err(invalid(errors.into_vec(), "changed")) }
}
