//! Retention: the limits hold, whoever hangs, and what is lost is on record.

use crate::support::{
    Backend, Bench, HIGH, ONE, TWO, append, attempt, commit, create, disable, event, hits, lane_at, loaded,
    noise, progress, read_all, save, save_cursor, stream, unsettled,
};
use hitwire_courier::{DisableReason, LaneState, LostReason, Progress};
use hitwire_event::{Kind, Lane, Seq};
use hitwire_store::{Ledger, Log, Op, Options, SqliteStore, Store, StoreError};
use std::path::Path;
use std::time::Duration;

const LIMIT_BYTES: u64 = 4 << 20;

fn log_bytes(directory: &Path) -> u64 {
    let files = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    let of_log = files.filter(|entry| entry.file_name().to_str().unwrap().starts_with("log-"));
    of_log.map(|entry| entry.metadata().map_or(0, |metadata| metadata.len())).sum()
}

/// Without a tail, so that what is read lies on the disk.
fn on_disk(bench: &Bench) -> Options {
    let mut options = bench.options();
    options.tail_bytes = 0;
    options
}

fn limited(bench: &Bench) -> Options {
    on_disk(bench).with_retention_bytes(LIMIT_BYTES)
}

/// A day of retention and slices of an hour; no limit by size.
fn aged(bench: &Bench) -> Options {
    let mut options = on_disk(bench);
    options.retention_age = Duration::from_hours(24);
    options
}

async fn append_some(store: &dyn Store, round: u64) {
    let numbers = round * 100..round * 100 + 100;
    let events = numbers.map(|n| event(ONE, Kind::Hit, &n.to_string(), &noise(n, 900))).collect();
    append(store, events).await;
}

/// A minute goes by, after which the keeper notes how far the log is.
async fn a_minute_later(bench: &Bench, store: &dyn Store) {
    bench.pass(Duration::from_mins(1));
    append(store, Vec::new()).await;
}

async fn first_position(store: &dyn Store) -> u64 {
    let records = read_all(store, vec![stream(ONE, Kind::Hit), stream(ONE, HIGH), stream(TWO, HIGH)]).await;
    records.first().map_or(0, |record| record.seq.0)
}

#[tokio::test]
async fn ten_times_the_limit_with_a_hanging_integration_stays_within_it_and_leaves_a_dead_range() {
    for inline in [false, true] {
        let bench = Bench::new(inline);
        let store = SqliteStore::open(limited(&bench)).unwrap();
        let hanging = create(&store, ONE, &[Kind::Hit]).await.id;
        let other_client = create(&store, TWO, &[Kind::Hit]).await.id;
        let (mut rounds, mut most) = (0, 0);
        while rounds * 100 * 1000 < 10 * LIMIT_BYTES {
            append_some(&store, rounds).await;
            rounds += 1;
            most = most.max(log_bytes(bench.path()));
        }
        assert!(most <= LIMIT_BYTES, "{most} bytes");
        assert!(most > LIMIT_BYTES / 3, "the space is made use of: {most} bytes");

        // Drop waits for what the keeper has begun.
        drop(store);
        let store = SqliteStore::open(limited(&bench)).unwrap();
        let first = first_position(&store).await;
        assert!(first > 1);
        let lost = store.lost(hanging, None, 10).await.unwrap();
        assert_eq!(lost.len(), 1, "as long as it hangs it is one range that grows");
        let range = &lost[0].range;
        assert_eq!((range.reason, range.lane), (LostReason::Retention, Lane::Bulk));
        assert_eq!(
            (range.first, range.last),
            (Seq(1), Seq(first - 1)),
            "every event is in the log or in the range"
        );
        assert_eq!(range.events, first - 1);
        assert!(range.detail.contains("4194304 bytes"), "{}", range.detail);
        let saved = store.saved(hanging).await.unwrap().unwrap();
        assert_eq!(saved.lanes[Lane::Bulk].cursor, Seq(first - 1));
        assert_eq!(store.lost(other_client, None, 10).await.unwrap(), []);
        assert_eq!(store.saved(other_client).await.unwrap().unwrap().lanes[Lane::Bulk].cursor, Seq(0));
    }
}

