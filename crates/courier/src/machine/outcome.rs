//! What follows from an answer.

use super::endpoint::{SickAnswer, Sickness};
use super::lane::{Growth, Landed};
use super::{Life, Machine, Reply};
use crate::refusal::{TOO_LARGE, classify, may_be_its_size};
use crate::schedule::{self, Wait};
use crate::{Attempt, DisableReason, Verdict};
use hitwire_event::{Lane, WebhookId};
use std::time::Duration;

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) reply: Reply,
    pub(super) started_ms: u64,
    pub(super) took: Duration,
    pub(super) address: Option<String>,
    pub(super) error: Option<String>,
}

impl Machine {
    pub(super) fn outcome(&mut self, lane: Lane, webhook_id: &WebhookId, answer: Answer) {
        let Some(landed) = self.couriers[lane].land(webhook_id) else { return };
        self.hearings.note(&self.endpoint, lane, &landed, &answer);
        // The shell may have had to wait before it could begin.
        self.pace.begun(self.now.saturating_sub(answer.took));
        let verdict = classify(answer.reply);
        let (status, retry_after) = match answer.reply {
            Reply::Complete { status, retry_after } => (Some(status), retry_after),
            Reply::Incomplete | Reply::BrokenOff => (None, None),
        };
        let batch = &landed.batch;
        self.unsaved.attempts.push(Attempt {
            lane,
            webhook_id: batch.webhook_id.clone(),
            number: batch.tries.saturating_add(1),
            first: batch.first,
            last: batch.last,
            events: batch.events,
            body_bytes: batch.body_bytes,
            started_ms: answer.started_ms,
            took_us: u64::try_from(answer.took.as_micros()).unwrap_or(u64::MAX),
            status,
            verdict,
            address: answer.address,
            error: answer.error.clone().filter(|_| verdict != Verdict::Delivered),
            body_sha256: Some(batch.body_sha256),
            content_revision: Some(batch.content_revision),
        });
        self.couriers[lane].unsaved = true;
        if verdict == Verdict::Delivered {
            self.delivered(lane, &landed, answer.took);
        } else {
            let in_words = answer.error.unwrap_or_else(|| match status {
                Some(status) => format!("answered with status {status}"),
                None => "no complete response".to_owned(),
            });
            self.failed(
                lane,
                &landed,
                verdict,
                &Failure { reply: answer.reply, status, retry_after, in_words },
            );
        }
    }

    /// Settles the batch. It is saved with the next batch, or at once if there is none to be read.
    fn delivered(&mut self, lane: Lane, landed: &Landed, took: Duration) {
        self.endpoint.delivered(self.settings.retry, self.now, !lane.is_replay());
        if !landed.flight.under_older_settings {
            self.endpoint.takes(landed.batch.body_bytes);
        }
        let courier = &mut self.couriers[lane];
        let growth = landed.slot.map(|at| courier.open[at].growth).unwrap_or_default();
        courier.sizer.delivered(took, growth.behind, growth.filled);
        courier.wants |= landed.flight.superseded || landed.slot.is_none();
        if let Some(at) = landed.slot {
            courier.settle(at);
        }
    }

