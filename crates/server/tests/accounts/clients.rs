//! Clients (tenants) and what they may use.

use crate::support::{Hitwire, Receiver, hit, hits, until};
use serde_json::{Value, json};

async fn set(hitwire: &Hitwire, client: u64, body: Value) -> Value {
    hitwire.admin().send("PUT", &format!("/v1/clients/{client}"), &body).await.expect(200)["body"]["object"]
        .take()
}

#[tokio::test]
async fn a_client_is_made_changed_and_deleted() {
    let hitwire = Hitwire::start().await;
    let admin = hitwire.admin();
    let limits = json!({"name": "Shop", "integrations_max": 3, "allow_targets": ["10.1.2.3/16", "fd00::/8"]});
    let made = hitwire.make("clients", &limits).await;
    assert_eq!(made["allow_targets"], json!(["10.1.0.0/16", "fd00::/8"]));
    let changed = set(&hitwire, 2, json!({"events_per_s": 10, "integrations_max": null})).await;
    assert_eq!((&changed["events_per_s"], &changed["integrations_max"]), (&json!(10), &Value::Null));
    assert_eq!(changed["allow_targets"], made["allow_targets"], "what is not named stays");
    let sent_back = set(&hitwire, 2, changed.clone()).await;
    assert_eq!(sent_back, changed);
    let wrong = json!({"name": "x", "allow_targets": ["10.1.2.3/16", "10.0.0.0/99", 7]});
    let refused = admin.send("POST", "/v1/clients", &wrong).await.expect(422);
    let pointers: Vec<_> =
        refused["errors"].as_array().expect("a list").iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/allow_targets/1", "/allow_targets/2"]);

    let body = json!({"clientid": 2, "target": {"url": "https://example.com/"}});
    let integration = hitwire.create(&body).await;
    admin.call("DELETE", "/v1/clients/2").await.expect(409);
    admin.call("DELETE", &format!("/v2/integration/{}", integration["id"])).await.expect(200);
    let token = hitwire.new_token(&json!({"clientid": 2, "name": "left", "role": "admin"})).await;
    admin.call("DELETE", "/v1/clients/2").await.expect(200);
    hitwire.caller(&token).get("/v1/applications").await.expect(401);
    admin.get("/v2/integration?clientid=2").await.expect(404);
    assert_eq!(hitwire.new_client("Third").await, 3, "a number does not come again");
}

#[tokio::test]
async fn the_first_client_stays() {
    let hitwire = Hitwire::start().await;
    let admin = hitwire.admin();
    admin.send("PUT", "/v1/clients/1", &json!({"enabled": false})).await.expect(409);
    admin.call("DELETE", "/v1/clients/1").await.expect(409);
    admin.send("PUT", "/v1/clients/1", &json!({"name": "Main"})).await.expect(200);
    let user = admin.call("POST", "/v1/user").await.expect(200);
    assert_eq!(user["body"]["client_name"], "Main");
}

#[tokio::test]
async fn a_client_has_as_many_integrations_as_it_may() {
    let hitwire = Hitwire::start().await;
    let client = hitwire.new_client("Small").await;
    set(&hitwire, client, json!({"integrations_max": 1})).await;
    let body = json!({"clientid": client, "target": {"url": "https://example.com/"}});
    let made = hitwire.create(&body).await;
    let refused = hitwire.admin().send("POST", "/v2/integration", &body).await.expect(409);
    assert!(refused["detail"].as_str().expect("text").contains("integrations_max"), "{refused}");
    hitwire.subscribe("https://example.com/").await;
    hitwire.admin().call("DELETE", &format!("/v2/integration/{}", made["id"])).await.expect(200);
    hitwire.create(&body).await;
}

#[tokio::test]
async fn who_sends_too_many_events_is_told_when_to_come_again() {
    let hitwire = Hitwire::start().await;
    let client = hitwire.new_client("Loud").await;
    set(&hitwire, client, json!({"events_per_s": 1})).await;
    let token = hitwire.new_token(&json!({"clientid": client, "name": "loud", "role": "ingest"})).await;
    let loud = hitwire.caller(&token);
    loud.send("POST", "/v1/events", &hits(0..10)).await.expect(202);
    let refused = loud.send("POST", "/v1/events", &hits(10..20)).await;
    refused.expect(429);
    let wait: u64 = refused.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=10).contains(&wait), "{wait}");
    hitwire.send(&hits(0..50)).await.expect(202);
    let events =
        hitwire.admin().get(&format!("/v1/events?after=0&limit=100&clientid={client}&kind=siem")).await;
    assert_eq!(
        events.expect(200)["events"].as_array().expect("a list").len(),
        10,
        "nothing of the call was taken"
    );
    set(&hitwire, client, json!({"events_per_s": null})).await;
    loud.send("POST", "/v1/events", &hits(10..20)).await.expect(202);
}

