//! The machine: inputs in, commands out.
//!
//! - [`messages`]: what goes in and what comes out.
//! - [`lane`]: one lane's courier and its phase.
//! - [`endpoint`]: schedule, streak, health: what the lanes share.
//! - [`pace`]: at most so many requests a minute.
//! - [`outcome`]: what follows from an answer.
//! - [`giving_up`]: how unsettled events become a dead range.
//! - [`edit`]: what follows from changed settings and moved cursors.
//! - [`status`]: how it is doing, for people.
//!
//! Each input is applied to the state; then whatever may begin begins (`pump`), and what has not been saved yet is saved,
//! unless it is one step with something to come: a settlement with the opening of the next batch, which is being read.

mod edit;
mod endpoint;
mod giving_up;
mod lane;
mod messages;
mod outcome;
mod pace;
mod status;
#[cfg(test)]
mod tests;

use crate::batch::Cut;
use crate::schedule::Jitter;
use crate::{Attempt, DisableReason, LostRange, OpenBatch, Progress, Saved};
use endpoint::Endpoint;
use giving_up::Ending;
use hitwire_event::{IntegrationId, Lane, Seq, WebhookId};
use lane::{Courier, Fate, Flight, Phase};
use pace::Pace;
use std::time::Duration;

pub use messages::{Command, Input, Reply, Settings};
pub use status::{LaneStatus, Status};

/// Serves one integration. See the crate's first page.
#[derive(Debug)]
pub struct Machine {
    integration: IntegrationId,
    settings: Settings,
    endpoint: Endpoint,
    pace: Pace,
    /// By [`Lane::index`].
    couriers: [Courier; 2],
    unsaved: Unsaved,
    /// Giving up on the endpoint is under way: nothing begins until it is done.
    ending: Option<Box<Ending>>,
    jitter: Jitter,
    /// The time of the last input.
    now: Duration,
    life: Life,
    /// What the current input led to; empty between inputs.
    commands: Vec<Command>,
}

/// What a read found besides a batch; see [`Input::Batch`].
#[derive(Clone, Copy, Debug)]
struct Searched {
    scanned_to: Seq,
    skipped: bool,
    more: bool,
}

/// From the first input to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// No input yet: what can begin has not begun.
    Built,
    Running,
    /// Nothing new begins.
    Stopping,
}

/// What happened since the last save.
#[derive(Debug, Default)]
struct Unsaved {
    /// By [`Lane::index`].
    lanes: [bool; 2],
    attempts: Vec<Attempt>,
    lost: Vec<LostRange>,
    disable: Option<DisableReason>,
}

impl Unsaved {
    fn is_empty(&self) -> bool {
        self.lanes == [false; 2] && self.attempts.is_empty() && self.lost.is_empty() && self.disable.is_none()
    }
}

impl Machine {
    /// A machine that goes on from what was saved. An open batch is sent again as it was, after what is left of its wait;
    /// if the content settings have changed since, it is superseded. `now` is the shell's monotonic clock, `seed` decides
    /// how waits are spread.
    pub fn new(
        integration: IntegrationId,
        settings: Settings,
        saved: Saved,
        now: Duration,
        seed: u64,
    ) -> Self {
        let mut endpoint = Endpoint::restored(&saved.endpoint, settings.retry, now);
        let outdated = |open: &OpenBatch| open.content_revision != settings.content_revision;
        if saved.lanes.iter().filter_map(|lane| lane.open.as_ref()).any(outdated) {
            endpoint.begin_schedule_anew();
            endpoint.try_now(now);
        }
        let pace = Pace::resumed(saved.lanes.iter().any(|lane| lane.open.is_some()), now);
        let couriers = saved.lanes.map(|lane| Courier::restored(lane, &settings, now));
        Machine {
            integration,
            settings,
            endpoint,
            pace,
            couriers,
            unsaved: Unsaved::default(),
            ending: None,
            jitter: Jitter::new(seed),
            now,
            life: Life::Built,
            commands: Vec::new(),
        }
    }

    /// Takes one input at the monotonic time `now`. The commands are to be carried out in order.
    pub fn on(&mut self, now: Duration, input: Input) -> Vec<Command> {
        debug_assert!(now >= self.now, "the shell's clock went back from {:?} to {now:?}", self.now);
        self.now = self.now.max(now);
        let first = self.life == Life::Built;
        if first {
            self.life = Life::Running;
        }
        match input {
            // A shell says the settings at its start: no edit.
            Input::Configured(settings) if first && settings == self.settings => {}
            Input::Advanced { lane } => self.couriers[lane.index()].wants = true,
            Input::Batch { lane, cut, scanned_to, skipped, more, webhook_id } => {
                self.batch(lane, cut, Searched { scanned_to, skipped, more }, webhook_id);
            }
            Input::Unreproducible { lane } => self.unreproducible(lane),
            Input::Outcome { lane, reply, started_ms, took, address, error } => {
                self.outcome(lane, outcome::Answer { reply, started_ms, took, address, error });
            }
            Input::Measured { lane, through, events } => self.measured(lane, through, events),
            Input::Configured(settings) => self.configured(settings),
            Input::Moved { lane, cursor } => self.moved(lane, cursor),
            Input::Due => {}
            Input::Stop => self.stop(),
        }
        self.go_on_ending();
        self.take_note_of_what_was_passed();
        self.pump();
        if !self.is_one_step_with_something_to_come() {
            self.save();
        }
        self.assert_what_always_holds();
        std::mem::take(&mut self.commands)
    }

