//! One file of details.

use super::{AttemptKey, Detail};
use crate::sqlite::files;
use hitwire_event::IntegrationId;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// Marks a file as ours: "hwat".
const APPLICATION_ID: i32 = 0x6877_6174;

/// A file of another version is begun anew, but for the one before: details are for looking at what happened lately.
const VERSION: i32 = 2;

/// From version 1: nothing was sealed.
const FROM_1: &str = "ALTER TABLE detail ADD COLUMN sealed BLOB";

/// KiB of pages in memory: the ends of both trees.
const CACHE_KIB: i64 = 1_024;

const SCHEMA: &str = "
CREATE TABLE detail (
    id          INTEGER PRIMARY KEY,
    integration INTEGER NOT NULL,
    webhook_id  TEXT    NOT NULL,
    number      INTEGER NOT NULL,
    detail      TEXT    NOT NULL,
    sealed      BLOB
) STRICT;
CREATE UNIQUE INDEX detail_by_attempt ON detail (integration, webhook_id, number);";
const PUT: &str = "INSERT OR REPLACE INTO detail (integration, webhook_id, number, detail, sealed) VALUES (?1, ?2, ?3, ?4, ?5)";
pub(super) const FIND: &str =
    "SELECT detail, sealed FROM detail WHERE integration = ?1 AND webhook_id = ?2 AND number = ?3";
pub(super) const TRIM: &str = "DELETE FROM detail WHERE id IN
    (SELECT id FROM detail WHERE integration = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2)";
const DROP_OLDEST: &str = "DELETE FROM detail WHERE id IN (SELECT id FROM detail ORDER BY id LIMIT ?1)";
/// Jumps from one integration to the next, whatever each has.
pub(super) const NEXT_INTEGRATION: &str = "SELECT min(integration) FROM detail WHERE integration > ?1";
pub(super) const FORGET: &str = "DELETE FROM detail WHERE integration = ?1";
const FORGET_SEALED: &str = "UPDATE detail SET sealed = NULL WHERE sealed IS NOT NULL";

/// A detail as it lies in the file.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) key: AttemptKey,
    /// The detail, without what is sealed.
    pub(super) json: String,
    pub(super) sealed: Option<Vec<u8>>,
}

/// One file of details, open.
#[derive(Debug)]
pub(super) struct DetailFile {
    path: PathBuf,
    connection: Connection,
}

impl DetailFile {
    /// Opens a file, or makes it. One that is damaged, or of another version, is begun anew.
    pub(super) fn open(path: &Path) -> io::Result<DetailFile> {
        if path.exists() {
            match connect(path).and_then(|connection| check(&connection).map(|()| connection)) {
                Ok(connection) => return Ok(DetailFile { path: path.to_owned(), connection }),
                Err(error) => {
                    tracing::warn!(file = %path.display(), %error, "the file of attempts' details cannot be used; it is begun anew");
                    files::remove_database(path)?;
                }
            }
        }
        files::private_file(path)?;
        let connection = connect(path).and_then(|connection| make(&connection).map(|()| connection));
        Ok(DetailFile { path: path.to_owned(), connection: connection.map_err(io::Error::other)? })
    }

    /// Closes it and takes it away.
    pub(super) fn remove(self) -> io::Result<()> {
        let DetailFile { path, connection } = self;
        drop(connection);
        files::remove_database(&path)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes details down, all or nothing. `of_each`: what an integration has beyond so many goes.
    pub(super) fn put(&self, details: &[Row], of_each: Option<usize>) -> rusqlite::Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        let mut integrations = BTreeSet::new();
        for Row { key, json, sealed } in details {
            let id = key.integration.0 as i64;
            transaction.prepare_cached(PUT)?.execute(params![
                id,
                key.webhook_id.as_str(),
                key.number,
                json,
                sealed
            ])?;
            integrations.insert(id);
        }
        if let Some(of_each) = of_each {
            for id in integrations {
                transaction.prepare_cached(TRIM)?.execute(params![id, of_each as i64])?;
            }
        }
        transaction.commit()
    }

    /// The detail of an attempt. One that cannot be read any more is as good as absent.
    pub(super) fn find(&self, key: &AttemptKey) -> rusqlite::Result<Option<(Detail, Option<Vec<u8>>)>> {
        let values = params![key.integration.0 as i64, key.webhook_id.as_str(), key.number];
        let mut find = self.connection.prepare_cached(FIND)?;
        let found: Option<(String, Option<Vec<u8>>)> =
            find.query_row(values, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        Ok(found.and_then(|(json, sealed)| Some((serde_json::from_str(&json).ok()?, sealed))))
    }

    /// Takes away all that is sealed, so that nothing of it is left in the file.
    pub(super) fn forget_sealed(&self) -> rusqlite::Result<()> {
        let gone = self.connection.execute(FORGET_SEALED, [])?;
        if gone > 0 { self.empty_wal() } else { Ok(()) }
    }

    /// The integrations of which there is something.
    pub(super) fn integrations(&self) -> rusqlite::Result<Vec<IntegrationId>> {
        let mut found = Vec::new();
        let mut after = -1;
        let mut next = self.connection.prepare_cached(NEXT_INTEGRATION)?;
        while let Some(id) = next.query_row([after], |row| row.get::<_, Option<i64>>(0))? {
            found.push(IntegrationId(id as u64));
            after = id;
        }
        Ok(found)
    }

    /// Takes away what is there of these integrations, so that nothing of it is left in the file.
    pub(super) fn forget(&self, integrations: &[IntegrationId]) -> rusqlite::Result<()> {
        let mut gone = 0;
        for id in integrations {
            gone += self.connection.prepare_cached(FORGET)?.execute([id.0 as i64])?;
        }
        if gone > 0 { self.empty_wal() } else { Ok(()) }
    }

    /// Takes away the oldest.
    pub(super) fn drop_oldest(&self, count: usize) -> rusqlite::Result<()> {
        self.connection.prepare_cached(DROP_OLDEST)?.execute([count as i64]).map(|_| ())
    }

    /// Bytes of what is in it: pages that are free count no more.
    pub(super) fn used_bytes(&self) -> rusqlite::Result<u64> {
        let pages = |name: &str| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let used = pages("page_count")? - pages("freelist_count")?;
        Ok(used.max(0) as u64 * pages("page_size")?.max(0) as u64)
    }

    /// Moves the WAL into the file and empties it.
    pub(super) fn empty_wal(&self) -> rusqlite::Result<()> {
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    #[cfg(test)]
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // The end of the process loses nothing of it; a power loss may, and that is no great loss.
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;
    Ok(connection)
}

fn make(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// Whether it is one of ours that can be read; one of the version before is brought up to this one.
fn check(connection: &Connection) -> rusqlite::Result<()> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    match (number("application_id")?, number("user_version")?) {
        (APPLICATION_ID, VERSION) => {}
        (APPLICATION_ID, 1) => {
            let transaction = connection.unchecked_transaction()?;
            transaction.execute_batch(FROM_1)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
            transaction.commit()?;
        }
        _ => return Err(rusqlite::Error::InvalidQuery),
    }
    connection.query_row(NEXT_INTEGRATION, [-1], |_| Ok(()))
}
