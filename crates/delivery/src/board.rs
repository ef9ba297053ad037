//! The board: who waits for what.

use super::again::{self, Again};
use super::applications;
use super::budget::{Bounds, InFlight};
use super::clock::Clock;
use super::context::{Context, Note};
use super::farewell::Farewell;
use super::inbox::{CourierStatus, Flags, Inbox, Surveyed};
use super::preview::{self, Preview};
use super::shell::{self, Courier, Ended};
use super::transport::Transport;
use crate::counted::Deliveries;
use crate::supervisor::Backoff;
use crate::{Clients, Names};
use hitwire_courier::{Attempt, Input};
use hitwire_event::filter::Filter;
use hitwire_event::{ClientId, Event, IntegrationId, Lane, Seq, Stream, WebhookId};
use hitwire_store::{Details, Integration, IntegrationRange, Store, StoreError, StreamFrom};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long a shell that ended by a panic is left alone at least before its machine is built again; longer each time.
const AFTER_A_PANIC: Duration = Duration::from_secs(5);

/// Bytes of settings that are in memory at once while all integrations of a client are gone through.
const LISTED_BYTES: usize = 1 << 20;

/// What the dispatch works with.
pub struct Surroundings {
    /// Where events, integrations and progress are.
    pub store: Arc<dyn Store>,
    /// The way out.
    pub transport: Arc<dyn Transport>,
    /// Time.
    pub clock: Clock,
    /// How much may be under way.
    pub bounds: Bounds,
    /// What envelopes call installation and clients.
    pub names: Names,
    /// Integrations of clients that are disabled send nothing.
    pub clients: Clients,
    /// Counts attempts.
    pub deliveries: Deliveries,
    /// Keeps what happened in single attempts; none: nobody looks at it.
    pub details: Option<Arc<Details>>,
    /// Makes the ids of batches.
    pub mint: Box<dyn Fn() -> WebhookId + Send + Sync>,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

/// The handle of the dispatch. Cheap to clone.
#[derive(Clone)]
pub struct Dispatch {
    context: Arc<Context>,
    ended: CancellationToken,
}

impl fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatch").finish_non_exhaustive()
    }
}

impl Dispatch {
    /// Starts the couriers of every integration in the store.
    ///
    /// # Errors
    ///
    /// Those of the store, when the integrations cannot be read.
    pub async fn start(surroundings: Surroundings) -> Result<Dispatch, StoreError> {
        let store = &surroundings.store;
        // Before the list is read: what is appended from here on wakes couriers by its stream.
        let matched = store.head().now();
        let mut ids = store.integration_ids(None).await?;
        for broken in store.broken_integrations(None).await? {
            let (integration, name, why) = (broken.id, broken.name, broken.why);
            tracing::error!(%integration, name, why, "an integration is broken and sends nothing; the others do");
            ids.retain(|id| *id != integration);
        }
        let (notes, inbox) = mpsc::unbounded_channel();
        let context = Arc::new(Context::new(surroundings, notes));
        let ended = CancellationToken::new();
        let board = Board {
            context: Arc::clone(&context),
            entries: HashMap::new(),
            subscribers: HashMap::new(),
            wakes: BTreeSet::new(),
            matched,
            shells: JoinSet::new(),
            running: HashMap::new(),
            panicked: HashMap::new(),
        };
        let guard = ended.clone().drop_guard();
        tokio::spawn(async move {
            let _guard = guard;
            board.serve(inbox, ids).await;
        });
        Ok(Dispatch { context, ended })
    }

    /// To be called after an integration was made, changed or deleted in the store.
    pub fn configured(&self, id: IntegrationId) {
        self.context.forget(id);
        self.context.note(Note::Configured(id));
    }

    /// Has what waits for an integration tried at once, as it is.
    pub fn retry(&self, id: IntegrationId) {
        self.context.note(Note::Retry(id));
    }

