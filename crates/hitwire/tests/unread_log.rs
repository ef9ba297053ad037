//! Log lines that cannot be written: the reader of standard error has gone, reads nothing, or its disk is full.

use crate::support::{PlainReceiver, RunningServer, hits, in_time, integration};
use http::Method;
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{PipeReader, pipe};
use std::process::Stdio;
use std::time::Duration;

/// Takes events, delivers them, writes log lines, and stops: whatever becomes of the lines.
async fn all_goes_on(server: RunningServer, break_log: impl FnOnce()) {
    let mut receiver = PlainReceiver::start().await;
    integration::of_hits_at(&server, &receiver.url(), "", json!({})).await;
    server.accept(&hits::hits("log", 0, 0..1)).await;
    receiver.until_received("logs0n0000000000").await;
    break_log();
    // An integration that hitwire disables by itself is worth a warning.
    let gone = PlainReceiver::answering("410 Gone").await;
    let disabled = integration::of_hits_at(&server, &gone.url(), "", json!({})).await;
    let api = server.api();
    let mut numbers = 1..;
    let mut deliver = async || {
        let n = numbers.next().expect("there are enough");
        server.accept(&hits::hits("log", 0, n..=n)).await;
        receiver.until_received(&format!("logs0n{n:0>10}")).await;
    };
    deliver().await;
    in_time("the integration to be disabled", async {
        while integration::status(&server, disabled.id).await["active"] != false {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    Box::pin(in_time("dropped lines to be counted", async {
        loop {
            let metrics = api.request(Method::GET, "/metrics", ()).await.expect("an answer");
            let text = String::from_utf8_lossy(&metrics.body).into_owned();
            let line = text.lines().find(|line| line.starts_with("hitwire_log_lines_dropped_total "));
            let dropped: f64 = line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).expect("a number");
            if dropped > 0.0 {
                return;
            }
            // A reader that reads nothing is noticed when the pipe, and what waits for it, are full.
            for _ in 0..20 {
                deliver().await;
            }
        }
    }))
    .await;
    for _ in 0..10 {
        deliver().await;
    }
    server.ready().await;
    assert_eq!(server.terminate().await.code(), Some(0));
}

/// Every step of every request is logged, so that a pipe is full at once.
const FLAGS: [&str; 3] = ["--allow-http", "--log", "trace"];

async fn with_pipe() -> (RunningServer, PipeReader, tempfile::TempDir) {
    let data = tempfile::tempdir().unwrap();
    let (reader, writer) = pipe().unwrap();
    let server = RunningServer::start_with_stderr(data.path(), &FLAGS, Stdio::from(writer)).await;
    (server, reader, data)
}

#[tokio::test]
async fn nothing_stops_when_the_reader_of_the_log_goes_away() {
    let (server, reader, _data) = with_pipe().await;
    Box::pin(all_goes_on(server, move || drop(reader))).await;
}

#[tokio::test]
async fn nothing_stops_when_the_reader_of_the_log_reads_nothing() {
    let (server, reader, _data) = with_pipe().await;
    Box::pin(all_goes_on(server, || {})).await;
    drop(reader);
}

#[tokio::test]
async fn nothing_stops_when_the_logs_disk_is_full() {
    let data = tempfile::tempdir().unwrap();
    let full: File = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let server = RunningServer::start_with_stderr(data.path(), &FLAGS, Stdio::from(full)).await;
    Box::pin(all_goes_on(server, || {})).await;
}

#[tokio::test]
async fn a_command_whose_reader_goes_away_ends_quietly() {
    for words in ["completions bash", "man", "--help", "serve --help", "nonsense"] {
        let exe = env!("CARGO_BIN_EXE_hitwire");
        // `true` reads nothing and is gone at once; standard error goes the same way.
        let script = format!("set -o pipefail; {exe} {words} 2>&1 | true; echo ${{PIPESTATUS[0]}}");
        let mut command = tokio::process::Command::new("bash");
        let output = in_time(words, command.args(["-c", &script]).output()).await.unwrap();
        let code = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        assert!(["0", "1", "2"].contains(&code.as_str()), "{words}: exit code {code}: a panic has 101");
        assert!(output.stderr.is_empty(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
