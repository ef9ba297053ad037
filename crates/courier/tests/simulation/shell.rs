//! The model shell: carries the machine's commands out, in order, each finished before the next.

use crate::model::Fate;
use crate::tally::Seen;
use crate::world::{Happening, World};
use hitwire_courier::{
    ByLane, Command, Input, Machine, OpenBatch, Progress, Reloaded, Reply, Settings, WallClock,
};
use hitwire_event::{Lane, Seq, WebhookId};
use std::collections::VecDeque;
use std::time::Duration;

/// A process with one machine.
#[derive(Debug)]
pub(crate) struct Process {
    /// Tells what belongs to it from what a dead one left behind.
    pub(crate) number: u64,
    pub(crate) started: Duration,
    pub(crate) machine: Machine,
    /// The settings as its machine was told them.
    pub(crate) settings: Settings,
    pub(crate) stopping: bool,
    /// Notes about appended events that it has not heard yet, by lane.
    pub(crate) unheard: ByLane<u32>,
}

/// A read under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    lane: Lane,
    after: Seq,
    max_events: u32,
    max_bytes: u64,
}

impl World {
    /// Feeds an input and carries the commands out; the process may die between any two of them.
    pub(crate) fn feed(&mut self, input: Input) {
        let ms = self.wall_ms();
        let Some(process) = &mut self.process else { return };
        if let Input::Reloaded(reloaded) = &input
            && let Some(settings) = &reloaded.edited
        {
            process.settings = settings.clone();
        }
        if let Input::Stop = input {
            process.stopping = true;
        }
        let at = self.now.saturating_sub(process.started);
        if self.traced {
            println!("{:?} (process {}) <- {input:?}", self.now, process.number);
        }
        self.checker.fed(&input, &process.settings);
        let woken = matches!(input, Input::Due);
        process.machine.set_wall_clock(WallClock { at, ms });
        let commands = process.machine.on(at, input);
        self.checker.woken_in_vain(woken && commands.is_empty());
        let number = process.number;
        let mut commands = VecDeque::from(commands);
        while let Some(command) = commands.pop_front() {
            if self.faults && self.random.within(0..400) == 0 {
                self.checker.tally.saw(Seen::CrashBetweenCommands);
                self.crash();
            }
            if self.process.as_ref().is_none_or(|process| process.number != number) {
                break;
            }
            if self.traced {
                println!("{:?} (process {number}) -> {command:?}", self.now);
            }
            if let Command::Save(progress) = &command
                && self.is_overtaken(progress)
            {
                commands.push_front(command);
                return self.load_again(false, commands.into());
            }
            self.carry_out(command);
        }
    }

    /// Whether somebody else has changed the record since it was loaded: then a step is not saved.
    fn is_overtaken(&mut self, progress: &Progress) -> bool {
        if self.faults && self.random.within(0..200) == 0 {
            // Another process loads it, and leaves it as it is.
            self.store.is_current = false;
        }
        let overtaken = !self.store.is_current;
        self.checker.tally.saw_if(Seen::Overtaken, overtaken);
        self.checker.tally.saw_if(Seen::OutcomeOvertaken, overtaken && !progress.attempts.is_empty());
        overtaken
    }

    /// Loads record and settings again. `edited`: a user touched the settings, though they may look the same.
    pub(crate) fn load_again(&mut self, edited: bool, undone: Vec<Command>) {
        let Some(process) = &self.process else { return };
        let settings = &self.store.settings;
        let edited = (edited || process.settings != *settings).then(|| settings.clone());
        let (saved, known_to) = (self.store.load(), Seq(u64::MAX));
        self.feed(Input::Reloaded(Box::new(Reloaded { saved, edited, undone, known_to })));
    }

    fn carry_out(&mut self, command: Command) {
        let Some(process) = &self.process else { return };
        let number = process.number;
        match command {
            Command::Save(progress) => {
                self.checker.saving(&progress, &process.settings, &self.store, &mut self.log, self.now);
                let disabled = progress.disable.is_some();
                self.store.save(progress);
                if disabled {
                    self.later(self.now, Happening::LoadAgain { number, edited: true });
                }
            }
            Command::Read { lane, after, max_events, max_bytes } => {
                assert!(!process.stopping, "nothing is read after a stop");
                self.checker.reading(lane);
                self.read(number, Wanted { lane, after, max_events, max_bytes });
            }
            Command::Send { lane, batch, probe } => {
                assert!(!process.stopping, "nothing is sent after a stop");
                assert!(process.settings.enabled, "nothing is sent while it is disabled");
                assert_eq!(
                    batch.content_revision, process.settings.content_revision,
                    "sent as nobody wants it"
                );
                self.checker.keeps_the_pace(process.settings.rate, self.now);
                let heard_of = process.machine.status().lanes[lane].cursor;
                let in_flight = process.settings.in_flight.into();
                self.checker.has_room(lane, in_flight);
                self.checker.sending(lane, &batch, probe, (&self.store, heard_of), &mut self.log, self.now);
                self.send(number, lane, batch);
            }
            Command::Measure { lane, after, age, at_least } => {
                assert!(!process.stopping, "nothing is given up after a stop");
                let limit = self.now.saturating_sub(age);
                let old = self.log.lane(lane).iter().rev().find(|event| event.appended <= limit);
                let through = old.map_or(Seq::ZERO, |event| event.seq).max(at_least);
                let events = self.log.between(lane, after, through).len() as u64;
                let input = Input::Measured { lane, through, events };
                // Sometimes so long that other things happen meanwhile.
                let within = self.random.one_of(&[Duration::from_millis(20), Duration::from_hours(10)]);
                self.soon(within, Happening::Input { number, input });
            }
        }
    }

