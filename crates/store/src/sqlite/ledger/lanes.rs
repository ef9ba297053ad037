//! Couriers: one small row for each integration, with the cursor and the open batches of both lanes, the endpoint's state, and
//! the token of the last load.
//!
//! A load draws another token, a save must carry it, and every change by anybody else takes it away. All of them write the
//! same row, so they are in one order: a save passes only if the last thing that happened to the row before it was its own
//! load, or a save under that. Whoever is refused has not seen what is on record, and loads again.

use super::open_batches::{from_bytes, to_bytes};
use super::{lost, replays};
use crate::sqlite::registry::standing;
use crate::sqlite::seal;
use crate::sqlite::state::codes::{from_json, to_json};
use crate::sqlite::state::context::{Context, Trouble};
use crate::{CourierToken, LoadedCourier, Replay, StoreError};
use hitwire_courier::{ByLane, EndpointState, LaneState, LostReason, Progress, Saved};
use hitwire_event::{IntegrationId, Lane, Seq};
use rusqlite::{Connection, OptionalExtension, Row, params};

const INSERT: &str = "INSERT INTO courier (integration, endpoint, urgent, bulk) VALUES (?1, 'null', ?2, ?2)";
const SELECT: &str =
    "SELECT endpoint, urgent, urgent_open, bulk, bulk_open FROM courier WHERE integration = ?1";
const DRAW: &str = "UPDATE courier SET token = ?2 WHERE integration = ?1
     RETURNING endpoint, urgent, urgent_open, bulk, bulk_open,
     (SELECT revision FROM integration WHERE id = integration)";
const TOKEN: &str = "SELECT token FROM courier WHERE integration = ?1";
/// A lane that is null stays as it is.
const SAVE: &str = "UPDATE courier SET endpoint = ?3,
     urgent_open = iif(?4 IS NULL, urgent_open, ?5), urgent = coalesce(?4, urgent),
     bulk_open = iif(?6 IS NULL, bulk_open, ?7), bulk = coalesce(?6, bulk)
     WHERE integration = ?1 AND token = ?2";
const RELEASE: &str = "UPDATE courier SET token = NULL WHERE integration = ?1";
const RESET_ENDPOINT: &str = "UPDATE courier SET token = NULL, endpoint = 'null' WHERE integration = ?1";
const MOVE_URGENT: &str =
    "UPDATE courier SET token = NULL, urgent = ?2, urgent_open = ?3 WHERE integration = ?1";
const MOVE_BULK: &str = "UPDATE courier SET token = NULL, bulk = ?2, bulk_open = ?3 WHERE integration = ?1";
const CURSORS: &str = "SELECT coalesce(max(max(urgent, bulk)), 0) FROM courier";
const OPEN: &str = "SELECT endpoint, urgent, urgent_open, bulk, bulk_open FROM courier
     WHERE urgent_open IS NOT NULL OR bulk_open IS NOT NULL";

/// The place of each live lane's cursor in a row of these; its open batches follow.
pub(in crate::sqlite) const COLUMNS: [(Lane, usize); 2] = [(Lane::Urgent, 1), (Lane::Bulk, 3)];

/// The courier of a new integration.
pub(in crate::sqlite) fn create(connection: &Connection, id: u64, cursor: u64) -> Result<(), Trouble> {
    connection.prepare_cached(INSERT)?.execute(params![id as i64, cursor as i64])?;
    Ok(())
}

/// Somebody but the courier has changed, or will change in this transaction, what it works with: it has to load again.
pub(in crate::sqlite) fn release(connection: &Connection, id: u64) -> Result<(), Trouble> {
    connection.prepare_cached(RELEASE)?.execute([id as i64])?;
    Ok(())
}

/// Forgets the endpoint's schedule and health.
pub(in crate::sqlite) fn reset_endpoint(connection: &Connection, id: u64) -> Result<(), Trouble> {
    connection.prepare_cached(RESET_ENDPOINT)?.execute([id as i64])?;
    Ok(())
}

/// A live lane as it was saved.
pub(in crate::sqlite) fn lane(connection: &Connection, id: u64, lane: Lane) -> Result<LaneState, Trouble> {
    let mut statement = connection.prepare_cached(SELECT)?;
    let mut rows = statement.query([id as i64])?;
    let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let column = COLUMNS.iter().find(|(live, _)| *live == lane).ok_or(StoreError::NotFound)?.1;
    lane_of(row, column)
}

