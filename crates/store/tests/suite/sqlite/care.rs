//! Verifying, backing up, restoring, and a new key.

use crate::support::{
    Backend, Bench, ONE, append, append_once, append_with, create, hits, ids, integrations, lane_at,
    progress, read_all, save, save_cursor, stream,
};
use hitwire_courier::Progress;
use hitwire_event::{Kind, Lane};
use hitwire_store::{
    Append, IntegrationRange, KeyRotation, Ledger, Log, Options, SqliteStore, Store, Verification, back_up,
    restore, rotate_key, verify,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Slices of some seconds; the key in a file.
fn options(bench: &Bench) -> Options {
    let mut options = bench.options();
    options.slice_age = Duration::from_secs(10);
    options.secret_key = None;
    options
}

/// Three slices of six events, two of them packed, an integration at position 4, a checkpoint. Still open.
async fn filled(bench: &Bench) -> SqliteStore {
    let store = SqliteStore::open(options(bench)).unwrap();
    let id = create(&store, ONE, &[Kind::Hit]).await.id;
    for first in [1, 7, 13] {
        if first > 1 {
            bench.pass(Duration::from_secs(20));
        }
        append_once(&store, hits(first..first + 3)).await;
        append_once(&store, hits(first + 3..first + 6)).await;
    }
    let checkpoint = Some(("audit".to_owned(), b"far".to_vec()));
    append_with(&store, Append { checkpoint, ..Append::default() }).await;
    save_cursor(&store, id, Lane::Bulk, 4).await;
    store
}

fn problems(found: &Verification) -> Vec<String> {
    found.findings.iter().map(|finding| format!("{}: {}", finding.file, finding.problem)).collect()
}

fn slices(directory: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut slices: Vec<_> = files
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with("log-") && path.extension().is_some_and(|extension| extension == "db")
        })
        .collect();
    slices.sort();
    slices
}

#[tokio::test]
async fn a_directory_that_is_whole_is_said_to_be_also_while_a_server_runs() {
    let bench = Bench::new(true);
    let store = filled(&bench).await;
    let running = verify(bench.path(), None).unwrap();
    assert_eq!(problems(&running), [""; 0]);
    assert_eq!((running.slices, running.events, running.first, running.last), (3, 18, 1, 18));
    assert_eq!((running.integrations, running.secrets_opened), (1, true));
    store.close().await.unwrap();
    drop(store);
    assert_eq!(verify(bench.path(), None).unwrap(), running);
}

/// What a fault is called, and what makes it.
type Damage<'a> = (&'a str, Box<dyn Fn(&Path) + 'a>);

#[tokio::test]
async fn what_is_damaged_or_missing_is_found() {
    let bench = Bench::new(true);
    let store = filled(&bench).await;
    store.close().await.unwrap();
    drop(store);
    let whole = tempfile::tempdir().unwrap();
    let keep = |to: &Path| {
        for entry in std::fs::read_dir(bench.path()).unwrap().map(Result::unwrap) {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    };
    keep(whole.path());
    let sql = |path: &Path, sql: &str| {
        rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
    };
    let state = |directory: &Path| directory.join("state.db");
    let damages: Vec<Damage<'_>> = vec![
        (
            "block at position 7 is damaged",
            Box::new(|at| sql(&slices(at)[1], "UPDATE block SET hash = hash + 1")),
        ),
        (
            "directory of the block at position 7",
            Box::new(|at| sql(&slices(at)[1], "UPDATE block SET streams = x'00'")),
        ),
        (
            "the ids beside the block at position 7 are damaged",
            Box::new(|at| sql(&slices(at)[1], "UPDATE block SET ids = zeroblob(length(ids))")),
        ),
        (
            "the positions 13 to 15 are missing",
            Box::new(|at| sql(&slices(at)[2], "DELETE FROM block WHERE first = 13")),
        ),
        (
            "is not what it holds there",
            Box::new(|at| sql(&slices(at)[0], "UPDATE span_stream SET client = 9")),
        ),
        ("the positions 7 to 12 are missing", Box::new(|at| std::fs::remove_file(&slices(at)[1]).unwrap())),
        ("the positions 1 to 6 are missing", Box::new(|at| std::fs::remove_file(&slices(at)[0]).unwrap())),
        ("ended at position 18 once", Box::new(|at| std::fs::remove_file(&slices(at)[2]).unwrap())),
        ("has come to position 99", Box::new(|at| sql(&state(at), "UPDATE courier SET urgent = 99"))),
        ("do not open", Box::new(|at| sql(&state(at), "UPDATE integration SET secrets = x'010203'"))),
        ("cannot be read", Box::new(|at| sql(&state(at), "UPDATE integration SET target = 'no'"))),
        (
            "SQLite finds",
            Box::new(|at| {
                let mut bytes = std::fs::read(state(at)).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle..middle + 4096].fill(0xa5);
                std::fs::write(state(at), bytes).unwrap();
            }),
        ),
        (
            "attempts.db: it cannot be opened",
            Box::new(|at| std::fs::write(at.join("attempts.db"), [7; 20_000]).unwrap()),
        ),
        ("state.db: it is missing", Box::new(|at| std::fs::remove_file(state(at)).unwrap())),
        ("it cannot be opened", Box::new(|at| std::fs::write(&slices(at)[0], [7; 20_000]).unwrap())),
        (
            "sealed with another key",
            Box::new(|at| std::fs::write(at.join("secret.key"), "ab".repeat(32)).unwrap()),
        ),
    ];
    for (expected, damage) in damages {
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(whole.path()).unwrap().map(Result::unwrap) {
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        assert_eq!(problems(&verify(copy.path(), None).unwrap()), [""; 0]);
        damage(copy.path());
        let found = problems(&verify(copy.path(), None).unwrap());
        assert!(found.iter().any(|problem| problem.contains(expected)), "{expected}: {found:?}");
    }
}

