//! What readers ask.

mod charts;
mod search;

pub use charts::{Health, MinuteCount, Point, Range, Top, Tops};
pub use search::{COUNTED_MAX, Count, Found, LOOKED_AT_MAX, Search, SearchedTo};

use crate::file::{get_meta, meta};
use crate::row::{EventRow, webhook_key};
use crate::shared::{IndexError, Progress, Shared};
use crate::sql;
use crate::write::tops::TopOf;
use crate::write::{ATTEMPTS, verdict_code, volumes};
use hitwire_courier::Verdict;
use hitwire_event::{ClientId, IntegrationId, Lane, Seq, WebhookId};
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;
use tokio::sync::watch;

/// Attempts of a volume and of one verdict that are looked at to find those that a position went with: a batch is tried some 90
/// times at most.
const SPANNING_MAX: usize = 100;

/// Of these, attempts that begin behind the position: a lane has at most 16 requests under way at once.
const PASSED_MAX: usize = 32;

/// Attempts of one batch that are found by its `webhook-id`: it is tried some 90 times at most.
const OF_WEBHOOK_MAX: usize = 100;

/// Integrations of one answer about those.
const SPANNING_INTEGRATIONS_MAX: usize = 100;

const VERDICTS: [Verdict; 4] = [Verdict::Delivered, Verdict::Sick, Verdict::Refused, Verdict::Gone];

/// Integrations and events of one answer about those.
const DELIVERED_INTEGRATIONS_MAX: usize = 10;
const DELIVERED_EVENTS_MAX: usize = 100;

/// The index, as readers see it. It may be cloned; all clones are one.
#[derive(Clone, Debug)]
pub struct Index(pub(crate) Arc<Shared>);

/// An attempt whose batch a position lies in, or may lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The attempt's number in the store.
    pub attempt: u64,
    /// First event of its batch.
    pub first: Seq,
    /// Last event of its batch.
    pub last: Seq,
    /// The lane.
    pub lane: Lane,
    /// Events in the batch. If they are as many as there are positions, each of these was in it.
    pub events: u32,
    /// 1 for the first attempt of the batch.
    pub number: u32,
    /// What the answer meant.
    pub verdict: Verdict,
    /// The status of the answer.
    pub status: Option<u16>,
    /// When it ended: milliseconds since the Unix epoch.
    pub ended_ms: u64,
    /// The integration's [content revision](hitwire_store::Integration::content_revision) with which the batch was cut; none: not known.
    pub content_revision: Option<u64>,
}

/// That an integration delivered a batch whose range has a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveredBatch {
    /// Whose.
    pub integration: IntegrationId,
    /// Every position of the range was in the batch.
    pub is_dense: bool,
    /// As [`Delivery::content_revision`].
    pub content_revision: Option<u64>,
}

impl Delivery {
    /// Every position between its first and its last event was in the batch.
    pub fn is_dense(&self) -> bool {
        u64::from(self.events) == self.last.0 - self.first.0 + 1
    }
}

