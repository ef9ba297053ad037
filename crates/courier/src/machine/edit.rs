//! What follows from changed settings, and from a cursor that the store moved.

use super::lane::{Courier, Fate, Phase};
use super::{Machine, Settings};
use hitwire_event::{Lane, Seq};
use std::time::Duration;

impl Machine {
    /// The settings, again or changed. Transport settings (URL, headers, ...) are none of the machine's business, but that a
    /// user touched them is: he wants to see whether it works now, so whatever waits tries again at once. Changed content
    /// supersedes the open batch. Enabling begins with a clean slate.
    pub(super) fn configured(&mut self, settings: Settings) {
        let before = std::mem::replace(&mut self.settings, settings);
        self.cancel_giving_up();
        self.endpoint.use_preset(self.settings.retry);
        self.endpoint.forget_what_it_takes();
        self.endpoint.try_now(self.now);
        if self.settings.content_revision != before.content_revision {
            self.endpoint.begin_schedule_anew();
        }
        if self.settings.enabled && !before.enabled {
            self.pardon();
            self.save();
        }
        for courier in &mut self.couriers {
            courier.edited(self.settings.content_revision, self.now);
        }
    }

    /// The store moved a cursor: everything up to it is settled and on record, the open batch with it if it began there.
    pub(super) fn moved(&mut self, lane: Lane, cursor: Seq) {
        let ending = self.ending.is_some();
        let courier = &mut self.couriers[lane.index()];
        if cursor <= courier.cursor {
            return;
        }
        courier.cursor = cursor;
        if courier.open().is_none_or(|open| open.first > cursor) {
            return;
        }
        courier.refusal = None;
        courier.wants = true;
        match &mut courier.phase {
            Phase::Open(_) => courier.phase = Phase::Idle,
            Phase::Sending(flight) => flight.fate = Fate::Passed,
            Phase::Measuring(measuring) => {
                measuring.open = None;
                if !ending {
                    // It was about this batch alone.
                    measuring.giving_up = None;
                }
            }
            Phase::Idle | Phase::Reading { .. } => {}
        }
    }
}

impl Courier {
    fn edited(&mut self, content_revision: u64, now: Duration) {
        self.outdate_read();
        self.wants = true;
        if self.open().is_some_and(|open| open.content_revision != content_revision) {
            self.refusal = None;
            match &mut self.phase {
                Phase::Open(_) => self.phase = Phase::Idle,
                Phase::Sending(flight) if flight.fate == Fate::Wanted => flight.fate = Fate::Superseded,
                Phase::Measuring(measuring) => measuring.open = None,
                Phase::Sending(_) | Phase::Idle | Phase::Reading { .. } => {}
            }
        }
        if let Some(refusal) = &mut self.refusal {
            refusal.until = refusal.until.min(now);
        }
    }
}
