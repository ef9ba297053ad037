//! What hitwire tells a Prometheus, and what is built on it.

mod deploy;
mod exposition;
mod told;
