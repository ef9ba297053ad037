//! Filters: set, refused, looked at beforehand, and what they let pass.

use crate::support::{Hitwire, Receiver, hit, hits, until};
use serde_json::{Value, json};

fn blocked(number: usize) -> Value {
    let mut blocked = hit(number);
    blocked["block_status"] = json!("blocked");
    blocked
}

fn whole() -> Value {
    json!({
        "applications": ["shop"],
        "attack_types": ["sqli"],
        "domains": ["*.example.com"],
        "addresses": {"in": ["10.0.0.0/8"], "not_in": ["203.0.113.7"]},
        "block_status": ["blocked"],
        "min_score": 5,
        "risks": ["critical", "high"],
    })
}

#[tokio::test]
async fn a_filter_is_answered_as_it_was_given_and_stays_until_another_one_is_given() {
    let hitwire = Hitwire::start().await;
    let created = hitwire
        .create(&json!({"target": {"url": "https://example.com/"}, "events": [{"event": "siem"}], "filter": whole()}))
        .await;
    assert_eq!(created["filter"], whole());
    let path = format!("/v2/integration/{}", created["id"]);
    let put = async |body: Value| {
        hitwire.admin().send("PUT", &path, &body).await.expect(200)["body"]["object"]["filter"].take()
    };
    assert_eq!(put(json!({"name": "other"})).await, whole());
    assert_eq!(put(json!({"filter": {"min_score": 2.50}})).await, json!({"min_score": 2.5}));
    assert_eq!(put(json!({"filter": {}})).await, json!({}));
    let bare = hitwire.create(&json!({"target": {"url": "https://example.com/"}})).await;
    assert_eq!(bare["filter"], json!({}));
}

#[tokio::test]
async fn every_bad_entry_is_named() {
    let hitwire = Hitwire::start().await;
    let filter = json!({
        "applications": ["shop", "", 1],
        "attack_types": "sqli",
        "domains": ["*.example.com", "*"],
        "addresses": {"in": ["10.0.0.0/8", "10.1.2.3/8"], "without": []},
        "block_status": ["stopped"],
        "min_score": -1,
        "risks": vec!["high"; 101],
        "countries": ["DE"],
    });
    let expected = [
        "/applications/1",
        "/applications/2",
        "/attack_types",
        "/domains/1",
        "/addresses/in/1",
        "/addresses/without",
        "/block_status/0",
        "/min_score",
        "/risks",
        "/countries",
    ];
    let settings = json!({"target": {"url": "https://example.com/"}, "filter": filter});
    let preview = json!({"events": [{"event": "siem"}], "filter": filter});
    for (path, body) in [("/v2/integration", settings), ("/v2/integration/preview", preview)] {
        let problem = hitwire.admin().send("POST", path, &body).await.expect(422);
        let errors = problem["errors"].as_array().expect("errors");
        let pointers: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().expect("text")).collect();
        assert_eq!(pointers, expected.map(|pointer| format!("/filter{pointer}")), "{problem:#}");
    }
}

#[tokio::test]
async fn what_the_filter_does_not_let_pass_is_neither_sent_nor_lost() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let mut settings = json!({"target": {"url": receiver.url()}, "events": [{"event": "siem"}]});
    settings["filter"] = json!({"block_status": ["blocked"]});
    let id = hitwire.create(&settings).await["id"].clone();
    hitwire.send(&json!([hit(0), blocked(1), hit(2), blocked(3)])).await.expect(202);
    until(async || receiver.delivered().len() == 2).await;
    // What was kept back stays back, also when the filter goes.
    let path = format!("/v2/integration/{id}");
    let status = async || hitwire.admin().get(&format!("{path}/status")).await.expect(200);
    until(async || status().await["lanes"][1]["lag"]["events"] == 0).await;
    hitwire.admin().send("PUT", &path, &json!({"filter": {}})).await.expect(200);
    hitwire.send(&hit(4)).await.expect(202);
    until(async || receiver.delivered().len() == 3).await;
    assert_eq!(receiver.delivered(), [1, 3, 4].map(|number| format!("hit{number:017}")));
    assert_eq!(hitwire.admin().get(&format!("{path}/lost")).await.expect(200)["lost"], json!([]));
}

