//! A log of many blocks and slices: what the directory says is what a search would find.

use crate::support::{BEGIN_MS, Backend, Bench, HIGH, ONE, TWO, append, event, noise, read_all, stream};
use hitwire_event::{ClientId, Event, Kind, Record, Seq};
use hitwire_store::{Log, Options, Read, SqliteStore, StreamFrom};
use std::sync::Arc;
use std::time::Duration;

const EVENTS: u64 = 30_000;
const RARE: ClientId = ClientId(77);

/// The event at a position: two clients, two kinds, and now and then one of a rare stream.
fn nth(n: u64) -> Event {
    let (client, kind) = match n {
        n if n % 9_001 == 0 => (RARE, Kind::Scope),
        n if (10_000..20_000).contains(&n) => (TWO, Kind::Hit),
        n if n % 3 == 0 => (ONE, HIGH),
        _ => (ONE, Kind::Hit),
    };
    event(client, kind, &n.to_string(), &noise(n, 120))
}

/// When the event at a position was appended: in groups of a thousand, a second apart.
fn appended_ms(n: u64) -> u64 {
    BEGIN_MS + (n - 1) / 1000 * 1000
}

async fn fill(bench: &Bench, options: Options) -> SqliteStore {
    let store = SqliteStore::open(options).unwrap();
    for group in 0..EVENTS / 1000 {
        append(&store, (group * 1000 + 1..=group * 1000 + 1000).map(nth).collect()).await;
        bench.pass(Duration::from_secs(1));
    }
    store
}

fn expected(streams: &[StreamFrom], after: u64, through: u64) -> Vec<u64> {
    (after + 1..=through.min(EVENTS))
        .filter(|&n| streams.iter().any(|wanted| wanted.stream == nth(n).stream() && wanted.from.0 <= n))
        .collect()
}

fn seqs(records: &[Arc<Record>]) -> Vec<u64> {
    records.iter().map(|record| record.seq.0).collect()
}

async fn looks_as_it_should(store: &SqliteStore) {
    let all =
        vec![stream(ONE, Kind::Hit), stream(ONE, HIGH), stream(TWO, Kind::Hit), stream(RARE, Kind::Scope)];
    assert_eq!(seqs(&read_all(store, all.clone()).await), (1..=EVENTS).collect::<Vec<_>>());
    let selections = [
        vec![stream(RARE, Kind::Scope)],
        vec![stream(TWO, Kind::Hit)],
        vec![stream(ONE, HIGH), StreamFrom { from: Seq(15_000), ..stream(TWO, Kind::Hit) }],
        vec![stream(ONE, Kind::System)],
        all,
    ];
    for streams in selections {
        assert_eq!(seqs(&read_all(store, streams.clone()).await), expected(&streams, 0, EVENTS));
        for (after, through) in
            [(0, EVENTS), (4095, 4096), (4096, 8191), (5000, 21_000), (9_999, 10_001), (29_990, 40_000)]
        {
            let expected = expected(&streams, after, through);
            let lag = store.lag(streams.clone(), Seq(after), Seq(through)).await.unwrap();
            assert_eq!(lag.events, expected.len() as u64, "{streams:?} {after} {through}");
            assert_eq!(
                lag.oldest_ms,
                expected.first().map(|&n| appended_ms(n)),
                "{streams:?} {after} {through}"
            );
            let read = Read {
                streams: streams.clone(),
                after: Seq(after),
                through: Some(Seq(through)),
                max_events: 7,
                max_bytes: 1 << 20,
            };
            let page = store.read(read).await.unwrap();
            let first: Vec<u64> = expected.iter().copied().take(7).collect();
            assert!(first.starts_with(&seqs(&page.records)), "{streams:?} {after} {through}");
            assert!(page.more || seqs(&page.records) == expected);
        }
    }
    for n in [1, 999, 1000, 1001, 4096, 12_345, EVENTS] {
        let last = ((n - 1) / 1000 + 1) * 1000;
        assert_eq!(store.position_at(appended_ms(n)).await.unwrap(), Seq(last));
        assert_eq!(store.position_at(appended_ms(n) + 999).await.unwrap(), Seq(last));
    }
    assert_eq!(store.position_at(BEGIN_MS - 1).await.unwrap(), Seq::ZERO);
}

/// Slices of about 2,500 events, so that blocks are cut by slices.
fn small_slices(bench: &Bench) -> Options {
    let mut options = bench.options();
    options.slice_bytes = 1;
    options
}

#[tokio::test]
async fn one_slice_of_many_blocks_is_read_as_it_was_written() {
    let bench = Bench::new(false);
    let store = fill(&bench, bench.options()).await;
    looks_as_it_should(&store).await;
    drop(store);
    looks_as_it_should(&bench.start()).await;
}

#[tokio::test]
async fn many_slices_are_read_as_they_were_written() {
    let bench = Bench::new(true);
    let store = fill(&bench, small_slices(&bench)).await;
    let slices = std::fs::read_dir(bench.path()).unwrap();
    let slices =
        slices.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "db")).count();
    assert!(slices > 8, "{slices} databases");
    looks_as_it_should(&store).await;
    drop(store);
    looks_as_it_should(&SqliteStore::open(small_slices(&bench)).unwrap()).await;
}

#[tokio::test]
async fn a_small_tail_makes_no_difference() {
    let bench = Bench::new(true);
    let mut options = bench.options();
    options.tail_bytes = 100_000;
    let store = fill(&bench, options).await;
    assert!(store.touched(Seq(EVENTS - 1000)).streams.is_none());
    looks_as_it_should(&store).await;
}

