//! The data directory: who may use it, who may read it, what is refused.

use crate::support::{
    Backend, Bench, HIGH, ONE, append, append_once, attempt, commit, create, hits, ids, progress, read_all,
    save, stream, update,
};
use hitwire_courier::Progress;
use hitwire_event::{Kind, Lane};
use hitwire_store::{Ledger, Log, Op, Registry, Secret, SqliteStore, Store};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn names(directory: &Path) -> BTreeSet<String> {
    files(directory).iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

fn refusal(bench: &Bench) -> String {
    match SqliteStore::open(bench.options()) {
        Ok(_) => panic!("the store opened"),
        Err(error) => error.to_string(),
    }
}

fn sqlite(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

#[tokio::test]
async fn a_second_hitwire_is_refused_by_name_of_the_directory() {
    let bench = Bench::new(false);
    let store = bench.start();
    let refused = refusal(&bench);
    assert!(refused.contains(bench.path().to_str().unwrap()), "{refused}");
    assert!(refused.contains("another hitwire"), "{refused}");
    drop(store);
    bench.start();
}

#[tokio::test]
async fn nobody_else_may_read_the_directory_or_its_files() {
    let bench = Bench::new(false);
    let mut options = bench.options();
    options.data_dir = bench.path().join("deep").join("data");
    options.secret_key = None;
    let directory = options.data_dir.clone();
    let store = SqliteStore::open(options).unwrap();
    append(&store, hits(1..=1)).await;
    create(&store, ONE, &[Kind::Hit]).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    assert!(files(&directory).len() >= 7, "two databases, their WALs and indexes, the lock and the key");
    for file in files(&directory) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_the_file_and_both_versions() {
    let bench = Bench::new(false);
    append(&bench.start(), hits(1..=1)).await;
    for file in ["log-00000000000000000001.db", "state.db"] {
        let path = bench.path().join(file);
        let known: i64 = sqlite(&path).pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        sqlite(&path).pragma_update(None, "user_version", 99).unwrap();
        let refused = refusal(&bench);
        assert!(refused.contains(&format!("{file}: this file has version 99")), "{refused}");
        assert!(refused.contains(&format!("up to {known}")), "{refused}");
        sqlite(&path).pragma_update(None, "user_version", known).unwrap();
    }
    bench.start();
}

#[tokio::test]
async fn a_data_directory_of_the_first_version_is_refused_in_plain_words_and_stays_as_it_was() {
    // A state, and a slice beside it, as 0.1 left them: the state is looked at first.
    let bench = Bench::new(false);
    sqlite(&bench.path().join("state.db"))
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA application_id = 0x68777374;
             PRAGMA user_version = 7;
             CREATE TABLE integration (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL) STRICT;
             INSERT INTO integration VALUES (1, 'SIEM');",
        )
        .unwrap();
    let slice = bench.path().join("log-00000000000000000001.db");
    sqlite(&slice)
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA application_id = 0x68776c67;
             PRAGMA user_version = 1;
             CREATE TABLE event (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;",
        )
        .unwrap();
    let databases =
        || ["state.db", "log-00000000000000000001.db"].map(|name| fs::read(bench.path().join(name)).unwrap());
    let before = databases();
    let mut options = bench.options();
    options.secret_key = None;
    for _ in 0..2 {
        let refused = SqliteStore::open(options.clone()).map(drop).unwrap_err().to_string();
        assert!(refused.contains("state.db: this file was made by hitwire 0.1"), "{refused}");
        assert!(refused.contains("choose an empty data directory"), "{refused}");
        assert!(databases() == before);
        assert!(!bench.path().join("secret.key").exists());
    }

    // A slice of 0.1 beside a state of today.
    fs::remove_file(bench.path().join("state.db")).unwrap();
    let moved = bench.path().join("moved");
    fs::rename(&slice, &moved).unwrap();
    drop(bench.start());
    fs::rename(&moved, &slice).unwrap();
    let refused = refusal(&bench);
    assert!(refused.contains("log-00000000000000000001.db: this file was made by hitwire 0.1"), "{refused}");
    assert!(fs::read(&slice).unwrap() == before[1]);
}

#[tokio::test]
async fn a_file_of_something_else_is_refused_by_name() {
    let bench = Bench::new(false);
    bench.start();
    let path = bench.path().join("log-00000000000000000009.db");
    sqlite(&path).execute_batch("CREATE TABLE other (x)").unwrap();
    let refused = refusal(&bench);
    assert!(refused.contains("log-00000000000000000009.db: this file was not made by hitwire"), "{refused}");
}

#[tokio::test]
async fn another_key_is_refused_at_the_start() {
    let bench = Bench::new(false);
    bench.start();
    let mut options = bench.options();
    options.secret_key = Some([1; 32]);
    let refused = SqliteStore::open(options).err().unwrap().to_string();
    assert!(refused.contains("sealed with another key"), "{refused}");
}

#[tokio::test]
async fn the_key_file_is_made_once_and_missed_when_it_is_gone() {
    let bench = Bench::new(false);
    let mut options = bench.options();
    options.secret_key = None;
    let store = SqliteStore::open(options.clone()).unwrap();
    let made = create(&store, ONE, &[Kind::Hit]).await;
    drop(store);
    let key_file = bench.path().join("secret.key");
    let key = fs::read(&key_file).unwrap();
    let store = SqliteStore::open(options.clone()).unwrap();
    assert_eq!(store.integration(made.id).await.unwrap(), Some(made));
    assert_eq!(fs::read(&key_file).unwrap(), key);
    drop(store);

    fs::remove_file(&key_file).unwrap();
    let refused = SqliteStore::open(options.clone()).err().unwrap().to_string();
    assert!(refused.contains("secret.key: the key of the secrets is missing"), "{refused}");
    assert!(!key_file.exists(), "a new key would open nothing");
    fs::write(&key_file, "not a key").unwrap();
    let refused = SqliteStore::open(options).err().unwrap().to_string();
    assert!(refused.contains("64 hexadecimal digits"), "{refused}");
}

#[tokio::test]
async fn no_secret_lies_in_any_file_in_clear() {
    let bench = Bench::new(true);
    let store = bench.start();
    let mut integration = create(&store, ONE, &[Kind::Hit]).await;
    integration.target.url = Secret::new("https://receiver.example/changed-path-is-secret");
    let integration = update(&store, integration).await;
    let other = create(&store, ONE, &[Kind::Hit]).await;
    commit(&store, Op::DeleteIntegration { id: other.id, revision: None }).await;
    let step = Progress { attempts: vec![attempt(1)], ..progress(integration.id) };
    save(&store, step).await;
    for closed in [false, true] {
        if closed {
            store.close().await.unwrap();
        }
        for file in files(bench.path()) {
            let bytes = fs::read(&file).unwrap();
            for word in ["is-secret", "query-too", "receiver.example", "whsec_"] {
                let found = bytes.windows(word.len()).any(|window| window == word.as_bytes());
                assert!(!found, "{word} in {}", file.display());
            }
        }
    }
}

#[tokio::test]
async fn a_sealed_secret_that_is_moved_to_another_row_does_not_open() {
    let bench = Bench::new(false);
    let store = bench.start();
    let (one, two) = (create(&store, ONE, &[]).await, create(&store, ONE, &[]).await);
    drop(store);
    sqlite(&bench.path().join("state.db"))
        .execute(
            "UPDATE integration SET secrets = (SELECT secrets FROM integration WHERE id = ?1) WHERE id = ?2",
            [one.id.0 as i64, two.id.0 as i64],
        )
        .unwrap();
    let store = bench.start();
    assert!(store.integration(one.id).await.unwrap().is_some());
    let refused = store.integration(two.id).await.unwrap_err().to_string();
    assert!(refused.contains(&format!("integration {}", two.id)), "{refused}");
}

#[tokio::test]
async fn what_a_crash_left_unfinished_is_cleared_away() {
    let bench = Bench::new(false);
    let store = bench.start();
    append(&store, hits(1..=3)).await;
    drop(store);
    let leftovers = [
        "log-00000000000000000004.db.new",
        "log-00000000000000000004.db.new-wal",
        "log-00000000000000000002.db-wal",
        "state.db.ready.new",
    ];
    for name in leftovers {
        fs::write(bench.path().join(name), "half").unwrap();
    }
    let store = bench.start();
    let names = names(bench.path());
    assert!(leftovers.iter().all(|name| !names.contains(*name)), "{names:?}");
    assert_eq!(read_all(&store, vec![stream(ONE, Kind::Hit)]).await.len(), 3);
}

#[tokio::test]
async fn a_replacement_of_the_state_that_was_cut_short_is_finished() {
    let bench = Bench::new(false);
    let store = bench.start();
    let made = create(&store, ONE, &[Kind::Hit]).await;
    store.close().await.unwrap();
    drop(store);
    let (state, ready) = (bench.path().join("state.db"), bench.path().join("state.db.ready"));
    fs::rename(&state, &ready).unwrap();
    fs::write(&state, "a file whose sync failed").unwrap();
    let store = bench.start();
    assert_eq!(store.integration(made.id).await.unwrap(), Some(made));
    assert!(!ready.exists());
}

#[tokio::test]
async fn a_slice_that_was_made_but_never_written_tells_where_the_log_goes_on() {
    let bench = Bench::new(true);
    let mut options = bench.options();
    options.slice_age = std::time::Duration::from_secs(10);
    let store = SqliteStore::open(options.clone()).unwrap();
    append_once(&store, hits(1..=5)).await;
    bench.pass(std::time::Duration::from_mins(2));
    append_once(&store, Vec::new()).await;
    drop(store);
    assert!(names(bench.path()).contains("log-00000000000000000006.db"));
    fs::remove_file(bench.path().join("log-00000000000000000001.packed.db")).unwrap();
    let store = SqliteStore::open(options).unwrap();
    assert_eq!(store.head().now().0, 5, "positions are never given again");
    append(&store, hits(6..=6)).await;
    assert_eq!(ids(&read_all(&store, vec![stream(ONE, Kind::Hit)]).await), ["hit-6"]);
}

#[tokio::test]
async fn new_events_never_get_positions_that_couriers_have_passed() {
    let bench = Bench::new(true);
    let store = bench.start();
    append(&store, hits(1..=50)).await;
    let integration = create(&store, ONE, &[Kind::Hit, HIGH]).await;
    drop(store);
    for file in files(bench.path()) {
        if file.file_name().unwrap().to_str().unwrap().starts_with("log-") {
            fs::remove_file(file).unwrap();
        }
    }
    let store = bench.start();
    let saved = store.saved(integration.id).await.unwrap().unwrap();
    append(&store, hits(1..=1)).await;
    let records = read_all(&store, vec![stream(ONE, Kind::Hit)]).await;
    assert!(
        records[0].seq > saved.lanes[Lane::Bulk].cursor,
        "the event is after the cursor, and will be delivered"
    );
}

#[tokio::test]
async fn a_state_that_is_missing_beside_the_log_is_missed() {
    let bench = Bench::new(false);
    let store = bench.start();
    append(&store, hits(1..=3)).await;
    drop(store);
    let state = bench.path().join("state.db");
    let aside = bench.path().join("aside");
    fs::rename(&state, &aside).unwrap();
    let refused = refusal(&bench);
    assert!(refused.contains("state.db: the file is missing beside the log"), "{refused}");
    assert!(refused.contains("Restore it from a backup, or move the files log-*.db away"), "{refused}");
    assert!(!state.exists(), "a new one would hide the loss");
    fs::rename(&aside, &state).unwrap();
    assert_eq!(read_all(&bench.start(), vec![stream(ONE, Kind::Hit)]).await.len(), 3);
}