    /// Reads now or when the answer is due: events come in between.
    fn read(&mut self, number: u64, wanted: Wanted) {
        let Some(process) = &self.process else { return };
        let content_revision = process.settings.content_revision;
        if self.random.percent(50) {
            let input = self.found(wanted, content_revision);
            self.soon(
                Duration::from_millis(20),
                Happening::Batch { number, wanted, content_revision, input },
            );
        } else {
            self.soon(Duration::from_millis(20), Happening::Read { number, wanted });
        }
    }

    fn found(&mut self, wanted: Wanted, content_revision: u64) -> Input {
        let Wanted { lane, after, max_events, max_bytes } = wanted;
        let page = self.random.one_of(&[20, 300, 1_000_000]);
        let found = self.log.read(lane, after, max_events, max_bytes, page, content_revision);
        self.minted += 1;
        Input::Batch {
            lane,
            cut: found.cut,
            scanned_to: found.scanned_to,
            // Sometimes what was searched held events that are not wanted: nothing but a save now and then comes of it.
            skipped: self.random.percent(25),
            unreadable: None,
            more: found.more,
            webhook_id: WebhookId(format!("msg_{}", self.minted).into()),
        }
    }

    /// A read's time has come.
    pub(crate) fn read_now(&mut self, wanted: Wanted) {
        let Some(process) = &self.process else { return };
        let content_revision = process.settings.content_revision;
        let input = self.found(wanted, content_revision);
        self.feed(input);
    }

    /// A batch that was cut under other content settings than the machine knows now: a shell may read again by itself, or
    /// leave it to the machine.
    pub(crate) fn batch_landed(&mut self, number: u64, wanted: Wanted, content_revision: u64, input: Input) {
        let Some(process) = &self.process else { return };
        if process.settings.content_revision == content_revision || self.random.percent(50) {
            self.feed(input);
        } else {
            self.read(number, wanted);
        }
    }

    fn send(&mut self, number: u64, lane: Lane, batch: OpenBatch) {
        let Some(process) = &self.process else { return };
        let content_revision = process.settings.content_revision;
        let odd = self.faults && self.random.within(0..300) == 0;
        if self.faults && self.random.within(0..300) == 0 {
            // As if it had been disabled for a moment while the batch waited for its turn.
            let input = Input::NotSent { lane, webhook_id: batch.webhook_id };
            return self.soon(Duration::from_millis(20), Happening::Input { number, input });
        }
        let (log, random, endpoint) = (&mut self.log, &mut self.random, &self.endpoint);
        let events = log
            .of_batch(lane, &batch)
            .filter(|events| !odd && crate::model::body_hash(events, content_revision) == batch.body_sha256);
        let Some(events) = events else {
            self.checker.tally.saw(Seen::Unreproducible);
            self.soon(
                Duration::from_millis(20),
                Happening::Input {
                    number,
                    input: Input::Unreproducible { lane, webhook_id: batch.webhook_id },
                },
            );
            return;
        };
        let fate = endpoint.answer(random, &batch, events);
        let at = self.now + fate.took;
        let received_if_abandoned = self.random.percent(50);
        self.later(
            at,
            Happening::Answer { number, lane, batch, fate, sent: self.now, received_if_abandoned },
        );
    }

    /// A request has come to its end, at the endpoint and, if it still lives, in the process that sent it.
    pub(crate) fn answer_landed(
        &mut self,
        number: u64,
        lane: Lane,
        batch: &OpenBatch,
        fate: Fate,
        sent: Duration,
        received_if_abandoned: bool,
    ) {
        let alive = self.process.as_ref().is_some_and(|process| process.number == number);
        if fate.received && (alive || received_if_abandoned) {
            self.checker.received(lane, batch, &mut self.log);
        }
        if !alive {
            return;
        }
        self.checker.answered(lane, batch, fate.reply, &mut self.log, self.now);
        let error = match fate.reply {
            Reply::Complete { status: 200..=299, .. } => None,
            _ if self.random.percent(10) => None,
            reply => Some(format!("{reply:?}")),
        };
        let started_ms = self.wall_ms().saturating_sub(self.now.saturating_sub(sent).as_millis() as u64);
        let took = fate.took;
        let reply = fate.reply;
        let webhook_id = batch.webhook_id.clone();
        self.feed(Input::Outcome { lane, webhook_id, reply, started_ms, took, address: None, error });
    }
}
