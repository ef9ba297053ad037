//! Disks that fail: what was acknowledged stays, what was not is never seen, and the log goes on when the disk does.

use crate::support::{
    Backend, Bench, ONE, append, append_once, append_with, attempt, commit, create, event, hits, ids,
    integrations, lane_at, loaded, new_integration, progress, read_all, save_cursor, stream,
};
use hitwire_courier::Progress;
use hitwire_event::{IntegrationId, Kind, Lane, Seq};
use hitwire_store::{
    Append, FaultPoint, IntegrationQuery, IntegrationRange, Ledger, Log, Op, Options, Registry, SqliteStore,
    Store, StoreError,
};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A disk that fails at the points set.
#[derive(Clone, Default)]
struct Faults {
    failing: Arc<Mutex<Vec<FaultPoint>>>,
}

impl Faults {
    fn set(&self, points: &[FaultPoint]) {
        *self.failing.lock().unwrap() = points.to_vec();
    }

    fn options(&self, bench: &Bench) -> Options {
        let failing = self.failing.clone();
        let mut options = bench.options();
        options.fault = Some(Arc::new(move |point| failing.lock().unwrap().contains(&point)));
        options
    }
}

fn append_op(numbers: std::ops::RangeInclusive<u64>) -> Op {
    let checkpoint = Some(("file".to_owned(), numbers.end().to_be_bytes().to_vec()));
    Op::Append(Append { events: hits(numbers), deduplicate: true, checkpoint })
}

fn is_unavailable<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Unavailable(_)))
}

async fn all_ids(store: &dyn Store) -> Vec<String> {
    let records = read_all(store, vec![stream(ONE, Kind::Hit)]).await;
    assert!(records.windows(2).all(|pair| pair[0].seq.next() == pair[1].seq));
    ids(&records).into_iter().map(str::to_owned).collect()
}

async fn a_failed_commit_is_survived(point: FaultPoint, inline: bool) {
    let bench = Bench::new(inline);
    let faults = Faults::default();
    let store = SqliteStore::open(faults.options(&bench)).unwrap();
    store.commit(vec![append_op(1..=3)]).await.unwrap();

    faults.set(&[point]);
    assert!(is_unavailable(store.commit(vec![append_op(4..=6)]).await));
    faults.set(&[]);
    assert!(is_unavailable(store.commit(vec![append_op(4..=6)]).await), "it is not tried again at once");
    assert_eq!(store.head().now().0, 3);
    assert_eq!(all_ids(&store).await, ["hit-1", "hit-2", "hit-3"]);
    assert_eq!(store.checkpoint("file").await.unwrap(), Some(3_u64.to_be_bytes().to_vec()));

    bench.pass(Duration::from_secs(2));
    store.commit(vec![append_op(4..=5)]).await.unwrap();
    assert!(bench.path().join("log-00000000000000000004.db").exists(), "it goes on in a new slice");
    let expected = ["hit-1", "hit-2", "hit-3", "hit-4", "hit-5"];
    assert_eq!(all_ids(&store).await, expected, "what was refused was not known as a duplicate");
    drop(store);
    let store = SqliteStore::open(faults.options(&bench)).unwrap();
    assert_eq!(all_ids(&store).await, expected, "what the failed commit left in the old slice is never seen");
    assert_eq!(store.checkpoint("file").await.unwrap(), Some(5_u64.to_be_bytes().to_vec()));
    assert_eq!(append_once(&store, hits(6..=6)).await.accepted, 1);
    assert_eq!(append_once(&store, hits(3..=4)).await.accepted, 0);
}

#[tokio::test]
async fn a_writer_that_panics_is_told_and_nothing_is_acknowledged_after_it() {
    for (point, thread) in
        [(FaultPoint::LogBeforeCommit, "hitwire-store"), (FaultPoint::StateBeforeCommit, "hitwire-state")]
    {
        let bench = Bench::new(false);
        let (failed, told) = std::sync::mpsc::channel();
        let mut options = bench.options();
        let armed = Arc::new(AtomicBool::new(false));
        let trigger = Arc::clone(&armed);
        options.fault = Some(Arc::new(move |at| {
            assert!(at != point || !trigger.load(Ordering::Relaxed), "on purpose");
            false
        }));
        options.thread_failed = Some(Arc::new(move |thread: &str| {
            failed.send(thread.to_owned()).expect("the test listens");
        }));
        let store = SqliteStore::open(options).expect("opened");
        append(&store, hits(1..=3)).await;
        armed.store(true, Ordering::Relaxed);
        let op = if thread == "hitwire-store" { append_op(4..=4) } else { Op::TokensUsed(Vec::new()) };
        assert!(matches!(store.commit(vec![op]).await, Err(StoreError::Closed)));
        assert_eq!(told.recv().expect("told"), thread);
        store.close().await.expect("the others end in order");
        drop(store);
        assert_eq!(all_ids(&bench.start()).await.len(), 3);
    }
}

