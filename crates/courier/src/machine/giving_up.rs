//! How unsettled events become a dead range.
//!
//! The shell is asked how far the limit reaches ([`Command::Measure`]); with the answer the range is recorded, and the
//! cursor moves behind it, in one step. At least the open batches go; what was settled beside them is not lost, so there may
//! be several ranges. A refused batch that others overtake goes alone. When the whole endpoint is given up, each lane that
//! has something unsettled is measured first, and then all of it is one step; until then it can be called off.

use super::lane::{Courier, Measuring};
use super::{Command, Machine};
use crate::{DisableReason, LostRange, LostReason};
use hitwire_event::{Lane, Seq};
use std::time::Duration;

/// One lane's part.
#[derive(Debug)]
pub(super) struct GivingUp {
    detail: String,
    /// None: still asked for.
    answer: Option<Extent>,
}

impl GivingUp {
    pub(super) fn is_answered(&self) -> bool {
        self.answer.is_some()
    }
}

/// How much is given up.
#[derive(Clone, Copy, Debug)]
struct Extent {
    through: Seq,
    events: u64,
}

/// Giving up on the endpoint, in all its lanes.
#[derive(Debug)]
pub(super) struct Ending {
    disable: Option<DisableReason>,
    age: Duration,
    detail: String,
}

impl Machine {
    /// The endpoint's schedule has ended, or its time without a success.
    pub(super) fn give_up_on_endpoint(&mut self, disable: Option<DisableReason>, error: &str) {
        let preset = self.settings.retry;
        let what = match preset.patience() {
            Some(patience) => format!("no success in {} h", patience.as_secs() / 3_600),
            None => format!("no success in {} retries", crate::schedule::WAITS_S.len()),
        };
        self.ending = Some(Box::new(Ending {
            disable,
            age: preset.gives_up_events_older_than(),
            detail: format!("{what}; last: {error}"),
        }));
    }

    /// A batch was refused for as long as the preset goes on. If it is all that a live lane has open, what waits behind it and is
    /// as old goes with it; otherwise the lane goes on beside it, and it alone has to go.
    pub(super) fn give_up_on_batch(&mut self, lane: Lane, at: usize, error: &str) {
        let preset = self.settings.retry;
        let what = match preset.patience() {
            Some(patience) => format!("refused for {} h", patience.as_secs() / 3_600),
            None => format!("refused in {} retries", crate::schedule::WAITS_S.len()),
        };
        let detail = format!("{what}; last: {error}");
        let courier = &mut self.couriers[lane];
        if courier.measuring.is_some() {
            // The answer to a question that was called off is on its way; the next failure gives up.
            return;
        }
        // All of a replay is old: its age says nothing of what it has not tried yet.
        if courier.open.len() == 1 && !lane.is_replay() {
            return self.measure(lane, preset.gives_up_events_older_than(), detail);
        }
        let batch = &courier.open[at].batch;
        let (first, last, events) = (batch.first, batch.last, u64::from(batch.events));
        courier.settle(at);
        courier.wants = true;
        self.record_lost(lane, first, last, events, &detail);
        self.save();
    }

    fn record_lost(&mut self, lane: Lane, first: Seq, last: Seq, events: u64, detail: &str) {
        let (kinds, reason, detail) = (self.kinds_of(lane), LostReason::GaveUp, detail.to_owned());
        self.unsaved.lost.push(LostRange { lane, kinds, first, last, events, reason, detail });
        self.couriers[lane].unsaved = true;
    }

    fn measure(&mut self, lane: Lane, age: Duration, detail: String) {
        let courier = &mut self.couriers[lane];
        courier.outdate_read();
        let after = courier.cursor;
        let at_least = courier.open.last().map_or(after, |slot| slot.batch.last);
        let giving_up = Some(Box::new(GivingUp { detail, answer: None }));
        courier.measuring = Some(Measuring { giving_up });
        self.commands.push(Command::Measure { lane, after, age, at_least });
    }

