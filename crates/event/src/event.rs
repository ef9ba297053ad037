//! An event, before and after it has its place in the log.

use crate::facets::{Facets, Found};
use crate::{ClientId, EventId, Kind, Seq, Stream};
use std::sync::OnceLock;

/// The largest event, in bytes, as it is sent and as it is stored. Payloads are cut long before; this bounds what one event
/// can cost the memory of every reader.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The tenant it belongs to.
    pub client: ClientId,
    /// What it is, for subscriptions.
    pub kind: Kind,
    /// Stable: the same event read again has the same id.
    pub id: EventId,
    /// Canonical JSON: one object, compact, known fields first in the documented order, numbers as written.
    pub body: Box<str>,
}

impl Event {
    /// The unit of subscription that it belongs to.
    pub const fn stream(&self) -> Stream {
        Stream { client: self.client, kind: self.kind }
    }

    /// What makes two events of one id the same event; see [`content_of`].
    pub fn content(&self) -> [&str; 2] {
        content_of(self.kind, &self.body)
    }
}

/// An event's body without what ingest may have filled from its clock: `create_time`, and `request_time` where it is the
/// same. Two events of one id are the same event if this is equal: a caller who sends the same bytes again, without times in
/// them, must not seem to have sent something else. Two counters of one id are the same counter, whatever they say: to count
/// them both could only be wrong.
pub fn content_of(kind: Kind, body: &str) -> [&str; 2] {
    if kind == Kind::Counter {
        return ["", ""];
    }
    let (before, after) = if kind == Kind::Hit { without_times(body) } else { None }.unwrap_or((body, ""));
    [before, after]
}

/// Cuts the times out of a hit in canonical JSON. They stand beside each other there, and what comes before are strings, in
/// which the quotes of these names would be escaped: the first place that looks like them is them.
fn without_times(body: &str) -> Option<(&str, &str)> {
    let (before, times) = body.split_once(",\"request_time\":")?;
    let (request_time, rest) = times.split_once(",\"create_time\":")?;
    let (create_time, _) = rest.split_once(',')?;
    let after = &rest[create_time.len()..];
    if request_time == create_time {
        Some((before, after))
    } else {
        Some((&body[..before.len() + ",\"request_time\":".len() + request_time.len()], after))
    }
}

/// An event in the log.
#[derive(Debug)]
pub struct Record {
    /// Its position.
    pub seq: Seq,
    /// When it was appended: milliseconds since the Unix epoch, wall clock.
    pub appended_ms: u64,
    /// The same id came before, with other content: taken, and marked.
    pub id_reused: bool,
    /// The event.
    pub event: Event,
    /// It happened to nobody: it only shows what would be sent.
    test: bool,
    /// What was made of it so far; see [`Record::made`].
    made: [OnceLock<Option<Box<str>>>; MADE_MAX],
    found: OnceLock<Found>,
}

/// How many texts a record keeps of those that are made of it; see [`Record::made`].
pub const MADE_MAX: usize = 4;

impl Record {
    /// A record of which nothing was made yet.
    pub fn new(seq: Seq, appended_ms: u64, id_reused: bool, event: Event) -> Self {
        let (made, found) = (Default::default(), OnceLock::new());
        Record { seq, appended_ms, id_reused, event, test: false, made, found }
    }

    /// An event that did not happen: outside of the log, and marked as a test message in every rendering.
    pub fn test(event: Event) -> Self {
        Record { test: true, ..Record::new(Seq::ZERO, 0, false, event) }
    }

    /// Whether it is a test message.
    pub const fn is_test(&self) -> bool {
        self.test
    }

    /// A text that is made of this record, such as a rendering, by its place (below [`MADE_MAX`]). Made when it is first asked
    /// for, kept as long as the record, and shared by everybody who asks. `None` from `make` stands for the body as it is
    /// stored: no copy is kept.
    pub fn made(&self, place: usize, make: impl FnOnce() -> Option<Box<str>>) -> &str {
        self.made[place].get_or_init(make).as_deref().unwrap_or(&self.event.body)
    }

    /// What filters look at. The body is read for it at most once, whoever asks, and nothing of it is copied.
    pub fn facets(&self) -> Facets<'_> {
        let found = self.found.get_or_init(|| Found::in_event(&self.event));
        Facets::new(&self.event.body, found)
    }

    /// Bytes of memory that this record takes, without what is made of it. Always the same for a record: its facets are a part
    /// of it.
    pub fn weight(&self) -> usize {
        std::mem::size_of::<Self>() + self.event.body.len() + self.event.id.as_str().len()
    }
}
