//! What those who read the index share with the one that writes it.

use crate::file;
use crate::options::Options;
use hitwire_event::Seq;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::sync::{Semaphore, watch};

/// Questions that are answered at the same time; further ones wait. Two cores gain nothing from more.
const READS_AT_ONCE: usize = 2;

/// Connections that are kept open for readers.
const CONNECTIONS_MAX: usize = READS_AT_ONCE;

/// Why a question has no answer. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The file cannot be read.
    #[error(
        "the index cannot be read: {0}; if that goes on, stop hitwire and delete index.db: it is made again"
    )]
    File(#[from] rusqlite::Error),
    /// The answer was abandoned.
    #[error("the index was closed")]
    Closed,
}

/// How far the index is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Every event up to here is in it.
    pub indexed_to: Seq,
    /// When the last of them came: milliseconds since the Unix epoch; 0: there is none.
    pub indexed_to_ms: u64,
    /// The end of the log when that was said.
    pub head: Seq,
    /// Events of the log that are not in it yet.
    pub behind: u64,
    /// Every attempt up to this number is in it.
    pub attempts_to: u64,
    /// Why it does not get on, in words for the user.
    pub problem: Option<String>,
}

/// What readers and the writer share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) path: PathBuf,
    /// Rises when the file is made again: older connections belong to the one before.
    generation: AtomicU64,
    idle: Mutex<Vec<(u64, Connection)>>,
    pub(crate) turns: Semaphore,
    pub(crate) progress: watch::Sender<Progress>,
}

impl Shared {
    /// Of the index in a data directory.
    pub(crate) fn new(options: Options) -> Self {
        Shared {
            path: file::path(&options.data_dir),
            options,
            generation: AtomicU64::new(0),
            idle: Mutex::default(),
            turns: Semaphore::new(READS_AT_ONCE),
            progress: watch::Sender::default(),
        }
    }

    /// Has every reader open the file anew.
    pub(crate) fn forget_connections(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.idle().clear();
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Connection)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a reading function in one read transaction.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let generation = self.generation.load(Ordering::Relaxed);
        let kept = {
            let mut idle = self.idle();
            idle.retain(|(other, _)| *other == generation);
            idle.pop()
        };
        let connection = match kept {
            Some((_, connection)) => connection,
            None => file::open_to_read(&self.path)?,
        };
        let answer = {
            let transaction = connection.unchecked_transaction()?;
            work(&transaction)?
        };
        let mut idle = self.idle();
        if idle.len() < CONNECTIONS_MAX {
            idle.push((generation, connection));
        }
        Ok(answer)
    }
}
