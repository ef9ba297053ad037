//! What a start finds in the data directory, and how the log goes on from it.

use super::block::FLAG_ID_REUSED;
use super::catalog::{Catalog, Part, Slice};
use super::damage::ReadResult;
use super::dedup::{self, Dedup};
use super::fingerprint::{self, Extent, Fingerprinter};
use super::slice_reader::{block_holding, open_block};
use super::slice_writer::{self, Found, LookFault, SliceWriter};
use super::view::LogView;
use crate::sqlite::clock::Clock;
use crate::sqlite::files::{self, DataDir, SliceFile};
use crate::sqlite::options::Options;
use crate::sqlite::schema::{self, Access, Kind};
use crate::sqlite::state::log_memory::{LogMark, LogMemory};
use crate::{Counts, StoreError};
use rusqlite::{Connection, params};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// Events that a start looks at to know lately seen ids again.
const REMEMBERED_EVENTS_MAX: u64 = 2 * dedup::IDS_MAX as u64;

const IDS_NEWEST_FIRST: &str = "SELECT first, events, newest_ms, ids FROM block
     WHERE first BETWEEN ?1 AND ?2 ORDER BY first DESC";

/// The log as it was found.
pub(in crate::sqlite) struct Recovered {
    /// The shared view.
    pub view: Arc<LogView>,
    /// The slice to go on with.
    pub writer: SliceWriter,
    /// The ids seen lately.
    pub dedup: Dedup,
    /// What the state is to remember from now on.
    pub memory: LogMemory,
}

/// A slice on disk.
struct OnDisk {
    first: u64,
    packed: bool,
    path: PathBuf,
    found: Found,
    /// What was found is what it holds.
    readable: bool,
    /// Nothing may be added to it: it was packed, or its sync failed once.
    closed: bool,
}

/// Positions of a slice at most. So it is known how far one can reach of which nothing else is known.
pub(in crate::sqlite) const SLICE_POSITIONS_MAX: u64 = 1 << 24;

/// What the state knows of the log.
pub(in crate::sqlite) struct KnownOfLog {
    /// The highest position that a lane has settled.
    pub settled_to: u64,
    /// What it was told to remember.
    pub memory: LogMemory,
}

