//! Keeps the delivery log within its bounds.

use super::rows::readable;
use rusqlite::{Connection, OptionalExtension, params};

/// The bounds of the delivery log.
pub(super) const BOUNDS: Bounds = Bounds { rows: 1_000_000, age_ms: 30 * 86_400_000, of_each: 1_000 };

/// Rows that one step of pruning looks at: some 5 ms, so that attempts do not wait long.
const PORTION: u64 = 500;

const OLDEST: &str = "SELECT id, integration, started_ms FROM attempt WHERE id > ?1 ORDER BY id LIMIT ?2";
const NTH: &str = "SELECT id FROM attempt WHERE integration = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2";

/// Bounds of the delivery log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Attempts that are kept over all integrations; a million take some 250 MB.
    pub rows: u64,
    /// Attempts older than this are dropped, in milliseconds.
    pub age_ms: u64,
    /// The newest attempts of an integration, which neither age nor the others' attempts push out, as long as they fit.
    pub of_each: u64,
}

/// Keeps the delivery log within its bounds, a portion at a time.
#[derive(Debug)]
pub(super) struct Pruner {
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
    pub(super) fn new(connection: &Connection) -> rusqlite::Result<Self> {
        Pruner::within(BOUNDS, connection)
    }

    pub(super) fn within(bounds: Bounds, connection: &Connection) -> rusqlite::Result<Self> {
        let rows: i64 = connection.query_row("SELECT count(*) FROM attempt", [], |row| row.get(0))?;
        Ok(Pruner { bounds, rows: rows as u64, looked_to: 0, taken: 0, even_newest: false })
    }

    /// Counts rows that came or went.
    pub(super) fn count(&mut self, change: i64) {
        self.rows = self.rows.saturating_add_signed(change);
    }

    /// Whether there are too many rows.
    pub(super) fn is_over(&self) -> bool {
        self.rows > self.bounds.rows
    }

    /// Looks at the next portion, and takes away what is too much. Runs in a transaction; `true`: there is more to do.
    pub(super) fn step(&mut self, connection: &Connection, now_ms: u64) -> rusqlite::Result<bool> {
        let oldest_ms = now_ms.saturating_sub(self.bounds.age_ms);
        let mut statement = connection.prepare_cached(OLDEST)?;
        let portion: Vec<(i64, Option<(i64, i64)>)> = statement
            .query_map(params![self.looked_to, PORTION as i64], |row| {
                let whose_and_when = row.get(1).and_then(|integration| Ok((integration, row.get(2)?)));
                Ok((row.get(0)?, readable(whose_and_when)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        let mut thresholds: Vec<(i64, i64)> = Vec::new();
        let mut reached_young = false;
        for &(id, whose_and_when) in &portion {
            let Some((integration, started_ms)) = whose_and_when else {
                self.take(connection, id)?;
                self.looked_to = id;
                continue;
            };
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
            if id < threshold || (too_many && self.even_newest) {
                self.take(connection, id)?;
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

    fn take(&mut self, connection: &Connection, id: i64) -> rusqlite::Result<()> {
        connection.prepare_cached("DELETE FROM attempt WHERE id = ?1")?.execute([id])?;
        self.rows = self.rows.saturating_sub(1);
        self.taken += 1;
        Ok(())
    }
}

/// The newest attempt of an integration that has as many newer ones as are kept whatever comes; 0: it has no more than those.
fn first_kept(connection: &Connection, integration: i64, of_each: u64) -> rusqlite::Result<i64> {
    let mut nth = connection.prepare_cached(NTH)?;
    let found = nth.query_row(params![integration, (of_each - 1) as i64], |row| row.get(0)).optional()?;
    Ok(found.unwrap_or(0))
}
