//! What it means that a slice cannot be read: whether it is damaged, or may be read later, and what is said of it.

use super::block::BlockError;
use super::catalog::Slice;
use crate::sqlite::schema::{self, OpenError};
use crate::{Counts, StoreError};
use rusqlite::ErrorCode;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a disk may refuse to read a slice before what it refuses counts as lost. A storage that is away for a moment
/// costs nothing but the wait.
const READ_PATIENCE: Duration = Duration::from_mins(1);

/// Damage of a slice is told at most this often.
const TOLD_EVERY: Duration = Duration::from_mins(1);

/// Slices whose damage is remembered as told; with more, it may be told once too often.
const TOLD_MAX: usize = 1_024;

/// Why a slice, or a part of it, cannot be read.
#[derive(Debug, thiserror::Error)]
pub(in crate::sqlite) enum ReadError {
    /// SQLite says so.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// A block's bytes are not what was written.
    #[error(transparent)]
    Block(#[from] BlockError),
}

impl From<rusqlite::types::FromSqlError> for ReadError {
    fn from(error: rusqlite::types::FromSqlError) -> Self {
        ReadError::Sqlite(error.into())
    }
}

/// What reading gives.
pub(in crate::sqlite) type ReadResult<T> = Result<T, ReadError>;

impl ReadError {
    /// Whether what is there is not what was written, so that it will never be read.
    pub(in crate::sqlite) fn is_damage(&self) -> bool {
        match self {
            ReadError::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => {
                // A statement of ours fails for no other reason than a damaged schema.
                matches!(
                    error.code,
                    ErrorCode::DatabaseCorrupt
                        | ErrorCode::NotADatabase
                        | ErrorCode::Unknown
                        | ErrorCode::TypeMismatch
                )
            }
            // Values that the schema does not let in.
            ReadError::Sqlite(_) | ReadError::Block(_) => true,
        }
    }

    /// Whether the disk itself refuses, which it may cease to do.
    pub(in crate::sqlite) fn is_of_the_disk(&self) -> bool {
        matches!(self, ReadError::Sqlite(rusqlite::Error::SqliteFailure(error, _))
            if error.code == ErrorCode::SystemIoFailure)
    }
}

/// The same, for whoever must go on.
#[derive(Debug)]
pub(in crate::sqlite) enum SliceFault {
    /// It will not be read any more. In words, with the name of the file.
    Damaged(String),
    /// It may be read later.
    Later(StoreError),
}

impl SliceFault {
    /// A slice whose file is gone, though nobody took it away.
    pub(in crate::sqlite) fn missing(slice: &Slice) -> Self {
        SliceFault::Damaged(format!("{} is missing", name(&slice.path)))
    }

    /// Of a slice that cannot be opened.
    pub(in crate::sqlite) fn of_opening(slice: &Slice, error: OpenError, now: Duration) -> Self {
        match error {
            OpenError::Sqlite(error) => SliceFault::of(slice, &error.into(), now),
            OpenError::NotOurs | OpenError::Old | OpenError::New { .. } => {
                SliceFault::Damaged(format!("{} is damaged", name(&slice.path)))
            }
        }
    }

    /// Of a slice that cannot be read.
    pub(in crate::sqlite) fn of(slice: &Slice, error: &ReadError, now: Duration) -> Self {
        if error.is_damage() {
            SliceFault::Damaged(format!("{} is damaged", name(&slice.path)))
        } else if error.is_of_the_disk() && slice.refused_for(now) >= READ_PATIENCE {
            SliceFault::Damaged(format!("the disk does not read {}", name(&slice.path)))
        } else {
            SliceFault::Later(schema::damaged(&slice.path, error))
        }
    }
}

/// What a disk says that does not read, for tests.
pub(in crate::sqlite) fn injected() -> ReadError {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_READ), None).into()
}

/// The name of a file without its directory, for those who must not know where it is.
pub(in crate::sqlite) fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or("a file of the log")
}

/// Tells the operator what cannot be read: each slice at most once in a while, however many readers come by.
#[derive(Debug)]
pub(in crate::sqlite) struct DamageReport {
    counts: Arc<Counts>,
    /// By what is wrong: when it was told, and how far.
    told: Mutex<HashMap<String, (Duration, u64)>>,
}

impl DamageReport {
    /// A report that has told nothing yet.
    pub(in crate::sqlite) fn new(counts: Arc<Counts>) -> Self {
        DamageReport { counts, told: Mutex::default() }
    }

    /// A reader has passed a range that cannot be read.
    pub(in crate::sqlite) fn passed(&self, why: &str, first: u64, last: u64, now: Duration) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let before = told.get(why).copied();
        if let Some((at, to)) = before {
            if last <= to {
                return;
            }
            self.counts.found_damage();
            told.insert(why.to_owned(), (at, last));
            if now.saturating_sub(at) < TOLD_EVERY {
                return;
            }
        } else {
            self.counts.found_damage();
            if told.len() >= TOLD_MAX {
                told.clear();
            }
        }
        told.insert(why.to_owned(), (now, last));
        tracing::error!(
            first,
            last,
            "{why}: events at these positions cannot be read; what integrations lose is recorded with them; \
             `hitwire verify` lists all damage"
        );
    }
}
