//! Time, what happens when, crashes.

use crate::check::Checker;
use crate::model::{Endpoint, Fate, Log, Store, Weather, any_in_flight, any_kinds, any_limits, any_rate};
use crate::random::Random;
use crate::shell::{Process, Wanted};
use crate::tally::{Seen, Tally};
use hitwire_courier::{ByLane, Input, LostReason, Machine, OpenBatch, Preset, WallClock};
use hitwire_event::{IntegrationId, Lane, ObjectType, Seq};
use std::collections::BTreeMap;
use std::time::Duration;

/// After the faults stop, everything must have come to rest within this many steps: an hourly schedule needs far fewer.
const STEPS_TO_REST: u32 = 20_000;
/// No world needs so many steps while things go wrong: what turns in circles fails instead.
const STEPS_WITH_FAULTS: u32 = 200_000;

/// How long nothing runs after a crash, at most.
const STOPPED: [Duration; 4] =
    [Duration::from_secs(3), Duration::from_secs(3), Duration::from_mins(2), Duration::from_hours(2)];

/// Something that happens at a time.
pub(crate) enum Happening {
    /// From outside: users, the log, the network, the machine's host.
    Outside,
    /// A process ends that was asked to stop.
    Ends { number: u64 },
    /// An input for a process.
    Input { number: u64, input: Input },
    /// The process hears that somebody else changed the record, or the settings.
    LoadAgain { number: u64, edited: bool },
    /// The process hears that these events were appended after `before`.
    Appended { number: u64, lane: Lane, before: Seq },
    /// The log is read for a process.
    Read { number: u64, wanted: Wanted },
    /// What was read comes back.
    Batch { number: u64, wanted: Wanted, content_revision: u64, input: Input },
    /// A request ends.
    Answer {
        number: u64,
        lane: Lane,
        batch: OpenBatch,
        fate: Fate,
        sent: Duration,
        received_if_abandoned: bool,
    },
}

/// Everything there is.
pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) traced: bool,
    /// Monotonic, since the beginning of the world.
    pub(crate) now: Duration,
    pub(crate) wall_ms_at_start: i64,
    pub(crate) log: Log,
    pub(crate) store: Store,
    pub(crate) endpoint: Endpoint,
    pub(crate) process: Option<Process>,
    pub(crate) checker: Checker,
    /// One request at a time in each lane, all the time.
    in_order: bool,
    /// Things still go wrong.
    pub(crate) faults: bool,
    pub(crate) minted: u64,
    processes: u64,
    happenings: BTreeMap<(Duration, u64), Happening>,
    serial: u64,
    /// What happens from outside, and how far apart.
    outside_left: u64,
    pace: Duration,
    /// An outage that lasts until this many things are left to happen, and in which nobody touches anything: so that
    /// schedules come to their ends.
    grim_until_left: Option<u64>,
}

impl World {
    pub(crate) fn new(seed: u64, traced: bool) -> Self {
        let mut random = Random::new(seed);
        let (mut store, mut endpoint) = (Store::new(&mut random), Endpoint::new(&mut random));
        let in_order = random.percent(50);
        if !in_order {
            store.settings.in_flight = any_in_flight(&mut random);
        }
        let outside_left = random.within(10..50);
        // From a burst within seconds to weeks.
        let mut pace = Duration::from_millis(random.one_of(&[20, 300, 3_000, 60_000, 1_200_000, 14_400_000]));
        let grim_until_left = random.percent(10).then(|| random.within(1..outside_left / 2));
        if grim_until_left.is_some() {
            endpoint.weather = random.one_of(&[Weather::Down, Weather::Busy, Weather::Refusing]);
            pace = Duration::from_hours(random.one_of(&[1, 5]));
        }
        World {
            random,
            traced,
            now: Duration::ZERO,
            wall_ms_at_start: 1_700_000_000_000,
            log: Log::new(),
            store,
            endpoint,
            process: None,
            checker: Checker::new(in_order),
            in_order,
            faults: true,
            minted: 0,
            processes: 0,
            happenings: BTreeMap::new(),
            serial: 0,
            outside_left,
            pace,
            grim_until_left,
        }
    }

    /// Runs until everything has come to rest without faults.
    pub(crate) fn run(mut self) -> Tally {
        self.start();
        self.later(Duration::ZERO, Happening::Outside);
        for _ in 0..STEPS_WITH_FAULTS {
            if !self.faults {
                break;
            }
            self.step();
        }
        assert!(!self.faults, "it turns in circles at {:?}", self.now);
        self.endpoint.heal();
        for _ in 0..STEPS_TO_REST {
            if self.step() {
                continue;
            }
            if self.store.settings.enabled && self.process.is_some() {
                return self.at_rest();
            }
            if self.process.is_none() {
                self.start();
            } else {
                self.enable(false);
            }
        }
        panic!("it never comes to rest: {:?}", self.process.map(|process| process.machine.status()));
    }

