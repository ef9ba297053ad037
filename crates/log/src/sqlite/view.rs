//! What everyone may see of the log: its slices, its tail, its end, the checkpoints.

use super::cache::BlockCache;
use super::catalog::{Catalog, Part};
use super::gather::{Gathered, Gatherer, Wanted, wants};
use super::slice_reader::{Connections, ReadResult, SliceReader};
use super::tail::Tail;
use crate::{Lag, Page, Read, StoreError, StreamFrom, Touched};
use hitwire_event::{Record, Seq, Stream};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// Slices that one read looks into at most.
const SLICES_PER_READ: usize = 16;

/// Bytes of decoded blocks that are kept, their renderings counted as if all were made: those of a few lanes that lag.
const CACHE_BYTES: u64 = 32 << 20;

/// How far each source was read, by the source's name.
pub(super) type Checkpoints = BTreeMap<String, Vec<u8>>;

/// The shared view of the log. The log's writer changes it, after each sync.
#[derive(Debug)]
pub(super) struct LogView {
    /// The slices.
    pub catalog: Catalog,
    /// Connections to them.
    pub connections: Connections,
    blocks: BlockCache,
    tail: RwLock<Tail>,
    head: watch::Sender<Seq>,
    checkpoints: RwLock<Checkpoints>,
}

impl LogView {
    /// The view of a log that ends at `head`.
    pub(super) fn new(catalog: Catalog, head: u64, tail_bytes: usize, checkpoints: Checkpoints) -> Self {
        LogView {
            catalog,
            connections: Connections::default(),
            blocks: BlockCache::new(CACHE_BYTES),
            tail: RwLock::new(Tail::new(head, tail_bytes)),
            head: watch::Sender::new(Seq(head)),
            checkpoints: RwLock::new(checkpoints),
        }
    }

    /// Shows what has become durable: first the checkpoints and the records, then the new end.
    pub(super) fn publish(&self, records: Vec<Arc<Record>>, checkpoints: Checkpoints) {
        if !checkpoints.is_empty() {
            self.checkpoints.write().unwrap_or_else(PoisonError::into_inner).extend(checkpoints);
        }
        if let Some(last) = records.last().map(|record| record.seq) {
            self.tail.write().unwrap_or_else(PoisonError::into_inner).push(records);
            self.head.send_replace(last);
        }
    }

    /// The last durable position, and its changes.
    pub(super) fn watch_head(&self) -> watch::Receiver<Seq> {
        self.head.subscribe()
    }

    /// The last durable position.
    pub(super) fn head(&self) -> u64 {
        self.head.borrow().0
    }

    /// How far a source was read.
    pub(super) fn checkpoint(&self, source: &str) -> Option<Vec<u8>> {
        self.checkpoints.read().unwrap_or_else(PoisonError::into_inner).get(source).cloned()
    }

