//! The requests of the original's public clients, as they send them: headers, bodies and order are facts of
//! contract.md section 1 and of what is publicly known of each client.

use crate::support::{ADMIN, Answer, Hitwire, ask};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

/// A request with just these headers: no client sends what our own tests send.
async fn request(hitwire: &Hitwire, call: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let (method, path) = call.split_once(' ').expect("a method and a path");
    let addr = hitwire.server().addr();
    let mut request = Request::builder().method(method).uri(path).header("host", addr.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    ask(addr, request.body(Full::new(Bytes::from(body.to_owned()))).expect("a request")).await
}

/// The Go client: the token in its own header, a content type only where there is a body, and gzip asked for by itself.
async fn go(hitwire: &Hitwire, call: &str, body: Option<&Value>) -> Answer {
    let token = ("X-WallarmAPI-Token", ADMIN);
    let (agent, gzip) = (("User-Agent", "Wallarm-go/0.13"), ("Accept-Encoding", "gzip"));
    match body {
        None => request(hitwire, call, &[token, agent, gzip], "").await,
        Some(body) => {
            let headers = [token, agent, gzip, ("Content-Type", "application/json")];
            request(hitwire, call, &headers, &body.to_string()).await
        }
    }
}

/// How the Go client finds one: in the list.
async fn read(hitwire: &Hitwire, id: &Value) -> Option<Value> {
    let list = go(hitwire, "GET /v2/integration?clientid=1", None).await.expect(200);
    assert_eq!(list["body"]["result"], "success");
    let found = list["body"]["object"].as_array().expect("a list").iter().find(|one| one["id"] == *id);
    found.cloned()
}

fn target(url: &str) -> Value {
    json!({
        "url": url, "http_method": "POST", "headers": {}, "ca_file": "", "ca_verify": true, "timeout": 15,
        "open_timeout": 20, "format": "json", "subtype": "web_hooks",
    })
}

/// The nine events in the provider's order.
fn events(active: &[&str]) -> Value {
    let names = [
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
    let event = |name: &str| match name {
        "siem" => json!({"event": name, "active": active.contains(&name), "with_headers": true}),
        _ => json!({"event": name, "active": active.contains(&name)}),
    };
    Value::from(names.map(event).to_vec())
}

/// What a Go program decodes into its types: an integer, a string, and nothing that is null.
fn is_decodable(integration: &Value) {
    for (field, fits) in [
        ("id", integration["id"].is_u64()),
        ("active", integration["active"].is_boolean()),
        ("name", integration["name"].is_string()),
        ("type", integration["type"] == "web_hooks"),
        ("created_at", integration["created_at"].is_u64()),
        ("created_by", integration["created_by"].is_string()),
        ("events", integration["events"].is_array()),
    ] {
        assert!(fits, "{field} of {integration}");
    }
    for event in integration["events"].as_array().expect("events") {
        assert!(event["event"].is_string() && event["active"].is_boolean(), "{event}");
        assert!(event.get("with_headers").is_none_or(Value::is_boolean), "{event}");
    }
}

#[tokio::test]
async fn the_terraform_provider_configures_creates_reads_updates_and_deletes() {
    let hitwire = Hitwire::start().await;
    // Configure: one call, without body or content type; the client id comes from the answer.
    let user = go(&hitwire, "POST /v1/user", None).await.expect(200);
    let clientid = user["body"]["client_id"].as_u64().expect("a client id");
    // Clients until November 2022 decode an integer here, later ones RFC 3339: only what is not there suits all of them.
    assert!(user["body"].get("create_at").is_none(), "{user}");
    for field in ["email", "username", "realname", "permissions", "enabled"] {
        assert!(user["body"].get(field).is_some_and(|value| !value.is_null()), "{field} of {user}");
    }

    // Create without event blocks: disabled, and all nine events inactive.
    let name = "Webhook integration managed by Terraform";
    let mut body = json!({
        "name": name, "active": false, "type": "web_hooks", "clientid": clientid, "events": events(&[]),
        "target": target("https://webhook.example.com/one?key=k"),
    });
    let created = go(&hitwire, "POST /v2/integration", Some(&body)).await.expect(200)["body"].take();
    assert_eq!((&created["result"], &created["object"]["type"]), (&json!("success"), &json!("web_hooks")));
    let id = created["object"]["id"].clone();

    // It lists at once, and keeps what it finds: the id, the state, the name, the author, the type.
    let found = read(&hitwire, &id).await.expect("its own write is read");
    is_decodable(&found);
    assert_eq!(
        (&found["active"], &found["name"], &found["created_by"]),
        (&json!(false), &json!(name), &json!("admin"))
    );

    // A change of events: the full body, but no clientid.
    body.as_object_mut().expect("an object").remove("clientid");
    body["active"] = json!(true);
    body["events"] = events(&["siem", "system"]);
    body["target"]["headers"] = json!({"X-Auth": "secret"});
    let updated =
        go(&hitwire, &format!("PUT /v2/integration/{id}"), Some(&body)).await.expect(200)["body"].take();
    assert_eq!(updated["object"]["id"], id);
    assert_eq!(read(&hitwire, &id).await.expect("found")["events"], body["events"]);

    // A change of anything else: a part of name, active and target, the target whole, empty fields included.
    let mut whole = target("https://webhook.example.com/two");
    whole["headers"] = json!({"X-Auth": "secret"});
    for part in [
        json!({"name": "renamed"}),
        json!({"active": false}),
        json!({"target": whole}),
        json!({"active": true, "name": name}),
    ] {
        go(&hitwire, &format!("PUT /v2/integration/{id}"), Some(&part)).await.expect(200);
    }
    let found = read(&hitwire, &id).await.expect("found");
    assert_eq!((&found["name"], &found["active"]), (&json!(name), &json!(true)));
    assert_eq!(found["target"]["url"], "https://webhook.example.com/two");
    assert_eq!(found["events"], body["events"], "a part leaves the rest alone");
    assert!(!found.to_string().contains("secret"), "{found}");

    // Delete: no body, no content type. Then the list does not have it, and the id is gone for good.
    go(&hitwire, &format!("DELETE /v2/integration/{id}"), None).await.expect(200);
    assert_eq!(read(&hitwire, &id).await, None);
    go(&hitwire, &format!("DELETE /v2/integration/{id}"), None).await.expect(404);
    go(&hitwire, &format!("PUT /v2/integration/{id}"), Some(&json!({"active": true}))).await.expect(404);
}

#[tokio::test]
async fn the_go_client_of_2020_says_null_for_no_headers_and_knows_no_format() {
    let hitwire = Hitwire::start().await;
    let body = json!({
        "name": "SIEM", "active": true, "type": "web_hooks", "clientid": 1,
        "target": {"url": "https://webhook.example.com/", "http_method": "POST", "headers": null, "ca_file": "",
                   "ca_verify": true, "timeout": 15, "open_timeout": 20, "token": "", "api": ""},
        "events": [{"event": "hit", "active": true}, {"event": "vuln", "active": true}, {"event": "system", "active": false},
                   {"event": "scope", "active": true}],
    });
    // Its header map is shared: a content type may be left over from a call before.
    let headers = [("X-WallarmAPI-Token", ADMIN), ("Content-Type", "application/json")];
    request(&hitwire, "POST /v1/user", &headers, "").await.expect(200);
    let created =
        go(&hitwire, "POST /v2/integration", Some(&body)).await.expect(200)["body"]["object"].take();
    is_decodable(&created);
    let active: Vec<_> =
        created["events"].as_array().expect("events").iter().map(|event| &event["event"]).collect();
    assert_eq!(active.len(), 8, "one, five risks, one, one: {active:?}");
    assert_eq!(
        (&created["target"]["format"], &created["target"]["subtype"]),
        (&json!("json"), &json!("web_hooks"))
    );
}

#[tokio::test]
async fn the_python_client_comes_with_the_older_pair_and_takes_the_first_of_the_list() {
    let hitwire = Hitwire::start().await;
    let pair = [
        ("X-WallarmAPI-UUID", "0a1b2c3d-0000-4000-8000-000000000000"),
        ("X-WallarmAPI-Secret", ADMIN),
        ("Accept", "application/json"),
    ];
    let filter = json!({"filter": {}}).to_string();
    let clients = request(&hitwire, "POST /v1/objects/client", &pair, &filter).await.expect(200);
    assert_eq!(clients["body"][0]["id"], 1);
    let body = json!({"name": "py", "active": true, "type": "web_hooks", "clientid": 1, "events": [{"event": "vuln_high", "active": true}],
                      "target": target("https://webhook.example.com/")});
    request(&hitwire, "POST /v2/integration", &pair, &body.to_string()).await.expect(200);
    let list = request(&hitwire, "GET /v2/integration?clientid=1", &pair, "").await.expect(200);
    let first = &list["body"]["object"][0];
    is_decodable(first);
    // Fields without which its models do not parse.
    assert!(first["system_active"].is_boolean() && first["resource_type"].is_string(), "{first}");
    let mut wrong = pair;
    wrong[1].1 = "not-the-secret-0123456789-0123456789-0123";
    request(&hitwire, "POST /v1/objects/client", &wrong, &filter).await.expect(401);
}

#[tokio::test]
async fn a_callers_fault_is_never_an_answer_that_clients_retry() {
    let hitwire = Hitwire::start().await;
    for (call, body) in [
        ("POST /v2/integration", json!({"type": "slack", "target": "https://hooks.example.com/"})),
        ("POST /v2/integration", json!({"type": "email", "target": ["a@example.com"]})),
        (
            "POST /v2/integration",
            json!({"type": "web_hooks", "target": target("not a url"), "events": events(&[])}),
        ),
        (
            "POST /v2/integration",
            json!({"type": "web_hooks", "clientid": 2, "target": target("https://example.com/")}),
        ),
        (
            "POST /v2/integration/telegram",
            json!({"name": "t", "clientid": 1, "token": "x", "chat_data": "y"}),
        ),
        ("PUT /v2/integration/99", json!({"active": true})),
        ("PUT /v2/integration/0", json!([])),
        ("GET /v2/integration?clientid=none", json!(null)),
        ("GET /v2/clients/1/triggers", json!(null)),
    ] {
        let answer = go(&hitwire, call, Some(&body)).await;
        let status = answer.status.as_u16();
        assert!((400..500).contains(&status) && ![423, 429].contains(&status), "{call} {body}: {status}");
        assert!(answer.json()["detail"].is_string(), "{call}");
    }
}
