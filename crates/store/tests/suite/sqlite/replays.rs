//! Replays: lanes that begin further back, under the token of their integration's courier.

use crate::support::{
    Bench, ONE, append, attempt, commit, create, event, hits, lane_at, loaded, noise, progress, unsettled,
};
use hitwire_courier::{LaneState, LostReason, Progress, Verdict};
use hitwire_event::filter::Filter;
use hitwire_event::{IntegrationId, Kind, Lane, Seq};
use hitwire_store::{
    Done, Ledger, NewReplay, Op, Replay, ReplayChange, ReplayEnd, ReplayPlan, ReplayPurpose, Segment,
    SqliteStore, SteerReplay, Store, StoreError,
};

const FIRST: Lane = Lane::Replay(1);

fn plan(segments: &[(u64, u64)]) -> ReplayPlan {
    let segment = |&(first, last)| Segment { first: Seq(first), last: Seq(last), kinds: vec![Kind::Hit] };
    ReplayPlan {
        purpose: ReplayPurpose::Replay,
        segments: segments.iter().map(segment).collect(),
        filter: Filter::default(),
        events: segments.iter().map(|(first, last)| last - first + 1).sum(),
        by: "Jane".to_owned(),
    }
}

fn new(integration: IntegrationId, segments: &[(u64, u64)]) -> NewReplay {
    NewReplay { integration, plan: plan(segments), events_per_s: None, paused: false }
}

async fn begin(store: &dyn Store, new: NewReplay) -> Result<u32, StoreError> {
    let Done::Replay(number) = store.commit(vec![Op::BeginReplay(new)]).await?.remove(0) else { panic!() };
    Ok(number)
}

async fn steer(
    store: &dyn Store,
    integration: IntegrationId,
    change: ReplayChange,
) -> Result<(), StoreError> {
    let steer = SteerReplay { integration, number: 1, change };
    store.commit(vec![Op::SteerReplay(steer)]).await.map(drop)
}

async fn one(store: &SqliteStore, id: IntegrationId) -> Replay {
    store.replay(id, 1).await.unwrap().unwrap()
}

fn sent(number: u32, lane: Lane) -> hitwire_courier::Attempt {
    hitwire_courier::Attempt { lane, verdict: Verdict::Delivered, error: None, ..attempt(number) }
}

#[tokio::test]
async fn a_replay_is_a_lane_until_everything_of_it_is_settled_also_after_a_crash() {
    for inline in [true, false] {
        let bench = Bench::new(inline);
        let store = SqliteStore::open(bench.options()).unwrap();
        let id = create(&store, ONE, &[Kind::Hit]).await.id;
        append(&store, hits(1..=20)).await;
        let token = loaded(&store, id).await;
        assert_eq!(begin(&store, new(id, &[(3, 8), (12, 15)])).await, Ok(1));
        let overtaken = store.commit(vec![Op::Save(token, progress(id))]).await;
        assert!(
            matches!(overtaken, Err(StoreError::Overtaken)),
            "its courier has to know of it: {overtaken:?}"
        );

        let open = LaneState { cursor: Seq(2), open: vec![unsettled(3, 8, 0)] };
        let token = loaded(&store, id).await;
        commit(&store, Op::Save(token, Progress { lanes: vec![(FIRST, open.clone())], ..progress(id) }))
            .await;
        drop(store);
        let store = SqliteStore::open(bench.options()).unwrap();
        let courier = store.load_courier(id).await.unwrap().unwrap();
        assert_eq!(courier.saved.lanes[FIRST], open, "the batch on its way");
        assert_eq!(courier.saved.replays[FIRST].last, Seq(15));
        assert_eq!(courier.replays.len(), 1);

        let attempts = vec![sent(1, FIRST)];
        let events = u64::from(attempts[0].events);
        let step = Progress { lanes: vec![(FIRST, lane_at(8))], attempts, ..progress(id) };
        commit(&store, Op::Save(courier.token, step)).await;
        let replay = one(&store, id).await;
        assert_eq!((replay.cursor, replay.delivered, replay.ended), (Seq(8), events, None));
        commit(
            &store,
            Op::Save(courier.token, Progress { lanes: vec![(FIRST, lane_at(15))], ..progress(id) }),
        )
        .await;
        assert_eq!(one(&store, id).await.ended.map(|(_, end)| end), Some(ReplayEnd::Done));
        assert!(!store.load_courier(id).await.unwrap().unwrap().saved.lanes.has(FIRST), "no lane any more");
        assert_eq!(steer(&store, id, ReplayChange::Pause(true)).await, Err(StoreError::NotFound));
        assert_eq!(begin(&store, new(id, &[(3, 8)])).await, Ok(2), "numbers are not used again");
    }
}

