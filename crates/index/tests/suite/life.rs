//! Made, killed, damaged, thrown away, bounded.

use crate::support::{ONE, TWO, World, attempt, hit};
use hitwire_courier::Verdict;
use hitwire_event::{ClientId, Seq};
use hitwire_index::{Bounds, Index, Options, Search};
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value;
use std::sync::Arc;
use std::time::Duration;

/// All that is in the file, but for how it is being written.
fn content(world: &World, name: &str) -> Vec<(String, Vec<Vec<Value>>)> {
    let connection = Connection::open(world.path().join(name).join("index.db")).expect("opened");
    let mut tables = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        .expect("prepared");
    let tables: Vec<String> =
        tables.query_map([], |row| row.get(0)).expect("read").collect::<Result<_, _>>().expect("read");
    tables
        .into_iter()
        .map(|table| {
            let condition = if table == "meta" { "WHERE name NOT IN ('boot', 'oldest')" } else { "" };
            let mut rows =
                connection.prepare(&format!("SELECT * FROM {table} {condition}")).expect("prepared");
            let columns = rows.column_count();
            let rows = rows.query_map([], |row| (0..columns).map(|column| row.get(column)).collect());
            let mut rows: Vec<Vec<Value>> = rows.expect("read").collect::<Result<_, _>>().expect("read");
            rows.sort_by_key(|row| format!("{row:?}"));
            (table, rows)
        })
        .collect()
}

async fn count(world: &World, name: &str, client: ClientId) -> usize {
    let index = world.indexed(name).await;
    index.search(Search { client, limit: 1_000, ..Search::default() }).await.expect("an answer").events.len()
}