    /// Puts the batch back, if it is still wanted, and lets the endpoint, or the batch alone, wait; or gives up.
    fn failed(&mut self, lane: Lane, landed: &Landed, verdict: Verdict, failure: &Failure) {
        let (batch, flight) = (&landed.batch, &landed.flight);
        // A user who has just repaired the URL must not find it disabled by what the old one said: the present one is asked.
        let verdict = match verdict {
            Verdict::Gone if flight.under_older_settings => Verdict::Sick,
            verdict => verdict,
        };
        let (status, retry_after) = (failure.status, failure.retry_after);
        let preset = self.settings.retry;
        let without_success = if lane.is_replay() {
            Duration::ZERO
        } else {
            self.endpoint.failed(preset, self.now, status != Some(429))
        };
        let too_large = status == Some(TOO_LARGE) && batch.events > 1;
        if too_large {
            self.endpoint.learn_too_large(batch.body_bytes);
        }

        let courier = &mut self.couriers[lane];
        courier.sizer.failed();
        let kept = landed.slot.filter(|_| !flight.superseded && !too_large);
        if let Some(at) = kept {
            let slot = &mut courier.open[at];
            slot.batch.tries = slot.batch.tries.saturating_add(1);
            slot.growth = Growth::default();
            if may_be_its_size(failure.reply) && batch.events > 1 {
                slot.suspicions = slot.suspicions.saturating_add(1);
            }
        } else {
            courier.wants = true;
            if let Some(at) = landed.slot {
                courier.drop_from(at);
            }
        }

        if let Some(reason) = self.disables_at_once(verdict) {
            self.disable(reason);
            return self.save();
        }
        let mut ends = None;
        if verdict == Verdict::Gone {
            // A user disabled it meanwhile: nothing is left to decide.
            self.endpoint.answered();
        } else if verdict == Verdict::Sick {
            let sick = SickAnswer { turn: flight.turn, to_a_replay: lane.is_replay(), retry_after };
            let sickness = self.endpoint.sicken(sick, preset, self.now, &mut self.jitter);
            if sickness == Sickness::Exhausted {
                ends = Some(Ends::Endpoint(None));
            }
        } else {
            self.endpoint.answered();
            ends = kept.filter(|&at| !self.refuse(lane, at, retry_after)).map(Ends::Batch);
        }
        // Another request is still under way: it may yet be the success.
        let last_word = !self.is_sending();
        if let Some(limit) = preset.patience().filter(|&limit| without_success >= limit && last_word) {
            ends = Some(Ends::Endpoint(Some(DisableReason::NoSuccess { limit_s: limit.as_secs() })));
        }
        self.save();
        if !self.settings.enabled || self.life == Life::Stopping {
            return;
        }
        match ends {
            Some(Ends::Endpoint(disable)) => self.give_up_on_endpoint(disable, &failure.in_words),
            Some(Ends::Batch(at)) => self.give_up_on_batch(lane, at, &failure.in_words),
            None => {}
        }
    }

    /// A batch was refused: it waits. False: it was refused for long enough.
    fn refuse(&mut self, lane: Lane, at: usize, retry_after: Option<Duration>) -> bool {
        let refusal = self.couriers[lane].open[at].refusal.get_or_insert_default();
        match refusal.refused(self.settings.retry, self.now) {
            Some(wait) => {
                let wait = self.jitter.added_to(schedule::lengthened(wait, retry_after));
                refusal.wait = Wait::begin(self.now, wait);
                true
            }
            None => false,
        }
    }

    fn disables_at_once(&self, verdict: Verdict) -> Option<DisableReason> {
        if !self.settings.enabled {
            return None;
        }
        if verdict == Verdict::Gone {
            return Some(DisableReason::Gone);
        }
        let unhealthy = self.endpoint.unhealthy()?;
        Some(DisableReason::TooManyFailures { failed: unhealthy.failed, total: unhealthy.total })
    }

    /// Nothing is sent any more; open batches stay. When a user enables it again, nothing is held against the endpoint.
    pub(super) fn disable(&mut self, reason: DisableReason) {
        self.cancel_giving_up();
        self.settings.enabled = false;
        self.pardon();
        self.unsaved.disable = Some(reason);
    }

    /// Forgets refusals, sickness and health: as if the endpoint had never failed.
    pub(super) fn pardon(&mut self) {
        self.endpoint.pardon();
        for courier in self.couriers.values_mut() {
            courier.carried = None;
            for slot in &mut courier.open {
                courier.unsaved |= slot.refusal.take().is_some();
            }
        }
    }
}

/// Why and how a request failed.
struct Failure {
    reply: Reply,
    status: Option<u16>,
    retry_after: Option<Duration>,
    in_words: String,
}

/// What is given up.
enum Ends {
    /// Both lanes; perhaps the integration is disabled.
    Endpoint(Option<DisableReason>),
    /// A batch of this lane that is refused, by its place.
    Batch(usize),
}