#[tokio::test]
async fn a_restored_backup_has_all_that_was_acknowledged_and_knows_what_was_delivered() {
    let bench = Bench::new(true);
    let store = filled(&bench).await;
    let id = integrations(&store, IntegrationRange::all(ONE)).await[0].id;
    let place = tempfile::tempdir().unwrap();
    let (backup, restored) = (place.path().join("backup"), place.path().join("restored"));
    let made = back_up(bench.path(), &backup).unwrap();
    assert_eq!(made.files.len(), 5, "the state, three slices, the delivery log");
    assert!(!backup.join("secret.key").exists());
    assert_eq!(problems(&verify(&backup, None).unwrap()), [""; 0]);
    // What comes after it is not in it, and disturbs nothing.
    append(&store, hits(19..22)).await;
    save_cursor(&store, id, Lane::Bulk, 20).await;
    assert!(back_up(bench.path(), &backup).unwrap_err().to_string().contains("not empty"));
    assert_eq!(restore(&backup, &restored).unwrap(), made);
    let mut options = options(&bench);
    options.data_dir.clone_from(&restored);
    let refused = SqliteStore::open(options.clone()).err().unwrap().to_string();
    assert!(refused.contains("secret.key: the key of the secrets is missing"), "{refused}");
    std::fs::copy(bench.path().join("secret.key"), restored.join("secret.key")).unwrap();
    assert_eq!(problems(&verify(&restored, None).unwrap()), [""; 0]);
    assert!(restore(&backup, &restored).unwrap_err().to_string().contains("there is data in this directory"));
    let store = SqliteStore::open(options).unwrap();
    assert_eq!(store.head().now().0, 18);
    assert_eq!(store.saved(id).await.unwrap().unwrap().lanes[Lane::Bulk], lane_at(4));
    assert_eq!(store.checkpoint("audit").await.unwrap().as_deref(), Some(&b"far"[..]));
    assert_eq!(read_all(&store, vec![stream(ONE, Kind::Hit)]).await.len(), 18);
    append(&store, hits(100..101)).await;
    assert_eq!(ids(&read_all(&store, vec![stream(ONE, Kind::Hit)]).await).last(), Some(&"hit-100"));
}

