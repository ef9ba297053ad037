//! The machine: inputs in, commands out.
//!
//! - [`messages`]: what goes in and what comes out.
//! - [`lane`]: one lane's courier and its open batches.
//! - [`endpoint`]: schedule, streak, health: what the lanes share.
//! - [`pace`]: at most so many requests a minute.
//! - [`outcome`]: what follows from an answer.
//! - [`giving_up`]: how unsettled events become a dead range.
//! - [`edit`]: what follows from changed settings.
//! - [`reload`]: what follows when somebody else has changed what is on record.
//! - [`turns`]: who may begin something, and when.
//! - [`replay`]: lanes that end.
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
mod reload;
mod replay;
mod status;
#[cfg(test)]
mod tests;
mod turns;

use crate::batch::Cut;
use crate::schedule::{Jitter, WallClock};
use crate::{Attempt, ByLane, DisableReason, LostRange, OpenBatch, Progress, Saved};
use endpoint::Endpoint;
use giving_up::Ending;
use hitwire_event::{IntegrationId, Lane, Seq, WebhookId};
use lane::{Courier, Flight, Growth, Reading, Slot};
use pace::Pace;
use reload::Hearings;
use replay::{Replay, ReplayTurns};
use std::time::Duration;

pub use messages::{Command, Input, Reply, Settings};
pub use reload::Reloaded;
pub use status::{LaneStatus, Status};

/// Serves one integration. See the crate's first page.
#[derive(Debug)]
pub struct Machine {
    integration: IntegrationId,
    settings: Settings,
    endpoint: Endpoint,
    pace: Pace,
    couriers: ByLane<Courier>,
    /// Whose turn it is among the replays, and when they have one.
    replays: ReplayTurns,
    unsaved: Unsaved,
    /// Outcomes that may not be on record yet.
    hearings: Hearings,
    /// Giving up on the endpoint is under way: nothing begins until it is done.
    ending: Option<Box<Ending>>,
    jitter: Jitter,
    /// The time of the last input.
    now: Duration,
    /// For the waits that are saved, and nothing else.
    wall: WallClock,
    life: Life,
    /// What the current input led to; empty between inputs.
    commands: Vec<Command>,
}

/// What a read found besides a batch; see [`Input::Batch`].
#[derive(Debug)]
struct Searched {
    scanned_to: Seq,
    skipped: bool,
    more: bool,
    unreadable: Option<LostRange>,
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

/// What happened since the last save, beside the lanes that have changed.
#[derive(Debug, Default)]
struct Unsaved {
    attempts: Vec<Attempt>,
    lost: Vec<LostRange>,
    disable: Option<DisableReason>,
    /// Something of the endpoint that must not wait for the next step.
    endpoint: bool,
}

impl Unsaved {
    fn is_empty(&self) -> bool {
        self.attempts.is_empty() && self.lost.is_empty() && self.disable.is_none() && !self.endpoint
    }
}

impl Machine {
    /// A machine that goes on from what was saved. Open batches are sent again as they were, after what is left of their
    /// waits; if the content settings have changed since, they are superseded. `wall` is the wall clock at this moment of the
    /// shell's monotonic one, `seed` decides how waits are spread.
    pub fn new(
        integration: IntegrationId,
        settings: Settings,
        saved: Saved,
        wall: WallClock,
        seed: u64,
    ) -> Self {
        let (now, mut jitter) = (wall.at, Jitter::new(seed));
        let mut endpoint = Endpoint::restored(&saved.endpoint, settings.retry, wall, &mut jitter);
        let open = || saved.lanes.values().flat_map(|lane| &lane.open);
        let pace = Pace::resumed(open().next().is_some(), now);
        if open().any(|open| open.batch.content_revision != settings.content_revision) {
            endpoint.begin_schedule_anew();
            endpoint.try_now(now);
        }
        let mut terms = saved.replays;
        let couriers = saved.lanes.map(|lane, state| {
            let replay = terms.remove(lane).map(Replay::new);
            Courier::restored(state, replay, &settings, wall, &mut jitter)
        });
        Machine {
            integration,
            settings,
            endpoint,
            pace,
            couriers,
            replays: ReplayTurns::default(),
            unsaved: Unsaved::default(),
            hearings: Hearings::default(),
            ending: None,
            jitter,
            now,
            wall,
            life: Life::Built,
            commands: Vec::new(),
        }
    }

    /// What the wall clock says: the waits that are saved from now on are kept by it, so that the next process knows what is
    /// left of them. Nothing else depends on it.
    pub fn set_wall_clock(&mut self, wall: WallClock) {
        self.wall = wall;
    }

