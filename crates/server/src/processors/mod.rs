//! Processors make events of events: each reads the log with a cursor of its own, and appends what it makes together with
//! that cursor and its state, in one transaction. So a crash between any two steps neither loses nor doubles anything.
//!
//! - [`requests_per_hour`]: counters into one event for each client and hour.

pub(crate) mod requests_per_hour;
