//! One attempt in full, and attempts by what they came to.

use crate::support::{Caller, Hitwire, Receiver, hit, until};
use serde_json::{Value, json};
use std::path::Path;

/// The rows of the delivery log, newest first.
async fn rows(caller: &Caller, id: u64, query: &str) -> Vec<Value> {
    let page = caller.get(&format!("/v2/integration/{id}/attempts{query}")).await.expect(200);
    page["attempts"].as_array().expect("rows").clone()
}

/// The oldest attempt, once there is one.
async fn first(hitwire: &Hitwire, id: u64) -> u64 {
    until(async || !rows(&hitwire.admin(), id, "").await.is_empty()).await;
    rows(&hitwire.admin(), id, "").await.last().expect("one")["id"].as_u64().expect("an id")
}

async fn in_full(caller: &Caller, id: u64, number: u64) -> Value {
    caller.get(&format!("/v2/integration/{id}/attempts/{number}")).await.expect(200)
}

#[tokio::test]
async fn a_failed_attempt_explains_itself() {
    let receiver = Receiver::start_https().await;
    receiver.answer(500);
    receiver.say(&format!("no room for Bearer header-Xohth8qu{}", "x".repeat(20_000)));
    let hitwire = Hitwire::start().await;
    let target = json!({
        "url": receiver.url(), "ca_file": receiver.certificate(),
        "headers": {"Authorization": "Bearer header-Xohth8qu"},
    });
    let made = hitwire.create(&json!({"target": target, "events": [{"event": "siem"}]})).await;
    let id = made["id"].as_u64().expect("an id");
    hitwire.send(&json!([hit(1), hit(2)])).await.expect(202);
    let number = first(&hitwire, id).await;
    let shown = in_full(&hitwire.admin(), id, number).await;

    let attempt = &shown["attempt"];
    assert_eq!((&attempt["status"], &attempt["verdict"]), (&json!(500), &json!("refused")));
    assert!(attempt["address"].as_str().expect("an address").starts_with("127.0.0.1:"));
    let detail = &shown["detail"];
    let times = &detail["timings_ms"];
    for part in ["connect", "tls", "first_byte", "total"] {
        assert!(times[part].as_f64().is_some_and(|ms| ms > 0.0), "{part}: {times}");
    }
    assert_eq!((&detail["connection_reused"], &detail["http_version"]), (&json!(false), &json!("HTTP/1.1")));
    let request = &detail["request"];
    assert_eq!(request["method"], "POST");
    assert_eq!(request["url"].as_str().expect("a URL"), receiver.url());
    let headers = &request["headers"];
    let signature = receiver.received()[0].headers["webhook-signature"].to_str().expect("text").to_owned();
    assert_eq!(
        (&headers["authorization"], &headers["webhook-signature"]),
        (&json!("********"), &json!(signature))
    );
    assert_eq!(headers["webhook-id"], attempt["webhook_id"]);
    assert_eq!(headers["content-type"], "application/json");
    let response = &detail["response"];
    assert_eq!((&response["status"], &response["truncated"]), (&json!(500), &json!(true)));
    assert_eq!(response["headers"]["content-length"], "20034");
    let said = response["body"].as_str().expect("a body");
    assert!(said.starts_with("no room for ********xxx") && said.len() <= 16 << 10, "{}", said.len());
    assert!(!shown.to_string().contains("Xohth8qu"), "{shown}");

    let body = &shown["body"];
    assert_eq!(
        (&body["state"], &body["why"], &body["truncated"]),
        (&json!("reproduced"), &json!(null), &json!(false))
    );
    let sent = &receiver.received()[0].body;
    assert_eq!(body["text"].as_str().expect("the body").as_bytes(), sent);
    assert_eq!(body["bytes"].as_u64(), Some(sent.len() as u64));
    assert_eq!(body["sha256"].as_str().map(str::len), Some(64));
}

#[tokio::test]
async fn without_an_answer_an_attempt_says_how_far_it_came() {
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe("http://127.0.0.1:9/nobody").await;
    hitwire.send(&hit(1)).await.expect(202);
    let number = first(&hitwire, id).await;
    let shown = in_full(&hitwire.admin(), id, number).await;
    let detail = &shown["detail"];
    assert_eq!((&detail["cause"], &detail["response"]), (&json!("connect"), &json!(null)));
    assert_eq!(detail["timings_ms"]["tls"], json!(null));
    assert!(detail["timings_ms"]["total"].as_f64().is_some());
    assert_eq!(detail["request"]["url"], "http://127.0.0.1:9/nobody");
}

