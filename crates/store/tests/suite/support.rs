//! Helpers that speak the domain.

use hitwire_courier::{
    Attempt, EndpointState, LaneState, LostRange, LostReason, OpenBatch, Progress, Unsettled, Verdict,
};
use hitwire_event::filter::Filter;
use hitwire_event::{
    ClientId, Event, EventId, IntegrationId, Kind, Lane, Record, Risk, Seq, Stream, WebhookId,
};
use hitwire_store::{
    Activity, Append, Appended, Client, CourierToken, Done, HttpVersion, Integration, IntegrationRange,
    NewIntegration, Op, Options, PreviousSecret, Read, Secret, SqliteStore, Store, StreamFrom, Target,
    Ticked, UpdateIntegration,
};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

pub(crate) const ONE: ClientId = ClientId(1);
pub(crate) const TWO: ClientId = ClientId(2);
pub(crate) const HIGH: Kind = Kind::Vulnerability(Risk::High);

/// When the tests' clock begins, milliseconds since the epoch.
pub(crate) const BEGIN_MS: u64 = 1_700_000_000_000;

/// A place where a store can be opened, closed and opened again.
pub(crate) trait Backend {
    /// Opens the store that is kept here.
    fn open(&self) -> Box<dyn Store>;
    /// Lets time go by.
    fn pass(&self, time: Duration);
}

/// The embedded store in a directory of its own, under a clock that only the test moves.
pub(crate) struct Bench {
    pub(crate) dir: TempDir,
    pub(crate) inline: bool,
    now_ms: Arc<AtomicU64>,
}

impl Bench {
    pub(crate) fn new(inline: bool) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Bench { dir, inline, now_ms: Arc::new(AtomicU64::new(BEGIN_MS)) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn options(&self) -> Options {
        let clock = self.now_ms.clone();
        let mut options =
            Options::new(self.path()).with_simulated_clock(Arc::new(move || clock.load(Ordering::Relaxed)));
        options.inline = self.inline;
        options.secret_key = Some([9; 32]);
        options
    }

    pub(crate) fn start(&self) -> SqliteStore {
        SqliteStore::open(self.options()).expect("the store opens")
    }
}

impl Backend for Bench {
    fn open(&self) -> Box<dyn Store> {
        Box::new(self.start())
    }

