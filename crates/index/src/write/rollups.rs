//! Requests of each integration by the minute, by ten minutes and by the hour.

use super::verdict_code;
use crate::latency::Latencies;
use crate::sql;
use hitwire_courier::{Attempt, Verdict};
use hitwire_event::IntegrationId;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// How wide a rollup is, in minutes, and for how many minutes it is kept.
pub(crate) const WIDTHS: [(u64, u64); 3] = [(1, 2 * 60), (10, 2 * 24 * 60), (60, 8 * 24 * 60)];

/// Requests of an integration in a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rollup {
    /// By [`verdict_code`], less one.
    pub(crate) by_verdict: [u64; 4],
    /// Events that were delivered.
    pub(crate) events: u64,
    /// The longest that an event had waited when it was delivered.
    pub(crate) lag_ms: Option<u64>,
    /// Of all requests.
    pub(crate) latencies: Latencies,
}

impl Rollup {
    /// Adds another one.
    pub(crate) fn merge(&mut self, other: &Rollup) {
        for (count, more) in self.by_verdict.iter_mut().zip(other.by_verdict) {
            *count += more;
        }
        self.events += other.events;
        self.lag_ms = self.lag_ms.max(other.lag_ms);
        self.latencies.merge(&other.latencies);
    }

    /// Requests with this verdict.
    pub(crate) fn of(&self, verdict: Verdict) -> u64 {
        self.by_verdict[usize::from(verdict_code(verdict)) - 1]
    }
}

/// The rollup of so many minutes from a minute on.
pub(crate) fn read(
    connection: &Connection,
    minutes: u64,
    start: u64,
    integration: IntegrationId,
) -> rusqlite::Result<Option<Rollup>> {
    let mut statement = connection.prepare_cached(sql::ROLLUP)?;
    let key = params![minutes as i64, start as i64, integration.0 as i64];
    statement
        .query_row(key, |row| {
            let count = |column| row.get::<_, i64>(column).map(|count| count as u64);
            Ok(Rollup {
                by_verdict: [count(0)?, count(1)?, count(2)?, count(3)?],
                events: count(4)?,
                lag_ms: row.get::<_, Option<i64>>(5)?.map(|lag_ms| lag_ms as u64),
                latencies: Latencies::from_bytes(row.get_ref(6)?.as_blob()?),
            })
        })
        .optional()
}

/// The rollups that a portion of attempts changes.
#[derive(Debug, Default)]
pub(super) struct Rollups(BTreeMap<(u64, u64, IntegrationId), Rollup>);

impl Rollups {
    /// Counts an attempt.
    pub(super) fn count(
        &mut self,
        connection: &Connection,
        integration: IntegrationId,
        attempt: &Attempt,
        ended_ms: u64,
        waited_ms: Option<u64>,
        now_ms: u64,
    ) -> rusqlite::Result<()> {
        let minute = ended_ms / 60_000;
        for (minutes, kept) in WIDTHS {
            let start = minute / minutes * minutes;
            if start + kept < now_ms / 60_000 {
                continue;
            }
            let key = (minutes, start, integration);
            let rollup = match self.0.entry(key) {
                Entry::Occupied(kept) => kept.into_mut(),
                Entry::Vacant(free) => {
                    free.insert(read(connection, minutes, start, integration)?.unwrap_or_default())
                }
            };
            rollup.by_verdict[usize::from(verdict_code(attempt.verdict)) - 1] += 1;
            if attempt.verdict == Verdict::Delivered {
                rollup.events += u64::from(attempt.events);
            }
            rollup.lag_ms = rollup.lag_ms.max(waited_ms);
            rollup.latencies.add(attempt.took_us);
        }
        Ok(())
    }

    /// Writes them down.
    pub(super) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(sql::PUT_ROLLUP)?;
        for ((minutes, start, integration), rollup) in &self.0 {
            let [delivered, sick, refused, gone] = rollup.by_verdict.map(|count| count as i64);
            statement.execute(params![
                *minutes as i64,
                *start as i64,
                integration.0 as i64,
                delivered,
                sick,
                refused,
                gone,
                rollup.events as i64,
                rollup.lag_ms.map(|lag_ms| lag_ms as i64),
                rollup.latencies.to_bytes()
            ])?;
        }
        Ok(())
    }
}
