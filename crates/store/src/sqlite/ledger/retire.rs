//! Retention, seen from the integrations: what they lose with a slice becomes a dead range, and their cursors move on.

use super::{lanes, lost, replays};
use crate::sqlite::log::view::{LogView, RangeCount};
use crate::sqlite::registry::standing;
use crate::sqlite::state::codes::Code;
use crate::sqlite::state::context::{Context, Trouble};
use crate::sqlite::state::log_memory;
use crate::{StoreError, StreamFrom};
use hitwire_courier::{LaneState, LostRange, LostReason};
use hitwire_event::{ClientId, IntegrationId, Kind, Lane, Seq, Stream};
use rusqlite::{Connection, Row, params};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Integrations that one transaction moves: some 2 ms, so that saves do not wait for all of them.
const PORTION: usize = 100;

/// Integrations that one transaction looks at: most lose nothing.
const LOOKED_AT_MAX: usize = 1_000;

const BEHIND: &str = "SELECT courier.integration, urgent, urgent_open, bulk, bulk_open, client, disabled
     FROM courier JOIN integration ON integration.id = courier.integration
     WHERE courier.integration > ?2 AND min(urgent, bulk) < ?1 ORDER BY courier.integration";
const SUBSCRIPTIONS: &str = "SELECT kind, since FROM subscription
     WHERE integration = ?1 AND until IS NULL AND active = 1 AND since <= ?2";

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
    /// What has been counted for it already.
    pub counts: RangeCounts,
    /// Integrations up to this one have been moved behind it.
    pub after: IntegrationId,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sqlite) enum Retired {
    /// It is still needed, and nothing was changed.
    Needed,
    /// Integrations up to this one have been moved; there are more.
    To(IntegrationId),
    /// Nobody needs it any more.
    All,
}

impl Retire {
    /// Counts beforehand, outside the writer's transaction, what the integrations would lose. What changes until then is
    /// counted again, and nothing else. `false`: the slice is still needed, and the writer need not be asked.
    pub(in crate::sqlite) fn count(&self, connection: &Connection, view: &LogView) -> Result<bool, Trouble> {
        let mut needed = false;
        each_behind(connection, view, self, |loser| {
            needed |= !loser.lanes.is_empty() && self.unless_needed && !loser.is_disabled_by_user;
            Ok(!needed)
        })?;
        needed = needed || replays::count(connection, view, self)?;
        Ok(!needed)
    }
}

/// Counts of events in ranges of the log. Each is made once, however many lanes stand at the same place. A clone is the same
/// one.
#[derive(Clone, Debug, Default)]
pub(in crate::sqlite) struct RangeCounts(Arc<Mutex<HashMap<CountedRange, Result<RangeCount, StoreError>>>>);

/// Streams (client, kind, from) in `after < seq <= through`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct CountedRange {
    streams: Vec<(u64, u8, u64)>,
    after: u64,
    through: u64,
}

impl RangeCounts {
    pub(super) fn events(
        &self,
        view: &LogView,
        streams: &[StreamFrom],
        after: u64,
        through: u64,
    ) -> Result<RangeCount, StoreError> {
        // Where a subscription began is the same to all for whom it began before the range.
        let from = |stream: &StreamFrom| stream.from.0.max(after + 1);
        let mut key: Vec<_> = streams
            .iter()
            .map(|stream| (stream.stream.client.0, stream.stream.kind.code(), from(stream)))
            .collect();
        key.sort_unstable();
        let key = CountedRange { streams: key, after, through };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.entry(key).or_insert_with(|| view.count(streams, after, through)).clone()
    }
}

/// An integration that loses events.
struct Loser {
    id: u64,
    is_disabled_by_user: bool,
    lanes: Vec<LosingLane>,
}

/// One of its lanes that does.
struct LosingLane {
    lane: Lane,
    state: LaneState,
    kinds: Vec<Kind>,
    /// What it loses, in parts of the log that are not settled: the position before each, its last one, and its events.
    parts: Vec<(u64, u64, u64)>,
    /// Why some of the events could not be counted: then their number is the most that it can be.
    uncounted: Option<String>,
}

impl LosingLane {
    fn detail(&self, retire: &Retire) -> String {
        match &self.uncounted {
            None => retire.detail.clone(),
            Some(error) => format!(
                "{}; how many events it had could not be read, the number is the most that it can be ({error})",
                retire.detail
            ),
        }
    }
}