#[tokio::test]
async fn a_disabled_client_sends_nothing_and_goes_on_with_what_it_missed() {
    let hitwire = Hitwire::start().await;
    let receiver = Receiver::start().await;
    let client = hitwire.new_client("Shop").await;
    let token = hitwire.new_token(&json!({"clientid": client, "name": "admin", "role": "admin"})).await;
    let own = hitwire.caller(&token);
    let body = json!({"target": {"url": receiver.url()}, "events": [{"event": "siem"}]});
    let made = own.send("POST", "/v2/integration", &body).await.expect(200);
    let id = made["body"]["object"]["id"].clone();
    own.send("POST", "/v1/events", &hit(1)).await.expect(202);
    receiver.until_objects(1).await;

    set(&hitwire, client, json!({"enabled": false})).await;
    own.get("/v2/integration").await.expect(403);
    let status = async || hitwire.admin().get(&format!("/v2/integration/{id}/status")).await.expect(200);
    let told = status().await;
    assert_eq!((&told["sends"], &told["active"]), (&json!(false), &json!(true)));
    until(async || status().await["lanes"][1]["state"] == "disabled").await;
    let for_them = format!("/v1/events?clientid={client}");
    hitwire.admin().send("POST", &for_them, &hit(2)).await.expect(202);
    assert_eq!(status().await["lanes"][1]["lag"]["events"], 1);
    assert_eq!(receiver.objects().len(), 1);

    set(&hitwire, client, json!({"enabled": true})).await;
    receiver.until_objects(2).await;
    own.get("/v2/integration").await.expect(200);
}

#[tokio::test]
async fn only_the_client_that_is_allowed_to_may_send_to_an_internal_network() {
    let hitwire = Hitwire::start_with(|config| config.allow_targets = Vec::new()).await;
    let (one, two) = (hitwire.new_client("One").await, hitwire.new_client("Two").await);
    set(&hitwire, one, json!({"allow_targets": ["127.0.0.0/8"]})).await;
    let body = |client: u64| json!({"clientid": client, "target": {"url": "http://127.0.0.1:9/"}});
    hitwire.create(&body(one)).await;
    hitwire.admin().send("POST", "/v2/integration", &body(two)).await.expect(422);
    set(&hitwire, one, json!({"allow_targets": []})).await;
    hitwire.admin().send("POST", "/v2/integration", &body(one)).await.expect(422);
}

#[tokio::test]
async fn what_was_allowed_is_allowed_after_a_restart() {
    let mut hitwire = Hitwire::start_with(|config| config.allow_targets = Vec::new()).await;
    let client = hitwire.new_client("One").await;
    set(&hitwire, client, json!({"allow_targets": ["127.0.0.0/8"], "integrations_max": 1})).await;
    hitwire.restart().await;
    let body = json!({"clientid": client, "target": {"url": "http://127.0.0.1:9/"}});
    hitwire.create(&body).await;
    hitwire.admin().send("POST", "/v2/integration", &body).await.expect(409);
}

#[tokio::test]
async fn envelopes_call_a_client_by_its_name() {
    let hitwire = Hitwire::start().await;
    let receiver = Receiver::start().await;
    let client = hitwire.new_client("Shop").await;
    set(&hitwire, client, json!({"name": "Web shop"})).await;
    let target = json!({"url": receiver.url(), "rendering": "envelope"});
    hitwire.create(&json!({"clientid": client, "target": target, "events": [{"event": "siem"}]})).await;
    hitwire.admin().send("POST", &format!("/v1/events?clientid={client}"), &hit(1)).await.expect(202);
    receiver.until_objects(1).await;
    assert_eq!(receiver.objects()[0]["details"]["client_name"], "Web shop");
}

#[tokio::test]
async fn an_operator_finds_every_client_as_the_originals_clients_ask() {
    let hitwire = Hitwire::start().await;
    for name in ["Two", "Three"] {
        hitwire.new_client(name).await;
    }
    let names = |answer: Value| {
        let list = answer["body"].as_array().expect("a list").clone();
        list.into_iter().map(|client| client["name"].as_str().expect("text").to_owned()).collect::<Vec<_>>()
    };
    let get = async |query: &str| {
        names(hitwire.admin().get(&format!("/v1/objects/client{query}")).await.expect(200))
    };
    let post = async |body: Value| {
        names(hitwire.admin().send("POST", "/v1/objects/client", &body).await.expect(200))
    };
    assert_eq!(get("").await, ["default", "Two", "Three"]);
    assert_eq!(get("?filter[id]=2&limit=1&offset=0").await, ["Two"]);
    assert_eq!(get("?filter[name]=Three").await, ["Three"]);
    assert_eq!(get("?limit=1&offset=1").await, ["Two"]);
    assert_eq!(post(json!({"filter": {"id": [2, 3]}, "limit": 1, "offset": 1})).await, ["Three"]);
    assert_eq!(post(json!({"filter": {"name": "Two", "enabled": true}})).await, ["Two"]);
    assert_eq!(post(json!({"filter": {}})).await.len(), 3);
    let token = hitwire.new_token(&json!({"clientid": 2, "name": "own", "role": "admin"})).await;
    let own = hitwire.caller(&token).get("/v1/objects/client").await.expect(200);
    assert_eq!(names(own), ["Two"]);
}