#[tokio::test]
async fn a_batch_is_made_again_as_it_was_from_among_events_that_nobody_wants() {
    let receiver = Receiver::start().await;
    receiver.answer(503);
    let mut hitwire = Hitwire::start().await;
    let mut settings = json!({"target": {"url": receiver.url()}, "events": [{"event": "siem"}]});
    settings["filter"] = json!({"block_status": ["blocked"]});
    hitwire.create(&settings).await;
    hitwire.send(&json!([hit(0), blocked(1), hit(2), blocked(3), hit(4)])).await.expect(202);
    // Once after its wait, and once in another life.
    until(async || receiver.received().len() == 2).await;
    hitwire.restart().await;
    receiver.answer(200);
    until(async || !receiver.delivered().is_empty()).await;
    let sent: Vec<_> = receiver
        .received()
        .iter()
        .map(|received| (received.headers["webhook-id"].clone(), received.body.clone()))
        .collect();
    assert!(sent.iter().all(|again| *again == sent[0]), "{sent:?}");
    assert_eq!(receiver.delivered(), [1, 3].map(|number| format!("hit{number:017}")));
}

#[tokio::test]
async fn one_event_is_found_behind_many_that_nobody_wants() {
    let receiver = Receiver::start().await;
    let mut hitwire = Hitwire::start().await;
    let mut settings =
        json!({"target": {"url": receiver.url()}, "events": [{"event": "siem"}], "active": false});
    settings["filter"] = json!({"block_status": ["blocked"]});
    let id = hitwire.create(&settings).await["id"].clone();
    // More than a search reads in one turn.
    for thousands in 0..18 {
        hitwire.send(&hits(thousands * 1_000..(thousands + 1) * 1_000)).await.expect(202);
    }
    hitwire.send(&blocked(99_999)).await.expect(202);
    hitwire.send(&hits(20_000..20_010)).await.expect(202);
    // From the disk.
    hitwire.restart().await;
    let path = format!("/v2/integration/{id}?resume=missed");
    hitwire.admin().send("PUT", &path, &json!({"active": true})).await.expect(200);
    until(async || !receiver.delivered().is_empty()).await;
    assert_eq!(receiver.delivered(), [format!("hit{:017}", 99_999)]);
}

#[tokio::test]
async fn a_preview_tells_how_many_of_the_newest_events_would_have_been_sent() {
    let mut hitwire = Hitwire::start().await;
    hitwire.send(&hits(0..6_000)).await.expect(202);
    let newest: Value =
        (6_000..6_100).map(|number| if number % 4 == 0 { blocked(number) } else { hit(number) }).collect();
    hitwire.send(&newest).await.expect(202);
    let vulnerability = json!({"object_type": "vuln", "title": "t", "threat": "Low"});
    hitwire.send(&vulnerability).await.expect(202);
    let events = json!([{"event": "siem"}, {"event": "vuln", "active": false}]);
    let filter = json!({"block_status": ["blocked"]});
    for _ in 0..2 {
        for (last, looked_at, would_send) in
            [(10, 10, 2), (100, 100, 25), (5_000, 5_000, 25), (100_000, 6_100, 25)]
        {
            let body = json!({"events": events, "filter": filter, "last": last});
            let answer = hitwire.admin().send("POST", "/v2/integration/preview", &body).await.expect(200);
            assert_eq!(answer["body"]["result"], "success");
            let object = &answer["body"]["object"];
            assert_eq!(
                (&object["looked_at"], &object["would_send"]),
                (&json!(looked_at), &json!(would_send))
            );
            assert!(object["from"].as_str().expect("a moment").starts_with("20"), "{object}");
        }
        // The first time from memory, the second time from the disk.
        hitwire.restart().await;
    }
    let all = json!({"events": [{"event": "siem"}, {"event": "vuln"}]});
    let answer = hitwire.admin().send("POST", "/v2/integration/preview", &all).await.expect(200);
    assert_eq!(
        (&answer["body"]["object"]["looked_at"], &answer["body"]["object"]["would_send"]),
        (&json!(6_101), &json!(6_101))
    );
    let none = json!({"events": [{"event": "system"}], "filter": filter});
    let answer = hitwire.admin().send("POST", "/v2/integration/preview", &none).await.expect(200);
    assert_eq!(answer["body"]["object"], json!({"looked_at": 0, "would_send": 0, "from": null}));
}

