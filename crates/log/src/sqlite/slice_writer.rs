//! Writing one slice: events, the directory of blocks, checkpoints.

use super::catalog::{Part, Slice};
use super::files::{self, DataDir};
use super::schema::{self, Access, Kind};
use super::slice_reader::{BLOCK, block_of};
use super::view::Checkpoints;
use crate::StoreError;
use hitwire_event::{ClientId, Event, Stream};
use rusqlite::{Connection, Row, params};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

const INSERT_EVENT: &str =
    "INSERT INTO event (seq, appended_ms, client, kind, flags, id, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const INSERT_BLOCK: &str =
    "INSERT INTO block (client, kind, block, events, bytes, oldest_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const INSERT_SPAN: &str = "INSERT INTO span (block, oldest_ms, newest_ms) VALUES (?1, ?2, ?3)";
const PUT_CHECKPOINT: &str = "INSERT INTO checkpoint (source, position) VALUES (?1, ?2)
     ON CONFLICT (source) DO UPDATE SET position = excluded.position";
const ROWS_OF_BLOCK: &str = "SELECT client, kind, appended_ms, octet_length(body) FROM event WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq";
const NEWEST_FIRST: &str =
    "SELECT client, kind, flags, appended_ms, id, body FROM event WHERE seq BETWEEN ?1 AND ?2
     ORDER BY seq DESC";

/// What the unfinished block holds of a stream.
#[derive(Clone, Copy, Debug)]
struct Count {
    events: u64,
    bytes: u64,
    oldest_ms: u64,
}

/// The block that the end of the slice lies in; it goes into the directory when it is finished.
#[derive(Debug, Default)]
struct OpenBlock {
    block: u64,
    streams: BTreeMap<(u64, u8), Count>,
    times_ms: Option<(u64, u64)>,
}

impl OpenBlock {
    fn add(&mut self, client: u64, kind: u8, bytes: u64, appended_ms: u64) {
        let count = self.streams.entry((client, kind)).or_insert(Count {
            events: 0,
            bytes: 0,
            oldest_ms: appended_ms,
        });
        count.events += 1;
        count.bytes += bytes;
        count.oldest_ms = count.oldest_ms.min(appended_ms);
        let (oldest_ms, newest_ms) = self.times_ms.unwrap_or((appended_ms, appended_ms));
        self.times_ms = Some((oldest_ms.min(appended_ms), newest_ms.max(appended_ms)));
    }

    /// Writes the block into the directory and begins the given one.
    fn finish(&mut self, connection: &Connection, next: u64) -> rusqlite::Result<()> {
        if let Some((oldest_ms, newest_ms)) = self.times_ms {
            let mut insert = connection.prepare_cached(INSERT_BLOCK)?;
            for (&(client, kind), count) in &self.streams {
                insert.execute(params![
                    client as i64,
                    kind,
                    self.block as i64,
                    count.events as i64,
                    count.bytes as i64,
                    count.oldest_ms as i64
                ])?;
            }
            connection.prepare_cached(INSERT_SPAN)?.execute(params![
                self.block as i64,
                oldest_ms as i64,
                newest_ms as i64
            ])?;
        }
        *self = OpenBlock { block: next, ..OpenBlock::default() };
        Ok(())
    }
}

/// The writer's end of a slice.
#[derive(Debug)]
pub(super) struct SliceWriter {
    /// The slice.
    pub slice: Arc<Slice>,
    connection: Connection,
    open_block: OpenBlock,
}

/// What was found in a slice that exists.
#[derive(Debug)]
pub(super) struct Found {
    /// The last position in the file, if it holds any event.
    pub last: Option<u64>,
    /// The earliest and the latest time at which one of its events was appended.
    pub times_ms: Option<(u64, u64)>,
    /// Its last block is in the directory already: nothing may be added to it.
    pub ended: bool,
}

