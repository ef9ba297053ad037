//! Retention, seen from the integrations: what they lose with a slice becomes a dead range, and their cursors move on.

use super::{history, lanes};
use crate::sqlite::log::view::{LogView, RangeCount};
use crate::sqlite::registry::standing;
use crate::sqlite::state::codes::Code;
use crate::sqlite::state::context::Context;
use crate::sqlite::state::context::Trouble;
use crate::sqlite::state::log_memory;
use crate::{StoreError, StreamFrom};
use hitwire_courier::{LaneState, LostRange, LostReason};
use hitwire_event::{ClientId, IntegrationId, Kind, Lane, Seq, Stream};
use rusqlite::Connection;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

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
    /// What has been counted for it already.
    pub counts: RangeCounts,
}

impl Retire {
    /// Counts beforehand, outside the writer's transaction, what the integrations would lose. What changes until then is
    /// counted again, and nothing else. `false`: the slice is still needed, and the writer need not be asked.
    pub(in crate::sqlite) fn count(&self, connection: &Connection, view: &LogView) -> Result<bool, Trouble> {
        Ok(losers(connection, view, self)?.is_some())
    }
}

/// Counts of events in ranges of the log. Each is made once, however many lanes stand at the same place.
#[derive(Clone, Debug, Default)]
pub(in crate::sqlite) struct RangeCounts(RefCell<HashMap<CountedRange, Result<RangeCount, StoreError>>>);

/// Streams (client, kind, from) in `after < seq <= through`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct CountedRange {
    streams: Vec<(u64, u8, u64)>,
    after: u64,
    through: u64,
}

impl RangeCounts {
    fn events(
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
        let mut counts = self.0.borrow_mut();
        counts.entry(key).or_insert_with(|| view.count(streams, after, through)).clone()
    }
}

/// A lane that loses events.
struct Loser {
    integration: u64,
    lane: Lane,
    kinds: Vec<Kind>,
    /// What it loses, in parts of the log that are not settled: the position before each, its last one, and its events.
    parts: Vec<(u64, u64, u64)>,
    /// Why some of the events could not be counted: then their number is the most that it can be.
    uncounted: Option<String>,
}

impl Loser {
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

/// Records what every integration loses with the slice, and moves the cursors concerned to its end. Returns the
/// integrations concerned; `None`: the slice is still needed, and nothing was changed.
pub(in crate::sqlite) fn retire(
    context: &Context<'_>,
    retire: &Retire,
) -> Result<Option<Vec<IntegrationId>>, Trouble> {
    let Some(losers) = losers(context.connection, context.view, retire)? else { return Ok(None) };
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
                detail: loser.detail(retire),
            };
            history::extend_lost(context, loser.integration, after, &range)?;
        }
        lanes::jump(context.connection, loser.integration, loser.lane, retire.last)?;
        moved.push(IntegrationId(loser.integration));
    }
    moved.dedup();
    log_memory::put_begin(context.connection, retire.last + 1)?;
    Ok(Some(moved))
}

/// The lanes with outstanding events in the slice; `None` if one of them holds the slice back.
fn losers(connection: &Connection, view: &LogView, retire: &Retire) -> Result<Option<Vec<Loser>>, Trouble> {
    let subscriptions = subscriptions(connection, retire.last)?;
    let mut statement = connection.prepare_cached(LANES_BEHIND)?;
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
        let state = lanes::lane(connection, integration, lane)?;
        let mut uncounted = None;
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
        if parts.is_empty() {
            continue;
        }
        // What a user disabled holds nothing back; what it loses is recorded all the same.
        if retire.unless_needed && !standing::is_by_user(row.get_ref(3)?.as_str_or_null()?) {
            return Ok(None);
        }
        let kinds = streams.iter().map(|from| from.stream.kind).collect();
        losers.push(Loser { integration, lane, kinds, parts, uncounted });
    }
    Ok(Some(losers))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::log::catalog::Catalog;
    use crate::sqlite::options::Options;
    use std::sync::Arc;

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
        assert_eq!(counts.0.borrow().len(), 1, "where the subscription began is before the range");
        counts.events(&view, &[from(60)], 50, 100).unwrap();
        assert_eq!(counts.0.borrow().len(), 2);
    }
}
