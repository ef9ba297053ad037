//! What the state remembers of the log, so that a start knows when files of it are missing.

use super::codes::{from_json, to_json};
use super::context::Trouble;
use rusqlite::{Connection, OptionalExtension, params};

const BEGINS: &str = "log_begins";
const SLICE: &str = "log_slice";
const END: &str = "log_end";
const UNUSED: &str = "log_unused";

/// What is remembered. Nothing of it before the first start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::sqlite) struct LogMemory {
    /// The first position that retention has left.
    pub begins: Option<u64>,
    /// Where the newest slice began.
    pub mark: Option<LogMark>,
    /// Ranges of positions (both inclusive) that no event ever had.
    pub unused: Vec<(u64, u64)>,
}

/// How far the log was, not more than some seconds ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sqlite) struct LogMark {
    /// Where the newest slice began.
    pub slice: u64,
    /// The last acknowledged position.
    pub end: u64,
}

/// What was remembered.
pub(in crate::sqlite) fn load(connection: &Connection) -> Result<LogMemory, Trouble> {
    let (slice, end) = (number(connection, SLICE)?, number(connection, END)?);
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    let unused: Option<String> = statement.query_row([UNUSED], |row| row.get(0)).optional()?;
    Ok(LogMemory {
        begins: number(connection, BEGINS)?,
        mark: slice.zip(end).map(|(slice, end)| LogMark { slice, end }),
        unused: unused.map(|json| from_json(json.as_bytes(), 0)).transpose()?.unwrap_or_default(),
    })
}

/// The first position that retention has left; 0: it has taken nothing yet.
pub(in crate::sqlite) fn begins(connection: &Connection) -> Result<u64, Trouble> {
    Ok(number(connection, BEGINS)?.unwrap_or_default())
}

/// Remembers all of it.
pub(in crate::sqlite) fn put(connection: &Connection, memory: &LogMemory) -> Result<(), Trouble> {
    if let Some(begins) = memory.begins {
        put_begin(connection, begins)?;
    }
    if let Some(mark) = memory.mark {
        put_mark(connection, mark)?;
    }
    put_value(connection, UNUSED, to_json(&memory.unused)?)
}

/// Remembers how far the log is.
pub(in crate::sqlite) fn put_mark(connection: &Connection, mark: LogMark) -> Result<(), Trouble> {
    put_value(connection, SLICE, mark.slice as i64)?;
    put_value(connection, END, mark.end as i64)
}

/// Remembers where the log begins, after retention.
pub(in crate::sqlite) fn put_begin(connection: &Connection, begins: u64) -> Result<(), Trouble> {
    put_value(connection, BEGINS, begins as i64)
}

fn number(connection: &Connection, name: &str) -> Result<Option<u64>, Trouble> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    let number: Option<i64> = statement.query_row([name], |row| row.get(0)).optional()?;
    Ok(number.map(|number| number as u64))
}

fn put_value(connection: &Connection, name: &str, value: impl rusqlite::ToSql) -> Result<(), Trouble> {
    connection
        .prepare_cached(
            "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![name, value])?;
    Ok(())
}
