//! Reading one slice: the directory of blocks first, then only the blocks that hold something.

use super::catalog::{Part, Slice};
use super::gather::{Gathered, Gatherer, wants};
use super::schema::{self, Access, Kind};
use crate::{Lag, StoreError, StreamFrom};
use hitwire_event::{ClientId, Event, EventId, Record, Seq};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Positions of a block.
pub(super) const BLOCK: u64 = 4096;

/// An event's id was used before with other content.
pub(super) const FLAG_ID_REUSED: u8 = 1;

/// An event counts for deduplication.
pub(super) const FLAG_DEDUPLICATED: u8 = 2;

/// Rows that one read searches at most: some 50 ms, so that no read holds back checkpoints for long.
const SEARCHED_ROWS_MAX: u64 = 65_536;

/// Connections that are kept open; each holds three files and up to 512 KiB of pages.
const CONNECTIONS_MAX: usize = 8;

const COVERED: &str = "SELECT max(block) FROM span";
const BLOCKS_OF_STREAM: &str =
    "SELECT block, events, oldest_ms FROM block WHERE client = ?1 AND kind = ?2 AND block BETWEEN ?3 AND ?4";
const ROWS: &str = "SELECT seq, client, kind, appended_ms, flags, id, body FROM event WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq";
const HEADS: &str =
    "SELECT seq, client, kind, appended_ms FROM event WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq";
const LAST_APPENDED_BY: &str =
    "SELECT seq FROM event WHERE seq BETWEEN ?1 AND ?2 AND appended_ms <= ?3 ORDER BY seq DESC LIMIT 1";
const BLOCKS_APPENDED_BY: &str =
    "SELECT block FROM span WHERE block BETWEEN ?1 AND ?2 AND oldest_ms <= ?3 ORDER BY block DESC";

/// The block that a position lies in.
pub(super) const fn block_of(seq: u64) -> u64 {
    seq / BLOCK
}

/// Read-only connections to slices, kept for the next reader.
#[derive(Debug, Default)]
pub(super) struct Connections {
    /// With the generation of their slice, the one used last at the back.
    idle: Mutex<VecDeque<(u64, Connection)>>,
}

impl Connections {
    /// Runs a reading function on a slice. `None`: the slice is no longer there.
    pub(super) fn with<T>(
        &self,
        slice: &Slice,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let connection = match self.take(slice.generation) {
            Some(connection) => connection,
            None if !slice.path.exists() => return Ok(None),
            None => match schema::open(&slice.path, Kind::Log, Access::Read) {
                // Removed between the two looks.
                Err(_) if !slice.path.exists() => return Ok(None),
                opened => opened?,
            },
        };
        let answer = work(&connection).map_err(|error| schema::damaged(&slice.path, &error))?;
        let mut idle = self.idle();
        idle.push_back((slice.generation, connection));
        if idle.len() > CONNECTIONS_MAX {
            idle.pop_front();
        }
        Ok(Some(answer))
    }