#[tokio::test]
async fn a_directory_that_covers_a_block_partly_goes_on_after_a_restart() {
    let bench = Bench::new(false);
    for group in 0..30 {
        let store = bench.start();
        append(&store, (group * 1000 + 1..=group * 1000 + 1000).map(nth).collect()).await;
        bench.pass(Duration::from_secs(1));
    }
    looks_as_it_should(&bench.start()).await;
}

#[tokio::test]
async fn an_idle_log_ends_a_slice_that_has_reached_its_age() {
    let bench = Bench::new(true);
    let store = bench.start();
    append(&store, vec![nth(1)]).await;
    bench.pass(Duration::from_hours(2));
    append(&store, vec![nth(2)]).await;
    assert!(bench.path().join("log-00000000000000000002.db").exists());
    assert_eq!(store.head().now().0, 2);
}

fn databases(bench: &Bench) -> Vec<(String, u64)> {
    let mut found: Vec<_> = std::fs::read_dir(bench.path())
        .unwrap()
        .map(|entry| entry.unwrap())
        // One that was packed meanwhile is gone.
        .filter_map(|entry| Some((entry.file_name().into_string().unwrap(), entry.metadata().ok()?.len())))
        .filter(|(name, _)| name.starts_with("log-"))
        .collect();
    found.sort();
    found
}

/// A hit as they come in: most of it is the same from one to the next.
fn hit(n: u64) -> Event {
    let content = format!(
        "domain example.com method GET path /shop/item/{n} parameter GET_id_value point get id type sqli status 404 \
         stamps 942100 942110 942190 payload ' or 1=1 -- from 192.0.2.{} at {n}",
        n % 250
    );
    event(ONE, Kind::Hit, &noise(n, 20), &content)
}

#[tokio::test]
async fn a_slice_that_has_ended_takes_less_room_and_says_the_same() {
    let bench = Bench::new(true);
    let store = bench.start();
    let mut body_bytes = 0;
    for group in 0..400 {
        let events: Vec<Event> = (group * 10..group * 10 + 10).map(hit).collect();
        body_bytes += events.iter().map(|event| event.body.len() as u64).sum::<u64>();
        append(&store, events).await;
    }
    let before = read_all(&store, vec![stream(ONE, Kind::Hit)]).await;
    bench.pass(Duration::from_hours(2));
    append(&store, vec![hit(4_000)]).await;
    let files = databases(&bench);
    assert_eq!(files[0].0, "log-00000000000000000001.packed.db", "{files:?}");
    assert!(files.iter().all(|(name, _)| !name.starts_with("log-00000000000000000001.db")), "{files:?}");
    assert!(files[0].1 * 4 < body_bytes, "{} bytes for {body_bytes} of bodies", files[0].1);
    drop(store);
    let store = bench.start();
    let after = read_all(&store, vec![stream(ONE, Kind::Hit)]).await;
    assert_eq!(after.len(), 4_001);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(
            (before.seq, before.appended_ms, before.id_reused, &before.event),
            (after.seq, after.appended_ms, after.id_reused, &after.event)
        );
    }
    assert_eq!(store.position_at(BEGIN_MS).await.unwrap(), Seq(4_000));
}

#[tokio::test]
async fn a_process_that_ends_between_a_packed_slice_and_the_removal_of_the_old_one_keeps_one_of_them() {
    let bench = Bench::new(false);
    let mut options = bench.options();
    options.inline = true;
    let store = SqliteStore::open(options.clone()).unwrap();
    append(&store, (1..=5_000).map(nth).collect()).await;
    let old = bench.path().join("log-00000000000000000001.db");
    let kept: Vec<_> = ["", "-wal"].iter().map(|part| format!("{}{part}", old.display())).collect();
    let copies: Vec<_> = kept.iter().map(|path| std::fs::read(path).unwrap()).collect();
    bench.pass(Duration::from_hours(2));
    append(&store, vec![nth(5_001)]).await;
    assert!(!old.exists());
    drop(store);
    for (path, bytes) in kept.iter().zip(copies) {
        std::fs::write(path, bytes).unwrap();
    }
    let store = SqliteStore::open(options).unwrap();
    assert!(!old.exists(), "the packed one was complete before it got its name");
    let all = vec![stream(ONE, Kind::Hit), stream(ONE, HIGH)];
    assert_eq!(seqs(&read_all(&store, all).await), (1..=5_001).collect::<Vec<_>>());
}

#[tokio::test]
async fn slices_are_packed_beside_appends_and_reads() {
    let bench = Bench::new(false);
    let store = fill(&bench, small_slices(&bench)).await;
    let packed = |bench: &Bench| {
        let files = databases(bench);
        let whole: Vec<_> = files.iter().filter_map(|(name, _)| name.strip_suffix(".db")).collect();
        let packed = whole.iter().filter(|name| name.strip_suffix(".packed").is_some()).count();
        (packed, whole.len() - packed)
    };
    // Slices are packed one after another, a little at a time; until then, and while it goes on, all is read as it was.
    while packed(&bench).1 > 1 {
        let all = vec![
            stream(ONE, Kind::Hit),
            stream(ONE, HIGH),
            stream(TWO, Kind::Hit),
            stream(RARE, Kind::Scope),
        ];
        assert_eq!(seqs(&read_all(&store, all).await), (1..=EVENTS).collect::<Vec<_>>());
    }
    assert!(packed(&bench).0 > 4);
    looks_as_it_should(&store).await;
}
