//! The state's file: making it, opening it, and putting a copy in its place after a failed sync.
//!
//! After a failed sync the file may lack on disk what memory still shows. It is not built upon: all that can be read is
//! copied into a new file, which is synced and then takes the old one's name. The copy is complete before anything of the
//! old file is touched, and a replacement that was cut short is finished at the next start.

use super::context::Trouble;
use super::log_memory::{self, LogMemory};
use super::view::StateView;
use crate::StoreError;
use crate::sqlite::files::{self, DataDir};
use crate::sqlite::log::fingerprint::{self, Fingerprinter};
use crate::sqlite::schema::{self, Access, Kind};
use crate::sqlite::seal::{Place, Sealer, random};
use rusqlite::{Connection, OptionalExtension, params};
use std::fs;
use std::io;
use std::path::Path;

/// A sealed word whose opening proves the key.
const CANARY: &[u8] = b"hitwire";
/// The name of the key of fingerprints.
const FINGERPRINTS: &str = "fingerprints";
const CANARY_PLACE: Place = Place { table: "meta", id: 0, field: "canary" };

/// Makes the state's file if there is none, and finishes a replacement that was cut short.
pub(in crate::sqlite) fn prepare(directory: &DataDir) -> Result<(), StoreError> {
    let path = directory.state();
    let unwritable = |error: io::Error| StoreError::Open(format!("{}: {error}", path.display()));
    if directory.state_ready().exists() {
        install(directory).map_err(unwritable)?;
    }
    if !path.exists() {
        let slices = directory.slices().map_err(unwritable)?;
        if let Some(slice) = slices.first() {
            return Err(StoreError::Open(format!(
                "{}: the file is missing beside the log ({}); it holds the integrations, the accounts and what was delivered. \
                 Restore it from a backup, or move the files log-*.db away to begin with an empty log",
                path.display(),
                slice.path.display()
            )));
        }
        let new = files::unfinished(&path);
        schema::create(&new, Kind::State, |_| Ok(()))?;
        files::remove_wal(&path)
            .and_then(|()| fs::rename(&new, &path))
            .and_then(|()| directory.sync())
            .map_err(unwritable)?;
    }
    Ok(())
}

/// Whether the key has sealed anything yet.
pub(in crate::sqlite) fn is_sealed(path: &Path) -> Result<bool, StoreError> {
    let connection = schema::open(path, Kind::State, Access::Read)?;
    Ok(meta::<Vec<u8>>(&connection, path, "canary")?.is_some())
}

/// What is said of another key.
pub(in crate::sqlite) fn other_key(path: &Path) -> StoreError {
    StoreError::Open(format!(
        "{}: the secrets in this file were sealed with another key; give the key that was used before",
        path.display()
    ))
}

/// Has another key prove itself from now on.
pub(in crate::sqlite) fn seal_canary(connection: &Connection, sealer: &Sealer) -> Result<(), Trouble> {
    Ok(put_meta(connection, "canary", sealer.seal(CANARY_PLACE, CANARY)?)?)
}

/// Whether the secrets in a file were sealed with this key. In a file in which nothing is sealed yet, any fits.
pub(in crate::sqlite) fn key_fits(
    connection: &Connection,
    path: &Path,
    sealer: &Sealer,
) -> Result<bool, StoreError> {
    let canary = meta::<Vec<u8>>(connection, path, "canary")?;
    Ok(canary.is_none_or(|sealed| sealer.open(CANARY_PLACE, &sealed).is_ok()))
}

/// Opens the file for writing, and proves the key.
pub(in crate::sqlite) fn open(path: &Path, sealer: &Sealer) -> Result<Connection, StoreError> {
    let failed = |error: rusqlite::Error| schema::damaged(path, &error);
    let connection = schema::open(path, Kind::State, Access::Write)?;
    match meta::<Vec<u8>>(&connection, path, "canary")? {
        Some(sealed) if sealer.open(CANARY_PLACE, &sealed).is_err() => {
            return Err(other_key(path));
        }
        Some(_) => {}
        None => {
            connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
            put_meta(&connection, "canary", sealer.seal(CANARY_PLACE, CANARY)?).map_err(failed)?;
            connection.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
        }
    }
    Ok(connection)
}

