//! How unsettled events become a dead range.
//!
//! The shell is asked how far the limit reaches ([`Command::Measure`]); with the answer the range is recorded, and the
//! cursor moves behind it, in one step. At least the open batch goes. When the whole endpoint is given up, this
//! happens in each lane that has something unsettled, and all of it is one step.

use super::lane::{Measuring, Phase};
use super::{Command, Machine};
use crate::{DisableReason, LostRange, LostReason};
use hitwire_event::{Lane, Seq};
use std::time::Duration;

/// One lane's part.
#[derive(Debug)]
pub(super) struct GivingUp {
    /// The cursor when it was asked: if it has moved since, the answer does not fit.
    after: Seq,
    age: Duration,
    detail: String,
}

/// Giving up on the endpoint, in all its lanes.
#[derive(Debug)]
pub(super) struct Ending {
    disable: Option<DisableReason>,
    age: Duration,
    detail: String,
    /// By [`Lane::index`]: given up already.
    done: [bool; 2],
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
            done: [false; 2],
        }));
    }

    /// The lane's batch was refused for as long as the preset goes on.
    pub(super) fn give_up_on_lane(&mut self, lane: Lane, error: &str) {
        let preset = self.settings.retry;
        let what = match preset.patience() {
            Some(patience) => format!("refused for {} h", patience.as_secs() / 3_600),
            None => format!("refused in {} retries", crate::schedule::WAITS_S.len()),
        };
        self.measure(lane, preset.gives_up_events_older_than(), format!("{what}; last: {error}"));
    }

    fn measure(&mut self, lane: Lane, age: Duration, detail: String) {
        let courier = &mut self.couriers[lane.index()];
        let open = courier.take_open();
        let after = courier.cursor;
        let at_least = open.as_ref().map_or(after, |open| open.last);
        let giving_up = Some(Box::new(GivingUp { after, age, detail }));
        courier.phase = Phase::Measuring(Measuring { open, giving_up });
        self.commands.push(Command::Measure { lane, after, age, at_least });
    }

    /// The answer to [`Command::Measure`].
    pub(super) fn measured(&mut self, lane: Lane, through: Seq, events: u64) {
        let courier = &mut self.couriers[lane.index()];
        let Measuring { open, giving_up } = match std::mem::replace(&mut courier.phase, Phase::Idle) {
            Phase::Measuring(measuring) => measuring,
            phase => {
                courier.phase = phase;
                return;
            }
        };
        let Some(giving_up) = giving_up else {
            // Called off: the batch is tried again, or another is cut.
            courier.wants = true;
            courier.phase = open.map_or(Phase::Idle, Phase::Open);
            return;
        };
        if giving_up.after != courier.cursor {
            courier.phase = open.map_or(Phase::Idle, Phase::Open);
            return self.measure(lane, giving_up.age, giving_up.detail);
        }
        let last = open.as_ref().map_or(through, |open| through.max(open.last));
        let events = open.as_ref().map_or(events, |open| events.max(u64::from(open.events)));
        courier.drop_open();
        if events > 0 && last > courier.cursor {
            self.unsaved.lost.push(LostRange {
                lane,
                first: courier.cursor.next(),
                last,
                events,
                reason: LostReason::GaveUp,
                detail: giving_up.detail,
            });
            courier.cursor = last;
        }
        self.unsaved.lanes[lane.index()] = true;
        match &mut self.ending {
            Some(ending) => ending.done[lane.index()] = true,
            None => self.save(),
        }
    }

    /// Measures the lanes that are still to be given up; when there are none left, the endpoint is.
    pub(super) fn go_on_ending(&mut self) {
        let Some(ending) = &self.ending else { return };
        let (age, done) = (ending.age, ending.done);
        let mut waiting = false;
        for lane in Lane::ALL.into_iter().filter(|lane| !done[lane.index()]) {
            let courier = &mut self.couriers[lane.index()];
            match &courier.phase {
                Phase::Reading { .. } => {
                    courier.outdate_read();
                    waiting = true;
                }
                Phase::Measuring(_) => waiting = true,
                Phase::Open(_) => waiting |= self.measure_for_ending(lane, age),
                Phase::Idle if courier.wants => waiting |= self.measure_for_ending(lane, age),
                // What is under way has its own outcome; what is caught up has nothing to lose.
                Phase::Sending(_) | Phase::Idle => {}
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
        match ending.disable {
            Some(reason) => self.disable(reason),
            None => self.endpoint.begin_schedule_anew(),
        }
        self.save();
    }

    /// Nothing is given up after all: settings have changed, or hitwire stops. What was measured already stays given up.
    pub(super) fn cancel_giving_up(&mut self) {
        self.ending = None;
        for courier in &mut self.couriers {
            if let Phase::Measuring(measuring) = &mut courier.phase {
                measuring.giving_up = None;
            }
        }
    }
}
