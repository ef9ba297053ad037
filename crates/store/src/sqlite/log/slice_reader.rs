//! Reading one slice: the spans first, then the headers of blocks, then only the blocks that hold something.

use super::block::{self, Header, Opened, StreamSum};
use super::cache::{BlockCache, DecodedBlock};
use super::catalog::{Part, Slice};
use super::damage::{self, ReadResult, SliceFault};
use super::gather::{Gathered, Gatherer, wants};
use crate::sqlite::schema::{self, Access, Kind};
use crate::{Lag, StreamFrom, Unreadable};
use hitwire_event::Seq;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How much one read searches at most, in events of opened blocks and headers of others: some 50 ms, so that no read holds
/// back checkpoints for long.
const SEARCHED_MAX: u64 = 65_536;

/// Connections that are kept open; each holds three files and up to 512 KiB of pages.
const CONNECTIONS_MAX: usize = 8;

const COVERED: &str = "SELECT max(last) FROM span";
const SPANS_OF_STREAM: &str = "SELECT first, last, events, oldest_ms FROM span_stream
     WHERE client = ?1 AND kind = ?2 AND first BETWEEN ?3 AND ?4";
const SPAN_AT: &str = "SELECT max(first) FROM span WHERE first <= ?1";
const SPANS_APPENDED_BY: &str =
    "SELECT first, last FROM span WHERE first BETWEEN ?1 AND ?2 AND oldest_ms <= ?3 ORDER BY first DESC";
const BLOCK_AT: &str = "SELECT max(first) FROM block WHERE first <= ?1";
const HEADERS: &str = "SELECT first, events, oldest_ms, newest_ms, streams FROM block
     WHERE first BETWEEN ?1 AND ?2 ORDER BY first";
const HEADERS_APPENDED_BY: &str = "SELECT first FROM block
     WHERE first BETWEEN ?1 AND ?2 AND oldest_ms <= ?3 ORDER BY first DESC";
const BLOCK: &str =
    "SELECT first, events, oldest_ms, newest_ms, format, plain_bytes, hash, body FROM block WHERE first = ?1";
const NEXT_BLOCK: &str = "SELECT first FROM block WHERE first > ?1 ORDER BY first LIMIT 1";
const FIRSTS_NEWEST_FIRST: &str = "SELECT first FROM block WHERE first BETWEEN ?1 AND ?2 ORDER BY first DESC";

/// Read-only connections to slices, kept for the next reader.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct Connections {
    /// With the generation of their slice, the one used last at the back.
    idle: Mutex<VecDeque<(u64, Connection)>>,
}

impl Connections {
    /// Runs a reading function on a slice. `None`: the slice was taken away.
    pub(in crate::sqlite) fn with<T>(
        &self,
        slice: &Slice,
        now: Duration,
        work: impl FnOnce(&Connection) -> ReadResult<T>,
    ) -> Result<Option<T>, SliceFault> {
        let connection = match self.take(slice.generation) {
            Some(connection) => connection,
            None => match schema::try_open(&slice.path, Kind::Log, Access::Read) {
                Ok(connection) => connection,
                Err(_) if slice.is_removed() => return Ok(None),
                Err(_) if !slice.path.exists() => return Err(SliceFault::missing(slice)),
                Err(error) => return Err(SliceFault::of_opening(slice, error, now)),
            },
        };
        let inside = slice.readers.enter();
        let answer = work(&connection).map_err(|error| SliceFault::of(slice, &error, now))?;
        drop(inside);
        slice.reads();
        let mut idle = self.idle();
        if slice.is_removed() {
            return Ok(Some(answer));
        }
        idle.push_back((slice.generation, connection));
        if idle.len() > CONNECTIONS_MAX {
            idle.pop_front();
        }
        Ok(Some(answer))
    }

    /// Closes the connections to a slice that is removed, so that its space is given back.
    pub(in crate::sqlite) fn forget(&self, generation: u64) {
        self.idle().retain(|(other, _)| *other != generation);
    }