/// Opens the log.
pub(in crate::sqlite) fn open(
    directory: &DataDir,
    options: &Arc<Options>,
    counts: &Arc<Counts>,
    clock: &Clock,
    fingerprinter: Fingerprinter,
    known: KnownOfLog,
) -> Result<Recovered, StoreError> {
    let on_disk = look(directory)?;
    report_gaps(&on_disk);
    let KnownOfLog { settled_to, mut memory } = known;
    let newest = on_disk.last();
    let last = newest.map_or(0, |newest| newest.found.last.unwrap_or(newest.first - 1));
    let mark = memory.mark.unwrap_or(LogMark { slice: 0, end: 0 });
    let mut is_lost = newest.is_some_and(|newest| !newest.readable)
        || last < mark.end.max(settled_to)
        || newest.is_none_or(|newest| newest.first < mark.slice) && mark.slice > 0;

    // Nothing is added to the newest slice if the log is to go on behind a gap.
    let unused = if newest.is_some() { options.unused_at_start } else { 0 };
    let mut slices: Vec<Slice> = on_disk.iter().map(OnDisk::slice).collect();
    let mut writer = None;
    if let Some(newest) = newest
        && !is_lost
        && !newest.closed
        && unused == 0
        && let Some(slice) = slices.pop()
    {
        let slice = Arc::new(slice);
        match SliceWriter::open(Arc::clone(&slice), fingerprinter) {
            Ok(opened) => writer = Some(opened),
            Err(LookFault::Refused(error)) => return Err(error),
            Err(LookFault::Unreadable(error)) => {
                tracing::error!(%error, slice = %slice.path.display(), "the newest slice is damaged");
                is_lost = true;
                slices.push(newest.slice());
            }
        }
    }
    let head = if is_lost {
        // Positions that were given must not be given again: what is behind them was delivered, or is remembered by those
        // who follow the log. Where the log ended is not known, but how far it can have come.
        let known_end = last.max(settled_to).max(mark.end).max(mark.slice.saturating_sub(1));
        let head = known_end + 2 * SLICE_POSITIONS_MAX;
        memory.unused.push((known_end + 1, head));
        tracing::error!(
            last,
            known_end,
            goes_on_at = head + 1,
            "the end of the log is damaged or missing; what integrations lose with it is recorded with them"
        );
        head
    } else if unused > 0 {
        memory.unused.push((last + 1, last + unused));
        last + unused
    } else {
        last
    };
    let oldest = on_disk.first().map_or(head + 1, |oldest| oldest.first);
    let begins = memory.begins.unwrap_or(if is_lost && on_disk.is_empty() { 1 } else { oldest }).min(oldest);
    memory.unused.retain(|(_, last)| *last >= begins);
    let catalog = Catalog::new(begins, memory.unused.clone());
    for (slice, OnDisk { first, found, readable, .. }) in slices.into_iter().zip(&on_disk) {
        let slice = if *readable { slice.ended_at(found.last.unwrap_or(first - 1)) } else { slice };
        catalog.push(Arc::new(slice));
    }
    // The newest slice may be the one that cannot be read.
    let checkpoints = on_disk.iter().rev().find_map(|slice| {
        let through = slice.found.last.unwrap_or(slice.first - 1);
        slice_writer::checkpoints(&slice.path, through).ok()
    });
    let checkpoints = checkpoints.unwrap_or_default();
    let writer = match writer {
        Some(writer) => writer,
        None => SliceWriter::create(directory, head + 1, &checkpoints, fingerprinter)?,
    };
    catalog.push(Arc::clone(&writer.slice));
    memory.begins = Some(begins);
    memory.mark = Some(LogMark { slice: writer.slice.first, end: head });
    let view = LogView::new(catalog, head, Arc::clone(options), Arc::clone(counts), checkpoints);
    let view = Arc::new(view);
    let dedup = remember(&view, clock, fingerprinter);
    Ok(Recovered { view, writer, dedup, memory })
}

impl OnDisk {
    fn slice(&self) -> Slice {
        Slice::new(self.first, self.path.clone(), self.found.times_ms, self.packed)
    }
}

/// Finds the slices, and takes away those that hold nothing: they were made, and the events for them never came. The
/// newest one stays, as it tells where the log goes on. A slice that was packed, of which the end of the process kept the
/// first version, is taken away too: the packed one was complete before it got its name.
fn look(directory: &DataDir) -> Result<Vec<OnDisk>, StoreError> {
    let failed = |error: std::io::Error| StoreError::Open(format!("{}: {error}", directory.path().display()));
    let listed = directory.slices().map_err(failed)?;
    let newest = listed.last().map(|slice| slice.first);
    let mut slices: Vec<OnDisk> = Vec::with_capacity(listed.len());
    for SliceFile { first, packed, path } in listed {
        let (mut found, readable) = match slice_writer::look(&path) {
            Ok(found) => (found, true),
            Err(LookFault::Refused(error)) => return Err(error),
            // Readers say what they miss.
            Err(LookFault::Unreadable(error)) => (unreadable(first, &path, &error), false),
        };
        let given_up_after = files::given_up_after(&path).map_err(failed)?;
        if let Some(last) = given_up_after {
            found.last = found.last.map(|in_file| in_file.min(last)).filter(|last| *last >= first);
        }
        if packed && let Some(whole) = slices.pop_if(|slice| slice.first == first) {
            files::remove_database(&whole.path).map_err(failed)?;
        }
        if found.last.is_none() && Some(first) != newest {
            files::remove_database(&path).map_err(failed)?;
        } else {
            let closed = packed || given_up_after.is_some();
            slices.push(OnDisk { first, packed, path, found, readable, closed });
        }
    }
    Ok(slices)
}