    fn at_rest(mut self) -> Tally {
        let machine = &self.process.as_ref().expect("it runs").machine;
        assert!(machine.is_parked());
        let status = machine.status();
        for lane in status.lanes.values() {
            assert_eq!((lane.state, lane.next_attempt), ("caught_up", None));
        }
        self.checker.all_is_settled(&self.store, &self.log);
        self.checker.tally
    }

    /// The next thing happens; false if there is none.
    fn step(&mut self) -> bool {
        let wake = self
            .process
            .as_ref()
            .and_then(|process| Some((process.number, process.started + process.machine.wake_at()?)));
        let next = self.happenings.first_key_value().map(|(&(at, _), _)| at);
        if let Some((_, at)) = wake
            && next.is_none_or(|next| at <= next)
        {
            self.now = self.now.max(at);
            self.feed(Input::Due);
            return true;
        }
        let Some(((at, _), happening)) = self.happenings.pop_first() else { return false };
        self.now = self.now.max(at);
        let lives = |number: u64| self.process.as_ref().is_some_and(|process| process.number == number);
        match happening {
            Happening::Outside => self.outside(),
            Happening::Ends { number } if lives(number) => self.crash(),
            Happening::Input { number, input } if lives(number) => self.feed(input),
            Happening::LoadAgain { number, edited } if lives(number) => self.load_again(edited, Vec::new()),
            Happening::Appended { number, lane, before } if lives(number) => {
                self.hear_of_events(lane, before);
            }
            Happening::Read { number, wanted } if lives(number) => self.read_now(wanted),
            Happening::Batch { number, wanted, content_revision, input } if lives(number) => {
                self.batch_landed(number, wanted, content_revision, input);
            }
            Happening::Answer { number, lane, batch, fate, sent, received_if_abandoned } => {
                self.answer_landed(number, lane, &batch, fate, sent, received_if_abandoned);
            }
            // For a process that is no more.
            _ => {}
        }
        true
    }

    pub(crate) fn later(&mut self, at: Duration, happening: Happening) {
        self.serial += 1;
        self.happenings.insert((at, self.serial), happening);
    }

    pub(crate) fn soon(&mut self, within: Duration, happening: Happening) {
        let at = self.now + self.random.up_to(within);
        self.later(at, happening);
    }

    fn start(&mut self) {
        self.processes += 1;
        let number = self.processes;
        let (settings, saved) = (self.store.settings.clone(), self.store.load());
        let seed = self.random.next();
        // Each process has its own monotonic clock.
        let began_before = self.random.up_to(self.now.min(Duration::from_secs(5)));
        let started = self.now.saturating_sub(began_before);
        let wall = WallClock { at: began_before, ms: self.wall_ms() };
        let machine = Machine::new(IntegrationId(7), settings.clone(), saved, wall, seed);
        self.checker.process_started(&settings, &self.store, self.now);
        self.process = Some(Process {
            number,
            started,
            machine,
            settings,
            stopping: false,
            unheard: ByLane::live(|_| 0),
        });
    }

    pub(crate) fn wall_ms(&self) -> u64 {
        (self.wall_ms_at_start + self.now.as_millis() as i64).max(0) as u64
    }

    /// Kills the process: what was not saved is forgotten. After a while another one starts.
    pub(crate) fn crash(&mut self) {
        if self.traced {
            println!("{:?} crash", self.now);
        }
        self.checker.tally.saw(Seen::Crash);
        self.process = None;
        let most = self.random.one_of(&STOPPED);
        self.now += self.random.up_to(most);
        self.start();
    }

    fn outside(&mut self) {
        self.outside_left -= 1;
        if self.outside_left == 0 {
            self.faults = false;
            return;
        }
        let wait = self.random.up_to(self.pace * 2);
        self.later(self.now + wait, Happening::Outside);
        let grim = self.grim_until_left.is_some_and(|until_left| self.outside_left > until_left);
        let chance =
            if grim { self.random.one_of(&[0, 0, 0, 0, 92, 99]) } else { self.random.within(0..100) };
        match chance {
            0..40 => self.append(),
            40..62 => {
                self.endpoint.weather = self.random.one_of(&[
                    Weather::Well,
                    Weather::Well,
                    Weather::Mixed,
                    Weather::Mixed,
                    Weather::Down,
                    Weather::Busy,
                    Weather::Refusing,
                    Weather::Gone,
                ]);
            }
            62..70 => self.edit(),
            70..76 if self.store.settings.enabled => self.disable(),
            70..86 if !self.store.settings.enabled => {
                let from_now = self.random.percent(30);
                self.enable(from_now);
            }
            86..90 => self.retain(),
            90..95 => self.crash(),
            95..97 => self.stop(),
            97..98 => {
                self.wall_ms_at_start += self.random.within(0..1_000_000_000) as i64 - 500_000_000;
                self.checker.clock_was_set();
            }
            _ => {
                let lane = self.random.one_of(&Lane::LIVE);
                let input = if self.random.percent(50) { Input::Due } else { Input::Advanced { lane } };
                self.feed(input);
            }
        }
    }

