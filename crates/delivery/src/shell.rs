//! Runs one integration's machine for as long as there is something to do.

use super::batch_body::lane_streams;
use super::context::{Context, Interrupt, Note};
use super::farewell;
use super::flight::{self, CutBody, Landed, Wanted};
use super::inbox::{CourierStatus, Flags, Inbox};
use hitwire_courier::{Command, DisableReason, Input, Limits, Machine, Settings};
use hitwire_event::{IntegrationId, Lane};
use hitwire_store::change;
use hitwire_store::{Activity, Integration, Op, StreamFrom};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// How long a change of settings, which is a commit of the store, is given before the log is read again.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(2);

/// Why a shell ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Nothing to do until something happens.
    Parked(Box<Machine>),
    /// The integration is no more.
    Gone,
    /// hitwire stops.
    Stopped,
    /// Another process owns the couriers now.
    LeaseLost,
}

/// One integration, running.
pub(crate) struct Shell {
    context: Arc<Context>,
    id: IntegrationId,
    inbox: Arc<Inbox>,
    integration: Arc<Integration>,
    machine: Box<Machine>,
    /// The body of the batch that was just cut in each lane, so that it need not be made twice.
    bodies: [Option<CutBody>; 2],
    /// On tasks of their own, so that a request's time runs on while a step is being saved. Dropped, they are abandoned.
    flights: JoinSet<Landed>,
}

/// Runs the integration until its machine parks. `machine` is none at the start and for a new integration: then it is
/// built from what the store saved, and from the settings as they are.
pub(crate) async fn run(
    context: Arc<Context>,
    id: IntegrationId,
    inbox: Arc<Inbox>,
    machine: Option<Box<Machine>>,
    first: Vec<Input>,
) -> Ended {
    let interrupt = match Shell::load(Arc::clone(&context), id, inbox, machine).await {
        Ok(mut shell) => match shell.serve(first).await {
            Ok(()) => return Ended::Parked(shell.machine),
            Err(Interrupt::Gone) => {
                shell.let_flights_end().await;
                Interrupt::Gone
            }
            Err(interrupt) => interrupt,
        },
        Err(interrupt) => interrupt,
    };
    if matches!(interrupt, Interrupt::Gone) {
        farewell::say(&context, id).await;
    }
    interrupt.into()
}

impl From<Interrupt> for Ended {
    fn from(interrupt: Interrupt) -> Self {
        match interrupt {
            Interrupt::Gone => Ended::Gone,
            Interrupt::LeaseLost => Ended::LeaseLost,
            Interrupt::Stopped => Ended::Stopped,
        }
    }
}

impl Shell {
    async fn load(
        context: Arc<Context>,
        id: IntegrationId,
        inbox: Arc<Inbox>,
        machine: Option<Box<Machine>>,
    ) -> Result<Self, Interrupt> {
        let integration = context.integration(id).await?.ok_or(Interrupt::Gone)?;
        let machine = if let Some(machine) = machine {
            machine
        } else {
            // No edit: what was saved goes on, with what is left of its waits.
            let saved = context.patiently(|store| store.saved(id)).await?.ok_or(Interrupt::Gone)?;
            context.note(Note::Subscribed(id, subscribed(&context, &integration)));
            let wall = context.clock.wall();
            Box::new(Machine::new(id, settings(&context, &integration), saved, wall, id.0 ^ wall.ms))
        };
        let shell =
            Shell { context, id, inbox, integration, machine, bodies: [None, None], flights: JoinSet::new() };
        Ok(shell)
    }