/// Records what a portion of the integrations lose with the slice, and moves the cursors concerned to its end. Returns the
/// integrations concerned. Whether somebody needs the slice is asked once, before the first of them is moved.
pub(in crate::sqlite) fn retire(
    context: &Context<'_>,
    retire: &Retire,
) -> Result<(Retired, Vec<IntegrationId>), Trouble> {
    let (connection, view) = (context.connection, context.view);
    if retire.unless_needed && retire.after == IntegrationId(0) && !retire.count(connection, view)? {
        return Ok((Retired::Needed, Vec::new()));
    }
    // Also those that were begun since the last portion.
    let (mut moved, more_replays) = replays::retire(context, retire, PORTION)?;
    if more_replays {
        return Ok((Retired::To(retire.after), moved));
    }
    let (mut losers, mut more, mut looked_at, mut through) = (Vec::new(), false, 0, retire.after);
    each_behind(connection, view, retire, |loser| {
        more = losers.len() == PORTION || looked_at == LOOKED_AT_MAX;
        if !more {
            (looked_at, through) = (looked_at + 1, IntegrationId(loser.id));
            losers.extend((!loser.lanes.is_empty()).then_some(loser));
        }
        Ok(!more)
    })?;
    for loser in &losers {
        for losing in &loser.lanes {
            for &(after, last, events) in &losing.parts {
                let range = LostRange {
                    lane: losing.lane,
                    kinds: losing.kinds.clone(),
                    first: Seq(retire.first.max(after + 1)),
                    last: Seq(last),
                    events,
                    reason: LostReason::Retention,
                    detail: losing.detail(retire),
                };
                lost::extend_lost(context, loser.id, after, &range)?;
            }
            lanes::pass(connection, loser.id, losing.lane, losing.state.clone(), retire.last)?;
        }
    }
    moved.extend(losers.iter().map(|loser| IntegrationId(loser.id)));
    if more {
        return Ok((Retired::To(through), moved));
    }
    log_memory::put_begin(connection, retire.last + 1)?;
    Ok((Retired::All, moved))
}

/// Shows the integrations that have not come past the slice, in order, with what they lose if anything, until `show` says `false`.
fn each_behind(
    connection: &Connection,
    view: &LogView,
    retire: &Retire,
    mut show: impl FnMut(Loser) -> Result<bool, Trouble>,
) -> Result<(), Trouble> {
    let mut statement = connection.prepare_cached(BEHIND)?;
    let mut rows = statement.query(params![retire.last as i64, retire.after.0 as i64])?;
    while let Some(row) = rows.next()? {
        if !show(loser(connection, view, retire, row)?)? {
            break;
        }
    }
    Ok(())
}

fn loser(connection: &Connection, view: &LogView, retire: &Retire, row: &Row<'_>) -> Result<Loser, Trouble> {
    let id = row.get::<_, i64>(0)? as u64;
    let client = ClientId(row.get::<_, i64>(5)? as u64);
    let subscribed = subscriptions(connection, id, client, retire.last)?;
    let mut losing = Vec::new();
    for (lane, column) in lanes::COLUMNS {
        let of_lane = subscribed.iter().filter(|from| from.stream.kind.lane() == lane);
        let streams: Vec<StreamFrom> = of_lane.copied().collect();
        // A lane that cannot be read must not keep the slice for ever either: it goes on behind it, as if nothing were open.
        let (state, mut uncounted) = if let Ok(state) = lanes::lane_of(row, column) {
            (state, None)
        } else {
            let cursor = Seq(row.get::<_, i64>(column).unwrap_or(0) as u64);
            (LaneState { cursor, open: Vec::new() }, Some("the lane's record is damaged".to_owned()))
        };
        if streams.is_empty() || state.cursor >= Seq(retire.last) {
            continue;
        }
        let parts = parts_of(&state, retire.last, |after, through| {
            // What cannot be read is lost too: it must not keep the slice for ever.
            match retire.counts.events(view, &streams, after, through) {
                Ok(RangeCount { lag, unreadable }) => {
                    uncounted = unreadable.or(uncounted.take());
                    Ok(lag.events)
                }
                Err(error) => {
                    uncounted = Some(error.to_string());
                    Ok(view.catalog.events_at_most(retire.first.max(after + 1), through))
                }
            }
        })?;
        if !parts.is_empty() {
            let kinds = streams.iter().map(|from| from.stream.kind).collect();
            losing.push(LosingLane { lane, state, kinds, parts, uncounted });
        }
    }
    // What a user disabled holds nothing back; what it loses is recorded all the same.
    let is_disabled_by_user = standing::is_by_user(row.get_ref(6)?.as_str_or_null()?);
    Ok(Loser { id, is_disabled_by_user, lanes: losing })
}

/// The parts of the log up to `last` in which a lane has something outstanding of these streams: the position before each, its
/// last one, and its events. What was settled out of turn is in none of them.
pub(in crate::sqlite) fn outstanding(
    context: &Context<'_>,
    streams: &[StreamFrom],
    state: &LaneState,
    last: u64,
) -> Result<Vec<(u64, u64, u64)>, Trouble> {
    parts_of(state, last, |after, through| Ok(context.view.count(streams, after, through)?.lag.events))
}

fn parts_of(
    state: &LaneState,
    last: u64,
    mut count: impl FnMut(u64, u64) -> Result<u64, StoreError>,
) -> Result<Vec<(u64, u64, u64)>, Trouble> {
    let mut parts = Vec::new();
    for (Seq(after), Seq(through)) in state.unsettled() {
        let through = through.min(last);
        let events = if after < through { count(after, through)? } else { 0 };
        if events > 0 {
            parts.push((after, through, events));
        }
    }
    Ok(parts)
}

