//! The log, the store and the endpoint, as simple as they can be.

use crate::random::Random;
use hitwire_courier::batch::take;
use hitwire_courier::{
    ByLane, Cut, DisableReason, EndpointState, LaneState, Limits, LostRange, LostReason, OpenBatch, Preset,
    Progress, Reply, Saved, Settings,
};
use hitwire_event::{Kind, Lane, ObjectType, Risk, Seq};
use std::time::Duration;

/// An event, and what has become of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) seq: Seq,
    pub(crate) object_type: ObjectType,
    pub(crate) bytes: usize,
    pub(crate) appended: Duration,
    /// The endpoint has had it in hands.
    pub(crate) received: bool,
    /// The endpoint has said 2xx to a batch with it, and the machine was told.
    pub(crate) acknowledged: bool,
    /// It lies in a lost range on record.
    pub(crate) lost: bool,
    /// It is settled on record: it must not be sent again.
    pub(crate) settled: bool,
}

/// The log, by lane.
#[derive(Debug)]
pub(crate) struct Log {
    lanes: ByLane<Vec<Event>>,
    pub(crate) head: Seq,
    /// Events before this position are gone.
    pub(crate) oldest: Seq,
}

/// What a read found.
pub(crate) struct Found {
    pub(crate) cut: Option<Cut>,
    pub(crate) scanned_to: Seq,
    pub(crate) more: bool,
}

impl Log {
    pub(crate) fn new() -> Self {
        Log { lanes: ByLane::live(|_| Vec::new()), head: Seq(0), oldest: Seq(0) }
    }

    pub(crate) fn lane(&self, lane: Lane) -> &[Event] {
        &self.lanes[lane]
    }

    pub(crate) fn append(
        &mut self,
        lane: Lane,
        object_type: ObjectType,
        bytes: usize,
        appended: Duration,
        gap: u64,
    ) {
        self.head = Seq(self.head.0 + 1 + gap);
        let seq = self.head;
        self.lanes[lane].push(Event {
            seq,
            object_type,
            bytes,
            appended,
            received: false,
            acknowledged: false,
            lost: false,
            settled: false,
        });
    }

    /// The events of a lane in `after < seq <= through`.
    pub(crate) fn between(&mut self, lane: Lane, after: Seq, through: Seq) -> &mut [Event] {
        let events = &mut self.lanes[lane];
        let start = events.partition_point(|event| event.seq <= after);
        let end = events.partition_point(|event| event.seq <= through).max(start);
        &mut events[start..end]
    }

    /// The events that a batch is made of; none if some of them are gone.
    pub(crate) fn of_batch(&mut self, lane: Lane, batch: &OpenBatch) -> Option<&mut [Event]> {
        let oldest = self.oldest;
        let events = self.between(lane, Seq(batch.first.0 - 1), batch.last);
        (batch.first >= oldest && events.len() == batch.events as usize).then_some(events)
    }

    /// Cuts the next batch; searches at most `page` positions.
    pub(crate) fn read(
        &mut self,
        lane: Lane,
        after: Seq,
        max_events: u32,
        max_bytes: u64,
        page: u64,
        content_revision: u64,
    ) -> Found {
        let after = after.max(Seq(self.oldest.0.saturating_sub(1)));
        let scanned_to = self.head.min(Seq(after.0 + page)).max(after);
        let end = self.head;
        let found = self.between(lane, after, scanned_to);
        let items = found.iter().map(|event| (event.object_type, event.bytes));
        let taken = take(items, max_events, max_bytes);
        let left = taken < found.len();
        let cut = (taken > 0).then(|| {
            let events = &found[..taken];
            let last = events[taken - 1].seq;
            Cut {
                first: events[0].seq,
                last,
                through: if left { last } else { scanned_to },
                events: taken as u32,
                body_bytes: events.iter().map(|event| event.bytes as u64 + 1).sum::<u64>() + 1,
                body_sha256: body_hash(events, content_revision),
            }
        });
        Found { cut, scanned_to, more: left || scanned_to < end }
    }
}

