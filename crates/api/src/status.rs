//! `/v2/integration/{id}/status`: how an integration is doing, lane by lane.

use super::auth::Caller;
use super::history::Attempt;
use super::path::Path;
use super::problem::Problem;
use super::trust::{self, Certificates};
use super::{Shared, integrations, json, rfc3339, unknown_applications};
use axum::extract::State;
use axum::response::Response;
use hitwire_courier::OpenBatch;
use hitwire_delivery::{CourierStatus, LaneNow, lane_streams};
use hitwire_event::{ClientId, IntegrationId, Lane, Seq};
use hitwire_store::change::integration::in_words;
use hitwire_store::{Activity, Integration, Lag, Ticked};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// How many of the newest attempts are looked at for the last error of each lane.
const ATTEMPTS_LOOKED_AT: usize = 20;

/// How an integration is doing.
#[derive(Serialize, ToSchema)]
pub(super) struct Status {
    id: u64,
    name: String,
    active: bool,
    /// If it is not active: `user`, `hitwire`.
    disabled_by: Option<&'static str>,
    /// Whether events that come now will be sent.
    sends: bool,
    /// Why not, or what to do; null when all is well.
    notice: Option<String>,
    /// What is not as it should be, although it may work: verification that is off, certificates that end, a filter that
    /// names an application which is not set up.
    warnings: Vec<String>,
    /// The certificates of its settings.
    tls: Certificates,
    /// Requests fail, and no success has followed yet.
    failing: bool,
    /// Failed attempts in a row; 0 when well.
    failures_in_a_row: u32,
    /// The end of the log.
    head: u64,
    lanes: Vec<LaneStatus>,
    last_attempt: Option<Attempt>,
}

/// How a lane is doing.
#[derive(Serialize, ToSchema)]
pub(super) struct LaneStatus {
    #[schema(value_type = String, example = "bulk")]
    lane: Lane,
    /// The ticked kinds that travel in it.
    events: Vec<&'static str>,
    state: &'static str,
    /// Every event of the lane up to here is settled.
    cursor: u64,
    lag: LagAnswer,
    /// The first of the batches on their way.
    open_batch: Option<OpenBatchAnswer>,
    /// All of them, in log order: more than one only if `target.in_flight` allows it.
    open_batches: Vec<OpenBatchAnswer>,
    /// When the oldest request that is under way was sent: since then a response is awaited.
    waiting_for_response_since: Option<String>,
    next_attempt_at: Option<String>,
    /// Of the newest attempt of the lane, while the integration fails; null otherwise.
    last_error: Option<String>,
}

/// How far a lane is behind.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = LaneLag)]
pub(super) struct LagAnswer {
    /// Events that are not settled.
    pub(super) events: u64,
    /// The age of the oldest of them.
    pub(super) seconds: u64,
}

/// A batch on its way.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = OpenBatch)]
pub(super) struct OpenBatchAnswer {
    webhook_id: String,
    first: u64,
    last: u64,
    events: u32,
    body_bytes: u64,
    tries: u32,
}

/// How it is doing, lane by lane.
#[utoipa::path(
    get,
    path = "/v2/integration/{id}/status",
    tag = "integrations",
    operation_id = "showStatus",
    params(("id" = u64, Path, description = "the integration")),
    responses((status = 200, description = "Its state.", body = Status)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let integration = integrations::find(&api, &caller, &id).await?;
    let head = api.store.head().now();
    let courier = courier(&api, &integration).await?;
    let attempts = api.store.attempts(integration.id, None, ATTEMPTS_LOOKED_AT).await?;
    let is_active = integration.activity == Activity::Active;
    let (failing, failures_in_a_row) = (is_active && courier.is_failing(), courier.failures_in_a_row);
    let mut lanes = Vec::with_capacity(Lane::LIVE.len());
    for (lane, now) in courier.lanes.into_iter().filter(|(lane, _)| !lane.is_replay()) {
        let streams = lane_streams(&integration, lane);
        let lag = if streams.is_empty() {
            Lag::default()
        } else {
            api.store.lag(streams, now.cursor, head).await?
        };
        let newest = attempts.iter().find(|row| row.attempt.lane == lane);
        let last_error = newest.filter(|_| failing).and_then(|row| row.attempt.error.clone());
        lanes.push(LaneStatus::of(&integration, lane, now, lag, last_error, api.clock.wall_ms()));
    }
    let client_enabled = api.accounts.clients().is_enabled(integration.client);
    let notice = notice(integration.client, &integration.activity, &integration.events, client_enabled);
    let (tls, mut warnings) = trust::told(&integration.target, api.now_s() as i64);
    let unknown = unknown_applications::warnings(&api, integration.client, &integration.filter).await?;
    warnings.extend(unknown.into_iter().map(|warning| format!("filter: {}", warning.message)));
    let status = Status {
        id: integration.id.0,
        active: is_active,
        disabled_by: disabled_by(&integration.activity),
        sends: notice.is_none(),
        notice,
        warnings,
        tls,
        failing,
        failures_in_a_row,
        head: head.0,
        lanes,
        last_attempt: attempts.into_iter().next().map(|row| Attempt::of(row, caller.role())),
        name: integration.name,
    };
    Ok(json(StatusCode::OK, &status))
}

