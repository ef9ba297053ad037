//! Replays: a row each, with what is to be sent and how far it has come. Those that have not ended are lanes of their
//! integration's courier, under the same token.

use super::open_batches::{from_bytes, to_bytes};
use super::{lanes, lost, retire};
use crate::sqlite::log::view::{LogView, RangeCount};
use crate::sqlite::registry::standing;
use crate::sqlite::state::codes::{from_json, to_json};
use crate::sqlite::state::context::{Context, Trouble};
use crate::sqlite::state::log_memory;
use crate::{NewReplay, Replay, ReplayChange, ReplayEnd, ReplayPlan, SteerReplay, StoreError};
use hitwire_courier::{LaneState, LostRange, LostReason, Progress, Verdict};
use hitwire_event::{ClientId, IntegrationId, Lane, Seq};
use rusqlite::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str = "number, plan, begun_ms, paused, events_per_s, cursor, delivered, given_up, ended_ms,
     cancelled, open";
const INSERT: &str =
    "INSERT INTO replay (integration, number, plan, last, cursor, paused, events_per_s, begun_ms)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const CLIENT: &str = "SELECT client FROM integration WHERE id = ?1";
const LAST_NUMBER: &str = "SELECT coalesce(max(number), 0) FROM replay WHERE integration = ?1";
const UNDER_WAY: &str = "SELECT count(*) FROM replay WHERE integration = ?1 AND ended_ms IS NULL";
const FORGET: &str = "DELETE FROM replay WHERE integration = ?1 AND ended_ms IS NOT NULL AND number <= ?2";
const SAVE: &str = "UPDATE replay SET cursor = ?3, open = ?4, ended_ms = iif(?3 >= last, ?5, NULL)
     WHERE integration = ?1 AND number = ?2 AND ended_ms IS NULL";
const DELIVERED: &str = "UPDATE replay SET delivered = delivered + ?3 WHERE integration = ?1 AND number = ?2";
const GIVEN_UP: &str = "UPDATE replay SET given_up = given_up + ?3 WHERE integration = ?1 AND number = ?2";
const PAUSE: &str =
    "UPDATE replay SET paused = ?3 WHERE integration = ?1 AND number = ?2 AND ended_ms IS NULL";
const RATE: &str =
    "UPDATE replay SET events_per_s = ?3 WHERE integration = ?1 AND number = ?2 AND ended_ms IS NULL";
const CANCEL: &str = "UPDATE replay SET ended_ms = ?3, cancelled = 1, open = NULL
     WHERE integration = ?1 AND number = ?2 AND ended_ms IS NULL";
const BEHIND: &str = "SELECT replay.integration, number, plan, cursor, open, paused, client, disabled
     FROM replay JOIN integration ON integration.id = replay.integration
     WHERE ended_ms IS NULL AND cursor < ?1 LIMIT ?2";
const LAST: &str = "SELECT coalesce(max(last), 0) FROM replay WHERE ended_ms IS NULL";

/// Begins a replay. Returns its number.
pub(in crate::sqlite) fn begin(context: &Context<'_>, new: &NewReplay) -> Result<u32, Trouble> {
    let connection = context.connection;
    let id = new.integration.0 as i64;
    let client = connection.prepare_cached(CLIENT)?.query_row([id], |row| row.get::<_, i64>(0)).optional()?;
    let client = ClientId(client.ok_or(StoreError::NotFound)? as u64);
    let plan = left_of(context, client, &new.plan)?;
    let under_way: i64 = connection.prepare_cached(UNDER_WAY)?.query_row([id], |row| row.get(0))?;
    if under_way as usize >= Replay::UNDER_WAY_MAX {
        let most = Replay::UNDER_WAY_MAX;
        let why = format!(
            "integration {} has {most} replays under way, which is the most; cancel one, or wait",
            new.integration
        );
        return Err(StoreError::Taken(why).into());
    }
    let last_number: i64 = connection.prepare_cached(LAST_NUMBER)?.query_row([id], |row| row.get(0))?;
    let number = u32::try_from(last_number + 1)
        .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, last_number))?;
    lanes::release(connection, new.integration.0)?;
    connection.prepare_cached(INSERT)?.execute(params![
        id,
        number,
        to_json(&plan)?,
        plan.last().0 as i64,
        plan.first().0.saturating_sub(1) as i64,
        new.paused,
        new.events_per_s,
        context.now_ms as i64,
    ])?;
    let kept = Replay::KEPT_MAX as i64;
    connection.prepare_cached(FORGET)?.execute([id, i64::from(number) - kept])?;
    Ok(number)
}

