//! `/v2/integration`, as the original's clients use it.

use crate::support::{Hitwire, Receiver};
use serde_json::{Value, json};

/// What the original's Terraform provider sends: every field, empty ones too, and all nine events.
fn from_terraform() -> Value {
    let events = [
        "siem",
        "rules_and_triggers",
        "number_of_requests_per_hour",
        "security_issue_critical",
        "security_issue_high",
        "security_issue_medium",
        "security_issue_low",
        "security_issue_info",
        "system",
    ];
    json!({
        "name": "Webhook integration managed by Terraform",
        "active": false,
        "type": "web_hooks",
        "clientid": 1,
        "target": {
            "url": "https://example.com/hook?key=k",
            "http_method": "POST",
            "headers": {},
            "ca_file": "",
            "ca_verify": true,
            "timeout": 15,
            "open_timeout": 20,
            "format": "json",
            "subtype": "web_hooks",
        },
        "events": events.map(|event| json!({"event": event, "active": event == "siem"})),
    })
}

/// An answer with the moments taken out.
fn timeless(mut integration: Value) -> String {
    assert!(integration["created_at"].as_u64().is_some_and(|at| at > 1_700_000_000), "{integration}");
    integration["created_at"] = json!("[moment]");
    if integration["signing_secret"].is_string() {
        let secret = integration["signing_secret"].as_str().expect("text");
        assert!(secret.starts_with("whsec_"), "{secret}");
        integration["signing_secret"] = json!("[secret]");
    }
    serde_json::to_string_pretty(&integration).expect("JSON")
}

#[tokio::test]
async fn the_terraform_provider_finds_what_it_created() {
    let hitwire = Hitwire::start().await;
    let created = hitwire.create(&from_terraform()).await;
    let list = hitwire.admin().get("/v2/integration?clientid=1").await.expect(200);
    assert_eq!(list["body"]["result"], "success");
    let found = &list["body"]["object"][0];
    assert_eq!((&found["id"], &found["type"]), (&created["id"], &json!("web_hooks")));
    insta::assert_snapshot!("created", timeless(created));
    insta::assert_snapshot!("listed", timeless(found.clone()));
}

#[tokio::test]
async fn a_change_changes_only_what_it_names() {
    let hitwire = Hitwire::start().await;
    let created = hitwire.create(&from_terraform()).await;
    let path = format!("/v2/integration/{}", created["id"]);
    let change = async |body: Value| {
        hitwire.admin().send("PUT", &path, &body).await.expect(200)["body"]["object"].take()
    };
    let mut expected = created;
    expected.as_object_mut().expect("an object").remove("signing_secret");
    expected["name"] = json!("SIEM");
    assert_eq!(change(json!({"name": "SIEM"})).await, expected);
    expected["active"] = json!(true);
    assert_eq!(change(json!({"active": true})).await, expected);
    expected["events"] = json!([{"event": "system", "active": true}]);
    assert_eq!(
        change(json!({"events": [{"event": "system"}]})).await,
        expected,
        "events are replaced as a whole"
    );
    expected["target"]["url"] = json!("https://example.com/other");
    assert_eq!(change(json!({"target": {"url": "https://example.com/other"}})).await, expected);
    assert_eq!(hitwire.admin().get(&path).await.expect(200)["body"]["object"], expected);
}

#[tokio::test]
async fn a_target_is_whole_in_the_originals_fields_and_keeps_hitwires_own() {
    let hitwire = Hitwire::start().await;
    let target = json!({
        "url": "https://example.com/", "http_method": "PUT", "timeout": 30, "open_timeout": 5, "format": "jsonl",
        "ca_verify": false, "retry": "original", "max_events": 10, "max_bytes": 65_536, "rendering": "classic",
    });
    let created = hitwire.create(&json!({"target": target})).await;
    for (field, value) in target.as_object().expect("an object") {
        assert_eq!(&created["target"][field], value, "{field}");
    }
    let path = format!("/v2/integration/{}", created["id"]);
    let body = json!({"target": {"url": "https://example.com/"}});
    let changed = hitwire.admin().send("PUT", &path, &body).await.expect(200);
    insta::assert_snapshot!(
        serde_json::to_string_pretty(&changed["body"]["object"]["target"]).expect("JSON")
    );
}

