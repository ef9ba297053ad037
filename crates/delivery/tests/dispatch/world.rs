//! One history: lives of a process, what its users do, and what arrives.

use super::check;
use super::network::{Mood, Network};
use super::random::Random;
use hitwire_courier::Preset;
use hitwire_courier::Saved;
use hitwire_delivery::{Bounds, Clock, Deliveries, Dispatch, Surroundings};
use hitwire_delivery::{Clients, Names};
use hitwire_event::Seq;
use hitwire_event::filter::Filter;
use hitwire_event::{ClientId, Event, EventId, IntegrationId, Kind, Lane, Record, Risk, WebhookId};
use hitwire_receiver::Format;
use hitwire_store::{
    Activity, ActivityPage, ActivityQuery, Answer, Append, Application, AttemptPage, AttemptQuery,
    AttemptRow, BrokenIntegration, Client, Credential, Done, Head, Integration, IntegrationPage,
    IntegrationQuery, IntegrationRange, Lag, Ledger, Link, ListedIntegration, LoadedCourier, Log, LostRow,
    NewIntegration, Op, Options, Outbox, Page, Read, Registry, Replay, Resume, Session, SqliteStore, Store,
    StoreError, StreamFrom, Target, Ticked, Token, TokenId, Touched, UpdateIntegration, User, UserId,
};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// 2026-01-01: where each history begins.
const BEGIN_MS: u64 = 1_767_225_600_000;

/// The kinds of these histories: two object types in the bulk lane, one in the urgent lane.
pub(super) const KINDS: [Kind; 3] =
    [Kind::Hit, Kind::Vulnerability(Risk::Low), Kind::Vulnerability(Risk::High)];
const CLIENTS: [ClientId; 2] = [ClientId(1), ClientId(2)];

thread_local! {
    /// Wall time at the start of this life, and the paused clock's reading then.
    static LIFE: Cell<(u64, Option<Instant>)> = const { Cell::new((BEGIN_MS, None)) };
}

/// The simulated wall clock of the history that this thread plays.
pub(super) fn now_ms() -> u64 {
    let (base, start) = LIFE.get();
    base + start.map_or(0, |start| start.elapsed().as_millis() as u64)
}

/// Which lane a body travels in.
pub(super) fn is_urgent(body: &[u8]) -> bool {
    String::from_utf8_lossy(body).contains("\"urgent\":true")
}

/// An event that was acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) n: u64,
    pub(super) client: ClientId,
    pub(super) kind: Kind,
    pub(super) appended_ms: u64,
    /// Enabled integrations that had the kind ticked: each must get it, or show it in a lost range.
    pub(super) expected: BTreeSet<IntegrationId>,
    /// Integrations that must not get it: the kind was not ticked.
    pub(super) forbidden: BTreeSet<IntegrationId>,
}

/// An integration as its user believes it to be.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) id: IntegrationId,
    pub(super) client: ClientId,
    pub(super) ticked: BTreeSet<Kind>,
    /// Its filters, each with the number of the first event that was sent after it was set.
    filters: Vec<(u64, Filter)>,
    pub(super) active: bool,
    pub(super) deleted: bool,
    /// It never had more than one request in flight in a lane.
    pub(super) in_order: bool,
    /// Requests a minute; never edited.
    pub(super) rate: Option<u32>,
    /// Never edited, always well: what happens to the others must cost it nothing.
    pub(super) healthy: bool,
}

impl Known {
    /// Whether each filter that the event can have met, or any of them, lets it pass: which one decides when its batch is cut,
    /// and that may be long after it was sent.
    pub(super) fn wants(&self, sent: &Sent) -> Wants {
        let in_force = self.filters.iter().rposition(|(from, _)| *from <= sent.n).unwrap_or_default();
        let record = Record::new(Seq(1), 0, false, event(sent.client, sent.kind, sent.n));
        let mut met = self.filters[in_force..].iter().map(|(_, filter)| filter.matches(&record));
        match (met.clone().all(|matches| matches), met.any(|matches| matches)) {
            (true, _) => Wants::Surely,
            (false, true) => Wants::Perhaps,
            (false, false) => Wants::Never,
        }
    }
}

