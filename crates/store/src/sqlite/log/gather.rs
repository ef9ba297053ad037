//! What a read wants, and what it has got so far; the same for the tail and for the disk.

use crate::{Page, Read, StreamFrom, Unreadable};
use hitwire_event::{Record, Seq};
use std::sync::Arc;

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sqlite) enum Gathered {
    /// Everything up to the end was searched.
    All,
    /// The page is full, or enough was searched for one read.
    Full,
}

/// What a read is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sqlite) enum Wanted {
    /// Its streams.
    Streams,
    /// Every stream, whatever it lists.
    Everything,
}

/// Collects a page.
#[derive(Debug)]
pub(in crate::sqlite) struct Gatherer<'a> {
    read: &'a Read,
    wanted: Wanted,
    records: Vec<Arc<Record>>,
    bytes: usize,
    scanned_to: u64,
    unreadable: Option<Unreadable>,
}

impl<'a> Gatherer<'a> {
    /// An empty page for this read.
    pub(in crate::sqlite) fn new(read: &'a Read, wanted: Wanted) -> Self {
        Gatherer { read, wanted, records: Vec::new(), bytes: 0, scanned_to: read.after.0, unreadable: None }
    }

    /// The streams that are wanted; none: all.
    pub(in crate::sqlite) fn streams(&self) -> Option<&'a [StreamFrom]> {
        (self.wanted == Wanted::Streams).then_some(&*self.read.streams)
    }

    /// Whether an event of this stream at this position is wanted.
    pub(in crate::sqlite) fn wants(&self, client: u64, kind: u8, seq: u64) -> bool {
        self.wanted == Wanted::Everything || wants(&self.read.streams, client, kind, seq)
    }

    /// Takes a wanted event, if there is room: a single one that is larger than the page always finds some.
    pub(in crate::sqlite) fn offer(
        &mut self,
        body_bytes: usize,
        record: impl FnOnce() -> Arc<Record>,
    ) -> Gathered {
        let bytes = self.bytes + body_bytes;
        if self.is_full() || (!self.records.is_empty() && bytes > self.read.max_bytes) {
            return Gathered::Full;
        }
        self.bytes = bytes;
        self.records.push(record());
        Gathered::All
    }

    /// No further event finds room.
    pub(in crate::sqlite) fn is_full(&self) -> bool {
        self.unreadable.is_some() || self.records.len() >= self.read.max_events
    }

    /// A range cannot be read. A page that has events ends before it; the next one tells of it, and of nothing else, so that
    /// who reads has dealt with all that lies before.
    pub(in crate::sqlite) fn cannot_read(&mut self, unreadable: Unreadable) -> Gathered {
        if self.records.is_empty() && self.unreadable.is_none() {
            self.passed(unreadable.last.0);
            // A subscription that began later has nothing to lose there.
            let concerns = |stream: &StreamFrom| stream.from <= unreadable.last;
            if self.streams().is_none_or(|streams| streams.iter().any(concerns)) {
                self.unreadable = Some(unreadable);
            }
        }
        Gathered::Full
    }

    /// Everything up to here was searched.
    pub(in crate::sqlite) fn scanned_to(&self) -> u64 {
        self.scanned_to
    }

    /// Everything up to here was searched, and what is wanted was taken.
    pub(in crate::sqlite) fn passed(&mut self, seq: u64) {
        self.scanned_to = self.scanned_to.max(seq);
    }

    /// The page of a read that ends at `through`.
    pub(in crate::sqlite) fn finish(self, through: u64) -> Page {
        Page {
            more: self.scanned_to < through,
            scanned_to: Seq(self.scanned_to),
            records: self.records,
            unreadable: self.unreadable,
        }
    }
}

/// Whether an event of this stream at this position belongs to one of these streams.
pub(in crate::sqlite) fn wants(streams: &[StreamFrom], client: u64, kind: u8, seq: u64) -> bool {
    streams.iter().any(|wanted| {
        wanted.stream.kind.code() == kind && wanted.stream.client.0 == client && wanted.from.0 <= seq
    })
}
