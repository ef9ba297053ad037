//! How a machine is doing, for people.

use super::Machine;
use crate::OpenBatch;
use hitwire_event::{Lane, Seq};
use std::time::Duration;

/// How a courier is doing, for status pages.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// By [`Lane::index`].
    pub lanes: [LaneStatus; 2],
    /// Failed attempts in a row, over all lanes; 0 when well.
    pub failures_in_a_row: u32,
}

/// How one lane is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneStatus {
    /// `caught_up`, `sending`, `waiting`, `refused`, `disabled`.
    pub state: &'static str,
    /// Everything up to here is settled.
    pub cursor: Seq,
    /// The batches on their way, in log order.
    pub open: Vec<OpenBatch>,
    /// Events past the cursor that are settled all the same: they were sent beside a batch that is still on its way.
    pub settled_ahead: u64,
    /// When the oldest request that is under way was sent, on the clock of `now`; none if it is disabled.
    pub requested: Option<Duration>,
    /// When the next attempt is made, on the clock of `now`.
    pub next_attempt: Option<Duration>,
}

impl Machine {
    /// How it is doing.
    pub fn status(&self) -> Status {
        Status {
            lanes: Lane::ALL.map(|lane| self.lane_status(lane)),
            failures_in_a_row: self.endpoint.failures_in_a_row(),
        }
    }

    fn lane_status(&self, lane: Lane) -> LaneStatus {
        let courier = &self.couriers[lane.index()];
        let state = if !self.settings.enabled {
            "disabled"
        } else if courier.is_sending() {
            "sending"
        } else if courier.open.iter().any(|slot| slot.refusal.is_some()) {
            "refused"
        } else if courier.is_caught_up() {
            "caught_up"
        } else if courier.reading.is_some() {
            "sending"
        } else {
            "waiting"
        };
        LaneStatus {
            state,
            cursor: courier.cursor,
            open: courier.open.iter().map(|slot| slot.batch.clone()).collect(),
            settled_ahead: courier.open.iter().map(|slot| slot.settled_behind).sum(),
            requested: courier.requested().filter(|_| self.settings.enabled),
            next_attempt: self.attempts(lane).min().filter(|_| self.may_begin_anything()),
        }
    }
}
