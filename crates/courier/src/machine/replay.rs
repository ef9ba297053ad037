//! Replays: lanes that begin further back, and end.
//!
//! What is live goes first. A replay begins something only while no live lane has anything to send or under way; but while
//! live ones are busy without a break, one turn in ten is a replay's, which is a read and the request for what it found. Replays take turns, one request at a time for all of
//! them. They count in no health figure, and are not given up with the endpoint: they wait.

use super::Machine;
use super::lane::Courier;
use crate::{LaneState, Limits, ReplayTerms, Saved};
use hitwire_event::{Kind, Lane, Seq};
use std::time::Duration;

/// So many requests of live lanes may begin while a replay waits for its turn.
const LIVE_TURNS: u8 = 9;

/// What makes a lane a replay.
#[derive(Debug)]
pub(super) struct Replay {
    terms: ReplayTerms,
    /// Its rate allows nothing before.
    next: Duration,
    /// That it has come to its end is on record, or about to be.
    end_is_on_record: bool,
    /// It is on record no more, and only lives on until what is under way has landed.
    called_off: bool,
}

impl Replay {
    pub(super) fn new(terms: ReplayTerms) -> Self {
        Replay { terms, next: Duration::ZERO, end_is_on_record: false, called_off: false }
    }

    /// A batch of so many events leaves.
    pub(super) fn sends(&mut self, now: Duration, events: u32) {
        if let Some(rate) = self.terms.events_per_s {
            self.next = now + Duration::from_secs(1) * events / rate.max(1);
        }
    }

    /// It may begin nothing before.
    pub(super) fn next(&self) -> Duration {
        self.next
    }

    /// The lane is saved with this cursor.
    pub(super) fn saved(&mut self, cursor: Seq) {
        self.end_is_on_record = cursor >= self.terms.last;
    }
}

/// Whose turn it is.
#[derive(Debug, Default)]
pub(super) struct ReplayTurns {
    /// Requests of live lanes since the last one of a replay, up to [`LIVE_TURNS`].
    live: u8,
    /// The replay that had the last turn.
    last: Option<Lane>,
    /// It reads for a turn that it waited for: where only one request can begin, that is its own.
    reads_in_turn: bool,
}

impl ReplayTurns {
    /// A request of this lane begins.
    pub(super) fn sends(&mut self, lane: Lane) {
        if lane.is_replay() {
            *self = ReplayTurns { live: 0, last: Some(lane), reads_in_turn: false };
        } else {
            self.live = self.live.saturating_add(1).min(LIVE_TURNS);
        }
    }

    /// A lane reads: for a replay this is its turn, whatever it finds.
    pub(super) fn reads(&mut self, lane: Lane) {
        if lane.is_replay() {
            *self = ReplayTurns { live: 0, last: Some(lane), reads_in_turn: self.live >= LIVE_TURNS };
        }
    }

    /// Reads that are under way are in nobody's turn any more.
    pub(super) fn have_read(&mut self) {
        self.reads_in_turn = false;
    }

    /// What a lane read is here.
    pub(super) fn has_read(&mut self, lane: Lane) {
        self.reads_in_turn &= !lane.is_replay();
    }
}

impl Courier {
    pub(super) fn is_paused(&self) -> bool {
        self.replay.as_ref().is_some_and(|replay| replay.terms.paused)
    }

    /// It is on record no more.
    pub(super) fn is_called_off(&self) -> bool {
        self.replay.as_ref().is_some_and(|replay| replay.called_off)
    }

    /// Nothing is left to be read for it.
    pub(super) fn has_read_all(&self) -> bool {
        self.replay.as_ref().is_some_and(|replay| replay.called_off || self.end() >= replay.terms.last)
    }

    /// Everything is settled, and that is to be put on record.
    pub(super) fn ends_off_the_record(&self) -> bool {
        self.replay.as_ref().is_some_and(|replay| {
            !replay.called_off && !replay.end_is_on_record && self.cursor >= replay.terms.last
        })
    }

    fn has_ended(&self) -> bool {
        let is_over =
            |replay: &Replay| replay.called_off || (replay.end_is_on_record && self.open.is_empty());
        self.replay.as_deref().is_some_and(is_over) && self.rests() && !self.unsaved
    }

