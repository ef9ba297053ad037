//! The delivery log, and what integrations did not get.

use hitwire_courier::{Attempt, LostRange, Verdict};
use hitwire_event::{IntegrationId, Lane, Seq, WebhookId};
use std::ops::RangeInclusive;

/// An attempt in the delivery log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRow {
    /// Its number within the store: higher is newer.
    pub id: u64,
    /// The attempt.
    pub attempt: Attempt,
}

/// Which attempts of an integration are wanted: what is left open excludes none.
#[derive(Clone, Debug)]
pub struct AttemptQuery {
    /// Whose.
    pub integration: IntegrationId,
    /// Only with a number below this.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
    /// Only with one of these outcomes; empty: with any.
    pub verdicts: Vec<Verdict>,
    /// Only with a status in this range.
    pub statuses: Option<RangeInclusive<u16>>,
    /// Only what ended at this time or later, milliseconds since the epoch.
    pub ended_from_ms: Option<u64>,
    /// Only what ended before this time, milliseconds since the epoch.
    pub ended_before_ms: Option<u64>,
    /// Only those whose batch reaches over this position.
    pub seq: Option<Seq>,
    /// Only those of this lane.
    pub lane: Option<Lane>,
    /// Only those of the batch with this id.
    pub webhook_id: Option<WebhookId>,
}

impl AttemptQuery {
    /// All attempts of an integration.
    pub fn of(integration: IntegrationId, before: Option<u64>, limit: usize) -> Self {
        AttemptQuery {
            integration,
            before,
            limit,
            verdicts: Vec::new(),
            statuses: None,
            ended_from_ms: None,
            ended_before_ms: None,
            seq: None,
            lane: None,
            webhook_id: None,
        }
    }
}

/// Attempts that were found, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptPage {
    /// The attempts. There may be fewer than asked for, even none, although there are more.
    pub rows: Vec<AttemptRow>,
    /// There may be more below this number; none: there are not.
    pub next: Option<u64>,
}

/// A dead or skipped range on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostRow {
    /// Its number within the store: higher is newer.
    pub id: u64,
    /// When it was recorded, milliseconds since the epoch.
    pub recorded_ms: u64,
    /// The range.
    pub range: LostRange,
}
