//! `hitwire listen`, as a user tries out a sender with it.

use crate::support::{Program, Sender, in_time, run};
use hitwire::api::{Body, Client};
use hitwire::listen::{Listener, Options};
use hitwire_event::escape;
use http::{Method, StatusCode};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const OTHER_SECRET: &str = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

const HIT: &str = r#"[{"method":"GET","domain":"example.com","path":"/","parameter":"GET_id_value",
    "payloads":["'or 1=1--"],"remote_addr4":"111.17.1.1","request_time":1591261367,"type":"sqli",
    "block_status":"monitored","object_type":"hit"}]"#;

/// A listener of the binary, and a sender that trusts it.
struct Listening {
    program: Program,
    sender: Sender,
}

impl Listening {
    async fn start(dir: &Path, flags: &[&str]) -> Self {
        let kept = dir.to_str().unwrap();
        let args = [&["listen", "--addr", "127.0.0.1:0", "--dir", kept], flags].concat();
        let mut program = Program::start(&args, &[]);
        let machine = flags.contains(&"json");
        let greeting =
            if machine { program.says("https://").await } else { program.line_with("https://").await };
        let url = greeting.split_whitespace().find(|word| word.starts_with("https://")).unwrap().to_owned();
        let ca_pem = std::fs::read_to_string(dir.join("ca.pem")).unwrap();
        Listening { program, sender: Sender::to(&url, &ca_pem) }
    }
}

#[tokio::test]
async fn a_notification_is_shown_as_one_line_for_each_hit() {
    let dir = tempfile::tempdir().unwrap();
    let mut listening = Listening::start(dir.path(), &[]).await;
    assert_eq!(listening.sender.status("msg_1", HIT, &[]).await, 200);
    let request = listening.program.line_with("POST /").await;
    assert!(
        request.contains("1 hit  ") && request.contains("msg_1") && request.contains("unsigned"),
        "{request}"
    );
    insta::assert_snapshot!(
        listening.program.next_line().await.unwrap(),
        @"  09:02:47 sqli     monitored 111.17.1.1      GET example.com/  GET_id_value  'or 1=1--"
    );
}

#[tokio::test]
async fn what_an_attacker_sends_cannot_act_on_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let mut listening = Listening::start(dir.path(), &[]).await;
    let hostile = "\\u001b[2J\\u0007\\u009b31m\u{202e}\\n\u{200b}";
    let body = HIT.replace("'or 1=1--", hostile).replace("example.com", hostile).replace("sqli", hostile);
    listening.sender.status("msg_hostile", body, &[]).await;
    listening.sender.status("msg_broken", "\u{1b}]0;owned\u{7}", &[]).await;
    listening.program.line_with("msg_hostile").await;
    let hit = listening.program.next_line().await.unwrap();
    listening.program.line_with("msg_broken").await;
    let error = listening.program.next_line().await.unwrap();
    let broken = listening.program.next_line().await.unwrap();
    for line in [&hit, &error, &broken] {
        assert_eq!(escape::visible(line), line.as_str(), "something got through");
    }
    assert!(hit.contains("\\u{1b}[2J") && broken.contains("\\u{1b}]0;owned"), "{hit}\n{broken}");
}

#[tokio::test]
async fn signatures_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let mut listening = Listening::start(dir.path(), &["--secret", SECRET]).await;
    listening.sender.status("msg_right", HIT, &[SECRET]).await;
    listening.sender.status("msg_rotated", HIT, &[OTHER_SECRET, SECRET]).await;
    listening.sender.status("msg_wrong", HIT, &[OTHER_SECRET]).await;
    listening.sender.status("msg_unsigned", HIT, &[]).await;
    for (id, expected) in [
        ("msg_right", "signature verified"),
        ("msg_rotated", "signature verified"),
        ("msg_wrong", "signature WRONG"),
        ("msg_unsigned", "unsigned"),
    ] {
        let line = listening.program.line_with(id).await;
        assert!(line.contains(expected), "{line}");
    }
}

#[tokio::test]
async fn machines_get_one_line_of_json_for_each_notification() {
    let dir = tempfile::tempdir().unwrap();
    let mut listening = Listening::start(dir.path(), &["--output", "json", "--secret", SECRET]).await;
    listening.sender.status("msg_1", HIT.replace("1591261367", "1.50"), &[SECRET]).await;
    listening.sender.status("msg_2", "not json", &[OTHER_SECRET]).await;
    let first = listening.program.next_line().await.unwrap();
    let parsed: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(parsed["webhook_id"], "msg_1");
    assert_eq!(parsed["signature"], "verified");
    assert_eq!(parsed["answered"], 200);
    assert_eq!(parsed["objects"][0]["type"], "sqli");
    assert!(first.contains(":1.50"), "a number was rewritten: {first}");
    let second: Value = serde_json::from_str(&listening.program.next_line().await.unwrap()).unwrap();
    assert_eq!(second["signature"], "wrong");
    assert!(second["body_error"].as_str().unwrap().starts_with("the body is not JSON"), "{second}");
    assert_eq!(second["objects"], Value::Null);
}

