//! Parts of hitwire that failed and were begun again.

use super::Fixed;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The parts that are begun again.
const PARTS: [&str; 8] = [
    "announcer",
    "certificate",
    "index",
    "requests_per_hour",
    "sessions",
    "source",
    "source_trouble",
    "token_uses",
];

/// Counts parts that were begun again, by name. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub struct Restarts(Family<Fixed<1>, Counter>);

impl Default for Restarts {
    fn default() -> Self {
        let parts = Family::default();
        // A series that begins at 0 shows its first increase.
        for part in PARTS {
            drop(parts.get_or_create(&[("part", part)]));
        }
        Restarts(parts)
    }
}

impl Restarts {
    /// Has a registry tell the counts.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Parts of hitwire that failed by a programming error and were begun again";
        registry.register("part_restarts", help, self.0.clone());
    }

    /// A part was begun again. Its name is one that the code knows.
    pub fn count(&self, part: &'static str) {
        self.0.get_or_create(&[("part", part)]).inc();
    }

    /// How often a part was.
    pub fn of(&self, part: &'static str) -> u64 {
        self.0.get_or_create(&[("part", part)]).get()
    }
}