impl SliceWriter {
    /// Makes a new slice that begins at `first`, with a copy of the checkpoints. When this returns the file is complete,
    /// and both it and its name are synced.
    pub(super) fn create(
        directory: &DataDir,
        first: u64,
        checkpoints: &Checkpoints,
    ) -> Result<Self, StoreError> {
        let path = directory.slice(first);
        let new = files::unfinished(&path);
        let unwritable = |error| StoreError::Unavailable(format!("{}: {error}", path.display()));
        let made = files::remove_database(&new).map_err(unwritable).and_then(|()| {
            schema::create(&new, Kind::Log, |connection| {
                let transaction = connection.unchecked_transaction()?;
                for (source, position) in checkpoints {
                    transaction.execute(PUT_CHECKPOINT, params![source, position])?;
                }
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
        let slice = Arc::new(Slice::new(first, path, None));
        let open_block = OpenBlock { block: block_of(first), ..OpenBlock::default() };
        Ok(SliceWriter { slice, connection: made?, open_block })
    }

    /// Opens the newest slice to go on writing.
    pub(super) fn open(slice: Arc<Slice>, last: Option<u64>) -> Result<Self, StoreError> {
        let connection = schema::open(&slice.path, Kind::Log, Access::Write)?;
        let mut open_block =
            OpenBlock { block: block_of(last.unwrap_or(slice.first)), ..OpenBlock::default() };
        let failed = |error| schema::damaged(&slice.path, &error);
        if let Some(last) = last {
            recount(&connection, &mut open_block, last).map_err(failed)?;
        }
        Ok(SliceWriter { slice, connection, open_block })
    }

    /// Begins a transaction.
    pub(super) fn begin(&self) -> rusqlite::Result<()> {
        run(&self.connection, "BEGIN IMMEDIATE")
    }

    /// Begins one caller's part of the transaction.
    pub(super) fn begin_caller(&self) -> rusqlite::Result<()> {
        run(&self.connection, "SAVEPOINT caller")
    }

    /// Ends one caller's part: it stays, or it never was.
    pub(super) fn end_caller(&self, keep: bool) -> rusqlite::Result<()> {
        if !keep {
            run(&self.connection, "ROLLBACK TO caller")?;
        }
        run(&self.connection, "RELEASE caller")
    }

    /// Adds an event.
    pub(super) fn insert(
        &self,
        seq: u64,
        appended_ms: u64,
        flags: u8,
        event: &Event,
    ) -> rusqlite::Result<()> {
        self.connection.prepare_cached(INSERT_EVENT)?.execute(params![
            seq as i64,
            appended_ms as i64,
            event.client.0 as i64,
            event.kind.code(),
            flags,
            event.id.as_str(),
            &*event.body
        ])?;
        Ok(())
    }

    /// Sets a source's checkpoint.
    pub(super) fn put_checkpoint(&self, source: &str, position: &[u8]) -> rusqlite::Result<()> {
        self.connection.prepare_cached(PUT_CHECKPOINT)?.execute(params![source, position])?;
        Ok(())
    }

    /// Counts an event of this transaction in the directory. Called in the order of the positions, once it is certain
    /// that the event stays.
    pub(super) fn index(
        &mut self,
        seq: u64,
        stream: Stream,
        bytes: usize,
        appended_ms: u64,
    ) -> rusqlite::Result<()> {
        if block_of(seq) != self.open_block.block {
            self.open_block.finish(&self.connection, block_of(seq))?;
        }
        self.open_block.add(stream.client.0, stream.kind.code(), bytes as u64, appended_ms);
        Ok(())
    }

    /// Commits, which syncs the WAL.
    pub(super) fn commit(&self) -> rusqlite::Result<()> {
        run(&self.connection, "COMMIT")
    }

    /// Bytes of the database, with what is still in the WAL.
    pub(super) fn bytes(&self) -> rusqlite::Result<u64> {
        let pages: i64 =
            self.connection.prepare_cached("PRAGMA page_count")?.query_row([], |row| row.get(0))?;
        let page_bytes: i64 =
            self.connection.prepare_cached("PRAGMA page_size")?.query_row([], |row| row.get(0))?;
        Ok((pages * page_bytes) as u64)
    }

    /// Moves the whole WAL into the database and empties it. `false`: a reader was in the way.
    pub(super) fn truncate_wal(&self) -> rusqlite::Result<bool> {
        checkpoint(&self.connection, "TRUNCATE")
    }

    /// Ends the slice: its last block goes into the directory. The WAL is to be truncated afterwards.
    pub(super) fn finish(&mut self) -> rusqlite::Result<()> {
        if self.open_block.times_ms.is_none() {
            return Ok(());
        }
        self.begin()?;
        let next = self.open_block.block + 1;
        self.open_block.finish(&self.connection, next)?;
        self.commit()
    }

    /// The connection, for a test that makes trouble.
    #[cfg(test)]
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// Looks into a slice without changing it.
pub(super) fn look(path: &Path) -> Result<Found, StoreError> {
    let failed = |error| schema::damaged(path, &error);
    let connection = schema::open(path, Kind::Log, Access::Read)?;
    let last: Option<i64> =
        connection.query_row("SELECT max(seq) FROM event", [], |row| row.get(0)).map_err(failed)?;
    let (times_ms, ended) = times(&connection, last).map_err(failed)?;
    Ok(Found { last: last.map(|last| last as u64), times_ms, ended })
}

/// Whether an event is at this position, read through a fresh connection.
pub(super) fn holds(path: &Path, seq: u64) -> Result<bool, StoreError> {
    let connection = schema::open(path, Kind::Log, Access::Read)?;
    connection
        .query_row("SELECT octet_length(body) FROM event WHERE seq = ?1", [seq as i64], |row| {
            row.get::<_, i64>(0)
        })
        .map(|_| true)
        .or_else(|error| match error {
            rusqlite::Error::QueryReturnedNoRows => Ok(false),
            error => Err(schema::damaged(path, &error)),
        })
}

/// The checkpoints of a slice.
pub(super) fn checkpoints(path: &Path) -> Result<Checkpoints, StoreError> {
    let failed = |error| schema::damaged(path, &error);
    let connection = schema::open(path, Kind::Log, Access::Read)?;
    let mut statement = connection.prepare("SELECT source, position FROM checkpoint").map_err(failed)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed)
}

/// A row, for [`visit_newest_first`].
pub(super) struct Visited<'a> {
    /// The tenant.
    pub client: ClientId,
    /// The kind's number.
    pub kind: u8,
    /// The flags.
    pub flags: u8,
    /// When it was appended.
    pub appended_ms: u64,
    row: &'a Row<'a>,
}

impl Visited<'_> {
    /// The event's id.
    pub(super) fn id(&self) -> rusqlite::Result<&str> {
        Ok(self.row.get_ref(4)?.as_str()?)
    }

    /// The event's body.
    pub(super) fn body(&self) -> rusqlite::Result<&str> {
        Ok(self.row.get_ref(5)?.as_str()?)
    }
}

/// Visits the events of a part, newest first, until told to stop. `false`: it was told to.
pub(super) fn visit_newest_first(
    part: &Part,
    mut visit: impl FnMut(&Visited<'_>) -> rusqlite::Result<bool>,
) -> Result<bool, StoreError> {
    let failed = |error| schema::damaged(&part.slice.path, &error);
    let connection = schema::open(&part.slice.path, Kind::Log, Access::Read)?;
    let mut statement = connection.prepare(NEWEST_FIRST).map_err(failed)?;
    let mut rows = statement.query(params![part.first as i64, part.last as i64]).map_err(failed)?;
    let mut go_on = || -> rusqlite::Result<bool> {
        while let Some(row) = rows.next()? {
            let (client, appended_ms) = (row.get::<_, i64>(0)? as u64, row.get::<_, i64>(3)? as u64);
            let visited =
                Visited { client: ClientId(client), kind: row.get(1)?, flags: row.get(2)?, appended_ms, row };
            if !visit(&visited)? {
                return Ok(false);
            }
        }
        Ok(true)
    };
    go_on().map_err(failed)
}

/// Runs a checkpoint of the WAL. `false`: something was in the way, and a part of the WAL stays.
pub(super) fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<bool> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| Ok(row.get::<_, i64>(0)? == 0))
}

fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

/// The earliest and the latest time in a slice: from the directory, and from the rows that it does not cover. And
/// whether it covers all of them.
fn times(connection: &Connection, last: Option<i64>) -> rusqlite::Result<(Option<(u64, u64)>, bool)> {
    let Some(last) = last else { return Ok((None, false)) };
    let (covered, oldest, newest): (Option<i64>, Option<i64>, Option<i64>) =
        connection.query_row("SELECT max(block), min(oldest_ms), max(newest_ms) FROM span", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    let rest_from = covered.map_or(0, |block| (block + 1) * BLOCK as i64);
    let (rest_oldest, rest_newest): (Option<i64>, Option<i64>) = connection.query_row(
        "SELECT min(appended_ms), max(appended_ms) FROM event WHERE seq BETWEEN ?1 AND ?2",
        [rest_from, last],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let oldest = oldest.into_iter().chain(rest_oldest).min();
    let newest = newest.into_iter().chain(rest_newest).max();
    Ok((oldest.zip(newest).map(|(oldest, newest)| (oldest as u64, newest as u64)), rest_from > last))
}

/// Counts again what the unfinished block of a slice holds, after a start.
fn recount(connection: &Connection, open_block: &mut OpenBlock, last: u64) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(ROWS_OF_BLOCK)?;
    let mut rows = statement.query(params![(open_block.block * BLOCK) as i64, last as i64])?;
    while let Some(row) = rows.next()? {
        let (client, appended_ms) = (row.get::<_, i64>(0)? as u64, row.get::<_, i64>(2)? as u64);
        open_block.add(client, row.get(1)?, row.get::<_, i64>(3)? as u64, appended_ms);
    }
    Ok(())
}
