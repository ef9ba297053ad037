//! What events and attempts add to the file, each portion in one transaction with the position that it ends at.

mod keep;
pub(crate) mod rollups;
pub(crate) mod tops;

use crate::file::{self, get_meta, meta, put_meta};
use crate::options::Bounds;
use crate::row::{EventRow, address_bytes, id_key, webhook_key};
use crate::sql;
use hitwire_courier::Verdict;
use hitwire_event::hit::BlockStatus;
use hitwire_event::{IntegrationId, Kind, Record, Seq};
use hitwire_store::AttemptRow;
use rollups::Rollups;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tops::Sketches;

/// In the table `volume`.
pub(crate) const EVENTS: u8 = 1;
pub(crate) const ATTEMPTS: u8 = 2;

/// The attack types that minutes are counted by. A code may be anything that a caller sends: the others are counted as
/// [`OTHER_TYPE`], so that nobody can make rows without end.
const COUNTED_TYPES: [&str; 32] = [
    "sqli",
    "nosqli",
    "rce",
    "ssi",
    "ssti",
    "ldapi",
    "mail_injection",
    "ssrf",
    "ptrav",
    "xxe",
    "scanner",
    "xss",
    "redir",
    "crlf",
    "brute",
    "bola",
    "dirbust",
    "mass_assignment",
    "api_abuse",
    "data_bomb",
    "invalid_xml",
    "processing_overlimit",
    "overlimit_res",
    "blocked_source",
    "vpatch",
    "credential_stuffing",
    "file_upload_violation",
    "dos",
    "query_anomaly",
    "graphql_attacks",
    "infoleak",
    "idor",
];

/// Stands for every other type.
const OTHER_TYPE: &str = "other";

/// What is to be added.
#[derive(Debug, Default)]
pub(crate) struct Portion {
    /// Events that follow the position of the index, in order.
    pub(crate) records: Vec<Arc<Record>>,
    /// Everything of the log up to here is among them, or was before.
    pub(crate) scanned_to: Seq,
    /// Attempts that follow the last one, in order.
    pub(crate) attempts: Vec<(IntegrationId, AttemptRow)>,
}

/// The one who writes the file.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    bounds: Bounds,
    connection: Connection,
    sketches: Sketches,
    state: State,
    event_volumes: BTreeSet<u64>,
    attempt_volumes: BTreeSet<u64>,
}

/// How far the file is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) seq: Seq,
    /// The event there, if it is known.
    pub(crate) seq_id: Option<String>,
    pub(crate) seq_ms: u64,
    pub(crate) attempt: u64,
    pub(crate) oldest: Seq,
    /// What lies before was left out, or dropped.
    pub(crate) floor: Seq,
    newest_ms: u64,
}

impl Writer {
    /// Opens the file, or makes it.
    pub(crate) fn open(path: &Path, bounds: Bounds) -> rusqlite::Result<Writer> {
        Writer::with(path, bounds, file::open_or_make(path, bounds)?)
    }

    /// Throws the file away and begins anew.
    pub(crate) fn make(path: &Path, bounds: Bounds) -> rusqlite::Result<Writer> {
        Writer::with(path, bounds, file::make(path, bounds)?)
    }

    fn with(path: &Path, bounds: Bounds, connection: Connection) -> rusqlite::Result<Writer> {
        let state = State::read(&connection)?;
        Ok(Writer {
            path: path.to_owned(),
            bounds,
            sketches: Sketches::default(),
            state,
            event_volumes: volumes(&connection, EVENTS)?.into_iter().collect(),
            attempt_volumes: volumes(&connection, ATTEMPTS)?.into_iter().collect(),
            connection,
        })
    }

    /// How far the file is.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Goes on after a position, without what lies before: it would be dropped anyway.
    pub(crate) fn skip_to(&mut self, seq: Seq) {
        if seq > self.state.seq {
            self.state = State { seq, seq_id: None, floor: seq.next(), ..self.state.clone() };
        }
    }

    /// Ends the writing: what was written is on the disk then.
    pub(crate) fn close(self) -> rusqlite::Result<()> {
        file::close(self.connection, &self.path)
    }

