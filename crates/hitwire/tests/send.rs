//! `hitwire send`: events that are JSON already, into a running server.

use crate::integration::{hitwire_with, json};
use crate::support::{Finished, RunningServer, TOKEN, hits, in_time, integration, run_with_input};
use hitwire::listen::{Listener, Options};
use serde_json::Value;
use std::path::Path;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

fn file(dir: &Path, text: &str) -> String {
    let path = dir.join("events.json");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn lines(numbers: impl IntoIterator<Item = u64>) -> String {
    numbers.into_iter().flat_map(|n| [hits::hit("send", 0, n).to_string(), "\n".to_owned()]).collect()
}

async fn piped(server: &RunningServer, flags: &[&str], input: &str) -> Finished {
    let variables = [("HITWIRE_SERVER", server.url()), ("HITWIRE_TOKEN", TOKEN)];
    run_with_input(&[&["send", "-"], flags].concat(), &variables, input.as_bytes()).await
}

#[tokio::test]
async fn a_file_is_delivered_in_its_order_however_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    let mut receiver = Listener::start(Options::on_loopback().unwrap()).await.unwrap();
    integration::of_hits(&server, &receiver, serde_json::json!({})).await;
    let array = file(dir.path(), &format!("{:#}", hits::hits("send", 0, 0..40)));
    let sent = json(&server, &["send", &array, "--batch", "7"]).await;
    assert_eq!(sent, serde_json::json!({"accepted": 40, "duplicates": 0, "skipped": 0}));
    let again = piped(&server, &[], &lines(0..50)).await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(again.stdout.starts_with("10 events accepted, 40 there before in "), "{}", again.stdout);
    let mut numbers = Vec::new();
    while numbers.len() < 50 {
        let received = in_time("the notification", receiver.events.recv()).await.unwrap();
        numbers.extend(hits::numbered(&received).into_iter().map(|hit| hit.n));
    }
    assert_eq!(numbers, (0..50).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_refused_item_stops_it_and_is_named_by_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(dir.path(), &[]).await;
    let bad = format!("{}{{\"object_type\":\"hit\"}}\n{}", lines(0..3), lines(3..5));
    let stopped = piped(&server, &["--batch", "2"], &bad).await;
    assert_eq!(stopped.code, Some(1));
    insta::assert_snapshot!(stopped.stderr, @r#"error: standard input: line 4: type: this field is required: the attack type, such as "sqli"; nothing from line 3 on was taken (before that: 2 events accepted)"#);
    let broken = piped(&server, &[], &format!("{}{{\"broken\":\n", lines(0..3))).await;
    assert_eq!(broken.code, Some(1));
    insta::assert_snapshot!(broken.stderr, @"error: standard input: line 4: this is not JSON: EOF while parsing a value; nothing from this line on was taken (before that: 1 event accepted, 2 there before)");
}

#[tokio::test]
async fn refused_items_are_left_out_and_named_where_that_is_wished() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(dir.path(), &[]).await;
    let bad = format!("{}{{\"object_type\":\"hit\"}}\nno json\n{}", lines(0..3), lines(3..5));
    let sent = piped(&server, &["--invalid", "skip", "--output", "json"], &bad).await;
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    let counts: Value = serde_json::from_str(&sent.stdout).unwrap();
    assert_eq!(counts, serde_json::json!({"accepted": 5, "duplicates": 0, "skipped": 2}));
    let mut named: Vec<_> = sent.stderr.lines().collect();
    named.sort_unstable();
    assert!(named[0].starts_with("skipped: standard input: line 4: type: "), "{}", sent.stderr);
    assert!(named[1].starts_with("skipped: standard input: line 5: this is not JSON: "), "{}", sent.stderr);
}

/// A server that has no room at first: it answers one call with each of these, then every call like the last.
async fn server_answering(answers: &'static [&'static str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut answers = answers.iter().peekable();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            loop {
                let (mut length, mut line) = (0, String::new());
                while stream.read_line(&mut line).await.unwrap_or(0) > 0 && line != "\r\n" {
                    let header = line.to_ascii_lowercase();
                    if let Some(value) = header.strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    line.clear();
                }
                if line.is_empty() {
                    break;
                }
                stream.read_exact(&mut vec![0; length]).await.unwrap();
                let answer = answers.peek().unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
                if answers.len() > 1 {
                    answers.next();
                }
            }
        }
    });
    url
}

const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n";
const TAKEN: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 32\r\n\r\n{\"accepted\":1,\"duplicates\":0   }";

#[tokio::test]
async fn a_server_without_room_is_asked_again_when_it_says() {
    let url = server_answering(&[BUSY, BUSY, TAKEN]).await;
    let sent =
        run_with_input(&["send", "-", "--server", &url], &[("HITWIRE_TOKEN", TOKEN)], lines(0..1).as_bytes())
            .await;
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    assert_eq!(sent.stderr.matches("trying again in 0 s").count(), 2, "{}", sent.stderr);
}

#[tokio::test]
async fn what_stands_in_the_way_of_sending_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(dir.path(), &[]).await;
    let nowhere = hitwire_with(&server, &[], &["send", "/nonexistent.json"]).await;
    assert_eq!(nowhere.code, Some(2));
    assert!(nowhere.stderr.contains("cannot open /nonexistent.json"), "{}", nowhere.stderr);
    let unknown = hitwire_with(&server, &[("HITWIRE_TOKEN", "unknown")], &["send", "/dev/stdin"]).await;
    assert_eq!(unknown.code, Some(0), "nothing was to be sent: {}", unknown.stderr);
    let unknown = run_with_input(
        &["send", "-", "--server", server.url()],
        &[("HITWIRE_TOKEN", "unknown")],
        lines(0..1).as_bytes(),
    )
    .await;
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("401"), "{}", unknown.stderr);
}