/// Stands for the body: differs with any event and with the rendering.
pub(crate) fn body_hash(events: &[Event], content_revision: u64) -> [u8; 32] {
    let mut mixed = content_revision.wrapping_mul(0x0100_0000_01b3) ^ 0xcbf2_9ce4_8422_2325;
    for event in events {
        mixed = (mixed ^ event.seq.0).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
    }
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&mixed.to_le_bytes());
    hash
}

/// The integration as it is configured, and what was saved of its couriers.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) settings: Settings,
    pub(crate) saved: Saved,
    pub(crate) disabled: Option<DisableReason>,
    /// Whoever loaded last may save: nobody else has changed anything since.
    pub(crate) is_current: bool,
}

impl Store {
    pub(crate) fn new(random: &mut Random) -> Self {
        let settings = Settings {
            retry: random.one_of(&[Preset::Original, Preset::Patient]),
            enabled: true,
            content_revision: 1,
            limits: any_limits(random),
            rate: any_rate(random),
            in_flight: 1,
            kinds: any_kinds(random),
        };
        Store { settings, saved: Saved::default(), disabled: None, is_current: false }
    }

    /// What a process reads: through JSON, as a real store keeps it.
    pub(crate) fn load(&mut self) -> Saved {
        self.is_current = true;
        let again = |lane: &LaneState| -> LaneState {
            let text = serde_json::to_string(lane).expect("a lane's state is JSON");
            serde_json::from_str(&text).expect("a lane's state is read as it was written")
        };
        let endpoint = self.saved.endpoint.0.to_string();
        Saved {
            endpoint: EndpointState(serde_json::from_str(&endpoint).expect("the endpoint's state is JSON")),
            lanes: self.saved.lanes.clone().map(|_, state| again(&state)),
            replays: self.saved.replays.clone(),
        }
    }

    pub(crate) fn save(&mut self, progress: Progress) {
        self.saved.endpoint = progress.endpoint;
        for (lane, state) in progress.lanes {
            let stored = &mut self.saved.lanes[lane];
            assert!(state.cursor >= stored.cursor, "a cursor goes back");
            *stored = state;
        }
        if let Some(reason) = progress.disable {
            self.settings.enabled = false;
            self.disabled = Some(reason);
        }
    }

    /// Moves a cursor, as retention and "from now" do: what it passes becomes a lost range.
    pub(crate) fn move_cursor(
        &mut self,
        log: &mut Log,
        lane: Lane,
        cursor: Seq,
        reason: LostReason,
    ) -> Vec<LostRange> {
        self.is_current = false;
        let stored = &mut self.saved.lanes[lane];
        let mut lost = Vec::new();
        for (after, through) in stored.unsettled() {
            let (first, last) = (after.next(), through.min(cursor));
            let passed = log.between(lane, after, last);
            for event in &mut *passed {
                event.lost = true;
            }
            let events = passed.len() as u64;
            let kinds = self.settings.kinds.iter().copied().filter(|kind| kind.lane() == lane).collect();
            if events > 0 {
                lost.push(LostRange { lane, kinds, first, last, events, reason, detail: String::new() });
            }
        }
        let before = stored.open.len();
        stored.pass(cursor);
        if stored.open.len() < before {
            mark_settled(log, lane, stored);
        }
        lost
    }
}

/// Marks what a lane has settled on record, and nothing else.
pub(crate) fn mark_settled(log: &mut Log, lane: Lane, stored: &LaneState) {
    for event in log.between(lane, Seq::ZERO, Seq(u64::MAX)) {
        event.settled = true;
    }
    for open in &stored.open {
        for event in log.between(lane, Seq(open.batch.first.0 - 1), open.batch.last) {
            event.settled = false;
        }
    }
    let end = stored.open.last().map_or(stored.cursor, |open| open.batch.through);
    for event in log.between(lane, end, Seq(u64::MAX)) {
        event.settled = false;
    }
}

pub(crate) fn any_limits(random: &mut Random) -> Limits {
    Limits {
        max_events: random.percent(30).then(|| random.within(1..40) as u32),
        max_bytes: random.percent(20).then(|| random.within(1..20_000)),
    }
}

