//! Connections that read a file which may be replaced.

use super::schema::{self, Access, Kind, OpenError};
use super::wal::{Gate, READERS_WAIT_MAX};
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockWriteGuard};

/// Connections that are kept open for readers; each takes three files and up to 512 KiB of pages.
const CONNECTIONS_MAX: usize = 4;

/// The readers of a file.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    kind: Kind,
    /// Passed by each of them.
    pub gate: Gate,
    /// Held for reading while a connection is used, for writing while the file is replaced.
    file: RwLock<()>,
    /// Rises when the file is replaced: older connections belong to the old one.
    generation: AtomicU64,
    idle: Mutex<Vec<(u64, Connection)>>,
    /// The file is not whole at the moment: nobody may open it.
    closed: AtomicBool,
}

/// Why nothing was read.
#[derive(Debug)]
pub(super) enum ReadFailure<E> {
    /// The file is not whole at the moment.
    Closed,
    /// The file cannot be opened.
    Open(OpenError),
    /// The work failed.
    Work(E),
}

impl Readers {
    /// Of this file.
    pub(super) fn new(path: PathBuf, kind: Kind) -> Self {
        Readers {
            path,
            kind,
            gate: Gate::new(READERS_WAIT_MAX),
            file: RwLock::default(),
            generation: AtomicU64::new(0),
            idle: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    /// The file.
    pub(super) fn path(&self) -> &PathBuf {
        &self.path
    }

    /// Runs a reading function in one read transaction.
    pub(super) fn read<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, ReadFailure<E>> {
        let _file = self.file.read().unwrap_or_else(PoisonError::into_inner);
        if self.closed.load(Ordering::Relaxed) {
            return Err(ReadFailure::Closed);
        }
        let generation = self.generation();
        let kept = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(|(other, _)| *other == generation);
            idle.pop()
        };
        let connection = match kept {
            Some((_, connection)) => connection,
            None => schema::try_open(&self.path, self.kind, Access::Read).map_err(ReadFailure::Open)?,
        };
        let answer = {
            let _inside = self.gate.enter();
            let transaction =
                connection.unchecked_transaction().map_err(|error| ReadFailure::Work(error.into()))?;
            work(&transaction).map_err(ReadFailure::Work)?
        };
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < CONNECTIONS_MAX {
            idle.push((generation, connection));
        }
        Ok(answer)
    }

    /// Runs work on the file while it cannot be replaced. The number tells one file from its replacement.
    pub(super) fn hold<T>(&self, work: impl FnOnce(u64) -> T) -> T {
        let _file = self.file.read().unwrap_or_else(PoisonError::into_inner);
        work(self.generation())
    }

    /// Keeps every reader away, until the guard is dropped, and has them open the file again.
    pub(super) fn replace(&self) -> RwLockWriteGuard<'_, ()> {
        let guard = self.file.write().unwrap_or_else(PoisonError::into_inner);
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        guard
    }

    /// Says whether the file may be opened from now on. To be called while its guard is held.
    pub(super) fn set_closed(&self, closed: bool) {
        self.closed.store(closed, Ordering::Relaxed);
    }

    /// Rises when the file is replaced.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }
}
