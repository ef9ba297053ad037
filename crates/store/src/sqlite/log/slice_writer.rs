//! Writing one slice: blocks, the spans over them, checkpoints.

use super::block::{self, BlockError, Builder, Compressor, Directory, EVENTS_MAX, Header, Placed, Sealed};
use super::catalog::Slice;
use super::damage::{ReadError, ReadResult};
use super::fingerprint::{Extent, Fingerprint, Fingerprinter, Fingerprints};
use super::slice_reader::{block_holding, open_block};
use super::view::Checkpoints;
use crate::StoreError;
use crate::sqlite::files::{self, DataDir};
use crate::sqlite::schema::{self, Access, Kind, LOG_PAGE_BYTES, OpenError};
use crate::sqlite::wal::{Checkpoint, checkpoint};
use rusqlite::{Connection, params};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Positions of a span: enough that a reader who skips one has saved something, and few enough to be searched.
const SPAN_POSITIONS: u64 = 4_096;

/// What is acknowledged only after it was compressed is compressed quickly.
const LEVEL: i32 = 1;

const INSERT_BLOCK: &str = "INSERT INTO block
     (first, events, oldest_ms, newest_ms, streams, format, plain_bytes, hash, ids, body)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const INSERT_SPAN: &str = "INSERT INTO span (first, last, oldest_ms, newest_ms) VALUES (?1, ?2, ?3, ?4)";
const INSERT_SPAN_STREAM: &str = "INSERT INTO span_stream
     (client, kind, first, last, events, bytes, oldest_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const PUT_CHECKPOINT: &str = "INSERT INTO checkpoint (source, through, position) VALUES (?1, ?2, ?3)
     ON CONFLICT (source, through) DO UPDATE SET position = excluded.position";
const FORGET_CHECKPOINTS: &str = "DELETE FROM checkpoint WHERE source = ?1 AND through <
     (SELECT max(through) FROM checkpoint WHERE source = ?1 AND through <= ?2)";
const HEADERS_FROM: &str =
    "SELECT first, events, oldest_ms, newest_ms, streams FROM block WHERE first >= ?1 ORDER BY first";

/// The blocks since the last span; they become a span when they are enough.
#[derive(Debug, Default)]
struct OpenSpan {
    /// First and last position.
    range: Option<(u64, u64)>,
    times_ms: (u64, u64),
    directory: Directory,
}

impl OpenSpan {
    fn add(&mut self, first: u64, last: u64, times_ms: (u64, u64), directory: &Directory) {
        self.times_ms = match self.range {
            None => times_ms,
            Some(_) => (self.times_ms.0.min(times_ms.0), self.times_ms.1.max(times_ms.1)),
        };
        self.range = Some((self.range.map_or(first, |(first, _)| first), last));
        self.directory.add_all(directory);
    }

    fn is_full(&self) -> bool {
        self.range.is_some_and(|(first, last)| last - first + 1 >= SPAN_POSITIONS)
    }

    fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Some((first, last)) = self.range else { return Ok(()) };
        let mut insert = connection.prepare_cached(INSERT_SPAN_STREAM)?;
        for (client, kind, sum) in self.directory.iter() {
            insert.execute(params![
                client as i64,
                kind,
                first as i64,
                last as i64,
                sum.events as i64,
                sum.bytes as i64,
                sum.oldest_ms as i64
            ])?;
        }
        connection.prepare_cached(INSERT_SPAN)?.execute(params![
            first as i64,
            last as i64,
            self.times_ms.0 as i64,
            self.times_ms.1 as i64
        ])?;
        Ok(())
    }
}

/// Writes blocks and spans into a file that has their tables. What it remembers of them is true only once their
/// transaction is, and is kept apart until then.
#[derive(Debug)]
pub(in crate::sqlite) struct BlockWriter {
    builder: Builder,
    fingerprinter: Fingerprinter,
    /// Of the events in the builder.
    fingerprints: Fingerprints,
    compressor: Compressor,
    /// Over blocks that are committed.
    span: OpenSpan,
    /// The span is in the transaction.
    span_written: bool,
    /// Blocks in the transaction.
    uncommitted: Vec<(Header, Directory)>,
}

