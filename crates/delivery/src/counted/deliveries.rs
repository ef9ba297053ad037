//! Attempts to deliver.

use super::Fixed;
use super::each::{Each, One};
use hitwire_courier::refusal::classify;
use hitwire_courier::{Reply, Verdict};
use hitwire_endpoint::{Cause, Rule, TlsClass};
use hitwire_event::IntegrationId;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Limits of the classes of times, seconds: from a receiver next door to the longest timeout of an integration.
const SECONDS: [f64; 13] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0];

/// What may become of an attempt.
pub const VERDICTS: [Verdict; 4] = [Verdict::Delivered, Verdict::Sick, Verdict::Refused, Verdict::Gone];

/// Counts attempts. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub struct Deliveries {
    batches: Family<Fixed<1>, Counter>,
    events: Family<Fixed<1>, Counter>,
    bytes: Family<Fixed<1>, Counter>,
    seconds: Family<Fixed<1>, Histogram, fn() -> Histogram>,
    failures: Family<Fixed<1>, Counter>,
    guard: Family<Fixed<1>, Counter>,
    tls: Family<Fixed<1>, Counter>,
    held: Counter,
    each: Arc<Mutex<Each>>,
}

/// One attempt that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    /// Whose.
    pub(crate) integration: IntegrationId,
    /// What came back.
    pub(crate) reply: Reply,
    /// Why there is no complete answer.
    pub(crate) cause: Option<Cause>,
    /// Events in the batch.
    pub(crate) events: u32,
    /// Bytes of the body.
    pub(crate) body_bytes: u64,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Default for Deliveries {
    fn default() -> Self {
        let deliveries = Deliveries {
            batches: Family::default(),
            events: Family::default(),
            bytes: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            failures: Family::default(),
            guard: Family::default(),
            tls: Family::default(),
            held: Counter::default(),
            each: Arc::default(),
        };
        // A series that begins at 0 shows its first increase.
        for verdict in VERDICTS {
            let labels = [("outcome", outcome(verdict))];
            drop(deliveries.batches.get_or_create(&labels));
            drop(deliveries.events.get_or_create(&labels));
            drop(deliveries.bytes.get_or_create(&labels));
            drop(deliveries.seconds.get_or_create(&labels));
        }
        for cause in Cause::NAMES {
            drop(deliveries.failures.get_or_create(&[("cause", cause)]));
        }
        for rule in Rule::ALL {
            drop(deliveries.guard.get_or_create(&[("rule", rule.name())]));
        }
        for class in TlsClass::ALL {
            drop(deliveries.tls.get_or_create(&[("class", class.name())]));
        }
        deliveries
    }
}

impl Deliveries {
    /// Has a registry tell the counts.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Attempts to deliver a batch, by outcome";
        registry.register("delivery_batches", help, self.batches.clone());
        let help = "Events in the batches of these attempts";
        registry.register("delivery_events", help, self.events.clone());
        let help = "Bytes of the bodies of these attempts";
        registry.register_with_unit("delivery", help, Unit::Bytes, self.bytes.clone());
        let help = "Duration of these attempts";
        registry.register_with_unit("delivery_duration", help, Unit::Seconds, self.seconds.clone());
        let help = "Attempts without a complete answer, by cause";
        registry.register("delivery_failures", help, self.failures.clone());
        let help = "Attempts that the guard refused, by rule";
        registry.register("guard_refusals", help, self.guard.clone());
        let help = "Attempts that came to no TLS connection, by class of the problem";
        registry.register("delivery_tls_errors", help, self.tls.clone());
        let help = "Requests that had to wait because hitwire had no file descriptor left";
        registry.register("delivery_held", help, self.held.clone());
    }

    pub(crate) fn ended(&self, attempt: &Ended) {
        let verdict = classify(attempt.reply);
        let labels = [("outcome", outcome(verdict))];
        self.batches.get_or_create(&labels).inc();
        self.events.get_or_create(&labels).inc_by(attempt.events.into());
        self.bytes.get_or_create(&labels).inc_by(attempt.body_bytes);
        self.seconds.get_or_create(&labels).observe(attempt.took.as_secs_f64());
        if let Some(cause) = attempt.cause {
            self.failures.get_or_create(&[("cause", cause.name())]).inc();
            match cause {
                Cause::Guard(rule) => drop(self.guard.get_or_create(&[("rule", rule.name())]).inc()),
                Cause::Tls(class) => drop(self.tls.get_or_create(&[("class", class.name())]).inc()),
                _ => {}
            }
        }
        self.each().ended(attempt.integration, verdict, attempt.events);
    }

    /// A request could not be begun for want of a file descriptor.
    pub(crate) fn held(&self) {
        self.held.inc();
    }

    /// The integration is no more: its series end.
    pub(crate) fn forget(&self, id: IntegrationId) {
        self.each().forget(id);
    }

    /// What is counted of the integrations that are told one by one, and of the others together.
    pub fn one_by_one(&self) -> (Vec<(IntegrationId, One)>, One) {
        self.each().counted()
    }

    fn each(&self) -> MutexGuard<'_, Each> {
        self.each.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As metrics write it.
pub const fn outcome(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Sick => "sick",
        Verdict::Refused => "refused",
        Verdict::Gone => "gone",
    }
}