#[tokio::test]
async fn a_replay_is_paused_slowed_down_and_cancelled_and_its_courier_learns_of_each() {
    let bench = Bench::new(true);
    let store = SqliteStore::open(bench.options()).unwrap();
    let id = create(&store, ONE, &[Kind::Hit]).await.id;
    append(&store, hits(1..=20)).await;
    begin(&store, new(id, &[(1, 20)])).await.unwrap();
    for change in [ReplayChange::Pause(true), ReplayChange::EventsPerSecond(Some(5)), ReplayChange::Cancel] {
        let token = loaded(&store, id).await;
        steer(&store, id, change).await.unwrap();
        let step = Progress { lanes: vec![(FIRST, lane_at(20))], ..progress(id) };
        let overtaken = store.commit(vec![Op::Save(token, step)]).await;
        assert!(matches!(overtaken, Err(StoreError::Overtaken)), "{change:?}: {overtaken:?}");
    }
    let replay = one(&store, id).await;
    assert_eq!((replay.paused, replay.events_per_s), (true, Some(5)));
    assert_eq!(replay.ended.map(|(_, end)| end), Some(ReplayEnd::Cancelled));
    assert_eq!(replay.cursor, Seq(0), "it ended where it was");
}

#[tokio::test]
async fn replays_are_bounded_belong_to_an_integration_and_go_with_it() {
    let bench = Bench::new(true);
    let store = SqliteStore::open(bench.options()).unwrap();
    let id = create(&store, ONE, &[Kind::Hit]).await.id;
    append(&store, hits(1..=20)).await;
    assert_eq!(begin(&store, new(IntegrationId(99), &[(1, 20)])).await, Err(StoreError::NotFound));
    for number in 1..=Replay::UNDER_WAY_MAX as u32 {
        assert_eq!(begin(&store, new(id, &[(1, 20)])).await, Ok(number));
    }
    assert!(matches!(begin(&store, new(id, &[(1, 20)])).await, Err(StoreError::Taken(_))));
    commit(&store, Op::DeleteIntegration { id, revision: None }).await;
    assert_eq!(store.replays(id).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_replay_whose_record_is_damaged_costs_its_integration_nothing_else_and_can_be_cancelled() {
    let bench = Bench::new(true);
    let store = SqliteStore::open(bench.options()).unwrap();
    let id = create(&store, ONE, &[Kind::Hit]).await.id;
    append(&store, hits(1..=20)).await;
    begin(&store, new(id, &[(1, 20)])).await.unwrap();
    begin(&store, new(id, &[(1, 20)])).await.unwrap();
    let state = rusqlite::Connection::open(bench.path().join("state.db")).unwrap();
    state.execute("UPDATE replay SET plan = 'x' WHERE number = 1", []).unwrap();
    drop(state);
    let courier = store.load_courier(id).await.unwrap().unwrap();
    assert!(courier.saved.lanes.has(Lane::Bulk) && courier.saved.lanes.has(Lane::Replay(2)));
    assert!(!courier.saved.lanes.has(FIRST));
    assert_eq!(store.replays(id).await.unwrap().len(), 1);
    assert_eq!(steer(&store, id, ReplayChange::Cancel).await, Ok(()));
}

#[tokio::test]
async fn what_retention_takes_before_a_replay_has_sent_it_is_a_dead_range_of_the_replay() {
    let bench = Bench::new(true);
    let mut options = bench.options().with_retention_bytes(4 << 20);
    options.tail_bytes = 0;
    let store = SqliteStore::open(options.clone()).unwrap();
    let id = create(&store, ONE, &[Kind::Hit]).await.id;
    let add = async |round: u64| {
        let numbers = round * 100..round * 100 + 100;
        let events = numbers.map(|n| event(ONE, Kind::Hit, &n.to_string(), &noise(n, 900))).collect();
        append(&store, events).await;
    };
    add(0).await;
    let held = NewReplay { paused: true, ..new(id, &[(11, 20), (31, 40)]) };
    begin(&store, held).await.unwrap();
    for round in 1..100 {
        add(round).await;
    }
    let lost = store.lost(id, None, 100).await.unwrap();
    let of_replay: Vec<_> = lost.iter().map(|row| &row.range).filter(|range| range.lane == FIRST).collect();
    let events: u64 = of_replay.iter().map(|range| range.events).sum();
    assert_eq!(events, 20, "what it was to send, and nothing between: {of_replay:?}");
    assert!(of_replay.iter().all(|range| range.reason == LostReason::Retention));
    let replay = one(&store, id).await;
    assert_eq!((replay.given_up, replay.ended.map(|(_, end)| end)), (20, Some(ReplayEnd::Done)));

    let gone = begin(&store, new(id, &[(11, 20)])).await;
    assert!(matches!(gone, Err(StoreError::Taken(_))), "{gone:?}");
    let head = store_head(&store);
    let part = begin(&store, new(id, &[(11, head)])).await.unwrap();
    let part = store.replay(id, part).await.unwrap().unwrap();
    assert!(part.plan.first() > Seq(20) && part.plan.events < head, "what is left of it: {:?}", part.plan);
}

fn store_head(store: &SqliteStore) -> u64 {
    hitwire_store::Log::head(store).now().0
}
