//! What must hold.

use crate::model::{Log, Store, body_hash};
use crate::tally::{Seen, Tally};
use hitwire_courier::refusal::classify;
use hitwire_courier::{
    DisableReason, Input, LostReason, OpenBatch, Preset, Progress, Reply, Settings, Verdict,
};
use hitwire_event::{Lane, Seq, WebhookId};
use std::collections::HashMap;
use std::time::Duration;

/// A batch as it was first sent under its id.
#[derive(Debug, PartialEq, Eq)]
struct Sent {
    lane: Lane,
    first: Seq,
    last: Seq,
    body_sha256: [u8; 32],
}

/// More wake-ups in a row that lead to nothing are a storm: each wait that ends is one.
const WOKEN_IN_VAIN_MOST: u32 = 40;

/// Watches everything that passes between machine and world.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    pub(crate) tally: Tally,
    sent: HashMap<WebhookId, Sent>,
    in_flight: [Option<OpenBatch>; 2],
    reading: [bool; 2],
    /// The endpoint's last word was a sick one; and the same as it was last saved.
    sick: bool,
    sick_saved: bool,
    last_status: Option<u16>,
    /// The lane's open batch cannot be sent as it is: too large, or it cannot be made again.
    unfit: [bool; 2],
    /// The receiver asked to be left alone until then.
    not_before: Duration,
    /// When the lane last had a success, or the machine was last disabled.
    last_success: [Duration; 2],
    /// Index of the first event of the lane that is neither received nor lost.
    frontier: [usize; 2],
    enabled: bool,
    /// When the last request began, as far as the process may know.
    begun: Option<Duration>,
    woken_in_vain: u32,
}

impl Checker {
    /// A new process: nothing of the old one is in flight, and it knows what was saved.
    pub(crate) fn process_started(&mut self, enabled: bool, store: &Store, now: Duration) {
        // A batch on record had perhaps just been sent.
        self.begun = store.saved.lanes.iter().any(|lane| lane.open.is_some()).then_some(now);
        self.woken_in_vain = 0;
        self.in_flight = [None, None];
        self.reading = [false; 2];
        self.sick = self.sick_saved;
        self.not_before = Duration::ZERO;
        self.unfit = [false; 2];
        self.enabled = enabled;
    }

    pub(crate) fn fed(&mut self, input: &Input, settings: &Settings) {
        match input {
            Input::Configured(_) => {
                if settings.enabled && !self.enabled {
                    self.sick = false;
                }
                self.enabled = settings.enabled;
                // Edited: the user wants to see at once whether it works now.
                self.not_before = Duration::ZERO;
            }
            Input::Batch { lane, .. } => self.reading[lane.index()] = false,
            Input::Unreproducible { lane } => {
                self.in_flight[lane.index()] = None;
                self.unfit[lane.index()] = true;
            }
            _ => {}
        }
    }

    /// Counts wake-ups that led to nothing, one after the other.
    pub(crate) fn woken_in_vain(&mut self, in_vain: bool) {
        self.woken_in_vain = if in_vain { self.woken_in_vain + 1 } else { 0 };
        assert!(self.woken_in_vain <= WOKEN_IN_VAIN_MOST, "woken again and again for nothing");
    }

    /// A request begins no earlier than a minute's share after the one before it.
    pub(crate) fn keeps_the_pace(&mut self, rate: Option<u32>, now: Duration) {
        if let (Some(rate), Some(begun)) = (rate, self.begun) {
            let apart = now.saturating_sub(begun);
            assert!(apart * rate >= Duration::from_mins(1), "{apart:?} apart, at most {rate} a minute");
            self.tally.saw_if(Seen::KeptWaitingByTheRate, apart * rate <= Duration::from_secs(61));
        }
        self.begun = Some(now);
    }

    pub(crate) fn reading(&mut self, lane: Lane) {
        assert!(!self.reading[lane.index()], "one read at a time in a lane");
        self.reading[lane.index()] = true;
    }

