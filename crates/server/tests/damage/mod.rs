//! Damaged and missing files, as the users of a running hitwire meet them.

use crate::support::{Hitwire, Receiver, hits, until};
use serde_json::Value;

/// A hitwire that stopped with nine hits in three blocks, none of them delivered, and the integration's id.
async fn stopped_with_nine(receiver: &Receiver) -> (Hitwire, u64) {
    let mut hitwire = Hitwire::start().await;
    receiver.answer(503);
    let id = hitwire.subscribe(&receiver.url()).await;
    for first in [0, 3, 6] {
        hitwire.send(&hits(first..first + 3)).await.expect(202);
    }
    hitwire.stop().await;
    receiver.answer(200);
    (hitwire, id)
}

fn names(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("hit{number:017}")).collect()
}

async fn lost(hitwire: &Hitwire, id: u64) -> Vec<Value> {
    let answer = hitwire.admin().get(&format!("/v2/integration/{id}/lost")).await.expect(200);
    answer["lost"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_damaged_block_becomes_a_dead_range_and_the_lane_goes_on() {
    let receiver = Receiver::start().await;
    let (mut hitwire, id) = stopped_with_nine(&receiver).await;
    let slice = hitwire.data_dir().join("log-00000000000000000001.db");
    let mut bytes = std::fs::read(&slice).expect("a slice");
    let name = names([4]).remove(0);
    let at = bytes.windows(name.len()).position(|window| window == name.as_bytes()).expect("it is there");
    bytes[at] ^= 1;
    std::fs::write(&slice, bytes).expect("written");
    hitwire.restart().await;
    until(async || receiver.delivered().len() >= 6).await;
    assert_eq!(receiver.delivered(), names([0, 1, 2, 6, 7, 8]));
    let lost = lost(&hitwire, id).await;
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!(
        (&lost[0]["reason"], &lost[0]["range"], &lost[0]["events"]),
        (&"damaged".into(), &"dead".into(), &3.into())
    );
    assert_eq!(lost[0]["detail"], "a block of log-00000000000000000001.db is damaged");
    let metrics = hitwire.admin().get("/metrics").await.body;
    let metrics = String::from_utf8_lossy(&metrics);
    assert!(metrics.contains("hitwire_events_lost_total{fate=\"dead\",reason=\"damaged\"} 3"), "{metrics}");
    assert!(!metrics.contains("hitwire_log_damaged_ranges_total 0"), "{metrics}");
}

#[tokio::test]
async fn one_broken_integration_stops_no_other_and_can_be_deleted() {
    let (good, bad) = (Receiver::start().await, Receiver::start().await);
    let mut hitwire = Hitwire::start().await;
    let (_, broken) = (hitwire.subscribe(&good.url()).await, hitwire.subscribe(&bad.url()).await);
    let third = hitwire.subscribe(&bad.url()).await;
    hitwire.stop().await;
    let state = rusqlite::Connection::open(hitwire.data_dir().join("state.db")).expect("opened");
    state
        .execute("UPDATE integration SET target = 'no JSON' WHERE id = ?1", [broken as i64])
        .expect("changed");
    state
        .execute("UPDATE subscription SET kind = 99 WHERE integration = ?1", [third as i64])
        .expect("changed");
    drop(state);
    hitwire.restart().await;
    hitwire.send(&hits(0..1)).await.expect(202);
    good.until_objects(1).await;
    let listed = hitwire.admin().get("/v2/integration").await.expect(200);
    let listed = listed["body"]["object"].as_array().expect("a list").clone();
    assert_eq!(listed.iter().map(|one| one["broken"].is_string()).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!((&listed[1]["id"], &listed[1]["name"]), (&broken.into(), &listed[0]["name"]));
    let piece =
        hitwire.admin().get(&format!("/v2/integration?after={}&limit=1", broken - 1)).await.expect(200);
    assert_eq!(piece["body"]["object"], serde_json::json!([listed[1]]));
    let overview = hitwire.admin().get("/v2/integration/overview").await.expect(200);
    let states = overview["integrations"].as_array().expect("a list").iter().map(|one| &one["state"]);
    assert_eq!(states.skip(1).collect::<Vec<_>>(), ["broken", "broken"]);
    assert_eq!(overview["integrations"][1]["notice"], listed[1]["broken"]);
    let refused = hitwire.admin().get(&format!("/v2/integration/{broken}")).await.expect(503);
    assert_eq!(refused["detail"], listed[1]["broken"]);
    for id in [broken, third] {
        let path = format!("/v2/integration/{id}");
        let deleted = hitwire.admin().call("DELETE", &path).await.expect(200);
        let why = deleted["body"]["object"]["broken"].as_str().expect("words");
        assert!(why.contains("delete the integration"), "{why}");
        hitwire.admin().call("DELETE", &path).await.expect(404);
    }
    assert!(bad.received().is_empty());
}

#[tokio::test]
async fn a_missing_slice_becomes_a_dead_range_and_is_not_called_caught_up() {
    let receiver = Receiver::start().await;
    let (mut hitwire, id) = stopped_with_nine(&receiver).await;
    std::fs::remove_file(hitwire.data_dir().join("log-00000000000000000001.db")).expect("removed");
    hitwire.restart().await;
    hitwire.send(&hits(20..22)).await.expect(202);
    until(async || receiver.delivered().len() >= 2).await;
    assert_eq!(receiver.delivered(), names([20, 21]));
    let lost = lost(&hitwire, id).await;
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!(lost[0]["reason"], "damaged");
    // Events of other kinds lay between them.
    assert!(lost[0]["events"].as_u64() >= Some(9), "{lost:?}");
}

#[tokio::test]
async fn a_file_that_is_deleted_while_hitwire_runs_stops_ingest_and_readiness_until_it_is_back() {
    for file in ["log-00000000000000000001.db", "state.db"] {
        let hitwire = Hitwire::start().await;
        hitwire.send(&hits(0..1)).await.expect(202);
        let (path, aside) = (hitwire.data_dir().join(file), hitwire.file("aside"));
        std::fs::rename(&path, &aside).expect("moved");
        let refused = hitwire.send(&hits(1..2)).await.expect(503);
        let said = format!("{file} was deleted or moved while hitwire runs");
        assert!(refused["detail"].as_str().expect("words").contains(&said), "{refused}");
        until(async || hitwire.nobody().get("/readyz").await.status == 503).await;
        let refused = hitwire.nobody().get("/readyz").await.expect(503);
        assert!(refused["detail"].as_str().expect("words").contains(&said), "{refused}");
        std::fs::rename(&aside, &path).expect("moved back");
        hitwire.send(&hits(1..2)).await.expect(202);
        until(async || hitwire.nobody().get("/readyz").await.status == 200).await;
    }
}
