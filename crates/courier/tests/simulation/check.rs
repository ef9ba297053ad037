//! What must hold.

use crate::model::{Log, Store, body_hash, mark_settled};
use crate::tally::{Seen, Tally};
use hitwire_courier::refusal::{classify, may_be_its_size};
use hitwire_courier::{
    ByLane, DisableReason, Input, LaneState, LostReason, OpenBatch, Preset, Progress, Reply, Settings,
    Verdict,
};
use hitwire_event::{Lane, Seq, WebhookId};
use std::collections::{HashMap, HashSet};
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
#[derive(Debug)]
pub(crate) struct Checker {
    pub(crate) tally: Tally,
    sent: HashMap<WebhookId, Sent>,
    /// Requests must arrive in log order.
    in_order: bool,
    /// When each batch was sent for the first time.
    first_sent: HashMap<WebhookId, Duration>,
    in_flight: ByLane<Vec<OpenBatch>>,
    reading: ByLane<bool>,
    /// The endpoint's last word was a sick one; and the same as it was last saved.
    sick: bool,
    sick_saved: bool,
    last_status: Option<u16>,
    /// Batches that cannot be sent as they are: too large, or they cannot be made again.
    unfit: HashSet<WebhookId>,
    /// Batches of several events that failed as they may because of their size, and how often that was, in this process.
    suspected: HashSet<WebhookId>,
    suspicions: u32,
    /// The receiver asked to be left alone until then; and the same as it was last saved.
    not_before: Duration,
    not_before_saved: Duration,
    /// When the lane last had a success, or the machine was last disabled.
    last_success: ByLane<Duration>,
    /// Index of the first event of the lane that is neither received nor lost.
    frontier: ByLane<usize>,
    enabled: bool,
    /// When the last request began, as far as the process may know.
    begun: Option<Duration>,
    woken_in_vain: u32,
}

/// Waits are kept in whole milliseconds.
const ROUNDED: Duration = Duration::from_millis(50);

impl Checker {
    pub(crate) fn new(in_order: bool) -> Self {
        Checker {
            tally: Tally::default(),
            sent: HashMap::new(),
            in_order,
            first_sent: HashMap::new(),
            in_flight: ByLane::live(|_| Vec::new()),
            reading: ByLane::live(|_| false),
            sick: false,
            sick_saved: false,
            last_status: None,
            unfit: HashSet::new(),
            suspected: HashSet::new(),
            suspicions: 0,
            not_before: Duration::ZERO,
            not_before_saved: Duration::ZERO,
            last_success: ByLane::live(|_| Duration::ZERO),
            frontier: ByLane::live(|_| 0),
            enabled: false,
            begun: None,
            woken_in_vain: 0,
        }
    }

    /// A new process: nothing of the old one is in flight, and it knows what was saved.
    pub(crate) fn process_started(&mut self, settings: &Settings, store: &Store, now: Duration) {
        // A batch on record had perhaps just been sent.
        self.begun = store.saved.lanes.values().any(|lane| !lane.open.is_empty()).then_some(now);
        self.woken_in_vain = 0;
        self.in_flight = ByLane::live(|_| Vec::new());
        self.reading = ByLane::live(|_| false);
        self.sick = self.sick_saved;
        let mut open = store.saved.lanes.values().flat_map(|lane| &lane.open);
        let edited = open.any(|open| open.batch.content_revision != settings.content_revision);
        self.not_before = if edited { Duration::ZERO } else { self.not_before_saved.saturating_sub(ROUNDED) };
        self.tally.saw_if(Seen::WaitOverRestart, self.not_before > now);
        self.unfit.clear();
        self.suspected.clear();
        self.suspicions = 0;
        self.enabled = settings.enabled;
    }

    /// Nobody can say any more what is left of a wait that was saved before.
    pub(crate) fn clock_was_set(&mut self) {
        self.not_before_saved = Duration::ZERO;
    }

    pub(crate) fn fed(&mut self, input: &Input, settings: &Settings) {
        match input {
            Input::Configured(_) => self.edited(settings),
            Input::Reloaded(reloaded) if reloaded.edited.is_some() => self.edited(settings),
            Input::Batch { lane, .. } => self.reading[*lane] = false,
            Input::NotSent { lane, webhook_id } => {
                self.landed(*lane, webhook_id);
            }
            Input::Unreproducible { lane, webhook_id } => {
                self.landed(*lane, webhook_id);
                self.unfit.insert(webhook_id.clone());
            }
            _ => {}
        }
    }

    fn edited(&mut self, settings: &Settings) {
        if settings.enabled && !self.enabled {
            self.sick = false;
        }
        self.enabled = settings.enabled;
        // The user wants to see at once whether it works now.
        self.not_before = Duration::ZERO;
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
        assert!(!self.reading[lane], "one read at a time in a lane");
        self.reading[lane] = true;
    }

