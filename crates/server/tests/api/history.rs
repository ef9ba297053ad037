//! What became of an integration's events.

use crate::support::{Hitwire, Receiver, hit, until};
use serde_json::{Value, json};

async fn attempts(hitwire: &Hitwire, id: u64, query: &str) -> Value {
    hitwire.admin().get(&format!("/v2/integration/{id}/attempts{query}")).await.expect(200)
}

async fn status(hitwire: &Hitwire, id: u64) -> Value {
    hitwire.admin().get(&format!("/v2/integration/{id}/status")).await.expect(200)
}

#[tokio::test]
async fn every_attempt_is_in_the_delivery_log_the_newest_first() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    // The making of the integration is the first event.
    until(async || status(&hitwire, id).await["head"] == 1).await;
    for number in 0..3 {
        hitwire.send(&hit(number)).await.expect(202);
        until(async || {
            attempts(&hitwire, id, "").await["attempts"].as_array().is_some_and(|rows| rows.len() > number)
        })
        .await;
    }
    let first = attempts(&hitwire, id, "?limit=2").await;
    let rows = first["attempts"].as_array().expect("rows");
    assert_eq!((&rows[0]["first"], &rows[1]["first"]), (&json!(4), &json!(3)));
    assert_eq!(
        (&rows[0]["verdict"], &rows[0]["status"], &rows[0]["lane"]),
        (&json!("delivered"), &json!(200), &json!("bulk"))
    );
    let rest = attempts(&hitwire, id, &format!("?limit=2&before={}", first["next"])).await;
    assert_eq!((&rest["attempts"][0]["first"], &rest["next"]), (&json!(2), &json!(null)));
    let sent = receiver.received();
    assert_eq!(rows[0]["webhook_id"].as_str(), sent[2].headers["webhook-id"].to_str().ok());
    hitwire.admin().get(&format!("/v2/integration/{id}/attempts?limit=501")).await.expect(400);
}

#[tokio::test]
async fn a_failed_attempt_says_why_and_the_status_says_when_the_next_one_is() {
    let receiver = Receiver::start().await;
    receiver.answer(503);
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    hitwire.send(&json!([hit(1), hit(2)])).await.expect(202);
    until(async || !status(&hitwire, id).await["lanes"][1]["last_error"].is_null()).await;
    let lane = status(&hitwire, id).await["lanes"][1].take();
    assert_eq!((&lane["lane"], &lane["lag"]["events"]), (&json!("bulk"), &json!(2)));
    assert!(lane["last_error"].as_str().expect("words").contains("503"), "{lane}");
    assert_eq!(lane["open_batch"]["events"], 2);
    receiver.answer(200);
    until(async || status(&hitwire, id).await["lanes"][1]["lag"]["events"] == 0).await;
    let after = status(&hitwire, id).await;
    assert_eq!((&after["failures_in_a_row"], &after["lanes"][1]["open_batch"]), (&json!(0), &json!(null)));
    assert_eq!(receiver.delivered().len(), 2);
}

#[tokio::test]
async fn the_status_says_why_nothing_is_sent() {
    let hitwire = Hitwire::start().await;
    let silent = hitwire.create(&json!({"target": {"url": "https://example.com/"}})).await["id"]
        .as_u64()
        .expect("an id");
    let none_ticked = status(&hitwire, silent).await;
    assert_eq!((&none_ticked["sends"], &none_ticked["active"]), (&json!(false), &json!(true)));
    assert_eq!(none_ticked["notice"], "no event is active in \"events\": nothing is sent");
    let body = json!({"active": false, "events": [{"event": "siem"}]});
    hitwire.admin().send("PUT", &format!("/v2/integration/{silent}"), &body).await.expect(200);
    assert_eq!(
        status(&hitwire, silent).await["notice"],
        "disabled by a user: nothing is sent until it is enabled"
    );
}

#[tokio::test]
async fn a_receiver_that_is_gone_disables_and_what_was_missed_is_sent_when_it_is_enabled() {
    let receiver = Receiver::start().await;
    receiver.answer(410);
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    hitwire.send(&hit(1)).await.expect(202);
    until(async || status(&hitwire, id).await["active"] == false).await;
    let notice = status(&hitwire, id).await["notice"].take();
    assert!(notice.as_str().expect("words").contains("410"), "{notice}");
    hitwire.send(&hit(2)).await.expect(202);
    receiver.answer(200);
    hitwire.admin().send("PUT", &format!("/v2/integration/{id}"), &json!({"active": true})).await.expect(200);
    until(async || receiver.delivered().len() == 2).await;
}

#[tokio::test]
async fn what_came_while_a_user_had_disabled_it_is_skipped_and_told() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    let path = format!("/v2/integration/{id}");
    hitwire.admin().send("PUT", &path, &json!({"active": false})).await.expect(200);
    hitwire.send(&json!([hit(1), hit(2)])).await.expect(202);
    hitwire.admin().send("PUT", &path, &json!({"active": true})).await.expect(200);
    hitwire.send(&hit(3)).await.expect(202);
    until(async || receiver.delivered().len() == 1).await;
    let lost = hitwire.admin().get(&format!("{path}/lost")).await.expect(200);
    let range = &lost["lost"][0];
    assert_eq!(
        (&range["range"], &range["reason"], &range["events"]),
        (&json!("skipped"), &json!("enabled_from_now"), &json!(2))
    );
    assert_eq!(range["kinds"], json!(["siem"]));
    hitwire.admin().send("PUT", &path, &json!({"active": false})).await.expect(200);
    hitwire.send(&hit(4)).await.expect(202);
    hitwire.admin().send("PUT", &format!("{path}?resume=missed"), &json!({"active": true})).await.expect(200);
    until(async || receiver.delivered().len() == 2).await;
    assert_eq!(receiver.delivered()[1], "hit00000000000000004");
}
