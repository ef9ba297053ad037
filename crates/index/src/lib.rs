//! The rebuildable index behind the console's lists, searches and charts.
//!
//! The log answers "what comes next in these streams", and nothing else. Whoever looks for an event, or wants to see a week at
//! a glance, asks here. The index is one file, `index.db`, written behind the log and never waited for: it may be deleted at any
//! time, and is made again.
//!
//! The cast:
//!
//! - [`Index`]: what readers ask. Every question says whose events it is about, and has a bound on what it looks at.
//! - `follow`: the one task that reads the log and the delivery log from where the index stands, and keeps it within its
//!   bounds.
//! - `write`: what an event or an attempt adds: a row in a *volume*, counts of its minute, tops of its hour, rollups of its
//!   integration. The position that it is about is part of the same transaction.
//! - `read`: the questions. [`Search`] looks at no more than [`LOOKED_AT_MAX`] rows, and says how far it came.
//! - `shared`: what readers have in common with `follow`.
//! - *volumes*: tables of [`Bounds::volume`] positions each. The oldest goes as a whole, which costs next to nothing.
//! - `file`: making, opening, and throwing away.
//!
//! What always holds:
//!
//! 1. What is in the file follows from the log and the delivery log up to the positions that it says, whatever was killed when.
//! 2. Nothing of one client is told to another: each statement that reads events is bound to a client.
//! 3. No statement reads a table from end to end (a test asks SQLite for its plans).
//! 4. A file that is damaged, of another version, of another log, or that a power loss may have torn, is made again.

mod file;
mod follow;
mod latency;
mod options;
mod read;
mod row;
mod shared;
mod sql;
mod write;

pub use follow::Following;
pub use latency::Latencies;
pub use options::{Bounds, Options};
pub use read::{
    COUNTED_MAX, Count, DeliveredBatch, Delivery, Found, Health, Index, LOOKED_AT_MAX, MinuteCount, Point,
    Range, Search, SearchedTo, Top, Tops,
};
pub use row::EventRow;
pub use shared::{IndexError, Progress};
pub use write::tops::{TOP_COUNTERS, TopOf};