    fn take(&self, generation: u64) -> Option<Connection> {
        let mut idle = self.idle();
        let at = idle.iter().rposition(|(other, _)| *other == generation)?;
        idle.remove(at).map(|(_, connection)| connection)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, VecDeque<(u64, Connection)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slice as a reader has it: a connection, and the blocks of it that are in memory.
#[derive(Clone, Copy)]
pub(in crate::sqlite) struct SliceReader<'a> {
    connection: &'a Connection,
    cache: &'a BlockCache,
}

impl<'a> SliceReader<'a> {
    /// Reads through this connection.
    pub(in crate::sqlite) fn new(connection: &'a Connection, cache: &'a BlockCache) -> Self {
        SliceReader { connection, cache }
    }

    fn block(self, part: &Part, first: u64) -> ReadResult<Arc<DecodedBlock>> {
        self.cache.get_or_read(part.slice.generation, first, || {
            let opened = open_block(self.connection, first)?;
            Ok(DecodedBlock::new(first, &opened)?)
        })
    }

    /// Gathers the events of a part.
    pub(in crate::sqlite) fn gather(
        self,
        part: &Part,
        searched: &mut u64,
        gatherer: &mut Gatherer<'_>,
    ) -> ReadResult<Gathered> {
        let mut headers = self.connection.prepare_cached(HEADERS)?;
        for (first, last) in self.worth_searching(part, gatherer.streams())? {
            gatherer.passed(first - 1);
            let mut next = first;
            let mut rows = headers.query(params![self.block_at(first)? as i64, last as i64])?;
            while let Some(row) = rows.next()? {
                if *searched >= SEARCHED_MAX {
                    return Ok(Gathered::Full);
                }
                *searched += 1;
                let block = BlockRange::of(row)?;
                if block.first > next {
                    let why = format!("{} lacks a block", damage::name(&part.slice.path));
                    return Ok(gatherer.cannot_read(unknown(next, block.first - 1, why)));
                }
                if block.last < next {
                    continue;
                }
                if block.may_hold(row, gatherer.streams())? {
                    *searched += last.min(block.last) - next;
                    let events = match self.block(part, block.first) {
                        Err(error) if error.is_damage() => {
                            return Ok(gatherer.cannot_read(self.damaged(part, &block, row, next, gatherer)?));
                        }
                        events => events?,
                    };
                    for record in events.between(next, last.min(block.last)) {
                        let (stream, seq) = (record.event.stream(), record.seq.0);
                        if gatherer.wants(stream.client.0, stream.kind.code(), seq)
                            && gatherer.offer(record.event.body.len(), || Arc::clone(record))
                                == Gathered::Full
                        {
                            return Ok(Gathered::Full);
                        }
                        gatherer.passed(seq);
                        if gatherer.is_full() {
                            return Ok(Gathered::Full);
                        }
                    }
                }
                gatherer.passed(last.min(block.last));
                next = block.last + 1;
            }
            if next <= last {
                let why = format!("{} lacks its last blocks", damage::name(&part.slice.path));
                return Ok(gatherer.cannot_read(unknown(next, last, why)));
            }
            gatherer.passed(last);
        }
        gatherer.passed(part.last);
        Ok(Gathered::All)
    }

    /// What is lost with a block that does not open, from a position in it on.
    fn damaged(
        self,
        part: &Part,
        block: &BlockRange,
        row: &Row<'_>,
        from: u64,
        gatherer: &Gatherer<'_>,
    ) -> ReadResult<Unreadable> {
        let last = self.before_the_next_block(part, block.first)?.max(from);
        let why = format!("a block of {} is damaged", damage::name(&part.slice.path));
        let mut unreadable = unknown(from, last, why);
        // What its directory says is checked, unless it is damaged too.
        if let Some(streams) = block.streams(row)?
            && block.last == last
        {
            let of_wanted = streams.filter(|(client, kind, _)| gatherer.wants(*client, *kind, last));
            unreadable.events = of_wanted.map(|(_, _, sum)| sum.events).sum();
            unreadable.exact = from == block.first;
        }
        Ok(unreadable)
    }

    /// The position before the next block that begins after a position, or the part's last one.
    fn before_the_next_block(self, part: &Part, after: u64) -> ReadResult<u64> {
        let next =
            self.connection.prepare_cached(NEXT_BLOCK)?.query_row([after as i64], |row| number(row, 0));
        match next.optional()? {
            // SQLite may answer anything from a damaged page.
            Some(next) if next <= after => {
                Err(rusqlite::Error::IntegralValueOutOfRange(0, next as i64).into())
            }
            Some(next) => Ok(part.last.min(next - 1)),
            None => Ok(part.last),
        }
    }

