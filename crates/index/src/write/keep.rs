//! Keeping the file within its bounds, a small step at a time.

use super::rollups::WIDTHS;
use super::{ATTEMPTS, EVENTS, Writer};
use crate::file::{meta, put_meta};
use crate::sql;
use hitwire_event::Seq;
use rusqlite::{Connection, params};

/// How long minutes are kept: a day, and some for those who look at the end of it.
pub(crate) const MINUTES_KEPT: u64 = 26 * 60;

/// How long tops are kept.
pub(crate) const HOURS_KEPT: u64 = 8 * 24;

/// Rows that one statement takes away: some 10 ms.
const PORTION: i64 = 2_000;

impl Writer {
    /// Takes away what is too much or too old: one volume, and a portion of each other thing. `oldest` is the first position
    /// that is still in the log; behind `beyond` lie as many events as the file is meant to hold. `true`: there is more to do.
    pub(crate) fn keep(&mut self, oldest: Seq, beyond: Seq, now_ms: u64) -> rusqlite::Result<bool> {
        let mut more = false;
        let transaction = self.connection.unchecked_transaction()?;
        if oldest > self.state.oldest {
            put_meta(&transaction, meta::OLDEST, oldest.0 as i64)?;
        }
        let too_large = bytes(&transaction)? > self.bounds.bytes;
        let gone = self.event_volumes.first().copied().filter(|number| {
            (number + 1) * self.bounds.volume <= oldest.max(beyond.next()).0
                || (too_large && self.event_volumes.len() > 1)
        });
        let mut floor = self.state.floor;
        if let Some(number) = gone {
            drop_volume(&transaction, EVENTS, number)?;
            floor = floor.max(Seq((number + 1) * self.bounds.volume));
            put_meta(&transaction, meta::FLOOR, floor.0 as i64)?;
            more = true;
        }
        let attempts_gone = self.attempt_volumes.first().copied().filter(|_| {
            self.attempt_volumes.len() as u64 > self.bounds.attempt_volumes
                || (too_large && self.attempt_volumes.len() > 1)
        });
        if let Some(number) = attempts_gone {
            drop_volume(&transaction, ATTEMPTS, number)?;
            more = true;
        }
        // With a single volume left, what is too large are counts: of more clients or integrations than there is room for.
        let crowded = too_large && gone.is_none();
        let share = |kept: u64| if crowded { kept / 4 } else { kept };
        let minute = now_ms / 60_000;
        let mut taken =
            drop_older(&transaction, sql::DROP_MINUTES, minute.saturating_sub(share(MINUTES_KEPT)))?;
        taken += drop_older(&transaction, sql::DROP_TOPS, (minute / 60).saturating_sub(share(HOURS_KEPT)))?;
        // A mark is needed as long as its events are here; they are few, so those of the oldest hours go with the tops.
        taken += drop_older(&transaction, sql::DROP_MARKS, minute.saturating_sub(31 * 24 * 60))?;
        for (minutes, kept) in WIDTHS {
            let mut statement = transaction.prepare_cached(sql::DROP_ROLLUPS)?;
            let before = minute.saturating_sub(share(kept));
            taken += statement.execute(params![minutes as i64, before as i64, PORTION])?;
        }
        transaction.commit()?;
        self.state.oldest = self.state.oldest.max(oldest);
        self.state.floor = floor;
        if let Some(number) = gone {
            self.event_volumes.remove(&number);
        }
        if let Some(number) = attempts_gone {
            self.attempt_volumes.remove(&number);
        }
        Ok(more || taken as i64 >= PORTION)
    }
}

fn drop_volume(connection: &Connection, what: u8, number: u64) -> rusqlite::Result<()> {
    let table = if what == EVENTS { "event" } else { "attempt" };
    connection.execute_batch(&format!("DROP TABLE {table}_{number}"))?;
    connection.prepare_cached(sql::DROP_VOLUME)?.execute(params![what, number as i64])?;
    Ok(())
}

fn drop_older(connection: &Connection, sql: &str, before: u64) -> rusqlite::Result<usize> {
    connection.prepare_cached(sql)?.execute(params![before as i64, PORTION])
}

/// Bytes of the file that are in use.
fn bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let used = pragma("page_count")? - pragma("freelist_count")?;
    Ok((used * pragma("page_size")?) as u64)
}
