//! The state's file: making it, opening it, and putting a copy in its place after a failed sync.
//!
//! After a failed sync the file may lack on disk what memory still shows. It is not built upon: all that can be read is
//! copied into a new file, which is synced and then takes the old one's name. The copy is complete before anything of the
//! old file is touched, and a replacement that was cut short is finished at the next start.

use super::context::Trouble;
use super::log_memory::{self, LogMemory};
use crate::StoreError;
use crate::sqlite::files::{self, DataDir};
use crate::sqlite::ground::Ground;
use crate::sqlite::log::fingerprint::{self, Fingerprinter};
use crate::sqlite::options::FaultPoint;
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
        install(directory, &|| false).map_err(|NotInstalled { error, .. }| unwritable(error))?;
        directory.sync().map_err(unwritable)?;
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

/// The number of an attempt above which none was given before this start; 0: none was at all.
pub(in crate::sqlite) fn attempts_noted(connection: &Connection) -> rusqlite::Result<u64> {
    let noted = connection
        .query_row("SELECT value FROM meta WHERE name = 'attempts'", [], |row| row.get::<_, i64>(0));
    Ok(noted.optional()?.unwrap_or(0) as u64)
}

/// Notes up to which number attempts may have been given, so that none is given again whatever becomes of their file.
pub(super) fn note_attempts(connection: &Connection, up_to: u64) -> rusqlite::Result<()> {
    put_meta(connection, "attempts", up_to as i64)
}

/// Remembers what a start found of the log, and which numbers of attempts it may give; synced.
pub(in crate::sqlite) fn remember(
    connection: &Connection,
    memory: &LogMemory,
    attempts_up_to: u64,
) -> Result<(), Trouble> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.unchecked_transaction()?;
    log_memory::put(&transaction, memory)?;
    note_attempts(&transaction, attempts_up_to)?;
    transaction.commit()?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(())
}

/// Puts a copy in the place of a file whose sync failed, and opens it. The failed writer's connection must still be
/// open: as long as one is, the WAL's index ends at the last commit that succeeded, and so do the copy and what readers see
/// if it cannot take the place.
///
/// After an error nothing is lost: a copy that is complete is kept for the next call, or the next start.
pub(in crate::sqlite) fn replace(
    ground: &Ground,
    failed: &mut Option<Connection>,
) -> Result<Connection, StoreError> {
    let (directory, view) = (&ground.directory, &ground.state);
    let ready = directory.state_ready();
    // One that is there has been complete since it got this name, and nothing was written to the state since then.
    if !ready.exists() {
        copy(view.path(), &ready)?;
    }
    directory.sync().map_err(|error| unavailable(&ready, &error))?;
    let _nobody_reads = view.replace();
    match install(directory, &|| ground.options.fails_at(FaultPoint::StateInstall)) {
        Ok(()) => view.readers.set_closed(false),
        Err(NotInstalled { error, old_is_whole }) => {
            view.poison();
            view.readers.set_closed(!old_is_whole);
            return Err(unavailable(view.path(), &error));
        }
    }
    *failed = None;
    directory.sync().map_err(|error| unavailable(view.path(), &error))?;
    schema::open(view.path(), Kind::State, Access::Write)
}

/// Copies the state; the copy is complete and synced when it has its name.
fn copy(path: &Path, to: &Path) -> Result<(), StoreError> {
    let new = files::unfinished(to);
    files::remove_database(&new).map_err(|error| unavailable(&new, &error))?;
    let file = files::private_file(&new).map_err(|error| unavailable(&new, &error))?;
    {
        let source = schema::open(path, Kind::State, Access::Read)?;
        source
            .execute("VACUUM INTO ?1", [new.to_string_lossy()])
            .and_then(|_| schema::into_wal_mode(&new))
            .map_err(|error| StoreError::Unavailable(format!("{}: {error}", new.display())))?;
    }
    file.sync_all().and_then(|()| fs::rename(&new, to)).map_err(|error| unavailable(&new, &error))
}

/// Why a copy did not take the place of the state.
#[derive(Debug)]
struct NotInstalled {
    error: io::Error,
    /// The old file still has its WAL.
    old_is_whole: bool,
}

/// Gives the complete copy the name of the state. May be repeated. The directory is to be synced afterwards.
fn install(directory: &DataDir, fails: &dyn Fn() -> bool) -> Result<(), NotInstalled> {
    let path = directory.state();
    let wal = files::wal(&path);
    // What is cleared away at a start.
    let old_wal = files::unfinished(&wal);
    let rename = |from: &Path, to: &Path| {
        if fails() { Err(io::Error::other("injected fault")) } else { fs::rename(from, to) }
    };
    let was_whole = !old_wal.exists();
    // The WAL of the old file would be taken for the new one's. The index is made again from the WAL.
    files::remove_if_there(&files::wal_index(&path))
        .and_then(|()| files::rename_if_there(&wal, &old_wal))
        .map_err(|error| NotInstalled { error, old_is_whole: was_whole })?;
    if let Err(error) = rename(&directory.state_ready(), &path) {
        let old_is_whole = !old_wal.exists() || rename(&old_wal, &wal).is_ok();
        return Err(NotInstalled { error, old_is_whole });
    }
    if let Err(error) = files::remove_if_there(&old_wal) {
        tracing::warn!(%error, file = %old_wal.display(), "this file is not needed any more; it is removed at the next start");
    }
    Ok(())
}

fn unavailable(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("{}: {error}", path.display()))
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