    /// To be called after an application of a client was made, renamed or deleted: filters may name it otherwise now.
    pub async fn applications_changed(&self, client: ClientId) -> Result<(), StoreError> {
        let mut range = IntegrationRange { bytes_max: LISTED_BYTES, ..IntegrationRange::all(client) };
        loop {
            let integrations = self.context.store.integrations(range).await?;
            let Some(last) = integrations.last() else { return Ok(()) };
            range.after = last.as_ref().map_or_else(|broken| broken.id, |integration| integration.id);
            for integration in integrations.into_iter().flatten() {
                if !integration.filter.applications.is_empty() {
                    self.configured(integration.id);
                }
            }
        }
    }

    /// To be called in place of [`Dispatch::configured`] after an integration was deleted: what is under way to it may end,
    /// then it is told `event`, its deletion, once, if it wants such events.
    pub fn deleted(&self, integration: &Integration, event: Event) {
        if self.context.sends(integration)
            && let Some(farewell) = Farewell::of(integration, event)
        {
            self.context.put_farewell(integration.id, farewell);
        }
        if let Some(details) = &self.context.details {
            details.forget(integration.id);
        }
        self.configured(integration.id);
    }

    /// To be called after a test message with an integration's settings as they are stored: if it was delivered, older
    /// failures are no news any more, and what waits tries again at once.
    pub fn was_tested(&self, id: IntegrationId, delivered: bool) {
        if delivered {
            self.context.note(Note::Tested(id));
        }
    }

    /// How an integration's couriers are doing; none if it is not known (yet).
    pub async fn status(&self, id: IntegrationId) -> Option<CourierStatus> {
        let (answer, status) = oneshot::channel();
        self.context.note(Note::Status(id, answer));
        status.await.ok().flatten()
    }

    /// The same of several integrations, in their order.
    pub async fn statuses(&self, ids: &[IntegrationId]) -> Vec<Option<CourierStatus>> {
        // All are asked for before the first answer is waited for: the board answers them in one go.
        let ask = |id: &IntegrationId| {
            let (answer, status) = oneshot::channel();
            self.context.note(Note::Status(*id, answer));
            status
        };
        let asked: Vec<_> = ids.iter().map(ask).collect();
        let mut statuses = Vec::with_capacity(asked.len());
        for status in asked {
            statuses.push(status.await.ok().flatten());
        }
        statuses
    }

    /// How many of the newest events of these streams the filter would have let pass. Takes its turn among the couriers'
    /// reads.
    pub async fn preview(
        &self,
        streams: &[Stream],
        filter: &Filter,
        last: usize,
    ) -> Result<Preview, StoreError> {
        let store = &*self.context.store;
        let filter = match streams.first() {
            Some(stream) => applications::matching(store, stream.client, filter.clone()).await?,
            None => filter.clone(),
        };
        preview::preview(&self.context, streams, &filter, last).await
    }

    /// The body of an attempt, made again under the integration's settings as they are now.
    pub async fn body_of(&self, integration: &Integration, attempt: &Attempt) -> Result<Again, StoreError> {
        let integration = applications::matching_in(&*self.context.store, integration.clone()).await?;
        again::body_of(&self.context, &integration, attempt).await
    }

    /// How the couriers of all integrations are doing; none once the dispatch has ended.
    pub async fn survey(&self) -> Option<Vec<Surveyed>> {
        let (answer, surveyed) = oneshot::channel();
        self.context.note(Note::Survey(answer));
        surveyed.await.ok()
    }

    /// How many requests are under way.
    pub fn in_flight(&self) -> InFlight {
        self.context.budget.in_flight()
    }

    /// How often clients had to wait because they had used up their share, by what it is a share of.
    pub fn share_refusals(&self) -> Vec<(&'static str, u64)> {
        self.context.budget.refusals()
    }

    /// Waits until no courier is served any more: after a stop, or because the dispatch has failed.
    pub fn has_ended(&self) -> impl Future<Output = ()> + use<> {
        self.ended.clone().cancelled_owned()
    }

