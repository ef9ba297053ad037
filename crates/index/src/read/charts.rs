//! Counts, tops and rollups, as charts show them.

use crate::sql;
use crate::write::rollups::{self, Rollup};
use crate::write::tops::{self, TOP_COUNTERS, TopOf};
use hitwire_courier::Verdict;
use hitwire_event::{ClientId, IntegrationId, Kind};
use rusqlite::{Connection, params};
use std::collections::HashMap;

/// Minutes of one answer.
const MINUTES_MAX: u64 = 1_440;

/// Hours of one answer: with [`TOP_COUNTERS`] each they are less than 5,000 rows.
const HOURS_MAX: u64 = 24;

/// Integrations of one answer: with 24 hours each they are less than 5,000 rows.
const INTEGRATIONS_MAX: usize = 100;

/// Events of a client that came in a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinuteCount {
    /// Unix seconds at which the minute begins.
    pub start_s: u64,
    /// The kind.
    pub kind: Kind,
    /// The type of a hit, or `other`; empty for the other kinds.
    pub type_code: String,
    /// How many.
    pub events: u64,
}

/// A frequent value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Top {
    /// The value, as the events say it.
    pub value: String,
    /// How many events had it, rather too many than too few.
    pub events: u64,
    /// So many of them may have been others.
    pub error: u64,
}

/// The most frequent values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tops {
    /// The most frequent first; no more than an hour has counters.
    pub values: Vec<Top>,
}

/// How the requests of an integration went in the last 24 hours.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// Which.
    pub integration: IntegrationId,
    /// Requests that were answered with success.
    pub delivered: u64,
    /// Those that were not.
    pub failed: u64,
    /// Events that were delivered.
    pub events: u64,
    /// The hours, the oldest first; the last one is not over.
    pub hours: Vec<Point>,
}

impl Health {
    /// The share of requests that succeeded, 0 to 1; none: there were none.
    pub fn success(&self) -> Option<f64> {
        let all = self.delivered + self.failed;
        (all > 0).then(|| self.delivered as f64 / all as f64)
    }
}

/// Requests in a stretch of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    /// Unix seconds at which it begins.
    pub start_s: u64,
    /// Requests that succeeded.
    pub delivered: u64,
    /// Those to an endpoint that is unwell.
    pub sick: u64,
    /// Those whose batch was refused.
    pub refused: u64,
    /// Those answered with 410.
    pub gone: u64,
    /// Events that were delivered.
    pub events: u64,
    /// Milliseconds that half of the requests took at most; see [`Latencies`](crate::Latencies) for how exact.
    pub p50_ms: Option<f64>,
    /// The same of 95 in a hundred.
    pub p95_ms: Option<f64>,
    /// Milliseconds that the oldest event of a delivered batch had been in the log: the longest of them.
    pub lag_ms: Option<u64>,
}

/// How far back a chart goes, and how fine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Range {
    /// 60 minutes, by the minute.
    #[default]
    Hour,
    /// 24 hours, by ten minutes.
    Day,
    /// 7 days, by the hour.
    Week,
}

impl Range {
    /// All of them.
    pub const ALL: [Range; 3] = [Range::Hour, Range::Day, Range::Week];

    /// `1h`, `24h`, `7d`.
    pub const fn name(self) -> &'static str {
        match self {
            Range::Hour => "1h",
            Range::Day => "24h",
            Range::Week => "7d",
        }
    }

    /// The range with this name.
    pub fn named(name: &str) -> Option<Range> {
        Range::ALL.into_iter().find(|range| range.name() == name)
    }

    /// Minutes of a point, and points.
    const fn shape(self) -> (u64, u64) {
        match self {
            Range::Hour => (1, 60),
            Range::Day => (10, 144),
            Range::Week => (60, 168),
        }
    }
}

