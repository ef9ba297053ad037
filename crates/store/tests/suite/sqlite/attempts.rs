//! The delivery log's own file: what its loss costs, and what goes with an integration.

use crate::support::{self, Bench, ONE, append, attempt, commit, create, hits, lane_at, loaded, progress};
use hitwire_courier::{Attempt, Progress};
use hitwire_event::{IntegrationId, Kind, Lane};
use hitwire_store::{AttemptQuery, Ledger, Op, SqliteStore, Store, back_up, restore};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// More than attempts wait for others before they are written.
const WRITTEN_BY_THEN: Duration = Duration::from_millis(750);

/// Saves a step that moves the cursor and brings one attempt, for each of these numbers.
async fn save(store: &SqliteStore, id: IntegrationId, numbers: std::ops::RangeInclusive<u32>) {
    let token = loaded(store, id).await;
    for number in numbers {
        let step = Progress {
            lanes: vec![(Lane::Bulk, lane_at(number.into()))],
            attempts: vec![attempt(number)],
            ..progress(id)
        };
        commit(store, Op::Save(token, step)).await;
    }
}

/// The numbers of the attempts that are on record, oldest first, with the ids of their rows.
async fn on_record(store: &SqliteStore, id: IntegrationId) -> Vec<(u64, u32)> {
    let rows = store.attempts(id, None, 1_000).await.unwrap();
    rows.iter().rev().map(|row| (row.id, row.attempt.number)).collect()
}

fn numbers(found: &[(u64, u32)]) -> Vec<u32> {
    found.iter().map(|(_, number)| *number).collect()
}

/// What a kill leaves: the files as they are at this moment.
fn copy(from: &Path) -> Bench {
    let left = Bench::new(false);
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if name != "lock" && !name.to_str().unwrap().ends_with("-shm") {
            fs::copy(&path, left.path().join(name)).unwrap();
        }
    }
    left
}

