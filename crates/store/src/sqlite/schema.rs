//! The two kinds of file, their versions, and how a connection to one is set up.

use super::files;
use crate::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// How long a connection waits for a lock that another one of this process holds for a moment.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Statements that a connection keeps prepared; more than any of them runs.
const STATEMENTS_MAX: usize = 64;

/// Bytes of a page of a slice: a block of a hundred events takes two or three; a commit of one event still writes a single
/// page.
const LOG_PAGE_BYTES: u32 = 8192;

/// Bytes of a page of the state: its rows are small.
const STATE_PAGE_BYTES: u32 = 4096;

/// A kind of database file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A slice of the log.
    Log,
    /// Integrations, lanes, history.
    State,
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
    /// Marks a file as ours: "hwlg" and "hwst".
    const fn application_id(self) -> i32 {
        match self {
            Kind::Log => 0x6877_6c67,
            Kind::State => 0x6877_7374,
        }
    }

    /// The oldest version that is still read. Older files were made by hitwire 0.1, of which there are no installations.
    const fn oldest_version(self) -> usize {
        match self {
            Kind::Log => 2,
            Kind::State => 1,
        }
    }

    /// Today's version.
    const fn newest_version(self) -> usize {
        self.oldest_version() + self.migrations().len() - 1
    }

    /// The steps from an empty file to today's schema; the first one makes the oldest version, each further one the next.
    const fn migrations(self) -> &'static [&'static str] {
        match self {
            Kind::Log => &[include_str!("schema/log-1.sql")],
            Kind::State => &[
                include_str!("schema/state-1.sql"),
                include_str!("schema/state-2.sql"),
                include_str!("schema/state-3.sql"),
                include_str!("schema/state-4.sql"),
                include_str!("schema/state-5.sql"),
                include_str!("schema/state-6.sql"),
                include_str!("schema/state-7.sql"),
            ],
        }
    }

    const fn page_bytes(self) -> u32 {
        match self {
            Kind::Log => LOG_PAGE_BYTES,
            Kind::State => STATE_PAGE_BYTES,
        }
    }

    /// KiB of pages that a connection keeps in memory.
    const fn cache_kib(self, access: Access) -> u32 {
        match (self, access) {
            // Appending touches the last page of each tree alone; the rest is for the pages of one large group.
            (Kind::Log, Access::Write) => 4096,
            // The lanes of thousands of integrations, and the ends of the history.
            (Kind::State, Access::Write) => 8192,
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
    if kind == Kind::State {
        connection.pragma_update(None, "secure_delete", "ON").map_err(failed)?;
    }
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).map_err(failed)?;
    migrate(&connection, kind, 0).and_then(|()| fill(&connection)).map_err(failed)?;
    // Closing the only connection moves everything from the WAL into the file.
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
    migrate(&connection, kind, 0).map_err(failed)?;
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
        /// The newest one that is known.
        newest: usize,
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
            OpenError::New { version, newest } => format!(
                "{path_name}: this file has version {version}, and this hitwire knows versions up to {newest}; it was written by a \
                 newer hitwire: run that one, or restore a backup from before the update"
            ),
        })
    }
}

/// Opens a database that exists. A writer brings an older schema up to date; a newer one is refused.
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
    let (oldest, newest) = (kind.oldest_version(), kind.newest_version());
    if version < oldest {
        return Err(OpenError::Old);
    }
    if version > newest {
        return Err(OpenError::New { version, newest });
    }
    if access == Access::Write && version < newest {
        migrate(&connection, kind, version)?;
    }
    Ok(connection)
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
    // Whether a WAL may be moved into its database is decided by the checkpointer alone: after a failed sync it may not.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "cache_size", -i64::from(kind.cache_kib(access)))?;
    if access == Access::Write {
        connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
        let synchronous = match kind {
            Kind::Log => "FULL",
            Kind::State => "NORMAL",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        if kind == Kind::State {
            connection.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;
        }
    }
    Ok(())
}

/// Applies the migrations after `version` (0: an empty file), all in one transaction.
fn migrate(connection: &Connection, kind: Kind, version: usize) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    for step in &kind.migrations()[(version + 1).saturating_sub(kind.oldest_version())..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", kind.newest_version() as i64)?;
    transaction.commit()
}