#[tokio::test]
async fn a_lane_whose_record_is_damaged_keeps_no_slice_and_goes_on_behind_it() {
    let bench = Bench::new(true);
    let store = SqliteStore::open(limited(&bench)).unwrap();
    let damaged = create(&store, ONE, &[Kind::Hit]).await.id;
    let well = create(&store, ONE, &[Kind::Hit]).await.id;
    let state = rusqlite::Connection::open(bench.path().join("state.db")).unwrap();
    state.execute("UPDATE courier SET bulk_open = x'ff' WHERE integration = ?1", [damaged.0 as i64]).unwrap();
    drop(state);
    assert!(store.load_courier(damaged).await.is_err());
    for round in 0..100 {
        append_some(&store, round).await;
    }
    drop(store);
    let store = SqliteStore::open(limited(&bench)).unwrap();
    let first = first_position(&store).await;
    assert!(first > 1, "the oldest slice went");
    for id in [damaged, well] {
        let lost = store.lost(id, None, 10).await.unwrap();
        assert_eq!((lost.len(), lost[0].range.first, lost[0].range.last), (1, Seq(1), Seq(first - 1)));
        let loaded = store.load_courier(id).await.unwrap().unwrap();
        assert_eq!(loaded.saved.lanes[Lane::Bulk].cursor, Seq(first - 1));
    }
}

#[tokio::test]
async fn an_unsettled_goes_with_its_events_and_couriers_are_told() {
    let bench = Bench::new(true);
    let store = SqliteStore::open(limited(&bench)).unwrap();
    let id = create(&store, ONE, &[Kind::Hit]).await.id;
    append_some(&store, 0).await;
    let lane = LaneState { cursor: Seq(0), open: vec![unsettled(1, 50, 0)] };
    let step = Progress { lanes: vec![(Lane::Bulk, lane)], ..progress(id) };
    let before = loaded(&store, id).await;
    commit(&store, Op::Save(before, step)).await;
    let mut moved = store.moved();
    moved.mark_unchanged();
    for round in 1..100 {
        append_some(&store, round).await;
    }
    assert!(moved.has_changed().unwrap());
    let lately: Vec<_> = moved.borrow_and_update().iter().map(|moved| moved.integration).collect();
    assert_eq!(lately, [id]);
    let saved = store.saved(id).await.unwrap().unwrap();
    let bulk = &saved.lanes[Lane::Bulk];
    assert!(bulk.cursor > Seq(0));
    assert_eq!(bulk.open, []);
    assert_eq!(saved.lanes[Lane::Urgent].cursor, Seq(0));
    // A late step of the courier does not bring the old state back.
    let late = LaneState { cursor: Seq(50), open: vec![unsettled(51, 60, 0)] };
    let step = Progress { lanes: vec![(Lane::Bulk, late)], attempts: vec![attempt(1)], ..progress(id) };
    let refused = store.commit(vec![Op::Save(before, step)]).await;
    assert_eq!(refused.unwrap_err(), StoreError::Overtaken);
    assert_eq!(store.saved(id).await.unwrap().unwrap().lanes[Lane::Bulk], *bulk);
}

