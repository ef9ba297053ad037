//! Dead and skipped ranges, bounded.

use crate::LostRow;
use crate::sqlite::state::codes::Code;
use crate::sqlite::state::context::Context;
use crate::sqlite::state::context::Trouble;
use hitwire_courier::{LostRange, LostReason};
use hitwire_event::{IntegrationId, Kind, Lane, Seq};
use rusqlite::types::FromSqlResult;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Dead and skipped ranges that are kept of an integration.
const LOST_OF_EACH_MAX: u64 = 10_000;

const INSERT_LOST: &str =
    "INSERT INTO lost (integration, lane, first, last, events, reason, detail, recorded_ms, kinds)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const EXTEND_LOST: &str = "UPDATE lost SET last = ?4, events = events + ?5, detail = ?6, recorded_ms = ?7
     WHERE id = (SELECT max(id) FROM lost WHERE integration = ?1 AND lane = ?2) AND last = ?3 AND reason = ?8
     AND kinds = ?9";
const SELECT_LOST: &str = "SELECT id, lane, first, last, events, reason, detail, recorded_ms, kinds FROM lost
     WHERE integration = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
const NTH_LOST: &str = "SELECT id FROM lost WHERE integration = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2";

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

/// The dead and skipped ranges of an integration, newest first.
pub(in crate::sqlite) fn lost(
    connection: &Connection,
    id: IntegrationId,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<LostRow>, Trouble> {
    let mut statement = connection.prepare_cached(SELECT_LOST)?;
    let rows = statement.query_map(params![id.0 as i64, bound(before), limit as i64], |row| {
        let lane = Lane::from_code(row.get(1)?);
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
