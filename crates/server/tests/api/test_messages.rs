//! Test messages: of stored and of unsaved settings, and what their answers say.

use crate::support::{Caller, Hitwire, Receiver, hit, until};
use hitwire_endpoint::sign;
use serde_json::{Value, json};

const SECRET: &str = "Bearer of-the-receiver-7f3a9c";

const PATH: &str = "/v2/integration/test";

/// The test's object, of an answer with this result.
#[track_caller]
fn tested(answer: &Value, result: &str) -> Value {
    assert_eq!(answer["body"]["result"], result, "{answer:#}");
    let object = answer["body"]["object"].clone();
    assert_eq!(object["delivered"], result == "success", "{answer:#}");
    object
}

fn settings(receiver: &Receiver) -> Value {
    json!({
        "target": {"url": receiver.url(), "headers": {"Authorization": SECRET}},
        "events": [{"event": "system", "active": false}, {"event": "siem"}],
    })
}

#[tokio::test]
async fn a_stored_integration_is_tested_as_it_would_deliver() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let created = hitwire.create(&settings(&receiver)).await;
    let path = format!("/v2/integration/{}/test", created["id"]);
    let answer = tested(&hitwire.admin().call("POST", &path).await.expect(200), "success");
    let [received] = &receiver.received()[..] else { panic!("one request") };
    assert_eq!(received.headers["authorization"], SECRET);
    let header = |name: &str| received.headers[name].to_str().expect("text").to_owned();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    let secret = created["signing_secret"].as_str().expect("a secret");
    let signature = sign::sign(&[secret], &id, timestamp.parse().expect("seconds"), &received.body);
    assert_eq!(signature.as_deref(), Ok(&*header("webhook-signature")), "signed like a batch");

    assert_eq!(answer["event"], "siem", "the first that is active");
    assert_eq!(answer["request"]["method"], "POST");
    assert_eq!(answer["request"]["url"], receiver.url());
    let shown = &answer["request"]["headers"];
    assert_eq!(shown["authorization"], "********");
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature", "content-type", "user-agent"] {
        assert_eq!(shown[name], header(name), "{name}");
    }
    let body = answer["request"]["body"].as_str().expect("text");
    assert_eq!(body.as_bytes(), received.body);
    assert!(body.contains("[Test message] "), "{body}");
    assert_eq!(answer["response"]["status"], 200);
    assert!(answer["address"].as_str().expect("an address").starts_with("127.0.0.1:"));
    assert!(answer["timings_ms"]["connect"].is_number() && answer["timings_ms"]["total"].is_number());
    assert_eq!((&answer["timings_ms"]["tls"], &answer["error"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn without_a_kind_one_of_each_ticked_kind_is_sent_at_most_five() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let ticked =
        ["system", "siem", "scope", "security_issue_high", "rules_and_triggers", "security_issue_low"];
    let events: Vec<_> = ticked.iter().map(|event| json!({"event": event})).collect();
    // Inactive: else it would be told of itself.
    let settings = json!({"target": {"url": receiver.url()}, "events": events, "active": false});
    let path = format!("/v2/integration/{}/test", hitwire.create(&settings).await["id"]);
    let stored = hitwire.admin().send("POST", &path, &json!({})).await.expect(200);
    let unsaved = hitwire.admin().send("POST", PATH, &settings).await.expect(200);
    for answer in [stored, unsaved] {
        let object = tested(&answer, "success");
        let messages = object["messages"].as_array().expect("messages");
        let sent: Vec<_> = messages.iter().map(|message| message["event"].as_str().expect("text")).collect();
        assert_eq!(sent, ticked[..5]);
        assert_eq!(object["not_sent"], json!([]));
        assert_eq!((&object["event"], &object["request"]), (&messages[0]["event"], &messages[0]["request"]));
        let received = receiver.received();
        let received = &received[received.len() - 5..];
        for (message, received) in messages.iter().zip(received) {
            assert_eq!(
                message["request"]["body"].as_str().expect("text").as_bytes(),
                received.body,
                "in their order"
            );
        }
    }
    assert_eq!(receiver.received().len(), 10);

    // A receiver that refuses is told all; the answer says so of the first that failed.
    receiver.answer(500);
    let refused = hitwire.admin().send("POST", &path, &json!({})).await.expect(200);
    let object = tested(&refused, "failure");
    assert_eq!(object["messages"].as_array().expect("messages").len(), 5);
    // A kind that is named is sent alone, and answered as before.
    receiver.answer(200);
    let one = hitwire.admin().send("POST", &path, &json!({"event": "scope"})).await.expect(200);
    let object = tested(&one, "success");
    assert_eq!(
        (&object["event"], object.get("messages"), object.get("not_sent")),
        (&json!("scope"), None, None)
    );
    assert_eq!(receiver.received().len(), 16);
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_is_not_asked_again() {
    let receiver = Receiver::start().await;
    receiver.hold(true);
    let hitwire = Hitwire::start().await;
    let settings = json!({"target": {"url": receiver.url(), "timeout": 1}, "events": [{"event": "siem"}, {"event": "system"}]});
    let answer = hitwire.admin().send("POST", PATH, &settings).await.expect(200);
    let object = tested(&answer, "failure");
    assert_eq!(object["messages"].as_array().expect("messages").len(), 1);
    assert_eq!((&object["event"], &object["not_sent"]), (&json!("siem"), &json!(["system"])));
    receiver.hold(false);
}

#[tokio::test]
async fn each_rendering_and_format_is_tested_as_it_is() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    for rendering in ["classic", "envelope"] {
        for (format, content_type) in [("json", "application/json"), ("jsonl", "application/x-ndjson")] {
            let target = json!({"url": receiver.url(), "rendering": rendering, "format": format});
            let settings = json!({"target": target, "test": {"event": "security_issue_high"}});
            let answer = hitwire.admin().send("POST", PATH, &settings).await.expect(200);
            assert_eq!(tested(&answer, "success")["event"], "security_issue_high");
            let received = receiver.received().pop().expect("a request");
            assert_eq!(received.headers["content-type"], content_type);
            let body = String::from_utf8(received.body.to_vec()).expect("text");
            let summary = match rendering {
                "classic" => r#""summary":"[Test message] New vulnerability identified""#,
                _ => r#"{"summary":"[Test message] [Hitwire] New security issue detected""#,
            };
            assert!(body.contains(summary), "{body}");
            let ends = (body.chars().next(), body.chars().last());
            let expected = if format == "json" { ('[', ']') } else { ('{', '\n') };
            assert_eq!(ends, (Some(expected.0), Some(expected.1)), "{body}");
        }
    }
}

#[tokio::test]
async fn a_test_counts_nowhere_and_works_while_disabled() {
    let receiver = Receiver::start().await;
    receiver.answer(500);
    let hitwire = Hitwire::start().await;
    let mut settings = settings(&receiver);
    settings["active"] = json!(false);
    let created = hitwire.create(&settings).await;
    let path = format!("/v2/integration/{}", created["id"]);
    let admin = hitwire.admin();
    let answer = admin.send("POST", &format!("{path}/test"), &json!({"event": "scope"})).await.expect(200);
    let answer = tested(&answer, "failure");
    assert_eq!(answer["response"]["status"], 500);
    assert_eq!(answer["error"], "the endpoint returned 500");
    assert_eq!(admin.get(&format!("{path}/attempts")).await.expect(200)["attempts"], json!([]));
    let status = admin.get(&format!("{path}/status")).await.expect(200);
    assert_eq!((&status["failures_in_a_row"], &status["last_attempt"]), (&json!(0), &json!(null)));
}

#[tokio::test]
async fn tls_is_that_of_a_delivery() {
    let receiver = Receiver::start_https().await;
    let hitwire = Hitwire::start().await;
    let test = async |target: Value| {
        hitwire.admin().send("POST", PATH, &json!({"target": target})).await.expect(200)
    };
    let trusted = test(json!({"url": receiver.url(), "ca_file": receiver.certificate()})).await;
    assert!(tested(&trusted, "success")["timings_ms"]["tls"].is_number());
    tested(&test(json!({"url": receiver.url(), "ca_verify": false})).await, "success");
    // The connection and the session of the test before must not be used: nobody would see that the receiver is unknown.
    let unknown = tested(&test(json!({"url": receiver.url()})).await, "failure");
    assert_eq!(unknown["response"], json!(null));
    let words = unknown["error"].as_str().expect("words");
    assert!(words.contains("certificate"), "{words}");
    let in_clear = Receiver::start().await;
    let no_tls = test(json!({"url": in_clear.url().replace("http:", "https:"), "timeout": 300})).await;
    assert!(tested(&no_tls, "failure")["error"].is_string());
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn the_guard_stands_before_tests_too() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start_with(|config| config.allow_targets.clear()).await;
    let body = json!({"target": {"url": receiver.url().replace("127.0.0.1", "localhost")}});
    let refused = tested(&hitwire.admin().send("POST", PATH, &body).await.expect(200), "failure");
    let words = refused["error"].as_str().expect("words");
    assert!(
        words.contains("the address that localhost resolves to is not allowed")
            && words.contains("--allow-target"),
        "{words}"
    );
    assert!(receiver.received().is_empty());
    let body = json!({"target": {"url": receiver.url()}});
    let problem = hitwire.admin().send("POST", PATH, &body).await.expect(422);
    assert_eq!(problem["errors"][0]["pointer"], "/target/url");
}

#[tokio::test]
async fn no_answer_of_a_receiver_brings_secrets_back() {
    let receiver = Receiver::start().await;
    receiver.answer(500);
    receiver.repeat();
    let hitwire = Hitwire::start().await;
    let created = hitwire.create(&settings(&receiver)).await;
    let path = format!("/v2/integration/{}", created["id"]);
    let admin = hitwire.admin();
    let answer = admin.call("POST", &format!("{path}/test")).await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(!text.contains("7f3a9c"), "{text}");
    let answer = tested(&answer.expect(200), "failure");
    for said in [&answer["response"]["body"], &answer["response"]["headers"]["x-repeated"], &answer["error"]]
    {
        assert!(said.as_str().expect("text").contains("you sent"), "{said}");
    }
    let body = answer["response"]["body"].as_str().expect("text");
    assert!(body.starts_with("\\u{1b}[2J") && !body.ends_with("\\n"), "made harmless: {body}");
    // The same of a delivery's attempt.
    hitwire.send(&hit(1)).await.expect(202);
    let attempts = format!("{path}/attempts");
    until(async || admin.get(&attempts).await.expect(200)["attempts"] != json!([])).await;
    let attempts = admin.get(&attempts).await.expect(200).to_string();
    assert!(attempts.contains("you sent") && !attempts.contains("7f3a9c"), "{attempts}");
}

#[tokio::test]
async fn unsaved_settings_take_masked_secrets_under_the_rules_of_a_change() {
    let receiver = Receiver::start().await;
    let elsewhere = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let id = hitwire.create(&settings(&receiver)).await["id"].clone();
    let admin = hitwire.admin();
    let masked = |url: String| json!({"id": id, "target": {"url": url, "headers": {"Authorization": "********"}, "rendering": "envelope"}});
    tested(&admin.send("POST", PATH, &masked(receiver.url())).await.expect(200), "success");
    let received = receiver.received().pop().expect("a request");
    assert_eq!(received.headers["authorization"], SECRET);
    assert!(String::from_utf8_lossy(&received.body).contains("[Hitwire]"));
    let problem = admin.send("POST", PATH, &masked(elsewhere.url())).await.expect(422);
    assert_eq!(problem["errors"][0]["pointer"], "/target/headers/Authorization");
    let mut nobodys = masked(receiver.url());
    nobodys["id"] = json!(99);
    admin.send("POST", PATH, &nobodys).await.expect(404);
    nobodys["id"] = json!(null);
    admin.send("POST", PATH, &nobodys).await.expect(422);
    assert!(elsewhere.received().is_empty());
    let stored = admin.get(&format!("/v2/integration/{id}")).await.expect(200);
    assert_eq!(stored["body"]["object"]["target"]["rendering"], "classic", "nothing is stored");
}

#[tokio::test]
async fn what_cannot_be_tested_is_named() {
    let hitwire = Hitwire::start().await;
    let created = hitwire.create(&json!({"target": {"url": "https://example.com/"}})).await;
    let path = format!("/v2/integration/{}/test", created["id"]);
    let admin = hitwire.admin();
    let pointers = async |path: &str, body: Value| {
        let problem = admin.send("POST", path, &body).await.expect(422);
        problem["errors"]
            .as_array()
            .expect("errors")
            .iter()
            .map(|error| error["pointer"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(pointers(&path, json!({"event": "nonsense"})).await, ["/event"]);
    assert_eq!(pointers(&path, json!({"kind": "siem"})).await, ["/kind"]);
    assert_eq!(pointers(PATH, json!({"test": {"event": "nonsense"}})).await, ["/test/event"]);
    assert_eq!(pointers(PATH, json!({})).await, ["/target"]);
    admin.call("POST", "/v2/integration/99/test").await.expect(404);
    let ingest = hitwire.caller(crate::support::INGEST);
    ingest.call("POST", &path).await.expect(403);
    ingest.send("POST", PATH, &json!({})).await.expect(403);
}

#[tokio::test]
async fn who_tests_too_often_is_told_when_to_come_again() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let id = hitwire.create(&settings(&receiver)).await["id"].clone();
    let path = format!("/v2/integration/{id}/test");
    let test = async |caller: Caller| caller.call("POST", &path).await;
    for _ in 0..10 {
        test(hitwire.admin()).await.expect(200);
    }
    let refused = test(hitwire.admin()).await;
    let wait = refused.headers["retry-after"].to_str().expect("text").parse::<u64>().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(refused.expect(429)["type"], "urn:hitwire:problem:too-many-requests");
    assert_eq!(receiver.received().len(), 10);
}

#[tokio::test]
async fn a_rendered_message_is_what_a_test_would_send_and_is_not_sent() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let mut settings = settings(&receiver);
    for (rendering, format) in [("classic", "json"), ("envelope", "jsonl")] {
        settings["target"]["rendering"] = json!(rendering);
        settings["target"]["format"] = json!(format);
        settings["test"] = json!({"event": "system"});
        let before = receiver.received().len();
        let rendered = hitwire.admin().send("POST", "/v2/integration/render", &settings).await.expect(200);
        assert_eq!(receiver.received().len(), before, "nothing is sent");
        let rendered = &rendered["body"]["object"];
        let sent = hitwire.admin().send("POST", PATH, &settings).await.expect(200);
        let sent = tested(&sent, "success");
        assert_eq!(rendered["event"], "system");
        let (rendered, sent) = (&rendered["request"], &sent["request"]);
        for part in ["method", "url", "body"] {
            assert_eq!(rendered[part], sent[part]);
        }
        for header in ["content-type", "user-agent", "authorization"] {
            assert_eq!(rendered["headers"][header], sent["headers"][header]);
        }
        assert_eq!(rendered["headers"]["authorization"], "********");
    }
    settings["target"]["url"] = json!("nowhere");
    let refused = hitwire.admin().send("POST", "/v2/integration/render", &settings).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/target/url");
}
