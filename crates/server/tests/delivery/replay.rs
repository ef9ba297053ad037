//! What is sent once more, and what is tried at once.

use crate::support::{Caller, Hitwire, Receiver, hits, until};
use serde_json::{Value, json};

fn header<'a>(received: &'a crate::support::Received, name: &str) -> Option<&'a str> {
    received.headers.get(name).and_then(|value| value.to_str().ok())
}

async fn object(caller: &Caller, path: &str) -> Value {
    caller.get(path).await.expect(200)["body"]["object"].clone()
}

/// Waits until a replay has ended. Returns it.
async fn ended(hitwire: &Hitwire, path: &str) -> Value {
    until(async || !object(&hitwire.admin(), path).await["ended_at"].is_null()).await;
    object(&hitwire.admin(), path).await
}

#[tokio::test]
async fn a_past_range_is_counted_and_then_sent_once_more_in_order() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    hitwire.send(&hits(0..5)).await.expect(202);
    receiver.until_objects(5).await;
    let before = receiver.received().len();
    let path = format!("/v2/integration/{id}/replays");
    let admin = hitwire.admin();

    let asked = json!({"first": 1, "preview": true});
    let preview = admin.send("POST", &path, &asked).await.expect(200)["body"]["object"].clone();
    assert_eq!((&preview["total"], &preview["purpose"]), (&json!(5), &json!("replay")), "{preview}");
    assert_eq!(admin.get(&path).await.expect(200)["replays"], json!([]), "nothing was begun");

    let begun = admin.send("POST", &path, &json!({"first": 1})).await.expect(200)["body"]["object"].clone();
    assert_eq!((&begun["number"], &begun["lane"]), (&json!(1), &json!("replay-1")), "{begun}");
    receiver.until_objects(10).await;
    let done = ended(&hitwire, &format!("{path}/1")).await;
    assert_eq!((&done["state"], &done["delivered"], &done["left"]), (&json!("done"), &json!(5), &json!(0)));
    let objects = receiver.objects();
    assert_eq!(objects[..5], objects[5..], "the same events in the same order");
    let received = receiver.received();
    let (live, replayed) = received.split_at(before);
    assert!(live.iter().all(|one| header(one, "hitwire-replay").is_none()));
    assert!(replayed.iter().all(|one| header(one, "hitwire-replay") == Some("1")));
    assert!(replayed.iter().all(|one| header(one, "hitwire-resend-of").is_none()));
    let ids = |part: &[crate::support::Received]| -> Vec<String> {
        part.iter().filter_map(|one| header(one, "webhook-id").map(str::to_owned)).collect()
    };
    assert!(ids(replayed).iter().all(|id| !ids(live).contains(id)), "batches of its own");

    let attempts = object_list(&hitwire, id).await;
    assert!(attempts.iter().any(|attempt| attempt["lane"] == "replay-1"), "{attempts:?}");
    let status = admin.get(&format!("/v2/integration/{id}/status")).await.expect(200);
    assert_eq!(status["lanes"].as_array().map(Vec::len), Some(2), "live lanes alone: {status}");
}

