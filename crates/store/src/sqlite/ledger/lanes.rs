//! Lanes: cursors and open batches, and the endpoint's state beside them.

use super::history;
use crate::StoreError;
use crate::sqlite::registry::standing;
use crate::sqlite::state::codes::{Code, from_json, to_json};
use crate::sqlite::state::context::Context;
use crate::sqlite::state::context::Trouble;
use hitwire_courier::{EndpointState, LaneState, OpenBatch, Progress, Saved, Unsettled};
use hitwire_event::{IntegrationId, Lane, Seq, WebhookId};
use rusqlite::{Connection, OptionalExtension, Row, params};

const INSERT: &str = "INSERT INTO lane (integration, lane, cursor) VALUES (?1, ?2, ?3)";
const SELECT: &str = "SELECT cursor FROM lane WHERE integration = ?1 AND lane = ?2";
const ADVANCE: &str =
    "UPDATE lane SET cursor = max(cursor, ?3) WHERE integration = ?1 AND lane = ?2 RETURNING cursor";
const SELECT_OPEN: &str =
    "SELECT first, last, through, settled_behind, events, webhook_id, content_revision, body_bytes, body_sha256, tries,
     refusal FROM open_batch WHERE integration = ?1 AND lane = ?2 ORDER BY first";
const DELETE_OPEN: &str = "DELETE FROM open_batch WHERE integration = ?1 AND lane = ?2";
const INSERT_OPEN: &str =
    "INSERT INTO open_batch (integration, lane, first, last, through, settled_behind, events, webhook_id,
     content_revision, body_bytes, body_sha256, tries, refusal)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
const SETTLED_TO: &str = "SELECT max((SELECT coalesce(max(cursor), 0) FROM lane),
     (SELECT coalesce(max(through), 0) FROM open_batch))";
const PUT_ENDPOINT: &str = "INSERT INTO endpoint (integration, state) VALUES (?1, ?2)
     ON CONFLICT (integration) DO UPDATE SET state = excluded.state";

/// What the store keeps for an endpoint without a history.
const NO_HISTORY: &str = "null";

/// The lanes and the endpoint of a new integration.
pub(in crate::sqlite) fn create(connection: &Connection, id: u64, cursor: u64) -> Result<(), Trouble> {
    for lane in Lane::ALL {
        connection.prepare_cached(INSERT)?.execute(params![id as i64, lane.code(), cursor as i64])?;
    }
    reset_endpoint(connection, id)
}

/// Forgets the endpoint's schedule and health.
pub(in crate::sqlite) fn reset_endpoint(connection: &Connection, id: u64) -> Result<(), Trouble> {
    connection.prepare_cached(PUT_ENDPOINT)?.execute(params![id as i64, NO_HISTORY])?;
    Ok(())
}

/// A lane as it was saved.
pub(in crate::sqlite) fn lane(connection: &Connection, id: u64, lane: Lane) -> Result<LaneState, Trouble> {
    let key = params![id as i64, lane.code()];
    let cursor: i64 = connection.prepare_cached(SELECT)?.query_row(key, |row| row.get(0))?;
    let mut statement = connection.prepare_cached(SELECT_OPEN)?;
    let mut rows = statement.query(key)?;
    let mut open = Vec::new();
    while let Some(row) = rows.next()? {
        open.push(unsettled(row)?);
    }
    Ok(LaneState { cursor: Seq(cursor as u64), open })
}

/// Moves a lane forward past events that are recorded as lost; open batches that it passes are dropped. Never moves it back.
pub(in crate::sqlite) fn jump(
    connection: &Connection,
    id: u64,
    lane: Lane,
    cursor: u64,
) -> Result<(), Trouble> {
    let mut state = self::lane(connection, id, lane)?;
    if state.cursor < Seq(cursor) {
        state.pass(Seq(cursor));
        put(connection, id, lane, &state)?;
    }
    Ok(())
}

/// The highest position that any lane has passed, or may have settled something up to.
pub(in crate::sqlite) fn settled_to(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row(SETTLED_TO, [], |row| row.get::<_, i64>(0)).map(|to| to as u64)
}

