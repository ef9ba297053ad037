//! What the machine does, told as short stories. Commands are written as a reader would say them.

mod editing;
mod giving_up;
mod lanes;
mod pacing;
mod refusing;
mod reloading;
mod replaying;
mod resuming;
mod sending;
mod several;
mod sickness;
mod size;
mod skipping;

use crate::{
    ByLane, Command, Cut, DisableReason, Input, LaneStatus, Limits, Machine, Preset, Progress, Reloaded,
    Reply, Saved, Settings, Unsettled, WallClock,
};
use hitwire_event::Lane::{Bulk, Urgent};
use hitwire_event::{IntegrationId, Kind, Lane, Risk, Seq, WebhookId};
use std::ops::RangeInclusive;
use std::time::Duration;

/// A machine, its shell and its store.
struct Run {
    machine: Machine,
    settings: Settings,
    now: Duration,
    /// What the wall clock said when the process began.
    began_ms: u64,
    minted: u32,
    saved: Saved,
    /// The steps that were saved.
    steps: Vec<Progress>,
    /// What is on its way, in the order in which it was sent.
    sent: ByLane<Vec<WebhookId>>,
    /// What is passed in memory counts up to here.
    known_to: Seq,
    /// The next step is not saved: somebody else was first.
    overtaken: Option<Overtaken>,
    /// No story needs so many inputs: what goes on for ever fails instead.
    inputs_left: u32,
}

/// What somebody else did.
struct Overtaken {
    /// The settings that an edit left, if it was one.
    edited: Option<Settings>,
}

const INPUTS_MOST: u32 = 2_000;

/// What the wall clock says when a story begins.
const BEGAN_MS: u64 = 1_700_000_000_000;

const KINDS: [Kind; 4] = [Kind::Hit, Kind::System, Kind::Scope, Kind::Vulnerability(Risk::High)];

fn settings(retry: Preset) -> Settings {
    Settings {
        retry,
        enabled: true,
        content_revision: 1,
        limits: Limits::default(),
        rate: None,
        in_flight: 1,
        kinds: KINDS.into(),
    }
}

impl Run {
    /// A new integration that has read the empty log.
    fn idle(retry: Preset) -> Run {
        let mut run = Run::started(settings(retry), Saved::default());
        run.nothing(Urgent, 0);
        run.nothing(Bulk, 0);
        assert_eq!((run.lane(Urgent).state, run.lane(Bulk).state), ("caught_up", "caught_up"));
        run
    }

    /// One whose first bulk batch, events 1 to 3, is on its way.
    fn sending(retry: Preset) -> Run {
        let mut run = Run::idle(retry);
        run.advanced(Bulk);
        run.cut(Bulk, 1..=3);
        run
    }

    fn started(settings: Settings, saved: Saved) -> Run {
        let mut run = Run::built(settings, saved, BEGAN_MS, 0);
        run.feed(Input::Due);
        run
    }

    /// Nothing is asked of it yet.
    fn built(settings: Settings, saved: Saved, began_ms: u64, minted: u32) -> Run {
        let (id, wall) = (IntegrationId(7), WallClock { at: Duration::ZERO, ms: began_ms });
        Run {
            machine: Machine::new(id, settings.clone(), saved.clone(), wall, 42 + u64::from(minted)),
            settings,
            now: Duration::ZERO,
            began_ms,
            minted,
            saved,
            steps: Vec::new(),
            sent: ByLane::default(),
            known_to: Seq(u64::MAX),
            overtaken: None,
            inputs_left: INPUTS_MOST,
        }
    }

    /// The process ends without a word; another one starts, on a clock of its own.
    fn restarted(&self) -> Run {
        self.restarted_after(Duration::ZERO)
    }

    /// The same when nothing ran for this long.
    fn restarted_after(&self, stopped: Duration) -> Run {
        let began_ms = self.began_ms + (self.now + stopped).as_millis() as u64;
        Run::built(self.settings.clone(), self.saved.clone(), began_ms, self.minted)
    }