pub(crate) fn any_in_flight(random: &mut Random) -> u8 {
    random.one_of(&[1, 2, 3, 5, 16])
}

/// At least one of each lane.
pub(crate) fn any_kinds(random: &mut Random) -> Vec<Kind> {
    let mut kinds = vec![Kind::Hit, Kind::Vulnerability(Risk::High)];
    kinds.extend([Kind::Scope, Kind::System].into_iter().filter(|_| random.percent(50)));
    kinds
}

pub(crate) fn any_rate(random: &mut Random) -> Option<u32> {
    random.percent(30).then(|| random.one_of(&[1, 7, 60, 3_000, 60_000]))
}

/// What the endpoint is like for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    Well,
    /// Every request has its own fate.
    Mixed,
    Down,
    Busy,
    Refusing,
    Gone,
}

/// The receiver.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) weather: Weather,
    /// A body with an event whose position is a multiple of this is refused.
    pub(crate) poison: Option<u64>,
    /// Larger bodies are answered with 413.
    pub(crate) body_bytes_most: Option<u64>,
    /// Larger bodies, of several events, are more than it can do: it fails over them, each time in another way.
    pub(crate) strained_by_bytes: Option<u64>,
}

/// What becomes of one request.
pub(crate) struct Fate {
    pub(crate) reply: Reply,
    /// The receiver had the body in hands, whatever it answered.
    pub(crate) received: bool,
    pub(crate) took: Duration,
}

impl Endpoint {
    pub(crate) fn new(random: &mut Random) -> Self {
        Endpoint {
            weather: Weather::Well,
            poison: random.percent(15).then(|| random.within(5..60)),
            body_bytes_most: random.percent(20).then(|| random.within(200..40_000)),
            strained_by_bytes: random.percent(20).then(|| random.within(200..40_000)),
        }
    }

    pub(crate) fn heal(&mut self) {
        *self =
            Endpoint { weather: Weather::Well, poison: None, body_bytes_most: None, strained_by_bytes: None };
    }

    /// Decides about a request when it leaves.
    pub(crate) fn answer(&self, random: &mut Random, batch: &OpenBatch, events: &[Event]) -> Fate {
        let weather = match self.weather {
            Weather::Mixed => random.one_of(&[
                Weather::Well,
                Weather::Well,
                Weather::Down,
                Weather::Busy,
                Weather::Refusing,
            ]),
            weather => weather,
        };
        let status = match weather {
            Weather::Well | Weather::Mixed => {
                if self.body_bytes_most.is_some_and(|most| batch.body_bytes > most) {
                    Some(413)
                } else if batch.events > 1
                    && self.strained_by_bytes.is_some_and(|most| batch.body_bytes > most)
                {
                    random.one_of(&[None, Some(500), Some(504)])
                } else if self
                    .poison
                    .is_some_and(|poison| events.iter().any(|event| event.seq.0 % poison == 0))
                {
                    Some(422)
                } else {
                    Some(random.one_of(&[200, 200, 202, 204, 299]))
                }
            }
            Weather::Down => None,
            Weather::Busy => Some(random.one_of(&[408, 429, 502, 503, 504])),
            Weather::Refusing => Some(random.one_of(&[301, 302, 400, 403, 404, 500, 100, 999])),
            Weather::Gone => Some(410),
        };
        let delivered = status.is_some_and(|status| (200..300).contains(&status));
        let took = if random.percent(10) {
            random.up_to(Duration::from_secs(20))
        } else {
            random.up_to(Duration::from_millis(200))
        };
        let retry_after = (!delivered && random.percent(20))
            .then(|| Duration::from_secs(random.one_of(&[0, 1, 7, 60, 600, 4_000, u64::MAX / 4])));
        // An answer may be lost on its way.
        let lost_answer = delivered && self.weather == Weather::Mixed && random.percent(20);
        let reply = match status {
            Some(status) if !lost_answer => Reply::Complete { status, retry_after },
            _ if weather == Weather::Down => random.one_of(&[Reply::Incomplete, Reply::BrokenOff]),
            _ => Reply::BrokenOff,
        };
        Fate { reply, received: delivered || random.percent(10), took }
    }
}
