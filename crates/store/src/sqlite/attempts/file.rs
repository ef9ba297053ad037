//! The file of the delivery log: opening it, and setting one aside that cannot be used.

use crate::StoreError;
use crate::sqlite::files;
use crate::sqlite::schema::{self, Access, Kind, OpenError};
use rusqlite::Connection;
use std::path::Path;

/// Why the file cannot be written, though nothing is wrong with what is in it.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
}

/// The file, open to be written, begun anew if there is none. One that is damaged, or not ours, is set aside.
pub(super) fn open_or_begin(path: &Path) -> Result<Connection, FileError> {
    if path.exists() {
        match schema::try_open(path, Kind::Attempts, Access::Write) {
            Ok(connection) => return Ok(connection),
            Err(OpenError::Sqlite(error)) if !is_damage(&error) => return Err(error.into()),
            Err(error) => set_aside(path, &error.of(path))?,
        }
    }
    files::remove_wal(path)?;
    schema::create(path, Kind::Attempts, |_| Ok(()))?;
    Ok(schema::try_open(path, Kind::Attempts, Access::Write).map_err(|error| error.of(path))?)
}

/// Gives a file that cannot be used another name; one that has it already goes. It is kept for as long as attempts are, and
/// until an integration is deleted.
pub(super) fn set_aside(path: &Path, why: &dyn std::fmt::Display) -> std::io::Result<()> {
    let aside = files::set_aside(path)?;
    tracing::warn!(
        file = %path.display(),
        aside = %aside.display(),
        "the delivery log is damaged: {why}; its file was set aside, and a new one is begun. Nothing but the history of attempts is lost"
    );
    Ok(())
}

/// Whether the file itself is at fault, so that another one helps.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, TypeMismatch, Unknown};
    match error {
        rusqlite::Error::SqliteFailure(failure, message) => match failure.code {
            DatabaseCorrupt | NotADatabase | TypeMismatch => true,
            // A table that should be there is not.
            Unknown => message.as_deref().is_some_and(|text| text.contains("no such")),
            _ => false,
        },
        rusqlite::Error::SqlInputError { .. }
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..) => true,
        _ => false,
    }
}
