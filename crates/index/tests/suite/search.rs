//! Searching.

use crate::support::{BEGIN_MS, ONE, TWO, World, hit};
use hitwire_event::hit::BlockStatus;
use hitwire_event::vulnerability::Vulnerability;
use hitwire_event::{ClientId, Counter, Event, Kind, Risk, Seq};
use hitwire_index::{COUNTED_MAX, EventRow, Index, LOOKED_AT_MAX, Search};
use ipnet::IpNet;
use proptest::prelude::*;
use std::time::Duration;

fn of(client: ClientId) -> Search {
    Search { client, limit: 50, ..Search::default() }
}

/// Everything that fits, page by page.
async fn all(index: &Index, mut search: Search) -> Vec<EventRow> {
    let mut events = Vec::new();
    loop {
        let found = index.search(search.clone()).await.expect("an answer");
        assert!(found.looked_at <= LOOKED_AT_MAX && found.events.len() <= search.limit);
        events.extend(found.events);
        let Some(next) = found.next else { return events };
        assert!(search.before.is_none_or(|before| next < before), "a search gets on");
        search.before = Some(next);
    }
}

fn vulnerability(client: ClientId, number: u64, threat: Risk) -> Event {
    Vulnerability {
        title: format!("Finding {number}"),
        threat,
        id: format!("v-{client}-{number}"),
        domain: Some("shop.example".to_owned()),
        ..Vulnerability::default()
    }
    .to_event(client)
}

/// Hits and findings of two clients, in two volumes and more, one a second.
async fn world() -> World {
    let mut world = World::new();
    world.bounds.volume = 64;
    for number in 0..120 {
        let client = if number % 10 == 9 { TWO } else { ONE };
        let event = if number % 7 == 6 {
            vulnerability(client, number, Risk::ALL[(number % 5) as usize])
        } else {
            hit(client, number)
        };
        world.append(vec![event]).await;
        world.pass(Duration::from_secs(1));
    }
    let counter = Counter { client: ONE, requests: 5, at: 7 };
    world.append(vec![counter.to_event("a")]).await;
    world
}

fn numbers(events: &[EventRow]) -> Vec<u64> {
    events.iter().map(|event| event.seq.0 - 1).collect()
}

#[tokio::test]
async fn events_are_listed_newest_first_with_what_a_list_shows() {
    let world = world().await;
    let index = world.indexed("index").await;
    let found = index.search(of(ONE)).await.unwrap();
    assert_eq!(found.events.len(), 50);
    assert_eq!(numbers(&found.events[..4]), [118, 117, 116, 115], "119 is another client's, 120 a counter");
    let event = index.event(ONE, Seq(118)).await.unwrap().expect("there");
    assert_eq!(event.path.as_deref(), Some("/page/117"));
    assert_eq!((event.appended_ms, event.time_s), (BEGIN_MS + 117_000, Some(1_600_000_117)));
    assert_eq!(event.text, "' or 117=1");
    assert_eq!(event.address, Some([192, 0, 2, 2].into()));
    assert_eq!(index.event(TWO, Seq(118)).await.unwrap(), None, "whose it is not sees nothing");
}

#[tokio::test]
async fn each_condition_leaves_what_fits_it() {
    let world = world().await;
    let index = world.indexed("index").await;
    let everything = all(&index, of(ONE)).await;
    assert_eq!(everything.len(), 108);
    let check = async |search: Search, fits: &dyn Fn(&EventRow) -> bool| {
        let found = all(&index, search.clone()).await;
        let expected: Vec<_> = everything.iter().filter(|event| fits(event)).cloned().collect();
        assert!(!expected.is_empty(), "{search:?} finds something");
        assert_eq!(numbers(&found), numbers(&expected), "{search:?}");
        let count = index.count(search.clone()).await.unwrap();
        if search.after.is_none() {
            assert_eq!((count.events, count.is_more), (expected.len(), false), "{search:?}");
        }
    };
    check(Search { kinds: vec![Kind::Hit], ..of(ONE) }, &|e| e.kind == Kind::Hit).await;
    let grave = [Kind::Vulnerability(Risk::Critical), Kind::Vulnerability(Risk::High)];
    check(Search { kinds: grave.to_vec(), limit: 2, ..of(ONE) }, &|e| grave.contains(&e.kind)).await;
    check(Search { type_code: Some("xss".into()), ..of(ONE) }, &|e| e.type_code.as_deref() == Some("xss"))
        .await;
    let blog = |e: &EventRow| e.domain.as_deref() == Some("Blog.example");
    check(Search { domain: Some("bLOG.example".into()), limit: 7, ..of(ONE) }, &blog).await;
    let shop = |e: &EventRow| e.domain.as_deref() == Some("shop.example") && e.kind != Kind::Hit;
    let findings = Risk::ALL.map(Kind::Vulnerability).to_vec();
    check(Search { domain: Some("shop.example".into()), kinds: findings, ..of(ONE) }, &shop).await;
    let within = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<IpNet>>();
    for names in
        [&["192.0.2.3/32"][..], &["192.0.2.0/30"], &["192.0.2.1/32", "192.0.2.4/30"], &["0.0.0.0/0", "::/0"]]
    {
        let networks = within(names);
        let fits = |e: &EventRow| {
            e.address.is_some_and(|address| networks.iter().any(|network| network.contains(&address)))
        };
        check(Search { networks: networks.clone(), ..of(ONE) }, &fits).await;
        check(Search { networks: networks.clone(), kinds: vec![Kind::Hit], limit: 3, ..of(ONE) }, &fits)
            .await;
    }
    check(Search { status: Some(403), ..of(ONE) }, &|e| e.status == Some(403)).await;
    let blocked = Some(BlockStatus::Blocked);
    check(Search { block_status: blocked, ..of(ONE) }, &|e| e.block_status == blocked).await;
    check(Search { id: Some("hits/1-77".into()), ..of(ONE) }, &|e| e.id.as_str() == "hits/1-77").await;
    check(Search { text: Some("OR 11".into()), ..of(ONE) }, &|e| e.text.contains("or 11")).await;
    let (from_ms, to_ms) = (Some(BEGIN_MS + 30_500), Some(BEGIN_MS + 75_000));
    check(Search { from_ms, to_ms, ..of(ONE) }, &|e| (31..=75).contains(&(e.seq.0 - 1))).await;
    check(Search { after: Some(Seq(100)), ..of(ONE) }, &|e| e.seq > Seq(100)).await;
    let both = Search {
        type_code: Some("rce".into()),
        status: Some(403),
        text: Some("192.0.2.1".into()),
        ..of(ONE)
    };
    check(both, &|e| e.type_code.as_deref() == Some("rce") && e.address == Some([192, 0, 2, 1].into())).await;
}

