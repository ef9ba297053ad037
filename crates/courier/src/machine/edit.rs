//! What follows from changed settings, and from a cursor that the store moved.

use super::lane::Courier;
use super::{Machine, Settings};
use hitwire_event::{Lane, Seq};
use std::time::Duration;

impl Machine {
    /// The settings, again or changed. Transport settings (URL, headers, ...) are none of the machine's business, but that a
    /// user touched them is: he wants to see whether it works now, so whatever waits tries again at once. Changed content
    /// supersedes the open batches. Enabling begins with a clean slate.
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

    /// A test was delivered, so the endpoint works: older failures are no longer shown, and waiting lanes try again at once. A test
    /// does not count towards giving up.
    pub(super) fn test_delivered(&mut self) {
        self.unsaved.endpoint |= self.endpoint.failures_in_a_row() > 0;
        self.endpoint.forget_failures_in_a_row();
        self.endpoint.try_now(self.now);
        for refusal in self
            .couriers
            .iter_mut()
            .flat_map(|courier| &mut courier.open)
            .filter_map(|slot| slot.refusal.as_mut())
        {
            refusal.wait.end(self.now);
        }
    }

    /// The store moved a cursor: everything up to it is settled and on record, open batches with it if they began there.
    pub(super) fn moved(&mut self, lane: Lane, cursor: Seq) {
        let ending = self.ending.is_some();
        let courier = &mut self.couriers[lane.index()];
        if cursor <= courier.cursor || !courier.move_to(cursor) {
            return;
        }
        courier.outdate_read();
        courier.wants = true;
        if let Some(measuring) = &mut courier.measuring
            && !ending
        {
            // It was about this batch alone.
            measuring.giving_up = None;
        }
    }
}

impl Courier {
    /// A batch that waits is cut anew under the new content settings; one under way is settled if it is delivered after all.
    fn edited(&mut self, content_revision: u64, now: Duration) {
        self.outdate_read();
        self.wants = true;
        self.carried = None;
        let is_outdated = |batch: &crate::OpenBatch| batch.content_revision != content_revision;
        let waits = self.open.iter().position(|slot| slot.flight.is_none() && is_outdated(&slot.batch));
        if let Some(at) = waits {
            self.drop_from(at);
        }
        for slot in &mut self.open {
            if let Some(flight) = &mut slot.flight {
                flight.under_older_settings = true;
            }
            if is_outdated(&slot.batch) {
                slot.refusal = None;
                if let Some(flight) = &mut slot.flight {
                    flight.superseded = true;
                }
            }
            if let Some(refusal) = &mut slot.refusal {
                refusal.wait.end(now);
            }
        }
    }
}