#[tokio::test]
async fn old_slices_go_when_nobody_needs_them() {
    let bench = Bench::new(true);
    let mut options = aged(&bench);
    options.lag_age = Duration::from_hours(1000);
    let store = SqliteStore::open(options).unwrap();
    let served = create(&store, ONE, &[Kind::Hit]).await.id;
    append(&store, hits(1..=10)).await;
    save_cursor(&store, served, Lane::Bulk, 10).await;
    bench.pass(Duration::from_hours(2));
    append(&store, hits(11..=20)).await;
    bench.pass(Duration::from_hours(25));
    append(&store, hits(21..=30)).await;
    bench.pass(Duration::from_mins(2));
    append(&store, hits(31..=40)).await;
    assert_eq!(
        first_position(&store).await,
        11,
        "the first slice is old and served; the second is still needed"
    );
    save_cursor(&store, served, Lane::Bulk, 20).await;
    bench.pass(Duration::from_mins(2));
    append(&store, hits(41..=41)).await;
    assert_eq!(first_position(&store).await, 21);
    assert_eq!(store.lost(served, None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn an_integration_holds_old_slices_only_within_its_lag_budget() {
    for (lag_age, held) in [(Duration::from_hours(100), true), (Duration::from_hours(20), false)] {
        let bench = Bench::new(true);
        let mut options = aged(&bench);
        options.lag_age = lag_age;
        let store = SqliteStore::open(options).unwrap();
        let behind = create(&store, ONE, &[Kind::Hit]).await.id;
        append(&store, hits(1..=10)).await;
        a_minute_later(&bench, &store).await;
        bench.pass(Duration::from_hours(30));
        append(&store, hits(11..=20)).await;
        bench.pass(Duration::from_mins(2));
        append(&store, hits(21..=21)).await;
        assert_eq!(first_position(&store).await, if held { 1 } else { 11 });
        let lost = store.lost(behind, None, 10).await.unwrap();
        assert_eq!(lost.len(), usize::from(!held));
        if let Some(row) = lost.first() {
            assert_eq!((row.range.first, row.range.last, row.range.events), (Seq(1), Seq(10), 10));
            assert!(row.range.detail.contains("24 hours"), "{}", row.range.detail);
        }
    }
}

#[tokio::test]
async fn what_a_user_disabled_holds_nothing_and_what_hitwire_disabled_does() {
    for by_user in [true, false] {
        let bench = Bench::new(true);
        let mut options = aged(&bench);
        options.lag_age = Duration::from_hours(1000);
        let store = SqliteStore::open(options).unwrap();
        let integration = create(&store, ONE, &[Kind::Hit, HIGH]).await;
        let id = integration.id;
        if by_user {
            disable(&store, integration).await;
        } else {
            let step = Progress { disable: Some(DisableReason::Gone), ..progress(id) };
            save(&store, step).await;
        }
        append(&store, hits(1..=10)).await;
        append(&store, vec![event(ONE, HIGH, "v", ""), event(TWO, HIGH, "w", "")]).await;
        bench.pass(Duration::from_hours(30));
        append(&store, hits(11..=20)).await;
        bench.pass(Duration::from_mins(2));
        append(&store, hits(21..=21)).await;
        assert_eq!(first_position(&store).await, if by_user { 13 } else { 1 });
        let lost = store.lost(id, None, 10).await.unwrap();
        let lost: Vec<_> =
            lost.iter().map(|row| (row.range.lane, row.range.events, row.range.kinds.clone())).collect();
        let expected = if by_user {
            vec![(Lane::Bulk, 10, vec![Kind::Hit]), (Lane::Urgent, 1, vec![HIGH])]
        } else {
            vec![]
        };
        assert_eq!(lost, expected, "one range for each lane that loses something");
    }
}

#[tokio::test]
async fn what_was_settled_out_of_turn_is_not_lost_with_its_slice() {
    let bench = Bench::new(true);
    let mut options = aged(&bench);
    options.lag_age = Duration::from_hours(20);
    let store = SqliteStore::open(options).unwrap();
    let id = create(&store, ONE, &[Kind::Hit]).await.id;
    append(&store, hits(1..=10)).await;
    let lane = LaneState { cursor: Seq(1), open: vec![unsettled(2, 3, 3), unsettled(7, 8, 0)] };
    let step = Progress { lanes: vec![(Lane::Bulk, lane)], ..progress(id) };
    save(&store, step).await;
    a_minute_later(&bench, &store).await;
    bench.pass(Duration::from_hours(30));
    append(&store, hits(11..=20)).await;
    bench.pass(Duration::from_mins(2));
    append(&store, hits(21..=21)).await;
    assert_eq!(first_position(&store).await, 11);
    let lost = store.lost(id, None, 10).await.unwrap();
    let lost: Vec<_> =
        lost.iter().map(|row| (row.range.first.0, row.range.last.0, row.range.events)).collect();
    assert_eq!(lost, [(7, 10, 4), (2, 3, 2)], "4 to 6 were delivered beside 2 and 3");
    assert_eq!(store.saved(id).await.unwrap().unwrap().lanes[Lane::Bulk], lane_at(10));
}

#[tokio::test]
async fn time_in_which_hitwire_is_stopped_makes_nothing_old_that_is_owed() {
    let bench = Bench::new(true);
    let mut options = aged(&bench);
    options.lag_age = Duration::from_hours(48);
    // The budget of bytes is used up, so that nothing but its age holds a slice back.
    options.lag_bytes = 1;
    let store = SqliteStore::open(options.clone()).unwrap();
    let id = create(&store, ONE, &[Kind::Hit]).await.id;
    append(&store, hits(1..=10)).await;
    bench.pass(Duration::from_hours(2));
    append(&store, hits(11..=20)).await;
    store.close().await.unwrap();
    drop(store);

    bench.pass(Duration::from_hours(24 * 365));
    let store = SqliteStore::open(options).unwrap();
    append(&store, hits(21..=30)).await;
    a_minute_later(&bench, &store).await;
    assert_eq!(first_position(&store).await, 1);
    assert_eq!(store.lost(id, None, 10).await.unwrap(), [], "it has not had a chance to get them");
    assert_eq!(store.position_aged(Duration::from_hours(1)).await.unwrap(), Seq(0));
    save_cursor(&store, id, Lane::Bulk, 10).await;
    a_minute_later(&bench, &store).await;
    assert_eq!(first_position(&store).await, 11, "what nobody waits for is as old as its events");

    bench.pass(Duration::from_hours(20));
    a_minute_later(&bench, &store).await;
    assert_eq!(first_position(&store).await, 11, "it has run for 22 hours");
    bench.pass(Duration::from_hours(5));
    a_minute_later(&bench, &store).await;
    let lost = store.lost(id, None, 10).await.unwrap();
    let lost: Vec<_> = lost.iter().map(|row| (row.range.first.0, row.range.last.0)).collect();
    assert_eq!(lost, [(11, 30)], "it has run for more than a day since");
}

#[tokio::test]
async fn a_position_ages_while_hitwire_runs_whatever_the_wall_clock_says() {
    let bench = Bench::new(true);
    let offset_ms = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let options = || {
        let mut options = bench.options();
        let (wall, offset_ms) = (options.now_ms.clone(), offset_ms.clone());
        options.now_ms =
            std::sync::Arc::new(move || wall() - offset_ms.load(std::sync::atomic::Ordering::Relaxed));
        options
    };
    let hour = Duration::from_hours(1);
    let store = SqliteStore::open(options()).unwrap();
    append(&store, hits(1..=10)).await;
    a_minute_later(&bench, &store).await;
    assert_eq!(store.position_aged(hour).await.unwrap(), Seq(0));
    bench.pass(hour / 2);
    // It was an hour ahead, and somebody sets it right.
    offset_ms.store(3_600_000, std::sync::atomic::Ordering::Relaxed);
    append(&store, hits(11..=20)).await;
    store.close().await.unwrap();
    drop(store);

    bench.pass(hour * 50);
    let store = SqliteStore::open(options()).unwrap();
    assert_eq!(store.position_aged(hour).await.unwrap(), Seq(0), "only the time that it runs counts");
    bench.pass(hour / 2);
    assert_eq!(store.position_aged(hour).await.unwrap(), Seq(10));
    bench.pass(hour / 2);
    assert_eq!(store.position_aged(hour).await.unwrap(), Seq(20));
}

#[tokio::test]
async fn a_jump_of_the_wall_clock_drops_nothing() {
    let bench = Bench::new(true);
    let mut options = aged(&bench);
    let elapsed = options.elapsed.clone();
    let steady = bench.options();
    // The wall clock jumps by a year while the monotonic one goes on for some minutes.
    let wall = steady.now_ms.clone();
    let jumped = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    options.now_ms = std::sync::Arc::new({
        let jumped = jumped.clone();
        move || wall() + if jumped.load(std::sync::atomic::Ordering::Relaxed) { 365 * 86_400_000 } else { 0 }
    });
    options.elapsed = elapsed;
    options.slice_age = Duration::from_secs(30);
    let store = SqliteStore::open(options).unwrap();
    append(&store, hits(1..=10)).await;
    bench.pass(Duration::from_mins(1));
    jumped.store(true, std::sync::atomic::Ordering::Relaxed);
    for n in 0..10 {
        append(&store, hits(100 + n..=100 + n)).await;
        bench.pass(Duration::from_mins(2));
    }
    assert_eq!(first_position(&store).await, 1);
}

#[tokio::test]
async fn a_reader_in_the_middle_goes_on_with_what_is_left() {
    let bench = Bench::new(true);
    let store = SqliteStore::open(limited(&bench)).unwrap();
    for round in 0..100 {
        append_some(&store, round).await;
    }
    let first = first_position(&store).await;
    assert!(first > 1);
    let read = hitwire_store::Read {
        streams: vec![stream(ONE, Kind::Hit)],
        after: Seq(0),
        through: Some(Seq(first + 2)),
        max_events: 10,
        max_bytes: 1 << 20,
    };
    let page = store.read(read).await.unwrap();
    assert_eq!(
        page.records.iter().map(|record| record.seq.0).collect::<Vec<_>>(),
        [first, first + 1, first + 2]
    );
    assert_eq!((page.scanned_to, page.more), (Seq(first + 2), false));
    let counted = store.lag(vec![stream(ONE, Kind::Hit)], Seq(0), Seq(first + 2)).await.unwrap();
    assert_eq!(counted.events, 3);
}

/// Writes over the middle of a file, where its tables are.
fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let length = bytes.len();
    bytes[4096..length].fill(0xa5);
    std::fs::write(path, bytes).unwrap();
    // Written when the test's clock said so, not when it ran.
    let written = std::time::UNIX_EPOCH + Duration::from_millis(crate::support::BEGIN_MS);
    std::fs::File::options().write(true).open(path).unwrap().set_modified(written).unwrap();
}

#[tokio::test]
async fn a_slice_that_cannot_be_read_stops_neither_the_start_nor_retention() {
    let bench = Bench::new(true);
    let store = SqliteStore::open(aged(&bench)).unwrap();
    let id = create(&store, ONE, &[Kind::Hit]).await.id;
    append_some(&store, 0).await;
    bench.pass(Duration::from_hours(2));
    append_some(&store, 1).await;
    drop(store);
    damage(&bench.path().join("log-00000000000000000001.packed.db"));
    let store = SqliteStore::open(aged(&bench)).unwrap();
    assert_eq!(store.head().now().0, 200, "the log goes on where it was");
    bench.pass(Duration::from_hours(200));
    append_some(&store, 2).await;
    bench.pass(Duration::from_mins(2));
    append_some(&store, 3).await;
    let lost = store.lost(id, None, 10).await.unwrap();
    let range = &lost.last().unwrap().range;
    assert_eq!((range.first, range.last, range.events), (Seq(1), Seq(200), 200), "{lost:?}");
    assert!(!bench.path().join("log-00000000000000000001.packed.db").exists());
}