    /// Closes the connections to a slice that is removed, so that its space is given back.
    pub(super) fn forget(&self, generation: u64) {
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

/// Gathers the events of a part.
pub(super) fn gather(
    connection: &Connection,
    part: &Part,
    searched_rows: &mut u64,
    gatherer: &mut Gatherer<'_>,
) -> rusqlite::Result<Gathered> {
    let mut rows_of = connection.prepare_cached(ROWS)?;
    for (first, last) in worth_searching(connection, part, gatherer.streams())? {
        gatherer.passed(first - 1);
        let allowed = SEARCHED_ROWS_MAX.saturating_sub(*searched_rows);
        let stop = last.min(first.saturating_add(allowed).saturating_sub(1));
        *searched_rows += stop.saturating_sub(first) + 1;
        let mut rows = rows_of.query(params![first as i64, stop as i64])?;
        while let Some(row) = rows.next()? {
            let (seq, client, kind) = head_of(row)?;
            if gatherer.wants(client, kind, seq) {
                let body = row.get_ref(6)?.as_str()?;
                let record = record(row, seq, client, kind, body)?;
                if let Some(record) = record
                    && gatherer.offer(body.len(), || Arc::new(record)) == Gathered::Full
                {
                    return Ok(Gathered::Full);
                }
            }
            gatherer.passed(seq);
            if gatherer.is_full() {
                return Ok(Gathered::Full);
            }
        }
        gatherer.passed(stop);
        if stop < last {
            return Ok(Gathered::Full);
        }
    }
    gatherer.passed(part.last);
    Ok(Gathered::All)
}

/// Counts the events of a part, exactly: whole blocks from the directory, the rest row by row.
pub(super) fn count(connection: &Connection, part: &Part, streams: &[StreamFrom]) -> rusqlite::Result<Lag> {
    let covered_to = covered_to(connection, part)?;
    let mut lag = Lag::default();
    let mut partial: BTreeMap<u64, Vec<StreamFrom>> = BTreeMap::new();
    for stream in streams {
        for found in blocks_of(connection, part, covered_to, stream)? {
            let (first, last) = bounds(found.block);
            if part.first <= first && last <= part.last && stream.from.0 <= first {
                lag.add(found.events, found.oldest_ms);
            } else {
                partial.entry(found.block).or_default().push(*stream);
            }
        }
    }
    for (block, streams) in partial {
        let (first, last) = bounds(block);
        count_rows(
            connection,
            first.max(part.first),
            last.min(covered_to).min(part.last),
            &streams,
            &mut lag,
        )?;
    }
    count_rows(connection, (covered_to + 1).max(part.first), part.last, streams, &mut lag)?;
    Ok(lag)
}

/// The last position of a part that was appended at or before a time.
pub(super) fn position_at(
    connection: &Connection,
    part: &Part,
    appended_ms: u64,
) -> rusqlite::Result<Option<u64>> {
    let covered_to = covered_to(connection, part)?;
    let at = i64::try_from(appended_ms).unwrap_or(i64::MAX);
    let mut last_in = connection.prepare_cached(LAST_APPENDED_BY)?;
    let mut search = |first: u64, last: u64| {
        last_in.query_row(params![first as i64, last as i64, at], |row| row.get::<_, i64>(0)).optional()
    };
    if let Some(seq) = search((covered_to + 1).max(part.first), part.last)? {
        return Ok(Some(seq as u64));
    }
    let mut blocks = connection.prepare_cached(BLOCKS_APPENDED_BY)?;
    let mut blocks = blocks.query(params![block_of(part.first) as i64, block_of(covered_to) as i64, at])?;
    while let Some(row) = blocks.next()? {
        let (first, last) = bounds(row.get::<_, i64>(0)? as u64);
        if let Some(seq) = search(first.max(part.first), last.min(covered_to))? {
            return Ok(Some(seq as u64));
        }
    }
    Ok(None)
}

/// What the directory says of a stream in a block.
struct Found {
    block: u64,
    events: u64,
    oldest_ms: u64,
}

impl Lag {
    /// Counts events, the oldest of which was appended at this time.
    pub(super) fn add(&mut self, events: u64, oldest_ms: u64) {
        self.events += events;
        self.oldest_ms = Some(self.oldest_ms.map_or(oldest_ms, |so_far| so_far.min(oldest_ms)));
    }
}

/// First and last position of a block.
const fn bounds(block: u64) -> (u64, u64) {
    (block * BLOCK, block * BLOCK + BLOCK - 1)
}

/// The last position of the part that the directory covers; the one before the part if it covers nothing of it.
fn covered_to(connection: &Connection, part: &Part) -> rusqlite::Result<u64> {
    let covered: Option<i64> = connection.prepare_cached(COVERED)?.query_row([], |row| row.get(0))?;
    let covered_to = covered.map_or(0, |block| bounds(block as u64).1);
    Ok(covered_to.clamp(part.first - 1, part.last))
}

fn blocks_of(
    connection: &Connection,
    part: &Part,
    covered_to: u64,
    stream: &StreamFrom,
) -> rusqlite::Result<Vec<Found>> {
    if covered_to < part.first {
        return Ok(Vec::new());
    }
    let from = block_of(part.first.max(stream.from.0));
    let mut statement = connection.prepare_cached(BLOCKS_OF_STREAM)?;
    let found = statement.query_map(
        params![
            stream.stream.client.0 as i64,
            stream.stream.kind.code(),
            i64::try_from(from).unwrap_or(i64::MAX),
            block_of(covered_to) as i64
        ],
        |row| {
            Ok(Found {
                block: row.get::<_, i64>(0)? as u64,
                events: row.get::<_, i64>(1)? as u64,
                oldest_ms: row.get::<_, i64>(2)? as u64,
            })
        },
    )?;
    found.collect()
}

/// The ranges of a part that may hold events of the streams, in order.
fn worth_searching(
    connection: &Connection,
    part: &Part,
    streams: Option<&[StreamFrom]>,
) -> rusqlite::Result<Vec<(u64, u64)>> {
    let Some(streams) = streams else { return Ok(vec![(part.first, part.last)]) };
    let covered_to = covered_to(connection, part)?;
    let mut blocks = Vec::new();
    for stream in streams {
        blocks.extend(blocks_of(connection, part, covered_to, stream)?.iter().map(|found| found.block));
    }
    blocks.sort_unstable();
    blocks.dedup();
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    let in_directory = blocks.into_iter().map(|block| {
        let (first, last) = bounds(block);
        (first.max(part.first), last.min(covered_to))
    });
    for (first, last) in in_directory.chain([(covered_to + 1, part.last)]) {
        match ranges.last_mut() {
            _ if first > last => {}
            Some(previous) if previous.1 + 1 == first => previous.1 = last,
            _ => ranges.push((first, last)),
        }
    }
    Ok(ranges)
}

fn count_rows(
    connection: &Connection,
    first: u64,
    last: u64,
    streams: &[StreamFrom],
    lag: &mut Lag,
) -> rusqlite::Result<()> {
    if first > last {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(HEADS)?;
    let mut rows = statement.query(params![first as i64, last as i64])?;
    while let Some(row) = rows.next()? {
        let (seq, client, kind) = head_of(row)?;
        if wants(streams, client, kind, seq) {
            lag.add(1, row.get::<_, i64>(3)? as u64);
        }
    }
    Ok(())
}

/// Position, client and kind: the first columns of every query for rows.
fn head_of(row: &Row<'_>) -> rusqlite::Result<(u64, u64, u8)> {
    Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64, row.get(2)?))
}

/// The event of a row, or none if its kind is not known (it was not asked for, then).
fn record(row: &Row<'_>, seq: u64, client: u64, kind: u8, body: &str) -> rusqlite::Result<Option<Record>> {
    let Some(kind) = hitwire_event::Kind::from_code(kind) else { return Ok(None) };
    let flags: u8 = row.get(4)?;
    let event = Event {
        client: ClientId(client),
        kind,
        id: EventId::from(row.get_ref(5)?.as_str()?),
        body: body.into(),
    };
    let appended_ms = row.get::<_, i64>(3)? as u64;
    Ok(Some(Record::new(Seq(seq), appended_ms, flags & FLAG_ID_REUSED != 0, event)))
}