    fn landed(&mut self, lane: Lane, webhook_id: &WebhookId) {
        self.in_flight[lane].retain(|batch| batch.webhook_id != *webhook_id);
    }

    /// As many requests in a lane as the user allows.
    pub(crate) fn has_room(&mut self, lane: Lane, in_flight: usize) {
        let requests = self.in_flight[lane].len();
        assert!(requests < in_flight, "{requests} requests in flight in a lane that may have {in_flight}");
    }

    /// Nothing is sent that was not saved; a resent batch is the same; what is settled on record is not sent again; one
    /// request at all while sick. `heard_of`: the lane's cursor as the machine knows it.
    pub(crate) fn sending(
        &mut self,
        lane: Lane,
        batch: &OpenBatch,
        probe: bool,
        (store, heard_of): (&Store, Seq),
        log: &mut Log,
        now: Duration,
    ) {
        assert!(now >= self.not_before, "sent before the time that the receiver asked for");
        let stored = &store.saved.lanes[lane];
        // The store has moved the cursor, and the machine has not heard of it yet.
        let passed = heard_of < stored.cursor;
        let is_it = |open: &OpenBatch| OpenBatch { through: open.through, ..batch.clone() } == *open;
        assert!(
            passed || stored.open.iter().any(|open| is_it(&open.batch)),
            "sent, but not on record: {batch:?}, {stored:?}"
        );
        for event in log.between(lane, Seq(batch.first.0 - 1), batch.last) {
            assert!(passed || !event.settled, "{event:?} is settled on record, and sent again in {batch:?}");
        }
        self.first_sent.entry(batch.webhook_id.clone()).or_insert(now);
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
        self.in_flight[lane].push(batch.clone());
        let requests = self.in_flight.values().flatten().count();
        self.tally.saw_if(Seen::ManyInFlight, self.in_flight[lane].len() > 3);
        assert!(!self.sick || requests == 1, "one request in flight while the endpoint is sick");
        self.tally.saw_if(Seen::BothLanesInFlight, self.in_flight.values().all(|lane| !lane.is_empty()));
        self.tally.saw(Seen::Send);
        self.tally.saw_if(Seen::Probe, probe);
    }

    /// The endpoint has the batch in hands: nothing of the lane before it may still be due.
    pub(crate) fn received(&mut self, lane: Lane, batch: &OpenBatch, log: &mut Log) {
        for event in log.between(lane, Seq(batch.first.0 - 1), batch.last) {
            event.received = true;
        }
        let frontier = self.advance_frontier(lane, log);
        if let Some(due) = log.lane(lane).get(frontier).filter(|_| self.in_order) {
            assert!(due.seq > batch.last, "{:?} is due before {batch:?}", due.seq);
        }
    }