    fn pass(&self, time: Duration) {
        self.now_ms.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
    }
}

pub(crate) fn event(client: ClientId, kind: Kind, id: &str, content: &str) -> Event {
    Event { client, kind, id: EventId::from(id), body: format!("{{\"content\":\"{content}\"}}").into() }
}

/// Letters that do not shrink much, the same ones for the same seed.
pub(crate) fn noise(seed: u64, length: usize) -> String {
    let mut state = seed;
    let letter = || {
        // splitmix64
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        char::from(b'0' + ((mixed >> 32) % 75) as u8)
    };
    std::iter::repeat_with(letter).filter(|letter| *letter != '\\').take(length).collect()
}

/// Numbered hits of client one.
pub(crate) fn hits(numbers: impl IntoIterator<Item = u64>) -> Vec<Event> {
    numbers.into_iter().map(|n| event(ONE, Kind::Hit, &format!("hit-{n}"), &n.to_string())).collect()
}

pub(crate) fn stream(client: ClientId, kind: Kind) -> StreamFrom {
    StreamFrom { stream: Stream { client, kind }, from: Seq(1) }
}

pub(crate) async fn append(store: &dyn Store, events: Vec<Event>) -> Appended {
    append_with(store, Append { events, ..Append::default() }).await
}

pub(crate) async fn append_once(store: &dyn Store, events: Vec<Event>) -> Appended {
    append_with(store, Append { events, deduplicate: true, checkpoint: None }).await
}

pub(crate) async fn append_with(store: &dyn Store, append: Append) -> Appended {
    match commit(store, Op::Append(append)).await {
        Done::Appended(appended) => appended,
        other => panic!("an append was answered with {other:?}"),
    }
}

pub(crate) async fn commit(store: &dyn Store, op: Op) -> Done {
    let mut done = store.commit(vec![op]).await.expect("the op is carried out");
    assert_eq!(done.len(), 1);
    done.remove(0)
}

/// Everything of these streams, page by page.
pub(crate) async fn read_all(store: &dyn Store, streams: Vec<StreamFrom>) -> Vec<Arc<Record>> {
    let mut records = Vec::new();
    let mut after = Seq::ZERO;
    loop {
        let read =
            Read { streams: streams.clone(), after, through: None, max_events: 1000, max_bytes: 1 << 20 };
        let page = store.read(read).await.expect("a page");
        records.extend(page.records);
        if !page.more {
            return records;
        }
        assert!(page.scanned_to > after, "a read gets on");
        after = page.scanned_to;
    }
}

pub(crate) fn ids(records: &[Arc<Record>]) -> Vec<&str> {
    records.iter().map(|record| record.event.id.as_str()).collect()
}

pub(crate) fn ticked(kinds: &[Kind]) -> Vec<Ticked> {
    kinds.iter().map(|&kind| Ticked { kind, active: true, with_headers: false, from: Seq::ZERO }).collect()
}

pub(crate) fn target() -> Target {
    Target {
        headers: vec![("authorization".to_owned(), Secret::new("Bearer header-is-secret"))],
        http_version: HttpVersion::Http1,
        proxy: Some("socks5://proxy.example.com:1080".to_owned()),
        proxy_credentials: Some(Secret::new("user:s3cret-proxy")),
        max_bytes: Some(1000),
        client_cert: "-----BEGIN CERTIFICATE-----".to_owned(),
        client_key: Some(Secret::new("client-key-is-secret")),
        pins: vec![[7; 32]],
        rate: Some(60),
        previous_secret: Some(PreviousSecret {
            secret: Secret::new("whsec_previous-is-secret"),
            expires_at: BEGIN_MS / 1000,
        }),
        signing_key: Some(Secret::new("whsk_key-is-secret")),
        ..Target::new("https://receiver.example/path-is-secret?and=query-too", "whsec_signing-is-secret")
    }
}

pub(crate) fn new_integration(client: ClientId, kinds: &[Kind]) -> NewIntegration {
    NewIntegration {
        id: None,
        client,
        name: "a webhook".to_owned(),
        active: true,
        created_at: BEGIN_MS / 1000,
        created_by: "admin@example.com".to_owned(),
        target: target(),
        events: ticked(kinds),
        filter: Filter::default(),
    }
}

/// Makes a client, unless it is there.
pub(crate) async fn make_client(store: &dyn Store, id: ClientId) {
    let clients = store.clients().await.expect("clients");
    if clients.iter().all(|client| client.id != id) {
        let client = Client { id, revision: 0, ..clients[0].clone() };
        commit(store, Op::PutClient(client)).await;
    }
}

/// Creates an integration; its client is made if it is not there.
pub(crate) async fn create(store: &dyn Store, client: ClientId, kinds: &[Kind]) -> Integration {
    create_from(store, new_integration(client, kinds)).await
}

/// The same of settings of a test's own.
pub(crate) async fn create_from(store: &dyn Store, new: NewIntegration) -> Integration {
    make_client(store, new.client).await;
    match commit(store, Op::CreateIntegration(new)).await {
        Done::Integration(integration) => *integration,
        other => panic!("a creation was answered with {other:?}"),
    }
}

pub(crate) async fn update(store: &dyn Store, integration: Integration) -> Integration {
    update_with(store, UpdateIntegration { integration, resume: None }).await
}

pub(crate) async fn update_with(store: &dyn Store, change: UpdateIntegration) -> Integration {
    match commit(store, Op::UpdateIntegration(change)).await {
        Done::Integration(integration) => *integration,
        other => panic!("an update was answered with {other:?}"),
    }
}

pub(crate) async fn disable(store: &dyn Store, mut integration: Integration) -> Integration {
    integration.activity = Activity::DisabledByUser;
    update(store, integration).await
}

pub(crate) fn progress(integration: IntegrationId) -> Progress {
    Progress {
        integration,
        endpoint: EndpointState(serde_json::json!({"failures": 3})),
        lanes: Vec::new(),
        attempts: Vec::new(),
        lost: Vec::new(),
        disable: None,
    }
}

/// Saves a step as whoever has just loaded the courier.
pub(crate) async fn save(store: &dyn Store, step: Progress) {
    let op = Op::Save(loaded(store, step.integration).await, step);
    assert!(matches!(commit(store, op).await, Done::Saved));
}

/// Loads a courier: the right to save its steps.
pub(crate) async fn loaded(store: &dyn Store, id: IntegrationId) -> CourierToken {
    store.load_courier(id).await.expect("an answer").expect("the integration is there").token
}

pub(crate) fn lane_at(cursor: u64) -> LaneState {
    LaneState { cursor: Seq(cursor), open: Vec::new() }
}

/// A stretch of a client's integrations, none of them broken.
pub(crate) async fn integrations(store: &dyn Store, range: IntegrationRange) -> Vec<Integration> {
    let listed = store.integrations(range).await.expect("an answer");
    listed.into_iter().map(|integration| integration.expect("it is whole")).collect()
}

pub(crate) async fn save_cursor(store: &dyn Store, id: IntegrationId, lane: Lane, cursor: u64) {
    let step = Progress { lanes: vec![(lane, lane_at(cursor))], ..progress(id) };
    save(store, step).await;
}

pub(crate) fn open_batch(first: u64, last: u64) -> OpenBatch {
    OpenBatch {
        first: Seq(first),
        last: Seq(last),
        through: Seq(last),
        events: (last - first + 1) as u32,
        webhook_id: WebhookId(format!("msg_{first:032}").into()),
        content_revision: 1,
        body_bytes: 100,
        body_sha256: [first as u8; 32],
        tries: 2,
    }
}

/// An open batch with a refusal. `behind`: so many events behind it are settled.
pub(crate) fn unsettled(first: u64, last: u64, behind: u64) -> Unsettled {
    let batch = OpenBatch { through: Seq(last + behind), ..open_batch(first, last) };
    Unsettled { batch, settled_behind: behind, refusal: Some(serde_json::json!({"at": first})) }
}

pub(crate) fn attempt(number: u32) -> Attempt {
    Attempt {
        lane: Lane::Bulk,
        webhook_id: WebhookId("msg_1".into()),
        number,
        first: Seq(1),
        last: Seq(9),
        events: 9,
        body_bytes: 900,
        started_ms: BEGIN_MS + u64::from(number),
        took_us: 1500,
        status: number.is_multiple_of(2).then_some(503),
        verdict: Verdict::Sick,
        address: Some("192.0.2.1:443".to_owned()),
        error: Some("503 Service Unavailable".to_owned()),
        body_sha256: Some([number as u8; 32]),
        content_revision: Some(3),
    }
}

pub(crate) fn lost_range(first: u64, last: u64) -> LostRange {
    LostRange {
        lane: Lane::Bulk,
        kinds: vec![Kind::Hit],
        first: Seq(first),
        last: Seq(last),
        events: last - first + 1,
        reason: LostReason::GaveUp,
        detail: "no success for 72 h".to_owned(),
    }
}