/// See [`Known::wants`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    Surely,
    Perhaps,
    Never,
}

/// What the checks look at.
pub(super) struct World {
    pub(super) network: Network,
    pub(super) sent: Vec<Sent>,
    pub(super) known: Vec<Known>,
    pub(super) lives_began_ms: Vec<u64>,
    random: Random,
    /// Integrations whose dispatch has not been told of an edit yet, as if another process had made it.
    untold: BTreeSet<IntegrationId>,
    trace: bool,
}

/// Plays one history and checks it. Returns the most requests that were in flight in a lane at once.
pub(super) fn live(seed: u64, trace: bool) -> u8 {
    let mut random = Random::new(seed);
    let dir = tempfile::tempdir().expect("a temporary directory");
    LIFE.set((BEGIN_MS, None));
    let mut world = World {
        network: Network::new(random.fork(), now_ms),
        sent: Vec::new(),
        known: Vec::new(),
        lives_began_ms: Vec::new(),
        random: random.fork(),
        untold: BTreeSet::new(),
        trace,
    };
    let lives = random.between(1, 4);
    for life in 1..=lives {
        let steps = random.between(5, 60);
        let faults = random.fork();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(world.life(dir.path(), steps, faults, life == lives));
        let ended = runtime.block_on(async { now_ms() });
        // The process is gone: its tasks are dropped wherever they wait.
        drop(runtime);
        world.network.crash(ended);
        // It stays down for a while.
        LIFE.set((ended + random.between(1, 600_000), None));
    }
    world.network.most_in_flight()
}

impl World {
    async fn life(&mut self, dir: &Path, steps: u64, faults: Random, last: bool) {
        LIFE.set((LIFE.get().0, Some(Instant::now())));
        self.lives_began_ms.push(now_ms());
        self.untold.clear();
        let store = SqliteStore::open(options(dir)).expect("the store opens after every crash");
        let there = store.clients().await.expect("the clients");
        for id in CLIENTS.into_iter().filter(|id| there.iter().all(|client| client.id != *id)) {
            let made = Op::PutClient(Client { id, revision: 0, ..there[0].clone() });
            store.commit(vec![made]).await.expect("the client is made");
        }
        let store: Arc<dyn Store> =
            Arc::new(Jittery { store, random: Mutex::new(faults), calm: Cell64::default() });
        let mint = self.random.next();
        let minted = AtomicU64::new(0);
        let dispatch = Dispatch::start(Surroundings {
            store: Arc::clone(&store),
            transport: Arc::new(self.network.clone()),
            clock: Clock::at(Duration::from_millis(now_ms())),
            bounds: Bounds::default(),
            names: Names::default(),
            clients: Clients::default(),
            deliveries: Deliveries::default(),
            details: None,
            mint: Box::new(move || {
                WebhookId(format!("msg_{mint:016x}{:016x}", minted.fetch_add(1, Ordering::Relaxed)).into())
            }),
        })
        .await
        .expect("the dispatch starts");
        if self.known.is_empty() {
            self.create(&*store, &dispatch, true).await;
        }
        for _ in 0..steps {
            let pause = match self.random.below(12) {
                0 => self.random.millis(60_000, 7_200_000),
                1 | 2 => self.random.millis(1_000, 40_000),
                _ => self.random.millis(0, 200),
            };
            tokio::time::sleep(pause).await;
            if self.random.one_in(3) {
                self.tell(&dispatch);
            }
            self.step(&*store, &dispatch).await;
        }
        if last {
            self.tell(&dispatch);
            self.settle(&*store, &dispatch).await;
            check::all(self, &*store).await;
            dispatch.stop(Duration::from_secs(10)).await;
        }
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if self.trace {
            eprintln!("{:>12} ms  {}", now_ms() - BEGIN_MS, what());
        }
    }

