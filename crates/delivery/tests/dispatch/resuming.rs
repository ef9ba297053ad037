//! A start goes on with what was saved: it is no edit.

use super::small_world::{append_hits, integration, surroundings};
use hitwire_courier::{LostReason, Preset, Reply};
use hitwire_delivery::transport::Sending;
use hitwire_delivery::{Clock, Delivery, Dispatch, Message, Transport};
use hitwire_event::{IntegrationId, Lane, Seq};
use hitwire_store::{Integration, Options, SqliteStore, Store};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// 2026-01-01.
const BEGIN: Duration = Duration::from_hours(24 * 20_454);

/// A request that a receiver got.
#[derive(Clone, Copy, Debug)]
struct Got {
    integration: IntegrationId,
    at: Instant,
    bytes: usize,
}

/// What receivers answer to a body of so many bytes.
type Answer = fn(usize) -> Reply;

/// All receivers, which answer alike.
struct Receivers {
    answer: Mutex<Answer>,
    got: Mutex<Vec<Got>>,
}

impl Receivers {
    fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// What came since the last time.
    fn take(&self) -> Vec<Got> {
        std::mem::take(&mut self.got.lock().unwrap())
    }
}

impl Transport for Receivers {
    fn send<'a>(&'a self, integration: &'a Integration, message: Message) -> Sending<'a> {
        Box::pin(async move {
            let got = Got { integration: integration.id, at: Instant::now(), bytes: message.body.len() };
            self.got.lock().unwrap().push(got);
            let reply = (*self.answer.lock().unwrap())(got.bytes);
            let error = (!matches!(reply, Reply::Complete { status: 200, .. })).then(|| "no".to_owned());
            Delivery { reply, address: None, error, cause: None, exchange: None }
        })
    }
}

fn ok(_: usize) -> Reply {
    Reply::Complete { status: 200, retry_after: None }
}

fn busy_for_two_minutes(_: usize) -> Reply {
    Reply::Complete { status: 503, retry_after: Some(Duration::from_mins(2)) }
}

fn down(_: usize) -> Reply {
    Reply::Incomplete
}

fn refusing(_: usize) -> Reply {
    Reply::Complete { status: 500, retry_after: Some(Duration::from_mins(2)) }
}

fn small(bytes: usize) -> Reply {
    Reply::Complete { status: if bytes > 1_000 { 413 } else { 200 }, retry_after: None }
}

/// One data directory and one network, for several lives of the process.
struct World {
    dir: tempfile::TempDir,
    began: Instant,
    receivers: Arc<Receivers>,
}

/// One life.
struct Life {
    store: Arc<dyn Store>,
    dispatch: Dispatch,
}

impl World {
    fn new(answer: Answer) -> World {
        let receivers = Receivers { answer: Mutex::new(answer), got: Mutex::default() };
        let dir = tempfile::tempdir().expect("a directory");
        World { dir, began: Instant::now(), receivers: Arc::new(receivers) }
    }

    async fn start(&self) -> Life {
        let store: Arc<dyn Store> = Arc::new(open(self.dir.path(), self.began));
        let clock = Clock::at(BEGIN + self.began.elapsed());
        let way = Arc::clone(&self.receivers) as Arc<dyn Transport>;
        let dispatch = Dispatch::start(surroundings(&store, way, clock)).await.expect("started");
        Life { store, dispatch }
    }
}

fn open(dir: &Path, began: Instant) -> SqliteStore {
    let now_ms = move || (BEGIN + began.elapsed()).as_millis() as u64;
    let options = Options::new(dir).with_simulated_clock(Arc::new(now_ms));
    SqliteStore::open(Options { inline: true, secret_key: Some([7; 32]), ..options }).expect("opened")
}

impl Life {
    async fn integrations(&self, count: usize, preset: Preset) -> Vec<IntegrationId> {
        let mut ids = Vec::new();
        for _ in 0..count {
            let made = integration(&*self.store, |target| target.retry = preset).await;
            self.dispatch.configured(made.id);
            ids.push(made.id);
        }
        ids
    }

