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
mod status;
#[cfg(test)]
mod tests;
mod turns;

use crate::batch::Cut;
use crate::schedule::{Jitter, WallClock};
use crate::{Attempt, DisableReason, LostRange, OpenBatch, Progress, Saved};
use endpoint::Endpoint;
use giving_up::Ending;
use hitwire_event::{IntegrationId, Lane, Seq, WebhookId};
use lane::{Courier, Flight, Growth, Reading, Slot};
use pace::Pace;
use reload::Hearings;
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
    /// By [`Lane::index`].
    couriers: [Courier; 2],
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

/// What happened since the last save.
#[derive(Debug, Default)]
struct Unsaved {
    /// By [`Lane::index`].
    lanes: [bool; 2],
    attempts: Vec<Attempt>,
    lost: Vec<LostRange>,
    disable: Option<DisableReason>,
    /// Something of the endpoint that must not wait for the next step.
    endpoint: bool,
}

impl Unsaved {
    fn is_empty(&self) -> bool {
        self.lanes == [false; 2]
            && self.attempts.is_empty()
            && self.lost.is_empty()
            && self.disable.is_none()
            && !self.endpoint
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
        let mut open = saved.lanes.iter().flat_map(|lane| &lane.open);
        let pace = Pace::resumed(open.clone().next().is_some(), now);
        if open.any(|open| open.batch.content_revision != settings.content_revision) {
            endpoint.begin_schedule_anew();
            endpoint.try_now(now);
        }
        let couriers = saved.lanes.map(|lane| Courier::restored(lane, &settings, wall, &mut jitter));
        Machine {
            integration,
            settings,
            endpoint,
            pace,
            couriers,
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
        match input {
            Input::Reloaded(reloaded) => self.reloaded(*reloaded),
            Input::Advanced { lane } => self.couriers[lane.index()].wants = true,
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
            Input::NoneUpTo { lane, seq } => self.couriers[lane.index()].has_none_up_to(seq),
            Input::TestDelivered => self.test_delivered(),
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
        Lane::ALL
            .into_iter()
            .flat_map(|lane| self.attempts(lane))
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
        self.couriers.iter().all(Courier::rests)
    }

    /// Begins whatever may begin, the urgent lane first.
    fn pump(&mut self) {
        for lane in Lane::ALL {
            while self.may_begin(lane) && self.begin(lane) {}
        }
    }

    /// Begins the next thing in a lane: what is on record already goes before what is still to be read. False: there is
    /// nothing.
    fn begin(&mut self, lane: Lane) -> bool {
        let in_flight = self.settings.in_flight();
        let courier = &mut self.couriers[lane.index()];
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
        courier.wants = false;
        courier.reading = Some(Reading { outdated: false });
        courier.asked = courier.sizer.ask(self.settings.limits, self.endpoint.body_bytes_max());
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
        let courier = &mut self.couriers[lane.index()];
        let Some(Reading { outdated }) = courier.reading.take() else { return };
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
                    self.unsaved.lanes[lane.index()] = true;
                    self.unsaved.lost.extend(unreadable);
                }
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
        self.unsaved.lanes[lane.index()] = true;
        self.save();
        self.send(lane, at);
    }

    /// Sends an open batch, which is on record.
    fn send(&mut self, lane: Lane, at: usize) {
        let probe = self.endpoint.failures_in_a_row() > 0;
        let slot = &mut self.couriers[lane.index()].open[at];
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
        let courier = &mut self.couriers[lane.index()];
        let slot = &mut courier.open[at];
        self.endpoint.suspect_too_large(slot.batch.body_bytes);
        courier.carried = slot.refusal.take().map(Box::new);
        courier.drop_from(at);
        self.unsaved.lanes[lane.index()] = true;
    }

    fn unreproducible(&mut self, lane: Lane, webhook_id: &WebhookId) {
        let courier = &mut self.couriers[lane.index()];
        let Some(landed) = courier.land(webhook_id) else { return };
        courier.wants = true;
        if let Some(at) = landed.slot {
            courier.drop_from(at);
        }
        self.unsaved.lanes[lane.index()] = true;
        self.save();
    }

    fn not_sent(&mut self, lane: Lane, webhook_id: &WebhookId) {
        let courier = &mut self.couriers[lane.index()];
        let Some(landed) = courier.land(webhook_id) else { return };
        // What was superseded meanwhile is not sent again as it is.
        if let Some(at) = landed.slot.filter(|_| landed.flight.superseded) {
            courier.wants = true;
            courier.drop_from(at);
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
            |lane: Lane| self.unsaved.lanes[lane.index()] && self.couriers[lane.index()].reading.is_some();
        self.life != Life::Stopping && Lane::ALL.into_iter().any(settles)
    }

    /// Saves what has happened since the last save, if anything.
    fn save(&mut self) {
        if self.unsaved.is_empty() {
            return;
        }
        let Unsaved { lanes, attempts, lost, disable, endpoint: _ } = std::mem::take(&mut self.unsaved);
        let lanes = Lane::ALL
            .into_iter()
            .filter(|lane| lanes[lane.index()])
            .map(|lane| {
                let courier = &mut self.couriers[lane.index()];
                courier.passed = None;
                (lane, courier.state(self.wall))
            })
            .collect();
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
            self.unsaved.is_empty() || self.is_one_step_with_something_to_come(),
            "unsaved, and nothing will save it: {:?}",
            self.unsaved
        );
        for courier in &self.couriers {
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