    async fn step(&mut self, store: &dyn Store, dispatch: &Dispatch) {
        match self.random.below(20) {
            0 if self.known.len() < 6 => self.create(store, dispatch, false).await,
            1 | 7 => self.change_mood(),
            2 => self.edit(store, dispatch, Edit::Kinds).await,
            3 => self.edit(store, dispatch, Edit::Transport).await,
            4 => self.edit(store, dispatch, Edit::Content).await,
            5 => self.edit(store, dispatch, Edit::Activity).await,
            8 => self.edit(store, dispatch, Edit::Filter).await,
            6 if self.random.one_in(4) => self.delete(store, dispatch).await,
            _ => self.append(store).await,
        }
    }

    async fn append(&mut self, store: &dyn Store) {
        let count = self.random.between(1, 30);
        let client = *self.random.pick(&CLIENTS);
        let mut events = Vec::new();
        let mut sent = Vec::new();
        for _ in 0..count {
            let kind = *self.random.pick(&KINDS);
            let n = (self.sent.len() + sent.len()) as u64;
            events.push(event(client, kind, n));
            let known = || self.known.iter().filter(|known| known.client == client && !known.deleted);
            sent.push(Sent {
                n,
                client,
                kind,
                appended_ms: 0,
                expected: known()
                    .filter(|known| known.active && known.ticked.contains(&kind))
                    .map(|known| known.id)
                    .collect(),
                forbidden: known()
                    .filter(|known| !known.ticked.contains(&kind))
                    .map(|known| known.id)
                    .collect(),
            });
        }
        let append = Append { events, deduplicate: false, checkpoint: None };
        // Couriers see an event when it is durable, which is before its sender hears so.
        let appended_ms = now_ms();
        match store.commit(vec![Op::Append(append)]).await {
            Ok(_) => {
                self.say(|| {
                    format!("appended {count} events of client {client}, to {}", sent[sent.len() - 1].n)
                });
                for sent in &mut sent {
                    sent.appended_ms = appended_ms;
                }
                self.sent.extend(sent);
            }
            Err(error) => self.say(|| format!("append refused: {error}")),
        }
    }

    fn change_mood(&mut self) {
        let Some(id) = self.anyone() else { return };
        let mood = *self.random.pick(&[
            Mood::Well,
            Mood::Flaky,
            Mood::Flaky,
            Mood::Hanging,
            Mood::Down,
            Mood::Refusing,
            Mood::Strained(400),
        ]);
        self.say(|| format!("receiver {id} is {mood:?}"));
        self.network.set_mood(id, mood);
    }

    fn anyone(&mut self) -> Option<IntegrationId> {
        let ids: Vec<_> = self
            .known
            .iter()
            .filter(|known| !known.healthy && !known.deleted)
            .map(|known| known.id)
            .collect();
        (!ids.is_empty()).then(|| *self.random.pick(&ids))
    }

    async fn create(&mut self, store: &dyn Store, dispatch: &Dispatch, healthy: bool) {
        let client = *self.random.pick(&CLIENTS);
        let ticked: BTreeSet<Kind> =
            KINDS.into_iter().filter(|_| healthy || !self.random.one_in(4)).collect();
        let active = healthy || !self.random.one_in(5);
        let mut target = self.target();
        if healthy {
            target.rate = None;
        }
        let (in_flight, rate) = (target.in_flight, target.rate);
        let filter = self.filter();
        let new = NewIntegration {
            id: None,
            client,
            name: "simulated".to_owned(),
            active,
            created_at: now_ms() / 1000,
            created_by: "simulation".to_owned(),
            target,
            events: ticks(&ticked),
            filter: filter.clone(),
        };
        let Ok(done) = store.commit(vec![Op::CreateIntegration(new)]).await else { return };
        let [Done::Integration(integration)] = done.as_slice() else {
            panic!("answer to a creation: {done:?}")
        };
        let id = integration.id;
        dispatch.configured(id);
        self.say(|| format!("created {id} of client {client}, active: {active}, {ticked:?}, {filter:?}"));
        let filters = vec![(0, filter)];
        self.network.allow(id, in_flight);
        let in_order = in_flight == 1;
        let deleted = false;
        self.known.push(Known { id, client, ticked, filters, active, deleted, in_order, rate, healthy });
    }

