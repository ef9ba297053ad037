//! Files that are damaged or gone: what they held is told, range by range, and everything else goes on.

use crate::support::{
    Backend, Bench, ONE, append, append_once, create, event, hits, ids, lane_at, progress, save, stream,
};
use hitwire_courier::{LostRange, LostReason, Progress};
use hitwire_event::{Kind, Lane, Seq};
use hitwire_store::{Ledger, Log, Page, Read, SqliteStore, Store, StoreError, Unreadable};
use std::path::PathBuf;
use std::time::Duration;

const FIRST: &str = "log-00000000000000000001.db";

/// Three blocks of three events, on disk and closed.
async fn three_blocks(bench: &Bench) -> PathBuf {
    let store = bench.start();
    for first in [1, 4, 7] {
        append(&store, hits(first..first + 3)).await;
    }
    store.close().await.unwrap();
    bench.path().join(FIRST)
}

fn read(after: Seq) -> Read {
    let streams = vec![stream(ONE, Kind::Hit)];
    Read { streams, after, through: None, max_events: 1000, max_bytes: 1 << 20 }
}

/// Every page from the beginning on.
async fn pages(store: &SqliteStore) -> Result<Vec<Page>, StoreError> {
    let (mut pages, mut after) = (Vec::new(), Seq::ZERO);
    loop {
        let page = store.read(read(after)).await?;
        let more = page.more;
        assert!(page.scanned_to > after || !more, "a read gets on");
        after = page.scanned_to;
        pages.push(page);
        if !more {
            return Ok(pages);
        }
    }
}

fn unreadable(pages: &[Page]) -> Vec<Unreadable> {
    pages.iter().filter_map(|page| page.unreadable.clone()).collect()
}

fn all_ids(pages: &[Page]) -> Vec<&str> {
    pages.iter().flat_map(|page| ids(&page.records)).collect()
}

