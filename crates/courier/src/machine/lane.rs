//! One lane's courier: where it stands, what it has under way.
//!
//! The log from the cursor on, as a lane sees it: open batches in log order, between them only what is settled, behind the
//! last one what is still to be read. Each batch's `through` reaches to where the next one begins, so that a batch which is
//! settled out of turn becomes a part of what lies behind the one before it, and nothing more need be remembered.

use super::Settings;
use super::giving_up::GivingUp;
use super::replay::Replay;
use crate::batch::{Ask, Sizer};
use crate::refusal::Refusal;
use crate::schedule::{Jitter, WallClock};
use crate::{LaneState, Limits, OpenBatch, Unsettled};
use hitwire_event::{Seq, WebhookId};
use std::time::Duration;

/// One lane.
#[derive(Debug)]
pub(super) struct Courier {
    /// Every event of the lane up to here is settled.
    pub(super) cursor: Seq,
    /// If this is a replay: where it ends, and how fast it goes.
    pub(super) replay: Option<Box<Replay>>,
    /// It is to be put on record with the next save.
    pub(super) unsaved: bool,
    /// Events that are not wanted were passed, and this is not on record yet.
    pub(super) passed: Option<Passed>,
    /// The log has, or may have, events of the lane past the last open batch.
    pub(super) wants: bool,
    /// The batches that are on record and not settled, in log order. What lies between two of them is settled.
    pub(super) open: Vec<Slot>,
    /// Requests under way whose batch is on record no more: they settle nothing.
    pub(super) strays: Vec<Stray>,
    pub(super) reading: Option<Reading>,
    /// It was asked how much to give up; nothing begins meanwhile.
    pub(super) measuring: Option<Measuring>,
    pub(super) sizer: Sizer,
    /// The refusal of a batch in whose place a smaller one is being cut: its schedule goes on.
    pub(super) carried: Option<Box<Refusal>>,
    /// What the last read asked for.
    pub(super) asked: Ask,
}

/// Events that were passed without a batch, and nobody knows of it yet but this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed {
    /// Where the lane stood before.
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

    /// The lane has come further than this position.
    pub(super) fn new(from: Seq, since: Duration) -> Self {
        Passed { from, since }
    }

    /// When it is to be put on record at the latest.
    pub(super) fn due(self) -> Duration {
        self.since + Self::UNTIL
    }
}

/// An open batch.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) batch: OpenBatch,
    /// Events behind it, up to its `through`, that were settled before it.
    pub(super) settled_behind: u64,
    /// None: it waits to be sent.
    pub(super) flight: Option<Flight>,
    /// It is being refused.
    pub(super) refusal: Option<Refusal>,
    /// Failures that may come of its size. Not on record: after a restart it has some more tries.
    pub(super) suspicions: u8,
    /// What its delivery will say about its size.
    pub(super) growth: Growth,
}

/// A request under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    /// The endpoint's turn when it was sent: tells an answer to this wait from one to the wait before.
    pub(super) turn: u32,
    /// When it was sent, monotonic.
    pub(super) began: Duration,
    /// The content settings changed: delivered settles the batch, failed supersedes it.
    pub(super) superseded: bool,
    /// A user touched the settings since it was sent: it may have gone to another URL than the next one will.
    pub(super) under_older_settings: bool,
}

/// A request under way whose batch is on record no more.
#[derive(Debug)]
pub(super) struct Stray {
    pub(super) batch: OpenBatch,
    pub(super) flight: Flight,
}

/// What has come back.
#[derive(Debug)]
pub(super) struct Landed {
    pub(super) batch: OpenBatch,
    pub(super) flight: Flight,
    /// The place of its batch among the open ones; none: it is on record no more.
    pub(super) slot: Option<usize>,
}

/// A read was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// Its answer no longer fits.
    pub(super) outdated: bool,
}