    /// None for half of all, and else one that lets most, some, few or no events pass.
    fn filter(&mut self) -> Filter {
        let filter = *self.random.pick(&[
            "{}",
            "{}",
            "{}",
            "{}",
            r#"{"attack_types":["sqli","xss"]}"#,
            r#"{"attack_types":["xss"],"block_status":["blocked"],"risks":["critical"]}"#,
            r#"{"domains":["*.d37.example"]}"#,
            r#"{"applications":["nobody's"]}"#,
        ]);
        serde_json::from_str(filter).expect("a filter")
    }

    fn target(&mut self) -> Target {
        let random = &mut self.random;
        Target {
            format: *random.pick(&[Format::Json, Format::Jsonl]),
            retry: *random.pick(&[Preset::Patient, Preset::Original]),
            max_events: random.one_in(3).then(|| random.between(1, 7) as u32),
            rate: random.one_in(4).then(|| *random.pick(&[20, 120, 600])),
            in_flight: if random.one_in(2) { random.between(2, 16) as u8 } else { 1 },
            ..Target::new("https://receiver.example/hook", "whsec_c2ltdWxhdGVk")
        }
    }

    async fn edit(&mut self, store: &dyn Store, dispatch: &Dispatch, edit: Edit) {
        let Some(id) = self.anyone() else { return };
        let Ok(Some(mut integration)) = store.integration(id).await else { return };
        let index = self.known.iter().position(|known| known.id == id).expect("it is known");
        let mut ticked = self.known[index].ticked.clone();
        let mut active = integration.activity == Activity::Active;
        let mut resume = None;
        let mut filter = None;
        match edit {
            Edit::Kinds => {
                let kind = *self.random.pick(&KINDS);
                if !ticked.remove(&kind) {
                    ticked.insert(kind);
                }
                integration.events = ticks(&ticked);
            }
            Edit::Transport => {
                integration.target.timeout_s = self.random.between(1, 60) as u16;
                if !self.known[index].in_order {
                    integration.target.in_flight = self.random.between(1, 16) as u8;
                    self.network.allow(id, integration.target.in_flight);
                }
            }
            Edit::Content => {
                integration.target.format = match integration.target.format {
                    Format::Json => Format::Jsonl,
                    Format::Jsonl => Format::Json,
                };
            }
            Edit::Filter => {
                integration.filter = self.filter();
                filter = Some(integration.filter.clone());
            }
            Edit::Activity => {
                active = !active;
                resume = *self.random.pick(&[None, Some(Resume::Now), Some(Resume::Missed)]);
                integration.activity = if active { Activity::Active } else { Activity::DisabledByUser };
            }
        }
        let update = UpdateIntegration { integration, resume };
        let done = store.commit(vec![Op::UpdateIntegration(update)]).await;
        if self.random.one_in(3) {
            self.untold.insert(id);
        } else {
            dispatch.configured(id);
        }
        self.network.edited(id);
        match done {
            Ok(_) => {
                self.say(|| {
                    format!(
                        "edited {id}: {edit:?}, active: {active}, resume: {resume:?}, {ticked:?}, {filter:?}"
                    )
                });
                let next = self.sent.len() as u64;
                self.known[index].filters.extend(filter.map(|filter| (next, filter)));
                self.known[index].ticked = ticked;
                self.known[index].active = active;
            }
            Err(StoreError::Conflict | StoreError::Unavailable(_)) => {}
            Err(error) => panic!("an edit of {id} failed: {error}"),
        }
    }

    /// Tells the dispatch of all edits that it has not heard of.
    fn tell(&mut self, dispatch: &Dispatch) {
        for id in std::mem::take(&mut self.untold) {
            dispatch.configured(id);
            self.network.edited(id);
        }
    }

    async fn delete(&mut self, store: &dyn Store, dispatch: &Dispatch) {
        let Some(id) = self.anyone() else { return };
        if store.commit(vec![Op::DeleteIntegration { id, revision: None }]).await.is_ok() {
            dispatch.configured(id);
            self.say(|| format!("deleted {id}"));
            if let Some(known) = self.known.iter_mut().find(|known| known.id == id) {
                known.deleted = true;
            }
        }
    }