/// Saves one step of a courier.
pub(in crate::sqlite) fn save(context: &Context<'_>, progress: &Progress) -> Result<(), Trouble> {
    let connection = context.connection;
    let id = progress.integration;
    if !standing::exists(connection, id)? {
        return Err(StoreError::NotFound.into());
    }
    let endpoint = to_json(&progress.endpoint)?;
    connection.prepare_cached(PUT_ENDPOINT)?.execute(params![id.0 as i64, endpoint])?;
    for (lane, state) in &progress.lanes {
        put(connection, id.0, *lane, state)?;
    }
    for attempt in &progress.attempts {
        history::insert_attempt(context, id.0, attempt)?;
    }
    for range in &progress.lost {
        history::insert_lost(context, id.0, range)?;
    }
    if let Some(reason) = &progress.disable {
        standing::disable(connection, id, reason)?;
    }
    Ok(())
}

/// What was saved of an integration's couriers.
pub(in crate::sqlite) fn load(connection: &Connection, id: IntegrationId) -> Result<Option<Saved>, Trouble> {
    let mut statement = connection.prepare_cached("SELECT state FROM endpoint WHERE integration = ?1")?;
    let state: Option<String> = statement.query_row([id.0 as i64], |row| row.get(0)).optional()?;
    let Some(state) = state else { return Ok(None) };
    let mut saved = Saved { endpoint: EndpointState(from_json(state.as_bytes(), 0)?), ..Saved::default() };
    for lane in Lane::ALL {
        saved.lanes[lane.index()] = self::lane(connection, id.0, lane)?;
    }
    Ok(Some(saved))
}

/// Writes a lane down. If the stored cursor lies further on, the lane is moved there.
fn put(connection: &Connection, id: u64, lane: Lane, state: &LaneState) -> Result<(), Trouble> {
    let mut statement = connection.prepare_cached(ADVANCE)?;
    let advanced = params![id as i64, lane.code(), state.cursor.0 as i64];
    let cursor = Seq(statement.query_row(advanced, |row| row.get::<_, i64>(0))? as u64);
    connection.prepare_cached(DELETE_OPEN)?.execute(params![id as i64, lane.code()])?;
    if cursor == state.cursor {
        return insert_open(connection, id, lane, state);
    }
    let mut moved = state.clone();
    moved.pass(cursor);
    // It may have come further by what was settled behind a batch that it passed.
    statement.query_row(params![id as i64, lane.code(), moved.cursor.0 as i64], |_| Ok(()))?;
    insert_open(connection, id, lane, &moved)
}

fn insert_open(connection: &Connection, id: u64, lane: Lane, state: &LaneState) -> Result<(), Trouble> {
    for Unsettled { batch, settled_behind, refusal } in &state.open {
        connection.prepare_cached(INSERT_OPEN)?.execute(params![
            id as i64,
            lane.code(),
            batch.first.0 as i64,
            batch.last.0 as i64,
            batch.through.0 as i64,
            *settled_behind as i64,
            batch.events,
            batch.webhook_id.as_str(),
            batch.content_revision as i64,
            batch.body_bytes as i64,
            batch.body_sha256,
            batch.tries,
            refusal.as_ref().map(to_json).transpose()?
        ])?;
    }
    Ok(())
}

fn unsettled(row: &Row<'_>) -> Result<Unsettled, Trouble> {
    let batch = OpenBatch {
        first: Seq(row.get::<_, i64>(0)? as u64),
        last: Seq(row.get::<_, i64>(1)? as u64),
        through: Seq(row.get::<_, i64>(2)? as u64),
        events: row.get(4)?,
        webhook_id: WebhookId(row.get::<_, String>(5)?.into_boxed_str()),
        content_revision: row.get::<_, i64>(6)? as u64,
        body_bytes: row.get::<_, i64>(7)? as u64,
        body_sha256: row.get(8)?,
        tries: row.get(9)?,
    };
    let refusal = row.get_ref(10)?.as_str_or_null()?;
    let refusal = refusal.map(|json| from_json(json.as_bytes(), 10)).transpose()?;
    Ok(Unsettled { batch, settled_behind: row.get::<_, i64>(3)? as u64, refusal })
}