impl BlockWriter {
    /// A writer with nothing to write yet, for blocks of at most so many events, compressed at this level.
    pub(in crate::sqlite) fn new(
        events_max: u32,
        level: i32,
        fingerprinter: Fingerprinter,
    ) -> Result<Self, StoreError> {
        let compressor = Compressor::new(level)
            .map_err(|error| StoreError::Unavailable(format!("no memory to compress events: {error}")))?;
        Ok(BlockWriter {
            builder: Builder::new(events_max),
            fingerprinter,
            fingerprints: Fingerprints::default(),
            compressor,
            span: OpenSpan::default(),
            span_written: false,
            uncommitted: Vec::new(),
        })
    }

    /// Adds an event, with its fingerprint if it counts for deduplication; what fills a block is written, and what stands before
    /// a gap.
    pub(in crate::sqlite) fn push(
        &mut self,
        connection: &Connection,
        event: &Placed<'_>,
        fingerprint: Option<Fingerprint>,
    ) -> rusqlite::Result<()> {
        if self.builder.next().is_some_and(|next| next != event.seq) {
            self.flush(connection)?;
        }
        self.builder.push(event);
        if let Some(fingerprint) = fingerprint {
            self.fingerprints.push(fingerprint, event.flags);
        }
        if self.builder.is_full() { self.flush(connection) } else { Ok(()) }
    }

    /// Writes what is left as a block.
    pub(in crate::sqlite) fn flush(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.builder.is_empty() {
            return Ok(());
        }
        let Sealed { header, directory, body } = self.builder.seal(&mut self.compressor);
        let extent = Extent { first: header.first, events: header.events, newest_ms: header.newest_ms };
        let ids = self.fingerprints.seal(&self.fingerprinter, extent);
        connection.prepare_cached(INSERT_BLOCK)?.execute(params![
            header.first as i64,
            header.events,
            header.oldest_ms as i64,
            header.newest_ms as i64,
            block::described(&directory, header.first, header.events, header.oldest_ms, header.newest_ms),
            header.format,
            header.plain_bytes as i64,
            header.hash as i64,
            ids,
            body
        ])?;
        self.uncommitted.push((header, directory));
        if self.span.is_full() { self.write_span(connection) } else { Ok(()) }
    }

    /// Writes the span of what is committed, however short.
    pub(super) fn write_span(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if !self.span_written {
            self.span.write(connection)?;
            self.span_written = true;
        }
        Ok(())
    }

    /// The transaction is committed.
    pub(in crate::sqlite) fn committed(&mut self) {
        if std::mem::take(&mut self.span_written) {
            self.span = OpenSpan::default();
        }
        for (header, directory) in self.uncommitted.drain(..) {
            self.span.add(header.first, header.last(), (header.oldest_ms, header.newest_ms), &directory);
        }
    }

    /// The transaction did not come about: nothing of it was written.
    pub(in crate::sqlite) fn rolled_back(&mut self) {
        self.builder.clear();
        self.fingerprints.clear();
        self.span_written = false;
        self.uncommitted.clear();
    }
}

/// The writer's end of a slice.
#[derive(Debug)]
pub(in crate::sqlite) struct SliceWriter {
    /// The slice.
    pub slice: Arc<Slice>,
    connection: Connection,
    blocks: BlockWriter,
}

/// What was found in a slice that exists.
#[derive(Debug)]
pub(in crate::sqlite) struct Found {
    /// The last position in the file, if it holds any event.
    pub last: Option<u64>,
    /// The earliest and the latest time at which one of its events was appended.
    pub times_ms: Option<(u64, u64)>,
}

