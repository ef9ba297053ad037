//! What others leave for a running shell, and what it shows of itself.

use hitwire_courier::{Machine, OpenBatch};
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
    /// A test message was delivered.
    pub(crate) const TESTED: Flags = Flags(32);

    /// The log advanced for this lane.
    pub(crate) const fn advanced(lane: Lane) -> Flags {
        Flags(1 << lane.index())
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
    /// By [`Lane::index`].
    pub lanes: [LaneNow; 2],
    /// Failed attempts in a row; 0 when well.
    pub failures_in_a_row: u32,
}

/// How the lanes of an integration are doing, for whoever looks at all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Surveyed {
    /// Whose.
    pub id: IntegrationId,
    /// By [`Lane::index`].
    pub lanes: [SurveyedLane; 2],
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
        let [urgent, bulk] = status.lanes.map(|lane| (lane.state, lane.cursor, lane.settled_ahead));
        Surveyed { id, lanes: surveyed(urgent, bulk, streams), failures_in_a_row }
    }

    pub(crate) fn of_status(id: IntegrationId, status: &CourierStatus, streams: &[StreamFrom]) -> Self {
        let standing = |lane: &LaneNow| (lane.state, lane.cursor, lane.settled_ahead);
        let [urgent, bulk] = [&status.lanes[0], &status.lanes[1]].map(standing);
        let failures_in_a_row = status.failures_in_a_row;
        Surveyed { id, lanes: surveyed(urgent, bulk, streams), failures_in_a_row }
    }
}

fn surveyed(urgent: Standing, bulk: Standing, streams: &[StreamFrom]) -> [SurveyedLane; 2] {
    let of = |lane: Lane, (state, cursor, settled_ahead): Standing| {
        let is_behind = state != "caught_up";
        let of_lane = streams.iter().filter(|from| is_behind && from.stream.kind.lane() == lane);
        SurveyedLane { state, cursor, streams: of_lane.copied().collect(), settled_ahead }
    };
    [of(Lane::Urgent, urgent), of(Lane::Bulk, bulk)]
}

/// How one lane is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneNow {
    /// `caught_up`, `sending`, `waiting`, `refused`, `disabled`.
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
        self.failures_in_a_row > 0 || self.lanes.iter().any(|lane| lane.state == "refused")
    }

    pub(crate) fn of(machine: &Machine, clock: &super::Clock) -> Self {
        let status = machine.status();
        CourierStatus {
            lanes: status.lanes.map(|lane| LaneNow {
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