    /// Faults stop, everybody is enabled, and time runs on until nothing is outstanding.
    async fn settle(&mut self, store: &dyn Store, dispatch: &Dispatch) {
        self.say(|| "the faults stop".to_owned());
        self.network.everybody_is_well();
        for _ in 0..200 {
            // Again each time: an answer that was under way when the faults stopped may still disable an integration.
            self.enable_everybody(store, dispatch).await;
            tokio::time::sleep(Duration::from_mins(30)).await;
            if self.outstanding(store, dispatch).await.is_none() {
                return;
            }
        }
        let outstanding = self.outstanding(store, dispatch).await;
        panic!("with every receiver well, this is still outstanding after 100 hours: {outstanding:?}");
    }

    async fn enable_everybody(&self, store: &dyn Store, dispatch: &Dispatch) {
        for known in self.known.iter().filter(|known| !known.deleted) {
            loop {
                let Ok(Some(mut integration)) = store.integration(known.id).await else { continue };
                if integration.activity == Activity::Active {
                    break;
                }
                self.say(|| format!("enabled {}, which was {:?}", known.id, integration.activity));
                integration.activity = Activity::Active;
                let update = UpdateIntegration { integration, resume: Some(Resume::Missed) };
                if store.commit(vec![Op::UpdateIntegration(update)]).await.is_ok() {
                    dispatch.configured(known.id);
                    self.network.edited(known.id);
                    break;
                }
            }
        }
    }

    async fn outstanding(&self, store: &dyn Store, dispatch: &Dispatch) -> Option<String> {
        for known in self.known.iter().filter(|known| !known.deleted) {
            let status = dispatch.status(known.id).await;
            let idle = status.as_ref().is_some_and(|status| {
                status.lanes.values().all(|lane| lane.state == "caught_up" && lane.open.is_empty())
            });
            if !idle {
                return Some(format!("{}: {status:?}", known.id));
            }
            let Ok(Some(saved)) = store.saved(known.id).await else { return Some("no answer".to_owned()) };
            for lane in Lane::LIVE {
                let streams = check::streams(known, lane, store).await;
                let head = store.head().now();
                let lag = store.lag(streams, saved.lanes[lane].cursor, head).await;
                match lag {
                    Ok(lag) if lag.events == 0 => {}
                    lag => return Some(format!("{} {lane}: {lag:?}, {saved:?}", known.id)),
                }
            }
        }
        None
    }
}

#[derive(Clone, Copy, Debug)]
enum Edit {
    Kinds,
    Transport,
    Content,
    Filter,
    Activity,
}

fn ticks(kinds: &BTreeSet<Kind>) -> Vec<Ticked> {
    kinds
        .iter()
        .map(|kind| Ticked { kind: *kind, active: true, with_headers: false, from: Seq::ZERO })
        .collect()
}

fn event(client: ClientId, kind: Kind, n: u64) -> Event {
    let urgent = kind.lane() == Lane::Urgent;
    let object_type = kind.object_type().name();
    Event {
        client,
        kind,
        id: EventId::from(format!("n{n}")),
        body: format!(
            r#"{{"n":{n},"urgent":{urgent},"domain":"a.d{}.example","type":"{}","block_status":"{}","object_type":"{object_type}"}}"#,
            n % 50,
            ["sqli", "xss", "rce"][(n % 3) as usize],
            ["monitored", "blocked"][(n % 2) as usize],
        )
        .into(),
    }
}

fn options(dir: &Path) -> Options {
    let options = Options::new(dir).with_simulated_clock(Arc::new(now_ms));
    // Each life goes on behind a gap, as after another process had taken over.
    Options { inline: true, secret_key: Some([7; 32]), unused_at_start: 1_000, ..options }
}

type Cell64 = std::sync::atomic::AtomicU64;

/// The real store, behind a disk that takes its time and sometimes refuses: between any two steps of a courier time
/// passes, so that a crash can fall there.
struct Jittery {
    store: SqliteStore,
    random: Mutex<Random>,
    calm: Cell64,
}