    /// How far every source was read.
    pub(super) fn checkpoints(&self) -> Checkpoints {
        self.checkpoints.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A page from memory, if the read begins in the tail or has nothing to find. Never blocks on the disk.
    pub(super) fn read_memory(&self, read: &Read, wanted: Wanted) -> Option<Page> {
        let through = self.clip(read.through);
        let mut gatherer = Gatherer::new(read, wanted);
        if through <= read.after.0 {
            return Some(gatherer.finish(through));
        }
        let tail = self.tail.read().unwrap_or_else(PoisonError::into_inner);
        if read.after.0 + 1 < tail.first() {
            return None;
        }
        tail.gather(read.after.0, through, &mut gatherer);
        Some(gatherer.finish(through))
    }

    /// The distinct streams appended after a position, if the tail reaches back that far.
    pub(super) fn touched(&self, after: u64) -> Touched {
        // No further than the end that readers see: who is woken must find what woke it.
        let through = self.head();
        let tail = self.tail.read().unwrap_or_else(PoisonError::into_inner);
        let streams = (after + 1 >= tail.first()).then(|| {
            let records = tail.from(after + 1).take_while(|record| record.seq.0 <= through);
            let streams: BTreeSet<Stream> = records.map(|record| record.event.stream()).collect();
            streams.into_iter().collect()
        });
        Touched { through: Seq(through), streams }
    }

    /// A page from the disk, up to where the tail begins.
    pub(super) fn read_disk(&self, read: &Read, wanted: Wanted) -> Result<Page, StoreError> {
        let through = self.clip(read.through);
        let on_disk_to = through.min(self.tail_first() - 1);
        let mut gatherer = Gatherer::new(read, wanted);
        let parts = self.catalog.parts(read.after.0, on_disk_to);
        let unfinished = parts.len() > SLICES_PER_READ;
        let mut searched = 0;
        for part in parts.iter().take(SLICES_PER_READ) {
            // What lies between two slices, or before the first one, is no longer in the log.
            gatherer.passed(part.first - 1);
            let gathered =
                self.with(part, |reader, part| reader.gather(part, &mut searched, &mut gatherer))?;
            match gathered {
                Some(Gathered::Full) => return Ok(gatherer.finish(through)),
                Some(Gathered::All) => {}
                None => gatherer.passed(part.last),
            }
        }
        if !unfinished {
            gatherer.passed(on_disk_to);
        }
        Ok(gatherer.finish(through))
    }

    /// Counts the events of the streams in `after < seq <= through`. May read the disk.
    pub(super) fn count(&self, streams: &[StreamFrom], after: u64, through: u64) -> Result<Lag, StoreError> {
        let through = self.clip(Some(Seq(through)));
        let mut lag = Lag::default();
        // Tail and disk are counted apart: the tail's beginning is taken once, so that nothing is counted twice.
        let in_memory_from = {
            let tail = self.tail.read().unwrap_or_else(PoisonError::into_inner);
            let from = tail.first().max(after.saturating_add(1));
            for record in tail.from(from).take_while(|record| record.seq.0 <= through) {
                if wants(streams, record.event.client.0, record.event.kind.code(), record.seq.0) {
                    lag.add(1, record.appended_ms);
                }
            }
            from
        };
        for part in self.catalog.parts(after, through.min(in_memory_from - 1)) {
            let counted = self.with(&part, |reader, part| reader.count(part, streams))?;
            if let Some(Lag { events, oldest_ms: Some(oldest_ms) }) = counted {
                lag.add(events, oldest_ms);
            }
        }
        Ok(lag)
    }

    /// The last position appended at or before this time; 0 if there is none. May read the disk.
    pub(super) fn position_at(&self, appended_ms: u64) -> Result<u64, StoreError> {
        let (in_memory, on_disk_to) = {
            let tail = self.tail.read().unwrap_or_else(PoisonError::into_inner);
            (tail.position_at(appended_ms), tail.first() - 1)
        };
        if let Some(seq) = in_memory {
            return Ok(seq);
        }
        for part in self.catalog.parts(0, on_disk_to).iter().rev() {
            if part.slice.oldest_ms() > appended_ms {
                continue;
            }
            let found = self.with(part, |reader, part| reader.position_at(part, appended_ms))?;
            if let Some(Some(seq)) = found {
                return Ok(seq);
            }
        }
        Ok(0)
    }

    /// Reads a part: of its slice, or of what took the slice's place meanwhile. `None`: it is no longer in the log.
    fn with<T>(
        &self,
        part: &Part,
        mut work: impl FnMut(SliceReader<'_>, &Part) -> ReadResult<T>,
    ) -> Result<Option<T>, StoreError> {
        let mut part = part.clone();
        loop {
            let answer = self
                .connections
                .with(&part.slice, |connection| work(SliceReader::new(connection, &self.blocks), &part))?;
            if answer.is_some() {
                return Ok(answer);
            }
            let Some(slice) = self.catalog.successor(&part.slice) else { return Ok(None) };
            part.slice = slice;
        }
    }

    fn clip(&self, through: Option<Seq>) -> u64 {
        through.map_or(u64::MAX, |through| through.0).min(self.head())
    }

    fn tail_first(&self) -> u64 {
        self.tail.read().unwrap_or_else(PoisonError::into_inner).first()
    }
}