    /// Takes one input at the monotonic time `now`. The commands are to be carried out in order.
    pub fn on(&mut self, now: Duration, input: Input) -> Vec<Command> {
        debug_assert!(now >= self.now, "the shell's clock went back from {:?} to {now:?}", self.now);
        self.now = self.now.max(now);
        if self.life == Life::Built {
            self.life = Life::Running;
        }
        if !matches!(input, Input::Reloaded(_)) {
            self.hearings.saved_but(&self.unsaved.attempts);
        }
        // A replay that was called off may have left something under way, of which nothing is wanted any more.
        match input {
            Input::Advanced { lane }
            | Input::Batch { lane, .. }
            | Input::Unreproducible { lane, .. }
            | Input::NotSent { lane, .. }
            | Input::Outcome { lane, .. }
            | Input::Measured { lane, .. }
            | Input::NoneUpTo { lane, .. }
                if !self.couriers.has(lane) => {}
            Input::Reloaded(reloaded) => self.reloaded(*reloaded),
            Input::Advanced { lane } => self.couriers[lane].wants = true,
            Input::Batch { lane, cut, scanned_to, skipped, more, unreadable, webhook_id } => {
                self.batch(lane, cut, Searched { scanned_to, skipped, more, unreadable }, webhook_id);
            }
            Input::Unreproducible { lane, webhook_id } => self.unreproducible(lane, &webhook_id),
            Input::NotSent { lane, webhook_id } => self.not_sent(lane, &webhook_id),
            Input::Outcome { lane, webhook_id, reply, started_ms, took, address, error } => {
                self.outcome(lane, &webhook_id, outcome::Answer { reply, started_ms, took, address, error });
            }
            Input::Measured { lane, through, events } => self.measured(lane, through, events),
            Input::Configured(settings) => self.configured(settings),
            Input::NoneUpTo { lane, seq } => self.couriers[lane].has_none_up_to(seq),
            Input::TestDelivered => self.test_delivered(),
            Input::RetryNow => self.try_now(),
            Input::Due => {}
            Input::Stop => self.stop(),
        }
        self.go_on_ending();
        self.take_note_of_what_was_passed();
        self.pump();
        if !self.is_one_step_with_something_to_come() {
            self.save();
        }
        self.drop_ended_replays();
        self.assert_what_always_holds();
        std::mem::take(&mut self.commands)
    }

    /// The commands of the last input are carried out; saving may have taken its time before a request could begin.
    pub fn carried_out(&mut self, now: Duration) {
        self.pace.carried_out(now);
    }

    /// When it wants [`Input::Due`], if at all.
    pub fn wake_at(&self) -> Option<Duration> {
        if !self.may_begin_anything() {
            return None;
        }
        // What could have begun at the last input has begun, or waits for something that will come as an input.
        let begun = self.life != Life::Built;
        self.couriers
            .lanes()
            .flat_map(|lane| self.attempts(lane))
            .filter(|&at| !begun || at > self.now)
            .chain(self.couriers.values().filter_map(Courier::to_be_put_on_record))
            .min()
    }

    /// Nothing in flight and nothing asked: the shell may keep it as data until an input comes.
    pub fn is_parked(&self) -> bool {
        self.couriers.values().all(Courier::rests)
    }

    /// Begins whatever may begin, the urgent lane first, replays last.
    fn pump(&mut self) {
        for lane in Lane::LIVE {
            while self.may_begin(lane) && self.begin(lane) {}
        }
        while let Some(lane) = self.next_replay() {
            self.begin(lane);
        }
    }

    /// Begins the next thing in a lane: what is on record already goes before what is still to be read. False: there is
    /// nothing.
    fn begin(&mut self, lane: Lane) -> bool {
        let in_flight = self.in_flight(lane);
        let courier = &mut self.couriers[lane];
        let due = courier.waiting().find(|(_, until)| *until <= self.now);
        if let Some((at, _)) = due.filter(|_| courier.may_send(in_flight)) {
            if courier.open[at].suspicions >= self.endpoint.suspicions_most() {
                self.try_a_smaller_one(lane, at);
            } else {
                self.send(lane, at);
            }
            return true;
        }
        if !courier.may_read(in_flight) {
            return false;
        }
        self.replays.reads(lane);
        courier.wants = false;
        courier.reading = Some(Reading { outdated: false });
        courier.asked =
            courier.sizer.ask(courier.limits(self.settings.limits), self.endpoint.body_bytes_max());
        self.commands.push(Command::Read {
            lane,
            after: courier.end(),
            max_events: courier.asked.max_events,
            max_bytes: courier.asked.max_bytes,
        });
        true
    }

    /// The answer to a read.
    fn batch(&mut self, lane: Lane, cut: Option<Cut>, searched: Searched, webhook_id: WebhookId) {
        let Searched { scanned_to, skipped, more, unreadable } = searched;
        let courier = &mut self.couriers[lane];
        let Some(Reading { outdated }) = courier.reading.take() else { return };
        self.replays.has_read(lane);
        match cut {
            // Read under other settings, or from where the lane no longer stands: read again.
            Some(cut) if outdated || cut.first <= courier.end() => courier.wants = true,
            None if outdated => courier.wants = true,
            // An empty answer that searched nothing and promises more would be asked for again and again.
            None => {
                courier.wants |= more && scanned_to > courier.end();
                courier.carried = None;
                courier.pass(scanned_to, skipped, self.now);
                if unreadable.is_some() {
                    // It is on record as lost before the lane passes it.
                    courier.unsaved = true;
                    self.unsaved.lost.extend(unreadable);
                }
            }
            Some(cut) => {
                if self.may_begin(lane) {
                    return self.open(lane, cut, more, webhook_id);
                }
                // Cut anew when it can be sent: by then it may be a fuller one.
                self.couriers[lane].wants = true;
            }
        }
        self.save();
    }