/// What makes the fingerprints of this data directory; its key is drawn with the first start.
pub(in crate::sqlite) fn fingerprinter(connection: &Connection) -> Result<Fingerprinter, Trouble> {
    if let Some(fingerprinter) = kept_fingerprinter(connection)? {
        return Ok(fingerprinter);
    }
    let mut key = [0; fingerprint::KEY_BYTES];
    random(&mut key)?;
    // Not synced: should it be lost, what was made with it is made again.
    put_meta(connection, FINGERPRINTS, key.to_vec())?;
    Ok(Fingerprinter::new(key))
}

/// The same, if there was a start before.
pub(in crate::sqlite) fn kept_fingerprinter(
    connection: &Connection,
) -> rusqlite::Result<Option<Fingerprinter>> {
    let mut statement = connection.prepare("SELECT value FROM meta WHERE name = ?1")?;
    let key = statement.query_row([FINGERPRINTS], |row| row.get(0));
    Ok(key.optional()?.map(Fingerprinter::new))
}

/// The last number of an attempt that was noted; 0: none was.
pub(in crate::sqlite) fn attempts_noted(connection: &Connection) -> rusqlite::Result<u64> {
    let noted = connection
        .query_row("SELECT value FROM meta WHERE name = 'attempts'", [], |row| row.get::<_, i64>(0));
    Ok(noted.optional()?.unwrap_or(0) as u64)
}

/// Notes the last number of an attempt, so that it is not given again should the file of attempts be lost.
pub(super) fn note_attempts(connection: &Connection, last: u64) -> rusqlite::Result<()> {
    put_meta(connection, "attempts", last as i64)
}

/// Remembers what a start found of the log; synced.
pub(in crate::sqlite) fn remember(connection: &Connection, memory: &LogMemory) -> Result<(), Trouble> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.unchecked_transaction()?;
    log_memory::put(&transaction, memory)?;
    transaction.commit()?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(())
}

/// Puts a copy in the place of a file whose sync failed, and opens it. The failed writer's connection must still be
/// open: as long as one is, the WAL's index ends at the last commit that succeeded, and so does the copy.
pub(in crate::sqlite) fn replace(
    directory: &DataDir,
    view: &StateView,
    failed: &mut Option<Connection>,
) -> Result<Connection, StoreError> {
    let path = view.path();
    let ready = directory.state_ready();
    let new = files::unfinished(&ready);
    let unwritable = |error: io::Error| StoreError::Unavailable(format!("{}: {error}", new.display()));
    files::remove_database(&new).map_err(unwritable)?;
    let file = files::private_file(&new).map_err(unwritable)?;
    {
        let source = schema::open(path, Kind::State, Access::Read)?;
        source
            .execute("VACUUM INTO ?1", [new.to_string_lossy()])
            .and_then(|_| schema::into_wal_mode(&new))
            .map_err(|error| StoreError::Unavailable(format!("{}: {error}", new.display())))?;
    }
    file.sync_all()
        .and_then(|()| fs::rename(&new, &ready))
        .and_then(|()| directory.sync())
        .map_err(unwritable)?;
    let _nobody_reads = view.replace();
    *failed = None;
    install(directory).map_err(unwritable)?;
    schema::open(path, Kind::State, Access::Write)
}

/// Gives the complete copy the name of the state. May be repeated.
fn install(directory: &DataDir) -> io::Result<()> {
    // A WAL of the old file would be taken for the new one's.
    files::remove_wal(&directory.state())?;
    fs::rename(directory.state_ready(), directory.state())?;
    directory.sync()
}

fn meta<T: rusqlite::types::FromSql>(
    connection: &Connection,
    path: &Path,
    name: &str,
) -> Result<Option<T>, StoreError> {
    connection
        .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
        .optional()
        .map_err(|error| schema::damaged(path, &error))
}

fn put_meta(connection: &Connection, name: &str, value: impl rusqlite::ToSql) -> rusqlite::Result<()> {
    connection
        .execute(
            "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            params![name, value],
        )
        .map(|_| ())
}
