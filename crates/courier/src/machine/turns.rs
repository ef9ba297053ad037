//! Who may begin something, and when: the lanes share one endpoint, its sickness and its pace.

use super::lane::Courier;
use super::replay::Replay;
use super::{Life, Machine};
use hitwire_event::Lane;
use std::time::Duration;

impl Machine {
    pub(super) fn may_begin_anything(&self) -> bool {
        self.settings.enabled && self.life != Life::Stopping && self.ending.is_none()
    }

    /// Requests that may be under way in a lane at once.
    pub(super) fn in_flight(&self, lane: Lane) -> usize {
        if lane.is_replay() { 1 } else { self.settings.in_flight() }
    }

    /// Whether a lane may read or send now.
    pub(super) fn may_begin(&self, lane: Lane) -> bool {
        self.may_begin_anything()
            && self.pace_allows(lane)
            && match self.endpoint.sick_until() {
                None => true,
                Some(until) => until <= self.now && self.may_probe(lane),
            }
    }

    /// One request alone finds out whether a sick endpoint is well again: one of the urgent lane, if that has something to
    /// send.
    fn may_probe(&self, lane: Lane) -> bool {
        !self.is_sending() && !self.urgent_goes_first(lane)
    }

    /// Whether the endpoint's pace lets this lane read or send now. What the urgent lane has goes first: the bulk lane does
    /// not read for a request whose turn the urgent one will take.
    fn pace_allows(&self, lane: Lane) -> bool {
        let rate = self.settings.rate;
        rate.is_none()
            || (self.pace.next(rate) <= self.now
                && !self.urgent_goes_first(lane)
                && !self.a_replay_goes_first(lane))
    }

    fn urgent_goes_first(&self, lane: Lane) -> bool {
        let urgent = &self.couriers[Lane::Urgent];
        lane == Lane::Bulk && urgent.is_next(self.settings.in_flight(), self.now)
    }

    /// Whether any request is under way.
    pub(super) fn is_sending(&self) -> bool {
        self.couriers.values().any(Courier::is_sending)
    }

    /// When what a lane has to do may be done, as far as waits decide.
    pub(super) fn attempts(&self, lane: Lane) -> impl Iterator<Item = Duration> {
        let courier = &self.couriers[lane];
        let in_flight = self.in_flight(lane);
        let endpoint = self.endpoint.sick_until().unwrap_or_default().max(self.pace.next(self.settings.rate));
        let sends = courier.waiting().filter(move |_| courier.may_send(in_flight)).map(|(_, until)| until);
        let reads = courier.may_read(in_flight).then_some(Duration::ZERO);
        let replay = courier.replay.as_deref().map(Replay::next).unwrap_or_default();
        let paused = courier.is_paused();
        sends.chain(reads).filter(move |_| !paused).map(move |at| at.max(endpoint).max(replay))
    }
}