    /// Opens a batch, in one step with the settlement of the one before, and sends it.
    fn open(&mut self, lane: Lane, cut: Cut, more: bool, webhook_id: WebhookId) {
        let courier = &mut self.couriers[lane];
        let filled = courier.asked.is_filled_by(cut.events, cut.body_bytes);
        courier.wants |= more;
        let batch = OpenBatch {
            first: cut.first,
            last: cut.last,
            through: cut.through.max(cut.last),
            events: cut.events,
            webhook_id,
            content_revision: self.settings.content_revision,
            body_bytes: cut.body_bytes,
            body_sha256: cut.body_sha256,
            tries: 0,
        };
        let growth = Growth { behind: more, filled };
        let at = courier.push(batch, growth);
        self.couriers[lane].unsaved = true;
        self.save();
        self.send(lane, at);
    }

    /// Sends an open batch, which is on record.
    fn send(&mut self, lane: Lane, at: usize) {
        let probe = self.endpoint.is_failing();
        self.replays.sends(lane);
        let courier = &mut self.couriers[lane];
        let slot = &mut courier.open[at];
        if let Some(replay) = &mut courier.replay {
            replay.sends(self.now, slot.batch.events);
        }
        slot.flight = Some(Flight {
            turn: self.endpoint.turn(),
            began: self.now,
            superseded: false,
            under_older_settings: false,
        });
        self.pace.tell(self.now);
        self.commands.push(Command::Send { lane, batch: slot.batch.clone(), probe });
    }

    /// Gives up a batch that failed again and again for a smaller one, which is cut next and takes its place on record.
    fn try_a_smaller_one(&mut self, lane: Lane, at: usize) {
        let courier = &mut self.couriers[lane];
        let slot = &mut courier.open[at];
        self.endpoint.suspect_too_large(slot.batch.body_bytes);
        courier.carried = slot.refusal.take().map(Box::new);
        courier.drop_from(at);
        self.couriers[lane].unsaved = true;
    }

    fn unreproducible(&mut self, lane: Lane, webhook_id: &WebhookId) {
        let courier = &mut self.couriers[lane];
        let Some(landed) = courier.land(webhook_id) else { return };
        courier.wants = true;
        if let Some(at) = landed.slot {
            courier.drop_from(at);
        }
        self.couriers[lane].unsaved = true;
        self.save();
    }

    fn not_sent(&mut self, lane: Lane, webhook_id: &WebhookId) {
        let courier = &mut self.couriers[lane];
        let Some(landed) = courier.land(webhook_id) else { return };
        // What was superseded meanwhile is not sent again as it is.
        if let Some(at) = landed.slot.filter(|_| landed.flight.superseded) {
            courier.wants = true;
            courier.drop_from(at);
            self.couriers[lane].unsaved = true;
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
        for courier in self.couriers.values_mut() {
            courier.unsaved |= courier.has_passed_enough(self.now)
                || (rests && courier.passed.is_some())
                || courier.ends_off_the_record();
        }
    }

    /// A settlement waits for the batch that is being read.
    fn is_one_step_with_something_to_come(&self) -> bool {
        let settles = |courier: &Courier| courier.unsaved && courier.reading.is_some();
        self.life != Life::Stopping && self.couriers.values().any(settles)
    }

    fn has_unsaved(&self) -> bool {
        !self.unsaved.is_empty() || self.couriers.values().any(|courier| courier.unsaved)
    }

    /// Saves what has happened since the last save, if anything.
    fn save(&mut self) {
        if !self.has_unsaved() {
            return;
        }
        let Unsaved { attempts, lost, disable, endpoint: _ } = std::mem::take(&mut self.unsaved);
        let wall = self.wall;
        let changed = self.couriers.iter_mut().filter(|(_, courier)| courier.unsaved);
        let lanes = changed.filter_map(|(lane, courier)| Some((lane, courier.save(wall)?))).collect();
        self.commands.push(Command::Save(Progress {
            integration: self.integration,
            endpoint: self.endpoint.state(self.now, self.wall),
            lanes,
            attempts,
            lost,
            disable,
        }));
    }

    fn assert_what_always_holds(&self) {
        debug_assert!(
            !self.has_unsaved() || self.is_one_step_with_something_to_come(),
            "unsaved, and nothing will save it: {:?}",
            self.unsaved
        );
        for courier in self.couriers.values() {
            let mut end = courier.cursor;
            for Slot { batch, .. } in &courier.open {
                debug_assert!(
                    end < batch.first && batch.first <= batch.last && batch.last <= batch.through,
                    "open batches lie in log order behind the cursor: {courier:?}"
                );
                end = batch.through;
            }
        }
    }
}
