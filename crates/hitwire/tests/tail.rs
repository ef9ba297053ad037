//! `hitwire tail`: the newest events in a terminal, and those that come.

use crate::integration::hitwire_with;
use crate::support::{Program, RunningServer, TOKEN, hits};
use serde_json::Value;

fn tail(server: &RunningServer, flags: &[&str]) -> Program {
    let variables = [("HITWIRE_SERVER", server.url()), ("HITWIRE_TOKEN", TOKEN)];
    Program::start(&[&["tail"], flags].concat(), &variables)
}

fn seq(line: &str) -> u64 {
    let event: Value = serde_json::from_str(line).expect("one JSON object a line");
    event["seq"].as_u64().expect("a position")
}

#[tokio::test]
async fn the_newest_events_are_shown_and_then_those_that_come() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(dir.path(), &[]).await;
    server.accept(&hits::hits("tail", 0, 0..5)).await;
    let mut shown = tail(&server, &["-n", "2"]);
    insta::assert_snapshot!(
        shown.next_line().await.unwrap(),
        @"  07:31:54 sqli     monitored 203.0.113.7     GET shop.example.com/search  GET_q_value  ' or 3=3--"
    );
    assert!(shown.next_line().await.unwrap().contains("4=4"));
    server.accept(&hits::hits("tail", 0, 7..8)).await;
    assert!(shown.next_line().await.unwrap().contains("7=7"));
}

#[tokio::test]
async fn programs_get_one_object_a_line_of_the_kinds_they_want() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(dir.path(), &[]).await;
    server.accept(&hits::hits("tail", 0, 0..2)).await;
    let finding = serde_json::json!({"object_type": "vuln", "title": "No HSTS", "threat": "Low", "domain": "a", "type": "Info"});
    server.accept(&finding).await;
    let flags = ["tail", "--no-follow", "--kind", "security_issue_low", "--output", "json"];
    let ended = hitwire_with(&server, &[], &flags).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let event: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&event["seq"], &event["kind"]), (&3.into(), &"security_issue_low".into()));
    assert_eq!(event["body"]["title"], "No HSTS");
}

#[tokio::test]
async fn a_stream_is_taken_up_where_it_ended() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(dir.path(), &[]).await;
    let listen = server.url().trim_start_matches("http://").to_owned();
    server.accept(&hits::hits("tail", 0, 0..1)).await;
    let mut shown = tail(&server, &["--output", "json"]);
    assert_eq!(seq(&shown.next_line().await.unwrap()), 1);
    server.terminate().await;
    shown.says("taking it up again").await;
    let again = RunningServer::start(dir.path(), &["--listen", &listen]).await;
    again.accept(&hits::hits("tail", 0, 1..3)).await;
    assert_eq!(seq(&shown.next_line().await.unwrap()), 2);
    assert_eq!(seq(&shown.next_line().await.unwrap()), 3);
}

#[tokio::test]
async fn what_comes_while_a_stream_is_broken_is_shown_even_if_nothing_was_shown_before() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(dir.path(), &["--log", "hitwire_api=debug"]).await;
    let listen = server.url().trim_start_matches("http://").to_owned();
    server.accept(&hits::hits("tail", 0, 0..1)).await;
    let mut shown = tail(&server, &["-n", "0", "--output", "json"]);
    // The page that says where the log ends has been asked for, and so has the stream.
    crate::support::in_time("the stream", async {
        while server.log().matches("method=GET route=\"/v1/events\"").count() < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
    server.terminate().await;
    shown.says("taking it up again").await;
    let again = RunningServer::start(dir.path(), &["--listen", &listen]).await;
    again.accept(&hits::hits("tail", 0, 1..2)).await;
    assert_eq!(seq(&shown.next_line().await.unwrap()), 2);
}

#[tokio::test]
async fn what_an_attacker_sent_cannot_act_on_the_terminal_that_shows_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(dir.path(), &[]).await;
    let mut hostile = hits::hit("tail", 0, 1);
    hostile["payloads"] = serde_json::json!(["\u{1b}[2J\u{9b}31m\u{202e}\n"]);
    server.accept(&hostile).await;
    for flags in [&["--no-follow"][..], &["--no-follow", "--output", "json"]] {
        let shown = hitwire_with(&server, &[], &[&["tail"], flags].concat()).await;
        let line = shown.stdout.trim_end_matches('\n');
        assert_eq!(hitwire_event::escape::visible(line), line, "something got through");
    }
}