#[tokio::test]
async fn both_versions_of_http_are_spoken() {
    let dir = tempfile::tempdir().unwrap();
    let mut listening = Listening::start(dir.path(), &[]).await;
    let over_http2 = listening.sender.send("msg_1", HIT, &[]).await;
    assert_eq!(over_http2.http_version, Some(http::Version::HTTP_2));
    let ca_pem = std::fs::read_to_string(dir.path().join("ca.pem")).unwrap();
    let over_http1 = Client::new(listening.sender.url(), None, Some(&ca_pem)).unwrap();
    let put = over_http1.request(Method::PUT, "/hook?a=1", Body::Json(HIT.into())).await.unwrap();
    assert_eq!(put.status, StatusCode::OK);
    let line = listening.program.line_with("PUT").await;
    assert!(line.contains("PUT /hook?a=1  1 hit  "), "{line}");
    let get = over_http1.request(Method::GET, "/", ()).await.unwrap();
    assert_eq!(get.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_receiver_that_does_not_read_slows_its_sender_and_loses_nothing() {
    let mut listener = Listener::start(Options::on_loopback().unwrap()).await.unwrap();
    let sender = Sender::to(&listener.url(), &listener.ca_pem);
    let mut sent = 0;
    let waiting = loop {
        let (id, sender) = (format!("msg_{sent}"), &sender);
        let mut sending = Box::pin(async move { sender.status(&id, HIT, &[]).await });
        sent += 1;
        match tokio::time::timeout(Duration::from_secs(1), &mut sending).await {
            Ok(status) => assert_eq!(status, 200),
            Err(_) => break sending,
        }
        assert!(sent < 10_000, "nothing bounds what is received and not read");
    };
    let reading = async {
        for number in 0..sent {
            let received = in_time("what was sent", listener.events.recv()).await.unwrap();
            assert_eq!(received.webhook_id, Some(format!("msg_{number}")));
        }
    };
    let (status, ()) = tokio::join!(waiting, reading);
    assert_eq!(status, 200);
}

#[tokio::test]
async fn failures_come_as_often_as_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut listening = Listening::start(dir.path(), &["--fail", "500:50", "--slow", "1ms"]).await;
    let mut statuses = Vec::new();
    for number in 0..4 {
        statuses.push(listening.sender.status(&format!("msg_{number}"), HIT, &[]).await);
    }
    assert_eq!(statuses, [200, 500, 200, 500]);
    let line = listening.program.line_with("msg_1").await;
    assert!(line.ends_with("answered 500"), "{line}");
}

#[tokio::test]
async fn a_slow_listener_answers_after_the_wait() {
    let dir = tempfile::tempdir().unwrap();
    let listening = Listening::start(dir.path(), &["--slow", "300ms"]).await;
    let sent = listening.sender.send("msg_1", HIT, &[]).await;
    assert_eq!(sent.outcome.unwrap().status, 200);
    let waited = sent.timings.total;
    assert!(waited >= Duration::from_millis(300), "answered after {waited:?}");
}

#[tokio::test]
async fn the_authority_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let first = Listening::start(dir.path(), &[]).await;
    let before = std::fs::read_to_string(dir.path().join("ca.pem")).unwrap();
    first.program.kill().await;
    let out = dir.path().join("copy.pem");
    let second = Listening::start(dir.path(), &["--ca-out", out.to_str().unwrap()]).await;
    assert_eq!(std::fs::read_to_string(out).unwrap(), before);
    assert_eq!(second.sender.status("msg_1", HIT, &[]).await, 200);
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_refused_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut listening = Listening::start(dir.path(), &[]).await;
    let sent = listening.sender.send("msg_1", vec![b' '; hitwire::listen::BODY_BYTES_MAX + 1], &[]).await;
    if let Ok(response) = sent.outcome {
        assert_eq!(response.status, 413);
    }
    let trouble = listening.program.line_with("trouble").await;
    assert!(trouble.ends_with("a body of more than 8 MiB was refused"), "{trouble}");
}

#[tokio::test]
async fn a_sender_that_does_not_trust_the_authority_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut listening = Listening::start(dir.path(), &[]).await;
    let url = listening.sender.url().to_owned();
    let sent = Sender::to(&url, "").send("msg_1", HIT, &[]).await;
    assert!(sent.outcome.is_err(), "a certificate of a private authority was taken");
    let trouble = listening.program.line_with("trouble").await;
    assert!(trouble.contains("the TLS handshake failed"), "{trouble}");
}

#[tokio::test]
async fn ctrl_c_ends_it_with_a_count() {
    let dir = tempfile::tempdir().unwrap();
    let mut listening = Listening::start(dir.path(), &["--fail", "100"]).await;
    assert_eq!(listening.sender.status("msg_1", HIT, &[]).await, 503);
    listening.program.line_with("msg_1").await;
    listening.program.signal(rustix::process::Signal::INT);
    insta::assert_snapshot!(listening.program.line_with("1 notification").await, @"1 notification, 1 object, 1 failure answered");
    assert_eq!(listening.program.ended().await.code(), Some(0));
}

#[tokio::test]
async fn what_cannot_be_listened_to_is_said_in_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().to_str().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let finished = run(&["listen", "--dir", kept, "--addr", &addr]).await;
    assert_eq!(finished.code, Some(1));
    assert_eq!(
        finished.stderr,
        format!("error: cannot listen on {addr}: Address already in use (os error 98)\n")
    );
    let finished = run(&["listen", "--dir", kept, "--addr", "127.0.0.1:0", "--secret", "hunter2"]).await;
    assert_eq!(finished.code, Some(2));
    assert_eq!(
        finished.stderr,
        "error: --secret: a signing secret begins with whsec_, a public key with whpk_\n"
    );
}