    fn append(&mut self) {
        let before = self.log.head;
        let count =
            if self.random.percent(2) { self.random.within(100..700) } else { self.random.within(1..15) };
        let bytes_most = self.random.one_of(&[50, 2_000]);
        let mut touched = ByLane::live(|_| false);
        for _ in 0..count {
            let lane = if self.random.percent(30) { Lane::Urgent } else { Lane::Bulk };
            let object_type =
                self.random.one_of(&[ObjectType::Hit, ObjectType::Hit, ObjectType::Hit, ObjectType::System]);
            let bytes = self.random.within(1..bytes_most) as usize;
            let gap = if self.random.percent(5) { self.random.within(1..100) } else { 0 };
            self.log.append(lane, object_type, bytes, self.now, gap);
            touched[lane] = true;
        }
        let Some(process) = &mut self.process else { return };
        let number = process.number;
        for lane in Lane::LIVE.into_iter().filter(|lane| touched[*lane]) {
            process.unheard[lane] += 1;
        }
        for lane in Lane::LIVE.into_iter().filter(|lane| touched[*lane]) {
            self.soon(Duration::from_millis(5), Happening::Appended { number, lane, before });
        }
    }

    /// A lane that is caught up with everything it has heard of need not search what came before these events.
    fn hear_of_events(&mut self, lane: Lane, before: Seq) {
        let Some(process) = &mut self.process else { return };
        process.unheard[lane] -= 1;
        let all_heard = process.unheard[lane] == 0;
        let skips = all_heard && process.machine.status().lanes[lane].state == "caught_up";
        if skips && self.random.percent(50) {
            self.feed(Input::NoneUpTo { lane, seq: before });
        }
        self.feed(Input::Advanced { lane });
    }

    fn edit(&mut self) {
        if self.random.percent(50) {
            self.store.settings.content_revision += 1;
            self.store.settings.kinds = any_kinds(&mut self.random);
            self.checker.tally.saw(Seen::EditOfContent);
        } else {
            self.checker.tally.saw(Seen::EditOfTransport);
        }
        if self.random.percent(30) {
            self.store.settings.limits = any_limits(&mut self.random);
        }
        if !self.in_order && self.random.percent(30) {
            self.store.settings.in_flight = any_in_flight(&mut self.random);
        }
        if self.random.percent(20) {
            self.store.settings.rate = any_rate(&mut self.random);
        }
        if self.random.percent(20) {
            self.store.settings.retry = self.random.one_of(&[Preset::Original, Preset::Patient]);
        }
        self.tell(true);
    }

    fn disable(&mut self) {
        self.store.settings.enabled = false;
        self.tell(true);
    }

    fn enable(&mut self, from_now: bool) {
        self.store.settings.enabled = true;
        self.store.disabled = None;
        self.tell(true);
        if from_now {
            for lane in Lane::LIVE {
                self.move_cursor(lane, self.log.head, LostReason::EnabledFromNow);
            }
        }
    }

    /// Retention takes the oldest events.
    fn retain(&mut self) {
        let floor = Seq(self.random.within(self.log.oldest.0..self.log.head.0 + 2));
        self.log.oldest = floor;
        for lane in Lane::LIVE {
            self.move_cursor(lane, Seq(floor.0.saturating_sub(1)), LostReason::Retention);
        }
    }

    fn move_cursor(&mut self, lane: Lane, cursor: Seq, reason: LostReason) {
        let lost = self.store.move_cursor(&mut self.log, lane, cursor, reason);
        if self.traced {
            println!("{:?} the store moves {lane} to {cursor}: {lost:?}", self.now);
        }
        self.checker.moved(lane, cursor);
        self.tell(false);
    }

    /// The process hears of a change, though not at once.
    fn tell(&mut self, edited: bool) {
        self.store.is_current = false;
        let Some(process) = &self.process else { return };
        let number = process.number;
        self.soon(Duration::from_millis(20), Happening::LoadAgain { number, edited });
    }

    fn stop(&mut self) {
        self.checker.tally.saw(Seen::Stop);
        self.feed(Input::Stop);
        let Some(process) = &self.process else { return };
        let number = process.number;
        self.soon(Duration::from_secs(10), Happening::Ends { number });
    }
}