#[tokio::test]
async fn a_commit_that_fails_before_it_is_written_counts_for_nothing() {
    for inline in [false, true] {
        a_failed_commit_is_survived(FaultPoint::LogBeforeCommit, inline).await;
    }
}

#[tokio::test]
async fn a_commit_whose_sync_fails_counts_for_nothing_although_its_rows_are_in_the_file() {
    for inline in [false, true] {
        a_failed_commit_is_survived(FaultPoint::LogAfterCommit, inline).await;
    }
}

#[tokio::test]
async fn a_disk_that_goes_on_failing_makes_no_heap_of_slices() {
    let bench = Bench::new(true);
    let faults = Faults::default();
    let store = SqliteStore::open(faults.options(&bench)).unwrap();
    append_once(&store, hits(1..=3)).await;
    faults.set(&[FaultPoint::LogAfterCommit]);
    for _ in 0..5 {
        assert!(is_unavailable(store.commit(vec![append_op(4..=6)]).await));
        bench.pass(Duration::from_secs(2));
    }
    faults.set(&[FaultPoint::SliceCreate]);
    assert!(is_unavailable(store.commit(vec![append_op(4..=6)]).await));
    bench.pass(Duration::from_secs(2));
    faults.set(&[]);
    append_once(&store, hits(4..=4)).await;
    assert_eq!(all_ids(&store).await, ["hit-1", "hit-2", "hit-3", "hit-4"]);
    let slices = std::fs::read_dir(bench.path()).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name().into_string().unwrap();
        name.strip_prefix("log-").is_some_and(|rest| rest.strip_suffix(".db").is_some())
    });
    assert_eq!(slices.count(), 2);
}

#[tokio::test]
async fn a_slice_that_cannot_be_made_is_tried_again_and_loses_nothing() {
    let bench = Bench::new(true);
    let faults = Faults::default();
    let store = SqliteStore::open(faults.options(&bench)).unwrap();
    append_once(&store, hits(1..=3)).await;
    bench.pass(Duration::from_hours(2));
    faults.set(&[FaultPoint::SliceCreate]);
    assert!(is_unavailable(store.commit(vec![append_op(4..=4)]).await), "the slice has reached its age");
    faults.set(&[]);
    bench.pass(Duration::from_secs(2));
    append_once(&store, hits(4..=4)).await;
    assert_eq!(all_ids(&store).await, ["hit-1", "hit-2", "hit-3", "hit-4"]);
}

#[tokio::test]
async fn of_several_callers_in_a_failed_group_none_counts() {
    let bench = Bench::new(false);
    let faults = Faults::default();
    let store = Arc::new(SqliteStore::open(faults.options(&bench)).unwrap());
    append_once(&*store, hits(1..=1)).await;
    faults.set(&[FaultPoint::LogAfterCommit]);
    let callers: Vec<_> = (2..50)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.commit(vec![append_op(n..=n)]).await })
        })
        .collect();
    for caller in callers {
        assert!(is_unavailable(caller.await.unwrap()));
    }
    faults.set(&[]);
    bench.pass(Duration::from_secs(2));
    assert_eq!(append_once(&*store, hits(2..50)).await.accepted, 48);
    assert_eq!(all_ids(&*store).await.len(), 49);
}

#[tokio::test]
async fn under_the_disk_floor_appends_are_refused_and_couriers_go_on() {
    let bench = Bench::new(false);
    let store = bench.start();
    append(&store, hits(1..=1)).await;
    let id = create(&store, ONE, &[Kind::Hit]).await.id;
    drop(store);
    let mut options = bench.options();
    options.disk_floor_bytes = u64::MAX;
    let store = SqliteStore::open(options).unwrap();
    match store.commit(vec![append_op(2..=2)]).await {
        Err(StoreError::DiskFloor { free_bytes, floor_bytes: u64::MAX }) => assert!(free_bytes > 0),
        other => panic!("answered with {other:?}"),
    }
    save_cursor(&store, id, Lane::Bulk, 1).await;
    assert_eq!(all_ids(&store).await, ["hit-1"]);
}

