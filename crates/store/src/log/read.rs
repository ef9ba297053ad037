//! What is asked of the log, and what it answers.

use hitwire_event::{Record, Seq, Stream};
use std::sync::Arc;

/// A stream and where the subscription to it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamFrom {
    /// The stream.
    pub stream: Stream,
    /// Events from this position on (inclusive).
    pub from: Seq,
}

/// A read of the log.
#[derive(Clone, Debug)]
pub struct Read {
    /// Only these streams.
    pub streams: Vec<StreamFrom>,
    /// Only events after this position.
    pub after: Seq,
    /// Only events up to this position, if set.
    pub through: Option<Seq>,
    /// At most this many events.
    pub max_events: usize,
    /// At most this many bytes of bodies; a single larger event is still returned.
    pub max_bytes: usize,
}

/// What a read found.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The events, oldest first.
    pub records: Vec<Arc<Record>>,
    /// Every event of the streams up to here (inclusive) was returned, is no longer in the log, or is in `unreadable`.
    pub scanned_to: Seq,
    /// There is more of the streams, or more to search, before the end of the log (or `through`).
    pub more: bool,
    /// A range that cannot be read, passed by this page. Such a page has no events: what lies before was returned by the page
    /// before.
    pub unreadable: Option<Unreadable>,
}

/// A range of the log that cannot be read, because a file is damaged or missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its first position.
    pub first: Seq,
    /// Its last position.
    pub last: Seq,
    /// How many events of the streams that were asked for it holds.
    pub events: u64,
    /// The number of events is known; otherwise it is an estimate: all that can have been there.
    pub exact: bool,
    /// What is wrong, in words for people. Names a file, but no directory.
    pub why: String,
}

impl Unreadable {
    /// What is told of it on a dead range.
    pub fn detail(&self) -> String {
        if self.exact {
            self.why.clone()
        } else {
            format!("{}; how many events it had is not known, the number is an estimate", self.why)
        }
    }
}

/// How far something is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Events not settled.
    pub events: u64,
    /// When the oldest of them was appended, milliseconds since the epoch; none if there is none.
    pub oldest_ms: Option<u64>,
}

/// Which streams have news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Looked at up to here (inclusive): the durable head at the time of asking.
    pub through: Seq,
    /// The distinct streams; none if the tail does not reach back to the position asked for: then any may have news.
    pub streams: Option<Vec<Stream>>,
}