impl Jittery {
    async fn pause(&self) {
        let pause = self.random.lock().unwrap().below(4);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }

    fn refuses(&self) -> bool {
        // At most one refusal in a hundred operations, so that histories go on.
        let calm = self.calm.fetch_add(1, Ordering::Relaxed);
        let refuses = calm > 20 && self.random.lock().unwrap().one_in(100);
        if refuses {
            self.calm.store(0, Ordering::Relaxed);
        }
        refuses
    }
}

impl Store for Jittery {
    fn commit(&self, ops: Vec<Op>) -> Answer<'_, Vec<Done>> {
        Box::pin(async move {
            self.pause().await;
            if self.refuses() {
                return Err(StoreError::Unavailable("a simulated disk error".to_owned()));
            }
            if let [Op::Save(_, progress), ..] = ops.as_slice()
                && self.random.lock().unwrap().one_in(50)
            {
                // Another process loads the courier, and is gone before it saves anything.
                self.store.load_courier(progress.integration).await?;
            }
            let done = self.store.commit(ops).await;
            self.pause().await;
            done
        })
    }

    fn counts(&self) -> Arc<hitwire_store::Counts> {
        self.store.counts()
    }

    fn missing_files(&self) -> Vec<String> {
        self.store.missing_files()
    }

    fn file_figures(&self) -> Answer<'_, hitwire_store::Figures> {
        self.store.file_figures()
    }

    fn figures(&self) -> Answer<'_, hitwire_store::Figures> {
        self.store.figures()
    }

    fn close(&self) -> Answer<'_, ()> {
        self.store.close()
    }
}

impl Log for Jittery {
    fn read(&self, read: Read) -> Answer<'_, Page> {
        Box::pin(async move {
            self.pause().await;
            let page = self.store.read(read).await;
            self.pause().await;
            page
        })
    }

    fn follow(&self, after: Seq, max_events: usize, max_bytes: usize) -> Answer<'_, Page> {
        self.store.follow(after, max_events, max_bytes)
    }

    fn head(&self) -> Head {
        self.store.head()
    }

    fn touched(&self, after: Seq) -> Touched {
        self.store.touched(after)
    }

    fn lag(&self, streams: Vec<StreamFrom>, after: Seq, through: Seq) -> Answer<'_, Lag> {
        self.store.lag(streams, after, through)
    }

    fn behind_newest(&self, events: u64) -> Seq {
        self.store.behind_newest(events)
    }

    fn events_after(&self, after: Seq) -> u64 {
        self.store.events_after(after)
    }

    fn position_at(&self, appended_ms: u64) -> Answer<'_, Seq> {
        self.store.position_at(appended_ms)
    }

    fn position_aged(&self, age: Duration) -> Answer<'_, Seq> {
        self.store.position_aged(age)
    }

    fn checkpoint(&self, source: &str) -> Answer<'_, Option<Vec<u8>>> {
        let source = source.to_owned();
        Box::pin(async move { self.store.checkpoint(&source).await })
    }
}

impl Ledger for Jittery {
    fn load_courier(&self, id: IntegrationId) -> Answer<'_, Option<LoadedCourier>> {
        Box::pin(async move {
            self.pause().await;
            let loaded = self.store.load_courier(id).await;
            self.pause().await;
            loaded
        })
    }

    fn saved(&self, id: IntegrationId) -> Answer<'_, Option<Saved>> {
        Box::pin(async move {
            self.pause().await;
            self.store.saved(id).await
        })
    }

    fn attempts(&self, id: IntegrationId, before: Option<u64>, limit: usize) -> Answer<'_, Vec<AttemptRow>> {
        self.store.attempts(id, before, limit)
    }

    fn attempts_after(&self, after: u64, limit: usize) -> Answer<'_, Vec<(IntegrationId, AttemptRow)>> {
        self.store.attempts_after(after, limit)
    }

    fn find_attempts(&self, query: AttemptQuery) -> Answer<'_, AttemptPage> {
        self.store.find_attempts(query)
    }

    fn attempt(&self, id: IntegrationId, number: u64) -> Answer<'_, Option<AttemptRow>> {
        self.store.attempt(id, number)
    }

    fn lost(&self, id: IntegrationId, before: Option<u64>, limit: usize) -> Answer<'_, Vec<LostRow>> {
        self.store.lost(id, before, limit)
    }

    fn replays(&self, id: IntegrationId) -> Answer<'_, Vec<Replay>> {
        self.store.replays(id)
    }

    fn replay(&self, id: IntegrationId, number: u32) -> Answer<'_, Option<Replay>> {
        self.store.replay(id, number)
    }

    fn moved(&self) -> watch::Receiver<Vec<hitwire_store::Moved>> {
        self.store.moved()
    }
}