    /// Makes the board panic, as a programming error would: for tests of what happens then.
    #[doc(hidden)]
    pub fn break_board(&self) {
        self.context.note(Note::Break);
    }

    /// True while couriers are served.
    pub fn is_running(&self) -> bool {
        !self.ended.is_cancelled()
    }

    /// Ends: nothing new is sent, requests under way get this long to end by themselves, then they are abandoned. What
    /// is abandoned is an open batch on record, and is sent again at the next start.
    pub async fn stop(&self, within: Duration) {
        self.context.stop.cancel();
        if tokio::time::timeout(within, self.ended.cancelled()).await.is_err() {
            self.context.abandon.cancel();
            self.ended.cancelled().await;
        }
    }
}

/// One integration on the board. Idle, it is this and its machine: well under 1 KB.
struct Entry {
    streams: Vec<StreamFrom>,
    /// The streams are those of the settings in force, so a lane that is caught up has settled all that was matched.
    subscribed: bool,
    wake: Option<Duration>,
    state: State,
}

enum State {
    Parked(Courier),
    Running(Arc<Inbox>),
}

struct Board {
    context: Arc<Context>,
    entries: HashMap<IntegrationId, Entry>,
    subscribers: HashMap<Stream, Vec<IntegrationId>>,
    wakes: BTreeSet<(Duration, IntegrationId)>,
    /// Every event up to here has woken those it concerns.
    matched: Seq,
    shells: JoinSet<Ended>,
    running: HashMap<tokio::task::Id, IntegrationId>,
    /// How long shells that ended by a panic are left alone. Bounded by the integrations.
    panicked: HashMap<IntegrationId, (Backoff, Duration)>,
}

impl Board {
    async fn serve(mut self, mut notes: mpsc::UnboundedReceiver<Note>, ids: Vec<IntegrationId>) {
        let (mut head, mut moved) = (self.context.store.head(), self.context.store.moved());
        let mut moved_to = moved.borrow().first().map_or(0, |last| last.number);
        for id in ids {
            self.configured(id);
        }
        let stop = self.context.stop.clone();
        while !stop.is_cancelled() {
            let wake = self.wakes.first().map(|(at, _)| self.context.clock.instant(*at));
            tokio::select! {
                () = stop.cancelled() => {}
                Some(note) = notes.recv() => self.take(note),
                Some(ended) = self.shells.join_next_with_id(), if !self.shells.is_empty() => self.ended(ended),
                true = head.changed() => {
                    head.seen();
                    self.match_streams();
                }
                Ok(()) = moved.changed() => {
                    let lately = moved.borrow_and_update().clone();
                    let new = lately.iter().take_while(|one| one.number > moved_to);
                    let ids: Vec<_> = new.map(|one| one.integration).collect();
                    moved_to = lately.first().map_or(moved_to, |last| last.number);
                    for id in ids {
                        self.wake(id, Flags::MOVED.and(Flags::advanced(Lane::Urgent)).and(Flags::advanced(Lane::Bulk)));
                    }
                }
                () = tokio::time::sleep_until(wake.unwrap_or_else(tokio::time::Instant::now)), if wake.is_some() => {
                    self.wake_the_due();
                }
            }
        }
        // Shells see the same token: they end when what is in flight has ended, or when it is abandoned.
        tokio::select! {
            () = async { while self.shells.join_next().await.is_some() {} } => {}
            () = self.context.abandon.cancelled() => {}
        }
        self.shells.shutdown().await;
    }

    fn take(&mut self, note: Note) {
        match note {
            Note::Configured(id) => self.configured(id),
            Note::Tested(id) => self.wake(id, Flags::TESTED),
            Note::Retry(id) => self.wake(id, Flags::RETRY),
            Note::Subscribed(id, streams) => self.subscribe(id, streams),
            Note::Status(id, answer) => {
                let status = self.entries.get(&id).and_then(|entry| match &entry.state {
                    State::Parked(courier) => Some(CourierStatus::of(&courier.machine, &self.context.clock)),
                    State::Running(inbox) => inbox.status(),
                });
                // Who asked may have left.
                let _ = answer.send(status);
            }
            Note::Break => panic!("on purpose, for a test"),
            Note::Survey(answer) => {
                let _ = answer.send(self.survey());
            }
        }
    }