    /// The last position of a part, from `first` on, that cannot be read because the table of blocks is damaged there.
    pub(in crate::sqlite) fn unreadable_to(self, part: &Part, first: u64) -> u64 {
        let to = |after: u64| self.before_the_next_block(part, after).ok().filter(|to| *to >= first);
        // Whatever is asked for on a damaged page fails: its end is looked for with ever longer steps, then more closely.
        if let Some(to) = to(first) {
            return to;
        }
        let (mut fails, mut step) = (first, 1);
        let (mut works, mut found) = loop {
            let at = first.saturating_add(step);
            if at >= part.last {
                return part.last;
            }
            match to(at) {
                Some(to) => break (at, to),
                None => fails = at,
            }
            step *= 2;
        };
        while works - fails > 1 {
            let middle = fails + (works - fails) / 2;
            match to(middle) {
                Some(to) => (works, found) = (middle, to),
                None => fails = middle,
            }
        }
        found
    }

    /// Counts the events of a part, exactly: whole spans and blocks from their directories, the rest event by event.
    pub(in crate::sqlite) fn count(self, part: &Part, streams: &[StreamFrom]) -> ReadResult<PartCount> {
        let mut count = PartCount::default();
        let mut partial: BTreeMap<(u64, u64), Vec<StreamFrom>> = BTreeMap::new();
        let covered_to = self.covered_to(part)?;
        for stream in streams {
            for span in self.spans_of(part, covered_to, stream)? {
                if part.first.max(stream.from.0) <= span.first && span.last <= part.last {
                    count.lag.add(span.events, span.oldest_ms);
                } else {
                    partial.entry((span.first, span.last)).or_default().push(*stream);
                }
            }
        }
        for ((first, last), streams) in partial {
            self.count_blocks(part, first.max(part.first), last.min(part.last), &streams, &mut count)?;
        }
        self.count_blocks(part, (covered_to + 1).max(part.first), part.last, streams, &mut count)?;
        Ok(count)
    }