/// What of a plan is still in the log: retention may have taken something since it was made.
fn left_of(context: &Context<'_>, client: ClientId, plan: &ReplayPlan) -> Result<ReplayPlan, Trouble> {
    let begins = Seq(log_memory::begins(context.connection)?);
    let mut left = plan.clone();
    if plan.first() >= begins {
        return Ok(left);
    }
    left.segments.retain(|segment| segment.last >= begins);
    if let Some(first) = left.segments.first_mut() {
        first.first = first.first.max(begins);
    }
    left.events = 0;
    for (streams, after, through) in left.parts(client, Seq::ZERO, Seq(u64::MAX)) {
        left.events += context.view.count(&streams, after.0, through.0)?.lag.events;
    }
    if left.events == 0 {
        return Err(StoreError::Taken("what was to be sent has just left the log".to_owned()).into());
    }
    Ok(left)
}

/// Changes a replay that has not ended.
pub(in crate::sqlite) fn steer(context: &Context<'_>, steer: &SteerReplay) -> Result<(), Trouble> {
    let connection = context.connection;
    let (id, number) = (steer.integration.0 as i64, steer.number);
    let changed = match steer.change {
        ReplayChange::Pause(paused) => {
            connection.prepare_cached(PAUSE)?.execute(params![id, number, paused])?
        }
        ReplayChange::EventsPerSecond(rate) => {
            connection.prepare_cached(RATE)?.execute(params![id, number, rate])?
        }
        ReplayChange::Cancel => {
            connection.prepare_cached(CANCEL)?.execute(params![id, number, context.now_ms as i64])?
        }
    };
    if changed == 0 {
        return Err(StoreError::NotFound.into());
    }
    lanes::release(connection, steer.integration.0)
}

/// Saves the replays of a courier's step. It belongs to a step whose token was good.
pub(super) fn save(context: &Context<'_>, progress: &Progress) -> Result<(), Trouble> {
    let id = progress.integration.0 as i64;
    for (lane, state) in &progress.lanes {
        if let Lane::Replay(number) = lane {
            let open = to_bytes(&state.open)?;
            let values = params![id, number, state.cursor.0 as i64, open, context.now_ms as i64];
            context.connection.prepare_cached(SAVE)?.execute(values)?;
        }
    }
    for attempt in &progress.attempts {
        if let (Lane::Replay(number), Verdict::Delivered) = (attempt.lane, attempt.verdict) {
            context.connection.prepare_cached(DELIVERED)?.execute(params![id, number, attempt.events])?;
        }
    }
    for range in &progress.lost {
        given_up(context, progress.integration.0, range)?;
    }
    Ok(())
}

fn given_up(context: &Context<'_>, id: u64, range: &LostRange) -> Result<(), Trouble> {
    if let Lane::Replay(number) = range.lane {
        let values = params![id as i64, number, range.events as i64];
        context.connection.prepare_cached(GIVEN_UP)?.execute(values)?;
    }
    Ok(())
}

/// The replays of an integration, the newest first.
pub(in crate::sqlite) fn all(connection: &Connection, id: IntegrationId) -> Result<Vec<Replay>, Trouble> {
    let sql = format!("SELECT {COLUMNS} FROM replay WHERE integration = ?1 ORDER BY number DESC");
    let rows = read(connection, &sql, id)?;
    Ok(rows.into_iter().map(|(replay, _)| replay).collect())
}

/// Those that have not ended, with their lanes.
pub(super) fn under_way(
    connection: &Connection,
    id: IntegrationId,
) -> Result<Vec<(Replay, LaneState)>, Trouble> {
    let sql =
        format!("SELECT {COLUMNS} FROM replay WHERE integration = ?1 AND ended_ms IS NULL ORDER BY number");
    read(connection, &sql, id)
}

fn read(connection: &Connection, sql: &str, id: IntegrationId) -> Result<Vec<(Replay, LaneState)>, Trouble> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([id.0 as i64])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        match replay(id, row) {
            Ok(replay) => found.push(replay),
            Err(trouble) => left_out(id, row, trouble)?,
        }
    }
    Ok(found)
}

/// A replay whose record is damaged must cost the integration nothing else: it is left out, and can be cancelled.
fn left_out(id: IntegrationId, row: &Row<'_>, trouble: Trouble) -> Result<(), Trouble> {
    if trouble.concerns_the_file() {
        return Err(trouble);
    }
    let number: u32 = row.get("number")?;
    tracing::error!(integration = %id, replay = number, "the record of a replay is damaged; it is left out, cancel it");
    Ok(())
}

fn replay(integration: IntegrationId, row: &Row<'_>) -> Result<(Replay, LaneState), Trouble> {
    let number = |column: usize| row.get::<_, i64>(column).map(|value| value as u64);
    let cursor = Seq(number(5)?);
    let end = if row.get(9)? { ReplayEnd::Cancelled } else { ReplayEnd::Done };
    let replay = Replay {
        integration,
        number: row.get(0)?,
        plan: from_json(row.get_ref(1)?.as_bytes()?, 1)?,
        begun_ms: number(2)?,
        paused: row.get(3)?,
        events_per_s: row.get(4)?,
        cursor,
        delivered: number(6)?,
        given_up: number(7)?,
        ended: row.get::<_, Option<i64>>(8)?.map(|ended_ms| (ended_ms as u64, end)),
    };
    let open = from_bytes(row.get_ref(10)?.as_blob_or_null()?, 10)?;
    Ok((replay, LaneState { cursor, open }))
}