    /// The bounds for its next batch: a replay sends no more at once than it may in a second.
    pub(super) fn limits(&self, limits: Limits) -> Limits {
        match self.replay.as_ref().and_then(|replay| replay.terms.events_per_s) {
            Some(rate) => {
                let max_events = limits.max_events.map_or(rate, |max_events| max_events.min(rate));
                Limits { max_events: Some(max_events), ..limits }
            }
            None => limits,
        }
    }

    fn may_go_on(&self, now: Duration) -> bool {
        let allows = |replay: &Replay| !replay.terms.paused && !replay.called_off && replay.next <= now;
        self.replay.as_deref().is_some_and(allows) && self.is_next(1, now)
    }
}

impl Machine {
    /// The kinds that a lane sends; never empty.
    pub(super) fn kinds_of(&self, lane: Lane) -> Vec<Kind> {
        match &self.couriers[lane].replay {
            Some(replay) => replay.terms.kinds.clone(),
            None => self.settings.kinds_of(lane),
        }
    }

    /// The replay that begins something now, if one may.
    pub(super) fn next_replay(&self) -> Option<Lane> {
        let lane = self.waiting_replay()?;
        let is_its_turn = self.replays.live >= LIVE_TURNS || self.live_lanes_rest();
        (is_its_turn && self.may_begin(lane)).then_some(lane)
    }

    /// A replay has waited for its turn long enough, or reads for it: a live lane begins nothing before it, where only one of them
    /// can.
    pub(super) fn a_replay_goes_first(&self, lane: Lane) -> bool {
        let waits = || self.replays.live >= LIVE_TURNS && self.waiting_replay().is_some();
        !lane.is_replay() && (self.replays.reads_in_turn || waits())
    }

    /// The replay that is next, if one has something to begin and none has anything under way.
    fn waiting_replay(&self) -> Option<Lane> {
        let replays = || self.couriers.iter().filter(|(lane, _)| lane.is_replay());
        if replays().any(|(_, courier)| !courier.rests()) {
            return None;
        }
        let waiting = || replays().filter(|(_, courier)| courier.may_go_on(self.now)).map(|(lane, _)| lane);
        waiting().find(|lane| Some(*lane) > self.replays.last).or_else(|| waiting().next())
    }

    /// No live lane has anything under way, or to begin now.
    fn live_lanes_rest(&self) -> bool {
        let in_flight = self.settings.in_flight();
        let rests = |courier: &Courier| courier.rests() && !courier.is_next(in_flight, self.now);
        Lane::LIVE.into_iter().all(|lane| rests(&self.couriers[lane]))
    }

    /// Takes over which replays are on record. One that is no longer is gone once what it has under way has landed.
    pub(super) fn replays_on_record(&mut self, saved: &Saved) {
        for (lane, courier) in self.couriers.iter_mut() {
            courier.unsaved = false;
            if let Some(replay) = &mut courier.replay {
                replay.called_off |= !saved.lanes.has(lane);
            }
        }
        for (lane, terms) in saved.replays.iter() {
            let Some(courier) = self.couriers.get_mut(lane) else {
                let Some(state) = saved.lanes.get(lane) else { continue };
                let replay = Some(Replay::new(terms.clone()));
                let courier =
                    Courier::restored(state.clone(), replay, &self.settings, self.wall, &mut self.jitter);
                self.couriers.insert(lane, courier);
                continue;
            };
            if let Some(replay) = &mut courier.replay {
                let is_slower = replay.terms.events_per_s != terms.events_per_s;
                **replay = Replay {
                    next: if is_slower { Duration::ZERO } else { replay.next },
                    ..Replay::new(terms.clone())
                };
            }
        }
    }

    /// The replays that only live on until what they have under way has landed: nothing of them is on record.
    pub(super) fn called_off_replays(&self) -> Vec<(Lane, LaneState)> {
        let called_off = self.couriers.iter().filter(|(_, courier)| courier.is_called_off());
        called_off
            .map(|(lane, courier)| (lane, LaneState { cursor: courier.cursor, open: Vec::new() }))
            .collect()
    }

    /// A replay that has ended leaves nothing behind.
    pub(super) fn drop_ended_replays(&mut self) {
        self.couriers.retain(|_, courier| !courier.has_ended());
    }
}