    /// The last position of a part that was appended at or before a time.
    pub(in crate::sqlite) fn position_at(self, part: &Part, appended_ms: u64) -> ReadResult<Option<u64>> {
        let covered_to = self.covered_to(part)?;
        let at = i64::try_from(appended_ms).unwrap_or(i64::MAX);
        if let Some(seq) = self.last_by(part, (covered_to + 1).max(part.first), part.last, appended_ms)? {
            return Ok(Some(seq));
        }
        let mut spans = self.connection.prepare_cached(SPANS_APPENDED_BY)?;
        let mut spans = spans.query(params![self.span_at(part.first)? as i64, covered_to as i64, at])?;
        while let Some(row) = spans.next()? {
            let (first, last) = (number(row, 0)?, number(row, 1)?);
            let found = self.last_by(part, first.max(part.first), last.min(part.last), appended_ms)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The last position in a range that was appended at or before a time.
    fn last_by(self, part: &Part, first: u64, last: u64, appended_ms: u64) -> ReadResult<Option<u64>> {
        if first > last {
            return Ok(None);
        }
        let at = i64::try_from(appended_ms).unwrap_or(i64::MAX);
        let mut blocks = self.connection.prepare_cached(HEADERS_APPENDED_BY)?;
        let mut blocks = blocks.query(params![self.block_at(first)? as i64, last as i64, at])?;
        while let Some(row) = blocks.next()? {
            let block = match self.block(part, number(row, 0)?) {
                // What cannot be read is at no time; the one before it is.
                Err(error) if error.is_damage() => continue,
                block => block?,
            };
            let by = block.between(first, last).filter(|record| record.appended_ms <= appended_ms).last();
            if let Some(record) = by {
                return Ok(Some(record.seq.0));
            }
        }
        Ok(None)
    }

    fn count_blocks(
        self,
        part: &Part,
        first: u64,
        last: u64,
        streams: &[StreamFrom],
        count: &mut PartCount,
    ) -> ReadResult<()> {
        if first > last {
            return Ok(());
        }
        let mut headers = self.connection.prepare_cached(HEADERS)?;
        let mut rows = headers.query(params![self.block_at(first)? as i64, last as i64])?;
        let mut next = first;
        while let Some(row) = rows.next()? {
            let block = BlockRange::of(row)?;
            if block.first > next {
                count.unread.push((next, block.first - 1));
                next = block.first;
            }
            if block.last < next {
                continue;
            }
            let (from, to) = (next, last.min(block.last));
            next = block.last + 1;
            if !block.may_hold(row, Some(streams))? {
                continue;
            }
            let whole = (from, to) == (block.first, block.last);
            if whole
                && streams.iter().all(|stream| stream.from.0 <= block.first)
                && let Some(sums) = block.streams(row)?
            {
                for (client, kind, sum) in sums {
                    if wants(streams, client, kind, block.first) {
                        count.lag.add(sum.events, sum.oldest_ms);
                    }
                }
                continue;
            }
            let events = match self.block(part, block.first) {
                Err(error) if error.is_damage() => {
                    count.unread.push((from, to));
                    continue;
                }
                events => events?,
            };
            for record in events.between(from, to) {
                let stream = record.event.stream();
                if wants(streams, stream.client.0, stream.kind.code(), record.seq.0) {
                    count.lag.add(1, record.appended_ms);
                }
            }
        }
        if next <= last {
            count.unread.push((next, last));
        }
        Ok(())
    }

    /// The last position of the part that spans cover; the one before the part if they cover nothing of it.
    fn covered_to(self, part: &Part) -> ReadResult<u64> {
        let covered: Option<i64> =
            self.connection.prepare_cached(COVERED)?.query_row([], |row| row.get(0))?;
        Ok(covered.map_or(0, |last| last as u64).clamp(part.first - 1, part.last))
    }

    /// Where the span begins that a position lies in; the position itself if it lies in none.
    fn span_at(self, seq: u64) -> ReadResult<u64> {
        Ok(at_or_before(self.connection, SPAN_AT, seq)?.unwrap_or(seq))
    }

    /// Where the block begins that a position lies in; the position itself if it lies in none.
    fn block_at(self, seq: u64) -> ReadResult<u64> {
        Ok(block_holding(self.connection, seq)?.unwrap_or(seq))
    }

    fn spans_of(self, part: &Part, covered_to: u64, stream: &StreamFrom) -> ReadResult<Vec<SpanSum>> {
        let from = part.first.max(stream.from.0);
        if covered_to < from {
            return Ok(Vec::new());
        }
        let mut statement = self.connection.prepare_cached(SPANS_OF_STREAM)?;
        let spans = statement.query_map(
            params![
                stream.stream.client.0 as i64,
                stream.stream.kind.code(),
                self.span_at(from)? as i64,
                covered_to as i64
            ],
            |row| {
                Ok(SpanSum {
                    first: number(row, 0)?,
                    last: number(row, 1)?,
                    events: number(row, 2)?,
                    oldest_ms: number(row, 3)?,
                })
            },
        )?;
        Ok(spans.collect::<rusqlite::Result<_>>()?)
    }

    /// How far the spans of a part reach, and those with events of the streams.
    fn spans_of_streams(self, part: &Part, streams: &[StreamFrom]) -> ReadResult<(u64, Vec<(u64, u64)>)> {
        let covered_to = self.covered_to(part)?;
        let mut spans = Vec::new();
        for stream in streams {
            let found = self.spans_of(part, covered_to, stream)?;
            spans.extend(found.iter().map(|span| (span.first, span.last)));
        }
        Ok((covered_to, spans))
    }

    /// The ranges of a part that may hold events of the streams, in order.
    fn worth_searching(self, part: &Part, streams: Option<&[StreamFrom]>) -> ReadResult<Vec<(u64, u64)>> {
        let Some(streams) = streams else { return Ok(vec![(part.first, part.last)]) };
        let (covered_to, mut spans) = match self.spans_of_streams(part, streams) {
            // Spans only save work: without them every block is looked at.
            Err(error) if error.is_damage() => return Ok(vec![(part.first, part.last)]),
            spans => spans?,
        };
        spans.sort_unstable();
        spans.dedup();
        let covered = spans.into_iter().map(|(first, last)| (first.max(part.first), last.min(part.last)));
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for (first, last) in covered.chain([((covered_to + 1).max(part.first), part.last)]) {
            match ranges.last_mut() {
                _ if first > last => {}
                Some(previous) if previous.1 + 1 == first => previous.1 = last,
                _ => ranges.push((first, last)),
            }
        }
        Ok(ranges)
    }
}

/// What there is of a stream in a span.
struct SpanSum {
    first: u64,
    last: u64,
    events: u64,
    oldest_ms: u64,
}

/// Where a block lies, from a row of [`HEADERS`].
struct BlockRange {
    first: u64,
    last: u64,
    events: u32,
    oldest_ms: u64,
    newest_ms: u64,
}

impl BlockRange {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (first, events) = (number(row, 0)?, row.get::<_, u32>(1)?);
        let last = first + u64::from(events.max(1)) - 1;
        Ok(BlockRange { first, last, events, oldest_ms: number(row, 2)?, newest_ms: number(row, 3)? })
    }

    /// What it holds of each stream; none if that is damaged.
    fn streams<'r>(
        &self,
        row: &'r Row<'_>,
    ) -> rusqlite::Result<Option<impl Iterator<Item = (u64, u8, StreamSum)> + use<'r>>> {
        let described = row.get_ref(4)?.as_blob()?;
        let bytes = block::directory_in(described, self.first, self.events, self.oldest_ms, self.newest_ms);
        Ok(bytes.map(|bytes| block::streams_in(bytes, self.oldest_ms)))
    }

