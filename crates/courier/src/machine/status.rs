//! How a machine is doing, for people.

use super::Machine;
use super::lane::Phase;
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
    /// The batch on its way.
    pub open: Option<OpenBatch>,
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
        let next_attempt = self.next_attempt(lane).filter(|_| self.may_begin_anything());
        let state = match &courier.phase {
            Phase::Sending(_) => "sending",
            _ if !self.settings.enabled => "disabled",
            _ if courier.refusal.is_some() => "refused",
            Phase::Idle if !courier.wants => "caught_up",
            Phase::Reading { .. } => "sending",
            Phase::Idle | Phase::Open(_) | Phase::Measuring(_) => "waiting",
        };
        LaneStatus { state, cursor: courier.cursor, open: courier.open().cloned(), next_attempt }
    }
}
