//! From what a caller wants to the parts of the log that it means.

use super::asked::{Asked, What};
use crate::Shared;
use crate::problem::Problem;
use hitwire_delivery::lane_streams;
use hitwire_event::filter::Filter;
use hitwire_event::{EventId, Kind, Lane, Seq, Stream};
use hitwire_index::Search;
use hitwire_store::{AttemptRow, Integration, LostRow, Read, ReplayPlan, ReplayPurpose, Segment, StreamFrom};
use std::collections::BTreeSet;

/// Events that have one id at most: others are older repetitions.
const EVENTS_WITH_AN_ID_MAX: usize = 100;

/// Lost ranges of one page.
const LOST_PAGE: usize = 500;

/// What is to be sent, with the number of its events; a problem if there is nothing.
pub(super) async fn plan(
    api: &Shared,
    integration: &Integration,
    asked: Asked,
    by: &str,
) -> Result<ReplayPlan, Problem> {
    let head = api.store.head().now();
    let Asked { what, kinds, filter, .. } = asked;
    let ticked =
        || integration.events.iter().filter(|ticked| ticked.active).map(|ticked| ticked.kind).collect();
    let kinds_or_ticked = || kinds.clone().unwrap_or_else(ticked);
    let is_wanted = |kind: &Kind| kinds.as_ref().is_none_or(|kinds| kinds.contains(kind));
    // A single event that somebody names is sent whatever the filter says.
    let named = || filter.clone().unwrap_or_default();
    let own = || filter.clone().unwrap_or_else(|| integration.filter.clone());
    let mut of_batch = None;
    let (purpose, segments, filter): (_, Vec<Segment>, Filter) = match what {
        What::Time { from_ms, until_ms } => {
            let before = api.store.position_at(from_ms.saturating_sub(1)).await?;
            let last = match until_ms {
                Some(until_ms) => api.store.position_at(until_ms.saturating_sub(1)).await?,
                None => head,
            };
            let segment = Segment { first: before.next(), last, kinds: kinds_or_ticked() };
            (ReplayPurpose::Replay, vec![segment], own())
        }
        What::Positions { first, last } => {
            let last = last.map_or(head, Seq).min(head);
            let segment = Segment { first: Seq(first), last, kinds: kinds_or_ticked() };
            (ReplayPurpose::Replay, vec![segment], own())
        }
        What::Attempt(number) => {
            let Some(AttemptRow { attempt, .. }) = api.store.attempt(integration.id, number).await? else {
                return Err(Problem::not_found(
                    "there is no such attempt; GET /v2/integration/{id}/attempts lists them",
                ));
            };
            let purpose =
                ReplayPurpose::ResendBatch { attempt: number, webhook_id: attempt.webhook_id.clone() };
            let (of_lane, filter_of_batch) = of_lane(api, integration, attempt.lane, attempt.first).await?;
            let kinds_of_batch = of_lane.into_iter().filter(is_wanted).collect();
            of_batch = kinds.is_none().then_some(u64::from(attempt.events));
            let filter = filter.clone().unwrap_or(filter_of_batch);
            (
                purpose,
                vec![Segment { first: attempt.first, last: attempt.last, kinds: kinds_of_batch }],
                filter,
            )
        }
        What::Seq(seq) => {
            let stream =
                |kind| StreamFrom { stream: Stream { client: integration.client, kind }, from: Seq(seq) };
            let read = Read {
                streams: Kind::ALL.map(stream).into(),
                after: Seq(seq - 1),
                through: Some(Seq(seq)),
                max_events: 1,
                max_bytes: usize::MAX,
            };
            let record = api.store.read(read).await?.records.pop();
            let record = record
                .ok_or_else(|| Problem::not_found("there is no event at this position, or it is gone"))?;
            let id = record.event.id.clone();
            let segment = Segment { first: Seq(seq), last: Seq(seq), kinds: vec![record.event.kind] };
            (ReplayPurpose::ResendEvent { id }, vec![segment], named())
        }
        What::Event(id) => {
            let search = Search {
                client: integration.client,
                id: Some(id.clone()),
                limit: EVENTS_WITH_AN_ID_MAX,
                ..Search::default()
            };
            let found = api.index.search(search).await.map_err(unindexed)?.events;
            if found.is_empty() {
                return Err(Problem::not_found(
                    "there is no event with this id, or it is gone, or not indexed yet",
                ));
            }
            let segment = |seq, kind| Segment { first: seq, last: seq, kinds: vec![kind] };
            let segments = found.into_iter().map(|event| segment(event.seq, event.kind)).collect();
            (ReplayPurpose::ResendEvent { id: EventId(id.into()) }, segments, named())
        }
        What::Lost(ranges) => {
            let rows = lost(api, integration, ranges.as_deref()).await?;
            let segment = |row: &LostRow| {
                let kinds = row.range.kinds.iter().copied().filter(is_wanted).collect();
                Segment { first: row.range.first, last: row.range.last, kinds }
            };
            let segments = rows.iter().map(segment).collect();
            let ranges = rows.iter().map(|row| row.id).collect();
            (ReplayPurpose::ResendUndelivered { ranges }, segments, own())
        }
    };
    let segments = disjoint(segments);
    if segments.len() > ReplayPlan::SEGMENTS_MAX {
        let most = ReplayPlan::SEGMENTS_MAX;
        return Err(Problem::conflict(format!(
            "these are {} parts of the log, and a replay has {most} at most; name fewer",
            segments.len()
        )));
    }
    let mut plan = ReplayPlan { purpose, segments, filter, events: 0, by: by.to_owned() };
    for (streams, after, through) in plan.parts(integration.client, Seq::ZERO, Seq(u64::MAX)) {
        plan.events += api.store.lag(streams, after, through).await?.events;
    }
    if let Some(sent) = of_batch.filter(|sent| plan.filter.is_empty() && plan.events != *sent) {
        let detail = format!(
            "the batch had {sent} events, and today its range would give {}: kinds were ticked or unticked since, or events are gone; name the positions instead: first and last",
            plan.events
        );
        return Err(Problem::conflict(detail));
    }
    if plan.events == 0 {
        return Err(Problem::conflict(
            "there is nothing to send: the log has no such events, or has them no more",
        ));
    }
    Ok(plan)
}

