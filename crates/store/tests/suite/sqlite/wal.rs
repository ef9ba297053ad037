//! WALs under steady writing: they are used again, and nobody who appends waits for a reader.

use crate::support::{Bench, HIGH, ONE, append, event, noise, read_all, stream};
use hitwire_event::Seq;
use hitwire_store::{FaultPoint, Log, Options, Read, SqliteStore};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const MIB: u64 = 1 << 20;

/// A WAL of these may have 16 MiB, and is moved from 1 MiB on.
fn options(bench: &Bench) -> Options {
    Options { slice_bytes: 32 * MIB, tail_bytes: 1 << 20, ..bench.options() }
}

fn slices(bench: &Bench) -> Vec<PathBuf> {
    let files = std::fs::read_dir(bench.path()).unwrap().map(|file| file.unwrap().path());
    let is_slice = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("log-") && path.extension().is_some_and(|extension| extension == "db")
    };
    let mut slices: Vec<PathBuf> = files.filter(is_slice).collect();
    slices.sort();
    slices
}

fn wal_bytes(database: &Path) -> u64 {
    let wal = PathBuf::from(format!("{}-wal", database.display()));
    wal.metadata().map_or(0, |file| file.len())
}

/// One commit after the other, of 7 KB each: two pages or more.
async fn append_steadily(store: &SqliteStore, ids: std::ops::Range<u64>) {
    for id in ids {
        append(store, vec![event(ONE, HIGH, &id.to_string(), &noise(id, 7_000))]).await;
    }
}

#[tokio::test]
async fn the_logs_wal_is_used_again_while_events_come_without_a_pause_and_are_read() {
    let bench = Bench::new(false);
    let store = Arc::new(SqliteStore::open(options(&bench)).unwrap());
    append_steadily(&store, 0..300).await;
    let stop = Arc::new(AtomicBool::new(false));
    // Two lanes that lag read the newest slice all the time.
    let readers = [0, 1].map(|_| {
        let (store, stop) = (store.clone(), stop.clone());
        tokio::spawn(async move {
            let mut pages = 0;
            while !stop.load(Ordering::Relaxed) {
                let streams = vec![stream(ONE, HIGH)];
                let (after, max_bytes) = (Seq(pages % 200), 1 << 20);
                let read = Read { streams, after, through: None, max_events: 100, max_bytes };
                assert!(!store.read(read).await.unwrap().records.is_empty());
                pages += 1;
            }
            pages
        })
    });
    append_steadily(&store, 300..2_500).await;
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(reader.await.unwrap() > 10, "the readers read beside the writer");
    }
    let slices = slices(&bench);
    assert_eq!(slices.len(), 1, "{slices:?}");
    // More than 40 MB went through it.
    let bytes = wal_bytes(&slices[0]);
    assert!(bytes < 12 * MIB, "{bytes} bytes of WAL");
}

#[tokio::test]
async fn a_reader_who_never_ends_makes_the_log_go_on_in_another_slice() {
    let bench = Bench::new(false);
    let store = SqliteStore::open(options(&bench)).unwrap();
    append_steadily(&store, 0..10).await;
    let foreign = Connection::open(&slices(&bench)[0]).unwrap();
    foreign.execute_batch("BEGIN; SELECT count(*) FROM block;").unwrap();
    append_steadily(&store, 10..1_500).await;
    let slices = slices(&bench);
    assert_eq!(slices.len(), 2, "{slices:?}");
    assert!(wal_bytes(&slices[1]) < 12 * MIB, "the next slice's WAL is used again");
    drop(foreign);
    let read = Read {
        streams: vec![stream(ONE, HIGH)],
        after: Seq(0),
        through: None,
        max_events: 10,
        max_bytes: MIB as usize,
    };
    assert_eq!(store.read(read).await.unwrap().records[0].seq, Seq(1));
}

#[tokio::test]
async fn after_a_wal_could_not_be_moved_it_stays_and_the_log_goes_on_in_another_slice() {
    let bench = Bench::new(true);
    let fails = Arc::new(AtomicBool::new(false));
    let fault = {
        let fails = fails.clone();
        move |point| point == FaultPoint::LogMove && fails.swap(false, Ordering::Relaxed)
    };
    let store = SqliteStore::open(Options { fault: Some(Arc::new(fault)), ..options(&bench) }).unwrap();
    append_steadily(&store, 0..10).await;
    fails.store(true, Ordering::Relaxed);
    append_steadily(&store, 10..100).await;
    assert_eq!(slices(&bench).len(), 2, "it is enough that it fails once");
    assert_eq!(read_all(&store, vec![stream(ONE, HIGH)]).await.len(), 100);
}