/// What an integration subscribed to before a position.
fn subscriptions(
    connection: &Connection,
    id: u64,
    client: ClientId,
    last: u64,
) -> Result<Vec<StreamFrom>, Trouble> {
    let mut statement = connection.prepare_cached(SUBSCRIPTIONS)?;
    let mut rows = statement.query(params![id as i64, last as i64])?;
    let mut streams = Vec::new();
    while let Some(row) = rows.next()? {
        let (kind, since) = (Kind::from_row(row.get(0)?)?, row.get::<_, i64>(1)? as u64);
        streams.push(StreamFrom { stream: Stream { client, kind }, from: Seq(since) });
    }
    Ok(streams)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::log::catalog::Catalog;
    use crate::sqlite::options::Options;
    use crate::sqlite::schema;
    use crate::sqlite::seal::Sealer;
    use std::collections::BTreeMap;

    #[test]
    fn lanes_that_stand_at_the_same_place_are_counted_once() {
        let options = Arc::new(Options::new("nowhere"));
        let view = LogView::new(Catalog::default(), 100, options, Arc::default(), BTreeMap::new());
        let counts = RangeCounts::default();
        let from =
            |from| StreamFrom { stream: Stream { client: ClientId(1), kind: Kind::Hit }, from: Seq(from) };
        for began in [1, 5, 51] {
            counts.events(&view, &[from(began)], 50, 100).unwrap();
        }
        assert_eq!(counts.0.lock().unwrap().len(), 1, "where the subscription began is before the range");
        counts.events(&view, &[from(60)], 50, 100).unwrap();
        assert_eq!(counts.0.lock().unwrap().len(), 2);
    }

    const DEAD: u64 = 1_000;

    /// A state with so many integrations that stand at the same place, all behind position 100.
    fn dead(path: &std::path::Path) -> Connection {
        schema::create(path, schema::Kind::State, |_| Ok(())).unwrap();
        let state = schema::open(path, schema::Kind::State, schema::Access::Write).unwrap();
        state
            .execute_batch(&format!(
                "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < {DEAD})
                 INSERT INTO integration SELECT id, 1, 'dead', NULL, 0, '', 1, 1, '{{}}', x'', '{{}}' FROM n;
                 INSERT INTO subscription (integration, place, kind, active, with_headers, revision, since)
                 SELECT id, 0, {}, 1, 0, 1, 1 FROM integration;
                 INSERT INTO courier (integration, token, endpoint, urgent, bulk)
                 SELECT id, 7, 'null', 50, 50 FROM integration;",
                Kind::Hit.code()
            ))
            .unwrap();
        state
    }

    /// What 1,000 dead integrations cost is counted once, beside the writer; and they are moved in portions, between which saves
    /// have their turn.
    #[test]
    fn a_thousand_that_are_behind_are_counted_beside_the_writer_and_moved_in_portions() {
        let directory = tempfile::tempdir().unwrap();
        let state = dead(&directory.path().join("state.db"));
        let options = Arc::new(Options::new("nowhere"));
        let view = LogView::new(Catalog::default(), 100, options, Arc::default(), BTreeMap::new());
        let mut slice = Retire {
            first: 1,
            last: 100,
            unless_needed: false,
            detail: "too old".to_owned(),
            counts: RangeCounts::default(),
            after: IntegrationId(0),
        };
        assert!(slice.count(&state, &view).unwrap());
        let counted = slice.counts.0.lock().unwrap().len();
        assert_eq!(counted, 1, "they all stand at the same place");

        let sealer = Sealer::new(&[7; 32]);
        let context = Context {
            connection: &state,
            sealer: &sealer,
            view: &view,
            now_ms: 0,
            tasks: std::cell::RefCell::default(),
            lost: std::cell::RefCell::default(),
        };
        let mut portions = 0;
        let mut all_moved = Vec::new();
        loop {
            let before = state.total_changes();
            let (retired, moved) = retire(&context, &slice).unwrap();
            portions += 1;
            assert!(moved.len() <= PORTION);
            let changed = state.total_changes() - before;
            assert!(changed <= 2 * PORTION as u64 + 1, "a range and a row for each, and a note: {changed}");
            all_moved.extend(moved);
            match retired {
                Retired::To(after) => slice.after = after,
                Retired::All => break,
                Retired::Needed => panic!("it is to go whoever needs it"),
            }
        }
        assert_eq!(portions, DEAD.div_ceil(PORTION as u64));
        assert_eq!(all_moved, (1..=DEAD).map(IntegrationId).collect::<Vec<_>>());
        assert_eq!(slice.counts.0.lock().unwrap().len(), counted, "the writer counts nothing");
        let one = |sql: &str| state.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() as u64;
        assert_eq!(one("SELECT count(*) FROM courier WHERE bulk = 100 AND token IS NULL"), DEAD);
        assert_eq!(one("SELECT count(*) FROM lost WHERE events = 50"), DEAD);
    }
}
