//! The kinds of file, their schemas, and how a connection to one is set up.

use super::files;
use super::wal::{Checkpoint, checkpoint};
use crate::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::cmp::Ordering;
use std::path::Path;
use std::time::Duration;

/// How long a connection waits for a lock that another one of this process holds for a moment.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Statements that a connection keeps prepared; more than any of them runs.
const STATEMENTS_MAX: usize = 64;

/// Bytes of a page of a slice: a block of a hundred events takes two or three; a commit of one event still writes a single
/// page.
pub(super) const LOG_PAGE_BYTES: u32 = 8192;

/// Bytes of a page of the state, and of attempts: their rows are small.
pub(super) const STATE_PAGE_BYTES: u32 = 4096;

/// A kind of database file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A slice of the log.
    Log,
    /// Integrations, lanes, what was lost.
    State,
    /// The delivery log.
    Attempts,
}

/// How a connection is to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// The one writer.
    Write,
    /// A reader.
    Read,
}

impl Kind {
    /// Marks a file as ours: "hwlg", "hwst" and "hwal".
    const fn application_id(self) -> i32 {
        match self {
            Kind::Log => 0x6877_6c67,
            Kind::State => 0x6877_7374,
            Kind::Attempts => 0x6877_616c,
        }
    }

    /// The version of the schema. A file of a smaller one was made by hitwire 0.1 or on the way from there, and is not read:
    /// there are no installations of it.
    const fn version(self) -> usize {
        match self {
            Kind::Log => 3,
            Kind::State => 9,
            Kind::Attempts => 1,
        }
    }

    /// What makes a schema of an empty file.
    const fn schema(self) -> &'static [&'static str] {
        match self {
            Kind::Log => &[include_str!("schema/log.sql")],
            Kind::State => &[include_str!("schema/ledger.sql"), include_str!("schema/registry.sql")],
            Kind::Attempts => &[include_str!("schema/attempts.sql")],
        }
    }

    /// Whether nothing of what is deleted may stay in the file.
    const fn wipes(self) -> bool {
        matches!(self, Kind::State | Kind::Attempts)
    }

    const fn page_bytes(self) -> u32 {
        match self {
            Kind::Log => LOG_PAGE_BYTES,
            Kind::State | Kind::Attempts => STATE_PAGE_BYTES,
        }
    }

    /// KiB of pages that a connection keeps in memory.
    const fn cache_kib(self, access: Access) -> u32 {
        match (self, access) {
            // Appending touches the last page of each tree alone; the rest is for the pages of one large group.
            (Kind::Log, Access::Write) => 4096,
            // The lanes of thousands of integrations; the ends of the delivery log's trees.
            (Kind::State | Kind::Attempts, Access::Write) => 8192,
            (_, Access::Read) => 512,
        }
    }
}

/// Makes a new database with today's schema at `path`, closed again; the file is complete and synced when this returns.
pub(super) fn create(
    path: &Path,
    kind: Kind,
    fill: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| damaged(path, &error);
    let unwritable = |error| StoreError::Unavailable(format!("{}: {error}", path.display()));
    let file = files::private_file(path).map_err(unwritable)?;
    let connection = Connection::open_with_flags(path, flags(Access::Write)).map_err(failed)?;
    // The file is synced as a whole below, and nobody knows it before.
    connection.pragma_update(None, "synchronous", "OFF").map_err(failed)?;
    connection.pragma_update(None, "page_size", kind.page_bytes()).map_err(failed)?;
    connection.pragma_update(None, "application_id", kind.application_id()).map_err(failed)?;
    if kind.wipes() {
        connection.pragma_update(None, "secure_delete", "ON").map_err(failed)?;
    }
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).map_err(failed)?;
    make(&connection, kind).and_then(|()| fill(&connection)).map_err(failed)?;
    // Closing the connection would do the same, and would not tell if it fails.
    let content = checkpoint(&connection, Checkpoint::Cut).map_err(failed)?;
    if content.busy {
        return Err(StoreError::Unavailable(format!("{}: its WAL cannot be moved into it", path.display())));
    }
    connection.close().map_err(|(_, error)| failed(error))?;
    file.sync_all().map_err(unwritable)
}

/// Makes a new database with today's schema at `path`, to be filled in steps. It is not safe from a power loss before it is
/// closed and synced; afterwards it is only read.
pub(super) fn create_unsafe(path: &Path, kind: Kind) -> Result<Connection, StoreError> {
    let failed = |error: rusqlite::Error| damaged(path, &error);
    files::private_file(path)
        .map_err(|error| StoreError::Unavailable(format!("{}: {error}", path.display())))?;
    let connection = Connection::open_with_flags(path, flags(Access::Write)).map_err(failed)?;
    connection.pragma_update(None, "synchronous", "OFF").map_err(failed)?;
    connection.pragma_update(None, "page_size", kind.page_bytes()).map_err(failed)?;
    connection.pragma_update(None, "application_id", kind.application_id()).map_err(failed)?;
    connection.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(())).map_err(failed)?;
    make(&connection, kind).map_err(failed)?;
    Ok(connection)
}

