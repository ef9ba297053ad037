//! Other tools' output into events, one module a tool.
//!
//! The cast:
//!
//! - [`modsecurity`]: a line of a ModSecurity audit log into the hits that it tells of.
//!   [`modsecurity::convert`] is a plain function: bytes, a position and the time go in, hits or an error come out.
//! - `crs`: what a rule of the OWASP Core Rule Set means: its attack type, whether it only counts or blocks, its score.
//! - `point`: where in a request a rule's variable lies, in the words of a hit's `point`;
//!   `evidence`: what a rule's message tells; `payload`: what a hit shows of it.
//! - [`follow`]: the only part that does IO. A [`follow::Follower`] gives each line of a growing file exactly once, across
//!   restarts, truncation and rotation; a [`follow::Watch`] tells when looking again is worth while.
//! - [`lines`]: bytes into lines, with a bound on a line's length.
//!
//! The invariants kept here: a record is never dropped for being ugly (invalid UTF-8 is shown, not refused); a block is
//! never silent; the same line at the same position always becomes the same hits with the same ids, so that reading a
//! file again makes no new events; the work done is bounded by the length of a line.
//!
//! What this crate deliberately does not do: keep checkpoints (the log commits them with the events), decide who
//! receives a hit, or look anything up on the network.

mod crs;
mod evidence;
pub mod follow;
pub mod lines;
pub mod modsecurity;
mod payload;
mod point;
mod redact;
mod request;
mod settings;
mod text;
mod time;

pub use settings::{RuleRange, Settings};

/// Where a record stands in its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Bytes before the line in the file that it was read from. Part of the ids of the record's hits.
    pub offset: u64,
}