#[tokio::test]
async fn of_successes_the_newest_twenty_are_kept_in_detail_and_all_have_their_bodies() {
    let receiver = Receiver::start().await;
    let mut hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    for number in 0..22 {
        hitwire.send(&hit(number)).await.expect(202);
        until(async || rows(&hitwire.admin(), id, "").await.len() > number).await;
    }
    hitwire.restart().await;
    let numbers: Vec<u64> =
        rows(&hitwire.admin(), id, "").await.iter().map(|row| row["id"].as_u64().expect("an id")).collect();
    for (age, number) in numbers.iter().enumerate() {
        let shown = in_full(&hitwire.admin(), id, *number).await;
        assert_eq!(shown["detail"].is_null(), age >= 20, "{age}: {shown}");
        assert_eq!(shown["no_detail"].is_null(), age < 20, "{age}: {shown}");
        assert_eq!(shown["body"]["state"], "reproduced");
    }
    let why = in_full(&hitwire.admin(), id, *numbers.last().expect("one")).await["no_detail"].take();
    assert_eq!(why, "of successes the newest 20 of each integration are kept in detail");
}

#[tokio::test]
async fn a_body_that_cannot_be_made_again_says_what_was_changed() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    hitwire.send(&hit(1)).await.expect(202);
    let number = first(&hitwire, id).await;
    let path = format!("/v2/integration/{id}");
    let change = async |body: Value| drop(hitwire.admin().send("PUT", &path, &body).await.expect(200));
    change(json!({"name": "another name", "target": {"url": receiver.url(), "format": "jsonl"}})).await;
    let body = in_full(&hitwire.admin(), id, number).await["body"].take();
    assert_eq!((&body["state"], &body["text"]), (&json!("not_reproducible"), &json!(null)));
    assert_eq!(body["why"], "settings were changed since: target.format");
    change(json!({"target": {"url": receiver.url(), "format": "json"}})).await;
    let body = in_full(&hitwire.admin(), id, number).await["body"].take();
    assert_eq!(body["state"], "reproduced", "changed back: {body}");
    change(json!({"events": [{"event": "system"}]})).await;
    let body = in_full(&hitwire.admin(), id, number).await["body"].take();
    let why = body["why"].as_str().expect("words");
    assert!(why.contains("events.siem") && why.contains("events.system"), "{why}");
}

#[tokio::test]
async fn an_analyst_sees_the_attempt_and_not_what_the_receiver_said() {
    let receiver = Receiver::start().await;
    receiver.answer(500);
    receiver.say("internal matters");
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    hitwire.send(&hit(1)).await.expect(202);
    let number = first(&hitwire, id).await;
    let analyst = hitwire.caller(&hitwire.new_token(&json!({"name": "analyst", "role": "analyst"})).await);
    assert!(in_full(&hitwire.admin(), id, number).await.to_string().contains("internal matters"));
    let shown = in_full(&analyst, id, number).await;
    assert!(!shown.to_string().contains("internal matters"), "{shown}");
    assert_eq!((&shown["detail"]["response"], &shown["attempt"]["status"]), (&json!(null), &json!(500)));
    let request = &shown["detail"]["request"];
    assert!(request["url"].as_str().expect("a URL").ends_with("/********"), "{request}");
    assert_eq!(request["headers"]["webhook-signature"], "********");
    assert_eq!(shown["body"]["state"], "reproduced");
    let path = format!("/v2/integration/{id}/attempts");
    analyst.get(&format!("{path}/{}", number + 1_000)).await.expect(404);
    analyst.get(&format!("{path}/x")).await.expect(404);
}

