//! One lane's courier: where it stands, what it has under way.

use super::Settings;
use super::giving_up::GivingUp;
use crate::batch::{Ask, Sizer};
use crate::refusal::Refusal;
use crate::{LaneState, Limits, OpenBatch};
use hitwire_event::Seq;
use std::time::Duration;

/// One lane.
#[derive(Debug)]
pub(super) struct Courier {
    /// Every event of the lane up to here is settled.
    pub(super) cursor: Seq,
    /// The cursor passed events that are not wanted, and this is not on record yet.
    pub(super) passed: Option<Passed>,
    /// The log has, or may have, events of the lane past the cursor and past the open batch.
    pub(super) wants: bool,
    pub(super) phase: Phase,
    /// The open batch is being refused.
    pub(super) refusal: Option<Refusal>,
    pub(super) sizer: Sizer,
    /// What the last read asked for.
    pub(super) asked: Ask,
    /// What the delivery of the open batch will say about its size.
    pub(super) growth: Growth,
}

/// Events that were passed without a batch, and nobody knows of it yet but this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed {
    /// Where the cursor stood before.
    from: Seq,
    /// When the first of them was passed, monotonic.
    since: Duration,
}

impl Passed {
    /// So many positions are passed at most before that is put on record: what would be searched again after a crash.
    const POSITIONS_MAX: u64 = 4_096;

    /// After this time it is put on record in any case: to whoever counts what is left to do, such events look as if
    /// they were still to come.
    const UNTIL: Duration = Duration::from_mins(1);

    /// When it is to be put on record at the latest.
    pub(super) fn due(self) -> Duration {
        self.since + Self::UNTIL
    }
}

/// What a lane has under way.
#[derive(Debug)]
pub(super) enum Phase {
    /// Nothing.
    Idle,
    /// A read was asked for. Outdated: its answer no longer fits.
    Reading { outdated: bool },
    /// A batch is on record, and waits to be sent.
    Open(OpenBatch),
    /// The batch is on its way.
    Sending(Flight),
    /// It was asked how much to give up.
    Measuring(Measuring),
}

/// A batch on its way.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) batch: OpenBatch,
    /// The endpoint's turn when it was sent: tells an answer to this wait from one to the wait before.
    pub(super) turn: u32,
    pub(super) fate: Fate,
}

/// What the outcome of a batch under way will count for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// As usual.
    Wanted,
    /// The content settings changed: delivered settles it, failed supersedes it.
    Superseded,
    /// The cursor has passed it: it settles nothing.
    Passed,
}

/// Waiting to hear how much is to be given up.
#[derive(Debug)]
pub(super) struct Measuring {
    pub(super) open: Option<OpenBatch>,
    /// None: called off meanwhile; the answer is awaited and counts for nothing.
    pub(super) giving_up: Option<Box<GivingUp>>,
}

/// How the open batch was cut.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Growth {
    /// More was waiting.
    pub(super) behind: bool,
    /// It came near what was asked for.
    pub(super) filled: bool,
}

impl Courier {
    /// As it was saved. A batch that was cut under other content settings, or that the cursor has passed, is dropped.
    pub(super) fn restored(saved: LaneState, settings: &Settings, now: Duration) -> Self {
        let open = saved
            .open
            .filter(|open| open.content_revision == settings.content_revision && open.first > saved.cursor);
        let refusal = saved
            .refusal
            .filter(|_| open.is_some())
            .and_then(|refusal| Refusal::restored(&refusal, settings.retry, now));
        Courier {
            cursor: saved.cursor,
            passed: None,
            wants: true,
            phase: open.map_or(Phase::Idle, Phase::Open),
            refusal,
            sizer: Sizer::default(),
            asked: Sizer::default().ask(Limits::default(), None),
            growth: Growth::default(),
        }
    }

    /// The lane was searched up to here, and nothing was wanted.
    pub(super) fn pass(&mut self, scanned_to: Seq, skipped: bool, now: Duration) {
        if skipped && scanned_to > self.cursor {
            self.passed.get_or_insert(Passed { from: self.cursor, since: now });
        }
        self.cursor = self.cursor.max(scanned_to);
    }

    /// Whether it is time to put on record how far the cursor has come without a batch.
    pub(super) fn has_passed_enough(&self, now: Duration) -> bool {
        self.passed.is_some_and(|passed| {
            passed.due() <= now || self.cursor.0.saturating_sub(passed.from.0) >= Passed::POSITIONS_MAX
        })
    }

    /// For the store.
    pub(super) fn state(&self) -> LaneState {
        let open = match &self.phase {
            Phase::Open(open) | Phase::Measuring(Measuring { open: Some(open), .. }) => Some(open.clone()),
            Phase::Sending(flight) => (flight.fate != Fate::Passed).then(|| flight.batch.clone()),
            Phase::Idle | Phase::Reading { .. } | Phase::Measuring(_) => None,
        };
        LaneState {
            cursor: self.cursor,
            open,
            // An enum of numbers: it always has a JSON value.
            refusal: self.refusal.and_then(|refusal| serde_json::to_value(refusal.state()).ok()),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    pub(super) fn is_reading(&self) -> bool {
        matches!(self.phase, Phase::Reading { .. })
    }

    pub(super) fn is_sending(&self) -> bool {
        matches!(self.phase, Phase::Sending(_))
    }

    pub(super) fn has_batch(&self) -> bool {
        self.open().is_some()
    }

    /// It has, or is about to have, something to send.
    pub(super) fn has_work(&self) -> bool {
        match &self.phase {
            Phase::Idle => self.wants,
            Phase::Reading { .. } | Phase::Open(_) | Phase::Sending(_) => true,
            Phase::Measuring(_) => false,
        }
    }

    /// The batch that is open, on its way or not.
    pub(super) fn open(&self) -> Option<&OpenBatch> {
        match &self.phase {
            Phase::Open(open) => Some(open),
            Phase::Sending(flight) => Some(&flight.batch),
            Phase::Measuring(measuring) => measuring.open.as_ref(),
            Phase::Idle | Phase::Reading { .. } => None,
        }
    }

    /// The lane's own wait: that of a refused batch.
    pub(super) fn waits_until(&self) -> Duration {
        self.refusal.map(|refusal| refusal.until).unwrap_or_default()
    }

    /// The open batch, if it waits to be sent; the lane is idle then.
    pub(super) fn take_open(&mut self) -> Option<OpenBatch> {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Open(open) => Some(open),
            phase => {
                self.phase = phase;
                None
            }
        }
    }

    /// What was under way has come back; the lane is idle then.
    pub(super) fn land(&mut self) -> Option<Flight> {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Sending(flight) => Some(flight),
            phase => {
                self.phase = phase;
                None
            }
        }
    }

    /// Gives the batch up for another one that begins at the cursor.
    pub(super) fn drop_open(&mut self) {
        self.phase = Phase::Idle;
        self.refusal = None;
        self.wants = true;
    }

    /// What a read under way brings no longer fits.
    pub(super) fn outdate_read(&mut self) {
        if let Phase::Reading { outdated } = &mut self.phase {
            *outdated = true;
        }
    }
}