#[tokio::test]
async fn a_failed_commit_of_the_state_counts_for_nothing_and_a_copy_takes_over() {
    for inline in [false, true] {
        let bench = Bench::new(inline);
        let faults = Faults::default();
        let store = SqliteStore::open(faults.options(&bench)).unwrap();
        let made = create(&store, ONE, &[Kind::Hit]).await;
        append(&store, hits(1..=9)).await;
        save_cursor(&store, made.id, Lane::Bulk, 4).await;
        let before = store.saved(made.id).await.unwrap();
        let token = loaded(&store, made.id).await;

        faults.set(&[FaultPoint::StateBeforeCommit]);
        let step = Progress { attempts: vec![attempt(1)], ..progress(made.id) };
        assert!(is_unavailable(store.commit(vec![Op::Save(token, step.clone())]).await));
        let new = Op::CreateIntegration(new_integration(ONE, &[]));
        assert!(is_unavailable(store.commit(vec![new]).await));
        faults.set(&[]);
        assert_eq!(store.saved(made.id).await.unwrap(), before, "readers go on meanwhile");
        assert_eq!(append(&store, hits(10..=10)).await.accepted, 1, "so does the log");

        bench.pass(Duration::from_secs(2));
        commit(&store, Op::Save(token, step)).await;
        assert!(bench.path().join("state.db-wal").exists(), "the copy is written through a WAL again");
        save_cursor(&store, made.id, Lane::Bulk, 5).await;
        let second = create(&store, ONE, &[]).await;
        assert_eq!(integrations(&store, IntegrationRange::all(ONE)).await, [made.clone(), second.clone()]);
        drop(store);
        let store = bench.start();
        assert_eq!(integrations(&store, IntegrationRange::all(ONE)).await, [made.clone(), second]);
        assert_eq!(store.attempts(made.id, None, 10).await.unwrap().len(), 1);
        assert_eq!(store.saved(made.id).await.unwrap().unwrap().lanes[Lane::Bulk].cursor.0, 5);
    }
}

#[tokio::test]
async fn a_copy_that_cannot_take_the_place_of_the_state_loses_nothing() {
    // The first failure is that of the copy; the second that of the old file's WAL, which is to be as it was.
    for (failures, restarts) in (1..=4).flat_map(|failures| [(failures, false), (failures, true)]) {
        let bench = Bench::new(true);
        let (armed, left) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU8::new(failures)));
        let mut options = bench.options();
        options.fault = Some(Arc::new({
            let (armed, left) = (armed.clone(), left.clone());
            move |point| match point {
                FaultPoint::StateBeforeCommit => armed.swap(false, Ordering::Relaxed),
                FaultPoint::StateInstall => left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                    .is_ok(),
                _ => false,
            }
        }));
        let store = SqliteStore::open(options).unwrap();
        let made = create(&store, ONE, &[Kind::Hit]).await;
        append(&store, hits(1..=9)).await;
        save_cursor(&store, made.id, Lane::Bulk, 4).await;
        let before = store.saved(made.id).await.unwrap();
        let token = loaded(&store, made.id).await;
        armed.store(true, Ordering::Relaxed);
        let step = Progress { lanes: vec![(Lane::Bulk, lane_at(5))], ..progress(made.id) };
        assert!(is_unavailable(store.commit(vec![Op::Save(token, step.clone())]).await));
        let mut tries = 0;
        let store = loop {
            bench.pass(Duration::from_secs(2));
            if left.load(Ordering::Relaxed) == 0 && restarts {
                drop(store);
                break bench.start();
            }
            match store.commit(vec![Op::Save(token, step.clone())]).await {
                Ok(_) => break store,
                Err(error) => assert!(matches!(error, StoreError::Unavailable(_)), "{error}"),
            }
            tries += 1;
            assert!(tries <= failures, "{failures}");
            match store.saved(made.id).await {
                Ok(saved) => assert_eq!(saved, before, "{failures}"),
                Err(StoreError::Unavailable(why)) => {
                    assert!(failures > 1 && why.contains("nothing is lost"), "{failures}: {why}");
                }
                Err(error) => panic!("{failures}: {error}"),
            }
        };
        let cursor = store.saved(made.id).await.unwrap().unwrap().lanes[Lane::Bulk].cursor.0;
        assert_eq!(cursor, if restarts { 4 } else { 5 }, "{failures}");
        assert_eq!(
            integrations(&store, IntegrationRange::all(ONE)).await,
            std::slice::from_ref(&made),
            "{failures}"
        );
        save_cursor(&store, made.id, Lane::Bulk, 6).await;
        drop(store);
        let store = bench.start();
        assert_eq!(store.saved(made.id).await.unwrap().unwrap().lanes[Lane::Bulk].cursor.0, 6, "{failures}");
        let names = std::fs::read_dir(bench.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let leftovers = names.filter(|name| name.to_string_lossy().contains(".new"));
        assert_eq!(leftovers.count(), 0, "{failures}");
    }
}