impl Index {
    /// How far it is; changes with each step.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.0.progress.subscribe()
    }

    /// The events of a client that fit, the newest first: as many as were asked for, or as were found among so many rows.
    pub async fn search(&self, search: Search) -> Result<Found, IndexError> {
        let volume = self.0.options.bounds.volume;
        self.read(move |connection| search::search(connection, &search, volume)).await
    }

    /// One event of a client, as it is listed.
    pub async fn event(&self, client: ClientId, seq: Seq) -> Result<Option<EventRow>, IndexError> {
        let number = seq.0 / self.0.options.bounds.volume;
        self.read(move |connection| {
            if !volumes(connection, crate::write::EVENTS)?.contains(&number) {
                return Ok(None);
            }
            let mut statement = connection.prepare_cached(&sql::event_at(number))?;
            let row =
                statement.query_row(params![seq.0 as i64, client.0 as i64], EventRow::read).optional()?;
            Ok(row.flatten())
        })
        .await
    }

    /// How many events of a client came in each of the newest `minutes` (1,440 at most), by kind and type.
    pub async fn per_minute(&self, client: ClientId, minutes: u64) -> Result<Vec<MinuteCount>, IndexError> {
        let now_ms = self.now_ms();
        self.read(move |connection| charts::per_minute(connection, client, minutes, now_ms)).await
    }

    /// The most frequent values of a client's hits in the newest `hours` (24 at most; the current one is one of them).
    pub async fn tops(&self, client: ClientId, what: TopOf, hours: u64) -> Result<Tops, IndexError> {
        let now_ms = self.now_ms();
        self.read(move |connection| charts::tops(connection, client, what, hours, now_ms)).await
    }

    /// How the requests of these integrations (the first hundred of them) went in the last 24 hours.
    pub async fn health(&self, integrations: Vec<IntegrationId>) -> Result<Vec<Health>, IndexError> {
        let now_ms = self.now_ms();
        self.read(move |connection| charts::health(connection, &integrations, now_ms)).await
    }

    /// The requests of an integration over a range of time, oldest first.
    pub async fn series(&self, integration: IntegrationId, range: Range) -> Result<Vec<Point>, IndexError> {
        let now_ms = self.now_ms();
        self.read(move |connection| charts::series(connection, integration, range, now_ms)).await
    }

    /// For each of these integrations (a hundred at most) the attempts whose batches reach from before a position to behind it,
    /// the newest first.
    pub async fn spanning(
        &self,
        integrations: Vec<IntegrationId>,
        lane: Lane,
        seq: Seq,
    ) -> Result<Vec<Vec<Delivery>>, IndexError> {
        self.read(move |connection| spanning(connection, &integrations, lane, seq)).await
    }

    /// By which of these integrations (ten at most) events at these positions (a hundred at most) were delivered, as far as the
    /// attempts say: for each position the newest of the surest batches of each integration.
    pub async fn delivered(
        &self,
        integrations: Vec<IntegrationId>,
        events: Vec<(Seq, Lane)>,
    ) -> Result<Vec<Vec<DeliveredBatch>>, IndexError> {
        self.read(move |connection| delivered(connection, &integrations, &events)).await
    }

    /// How many events of a client fit: see [`Count`]. Where the search is to begin and its limit do not matter.
    pub async fn count(&self, search: Search) -> Result<Count, IndexError> {
        let volume = self.0.options.bounds.volume;
        self.read(move |connection| search::count(connection, &search, volume)).await
    }

    /// Numbers of attempts of an integration below one, with this `webhook-id` or one with the same hash, the newest first: a hundred at
    /// most, among the newest million attempts.
    pub async fn attempts_of(
        &self,
        integration: IntegrationId,
        webhook_id: WebhookId,
        before: u64,
    ) -> Result<Vec<u64>, IndexError> {
        let before = i64::try_from(before).unwrap_or(i64::MAX);
        self.read(move |connection| {
            let key = webhook_key(&webhook_id);
            let mut found = Vec::new();
            for number in volumes(connection, ATTEMPTS)? {
                let mut statement = connection.prepare_cached(&sql::attempts_of_webhook(number))?;
                let left = OF_WEBHOOK_MAX - found.len();
                let rows = statement
                    .query_map(params![key, integration.0 as i64, before, left as i64], |row| {
                        row.get::<_, i64>(0).map(|id| id as u64)
                    })?;
                found.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
            }
            Ok(found)
        })
        .await
    }

    fn now_ms(&self) -> u64 {
        (self.0.options.now_ms)()
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, IndexError> {
        let _turn = self.0.turns.acquire().await.map_err(|_| IndexError::Closed)?;
        let shared = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || shared.read(work)).await;
        done.map_err(|_| IndexError::Closed)?.map_err(IndexError::File)
    }
}

/// The first position that is still in the log, as far as the index knows.
fn oldest(connection: &Connection) -> rusqlite::Result<u64> {
    Ok(get_meta::<i64>(connection, meta::OLDEST)?.unwrap_or_default() as u64)
}

