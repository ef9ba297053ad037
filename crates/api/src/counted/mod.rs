//! What is counted where it happens, for a Prometheus: requests, and events that came in.

mod intake;
mod requests;

pub use intake::{Intake, Origin};
pub use requests::{Open, Requests};

/// Names and values that the code knows.
type Fixed<const N: usize> = [(&'static str, &'static str); N];
