//! What everyone may see of the log: its slices, its tail, its end, the checkpoints.

use super::cache::BlockCache;
use super::catalog::{Catalog, Part};
use super::damage::{self, DamageReport, ReadResult, SliceFault};
use super::gather::{Gathered, Gatherer, Wanted, wants};
use super::slice_reader::{Connections, PartCount, SliceReader};
use super::tail::Tail;
use crate::sqlite::options::{FaultPoint, Options};
use crate::sqlite::wal::{Gate, WRITER_WAITS_MAX};
use crate::{Counts, Lag, Page, Read, StoreError, StreamFrom, Touched, Unreadable};
use hitwire_event::{Record, Seq, Stream};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;

/// Slices that one read looks into at most.
const SLICES_PER_READ: usize = 16;

/// Bytes of decoded blocks that are kept, their renderings counted as if all were made: those of a few lanes that lag.
const CACHE_BYTES: u64 = 32 << 20;

/// How far each source was read, by the source's name.
pub(in crate::sqlite) type Checkpoints = BTreeMap<String, Vec<u8>>;

/// The shared view of the log. The log's writer changes it, after each sync.
#[derive(Debug)]
pub(in crate::sqlite) struct LogView {
    /// The slices.
    pub catalog: Catalog,
    /// Connections to them.
    pub connections: Connections,
    /// Passed by the log's writer.
    pub writer: Gate,
    blocks: BlockCache,
    tail: RwLock<Tail>,
    head: watch::Sender<Seq>,
    checkpoints: RwLock<Checkpoints>,
    options: Arc<Options>,
    damage: DamageReport,
}

/// How many events there are of some streams in a range of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::sqlite) struct RangeCount {
    /// Those that are there, and the most that there can be in what cannot be read.
    pub lag: Lag,
    /// Something could not be read, and this is wrong with it.
    pub unreadable: Option<String>,
}

impl LogView {
    /// The view of a log that ends at `head`.
    pub(in crate::sqlite) fn new(
        catalog: Catalog,
        head: u64,
        options: Arc<Options>,
        counts: Arc<Counts>,
        checkpoints: Checkpoints,
    ) -> Self {
        LogView {
            catalog,
            connections: Connections::default(),
            writer: Gate::new(WRITER_WAITS_MAX),
            blocks: BlockCache::new(CACHE_BYTES),
            tail: RwLock::new(Tail::new(head, options.tail_bytes)),
            head: watch::Sender::new(Seq(head)),
            checkpoints: RwLock::new(checkpoints),
            options,
            damage: DamageReport::new(counts),
        }
    }

    /// Shows what has become durable: first the checkpoints and the records, then the new end.
    pub(in crate::sqlite) fn publish(&self, records: Vec<Arc<Record>>, checkpoints: Checkpoints) {
        if !checkpoints.is_empty() {
            self.checkpoints.write().unwrap_or_else(PoisonError::into_inner).extend(checkpoints);
        }
        if let Some(last) = records.last().map(|record| record.seq) {
            self.tail.write().unwrap_or_else(PoisonError::into_inner).push(records);
            self.head.send_replace(last);
        }
    }

    /// The last durable position, and its changes.
    pub(in crate::sqlite) fn watch_head(&self) -> watch::Receiver<Seq> {
        self.head.subscribe()
    }

    /// The last durable position.
    pub(in crate::sqlite) fn head(&self) -> u64 {
        self.head.borrow().0
    }

    /// How far a source was read.
    pub(in crate::sqlite) fn checkpoint(&self, source: &str) -> Option<Vec<u8>> {
        self.checkpoints.read().unwrap_or_else(PoisonError::into_inner).get(source).cloned()
    }