/// The highest position that a replay under way can come to.
pub(super) fn last(connection: &Connection) -> Result<u64, Trouble> {
    let last: i64 = connection.query_row(LAST, [], |row| row.get(0))?;
    Ok(last as u64)
}

/// A replay that loses events with a slice.
struct Behind {
    integration: IntegrationId,
    number: u32,
    state: LaneState,
    client: ClientId,
    plan: ReplayPlan,
    holds: bool,
}

fn behind(connection: &Connection, last: u64, most: usize) -> Result<Vec<Behind>, Trouble> {
    let mut statement = connection.prepare_cached(BEHIND)?;
    let mut rows = statement.query([last as i64, most as i64])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        match behind_of(row) {
            Ok(behind) => found.push(behind),
            Err(trouble) => left_out(IntegrationId(row.get::<_, i64>(0)? as u64), row, trouble)?,
        }
    }
    Ok(found)
}

fn behind_of(row: &Row<'_>) -> Result<Behind, Trouble> {
    let paused: bool = row.get(5)?;
    Ok(Behind {
        integration: IntegrationId(row.get::<_, i64>(0)? as u64),
        number: row.get(1)?,
        plan: from_json(row.get_ref(2)?.as_bytes()?, 2)?,
        state: LaneState {
            cursor: Seq(row.get::<_, i64>(3)? as u64),
            open: from_bytes(row.get_ref(4)?.as_blob_or_null()?, 4)?,
        },
        client: ClientId(row.get::<_, i64>(6)? as u64),
        holds: !paused && !standing::is_by_user(row.get_ref(7)?.as_str_or_null()?),
    })
}

/// Counts beforehand, outside the writer's transaction, what replays would lose up to this position. `true`: one that is under
/// way still needs it.
pub(super) fn count(
    connection: &Connection,
    view: &LogView,
    retire: &retire::Retire,
) -> Result<bool, Trouble> {
    for replay in behind(connection, retire.last, usize::MAX >> 1)? {
        if retire.unless_needed && replay.holds {
            return Ok(true);
        }
        replay.lost(view, retire);
    }
    Ok(false)
}

impl Behind {
    /// What it loses up to the end of the slice: a range for each part of it.
    fn lost(&self, view: &LogView, retire: &retire::Retire) -> Vec<LostRange> {
        let mut lost = Vec::new();
        for (after, through) in self.state.unsettled() {
            let parts = self.plan.parts(self.client, after, through.min(Seq(retire.last)));
            for (streams, after, through) in parts {
                let (events, detail) = match retire.counts.events(view, &streams, after.0, through.0) {
                    Ok(RangeCount { lag, .. }) => (lag.events, retire.detail.clone()),
                    Err(error) => {
                        let most = view.catalog.events_at_most(after.0 + 1, through.0);
                        (
                            most,
                            format!(
                                "{}; how many events it had could not be read, the number is the most that it can be ({error})",
                                retire.detail
                            ),
                        )
                    }
                };
                if events > 0 {
                    let kinds = streams.iter().map(|from| from.stream.kind).collect();
                    let (lane, reason) = (Lane::Replay(self.number), LostReason::Retention);
                    lost.push(LostRange {
                        lane,
                        kinds,
                        first: after.next(),
                        last: through,
                        events,
                        reason,
                        detail,
                    });
                }
            }
        }
        lost
    }
}

/// Records what a portion of the replays lose with a slice, and moves them behind it. Returns the integrations concerned, and
/// whether there are more.
pub(super) fn retire(
    context: &Context<'_>,
    retire: &retire::Retire,
    portion: usize,
) -> Result<(Vec<IntegrationId>, bool), Trouble> {
    let found = behind(context.connection, retire.last, portion)?;
    let more = found.len() == portion;
    let mut moved = Vec::new();
    for mut replay in found {
        let id = replay.integration;
        for range in &replay.lost(context.view, retire) {
            lost::extend_lost(context, id.0, range.first.0 - 1, range)?;
            given_up(context, id.0, range)?;
        }
        replay.state.pass(Seq(retire.last));
        let (cursor, open) = (replay.state.cursor.0 as i64, to_bytes(&replay.state.open)?);
        let values = params![id.0 as i64, replay.number, cursor, open, context.now_ms as i64];
        context.connection.prepare_cached(SAVE)?.execute(values)?;
        lanes::release(context.connection, id.0)?;
        moved.push(id);
    }
    Ok((moved, more))
}

/// Whether there is such a replay.
pub(in crate::sqlite) fn one(
    connection: &Connection,
    id: IntegrationId,
    number: u32,
) -> Result<Option<Replay>, Trouble> {
    let sql = format!("SELECT {COLUMNS} FROM replay WHERE integration = ?1 AND number = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement.query_row(params![id.0 as i64, number], |row| Ok(replay(id, row)));
    found.optional()?.transpose().map(|found| found.map(|(replay, _)| replay))
}