#[tokio::test]
async fn random_failures_lose_nothing_that_was_acknowledged_and_show_nothing_that_was_not() {
    let bench = Bench::new(true);
    let count = Arc::new(AtomicU8::new(0));
    let calm = Arc::new(AtomicBool::new(false));
    let mut options = bench.options();
    options.slice_bytes = 1;
    options.fault = Some(Arc::new({
        let (count, calm) = (count.clone(), calm.clone());
        // Every seventh question, whatever the point: the points are asked in changing order, as slices come and go.
        move |_| !calm.load(Ordering::Relaxed) && count.fetch_add(1, Ordering::Relaxed) % 7 == 6
    }));
    let mut store = SqliteStore::open(options.clone()).unwrap();
    let (mut acknowledged, mut acknowledged_to) = (Vec::new(), None);
    let large = "x".repeat(20_000);
    for round in 0..300_u64 {
        let events: Vec<_> =
            (0..=round % 5).map(|n| event(ONE, Kind::Hit, &format!("{round}-{n}"), &large)).collect();
        let checkpoint = Some(("file".to_owned(), round.to_be_bytes().to_vec()));
        let append = Append { events: events.clone(), deduplicate: round.is_multiple_of(2), checkpoint };
        if store.commit(vec![Op::Append(append)]).await.is_ok() {
            acknowledged.extend(events.iter().map(|event| event.id.as_str().to_owned()));
            acknowledged_to = Some(round.to_be_bytes().to_vec());
        }
        bench.pass(Duration::from_secs(1));
        // Reads fail as well, for a moment; what is read is what was acknowledged.
        let after = Seq(round % (acknowledged.len() as u64 + 1));
        if let Ok(page) = store.follow(after, 10, 1 << 20).await {
            assert_eq!(page.unreadable, None, "a moment is no damage");
            let expected = acknowledged.iter().skip(after.0 as usize).take(page.records.len());
            assert_eq!(ids(&page.records), expected.collect::<Vec<_>>());
        }
        assert_eq!(store.checkpoint("file").await.unwrap(), acknowledged_to);
        if round % 50 == 49 {
            drop(store);
            store = SqliteStore::open(options.clone()).unwrap();
        }
    }
    assert!(acknowledged.len() > 200);
    calm.store(true, Ordering::Relaxed);
    assert_eq!(all_ids(&store).await, acknowledged);
    drop(store);
    let store = bench.start();
    assert_eq!(all_ids(&store).await, acknowledged);
    assert_eq!(store.checkpoint("file").await.unwrap(), acknowledged_to);
}