    /// When it wants [`Input::Due`], if at all.
    pub fn wake_at(&self) -> Option<Duration> {
        if !self.may_begin_anything() {
            return None;
        }
        // What could have begun at the last input has begun, or waits for something that will come as an input.
        let begun = self.life != Life::Built;
        Lane::ALL
            .into_iter()
            .filter_map(|lane| self.next_attempt(lane))
            .filter(|&at| !begun || at > self.now)
            .chain(Lane::ALL.into_iter().filter_map(|lane| self.to_be_put_on_record(lane)))
            .min()
    }

    /// When it is to be put on record how far a lane has come; not if that will happen with what is under way.
    fn to_be_put_on_record(&self, lane: Lane) -> Option<Duration> {
        let passed = self.couriers[lane.index()].passed?;
        (!self.unsaved.lanes[lane.index()]).then(|| passed.due())
    }

    /// Nothing in flight and nothing asked: the shell may keep it as data until an input comes.
    pub fn is_parked(&self) -> bool {
        self.couriers.iter().all(|courier| matches!(courier.phase, Phase::Idle | Phase::Open(_)))
    }

    /// Begins whatever may begin, the urgent lane first.
    fn pump(&mut self) {
        for lane in Lane::ALL {
            if !self.may_begin(lane) {
                continue;
            }
            let courier = &mut self.couriers[lane.index()];
            match &mut courier.phase {
                Phase::Open(_) => self.send(lane),
                Phase::Idle if courier.wants => {
                    courier.wants = false;
                    courier.phase = Phase::Reading { outdated: false };
                    courier.asked = courier.sizer.ask(self.settings.limits, self.endpoint.body_bytes_max());
                    self.commands.push(Command::Read {
                        lane,
                        after: courier.cursor,
                        max_events: courier.asked.max_events,
                        max_bytes: courier.asked.max_bytes,
                    });
                }
                Phase::Idle | Phase::Reading { .. } | Phase::Sending(_) | Phase::Measuring(_) => {}
            }
        }
    }

    fn may_begin_anything(&self) -> bool {
        self.settings.enabled && self.life != Life::Stopping && self.ending.is_none()
    }

    /// Whether a lane may read or send now.
    fn may_begin(&self, lane: Lane) -> bool {
        self.may_begin_anything()
            && self.couriers[lane.index()].waits_until() <= self.now
            && self.pace_allows(lane)
            && match self.endpoint.sick_until() {
                None => true,
                Some(until) => until <= self.now && self.may_probe(lane),
            }
    }

    /// One lane alone finds out whether a sick endpoint is well again: the urgent one, if it has something to send.
    fn may_probe(&self, lane: Lane) -> bool {
        !self.couriers[other(lane).index()].is_sending() && !self.urgent_goes_first(lane)
    }

    /// Whether the endpoint's pace lets this lane read or send now. What the urgent lane has goes first: the bulk lane does
    /// not read for a request whose turn the urgent one will take.
    fn pace_allows(&self, lane: Lane) -> bool {
        let Some(rate) = self.settings.rate else { return true };
        let urgent = &self.couriers[Lane::Urgent.index()];
        self.pace.next(Some(rate)) <= self.now && (urgent.is_sending() || !self.urgent_goes_first(lane))
    }

    fn urgent_goes_first(&self, lane: Lane) -> bool {
        let urgent = &self.couriers[Lane::Urgent.index()];
        lane == Lane::Bulk && urgent.has_work() && urgent.waits_until() <= self.now
    }

    /// When a lane with something to do may go on, as far as waits decide.
    fn next_attempt(&self, lane: Lane) -> Option<Duration> {
        let courier = &self.couriers[lane.index()];
        let waiting = matches!(courier.phase, Phase::Open(_)) || (courier.is_idle() && courier.wants);
        let endpoint = self.endpoint.sick_until().unwrap_or_default().max(self.pace.next(self.settings.rate));
        waiting.then(|| courier.waits_until().max(endpoint))
    }