    /// Nothing is sent that was not saved; a resent batch is the same; one request in a lane; one at all while sick.
    pub(crate) fn sending(
        &mut self,
        lane: Lane,
        batch: &OpenBatch,
        probe: bool,
        store: &Store,
        now: Duration,
    ) {
        assert!(now >= self.not_before, "sent before the time that the receiver asked for");
        let stored = &store.saved.lanes[lane.index()];
        let passed = batch.first <= stored.cursor;
        assert!(
            passed || stored.open.as_ref() == Some(batch),
            "sent, but not on record: {batch:?}, {stored:?}"
        );
        let sent = Sent { lane, first: batch.first, last: batch.last, body_sha256: batch.body_sha256 };
        match self.sent.get(&batch.webhook_id) {
            Some(before) => {
                assert_eq!(*before, sent, "the same id stands for the same batch");
                self.tally.saw(Seen::Resend);
            }
            None => {
                self.sent.insert(batch.webhook_id.clone(), sent);
            }
        }
        assert!(self.in_flight[lane.index()].is_none(), "one request in flight in a lane");
        self.in_flight[lane.index()] = Some(batch.clone());
        let requests = self.in_flight.iter().flatten().count();
        assert!(!self.sick || requests == 1, "one request in flight while the endpoint is sick");
        self.tally.saw_if(Seen::BothLanesInFlight, requests == 2);
        self.tally.saw(Seen::Send);
        self.tally.saw_if(Seen::Probe, probe);
    }

    /// The endpoint has the batch in hands: nothing of the lane before it may still be due.
    pub(crate) fn received(&mut self, lane: Lane, batch: &OpenBatch, log: &mut Log) {
        for event in log.between(lane, Seq(batch.first.0 - 1), batch.last) {
            event.received = true;
        }
        let frontier = self.advance_frontier(lane, log);
        if let Some(due) = log.lane(lane).get(frontier) {
            assert!(due.seq > batch.last, "{:?} is due before {batch:?}", due.seq);
        }
    }

    fn advance_frontier(&mut self, lane: Lane, log: &Log) -> usize {
        let frontier = &mut self.frontier[lane.index()];
        let settled = |at: usize| log.lane(lane).get(at).is_some_and(|event| event.received || event.lost);
        while settled(*frontier) {
            *frontier += 1;
        }
        *frontier
    }

    pub(crate) fn answered(
        &mut self,
        lane: Lane,
        batch: &OpenBatch,
        reply: Reply,
        log: &mut Log,
        now: Duration,
    ) {
        self.in_flight[lane.index()] = None;
        let (status, retry_after) = match reply {
            Reply::Complete { status, retry_after } => (Some(status), retry_after.unwrap_or_default()),
            Reply::Incomplete => (None, Duration::ZERO),
        };
        self.last_status = status;
        self.unfit[lane.index()] = status == Some(413) && batch.events > 1;
        let verdict = classify(reply);
        self.sick = verdict == Verdict::Sick;
        self.not_before = match verdict {
            Verdict::Sick => self.not_before.max(now + retry_after.min(Duration::from_hours(1))),
            _ => Duration::ZERO,
        };
        if verdict == Verdict::Delivered {
            self.last_success[lane.index()] = now;
            for event in log.between(lane, Seq(batch.first.0 - 1), batch.last) {
                event.acknowledged = true;
            }
        }
    }