#[tokio::test]
async fn attempts_are_found_by_outcome_status_time_and_position() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    hitwire.send(&hit(1)).await.expect(202);
    until(async || receiver.delivered().len() == 1).await;
    receiver.answer(503);
    hitwire.send(&hit(2)).await.expect(202);
    until(async || rows(&hitwire.admin(), id, "?outcome=failed").await.len() == 1).await;
    receiver.answer(200);
    until(async || receiver.delivered().len() == 2).await;
    until(async || rows(&hitwire.admin(), id, "?outcome=delivered").await.len() == 2).await;
    let statuses = async |query: &str| {
        let rows = rows(&hitwire.admin(), id, query).await;
        rows.iter().map(|row| row["status"].as_u64().expect("a status")).collect::<Vec<_>>()
    };
    assert_eq!(statuses("").await, [200, 503, 200]);
    assert_eq!(statuses("?outcome=failed").await, [503]);
    assert_eq!(statuses("?outcome=refused").await, [0; 0]);
    assert_eq!(statuses("?status=503").await, [503]);
    assert_eq!(statuses("?status=5xx").await, [503]);
    assert_eq!(statuses("?status=2xx&limit=1").await, [200]);
    assert_eq!(statuses("?from=2020-01-01T00:00:00Z").await.len(), 3);
    assert_eq!(statuses("?until=1577836800").await, [0; 0]);
    let newest = rows(&hitwire.admin(), id, "").await[0]["first"].clone();
    assert_eq!(statuses(&format!("?seq={newest}")).await, [200, 503]);
    for query in ["?outcome=good", "?status=abc", "?status=9xx9", "?from=soon", "?seq=-1", "?what=1"] {
        hitwire.admin().get(&format!("/v2/integration/{id}/attempts{query}")).await.expect(400);
    }
}

#[tokio::test]
async fn attempts_are_found_by_their_webhook_id_and_counted() {
    let receiver = Receiver::start().await;
    receiver.answer(500);
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    let admin = hitwire.admin();
    hitwire.send(&hit(1)).await.expect(202);
    until(async || !rows(&admin, id, "").await.is_empty()).await;
    receiver.answer(200);
    until(async || !receiver.delivered().is_empty()).await;
    hitwire.send(&hit(2)).await.expect(202);
    until(async || {
        receiver.delivered().len() == 2 && rows(&admin, id, "?outcome=delivered").await.len() == 2
    })
    .await;
    let all = rows(&admin, id, "").await;
    let webhook_id = all.last().expect("a row")["webhook_id"].as_str().expect("text").to_owned();
    let expected: Vec<_> = all.iter().filter(|row| row["webhook_id"] == *webhook_id).cloned().collect();
    assert!(expected.len() >= 2 && expected.len() < all.len(), "{all:?}");
    assert_eq!(rows(&admin, id, &format!("?webhook_id={webhook_id}")).await, expected);
    let failed = rows(&admin, id, &format!("?webhook_id={webhook_id}&outcome=failed")).await;
    assert_eq!(failed.len(), expected.len() - 1);
    assert!(rows(&admin, id, "?webhook_id=msg_none").await.is_empty());
    let total = async |query: &str| {
        let path = format!("/v2/integration/{id}/attempts?count=true&limit=1{query}");
        admin.get(&path).await.expect(200)["total"].take()
    };
    assert_eq!(total("").await, json!({"count": all.len(), "is_more": false}));
    assert_eq!(total(&format!("&webhook_id={webhook_id}")).await["count"], expected.len());
    assert_eq!(total("&outcome=gone").await["count"], 0);
    let plain = admin.get(&format!("/v2/integration/{id}/attempts")).await.expect(200);
    assert!(plain.get("total").is_none(), "only who asks is told: {plain}");
    admin.get(&format!("/v2/integration/{id}/attempts?count=yes")).await.expect(400);
}

fn files_that_hold(folder: &Path, word: &str) -> Vec<String> {
    let paths = std::fs::read_dir(folder).expect("listed").map(|entry| entry.expect("an entry").path());
    let holds = |path: &Path| {
        let bytes = std::fs::read(path).expect("read");
        bytes.windows(word.len()).any(|window| window == word.as_bytes())
    };
    let found = paths.filter(|path| holds(path));
    found.map(|path| path.file_name().expect("a name").to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn details_go_with_their_integration() {
    let receiver = Receiver::start().await;
    receiver.answer(500);
    receiver.say("receiver-said-Ahb0ooth");
    let mut hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    hitwire.send(&hit(1)).await.expect(202);
    let number = first(&hitwire, id).await;
    assert!(in_full(&hitwire.admin(), id, number).await["detail"].is_object());
    assert!(!files_that_hold(hitwire.data_dir(), "Ahb0ooth").is_empty());
    hitwire.admin().call("DELETE", &format!("/v2/integration/{id}")).await.expect(200);
    hitwire.stop().await;
    let left = files_that_hold(hitwire.data_dir(), "Ahb0ooth");
    assert!(left.iter().all(|name| !name.starts_with("attempts-")), "{left:?}");
}
