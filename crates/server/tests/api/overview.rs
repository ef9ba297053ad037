//! Integrations page by page, each with how it is doing.

use crate::support::{Hitwire, Receiver, hits, until};
use serde_json::{Value, json};

const PATH: &str = "/v2/integration/overview";

async fn overview(hitwire: &Hitwire, query: &str) -> Value {
    hitwire.admin().get(&format!("{PATH}{query}")).await.expect(200)
}

fn names(page: &Value) -> Vec<&str> {
    let integrations = page["integrations"].as_array().expect("a list").iter();
    integrations.map(|integration| integration["name"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn a_page_goes_on_where_the_one_before_ended_and_counts_are_of_all() {
    let hitwire = Hitwire::start().await;
    for (name, active) in [("SIEM", true), ("Pager", false), ("siem 2", true)] {
        let target = json!({"url": "https://receiver.example/secret-path"});
        hitwire.create(&json!({"name": name, "active": active, "target": target})).await;
    }
    let first = overview(&hitwire, "?limit=2").await;
    assert_eq!(names(&first), ["SIEM", "Pager"]);
    assert_eq!(first["counts"], json!({"all": 3, "enabled": 2, "disabled": 1}));
    let second = overview(&hitwire, &format!("?limit=2&after={}", first["next"])).await;
    assert_eq!((names(&second), &second["next"]), (vec!["siem 2"], &json!(null)));
    assert_eq!(names(&overview(&hitwire, "?name=SieM").await), ["SIEM", "siem 2"]);
    assert_eq!(names(&overview(&hitwire, "?active=false").await), ["Pager"]);
    assert!(!first.to_string().contains("secret-path"), "settings are not in it");
    for query in ["?limit=0", "?limit=101", "?active=yes", "?order=name"] {
        hitwire.admin().get(&format!("{PATH}{query}")).await.expect(400);
    }
}

#[tokio::test]
async fn another_clients_integrations_are_not_in_it() {
    let hitwire = Hitwire::start().await;
    hitwire.create(&json!({"name": "mine", "target": {"url": "https://receiver.example/"}})).await;
    let other = hitwire.new_client("other").await;
    let empty = overview(&hitwire, &format!("?clientid={other}")).await;
    assert_eq!((names(&empty), &empty["counts"]["all"]), (vec![], &json!(0)));
    let token = hitwire.new_token(&json!({"name": "a", "role": "analyst"})).await;
    hitwire.caller(&token).get(PATH).await.expect(403);
}

#[tokio::test]
async fn each_says_how_it_is_doing_and_why_it_does_not_get_on() {
    let (well, ill) = (Receiver::start().await, Receiver::start().await);
    ill.answer(503);
    let hitwire = Hitwire::start().await;
    hitwire.subscribe(&well.url()).await;
    hitwire.subscribe(&ill.url()).await;
    let disabled = json!({"active": false, "target": {"url": ill.url()}, "events": [{"event": "scope"}]});
    hitwire.create(&disabled).await;
    hitwire.create(&json!({"target": {"url": ill.url()}})).await;
    hitwire.send(&hits(0..2)).await.expect(202);
    let mut page = Value::Null;
    until(async || {
        page = overview(&hitwire, "").await;
        page["integrations"][0]["state"] == "caught_up"
            && !well.received().is_empty()
            && page["integrations"][1]["last_error"].is_string()
    })
    .await;
    let [well, ill, disabled, idle] = &page["integrations"].as_array().expect("a list")[..] else {
        panic!("{page}")
    };
    assert_eq!(
        [&well["sends"], &well["lag"], &well["failing"], &well["last_error"]],
        [&json!(true), &json!({"events": 0, "seconds": 0}), &json!(false), &json!(null)]
    );
    assert_eq!((&ill["failing"], &disabled["failing"]), (&json!(true), &json!(false)));
    assert_eq!((&ill["state"], &ill["lag"]["events"]), (&json!("waiting"), &json!(2)));
    assert_eq!(ill["last_error"], "the endpoint returned 503");
    assert!(ill["next_attempt_at"].is_string() && ill["failures_in_a_row"].as_u64() > Some(0), "{ill}");
    assert_eq!((&disabled["state"], &disabled["events"]), (&json!("disabled"), &json!(["scope"])));
    assert_eq!((&disabled["disabled_by"], &idle["disabled_by"]), (&json!("user"), &json!(null)));
    assert_eq!(disabled["lag"], json!(null));
    assert!(disabled["notice"].as_str().expect("words").starts_with("disabled by a user"));
    assert_eq!(
        (&idle["sends"], &idle["state"], &idle["events"]),
        (&json!(false), &json!("caught_up"), &json!([]))
    );
}

#[tokio::test]
async fn a_hanging_receiver_is_told_by_when_its_response_began_to_be_awaited() {
    let receiver = Receiver::start().await;
    receiver.hold(true);
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    hitwire.send(&hits(0..2)).await.expect(202);
    let status = async || hitwire.admin().get(&format!("/v2/integration/{id}/status")).await.expect(200);
    until(async || status().await["lanes"][1]["waiting_for_response_since"].is_string()).await;
    let page = overview(&hitwire, "").await;
    let told = &page["integrations"][0];
    assert_eq!(told["waiting_for_response_since"], status().await["lanes"][1]["waiting_for_response_since"]);
    assert_eq!((&told["state"], &told["failing"]), (&json!("sending"), &json!(false)));

    // Disabled, nothing is in progress, although the request is still under way.
    let path = format!("/v2/integration/{id}");
    hitwire.admin().send("PUT", &path, &json!({"active": false})).await.expect(200);
    until(async || status().await["lanes"][1]["state"] == "disabled").await;
    let lane = &status().await["lanes"][1];
    assert_eq!((&lane["open_batches"], &lane["waiting_for_response_since"]), (&json!([]), &json!(null)));
}

#[tokio::test]
async fn a_test_that_is_delivered_clears_an_older_error() {
    let receiver = Receiver::start().await;
    receiver.answer(503);
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    hitwire.send(&hits(0..2)).await.expect(202);
    let path = format!("/v2/integration/{id}");
    let status = async || hitwire.admin().get(&format!("{path}/status")).await.expect(200);
    until(async || status().await["failing"] == true).await;
    // Nothing is left that could be delivered.
    let other_event = json!({"events": [{"event": "scope", "active": true}]});
    hitwire.admin().send("PUT", &path, &other_event).await.expect(200);
    until(async || status().await["lanes"][1]["state"] == "caught_up").await;
    let before = status().await;
    assert_eq!((&before["failing"], before["lanes"][1]["last_error"].is_string()), (&json!(true), true));
    receiver.answer(204);
    hitwire.admin().send("POST", &format!("{path}/test"), &json!({"event": "scope"})).await.expect(200);
    until(async || status().await["failing"] == false).await;
    assert_eq!(status().await["lanes"][1]["last_error"], json!(null));
}