/// Moves a live lane forward past events that are recorded as lost; open batches that it passes are dropped. Never moves it back.
pub(in crate::sqlite) fn jump(
    connection: &Connection,
    id: u64,
    lane: Lane,
    cursor: u64,
) -> Result<(), Trouble> {
    let state = self::lane(connection, id, lane)?;
    pass(connection, id, lane, state, cursor)
}

/// The same of a lane that is at hand.
pub(in crate::sqlite) fn pass(
    connection: &Connection,
    id: u64,
    lane: Lane,
    mut state: LaneState,
    cursor: u64,
) -> Result<(), Trouble> {
    if state.cursor < Seq(cursor) {
        state.pass(Seq(cursor));
        let sql = if lane == Lane::Urgent { MOVE_URGENT } else { MOVE_BULK };
        let mut statement = connection.prepare_cached(sql)?;
        statement.execute(params![id as i64, state.cursor.0 as i64, to_bytes(&state.open)?])?;
    }
    Ok(())
}

/// The highest position that any lane has passed, or may have settled something up to.
pub(in crate::sqlite) fn settled_to(connection: &Connection) -> Result<u64, Trouble> {
    let cursors: i64 = connection.query_row(CURSORS, [], |row| row.get(0))?;
    let mut settled_to = replays::last(connection)?.max(cursors as u64);
    let mut statement = connection.prepare(OPEN)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for (_, lane) in COLUMNS {
            // A row that cannot be read says nothing, and is told of when it is needed.
            let Ok(LaneState { open, .. }) = lane_of(row, lane) else { continue };
            settled_to = open.iter().map(|open| open.batch.through.0).fold(settled_to, u64::max);
        }
    }
    Ok(settled_to)
}

/// Saves one step of a courier, if nobody else has changed its row since the load that drew this token.
pub(in crate::sqlite) fn save(
    context: &Context<'_>,
    token: CourierToken,
    progress: &Progress,
) -> Result<(), Trouble> {
    let connection = context.connection;
    let id = progress.integration;
    let [urgent, bulk] = Lane::LIVE.map(|lane| progress.lanes.iter().find(|(saved, _)| *saved == lane));
    let cursor = |lane: Option<&(Lane, LaneState)>| lane.map(|(_, state)| state.cursor.0 as i64);
    let open = |lane: Option<&(Lane, LaneState)>| lane.map_or(Ok(None), |(_, state)| to_bytes(&state.open));
    let saved = connection.prepare_cached(SAVE)?.execute(params![
        id.0 as i64,
        token.0 as i64,
        to_json(&progress.endpoint)?,
        cursor(urgent),
        open(urgent)?,
        cursor(bulk),
        open(bulk)?,
    ])?;
    if saved == 0 {
        may_save(connection, id, token)?;
        return Err(StoreError::Overtaken.into());
    }
    replays::save(context, progress)?;
    for attempt in &progress.attempts {
        context.add_attempt(id, attempt);
    }
    for range in &progress.lost {
        if range.reason == LostReason::Damaged {
            // As long as a lane comes to nothing else, all that cannot be read is one range that grows.
            lost::extend_lost(context, id.0, range.first.0.saturating_sub(1), range)?;
        } else {
            lost::insert_lost(context, id.0, range)?;
        }
    }
    if let Some(reason) = &progress.disable {
        standing::disable(connection, id, reason)?;
    }
    Ok(())
}

/// Refuses who may not save a courier, and says why.
pub(in crate::sqlite) fn may_save(
    connection: &Connection,
    id: IntegrationId,
    token: CourierToken,
) -> Result<(), Trouble> {
    let mut statement = connection.prepare_cached(TOKEN)?;
    let known: Option<Option<i64>> = statement.query_row([id.0 as i64], |row| row.get(0)).optional()?;
    match known {
        None => Err(StoreError::NotFound.into()),
        Some(known) if known == Some(token.0 as i64) => Ok(()),
        Some(_) => Err(StoreError::Overtaken.into()),
    }
}

/// What was saved of an integration's couriers, and the right to save on. Whoever had it before has it no more.
pub(in crate::sqlite) fn draw(
    connection: &Connection,
    id: IntegrationId,
) -> Result<Option<LoadedCourier>, Trouble> {
    let mut random = [0; 8];
    seal::random(&mut random)?;
    let token = CourierToken(u64::from_le_bytes(random));
    let mut statement = connection.prepare_cached(DRAW)?;
    let mut rows = statement.query(params![id.0 as i64, token.0 as i64])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let under_way = replays::under_way(connection, id)?;
    let revision = row.get::<_, i64>(5)? as u64;
    let saved = saved(row, &under_way)?;
    let replays = under_way.into_iter().map(|(replay, _)| replay).collect();
    Ok(Some(LoadedCourier { token, saved, replays, revision }))
}