    /// A cursor passes only what was acknowledged or is lost; what is given up is given up for cause.
    pub(crate) fn saving(
        &mut self,
        progress: &Progress,
        settings: &Settings,
        store: &Store,
        log: &mut Log,
        now: Duration,
    ) {
        for lost in &progress.lost {
            let cursor = store.saved.lanes[lost.lane.index()].cursor;
            assert_eq!(lost.reason, LostReason::GaveUp);
            assert!(!lost.detail.is_empty() && lost.events > 0 && lost.first <= lost.last, "{lost:?}");
            let of_lane = settings.kinds.iter().copied().filter(|kind| kind.lane() == lost.lane);
            assert!(lost.kinds.iter().copied().eq(of_lane), "{lost:?}");
            let events = log.between(lost.lane, Seq(lost.first.0 - 1), lost.last);
            assert_eq!(lost.events, events.len() as u64, "{lost:?}");
            for event in events {
                event.lost = true;
            }
            let events = log.between(lost.lane, cursor, Seq(lost.first.0 - 1));
            assert!(events.iter().all(|event| event.acknowledged || event.lost), "{lost:?} leaves a hole");
            if store.settings.retry == Preset::Patient {
                let without = now.checked_sub(self.last_success[lost.lane.index()]);
                assert!(without >= Some(Duration::from_hours(72)), "given up after only {without:?}");
                self.tally.saw(Seen::GivenUpByPatient);
            } else {
                self.tally.saw(Seen::GivenUpByOriginal);
            }
        }
        self.tally.saw_if(Seen::GivenUpInBothLanes, progress.lost.len() == 2);
        for (lane, state) in &progress.lanes {
            let stored = &store.saved.lanes[lane.index()];
            let passed = log.between(*lane, stored.cursor, state.cursor);
            for event in passed {
                assert!(event.acknowledged || event.lost, "{lane} passes {event:?}, which nobody has");
            }
            if let Some(open) = &state.open {
                assert!(open.first > state.cursor, "{open:?} lies before the cursor {:?}", state.cursor);
                let waiting = log.between(*lane, state.cursor, Seq(open.first.0 - 1));
                assert!(waiting.is_empty(), "{open:?} jumps over {waiting:?}");
                if let Some(events) = log.of_batch(*lane, open) {
                    let body = body_hash(events, open.content_revision);
                    assert_eq!(open.body_sha256, body, "{open:?} is not of its content revision");
                }
            }
            if let (Some(before), after) = (&stored.open, &state.open) {
                let other = after.as_ref().is_none_or(|after| after.webhook_id != before.webhook_id);
                let settled = before.last <= state.cursor;
                self.tally.saw_if(Seen::SettledWithTheNextBatch, settled && after.is_some());
                if other && !settled {
                    let outdated = before.content_revision != store.settings.content_revision;
                    assert!(outdated || self.unfit[lane.index()], "{before:?} is superseded for no reason");
                }
                self.tally.saw_if(Seen::Superseded, other && !settled);
            }
        }
        if let Some(reason) = &progress.disable {
            // Whoever enables it again begins with a clean slate.
            self.sick = false;
            let retry = store.settings.retry;
            match reason {
                DisableReason::Gone => {
                    assert_eq!(self.last_status, Some(410));
                    self.tally.saw(Seen::DisabledGone);
                }
                DisableReason::NoSuccess { limit_s } => {
                    assert_eq!(*limit_s, 72 * 3_600);
                    self.tally.saw(Seen::DisabledNoSuccess);
                }
                DisableReason::TooManyFailures { failed, total } => {
                    assert!(retry == Preset::Original && *total >= 20 && failed * 10 >= total * 6);
                    self.tally.saw(Seen::DisabledTooManyFailures);
                }
            }
        }
        self.sick_saved = self.sick;
    }

    /// The store moved a cursor of its own.
    pub(crate) fn moved(&mut self, lane: Lane, cursor: Seq) {
        let under_way = self.in_flight[lane.index()].as_ref().is_some_and(|batch| batch.first <= cursor);
        self.tally.saw_if(Seen::MovedUnderARequest, under_way);
    }

    /// Everything was received or lies in a lost range.
    pub(crate) fn all_is_settled(&mut self, store: &Store, log: &Log) {
        for lane in Lane::ALL {
            let frontier = self.advance_frontier(lane, log);
            assert_eq!(log.lane(lane).get(frontier).map(|event| event.seq), None, "{lane} never got it");
            let stored = &store.saved.lanes[lane.index()];
            assert_eq!(stored.open, None, "{lane} is not settled");
            assert!(
                log.lane(lane).last().is_none_or(|event| event.seq <= stored.cursor),
                "{lane} {stored:?}"
            );
            self.tally.saw_times(Seen::Event, log.lane(lane).len() as u64);
        }
    }
}