#[tokio::test]
async fn what_hitwire_does_not_know_is_passed_over_and_told() {
    let hitwire = Hitwire::start().await;
    let admin = hitwire.admin();
    let body = json!({
        "name": "of a later client", "of_a_later_time": {"a": 1}, "activ": false,
        "target": {"url": "https://example.com/", "timeuot": 600, "x\u{1b}[2J": 1},
        "events": [{"event": "siem"}, {"event": "system", "with_body": true}],
    });
    let warnings = json!([
        {"pointer": "/events/1/with_body", "message": "is not a field that hitwire knows; it is ignored"},
        {"pointer": "/target/timeuot", "message": "is not a field that hitwire knows; it is ignored; did you mean \"timeout\"?"},
        {"pointer": "/target/x\\u{1b}[2J", "message": "is not a field that hitwire knows; it is ignored"},
        {"pointer": "/activ", "message": "is not a field that hitwire knows; it is ignored; did you mean \"active\"?"},
        {"pointer": "/of_a_later_time", "message": "is not a field that hitwire knows; it is ignored"},
    ]);
    let created = admin.send("POST", "/v2/integration", &body).await.expect(200);
    assert_eq!(created["warnings"], warnings);
    let object = &created["body"]["object"];
    assert_eq!((&object["name"], &object["target"]["timeout"]), (&body["name"], &json!(15)));
    let path = format!("/v2/integration/{}", object["id"]);
    for _ in 0..2 {
        // Also where nothing changes.
        assert_eq!(admin.send("PUT", &path, &body).await.expect(200)["warnings"], warnings);
    }
    let rendered = admin.send("POST", "/v2/integration/render", &body).await.expect(200);
    assert_eq!(rendered["warnings"], warnings);
    let preview = json!({"events": body["events"]});
    let preview = admin.send("POST", "/v2/integration/preview", &preview).await.expect(200);
    assert_eq!(preview["warnings"].as_array().map(Vec::len), Some(1));
    let known = admin.send("PUT", &path, &json!({"name": "plain"})).await.expect(200);
    assert_eq!(known.get("warnings"), None, "where there is nothing to tell");
    // What is passed over may be why the rest is refused.
    let of_rule = json!({"target": {"url": "https://example.com/#x", "ulr": 1}});
    let of_reading = json!({"target": {"url": "https://example.com/", "timeout": 0, "ulr": 1}});
    for (method, path) in [
        ("POST", "/v2/integration"),
        ("PUT", &*path),
        ("POST", "/v2/integration/test"),
        ("POST", "/v2/integration/render"),
    ] {
        for body in [&of_rule, &of_reading] {
            let refused = admin.send(method, path, body).await.expect(422);
            assert_eq!(refused["errors_total"], 1, "{refused}");
            assert_eq!(refused["warnings"][0]["pointer"], "/target/ulr", "{method} {path}: {refused}");
        }
    }
    let preview = json!({"events": [{"event": "nothing"}, {"event": "siem", "with_body": true}]});
    let refused = admin.send("POST", "/v2/integration/preview", &preview).await.expect(422);
    assert_eq!(refused["warnings"][0]["pointer"], "/events/1/with_body", "{refused}");
    // A condition that is not known would let everything pass: a filter is refused.
    let filter = json!({"filter": {"domians": ["a.example"]}});
    let refused = admin.send("PUT", &path, &filter).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/filter/domians");
    assert!(refused["errors"][0]["message"].as_str().expect("text").contains("\"domains\""), "{refused}");
}

#[tokio::test]
async fn any_number_of_headers_is_taken_kept_and_sent_within_32_kib() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let headers = |number: usize, value: &str| -> serde_json::Map<String, Value> {
        (0..number).map(|n| (format!("x-{n:04}"), json!(value))).collect()
    };
    // 4,096 headers of 8 bytes: 32 KiB.
    let target = |headers| json!({"target": {"url": receiver.url(), "headers": headers}});
    let created = hitwire.create(&target(headers(4_096, "ab"))).await;
    let path = format!("/v2/integration/{}", created["id"]);
    let mut masked = target(headers(4_096, "********"));
    masked["target"]["timeout"] = json!(16);
    hitwire.admin().send("PUT", &path, &masked).await.expect(200);
    let tested = hitwire.admin().send("POST", &format!("{path}/test"), &json!({})).await.expect(200);
    assert_eq!(tested["body"]["result"], "success", "{tested}");
    let received = receiver.received().pop().expect("a request").headers;
    assert_eq!((&received["x-0000"], &received["x-4095"]), (&"ab".parse().unwrap(), &"ab".parse().unwrap()));
    let refused = hitwire.admin().send("PUT", &path, &target(headers(4_097, "ab"))).await.expect(422);
    assert_eq!(
        refused["errors"],
        json!([{"pointer": "/target/headers", "message": "the headers are larger than 32768 bytes together"}])
    );
}

