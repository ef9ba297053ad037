//! Replays: what was sent, passed or given up before, sent once more to one integration.

use crate::StreamFrom;
use hitwire_courier::ReplayTerms;
use hitwire_event::filter::Filter;
use hitwire_event::{ClientId, EventId, IntegrationId, Kind, Lane, Seq, Stream, WebhookId};
use serde::{Deserialize, Serialize};

/// A replay on record. Its lane is [`Lane::Replay`] with its number.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// Whose.
    pub integration: IntegrationId,
    /// Its number among those of the integration, from 1 on; never used again.
    pub number: u32,
    /// What it sends; does not change.
    pub plan: ReplayPlan,
    /// When it was begun, milliseconds since the Unix epoch.
    pub begun_ms: u64,
    /// A user holds it.
    pub paused: bool,
    /// At most this many events a second; none: as fast as the endpoint takes them.
    pub events_per_s: Option<u32>,
    /// Everything up to here is settled.
    pub cursor: Seq,
    /// Events of its batches that were answered with success so far.
    pub delivered: u64,
    /// Events of it that became dead ranges.
    pub given_up: u64,
    /// When and how it ended; none: it has not.
    pub ended: Option<(u64, ReplayEnd)>,
}

/// What a replay sends, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplayPlan {
    /// What a user asked for.
    pub purpose: ReplayPurpose,
    /// The parts of the log, in order, that do not overlap: at least one, at most [`ReplayPlan::SEGMENTS_MAX`].
    pub segments: Vec<Segment>,
    /// Only what matches; empty: everything.
    #[serde(default)]
    pub filter: Filter,
    /// How many events the segments held when it was begun, before the filter.
    pub events: u64,
    /// Who began it, for people.
    pub by: String,
}

/// What a user asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ReplayPurpose {
    /// A part of the log.
    Replay,
    /// The batch of one attempt.
    ResendBatch {
        /// The attempt's number.
        attempt: u64,
        /// The id under which it was sent.
        webhook_id: WebhookId,
    },
    /// One event.
    ResendEvent {
        /// Which.
        id: EventId,
    },
    /// Dead and skipped ranges.
    ResendUndelivered {
        /// Their numbers.
        ranges: Vec<u64>,
    },
}

/// A part of the log, and the kinds that are sent of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its first position (inclusive).
    pub first: Seq,
    /// Its last position (inclusive).
    pub last: Seq,
    /// Which kinds; never empty.
    pub kinds: Vec<Kind>,
}

impl Segment {
    /// What is to be read of it.
    pub fn streams(&self, client: ClientId) -> Vec<StreamFrom> {
        let stream = |&kind| StreamFrom { stream: Stream { client, kind }, from: self.first };
        self.kinds.iter().map(stream).collect()
    }
}

impl ReplayPlan {
    /// Parts that a plan has at most.
    pub const SEGMENTS_MAX: usize = 200;

    /// Its first position.
    pub fn first(&self) -> Seq {
        self.segments.first().map_or(Seq::ZERO, |segment| segment.first)
    }

    /// Its last position: it ends when everything up to here is settled.
    pub fn last(&self) -> Seq {
        self.segments.last().map_or(Seq::ZERO, |segment| segment.last)
    }

    /// The part that a lane comes to behind this position; none: there is none behind it.
    pub fn segment_after(&self, after: Seq) -> Option<&Segment> {
        let at = self.segments.partition_point(|segment| segment.last <= after);
        self.segments.get(at)
    }

    /// The kinds that it sends, each once.
    pub fn kinds(&self) -> Vec<Kind> {
        let is_sent = |kind: &Kind| self.segments.iter().any(|segment| segment.kinds.contains(kind));
        Kind::ALL.into_iter().filter(is_sent).collect()
    }

    /// What it has in `after < seq <= through`: the streams to be counted, each from the position behind the first to the
    /// second.
    pub fn parts(&self, client: ClientId, after: Seq, through: Seq) -> Vec<(Vec<StreamFrom>, Seq, Seq)> {
        let parts = self.segments.iter().map(|segment| {
            let begin = after.max(Seq(segment.first.0.saturating_sub(1)));
            (segment.streams(client), begin, through.min(segment.last))
        });
        parts.filter(|(_, after, through)| after < through).collect()
    }
}

impl Replay {
    /// Replays that an integration may have under way at once.
    pub const UNDER_WAY_MAX: usize = 8;

    /// Replays that are remembered of an integration, ended ones included.
    pub const KEPT_MAX: usize = 100;

    /// Its lane.
    pub fn lane(&self) -> Lane {
        Lane::Replay(self.number)
    }

    /// What its courier needs to know.
    pub fn terms(&self) -> ReplayTerms {
        ReplayTerms {
            last: self.plan.last(),
            paused: self.paused,
            events_per_s: self.events_per_s,
            kinds: self.plan.kinds(),
        }
    }
}

/// How a replay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayEnd {
    /// Everything is settled.
    Done,
    /// A user called it off.
    Cancelled,
}

/// A replay to be begun. The store gives it its number.
#[derive(Clone, Debug, PartialEq)]
pub struct NewReplay {
    /// Of which integration.
    pub integration: IntegrationId,
    /// What it sends.
    pub plan: ReplayPlan,
    /// At most this many events a second, at least 1.
    pub events_per_s: Option<u32>,
    /// Begun, and held at once.
    pub paused: bool,
}

/// What a user does with a replay that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SteerReplay {
    /// Of which integration.
    pub integration: IntegrationId,
    /// Its number.
    pub number: u32,
    /// What.
    pub change: ReplayChange,
}

/// A change of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayChange {
    /// Holds it, or lets it go on.
    Pause(bool),
    /// At most this many events a second; none: no limit.
    EventsPerSecond(Option<u32>),
    /// Ends it. What is on its way may still arrive.
    Cancel,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(segments: &[(u64, u64)]) -> ReplayPlan {
        let segment = |&(first, last)| Segment { first: Seq(first), last: Seq(last), kinds: vec![Kind::Hit] };
        ReplayPlan {
            purpose: ReplayPurpose::Replay,
            segments: segments.iter().map(segment).collect(),
            filter: Filter::default(),
            events: 0,
            by: "Jane".to_owned(),
        }
    }

    #[test]
    fn a_lane_comes_to_one_segment_after_the_other() {
        let plan = plan(&[(5, 9), (20, 20)]);
        let first = |after| plan.segment_after(Seq(after)).map(|segment| segment.first.0);
        assert_eq!([0, 4, 8, 9, 19, 20].map(first), [Some(5), Some(5), Some(5), Some(20), Some(20), None]);
        assert_eq!((plan.first(), plan.last()), (Seq(5), Seq(20)));
    }

    #[test]
    fn what_lies_between_segments_is_not_counted() {
        let parts = |after, through| -> Vec<(u64, u64)> {
            let parts = plan(&[(5, 9), (20, 20)]).parts(ClientId(1), Seq(after), Seq(through));
            parts.into_iter().map(|(_, after, through)| (after.0, through.0)).collect()
        };
        assert_eq!(parts(0, 100), [(4, 9), (19, 20)]);
        assert_eq!(parts(6, 15), [(6, 9)]);
        assert_eq!(parts(9, 19), []);
    }

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let json = serde_json::to_string(&plan(&[(5, 9)])).unwrap();
        assert_eq!(serde_json::from_str::<ReplayPlan>(&json).unwrap(), plan(&[(5, 9)]));
    }
}
