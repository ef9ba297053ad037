//! Runs one integration's machine for as long as there is something to do.

use super::batch_body::lane_streams;
use super::context::{Context, Interrupt, Note};
use super::farewell;
use super::flight::{self, CutBody, Landed, Wanted};
use super::inbox::{CourierStatus, Flags, Inbox};
use super::of_lane::OfLane;
use hitwire_courier::{ByLane, Command, DisableReason, Input, Limits, Machine, Reloaded, Settings};
use hitwire_event::{IntegrationId, Lane, Seq};
use hitwire_store::change;
use hitwire_store::{Activity, CourierToken, Integration, LoadedCourier, Op, Replay, StreamFrom, Ticked};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Why a shell ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Nothing to do until something happens.
    Parked(Courier),
    /// The integration was deleted.
    Gone,
    /// hitwire stops.
    Stopped,
}

/// A machine, and what it may save with.
#[derive(Debug)]
pub(crate) struct Courier {
    pub(crate) machine: Box<Machine>,
    /// Of the load that the machine goes on from.
    token: CourierToken,
    /// Of the settings that the machine knows.
    revision: u64,
    /// The replays that had not ended when it was loaded.
    replays: Vec<Arc<Replay>>,
}

/// One integration, running.
pub(crate) struct Shell {
    context: Arc<Context>,
    id: IntegrationId,
    inbox: Arc<Inbox>,
    integration: Arc<Integration>,
    courier: Courier,
    /// The body of the batch that was just cut in a lane, so that it need not be made twice.
    bodies: ByLane<CutBody>,
    /// On tasks of their own, so that a request's time runs on while a step is being saved. Dropped, they are abandoned.
    flights: JoinSet<Landed>,
}

/// Runs the integration until its machine parks. `courier` is none at the start and for a new integration: then it is loaded,
/// and built with the settings as they are.
pub(crate) async fn run(
    context: Arc<Context>,
    id: IntegrationId,
    inbox: Arc<Inbox>,
    courier: Option<Courier>,
    first: Vec<Input>,
) -> Ended {
    let interrupt = match Shell::begin(Arc::clone(&context), id, inbox, courier).await {
        Ok(mut shell) => match shell.serve(first).await {
            Ok(()) => return Ended::Parked(shell.courier),
            Err(Interrupt::Gone) => {
                shell.let_flights_end().await;
                Interrupt::Gone
            }
            Err(interrupt) => interrupt,
        },
        Err(interrupt) => interrupt,
    };
    match interrupt {
        Interrupt::Gone => {
            farewell::say(&context, id).await;
            Ended::Gone
        }
        Interrupt::Stopped => Ended::Stopped,
    }
}

impl Shell {
    async fn begin(
        context: Arc<Context>,
        id: IntegrationId,
        inbox: Arc<Inbox>,
        courier: Option<Courier>,
    ) -> Result<Self, Interrupt> {
        let (integration, courier) = if let Some(courier) = courier {
            (context.integration(id).await?.ok_or(Interrupt::Gone)?, courier)
        } else {
            // No edit: what was saved goes on, with what is left of its waits.
            let loaded = context.patiently(|store| store.load_courier(id)).await?.ok_or(Interrupt::Gone)?;
            let LoadedCourier { token, saved, replays, revision } = loaded;
            let replays = replays.into_iter().map(Arc::new).collect();
            let integration = context.integration_at(id, revision).await?.ok_or(Interrupt::Gone)?;
            context.note(Note::Subscribed(id, subscribed(&context, &integration)));
            let (wall, revision) = (context.clock.wall(), integration.revision);
            let settings = settings(&context, &integration);
            let machine = Box::new(Machine::new(id, settings, saved, wall, id.0 ^ wall.ms));
            (integration, Courier { machine, token, revision, replays })
        };
        let flights = JoinSet::new();
        let mut shell =
            Shell { context, id, inbox, integration, courier, bodies: ByLane::default(), flights };
        if shell.integration.revision != shell.courier.revision {
            let reloaded = shell.load_again(true, Vec::new()).await?;
            shell.feed(reloaded).await?;
        }
        Ok(shell)
    }