    fn survey(&self) -> Vec<Surveyed> {
        let surveyed = self.entries.iter().filter_map(|(id, entry)| match &entry.state {
            State::Parked(courier) => Some(Surveyed::of_machine(*id, &courier.machine, &entry.streams)),
            State::Running(inbox) => Some(Surveyed::of_status(*id, &inbox.status()?, &entry.streams)),
        });
        surveyed.collect()
    }

    /// A new integration gets an entry; a known one is told to look at its settings.
    fn configured(&mut self, id: IntegrationId) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.subscribed = false;
            self.wake(id, Flags::CONFIGURED);
        } else {
            // It is built with the settings as they are: to be told of them would make its waits end, as an edit does.
            let inbox = self.start(id, None, Flags::NONE, Vec::new());
            let entry =
                Entry { streams: Vec::new(), subscribed: false, wake: None, state: State::Running(inbox) };
            self.entries.insert(id, entry);
        }
    }

    fn subscribe(&mut self, id: IntegrationId, streams: Vec<StreamFrom>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let before = std::mem::replace(&mut entry.streams, streams);
        entry.subscribed = true;
        let now = entry.streams.clone();
        for StreamFrom { stream, .. } in before {
            self.unsubscribe(stream, id);
        }
        let mut lanes = Flags::NONE;
        for StreamFrom { stream, .. } in now {
            self.subscribers.entry(stream).or_default().push(id);
            lanes = lanes.and(Flags::advanced(stream.kind.lane()));
        }
        // What was appended between the change of the settings and now woke nobody: look once.
        if lanes != Flags::NONE {
            self.wake(id, lanes);
        }
    }

    fn unsubscribe(&mut self, stream: Stream, id: IntegrationId) {
        if let Some(subscribers) = self.subscribers.get_mut(&stream) {
            subscribers.retain(|subscriber| *subscriber != id);
            if subscribers.is_empty() {
                self.subscribers.remove(&stream);
            }
        }
    }

    /// Wakes the couriers of the streams that have news.
    fn match_streams(&mut self) {
        let touched = self.context.store.touched(self.matched);
        let settled = self.matched;
        let concerned: HashMap<IntegrationId, Flags> = if let Some(streams) = touched.streams {
            let mut concerned: HashMap<IntegrationId, Flags> = HashMap::new();
            for stream in streams {
                for id in self.subscribers.get(&stream).into_iter().flatten() {
                    let flags = concerned.entry(*id).or_insert(Flags::NONE);
                    *flags = flags.and(Flags::advanced(stream.kind.lane()));
                }
            }
            concerned
        } else {
            // The tail has moved on without us: any stream may have news.
            let all: HashSet<IntegrationId> = self.subscribers.values().flatten().copied().collect();
            let both = Flags::advanced(Lane::Urgent).and(Flags::advanced(Lane::Bulk));
            all.into_iter().map(|id| (id, both)).collect()
        };
        self.matched = touched.through.max(settled);
        let mut concerned: Vec<_> = concerned.into_iter().collect();
        concerned.sort_unstable_by_key(|(id, _)| *id);
        for (id, flags) in concerned {
            self.wake_settled(id, flags, Some(settled));
        }
    }

    fn wake_the_due(&mut self) {
        let now = self.context.clock.now();
        while let Some((at, id)) = self.wakes.first().copied() {
            if at > now {
                break;
            }
            self.wakes.remove(&(at, id));
            self.wake(id, Flags::DUE);
        }
    }

    fn wake(&mut self, id: IntegrationId, flags: Flags) {
        self.wake_settled(id, flags, None);
    }

    /// Wakes an integration. `settled`: everything up to there has woken those it concerns, so a lane that is caught up
    /// has nothing before it, and need not search the log from where it last sent something.
    fn wake_settled(&mut self, id: IntegrationId, flags: Flags, settled: Option<Seq>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let courier = match &mut entry.state {
            State::Running(inbox) => return inbox.put(flags),
            State::Parked(_) => {
                let running = State::Running(Arc::default());
                match std::mem::replace(&mut entry.state, running) {
                    State::Parked(courier) => courier,
                    State::Running(_) => unreachable!("matched as parked just above"),
                }
            }
        };
        if let Some(at) = entry.wake.take() {
            self.wakes.remove(&(at, id));
        }
        let mut first = Vec::new();
        if let Some(seq) = settled.filter(|_| entry.subscribed) {
            let status = courier.machine.status();
            for lane in Lane::LIVE {
                let now = &status.lanes[lane];
                if now.state == "caught_up" && now.cursor < seq {
                    first.push(Input::NoneUpTo { lane, seq });
                }
            }
        }
        let inbox = self.start(id, Some(courier), flags, first);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.state = State::Running(inbox);
        }
    }

    fn start(
        &mut self,
        id: IntegrationId,
        courier: Option<Courier>,
        flags: Flags,
        first: Vec<Input>,
    ) -> Arc<Inbox> {
        let inbox = Arc::new(Inbox::default());
        inbox.put(flags);
        if let Some(courier) = &courier {
            // Who looks before the shell has begun sees how it was until now.
            inbox.publish(CourierStatus::of(&courier.machine, &self.context.clock));
        }
        let run = shell::run(Arc::clone(&self.context), id, Arc::clone(&inbox), courier, first);
        let task = self.shells.spawn(run);
        self.running.insert(task.id(), id);
        inbox
    }

    fn ended(&mut self, ended: Result<(tokio::task::Id, Ended), tokio::task::JoinError>) {
        let (task, ended) = match ended {
            Ok((task, ended)) => (task, Some(ended)),
            Err(error) => (error.id(), None),
        };
        let Some(id) = self.running.remove(&task) else { return };
        match ended {
            Some(Ended::Parked(courier)) => self.park(id, courier),
            Some(Ended::Gone) => {
                self.context.deliveries.forget(id);
                self.context.refused.forget(id);
                self.context.failing.forget(id);
                self.panicked.remove(&id);
                self.remove(id);
                // The shell may have noticed the deletion before it could know what to say.
                if self.context.has_farewell(id) {
                    self.configured(id);
                }
            }
            Some(Ended::Stopped) => {}
            None => {
                self.rebuild_later(id);
            }
        }
    }

    fn park(&mut self, id: IntegrationId, courier: Courier) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let State::Running(inbox) = &entry.state else { return };
        // What was put in after the shell looked for the last time.
        let flags = inbox.take();
        let wake = courier.machine.wake_at();
        entry.state = State::Parked(courier);
        if flags != Flags::NONE {
            return self.wake(id, flags);
        }
        entry.wake = wake;
        if let Some(at) = wake {
            self.wakes.insert((at, id));
        }
    }

    fn remove(&mut self, id: IntegrationId) {
        if let Some(entry) = self.entries.remove(&id) {
            for StreamFrom { stream, .. } in entry.streams {
                self.unsubscribe(stream, id);
            }
            if let Some(at) = entry.wake {
                self.wakes.remove(&(at, id));
            }
        }
    }

    /// Costs this integration its turn, and no other one.
    fn rebuild_later(&mut self, id: IntegrationId) {
        self.remove(id);
        let now = self.context.clock.now();
        let (backoff, at) = self.panicked.entry(id).or_insert_with(|| (Backoff::default(), now));
        let wait = AFTER_A_PANIC + backoff.after(now.saturating_sub(std::mem::replace(at, now)));
        tracing::error!(integration = %id, wait_s = wait.as_secs(), "a courier ended by a programming error; it is built again from what was saved");
        let context = Arc::clone(&self.context);
        tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(wait) => context.note(Note::Configured(id)),
                () = context.stop.cancelled() => {}
            }
        });
    }
}