#[tokio::test]
async fn a_damaged_row_is_refused_by_name_and_concerns_nobody_else() {
    let bench = Bench::new(false);
    let store = bench.start();
    let (one, two) = (create(&store, ONE, &[Kind::Hit]).await, create(&store, ONE, &[Kind::Hit]).await);
    let state = rusqlite::Connection::open(bench.path().join("state.db")).unwrap();
    state.execute("UPDATE integration SET target = 'no JSON' WHERE id = ?1", [one.id.0 as i64]).unwrap();
    drop(state);
    let change = hitwire_store::UpdateIntegration { integration: one.clone(), resume: None };
    let refused = store.commit(vec![Op::UpdateIntegration(change)]).await.unwrap_err().to_string();
    assert!(refused.contains("state.db"), "{refused}");
    let change = hitwire_store::UpdateIntegration { integration: two, resume: None };
    store.commit(vec![Op::UpdateIntegration(change)]).await.unwrap();
    commit(&store, Op::DeleteIntegration { id: one.id, revision: None }).await;
    assert_eq!(store.integration_ids(None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_commit_during_which_the_wal_could_not_be_moved_does_not_count() {
    let bench = Bench::new(false);
    let (armed, move_fails) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (began, commit_began) = std::sync::mpsc::channel();
    let (failed, move_failed) = std::sync::mpsc::channel();
    let move_failed = Mutex::new(move_failed);
    let mut options = bench.options();
    options.fault = Some(Arc::new({
        let armed = armed.clone();
        move |point| match point {
            // The commit is under way until the keeper has failed.
            FaultPoint::LogBeforeCommit if armed.swap(false, Ordering::Relaxed) => {
                move_fails.store(true, Ordering::Relaxed);
                began.send(()).expect("the test listens");
                let waited = move_failed.lock().unwrap().recv_timeout(Duration::from_secs(30));
                waited.expect("the keeper tries");
                std::thread::sleep(Duration::from_millis(100));
                false
            }
            FaultPoint::LogMove if move_fails.swap(false, Ordering::Relaxed) => {
                failed.send(()).expect("the writer listens");
                true
            }
            _ => false,
        }
    }));
    let store = Arc::new(SqliteStore::open(options).unwrap());
    store.commit(vec![append_op(1..=3)]).await.unwrap();
    armed.store(true, Ordering::Relaxed);
    let committing = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.commit(vec![append_op(4..=6)]).await }
    });
    tokio::task::spawn_blocking(move || commit_began.recv()).await.unwrap().unwrap();
    bench.pass(Duration::from_secs(10));
    assert!(is_unavailable(committing.await.unwrap()));
    bench.pass(Duration::from_secs(2));
    assert_eq!(append_once(&*store, hits(4..=6)).await.accepted, 3);
    assert_eq!(all_ids(&*store).await.len(), 6);
    drop(store);
    assert_eq!(all_ids(&bench.start()).await.len(), 6);
}

#[tokio::test]
async fn a_slice_that_may_lack_something_is_not_packed() {
    // Its WAL could not be moved: until the next start nobody knows what the disk dropped of it.
    let bench = Bench::new(true);
    let faults = Faults::default();
    let store = SqliteStore::open(faults.options(&bench)).unwrap();
    let there = |ending: &str| bench.path().join(format!("log-{:020}{ending}.db", 1)).exists();
    append(&store, hits(1..=50)).await;
    faults.set(&[FaultPoint::LogMove]);
    bench.pass(Duration::from_secs(10));
    append(&store, hits(51..=51)).await;
    faults.set(&[]);
    append(&store, hits(52..=60)).await;
    bench.pass(Duration::from_secs(10));
    append(&store, hits(61..=61)).await;
    assert!(there("") && !there(".packed"));
    drop(store);
    let store = bench.start();
    append(&store, hits(62..=62)).await;
    assert!(!there("") && there(".packed"));
    assert_eq!(all_ids(&store).await.len(), 62);

    // It lacks its last block.
    let bench = Bench::new(true);
    let store = bench.start();
    let there = |ending: &str| bench.path().join(format!("log-{:020}{ending}.db", 1)).exists();
    for first in [1, 11, 21] {
        append(&store, hits(first..=first + 9)).await;
    }
    let slice = rusqlite::Connection::open(bench.path().join(format!("log-{:020}.db", 1))).unwrap();
    assert_eq!(slice.execute("DELETE FROM block WHERE first = 21", []).unwrap(), 1);
    drop(slice);
    bench.pass(Duration::from_hours(2));
    append(&store, hits(31..=31)).await;
    assert!(there("") && !there(".packed"), "it stays as it is, for whoever repairs it");
}

