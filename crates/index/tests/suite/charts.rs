//! Counts, tops, rollups.

use crate::support::{BEGIN_MS, ONE, TWO, World, attempt, hit};
use hitwire_courier::{Attempt, Verdict};
use hitwire_event::{Kind, Lane, Seq, WebhookId};
use hitwire_index::{DeliveredBatch, Range, TopOf};
use std::time::Duration;

#[tokio::test]
async fn events_are_counted_by_the_minute_and_by_type() {
    let world = World::new();
    world.append((0..8).map(|number| hit(ONE, number)).chain([hit(TWO, 1)]).collect()).await;
    world.pass(Duration::from_mins(1));
    world.append(vec![hit(ONE, 8)]).await;
    let index = world.indexed("index").await;
    let counts = index.per_minute(ONE, 60).await.unwrap();
    let told: Vec<_> = counts
        .iter()
        .map(|count| (count.start_s - BEGIN_MS / 1_000, count.kind, count.type_code.as_str(), count.events))
        .collect();
    let hits = Kind::Hit;
    assert_eq!(
        told,
        [
            (0, hits, "other", 2),
            (0, hits, "rce", 2),
            (0, hits, "sqli", 2),
            (0, hits, "xss", 2),
            (60, hits, "sqli", 1)
        ]
    );
    assert_eq!(index.per_minute(ONE, 1).await.unwrap().len(), 1, "only the current minute");
}

#[tokio::test]
async fn the_most_frequent_values_come_first() {
    let world = World::new();
    world.append((0..5).map(|_| hit(ONE, 1)).chain((0..3).map(|_| hit(ONE, 2))).collect()).await;
    world.pass(Duration::from_hours(1));
    world.append((0..4).map(|_| hit(ONE, 2)).collect()).await;
    let index = world.indexed("index").await;
    let told = async |what, hours| {
        let tops = index.tops(ONE, what, hours).await.unwrap();
        tops.values.into_iter().map(|top| (top.value, top.events, top.error)).collect::<Vec<_>>()
    };
    assert_eq!(told(TopOf::Types, 2).await, [("rce".to_owned(), 7, 0), ("xss".to_owned(), 5, 0)]);
    assert_eq!(told(TopOf::Types, 1).await, [("rce".to_owned(), 4, 0)]);
    assert_eq!(
        told(TopOf::Domains, 24).await,
        [("api.example".to_owned(), 7, 0), ("blog.example".to_owned(), 5, 0)]
    );
    assert_eq!(told(TopOf::Addresses, 24).await[0], ("192.0.2.2".to_owned(), 7, 0));
    assert_eq!(index.tops(TWO, TopOf::Types, 24).await.unwrap().values, []);
}

#[tokio::test]
async fn a_flood_of_values_leaves_room_for_the_frequent_ones() {
    let world = World::new();
    for round in 0..20_u64 {
        let mut events: Vec<_> = (0..100)
            .map(|number| {
                let mut event = hit(ONE, 1);
                event.body = event.body.replace("Blog.example", &format!("d{round}-{number}.example")).into();
                event
            })
            .collect();
        events.extend((0..10).map(|_| hit(ONE, 3)));
        world.append(events).await;
    }
    let index = world.indexed("index").await;
    let tops = index.tops(ONE, TopOf::Domains, 1).await.unwrap().values;
    assert_eq!(tops.len(), hitwire_index::TOP_COUNTERS);
    let shop = tops.iter().find(|top| top.value == "shop.example").expect("among them");
    assert!(shop.events >= 200 && shop.events - shop.error <= 200 && shop.error <= 2_200 / 200, "{shop:?}");
}

#[tokio::test]
async fn requests_are_rolled_up_with_their_outcomes_times_and_lag() {
    let world = World::new();
    world.append((0..10).map(|number| hit(ONE, number)).collect()).await;
    let (id, other) = (world.integration(ONE).await, world.integration(ONE).await);
    world.pass(Duration::from_secs(30));
    world.attempted(id, attempt(1, 4, Verdict::Sick, world.now_ms())).await;
    world.pass(Duration::from_mins(1));
    world.attempted(id, attempt(1, 4, Verdict::Delivered, world.now_ms())).await;
    world.attempted(other, attempt(1, 10, Verdict::Refused, world.now_ms())).await;
    let index = world.indexed("index").await;

    let health = index.health(vec![id, other]).await.unwrap();
    assert_eq!((health[0].delivered, health[0].failed, health[0].events), (1, 1, 4));
    assert_eq!((health[0].success(), health[1].success()), (Some(0.5), Some(0.0)));
    assert_eq!(health[0].hours.len(), 24);
    let hour = health[0].hours.last().unwrap();
    assert_eq!((hour.start_s, hour.sick, hour.delivered), (BEGIN_MS / 1_000, 1, 1));

    let series = index.series(id, Range::Hour).await.unwrap();
    assert_eq!(series.len(), 60);
    let [before, now] = &series[58..] else { panic!("two") };
    assert_eq!((before.sick, before.failed(), before.lag_ms), (1, 1, None));
    assert_eq!((now.delivered, now.events, now.lag_ms), (1, 4, Some(90_000)));
    assert!(now.p50_ms.is_some_and(|ms| (13.0..30.0).contains(&ms)), "{now:?}");
    for (range, points) in [(Range::Day, 144), (Range::Week, 168)] {
        let series = index.series(id, range).await.unwrap();
        assert_eq!((series.len(), series.last().unwrap().delivered), (points, 1));
        assert_eq!(series.iter().map(|point| point.sick).sum::<u64>(), 1);
    }
}

