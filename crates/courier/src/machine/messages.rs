//! What goes in and what comes out.

use super::Reloaded;
use crate::{Cut, Limits, LostRange, OpenBatch, Preset, Progress};
use hitwire_event::{Kind, Lane, Seq, WebhookId};
use std::time::Duration;

/// What the machine needs to know of the integration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The retry preset.
    pub retry: Preset,
    /// False: nothing is sent, cursors stay.
    pub enabled: bool,
    /// Rises with each change of rendering, format, kinds, masking: such a change supersedes an open batch.
    pub content_revision: u64,
    /// Bounds for a batch that the user set; `None` = adaptive.
    pub limits: Limits,
    /// At most this many requests a minute, at least 1; none: no limit.
    pub rate: Option<u32>,
    /// Requests that may be under way in a lane at once, at least 1; above 1 batches are settled in any order.
    pub in_flight: u8,
    /// The kinds that are ticked: what a dead range is said to hold.
    pub kinds: Vec<Kind>,
}

impl Settings {
    /// Requests that may be under way in a lane at once.
    pub(super) fn in_flight(&self) -> usize {
        usize::from(self.in_flight.max(1))
    }

    /// The ticked kinds of a live lane. There is nothing to lose of a lane without any; should something be lost all the same,
    /// it is said of every kind that the lane can have.
    pub(super) fn kinds_of(&self, lane: Lane) -> Vec<Kind> {
        let of_lane = |kinds: &[Kind]| kinds.iter().copied().filter(|kind| kind.lane() == lane).collect();
        let ticked: Vec<Kind> = of_lane(&self.kinds);
        if ticked.is_empty() { of_lane(&Kind::ALL) } else { ticked }
    }
}

/// What happened at the other end, as far as the machine cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A complete response.
    Complete {
        /// Its status.
        status: u16,
        /// `Retry-After`, if the response named one.
        retry_after: Option<Duration>,
    },
    /// The request could not be made: no connection, no certificate that holds, refused by the guard.
    Incomplete,
    /// The request was under way when the connection was reset or closed, or a timeout passed.
    BrokenOff,
}

/// What the shell tells the machine.
#[derive(Clone, Debug)]
pub enum Input {
    /// The log has events of this lane past its cursor (or may have: to say it once too often does no harm).
    Advanced {
        /// The lane.
        lane: Lane,
    },
    /// The answer to [`Command::Read`].
    Batch {
        /// The lane.
        lane: Lane,
        /// The batch that was cut, or none if there is nothing.
        cut: Option<Cut>,
        /// The log was searched up to here: without a batch, the cursor may move here.
        scanned_to: Seq,
        /// There were events on the way that the integration does not want: they are settled with the cursor.
        skipped: bool,
        /// More events of the lane were there than the batch took: the lane is behind.
        more: bool,
        /// What was searched, and cannot be read: the lane passes it in the step that records it as lost. Then there is no
        /// batch.
        unreadable: Option<LostRange>,
        /// A fresh id for the batch.
        webhook_id: WebhookId,
    },
    /// An open batch cannot be made again as it was (hash differs, or events are gone): supersede it.
    Unreproducible {
        /// The lane.
        lane: Lane,
        /// The batch's id.
        webhook_id: WebhookId,
    },
    /// An open batch was not sent after all: the integration was disabled while it waited for its turn. It stays open, as it
    /// is.
    NotSent {
        /// The lane.
        lane: Lane,
        /// The batch's id.
        webhook_id: WebhookId,
    },
    /// The answer to [`Command::Send`].
    Outcome {
        /// The lane.
        lane: Lane,
        /// The batch's id.
        webhook_id: WebhookId,
        /// What came back.
        reply: Reply,
        /// When the attempt began, milliseconds since the Unix epoch.
        started_ms: u64,
        /// How long it took.
        took: Duration,
        /// The address that was dialled.
        address: Option<String>,
        /// Why it failed, in words.
        error: Option<String>,
    },
    /// The answer to [`Command::Measure`].
    Measured {
        /// The lane.
        lane: Lane,
        /// The last position to give up (at least the last open batch's last).
        through: Seq,
        /// Events of the lane from its cursor up to there.
        events: u64,
    },
    /// The integration was edited. Settings that equal those before say that something was which the machine does not know
    /// of (URL, headers, timeouts, ...). What waits tries again at once. A start is no edit: a machine is built with its
    /// settings.
    Configured(Settings),
    /// Somebody else changed what is on record (an edit, retention, another process), so it was loaded again: a step was not
    /// saved, or would not be. The answer to requests, reads and measurements under way still comes.
    Reloaded(Box<Reloaded>),
    /// The log has nothing for this lane up to here. A lane that is caught up need not search it.
    NoneUpTo {
        /// The lane.
        lane: Lane,
        /// Up to here (inclusive).
        seq: Seq,
    },
    /// A test message to the endpoint was delivered: waiting lanes try again at once.
    TestDelivered,
    /// A user wants to see now whether it works: waiting lanes try again at once. The schedule goes on from where it was.
    RetryNow,
    /// [`Machine::wake_at`](crate::Machine::wake_at) has come.
    Due,
    /// Start nothing more; what is in flight ends by itself or is abandoned.
    Stop,
}

/// What the machine tells the shell to do, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Save this step; go on with the next command only when it is on record. If the record was changed by somebody else since
    /// it was loaded, the step does not pass: this command and those behind it are left undone, and [`Input::Reloaded`] is the
    /// next input.
    Save(Progress),
    /// Read the lane's events after this position and cut a batch; answer with [`Input::Batch`].
    Read {
        /// The lane.
        lane: Lane,
        /// The cursor, or the end of the last open batch: events after it.
        after: Seq,
        /// At most this many events.
        max_events: u32,
        /// At most this many bytes of body (a single larger event is still a batch).
        max_bytes: u64,
    },
    /// Send this batch; answer with [`Input::Outcome`], [`Input::Unreproducible`] or [`Input::NotSent`].
    Send {
        /// The lane.
        lane: Lane,
        /// The batch, saved before.
        batch: OpenBatch,
        /// The endpoint is sick or refusing: a probe, to be counted against the budget for those.
        probe: bool,
    },
    /// Find the last event of the lane that was appended at least `age` ago, but at least `at_least`; answer with
    /// [`Input::Measured`].
    Measure {
        /// The lane.
        lane: Lane,
        /// The cursor: events after it.
        after: Seq,
        /// How old.
        age: Duration,
        /// At least up to here.
        at_least: Seq,
    },
}