fn spanning(
    connection: &Connection,
    integrations: &[IntegrationId],
    lane: Lane,
    seq: Seq,
) -> rusqlite::Result<Vec<Vec<Delivery>>> {
    let volumes = volumes(connection, ATTEMPTS)?;
    let of_one = |&integration: &IntegrationId| {
        let mut found = Vec::new();
        for &number in &volumes {
            for verdict in VERDICTS {
                find_spanning(connection, number, (integration, lane, verdict), seq, &mut found)?;
            }
        }
        found.sort_by_key(|delivery| std::cmp::Reverse(delivery.attempt));
        Ok(found)
    };
    integrations.iter().take(SPANNING_INTEGRATIONS_MAX).map(of_one).collect()
}

fn delivered(
    connection: &Connection,
    integrations: &[IntegrationId],
    events: &[(Seq, Lane)],
) -> rusqlite::Result<Vec<Vec<DeliveredBatch>>> {
    let volumes = volumes(connection, ATTEMPTS)?;
    let mut answer = Vec::with_capacity(events.len());
    for &(seq, lane) in events.iter().take(DELIVERED_EVENTS_MAX) {
        let mut by = Vec::new();
        for &integration in integrations.iter().take(DELIVERED_INTEGRATIONS_MAX) {
            let mut found = Vec::new();
            // What was delivered lately lies in the newest volume.
            for &number in &volumes {
                let key = (integration, lane, Verdict::Delivered);
                find_spanning(connection, number, key, seq, &mut found)?;
                if !found.is_empty() {
                    break;
                }
            }
            found.sort_by_key(|delivery| std::cmp::Reverse((delivery.is_dense(), delivery.attempt)));
            by.extend(found.first().map(|delivery| DeliveredBatch {
                integration,
                is_dense: delivery.is_dense(),
                content_revision: delivery.content_revision,
            }));
        }
        answer.push(by);
    }
    Ok(answer)
}

/// Adds the attempts of a volume with one verdict that reach over a position. Batches of a lane mostly lie one after the other, but not
/// always: the parts of one that was split, those under way at once, and one that was cut anew after a change of settings lie within
/// others. So some that begin behind the position are passed before the search ends.
fn find_spanning(
    connection: &Connection,
    number: u64,
    (integration, lane, verdict): (IntegrationId, Lane, Verdict),
    seq: Seq,
    found: &mut Vec<Delivery>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(&sql::attempts_from(number))?;
    let key =
        params![integration.0 as i64, lane.code(), verdict_code(verdict), seq.0 as i64, SPANNING_MAX as i64];
    let mut rows = statement.query(key)?;
    let mut passed = 0;
    while let Some(row) = rows.next()? {
        let first = Seq(row.get::<_, i64>(1)? as u64);
        if first > seq {
            passed += 1;
            if passed >= PASSED_MAX {
                break;
            }
            continue;
        }
        found.push(Delivery {
            attempt: row.get::<_, i64>(0)? as u64,
            first,
            last: Seq(row.get::<_, i64>(2)? as u64),
            lane,
            events: row.get(3)?,
            number: row.get(4)?,
            verdict,
            status: row.get(5)?,
            ended_ms: row.get::<_, i64>(6)? as u64,
            content_revision: row.get::<_, Option<i64>>(7)?.map(|revision| revision as u64),
        });
    }
    Ok(())
}

/// Where the index begins, if the log goes further back.
fn begins(connection: &Connection) -> rusqlite::Result<Option<SearchedTo>> {
    let floor = get_meta::<i64>(connection, meta::FLOOR)?.unwrap_or_default() as u64;
    if floor <= oldest(connection)?.max(1) {
        return Ok(None);
    }
    let Some(&number) = volumes(connection, crate::write::EVENTS)?.last() else { return Ok(None) };
    let mut statement = connection.prepare_cached(&sql::first_event(number))?;
    let first = statement.query_row([floor as i64], |row| {
        Ok(SearchedTo { seq: Seq(row.get::<_, i64>(0)? as u64), appended_ms: row.get::<_, i64>(1)? as u64 })
    });
    first.optional()
}
