//! Rows of the delivery log: adding and reading them, taking away those of an integration.

use crate::AttemptRow;
use crate::sqlite::state::codes::Code;
use hitwire_courier::{Attempt, Verdict};
use hitwire_event::{IntegrationId, Lane, Seq, WebhookId};
use rusqlite::{Connection, Row, params};
use std::sync::Once;

/// What [`attempt_row`] reads.
macro_rules! attempt_columns {
    () => {
        "id, lane, webhook_id, number, first, last, events, body_bytes, started_ms, took_us, status, verdict, address, error,
         body_sha256, content_revision"
    };
}
pub(super) use attempt_columns;

const INSERT: &str =
    "INSERT INTO attempt (id, integration, lane, webhook_id, number, first, last, events, body_bytes,
     started_ms, took_us, status, verdict, address, error, body_sha256, content_revision)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
/// Both are read as far as rows are wanted: among them may be some that cannot be read.
pub(super) const OF_INTEGRATION: &str = concat!(
    "SELECT ",
    attempt_columns!(),
    " FROM attempt WHERE integration = ?1 AND id < ?2 ORDER BY id DESC"
);
const AFTER: &str =
    concat!("SELECT ", attempt_columns!(), ", integration FROM attempt WHERE id > ?1 ORDER BY id");
const DELETE_SOME: &str = "DELETE FROM attempt
     WHERE id IN (SELECT id FROM attempt WHERE integration = ?1 ORDER BY id DESC LIMIT ?2)";
const LAST: &str = "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'attempt'), 0),
     coalesce((SELECT max(id) FROM attempt), 0))";
/// Jumps from one integration to the next, whatever each has.
const NEXT_INTEGRATION: &str = "SELECT min(integration) FROM attempt WHERE integration > ?1";

/// Adds an attempt under a number.
pub(super) fn insert(
    connection: &Connection,
    number: u64,
    integration: IntegrationId,
    attempt: &Attempt,
) -> rusqlite::Result<()> {
    connection.prepare_cached(INSERT)?.execute(params![
        number as i64,
        integration.0 as i64,
        attempt.lane.code(),
        attempt.webhook_id.as_str(),
        attempt.number,
        attempt.first.0 as i64,
        attempt.last.0 as i64,
        attempt.events,
        attempt.body_bytes as i64,
        attempt.started_ms as i64,
        attempt.took_us as i64,
        attempt.status,
        attempt.verdict.code(),
        attempt.address,
        attempt.error,
        attempt.body_sha256,
        attempt.content_revision.map(|revision| revision as i64)
    ])?;
    Ok(())
}

/// The highest number that was ever given in this file; 0: none was.
pub(super) fn last(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row(LAST, [], |row| row.get::<_, i64>(0)).map(|last| last as u64)
}

/// Takes attempts of an integration away, so many at most. Answers how many there were.
pub(super) fn delete_some(
    connection: &Connection,
    integration: IntegrationId,
    at_most: usize,
) -> rusqlite::Result<usize> {
    connection.prepare_cached(DELETE_SOME)?.execute(params![integration.0 as i64, at_most as i64])
}

/// The integrations that have attempts.
pub(super) fn integrations(connection: &Connection) -> rusqlite::Result<Vec<IntegrationId>> {
    let mut found = Vec::new();
    let mut after = -1;
    let mut next = connection.prepare_cached(NEXT_INTEGRATION)?;
    // What is no number comes last.
    while let Some(Some(id)) = readable(next.query_row([after], |row| row.get::<_, Option<i64>>(0)))? {
        found.push(IntegrationId(id as u64));
        after = id;
    }
    Ok(found)
}

/// The delivery log of an integration, newest first.
pub(in crate::sqlite) fn of_integration(
    connection: &Connection,
    id: IntegrationId,
    before: Option<u64>,
    limit: usize,
) -> rusqlite::Result<Vec<AttemptRow>> {
    let mut statement = connection.prepare_cached(OF_INTEGRATION)?;
    let mut rows = statement.query(params![id.0 as i64, bound(before)])?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        found.extend(readable(attempt_row(row))?);
    }
    Ok(found)
}

/// The attempts of all integrations after a number, oldest first.
pub(in crate::sqlite) fn after(
    connection: &Connection,
    after: u64,
    limit: usize,
) -> rusqlite::Result<Vec<(IntegrationId, AttemptRow)>> {
    let mut statement = connection.prepare_cached(AFTER)?;
    let mut rows = statement.query([bound(Some(after))])?;
    let with_integration =
        |row: &Row<'_>| Ok((IntegrationId(row.get::<_, i64>(16)? as u64), attempt_row(row)?));
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        found.extend(readable(with_integration(row))?);
    }
    Ok(found)
}

/// What a row holds; `None` if that cannot be read. It is one attempt less to look back at, and no reason to give up all the
/// others.
pub(super) fn readable<T>(read: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    static TOLD: Once = Once::new();
    match read {
        Err(
            error @ (FromSqlConversionFailure(..)
            | IntegralValueOutOfRange(..)
            | InvalidColumnType(..)
            | Utf8Error(..)),
        ) => {
            TOLD.call_once(
                || tracing::warn!(%error, "attempts in the delivery log are damaged; they are left out"),
            );
            Ok(None)
        }
        other => other.map(Some),
    }
}

/// A number as SQLite compares it; all there are if there is none.
pub(super) fn bound(before: Option<u64>) -> i64 {
    before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX)
}

fn seq(row: &Row<'_>, column: usize) -> rusqlite::Result<Seq> {
    row.get::<_, i64>(column).map(|seq| Seq(seq as u64))
}

pub(super) fn attempt_row(row: &Row<'_>) -> rusqlite::Result<AttemptRow> {
    Ok(AttemptRow { id: row.get::<_, i64>(0)? as u64, attempt: attempt(row)? })
}

fn attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    Ok(Attempt {
        lane: Lane::from_code(row.get(1)?),
        webhook_id: WebhookId(row.get::<_, String>(2)?.into_boxed_str()),
        number: row.get(3)?,
        first: seq(row, 4)?,
        last: seq(row, 5)?,
        events: row.get(6)?,
        body_bytes: row.get::<_, i64>(7)? as u64,
        started_ms: row.get::<_, i64>(8)? as u64,
        took_us: row.get::<_, i64>(9)? as u64,
        status: row.get(10)?,
        verdict: Verdict::from_row(row.get(11)?)?,
        address: row.get(12)?,
        error: row.get(13)?,
        body_sha256: row.get(14)?,
        content_revision: row.get::<_, Option<i64>>(15)?.map(|revision| revision as u64),
    })
}
