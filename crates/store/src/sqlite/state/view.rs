//! What everyone may see of the state: read-only connections, and what the store moved by itself.

use super::context::Trouble;
use crate::sqlite::readers::{ReadFailure, Readers};
use crate::sqlite::schema::{self, Kind};
use crate::sqlite::wal::{Gate, WRITER_WAITS_MAX};
use crate::{Moved, StoreError};
use hitwire_event::IntegrationId;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLockWriteGuard};
use tokio::sync::watch;

/// Integrations that are remembered as moved, so that a slow receiver misses none.
const MOVED_MAX: usize = 10_000;

/// The shared view of the state.
#[derive(Debug)]
pub(in crate::sqlite) struct StateView {
    /// Passed by those who write the file.
    pub(in crate::sqlite) writer: Gate,
    /// Those who read it.
    pub(in crate::sqlite) readers: Readers,
    moved: watch::Sender<Vec<Moved>>,
    announced: watch::Sender<u64>,
    /// A sync of the file failed: nothing may be moved into it, it is to be replaced by a copy.
    poisoned: AtomicBool,
    /// Held while the WAL is moved into the file.
    moving: Mutex<()>,
    /// Something was deleted that must not stay in the WAL.
    wipe: AtomicBool,
}

impl StateView {
    /// The view of the state in this file.
    pub(in crate::sqlite) fn new(path: PathBuf) -> Self {
        StateView {
            writer: Gate::new(WRITER_WAITS_MAX),
            readers: Readers::new(path, Kind::State),
            moved: watch::Sender::default(),
            announced: watch::Sender::default(),
            poisoned: AtomicBool::new(false),
            moving: Mutex::default(),
            wipe: AtomicBool::new(false),
        }
    }

    /// The file.
    pub(in crate::sqlite) fn path(&self) -> &PathBuf {
        self.readers.path()
    }

    /// Runs a reading function in one read transaction.
    pub(in crate::sqlite) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Trouble>,
    ) -> Result<T, StoreError> {
        self.readers.read(work).map_err(|failure| match failure {
            ReadFailure::Closed => StoreError::Unavailable(format!(
                "{}: a copy could not take this file's place; it is tried again each second, and nothing is lost",
                self.path().display()
            )),
            ReadFailure::Open(error) => error.of(self.path()),
            ReadFailure::Work(Trouble::Sql(error)) => schema::damaged(self.path(), &error),
            ReadFailure::Work(Trouble::Store(error)) => error,
        })
    }

    /// Runs work on the file while it cannot be replaced. The number tells one file from its replacement.
    pub(in crate::sqlite) fn hold<T>(&self, work: impl FnOnce(u64) -> T) -> T {
        self.readers.hold(work)
    }

    /// Keeps every reader away, until the guard is dropped, and has them open the file again.
    pub(in crate::sqlite) fn replace(&self) -> RwLockWriteGuard<'_, ()> {
        let guard = self.readers.replace();
        self.poisoned.store(false, Ordering::Relaxed);
        guard
    }

    /// Says that the store moved cursors of these integrations.
    pub(in crate::sqlite) fn announce(&self, moved: Vec<IntegrationId>) {
        self.moved.send_modify(|lately| {
            let number = lately.first().map_or(0, |last| last.number) + 1;
            lately.retain(|one| !moved.contains(&one.integration));
            lately.splice(0..0, moved.into_iter().map(|integration| Moved { number, integration }));
            lately.truncate(MOVED_MAX);
        });
    }

    /// The integrations whose cursors the store moved lately, the last ones first.
    pub(in crate::sqlite) fn watch_moved(&self) -> watch::Receiver<Vec<Moved>> {
        self.moved.subscribe()
    }

    /// Says that an event was put into the outbox.
    pub(in crate::sqlite) fn announced(&self, number: u64) {
        self.announced.send_replace(number);
    }

    /// The number of the event put into the outbox last; 0 before the first of this process.
    pub(in crate::sqlite) fn watch_announced(&self) -> watch::Receiver<u64> {
        self.announced.subscribe()
    }

    /// Moves what the WAL holds into the file. If that fails, the file is to be replaced: commits of the state are not synced
    /// one by one, so some may be lost.
    pub(in crate::sqlite) fn while_moving<T>(
        &self,
        work: impl FnOnce() -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        work().inspect_err(|_| self.poison())
    }

    /// Whether a sync that somebody else began before this call has failed, or one fails now: then nothing that was
    /// written before is sure, even if its own sync went well.
    pub(super) fn is_poisoned_after_moving(&self) -> bool {
        drop(self.moving.lock().unwrap_or_else(PoisonError::into_inner));
        self.is_poisoned()
    }

    /// Says that a sync of the file failed.
    pub(in crate::sqlite) fn poison(&self) {
        self.poisoned.store(true, Ordering::Relaxed);
    }

    /// Whether a sync of the file failed.
    pub(in crate::sqlite) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Relaxed)
    }

    /// Says that the WAL holds something that was deleted.
    pub(in crate::sqlite) fn ask_to_wipe(&self) {
        self.wipe.store(true, Ordering::Relaxed);
    }

    /// Whether the WAL held something that was deleted, once.
    pub(in crate::sqlite) fn take_wipe(&self) -> bool {
        self.wipe.swap(false, Ordering::Relaxed)
    }
}