fn unindexed(error: hitwire_index::IndexError) -> Problem {
    tracing::error!(%error, "events cannot be found by id");
    Problem::unavailable(error.to_string())
}

/// The kinds that a batch of this lane is made of, and the filter that they passed; of a live lane as they are today.
async fn of_lane(
    api: &Shared,
    integration: &Integration,
    lane: Lane,
    first: Seq,
) -> Result<(Vec<Kind>, Filter), Problem> {
    let Lane::Replay(number) = lane else {
        let kinds = lane_streams(integration, lane).into_iter().map(|from| from.stream.kind).collect();
        return Ok((kinds, integration.filter.clone()));
    };
    let replay = api.store.replay(integration.id, number).await?;
    let before = Seq(first.0.saturating_sub(1));
    let part = replay.and_then(|replay| {
        let kinds = replay.plan.segment_after(before)?.kinds.clone();
        Some((kinds, replay.plan.filter))
    });
    part.ok_or_else(|| {
        Problem::conflict(
            "the replay that it belongs to is forgotten; name the positions instead: first and last",
        )
    })
}

/// Lost ranges by their numbers; none: all of them.
async fn lost(
    api: &Shared,
    integration: &Integration,
    wanted: Option<&[u64]>,
) -> Result<Vec<LostRow>, Problem> {
    let wanted: Option<BTreeSet<u64>> = wanted.map(|wanted| wanted.iter().copied().collect());
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let rows = api.store.lost(integration.id, before, LOST_PAGE).await?;
        let is_last = rows.len() < LOST_PAGE;
        before = rows.last().map(|row| row.id);
        // What a replay did not get may have been delivered long ago: it is sent again only if somebody names it.
        let is_wanted = |row: &LostRow| match &wanted {
            Some(wanted) => wanted.contains(&row.id),
            None => !row.range.lane.is_replay(),
        };
        found.extend(rows.into_iter().filter(is_wanted));
        if found.len() > ReplayPlan::SEGMENTS_MAX {
            let most = ReplayPlan::SEGMENTS_MAX;
            return Err(Problem::conflict(format!(
                "more than {most} ranges were lost, which is the most of one replay; name some of them, or the positions: first and last"
            )));
        }
        if is_last {
            break;
        }
    }
    match wanted {
        Some(wanted) if found.len() < wanted.len() => {
            let known: BTreeSet<u64> = found.iter().map(|row| row.id).collect();
            let missing: Vec<String> = wanted.difference(&known).take(5).map(u64::to_string).collect();
            let detail = format!(
                "there is no lost range {}; GET /v2/integration/{{id}}/lost lists them",
                missing.join(", ")
            );
            Err(Problem::not_found(detail))
        }
        None if found.is_empty() => Err(Problem::conflict("there is nothing to send: no range was lost")),
        _ => Ok(found),
    }
}

