//! Replays as the API writes them.

use crate::problem::Problem;
use crate::{Shared, rfc3339, status};
use hitwire_delivery::CourierStatus;
use hitwire_event::{Kind, Lane, Seq};
use hitwire_store::change::replay::in_words;
use hitwire_store::{Integration, Replay, ReplayEnd, ReplayPlan, ReplayPurpose};
use serde::Serialize;
use utoipa::ToSchema;

/// Parts of a replay whose events are counted for an answer; with more of them, what is left is reckoned.
const COUNTED_PARTS_MAX: usize = 16;

/// What was begun to be sent once more.
#[derive(Serialize, ToSchema)]
#[schema(as = Replay)]
pub(super) struct ReplayAnswer {
    /// Its number within the integration; requests carry it as `hitwire-replay`.
    number: u32,
    /// As attempts and lost ranges name it.
    #[schema(value_type = String, example = "replay-1")]
    lane: Lane,
    /// `sending`, `waiting` (for its turn, its rate or the endpoint), `refused`, `paused`, `disabled` (the integration is),
    /// `done`, `cancelled`
    state: &'static str,
    #[serde(flatten)]
    what: PreviewedReplay,
    /// Everything up to here is settled.
    cursor: u64,
    /// Events that were answered with success so far. One that was sent twice counts twice.
    delivered: u64,
    /// Events that became dead ranges.
    given_up: u64,
    /// Events that are still to be sent, before the filter.
    left: u64,
    /// At most so many a second; null: as fast as the endpoint takes them.
    events_per_second: Option<u32>,
    started_at: String,
    started_by: String,
    ended_at: Option<String>,
    /// When the next request is made, as far as that is known.
    next_attempt_at: Option<String>,
}

/// What a replay would send.
#[derive(Serialize, ToSchema)]
#[schema(as = ReplayPreview)]
pub(super) struct PreviewedReplay {
    /// What is sent, in words.
    what: String,
    /// `replay`, `resend_batch`, `resend_event`, `resend_undelivered`
    purpose: &'static str,
    /// The first position.
    first: u64,
    /// The last position.
    last: u64,
    /// The kinds, by their event names.
    #[serde(rename = "events")]
    kinds: Vec<&'static str>,
    /// How many events there are, before the filter.
    total: u64,
    /// A filter lets only some of them pass.
    filtered: bool,
}

/// The replays of an integration.
#[derive(Serialize, ToSchema)]
pub(super) struct Replays {
    pub(super) replays: Vec<ReplayAnswer>,
}

/// A replay whose record is damaged, and which was cancelled.
#[derive(Serialize, ToSchema)]
pub(super) struct Cancelled {
    pub(super) number: u32,
}

/// What is tried at once.
#[derive(Serialize, ToSchema)]
pub(super) struct Retried {
    /// Batches that were on their way or waiting.
    pub(super) batches: u64,
}

impl PreviewedReplay {
    pub(super) fn of(plan: &ReplayPlan) -> Self {
        PreviewedReplay {
            what: in_words(&plan.purpose),
            purpose: match plan.purpose {
                ReplayPurpose::Replay => "replay",
                ReplayPurpose::ResendBatch { .. } => "resend_batch",
                ReplayPurpose::ResendEvent { .. } => "resend_event",
                ReplayPurpose::ResendUndelivered { .. } => "resend_undelivered",
            },
            first: plan.first().0,
            last: plan.last().0,
            kinds: plan.kinds().into_iter().map(Kind::name).collect(),
            total: plan.events,
            filtered: !plan.filter.is_empty(),
        }
    }
}

/// How the integration's couriers are doing.
pub(super) async fn courier(api: &Shared, integration: &Integration) -> Result<CourierStatus, Problem> {
    status::courier(api, integration).await
}

impl ReplayAnswer {
    pub(super) async fn of(api: &Shared, integration: &Integration, replay: Replay) -> Result<Self, Problem> {
        let status = courier(api, integration).await?;
        Self::with_status(api, integration, replay, &status).await
    }

    pub(super) async fn with_status(
        api: &Shared,
        integration: &Integration,
        replay: Replay,
        status: &CourierStatus,
    ) -> Result<Self, Problem> {
        let now = status.lanes.get(replay.lane()).filter(|_| replay.ended.is_none());
        let state = match (replay.ended, now) {
            (Some((_, ReplayEnd::Done)), _) => "done",
            (Some((_, ReplayEnd::Cancelled)), _) => "cancelled",
            // Its courier learns in a moment what the record says already.
            (None, Some(now)) if now.state != "disabled" && replay.paused => "paused",
            (None, Some(now)) if !["caught_up", "paused"].contains(&now.state) => now.state,
            // It was begun, or has ended, in this moment.
            (None, _) => "waiting",
        };
        let cursor = now.map_or(replay.cursor, |now| now.cursor.max(replay.cursor));
        let left = if replay.ended.is_some() { 0 } else { left(api, integration, &replay, cursor).await? };
        Ok(ReplayAnswer {
            number: replay.number,
            lane: replay.lane(),
            state,
            what: PreviewedReplay::of(&replay.plan),
            cursor: cursor.0,
            delivered: replay.delivered,
            given_up: replay.given_up,
            left,
            events_per_second: replay.events_per_s,
            started_at: rfc3339(replay.begun_ms),
            started_by: replay.plan.by,
            ended_at: replay.ended.map(|(ended_ms, _)| rfc3339(ended_ms)),
            next_attempt_at: now.and_then(|now| now.next_attempt_ms).map(rfc3339),
        })
    }
}

async fn left(api: &Shared, integration: &Integration, replay: &Replay, cursor: Seq) -> Result<u64, Problem> {
    let parts = replay.plan.parts(integration.client, cursor, replay.plan.last());
    if parts.len() > COUNTED_PARTS_MAX {
        return Ok(replay.plan.events.saturating_sub(replay.delivered + replay.given_up));
    }
    let mut left = 0;
    for (streams, after, through) in parts {
        left += api.store.lag(streams, after, through).await?.events;
    }
    Ok(left)
}
