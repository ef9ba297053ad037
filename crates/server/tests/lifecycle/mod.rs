//! From the making of an integration to its deletion: what takes effect, and who is told.

use crate::support::{Hitwire, Receiver, hit, until};
use hitwire_endpoint::sign;
use serde_json::{Value, json};

/// A server, and a receiver of the system events and of changes of rules of its client.
async fn watched() -> (Hitwire, Receiver) {
    let hitwire = Hitwire::start().await;
    let watcher = Receiver::start().await;
    let integration = json!({
        "name": "watcher", "target": {"url": watcher.url()},
        "events": [{"event": "system"}, {"event": "rules_and_triggers"}],
    });
    hitwire.create(&integration).await;
    until(async || watcher.told() == ["create_integration"]).await;
    (hitwire, watcher)
}

async fn change(hitwire: &Hitwire, id: u64, body: Value) -> Value {
    let path = format!("/v2/integration/{id}");
    hitwire.admin().send("PUT", &path, &body).await.expect(200)["body"]["object"].take()
}

async fn until_told(watcher: &Receiver, of_life: &[&str]) {
    let all: Vec<_> = std::iter::once("create_integration").chain(of_life.iter().copied()).collect();
    until(async || watcher.told().len() >= all.len()).await;
    let mut told = watcher.told();
    // Of the two lanes of one receiver, each has its own order.
    told.sort_by_key(|told| told.starts_with("filter_"));
    let mut all = all;
    all.sort_by_key(|told| told.starts_with("filter_"));
    assert_eq!(told, all);
}

#[tokio::test]
async fn each_step_of_an_integrations_life_is_told_to_another_one() {
    let (hitwire, watcher) = watched().await;
    let receiver = Receiver::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    change(&hitwire, id, json!({"name": "SIEM"})).await;
    change(&hitwire, id, json!({"name": "SIEM"})).await;
    change(&hitwire, id, json!({"active": false})).await;
    change(&hitwire, id, json!({"active": true, "name": "SIEM again"})).await;
    hitwire.admin().call("DELETE", &format!("/v2/integration/{id}")).await.expect(200);
    let told = [
        "create_integration",
        "update_integration",
        "disable_integration",
        "enable_integration",
        "update_integration",
        "delete_integration",
    ];
    until_told(&watcher, &told).await;
    let objects: Vec<Value> = watcher
        .received()
        .iter()
        .flat_map(|received| serde_json::from_slice::<Vec<Value>>(&received.body).expect("an array"))
        .collect();
    assert!(objects.iter().skip(1).all(|object| object["integration_id"] == id), "{objects:?}");
    assert_eq!((&objects[2]["integration_name"], &objects[2]["changed"]), (&json!("SIEM"), &json!(["name"])));
    assert_eq!((&objects[4]["resume"], &objects[4]["changed_by"]), (&json!("now"), &json!("admin")));
    assert!(receiver.received().is_empty(), "it ticked hits alone: {:?}", receiver.told());
}

#[tokio::test]
async fn what_hitwire_disables_by_itself_is_told_with_the_reason_and_goes_on_with_what_was_missed() {
    let (hitwire, watcher) = watched().await;
    let receiver = Receiver::start().await;
    receiver.answer(410);
    let id = hitwire.subscribe(&receiver.url()).await;
    hitwire.send(&hit(1)).await.expect(202);
    until_told(&watcher, &["create_integration", "integration_broken"]).await;
    let last = watcher.received().pop().expect("a request");
    let objects: Vec<Value> = serde_json::from_slice(&last.body).expect("an array");
    assert!(objects[0]["reason"].as_str().expect("words").contains("410"), "{objects:?}");
    receiver.answer(200);
    change(&hitwire, id, json!({"active": true})).await;
    until(async || receiver.delivered().len() == 1).await;
    until_told(&watcher, &["create_integration", "integration_broken", "enable_integration"]).await;
}

#[tokio::test]
async fn changes_of_a_filter_are_told_as_changes_of_rules() {
    let (hitwire, watcher) = watched().await;
    let id = hitwire.subscribe("https://127.0.0.1:9/").await;
    change(&hitwire, id, json!({"filter": {"min_score": 5}})).await;
    change(&hitwire, id, json!({"filter": {"min_score": 6}})).await;
    change(&hitwire, id, json!({"filter": {}})).await;
    let updates = ["update_integration"; 3];
    let filters = ["filter_create", "filter_update", "filter_delete"];
    until_told(&watcher, &[&["create_integration"][..], &updates, &filters].concat()).await;
}

#[tokio::test]
async fn a_deletion_lets_the_request_under_way_finish_and_says_farewell_once() {
    let (hitwire, watcher) = watched().await;
    let receiver = Receiver::start().await;
    let integration = json!({
        "name": "leaving", "active": true, "target": {"url": receiver.url()},
        "events": [{"event": "siem"}, {"event": "system"}],
    });
    let id = hitwire.create(&integration).await["id"].clone();
    until(async || receiver.told() == ["create_integration"]).await;
    receiver.hold(true);
    hitwire.send(&hit(1)).await.expect(202);
    until(async || receiver.received().len() == 2).await;
    hitwire.admin().call("DELETE", &format!("/v2/integration/{id}")).await.expect(200);
    until_told(&watcher, &["create_integration", "delete_integration"]).await;
    assert_eq!(receiver.told().len(), 2, "the farewell waits for what is under way");
    // The farewell is answered like this, and is not sent again for that.
    receiver.answer(500);
    receiver.hold(false);
    until(async || receiver.told().len() == 3).await;
    assert_eq!(receiver.told(), ["create_integration", "none", "delete_integration"]);
    let farewell = receiver.received().pop().expect("a request");
    assert!(farewell.headers.contains_key("webhook-signature"));
    hitwire.send(&hit(2)).await.expect(202);
    let other = Receiver::start().await;
    hitwire.subscribe(&other.url()).await;
    hitwire.send(&hit(3)).await.expect(202);
    until(async || other.delivered().len() == 1).await;
    assert_eq!(receiver.received().len(), 3, "nothing comes after the farewell");
}

