//! The embedded store: three kinds of SQLite file in one data directory.
//!
//! The cast:
//!
//! - `store`: what callers see, a file for each of the traits that it fulfils.
//! - `log`: `log-<first Seq>.db`, the *slices*: blocks of events, spans over them, the sources' checkpoints;
//!   `log-<first Seq>.packed.db`, a slice that has ended, rewritten into larger blocks; the newest events in memory.
//! - `state`: `state.db`, in which `ledger`, `registry` and `outbox` keep their tables, and its writer. `readers`: who reads.
//! - `attempts`: `attempts.db`, the delivery log, written behind the state by a writer of its own.
//! - `wal`: how the keeper moves a WAL into its database without anybody waiting for it.
//! - `keeper`: checkpoints, packing of ended slices, retention.
//! - `cores`: opens all of it. `threads` and `writer`: the four threads (log, state, keeper, attempts) around the cores. `inline`: the
//!   same cores without threads, on the caller's. `ground`: what they share.
//! - `backup`, `verify`, `rotate`: care for a data directory from outside.
//! - `schema`, `files`, `seal`, `clock`, `options`: versions, the directory and its lock, sealed secrets, times, bounds.
//!
//! What always holds:
//!
//! 1. What is answered is durable: appends and configuration are synced; a courier's step survives the end of the process.
//! 2. Nothing is built upon a file whose sync failed (see `log_core` and `state::file`).
//! 3. A slice is only dropped after what integrations lose with it is on record.

mod attempts;
mod backup;
mod clock;
mod cores;
mod figures;
pub(crate) mod files;
mod ground;
mod inline;
mod keeper;
mod ledger;
mod log;
mod options;
mod outbox;
#[cfg(test)]
mod plans;
mod readers;
mod registry;
mod rotate;
mod schema;
pub(crate) mod seal;
mod state;
mod store;
mod threads;
mod verify;
mod wal;
mod writer;

pub use backup::{Backup, BackupFile, back_up, restore};
pub use options::{FaultHook, FaultPoint, MonotonicClock, Options, ThreadFailed, WallClock};
pub use rotate::{KeyRotation, rotate_key};
pub use store::SqliteStore;
pub use verify::{Finding, Verification, verify};
