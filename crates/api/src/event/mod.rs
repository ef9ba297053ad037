//! `/v1/events/{seq}`: one event, and what became of it.
//!
//! - [`show`]: the event as it is kept.
//! - [`deliveries`]: its way through each integration, page by page.
//! - [`way`]: what the settings, the lanes, the attempts and the lost ranges say together.

mod way;

use super::auth::Caller;
use super::feed::event;
use super::problem::Problem;
use super::query::Query;
use super::{Shared, json, rfc3339};
use crate::path::Path;
use axum::extract::State;
use axum::response::Response;
use hitwire_courier::{Saved, Verdict};
use hitwire_delivery::matching;
use hitwire_event::{IntegrationId, Kind, Lane, Record, Seq};
use hitwire_index::Delivery;
use hitwire_store::{Activity, IntegrationQuery, IntegrationRow, LostRow};
use http::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use way::{Known, State as WayState};

/// Integrations of one answer: each costs some reads.
const PAGE_MAX: usize = 50;

/// Lost ranges of an integration that are looked at, the newest ones.
const LOST_LOOKED_AT: usize = 200;

/// One event of the log, as it is kept.
#[utoipa::path(
    get,
    path = "/v1/events/{seq}",
    tag = "events",
    operation_id = "showEvent",
    params(
        ("seq" = u64, Path, description = "its position"),
        ("clientid" = Option<u64>, Query, description = "the client whose event it is")
    ),
    responses((status = 200, description = "The event.", body = super::feed::LoggedEvent<'_>)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Path(seq): Path<String>,
    query: Query,
) -> Result<Response, Problem> {
    query.finish()?;
    let record = find(&api, &caller, &seq).await?;
    Ok(json(StatusCode::OK, &event(&record)?))
}

/// An event's way through an integration.
#[derive(Serialize, ToSchema)]
#[schema(as = EventDelivery)]
pub(super) struct Way {
    integration: u64,
    name: String,
    active: bool,
    #[schema(value_type = String, example = "bulk")]
    lane: Lane,
    /// `delivered`, `on_its_way`, `waiting`, `settled`, `filtered_out`, `dead`, `skipped`, `not_subscribed`
    state: &'static str,
    /// False: it follows from the settings of today, and those of then are not known.
    certain: bool,
    /// The same in words.
    detail: String,
    /// Attempts whose batches reach over the position, as far as they are on record.
    attempts: usize,
    /// The attempt that delivered it, or the last one.
    attempt: Option<AttemptAnswer>,
}

/// An attempt that an event went with.
#[derive(Serialize, ToSchema)]
#[schema(as = EventAttempt)]
pub(super) struct AttemptAnswer {
    id: u64,
    /// 1 for the first attempt of the batch.
    number: u32,
    delivered: bool,
    status: Option<u16>,
    ended_at: String,
}

/// An event's way through some integrations.
#[derive(Serialize, ToSchema)]
#[schema(as = EventDeliveries)]
pub(super) struct Deliveries {
    deliveries: Vec<Way>,
    /// Ask again with `after` set to this for the next ones; null: there are none.
    next: Option<u64>,
}

/// An event's way through each integration of its client, 50 at a time, in the order of their ids.
#[utoipa::path(
    get,
    path = "/v1/events/{seq}/deliveries",
    tag = "events",
    operation_id = "listDeliveries",
    params(
        ("seq" = u64, Path, description = "its position"),
        ("after" = Option<u64>, Query, description = "`next` of the answer before"),
        ("clientid" = Option<u64>, Query, description = "the client whose event it is")
    ),
    responses((status = 200, description = "Its way through each.", body = Deliveries)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn deliveries(
    State(api): State<Shared>,
    caller: Caller,
    Path(seq): Path<String>,
    mut query: Query,
) -> Result<Response, Problem> {
    let after = query.integer("after", 0..=i64::MAX as u64)?.unwrap_or(0);
    query.finish()?;
    let record = find(&api, &caller, &seq).await?;
    let wanted = IntegrationQuery {
        client: record.event.client,
        enabled: None,
        name: String::new(),
        after: IntegrationId(after),
        limit: PAGE_MAX,
    };
    let page = api.store.integration_page(wanted).await?;
    let ids = page.rows.iter().map(|row| row.id).collect();
    let attempts = api.index.spanning(ids, record.event.kind.lane(), record.seq).await;
    let mut attempts = attempts.unwrap_or_else(|error| {
        tracing::warn!(%error, "the attempts of an event cannot be looked up");
        Vec::new()
    });
    attempts.resize_with(page.rows.len(), Vec::new);
    let mut deliveries = Vec::with_capacity(page.rows.len());
    for (row, attempts) in page.rows.into_iter().zip(attempts) {
        // One that was deleted meanwhile is left out.
        deliveries.extend(way_through(&api, &record, row, &attempts).await?);
    }
    Ok(json(StatusCode::OK, &Deliveries { deliveries, next: page.next.map(|next| next.0) }))
}

/// The event at a position, if it is in the log and the caller's.
async fn find(api: &Shared, caller: &Caller, seq: &str) -> Result<Arc<Record>, Problem> {
    let gone = || Problem::not_found("there is no such event, or it is no longer in the log");
    let seq: u64 = seq.parse().ok().filter(|seq| *seq > 0 && i64::try_from(*seq).is_ok()).ok_or_else(gone)?;
    let page = api.store.follow(Seq(seq - 1), 1, 1).await?;
    let record = page.records.into_iter().next().ok_or_else(gone)?;
    let is_it =
        record.seq == Seq(seq) && record.event.kind != Kind::Counter && caller.reaches(record.event.client);
    if is_it { Ok(record) } else { Err(gone()) }
}

async fn way_through(
    api: &Shared,
    record: &Record,
    row: IntegrationRow,
    attempts: &[Delivery],
) -> Result<Option<Way>, Problem> {
    let (kind, seq, id) = (record.event.kind, record.seq, row.id);
    let lane = kind.lane();
    let subscription = row.events.iter().find(|ticked| ticked.kind == kind && ticked.active);
    // Filter and cursor decide only about what is subscribed to.
    let (mut fits, mut revision, mut saved) = (true, None, Saved::default());
    let sent = attempts.iter().any(|attempt| attempt.verdict == Verdict::Delivered);
    if subscription.is_some() || sent {
        let Some(integration) = api.store.integration(id).await? else { return Ok(None) };
        // Applications may have got other names since a batch was cut.
        revision = integration.filter.applications.is_empty().then_some(integration.content_revision);
        fits = matching(&*api.store, integration.client, integration.filter).await?.matches(record);
        saved = api.store.saved(id).await?.unwrap_or_default();
    }
    let lost = api.store.lost(id, None, LOST_LOOKED_AT).await?;
    let lost = lost.into_iter().find(|LostRow { range, .. }| {
        range.lane == lane && range.kinds.contains(&kind) && range.first <= seq && seq <= range.last
    });
    let active = row.activity == Activity::Active;
    let known = Known {
        seq,
        active,
        subscription,
        fits,
        revision,
        lane: &saved.lanes[lane],
        attempts,
        lost: lost.as_ref(),
    };
    let found = way::way(&known);
    let shown = found.attempt.or_else(|| attempts.first().copied());
    let mut detail = found.words();
    if !active && matches!(found.state, WayState::OnItsWay | WayState::Waiting) {
        detail.push_str("; the integration is disabled");
    }
    Ok(Some(Way {
        integration: id.0,
        name: row.name,
        active,
        lane,
        state: found.state.name(),
        certain: found.certain,
        detail,
        attempts: attempts.len(),
        attempt: shown.map(AttemptAnswer::from),
    }))
}

impl From<Delivery> for AttemptAnswer {
    fn from(delivery: Delivery) -> Self {
        AttemptAnswer {
            id: delivery.attempt,
            number: delivery.number,
            delivered: delivery.verdict == Verdict::Delivered,
            status: delivery.status,
            ended_at: rfc3339(delivery.ended_ms),
        }
    }
}