impl SliceWriter {
    /// Makes a new slice that begins at `first`, with a copy of the checkpoints. When this returns the file is complete,
    /// and both it and its name are synced.
    pub(in crate::sqlite) fn create(
        directory: &DataDir,
        first: u64,
        checkpoints: &Checkpoints,
        fingerprinter: Fingerprinter,
    ) -> Result<Self, StoreError> {
        let path = directory.slice(first);
        let new = files::unfinished(&path);
        let unwritable = |error| StoreError::Unavailable(format!("{}: {error}", path.display()));
        let made = files::remove_database(&new).map_err(unwritable).and_then(|()| {
            schema::create(&new, Kind::Log, |connection| {
                let transaction = connection.unchecked_transaction()?;
                put_checkpoints(&transaction, first - 1, checkpoints)?;
                transaction.commit()
            })?;
            // What an earlier slice of this name left behind must not be taken for this one's WAL.
            files::remove_database(&path)
                .and_then(|()| fs::rename(&new, &path))
                .and_then(|()| directory.sync())
                .map_err(unwritable)?;
            schema::open(&path, Kind::Log, Access::Write)
        });
        if made.is_err() {
            // Best effort: what is left is cleared away at the next start.
            let _ = files::remove_database(&new);
        }
        let slice = Arc::new(Slice::new(first, path, None, false));
        Ok(SliceWriter {
            slice,
            connection: made?,
            blocks: BlockWriter::new(EVENTS_MAX, LEVEL, fingerprinter)?,
        })
    }

    /// Opens the newest slice to go on writing.
    pub(in crate::sqlite) fn open(
        slice: Arc<Slice>,
        fingerprinter: Fingerprinter,
    ) -> Result<Self, LookFault> {
        let connection = schema::open(&slice.path, Kind::Log, Access::Write).map_err(LookFault::Refused)?;
        let mut blocks = BlockWriter::new(EVENTS_MAX, LEVEL, fingerprinter).map_err(LookFault::Refused)?;
        recount(&connection, &mut blocks.span).map_err(|error| LookFault::of(&slice.path, &error))?;
        Ok(SliceWriter { slice, connection, blocks })
    }

    /// Begins a transaction.
    pub(in crate::sqlite) fn begin(&self) -> rusqlite::Result<()> {
        run(&self.connection, "BEGIN IMMEDIATE")
    }

    /// Adds an event, with its fingerprint if it counts for deduplication.
    pub(in crate::sqlite) fn push(
        &mut self,
        event: &Placed<'_>,
        fingerprint: Option<Fingerprint>,
    ) -> rusqlite::Result<()> {
        self.blocks.push(&self.connection, event, fingerprint)
    }

    /// Sets a source's checkpoint, which was reached at the position `through`. `acknowledged`: the last position that no failure
    /// can cut off any more.
    pub(in crate::sqlite) fn put_checkpoint(
        &self,
        source: &str,
        through: u64,
        acknowledged: u64,
        position: &[u8],
    ) -> rusqlite::Result<()> {
        self.connection.prepare_cached(PUT_CHECKPOINT)?.execute(params![source, through as i64, position])?;
        self.connection.prepare_cached(FORGET_CHECKPOINTS)?.execute(params![source, acknowledged as i64])?;
        Ok(())
    }

    /// Writes what has been added so far.
    pub(in crate::sqlite) fn flush(&mut self) -> rusqlite::Result<()> {
        self.blocks.flush(&self.connection)
    }

    /// Commits, which syncs the WAL.
    pub(in crate::sqlite) fn commit(&mut self) -> rusqlite::Result<()> {
        let committed = run(&self.connection, "COMMIT");
        match committed {
            Ok(()) => self.blocks.committed(),
            Err(_) => self.blocks.rolled_back(),
        }
        committed
    }

    /// Bytes of the database, with what is still in the WAL.
    pub(in crate::sqlite) fn bytes(&self) -> rusqlite::Result<u64> {
        let pages: i64 =
            self.connection.prepare_cached("PRAGMA page_count")?.query_row([], |row| row.get(0))?;
        let page_bytes: i64 =
            self.connection.prepare_cached("PRAGMA page_size")?.query_row([], |row| row.get(0))?;
        Ok((pages * page_bytes) as u64)
    }

    /// Bytes of the WAL that are in use.
    pub(in crate::sqlite) fn wal_bytes(&self) -> rusqlite::Result<u64> {
        Ok(checkpoint(&self.connection, Checkpoint::Look)?.bytes(LOG_PAGE_BYTES))
    }

