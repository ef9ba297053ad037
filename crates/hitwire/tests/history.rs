//! `hitwire attempt`, `lost`, `source`, `activity`: what became of events, and who changed what.

use crate::integration::{hitwire_with, json, receiver, succeeds};
use crate::support::{RunningServer, hits, in_time, integration};
use hitwire::listen::{Behaviour, Listener, Options};
use serde_json::{Value, json as value};

/// A receiver that answers every notification with 503.
async fn failing_receiver() -> Listener {
    let behaviour = Behaviour { fail: "503".parse().ok(), ..Behaviour::default() };
    Listener::start(Options { behaviour, ..Options::on_loopback().unwrap() }).await.unwrap()
}

#[tokio::test]
async fn the_delivery_log_is_listed_filtered_and_shown() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    let (mut receiver, ca) = receiver(dir.path()).await;
    let url = receiver.url();
    let add = ["integration", "add", "--name", "SIEM", "--url", &url, "--ca-file", &ca, "--event", "siem"];
    succeeds(&server, &add).await;
    assert_eq!(succeeds(&server, &["attempt", "list", "SIEM"]).await, "no attempts\n");
    for n in 0..3 {
        server.accept(&hits::hits("log", 0, n..=n)).await;
        in_time("the notification", receiver.events.recv()).await.unwrap();
    }
    let attempts = in_time("three attempts", async {
        loop {
            let attempts = json(&server, &["attempt", "list", "SIEM"]).await;
            if attempts["attempts"].as_array().unwrap().len() == 3 {
                return attempts["attempts"].as_array().unwrap().clone();
            }
        }
    })
    .await;
    let table = succeeds(&server, &["attempt", "list", "SIEM", "--outcome", "delivered"]).await;
    assert!(table.contains("delivered") && table.ends_with("\n3 attempts\n"), "{table}");
    assert!(table.contains(attempts[0]["webhook_id"].as_str().unwrap()), "{table}");
    assert_eq!(
        succeeds(&server, &["attempt", "list", "SIEM", "--outcome", "failed"]).await,
        "no attempt matches\n"
    );
    let seq = attempts[2]["first"].to_string();
    let found = json(&server, &["attempts", "list", "1", "--seq", &seq]).await;
    assert_eq!(found["attempts"], value!([attempts[2]]), "the other name of the command too");

    let newest = json(&server, &["attempt", "list", "SIEM", "--limit", "1"]).await;
    assert_eq!(newest["attempts"], value!([attempts[0]]));
    let next = newest["next"].to_string();
    let text = succeeds(&server, &["attempt", "list", "SIEM", "--limit", "1"]).await;
    assert!(text.ends_with(&format!("\n1 of 3 attempts; older ones: --before {next}\n")), "{text}");
    let webhook_id = attempts[1]["webhook_id"].as_str().unwrap();
    let of_batch = json(&server, &["attempt", "list", "SIEM", "--webhook-id", webhook_id]).await;
    assert_eq!(of_batch["attempts"], value!([attempts[1]]));
    let older = json(&server, &["attempt", "list", "SIEM", "--before", &next]).await;
    assert_eq!(older["attempts"], value!(attempts[1..]), "the rest, and no more");

    let number = attempts[0]["id"].to_string();
    let page = succeeds(&server, &["attempt", "show", "SIEM", &number]).await;
    for part in ["of SIEM (1)", "webhook-signature", "exactly as sent", "\"object_type\"", "status", "200"] {
        assert!(page.contains(part), "{part} is missing:\n{page}");
    }
    let raw = json(&server, &["attempt", "show", "SIEM", &number]).await;
    assert_eq!(raw, integration::get(&server, &format!("/v2/integration/1/attempts/{number}")).await);
    let none = hitwire_with(&server, &[], &["attempt", "show", "SIEM", "999999"]).await;
    assert_eq!((none.code, none.stdout.as_str()), (Some(1), ""), "{}", none.stderr);
    assert!(none.stderr.contains("hitwire attempt list"), "{}", none.stderr);
}

#[tokio::test]
async fn a_long_list_is_followed_from_page_to_page() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    // The API answers at most 500 changes at once.
    for n in 0..260 {
        let name = format!("user{n}@example.com");
        let (method, path) = (http::Method::POST, "/v1/users");
        let body = value!({"email": name, "name": name, "role": "analyst"});
        let api = server.api();
        api.request(method, path, body).await.unwrap().successful::<Value>(&api).unwrap();
        let change = value!({"email": name, "name": "Other", "role": "read_only"});
        let path = format!("/v1/users/{}", n + 1);
        api.request(http::Method::PUT, &path, change).await.unwrap().successful::<Value>(&api).unwrap();
    }
    let listed = json(&server, &["activity", "--object-type", "user", "--limit", "1000"]).await;
    assert_eq!(listed["activity"].as_array().unwrap().len(), 520);
    assert_eq!(listed["next"], Value::Null);
    let ids: Vec<_> =
        listed["activity"].as_array().unwrap().iter().map(|entry| entry["id"].as_u64()).collect();
    assert!(ids.is_sorted_by(|newer, older| newer > older), "newest first, each once");
    let text = succeeds(&server, &["activity", "--action", "update", "--limit", "2", "--from", "1h"]).await;
    assert!(text.contains("role: analyst -> read_only"), "{text}");
    assert!(text.lines().last().unwrap().starts_with("2 changes; older ones: --before "), "{text}");
}

#[tokio::test]
async fn what_an_integration_did_not_get_is_listed() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    let receiver = failing_receiver().await;
    let made = integration::of_hits(&server, &receiver, value!({})).await;
    let id = made.id.to_string();
    assert_eq!(succeeds(&server, &["lost", &id]).await, "no lost ranges\n");
    for _ in 0..2 {
        succeeds(&server, &["integration", "disable", &id]).await;
        server.accept(&hits::hits("lost", 0, 0..4)).await;
        succeeds(&server, &["integration", "enable", &id, "--resume", "now"]).await;
    }
    let lost = json(&server, &["lost", "Test"]).await;
    let ranges = lost["lost"].as_array().unwrap();
    assert!(!ranges.is_empty() && ranges.iter().all(|range| range["reason"] == "enabled_from_now"), "{lost}");
    let text = succeeds(&server, &["lost", "Test", "--limit", "1"]).await;
    assert!(text.contains("skipped") && text.contains("enabled_from_now"), "{text}");
}

#[tokio::test]
async fn sources_and_their_state_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("audit.log");
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/demo/modsecurity-audit.jsonl");
    std::fs::copy(sample, &log).unwrap();
    let source = format!("modsecurity:{}", log.display());
    let server = RunningServer::start(&dir.path().join("data"), &["--source", &source]).await;
    let page = in_time("the file to be read", async {
        loop {
            let page = succeeds(&server, &["source", "list"]).await;
            if page.contains("caught up") {
                return page;
            }
        }
    })
    .await;
    assert!(page.contains(&source), "{page}");
    let listed = json(&server, &["source", "list"]).await;
    assert_eq!(listed, integration::get(&server, "/v1/sources").await);
    assert!(listed["sources"][0]["hits"].as_u64() > Some(0), "{listed}");
}

#[tokio::test]
async fn a_server_without_sources_says_how_to_have_one() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    let page = succeeds(&server, &["source", "list"]).await;
    assert!(page.contains("hitwire serve --source modsecurity:PATH"), "{page}");
}
