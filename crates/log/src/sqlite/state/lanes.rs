//! Lanes: cursors and open batches, and the endpoint's state beside them.

use super::codes::{Code, from_json, to_json};
use super::work::Context;
use super::{Trouble, history, integrations};
use crate::StoreError;
use hitwire_courier::{EndpointState, LaneState, OpenBatch, Progress, Saved};
use hitwire_event::{IntegrationId, Lane, Seq, WebhookId};
use rusqlite::{Connection, OptionalExtension, Row, params};

const SELECT: &str =
    "SELECT lane, cursor, open_first, open_last, open_through, events, webhook_id, content_revision,
     body_bytes, body_sha256, tries, refusal FROM lane WHERE integration = ?1";
const INSERT: &str = "INSERT INTO lane (integration, lane, cursor) VALUES (?1, ?2, ?3)";
const UPDATE: &str =
    "UPDATE lane SET cursor = ?3, open_first = ?4, open_last = ?5, open_through = ?6, events = ?7,
     webhook_id = ?8, content_revision = ?9, body_bytes = ?10, body_sha256 = ?11, tries = ?12, refusal = ?13
     WHERE integration = ?1 AND lane = ?2 AND cursor <= ?3";
const JUMP: &str = "UPDATE lane SET cursor = ?3, open_first = NULL, open_last = NULL, open_through = NULL, events = NULL,
     webhook_id = NULL, content_revision = NULL, body_bytes = NULL, body_sha256 = NULL, tries = NULL, refusal = NULL
     WHERE integration = ?1 AND lane = ?2 AND cursor < ?3";
const PUT_ENDPOINT: &str = "INSERT INTO endpoint (integration, state) VALUES (?1, ?2)
     ON CONFLICT (integration) DO UPDATE SET state = excluded.state";

/// What the store keeps for an endpoint without a history.
const NO_HISTORY: &str = "null";

/// The lanes and the endpoint of a new integration.
pub(super) fn create(connection: &Connection, id: u64, cursor: u64) -> Result<(), Trouble> {
    for lane in Lane::ALL {
        connection.prepare_cached(INSERT)?.execute(params![id as i64, lane.code(), cursor as i64])?;
    }
    reset_endpoint(connection, id)
}

/// Forgets the endpoint's schedule and health.
pub(super) fn reset_endpoint(connection: &Connection, id: u64) -> Result<(), Trouble> {
    connection.prepare_cached(PUT_ENDPOINT)?.execute(params![id as i64, NO_HISTORY])?;
    Ok(())
}

/// Where a lane stands.
pub(super) fn cursor(connection: &Connection, id: u64, lane: Lane) -> Result<u64, Trouble> {
    let mut statement =
        connection.prepare_cached("SELECT cursor FROM lane WHERE integration = ?1 AND lane = ?2")?;
    Ok(statement.query_row(params![id as i64, lane.code()], |row| row.get::<_, i64>(0))? as u64)
}

/// Moves a lane forward past events that are recorded as lost; its open batch is dropped. Never moves it back.
pub(super) fn jump(connection: &Connection, id: u64, lane: Lane, cursor: u64) -> Result<(), Trouble> {
    connection.prepare_cached(JUMP)?.execute(params![id as i64, lane.code(), cursor as i64])?;
    Ok(())
}

/// The highest position that any lane has passed.
pub(in crate::sqlite) fn settled_to(connection: &Connection) -> rusqlite::Result<u64> {
    connection
        .query_row("SELECT coalesce(max(cursor), 0) FROM lane", [], |row| row.get::<_, i64>(0))
        .map(|to| to as u64)
}

/// Saves one step of a courier.
pub(super) fn save(context: &Context<'_>, progress: &Progress) -> Result<(), Trouble> {
    let connection = context.connection;
    let id = progress.integration;
    if !integrations::exists(connection, id)? {
        return Err(StoreError::NotFound.into());
    }
    let endpoint = to_json(&progress.endpoint)?;
    connection.prepare_cached(PUT_ENDPOINT)?.execute(params![id.0 as i64, endpoint])?;
    for (lane, state) in &progress.lanes {
        update(connection, id, *lane, state)?;
    }
    for attempt in &progress.attempts {
        history::insert_attempt(context, id.0, attempt)?;
    }
    for range in &progress.lost {
        history::insert_lost(context, id.0, range)?;
    }
    if let Some(reason) = &progress.disable {
        integrations::disable(connection, id, reason)?;
    }
    Ok(())
}

/// What was saved of an integration's couriers.
pub(in crate::sqlite) fn load(connection: &Connection, id: IntegrationId) -> Result<Option<Saved>, Trouble> {
    let mut statement = connection.prepare_cached("SELECT state FROM endpoint WHERE integration = ?1")?;
    let state: Option<String> = statement.query_row([id.0 as i64], |row| row.get(0)).optional()?;
    let Some(state) = state else { return Ok(None) };
    let mut saved = Saved { endpoint: EndpointState(from_json(state.as_bytes(), 0)?), ..Saved::default() };
    let mut statement = connection.prepare_cached(SELECT)?;
    let mut rows = statement.query([id.0 as i64])?;
    while let Some(row) = rows.next()? {
        let lane = Lane::from_row(row.get(0)?)?;
        saved.lanes[lane.index()] = LaneState {
            cursor: Seq(row.get::<_, i64>(1)? as u64),
            open: open_batch(row)?,
            refusal: match row.get_ref(11)?.as_str_or_null()? {
                Some(json) => Some(from_json(json.as_bytes(), 11)?),
                None => None,
            },
        };
    }
    Ok(Some(saved))
}

fn update(connection: &Connection, id: IntegrationId, lane: Lane, state: &LaneState) -> Result<(), Trouble> {
    let open = state.open.as_ref();
    let refusal = state.refusal.as_ref().map(to_json).transpose()?;
    connection.prepare_cached(UPDATE)?.execute(params![
        id.0 as i64,
        lane.code(),
        state.cursor.0 as i64,
        open.map(|open| open.first.0 as i64),
        open.map(|open| open.last.0 as i64),
        open.map(|open| open.through.0 as i64),
        open.map(|open| open.events),
        open.map(|open| open.webhook_id.as_str()),
        open.map(|open| open.content_revision as i64),
        open.map(|open| open.body_bytes as i64),
        open.map(|open| open.body_sha256),
        open.map(|open| open.tries),
        refusal
    ])?;
    Ok(())
}

fn open_batch(row: &Row<'_>) -> Result<Option<OpenBatch>, Trouble> {
    let Some(first) = row.get::<_, Option<i64>>(2)? else { return Ok(None) };
    Ok(Some(OpenBatch {
        first: Seq(first as u64),
        last: Seq(row.get::<_, i64>(3)? as u64),
        through: Seq(row.get::<_, i64>(4)? as u64),
        events: row.get(5)?,
        webhook_id: WebhookId(row.get::<_, String>(6)?.into_boxed_str()),
        content_revision: row.get::<_, i64>(7)? as u64,
        body_bytes: row.get::<_, i64>(8)? as u64,
        body_sha256: row.get(9)?,
        tries: row.get(10)?,
    }))
}
