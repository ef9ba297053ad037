//! How a machine is doing, for people.

use super::Machine;
use crate::{ByLane, OpenBatch};
use hitwire_event::{Lane, Seq};
use std::time::Duration;

/// How a courier is doing, for status pages.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The live lanes, and the replays that have not ended.
    pub lanes: ByLane<LaneStatus>,
    /// Failed attempts in a row, over all lanes; 0 when well.
    pub failures_in_a_row: u32,
}

/// How one lane is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneStatus {
    /// `caught_up`, `sending`, `waiting`, `refused`, `paused`, `disabled`.
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
        let is_on_record = |lane: &Lane| !self.couriers[*lane].is_called_off();
        let on_record = self.couriers.lanes().filter(is_on_record);
        Status {
            lanes: on_record.map(|lane| (lane, self.lane_status(lane))).collect(),
            failures_in_a_row: self.endpoint.failures_in_a_row(),
        }
    }

    fn lane_status(&self, lane: Lane) -> LaneStatus {
        let courier = &self.couriers[lane];
        let state = if !self.settings.enabled {
            "disabled"
        } else if courier.is_sending() {
            "sending"
        } else if courier.is_paused() {
            "paused"
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