async fn object_list(hitwire: &Hitwire, id: u64) -> Vec<Value> {
    let path = format!("/v2/integration/{id}/attempts");
    hitwire.admin().get(&path).await.expect(200)["attempts"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_batch_an_event_and_what_was_lost_are_sent_again_under_new_ids() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    hitwire.send(&hits(0..3)).await.expect(202);
    receiver.until_objects(3).await;
    let path = format!("/v2/integration/{id}/replays");
    let admin = hitwire.admin();
    until(async || !object_list(&hitwire, id).await.is_empty()).await;
    let attempt = object_list(&hitwire, id).await[0].clone();
    let first = &receiver.received()[0];
    let of = header(first, "webhook-id").expect("an id").to_owned();

    admin.send("POST", &path, &json!({"attempt": attempt["id"]})).await.expect(200);
    ended(&hitwire, &format!("{path}/1")).await;
    let again = receiver.received().last().cloned().expect("a request");
    assert_eq!(header(&again, "hitwire-resend-of"), Some(of.as_str()));
    assert_ne!(header(&again, "webhook-id"), Some(of.as_str()));
    assert_eq!(again.body, first.body, "the same events");

    admin.send("POST", &path, &json!({"seq": 2})).await.expect(200);
    ended(&hitwire, &format!("{path}/2")).await;
    let one = receiver.received().last().cloned().expect("a request");
    let sent: Value = serde_json::from_slice(&one.body).expect("JSON");
    assert_eq!(sent.as_array().map(Vec::len), Some(1), "one event alone");
    assert!(header(&one, "hitwire-resend-of").is_some());

    let nothing = admin.send("POST", &path, &json!({"lost": "all"})).await;
    assert_eq!(nothing.expect(409)["status"], 409, "nothing was lost");
    // What comes while it is disabled is skipped.
    let integration = format!("/v2/integration/{id}");
    admin.send("PUT", &integration, &json!({"active": false})).await.expect(200);
    hitwire.send(&hits(3..7)).await.expect(202);
    admin.send("PUT", &format!("{integration}?resume=now"), &json!({"active": true})).await.expect(200);
    let lost = admin.get(&format!("{integration}/lost")).await.expect(200)["lost"].clone();
    assert_eq!(lost[0]["events"], 4, "{lost}");
    let known = receiver.objects().len();
    admin.send("POST", &path, &json!({"lost": lost[0]["id"]})).await.expect(200);
    receiver.until_objects(known + 4).await;
    let done = ended(&hitwire, &format!("{path}/3")).await;
    assert_eq!((&done["purpose"], &done["delivered"]), (&json!("resend_undelivered"), &json!(4)), "{done}");
    let last = receiver.received().last().cloned().expect("a request");
    assert_eq!(header(&last, "hitwire-resend-of"), Some("undelivered"));
}

#[tokio::test]
async fn a_replay_is_paused_goes_on_after_a_restart_and_is_cancelled() {
    let receiver = Receiver::start().await;
    let mut hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    hitwire.send(&hits(0..40)).await.expect(202);
    receiver.until_objects(40).await;
    let path = format!("/v2/integration/{id}/replays");
    let admin = hitwire.admin();
    let asked = json!({"first": 1, "events_per_second": 10, "paused": true});
    let begun = admin.send("POST", &path, &asked).await.expect(200)["body"]["object"].clone();
    assert_eq!((&begun["left"], &begun["events_per_second"]), (&json!(40), &json!(10)), "{begun}");
    let one = format!("{path}/1");
    until(async || object(&hitwire.admin(), &one).await["state"] == "paused").await;
    assert_eq!(receiver.objects().len(), 40, "nothing was sent");
    // Live events do not wait for it.
    hitwire.send(&hits(40..41)).await.expect(202);
    receiver.until_objects(41).await;

    hitwire.restart().await;
    let admin = hitwire.admin();
    assert_eq!(object(&admin, &one).await["state"], "paused", "it is still held");
    let resumed = admin.send("PUT", &one, &json!({"paused": false})).await.expect(200);
    assert_ne!(resumed["body"]["object"]["state"], "paused");
    receiver.until_objects(51).await;
    for (rate, now) in [(json!(20), json!(20)), (json!(null), json!(null)), (json!(10), json!(10))] {
        let changed =
            admin.send("PUT", &one, &json!({"events_per_second": rate, "paused": true})).await.expect(200);
        assert_eq!(changed["body"]["object"]["events_per_second"], now);
    }
    let cancelled = admin.call("DELETE", &one).await.expect(200)["body"]["object"].clone();
    assert_eq!(cancelled["state"], "cancelled", "{cancelled}");
    let refused = admin.send("PUT", &one, &json!({"paused": true})).await;
    assert_eq!(refused.status, 409, "{}", refused.shown());
    assert_eq!(admin.call("DELETE", &one).await.status, 409);
    // Twice as much as it could have sent in this time is still to come, and never comes.
    assert!(receiver.objects().len() <= 71, "{}", receiver.objects().len());
    until(async || hitwire.told(1).await.iter().any(|kind| kind == "cancel_replay")).await;
    let told = hitwire.told(1).await.join("\n");
    for kind in ["start_replay", "pause_replay", "resume_replay", "update_replay", "cancel_replay"] {
        assert!(told.contains(kind), "{kind} is missing in {told}");
    }
}

#[tokio::test]
async fn what_waits_for_a_repaired_endpoint_is_retried_now_under_the_same_id() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    receiver.answer(503);
    hitwire.send(&hits(0..1)).await.expect(202);
    // The fourth try is made only after nine seconds.
    until(async || receiver.received().len() == 3).await;
    receiver.answer(200);
    let path = format!("/v2/integration/{id}/retry");
    let retried = hitwire.admin().call("POST", &path).await.expect(200);
    assert_eq!(retried["body"]["object"]["batches"], 1, "{retried}");
    until(async || receiver.received().len() == 4).await;
    let ids: Vec<_> =
        receiver.received().iter().filter_map(|one| header(one, "webhook-id").map(str::to_owned)).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    until(async || hitwire.told(1).await.iter().any(|kind| kind == "retry_integration")).await;
    hitwire
        .admin()
        .send("PUT", &format!("/v2/integration/{id}"), &json!({"active": false}))
        .await
        .expect(200);
    assert_eq!(hitwire.admin().call("POST", &path).await.status, 409, "it is disabled");
}

#[tokio::test]
async fn what_makes_no_replay_is_refused_with_the_reason() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    hitwire.send(&hits(0..1)).await.expect(202);
    receiver.until_objects(1).await;
    let path = format!("/v2/integration/{id}/replays");
    for (asked, status, words) in [
        (json!({}), 422, "exactly one of"),
        (json!({"first": 1, "attempt": 2}), 422, "exactly one of"),
        (json!({"first": 500}), 409, "nothing to send"),
        (json!({"attempt": 999}), 404, "no such attempt"),
        (json!({"event": "unheard-of"}), 404, "no event with this id"),
        (json!({"lost": [5]}), 404, "no lost range 5"),
        (json!({"seq": 1, "events_per_second": 0}), 422, "events_per_second"),
    ] {
        let refused = hitwire.admin().send("POST", &path, &asked).await;
        assert_eq!(refused.status.as_u16(), status, "{asked}: {}", refused.shown());
        assert!(refused.shown().contains(words), "{asked}: {}", refused.shown());
    }
    for _ in 0..8 {
        let held = json!({"first": 1, "paused": true});
        hitwire.admin().send("POST", &path, &held).await.expect(200);
    }
    let ninth = hitwire.admin().send("POST", &path, &json!({"first": 1})).await;
    assert_eq!(ninth.status, 409);
    assert!(ninth.shown().contains("8 replays under way"), "{}", ninth.shown());
    assert_eq!(hitwire.admin().get(&format!("{path}/99")).await.status, 404);
}