    /// How far every source was read.
    pub(in crate::sqlite) fn checkpoints(&self) -> Checkpoints {
        self.checkpoints.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A page from memory, if the read begins in the tail or has nothing to find. Never blocks on the disk.
    pub(in crate::sqlite) fn read_memory(&self, read: &Read, wanted: Wanted) -> Option<Page> {
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
    pub(in crate::sqlite) fn touched(&self, after: u64) -> Touched {
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
    pub(in crate::sqlite) fn read_disk(&self, read: &Read, wanted: Wanted) -> Result<Page, StoreError> {
        let through = self.clip(read.through);
        let on_disk_to = through.min(self.tail_first() - 1);
        let mut gatherer = Gatherer::new(read, wanted);
        let range = self.catalog.parts(read.after.0, on_disk_to);
        let mut missing = range.missing().into_iter().peekable();
        let unfinished = range.parts.len() > SLICES_PER_READ;
        let mut searched = 0;
        for part in range.parts.iter().take(SLICES_PER_READ) {
            if let Some((first, last)) = missing.next_if(|(first, _)| *first < part.first) {
                gatherer.passed(first - 1);
                gatherer.cannot_read(self.missing(first, last));
                return Ok(self.finish(gatherer, through));
            }
            // What lies before the log's beginning is no longer in it.
            gatherer.passed(part.first - 1);
            if self.gather(part, &mut searched, &mut gatherer)? == Gathered::Full {
                return Ok(self.finish(gatherer, through));
            }
        }
        if !unfinished {
            if let Some((first, last)) = missing.next() {
                gatherer.passed(first - 1);
                gatherer.cannot_read(self.missing(first, last));
            } else {
                gatherer.passed(on_disk_to);
            }
        }
        Ok(self.finish(gatherer, through))
    }

    /// Gathers the events of a part, up to what cannot be read.
    fn gather(
        &self,
        part: &Part,
        searched: &mut u64,
        gatherer: &mut Gatherer<'_>,
    ) -> Result<Gathered, StoreError> {
        match self.with(part, |reader, part| reader.gather(part, searched, gatherer)) {
            Ok(Some(gathered)) => Ok(gathered),
            Ok(None) => {
                gatherer.passed(part.last);
                Ok(Gathered::All)
            }
            Err(SliceFault::Later(error)) => Err(error),
            Err(SliceFault::Damaged(why)) => {
                let first = part.first.max(gatherer.scanned_to() + 1);
                let end = self.with(part, |reader, part| Ok(reader.unreadable_to(part, first)));
                let last = if let Ok(Some(last)) = end { last } else { part.last };
                let (first, last) = (Seq(first), Seq(last));
                Ok(gatherer.cannot_read(Unreadable { first, last, events: 0, exact: false, why }))
            }
        }
    }

    /// What is told of positions that no slice holds.
    fn missing(&self, first: u64, last: u64) -> Unreadable {
        let before = self.catalog.all().into_iter().rev().find(|slice| slice.first <= first);
        let why = match before {
            Some(slice) => format!("the file that follows {} is missing", damage::name(&slice.path)),
            None => "the oldest files of the log are missing".to_owned(),
        };
        Unreadable { first: Seq(first), last: Seq(last), events: 0, exact: false, why }
    }

    /// Ends a page, and tells of what it could not read.
    fn finish(&self, gatherer: Gatherer<'_>, through: u64) -> Page {
        let mut page = gatherer.finish(through);
        if let Some(unreadable) = &mut page.unreadable {
            let (first, last) = (unreadable.first.0, unreadable.last.0);
            if !unreadable.exact && unreadable.events == 0 {
                unreadable.events = self.catalog.events_at_most(first, last);
            }
            self.damage.passed(&unreadable.why, first, last, self.now());
        }
        page
    }

    /// Counts the events of the streams in `after < seq <= through`. May read the disk.
    pub(in crate::sqlite) fn count(
        &self,
        streams: &[StreamFrom],
        after: u64,
        through: u64,
    ) -> Result<RangeCount, StoreError> {
        let through = self.clip(Some(Seq(through)));
        let mut count = RangeCount::default();
        // Tail and disk are counted apart: the tail's beginning is taken once, so that nothing is counted twice.
        let in_memory_from = {
            let tail = self.tail.read().unwrap_or_else(PoisonError::into_inner);
            let from = tail.first().max(after.saturating_add(1));
            for record in tail.from(from).take_while(|record| record.seq.0 <= through) {
                if wants(streams, record.event.client.0, record.event.kind.code(), record.seq.0) {
                    count.lag.add(1, record.appended_ms);
                }
            }
            from
        };
        let mut counted = Vec::new();
        let begins = streams.iter().map(|stream| stream.from.0).min().unwrap_or(u64::MAX);
        let mut unread = |first: u64, last: u64, why: String| {
            let first = first.max(begins);
            if first <= last {
                count.lag.events += self.catalog.events_at_most(first, last);
                count.unreadable = Some(why);
            }
        };
        let range = self.catalog.parts(after, through.min(in_memory_from - 1));
        for (first, last) in range.missing() {
            unread(first, last, self.missing(first, last).why);
        }
        for part in &range.parts {
            match self.with(part, |reader, part| reader.count(part, streams)) {
                Ok(None) => {}
                Ok(Some(PartCount { lag, unread: damaged })) => {
                    for (first, last) in damaged {
                        unread(first, last, format!("{} is damaged", damage::name(&part.slice.path)));
                    }
                    if let Some(oldest_ms) = lag.oldest_ms {
                        counted.push((lag.events, oldest_ms));
                    }
                }
                Err(SliceFault::Damaged(why)) => unread(part.first, part.last, why),
                Err(SliceFault::Later(error)) => return Err(error),
            }
        }
        for (events, oldest_ms) in counted {
            count.lag.add(events, oldest_ms);
        }
        Ok(count)
    }

    /// The last position appended at or before this time; 0 if there is none. May read the disk.
    pub(in crate::sqlite) fn position_at(&self, appended_ms: u64) -> Result<u64, StoreError> {
        let (in_memory, on_disk_to) = {
            let tail = self.tail.read().unwrap_or_else(PoisonError::into_inner);
            (tail.position_at(appended_ms), tail.first() - 1)
        };
        if let Some(seq) = in_memory {
            return Ok(seq);
        }
        for part in self.catalog.parts(0, on_disk_to).parts.iter().rev() {
            if part.slice.oldest_ms() > appended_ms {
                continue;
            }
            match self.with(part, |reader, part| reader.position_at(part, appended_ms)) {
                Ok(Some(Some(seq))) => return Ok(seq),
                // What cannot be read is at no time; what lies before it is.
                Ok(_) | Err(SliceFault::Damaged(_)) => {}
                Err(SliceFault::Later(error)) => return Err(error),
            }
        }
        Ok(0)
    }

    /// Reads a part: of its slice, or of what took the slice's place meanwhile. `None`: it is no longer in the log.
    fn with<T>(
        &self,
        part: &Part,
        mut work: impl FnMut(SliceReader<'_>, &Part) -> ReadResult<T>,
    ) -> Result<Option<T>, SliceFault> {
        let mut part = part.clone();
        loop {
            let answer = self.connections.with(&part.slice, self.now(), |connection| {
                if self.options.fails_at(FaultPoint::SliceRead) {
                    return Err(damage::injected());
                }
                work(SliceReader::new(connection, &self.blocks), &part)
            })?;
            if answer.is_some() {
                return Ok(answer);
            }
            let Some(slice) = self.catalog.successor(&part.slice) else { return Ok(None) };
            part.slice = slice;
        }
    }

    fn now(&self) -> Duration {
        (self.options.elapsed)()
    }

    fn clip(&self, through: Option<Seq>) -> u64 {
        through.map_or(u64::MAX, |through| through.0).min(self.head())
    }

    fn tail_first(&self) -> u64 {
        self.tail.read().unwrap_or_else(PoisonError::into_inner).first()
    }
}