/// What the dispatch says; if it has not looked at the integration yet, what was saved.
pub(super) async fn courier(api: &Shared, integration: &Integration) -> Result<CourierStatus, Problem> {
    match api.dispatch.status(integration.id).await {
        Some(status) => Ok(status),
        None => saved(api, integration.id, &integration.activity).await,
    }
}

/// What was saved of couriers that the dispatch has not looked at yet.
pub(super) async fn saved(
    api: &Shared,
    id: IntegrationId,
    activity: &Activity,
) -> Result<CourierStatus, Problem> {
    let saved = api.store.saved(id).await?.unwrap_or_default();
    let state = if *activity == Activity::Active { "caught_up" } else { "disabled" };
    let lanes = saved.lanes.map(|_, lane| LaneNow {
        state,
        cursor: lane.cursor,
        settled_ahead: lane.open.iter().map(|open| open.settled_behind).sum(),
        open: lane.open.into_iter().map(|open| open.batch).collect(),
        requested_ms: None,
        next_attempt_ms: None,
    });
    Ok(CourierStatus { lanes, failures_in_a_row: 0 })
}

/// Who disabled it.
pub(super) fn disabled_by(activity: &Activity) -> Option<&'static str> {
    match activity {
        Activity::Active => None,
        Activity::DisabledByUser => Some("user"),
        Activity::DisabledAutomatically(_) => Some("hitwire"),
    }
}

/// Why nothing is sent.
pub(super) fn notice(
    client: ClientId,
    activity: &Activity,
    events: &[Ticked],
    client_enabled: bool,
) -> Option<String> {
    match activity {
        _ if !client_enabled => Some(format!(
            "client {client} is disabled: nothing is sent until an operator enables it, then it goes on with what was missed"
        )),
        Activity::DisabledByUser => {
            Some("disabled by a user: nothing is sent until it is enabled".to_owned())
        }
        Activity::DisabledAutomatically(reason) => Some(format!(
            "disabled by hitwire: {}; nothing is sent until it is enabled, then it goes on with what was missed",
            in_words(reason)
        )),
        Activity::Active if events.iter().all(|ticked| !ticked.active) => {
            Some("no event is active in \"events\": nothing is sent".to_owned())
        }
        Activity::Active => None,
    }
}

impl LaneStatus {
    fn of(
        integration: &Integration,
        lane: Lane,
        now: LaneNow,
        lag: Lag,
        last_error: Option<String>,
        now_ms: u64,
    ) -> Self {
        let LaneNow { state, cursor: Seq(cursor), mut open, settled_ahead, requested_ms, next_attempt_ms } =
            now;
        if state == "disabled" {
            // What is open is sent again when it is enabled; until then nothing is in progress.
            open.clear();
        }
        let open_batches: Vec<_> = open.iter().map(OpenBatchAnswer::from).collect();
        let ticked = integration.events.iter().filter(|ticked| ticked.active && ticked.kind.lane() == lane);
        LaneStatus {
            lane,
            events: ticked.map(|ticked| ticked.kind.name()).collect(),
            state,
            cursor,
            lag: LagAnswer {
                events: lag.events.saturating_sub(settled_ahead),
                seconds: lag.oldest_ms.map_or(0, |oldest| now_ms.saturating_sub(oldest) / 1_000),
            },
            open_batch: open_batches.first().cloned(),
            open_batches,
            waiting_for_response_since: requested_ms.map(rfc3339),
            next_attempt_at: next_attempt_ms.map(rfc3339),
            last_error,
        }
    }
}

impl From<&OpenBatch> for OpenBatchAnswer {
    fn from(batch: &OpenBatch) -> Self {
        OpenBatchAnswer {
            webhook_id: batch.webhook_id.to_string(),
            first: batch.first.0,
            last: batch.last.0,
            events: batch.events,
            body_bytes: batch.body_bytes,
            tries: batch.tries,
        }
    }
}
