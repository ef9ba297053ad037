//! The delivery log, and the dead and skipped ranges; both bounded.

use crate::sqlite::state::codes::Code;
use crate::sqlite::state::context::Context;
use crate::sqlite::state::context::Trouble;
use crate::{AttemptRow, LostRow};
use hitwire_courier::{Attempt, LostRange, LostReason, Verdict};
use hitwire_event::{IntegrationId, Kind, Lane, Seq, WebhookId};
use rusqlite::types::FromSqlResult;
use rusqlite::{Connection, OptionalExtension, Row, params};
pub(in crate::sqlite) use search::{one, search};

/// The bounds of the delivery log.
const BOUNDS: Bounds = Bounds { rows: 1_000_000, age_ms: 30 * 86_400_000, of_each: 1_000 };

/// Dead and skipped ranges that are kept of an integration.
const LOST_OF_EACH_MAX: u64 = 10_000;

/// Attempts that go at once with their integration: some 50 ms.
const ATTEMPTS_AT_ONCE: i64 = 5_000;

/// Rows that one step of pruning looks at: some 5 ms, so that settlements do not wait.
const PORTION: u64 = 500;

/// What [`attempt_row`] reads.
macro_rules! attempt_columns {
    () => {
        "id, lane, webhook_id, number, first, last, events, body_bytes, started_ms, took_us, status, verdict, address, error,
         body_sha256, content_revision"
    };
}
use attempt_columns;

mod search;

const INSERT_ATTEMPT: &str =
    "INSERT INTO attempt (integration, lane, webhook_id, number, first, last, events, body_bytes,
     started_ms, took_us, status, verdict, address, error, body_sha256, content_revision)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
const SELECT_ATTEMPTS: &str = concat!(
    "SELECT ",
    attempt_columns!(),
    " FROM attempt WHERE integration = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
);
const SELECT_ATTEMPTS_AFTER: &str =
    concat!("SELECT ", attempt_columns!(), ", integration FROM attempt WHERE id > ?1 ORDER BY id LIMIT ?2");
const DELETE_ATTEMPTS: &str = "DELETE FROM attempt
     WHERE id IN (SELECT id FROM attempt WHERE integration = ?1 ORDER BY id DESC LIMIT ?2)";
const INSERT_LOST: &str =
    "INSERT INTO lost (integration, lane, first, last, events, reason, detail, recorded_ms, kinds)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const EXTEND_LOST: &str = "UPDATE lost SET last = ?4, events = events + ?5, detail = ?6, recorded_ms = ?7
     WHERE id = (SELECT max(id) FROM lost WHERE integration = ?1 AND lane = ?2) AND last = ?3 AND reason = ?8
     AND kinds = ?9";
const SELECT_LOST: &str = "SELECT id, lane, first, last, events, reason, detail, recorded_ms, kinds FROM lost
     WHERE integration = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
const OLDEST_ATTEMPTS: &str =
    "SELECT id, integration, started_ms FROM attempt WHERE id > ?1 ORDER BY id LIMIT ?2";
const NTH_ATTEMPT: &str = "SELECT id FROM attempt WHERE integration = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2";
const NTH_LOST: &str = "SELECT id FROM lost WHERE integration = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2";