/// What was saved of an integration's couriers, for whoever only looks.
pub(in crate::sqlite) fn load(connection: &Connection, id: IntegrationId) -> Result<Option<Saved>, Trouble> {
    let mut statement = connection.prepare_cached(SELECT)?;
    let mut rows = statement.query([id.0 as i64])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    saved(row, &replays::under_way(connection, id)?).map(Some)
}

fn saved(row: &Row<'_>, under_way: &[(Replay, LaneState)]) -> Result<Saved, Trouble> {
    let endpoint = EndpointState(from_json(row.get_ref(0)?.as_bytes()?, 0)?);
    let mut lanes = ByLane::default();
    for (lane, column) in COLUMNS {
        lanes.insert(lane, lane_of(row, column)?);
    }
    for (replay, state) in under_way {
        lanes.insert(replay.lane(), state.clone());
    }
    let replays = under_way.iter().map(|(replay, _)| (replay.lane(), replay.terms())).collect();
    Ok(Saved { endpoint, lanes, replays })
}

/// The lane whose cursor is in this column, and its open batches in the next.
pub(in crate::sqlite) fn lane_of(row: &Row<'_>, column: usize) -> Result<LaneState, Trouble> {
    let cursor = Seq(row.get::<_, i64>(column)? as u64);
    let open = from_bytes(row.get_ref(column + 1)?.as_blob_or_null()?, column + 1)?;
    Ok(LaneState { cursor, open })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::log::catalog::Catalog;
    use crate::sqlite::log::view::LogView;
    use crate::sqlite::options::Options;
    use crate::sqlite::schema::{self, Access, Kind};
    use crate::sqlite::seal::Sealer;
    use hitwire_courier::{OpenBatch, Unsettled};
    use hitwire_event::WebhookId;
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    /// A lane that has settled what was before this position, and sends the next batch.
    fn sending(first: u64) -> LaneState {
        let batch = OpenBatch {
            first: Seq(first),
            last: Seq(first + 499),
            through: Seq(first + 499),
            events: 500,
            webhook_id: WebhookId(format!("msg_{first:032x}").into()),
            content_revision: 1,
            body_bytes: 400_000,
            body_sha256: [first as u8; 32],
            tries: 0,
        };
        LaneState {
            cursor: Seq(first - 1),
            open: vec![Unsettled { batch, settled_behind: 0, refusal: None }],
        }
    }

    #[test]
    fn a_settled_batch_changes_one_small_row() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        schema::create(&path, Kind::State, |_| Ok(())).unwrap();
        let state = schema::open(&path, Kind::State, Access::Write).unwrap();
        let options = Arc::new(Options::new("nowhere"));
        let view = LogView::new(Catalog::default(), 0, options, Arc::default(), BTreeMap::new());
        let (sealer, now_ms) = (Sealer::new(&[7; 32]), 0);
        let (tasks, lost) = (RefCell::default(), RefCell::default());
        let context = Context { connection: &state, sealer: &sealer, view: &view, now_ms, tasks, lost };
        let id = IntegrationId(7);
        state
            .execute("INSERT INTO integration VALUES (7, 1, 'a', NULL, 0, '', 1, 1, '{}', x'', '{}')", [])
            .unwrap();
        create(&state, id.0, 0).unwrap();
        let token = draw(&state, id).unwrap().unwrap().token;
        for batch in 1..=20 {
            let before = state.total_changes();
            let step = Progress {
                integration: id,
                endpoint: EndpointState::default(),
                lanes: vec![(Lane::Bulk, sending(500 * batch))],
                attempts: Vec::new(),
                lost: Vec::new(),
                disable: None,
            };
            save(&context, token, &step).unwrap();
            assert_eq!(state.total_changes() - before, 1);
        }
        let row =
            "SELECT length(endpoint) + coalesce(length(urgent_open), 0) + length(bulk_open) FROM courier";
        let bytes: i64 = state.query_row(row, [], |row| row.get(0)).unwrap();
        assert!(bytes < 120, "{bytes}");
    }
}
