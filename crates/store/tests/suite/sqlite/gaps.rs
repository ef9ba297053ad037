//! Positions only grow, and may have gaps: each start goes on behind one, as after another process had taken over. Nothing is
//! missing then, and whoever counts counts events.

use crate::support::{Bench, ONE, TWO, append, create, event, hits, ids, read_all, stream, ticked, update};
use hitwire_courier::LostReason;
use hitwire_event::{ClientId, Kind, Record, Seq};
use hitwire_store::{Activity, Ledger, Log, Options, Read, Registry, SqliteStore, Store, verify};
use std::sync::Arc;

const UNUSED: u64 = 1_000;

fn options(bench: &Bench) -> Options {
    Options { unused_at_start: UNUSED, tail_bytes: 2_000, ..bench.options() }
}

/// Some starts, each with events of two clients. The store is that of the last start.
async fn filled(bench: &Bench) -> (SqliteStore, Vec<Arc<Record>>) {
    let mut log = Vec::new();
    for start in 0..5_u64 {
        let store = SqliteStore::open(options(bench)).unwrap();
        for n in 0..6 {
            append(&store, hits([10 * start + n])).await;
            append(&store, vec![event(TWO, Kind::Scope, &format!("scope-{start}-{n}"), "there")]).await;
        }
        log = everything(&store).await;
        store.close().await.unwrap();
    }
    (SqliteStore::open(options(bench)).unwrap(), log)
}

/// All there is, as whoever follows the log gets it.
async fn everything(store: &dyn Store) -> Vec<Arc<Record>> {
    let (mut records, mut after) = (Vec::new(), Seq::ZERO);
    loop {
        let page = store.follow(after, 4, 1 << 20).await.unwrap();
        assert_eq!(page.unreadable, None);
        records.extend(page.records);
        if !page.more {
            return records;
        }
        after = page.scanned_to;
    }
}

#[tokio::test]
async fn events_before_and_behind_a_gap_are_read_in_order_and_nothing_is_missing() {
    let bench = Bench::new(true);
    let (store, log) = filled(&bench).await;
    assert_eq!(log.len(), 60);
    assert!(log.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    let gaps = log.windows(2).filter(|pair| pair[1].seq.0 - pair[0].seq.0 == UNUSED + 1).count();
    assert_eq!(gaps, 4);
    assert_eq!(store.head().now().0, log[59].seq.0 + UNUSED, "this start begins behind one too");
    for (client, kind) in [(ONE, Kind::Hit), (TWO, Kind::Scope)] {
        let records = read_all(&store, vec![stream(client, kind)]).await;
        let expected: Vec<_> = log.iter().filter(|record| record.event.client == client).cloned().collect();
        assert_eq!(ids(&records), ids(&expected));
    }
    let findings = verify(bench.path(), Some([9; 32])).unwrap().findings;
    assert_eq!(findings, [], "a gap that no event ever had is nothing that is missing");
}

#[tokio::test]
async fn what_is_counted_are_events_wherever_a_range_begins_and_ends() {
    let bench = Bench::new(true);
    let (store, log) = filled(&bench).await;
    let places: Vec<u64> = log
        .iter()
        .flat_map(|record| [record.seq.0 - 1, record.seq.0, record.seq.0 + UNUSED / 2])
        .chain([0, store.head().now().0])
        .collect();
    for &after in places.iter().step_by(5) {
        for &through in places.iter().step_by(3) {
            let is_in = |record: &&Arc<Record>| {
                record.event.client == ONE && after < record.seq.0 && record.seq.0 <= through
            };
            let lag = store.lag(vec![stream(ONE, Kind::Hit)], Seq(after), Seq(through)).await.unwrap();
            assert_eq!(lag.events, log.iter().filter(is_in).count() as u64, "{after} to {through}");
        }
    }
    for count in [1, 12, 13, 60, 61] {
        let behind = store.behind_newest(count);
        let newer = log.iter().filter(|record| record.seq > behind).count() as u64;
        assert_eq!(newer, count.min(60));
    }
}

#[tokio::test]
async fn what_is_lost_over_a_gap_is_told_in_events() {
    let bench = Bench::new(true);
    let store = SqliteStore::open(options(&bench)).unwrap();
    let id = create(&store, ONE, &[Kind::Hit, Kind::System]).await.id;
    drop(store);
    for start in 0..3 {
        let store = SqliteStore::open(options(&bench)).unwrap();
        append(&store, hits(10 * start..10 * start + 4)).await;
    }
    let store = SqliteStore::open(options(&bench)).unwrap();
    let mut integration = store.integration(id).await.unwrap().unwrap();
    integration.events = ticked(&[Kind::System]);
    let mut integration = update(&store, integration).await;
    let lost = store.lost(id, None, 10).await.unwrap();
    assert_eq!((lost[0].range.reason, lost[0].range.events), (LostReason::Unticked, 12));
    integration.activity = Activity::DisabledByUser;
    update(&store, integration).await;
    let page = Read {
        streams: vec![stream(ClientId(9), Kind::Hit)],
        after: Seq::ZERO,
        through: None,
        max_events: 10,
        max_bytes: 1 << 20,
    };
    let page = store.read(page).await.unwrap();
    assert_eq!((page.records.len(), page.more), (0, false), "a search passes gaps");
    assert_eq!(page.scanned_to, store.head().now());
}
