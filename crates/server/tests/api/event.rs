//! One event, and what became of it.

use crate::support::{Hitwire, Receiver, hit, until};
use serde_json::{Value, json};

async fn deliveries(hitwire: &Hitwire, seq: u64) -> Value {
    hitwire.admin().get(&format!("/v1/events/{seq}/deliveries")).await.expect(200)["deliveries"].take()
}

/// The position of the newest hit.
async fn newest_hit(hitwire: &Hitwire) -> u64 {
    let page = hitwire.admin().get("/v1/events?tail=1&kind=siem").await.expect(200);
    page["events"][0]["seq"].as_u64().expect("a position")
}

#[tokio::test]
async fn an_event_is_told_with_its_way_through_each_integration() {
    let (well, ill) = (Receiver::start().await, Receiver::start().await);
    ill.answer(503);
    let hitwire = Hitwire::start().await;
    let first = hitwire.subscribe(&well.url()).await;
    let second = hitwire.subscribe(&ill.url()).await;
    hitwire.send(&hit(1)).await.expect(202);
    let seq = newest_hit(&hitwire).await;
    until(async || {
        let ways = deliveries(&hitwire, seq).await;
        ways[0]["state"] == "delivered" && ways[1]["attempt"]["status"] == 503
    })
    .await;
    let ways = deliveries(&hitwire, seq).await;
    assert_eq!((&ways[0]["integration"], &ways[1]["integration"]), (&json!(first), &json!(second)));
    assert_eq!((&ways[0]["certain"], &ways[0]["attempt"]["delivered"]), (&json!(true), &json!(true)));
    assert_eq!((&ways[1]["state"], &ways[1]["attempt"]["delivered"]), (&json!("on_its_way"), &json!(false)));

    let event = hitwire.admin().get(&format!("/v1/events/{seq}")).await.expect(200);
    let listed = hitwire.admin().get("/v1/events?tail=1&kind=siem").await.expect(200);
    assert_eq!(event, listed["events"][0]);

    // One that is made now did not subscribe then.
    hitwire.subscribe(&well.url()).await;
    assert_eq!(deliveries(&hitwire, seq).await[2]["state"], "not_subscribed");
    for path in ["/v1/events/0", "/v1/events/999999", "/v1/events/x", "/v1/events/999999/deliveries"] {
        hitwire.admin().get(path).await.expect(404);
    }
    hitwire.admin().get(&format!("/v1/events/{seq}?nonsense=1")).await.expect(400);
}

#[tokio::test]
async fn what_a_filter_holds_back_is_said_to_be_held_back() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    let path = format!("/v2/integration/{id}");
    hitwire
        .admin()
        .send("PUT", &path, &json!({"filter": {"domains": ["elsewhere.example"]}}))
        .await
        .expect(200);
    hitwire.send(&hit(1)).await.expect(202);
    let seq = newest_hit(&hitwire).await;
    assert_eq!(deliveries(&hitwire, seq).await[0]["state"], "filtered_out");
}