#[tokio::test]
async fn a_page_looks_at_so_many_rows_at_most_and_says_how_far_it_came() {
    let world = World::new();
    let mut needle = hit(ONE, 1);
    needle.body = needle.body.replace("' or 1=1", "the needle").into();
    world.append(vec![needle]).await;
    world.pass(Duration::from_mins(1));
    // All of them alike, and none of them wanted.
    for _ in 0..12 {
        world.append((0..1_000).map(|number| hit(ONE, 4 * number)).collect()).await;
    }
    let index = world.indexed("index").await;
    for search in [
        Search { text: Some("needle".into()), ..of(ONE) },
        Search { text: Some("needle".into()), kinds: vec![Kind::Hit], ..of(ONE) },
        Search { status: Some(200), ..of(ONE) },
    ] {
        let first = index.search(search.clone()).await.unwrap();
        assert_eq!((first.looked_at, first.events.len()), (LOOKED_AT_MAX, 0), "{search:?}");
        let to = first.searched_to.expect("how far it came");
        assert_eq!((to.seq, first.next), (Seq(12_001 - 4_999), Some(Seq(12_001 - 4_999))));
        assert_eq!(to.appended_ms, BEGIN_MS + 60_000);
        assert_eq!(all(&index, search).await.len(), 1);
    }
    let last = index.search(Search { before: Some(Seq(100)), ..of(ONE) }).await.unwrap();
    assert!(last.next.is_some(), "fifty of a hundred");
    let end = index.search(Search { before: Some(Seq(10)), ..of(ONE) }).await.unwrap();
    assert_eq!((end.events.len(), end.next, end.searched_to), (9, None, None));
}

#[tokio::test]
async fn what_fits_is_counted_up_to_a_bound() {
    let world = World::new();
    for _ in 0..11 {
        world.append((0..1_000).map(|number| hit(ONE, number)).collect()).await;
    }
    let index = world.indexed("index").await;
    let many = index.count(Search { kinds: vec![Kind::Hit], ..of(ONE) }).await.unwrap();
    assert_eq!((many.events, many.is_more), (COUNTED_MAX, true));
    let matched = index.count(Search { status: Some(999), ..of(ONE) }).await.unwrap();
    assert_eq!((matched.events, matched.is_more), (0, false), "all rows were looked at");
    let by_type = index.count(Search { type_code: Some("none".into()), ..of(ONE) }).await.unwrap();
    assert_eq!((by_type.events, by_type.is_more), (0, false));
}

#[tokio::test]
async fn what_is_rare_is_found_at_once() {
    let world = World::new();
    world.append(vec![hit(ONE, 3)]).await;
    for _ in 0..12 {
        world.append((0..1_000).map(|number| hit(ONE, 20 * number)).collect()).await;
    }
    let index = world.indexed("index").await;
    for search in [
        Search { type_code: Some("a-code-of-their-own".into()), ..of(ONE) },
        Search { networks: vec!["192.0.2.3/32".parse().unwrap()], ..of(ONE) },
        Search { id: Some("hits/1-3".into()), ..of(ONE) },
    ] {
        let found = index.search(search.clone()).await.unwrap();
        assert_eq!((found.events.len(), found.looked_at), (1, 1), "{search:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn nobody_sees_another_clients_events_whatever_is_asked(
        owners in prop::collection::vec(1_u64..4, 1..150),
        asking in 1_u64..4,
        kind in 0_usize..3,
        by in 0_usize..6,
        limit in 1_usize..30,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new();
            world.bounds.volume = 32;
            let events = owners.iter().enumerate().map(|(number, owner)| hit(ClientId(*owner), number as u64));
            world.append(events.collect()).await;
            let index = world.indexed("index").await;
            let client = ClientId(asking);
            let mut search = Search { client, limit, ..Search::default() };
            search.kinds = [vec![], vec![Kind::Hit], vec![Kind::Hit, Kind::System]][kind].clone();
            match by {
                0 => search.type_code = Some("sqli".into()),
                1 => search.networks = vec!["192.0.2.1/32".parse().unwrap()],
                2 => search.domain = Some("shop.example".into()),
                3 => search.text = Some("or".into()),
                // An id of somebody else.
                4 => search.id = Some(format!("hits/{}-0", owners[0])),
                _ => {}
            }
            let found = all(&index, search).await;
            assert!(found.iter().all(|event| event.client == client));
            if by > 4 {
                assert_eq!(found.len(), owners.iter().filter(|owner| **owner == asking).count());
            }
            for tops in hitwire_index::TopOf::ALL {
                let told: u64 =
                    index.tops(client, tops, 1).await.unwrap().values.iter().map(|top| top.events).sum();
                assert_eq!(told, owners.iter().filter(|owner| **owner == asking).count() as u64);
            }
        });
    }
}