/// Why a database that exists cannot be opened.
#[derive(Debug)]
pub(super) enum OpenError {
    /// SQLite says so.
    Sqlite(rusqlite::Error),
    /// It is another program's.
    NotOurs,
    /// It is of a version that is not read any more.
    Old,
    /// It is of a version that is not known yet.
    New {
        /// Its version.
        version: usize,
        /// The one that is known.
        known: usize,
    },
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        OpenError::Sqlite(error)
    }
}

impl OpenError {
    /// What is said of it.
    pub(super) fn of(&self, path: &Path) -> StoreError {
        let path_name = path.display();
        StoreError::Open(match self {
            OpenError::Sqlite(error) => return damaged(path, error),
            OpenError::NotOurs => {
                format!("{path_name}: this file was not made by hitwire; move it out of the data directory")
            }
            OpenError::Old => format!(
                "{path_name}: this file was made by hitwire 0.1, whose data this version does not read; choose an empty data directory"
            ),
            OpenError::New { version, known } => format!(
                "{path_name}: this file has version {version}, and this hitwire knows versions up to {known}; it was written by a \
                 newer hitwire: run that one, or restore a backup from before the update"
            ),
        })
    }
}

/// Opens a database that exists, of today's version.
pub(super) fn open(path: &Path, kind: Kind, access: Access) -> Result<Connection, StoreError> {
    try_open(path, kind, access).map_err(|error| error.of(path))
}

/// The same, for a caller who tells the reasons apart.
pub(super) fn try_open(path: &Path, kind: Kind, access: Access) -> Result<Connection, OpenError> {
    let connection = Connection::open_with_flags(path, flags(access))?;
    configure(&connection, kind, access)?;
    let application: i32 = pragma(&connection, "application_id")?;
    if application != kind.application_id() {
        return Err(OpenError::NotOurs);
    }
    let version: i64 = pragma(&connection, "user_version")?;
    // A negative version was never written by us; it is refused like one of the future.
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    match version.cmp(&kind.version()) {
        Ordering::Less => Err(OpenError::Old),
        Ordering::Equal => Ok(connection),
        Ordering::Greater => Err(OpenError::New { version, known: kind.version() }),
    }
}

/// Brings a copy that `VACUUM INTO` made into WAL mode, before it is synced and gets its name. Done later, it would go
/// through a rollback journal, which after a power loss no reader could play back.
pub(super) fn into_wal_mode(path: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open_with_flags(path, flags(Access::Write))?;
    // The file is synced as a whole afterwards, and nobody knows it before.
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error)
}

/// What is said of a file that SQLite cannot work with.
pub(super) fn damaged(path: &Path, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Open(format!(
        "{}: {error}; check the disk and the file's permissions, and restore the file from a backup if it is damaged",
        path.display()
    ))
}

fn flags(access: Access) -> OpenFlags {
    // Each connection is used by one thread at a time: SQLite's own mutexes are not needed.
    let access = match access {
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn configure(connection: &Connection, kind: Kind, access: Access) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    if kind != Kind::Attempts {
        // Whether a WAL may be moved into its database is decided by the checkpointer alone: after a failed sync it may not.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    }
    connection.pragma_update(None, "cache_size", -i64::from(kind.cache_kib(access)))?;
    if access == Access::Write {
        if kind != Kind::Attempts {
            connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
        }
        let synchronous = match kind {
            Kind::Log => "FULL",
            Kind::State => "NORMAL",
            Kind::Attempts => "OFF",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        if kind.wipes() {
            connection.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;
        }
    }
    Ok(())
}

/// Makes the schema, in one transaction.
fn make(connection: &Connection, kind: Kind) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    for part in kind.schema() {
        transaction.execute_batch(part)?;
    }
    transaction.pragma_update(None, "user_version", kind.version() as i64)?;
    transaction.commit()
}

fn pragma<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> rusqlite::Result<T> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_newer_version_is_refused_with_both_versions_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        create(&path, Kind::State, |_| Ok(())).unwrap();
        open(&path, Kind::State, Access::Write).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let refused = open(&path, Kind::State, Access::Write).unwrap_err().to_string();
        assert!(refused.contains("state.db: this file has version 99"), "{refused}");
        let known = Kind::State.version();
        assert!(refused.contains(&format!("knows versions up to {known}")), "{refused}");
    }

    #[test]
    fn a_file_of_something_else_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log-1.db");
        create(&path, Kind::State, |_| Ok(())).unwrap();
        assert!(
            open(&path, Kind::Log, Access::Read).unwrap_err().to_string().contains("not made by hitwire")
        );
    }
}