    /// The answer to [`Command::Measure`].
    pub(super) fn measured(&mut self, lane: Lane, through: Seq, events: u64) {
        let courier = &mut self.couriers[lane];
        let Some(measuring) = &mut courier.measuring else { return };
        let Some(giving_up) = &mut measuring.giving_up else { return courier.call_off() };
        giving_up.answer = Some(Extent { through, events });
        if self.ending.is_none() {
            self.lose(lane);
            self.save();
        }
    }

    /// Turns what was measured into dead ranges, and the lane goes on behind them.
    fn lose(&mut self, lane: Lane) {
        let courier = &mut self.couriers[lane];
        let giving_up = courier.measuring.as_mut().and_then(|measuring| measuring.giving_up.take());
        let Some(GivingUp { answer: Some(Extent { through, events }), detail, .. }) = giving_up.map(|it| *it)
        else {
            return;
        };
        courier.measuring = None;
        courier.wants = true;
        let open = std::mem::take(&mut courier.open);
        let counted = |events: u32, settled_behind: u64| u64::from(events) + settled_behind;
        let in_batches: u64 = open.iter().map(|slot| counted(slot.batch.events, slot.settled_behind)).sum();
        let (mut after, mut in_range) = (courier.cursor, 0);
        let mut ranges = Vec::new();
        for slot in &open {
            in_range += u64::from(slot.batch.events);
            if slot.settled_behind > 0 {
                ranges.push((after.next(), slot.batch.last, in_range));
                (after, in_range) = (slot.batch.through, 0);
            }
        }
        in_range += events.saturating_sub(in_batches);
        let last = open.last().map_or(through, |slot| through.max(slot.batch.last));
        if in_range > 0 && last > after {
            ranges.push((after.next(), last, in_range));
            after = last;
        }
        courier.cursor = courier.cursor.max(after);
        self.couriers[lane].unsaved = true;
        for (first, last, events) in ranges {
            self.record_lost(lane, first, last, events, &detail);
        }
    }

    /// Measures the lanes that are still to be given up; when all are measured, the endpoint is given up.
    pub(super) fn go_on_ending(&mut self) {
        let Some(ending) = &self.ending else { return };
        let age = ending.age;
        let mut waiting = false;
        // A replay is not given up with the endpoint: it waits until that is well, or a user calls it off.
        for lane in Lane::LIVE {
            let courier = &mut self.couriers[lane];
            if courier.reading.is_some() {
                courier.outdate_read();
                waiting = true;
            } else if let Some(measuring) = &courier.measuring {
                waiting |= !measuring.giving_up.as_ref().is_some_and(|giving_up| giving_up.is_answered());
            } else if !courier.is_sending() && !courier.is_caught_up() {
                // What is under way has its own outcome; what is caught up has nothing to lose.
                waiting |= self.measure_for_ending(lane, age);
            }
        }
        if !waiting {
            self.end();
        }
    }

    fn measure_for_ending(&mut self, lane: Lane, age: Duration) -> bool {
        let Some(detail) = self.ending.as_ref().map(|ending| ending.detail.clone()) else { return false };
        self.measure(lane, age, detail);
        true
    }

    /// Everything is given up: what comes next begins anew, or the integration is disabled.
    fn end(&mut self) {
        let Some(ending) = self.ending.take() else { return };
        for lane in Lane::LIVE {
            self.lose(lane);
        }
        match ending.disable {
            Some(reason) => self.disable(reason),
            None => self.endpoint.begin_schedule_anew(),
        }
        self.save();
    }

    /// Nothing is given up after all: settings have changed, or hitwire stops.
    pub(super) fn cancel_giving_up(&mut self) {
        self.ending = None;
        for courier in self.couriers.values_mut() {
            let Some(measuring) = &mut courier.measuring else { continue };
            let answered = measuring.giving_up.take().is_some_and(|giving_up| giving_up.is_answered());
            if answered {
                courier.call_off();
            }
        }
    }
}

impl Courier {
    /// The batches are tried again, or others are cut.
    fn call_off(&mut self) {
        self.measuring = None;
        self.wants = true;
    }
}