    /// Adds a portion, all or nothing. `now_ms` decides what is too old to be counted.
    pub(crate) fn add(&mut self, portion: &Portion, now_ms: u64) -> rusqlite::Result<()> {
        let mut state = self.state.clone();
        let added = self.add_all(portion, now_ms, &mut state);
        if let Err(error) = added {
            // What is in memory may be ahead of the file now.
            self.sketches.forget();
            if !self.connection.is_autocommit() {
                self.connection.execute_batch("ROLLBACK")?;
            }
            self.event_volumes = volumes(&self.connection, EVENTS)?.into_iter().collect();
            self.attempt_volumes = volumes(&self.connection, ATTEMPTS)?.into_iter().collect();
            return Err(error);
        }
        self.state = state;
        self.sketches.rest();
        Ok(())
    }

    fn add_all(&mut self, portion: &Portion, now_ms: u64, state: &mut State) -> rusqlite::Result<()> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        self.make_volumes(portion)?;
        self.add_events(&portion.records, state)?;
        if portion.scanned_to > state.seq {
            state.seq = portion.scanned_to;
            state.seq_id = None;
        }
        if let Some(last) = portion.records.last() {
            state.seq_ms = last.appended_ms;
            if last.seq == state.seq {
                state.seq_id = Some(last.event.id.to_string());
            }
        }
        self.add_attempts(&portion.attempts, now_ms, state)?;
        state.write(&self.connection)?;
        self.connection.execute_batch("COMMIT")
    }

    fn make_volumes(&mut self, portion: &Portion) -> rusqlite::Result<()> {
        let kept = portion.records.iter().filter(|record| record.event.kind != Kind::Counter);
        let of_events: BTreeSet<u64> = kept.map(|record| record.seq.0 / self.bounds.volume).collect();
        for &number in of_events.difference(&self.event_volumes.clone()) {
            self.connection.execute_batch(&sql::create_events(number))?;
            self.connection.prepare_cached(sql::PUT_VOLUME)?.execute(params![EVENTS, number as i64])?;
            self.event_volumes.insert(number);
        }
        let of_attempts: BTreeSet<u64> =
            portion.attempts.iter().map(|(_, row)| row.id / self.bounds.volume).collect();
        for &number in of_attempts.difference(&self.attempt_volumes.clone()) {
            self.connection.execute_batch(&sql::create_attempts(number))?;
            self.connection.prepare_cached(sql::PUT_VOLUME)?.execute(params![ATTEMPTS, number as i64])?;
            self.attempt_volumes.insert(number);
        }
        Ok(())
    }

    fn add_events(&mut self, records: &[Arc<Record>], state: &mut State) -> rusqlite::Result<()> {
        let mut minutes: BTreeMap<(u64, u64, u8, &'static str), u64> = BTreeMap::new();
        let mut marks: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for volume in records.chunk_by(|a, b| a.seq.0 / self.bounds.volume == b.seq.0 / self.bounds.volume) {
            let Some(first) = volume.first() else { continue };
            let sql = sql::insert_event(first.seq.0 / self.bounds.volume);
            let mut insert = None;
            for record in volume {
                state.newest_ms = state.newest_ms.max(record.appended_ms);
                let mark = marks.entry(state.newest_ms / 60_000).or_insert((record.seq.0, record.seq.0));
                mark.1 = record.seq.0;
                // Counters belong to no client, and nobody is shown one.
                if record.event.kind == Kind::Counter {
                    continue;
                }
                let row = EventRow::of(record);
                let statement = match &mut insert {
                    Some(statement) => statement,
                    None => insert.insert(self.connection.prepare_cached(&sql)?),
                };
                put_event(statement, &row)?;
                let type_code = counted_type(&row);
                let minute = row.appended_ms / 60_000;
                *minutes.entry((minute, row.client.0, row.kind.code(), type_code)).or_default() += 1;
                self.sketches.count(&self.connection, &row)?;
            }
        }
        for ((minute, client, kind, type_code), events) in minutes {
            self.connection.prepare_cached(sql::PUT_MINUTE)?.execute(params![
                minute as i64,
                client as i64,
                kind,
                type_code,
                events as i64
            ])?;
        }
        for (minute, (first, last)) in marks {
            self.connection.prepare_cached(sql::PUT_MARK)?.execute(params![
                minute as i64,
                first as i64,
                last as i64
            ])?;
        }
        self.sketches.write(&self.connection)
    }

    fn add_attempts(
        &self,
        attempts: &[(IntegrationId, AttemptRow)],
        now_ms: u64,
        state: &mut State,
    ) -> rusqlite::Result<()> {
        let mut rollups = Rollups::default();
        for (integration, row) in attempts {
            let attempt = &row.attempt;
            let ended_ms = attempt.started_ms + attempt.took_us / 1_000;
            let sql = sql::insert_attempt(row.id / self.bounds.volume);
            self.connection.prepare_cached(&sql)?.execute(params![
                integration.0 as i64,
                attempt.last.0 as i64,
                row.id as i64,
                attempt.first.0 as i64,
                attempt.lane.code(),
                attempt.events,
                attempt.number,
                verdict_code(attempt.verdict),
                attempt.status,
                ended_ms as i64,
                attempt.content_revision.map(|revision| revision as i64),
                webhook_key(&attempt.webhook_id)
            ])?;
            let waited_ms = match attempt.verdict {
                Verdict::Delivered => {
                    self.appended_ms(attempt.first)?.map(|appended_ms| ended_ms.saturating_sub(appended_ms))
                }
                _ => None,
            };
            rollups.count(&self.connection, *integration, attempt, ended_ms, waited_ms, now_ms)?;
            state.attempt = row.id;
        }
        rollups.write(&self.connection)
    }

    /// When an event was appended, if the index has it.
    fn appended_ms(&self, seq: Seq) -> rusqlite::Result<Option<u64>> {
        let number = seq.0 / self.bounds.volume;
        if !self.event_volumes.contains(&number) {
            return Ok(None);
        }
        let mut statement = self.connection.prepare_cached(&sql::appended_at(number))?;
        let found = statement.query_row([seq.0 as i64], |row| row.get::<_, i64>(0)).optional()?;
        Ok(found.map(|appended_ms| appended_ms as u64))
    }
}

