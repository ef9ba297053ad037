//! Requests to the API.

use super::Fixed;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

/// Limits of the classes of times, seconds: a call that waits for a sync takes some milliseconds.
const SECONDS: [f64; 12] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// The classes of status codes.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What may become of a call that brings events.
const OUTCOMES: [&str; 9] = [
    "accepted",
    "malformed",
    "unauthorized",
    "timeout",
    "too_large",
    "invalid",
    "limited",
    "unavailable",
    "error",
];

/// Counts requests and connections. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub struct Requests {
    answered: Family<Fixed<1>, Counter>,
    seconds: Histogram,
    ingest: Family<Fixed<1>, Counter>,
    connections: Gauge,
    handshakes_failed: Counter,
}

/// A connection that is open. It is counted until this is dropped.
#[derive(Debug)]
pub struct Open(Gauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Requests {
    fn default() -> Self {
        let requests = Requests {
            answered: Family::default(),
            seconds: Histogram::new(SECONDS),
            ingest: Family::default(),
            connections: Gauge::default(),
            handshakes_failed: Counter::default(),
        };
        for class in CLASSES {
            drop(requests.answered.get_or_create(&[("status", class)]));
        }
        for outcome in OUTCOMES {
            drop(requests.ingest.get_or_create(&[("outcome", outcome)]));
        }
        requests
    }
}

impl Requests {
    /// Has a registry tell the counts.
    pub fn register(&self, registry: &mut Registry) {
        let answered = self.answered.clone();
        registry.register("api_requests", "Answered requests to the API, by class of status", answered);
        let help = "Time from a request's head to its answer";
        registry.register_with_unit("api_request_duration", help, Unit::Seconds, self.seconds.clone());
        let help = "Calls that bring events or counters, by what became of them";
        registry.register("ingest_requests", help, self.ingest.clone());
        let help = "Open connections to the API, with those whose handshake is under way";
        registry.register("api_connections", help, self.connections.clone());
        let help = "TLS handshakes with the API that came to nothing";
        registry.register("api_tls_handshake_failures", help, self.handshakes_failed.clone());
    }

    /// A request was answered. `ingests`: it was to bring events.
    pub fn answered(&self, status: u16, ingests: bool, took: Duration) {
        let class = CLASSES[usize::from(status / 100).clamp(1, CLASSES.len()) - 1];
        self.answered.get_or_create(&[("status", class)]).inc();
        self.seconds.observe(took.as_secs_f64());
        if ingests {
            self.ingest.get_or_create(&[("outcome", outcome(status))]).inc();
        }
    }

    /// A connection was accepted.
    pub fn connected(&self) -> Open {
        self.connections.inc();
        Open(self.connections.clone())
    }

    /// A handshake came to nothing.
    pub fn handshake_failed(&self) {
        self.handshakes_failed.inc();
    }
}

fn outcome(status: u16) -> &'static str {
    match status {
        200..=299 => "accepted",
        400 | 405 | 415 => "malformed",
        401 | 403 => "unauthorized",
        408 => "timeout",
        413 => "too_large",
        422 => "invalid",
        429 => "limited",
        503 => "unavailable",
        _ => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_class_and_an_outcome_that_are_known() {
        let requests = Requests::default();
        for status in 0..=999 {
            assert!(OUTCOMES.contains(&outcome(status)));
            requests.answered(status, true, Duration::ZERO);
        }
        let known = CLASSES.iter().filter(|class| requests.answered.get(&[("status", *class)]).is_some());
        assert_eq!(known.count(), CLASSES.len());
    }
}
