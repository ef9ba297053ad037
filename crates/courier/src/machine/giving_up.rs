//! How unsettled events become a dead range.
//!
//! The shell is asked how far the limit reaches ([`Command::Measure`]); with the answer the range is recorded, and the
//! cursor moves behind it, in one step. At least the open batch goes. When the whole endpoint is given up, each lane that
//! has something unsettled is measured first, and then all of it is one step; until then it can be called off.

use super::lane::{Courier, Measuring, Phase};
use super::{Command, Machine};
use crate::{DisableReason, LostRange, LostReason};
use hitwire_event::{Lane, Seq};
use std::time::Duration;

/// One lane's part.
#[derive(Debug)]
pub(super) struct GivingUp {
    /// The cursor when it was asked. If it has moved since, the answer does not fit: it counted events that were settled
    /// meanwhile. (A lane that is given up alone has an open batch, and no cursor moves between those two.)
    after: Seq,
    age: Duration,
    detail: String,
    /// None: still asked for.
    answer: Option<Extent>,
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
        let giving_up = Some(Box::new(GivingUp { after, age, detail, answer: None }));
        courier.phase = Phase::Measuring(Measuring { open, giving_up });
        self.commands.push(Command::Measure { lane, after, age, at_least });
    }

    /// The answer to [`Command::Measure`].
    pub(super) fn measured(&mut self, lane: Lane, through: Seq, events: u64) {
        let courier = &mut self.couriers[lane.index()];
        let Phase::Measuring(measuring) = &mut courier.phase else { return };
        let Some(giving_up) = &mut measuring.giving_up else { return courier.call_off() };
        giving_up.answer = Some(Extent { through, events });
        if self.ending.is_none() {
            self.lose(lane);
            self.save();
        }
    }

    fn measure_again(&mut self, lane: Lane) {
        let courier = &mut self.couriers[lane.index()];
        let Phase::Measuring(measuring) = &mut courier.phase else { return };
        let Some(giving_up) = measuring.giving_up.take() else { return };
        courier.call_off();
        self.measure(lane, giving_up.age, giving_up.detail);
    }

    /// Turns what was measured into a dead range, and the lane goes on behind it.
    fn lose(&mut self, lane: Lane) {
        let courier = &mut self.couriers[lane.index()];
        let Phase::Measuring(Measuring { open, giving_up: Some(giving_up) }) = &mut courier.phase else {
            return;
        };
        let Some(Extent { through, events }) = giving_up.answer else { return };
        let last = open.as_ref().map_or(through, |open| through.max(open.last));
        let events = open.as_ref().map_or(events, |open| events.max(u64::from(open.events)));
        let detail = std::mem::take(&mut giving_up.detail);
        courier.drop_open();
        if events > 0 && last > courier.cursor {
            let first = courier.cursor.next();
            let (kinds, reason) = (self.settings.kinds_of(lane), LostReason::GaveUp);
            self.unsaved.lost.push(LostRange { lane, kinds, first, last, events, reason, detail });
            courier.cursor = last;
        }
        self.unsaved.lanes[lane.index()] = true;
    }

    /// Measures the lanes that are still to be given up; when all are measured, the endpoint is given up.
    pub(super) fn go_on_ending(&mut self) {
        let Some(ending) = &self.ending else { return };
        let age = ending.age;
        let mut waiting = false;
        for lane in Lane::ALL {
            let courier = &mut self.couriers[lane.index()];
            match &courier.phase {
                Phase::Reading { .. } => {
                    courier.outdate_read();
                    waiting = true;
                }
                Phase::Measuring(measuring) => match &measuring.giving_up {
                    Some(giving_up) if giving_up.answer.is_some() => {
                        if giving_up.after != courier.cursor {
                            self.measure_again(lane);
                            waiting = true;
                        }
                    }
                    Some(_) | None => waiting = true,
                },
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
        for lane in Lane::ALL {
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
        for courier in &mut self.couriers {
            let Phase::Measuring(measuring) = &mut courier.phase else { continue };
            let answered = measuring.giving_up.take().is_some_and(|giving_up| giving_up.answer.is_some());
            if answered {
                courier.call_off();
            }
        }
    }
}

impl Courier {
    /// The batch is tried again, or another is cut.
    fn call_off(&mut self) {
        if let Phase::Measuring(measuring) = &mut self.phase {
            self.phase = measuring.open.take().map_or(Phase::Idle, Phase::Open);
            self.wants = true;
        }
    }
}