#[tokio::test]
async fn damaged_integrations_conceal_no_others_from_a_list() {
    let bench = Bench::new(false);
    let store = bench.start();
    let mut made = Vec::new();
    for _ in 0..6 {
        made.push(create(&store, ONE, &[Kind::Hit]).await);
    }
    let state = rusqlite::Connection::open(bench.path().join("state.db")).unwrap();
    for (at, sql) in [
        (0, "UPDATE integration SET target = 'no JSON' WHERE id = ?1"),
        (1, "UPDATE integration SET secrets = x'00' WHERE id = ?1"),
        (3, "UPDATE subscription SET kind = 99 WHERE integration = ?1"),
        (4, "UPDATE integration SET name = CAST(x'ff41' AS TEXT) WHERE id = ?1"),
    ] {
        assert_eq!(state.execute(sql, [made[at].id.0 as i64]).unwrap(), 1);
    }
    drop(state);
    // The first piece holds none that is whole.
    let mut range = IntegrationRange { count_max: 2, ..IntegrationRange::all(ONE) };
    let mut listed = Vec::new();
    loop {
        let piece = store.integrations(range).await.unwrap();
        let Some(last) = piece.last() else { break };
        range.after = last.as_ref().map_or_else(|broken| broken.id, |integration| integration.id);
        listed.extend(piece);
    }
    let broken: Vec<_> = listed.iter().map(Result::is_err).collect();
    assert_eq!(broken, [true, true, false, true, true, false]);
    assert_eq!((&listed[2], &listed[5]), (&Ok(made[2].clone()), &Ok(made[5].clone())));
    let first = listed[0].clone().unwrap_err();
    assert_eq!((first.id, first.client, &first.name), (made[0].id, ONE, &made[0].name));
    assert!(first.why.contains("delete the integration"), "{}", first.why);
    let told: Vec<_> = listed.into_iter().filter_map(Result::err).collect();
    assert_eq!(store.broken_integrations(Some(ONE)).await.unwrap(), told);

    // The page looks at less, and fails for none either.
    let query = IntegrationQuery {
        client: ONE,
        enabled: None,
        name: String::new(),
        after: IntegrationId(0),
        limit: 9,
    };
    let page = store.integration_page(query.clone()).await.unwrap();
    let broken: Vec<_> = page.rows.iter().map(|row| row.broken.is_some()).collect();
    assert_eq!(broken, [false, false, false, true, true, false]);
    assert!(page.rows[4].name.contains('A'));
    let named = IntegrationQuery { name: made[0].name.clone(), ..query };
    assert_eq!(store.integration_page(named).await.unwrap().rows.len(), 5);
    for at in [0, 1, 3, 4] {
        commit(&store, Op::DeleteIntegration { id: made[at].id, revision: None }).await;
    }
    let left = integrations(&store, IntegrationRange::all(ONE)).await;
    assert_eq!(left, [made[2].clone(), made[5].clone()]);
}

#[tokio::test]
async fn a_restart_right_after_a_failed_sync_does_not_go_on_in_that_slice() {
    for acknowledged in [3, 0] {
        let bench = Bench::new(true);
        let faults = Faults::default();
        let store = SqliteStore::open(faults.options(&bench)).unwrap();
        append_once(&store, hits(1..=acknowledged)).await;
        faults.set(&[FaultPoint::LogAfterCommit]);
        assert!(is_unavailable(store.commit(vec![append_op(10..=19)]).await));
        drop(store);
        let store = bench.start();
        assert_eq!(store.head().now().0, acknowledged);
        assert_eq!(append_once(&store, hits(10..=11)).await.accepted, 2);
        assert!(bench.path().join(format!("log-{:020}.db", acknowledged + 1)).exists());
        assert_eq!(all_ids(&store).await.len() as u64, acknowledged + 2);
        drop(store);
        assert_eq!(all_ids(&bench.start()).await.len() as u64, acknowledged + 2);
    }
}

#[tokio::test]
async fn a_checkpoint_of_events_that_were_cut_off_does_not_count_after_a_restart() {
    let with = |ids: std::ops::RangeInclusive<u64>, position: &str| Append {
        events: hits(ids),
        deduplicate: false,
        checkpoint: Some(("audit".to_owned(), position.as_bytes().to_vec())),
    };
    let bench = Bench::new(true);
    let faults = Faults::default();
    let store = SqliteStore::open(faults.options(&bench)).unwrap();
    append_with(&store, with(1..=3, "three")).await;
    append_with(&store, with(4..=6, "six")).await;
    faults.set(&[FaultPoint::LogAfterCommit]);
    assert!(is_unavailable(store.commit(vec![Op::Append(with(7..=9, "nine"))]).await));
    // The process ends before the next slice is begun: the given up one is what a start finds.
    drop(store);
    faults.set(&[]);
    let store = SqliteStore::open(faults.options(&bench)).unwrap();
    assert_eq!(store.head().now().0, 6);
    assert_eq!(store.checkpoint("audit").await.unwrap().as_deref(), Some(&b"six"[..]));
    append_with(&store, with(7..=9, "nine")).await;
    assert_eq!(all_ids(&store).await.len(), 9, "what the source reads again is in the log");
    drop(store);
    let store = bench.start();
    assert_eq!(store.checkpoint("audit").await.unwrap().as_deref(), Some(&b"nine"[..]));
}
