//! From ingest to a receiver, over stops and starts.

mod cut_answers;
mod http_version;
mod kinds;
mod replay;

use crate::support::{Hitwire, Receiver, hit, hits, until};
use serde_json::json;

fn names(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("hit{number:017}")).collect()
}

#[tokio::test]
async fn an_event_arrives_signed_in_the_classic_form() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let created =
        hitwire.create(&json!({"target": {"url": receiver.url()}, "events": [{"event": "siem"}]})).await;
    let secret = created["signing_secret"].as_str().expect("a secret").to_owned();
    hitwire.send(&hit(1)).await.expect(202);
    until(async || receiver.received().len() == 1).await;
    let received = &receiver.received()[0];
    assert_eq!(received.path, "/hook?key=in-the-query");
    assert_eq!(received.headers["content-type"], "application/json");
    let header = |name: &str| received.headers[name].to_str().expect("text").to_owned();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    let signed =
        hitwire_endpoint::sign::sign(&[secret], &id, timestamp.parse().expect("seconds"), &received.body);
    assert_eq!(header("webhook-signature"), signed.expect("signed"));
    assert!(id.starts_with("msg_") && id.len() == 36, "{id}");
}

#[tokio::test]
async fn what_one_hitwire_sends_another_takes() {
    let (first, second) = (Hitwire::start().await, Hitwire::start().await);
    let receiver = Receiver::start().await;
    second.subscribe(&receiver.url()).await;
    let target = json!({
        "url": format!("http://{}/v1/events", second.server().addr()),
        "headers": {"Authorization": format!("Bearer {}", crate::support::INGEST)},
    });
    first.create(&json!({"target": target, "events": [{"event": "siem"}]})).await;
    first.send(&hits(0..5)).await.expect(202);
    until(async || receiver.delivered().len() == 5).await;
    assert_eq!(receiver.delivered(), names(0..5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_loses_nothing_and_keeps_the_order() {
    let receiver = Receiver::start().await;
    let mut hitwire = Hitwire::start().await;
    hitwire.subscribe(&receiver.url()).await;
    let mut sent = 0;
    for round in 0..3 {
        for _ in 0..20 {
            hitwire.send(&hits(sent..sent + 10)).await.expect(202);
            sent += 10;
        }
        if round == 1 {
            receiver.answer(503);
        }
        hitwire.restart().await;
        receiver.answer(200);
    }
    until(async || receiver.delivered().iter().any(|name| *name == names(sent - 1..sent)[0])).await;
    let mut delivered = receiver.delivered();
    let mut first_deliveries = Vec::new();
    for name in delivered.drain(..) {
        if !first_deliveries.contains(&name) {
            first_deliveries.push(name);
        }
    }
    assert_eq!(first_deliveries, names(0..sent));
}

#[tokio::test]
async fn what_was_accepted_while_nobody_listened_is_delivered_after_the_next_start() {
    let mut hitwire = Hitwire::start().await;
    let receiver = Receiver::start().await;
    receiver.answer(503);
    hitwire.subscribe(&receiver.url()).await;
    hitwire.send(&hits(0..7)).await.expect(202);
    hitwire.stop().await;
    receiver.answer(200);
    hitwire.restart().await;
    until(async || receiver.delivered().len() == 7).await;
    assert_eq!(receiver.delivered(), names(0..7));
}

#[tokio::test]
async fn a_changed_url_is_used_from_the_next_attempt_on() {
    let (dead, alive) = (Receiver::start().await, Receiver::start().await);
    dead.answer(500);
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&dead.url()).await;
    hitwire.send(&hit(1)).await.expect(202);
    until(async || !dead.received().is_empty()).await;
    let body = json!({"target": {"url": alive.url()}});
    hitwire.admin().send("PUT", &format!("/v2/integration/{id}"), &body).await.expect(200);
    until(async || alive.delivered().len() == 1).await;
    let id = |receiver: &Receiver| receiver.received()[0].headers["webhook-id"].clone();
    assert_eq!(id(&dead), id(&alive), "it is the same batch");
}

#[tokio::test]
async fn a_receiver_that_never_answers_does_not_hold_up_the_stop() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let mut hitwire = Hitwire::start().await;
    hitwire.subscribe(&format!("http://{}/", silent.local_addr().expect("an address"))).await;
    hitwire.send(&hit(1)).await.expect(202);
    let (_held, _) = silent.accept().await.expect("a request");
    hitwire.stop().await;
    hitwire.restart().await;
    let (_again, _) = silent.accept().await.expect("the request once more");
}

#[tokio::test]
async fn envelopes_say_what_the_installation_is_called() {
    let receiver = Receiver::start().await;
    let mut hitwire = Hitwire::start_with(|config| {
        config.product = "Shield".to_owned();
        config.cloud = "EU".to_owned();
        config.public_url = Some("https://shield.example.com/".to_owned());
    })
    .await;
    receiver.answer(503);
    let integration = json!({
        "target": {"url": receiver.url(), "rendering": "envelope"},
        "events": [{"event": "security_issue_low"}],
    });
    let id = hitwire.create(&integration).await["id"].clone();
    let issue =
        json!({"object_type": "vuln", "id": "7", "type": "xss", "threat": "Low", "title": "An issue"});
    hitwire.send(&issue).await.expect(202);
    until(async || !receiver.received().is_empty()).await;
    let first = &receiver.received()[0];
    let told: serde_json::Value = serde_json::from_slice(&first.body).expect("JSON");
    assert!(told[0]["summary"].as_str().expect("text").starts_with("[Shield] "), "{told}");
    assert_eq!(told[0]["details"]["cloud"], "EU", "{told}");
    assert_eq!(told[0]["details"]["client_name"], "default", "{told}");
    assert_eq!(told[0]["details"]["security_issue_link"], "https://shield.example.com/object/7", "{told}");

    let tried = hitwire.admin().send("POST", &format!("/v2/integration/{id}/test"), &json!({})).await;
    let tried = tried.expect(200)["body"]["object"]["request"]["body"].take();
    assert!(tried.as_str().expect("text").contains("[Shield] "), "{tried}");

    // Another name makes another body: the batch that was under way is not sent again under its id.
    hitwire.stop().await;
    receiver.answer(200);
    let before = receiver.received().len();
    hitwire.restart_with(|config| config.product = "Aegis".to_owned()).await;
    until(async || receiver.received().len() > before).await;
    let second = &receiver.received()[before];
    let told: serde_json::Value = serde_json::from_slice(&second.body).expect("JSON");
    assert!(told[0]["summary"].as_str().expect("text").starts_with("[Aegis] "), "{told}");
    assert_ne!(first.headers["webhook-id"], second.headers["webhook-id"]);
}

#[tokio::test]
async fn that_the_guard_refuses_a_target_is_told_once_to_the_others() {
    let (refused, watcher) = (Receiver::start().await, Receiver::start().await);
    let mut hitwire = Hitwire::start_with(|config| {
        config.allow_targets =
            vec!["127.0.0.1/32".parse().expect("a network"), "::1/128".parse().expect("a network")];
    })
    .await;
    let port =
        refused.url().split(':').nth(2).and_then(|rest| rest.split('/').next()).expect("a port").to_owned();
    // Another spelling of this machine, which is allowed now and will not be.
    let id = hitwire.subscribe(&format!("http://[::1]:{port}/hook?key=in-the-query")).await;
    hitwire.create(&json!({"target": {"url": watcher.url()}, "events": [{"event": "system"}]})).await;
    let only = "127.0.0.1/32".parse().expect("a network");
    hitwire.restart_with(|config| config.allow_targets = vec![only]).await;
    hitwire.send(&hit(1)).await.expect(202);
    let told = || -> Vec<serde_json::Value> {
        let bodies = watcher.received();
        let arrays = bodies.iter().map(|received| serde_json::from_slice(&received.body).expect("JSON"));
        let events = arrays.flat_map(|array: Vec<serde_json::Value>| array);
        events.filter(|event| event["notification_type"] == "guard_refused").collect()
    };
    until(async || !told().is_empty()).await;
    let attempts = async || {
        let attempts = hitwire.admin().get(&format!("/v2/integration/{id}/attempts")).await.expect(200);
        attempts["attempts"].as_array().expect("attempts").len()
    };
    until(async || attempts().await >= 3).await;
    let told = told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["host"], format!("[::1]:{port}"));
    assert_eq!(told[0]["reason"], "it is a loopback address");
    assert!(!told[0].to_string().contains("in-the-query"), "{told:?}");
}
