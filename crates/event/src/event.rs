//! An event, before and after it has its place in the log.

use crate::rendering::{Rendered, Rendering};
use crate::{ClientId, EventId, Kind, Seq, Stream};

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
    rendered: Rendered,
}

impl Record {
    /// A record without renderings yet.
    pub fn new(seq: Seq, appended_ms: u64, id_reused: bool, event: Event) -> Self {
        Record { seq, appended_ms, id_reused, event, rendered: Rendered::default() }
    }

    /// The object as `rendering` writes it, without blanks. Made at most once for each rendering and shared by every
    /// integration that asks for it.
    pub fn rendered(&self, rendering: Rendering) -> &str {
        self.rendered.get_or_render(rendering, self)
    }

    /// Bytes of memory that this record takes, its renderings included as if all were made.
    pub fn weight(&self) -> usize {
        std::mem::size_of::<Self>() + self.event.body.len() * 2 + self.event.id.as_str().len()
    }
}
