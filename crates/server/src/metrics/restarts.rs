//! Parts of hitwire that failed and were begun again.

use super::Fixed;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counts parts that were begun again, by name. Cheap to clone; clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Restarts(Family<Fixed<1>, Counter>);

impl Restarts {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Parts of hitwire that failed by a programming error and were begun again";
        registry.register("part_restarts", help, self.0.clone());
    }

    /// A part was begun again. Its name is one that the code knows.
    pub(crate) fn count(&self, part: &'static str) {
        self.0.get_or_create(&[("part", part)]).inc();
    }

    /// How often a part was.
    #[cfg(test)]
    pub(crate) fn of(&self, part: &'static str) -> u64 {
        self.0.get_or_create(&[("part", part)]).get()
    }
}