#[tokio::test]
async fn a_kill_takes_the_attempts_of_a_moment_at_most_and_no_settlement() {
    let bench = Bench::new(false);
    let store = bench.start();
    append(&store, hits(1..=9)).await;
    let id = create(&store, ONE, &[Kind::Hit]).await.id;
    append(&store, hits(10..=100)).await;
    save(&store, id, 10..=40).await;
    tokio::time::sleep(WRITTEN_BY_THEN).await;
    save(&store, id, 41..=45).await;
    let left = copy(bench.path());

    let killed = left.start();
    assert_eq!(killed.saved(id).await.unwrap().unwrap().lanes[Lane::Bulk], lane_at(45));
    let found = numbers(&on_record(&killed, id).await);
    assert!(found.len() >= 31, "those of longer ago are there: {found:?}");
    assert!(found.iter().copied().eq(10..10 + found.len() as u32), "without a gap: {found:?}");
    save(&killed, id, 46..=46).await;
    let rows = on_record(&killed, id).await;
    assert_eq!(rows.last().unwrap().1, 46);
    assert!(rows.is_sorted());
    assert_eq!(numbers(&on_record(&store, id).await).len(), 36, "who reads finds all of them");
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_at_the_start_and_numbers_go_on() {
    for damage in ["noise", "another program's", "a newer version", "cut"] {
        let bench = Bench::new(false);
        let path = bench.path().join("attempts.db");
        let store = bench.start();
        let id = create(&store, ONE, &[Kind::Hit]).await.id;
        save(&store, id, 1..=200).await;
        let before = on_record(&store, id).await;
        store.close().await.unwrap();
        drop(store);
        let wal = fs::metadata(bench.path().join("attempts.db-wal"));
        assert_eq!(wal.map_or(0, |wal| wal.len()), 0, "all is in the file");
        let sqlite = || rusqlite::Connection::open(&path).unwrap();
        match damage {
            "noise" => fs::write(&path, vec![7; 50_000]).unwrap(),
            "another program's" => sqlite().pragma_update(None, "application_id", 5).unwrap(),
            "a newer version" => sqlite().pragma_update(None, "user_version", 99).unwrap(),
            _ => fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(5_000).unwrap(),
        }

        let store = bench.start();
        assert_eq!(on_record(&store, id).await, [], "{damage}");
        assert!(store.saved(id).await.unwrap().is_some(), "{damage}: nothing else is lost");
        save(&store, id, 201..=202).await;
        let after = on_record(&store, id).await;
        assert_eq!(numbers(&after), [201, 202], "{damage}");
        assert!(after[0].0 > before[199].0, "{damage}: {after:?} after {:?}", before[199]);
        assert_eq!(store.attempts_after(before[199].0, 10).await.unwrap().len(), 2, "{damage}");
        assert!(bench.path().join("attempts.db.damaged").exists(), "{damage}");
    }
}

#[tokio::test]
async fn a_file_that_is_damaged_while_hitwire_runs_is_set_aside_as_soon_as_it_is_noticed() {
    let bench = Bench::new(false);
    let store = bench.start();
    let id = create(&store, ONE, &[Kind::Hit]).await.id;
    save(&store, id, 1..=500).await;
    assert_eq!(on_record(&store, id).await.len(), 500);
    // All pages but the first, in the file and in its WAL.
    for name in ["attempts.db", "attempts.db-wal"] {
        let path = bench.path().join(name);
        let length = fs::metadata(&path).unwrap().len();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        for at in (4_096 * 2..length).step_by(64) {
            std::os::unix::fs::FileExt::write_all_at(&file, &[0x5a; 64], at).unwrap();
        }
    }
    for number in 501..=520 {
        save(&store, id, number..=number).await;
        // Whoever looks gets an answer in any case.
        on_record(&store, id).await;
        store.attempts_after(0, 10).await.unwrap();
    }
    tokio::time::sleep(WRITTEN_BY_THEN).await;
    save(&store, id, 521..=521).await;
    let after = on_record(&store, id).await;
    assert_eq!(after.last().map(|(_, number)| *number), Some(521));
    assert!(after.is_sorted());
}

#[tokio::test]
async fn a_file_that_was_deleted_is_begun_anew() {
    let bench = Bench::new(false);
    let store = bench.start();
    let id = create(&store, ONE, &[Kind::Hit]).await.id;
    save(&store, id, 1..=3).await;
    let before = on_record(&store, id).await;
    for name in ["attempts.db", "attempts.db-wal", "attempts.db-shm"] {
        fs::remove_file(bench.path().join(name)).unwrap();
    }
    save(&store, id, 4..=5).await;
    let after = on_record(&store, id).await;
    assert_eq!(numbers(&after), [4, 5]);
    assert!(after[0].0 > before[2].0);
    assert_eq!(store.missing_files(), [""; 0], "nothing is missing that anything depends on");

    // While it is stopped: from the number that the state noted.
    store.close().await.unwrap();
    drop(store);
    fs::remove_file(bench.path().join("attempts.db")).unwrap();
    let store = bench.start();
    save(&store, id, 6..=6).await;
    assert!(on_record(&store, id).await[0].0 > after[1].0);
}

#[tokio::test]
async fn numbers_of_attempts_that_are_gone_are_not_given_again_after_a_kill() {
    let bench = Bench::new(false);
    let store = bench.start();
    let id = create(&store, ONE, &[Kind::Hit]).await.id;
    let other = create(&store, ONE, &[Kind::Hit]).await.id;
    save(&store, other, 1..=1).await;
    save(&store, id, 1..=9).await;
    let last = on_record(&store, id).await[8].0;
    commit(&store, Op::DeleteIntegration { id, revision: None }).await;
    assert_eq!(on_record(&store, other).await.len(), 1);
    let killed = copy(bench.path());
    let store = killed.start();
    save(&store, other, 2..=2).await;
    assert!(on_record(&store, other).await[1].0 > last);
}

#[tokio::test]
async fn numbers_of_attempts_are_not_given_again_whatever_a_power_loss_leaves_of_their_file() {
    let bench = Bench::new(false);
    let store = bench.start();
    let id = create(&store, ONE, &[Kind::Hit]).await.id;
    save(&store, id, 1..=5).await;
    on_record(&store, id).await;
    let early = copy(bench.path());
    save(&store, id, 6..=90).await;
    let last = on_record(&store, id).await[89].0;
    // The state is safe as it is, the delivery log as it was, or not at all.
    for keeps in [true, false] {
        let left = copy(bench.path());
        for name in ["attempts.db", "attempts.db-wal"] {
            if keeps {
                fs::copy(early.path().join(name), left.path().join(name)).unwrap();
            } else {
                fs::remove_file(left.path().join(name)).unwrap();
            }
        }
        let store = left.start();
        save(&store, id, 91..=91).await;
        let number = on_record(&store, id).await.last().unwrap().0;
        assert!(number > last, "{number} after {last}");
    }
    // An orderly end leaves no number out.
    store.close().await.unwrap();
    drop(store);
    let store = bench.start();
    save(&store, id, 91..=91).await;
    assert_eq!(on_record(&store, id).await.last().unwrap().0, last + 1);
}

#[tokio::test]
async fn rows_that_cannot_be_read_cost_no_others() {
    let bench = Bench::new(false);
    let store = bench.start();
    let (id, other) =
        (create(&store, ONE, &[Kind::Hit]).await.id, create(&store, ONE, &[Kind::Hit]).await.id);
    save(&store, id, 1..=20).await;
    save(&store, other, 1..=3).await;
    let rows = on_record(&store, id).await;
    let sqlite = rusqlite::Connection::open(bench.path().join("attempts.db")).unwrap();
    let spoil = |set: &str, row: u64| {
        let sql = format!("UPDATE attempt SET {set} WHERE id = ?1");
        assert_eq!(sqlite.execute(&sql, [row as i64]).unwrap(), 1);
    };
    spoil("verdict = 77", rows[3].0);
    spoil("lane = -1", rows[4].0);
    spoil("number = -5", rows[19].0);
    spoil("webhook_id = CAST(x'ff' AS TEXT)", rows[7].0);
    drop(sqlite);
    let left: Vec<u32> = (1..=20).filter(|number| ![4, 5, 8, 20].contains(number)).collect();
    assert_eq!(numbers(&on_record(&store, id).await), left);
    let newest = store.attempts(id, None, 5).await.unwrap();
    assert_eq!(newest.len(), 5, "a page is full while there are others");
    let after = store.attempts_after(rows[2].0, 2).await.unwrap();
    assert_eq!(after.iter().map(|(_, row)| row.attempt.number).collect::<Vec<_>>(), [6, 7]);
    let page = store.find_attempts(AttemptQuery::of(id, None, 100)).await.unwrap();
    assert_eq!((page.rows.len(), page.next), (16, None));
    let around = AttemptQuery { seq: Some(page.rows[0].attempt.last), ..AttemptQuery::of(id, None, 100) };
    assert!(!store.find_attempts(around).await.unwrap().rows.is_empty());
    assert_eq!(store.attempt(id, rows[3].0).await.unwrap(), None);
    assert_eq!(on_record(&store, other).await.len(), 3);
    store.close().await.unwrap();
    drop(store);
    let store = bench.start();
    assert_eq!(numbers(&on_record(&store, id).await), left);
    assert!(!bench.path().join("attempts.db.damaged").exists());
}

#[tokio::test]
async fn a_damaged_file_that_was_set_aside_goes_with_an_integration() {
    let bench = Bench::new(false);
    let store = bench.start();
    let id = create(&store, ONE, &[Kind::Hit]).await.id;
    save(&store, id, 1..=20).await;
    store.close().await.unwrap();
    drop(store);
    fs::write(bench.path().join("attempts.db"), vec![7; 50_000]).unwrap();
    let store = bench.start();
    save(&store, id, 21..=21).await;
    on_record(&store, id).await;
    let aside = bench.path().join("attempts.db.damaged");
    assert!(aside.exists());
    commit(&store, Op::DeleteIntegration { id, revision: None }).await;
    on_record(&store, id).await;
    assert!(!aside.exists());
}

#[tokio::test]
async fn attempts_of_a_deleted_integration_leave_the_wal_although_somebody_reads() {
    let bench = Bench::new(false);
    let store = bench.start();
    let (id, other) =
        (create(&store, ONE, &[Kind::Hit]).await.id, create(&store, ONE, &[Kind::Hit]).await.id);
    let said = Attempt { error: Some("says goodbye".to_owned()), ..attempt(1) };
    support::save(&store, Progress { attempts: vec![said], ..progress(id) }).await;
    on_record(&store, id).await;
    let reader = rusqlite::Connection::open(bench.path().join("attempts.db")).unwrap();
    let reading = reader.unchecked_transaction().unwrap();
    reading.query_row("SELECT count(*) FROM attempt", [], |row| row.get::<_, i64>(0)).unwrap();
    commit(&store, Op::DeleteIntegration { id, revision: None }).await;
    save(&store, other, 1..=1).await;
    on_record(&store, other).await;
    drop(reading);
    save(&store, other, 2..=2).await;
    on_record(&store, other).await;
    save(&store, other, 3..=3).await;
    on_record(&store, other).await;
    for name in ["attempts.db", "attempts.db-wal"] {
        let bytes = fs::read(bench.path().join(name)).unwrap_or_default();
        assert!(!bytes.windows(12).any(|window| window == b"says goodbye"), "{name}");
    }
}

#[tokio::test]
async fn a_backup_holds_the_delivery_log_unless_it_is_damaged() {
    let bench = Bench::new(true);
    let store = bench.start();
    let id = create(&store, ONE, &[Kind::Hit]).await.id;
    save(&store, id, 1..=3).await;
    let place = tempfile::tempdir().unwrap();
    let to = |name: &str| place.path().join(name);
    back_up(bench.path(), &to("whole")).unwrap();
    let restored = Bench::new(true);
    restore(&to("whole"), restored.path()).unwrap();
    assert_eq!(numbers(&on_record(&restored.start(), id).await), [1, 2, 3]);

    store.close().await.unwrap();
    drop(store);
    fs::write(bench.path().join("attempts.db"), vec![7; 50_000]).unwrap();
    let made = back_up(bench.path(), &to("partial")).unwrap();
    assert!(made.files.iter().all(|file| file.name != "attempts.db"));
    let restored = Bench::new(true);
    restore(&to("partial"), restored.path()).unwrap();
    let store = restored.start();
    assert!(store.saved(id).await.unwrap().is_some());
    assert_eq!(on_record(&store, id).await, []);
}

#[tokio::test]
async fn nothing_of_the_attempts_of_a_deleted_integration_stays_in_the_file() {
    let bench = Bench::new(false);
    let store = bench.start();
    let id = create(&store, ONE, &[Kind::Hit]).await.id;
    let other = create(&store, ONE, &[Kind::Hit]).await.id;
    let told = |who: IntegrationId, word: &str| Progress {
        attempts: vec![Attempt { error: Some(format!("says {word}")), ..attempt(1) }],
        ..progress(who)
    };
    support::save(&store, told(id, "goodbye")).await;
    support::save(&store, told(other, "welcome")).await;
    save(&store, id, 2..=5_500).await;
    assert_eq!(on_record(&store, id).await.len(), 1_000);
    let before = copy(bench.path());
    commit(&store, Op::DeleteIntegration { id, revision: None }).await;
    assert_eq!(on_record(&store, other).await.len(), 1);
    store.close().await.unwrap();
    drop(store);
    let holds = |directory: &Path, word: &str| {
        ["attempts.db", "attempts.db-wal"].iter().any(|name| {
            let bytes = fs::read(directory.join(name)).unwrap_or_default();
            bytes.windows(word.len()).any(|window| window == word.as_bytes())
        })
    };
    assert!(holds(before.path(), "says goodbye"), "the search can find something");
    assert!(!holds(bench.path(), "says goodbye"));
    assert!(holds(bench.path(), "says welcome"));

    // A kill before its attempts were taken away: that is made up for at the next start.
    for name in ["attempts.db", "attempts.db-wal"] {
        fs::copy(before.path().join(name), bench.path().join(name)).unwrap();
    }
    let store = bench.start();
    assert_eq!(on_record(&store, other).await.len(), 1);
    store.close().await.unwrap();
    drop(store);
    assert!(!holds(bench.path(), "says goodbye"));
    assert!(holds(bench.path(), "says welcome"));
}
