//! Attempts of an integration by what they came to, when they ended, and which event was in them.

use super::rows::{attempt_columns, attempt_row, bound, readable};
use crate::{AttemptPage, AttemptQuery, AttemptRow};
use hitwire_courier::{Attempt, Verdict};
use hitwire_event::IntegrationId;
use rusqlite::{Connection, OptionalExtension, params};

/// Rows that one search looks at, some 10 ms; it goes on with the next page.
pub(super) const LOOKED_AT_MAX: usize = 5_000;

pub(super) const SELECT_ONE: &str =
    concat!("SELECT ", attempt_columns!(), " FROM attempt WHERE id = ?2 AND integration = ?1");
pub(super) const SELECT_ANY: &str = concat!(
    "SELECT ",
    attempt_columns!(),
    " FROM attempt INDEXED BY attempt_by_integration
     WHERE integration = ?1 AND id < ?2 AND id >= ?3 ORDER BY id DESC LIMIT ?4"
);
pub(super) const SELECT_FAILED: &str = concat!(
    "SELECT ",
    attempt_columns!(),
    " FROM attempt INDEXED BY attempt_failed
     WHERE integration = ?1 AND id < ?2 AND id >= ?3 AND verdict <> 1 ORDER BY id DESC LIMIT ?4"
);
/// Those that end at the event come first.
pub(super) const SELECT_AROUND: &str = concat!(
    "SELECT ",
    attempt_columns!(),
    " FROM attempt INDEXED BY attempt_by_last WHERE integration = ?1 AND last >= ?2 ORDER BY last LIMIT ?3"
);
pub(super) const SELECT_ENDED: &str =
    "SELECT id, started_ms + took_us / 1000 FROM attempt INDEXED BY attempt_by_integration
     WHERE integration = ?1 AND id >= ?2 ORDER BY id LIMIT 1";
pub(super) const SELECT_NEWEST: &str =
    "SELECT max(id) FROM attempt INDEXED BY attempt_by_integration WHERE integration = ?1";

/// One attempt.
pub(in crate::sqlite) fn one(
    connection: &Connection,
    integration: IntegrationId,
    id: u64,
) -> rusqlite::Result<Option<AttemptRow>> {
    let Ok(id) = i64::try_from(id) else { return Ok(None) };
    let mut statement = connection.prepare_cached(SELECT_ONE)?;
    let found = statement.query_row(params![integration.0 as i64, id], attempt_row).optional();
    Ok(readable(found)?.flatten())
}

/// The attempts that are wanted, newest first. A page ends early when it had to look at too many rows for it.
pub(in crate::sqlite) fn search(
    connection: &Connection,
    query: &AttemptQuery,
) -> rusqlite::Result<AttemptPage> {
    let id = query.integration.0 as i64;
    let mut before = bound(query.before);
    if let Some(until_ms) = query.ended_before_ms {
        before = before.min(first_ended(connection, id, until_ms)?);
    }
    let from = match query.ended_from_ms {
        Some(from_ms) => first_ended(connection, id, from_ms)?,
        None => 0,
    };
    if query.seq.is_some() {
        return around(connection, query, from, before);
    }
    let sql = if query.is_of_failures() { SELECT_FAILED } else { SELECT_ANY };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![id, before, from, LOOKED_AT_MAX as i64])?;
    let mut page = AttemptPage::default();
    let mut looked_at = 0;
    while let Some(row) = rows.next()? {
        let id = row.get::<_, i64>(0)? as u64;
        looked_at += 1;
        let is_last = looked_at == LOOKED_AT_MAX;
        page.rows.extend(readable(attempt_row(row))?.filter(|row| query.matches(&row.attempt)));
        if is_last || page.rows.len() >= query.limit {
            page.next = Some(id);
            break;
        }
    }
    Ok(page)
}

/// The attempts that the event of a position was in: some batches at most, each tried some times.
fn around(
    connection: &Connection,
    query: &AttemptQuery,
    from: i64,
    before: i64,
) -> rusqlite::Result<AttemptPage> {
    let seq = query.seq.map_or(0, |seq| i64::try_from(seq.0).unwrap_or(i64::MAX));
    let mut statement = connection.prepare_cached(SELECT_AROUND)?;
    let values = params![query.integration.0 as i64, seq, LOOKED_AT_MAX as i64];
    let is_wanted =
        |row: &AttemptRow| (from..before).contains(&(row.id as i64)) && query.matches(&row.attempt);
    let mut found = Vec::new();
    for row in statement.query_map(values, attempt_row)? {
        found.extend(readable(row)?.filter(is_wanted));
    }
    found.sort_unstable_by_key(|row| std::cmp::Reverse(row.id));
    let more = found.len() > query.limit;
    found.truncate(query.limit);
    let next = found.last().filter(|_| more).map(|row| row.id);
    Ok(AttemptPage { rows: found, next })
}

/// The first attempt that ended at this time or later; one past the last if there is none. Attempts are recorded in the order in
/// which they end, so a few looks find it; where the clock was set back, it may be one of several.
fn first_ended(connection: &Connection, integration: i64, ms: u64) -> rusqlite::Result<i64> {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    let newest: Option<i64> =
        connection.prepare_cached(SELECT_NEWEST)?.query_row([integration], |row| row.get(0))?;
    let (mut low, mut high) = (0, newest.map_or(0, |newest| newest + 1));
    let mut statement = connection.prepare_cached(SELECT_ENDED)?;
    while low < high {
        let middle = low + (high - low) / 2;
        let found = statement.query_row(params![integration, middle], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        });
        match readable(found.optional())?.flatten() {
            Some((id, ended_ms)) if ended_ms < ms => low = id + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

impl AttemptQuery {
    /// Whether only failures can match, so that successes need not be looked at.
    fn is_of_failures(&self) -> bool {
        let outcomes = !self.verdicts.is_empty() && !self.verdicts.contains(&Verdict::Delivered);
        let statuses =
            self.statuses.as_ref().is_some_and(|range| *range.start() >= 300 || *range.end() < 200);
        outcomes || statuses
    }

    fn matches(&self, attempt: &Attempt) -> bool {
        let ended_ms = attempt.started_ms.saturating_add(attempt.took_us / 1_000);
        (self.verdicts.is_empty() || self.verdicts.contains(&attempt.verdict))
            && self
                .statuses
                .as_ref()
                .is_none_or(|range| attempt.status.is_some_and(|status| range.contains(&status)))
            && self.ended_from_ms.is_none_or(|from| ended_ms >= from)
            && self.ended_before_ms.is_none_or(|until| ended_ms < until)
            && self.seq.is_none_or(|seq| attempt.first <= seq && seq <= attempt.last)
            && self.lane.is_none_or(|lane| attempt.lane == lane)
            && self.webhook_id.as_ref().is_none_or(|id| attempt.webhook_id == *id)
    }
}
