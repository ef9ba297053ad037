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

/// A high and a low risk travel in different lanes.
fn finding(number: usize, threat: &str) -> Value {
    json!({"object_type": "vuln", "id": format!("vuln-{number}"), "title": "A finding", "threat": threat, "domain": "shop.example.com"})
}

#[tokio::test]
async fn whoever_got_events_of_both_lanes_that_came_together_is_named_for_certain() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let made = json!({
        "target": {"url": receiver.url()},
        "events": [{"event": "siem"}, {"event": "vuln"}],
        "filter": {"domains": ["shop.example.com"]},
    });
    let id = hitwire.create(&made).await["id"].as_u64().expect("an id");
    let at = |number: usize, domain: &str| {
        let mut hit = hit(number);
        hit["domain"] = json!(domain);
        hit
    };
    let together = json!([
        at(1, "shop.example.com"),
        finding(1, "High"),
        at(2, "elsewhere.example.com"),
        at(3, "shop.example.com"),
        finding(2, "Critical"),
        at(4, "shop.example.com"),
    ]);
    hitwire.send(&together).await.expect(202);
    let page = hitwire.admin().get("/v1/events?tail=6&kind=siem,vuln").await.expect(200);
    let positions: Vec<u64> = page["events"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| event["seq"].as_u64().expect("a position"))
        .collect();
    assert_eq!(positions.len(), 6);
    let (delivered, left_out) = ([0, 1, 3, 4, 5].map(|at| positions[at]), positions[2]);
    for seq in delivered {
        until(async || deliveries(&hitwire, seq).await[0]["state"] == "delivered").await;
        let way = deliveries(&hitwire, seq).await[0].take();
        assert_eq!(way["certain"], true, "{way}");
    }
    let way = deliveries(&hitwire, left_out).await[0].take();
    assert_eq!((&way["state"], &way["certain"]), (&json!("filtered_out"), &json!(true)), "{way}");
    // Batches of the urgent lane reach over positions of the other, and have not got what is there.
    let of = async |seq: u64| {
        let path = format!("/v2/integration/{id}/attempts?seq={seq}");
        let found = hitwire.admin().get(&path).await.expect(200);
        let rows = found["attempts"].as_array().expect("rows");
        rows.iter().map(|row| row["lane"].as_str().expect("text").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(of(positions[3]).await, ["bulk"]);
    assert_eq!(of(positions[1]).await, ["urgent"]);
    // Settings that change afterwards take nothing from what was delivered before.
    let change = json!({"filter": {"domains": ["elsewhere.example.com"]}});
    hitwire.admin().send("PUT", &format!("/v2/integration/{id}"), &change).await.expect(200);
    for seq in delivered {
        let way = deliveries(&hitwire, seq).await[0].take();
        assert!(way["attempt"]["delivered"] == true && way["state"] != "filtered_out", "{way}");
    }
}