/// Adds an attempt to the delivery log.
pub(in crate::sqlite) fn insert_attempt(
    context: &Context<'_>,
    id: u64,
    attempt: &Attempt,
) -> Result<(), Trouble> {
    context.count_attempts(1);
    context.connection.prepare_cached(INSERT_ATTEMPT)?.execute(params![
        id as i64,
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

/// Takes the attempts of an integration away, as many as can go at once.
pub(in crate::sqlite) fn delete_attempts(context: &Context<'_>, id: u64) -> Result<(), Trouble> {
    let mut statement = context.connection.prepare_cached(DELETE_ATTEMPTS)?;
    let deleted = statement.execute(params![id as i64, ATTEMPTS_AT_ONCE])?;
    context.count_attempts(-(deleted as i64));
    Ok(())
}

/// Records a dead or skipped range.
pub(in crate::sqlite) fn insert_lost(
    context: &Context<'_>,
    id: u64,
    range: &LostRange,
) -> Result<(), Trouble> {
    let (connection, now_ms) = (context.connection, context.now_ms);
    context.count_lost(range);
    connection.prepare_cached(INSERT_LOST)?.execute(params![
        id as i64,
        range.lane.code(),
        range.first.0 as i64,
        range.last.0 as i64,
        range.events as i64,
        range.reason.code(),
        range.detail,
        now_ms as i64,
        kind_codes(&range.kinds)
    ])?;
    if let Some(last_kept) = nth(connection, NTH_LOST, id, LOST_OF_EACH_MAX - 1)? {
        let mut statement =
            connection.prepare_cached("DELETE FROM lost WHERE integration = ?1 AND id < ?2")?;
        statement.execute(params![id as i64, last_kept])?;
    }
    Ok(())
}

/// Records what retention takes, or what cannot be read: as long as a lane does not move by itself, and its kinds stay the same,
/// all of it is one range that grows. `cursor`: the position before the range.
pub(in crate::sqlite) fn extend_lost(
    context: &Context<'_>,
    id: u64,
    cursor: u64,
    range: &LostRange,
) -> Result<(), Trouble> {
    let extended = context.connection.prepare_cached(EXTEND_LOST)?.execute(params![
        id as i64,
        range.lane.code(),
        cursor as i64,
        range.last.0 as i64,
        range.events as i64,
        range.detail,
        context.now_ms as i64,
        range.reason.code(),
        kind_codes(&range.kinds)
    ])?;
    if extended == 0 {
        return insert_lost(context, id, range);
    }
    context.count_lost(range);
    Ok(())
}

/// The delivery log of an integration, newest first.
pub(in crate::sqlite) fn attempts(
    connection: &Connection,
    id: IntegrationId,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<AttemptRow>, Trouble> {
    let mut statement = connection.prepare_cached(SELECT_ATTEMPTS)?;
    let rows = statement.query_map(params![id.0 as i64, bound(before), limit as i64], attempt_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The attempts of all integrations after a number, oldest first.
pub(in crate::sqlite) fn attempts_after(
    connection: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<(IntegrationId, AttemptRow)>, Trouble> {
    let mut statement = connection.prepare_cached(SELECT_ATTEMPTS_AFTER)?;
    let rows = statement.query_map(params![bound(Some(after)), limit as i64], |row| {
        Ok((IntegrationId(row.get::<_, i64>(16)? as u64), attempt_row(row)?))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The dead and skipped ranges of an integration, newest first.
pub(in crate::sqlite) fn lost(
    connection: &Connection,
    id: IntegrationId,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<LostRow>, Trouble> {
    let mut statement = connection.prepare_cached(SELECT_LOST)?;
    let rows = statement.query_map(params![id.0 as i64, bound(before), limit as i64], |row| {
        let lane = Lane::from_row(row.get(1)?)?;
        Ok(LostRow {
            id: row.get::<_, i64>(0)? as u64,
            recorded_ms: row.get::<_, i64>(7)? as u64,
            range: LostRange {
                lane,
                kinds: kinds(row.get_ref(8)?.as_blob()?)?,
                first: seq(row, 2)?,
                last: seq(row, 3)?,
                events: row.get::<_, i64>(4)? as u64,
                reason: LostReason::from_row(row.get(5)?)?,
                detail: row.get(6)?,
            },
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Bounds of the delivery log.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Attempts that are kept over all integrations; a million take some 250 MB.
    rows: u64,
    /// Attempts older than this are dropped, in milliseconds.
    age_ms: u64,
    /// The newest attempts of an integration, which neither age nor the others' attempts push out, as long as they fit.
    of_each: u64,
}

/// Keeps the delivery log within its bounds, a portion at a time.
#[derive(Debug)]
pub(in crate::sqlite) struct Pruner {
    bounds: Bounds,
    /// Rows of the delivery log.
    rows: u64,
    /// Rows up to this number were looked at in this round.
    looked_to: i64,
    /// Rows that this round took away; a round that takes none while there are too many must go further.
    taken: u64,
    /// Even the newest attempts of an integration do not fit.
    even_newest: bool,
}

impl Pruner {
    /// For the delivery log as it is.
    pub(in crate::sqlite) fn new(connection: &Connection) -> rusqlite::Result<Self> {
        let rows: i64 = connection.query_row("SELECT count(*) FROM attempt", [], |row| row.get(0))?;
        Ok(Pruner { bounds: BOUNDS, rows: rows as u64, looked_to: 0, taken: 0, even_newest: false })
    }

    /// Counts rows that came or went.
    pub(in crate::sqlite) fn count(&mut self, change: i64) {
        self.rows = self.rows.saturating_add_signed(change);
    }

    /// Looks at the next portion, and takes away what is too much. Runs in a transaction; `true`: there is more to do.
    pub(in crate::sqlite) fn step(&mut self, connection: &Connection, now_ms: u64) -> rusqlite::Result<bool> {
        let oldest_ms = now_ms.saturating_sub(self.bounds.age_ms);
        let mut statement = connection.prepare_cached(OLDEST_ATTEMPTS)?;
        let portion: Vec<(i64, i64, i64)> = statement
            .query_map(params![self.looked_to, PORTION as i64], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        let mut thresholds: Vec<(i64, Option<i64>)> = Vec::new();
        let mut reached_young = false;
        for &(id, integration, started_ms) in &portion {
            let too_many = self.rows > self.bounds.rows;
            if !too_many && started_ms as u64 >= oldest_ms {
                reached_young = true;
                break;
            }
            let threshold =
                if let Some((_, threshold)) = thresholds.iter().find(|(known, _)| *known == integration) {
                    *threshold
                } else {
                    let threshold = first_kept(connection, integration, self.bounds.of_each)?;
                    thresholds.push((integration, threshold));
                    threshold
                };
            if threshold.is_none_or(|threshold| id < threshold) || (too_many && self.even_newest) {
                connection.prepare_cached("DELETE FROM attempt WHERE id = ?1")?.execute([id])?;
                self.rows = self.rows.saturating_sub(1);
                self.taken += 1;
            }
            self.looked_to = id;
        }
        let ended = reached_young || (portion.len() as u64) < PORTION;
        if ended {
            self.even_newest = self.rows > self.bounds.rows && self.taken == 0;
            self.looked_to = 0;
            self.taken = 0;
        }
        Ok(!ended || self.even_newest)
    }
}

/// The first attempt of an integration that is kept whatever comes; `None`: none is, as the integration is gone.
fn first_kept(connection: &Connection, integration: i64, of_each: u64) -> rusqlite::Result<Option<i64>> {
    let mut exists = connection.prepare_cached("SELECT 1 FROM integration WHERE id = ?1")?;
    if !exists.exists([integration])? {
        return Ok(None);
    }
    Ok(Some(nth(connection, NTH_ATTEMPT, integration as u64, of_each - 1)?.unwrap_or(0)))
}

/// The number of the row that has this many newer ones of the same integration.
fn nth(connection: &Connection, sql: &str, id: u64, newer: u64) -> rusqlite::Result<Option<i64>> {
    connection.prepare_cached(sql)?.query_row(params![id as i64, newer as i64], |row| row.get(0)).optional()
}

/// Kinds as they are written down: the number of each, in ascending order.
fn kind_codes(kinds: &[Kind]) -> Vec<u8> {
    let mut codes: Vec<u8> = kinds.iter().map(|kind| kind.code()).collect();
    codes.sort_unstable();
    codes
}

/// The kinds that were written down.
fn kinds(codes: &[u8]) -> FromSqlResult<Vec<Kind>> {
    codes.iter().map(|&code| Kind::from_row(code.into())).collect()
}

fn bound(before: Option<u64>) -> i64 {
    before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX)
}

fn seq(row: &Row<'_>, column: usize) -> rusqlite::Result<Seq> {
    row.get::<_, i64>(column).map(|seq| Seq(seq as u64))
}

fn attempt_row(row: &Row<'_>) -> rusqlite::Result<AttemptRow> {
    Ok(AttemptRow { id: row.get::<_, i64>(0)? as u64, attempt: attempt(row)? })
}

fn attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    Ok(Attempt {
        lane: Lane::from_row(row.get(1)?)?,
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

#[cfg(test)]
mod tests;
