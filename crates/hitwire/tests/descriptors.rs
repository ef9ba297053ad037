//! Few file descriptors: callers who take all they can get leave enough for deliveries.

use crate::support::{PlainReceiver, Program, RunningServer, TOKEN, hits, integration};
use serde_json::json;
use std::time::Duration;
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