fn pragma<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> rusqlite::Result<T> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// Makes a database as an older hitwire made it, in its first `version` steps.
#[cfg(test)]
pub(super) fn create_older(
    path: &Path,
    kind: Kind,
    version: usize,
    fill: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) {
    let old = Connection::open(path).unwrap();
    old.pragma_update(None, "application_id", kind.application_id()).unwrap();
    for step in &kind.migrations()[..version] {
        old.execute_batch(step).unwrap();
    }
    fill(&old).unwrap();
    old.pragma_update(None, "user_version", version as i64).unwrap();
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
        let newest = Kind::State.newest_version();
        assert!(refused.contains(&format!("knows versions up to {newest}")), "{refused}");
    }

    #[test]
    fn a_state_of_the_first_version_is_brought_up_to_date_with_what_is_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        let old = Connection::open(&path).unwrap();
        old.pragma_update(None, "application_id", Kind::State.application_id()).unwrap();
        old.execute_batch(Kind::State.migrations()[0]).unwrap();
        old.execute_batch(
            "INSERT INTO integration VALUES (7, 1, 'SIEM', NULL, 0, '', 3, 2, '{}', x'');
             INSERT INTO token VALUES (x'01', 1, 5, 'ci', 20), (x'02', 1, 2, 'admin', 10);
             INSERT INTO lane (integration, lane, cursor) VALUES (7, 0, 5);
             INSERT INTO lane VALUES (7, 1, 10, 11, 13, 20, 3, 'msg_1', 2, 900, x'0a', 4, '{}');
             INSERT INTO lost VALUES (1, 7, 1, 1, 5, 3, 1, 'no success in 72 h', 9);
             INSERT INTO attempt VALUES (4, 7, 1, 'msg_0', 1, 1, 5, 5, 99, 9, 7, 503, 2, NULL, 'away');
             PRAGMA user_version = 1;",
        )
        .unwrap();
        drop(old);
        let new = open(&path, Kind::State, Access::Write).unwrap();
        let one = |sql: &str| new.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(one("SELECT name || filter FROM integration WHERE id = 7"), "SIEM{}");
        assert_eq!(one("SELECT group_concat(id || name, ' ') FROM token"), "1admin 2ci");
        assert_eq!(one("SELECT name FROM client WHERE id = 1"), "default");
        let lanes = "SELECT group_concat(lane || '@' || cursor, ' ') FROM lane WHERE integration = 7";
        assert_eq!(one(lanes), "0@5 1@10");
        let open = "SELECT concat_ws(' ', integration, lane, first, last, through, settled_behind, events, webhook_id,
                    content_revision, body_bytes, hex(body_sha256), tries, refusal) FROM open_batch";
        assert_eq!(one(open), "7 1 11 13 20 0 3 msg_1 2 900 0A 4 {}");
        assert_eq!(one("SELECT detail FROM lost WHERE kinds IS NULL"), "no success in 72 h");
        let attempt =
            "SELECT error FROM attempt WHERE id = 4 AND body_sha256 IS NULL AND content_revision IS NULL";
        assert_eq!(one(attempt), "away");
        let version: isize = pragma(&new, "user_version").unwrap();
        assert_eq!(version as usize, Kind::State.newest_version());
    }

    #[test]
    fn a_slice_of_the_first_release_is_refused_in_plain_words() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log-1.db");
        create(&path, Kind::Log, |_| Ok(())).unwrap();
        let slice = Connection::open(&path).unwrap();
        slice.pragma_update(None, "user_version", 1).unwrap();
        let refused = open(&path, Kind::Log, Access::Read).unwrap_err().to_string();
        assert!(refused.contains("log-1.db: this file was made by hitwire 0.1"), "{refused}");
        assert!(refused.contains("choose an empty data directory"), "{refused}");
    }

    #[test]
    fn users_of_an_older_state_stay_and_their_ids_do_not_come_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        create_older(&path, Kind::State, 5, |old| {
            old.execute_batch(
                "INSERT INTO user VALUES (3, 'u3', 1, 'ann@example.com', 'Ann', 1, 1, 9, 'admin', 4);
                 INSERT INTO credential (user, revision, totp_step, recovery, issuer, subject) VALUES (3, 1, 0, '[]', 'i', 's');
                 UPDATE sqlite_sequence SET seq = 8 WHERE name = 'user';",
            )
        });
        let new = open(&path, Kind::State, Access::Write).unwrap();
        let user = "SELECT concat_ws(' ', id, uuid, client, email, name, role, enabled, created_at, created_by, revision) FROM user";
        let user = new.query_row(user, [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(user, "3 u3 1 ann@example.com Ann 1 1 9 admin 4");
        let insert =
            "INSERT INTO user (uuid, client, email, name, role, enabled, created_at, created_by, revision)
                      VALUES ('u', ?1, 'ANN@example.com', '', 1, 1, 0, '', 1)";
        assert!(new.execute(insert, [1]).is_err(), "once in each client, letter case aside");
        new.execute(insert, [2]).unwrap();
        assert_eq!(new.last_insert_rowid(), 9);
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
