//! What must hold, and how often each thing happened.

use crate::model::{Log, Store};
use hitwire_courier::refusal::classify;
use hitwire_courier::{
    DisableReason, Input, LostReason, OpenBatch, Preset, Progress, Reply, Settings, Verdict,
};
use hitwire_event::{Lane, Seq, WebhookId};
use std::collections::HashMap;
use std::time::Duration;

/// How often things happened: a simulation that never reaches something proves nothing about it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) events: u64,
    pub(crate) sends: u64,
    pub(crate) resends: u64,
    pub(crate) probes: u64,
    pub(crate) crashes: u64,
    pub(crate) crashes_between_commands: u64,
    pub(crate) stops: u64,
    pub(crate) settled_with_the_next_batch: u64,
    pub(crate) superseded: u64,
    pub(crate) unreproducible: u64,
    pub(crate) edits_of_content: u64,
    pub(crate) edits_of_transport: u64,
    pub(crate) moved_under_a_request: u64,
    pub(crate) given_up_by_original: u64,
    pub(crate) given_up_by_patient: u64,
    pub(crate) given_up_in_both_lanes: u64,
    pub(crate) disabled_gone: u64,
    pub(crate) disabled_no_success: u64,
    pub(crate) disabled_too_many_failures: u64,
    pub(crate) both_lanes_in_flight: u64,
}

impl Tally {
    fn all(&self) -> [(&'static str, u64); 20] {
        [
            ("events", self.events),
            ("sends", self.sends),
            ("resends", self.resends),
            ("probes", self.probes),
            ("crashes", self.crashes),
            ("crashes between commands", self.crashes_between_commands),
            ("stops", self.stops),
            ("settled with the next batch", self.settled_with_the_next_batch),
            ("superseded", self.superseded),
            ("unreproducible", self.unreproducible),
            ("edits of content", self.edits_of_content),
            ("edits of transport", self.edits_of_transport),
            ("moved under a request", self.moved_under_a_request),
            ("given up by original", self.given_up_by_original),
            ("given up by patient", self.given_up_by_patient),
            ("given up in both lanes", self.given_up_in_both_lanes),
            ("disabled: gone", self.disabled_gone),
            ("disabled: no success", self.disabled_no_success),
            ("disabled: too many failures", self.disabled_too_many_failures),
            ("both lanes in flight", self.both_lanes_in_flight),
        ]
    }

    pub(crate) fn add(&mut self, other: &Tally) {
        self.events += other.events;
        self.sends += other.sends;
        self.resends += other.resends;
        self.probes += other.probes;
        self.crashes += other.crashes;
        self.crashes_between_commands += other.crashes_between_commands;
        self.stops += other.stops;
        self.settled_with_the_next_batch += other.settled_with_the_next_batch;
        self.superseded += other.superseded;
        self.unreproducible += other.unreproducible;
        self.edits_of_content += other.edits_of_content;
        self.edits_of_transport += other.edits_of_transport;
        self.moved_under_a_request += other.moved_under_a_request;
        self.given_up_by_original += other.given_up_by_original;
        self.given_up_by_patient += other.given_up_by_patient;
        self.given_up_in_both_lanes += other.given_up_in_both_lanes;
        self.disabled_gone += other.disabled_gone;
        self.disabled_no_success += other.disabled_no_success;
        self.disabled_too_many_failures += other.disabled_too_many_failures;
        self.both_lanes_in_flight += other.both_lanes_in_flight;
    }

    pub(crate) fn assert_that_everything_happened(&self) {
        for (what, times) in self.all() {
            assert!(times > 0, "the simulation never reached: {what}");
        }
    }
}

/// A batch as it was first sent under its id.
#[derive(Debug, PartialEq, Eq)]
struct Sent {
    lane: Lane,
    first: Seq,
    last: Seq,
    body_sha256: [u8; 32],
}

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
    /// When the lane last had a success, or the machine was last disabled.
    last_success: [Duration; 2],
    /// Index of the first event of the lane that is neither received nor lost.
    frontier: [usize; 2],
    enabled: bool,
}

impl Checker {
    /// A new process: nothing of the old one is in flight, and it knows what was saved.
    pub(crate) fn process_started(&mut self, enabled: bool) {
        self.in_flight = [None, None];
        self.reading = [false; 2];
        self.sick = self.sick_saved;
        self.enabled = enabled;
    }