    async fn serve(&mut self, first: Vec<Input>) -> Result<(), Interrupt> {
        let mut inputs: VecDeque<Input> = first.into();
        let stop = self.context.stop.clone();
        let mut stopping = false;
        loop {
            self.look_into_the_inbox(&mut inputs).await?;
            while let Some(input) = inputs.pop_front() {
                self.feed(input).await?;
            }
            self.publish();
            if self.flights.is_empty() {
                if stopping {
                    return Err(Interrupt::Stopped);
                }
                if self.courier.machine.is_parked() && !self.is_due() {
                    return Ok(());
                }
            }
            let wake = self.courier.machine.wake_at().map(|at| self.context.clock.instant(at));
            let inbox = Arc::clone(&self.inbox);
            tokio::select! {
                Some(landed) = self.flights.join_next(), if !self.flights.is_empty() => match landed {
                    Ok(landed) => inputs.extend(self.land(landed)),
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Err(_) => return Err(Interrupt::Stopped),
                },
                () = inbox.filled() => {}
                () = tokio::time::sleep_until(wake.unwrap_or_else(tokio::time::Instant::now)), if wake.is_some() => {
                    inputs.push_back(Input::Due);
                }
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    inputs.push_back(Input::Stop);
                }
            }
        }
    }

    /// What is under way to an integration that was deleted may end, though nobody needs its outcome.
    async fn let_flights_end(&mut self) {
        while self.flights.join_next().await.is_some() {}
    }

    fn is_due(&self) -> bool {
        self.courier.machine.wake_at().is_some_and(|at| at <= self.context.clock.now())
    }

    fn publish(&self) {
        let status = CourierStatus::of(&self.courier.machine, &self.context.clock);
        self.inbox.publish(status);
    }

    async fn look_into_the_inbox(&mut self, inputs: &mut VecDeque<Input>) -> Result<(), Interrupt> {
        let flags = self.inbox.take();
        if flags.has(Flags::MOVED.and(Flags::CONFIGURED)) {
            let reloaded = self.load_again(flags.has(Flags::CONFIGURED), Vec::new()).await?;
            self.feed(reloaded).await?;
        }
        for lane in Lane::LIVE {
            if flags.has(Flags::advanced(lane)) {
                inputs.push_back(Input::Advanced { lane });
            }
        }
        if flags.has(Flags::TESTED) {
            inputs.push_back(Input::TestDelivered);
        }
        if flags.has(Flags::RETRY) {
            inputs.push_back(Input::RetryNow);
        }
        if flags.has(Flags::DUE) {
            inputs.push_back(Input::Due);
        }
        Ok(())
    }

    fn land(&mut self, landed: Landed) -> Option<Input> {
        match landed {
            Landed::Nothing => None,
            Landed::Input(input) => Some(input),
            Landed::Batch { lane, input, body } => {
                let is_there =
                    !lane.is_replay() || self.courier.replays.iter().any(|replay| replay.lane() == lane);
                match body.filter(|_| is_there) {
                    Some(body) => self.bodies.insert(lane, body),
                    None => self.bodies.remove(lane),
                };
                Some(input)
            }
        }
    }

    /// Tells the machine something, and carries out what it says. A step that somebody else's change came before is not
    /// saved: then the courier is loaded again, and the machine goes on from what is on record now.
    async fn feed(&mut self, mut input: Input) -> Result<(), Interrupt> {
        loop {
            let wall = self.context.clock.wall();
            self.courier.machine.set_wall_clock(wall);
            let commands = self.courier.machine.on(wall.at, input);
            let undone = self.carry_out_all(commands).await?;
            self.courier.machine.carried_out(self.context.clock.now());
            if undone.is_empty() {
                return Ok(());
            }
            input = self.load_again(false, undone).await?;
        }
    }

    /// Loads courier and settings again. What comes of it must be the machine's next input: from now on its steps are saved
    /// as those of one who knows it. `edited`: a user touched the settings, though they may look the same.
    async fn load_again(&mut self, edited: bool, undone: Vec<Command>) -> Result<Input, Interrupt> {
        let (context, id) = (&self.context, self.id);
        let loaded = context.patiently(|store| store.load_courier(id)).await?.ok_or(Interrupt::Gone)?;
        let LoadedCourier { token, saved, replays, revision } = loaded;
        let integration = context.integration_at(id, revision).await?.ok_or(Interrupt::Gone)?;
        let edited = edited || integration.revision != self.courier.revision;
        let known_to = if self.integration.revision == self.courier.revision {
            known_to(&self.integration, &integration)
        } else {
            Seq::ZERO
        };
        if edited {
            // A body that was cut under other settings must not be sent under the new ones.
            self.bodies = ByLane::default();
            context.note(Note::Subscribed(id, subscribed(context, &integration)));
        }
        let edited = edited.then(|| settings(context, &integration));
        (self.courier.token, self.courier.revision) = (token, integration.revision);
        self.courier.replays = replays.into_iter().map(Arc::new).collect();
        let replays = &self.courier.replays;
        self.bodies.retain(|lane, _| !lane.is_replay() || replays.iter().any(|replay| replay.lane() == lane));
        self.integration = integration;
        Ok(Input::Reloaded(Box::new(Reloaded { saved, edited, undone, known_to })))
    }

    /// What tells that hitwire disables the integration; nothing if its user has done so already.
    fn broken(&self, reason: &DisableReason) -> Vec<Op> {
        if self.integration.activity != Activity::Active {
            return Vec::new();
        }
        change::integration::broken(&self.integration, reason, self.context.clock.wall_ms() / 1000)
    }

    /// Carries commands out, in order. Returns what is left undone, as somebody else's change came before a step.
    async fn carry_out_all(&mut self, commands: Vec<Command>) -> Result<Vec<Command>, Interrupt> {
        let mut commands = VecDeque::from(commands);
        while let Some(command) = commands.pop_front() {
            let Command::Save(progress) = command else {
                self.begin_flight(command);
                continue;
            };
            let told = progress.disable.as_ref().map(|reason| self.broken(reason)).unwrap_or_default();
            if !self.context.save(self.courier.token, progress.clone(), told).await? {
                commands.push_front(Command::Save(progress));
                return Ok(commands.into());
            }
            if let Some(reason) = progress.disable {
                tracing::warn!(integration = %self.id, ?reason, "integration disabled automatically");
                self.context.forget(self.id);
                self.inbox.put(Flags::CONFIGURED);
            }
        }
        Ok(Vec::new())
    }

    fn of_lane(&self, lane: Lane) -> OfLane {
        let replay = self.courier.replays.iter().find(|replay| replay.lane() == lane).cloned();
        OfLane { integration: Arc::clone(&self.integration), lane, replay }
    }

    fn begin_flight(&mut self, command: Command) {
        match command {
            Command::Save(_) => {}
            Command::Read { lane, after, max_events, max_bytes } => {
                let wanted = Wanted { after, max_events, max_bytes };
                self.flights.spawn(flight::read(Arc::clone(&self.context), self.of_lane(lane), wanted));
            }
            Command::Send { lane, batch, probe } => {
                // What was just cut, unless this is an older batch.
                let body = self.bodies.remove(lane).filter(|body| body.is_of(&batch));
                self.flights.spawn(flight::send(
                    Arc::clone(&self.context),
                    self.of_lane(lane),
                    batch,
                    body,
                    probe,
                ));
            }
            Command::Measure { lane, after, age, at_least } => {
                self.flights.spawn(flight::measure(
                    Arc::clone(&self.context),
                    self.of_lane(lane),
                    after,
                    age,
                    at_least,
                ));
            }
        }
    }
}