/// The same parts in order, none over another: where they lay over each other, one has the kinds of all.
fn disjoint(segments: Vec<Segment>) -> Vec<Segment> {
    let segments: Vec<Segment> = segments
        .into_iter()
        .filter(|segment| segment.first <= segment.last && !segment.kinds.is_empty())
        .collect();
    let mut borders: Vec<Seq> =
        segments.iter().flat_map(|segment| [segment.first, segment.last.next()]).collect();
    borders.sort_unstable();
    borders.dedup();
    let mut disjoint: Vec<Segment> = Vec::new();
    for border in borders.windows(2) {
        let (first, last) = (border[0], Seq(border[1].0 - 1));
        let over = segments.iter().filter(|segment| segment.first <= first && last <= segment.last);
        let kinds: BTreeSet<Kind> = over.flat_map(|segment| segment.kinds.iter().copied()).collect();
        let kinds: Vec<Kind> = kinds.into_iter().collect();
        match disjoint.last_mut() {
            _ if kinds.is_empty() => {}
            Some(before) if before.last.next() == first && before.kinds == kinds => before.last = last,
            _ => disjoint.push(Segment { first, last, kinds }),
        }
    }
    disjoint
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segment(first: u64, last: u64, kinds: &[Kind]) -> Segment {
        Segment { first: Seq(first), last: Seq(last), kinds: kinds.to_vec() }
    }

    #[test]
    fn parts_that_lie_over_each_other_become_parts_that_do_not() {
        let (hit, scope) = (Kind::Hit, Kind::Scope);
        let both =
            disjoint(vec![segment(10, 20, &[hit]), segment(15, 30, &[scope]), segment(21, 25, &[hit])]);
        let expected = [segment(10, 14, &[hit]), segment(15, 25, &[hit, scope]), segment(26, 30, &[scope])];
        assert_eq!(both, expected);
        assert_eq!(disjoint(vec![segment(5, 4, &[hit]), segment(6, 9, &[])]), []);
    }

    fn any_segment() -> impl Strategy<Value = Segment> {
        let kinds = prop::sample::subsequence(vec![Kind::Hit, Kind::Scope, Kind::System], 0..=3);
        (1u64..30, 0u64..8, kinds).prop_map(|(first, length, kinds)| segment(first, first + length, &kinds))
    }

    proptest! {
        #[test]
        fn every_position_keeps_the_kinds_of_all_its_parts(segments in prop::collection::vec(any_segment(), 0..8)) {
            let parts = disjoint(segments.clone());
            for seq in (0..45).map(Seq) {
                let at = |segments: &[Segment]| -> BTreeSet<Kind> {
                    let over = segments.iter().filter(|part| part.first <= seq && seq <= part.last);
                    over.flat_map(|part| part.kinds.iter().copied()).collect()
                };
                prop_assert_eq!(at(&segments), at(&parts));
            }
            prop_assert!(parts.windows(2).all(|two| two[0].last < two[1].first));
        }
    }
}
