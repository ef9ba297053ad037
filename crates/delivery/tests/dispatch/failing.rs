//! Local trouble: programming errors, and a process without file descriptors. Each costs what it must and no more.

use super::small_world::{append_hits, integration, surroundings};
use hitwire_courier::Reply;
use hitwire_delivery::transport::Sending;
use hitwire_delivery::{Clock, Delivery, Dispatch, Message, Transport};
use hitwire_endpoint::Cause;
use hitwire_event::IntegrationId;
use hitwire_store::{Integration, Options, SqliteStore, Store};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// What becomes of the first requests of an integration; the others are answered 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    /// The way out panics.
    Panic(u32),
    /// There is no file descriptor left.
    NoDescriptor(u32),
    Well,
}

/// A way out that fails at first, and when each integration's requests were made.
#[derive(Default)]
struct Way {
    first: Mutex<HashMap<IntegrationId, First>>,
    sent: Mutex<Vec<(IntegrationId, Instant)>>,
}

impl Way {
    fn sent(&self, id: IntegrationId) -> Vec<Instant> {
        self.sent.lock().unwrap().iter().filter(|(of, _)| *of == id).map(|(_, at)| *at).collect()
    }
}

impl Transport for Way {
    fn send<'a>(&'a self, integration: &'a Integration, _: Message) -> Sending<'a> {
        Box::pin(async move {
            let id = integration.id;
            self.sent.lock().unwrap().push((id, Instant::now()));
            let first = self.first.lock().unwrap().get(&id).copied().unwrap_or(First::Well);
            let (next, cause) = match first {
                First::Panic(left @ 1..) => (First::Panic(left - 1), None),
                First::NoDescriptor(left @ 1..) => (First::NoDescriptor(left - 1), Some(Cause::Descriptors)),
                _ => (First::Well, None),
            };
            self.first.lock().unwrap().insert(id, next);
            assert!(!matches!(first, First::Panic(1..)), "on purpose");
            let reply = match cause {
                None => Reply::Complete { status: 200, retry_after: None },
                Some(_) => Reply::Incomplete,
            };
            let error = cause.map(|_| "no descriptor".to_owned());
            Delivery { reply, address: None, error, cause, exchange: None }
        })
    }
}

struct World {
    store: Arc<dyn Store>,
    way: Arc<Way>,
    dispatch: Dispatch,
    _dir: tempfile::TempDir,
}

impl World {
    async fn start() -> World {
        let dir = tempfile::tempdir().expect("a directory");
        let options = Options { inline: true, secret_key: Some([7; 32]), ..Options::new(dir.path()) };
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options).expect("opened"));
        let way = Arc::new(Way::default());
        let clock = Clock::at(Duration::from_hours(24 * 20_454));
        let surroundings = surroundings(&store, Arc::clone(&way) as Arc<dyn Transport>, clock);
        let dispatch = Dispatch::start(surroundings).await.expect("started");
        World { store, way, dispatch, _dir: dir }
    }

    async fn integration(&self, first: First) -> IntegrationId {
        let integration = integration(&*self.store, |_| {}).await;
        self.way.first.lock().unwrap().insert(integration.id, first);
        self.dispatch.configured(integration.id);
        integration.id
    }

    async fn hit(&self) {
        append_hits(&*self.store, 1).await;
    }

    /// Waits until the integration has nothing left to do, in simulated time.
    async fn until_delivered(&self, id: IntegrationId) {
        loop {
            let head = self.store.head().now();
            let status = self.dispatch.status(id).await;
            if status.is_some_and(|status| status.lanes.values().any(|lane| lane.cursor == head)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn attempts(&self, id: IntegrationId) -> usize {
        self.store.attempts(id, None, 100).await.expect("read").len()
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_one_integrations_delivery_costs_that_integration_a_wait_and_nobody_else() {
    let world = World::start().await;
    let failing = world.integration(First::Panic(3)).await;
    let well = world.integration(First::Well).await;
    world.hit().await;
    world.until_delivered(well).await;
    assert_eq!(world.way.sent(well).len(), 1);
    world.until_delivered(failing).await;
    let sent = world.way.sent(failing);
    assert!(world.way.sent(well)[0] < sent[1], "the other one did not wait for it");
    let waits: Vec<_> = sent.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert_eq!(waits, [6, 7, 9], "it is built again from what was saved, after waits that grow");
    assert!(world.dispatch.is_running());
    world.dispatch.stop(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_for_which_there_is_no_descriptor_is_made_later_and_is_no_failure_of_the_endpoint() {
    let world = World::start().await;
    let id = world.integration(First::NoDescriptor(5)).await;
    world.hit().await;
    world.until_delivered(id).await;
    assert_eq!(world.way.sent(id).len(), 6);
    assert_eq!(world.attempts(id).await, 1, "only the request that could be made is an attempt");
    let status = world.dispatch.status(id).await.expect("known");
    assert_eq!(status.failures_in_a_row, 0);
    world.dispatch.stop(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_descriptors() {
    let world = World::start().await;
    let id = world.integration(First::NoDescriptor(u32::MAX)).await;
    world.hit().await;
    while world.way.sent(id).len() < 3 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.dispatch.stop(Duration::from_secs(1)).await;
    assert!(!world.dispatch.is_running());
}