    async fn stop(self) {
        self.dispatch.stop(Duration::from_secs(1)).await;
        self.store.close().await.expect("closed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_keeps_the_waits_that_receivers_asked_for() {
    for answer in [busy_for_two_minutes as Answer, refusing] {
        let world = World::new(answer);
        let life = world.start().await;
        let ids = life.integrations(40, Preset::Patient).await;
        append_hits(&*life.store, 3).await;
        sleep(Duration::from_secs(1)).await;
        let before = world.receivers.take();
        assert_eq!(before.len(), ids.len());
        life.stop().await;
        sleep(Duration::from_secs(20)).await;

        let life = world.start().await;
        sleep(Duration::from_secs(200)).await;
        let after = world.receivers.take();
        for Got { integration, at, .. } in before {
            let next = after.iter().find(|got| got.integration == integration).expect("it is tried again");
            let waited = next.at - at;
            assert!(waited >= Duration::from_mins(2), "called again after {waited:?}");
            assert!(waited <= Duration::from_secs(133), "called again only after {waited:?}");
        }
        life.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn those_whose_waits_ran_out_while_it_was_stopped_are_called_one_after_the_other() {
    let world = World::new(busy_for_two_minutes);
    let life = world.start().await;
    let ids = life.integrations(40, Preset::Patient).await;
    append_hits(&*life.store, 3).await;
    sleep(Duration::from_secs(1)).await;
    world.receivers.take();
    life.stop().await;
    sleep(Duration::from_hours(3)).await;
    world.receivers.answer(ok);

    let started = Instant::now();
    let life = world.start().await;
    sleep(Duration::from_secs(10)).await;
    let mut called: Vec<_> = world.receivers.take().iter().map(|got| got.at - started).collect();
    called.sort_unstable();
    assert_eq!(called.len(), ids.len());
    let second = Duration::from_secs(1);
    let in_a_second = |from: Duration| called.iter().filter(|&&at| from <= at && at < from + second).count();
    let most = called.iter().map(|at| in_a_second(*at)).max();
    assert!(most < Some(20), "{most:?} within one second: {called:?}");
    assert!(called[ids.len() - 1] <= Duration::from_secs(6), "{called:?}");
    life.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_start_keeps_the_size_that_a_413_taught() {
    let world = World::new(small);
    let life = world.start().await;
    life.integrations(1, Preset::Patient).await;
    append_hits(&*life.store, 100).await;
    sleep(Duration::from_mins(1)).await;
    assert!(world.receivers.take().iter().any(|got| got.bytes > 1_000), "it has been learnt");
    life.stop().await;

    let life = world.start().await;
    append_hits(&*life.store, 100).await;
    sleep(Duration::from_mins(1)).await;
    let sizes: Vec<usize> = world.receivers.take().iter().map(|got| got.bytes).collect();
    assert!(!sizes.is_empty() && sizes.iter().all(|bytes| *bytes <= 1_000), "{sizes:?}");
    life.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_fails_over_large_batches_gets_smaller_ones() {
    fn internal_error(bytes: usize) -> Reply {
        Reply::Complete { status: if bytes > 1_000 { 500 } else { 200 }, retry_after: None }
    }
    fn reset(bytes: usize) -> Reply {
        if bytes > 1_000 { Reply::BrokenOff } else { ok(bytes) }
    }
    for answer in [internal_error as Answer, reset] {
        let world = World::new(answer);
        let life = world.start().await;
        let ids = life.integrations(1, Preset::Patient).await;
        append_hits(&*life.store, 400).await;
        sleep(Duration::from_mins(5)).await;
        let status = life.dispatch.status(ids[0]).await.expect("known");
        assert_eq!(status.lanes[Lane::Bulk].cursor, life.store.head().now(), "everything arrived");
        life.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_edit_ends_the_wait_that_a_start_has_kept() {
    let world = World::new(busy_for_two_minutes);
    let life = world.start().await;
    let ids = life.integrations(1, Preset::Patient).await;
    append_hits(&*life.store, 3).await;
    sleep(Duration::from_secs(1)).await;
    life.stop().await;

    let life = world.start().await;
    sleep(Duration::from_secs(1)).await;
    world.receivers.take();
    life.dispatch.configured(ids[0]);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.receivers.take().len(), 1, "the user wants to see whether it works now");
    life.stop().await;
}

#[tokio::test(start_paused = true)]
async fn events_that_waited_through_a_long_stop_are_not_given_up_for_their_age() {
    let world = World::new(down);
    let life = world.start().await;
    let ids = life.integrations(1, Preset::Original).await;
    append_hits(&*life.store, 1).await;
    sleep(Duration::from_mins(20)).await;
    append_hits(&*life.store, 100).await;
    sleep(Duration::from_mins(2)).await;
    life.stop().await;
    sleep(Duration::from_hours(8 * 24)).await;

    // Its schedule of 16 retries goes on and ends, about an hour after it began.
    let life = world.start().await;
    while life.store.lost(ids[0], None, 10).await.expect("read").is_empty() {
        sleep(Duration::from_secs(10)).await;
    }
    let lost = life.store.lost(ids[0], None, 10).await.expect("read");
    let range = &lost[0].range;
    assert_eq!((range.first, range.last, range.reason), (Seq(1), Seq(1), LostReason::GaveUp), "{lost:?}");
    world.receivers.answer(ok);
    sleep(Duration::from_hours(1)).await;
    assert_eq!(life.store.lost(ids[0], None, 10).await.expect("read").len(), 1, "the others arrived");
    life.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_test_that_was_delivered_ends_the_wait() {
    let world = World::new(busy_for_two_minutes);
    let life = world.start().await;
    let ids = life.integrations(1, Preset::Patient).await;
    append_hits(&*life.store, 3).await;
    sleep(Duration::from_secs(1)).await;
    world.receivers.take();
    life.dispatch.was_tested(ids[0], false);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.receivers.take().len(), 0);
    life.dispatch.was_tested(ids[0], true);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.receivers.take().len(), 1);
    life.stop().await;
}