#[derive(Clone, Debug)]
enum Step {
    Append(u64),
    Attempt(u64),
    Pass(u64),
    Index,
    Kill,
    Stop,
    ThrowAway,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_u64..40).prop_map(Step::Append),
        (1_u64..40).prop_map(Step::Attempt),
        (1_u64..3_000).prop_map(Step::Pass),
        Just(Step::Index),
        Just(Step::Kill),
        Just(Step::Stop),
        Just(Step::ThrowAway),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_killed_when_the_content_is_that_of_a_new_index(steps in prop::collection::vec(step(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new();
            world.bounds.volume = 16;
            world.bounds.event_volumes = 1_000;
            world.bounds.attempt_volumes = 1_000;
            let id = world.integration(ONE).await;
            let mut following = Some(world.open("index").1);
            let mut number = 0;
            for step in steps {
                match step {
                    Step::Append(events) => {
                        let owner = |number: u64| if number.is_multiple_of(3) { TWO } else { ONE };
                        let events = number..number + events;
                        number = events.end;
                        world.append(events.map(|number| hit(owner(number), number)).collect()).await;
                    }
                    // Of an event that is there: without one it is not known how long it had waited.
                    Step::Attempt(last) if last <= number => {
                        let verdict = if last % 2 == 0 { Verdict::Delivered } else { Verdict::Sick };
                        world.attempted(id, attempt(last.saturating_sub(3).max(1), last, verdict, world.now_ms())).await;
                    }
                    Step::Attempt(_) => {}
                    Step::Pass(seconds) => world.pass(Duration::from_secs(seconds)),
                    Step::Index => {
                        following.as_mut().expect("open").catch_up().await.expect("indexed");
                    }
                    Step::Kill => {
                        drop(following.take());
                        following = Some(world.open("index").1);
                    }
                    Step::Stop => {
                        following.take().expect("open").finish().await;
                        following = Some(world.open("index").1);
                    }
                    Step::ThrowAway => {
                        drop(following.take());
                        std::fs::remove_dir_all(world.path().join("index")).expect("removed");
                        following = Some(world.open("index").1);
                    }
                }
            }
            let mut following = following.expect("open");
            following.catch_up().await.expect("indexed");
            following.finish().await;
            world.indexed("new").await;
            assert_eq!(content(&world, "index"), content(&world, "new"));
        });
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_gone_on_with_is_made_again() {
    let world = World::new();
    world.append((0..20).map(|number| hit(ONE, number)).collect()).await;
    world.indexed("index").await;
    let path = world.path().join("index").join("index.db");
    let change = |sql: &str| Connection::open(&path).expect("opened").execute_batch(sql).expect("changed");
    // A trace of the old content, to see whether it is gone.
    let trace = || change("UPDATE event_0 SET text = 'old'");
    let is_old = async || {
        let search = Search { client: ONE, text: Some("old".into()), limit: 1, ..Search::default() };
        !world.indexed("index").await.search(search).await.expect("an answer").events.is_empty()
    };
    trace();
    assert!(is_old().await, "a file that was closed well is gone on with");
    for damage in [
        "PRAGMA user_version = 0",
        "PRAGMA user_version = 99",
        "PRAGMA application_id = 1",
        "UPDATE meta SET value = 7 WHERE name = 'volume'",
        // It was in use when another boot ended.
        "UPDATE meta SET value = 'another boot' WHERE name = 'boot'",
    ] {
        trace();
        change(damage);
        assert!(!is_old().await, "{damage}");
        assert_eq!(count(&world, "index", ONE).await, 20);
    }
    for rubbish in [Vec::new(), vec![7; 100_000], std::fs::read(&path).expect("read")[..9_000].to_vec()] {
        std::fs::write(&path, rubbish).expect("written");
        assert_eq!(count(&world, "index", ONE).await, 20);
    }
}

#[tokio::test]
async fn a_table_that_is_lost_while_it_runs_is_found_and_all_is_made_again() {
    let world = World::new();
    world.append(vec![hit(ONE, 1)]).await;
    let (index, following) = world.open("index");
    let stop = tokio_util::sync::CancellationToken::new();
    let task = tokio::spawn(following.run(stop.clone()));
    let mut progress = index.progress();
    progress.wait_for(|progress| progress.indexed_to == Seq(1)).await.expect("indexed");
    Connection::open(world.path().join("index").join("index.db"))
        .expect("opened")
        .execute_batch("DROP TABLE event_0")
        .expect("dropped");
    world.append(vec![hit(ONE, 2)]).await;
    progress.wait_for(|progress| progress.indexed_to == Seq(2)).await.expect("indexed");
    let found = index.search(Search { client: ONE, limit: 9, ..Search::default() }).await.expect("an answer");
    assert_eq!(found.events.len(), 2);
    stop.cancel();
    task.await.expect("ended");
}

#[tokio::test]
async fn an_index_of_another_log_is_made_again() {
    let (one, other) = (World::new(), World::new());
    one.append((0..5).map(|number| hit(ONE, number)).collect()).await;
    other.append((100..120).map(|number| hit(ONE, number)).collect()).await;
    one.indexed("index").await;
    std::fs::create_dir_all(other.path().join("index")).expect("a directory");
    std::fs::copy(one.path().join("index/index.db"), other.path().join("index/index.db")).expect("copied");
    assert_eq!(count(&other, "index", ONE).await, 20);
    // And one that is ahead of its log.
    std::fs::copy(other.path().join("index/index.db"), one.path().join("index/index.db")).expect("copied");
    assert_eq!(count(&one, "index", ONE).await, 5);
}

#[tokio::test]
async fn what_left_the_log_leaves_the_index() {
    let mut world = World::with(|options| {
        options.slice_age = Duration::from_secs(10);
        options.retention_age = Duration::from_hours(1);
        // What is in memory is in the log still.
        options.tail_bytes = 0;
    });
    world.bounds.volume = 8;
    let append = async |from: u64, to: u64| {
        world.append((from..to).map(|number| hit(ONE, number)).collect()).await;
    };
    append(0, 20).await;
    world.pass(Duration::from_mins(1));
    append(20, 40).await;
    assert_eq!(count(&world, "index", ONE).await, 40);
    world.pass(Duration::from_secs(3_580));
    append(40, 45).await;
    let oldest = world.store.follow(Seq::ZERO, 1, 1).await.expect("a page").records[0].seq;
    assert_eq!(oldest, Seq(21), "the log let the first slice go");
    assert_eq!(count(&world, "index", ONE).await, 25);
    let path = world.path().join("index").join("index.db");
    let connection = Connection::open(path).expect("opened");
    let volumes: i64 = connection
        .query_row("SELECT min(number) FROM volume WHERE what = 1", [], |row| row.get(0))
        .expect("read");
    assert_eq!(volumes, 2, "positions 16 to 23; those before have no event left");
}

#[tokio::test]
async fn the_oldest_volumes_go_when_there_are_too_many() {
    let mut world = World::new();
    world.bounds = Bounds { volume: 16, event_volumes: 3, attempt_volumes: 2, ..world.bounds };
    let id = world.integration(ONE).await;
    let (index, mut following) = world.open("index");
    for round in 0..10 {
        world.append((0..16).map(|number| hit(ONE, round * 16 + number)).collect()).await;
        for _ in 0..10 {
            world
                .attempted(id, attempt(round * 16 + 1, round * 16 + 16, Verdict::Delivered, world.now_ms()))
                .await;
        }
        following.catch_up().await.expect("indexed");
    }
    following.catch_up().await.expect("indexed");
    let found =
        index.search(Search { client: ONE, limit: 1_000, ..Search::default() }).await.expect("an answer");
    assert_eq!(found.events.first().map(|event| event.seq), Some(Seq(160)));
    assert!((32..=48).contains(&found.events.len()), "{}", found.events.len());
    assert_eq!(index.spanning(vec![id], hitwire_event::Lane::Bulk, Seq(5)).await.expect("an answer"), [[]]);
    assert!(
        !index.spanning(vec![id], hitwire_event::Lane::Bulk, Seq(150)).await.expect("an answer")[0]
            .is_empty()
    );
}

#[tokio::test]
async fn whoever_is_far_behind_begins_where_the_index_would() {
    let mut world = World::new();
    world.append((0..500).map(|number| hit(ONE, number)).collect()).await;
    world.bounds = Bounds { volume: 16, event_volumes: 4, ..world.bounds };
    let index = world.indexed("index").await;
    let found =
        index.search(Search { client: ONE, limit: 1_000, ..Search::default() }).await.expect("an answer");
    assert_eq!((found.events.len(), found.events.last().map(|event| event.seq)), (48, Some(Seq(453))));
    assert_eq!(found.begins.map(|begins| begins.seq), Some(Seq(453)), "the log goes further back");
    let progress = index.progress();
    let progress = progress.borrow();
    assert_eq!((progress.indexed_to, progress.behind, progress.problem.is_none()), (Seq(500), 0, true));
}

#[tokio::test]
async fn gaps_of_the_log_cost_the_index_no_events() {
    let mut world = World::with(|options| options.unused_at_start = 10_000);
    world.bounds = Bounds { volume: 16, event_volumes: 4, ..world.bounds };
    for start in 0..4 {
        world.append((0..10).map(|number| hit(ONE, 10 * start + number)).collect()).await;
        // It follows each life of the log, and begins anew with the next.
        world.indexed("followed").await;
        world = world.restarted();
    }
    for name in ["followed", "made at the end"] {
        let index = world.indexed(name).await;
        let search = Search { client: ONE, limit: 1_000, ..Search::default() };
        let found = index.search(search).await.expect("an answer");
        assert_eq!(found.events.len(), 40, "{name}: as many as there are, which it could hold without gaps");
        assert_eq!(index.progress().borrow().behind, 0);
    }
    world.append((40..100).map(|number| hit(ONE, number)).collect()).await;
    let index = world.indexed("followed").await;
    let found =
        index.search(Search { client: ONE, limit: 1_000, ..Search::default() }).await.expect("an answer");
    assert!((48..=64).contains(&found.events.len()), "{}: the newest stay", found.events.len());
}

#[tokio::test]
async fn what_is_left_of_a_disk_is_for_the_log() {
    let world = World::new();
    world.append(vec![hit(ONE, 1)]).await;
    let data_dir = world.path().join("full");
    std::fs::create_dir_all(&data_dir).expect("a directory");
    let options = Options { disk_floor_bytes: u64::MAX / 4, ..Options::new(data_dir) };
    let (index, mut following) =
        Index::new(options, Arc::clone(&world.store) as _, Arc::clone(&world.store) as _);
    following.catch_up().await.expect("looked at");
    let progress = index.progress();
    let progress = progress.borrow();
    assert_eq!(progress.indexed_to, Seq::ZERO);
    assert!(progress.problem.as_deref().is_some_and(|words| words.contains("disk")), "{progress:?}");
}
