//! What is counted where it happens, for a Prometheus: attempts, and parts of hitwire that were begun again.

mod deliveries;
mod each;
mod restarts;

pub use deliveries::Deliveries;
pub(crate) use deliveries::Ended;
pub use deliveries::{VERDICTS, outcome};
pub use each::One;
pub use restarts::Restarts;

/// Names and values that the code knows.
type Fixed<const N: usize> = [(&'static str, &'static str); N];
