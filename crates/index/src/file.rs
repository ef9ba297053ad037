//! The file: making it, opening it, and throwing it away.
//!
//! Nothing in it is lost for good, so it is not synced: a kill leaves it whole, since the kernel has what was written. After a
//! power loss parts of it may be older than others; that it was in use then is seen by the boot that it names, and it is made
//! again.

use crate::options::Bounds;
use crate::sql;
use rusqlite::types::{FromSql, ToSql};
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Marks a file as ours: "hwix".
const APPLICATION_ID: i32 = 0x6877_6978;

/// Rises with every change of what is in the file: an older one is made again.
const VERSION: i64 = 3;

/// Bytes of a page: a dozen events.
const PAGE_BYTES: u32 = 8192;

/// KiB of pages that the writer keeps: the inner pages and the ends of a volume's trees.
const WRITER_CACHE_KIB: i64 = 16 << 10;

/// KiB of pages that a reader keeps.
const READER_CACHE_KIB: i64 = 2 << 10;

/// Bytes to which a WAL is cut back.
const WAL_BYTES_KEPT: i64 = 32 << 20;

/// How long a connection waits for a lock that another one of this process holds for a moment.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Statements that a connection keeps prepared: those of each volume, and the others.
const STATEMENTS_MAX: usize = 256;

/// Names in the table `meta`.
pub(crate) mod meta {
    /// Everything up to this position is indexed.
    pub(crate) const SEQ: &str = "seq";
    /// The id of the event at that position, to tell one log from another.
    pub(crate) const SEQ_ID: &str = "seq_id";
    /// When it was appended.
    pub(crate) const SEQ_MS: &str = "seq_ms";
    /// The latest time at which an event was appended.
    pub(crate) const NEWEST_MS: &str = "newest_ms";
    /// Every attempt up to this number is indexed.
    pub(crate) const ATTEMPT: &str = "attempt";
    /// Events before this position have left the log.
    pub(crate) const OLDEST: &str = "oldest";
    /// Events before this position were left out, or dropped, although the log may have them.
    pub(crate) const FLOOR: &str = "floor";
    /// Positions of a volume.
    pub(crate) const VOLUME: &str = "volume";
    /// The boot in which the file is written; empty: it was closed, and all of it is on the disk.
    pub(crate) const BOOT: &str = "boot";
}

/// Where the index of a data directory is.
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("index.db")
}

/// Opens the file to write it; makes it again if what is there cannot be gone on with.
pub(crate) fn open_or_make(path: &Path, bounds: Bounds) -> rusqlite::Result<Connection> {
    if path.exists() {
        match open_kept(path, bounds) {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(why)) => {
                tracing::info!(path = %path.display(), why, "the index is made again");
            }
            Err(error) if is_damage(&error) => {
                tracing::warn!(path = %path.display(), %error, "the index is damaged, and is made again");
            }
            Err(error) => return Err(error),
        }
    }
    make(path, bounds)
}

/// Throws away what is there, and begins anew.
pub(crate) fn make(path: &Path, bounds: Bounds) -> rusqlite::Result<Connection> {
    remove(path).map_err(unwritable)?;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(unwritable)?;
    let connection = connect(path)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    configure(&connection)?;
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(sql::SCHEMA)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    put_meta(&transaction, meta::VOLUME, bounds.volume as i64)?;
    put_meta(&transaction, meta::BOOT, boot())?;
    transaction.commit()?;
    Ok(connection)
}

/// A connection that reads.
pub(crate) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(connection)
}

/// Says that the file is whole, and on the disk.
pub(crate) fn close(connection: Connection, path: &Path) -> rusqlite::Result<()> {
    put_meta(&connection, meta::BOOT, "")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error)?;
    std::fs::File::open(path).and_then(|file| file.sync_all()).map_err(unwritable)
}

/// Whether the file itself is at fault, so that making it again helps.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{ConstraintViolation, DatabaseCorrupt, NotADatabase, TypeMismatch};
    match error {
        rusqlite::Error::SqliteFailure(failure, message) => match failure.code {
            DatabaseCorrupt | NotADatabase | ConstraintViolation | TypeMismatch => true,
            // A table that should be there is not.
            rusqlite::ErrorCode::Unknown => message.as_deref().is_some_and(|text| text.contains("no such")),
            _ => false,
        },
        rusqlite::Error::SqlInputError { .. }
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..) => true,
        _ => false,
    }
}

/// Reads what is kept under a name.
pub(crate) fn get_meta<T: FromSql>(connection: &Connection, name: &str) -> rusqlite::Result<Option<T>> {
    connection.prepare_cached(sql::META)?.query_row([name], |row| row.get(0)).optional()
}

/// Keeps something under a name.
pub(crate) fn put_meta(connection: &Connection, name: &str, value: impl ToSql) -> rusqlite::Result<()> {
    connection.prepare_cached(sql::PUT_META)?.execute(rusqlite::params![name, value])?;
    Ok(())
}

/// Opens a file that is there, or says why it is not gone on with.
fn open_kept(path: &Path, bounds: Bounds) -> rusqlite::Result<Result<Connection, &'static str>> {
    let connection = connect(path)?;
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if (application, version) != (APPLICATION_ID, VERSION) {
        return Ok(Err("another version made it"));
    }
    let written_in: Option<String> = get_meta(&connection, meta::BOOT)?;
    match written_in.as_deref() {
        Some("") => {}
        Some(boot) if !boot.is_empty() && boot == self::boot() => {}
        _ => return Ok(Err("it was in use when the machine stopped")),
    }
    if get_meta::<i64>(&connection, meta::VOLUME)? != Some(bounds.volume as i64) {
        return Ok(Err("its volumes are of another size"));
    }
    configure(&connection)?;
    put_meta(&connection, meta::BOOT, self::boot())?;
    // That it is being written must be on the disk before anything is.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    Ok(Ok(connection))
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES_KEPT, |_| Ok(()))?;
    Ok(())
}

/// This boot of the machine; a name that fits no other if the system does not tell.
fn boot() -> String {
    let told = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let told = told.trim();
    if told.is_empty() { "unknown".to_owned() } else { told.to_owned() }
}

fn remove(path: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn unwritable(error: io::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}
