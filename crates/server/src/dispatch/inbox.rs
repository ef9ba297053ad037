//! What others leave for a running shell, and what it shows of itself.

use hitwire_courier::{Machine, OpenBatch};
use hitwire_event::{Lane, Seq};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// What others leave for a running shell: flags, so that a thousand wake-ups take one byte.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    flags: AtomicU8,
    notify: Notify,
    status: Mutex<Option<CourierStatus>>,
}

/// Something to look at, for one integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flags(u8);

impl Flags {
    pub(super) const NONE: Flags = Flags(0);
    pub(super) const CONFIGURED: Flags = Flags(4);
    pub(super) const MOVED: Flags = Flags(8);
    pub(super) const DUE: Flags = Flags(16);

    /// The log advanced for this lane.
    pub(super) const fn advanced(lane: Lane) -> Flags {
        Flags(1 << lane.index())
    }

    pub(super) const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    pub(super) const fn has(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }
}

impl Inbox {
    pub(super) fn put(&self, flags: Flags) {
        self.flags.fetch_or(flags.0, Ordering::AcqRel);
        self.notify.notify_one();
    }

    pub(super) fn take(&self) -> Flags {
        Flags(self.flags.swap(0, Ordering::AcqRel))
    }

    /// Ends when something was put in.
    pub(super) async fn filled(&self) {
        self.notify.notified().await;
    }

    pub(super) fn publish(&self, status: CourierStatus) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
    }

    pub(super) fn status(&self) -> Option<CourierStatus> {
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

/// How one lane is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneNow {
    /// `caught_up`, `sending`, `waiting`, `refused`, `disabled`.
    pub state: &'static str,
    /// Every event of the lane up to here is settled.
    pub cursor: Seq,
    /// The batch on its way.
    pub open: Option<OpenBatch>,
    /// When the next attempt is made, milliseconds since the Unix epoch.
    pub next_attempt_ms: Option<u64>,
}

impl CourierStatus {
    pub(super) fn of(machine: &Machine, clock: &super::Clock) -> Self {
        let status = machine.status();
        CourierStatus {
            lanes: status.lanes.map(|lane| LaneNow {
                state: lane.state,
                cursor: lane.cursor,
                open: lane.open,
                next_attempt_ms: lane.next_attempt.map(|at| clock.wall_of(at)),
            }),
            failures_in_a_row: status.failures_in_a_row,
        }
    }
}