impl Registry for Jittery {
    fn integrations(&self, range: IntegrationRange) -> Answer<'_, Vec<ListedIntegration>> {
        self.store.integrations(range)
    }

    fn integration_ids(&self, client: Option<ClientId>) -> Answer<'_, Vec<IntegrationId>> {
        self.store.integration_ids(client)
    }

    fn broken_integrations(&self, client: Option<ClientId>) -> Answer<'_, Vec<BrokenIntegration>> {
        self.store.broken_integrations(client)
    }

    fn integration_page(&self, query: IntegrationQuery) -> Answer<'_, IntegrationPage> {
        self.store.integration_page(query)
    }

    fn integration(&self, id: IntegrationId) -> Answer<'_, Option<Integration>> {
        Box::pin(async move {
            self.pause().await;
            self.store.integration(id).await
        })
    }

    fn token(&self, sha256: [u8; 32]) -> Answer<'_, Option<Token>> {
        self.store.token(sha256)
    }

    fn clients(&self) -> Answer<'_, Vec<Client>> {
        self.store.clients()
    }

    fn client_page(&self, after: ClientId, limit: usize) -> Answer<'_, Vec<Client>> {
        self.store.client_page(after, limit)
    }

    fn users(&self, client: Option<ClientId>) -> Answer<'_, Vec<User>> {
        self.store.users(client)
    }

    fn user(&self, id: UserId) -> Answer<'_, Option<User>> {
        self.store.user(id)
    }

    fn users_of_email(&self, email: &str) -> Answer<'_, Vec<User>> {
        let email = email.to_owned();
        Box::pin(async move { self.store.users_of_email(&email).await })
    }

    fn credential(&self, user: UserId) -> Answer<'_, Option<Credential>> {
        self.store.credential(user)
    }

    fn users_of_subject(&self, issuer: &str, subject: &str) -> Answer<'_, Vec<(ClientId, UserId)>> {
        let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
        Box::pin(async move { self.store.users_of_subject(&issuer, &subject).await })
    }

    fn anybody_signs_in(&self) -> Answer<'_, bool> {
        self.store.anybody_signs_in()
    }

    fn session(&self, sha256: [u8; 32]) -> Answer<'_, Option<(Session, User)>> {
        self.store.session(sha256)
    }

    fn sessions(&self, user: UserId) -> Answer<'_, Vec<Session>> {
        self.store.sessions(user)
    }

    fn link(&self, sha256: [u8; 32]) -> Answer<'_, Option<Link>> {
        self.store.link(sha256)
    }

    fn token_of_id(&self, id: TokenId) -> Answer<'_, Option<Token>> {
        self.store.token_of_id(id)
    }

    fn tokens(&self, client: Option<ClientId>) -> Answer<'_, Vec<Token>> {
        self.store.tokens(client)
    }

    fn applications(&self, client: ClientId) -> Answer<'_, Vec<Application>> {
        self.store.applications(client)
    }

    fn remembered(&self, name: &'static str) -> Answer<'_, Option<String>> {
        self.store.remembered(name)
    }

    fn activity(&self, query: ActivityQuery) -> Answer<'_, ActivityPage> {
        self.store.activity(query)
    }
}

impl Outbox for Jittery {
    fn outbox(&self, limit: usize) -> Answer<'_, Vec<(u64, Event)>> {
        self.store.outbox(limit)
    }

    fn announced(&self) -> watch::Receiver<u64> {
        self.store.announced()
    }
}
