//! The processor with the real store, under simulated time: what a life appends and leaves, and how the next one goes on.

use super::*;
use hitwire_store::{Options, SqliteStore};
use std::path::Path;

/// A full hour, in milliseconds.
const NOON_MS: u64 = 1_700_006_400 / 3_600 * 3_600 * 1_000;

const HOUR: Duration = Duration::from_hours(1);

/// A store whose clock is the simulated one, from noon on.
fn store(dir: &Path, begun: Instant) -> Arc<dyn Store> {
    let now_ms = Arc::new(move || NOON_MS + begun.elapsed().as_millis() as u64);
    let options = Options::new(dir).with_simulated_clock(now_ms);
    let options = Options { inline: true, secret_key: Some([7; 32]), disk_floor_bytes: 0, ..options };
    Arc::new(SqliteStore::open(options).expect("opened"))
}

fn clock(begun: Instant) -> Clock {
    Clock::at(Duration::from_millis(NOON_MS) + begun.elapsed())
}

async fn processor(store: &Arc<dyn Store>, begun: Instant) -> Processor {
    Processor::open(Arc::clone(store), clock(begun), Intake::default()).await.expect("opened")
}

async fn send(store: &Arc<dyn Store>, client: u64, requests: u64, at_ms: u64, id: &str) {
    let counter = Counter { client: ClientId(client), requests, at: at_ms / 1_000 };
    let append = Append { events: vec![counter.to_event(id)], deduplicate: true, checkpoint: None };
    store.commit(vec![Op::Append(append)]).await.expect("appended");
}

/// Client, requests, hours after noon.
async fn told(store: &Arc<dyn Store>) -> Vec<(u64, u64, u64)> {
    let stream = |client| Stream { client: ClientId(client), kind: Kind::RequestsPerHour };
    let streams: Vec<_> =
        (1..=3).map(|client| StreamFrom { stream: stream(client), from: Seq::ZERO }).collect();
    let (mut records, mut after, mut more) = (Vec::new(), Seq::ZERO, true);
    while more {
        let streams = streams.clone();
        let read = Read { streams, after, through: None, max_events: 100, max_bytes: 1 << 20 };
        let page = store.read(read).await.expect("read");
        (after, more) = (page.scanned_to, page.more);
        records.extend(page.records);
    }
    let said = records.iter().map(|record| {
        let body: serde_json::Value = serde_json::from_str(&record.event.body).expect("JSON");
        let number = |name: &str| body[name].as_u64().expect("a number");
        (record.event.client.0, number("requests"), (number("time_from") - NOON_MS / 1_000) / 3_600)
    });
    said.collect()
}

/// Steps until there is nothing to do.
async fn settle(processor: &mut Processor) {
    while processor.step().await.expect("a step") == Next::Step {}
}

#[tokio::test(start_paused = true)]
async fn hours_are_told_by_themselves() {
    let dir = tempfile::tempdir().expect("a directory");
    let begun = Instant::now();
    let store = store(dir.path(), begun);
    let stop = CancellationToken::new();
    let running = tokio::spawn(processor(&store, begun).await.run(stop.clone()));
    send(&store, 1, 10, NOON_MS, "a").await;
    send(&store, 1, 10, NOON_MS, "a").await;
    send(&store, 2, 1, NOON_MS, "a").await;
    tokio::time::sleep(HOUR + Duration::from_secs(59)).await;
    assert_eq!(told(&store).await, []);
    send(&store, 1, 5, NOON_MS + 1_000, "b").await;
    tokio::time::sleep(LOOK_EVERY + Duration::from_secs(2)).await;
    assert_eq!(told(&store).await, [(1, 15, 0), (2, 1, 0)]);
    tokio::time::sleep(5 * HOUR).await;
    assert_eq!(told(&store).await, [(1, 15, 0), (2, 1, 0)], "no counter, no event");
    stop.cancel();
    running.await.expect("ended");
}

#[tokio::test(start_paused = true)]
async fn a_life_that_ends_between_any_two_steps_loses_nothing_and_doubles_nothing() {
    for steps in 0..6 {
        let dir = tempfile::tempdir().expect("a directory");
        let begun = Instant::now();
        let opened = store(dir.path(), begun);
        let mut first = processor(&opened, begun).await;
        for (number, client) in [1, 2, 1, 3].into_iter().enumerate() {
            send(&opened, client, 10, NOON_MS, &number.to_string()).await;
        }
        settle(&mut first).await;
        send(&opened, 1, 1, NOON_MS + 5_000, "later").await;
        tokio::time::sleep(HOUR + Duration::from_secs(61)).await;
        for _ in 0..steps {
            first.step().await.expect("a step");
        }
        // Killed: what is in memory is gone.
        drop(first);
        drop(opened);
        let opened = store(dir.path(), begun);
        let mut second = processor(&opened, begun).await;
        settle(&mut second).await;
        assert_eq!(told(&opened).await, [(1, 21, 0), (2, 10, 0), (3, 10, 0)], "after {steps} steps");
    }
}

#[tokio::test(start_paused = true)]
async fn hours_that_passed_while_it_was_down_are_told_at_the_start() {
    let dir = tempfile::tempdir().expect("a directory");
    let begun = Instant::now();
    let opened = store(dir.path(), begun);
    send(&opened, 1, 1, NOON_MS, "a").await;
    tokio::time::sleep(HOUR).await;
    send(&opened, 1, 2, NOON_MS + 3_600_000, "b").await;
    drop(opened);
    tokio::time::sleep(7 * HOUR).await;
    let opened = store(dir.path(), begun);
    let mut late = processor(&opened, begun).await;
    settle(&mut late).await;
    assert_eq!(told(&opened).await, [(1, 1, 0), (1, 2, 1)]);
    // Counters of an hour that is told count in the one that runs.
    send(&opened, 1, 4, NOON_MS, "c").await;
    tokio::time::sleep(HOUR + Duration::from_mins(1)).await;
    settle(&mut late).await;
    assert_eq!(told(&opened).await, [(1, 1, 0), (1, 2, 1), (1, 4, 8)]);
}

#[tokio::test(start_paused = true)]
async fn the_state_is_kept_between_hours() {
    let dir = tempfile::tempdir().expect("a directory");
    let begun = Instant::now();
    let opened = store(dir.path(), begun);
    let mut first = processor(&opened, begun).await;
    send(&opened, 1, 1, NOON_MS, "a").await;
    settle(&mut first).await;
    assert_eq!(opened.checkpoint(CHECKPOINT).await.expect("read"), None);
    tokio::time::sleep(KEEP_EVERY).await;
    settle(&mut first).await;
    let second = processor(&opened, begun).await;
    assert_eq!(second.hours, first.hours);
    assert_eq!(second.hours.cursor(), Seq(1));
}
