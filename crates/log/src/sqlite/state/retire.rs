//! Retention, seen from the integrations: what they lose with a slice becomes a dead range, and their cursors move on.

use super::codes::Code;
use super::work::Context;
use super::{Trouble, history, integrations, lanes};
use crate::StreamFrom;
use hitwire_courier::{LaneState, LostRange, LostReason};
use hitwire_event::{ClientId, IntegrationId, Kind, Lane, Seq, Stream};
use rusqlite::Connection;
use std::collections::BTreeMap;

const LANES_BEHIND: &str = "SELECT lane.integration, lane.lane, integration.client, integration.disabled
     FROM lane JOIN integration ON integration.id = lane.integration WHERE lane.cursor < ?1";
const ACTIVE_SUBSCRIPTIONS: &str =
    "SELECT integration, kind, since FROM subscription WHERE until IS NULL AND active = 1 AND since <= ?1";

/// A slice that retention wants to drop.
#[derive(Clone, Debug)]
pub(in crate::sqlite) struct Retire {
    /// Its first position.
    pub first: u64,
    /// Its last position.
    pub last: u64,
    /// Only if no integration that hitwire shall serve still needs it.
    pub unless_needed: bool,
    /// Which limit it is, for the user.
    pub detail: String,
}

/// A lane that loses events.
struct Loser {
    integration: u64,
    lane: Lane,
    kinds: Vec<Kind>,
    /// What it loses, in parts of the log that are not settled: the position before each, its last one, and its events.
    parts: Vec<(u64, u64, u64)>,
}

/// Records what every integration loses with the slice, and moves the cursors concerned to its end. Returns the
/// integrations concerned; `None`: the slice is still needed, and nothing was changed.
pub(super) fn retire(context: &Context<'_>, retire: &Retire) -> Result<Option<Vec<IntegrationId>>, Trouble> {
    let Some(losers) = losers(context, retire)? else { return Ok(None) };
    let mut moved = Vec::new();
    for loser in losers {
        for &(after, last, events) in &loser.parts {
            let range = LostRange {
                lane: loser.lane,
                kinds: loser.kinds.clone(),
                first: Seq(retire.first.max(after + 1)),
                last: Seq(last),
                events,
                reason: LostReason::Retention,
                detail: retire.detail.clone(),
            };
            history::extend_lost(context, loser.integration, after, &range)?;
        }
        lanes::jump(context.connection, loser.integration, loser.lane, retire.last)?;
        moved.push(IntegrationId(loser.integration));
    }
    moved.dedup();
    Ok(Some(moved))
}

/// The lanes with outstanding events in the slice; `None` if one of them holds the slice back.
fn losers(context: &Context<'_>, retire: &Retire) -> Result<Option<Vec<Loser>>, Trouble> {
    let subscriptions = subscriptions(context.connection, retire.last)?;
    let mut statement = context.connection.prepare_cached(LANES_BEHIND)?;
    let mut rows = statement.query([retire.last as i64])?;
    let mut losers = Vec::new();
    while let Some(row) = rows.next()? {
        let integration = row.get::<_, i64>(0)? as u64;
        let lane = Lane::from_row(row.get(1)?)?;
        let client = ClientId(row.get::<_, i64>(2)? as u64);
        let of_lane =
            subscriptions.get(&integration).into_iter().flatten().filter(|(kind, _)| kind.lane() == lane);
        let streams: Vec<StreamFrom> = of_lane
            .map(|&(kind, since)| StreamFrom { stream: Stream { client, kind }, from: Seq(since) })
            .collect();
        if streams.is_empty() {
            continue;
        }
        let state = lanes::lane(context.connection, integration, lane)?;
        let parts = outstanding(context, &streams, &state, retire.last)?;
        if parts.is_empty() {
            continue;
        }
        // What a user disabled holds nothing back; what it loses is recorded all the same.
        if retire.unless_needed && !integrations::is_by_user(row.get_ref(3)?.as_str_or_null()?) {
            return Ok(None);
        }
        let kinds = streams.iter().map(|from| from.stream.kind).collect();
        losers.push(Loser { integration, lane, kinds, parts });
    }
    Ok(Some(losers))
}

/// The parts of the log up to `last` in which a lane has something outstanding of these streams: the position before each, its
/// last one, and its events. What was settled out of turn is in none of them.
pub(super) fn outstanding(
    context: &Context<'_>,
    streams: &[StreamFrom],
    state: &LaneState,
    last: u64,
) -> Result<Vec<(u64, u64, u64)>, Trouble> {
    let mut parts = Vec::new();
    for (Seq(after), Seq(through)) in state.unsettled() {
        let through = through.min(last);
        let events = if after < through { context.view.count(streams, after, through)?.events } else { 0 };
        if events > 0 {
            parts.push((after, through, events));
        }
    }
    Ok(parts)
}

fn subscriptions(connection: &Connection, last: u64) -> Result<BTreeMap<u64, Vec<(Kind, u64)>>, Trouble> {
    let mut statement = connection.prepare_cached(ACTIVE_SUBSCRIPTIONS)?;
    let mut rows = statement.query([last as i64])?;
    let mut subscriptions: BTreeMap<u64, Vec<(Kind, u64)>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let subscription = (Kind::from_row(row.get(1)?)?, row.get::<_, i64>(2)? as u64);
        subscriptions.entry(row.get::<_, i64>(0)? as u64).or_default().push(subscription);
    }
    Ok(subscriptions)
}
