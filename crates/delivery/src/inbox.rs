//! What others leave for a running shell, and what it shows of itself.

use hitwire_courier::{ByLane, Machine, OpenBatch};
use hitwire_event::{IntegrationId, Lane, Seq};
use hitwire_store::StreamFrom;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// What others leave for a running shell: flags, so that a thousand wake-ups take one byte.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    flags: AtomicU8,
    notify: Notify,
    status: Mutex<Option<CourierStatus>>,
}

/// Something to look at, for one integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags(u8);

impl Flags {
    pub(crate) const NONE: Flags = Flags(0);
    pub(crate) const CONFIGURED: Flags = Flags(4);
    pub(crate) const MOVED: Flags = Flags(8);
    pub(crate) const DUE: Flags = Flags(16);
    /// A user wants it to be tried now.
    pub(crate) const RETRY: Flags = Flags(64);
    /// A test message was delivered.
    pub(crate) const TESTED: Flags = Flags(32);

    /// The log advanced for this lane: never for a replay, which ends where it ended when it was begun.
    pub(crate) const fn advanced(lane: Lane) -> Flags {
        match lane {
            Lane::Urgent => Flags(1),
            Lane::Bulk => Flags(2),
            Lane::Replay(_) => Flags::NONE,
        }
    }

    pub(crate) const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    pub(crate) const fn has(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }
}

impl Inbox {
    pub(crate) fn put(&self, flags: Flags) {
        self.flags.fetch_or(flags.0, Ordering::AcqRel);
        self.notify.notify_one();
    }

    pub(crate) fn take(&self) -> Flags {
        Flags(self.flags.swap(0, Ordering::AcqRel))
    }

    /// Ends when something was put in.
    pub(crate) async fn filled(&self) {
        self.notify.notified().await;
    }

    pub(crate) fn publish(&self, status: CourierStatus) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
    }

    pub(crate) fn status(&self) -> Option<CourierStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How an integration's couriers are doing.
#[derive(Clone, Debug, PartialEq)]
pub struct CourierStatus {
    /// The live lanes, and the replays that have not ended.
    pub lanes: ByLane<LaneNow>,
    /// Failed attempts in a row; 0 when well.
    pub failures_in_a_row: u32,
}

/// How the lanes of an integration are doing, for whoever looks at all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Surveyed {
    /// Whose.
    pub id: IntegrationId,
    /// The live lanes.
    pub lanes: ByLane<SurveyedLane>,
    /// Failed attempts in a row; 0 when well.
    pub failures_in_a_row: u32,
}

/// One of these lanes.
#[derive(Clone, Debug, PartialEq)]
pub struct SurveyedLane {
    /// What it is doing, in a word.
    pub state: &'static str,
    /// Where it is.
    pub cursor: Seq,
    /// What is to be counted after the cursor; empty if the lane is caught up.
    pub streams: Vec<StreamFrom>,
    /// So many of it are settled all the same.
    pub settled_ahead: u64,
}

/// A lane's state, its cursor, and what is settled past it.
type Standing = (&'static str, Seq, u64);

impl Surveyed {
    pub(crate) fn of_machine(id: IntegrationId, machine: &Machine, streams: &[StreamFrom]) -> Self {
        let status = machine.status();
        let failures_in_a_row = status.failures_in_a_row;
        let standing = status.lanes.map(|_, lane| (lane.state, lane.cursor, lane.settled_ahead));
        Surveyed { id, lanes: surveyed(standing, streams), failures_in_a_row }
    }

    pub(crate) fn of_status(id: IntegrationId, status: &CourierStatus, streams: &[StreamFrom]) -> Self {
        let standing = |(lane, now): (Lane, &LaneNow)| (lane, (now.state, now.cursor, now.settled_ahead));
        let standing = status.lanes.iter().map(standing).collect();
        let failures_in_a_row = status.failures_in_a_row;
        Surveyed { id, lanes: surveyed(standing, streams), failures_in_a_row }
    }
}

fn surveyed(mut lanes: ByLane<Standing>, streams: &[StreamFrom]) -> ByLane<SurveyedLane> {
    lanes.retain(|lane, _| !lane.is_replay());
    lanes.map(|lane, (state, cursor, settled_ahead)| {
        let is_behind = state != "caught_up";
        let of_lane = streams.iter().filter(|from| is_behind && from.stream.kind.lane() == lane);
        SurveyedLane { state, cursor, streams: of_lane.copied().collect(), settled_ahead }
    })
}

/// How one lane is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneNow {
    /// `caught_up`, `sending`, `waiting`, `refused`, `paused`, `disabled`.
    pub state: &'static str,
    /// Every event of the lane up to here is settled.
    pub cursor: Seq,
    /// The batches on their way, in log order.
    pub open: Vec<OpenBatch>,
    /// Events past the cursor that are settled all the same.
    pub settled_ahead: u64,
    /// When the oldest request that waits for its response was sent, milliseconds since the Unix epoch.
    pub requested_ms: Option<u64>,
    /// When the next attempt is made, milliseconds since the Unix epoch.
    pub next_attempt_ms: Option<u64>,
}

impl CourierStatus {
    /// Requests fail, and no success has followed yet.
    pub fn is_failing(&self) -> bool {
        self.failures_in_a_row > 0
            || self.lanes.iter().any(|(lane, now)| !lane.is_replay() && now.state == "refused")
    }

    pub(crate) fn of(machine: &Machine, clock: &super::Clock) -> Self {
        let status = machine.status();
        CourierStatus {
            lanes: status.lanes.map(|_, lane| LaneNow {
                state: lane.state,
                cursor: lane.cursor,
                open: lane.open,
                settled_ahead: lane.settled_ahead,
                requested_ms: lane.requested.map(|at| clock.wall_of(at)),
                next_attempt_ms: lane.next_attempt.map(|at| clock.wall_of(at)),
            }),
            failures_in_a_row: status.failures_in_a_row,
        }
    }
}
