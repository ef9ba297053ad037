//! Rewrites a slice that has ended into large blocks, compressed more: a week of events becomes a month on the same disk.
//!
//! The new file is made beside the old one and complete, synced and renamed before it takes the old one's place. So at any
//! moment one of them is whole.

use super::block::{BlockError, PACKED_EVENTS_MAX};
use super::catalog::Slice;
use super::damage::ReadError;
use super::fingerprint::Fingerprinter;
use super::slice_reader::{firsts_newest_first, open_block};
use super::slice_writer::{self, BlockWriter};
use crate::StoreError;
use crate::sqlite::files::{self, DataDir};
use crate::sqlite::schema::{self, Access, Kind};
use rusqlite::Connection;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What has time is compressed more.
const LEVEL: i32 = 3;

/// A slice that is being packed.
pub(in crate::sqlite) struct Packing {
    slice: Arc<Slice>,
    /// The last position of the slice that counts.
    last: u64,
    source: Connection,
    /// Where the blocks begin that are still to come, the last one first.
    firsts: Vec<u64>,
    /// Where the next one must begin.
    next: u64,
    target: Connection,
    blocks: BlockWriter,
    fingerprinter: Fingerprinter,
    new: PathBuf,
}

impl Packing {
    /// Begins with a slice of which the positions up to `last` count.
    pub(in crate::sqlite) fn begin(
        directory: &DataDir,
        slice: Arc<Slice>,
        last: u64,
        fingerprinter: Fingerprinter,
    ) -> Result<Self, StoreError> {
        let source = schema::open(&slice.path, Kind::Log, Access::Read)?;
        let firsts = firsts_newest_first(&source, slice.first, last)
            .map_err(|error| schema::damaged(&slice.path, &error))?;
        let new = files::unfinished(&directory.packed_slice(slice.first));
        files::remove_database(&new)
            .map_err(|error| StoreError::Unavailable(format!("{}: {error}", new.display())))?;
        let target = schema::create_unsafe(&new, Kind::Log)?;
        let checkpoints = slice_writer::checkpoints(&slice.path, last)?;
        slice_writer::put_checkpoints(&target, last, &checkpoints)
            .map_err(|error| schema::damaged(&new, &error))?;
        let blocks = BlockWriter::new(PACKED_EVENTS_MAX, LEVEL, fingerprinter)?;
        let next = slice.first;
        Ok(Packing { slice, last, source, firsts, next, target, blocks, fingerprinter, new })
    }

    /// The slice that is being packed.
    pub(in crate::sqlite) fn slice(&self) -> &Arc<Slice> {
        &self.slice
    }

    /// Goes on for about this long. `true`: nothing is left to be done but [`Packing::finish`].
    pub(in crate::sqlite) fn step(&mut self, time: Duration) -> Result<bool, StoreError> {
        let began = Instant::now();
        self.go_on(|| began.elapsed() < time).map_err(|error| schema::damaged(&self.slice.path, &error))?;
        Ok(self.firsts.is_empty())
    }

    fn go_on(&mut self, has_time: impl Fn() -> bool) -> Result<(), ReadError> {
        let transaction = self.target.unchecked_transaction()?;
        while let Some(first) = self.firsts.pop() {
            // A slice that lacks a block stays as it is, for whoever repairs it.
            if first != self.next {
                return Err(BlockError::Damaged(self.next).into());
            }
            let opened = open_block(&self.source, first)?;
            let events = opened.events()?;
            self.next += events.len() as u64;
            for event in events.iter().filter(|event| event.seq <= self.last) {
                self.blocks.push(&transaction, event, self.fingerprinter.of_placed(event))?;
            }
            // A file that is not complete is thrown away as a whole: what is in it counts.
            self.blocks.committed();
            if !has_time() {
                break;
            }
        }
        if self.firsts.is_empty() {
            if self.next <= self.last {
                return Err(BlockError::Damaged(self.next).into());
            }
            self.blocks.flush(&transaction)?;
            self.blocks.committed();
            self.blocks.write_span(&transaction)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Completes the new file, and returns the slice that it is. An unfinished file is removed.
    pub(in crate::sqlite) fn finish(self, directory: &DataDir) -> Result<Arc<Slice>, StoreError> {
        let Packing { slice, last, target, new, .. } = self;
        complete(&slice, last, target, &new, directory).inspect_err(|_| remove(&new))
    }

    /// Leaves the slice as it is.
    pub(in crate::sqlite) fn give_up(self) {
        let Packing { target, new, .. } = self;
        drop(target);
        remove(&new);
    }
}

fn complete(
    slice: &Slice,
    last: u64,
    target: Connection,
    new: &Path,
    directory: &DataDir,
) -> Result<Arc<Slice>, StoreError> {
    let failed = |error: std::io::Error| StoreError::Unavailable(format!("{}: {error}", new.display()));
    target.close().map_err(|(_, error)| schema::damaged(new, &error))?;
    let path = directory.packed_slice(slice.first);
    File::open(new)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(new, &path))
        .and_then(|()| directory.sync())
        .map_err(failed)?;
    let times_ms = (slice.oldest_ms(), slice.newest_ms());
    // The next slice may begin behind a gap.
    Ok(Arc::new(Slice::new(slice.first, path, Some(times_ms), true).ended_at(last)))
}

/// Best effort: what is left is cleared away at the next start.
fn remove(new: &Path) {
    if let Err(error) = files::remove_database(new) {
        tracing::debug!(%error, file = %new.display(), "an unfinished slice cannot be removed");
    }
}
