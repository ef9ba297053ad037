//! The file of the ledger and the registry, which change in one transaction, and what works on it.
//!
//! - `file`: making it, opening it, replacing it after a failed sync. `view`: who reads it.
//! - `work`: what is asked of its writer. `state_core`: the writer without its thread, which has `ledger`, `registry` and
//!   `outbox` carry out the ops. `context`: what a step works with.
//! - `codes`: values as they stand in columns.
//! - `log_memory`, `running`: what it remembers of the log, and of the time that hitwire ran.

pub(super) mod codes;
pub(super) mod context;
pub(super) mod file;
pub(super) mod log_memory;
pub(super) mod running;
pub(super) mod state_core;
pub(super) mod view;
pub(super) mod work;
