//! What the store keeps of a courier: enough to go on after a crash exactly where it was.

use crate::ByLane;
use hitwire_event::{IntegrationId, Kind, Lane, Seq, WebhookId};
use serde::{Deserialize, Serialize};

/// A batch on record before its first byte leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenBatch {
    /// Its first event.
    pub first: Seq,
    /// Its last event.
    pub last: Seq,
    /// Where the cursor stands once the batch is settled: no event of the lane in `last < seq <= through` is unsettled.
    pub through: Seq,
    /// Number of events.
    pub events: u32,
    /// Sent as `webhook-id`, the same on each attempt.
    pub webhook_id: WebhookId,
    /// The integration's content revision that it was cut and rendered under.
    pub content_revision: u64,
    /// Length of the body.
    pub body_bytes: u64,
    /// SHA-256 of the body: proves that a body made again from the log is the same one.
    pub body_sha256: [u8; 32],
    /// Attempts made so far.
    pub tries: u32,
}

/// An open batch, and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsettled {
    /// The batch.
    pub batch: OpenBatch,
    /// Events in `last < seq <= through` that were settled before it: those of batches that were sent beside it.
    pub settled_behind: u64,
    /// State of a refusal (kept by the `refusal` module; opaque to the store, shaped for bisecting).
    pub refusal: Option<serde_json::Value>,
}

/// A lane as the store keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneState {
    /// Every event of the lane up to here is settled.
    pub cursor: Seq,
    /// The batches on their way, in log order. What lies between two of them is settled.
    pub open: Vec<Unsettled>,
}

impl LaneState {
    /// Moves the cursor past what is settled and on record. An open batch that it passes goes; one that it parts goes with
    /// all behind it, since what is left of it is to be cut anew. Never moves it back.
    pub fn pass(&mut self, cursor: Seq) {
        let cursor = cursor.max(self.cursor);
        let (cursor, gone) = passed_by(cursor, self.open.iter().map(|open| &open.batch));
        self.cursor = cursor;
        self.open.drain(..gone);
    }

    /// The parts of the log that are not settled, in order, each as `after < seq <= through`.
    pub fn unsettled(&self) -> Vec<(Seq, Seq)> {
        let mut after = self.cursor;
        let mut parts = Vec::new();
        for open in self.open.iter().filter(|open| open.settled_behind > 0) {
            parts.push((after, open.batch.last));
            after = open.batch.through;
        }
        parts.push((after, Seq(u64::MAX)));
        parts
    }
}

/// Where a cursor that is moved here comes to stand, and how many open batches, in log order, go with it.
pub(crate) fn passed_by<'a>(
    mut cursor: Seq,
    open: impl ExactSizeIterator<Item = &'a OpenBatch>,
) -> (Seq, usize) {
    let all = open.len();
    for (at, batch) in open.enumerate() {
        if batch.first > cursor {
            return (cursor, at);
        }
        if batch.last > cursor {
            return (cursor, all);
        }
        cursor = cursor.max(batch.through);
    }
    (cursor, all)
}

/// The endpoint's schedule and health as the store keeps them: opaque JSON, written by the machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EndpointState(pub serde_json::Value);

/// What the machine needs to know of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayTerms {
    /// The lane ends once everything up to here is settled.
    pub last: Seq,
    /// A user holds it: nothing of it is sent.
    pub paused: bool,
    /// At most this many events a second, at least 1; none: no limit of its own.
    pub events_per_s: Option<u32>,
    /// The kinds that it sends: what a dead range of it is said to hold. Never empty.
    pub kinds: Vec<Kind>,
}

/// Everything that a machine needs to be built again.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// Schedule and health; `Null` for a new integration.
    pub endpoint: EndpointState,
    /// The live lanes, and the replays that have not ended.
    pub lanes: ByLane<LaneState>,
    /// The terms of each of these replays.
    pub replays: ByLane<ReplayTerms>,
}

/// A new integration, at the beginning of the log.
impl Default for Saved {
    fn default() -> Self {
        Saved {
            endpoint: EndpointState::default(),
            lanes: ByLane::live(|_| LaneState::default()),
            replays: ByLane::default(),
        }
    }
}

/// One step of a courier, saved in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Whose step it is.
    pub integration: IntegrationId,
    /// Schedule and health after the step.
    pub endpoint: EndpointState,
    /// The lanes that changed, after the step.
    pub lanes: Vec<(Lane, LaneState)>,
    /// Attempts that ended with this step.
    pub attempts: Vec<Attempt>,
    /// Ranges given up or skipped with this step.
    pub lost: Vec<LostRange>,
    /// Set when the integration is disabled automatically with this step.
    pub disable: Option<DisableReason>,
}

/// What the answer to an attempt means for the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// 2xx.
    Delivered,
    /// No complete response, or 408, 429, 502, 503, 504: the endpoint is unwell, the lane waits.
    Sick,
    /// Any other complete answer, redirects included: the batch is not liked.
    Refused,
    /// 410: the receiver asks never to be called again.
    Gone,
}