impl State {
    fn read(connection: &Connection) -> rusqlite::Result<State> {
        let number = |name| get_meta::<i64>(connection, name).map(|value| value.unwrap_or_default() as u64);
        let seq_id: String = get_meta(connection, meta::SEQ_ID)?.unwrap_or_default();
        Ok(State {
            seq: Seq(number(meta::SEQ)?),
            seq_id: (!seq_id.is_empty()).then_some(seq_id),
            seq_ms: number(meta::SEQ_MS)?,
            attempt: number(meta::ATTEMPT)?,
            oldest: Seq(number(meta::OLDEST)?),
            floor: Seq(number(meta::FLOOR)?),
            newest_ms: number(meta::NEWEST_MS)?,
        })
    }

    fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        put_meta(connection, meta::SEQ, self.seq.0 as i64)?;
        put_meta(connection, meta::SEQ_ID, self.seq_id.as_deref().unwrap_or_default())?;
        put_meta(connection, meta::SEQ_MS, self.seq_ms as i64)?;
        put_meta(connection, meta::FLOOR, self.floor.0 as i64)?;
        put_meta(connection, meta::ATTEMPT, self.attempt as i64)?;
        put_meta(connection, meta::NEWEST_MS, self.newest_ms as i64)
    }
}

/// The volumes that there are, the newest first.
pub(crate) fn volumes(connection: &Connection, what: u8) -> rusqlite::Result<Vec<u64>> {
    let mut statement = connection.prepare_cached(sql::VOLUMES)?;
    let numbers = statement.query_map([what], |row| row.get::<_, i64>(0).map(|number| number as u64))?;
    numbers.collect()
}

/// A verdict as the file keeps it.
pub(crate) const fn verdict_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Delivered => 1,
        Verdict::Sick => 2,
        Verdict::Refused => 3,
        Verdict::Gone => 4,
    }
}

fn put_event(statement: &mut rusqlite::Statement<'_>, row: &EventRow) -> rusqlite::Result<()> {
    statement.execute(params![
        row.seq.0 as i64,
        row.client.0 as i64,
        row.kind.code(),
        row.appended_ms as i64,
        row.time_s.map(|time_s| time_s as i64),
        row.id.as_str(),
        row.id_reused,
        row.type_code,
        row.domain,
        row.method,
        row.path,
        row.parameter,
        row.address.map(address_bytes),
        row.status,
        row.block_status.map(|status| status == BlockStatus::Blocked),
        // SQLite has no NaN: it would come back as null.
        row.score,
        row.title,
        row.discovered_by,
        row.text,
        id_key(row.client, row.id.as_str()),
    ])?;
    Ok(())
}

/// By which type the minute of an event is counted: that of a hit, and nothing for the others.
fn counted_type(row: &EventRow) -> &'static str {
    let (Kind::Hit, Some(code)) = (row.kind, &row.type_code) else { return "" };
    COUNTED_TYPES.into_iter().find(|known| known == code).unwrap_or(OTHER_TYPE)
}