#[tokio::test]
async fn an_answer_may_be_sent_back_as_it_came() {
    let hitwire = Hitwire::start().await;
    let mut body = from_terraform();
    body["target"]["headers"] = json!({"X-B": "b", "X-A": "a"});
    let created = hitwire.create(&body).await;
    let path = format!("/v2/integration/{}", created["id"]);
    hitwire.admin().send("PUT", &path, &created).await.expect(200);
    let shown = hitwire.admin().get(&path).await.expect(200)["body"]["object"].take();
    let changed = hitwire.admin().send("PUT", &path, &shown).await.expect(200)["body"]["object"].take();
    assert_eq!(changed, shown);
    let names: Vec<_> = shown["target"]["headers"].as_object().expect("headers").keys().cloned().collect();
    assert_eq!(names, ["X-A", "X-B"]);
}

#[tokio::test]
async fn older_event_names_are_answered_in_todays() {
    let hitwire = Hitwire::start().await;
    let events = json!([{"event": "hit", "with_headers": true}, {"event": "vuln", "active": false}, {"event": "scope"}]);
    let created = hitwire.create(&json!({"target": {"url": "https://example.com/"}, "events": events})).await;
    insta::assert_snapshot!(serde_json::to_string_pretty(&created["events"]).expect("JSON"));
}

#[tokio::test]
async fn without_a_name_it_is_called_after_the_user_and_the_day() {
    let hitwire = Hitwire::start().await;
    let created = hitwire.create(&json!({"target": {"url": "https://example.com/"}})).await;
    let name = created["name"].as_str().expect("a name");
    assert!(name.starts_with("Webhook integration by admin, "), "{name}");
    assert_eq!((&created["active"], &created["created_by"]), (&json!(true), &json!("admin")));
}

#[tokio::test]
async fn what_is_deleted_is_gone() {
    let hitwire = Hitwire::start().await;
    let created = hitwire.create(&from_terraform()).await;
    let path = format!("/v2/integration/{}", created["id"]);
    let deleted = hitwire.admin().call("DELETE", &path).await.expect(200);
    assert_eq!(deleted["body"]["result"], "success");
    for method in ["GET", "PUT", "DELETE"] {
        hitwire.admin().send(method, &path, &json!({})).await.expect(404);
    }
    hitwire.admin().get("/v2/integration/not-a-number").await.expect(404);
    assert_eq!(hitwire.admin().get("/v2/integration").await.expect(200)["body"]["object"], json!([]));
}

#[tokio::test]
async fn integrations_outlive_a_restart() {
    let mut hitwire = Hitwire::start().await;
    let mut body = from_terraform();
    body["target"]["headers"] = json!({"Authorization": "Bearer of-the-receiver"});
    hitwire.create(&body).await;
    let before = hitwire.admin().get("/v2/integration").await.expect(200);
    hitwire.restart().await;
    assert_eq!(hitwire.admin().get("/v2/integration").await.expect(200), before);
}

#[tokio::test]
async fn every_field_that_is_wrong_is_named() {
    let hitwire = Hitwire::start().await;
    let body = json!({
        "name": "  ",
        "active": "yes",
        "type": "slack",
        "nmae": "x",
        "events": [{"event": "hits"}, {"active": true}, {"event": "system", "with_headers": true}, 7,
                   {"event": "vuln_low"}, {"event": "vuln", "active": false}],
        "target": {
            "http_method": "GET",
            "headers": {"X-A": 5},
            "timeout": 0,
            "open_timeout": 301,
            "http_version": "2",
            "format": "xml",
            "rendering": "ocsf",
            "retry": "never",
            "max_events": 0,
            "max_bytes": 1,
            "client_cert": "-----BEGIN CERTIFICATE-----",
            "rate": 0,
            "in_flight": 17,
            "token": "x",
        },
    });
    insta::assert_snapshot!(hitwire.admin().send("POST", "/v2/integration", &body).await.shown());
}