#[tokio::test]
async fn what_cannot_be_looked_at_is_named() {
    let hitwire = Hitwire::start().await;
    let pointers = async |body: Value| {
        let problem = hitwire.admin().send("POST", "/v2/integration/preview", &body).await.expect(422);
        problem["errors"]
            .as_array()
            .expect("errors")
            .iter()
            .map(|error| error["pointer"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(pointers(json!({})).await, ["/events"]);
    assert_eq!(pointers(json!({"events": [], "last": 100_001})).await, ["/last"]);
    assert_eq!(pointers(json!({"events": [{"event": "x"}], "more": 1})).await, ["/events/0/event", "/more"]);
    let ingest = hitwire.caller(crate::support::INGEST);
    ingest.send("POST", "/v2/integration/preview", &json!({"events": []})).await.expect(403);
}

/// A hit of these applications.
fn hit_of(number: usize, applications: &Value) -> Value {
    let mut hit = hit(number);
    hit["applications"] = applications.clone();
    hit
}

#[tokio::test]
async fn an_application_is_found_by_name_and_by_id_whichever_hits_carry_and_unknown_ones_are_warned_of() {
    let hitwire = Hitwire::start().await;
    hitwire.make("applications", &json!({"id": 12, "name": "shop"})).await;
    let hits: Value = [json!([12]), json!(["shop"]), json!(12), json!([13]), json!(["blog"]), json!([])]
        .iter()
        .enumerate()
        .map(|(number, applications)| hit_of(number, applications))
        .collect();
    hitwire.send(&hits).await.expect(202);
    let would_send = async |applications: Value| {
        let body = json!({"events": [{"event": "siem"}], "filter": {"applications": applications}});
        let answer = hitwire.admin().send("POST", "/v2/integration/preview", &body).await.expect(200);
        let warned = answer["warnings"].as_array().cloned().unwrap_or_default();
        let warned = warned.iter().map(|one| one["pointer"].as_str().expect("a pointer").to_owned());
        (answer["body"]["object"]["would_send"].as_u64().expect("a number"), warned.collect::<Vec<_>>())
    };
    assert_eq!(would_send(json!(["shop"])).await, (3, vec![]));
    assert_eq!(would_send(json!(["12"])).await, (3, vec![]));
    assert_eq!(would_send(json!(["12", "blog"])).await, (4, vec!["/filter/applications/1".to_owned()]));
    assert_eq!(would_send(json!(["Shop"])).await, (0, vec!["/filter/applications/0".to_owned()]));
    let body = json!({"target": {"url": "https://example.com/"}, "filter": {"applications": ["shpo"]}});
    let made = hitwire.admin().send("POST", "/v2/integration", &body).await.expect(200);
    let warning = made["warnings"][0]["message"].as_str().expect("words");
    assert!(warning.starts_with("\"shpo\" is neither the name nor the id"), "{made}");
    assert_eq!(made["body"]["object"]["filter"], body["filter"], "it is kept as it was given");
}

#[tokio::test]
async fn deliveries_follow_what_an_application_is_called() {
    let hitwire = Hitwire::start().await;
    let receiver = Receiver::start().await;
    let integration = json!({
        "active": true, "target": {"url": receiver.url()}, "events": [{"event": "siem"}],
        "filter": {"applications": ["shop"]},
    });
    let id = hitwire.create(&integration).await["id"].clone();
    hitwire.send(&hit_of(1, &json!([12]))).await.expect(202);
    hitwire.send(&hit_of(2, &json!(["shop"]))).await.expect(202);
    until(async || receiver.delivered().len() == 1).await;
    hitwire.make("applications", &json!({"id": 12, "name": "shop"})).await;
    hitwire.send(&hit_of(3, &json!([12]))).await.expect(202);
    until(async || receiver.delivered().len() == 2).await;
    let delivered = receiver.delivered();
    assert!(
        delivered[0].ends_with('2') && delivered[1].ends_with('3'),
        "by id, since it is set up: {delivered:?}"
    );
    let status = hitwire.admin().get(&format!("/v2/integration/{id}")).await.expect(200);
    assert_eq!(status["body"]["object"]["filter"], integration["filter"], "it is shown as it was given");
}

#[tokio::test]
async fn a_score_is_a_number_by_the_rule_of_events() {
    let hitwire = Hitwire::start().await;
    for score in ["1e-999", "1e999", &format!("0.{}", "1".repeat(64)), &format!("1e+{:0>64}", 1)] {
        let body = format!(r#"{{"events":[{{"event":"siem"}}],"filter":{{"min_score":{score}}}}}"#);
        let headers = [("content-type", "application/json")];
        let refused = hitwire.admin().send_bytes("POST", "/v2/integration/preview", &headers, body).await;
        assert_eq!(refused.expect(422)["errors"][0]["pointer"], "/filter/min_score", "{score}");
    }
}