    fn feed(&mut self, input: Input) -> Vec<String> {
        if let Input::Configured(settings) = &input {
            self.settings = settings.clone();
        }
        if let Input::Reloaded(reloaded) = &input
            && let Some(settings) = &reloaded.edited
        {
            self.settings = settings.clone();
        }
        self.inputs_left = self.inputs_left.checked_sub(1).expect("it goes on for ever");
        if let Input::Outcome { lane, webhook_id, .. }
        | Input::Unreproducible { lane, webhook_id }
        | Input::NotSent { lane, webhook_id } = &input
        {
            self.sent_in(*lane).retain(|sent| sent != webhook_id);
        }
        let ms = self.began_ms + self.now.as_millis() as u64;
        self.machine.set_wall_clock(WallClock { at: self.now, ms });
        let mut commands = self.machine.on(self.now, input);
        let overtaken = commands.iter().position(|command| matches!(command, Command::Save(_)));
        let undone = overtaken.filter(|_| self.overtaken.is_some()).map(|at| commands.split_off(at));
        for command in &commands {
            if let Command::Send { lane, batch, .. } = command {
                self.sent_in(*lane).push(batch.webhook_id.clone());
            }
            if let Command::Save(progress) = command {
                self.saved.endpoint = progress.endpoint.clone();
                for (lane, state) in &progress.lanes {
                    self.saved.lanes[*lane] = state.clone();
                    if self.saved.replays.get(*lane).is_some_and(|terms| state.cursor >= terms.last) {
                        self.saved.lanes.remove(*lane);
                        self.saved.replays.remove(*lane);
                    }
                }
                self.settings.enabled &= progress.disable.is_none();
                self.steps.push(progress.clone());
            }
        }
        let mut said: Vec<String> = commands.iter().map(said).collect();
        if let (Some(undone), Some(Overtaken { edited })) =
            (undone, self.overtaken.take_if(|_| overtaken.is_some()))
        {
            said.push("reload".to_owned());
            said.extend(self.reloaded(edited, undone));
        }
        said
    }

    fn sent_in(&mut self, lane: Lane) -> &mut Vec<WebhookId> {
        if !self.sent.has(lane) {
            self.sent.insert(lane, Vec::new());
        }
        &mut self.sent[lane]
    }

    fn advanced(&mut self, lane: Lane) -> Vec<String> {
        self.feed(Input::Advanced { lane })
    }

    fn batch(&mut self, lane: Lane, events: RangeInclusive<u64>, more: bool) -> Vec<String> {
        self.minted += 1;
        let cut = Cut {
            first: Seq(*events.start()),
            last: Seq(*events.end()),
            through: Seq(*events.end()),
            events: (events.end() - events.start() + 1) as u32,
            body_bytes: 100 * (events.end() - events.start() + 1),
            body_sha256: [0; 32],
        };
        self.feed(Input::Batch {
            lane,
            scanned_to: cut.through,
            cut: Some(cut),
            skipped: false,
            unreadable: None,
            more,
            webhook_id: WebhookId(format!("msg_{}", self.minted).into()),
        })
    }

    /// The last events that there are.
    fn cut(&mut self, lane: Lane, events: RangeInclusive<u64>) -> Vec<String> {
        self.batch(lane, events, false)
    }

    /// There are more after these.
    fn cut_with_more(&mut self, lane: Lane, events: RangeInclusive<u64>) -> Vec<String> {
        self.batch(lane, events, true)
    }

    fn nothing(&mut self, lane: Lane, scanned_to: u64) -> Vec<String> {
        self.searched(lane, scanned_to, false, false)
    }

    /// There were events, but none that is wanted.
    fn skipped(&mut self, lane: Lane, scanned_to: u64, more: bool) -> Vec<String> {
        self.searched(lane, scanned_to, true, more)
    }

    fn searched(&mut self, lane: Lane, scanned_to: u64, skipped: bool, more: bool) -> Vec<String> {
        let (webhook_id, scanned_to) = (WebhookId("msg_unused".into()), Seq(scanned_to));
        self.feed(Input::Batch { lane, cut: None, scanned_to, skipped, more, unreadable: None, webhook_id })
    }

    fn outcome(&mut self, lane: Lane, reply: Reply) -> Vec<String> {
        let took = Duration::from_millis(20);
        let error = match reply {
            Reply::Incomplete => Some("connection refused".to_owned()),
            Reply::BrokenOff => Some("connection reset".to_owned()),
            Reply::Complete { .. } => None,
        };
        let webhook_id = self.under_way(lane);
        let started_ms = 1_700_000_000_000;
        self.feed(Input::Outcome { lane, webhook_id, reply, started_ms, took, address: None, error })
    }

    /// The batch under way, the first one if there are several.
    fn under_way(&self, lane: Lane) -> WebhookId {
        self.sent
            .get(lane)
            .and_then(|sent| sent.first())
            .cloned()
            .unwrap_or_else(|| WebhookId("msg_unheard_of".into()))
    }

    fn unreproducible(&mut self, lane: Lane) -> Vec<String> {
        let webhook_id = self.under_way(lane);
        self.feed(Input::Unreproducible { lane, webhook_id })
    }

    fn not_sent(&mut self, lane: Lane) -> Vec<String> {
        let webhook_id = self.under_way(lane);
        self.feed(Input::NotSent { lane, webhook_id })
    }

    fn status(&mut self, lane: Lane, status: u16) -> Vec<String> {
        self.outcome(lane, Reply::Complete { status, retry_after: None })
    }

    fn no_answer(&mut self, lane: Lane) -> Vec<String> {
        self.outcome(lane, Reply::Incomplete)
    }

    /// The outcome of a request that took this long.
    fn ok_after(&mut self, lane: Lane, took: Duration) -> Vec<String> {
        let reply = Reply::Complete { status: 200, retry_after: None };
        let webhook_id = self.under_way(lane);
        self.feed(Input::Outcome { lane, webhook_id, reply, started_ms: 0, took, address: None, error: None })
    }