/// Waiting to hear how much is to be given up.
#[derive(Debug)]
pub(super) struct Measuring {
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
    /// As it was saved. A batch that was cut under other content settings is dropped, and those behind it with it.
    pub(super) fn restored(
        mut saved: LaneState,
        replay: Option<Replay>,
        settings: &Settings,
        wall: WallClock,
        jitter: &mut Jitter,
    ) -> Self {
        saved.pass(saved.cursor);
        let is_current = |open: &Unsettled| open.batch.content_revision == settings.content_revision;
        let slot = |open: Unsettled| Slot {
            refusal: open.refusal.and_then(|refusal| Refusal::restored(&refusal, wall, jitter)),
            batch: open.batch,
            settled_behind: open.settled_behind,
            flight: None,
            suspicions: 0,
            growth: Growth::default(),
        };
        Courier {
            cursor: saved.cursor,
            replay: replay.map(Box::new),
            unsaved: false,
            passed: None,
            wants: true,
            open: saved.open.into_iter().take_while(is_current).map(slot).collect(),
            strays: Vec::new(),
            reading: None,
            measuring: None,
            sizer: Sizer::default(),
            carried: None,
            asked: Sizer::default().ask(Limits::default(), None),
        }
    }

    /// The lane was searched up to here, and nothing was wanted.
    pub(super) fn pass(&mut self, scanned_to: Seq, skipped: bool, now: Duration) {
        let end = self.end();
        if scanned_to <= end {
            return;
        }
        if skipped {
            self.passed.get_or_insert(Passed::new(end, now));
        }
        match self.open.last_mut() {
            Some(slot) => slot.batch.through = scanned_to,
            None => self.cursor = scanned_to,
        }
    }

    /// The log has nothing for the lane up to here.
    pub(super) fn has_none_up_to(&mut self, seq: Seq) {
        if self.is_caught_up() {
            self.cursor = self.cursor.max(seq);
        }
    }

    /// Whether it is time to put on record how far the lane has come without a batch.
    pub(super) fn has_passed_enough(&self, now: Duration) -> bool {
        self.passed.is_some_and(|passed| {
            passed.due() <= now || self.end().0.saturating_sub(passed.from.0) >= Passed::POSITIONS_MAX
        })
    }

    /// When it is to be put on record how far it has come; not if that will happen with what is under way.
    pub(super) fn to_be_put_on_record(&self) -> Option<Duration> {
        let passed = self.passed?;
        (!self.unsaved).then(|| passed.due())
    }

    /// For the store, which keeps it; none of a replay that was called off: what is under way has its attempts, and no place
    /// on record any more.
    pub(super) fn save(&mut self, wall: WallClock) -> Option<LaneState> {
        self.unsaved = false;
        self.passed = None;
        if let Some(replay) = &mut self.replay {
            replay.saved(self.cursor);
        }
        (!self.is_called_off()).then(|| self.state(wall))
    }

    fn state(&self, wall: WallClock) -> LaneState {
        let unsettled = |slot: &Slot| Unsettled {
            batch: slot.batch.clone(),
            settled_behind: slot.settled_behind,
            // An enum of numbers: it always has a JSON value.
            refusal: slot.refusal.and_then(|refusal| serde_json::to_value(refusal.state(wall)).ok()),
        };
        LaneState { cursor: self.cursor, open: self.open.iter().map(unsettled).collect() }
    }

    /// Where the lane reads on: everything up to here is settled or in an open batch.
    pub(super) fn end(&self) -> Seq {
        self.open.last().map_or(self.cursor, |slot| slot.batch.through)
    }

    /// Requests under way.
    pub(super) fn requests(&self) -> usize {
        self.open.iter().filter(|slot| slot.flight.is_some()).count() + self.strays.len()
    }

    pub(super) fn is_sending(&self) -> bool {
        self.requests() > 0
    }

    /// When the oldest request that is under way was sent.
    pub(super) fn requested(&self) -> Option<Duration> {
        self.open.iter().filter_map(|slot| slot.flight).map(|flight| flight.began).min()
    }

    /// Nothing is under way and nothing asked.
    pub(super) fn rests(&self) -> bool {
        self.reading.is_none() && self.measuring.is_none() && !self.is_sending()
    }

    /// Nothing is left to do, as far as is known.
    pub(super) fn is_caught_up(&self) -> bool {
        self.rests() && self.open.is_empty() && (!self.wants || self.has_read_all())
    }

