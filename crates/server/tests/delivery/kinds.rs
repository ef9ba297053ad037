//! Each kind of event arrives in each style and each format, by the way that events go.

use crate::support::{Hitwire, Received, Receiver, hit, until};
use hitwire_event::requests_per_hour::RequestsPerHour;
use hitwire_event::{ClientId, Kind};
use hitwire_store::{Append, Op, Options, SqliteStore, Store};
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

#[tokio::test]
async fn what_one_hitwire_sends_another_one_takes_in_each_rendering_and_each_format() {
    let sender = Hitwire::start().await;
    let mut ways = Vec::new();
    for rendering in ["classic", "envelope"] {
        for format in ["json", "jsonl"] {
            let receiver = Receiver::start().await;
            let target = json!({"url": receiver.url(), "rendering": rendering, "format": format});
            let events: Vec<_> = Kind::ALL.map(|kind| json!({"event": kind.name()})).into();
            sender.create(&json!({"target": target, "events": events})).await;
            ways.push((format!("{rendering} {format}"), receiver));
        }
    }
    let mut special = hit(1);
    special["request_id"] = json!("r");
    special["of_the_source"] = json!({"a": [1, "b"]});
    let mut sent = vec![special];
    for risk in ["Critical", "High", "Medium", "Low", "Info"] {
        sent.push(json!({"object_type": "vuln", "title": risk, "threat": risk, "method": "GET", "link": "https://a.example/", "more": 1}));
    }
    for objects in [
        json!({"ips": ["192.0.2.7", "192.0.2.8"]}),
        json!({"domains": ["a.example"]}),
        json!({"services": ["a.example:443"]}),
    ] {
        for action in ["create", "update", "delete"] {
            let mut change = json!({"object_type": "scope", "action": action, "object_userid": 7, "domain": "found.example"});
            change.as_object_mut().expect("an object").extend(objects.as_object().expect("objects").clone());
            sent.push(change);
        }
    }
    let ids: BTreeSet<String> =
        serde_json::from_value(sender.send(&Value::from(sent.clone())).await.expect(202)["ids"].clone())
            .expect("ids");
    assert_eq!(ids.len(), sent.len());

    let delivered = |receiver: &Receiver| receiver.received().iter().flat_map(objects).collect::<Vec<_>>();
    let hitwires_own = |object: &Value| {
        let (classic, envelope) = (&object["object_type"], &object["details"]["notification_type"]);
        let named = classic.as_str().or(envelope.as_str()).expect("a type");
        !matches!(named, "hit" | "vuln" | "scope" | "new_hits" | "security_issue" | "scope_object")
            && !named.starts_with("new_scope_object_")
    };
    for (way, receiver) in &ways {
        until(async || {
            delivered(receiver).iter().filter(|object| !hitwires_own(object)).count() >= sent.len()
        })
        .await;
        let other = Hitwire::start().await;
        let mut taken = BTreeSet::new();
        let mut refused = 0;
        for received in receiver.received() {
            let content_type = received.headers["content-type"].to_str().expect("text");
            let answer = other
                .caller(crate::support::INGEST)
                .send_bytes("POST", "/v1/events", &[("content-type", content_type)], received.body.clone())
                .await;
            if objects(&received).iter().all(hitwires_own) {
                // What hitwire alone makes: the batch is refused as a whole, since a batch has one type.
                let problem = answer.expect(422);
                assert!(
                    problem["errors"][0]["message"]
                        .as_str()
                        .is_some_and(|words| words.contains("accepted are")),
                    "{problem}"
                );
                refused += 1;
                continue;
            }
            let answer = answer.expect(202);
            assert_eq!(answer["duplicates"], 0, "{way}");
            taken.extend(serde_json::from_value::<BTreeSet<String>>(answer["ids"].clone()).expect("ids"));
        }
        assert_eq!(taken, ids, "{way}");
        assert!(refused > 0, "{way}: the creations of integrations were told too");
        // What it keeps is what the first one keeps.
        let bodies = async |hitwire: &Hitwire| -> Vec<Value> {
            let kept = hitwire
                .admin()
                .get("/v1/events?after=0&limit=1000&kind=siem,scope,security_issue_high")
                .await
                .expect(200);
            let mut bodies: Vec<Value> = kept["events"]
                .as_array()
                .expect("events")
                .iter()
                .map(|event| event["body"].clone())
                .collect();
            bodies.sort_by_key(|body| body["id"].to_string());
            bodies
        };
        assert_eq!(bodies(&other).await.len(), 1 + 9 + 1, "{way}");
        assert_eq!(bodies(&other).await, bodies(&sender).await, "{way}");
    }
}