    fn measured(&mut self, lane: Lane, through: u64, events: u64) -> Vec<String> {
        self.feed(Input::Measured { lane, through: Seq(through), events })
    }

    /// Retention moves a cursor, and the shell hears of it.
    fn moved(&mut self, lane: Lane, cursor: u64) -> Vec<String> {
        self.saved.lanes[lane].pass(Seq(cursor));
        self.reloaded(None, Vec::new())
    }

    fn reloaded(&mut self, edited: Option<Settings>, undone: Vec<Command>) -> Vec<String> {
        let (saved, known_to) = (self.saved.clone(), self.known_to);
        self.feed(Input::Reloaded(Box::new(Reloaded { saved, edited, undone, known_to })))
    }

    /// Somebody else changes what is on record: the next step is not saved, and the record is loaded again.
    fn overtaken(&mut self, change: impl FnOnce(&mut Saved)) {
        change(&mut self.saved);
        self.overtaken = Some(Overtaken { edited: None });
    }

    /// A user edits the integration: the next step is not saved, and record and settings are loaded again.
    fn overtaken_by_an_edit(&mut self, edit: impl FnOnce(&mut Settings)) {
        let mut settings = self.settings.clone();
        edit(&mut settings);
        self.overtaken = Some(Overtaken { edited: Some(settings) });
    }

    fn edit(&mut self, edit: impl FnOnce(&mut Settings)) -> Vec<String> {
        let mut settings = self.settings.clone();
        edit(&mut settings);
        self.feed(Input::Configured(settings))
    }

    /// Lets time pass up to the next wake-up. Returns how long that was and what it led to.
    fn wake(&mut self) -> (Duration, Vec<String>) {
        let at = self.machine.wake_at().expect("it wants to be woken");
        let waited = at.saturating_sub(self.now);
        self.now = at;
        (waited, self.feed(Input::Due))
    }

    /// Waits as long as the schedule says, with its jitter.
    #[track_caller]
    fn wake_after(&mut self, wait: Duration) -> Vec<String> {
        let (waited, commands) = self.wake();
        assert!(waited >= wait && waited <= wait + wait / 10, "waited {waited:?} instead of {wait:?}");
        commands
    }

    /// Waits for the bulk lane's next attempt, unless it is on its way already.
    fn retry(&mut self) {
        while self.lane(Bulk).state != "sending" {
            self.wake();
            if self.machine.couriers[Urgent].reading.is_some() {
                self.nothing(Urgent, 0);
            }
        }
    }

    /// Fails each attempt of the bulk lane until it does not try again. Returns the commands of the last failure and the
    /// number of failures.
    fn fail_until_the_end(&mut self, fail: fn(&mut Run) -> Vec<String>) -> (Vec<String>, u32) {
        for failures in 1..200 {
            let commands = fail(self);
            if commands.iter().any(|command| command.starts_with("measure")) {
                return (commands, failures);
            }
            self.retry();
        }
        panic!("it goes on for ever");
    }

    fn lane(&self, lane: Lane) -> LaneStatus {
        self.machine.status().lanes[lane].clone()
    }

    fn last_step(&self) -> &Progress {
        self.steps.last().expect("something was saved")
    }
}

/// A command in words.
fn said(command: &Command) -> String {
    match command {
        Command::Save(progress) => said_of_save(progress),
        Command::Read { lane, after, .. } => format!("read {lane} after {after}"),
        Command::Send { lane, batch, probe } => {
            let how = if *probe { "probe" } else { "send" };
            format!("{how} {lane} {}-{} {}", batch.first, batch.last, batch.webhook_id)
        }
        Command::Measure { lane, after, age, at_least } => {
            format!("measure {lane} after {after}, older than {} s, at least {at_least}", age.as_secs())
        }
    }
}

fn said_of_save(progress: &Progress) -> String {
    let open = |open: &Unsettled| {
        let Unsettled { batch, settled_behind, .. } = open;
        let behind = match settled_behind {
            0 => String::new(),
            events => format!(" and {events} settled to {}", batch.through),
        };
        format!(" open {}-{} {} tried {}{behind}", batch.first, batch.last, batch.webhook_id, batch.tries)
    };
    let lanes = progress.lanes.iter().map(|(lane, state)| {
        format!(" {lane}@{}{}", state.cursor, state.open.iter().map(open).collect::<String>())
    });
    let attempts =
        progress.attempts.iter().map(|attempt| format!(" | {:?} {}", attempt.verdict, attempt.number));
    let lost = progress
        .lost
        .iter()
        .map(|lost| format!(" | lost {} {}-{} ({})", lost.lane, lost.first, lost.last, lost.events));
    let disable = progress.disable.iter().map(|reason| format!(" | disable {reason:?}"));
    std::iter::once("save".to_owned()).chain(lanes).chain(attempts).chain(lost).chain(disable).collect()
}
