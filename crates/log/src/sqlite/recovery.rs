//! What a start finds in the data directory, and how the log goes on from it.

use super::block::{FLAG_DEDUPLICATED, FLAG_ID_REUSED};
use super::catalog::{Catalog, Slice};
use super::clock::Clock;
use super::dedup::{self, Dedup, Fingerprinter};
use super::files::{self, DataDir, SliceFile};
use super::options::Options;
use super::slice_writer::{self, Found, SliceWriter};
use super::view::{Checkpoints, LogView};
use crate::StoreError;
use hitwire_event::Kind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// Rows that a start looks at to know lately seen ids again: a few seconds of reading.
const REMEMBERED_ROWS_MAX: usize = 2 * dedup::IDS_MAX;

/// The log as it was found.
pub(super) struct Recovered {
    /// The shared view.
    pub view: Arc<LogView>,
    /// The slice to go on with.
    pub writer: SliceWriter,
    /// The ids seen lately.
    pub dedup: Dedup,
}

/// A slice on disk.
struct OnDisk {
    first: u64,
    packed: bool,
    path: PathBuf,
    found: Found,
    /// Nothing may be added to it: it was packed, or its sync failed once.
    closed: bool,
}

/// Opens the log. `settled_to`: the highest position that the state knows.
pub(super) fn open(
    directory: &DataDir,
    options: &Options,
    clock: &Clock,
    fingerprinter: &Fingerprinter,
    settled_to: u64,
) -> Result<Recovered, StoreError> {
    let on_disk = look(directory)?;
    report_gaps(&on_disk);
    let newest = on_disk.last();
    let last = newest.map_or(0, |newest| newest.found.last.unwrap_or(newest.first - 1));
    let checkpoints =
        newest.map_or(Ok(Checkpoints::new()), |newest| slice_writer::checkpoints(&newest.path, last))?;
    if last < settled_to {
        // New events must not get positions that couriers have passed: they would never be delivered.
        tracing::error!(
            last,
            settled_to,
            "the log ends before positions that were delivered from it: slices are missing; it goes on after them"
        );
    }
    let head = last.max(settled_to);

    let catalog = Catalog::default();
    for slice in &on_disk {
        catalog.push(Arc::new(Slice::new(
            slice.first,
            slice.path.clone(),
            slice.found.times_ms,
            slice.packed,
        )));
    }
    let writer = match (newest, catalog.all().pop()) {
        (Some(newest), Some(slice)) if head == last && !newest.closed => SliceWriter::open(slice)?,
        _ => {
            let writer = SliceWriter::create(directory, head + 1, &checkpoints)?;
            catalog.push(writer.slice.clone());
            writer
        }
    };
    let view = Arc::new(LogView::new(catalog, head, options.tail_bytes, checkpoints));
    let dedup = remember(&view, clock, fingerprinter);
    Ok(Recovered { view, writer, dedup })
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
        let mut found = match slice_writer::look(&path) {
            Ok(found) => found,
            // Where the log goes on must be known. What lies before need not be readable: readers say what they miss.
            Err(error) if Some(first) == newest => return Err(error),
            Err(error) => unreadable(first, &path, &error),
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
            slices.push(OnDisk { first, packed, path, found, closed: packed || given_up_after.is_some() });
        }
    }
    Ok(slices)
}

/// A slice of which nothing is known but its name and when it was written last.
fn unreadable(first: u64, path: &Path, error: &StoreError) -> Found {
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
fn remember(view: &LogView, clock: &Clock, fingerprinter: &Fingerprinter) -> Dedup {
    let mut dedup = Dedup::default();
    let now_ms = clock.now_ms();
    let mut rows = 0;
    for part in view.catalog.parts(0, view.head()).iter().rev() {
        let go_on = slice_writer::visit_newest_first(part, |event| {
            rows += 1;
            if rows > REMEMBERED_ROWS_MAX || event.appended_ms.saturating_add(dedup::WINDOW_MS) < now_ms {
                return false;
            }
            if event.flags & FLAG_DEDUPLICATED == 0 {
                return true;
            }
            let Some(kind) = Kind::from_code(event.kind) else { return true };
            let fingerprint = fingerprinter.of_row(event.client, kind, event.id, event.body);
            dedup.remember(fingerprint, event.flags & FLAG_ID_REUSED != 0, event.appended_ms, now_ms)
        });
        match go_on {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => tracing::error!(
                %error,
                "ids of events in this slice are not known: if they are sent again, they are taken again"
            ),
        }
    }
    dedup
}