    async fn serve(&mut self, first: Vec<Input>) -> Result<(), Interrupt> {
        let mut inputs: VecDeque<Input> = first.into();
        let stop = self.context.stop.clone();
        let mut stopping = false;
        loop {
            self.look_into_the_inbox(&mut inputs).await?;
            while let Some(input) = inputs.pop_front() {
                let wall = self.context.clock.wall();
                self.machine.set_wall_clock(wall);
                let commands = self.machine.on(wall.at, input);
                for command in commands {
                    self.carry_out(command).await?;
                }
                self.machine.carried_out(self.context.clock.now());
            }
            self.publish();
            if self.flights.is_empty() {
                if stopping {
                    return Err(Interrupt::Stopped);
                }
                if self.machine.is_parked() && !self.is_due() {
                    return Ok(());
                }
            }
            let wake = self.machine.wake_at().map(|at| self.context.clock.instant(at));
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
        self.machine.wake_at().is_some_and(|at| at <= self.context.clock.now())
    }

    fn publish(&self) {
        let status = CourierStatus::of(&self.machine, &self.context.clock);
        self.inbox.publish(status);
    }

    async fn look_into_the_inbox(&mut self, inputs: &mut VecDeque<Input>) -> Result<(), Interrupt> {
        let flags = self.inbox.take();
        if flags.has(Flags::CONFIGURED) {
            self.integration = self.context.integration(self.id).await?.ok_or(Interrupt::Gone)?;
            // A body that was cut under other settings must not be sent under the new ones.
            self.bodies = [None, None];
            self.context.note(Note::Subscribed(self.id, subscribed(&self.context, &self.integration)));
        }
        // Before the settings: what enabling skips must not be sent because it is enabled.
        if flags.has(Flags::MOVED.and(Flags::CONFIGURED)) {
            let saved = self.context.patiently(|store| store.saved(self.id)).await?.ok_or(Interrupt::Gone)?;
            for lane in Lane::ALL {
                inputs.push_back(Input::Moved { lane, cursor: saved.lanes[lane.index()].cursor });
            }
        }
        if flags.has(Flags::CONFIGURED) {
            inputs.push_back(Input::Configured(settings(&self.context, &self.integration)));
        }
        for lane in Lane::ALL {
            if flags.has(Flags::advanced(lane)) {
                inputs.push_back(Input::Advanced { lane });
            }
        }
        if flags.has(Flags::TESTED) {
            inputs.push_back(Input::TestDelivered);
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
            // The settings are being changed, and may have been while the log was read: a kind that is ticked counts from a
            // position that this read may have passed. Read again, under the new ones when they are known.
            Landed::Batch { wanted, .. }
                if self.context.is_changing(self.id) || self.inbox.holds(Flags::CONFIGURED) =>
            {
                let (context, integration) = (Arc::clone(&self.context), Arc::clone(&self.integration));
                self.flights.spawn(async move {
                    tokio::time::sleep(READ_AGAIN_AFTER).await;
                    flight::read(context, integration, wanted).await
                });
                None
            }
            // The content changed while the log was read: what was cut is not what is wanted now. Read again.
            Landed::Batch { wanted, content_revision, .. }
                if content_revision != self.integration.content_revision =>
            {
                self.read(wanted);
                None
            }
            Landed::Batch { wanted, input, body, .. } => {
                self.bodies[wanted.lane.index()] = body;
                Some(input)
            }
        }
    }

    /// What tells that hitwire disables the integration; nothing if its user has done so meanwhile.
    async fn broken(&self, reason: &DisableReason) -> Result<Vec<Op>, Interrupt> {
        let now = self.context.patiently(|store| store.integration(self.id)).await?.ok_or(Interrupt::Gone)?;
        if now.activity != Activity::Active {
            return Ok(Vec::new());
        }
        Ok(change::integration::broken(&now, reason, self.context.clock.wall_ms() / 1000))
    }

    fn read(&mut self, wanted: Wanted) {
        self.flights.spawn(flight::read(Arc::clone(&self.context), Arc::clone(&self.integration), wanted));
    }

    async fn carry_out(&mut self, command: Command) -> Result<(), Interrupt> {
        match command {
            Command::Save(progress) => {
                let disable = progress.disable.clone();
                let told = match &disable {
                    Some(reason) => self.broken(reason).await?,
                    None => Vec::new(),
                };
                self.context.save(progress, told).await?;
                if let Some(reason) = disable {
                    tracing::warn!(integration = %self.id, ?reason, "integration disabled automatically");
                    self.context.forget(self.id);
                    self.inbox.put(Flags::CONFIGURED);
                }
            }
            Command::Read { lane, after, max_events, max_bytes } => {
                self.read(Wanted { lane, after, max_events, max_bytes });
            }
            Command::Send { lane, batch, probe } => {
                // What was just cut, unless this is an older batch.
                let body = self.bodies[lane.index()].take_if(|body| body.is_of(&batch));
                self.flights.spawn(flight::send(
                    Arc::clone(&self.context),
                    Arc::clone(&self.integration),
                    lane,
                    batch,
                    body,
                    probe,
                ));
            }
            Command::Measure { lane, after, age, at_least } => {
                self.flights.spawn(flight::measure(
                    Arc::clone(&self.context),
                    Arc::clone(&self.integration),
                    lane,
                    after,
                    age,
                    at_least,
                ));
            }
        }
        Ok(())
    }
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
    Lane::ALL.into_iter().flat_map(|lane| lane_streams(integration, lane)).collect()
}