/// A slice of which nothing is known but its name and when it was written last.
fn unreadable(first: u64, path: &Path, error: &str) -> Found {
    tracing::error!(%error, slice = %path.display(), "a slice of the log cannot be read; its events are lost unless it is restored");
    let written = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let written_ms = written
        .and_then(|written| written.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_millis() as u64);
    Found { last: Some(first), times_ms: Some((0, written_ms)) }
}

/// A slice that ends before the next one begins lacks events that were acknowledged. That is said aloud; the rest of the
/// log is still good.
fn report_gaps(slices: &[OnDisk]) {
    for (slice, next) in slices.iter().zip(slices.iter().skip(1)) {
        let last = slice.found.last.unwrap_or(0);
        if last + 1 < next.first {
            tracing::error!(
                slice = %slice.path.display(),
                next = %next.path.display(),
                last,
                "events between these two slices are missing; restore the files from a backup if there is one"
            );
        }
    }
}

/// Knows the ids seen lately again, from the newest event back.
fn remember(view: &LogView, clock: &Clock, fingerprinter: Fingerprinter) -> Dedup {
    let mut memory =
        Remembering { dedup: Dedup::default(), now_ms: clock.now_ms(), events: 0, fingerprinter };
    for part in view.catalog.parts(0, view.head()).parts.iter().rev() {
        let slice = part.slice.path.display();
        let remembered = schema::open(&part.slice.path, Kind::Log, Access::Read).and_then(|connection| {
            memory.part(&connection, part).map_err(|error| schema::damaged(&part.slice.path, &error))
        });
        match remembered {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => tracing::error!(
                %error,
                %slice,
                "ids of events in this slice are not known: if they are sent again, they are taken again"
            ),
        }
    }
    memory.dedup
}

/// The deduplication, on its way back from the log.
struct Remembering {
    dedup: Dedup,
    now_ms: u64,
    /// Looked at so far.
    events: u64,
    fingerprinter: Fingerprinter,
}

impl Remembering {
    /// Remembers a part of the log; `false`: no more is wanted.
    fn part(&mut self, connection: &Connection, part: &Part) -> ReadResult<bool> {
        let from = block_holding(connection, part.first)?.unwrap_or(part.first);
        let mut statement = connection.prepare(IDS_NEWEST_FIRST)?;
        let mut rows = statement.query(params![from as i64, part.last as i64])?;
        let (mut unknown, mut read) = (None, 0);
        while let Some(row) = rows.next()? {
            let (first, events) = (row.get::<_, i64>(0)? as u64, row.get::<_, u32>(1)?);
            let newest_ms = row.get::<_, i64>(2)? as u64;
            let extent = Extent { first, events, newest_ms };
            let last = first + u64::from(events.max(1)) - 1;
            let whole = part.first <= first && last <= part.last;
            let stored = fingerprint::stored(&self.fingerprinter, extent, row.get_ref(3)?.as_blob()?);
            self.events += u64::from(events);
            let go_on = if let Some(mut stored) = stored.filter(|_| whole) {
                stored.all(|(fingerprint, id_reused)| {
                    self.dedup.remember(fingerprint, id_reused, newest_ms, self.now_ms)
                })
            } else {
                read += 1;
                self.bodies(connection, part, first).unwrap_or_else(|error| {
                    unknown.get_or_insert(error);
                    true
                })
            };
            if !go_on || self.events > REMEMBERED_EVENTS_MAX {
                return Ok(false);
            }
        }
        if read > 0 {
            let slice = part.slice.path.display();
            tracing::info!(%slice, blocks = read, "ids of these blocks were made again from their events");
        }
        unknown.map_or(Ok(true), Err)
    }

    /// The same for a block whose stored ids do not count.
    fn bodies(&mut self, connection: &Connection, part: &Part, first: u64) -> ReadResult<bool> {
        let opened = open_block(connection, first)?;
        let counted =
            opened.events()?.into_iter().rev().filter(|event| (part.first..=part.last).contains(&event.seq));
        for event in counted {
            if let Some(fingerprint) = self.fingerprinter.of_placed(&event) {
                let id_reused = event.flags & FLAG_ID_REUSED != 0;
                if !self.dedup.remember(fingerprint, id_reused, event.appended_ms, self.now_ms) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}
