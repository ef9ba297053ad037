//! The newest events in memory, shared by all readers.

use super::gather::{Gathered, Gatherer};
use hitwire_event::Record;
use hitwire_receiver::Rendered as _;
use std::collections::VecDeque;
use std::sync::Arc;

/// The newest records, without a gap, bounded in bytes.
#[derive(Debug)]
pub(in crate::sqlite) struct Tail {
    records: VecDeque<Arc<Record>>,
    /// The position of the first record, or of the next one if there is none.
    first: u64,
    bytes: usize,
    bytes_max: usize,
}

impl Tail {
    /// An empty tail of a log that ends at `head`.
    pub(in crate::sqlite) fn new(head: u64, bytes_max: usize) -> Self {
        Tail { records: VecDeque::new(), first: head + 1, bytes: 0, bytes_max }
    }

    /// Adds records that follow the last one, and drops the oldest ones past the bound.
    pub(in crate::sqlite) fn push(&mut self, records: impl IntoIterator<Item = Arc<Record>>) {
        for record in records {
            if record.seq.0 != self.first + self.records.len() as u64 {
                debug_assert!(
                    self.records.is_empty(),
                    "a gap in the log is only ever made before the first append"
                );
                self.records.clear();
                self.bytes = 0;
                self.first = record.seq.0;
            }
            self.bytes += record.weight_rendered();
            self.records.push_back(record);
            while self.bytes > self.bytes_max {
                let Some(oldest) = self.records.pop_front() else { break };
                self.bytes -= oldest.weight_rendered();
                self.first += 1;
            }
        }
    }

    /// The position of its first record; everything from there on is here.
    pub(in crate::sqlite) fn first(&self) -> u64 {
        self.first
    }

    /// Gathers the records in `after < seq <= through`. `after` must not lie before the tail.
    pub(in crate::sqlite) fn gather(
        &self,
        after: u64,
        through: u64,
        gatherer: &mut Gatherer<'_>,
    ) -> Gathered {
        let skipped = (after + 1).saturating_sub(self.first) as usize;
        for record in self.records.iter().skip(skipped).take_while(|record| record.seq.0 <= through) {
            if gatherer.wants(record.event.client.0, record.event.kind.code(), record.seq.0)
                && gatherer.offer(record.event.body.len(), || record.clone()) == Gathered::Full
            {
                return Gathered::Full;
            }
            gatherer.passed(record.seq.0);
        }
        gatherer.passed(through);
        Gathered::All
    }

    /// The last position appended at or before this time, if it lies in the tail.
    pub(in crate::sqlite) fn position_at(&self, appended_ms: u64) -> Option<u64> {
        self.records.iter().rev().find(|record| record.appended_ms <= appended_ms).map(|record| record.seq.0)
    }

    /// The records in `first <= seq`, for counting.
    pub(in crate::sqlite) fn from(&self, first: u64) -> impl Iterator<Item = &Arc<Record>> {
        self.records.iter().skip(first.saturating_sub(self.first) as usize)
    }
}