fn sql(path: &std::path::Path, sql: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

/// Flips a bit of the place where these bytes stand.
fn flip(path: &std::path::Path, bytes: &[u8]) {
    let mut file = std::fs::read(path).unwrap();
    let at = file.windows(bytes.len()).position(|window| window == bytes).expect("they stand there");
    file[at] ^= 1;
    std::fs::write(path, file).unwrap();
}

#[tokio::test]
async fn a_block_with_a_flipped_bit_is_told_and_what_lies_around_it_is_read() {
    let bench = Bench::new(true);
    let path = three_blocks(&bench).await;
    flip(&path, b"hit-5");
    let store = bench.start();
    let pages = pages(&store).await.unwrap();
    assert_eq!(all_ids(&pages), ["hit-1", "hit-2", "hit-3", "hit-7", "hit-8", "hit-9"]);
    let told = &unreadable(&pages)[0];
    assert_eq!((told.first, told.last, told.events, told.exact), (Seq(4), Seq(6), 3, true));
    assert_eq!(told.detail(), format!("a block of {FIRST} is damaged"));
    assert_eq!(unreadable(&pages).len(), 1);
    let followed = store.follow(Seq(3), 10, 1 << 20).await.unwrap();
    assert_eq!((followed.unreadable.map(|range| range.last), followed.scanned_to), (Some(Seq(6)), Seq(6)));
    let lag = store.lag(vec![stream(ONE, Kind::Hit)], Seq(4), Seq(9)).await.unwrap();
    assert_eq!(lag.events, 5, "what cannot be read counts as what it can be at most");
    assert_eq!(store.position_at(u64::MAX).await.unwrap(), Seq(9));
    assert!(store.counts().damaged_ranges() > 0);
}

#[tokio::test]
async fn a_block_that_is_not_there_and_a_damaged_directory_hide_no_event() {
    let bench = Bench::new(true);
    let path = three_blocks(&bench).await;
    sql(
        &path,
        "UPDATE block SET streams = x'0202010101ffffffff' WHERE first = 1; DELETE FROM block WHERE first = 4",
    );
    let pages = pages(&bench.start()).await.unwrap();
    assert_eq!(all_ids(&pages), ["hit-1", "hit-2", "hit-3", "hit-7", "hit-8", "hit-9"]);
    let told = &unreadable(&pages)[0];
    assert_eq!((told.first, told.last, told.events, told.exact), (Seq(4), Seq(6), 3, false));
    assert!(
        told.detail().contains("lacks a block") && told.detail().contains("estimate"),
        "{}",
        told.detail()
    );
}

#[tokio::test]
async fn what_was_sent_is_known_by_the_ids_beside_the_blocks_or_else_by_the_events() {
    let bench = Bench::new(true);
    let mut options = bench.options();
    options.slice_age = Duration::from_secs(10);
    let store = SqliteStore::open(options.clone()).unwrap();
    append_once(&store, hits(1..4)).await;
    bench.pass(Duration::from_secs(20));
    for first in [4, 7, 10, 13] {
        append_once(&store, hits(first..first + 3)).await;
    }
    append_once(&store, vec![event(ONE, Kind::Hit, "hit-13", "other")]).await;
    store.close().await.unwrap();
    drop(store);
    let slices = || {
        let files = std::fs::read_dir(bench.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut slices: Vec<_> =
            files.filter(|path| path.to_str().unwrap().contains("/log-0")).collect::<Vec<_>>();
        slices.sort();
        slices
    };
    let (packed, newest) = (slices()[0].clone(), slices()[1].clone());
    assert!(packed.to_str().unwrap().ends_with(".packed.db"));
    let sent = || {
        let other = event(ONE, Kind::Hit, "hit-13", "other");
        hits(1..16).into_iter().chain([other]).collect::<Vec<_>>()
    };
    let twice = async |why: &str| {
        let appended = append_once(&SqliteStore::open(options.clone()).unwrap(), sent()).await;
        let new: Vec<_> = appended.duplicate.iter().enumerate().filter(|(_, known)| !**known).collect();
        assert!(new.is_empty(), "{why}: {new:?} were taken again");
    };
    twice("all is whole").await;
    sql(&newest, "UPDATE block SET ids = x'' WHERE first = 4");
    sql(&newest, "UPDATE block SET ids = zeroblob(length(ids)) WHERE first = 7");
    // From another block: it is whole, and says nothing of this one.
    sql(&newest, "UPDATE block SET ids = (SELECT ids FROM block WHERE first = 13) WHERE first = 10");
    twice("ids are damaged").await;
    sql(&bench.path().join("state.db"), "DELETE FROM meta WHERE name = 'fingerprints'");
    twice("the key was lost").await;
}

#[tokio::test]
async fn a_start_reads_no_events_to_know_what_was_sent() {
    let bench = Bench::new(true);
    let mut options = bench.options();
    options.slice_age = Duration::from_secs(10);
    let store = SqliteStore::open(options.clone()).unwrap();
    append_once(&store, hits(1..4)).await;
    bench.pass(Duration::from_secs(20));
    append_once(&store, hits(4..7)).await;
    store.close().await.unwrap();
    drop(store);
    let mut files = std::fs::read_dir(bench.path()).unwrap().map(|entry| entry.unwrap().path());
    let packed = files.find(|path| path.to_str().unwrap().ends_with(".packed.db"));
    sql(&packed.expect("the first slice has ended"), "UPDATE block SET body = x'00'");
    sql(&bench.path().join(format!("log-{:020}.db", 4)), "UPDATE block SET body = x'00'");
    let again = append_once(&SqliteStore::open(options).unwrap(), hits(1..8)).await;
    assert_eq!(again.duplicate, [true, true, true, true, true, true, false]);
}

#[tokio::test]
async fn whatever_is_flipped_or_cut_each_event_is_read_as_it_was_or_told() {
    let bench = Bench::new(true);
    let mut options = bench.options();
    options.slice_bytes = 0;
    let store = SqliteStore::open(options.clone()).unwrap();
    let body = |n: u64| crate::support::noise(n, 400);
    // The slice is full at 256 KiB, and the next one begins.
    for n in 1..=300_u64 {
        let events =
            (n * 10..n * 10 + 10).map(|n| event(ONE, Kind::Hit, &format!("hit-{n}"), &body(n))).collect();
        append(&store, events).await;
    }
    store.close().await.unwrap();
    drop(store);
    let mut files = std::fs::read_dir(bench.path()).unwrap().map(|entry| entry.unwrap().path());
    let packed = files.find(|path| path.to_str().unwrap().ends_with("00000000000000001.packed.db"));
    let slice = packed.expect("the first slice has ended");
    let whole = std::fs::read(&slice).unwrap();
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut told = 0;
    for round in 0..60 {
        let mut bytes = whole.clone();
        match round % 3 {
            0 => bytes.truncate(4096 + random(whole.len() - 4096)),
            1 => {
                let at = 100 + random(whole.len() - 9000);
                bytes[at..at + 1 + random(8192)].fill(0xa5);
            }
            _ => {
                for _ in 0..20 {
                    bytes[100 + random(whole.len() - 100)] ^= 1 << random(8);
                }
            }
        }
        std::fs::write(&slice, bytes).unwrap();
        let store = match SqliteStore::open(options.clone()) {
            Ok(store) => store,
            Err(error) => panic!("round {round}: {error}"),
        };
        let head = store.head().now();
        let (mut next, mut after) = (1, Seq::ZERO);
        while after < head {
            let page = store
                .follow(after, 100, 1 << 20)
                .await
                .unwrap_or_else(|error| panic!("round {round}: {error}"));
            for record in &page.records {
                let n = record.seq.0 + 9;
                assert_eq!(
                    (record.seq.0, record.event.id.as_str()),
                    (next, &*format!("hit-{n}")),
                    "round {round}"
                );
                assert_eq!(*record.event.body, format!("{{\"content\":\"{}\"}}", body(n)), "round {round}");
                next += 1;
            }
            if let Some(range) = page.unreadable {
                assert_eq!(range.first.0, next, "round {round}");
                next = range.last.0 + 1;
                told += 1;
            }
            assert!(page.scanned_to > after, "round {round}");
            after = page.scanned_to;
        }
        assert_eq!(next, head.0 + 1, "round {round}");
    }
    assert!(told > 40, "{told}");
}

#[tokio::test]
async fn a_range_that_cannot_be_read_grows_with_what_follows() {
    let bench = Bench::new(true);
    let store = bench.start();
    let id = create(&store, ONE, &[Kind::Hit]).await.id;
    let range = |first, last| LostRange {
        lane: Lane::Bulk,
        kinds: vec![Kind::Hit],
        first: Seq(first),
        last: Seq(last),
        events: last - first + 1,
        reason: LostReason::Damaged,
        detail: "damaged".to_owned(),
    };
    for (first, last) in [(4, 6), (7, 9), (20, 21)] {
        let step = Progress {
            lanes: vec![(Lane::Bulk, lane_at(last))],
            lost: vec![range(first, last)],
            ..progress(id)
        };
        save(&store, step).await;
    }
    let lost = store.lost(id, None, 10).await.unwrap();
    let lost: Vec<_> =
        lost.iter().map(|row| (row.range.first.0, row.range.last.0, row.range.events)).collect();
    assert_eq!(lost, [(20, 21, 2), (4, 9, 6)]);
    assert_eq!(store.counts().lost_events(LostReason::Damaged), 8);
}

#[tokio::test]
async fn a_newest_slice_that_cannot_be_read_is_told_and_no_position_is_given_again() {
    for damage in ["garbage", "no header", "gone", "cut"] {
        let bench = Bench::new(true);
        let path = three_blocks(&bench).await;
        let whole = std::fs::read(&path).unwrap();
        match damage {
            "garbage" => std::fs::write(&path, vec![7; whole.len()]).unwrap(),
            "no header" => std::fs::write(&path, [vec![0; 4096], whole[4096..].to_vec()].concat()).unwrap(),
            "cut" => std::fs::write(&path, &whole[..whole.len() / 2]).unwrap(),
            _ => std::fs::remove_file(&path).unwrap(),
        }
        for round in 0..3 {
            let store = bench.start();
            let head = store.head().now().0;
            assert!(head >= 9, "{damage}: {head}");
            append(&store, hits(100 + round..101 + round)).await;
            let pages = pages(&store).await.unwrap();
            let records: Vec<_> = pages.iter().flat_map(|page| &page.records).collect();
            assert_eq!(records.last().unwrap().seq.0, head + 1, "{damage}");
            let covered = |seq| {
                unreadable(&pages).iter().any(|range| (range.first.0..=range.last.0).contains(&seq))
                    || records.iter().any(|record| record.seq.0 == seq)
            };
            assert!((1..=head).step_by(999_983).chain(1..20).all(covered), "{damage}");
            let events: u64 = unreadable(&pages).iter().map(|range| range.events).sum();
            assert!(events <= 9, "{damage}: {events} events are said to be lost of nine");
            store.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn slices_that_are_missing_at_the_beginning_and_between_are_told() {
    let bench = Bench::new(true);
    let mut options = bench.options();
    options.slice_age = std::time::Duration::from_secs(10);
    let store = SqliteStore::open(options.clone()).unwrap();
    for first in [1, 4, 7, 10] {
        append(&store, hits(first..first + 3)).await;
        crate::support::Backend::pass(&bench, std::time::Duration::from_secs(20));
    }
    store.close().await.unwrap();
    drop(store);
    for first in [1, 7] {
        std::fs::remove_file(bench.path().join(format!("log-{first:020}.packed.db"))).unwrap();
    }
    let store = SqliteStore::open(options).unwrap();
    let pages = pages(&store).await.unwrap();
    assert_eq!(all_ids(&pages), ["hit-4", "hit-5", "hit-6", "hit-10", "hit-11", "hit-12"]);
    let told: Vec<_> =
        unreadable(&pages).iter().map(|range| (range.first.0, range.last.0, range.events)).collect();
    assert_eq!(told, [(1, 3, 3), (7, 9, 3)]);
}

#[tokio::test]
async fn a_disk_that_does_not_read_for_a_moment_costs_nothing_but_the_wait() {
    use hitwire_store::FaultPoint;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let bench = Bench::new(true);
    three_blocks(&bench).await;
    let refuses = Arc::new(AtomicBool::new(true));
    let mut options = bench.options();
    let asked = Arc::clone(&refuses);
    options.fault =
        Some(Arc::new(move |point| point == FaultPoint::SliceRead && asked.load(Ordering::Relaxed)));
    let store = SqliteStore::open(options).unwrap();
    assert!(store.read(read(Seq::ZERO)).await.is_err());
    crate::support::Backend::pass(&bench, std::time::Duration::from_secs(50));
    assert!(store.read(read(Seq::ZERO)).await.is_err());
    refuses.store(false, Ordering::Relaxed);
    assert_eq!(store.read(read(Seq::ZERO)).await.unwrap().records.len(), 9);
    refuses.store(true, Ordering::Relaxed);
    crate::support::Backend::pass(&bench, std::time::Duration::from_secs(50));
    assert!(store.read(read(Seq::ZERO)).await.is_err(), "the wait begins anew");
    crate::support::Backend::pass(&bench, std::time::Duration::from_secs(70));
    let told = store.read(read(Seq::ZERO)).await.unwrap().unreadable.expect("given up");
    assert!(told.detail().contains("the disk does not read"), "{}", told.detail());
}