#[tokio::test]
async fn a_backup_of_which_anything_was_changed_or_cut_is_refused() {
    let bench = Bench::new(true);
    let _store = filled(&bench).await;
    let place = tempfile::tempdir().unwrap();
    let backup = place.path().join("backup");
    back_up(bench.path(), &backup).unwrap();
    for name in ["state.db", "backup.json"].map(|name| backup.join(name)).into_iter().chain(slices(&backup)) {
        let whole = std::fs::read(&name).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        for bytes in [flipped, whole[..whole.len() / 2].to_vec()] {
            std::fs::write(&name, bytes).unwrap();
            let refused = restore(&backup, &place.path().join("restored"));
            assert!(refused.is_err(), "{}", name.display());
            assert!(!place.path().join("restored").join("state.db").exists());
        }
        std::fs::write(&name, whole).unwrap();
    }
    std::fs::remove_file(backup.join("backup.json")).unwrap();
    let refused = restore(&backup, &place.path().join("restored")).unwrap_err().to_string();
    assert!(refused.contains("not finished"), "{refused}");
}

#[tokio::test]
async fn a_backup_beside_a_writer_is_whole_and_has_what_was_acknowledged_before() {
    let bench = Bench::new(false);
    let mut fast = options(&bench);
    fast.slice_bytes = 0;
    let store = std::sync::Arc::new(SqliteStore::open(fast).unwrap());
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, stop) = (store.clone(), stop.clone());
        async move {
            let mut next = 1;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let body = crate::support::noise(next, 2_000);
                let event = crate::support::event(ONE, Kind::Hit, &next.to_string(), &body);
                append(&*store, vec![event; 20].into_iter().collect()).await;
                next += 1;
            }
        }
    });
    for round in 0..5 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let acknowledged = store.head().now().0;
        let place = tempfile::tempdir().unwrap();
        let backup = place.path().join("backup");
        let directory = bench.path().to_owned();
        let found = tokio::task::spawn_blocking(move || {
            back_up(&directory, &backup).unwrap();
            (verify(&backup, None).unwrap(), verify(&directory, None).unwrap())
        });
        let (copy, running) = found.await.unwrap();
        assert_eq!((problems(&copy), problems(&running)), (Vec::new(), Vec::new()), "round {round}");
        assert!(copy.last >= acknowledged, "round {round}");
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    writer.await.unwrap();
}

#[tokio::test]
async fn a_new_key_opens_everything_and_the_old_one_nothing() {
    let bench = Bench::new(true);
    let store = filled(&bench).await;
    let before = integrations(&store, IntegrationRange::all(ONE)).await;
    assert!(
        rotate_key(bench.path(), &KeyRotation::default())
            .unwrap_err()
            .to_string()
            .contains("another hitwire")
    );
    drop(store);
    let key_file = bench.path().join("secret.key");
    let old = std::fs::read(&key_file).unwrap();
    assert_eq!(rotate_key(bench.path(), &KeyRotation::default()).unwrap(), 1);
    assert_ne!(std::fs::read(&key_file).unwrap(), old);
    let store = SqliteStore::open(options(&bench)).unwrap();
    assert_eq!(integrations(&store, IntegrationRange::all(ONE)).await, before);
    let step = Progress { lanes: vec![(Lane::Bulk, lane_at(5))], ..progress(before[0].id) };
    save(&store, step).await;
    drop(store);
    let new = std::fs::read(&key_file).unwrap();
    std::fs::write(&key_file, &old).unwrap();
    assert!(SqliteStore::open(options(&bench)).err().unwrap().to_string().contains("another key"));

    // Cut short after the transaction: the new key is not in its place yet.
    std::fs::write(bench.path().join("secret.key.next"), &new).unwrap();
    let store = SqliteStore::open(options(&bench)).unwrap();
    assert_eq!(integrations(&store, IntegrationRange::all(ONE)).await, before);
    drop(store);
    assert_eq!(std::fs::read(&key_file).unwrap(), new);
    // Cut short before it: the new key has sealed nothing.
    std::fs::write(bench.path().join("secret.key.next"), &old).unwrap();
    let store = SqliteStore::open(options(&bench)).unwrap();
    assert_eq!(integrations(&store, IntegrationRange::all(ONE)).await, before);
    assert_eq!(std::fs::read(&key_file).unwrap(), new);
    assert!(!bench.path().join("secret.key.next").exists());
    drop(store);

    // A key that is set, in place of the file.
    let keys = KeyRotation { old: None, new: Some([5; 32]) };
    rotate_key(bench.path(), &keys).unwrap();
    let mut set = options(&bench);
    set.secret_key = Some([5; 32]);
    assert_eq!(integrations(&SqliteStore::open(set).unwrap(), IntegrationRange::all(ONE)).await, before);
}
