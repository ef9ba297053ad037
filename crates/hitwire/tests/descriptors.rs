//! Few file descriptors: callers who take all they can get leave enough for deliveries.

use crate::support::{PlainReceiver, Program, RunningServer, TOKEN, hits, in_time, integration};
use http::Method;
use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// A server that may have so many files open, soft and hard limit alike.
async fn limited(data: &std::path::Path, soft: u32, hard: u32) -> RunningServer {
    let script = format!(
        "ulimit -Sn {soft} && ulimit -Hn {hard} && exec {} serve --data {} --listen 127.0.0.1:0 --allow-target 127.0.0.0/8 --allow-http",
        env!("CARGO_BIN_EXE_hitwire"),
        data.display()
    );
    let mut command = tokio::process::Command::new("bash");
    command.args(["-c", &script]).env("HITWIRE_ADMIN_TOKEN", TOKEN);
    RunningServer::of(Program::spawn(command)).await
}

#[tokio::test]
async fn the_soft_limit_is_raised_to_the_hard_one() {
    let data = tempfile::tempdir().unwrap();
    let server = limited(data.path(), 300, 700).await;
    server.says("the limit of open files open_files=700 before=300").await;
    assert_eq!(server.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn callers_who_take_every_connection_leave_enough_for_deliveries() {
    let data = tempfile::tempdir().unwrap();
    let server = limited(data.path(), 256, 256).await;
    // Half for the store and such, a quarter each for connections and deliveries.
    server.says("fewer connections are taken than max_connections says").await;
    server.says("connections_max=64").await;
    let mut receivers = Vec::new();
    for _ in 0..20 {
        let receiver = PlainReceiver::start().await;
        integration::of_hits_at(&server, &receiver.url(), "", json!({})).await;
        receivers.push(receiver);
    }
    server.accept(&hits::hits("files", 0, 0..1)).await;
    for receiver in &mut receivers {
        receiver.until_received("filess0n0000000000").await;
    }
    let addr = server.url().strip_prefix("http://").unwrap().to_owned();
    let mut hostile = Vec::new();
    for _ in 0..400 {
        hostile.push(TcpStream::connect(&addr).await.expect("the system takes it"));
    }
    // As soon as a few of them are closed, a call gets through; the others stay.
    hostile.drain(..350);
    server.accept(&hits::hits("files", 0, 1..2)).await;
    for receiver in &mut receivers {
        receiver.until_received("filess0n0000000001").await;
    }
    for receiver in 0..20 {
        let status = integration::status(&server, receiver + 1).await;
        assert_eq!(status["failures_in_a_row"], 0, "{status}");
    }
    drop(hostile);
    tokio::time::sleep(Duration::from_millis(10)).await;
    let (status, log) = server.terminate_with_log().await;
    assert_eq!(status.code(), Some(0));
    assert!(!log.contains("too many files are open"), "{log}");
}

/// Takes every free descriptor away from a running server, so that whatever it opens fails with EMFILE.
fn leave_no_descriptor(server: &RunningServer) -> Rlimit {
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid().as_raw_nonzero())).unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    let open: BTreeSet<u64> = open.map(|entry| name(entry).to_str().unwrap().parse().unwrap()).collect();
    // The system hands out the lowest free number, which must be below the limit.
    let free = (0..256).find(|number| !open.contains(number)).unwrap();
    let limit = Rlimit { current: Some(free), maximum: Some(256) };
    prlimit(Some(server.pid()), Resource::Nofile, limit).unwrap()
}

/// How often a request could not be begun.
fn held(metrics: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix("hitwire_delivery_held_total "));
    line.expect("the metric").parse().expect("a number")
}

#[tokio::test]
async fn a_shortage_is_no_endpoints_failure_and_does_not_flood_the_log() {
    let data = tempfile::tempdir().unwrap();
    let server = limited(data.path(), 256, 256).await;
    // Nothing was sent to them yet: each request needs a connection of its own.
    let mut receivers = Vec::new();
    for _ in 0..20 {
        let receiver = PlainReceiver::start().await;
        integration::of_hits_at(&server, &receiver.url(), "", json!({})).await;
        receivers.push(receiver);
    }
    // What is asked meanwhile goes over a connection that is there already.
    let api = server.api();
    let mut connection = api.connect().await.expect("connected");
    connection.request(Method::GET, "/healthz", ()).await.expect("an answer");
    let began = Instant::now();
    let before = leave_no_descriptor(&server);
    let event = hits::hits("short", 0, 0..1);
    let taken = connection.request(Method::POST, "/v1/events", event).await.expect("an answer");
    assert_eq!(taken.status, 202, "{}", String::from_utf8_lossy(&taken.body));
    // Callers come as well, and cannot be let in.
    let addr = server.url().strip_prefix("http://").unwrap().to_owned();
    let waiting = TcpStream::connect(&addr).await.expect("the system takes it");
    in_time("a few tries", async {
        loop {
            let metrics = connection.request(Method::GET, "/metrics", ()).await.expect("an answer");
            if held(&String::from_utf8_lossy(&metrics.body)) >= 100 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    for id in 1..=20 {
        let path = format!("/v2/integration/{id}/status");
        let answer = connection.request(Method::GET, &path, ()).await.expect("an answer");
        let status: Value = answer.successful(&api).expect("its status");
        assert_eq!((&status["active"], &status["failures_in_a_row"]), (&json!(true), &json!(0)), "{status}");
        assert_eq!(status["last_attempt"], Value::Null, "nothing was sent: {status}");
    }
    prlimit(Some(server.pid()), Resource::Nofile, before).unwrap();
    for receiver in &mut receivers {
        receiver.until_received("shorts0n0000000000").await;
    }
    drop(waiting);
    for id in 1..=20 {
        let attempts = in_time("the delivery to be on record", async {
            loop {
                let attempts = integration::attempts(&server, id).await;
                if !attempts.is_empty() {
                    return attempts;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let attempts = attempts.await;
        assert_eq!(attempts.len(), 1, "{attempts:?}");
        assert_eq!((&attempts[0]["number"], &attempts[0]["verdict"]), (&json!(1), &json!("delivered")));
    }
    let minutes = began.elapsed().as_secs() as usize / 60 + 1;
    let (status, log) = server.terminate_with_log().await;
    assert_eq!(status.code(), Some(0));
    for line in ["a request cannot be made: too many files are open", "a connection could not be accepted"] {
        let lines = log.matches(line).count();
        // 30 in each minute, whenever the first one began.
        assert!((1..=30 * (minutes + 1)).contains(&lines), "{lines} times {line:?}: {log}");
    }
}