/// What a lane passed in memory counts up to here: a kind that was ticked since counts from where the store says. What another
/// filter did not let pass counts for nothing: events that came after the edit may have been passed under the old one.
fn known_to(before: &Integration, now: &Integration) -> Seq {
    if before.filter != now.filter {
        return Seq::ZERO;
    }
    let is_new = |ticked: &&Ticked| {
        let same = |known: &Ticked| known.active && known.kind == ticked.kind && known.from == ticked.from;
        ticked.active && !before.events.iter().any(same)
    };
    let begins = now.events.iter().filter(is_new).map(|ticked| Seq(ticked.from.0.saturating_sub(1)));
    begins.min().unwrap_or(Seq(u64::MAX))
}

/// What the machine needs to know of an integration.
fn settings(context: &Context, integration: &Integration) -> Settings {
    Settings {
        retry: integration.target.retry,
        enabled: context.sends(integration),
        content_revision: integration.content_revision,
        limits: Limits {
            max_events: integration.target.max_events,
            max_bytes: integration.target.max_bytes.map(u64::from),
        },
        rate: integration.target.rate,
        in_flight: integration.target.in_flight,
        kinds: integration.events.iter().filter(|ticked| ticked.active).map(|ticked| ticked.kind).collect(),
    }
}

/// The streams that wake an integration.
fn subscribed(context: &Context, integration: &Integration) -> Vec<StreamFrom> {
    if !context.sends(integration) {
        return Vec::new();
    }
    Lane::LIVE.into_iter().flat_map(|lane| lane_streams(integration, lane)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitwire_event::{ClientId, Kind};
    use hitwire_store::{Activity, Target};

    fn integration(filter: &str, since: u64) -> Integration {
        Integration {
            id: IntegrationId(7),
            client: ClientId(1),
            name: "SIEM".to_owned(),
            activity: Activity::Active,
            created_at: 0,
            created_by: "Jane".to_owned(),
            target: Target::new("https://siem.example.com/in", "whsec_1"),
            events: vec![Ticked { kind: Kind::Hit, active: true, with_headers: false, from: Seq(since) }],
            filter: serde_json::from_str(filter).expect("a filter"),
            revision: 1,
            content_revision: 1,
        }
    }

    #[test]
    fn what_was_passed_in_memory_counts_only_as_far_as_the_same_events_were_wanted() {
        let before = integration(r#"{"attack_types":["xss"]}"#, 1);
        assert_eq!(known_to(&before, &before), Seq(u64::MAX));
        assert_eq!(
            known_to(&before, &integration(r#"{"attack_types":["xss"]}"#, 50)),
            Seq(49),
            "ticked anew"
        );
        assert_eq!(known_to(&before, &integration(r#"{"attack_types":["sqli"]}"#, 1)), Seq::ZERO);
    }
}