pub(super) fn per_minute(
    connection: &Connection,
    client: ClientId,
    minutes: u64,
    now_ms: u64,
) -> rusqlite::Result<Vec<MinuteCount>> {
    let now = now_ms / 60_000;
    let mut statement = connection.prepare_cached(sql::MINUTE)?;
    let mut counts = Vec::new();
    for minute in (now + 1).saturating_sub(minutes.min(MINUTES_MAX))..=now {
        let mut rows = statement.query(params![minute as i64, client.0 as i64])?;
        while let Some(row) = rows.next()? {
            let Some(kind) = Kind::from_code(row.get(0)?) else { continue };
            let events = row.get::<_, i64>(2)? as u64;
            counts.push(MinuteCount { start_s: minute * 60, kind, type_code: row.get(1)?, events });
        }
    }
    Ok(counts)
}

pub(super) fn tops(
    connection: &Connection,
    client: ClientId,
    what: TopOf,
    hours: u64,
    now_ms: u64,
) -> rusqlite::Result<Tops> {
    let now = now_ms / 3_600_000;
    // In an hour whose counters are all in use, a value without one may have had as many events as the smallest.
    let mut missed_in_all = 0;
    let mut sums: HashMap<String, (i64, i64)> = HashMap::new();
    for hour in (now + 1).saturating_sub(hours.min(HOURS_MAX))..=now {
        let counted = tops::read(connection, hour, client, what)?;
        let missed = if counted.len() < TOP_COUNTERS { 0 } else { smallest(&counted) as i64 };
        missed_in_all += missed;
        for (value, events, error) in counted {
            let (sum, errors) = sums.entry(value).or_default();
            *sum += events as i64 - missed;
            *errors += error as i64 - missed;
        }
    }
    let top = |(value, (events, error))| Top {
        value,
        events: (missed_in_all + events) as u64,
        error: (missed_in_all + error) as u64,
    };
    let mut values: Vec<Top> = sums.into_iter().map(top).collect();
    values.sort_by(|a, b| b.events.cmp(&a.events).then_with(|| a.value.cmp(&b.value)));
    values.truncate(TOP_COUNTERS);
    Ok(Tops { values })
}

fn smallest(counted: &[(String, u64, u64)]) -> u64 {
    counted.iter().map(|(_, events, _)| *events).min().unwrap_or_default()
}

pub(super) fn health(
    connection: &Connection,
    integrations: &[IntegrationId],
    now_ms: u64,
) -> rusqlite::Result<Vec<Health>> {
    let hour = now_ms / 3_600_000;
    let mut answer = Vec::with_capacity(integrations.len().min(INTEGRATIONS_MAX));
    for &integration in integrations.iter().take(INTEGRATIONS_MAX) {
        let (mut all, mut hours) = (Rollup::default(), Vec::with_capacity(24));
        for hour in (hour + 1).saturating_sub(24)..=hour {
            let rollup = rollups::read(connection, 60, hour * 60, integration)?.unwrap_or_default();
            all.merge(&rollup);
            hours.push(Point::of(hour * 60, &rollup));
        }
        let delivered = all.of(Verdict::Delivered);
        let failed = all.by_verdict.iter().sum::<u64>() - delivered;
        answer.push(Health { integration, delivered, failed, events: all.events, hours });
    }
    Ok(answer)
}

pub(super) fn series(
    connection: &Connection,
    integration: IntegrationId,
    range: Range,
    now_ms: u64,
) -> rusqlite::Result<Vec<Point>> {
    let (minutes, points) = range.shape();
    let last = now_ms / 60_000 / minutes;
    ((last + 1).saturating_sub(points)..=last)
        .map(|at| {
            let start = at * minutes;
            let rollup = rollups::read(connection, minutes, start, integration)?.unwrap_or_default();
            Ok(Point::of(start, &rollup))
        })
        .collect()
}

impl Point {
    fn of(start_minute: u64, rollup: &Rollup) -> Point {
        Point {
            start_s: start_minute * 60,
            delivered: rollup.of(Verdict::Delivered),
            sick: rollup.of(Verdict::Sick),
            refused: rollup.of(Verdict::Refused),
            gone: rollup.of(Verdict::Gone),
            events: rollup.events,
            p50_ms: rollup.latencies.quantile_ms(0.5),
            p95_ms: rollup.latencies.quantile_ms(0.95),
            lag_ms: rollup.lag_ms,
        }
    }

    /// Requests that did not succeed.
    pub fn failed(&self) -> u64 {
        self.sick + self.refused + self.gone
    }
}