#[tokio::test]
async fn the_attempts_that_a_position_went_with_are_found() {
    let world = World::new();
    let (id, other) = (world.integration(ONE).await, world.integration(ONE).await);
    let at = world.now_ms();
    world.attempted(id, attempt(1, 4, Verdict::Delivered, at)).await;
    world.attempted(id, attempt(5, 9, Verdict::Sick, at)).await;
    world
        .attempted(id, Attempt { number: 2, events: 3, ..attempt(5, 9, Verdict::Delivered, at + 1_000) })
        .await;
    world.attempted(other, attempt(1, 20, Verdict::Delivered, at)).await;
    // Long unwell, then well.
    for tries in 1..=60 {
        world.attempted(id, Attempt { number: tries, ..attempt(21, 30, Verdict::Sick, at) }).await;
    }
    world.attempted(id, Attempt { number: 61, ..attempt(21, 30, Verdict::Delivered, at) }).await;
    let index = world.indexed("index").await;
    let spanning = async |seq| index.spanning(vec![id], Lane::Bulk, Seq(seq)).await.unwrap().remove(0);
    let first = spanning(4).await;
    assert_eq!(first.len(), 1);
    assert!(first[0].is_dense() && first[0].verdict == Verdict::Delivered);
    let second = spanning(7).await;
    assert_eq!(second.iter().map(|found| found.number).collect::<Vec<_>>(), [2, 1]);
    assert!(!second[0].is_dense());
    assert_eq!(spanning(10).await, []);
    assert_eq!(spanning(25).await.len(), 61);
    let by = |batch: &DeliveredBatch| (batch.integration, batch.is_dense);
    let last = index.delivered(vec![id], vec![(Seq(25), Lane::Bulk)]).await.unwrap();
    assert_eq!(last[0].iter().map(by).collect::<Vec<_>>(), [(id, true)]);
    let events = [4, 7, 10, 31].map(|seq| (Seq(seq), Lane::Bulk)).to_vec();
    let delivered = index.delivered(vec![id, other], events).await.unwrap();
    let delivered: Vec<Vec<_>> = delivered.iter().map(|batches| batches.iter().map(by).collect()).collect();
    assert_eq!(
        delivered,
        [vec![(id, true), (other, true)], vec![(id, false), (other, true)], vec![(other, true)], vec![]]
    );
    assert_eq!(index.spanning(vec![id], Lane::Urgent, Seq(4)).await.unwrap(), [[]]);
}

#[tokio::test]
async fn a_batch_that_lies_within_another_hides_it_from_nobody() {
    let world = World::new();
    let id = world.integration(ONE).await;
    let at = world.now_ms();
    // Two under way at once; the second was delivered, the first was cut anew after a change of settings, and larger.
    let anew = |first, last, revision| Attempt {
        content_revision: Some(revision),
        webhook_id: WebhookId(format!("msg_{first}_{revision}").into()),
        ..attempt(first, last, Verdict::Delivered, at)
    };
    world.attempted(id, anew(11, 20, 1)).await;
    world.attempted(id, anew(1, 30, 2)).await;
    let index = world.indexed("index").await;
    for seq in [5, 15, 25] {
        let batches = index.delivered(vec![id], vec![(Seq(seq), Lane::Bulk)]).await.unwrap().remove(0);
        assert_eq!(batches[0].content_revision, Some(2), "{seq}");
        let spanning = index.spanning(vec![id], Lane::Bulk, Seq(seq)).await.unwrap().remove(0);
        assert_eq!(spanning.len(), if seq == 15 { 2 } else { 1 });
    }
    let found = index.attempts_of(id, WebhookId("msg_11_1".into()), u64::MAX).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(index.attempts_of(id, WebhookId("msg_11_1".into()), found[0]).await.unwrap(), [0_u64; 0]);
    assert_eq!(index.attempts_of(id, WebhookId("msg_9".into()), u64::MAX).await.unwrap(), [0_u64; 0]);
}