#[tokio::test]
async fn a_disabled_integration_is_not_told_of_its_deletion() {
    let (hitwire, watcher) = watched().await;
    let receiver = Receiver::start().await;
    let integration =
        json!({"active": false, "target": {"url": receiver.url()}, "events": [{"event": "system"}]});
    let id = hitwire.create(&integration).await["id"].clone();
    hitwire.admin().call("DELETE", &format!("/v2/integration/{id}")).await.expect(200);
    until_told(&watcher, &["create_integration", "delete_integration"]).await;
    assert!(receiver.received().is_empty(), "{:?}", receiver.told());
}

#[tokio::test]
async fn events_that_were_not_told_yet_are_told_after_a_restart_and_only_once() {
    let (mut hitwire, watcher) = watched().await;
    watcher.answer(503);
    let id = hitwire.subscribe("https://127.0.0.1:9/").await;
    change(&hitwire, id, json!({"name": "renamed"})).await;
    hitwire.restart().await;
    watcher.answer(200);
    let delivered = || {
        let received = watcher.received().into_iter().filter(|received| received.answered == 200);
        let objects =
            received.flat_map(|one| serde_json::from_slice::<Vec<Value>>(&one.body).expect("an array"));
        objects
            .map(|object| object["notification_type"].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    until(async || delivered().len() >= 3).await;
    assert_eq!(delivered(), ["create_integration", "create_integration", "update_integration"]);
}

#[tokio::test]
async fn a_rotated_secret_signs_beside_the_new_one_while_they_overlap() {
    let (hitwire, watcher) = watched().await;
    let receiver = Receiver::start().await;
    let created =
        hitwire.create(&json!({"target": {"url": receiver.url()}, "events": [{"event": "siem"}]})).await;
    let path = format!("/v2/integration/{}/rotate-secret", created["id"]);
    let old = created["signing_secret"].as_str().expect("a secret").to_owned();
    let rotate = async |body: Value| {
        hitwire.admin().send("POST", &path, &body).await.expect(200)["body"]["object"].take()
    };
    let verify = |received: &crate::support::Received, secret: &str| {
        let header = |name: &str| received.headers[name].to_str().expect("text");
        let signed = sign::Signed {
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signature: header("webhook-signature"),
        };
        let now_s = signed.timestamp.parse().expect("seconds");
        sign::verify(&[secret], signed, &received.body, now_s).is_ok()
    };

    let first = rotate(json!({})).await;
    assert!(first["previous_expires_at"].as_u64().is_some_and(|at| at > 1_700_000_000), "{first}");
    let new = first["signing_secret"].as_str().expect("a secret").to_owned();
    assert_ne!(new, old);
    hitwire.send(&hit(1)).await.expect(202);
    until(async || receiver.received().len() == 1).await;
    assert!(verify(&receiver.received()[0], &old) && verify(&receiver.received()[0], &new));

    let second = rotate(json!({"overlap": 0})).await;
    assert_eq!(second["previous_expires_at"], Value::Null);
    let newest = second["signing_secret"].as_str().expect("a secret").to_owned();
    hitwire.send(&hit(2)).await.expect(202);
    until(async || receiver.received().len() == 2).await;
    let received = &receiver.received()[1];
    assert!(verify(received, &newest) && !verify(received, &new) && !verify(received, &old));

    hitwire.admin().send("POST", &path, &json!({"overlap": 604_801})).await.expect(422);
    until_told(&watcher, &["create_integration", "update_integration", "update_integration"]).await;
    let told = watcher
        .received()
        .iter()
        .map(|one| String::from_utf8_lossy(&one.body).into_owned())
        .collect::<String>();
    assert!(!told.contains("whsec_"), "{told}");
}

#[tokio::test]
async fn a_source_that_is_configured_otherwise_than_at_the_last_start_is_told() {
    let (mut hitwire, watcher) = watched().await;
    let mut source =
        hitwire_server::SourceSpec::new(hitwire_server::SourceFormat::ModSecurity, hitwire.file("log"));
    hitwire.restart_with(|config| config.sources = vec![source.clone()]).await;
    hitwire.restart().await;
    source.protocol_hits = true;
    hitwire.restart_with(|config| config.sources = vec![source.clone()]).await;
    hitwire.restart_with(|config| config.sources = Vec::new()).await;
    until(async || watcher.told().len() >= 4).await;
    let told: Vec<_> = watcher.told().into_iter().filter(|told| told.starts_with("source_")).collect();
    assert_eq!(told, ["source_create", "source_update", "source_delete"]);
}