    /// The answer to a read.
    fn batch(&mut self, lane: Lane, cut: Option<Cut>, searched: Searched, webhook_id: WebhookId) {
        let Searched { scanned_to, skipped, more } = searched;
        let courier = &mut self.couriers[lane.index()];
        let Phase::Reading { outdated } = courier.phase else { return };
        courier.phase = Phase::Idle;
        match cut {
            // Read under other settings, or from where the cursor no longer stands: read again.
            Some(cut) if outdated || cut.first <= courier.cursor => courier.wants = true,
            None if outdated => courier.wants = true,
            // An empty answer that searched nothing and promises more would be asked for again and again.
            None => {
                courier.wants |= more && scanned_to > courier.cursor;
                courier.pass(scanned_to, skipped, self.now);
            }
            Some(cut) => {
                if self.may_begin(lane) {
                    return self.open(lane, cut, more, webhook_id);
                }
                // Cut anew when it can be sent: by then it may be a fuller one.
                self.couriers[lane.index()].wants = true;
            }
        }
        self.save();
    }

    /// Opens a batch, in one step with the settlement of the one before, and sends it.
    fn open(&mut self, lane: Lane, cut: Cut, more: bool, webhook_id: WebhookId) {
        let courier = &mut self.couriers[lane.index()];
        let filled = courier.asked.is_filled_by(cut.events, cut.body_bytes);
        courier.wants |= more;
        courier.growth = lane::Growth { behind: more, filled };
        courier.phase = Phase::Open(OpenBatch {
            first: cut.first,
            last: cut.last,
            through: cut.through.max(cut.last),
            events: cut.events,
            webhook_id,
            content_revision: self.settings.content_revision,
            body_bytes: cut.body_bytes,
            body_sha256: cut.body_sha256,
            tries: 0,
        });
        self.unsaved.lanes[lane.index()] = true;
        self.save();
        self.send(lane);
    }

    /// Sends the open batch, which is on record.
    fn send(&mut self, lane: Lane) {
        let probe = self.endpoint.failures_in_a_row() > 0;
        let turn = self.endpoint.turn();
        let courier = &mut self.couriers[lane.index()];
        if let Some(batch) = courier.take_open() {
            self.pace.begun(self.now);
            self.commands.push(Command::Send { lane, batch: batch.clone(), probe });
            courier.phase = Phase::Sending(Flight { batch, turn, fate: Fate::Wanted });
        }
    }

    fn unreproducible(&mut self, lane: Lane) {
        let courier = &mut self.couriers[lane.index()];
        if courier.land().is_some() {
            courier.drop_open();
            self.unsaved.lanes[lane.index()] = true;
            self.save();
        }
    }

    fn stop(&mut self) {
        self.life = Life::Stopping;
        self.cancel_giving_up();
    }

    /// Events that nobody wants are settled without a batch. That is put on record now and then: for each of them would be
    /// too often, and never would make them look undelivered. Before anything ends or rests for long, it is put on record.
    fn take_note_of_what_was_passed(&mut self) {
        let rests = !self.may_begin_anything();
        for (unsaved, courier) in self.unsaved.lanes.iter_mut().zip(&self.couriers) {
            *unsaved |= courier.has_passed_enough(self.now) || (rests && courier.passed.is_some());
        }
    }

    /// A settlement waits for the batch that is being read.
    fn is_one_step_with_something_to_come(&self) -> bool {
        let settles =
            |lane: Lane| self.unsaved.lanes[lane.index()] && self.couriers[lane.index()].is_reading();
        self.life != Life::Stopping && Lane::ALL.into_iter().any(settles)
    }

    /// Saves what has happened since the last save, if anything.
    fn save(&mut self) {
        if self.unsaved.is_empty() {
            return;
        }
        let Unsaved { lanes, attempts, lost, disable } = std::mem::take(&mut self.unsaved);
        let lanes = Lane::ALL
            .into_iter()
            .filter(|lane| lanes[lane.index()])
            .map(|lane| {
                let courier = &mut self.couriers[lane.index()];
                courier.passed = None;
                (lane, courier.state())
            })
            .collect();
        self.commands.push(Command::Save(Progress {
            integration: self.integration,
            endpoint: self.endpoint.state(self.now),
            lanes,
            attempts,
            lost,
            disable,
        }));
    }

    fn assert_what_always_holds(&self) {
        debug_assert!(
            self.unsaved.is_empty() || self.is_one_step_with_something_to_come(),
            "unsaved, and nothing will save it: {:?}",
            self.unsaved
        );
        debug_assert!(
            self.couriers.iter().all(|courier| courier.refusal.is_none() || courier.has_batch()),
            "a refusal is about a batch: {:?}",
            self.couriers
        );
    }
}

/// The other lane.
fn other(lane: Lane) -> Lane {
    match lane {
        Lane::Urgent => Lane::Bulk,
        Lane::Bulk => Lane::Urgent,
    }
}
