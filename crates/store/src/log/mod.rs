//! The log: events in order, read from any position.

mod append;
mod head;
mod read;

pub use append::{Append, Appended};
pub use head::Head;
pub use read::{Lag, Page, Read, StreamFrom, Touched, Unreadable};

use crate::answer::Answer;
use hitwire_event::Seq;
use std::time::Duration;

/// What is read of the log. [`Op::Append`](crate::Op::Append) adds to it.
///
/// A position only grows, and there may be gaps: nothing is to be counted from a difference of positions.
pub trait Log: Send + Sync + 'static {
    /// The events of some streams after a position, oldest first; from the tail where it reaches back far enough.
    fn read(&self, read: Read) -> Answer<'_, Page>;

    /// Everything after a position, of all clients and kinds, oldest first; from the tail where it reaches back far enough.
    /// At most so many events, and bytes of bodies (a single larger one is returned all the same). For whoever indexes the
    /// log: it waits behind couriers if the disk must be read.
    fn follow(&self, after: Seq, max_events: usize, max_bytes: usize) -> Answer<'_, Page>;

    /// The last durable position; changes with every append. The records that made it move are in the tail by then.
    fn head(&self) -> Head;

    /// The distinct streams of the records appended after a position, from the tail alone: what a dispatcher wakes.
    fn touched(&self, after: Seq) -> Touched;

    /// How many events of these streams lie in `after < seq <= through`. Exact for up to a few thousand positions past
    /// `after`; block by block from the directory beyond.
    fn lag(&self, streams: Vec<StreamFrom>, after: Seq, through: Seq) -> Answer<'_, Lag>;

    /// The position behind which the newest so many events lie, `Seq::ZERO` if there are no more. Positions may have gaps, so it
    /// is not for a caller to reckon.
    fn behind_newest(&self, events: u64) -> Seq;

    /// How many events lie behind a position, of all clients and kinds. What cannot be read counts as the most that it can be.
    fn events_after(&self, after: Seq) -> u64;

    /// The last position appended at or before a wall-clock time (milliseconds since the epoch), `Seq::ZERO` if none.
    fn position_at(&self, appended_ms: u64) -> Answer<'_, Seq>;

    /// The last position that has been in the log for this long, counted in time that hitwire ran: time in which it was
    /// stopped makes nothing old, nor does a jump of the wall clock. Positions that are up to a minute older may be passed
    /// over, and up to an hour for ages of more than four days.
    fn position_aged(&self, age: Duration) -> Answer<'_, Seq>;

    /// A source's checkpoint, as it was committed with the events read up to it.
    fn checkpoint(&self, source: &str) -> Answer<'_, Option<Vec<u8>>>;
}
