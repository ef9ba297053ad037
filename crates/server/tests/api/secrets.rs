//! Secrets go in and do not come out.

use crate::support::{Hitwire, Receiver, hit, until};
use hitwire_event::{ClientId, Event, EventId, Kind};
use hitwire_store::{Append, Op, Options, SqliteStore, Store};
use serde_json::{Value, json};

const SECRET: &str = "Bearer of-the-receiver-7f3a9c";

fn with_secret(url: &str) -> Value {
    json!({"target": {"url": url, "headers": {"Authorization": SECRET}}, "events": [{"event": "siem"}]})
}

#[tokio::test]
async fn no_answer_shows_a_header_value_and_only_the_creation_shows_the_signing_secret() {
    let receiver = Receiver::start().await;
    receiver.answer(500);
    let hitwire = Hitwire::start().await;
    let created = hitwire.create(&with_secret(&receiver.url())).await;
    let signing = created["signing_secret"].as_str().expect("a secret").to_owned();
    assert_eq!(created["target"]["headers"], json!({"Authorization": "********"}));
    let path = format!("/v2/integration/{}", created["id"]);
    hitwire.send(&hit(1)).await.expect(202);
    until(async || !receiver.received().is_empty()).await;
    let admin = hitwire.admin();
    let mut answers = vec![
        admin.get("/v2/integration").await,
        admin.get(&path).await,
        admin.send("PUT", &path, &json!({"name": "other"})).await,
        admin.send("PUT", &path, &with_secret("http://127.0.0.1:1/x y")).await,
    ];
    until(async || admin.get(&format!("{path}/attempts")).await.expect(200)["attempts"] != json!([])).await;
    for call in ["attempts", "lost", "status"] {
        answers.push(admin.get(&format!("{path}/{call}")).await);
    }
    answers.push(admin.call("DELETE", &path).await);
    for answer in answers {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!text.contains(SECRET) && !text.contains(&signing), "{text}");
    }
}

#[tokio::test]
async fn a_masked_or_left_out_secret_keeps_its_value() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let created = hitwire.create(&with_secret(&receiver.url())).await;
    let path = format!("/v2/integration/{}", created["id"]);
    let masked = json!({"target": {"url": receiver.url(), "headers": {"authorization": "********", "X-New": "n"}, "timeout": 9}});
    hitwire.admin().send("PUT", &path, &masked).await.expect(200);
    let left_out = json!({"target": {"url": receiver.url(), "timeout": 10}});
    hitwire.admin().send("PUT", &path, &left_out).await.expect(200);
    hitwire.send(&hit(1)).await.expect(202);
    until(async || receiver.received().len() == 1).await;
    let headers = &receiver.received()[0].headers;
    assert_eq!(
        (&headers["authorization"], &headers["x-new"]),
        (&SECRET.parse().expect("a value"), &"n".parse().expect("a value"))
    );
}

#[tokio::test]
async fn empty_headers_mean_none() {
    let hitwire = Hitwire::start().await;
    for none in [json!({}), json!(null)] {
        let created = hitwire.create(&with_secret("https://example.com/")).await;
        let path = format!("/v2/integration/{}", created["id"]);
        let body = json!({"target": {"url": "https://example.com/", "headers": none}});
        let changed = hitwire.admin().send("PUT", &path, &body).await.expect(200);
        assert_eq!(changed["body"]["object"]["target"]["headers"], json!({}));
    }
}

#[tokio::test]
async fn a_change_of_where_it_goes_or_whom_it_trusts_needs_every_secret_again() {
    let hitwire = Hitwire::start().await;
    let created = hitwire.create(&with_secret("https://example.com/a")).await;
    let path = format!("/v2/integration/{}", created["id"]);
    let put = async |target: Value| hitwire.admin().send("PUT", &path, &json!({"target": target})).await;
    put(json!({"url": "https://example.com:443/b?c"})).await.expect(200);
    let elsewhere =
        put(json!({"url": "https://evil.example/", "headers": {"Authorization": "********"}})).await;
    insta::assert_snapshot!(elsewhere.shown());
    for moved in [
        json!({"url": "http://example.com/b"}),
        json!({"url": "https://example.com:8443/b"}),
        json!({"url": "https://EXAMPLE.org/b"}),
        json!({"url": "https://example.com/b", "ca_verify": false}),
    ] {
        let problem = put(moved.clone()).await.expect(422);
        assert_eq!(problem["errors"][0]["pointer"], "/target/headers/Authorization", "{moved}: {problem}");
    }
    put(json!({"url": "https://elsewhere.example/", "headers": {"Authorization": "another"}}))
        .await
        .expect(200);
    put(json!({"url": "https://third.example/", "headers": {}})).await.expect(200);
    put(json!({"url": "https://fourth.example/"})).await.expect(200);
}

#[tokio::test]
async fn the_mask_is_never_stored() {
    let hitwire = Hitwire::start().await;
    let body = json!({"target": {"url": "https://example.com/", "headers": {"Authorization": "********"}}});
    let answer = hitwire.admin().send("POST", "/v2/integration", &body).await;
    insta::assert_snapshot!(answer.shown());
    let created = hitwire.create(&with_secret("https://example.com/")).await;
    let path = format!("/v2/integration/{}", created["id"]);
    let body = json!({"target": {"url": "https://example.com/", "headers": {"X-Other": "********"}}});
    hitwire.admin().send("PUT", &path, &body).await.expect(422);
}

#[tokio::test]
async fn what_an_older_version_kept_of_a_hits_headers_is_not_shown() {
    let mut hitwire = Hitwire::start().await;
    hitwire.stop().await;
    let store = SqliteStore::open(Options::new(hitwire.data_dir())).expect("opened");
    let body = r#"{"type":"sqli","object_type":"hit","headers":{"Host":"a","Cookie":"s3cret"}}"#;
    let event = Event { client: ClientId(1), kind: Kind::Hit, id: EventId::from("i/d"), body: body.into() };
    let append = Append { events: vec![event], deduplicate: false, checkpoint: None };
    store.commit(vec![Op::Append(append)]).await.expect("kept");
    store.close().await.expect("closed");
    drop(store);
    hitwire.restart().await;
    let events = hitwire.admin().get("/v1/events").await.expect(200);
    let headers = &events["events"][0]["body"]["headers"];
    assert_eq!(*headers, json!({"Host": "a", "Cookie": "[redacted]"}), "{events}");
}

#[tokio::test]
async fn no_secret_is_in_any_file_in_clear() {
    let mut hitwire = Hitwire::start().await;
    let created = hitwire.create(&with_secret("https://example.com/path-of-the-url")).await;
    let signing = created["signing_secret"].as_str().expect("a secret").to_owned();
    hitwire.stop().await;
    for entry in std::fs::read_dir(hitwire.data_dir()).expect("listed") {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).expect("read");
        for secret in [SECRET, &signing, "path-of-the-url", crate::support::ADMIN] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {}", path.display());
        }
    }
}