/// One HTTP request for a batch, with its outcome: the small row of the delivery log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The lane it was sent in.
    pub lane: Lane,
    /// The batch's id.
    pub webhook_id: WebhookId,
    /// 1 for the first attempt of the batch.
    pub number: u32,
    /// First event of the batch.
    pub first: Seq,
    /// Last event of the batch.
    pub last: Seq,
    /// Events in the batch.
    pub events: u32,
    /// Length of the body.
    pub body_bytes: u64,
    /// When it began: milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// Status of a complete response.
    pub status: Option<u16>,
    /// What it means.
    pub verdict: Verdict,
    /// The address that was dialled, if it came so far.
    pub address: Option<String>,
    /// Why it failed, in words for the user; never holds a secret. None when delivered.
    pub error: Option<String>,
    /// SHA-256 of the body: proves that a body made again from the log is the same one. None in records of older versions.
    pub body_sha256: Option<[u8; 32]>,
    /// The integration's content revision that the batch was cut and rendered under. None in records of older versions.
    pub content_revision: Option<u64>,
}

/// Why events were not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LostReason {
    /// Dead: the retry schedule ended.
    GaveUp,
    /// Dead: retention took the events before they were delivered (past the lag budget, or the disk limit).
    Retention,
    /// Skipped: the kind was unticked.
    Unticked,
    /// Skipped: enabled again "from now".
    EnabledFromNow,
    /// Dead: a file of the log is damaged or missing.
    Damaged,
}

impl LostReason {
    /// All of them.
    pub const ALL: [LostReason; 5] = [
        LostReason::GaveUp,
        LostReason::Retention,
        LostReason::Unticked,
        LostReason::EnabledFromNow,
        LostReason::Damaged,
    ];

    /// The place among all.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// As answers and metrics write it.
    pub const fn name(self) -> &'static str {
        match self {
            LostReason::GaveUp => "gave_up",
            LostReason::Retention => "retention",
            LostReason::Unticked => "unticked",
            LostReason::EnabledFromNow => "enabled_from_now",
            LostReason::Damaged => "damaged",
        }
    }

    /// True for a dead range, false for a skipped one.
    pub const fn is_dead(self) -> bool {
        matches!(self, LostReason::GaveUp | LostReason::Retention | LostReason::Damaged)
    }
}

/// A range of the log that an integration did not get: kept, shown, can be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostRange {
    /// The lane.
    pub lane: Lane,
    /// The kinds that were lost: those of the lane that the integration was subscribed to, or the one that was unticked.
    /// Never empty.
    pub kinds: Vec<Kind>,
    /// First position of the range (inclusive).
    pub first: Seq,
    /// Last position of the range (inclusive).
    pub last: Seq,
    /// How many events of these kinds were outstanding in it.
    pub events: u64,
    /// Why.
    pub reason: LostReason,
    /// Words for the user: the last error, the limit that was reached.
    pub detail: String,
}

/// Why an integration was disabled automatically.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisableReason {
    /// The receiver answered 410.
    Gone,
    /// No success for as long as the preset allows.
    NoSuccess {
        /// The limit, in seconds.
        limit_s: u64,
    },
    /// Too many failed requests.
    TooManyFailures {
        /// Failed requests in the window.
        failed: u32,
        /// All requests in the window.
        total: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(first: u64, last: u64, through: u64, settled_behind: u64) -> Unsettled {
        let batch = OpenBatch {
            first: Seq(first),
            last: Seq(last),
            through: Seq(through),
            events: (last - first + 1) as u32,
            webhook_id: WebhookId(format!("msg_{first}").into()),
            content_revision: 1,
            body_bytes: 1,
            body_sha256: [0; 32],
            tries: 0,
        };
        Unsettled { batch, settled_behind, refusal: None }
    }

    /// Settled up to 10; on their way 11-20 and 41-50; settled 21-40 and, out of turn, 51-60.
    fn lane() -> LaneState {
        LaneState { cursor: Seq(10), open: vec![open(11, 20, 40, 20), open(41, 50, 60, 10)] }
    }

    fn moved(cursor: u64) -> (u64, Vec<u64>) {
        let mut lane = lane();
        lane.pass(Seq(cursor));
        (lane.cursor.0, lane.open.iter().map(|open| open.batch.first.0).collect())
    }

    #[test]
    fn a_cursor_that_is_moved_takes_along_what_is_settled_behind_the_batches_it_passes() {
        assert_eq!(moved(5), (10, vec![11, 41]), "never back");
        assert_eq!(moved(10), (10, vec![11, 41]));
        assert_eq!(moved(20), (40, vec![41]));
        assert_eq!(moved(33), (40, vec![41]));
        assert_eq!(moved(50), (60, vec![]));
        assert_eq!(moved(99), (99, vec![]));
    }

    #[test]
    fn a_batch_that_a_moved_cursor_parts_goes_with_those_behind_it() {
        assert_eq!(moved(15), (15, vec![]));
        assert_eq!(moved(45), (45, vec![]));
    }

    #[test]
    fn what_is_settled_out_of_turn_is_not_outstanding() {
        let parts: Vec<_> =
            lane().unsettled().into_iter().map(|(after, through)| (after.0, through.0)).collect();
        assert_eq!(parts, [(10, 20), (40, 50), (60, u64::MAX)]);
        let in_turn = LaneState { open: vec![open(11, 20, 40, 0), open(41, 50, 60, 0)], ..lane() };
        assert_eq!(in_turn.unsettled(), [(Seq(10), Seq(u64::MAX))], "nothing lies between the batches");
    }
}
