//! Each kind of event arrives in each style and each format, by the way that events go.

use crate::support::{Hitwire, Received, Receiver, hit, until};
use hitwire_event::requests_per_hour::RequestsPerHour;
use hitwire_event::{ClientId, Kind};
use hitwire_log::{Append, Op, Options, SqliteStore, Store};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The objects of a request, as its content type says that they are written.
fn objects(received: &Received) -> Vec<Value> {
    let text = std::str::from_utf8(&received.body).expect("UTF-8");
    match received.headers["content-type"].to_str().expect("text") {
        "application/json" => serde_json::from_str(text).expect("an array"),
        "application/x-ndjson" => {
            assert!(text.ends_with('\n'), "the last line ends too: {text:?}");
            text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect()
        }
        other => panic!("{other} is not asked for"),
    }
}

/// What an object tells of, by what a receiver sees in it.
fn kind_of(object: &Value, rendering: &str) -> String {
    match rendering {
        "envelope" => {
            assert!(object["summary"].as_str().is_some_and(|summary| summary.starts_with('[')), "{object}");
            let details = &object["details"];
            match details["notification_type"].as_str().expect("a type") {
                "new_hits" => "hit".to_owned(),
                "security_issue" => {
                    format!("vuln {}", details["security_issue"]["risk"].as_str().expect("a risk"))
                }
                "new_scope_object_ips" => "scope".to_owned(),
                other => other.to_owned(),
            }
        }
        _ => match object["object_type"].as_str().expect("a type") {
            "vuln" => format!("vuln {}", object["threat"].as_str().expect("a risk")),
            "hit" => "hit".to_owned(),
            "scope" => "scope".to_owned(),
            _ => object["notification_type"].as_str().expect("a type").to_owned(),
        },
    }
}

#[tokio::test]
async fn each_kind_arrives_in_each_rendering_and_each_format() {
    let mut hitwire = Hitwire::start().await;
    let mut ways = Vec::new();
    for rendering in ["classic", "envelope"] {
        for format in ["json", "jsonl"] {
            let receiver = Receiver::start().await;
            let events: Vec<_> = Kind::ALL.map(|kind| json!({"event": kind.name()})).into();
            let target = json!({"url": receiver.url(), "rendering": rendering, "format": format});
            let name = format!("{rendering} {format}");
            hitwire.create(&json!({"name": name, "target": target, "events": events})).await;
            ways.push((rendering, format, receiver));
        }
    }
    hitwire.send(&hit(1)).await.expect(202);
    for risk in ["Critical", "High", "Medium", "Low", "Info"] {
        hitwire.send(&json!({"object_type": "vuln", "title": risk, "threat": risk})).await.expect(202);
    }
    hitwire
        .send(&json!({"object_type": "scope", "action": "create", "ips": ["192.0.2.7"]}))
        .await
        .expect(202);
    let filter = json!({"filter": {"attack_types": ["sqli", "xss"]}});
    hitwire.admin().send("PUT", "/v2/integration/4", &filter).await.expect(200);
    // The hour of a count is over only after an hour: what tells of it is put into the log as the processor would.
    hitwire.stop().await;
    let store = SqliteStore::open(Options::new(hitwire.data_dir())).expect("opened");
    let hour = RequestsPerHour { requests: 7, time_from: 1_767_225_600, time_to: 1_767_229_200 };
    let append = Append { events: vec![hour.to_event(ClientId(1))], ..Append::default() };
    store.commit(vec![Op::Append(append)]).await.expect("appended");
    store.close().await.expect("closed");
    drop(store);
    hitwire.restart().await;

    let wanted: BTreeSet<String> = [
        "hit",
        "vuln Critical",
        "vuln High",
        "vuln Medium",
        "vuln Low",
        "vuln Info",
        "scope",
        "create_integration",
        "filter_create",
        "requests_per_hour",
    ]
    .map(str::to_owned)
    .into();
    for (rendering, format, receiver) in &ways {
        let told = || {
            let objects = receiver.received().iter().flat_map(objects).collect::<Vec<_>>();
            objects.iter().map(|object| kind_of(object, rendering)).collect::<BTreeSet<_>>()
        };
        until(async || told().is_superset(&wanted)).await;
        let content_type = if *format == "json" { "application/json" } else { "application/x-ndjson" };
        assert!(receiver.received().iter().all(|one| one.headers["content-type"] == content_type));
    }
}
