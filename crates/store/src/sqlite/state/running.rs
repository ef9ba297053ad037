//! How old positions of the log are, in time that hitwire ran.
//!
//! What is owed to receivers must not be given up because the host was off, or because the wall clock was set. So ages are
//! not taken from the events' times: each minute, and at the end, the state notes for how long hitwire has run in all, and
//! where the log ended then. A position is at least as old as the first note that reaches it.

use super::context::Trouble;
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;

const PUT_SUM: &str = "INSERT INTO meta (name, value) VALUES ('running_ms', ?1)
     ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)";
const SUM: &str = "SELECT value FROM meta WHERE name = 'running_ms'";
/// A log that has not moved on since the last note needs no other one.
const INSERT: &str = "INSERT OR IGNORE INTO running (ran_ms, head)
     SELECT ?1, ?2 WHERE ?2 > coalesce((SELECT head FROM running WHERE ran_ms <= ?1 ORDER BY ran_ms DESC LIMIT 1), 0)";
const HEAD: &str = "SELECT head FROM running WHERE ran_ms <= ?1 ORDER BY ran_ms DESC LIMIT 1";
/// Of each hour in this range the last note stays.
const THIN: &str = "DELETE FROM running WHERE ran_ms BETWEEN ?1 AND ?2 AND EXISTS (
         SELECT 1 FROM running AS later
         WHERE later.ran_ms > running.ran_ms AND later.ran_ms < (running.ran_ms / 3600000 + 1) * 3600000)";
const DELETE_OLD: &str = "DELETE FROM running WHERE ran_ms < ?1";
const DELETE_AFTER: &str = "DELETE FROM running WHERE head > ?1";

/// Notes of each minute are kept for so long: the longest time after which a courier gives up is 72 h.
const MINUTES_KEPT: Duration = Duration::from_hours(4 * 24);

/// Notes of each hour are kept for so long; with those of each minute at most 15,400 rows. A position that is older counts
/// as old as the oldest note that is left.
const HOURS_KEPT: Duration = Duration::from_hours(400 * 24);

/// Notes are thinned out as they come, so those to look at are no older than this past [`MINUTES_KEPT`].
const THINNED_WITHIN: Duration = Duration::from_hours(24);

/// How long hitwire has run in all before this start.
pub(in crate::sqlite) fn before(connection: &Connection) -> rusqlite::Result<Duration> {
    let sum: Option<i64> = connection.query_row(SUM, [], |row| row.get(0)).optional()?;
    Ok(Duration::from_millis(sum.and_then(|sum| u64::try_from(sum).ok()).unwrap_or(0)))
}

/// Forgets notes of positions that the log does not have (any more): they are given to events that are yet to come.
pub(in crate::sqlite) fn forget_after(connection: &Connection, head: u64) -> rusqlite::Result<()> {
    connection.execute(DELETE_AFTER, [head as i64]).map(|_| ())
}

/// Notes that hitwire has run for so long in all, and that the log ends at `head`.
pub(in crate::sqlite) fn note(connection: &Connection, ran: Duration, head: u64) -> Result<(), Trouble> {
    let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    connection.prepare_cached(PUT_SUM)?.execute([ms(ran)])?;
    connection.prepare_cached(INSERT)?.execute(params![ms(ran), head as i64])?;
    if let Some(thin_to) = ran.checked_sub(MINUTES_KEPT) {
        let thin_from = thin_to.saturating_sub(THINNED_WITHIN);
        connection.prepare_cached(THIN)?.execute([ms(thin_from), ms(thin_to)])?;
    }
    connection.prepare_cached(DELETE_OLD)?.execute([ms(ran.saturating_sub(HOURS_KEPT))])?;
    Ok(())
}

/// The last position that is known to have been in the log when hitwire had run for so long in all; 0 if none is.
pub(in crate::sqlite) fn head_at(connection: &Connection, ran: Duration) -> Result<u64, Trouble> {
    let ran_ms = i64::try_from(ran.as_millis()).unwrap_or(i64::MAX);
    let head: Option<i64> =
        connection.prepare_cached(HEAD)?.query_row([ran_ms], |row| row.get(0)).optional()?;
    Ok(head.unwrap_or(0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::schema::{self, Access, Kind};

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn notes_of_a_long_life_are_few_and_ages_stay_right_within_an_hour() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        schema::create(&path, Kind::State, |_| Ok(())).unwrap();
        let state = schema::open(&path, Kind::State, Access::Write).unwrap();
        let transaction = state.unchecked_transaction().unwrap();
        let days = 20;
        for minute in 1..=days * 24 * 60 {
            note(&transaction, MINUTE * minute, u64::from(minute) * 10).unwrap();
        }
        let rows: u32 = transaction.query_row("SELECT count(*) FROM running", [], |row| row.get(0)).unwrap();
        assert!(rows <= 4 * 24 * 60 + 16 * 24 + 60, "{rows}");
        let now = days * 24 * 60;
        for minutes_ago in [0, 1, 60, 72 * 60, 5 * 24 * 60, 19 * 24 * 60] {
            let known = head_at(&transaction, MINUTE * (now - minutes_ago)).unwrap() / 10;
            let behind = u64::from(now - minutes_ago) - known;
            let most = if minutes_ago <= 4 * 24 * 60 { 0 } else { 60 };
            assert!(behind <= most, "{minutes_ago} minutes ago: {behind} minutes behind");
        }
        assert_eq!(before(&transaction).unwrap(), MINUTE * now);
    }

    #[test]
    fn positions_that_are_given_anew_are_young() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        schema::create(&path, Kind::State, |_| Ok(())).unwrap();
        let state = schema::open(&path, Kind::State, Access::Write).unwrap();
        note(&state, MINUTE, 10).unwrap();
        note(&state, MINUTE * 2, 20).unwrap();
        forget_after(&state, 10).unwrap();
        assert_eq!(head_at(&state, MINUTE * 9).unwrap(), 10);
    }
}