#[tokio::test]
async fn null_where_something_is_required_is_missing() {
    let hitwire = Hitwire::start().await;
    let target = json!({"url": "https://example.com/"});
    for (path, body, pointer) in [
        ("/v2/integration", json!({"target": target, "events": [{"event": null}]}), "/events/0/event"),
        ("/v2/integration", json!({"target": {"url": null}}), "/target/url"),
        ("/v2/integration/preview", json!({"events": null}), "/events"),
    ] {
        let problem = hitwire.admin().send("POST", path, &body).await.expect(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
    }
}

#[tokio::test]
async fn a_pace_and_the_requests_at_once_are_kept_unless_null_takes_them_away() {
    let hitwire = Hitwire::start().await;
    let asked = json!({"target": {"url": "https://example.com/", "rate": 60_000, "in_flight": 16}});
    let made = hitwire.admin().send("POST", "/v2/integration", &asked).await.expect(200);
    let path = format!("/v2/integration/{}", made["body"]["object"]["id"]);
    let shown = |answer: serde_json::Value| {
        let target = answer["body"]["object"]["target"].clone();
        (target["rate"].clone(), target["in_flight"].clone())
    };
    let renamed = hitwire.admin().send("PUT", &path, &json!({"name": "SIEM"})).await.expect(200);
    assert_eq!(shown(renamed), (json!(60_000), json!(16)));
    let plain = json!({"target": {"url": "https://example.com/", "rate": null}});
    assert_eq!(shown(hitwire.admin().send("PUT", &path, &plain).await.expect(200)), (json!(null), json!(16)));
    let plain = json!({"target": {"url": "https://example.com/", "in_flight": null}});
    assert_eq!(shown(hitwire.admin().send("PUT", &path, &plain).await.expect(200)), (json!(null), json!(1)));
}

#[tokio::test]
async fn what_would_be_dangerous_is_refused_in_words() {
    let hitwire =
        Hitwire::start_with(|config| (config.allow_targets, config.allow_http) = (Vec::new(), false)).await;
    for (name, target) in [
        ("plain", json!({"url": "http://example.com/"})),
        ("loopback", json!({"url": "https://127.0.0.1/"})),
        ("metadata", json!({"url": "https://169.254.169.254/latest"})),
        ("no_url", json!({"url": "example.com"})),
        (
            "header",
            json!({"url": "https://example.com/", "headers": {"Host": "a", "X-B": "a\r\nb", "webhook-id": "c"}}),
        ),
        ("twice", json!({"url": "https://example.com/", "headers": {"x-a": "1", "X-A": "2"}})),
        ("certificate", json!({"url": "https://example.com/", "ca_file": "not a certificate"})),
    ] {
        let answer = hitwire.admin().send("POST", "/v2/integration", &json!({"target": target})).await;
        insta::assert_snapshot!(name, answer.shown());
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_or_no_object_is_refused() {
    let hitwire = Hitwire::start().await;
    let answer = hitwire.admin().send_bytes("POST", "/v2/integration", &[], "{\n  \"name\": }").await;
    insta::assert_snapshot!("malformed", answer.shown());
    insta::assert_snapshot!(
        "array",
        hitwire.admin().send("POST", "/v2/integration", &json!([])).await.shown()
    );
    insta::assert_snapshot!(
        "empty",
        hitwire.admin().send("POST", "/v2/integration", &json!({})).await.shown()
    );
}

#[tokio::test]
async fn a_change_that_names_its_revision_is_made_from_that_one_or_not_at_all() {
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe("https://example.com/").await;
    let path = format!("/v2/integration/{id}");
    let admin = hitwire.admin();
    let etag = |answer: &crate::support::Answer| answer.headers["etag"].to_str().expect("text").to_owned();
    let read = etag(&admin.get(&path).await);
    let with = async |method: &str, tag: &str, body: &Value| {
        let headers = [("content-type", "application/json"), ("if-match", tag)];
        admin.send_bytes(method, &path, &headers, body.to_string()).await
    };
    let renamed = with("PUT", &read, &json!({"name": "first"})).await;
    renamed.expect(200);
    let too_late = with("PUT", &read, &json!({"name": "second"})).await.expect(412);
    assert_eq!(too_late["type"], "urn:hitwire:problem:precondition-failed");
    assert!(too_late["detail"].as_str().expect("text").contains(&etag(&renamed)), "{too_late}");
    with("DELETE", &read, &Value::Null).await.expect(412);
    let now = admin.get(&path).await;
    assert_eq!(now.expect(200)["body"]["object"]["name"], "first");
    with("DELETE", &etag(&now), &Value::Null).await.expect(200);
}
