//! Helpers that speak the domain.

use hitwire_courier::{Attempt, EndpointState, Progress, Verdict};
use hitwire_event::filter::Filter;
use hitwire_event::hit::{BlockStatus, Hit};
use hitwire_event::{ClientId, Event, IntegrationId, Lane, Seq, WebhookId};
use hitwire_index::{Bounds, Following, Index, Options};
use hitwire_store::{Append, Client, Done, NewIntegration, Op, SqliteStore, Store, Target};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

pub(crate) const ONE: ClientId = ClientId(1);
pub(crate) const TWO: ClientId = ClientId(2);

/// When the tests' clock begins: on the hour, so that what follows within it is of one hour.
pub(crate) const BEGIN_MS: u64 = 1_700_000_000_000 / 3_600_000 * 3_600_000;

/// A log, an index, and a clock that only the test moves.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    now_ms: Arc<AtomicU64>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bounds: Bounds,
    log_options: hitwire_store::Options,
}

impl World {
    pub(crate) fn new() -> Self {
        World::with(|_| {})
    }

    /// `change` sets up the log.
    pub(crate) fn with(change: impl FnOnce(&mut hitwire_store::Options)) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let now_ms = Arc::new(AtomicU64::new(BEGIN_MS));
        let clock = Arc::clone(&now_ms);
        let mut options = hitwire_store::Options::new(dir.path().join("log"))
            .with_simulated_clock(Arc::new(move || clock.load(Ordering::Relaxed)));
        options.inline = true;
        options.secret_key = Some([9; 32]);
        change(&mut options);
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options.clone()).expect("the store opens"));
        World { dir, now_ms, store, bounds: Bounds::default(), log_options: options }
    }

    /// The log is closed and opened again.
    pub(crate) fn restarted(self) -> Self {
        let World { dir, now_ms, store, bounds, log_options } = self;
        drop(store);
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(log_options.clone()).expect("it opens again"));
        World { dir, now_ms, store, bounds, log_options }
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.now_ms.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Opens the index in a directory of its own name.
    pub(crate) fn open(&self, name: &str) -> (Index, Following) {
        let data_dir = self.path().join(name);
        std::fs::create_dir_all(&data_dir).expect("a directory");
        let now_ms = Arc::clone(&self.now_ms);
        let options = Options {
            bounds: self.bounds,
            now_ms: Arc::new(move || now_ms.load(Ordering::Relaxed)),
            ..Options::new(data_dir)
        };
        Index::new(options, Arc::clone(&self.store) as _, Arc::clone(&self.store) as _)
    }

    /// The index, with everything in it.
    pub(crate) async fn indexed(&self, name: &str) -> Index {
        let (index, mut following) = self.open(name);
        following.catch_up().await.expect("indexed");
        following.finish().await;
        index
    }

    pub(crate) async fn append(&self, events: Vec<Event>) {
        self.commit(Op::Append(Append { events, ..Append::default() })).await;
    }

    pub(crate) async fn integration(&self, client: ClientId) -> IntegrationId {
        let clients = self.store.clients().await.expect("clients");
        if clients.iter().all(|there| there.id != client) {
            self.commit(Op::PutClient(Client { id: client, revision: 0, ..clients[0].clone() })).await;
        }
        match self.commit(Op::CreateIntegration(new_integration(client))).await {
            Done::Integration(integration) => integration.id,
            other => panic!("a creation was answered with {other:?}"),
        }
    }

    pub(crate) async fn attempted(&self, integration: IntegrationId, attempt: Attempt) {
        let step = Progress {
            integration,
            endpoint: EndpointState::default(),
            lanes: Vec::new(),
            attempts: vec![attempt],
            lost: Vec::new(),
            disable: None,
        };
        let loaded = self.store.load_courier(integration).await.expect("an answer").expect("it is there");
        self.commit(Op::Save(loaded.token, step)).await;
    }

    async fn commit(&self, op: Op) -> Done {
        self.store.commit(vec![op]).await.expect("the op is carried out").remove(0)
    }
}

/// A hit that differs from others by its number: types, domains, addresses and the rest come round at different paces.
pub(crate) fn hit(client: ClientId, number: u64) -> Event {
    Hit {
        domain: Some(["shop.example", "Blog.example", "api.example"][(number % 3) as usize].to_owned()),
        method: Some("GET".to_owned()),
        path: Some(format!("/page/{number}")),
        payloads: vec![format!("' or {number}=1")],
        remote_addr4: Some([192, 0, 2, (number % 5) as u8].into()),
        response_status: Some(if number.is_multiple_of(2) { 403 } else { 200 }),
        request_time: 1_600_000_000 + number,
        attack_type: ["sqli", "xss", "rce", "a-code-of-their-own"][(number % 4) as usize].into(),
        block_status: if number.is_multiple_of(2) { BlockStatus::Blocked } else { BlockStatus::Monitored },
        id: ["hits".to_owned(), format!("{client}-{number}")],
        ..Hit::default()
    }
    .to_event(client)
}

pub(crate) fn attempt(first: u64, last: u64, verdict: Verdict, ended_ms: u64) -> Attempt {
    Attempt {
        lane: Lane::Bulk,
        webhook_id: WebhookId(format!("msg_{first}").into()),
        number: 1,
        first: Seq(first),
        last: Seq(last),
        events: (last - first + 1) as u32,
        body_bytes: 900,
        started_ms: ended_ms - 20,
        took_us: 20_000,
        status: Some(200),
        verdict,
        address: None,
        error: None,
        body_sha256: Some([7; 32]),
        content_revision: Some(1),
    }
}

fn new_integration(client: ClientId) -> NewIntegration {
    NewIntegration {
        id: None,
        client,
        name: "a webhook".to_owned(),
        active: true,
        created_at: BEGIN_MS / 1_000,
        created_by: "admin@example.com".to_owned(),
        target: Target::new("https://receiver.example/", "whsec_a"),
        events: Vec::new(),
        filter: Filter::default(),
    }
}
