//! What follows from changed settings.

use super::lane::Courier;
use super::{Machine, Settings};
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
        for courier in self.couriers.values_mut() {
            courier.edited(self.settings.content_revision, self.now);
        }
    }

    /// A test was delivered, so the endpoint works: older failures are no longer shown, and waiting lanes try again at once. A test
    /// does not count towards giving up.
    pub(super) fn test_delivered(&mut self) {
        self.unsaved.endpoint |= self.endpoint.failures_in_a_row() > 0;
        self.endpoint.forget_failures_in_a_row();
        self.try_now();
    }

    /// Whatever waits for the endpoint is sent again at once, with the same ids.
    pub(super) fn try_now(&mut self) {
        self.endpoint.try_now(self.now);
        let open = self.couriers.values_mut().flat_map(|courier| &mut courier.open);
        for refusal in open.filter_map(|slot| slot.refusal.as_mut()) {
            refusal.wait.end(self.now);
        }
    }
}

impl Courier {
    /// A batch that waits is cut anew under the new content settings; one under way is settled if it is delivered after all.
    fn edited(&mut self, content_revision: u64, now: Duration) {
        self.outdate_read();
        self.wants = true;
        self.carried = None;
        self.drop_outdated(content_revision);
        for slot in &mut self.open {
            if let Some(flight) = &mut slot.flight {
                flight.under_older_settings = true;
            }
            if let Some(refusal) = &mut slot.refusal {
                refusal.wait.end(now);
            }
        }
    }

    /// What was cut under other content settings, and is not under way, is dropped.
    pub(super) fn drop_outdated(&mut self, content_revision: u64) {
        let is_outdated = |batch: &crate::OpenBatch| batch.content_revision != content_revision;
        let waits = self.open.iter().position(|slot| slot.flight.is_none() && is_outdated(&slot.batch));
        if let Some(at) = waits {
            self.drop_from(at);
        }
        for slot in self.open.iter_mut().filter(|slot| is_outdated(&slot.batch)) {
            slot.refusal = None;
            if let Some(flight) = &mut slot.flight {
                flight.superseded = true;
            }
        }
    }
}