    /// Whether it may hold an event of the streams; none: of any. A block whose directory is damaged may hold anything, and
    /// must be opened.
    fn may_hold(&self, row: &Row<'_>, streams: Option<&[StreamFrom]>) -> rusqlite::Result<bool> {
        let (Some(wanted), Some(mut held)) = (streams, self.streams(row)?) else { return Ok(true) };
        Ok(held.any(|(client, kind, _)| wants(wanted, client, kind, self.last)))
    }
}

/// A range of which nothing is known. How many events it can have had, the catalog knows.
fn unknown(first: u64, last: u64, why: String) -> Unreadable {
    Unreadable { first: Seq(first), last: Seq(last), events: 0, exact: false, why }
}

/// What there is in a part of some streams.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct PartCount {
    /// What could be counted.
    pub lag: Lag,
    /// What could not be read, as first and last positions.
    pub unread: Vec<(u64, u64)>,
}

impl Lag {
    /// Counts events, the oldest of which was appended at this time.
    pub(in crate::sqlite) fn add(&mut self, events: u64, oldest_ms: u64) {
        self.events += events;
        self.oldest_ms = Some(self.oldest_ms.map_or(oldest_ms, |so_far| so_far.min(oldest_ms)));
    }
}

/// Opens the block that begins at a position.
pub(in crate::sqlite) fn open_block(connection: &Connection, first: u64) -> ReadResult<Opened> {
    let mut statement = connection.prepare_cached(BLOCK)?;
    let mut rows = statement.query([first as i64])?;
    let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let header = Header {
        first: number(row, 0)?,
        events: row.get(1)?,
        oldest_ms: number(row, 2)?,
        newest_ms: number(row, 3)?,
        format: row.get(4)?,
        plain_bytes: number(row, 5)?,
        hash: number(row, 6)?,
    };
    Ok(block::open(&header, row.get_ref(7)?.as_blob().map_err(rusqlite::Error::from)?)?)
}

/// Where the last block begins that begins at a position or before it; none if none does.
pub(in crate::sqlite) fn block_holding(connection: &Connection, seq: u64) -> ReadResult<Option<u64>> {
    Ok(at_or_before(connection, BLOCK_AT, seq)?)
}

/// Where the blocks of a range begin, the newest first.
pub(in crate::sqlite) fn firsts_newest_first(
    connection: &Connection,
    first: u64,
    last: u64,
) -> ReadResult<Vec<u64>> {
    let from = block_holding(connection, first)?.unwrap_or(first);
    let mut statement = connection.prepare(FIRSTS_NEWEST_FIRST)?;
    let firsts = statement.query_map(params![from as i64, last as i64], |row| number(row, 0))?;
    Ok(firsts.collect::<rusqlite::Result<_>>()?)
}

fn at_or_before(connection: &Connection, sql: &str, seq: u64) -> rusqlite::Result<Option<u64>> {
    let found: Option<Option<i64>> =
        connection.prepare_cached(sql)?.query_row([seq as i64], |row| row.get(0)).optional()?;
    Ok(found.flatten().map(|first| first as u64))
}

/// A column of a row that is a number without a sign.
fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)? as u64)
}