    fn advance_frontier(&mut self, lane: Lane, log: &Log) -> usize {
        let frontier = &mut self.frontier[lane];
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
        self.landed(lane, &batch.webhook_id);
        let (status, retry_after) = match reply {
            Reply::Complete { status, retry_after } => (Some(status), retry_after.unwrap_or_default()),
            Reply::Incomplete | Reply::BrokenOff => (None, Duration::ZERO),
        };
        self.last_status = status;
        if status == Some(413) && batch.events > 1 {
            self.unfit.insert(batch.webhook_id.clone());
        }
        if may_be_its_size(reply) && batch.events > 1 {
            self.suspicions += 1;
            self.suspected.insert(batch.webhook_id.clone());
        }
        let verdict = classify(reply);
        self.sick = verdict == Verdict::Sick;
        self.not_before = match verdict {
            Verdict::Sick => self.not_before.max(now + retry_after.min(Duration::from_hours(1))),
            _ => Duration::ZERO,
        };
        if verdict == Verdict::Delivered {
            self.last_success[lane] = now;
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
            let stored = &store.saved.lanes[lost.lane];
            assert_eq!(lost.reason, LostReason::GaveUp);
            assert!(!lost.detail.is_empty() && lost.events > 0 && lost.first <= lost.last, "{lost:?}");
            let of_lane = settings.kinds.iter().copied().filter(|kind| kind.lane() == lost.lane);
            assert!(lost.kinds.iter().copied().eq(of_lane), "{lost:?}");
            let events = log.between(lost.lane, Seq(lost.first.0 - 1), lost.last);
            assert_eq!(lost.events, events.len() as u64, "{lost:?}");
            for event in events {
                event.lost = true;
            }
            let of_batch = |open: &&hitwire_courier::Unsettled| open.batch.first == lost.first;
            let batch = stored.open.iter().find(of_batch).map(|open| &open.batch);
            self.tally.saw_if(
                Seen::GivenUpAlone,
                batch.is_some_and(|batch| batch.first > stored.open[0].batch.first),
            );
            if store.settings.retry == Preset::Patient {
                // Others may have succeeded beside a batch that was refused all the time.
                let refused_since = batch.map(|batch| self.first_sent[&batch.webhook_id]);
                let since = self.last_success[lost.lane].min(refused_since.unwrap_or(now));
                let without = now.checked_sub(since);
                assert!(without >= Some(Duration::from_hours(72)), "given up after only {without:?}");
                self.tally.saw(Seen::GivenUpByPatient);
            } else {
                self.tally.saw(Seen::GivenUpByOriginal);
            }
        }
        let in_lane = |lane: Lane| progress.lost.iter().any(|lost| lost.lane == lane);
        self.tally.saw_if(Seen::GivenUpInBothLanes, Lane::LIVE.into_iter().all(in_lane));
        for (lane, state) in &progress.lanes {
            let stored = &store.saved.lanes[*lane];
            let passed = log.between(*lane, stored.cursor, state.cursor);
            for event in passed {
                assert!(event.acknowledged || event.lost, "{lane} passes {event:?}, which nobody has");
            }
            Self::open_batches_are_whole(*lane, state, log);
            self.superseded_for_a_reason(stored, state, &store.settings);
            self.tally.saw_if(Seen::SettledOutOfTurn, state.open.iter().any(|open| open.settled_behind > 0));
            mark_settled(log, *lane, state);
        }
        if let Some(reason) = &progress.disable {
            // Whoever enables it again begins with a clean slate.
            self.sick = false;
            self.not_before = Duration::ZERO;
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
        self.not_before_saved = self.not_before;
    }

    /// Open batches lie in log order behind the cursor, with nothing between them but what is settled.
    fn open_batches_are_whole(lane: Lane, state: &LaneState, log: &mut Log) {
        let mut end = state.cursor;
        for open in &state.open {
            let batch = &open.batch;
            assert!(batch.first > end, "{batch:?} lies before {end:?}");
            let between = log.between(lane, end, Seq(batch.first.0 - 1));
            assert!(between.iter().all(|event| event.lost), "{batch:?} jumps over {between:?}");
            let behind = log.between(lane, batch.last, batch.through);
            assert!(behind.iter().all(|event| event.acknowledged || event.lost), "{open:?}, {behind:?}");
            assert_eq!(open.settled_behind, behind.len() as u64, "{open:?}");
            end = batch.through;
            if let Some(events) = log.of_batch(lane, batch) {
                let body = body_hash(events, batch.content_revision);
                assert_eq!(batch.body_sha256, body, "{batch:?} is not of its content revision");
            }
        }
        assert!(state.open.len() <= 16, "{state:?}");
    }

    /// A batch leaves the record when it is settled. Otherwise there is a reason: its own, or that of one before it.
    fn superseded_for_a_reason(&mut self, before: &LaneState, after: &LaneState, settings: &Settings) {
        let is_open =
            |batch: &OpenBatch| after.open.iter().any(|open| open.batch.webhook_id == batch.webhook_id);
        let settled = |seq: Seq| {
            let behind =
                |open: &hitwire_courier::Unsettled| open.batch.last < seq && seq <= open.batch.through;
            seq <= after.cursor || after.open.iter().any(behind)
        };
        let mut gone = before.open.iter().map(|open| &open.batch).filter(|batch| !is_open(batch));
        let settled_now = gone.clone().any(|batch| settled(batch.last));
        self.tally.saw_if(Seen::SettledWithTheNextBatch, settled_now && !after.open.is_empty());
        if let Some(batch) = gone.find(|batch| !settled(batch.last)) {
            let outdated = batch.content_revision != settings.content_revision;
            // Three such failures have a batch made smaller, and then one has the next that is still too large.
            let strained = self.suspicions >= 3 && self.suspected.contains(&batch.webhook_id);
            let unfit = strained || self.unfit.contains(&batch.webhook_id);
            assert!(outdated || unfit, "{batch:?} is superseded for no reason");
            self.tally.saw_if(Seen::TriedSmaller, self.suspected.contains(&batch.webhook_id));
            self.tally.saw(Seen::Superseded);
        }
    }

    /// The store moved a cursor of its own.
    pub(crate) fn moved(&mut self, lane: Lane, cursor: Seq) {
        let under_way = self.in_flight[lane].iter().any(|batch| batch.first <= cursor);
        self.tally.saw_if(Seen::MovedUnderARequest, under_way);
    }

    /// Everything was received or lies in a lost range.
    pub(crate) fn all_is_settled(&mut self, store: &Store, log: &Log) {
        for lane in Lane::LIVE {
            let frontier = self.advance_frontier(lane, log);
            assert_eq!(log.lane(lane).get(frontier).map(|event| event.seq), None, "{lane} never got it");
            let stored = &store.saved.lanes[lane];
            assert_eq!(stored.open, [], "{lane} is not settled");
            assert!(
                log.lane(lane).last().is_none_or(|event| event.seq <= stored.cursor),
                "{lane} {stored:?}"
            );
            self.tally.saw_times(Seen::Event, log.lane(lane).len() as u64);
        }
    }
}
