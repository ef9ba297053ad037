//! Who changed what.

use crate::support::Hitwire;
use serde_json::{Value, json};

/// The entries, the oldest first, without what differs from run to run.
fn entries(page: &Value) -> Vec<Value> {
    let mut entries = page["activity"].as_array().expect("a list").clone();
    entries.reverse();
    for entry in &mut entries {
        let entry = entry.as_object_mut().expect("an object");
        entry.remove("time").expect("a time");
    }
    entries
}

#[tokio::test]
async fn each_change_of_an_account_is_on_record_with_what_was_and_what_is() {
    let hitwire = Hitwire::start().await;
    let admin = hitwire.admin();
    let client = hitwire.make("clients", &json!({"name": "Shop"})).await["id"].clone();
    admin
        .send("PUT", &format!("/v1/clients/{client}"), &json!({"events_per_s": 10, "enabled": false}))
        .await
        .expect(200);
    let user =
        hitwire.make("users", &json!({"email": "ann@example.com", "name": "Ann", "role": "admin"})).await;
    let token = hitwire.new_token(&json!({"name": "hers", "role": "admin", "user": user["id"]})).await;
    let ann = hitwire.caller(&token);
    ann.send("POST", "/v1/applications", &json!({"id": 7, "name": "shop"})).await.expect(200);
    ann.send("PUT", "/v1/applications/7", &json!({"name": "webshop"})).await.expect(200);
    ann.send("PUT", "/v1/applications/7", &json!({"name": "webshop"})).await.expect(200);
    admin.send("PUT", &format!("/v1/users/{}", user["id"]), &json!({"enabled": false})).await.expect(200);
    admin.call("DELETE", &format!("/v1/users/{}", user["id"])).await.expect(200);
    let page = admin.get("/v1/activity").await.expect(200);
    assert_eq!(page["next"], Value::Null);
    insta::assert_snapshot!(serde_json::to_string_pretty(&entries(&page)).expect("JSON"));
    assert!(!page.to_string().contains(&token));
}

#[tokio::test]
async fn the_activity_log_is_paged_and_narrowed_down() {
    let hitwire = Hitwire::start().await;
    let admin = hitwire.admin();
    for id in 1..=5 {
        hitwire.make("applications", &json!({"id": id, "name": "shop"})).await;
    }
    admin.call("DELETE", "/v1/applications/3").await.expect(200);
    hitwire.new_client("Other").await;
    let ids = async |query: &str| {
        let page = admin.get(&format!("/v1/activity?{query}")).await.expect(200);
        let ids: Vec<_> = entries(&page)
            .iter()
            .map(|entry| entry["object_id"].as_str().expect("text").to_owned())
            .collect();
        (ids.concat(), page["next"].clone())
    };
    let (newest, next) = ids("limit=2&object_type=application").await;
    assert_eq!(newest, "53");
    let (older, next) = ids(&format!("limit=4&object_type=application&before={next}")).await;
    assert_eq!(older, "1234");
    assert_eq!(next, Value::Null, "there is nothing older");
    assert_eq!(ids("action=delete").await, ("3".to_owned(), Value::Null));
    assert_eq!(ids("object_type=client").await.0, "2");
    assert_eq!(ids("object_type=application&object_id=3").await.0, "33");
    assert_eq!(ids("actor=ADMIN&action=delete").await.0, "3");
    assert_eq!(ids("actor=nobody").await.0, "");
    assert_eq!(ids("until=2020-01-01T00:00:00Z").await.0, "");
    assert_eq!(ids("from=1577836800&action=delete").await.0, "3");
    admin.get("/v1/activity?from=yesterday").await.expect(400);
    assert_eq!(ids("clientid=2").await.0, "2");
    assert_eq!(ids("clientid=1&object_type=client").await.0, "");
    admin.get("/v1/activity?limit=0").await.expect(400);
}