    /// Moves the whole WAL into the database and empties it, at the end of the process.
    pub(in crate::sqlite) fn cut_wal(&self) -> rusqlite::Result<()> {
        checkpoint(&self.connection, Checkpoint::Cut).map(drop)
    }

    /// The connection, for a test that makes trouble.
    #[cfg(test)]
    pub(in crate::sqlite) fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// Puts checkpoints that were reached at a position.
pub(in crate::sqlite) fn put_checkpoints(
    connection: &Connection,
    through: u64,
    checkpoints: &Checkpoints,
) -> rusqlite::Result<()> {
    let mut put = connection.prepare_cached(PUT_CHECKPOINT)?;
    for (source, position) in checkpoints {
        put.execute(params![source, through as i64, position])?;
    }
    Ok(())
}

/// Looks into a slice without changing it.
pub(in crate::sqlite) fn look(path: &Path) -> Result<Found, LookFault> {
    let look = |connection: &Connection| -> ReadResult<Found> {
        Ok(Found { last: last(connection)?, times_ms: times(connection)? })
    };
    let connection = schema::try_open(path, Kind::Log, Access::Read).map_err(|error| match error {
        OpenError::Sqlite(error) => LookFault::of(path, &error.into()),
        error => LookFault::Refused(error.of(path)),
    })?;
    look(&connection).map_err(|error| LookFault::of(path, &error))
}

/// Why a slice cannot be looked into at a start.
#[derive(Debug)]
pub(in crate::sqlite) enum LookFault {
    /// What it holds cannot be read; the log goes on without it.
    Unreadable(String),
    /// Somebody must do something first: it is not ours, of another version, or not ours to open.
    Refused(StoreError),
}

impl LookFault {
    /// Of an error.
    pub(in crate::sqlite) fn of(path: &Path, error: &ReadError) -> Self {
        if error.is_damage() || error.is_of_the_disk() {
            LookFault::Unreadable(error.to_string())
        } else {
            LookFault::Refused(schema::damaged(path, error))
        }
    }
}

/// Whether an event is at this position, and can be read, through a fresh connection.
pub(in crate::sqlite) fn holds(path: &Path, seq: u64) -> Result<bool, StoreError> {
    let connection = schema::open(path, Kind::Log, Access::Read)?;
    let look = || -> ReadResult<bool> {
        let Some(first) = block_holding(&connection, seq)? else { return Ok(false) };
        let opened = open_block(&connection, first)?;
        Ok(opened.events()?.iter().any(|event| event.seq == seq))
    };
    look().map_err(|error| schema::damaged(path, &error))
}

/// The checkpoints of a slice of which the positions up to `through` count.
pub(in crate::sqlite) fn checkpoints(path: &Path, through: u64) -> Result<Checkpoints, StoreError> {
    let failed = |error| schema::damaged(path, &error);
    let connection = schema::open(path, Kind::Log, Access::Read)?;
    let mut statement = connection
        .prepare("SELECT source, position FROM checkpoint WHERE through <= ?1 ORDER BY source, through")
        .map_err(failed)?;
    let through = i64::try_from(through).unwrap_or(i64::MAX);
    let rows = statement.query_map([through], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    // The later one of a source takes the place of the one before.
    rows.collect::<rusqlite::Result<_>>().map_err(failed)
}

fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

/// The last position of a slice.
fn last(connection: &Connection) -> rusqlite::Result<Option<u64>> {
    let mut newest = connection.prepare("SELECT first, events FROM block ORDER BY first DESC LIMIT 1")?;
    let mut rows = newest.query([])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some((row.get::<_, i64>(0)? + row.get::<_, i64>(1)?.max(1) - 1) as u64))
}

/// The earliest and the latest time in a slice: from the spans, and from the blocks that they do not cover.
fn times(connection: &Connection) -> rusqlite::Result<Option<(u64, u64)>> {
    let (covered, oldest, newest): (Option<i64>, Option<i64>, Option<i64>) =
        connection.query_row("SELECT max(last), min(oldest_ms), max(newest_ms) FROM span", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    let (rest_oldest, rest_newest): (Option<i64>, Option<i64>) = connection.query_row(
        "SELECT min(oldest_ms), max(newest_ms) FROM block WHERE first > ?1",
        [covered.unwrap_or(0)],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let oldest = oldest.into_iter().chain(rest_oldest).min();
    let newest = newest.into_iter().chain(rest_newest).max();
    Ok(oldest.zip(newest).map(|(oldest, newest)| (oldest as u64, newest as u64)))
}

/// Adds up again what the blocks since the last span hold, after a start.
fn recount(connection: &Connection, span: &mut OpenSpan) -> ReadResult<()> {
    let covered: Option<i64> = connection.query_row("SELECT max(last) FROM span", [], |row| row.get(0))?;
    let mut statement = connection.prepare(HEADERS_FROM)?;
    let mut rows = statement.query([covered.unwrap_or(0) + 1])?;
    while let Some(row) = rows.next()? {
        let number = |column| row.get::<_, i64>(column).map(|value| value as u64);
        let (first, events, times_ms) = (number(0)?, row.get::<_, u32>(1)?, (number(2)?, number(3)?));
        let bytes = block::directory_in(row.get_ref(4)?.as_blob()?, first, events, times_ms.0, times_ms.1)
            .ok_or(BlockError::Damaged(first))?;
        let mut directory = Directory::default();
        for (client, kind, sum) in block::streams_in(bytes, times_ms.0) {
            directory.add(client, kind, sum);
        }
        span.add(first, first + u64::from(events.max(1)) - 1, times_ms, &directory);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::log::slice_reader::{firsts_newest_first, open_block};
    use hitwire_event::{ClientId, Kind};

    fn write(writer: &mut SliceWriter, seqs: std::ops::RangeInclusive<u64>) {
        writer.begin().unwrap();
        for seq in seqs {
            let kind = Kind::Hit.code();
            writer
                .push(
                    &Placed {
                        seq,
                        appended_ms: seq,
                        flags: 0,
                        client: ClientId(1),
                        kind,
                        id: "x",
                        body: "{}",
                    },
                    None,
                )
                .unwrap();
        }
        writer.flush().unwrap();
    }

    #[test]
    fn a_commit_that_fails_leaves_nothing_behind_and_forgets_nothing_that_was_committed() {
        let directory = tempfile::tempdir().unwrap();
        let directory = DataDir::open(directory.path()).unwrap();
        let mut writer =
            SliceWriter::create(&directory, 1, &Checkpoints::new(), Fingerprinter::new([7; 16])).unwrap();
        write(&mut writer, 1..=SPAN_POSITIONS);
        writer.commit().unwrap();
        // This one would write the span, and is lost: as after a COMMIT that SQLite answered with a rollback.
        let lost = SPAN_POSITIONS + 1..=SPAN_POSITIONS + 10;
        write(&mut writer, lost.clone());
        writer.connection().execute_batch("ROLLBACK").unwrap();
        writer.commit().unwrap_err();
        let spans = |writer: &SliceWriter| -> Vec<(i64, i64)> {
            let mut spans =
                writer.connection().prepare("SELECT first, last FROM span ORDER BY first").unwrap();
            spans.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
        };
        assert_eq!(spans(&writer), []);
        write(&mut writer, lost.clone());
        writer.commit().unwrap();
        assert_eq!(spans(&writer), [(1, SPAN_POSITIONS as i64)]);
        let firsts = firsts_newest_first(writer.connection(), 1, u64::MAX >> 1).unwrap();
        let seqs = firsts.iter().rev().flat_map(|&first| {
            let opened = open_block(writer.connection(), first).unwrap();
            opened.events().unwrap().iter().map(|event| event.seq).collect::<Vec<_>>()
        });
        assert_eq!(seqs.collect::<Vec<_>>(), (1..=*lost.end()).collect::<Vec<_>>());
        let mut again = OpenSpan::default();
        recount(writer.connection(), &mut again).unwrap();
        assert_eq!(again.range, writer.blocks.span.range, "what is open is what a start would count again");
    }
}