    pub(crate) fn fed(&mut self, input: &Input, settings: &Settings) {
        match input {
            Input::Configured(_) => {
                if settings.enabled && !self.enabled {
                    self.sick = false;
                }
                self.enabled = settings.enabled;
            }
            Input::Batch { lane, .. } => self.reading[lane.index()] = false,
            Input::Unreproducible { lane } => self.in_flight[lane.index()] = None,
            _ => {}
        }
    }

    pub(crate) fn reading(&mut self, lane: Lane) {
        assert!(!self.reading[lane.index()], "one read at a time in a lane");
        self.reading[lane.index()] = true;
    }

    /// Nothing is sent that was not saved; a resent batch is the same; one request in a lane; one at all while sick.
    pub(crate) fn sending(&mut self, lane: Lane, batch: &OpenBatch, probe: bool, store: &Store) {
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
                self.tally.resends += 1;
            }
            None => {
                self.sent.insert(batch.webhook_id.clone(), sent);
            }
        }
        assert!(self.in_flight[lane.index()].is_none(), "one request in flight in a lane");
        self.in_flight[lane.index()] = Some(batch.clone());
        let requests = self.in_flight.iter().flatten().count();
        assert!(!self.sick || requests == 1, "one request in flight while the endpoint is sick");
        self.tally.both_lanes_in_flight += u64::from(requests == 2);
        self.tally.sends += 1;
        self.tally.probes += u64::from(probe);
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
        self.last_status = match reply {
            Reply::Complete { status, .. } => Some(status),
            Reply::Incomplete => None,
        };
        let verdict = classify(reply);
        self.sick = verdict == Verdict::Sick;
        if verdict == Verdict::Delivered {
            self.last_success[lane.index()] = now;
            for event in log.between(lane, Seq(batch.first.0 - 1), batch.last) {
                event.acknowledged = true;
            }
        }
    }

    /// A cursor passes only what was acknowledged or is lost; what is given up is given up for cause.
    pub(crate) fn saving(&mut self, progress: &Progress, store: &Store, log: &mut Log, now: Duration) {
        for lost in &progress.lost {
            let cursor = store.saved.lanes[lost.lane.index()].cursor;
            assert_eq!(lost.reason, LostReason::GaveUp);
            assert!(!lost.detail.is_empty() && lost.events > 0 && lost.first <= lost.last, "{lost:?}");
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
                self.tally.given_up_by_patient += 1;
            } else {
                self.tally.given_up_by_original += 1;
            }
        }
        self.tally.given_up_in_both_lanes += u64::from(progress.lost.len() == 2);
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
            }
            if let (Some(before), after) = (&stored.open, &state.open) {
                let other = after.as_ref().is_none_or(|after| after.webhook_id != before.webhook_id);
                let settled = before.last <= state.cursor;
                self.tally.settled_with_the_next_batch += u64::from(settled && after.is_some());
                self.tally.superseded += u64::from(other && !settled);
            }
        }
        if let Some(reason) = &progress.disable {
            // Whoever enables it again begins with a clean slate.
            self.sick = false;
            let retry = store.settings.retry;
            match reason {
                DisableReason::Gone => {
                    assert_eq!(self.last_status, Some(410));
                    self.tally.disabled_gone += 1;
                }
                DisableReason::NoSuccess { limit_s } => {
                    assert_eq!(*limit_s, 72 * 3_600);
                    self.tally.disabled_no_success += 1;
                }
                DisableReason::TooManyFailures { failed, total } => {
                    assert!(retry == Preset::Original && *total >= 20 && failed * 10 >= total * 6);
                    self.tally.disabled_too_many_failures += 1;
                }
            }
        }
        self.sick_saved = self.sick;
    }

    /// The store moved a cursor of its own.
    pub(crate) fn moved(&mut self, lane: Lane, cursor: Seq) {
        let under_way = self.in_flight[lane.index()].as_ref().is_some_and(|batch| batch.first <= cursor);
        self.tally.moved_under_a_request += u64::from(under_way);
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
            self.tally.events += log.lane(lane).len() as u64;
        }
    }
}