    /// The open batches that wait to be sent, with the time from which they may be, as far as their own waits decide.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (usize, Duration)> {
        let waits = |(_, slot): &(usize, &Slot)| slot.flight.is_none();
        let until = |slot: &Slot| slot.refusal.map(|refusal| refusal.wait.until).unwrap_or_default();
        self.open.iter().enumerate().filter(waits).map(move |(at, slot)| (at, until(slot)))
    }

    /// Whether one more request may be under way.
    pub(super) fn may_send(&self, in_flight: usize) -> bool {
        self.measuring.is_none() && self.requests() < in_flight
    }

    /// Whether there is something to be read, and room for one more batch. While a batch of other content settings is under
    /// way there is none: if it fails, what was cut behind it would be cut anew with it.
    pub(super) fn may_read(&self, in_flight: usize) -> bool {
        let superseded = |slot: &Slot| slot.flight.is_some_and(|flight| flight.superseded);
        self.wants
            && !self.has_read_all()
            && self.reading.is_none()
            && self.measuring.is_none()
            && self.open.len() + self.strays.len() < in_flight
            && !self.open.iter().any(superseded)
    }

    /// It has, or is about to have, something to send now.
    pub(super) fn is_next(&self, in_flight: usize, now: Duration) -> bool {
        self.reading.is_some()
            || self.may_read(in_flight)
            || (self.may_send(in_flight) && self.waiting().any(|(_, until)| until <= now))
    }

    /// What was under way under this id has come back.
    pub(super) fn land(&mut self, webhook_id: &WebhookId) -> Option<Landed> {
        let is_it = |batch: &OpenBatch| batch.webhook_id == *webhook_id;
        if let Some(at) = self.open.iter().position(|slot| slot.flight.is_some() && is_it(&slot.batch)) {
            let slot = &mut self.open[at];
            let flight = slot.flight.take()?;
            return Some(Landed { batch: slot.batch.clone(), flight, slot: Some(at) });
        }
        let at = self.strays.iter().position(|stray| is_it(&stray.batch))?;
        let Stray { batch, flight } = self.strays.swap_remove(at);
        self.free_room();
        let flight = Flight { superseded: false, under_older_settings: true, ..flight };
        Some(Landed { batch, flight, slot: None })
    }

    /// An open batch is settled, and what lies behind it. The first one takes the cursor with it; others are remembered
    /// with the batch before them.
    pub(super) fn settle(&mut self, at: usize) {
        let Slot { batch, settled_behind, .. } = self.open.remove(at);
        self.free_room();
        match at.checked_sub(1).and_then(|before| self.open.get_mut(before)) {
            Some(before) => {
                before.batch.through = batch.through;
                before.settled_behind += u64::from(batch.events) + settled_behind;
            }
            None => self.cursor = self.cursor.max(batch.through),
        }
    }

    /// Gives an open batch up for another one that begins where it began, and those behind it with it: the lane goes on from
    /// there. What was settled behind it is sent once more.
    pub(super) fn drop_from(&mut self, at: usize) {
        let strays = self.open.drain(at..).filter_map(|Slot { batch, flight, .. }| {
            let flight = flight?;
            Some(Stray { batch, flight })
        });
        self.strays.extend(strays);
        self.free_room();
        self.outdate_read();
        self.wants = true;
    }

    /// Adds a batch behind the others. Returns its place.
    pub(super) fn push(&mut self, batch: OpenBatch, growth: Growth) -> usize {
        self.open.reserve_exact(1);
        let refusal = self.carried.take().map(|refusal| *refusal);
        self.open.push(Slot { batch, settled_behind: 0, flight: None, refusal, suspicions: 0, growth });
        self.open.len() - 1
    }

    /// A lane that rests holds no memory for what it had under way.
    pub(super) fn free_room(&mut self) {
        if self.open.is_empty() {
            self.open = Vec::new();
        }
        if self.strays.is_empty() {
            self.strays = Vec::new();
        }
    }

    /// What a read under way brings no longer fits.
    pub(super) fn outdate_read(&mut self) {
        if let Some(reading) = &mut self.reading {
            reading.outdated = true;
        }
    }
}
