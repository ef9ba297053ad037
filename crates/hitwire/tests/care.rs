//! `verify`, `backup`, `restore` and `key rotate` on the data of a real server.

use crate::support::{self, Program, RunningServer, hits, in_time, integration, next_random, run};
use hitwire::listen::{Listener, Options};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Receives until so many different hits have come.
async fn receive(receiver: &mut Listener, numbers: &mut Vec<u64>, until: usize) {
    while numbers.iter().collect::<BTreeSet<_>>().len() < until {
        let received = in_time("hits to come", receiver.events.recv()).await.expect("it listens");
        numbers.extend(hits::numbered(&received).into_iter().map(|hit| hit.n));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_running_server_goes_on_where_it_was_made() {
    let place = tempfile::tempdir().unwrap();
    let [data, backup, restored] = ["data", "backup", "restored"].map(|name| place.path().join(name));
    let mut receiver = Listener::start(Options::on_loopback().unwrap()).await.unwrap();
    let server = RunningServer::start(&data, &[]).await;
    let made = integration::of_hits(&server, &receiver, json!({})).await;
    let mut numbers = Vec::new();
    for first in [0, 10, 20] {
        server.accept(&hits::hits("r", 0, first..first + 10)).await;
    }
    receive(&mut receiver, &mut numbers, 30).await;
    let settled = async || {
        integration::status(&server, made.id).await["lanes"].to_string().contains("\"caught_up\"")
            && integration::attempts(&server, made.id)
                .await
                .iter()
                .map(|attempt| attempt["events"].as_u64().unwrap_or(0))
                .sum::<u64>()
                >= 30
    };
    while !settled().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let made = run(&["backup", text(&backup), "--data", text(&data)]).await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert!(made.stdout.contains("The key that opens the secrets is not in it"), "{}", made.stdout);
    let running = run(&["verify", text(&data), "--output", "json"]).await;
    assert_eq!(running.code, Some(0), "{}{}", running.stdout, running.stderr);
    let found: Value = serde_json::from_str(&running.stdout).unwrap();
    assert_eq!((&found["findings"], &found["secrets_opened"]), (&json!([]), &json!(true)), "{found}");
    server.kill().await;

    let brought = run(&["restore", text(&backup), "--data", text(&restored)]).await;
    assert_eq!(brought.code, Some(0), "{}", brought.stderr);
    assert!(brought.stdout.contains("put it into"), "{}", brought.stdout);
    std::fs::copy(data.join("secret.key"), restored.join("secret.key")).unwrap();
    let server = RunningServer::start(&restored, &[]).await;
    server.accept(&hits::hits("r", 0, 30..40)).await;
    receive(&mut receiver, &mut numbers, 40).await;
    assert_eq!(numbers.len(), 40, "nothing that was delivered before the backup came again: {numbers:?}");
    assert_eq!(server.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn verify_ends_with_1_and_names_what_is_damaged() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let server = RunningServer::start(&data, &[]).await;
    server.accept(&hits::hits("r", 0, 0..50)).await;
    assert_eq!(server.terminate().await.code(), Some(0));
    let whole = run(&["verify", text(&data)]).await;
    assert_eq!(whole.code, Some(0), "{}", whole.stderr);
    assert!(whole.stdout.contains("nothing is damaged or missing"), "{}", whole.stdout);
    let slice = data.join("log-00000000000000000001.db");
    let mut bytes = std::fs::read(&slice).unwrap();
    let end = bytes.len() - 100;
    bytes.truncate(end);
    std::fs::write(&slice, bytes).unwrap();
    let damaged = run(&["verify", text(&data)]).await;
    assert_eq!(damaged.code, Some(1), "{}", damaged.stdout);
    assert!(damaged.stdout.contains("log-00000000000000000001.db: "), "{}", damaged.stdout);
    assert!(damaged.stderr.contains("found"), "{}", damaged.stderr);
    let nothing = run(&["verify", text(place.path())]).await;
    assert_eq!(nothing.code, Some(1));
    assert!(nothing.stderr.contains("no data directory of hitwire"), "{}", nothing.stderr);
}

#[tokio::test]
async fn a_rotation_that_is_killed_leaves_a_key_that_opens_everything() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let receiver = Listener::start(Options::on_loopback().unwrap()).await.unwrap();
    let server = RunningServer::start(&data, &[]).await;
    for _ in 0..20 {
        integration::of_hits(&server, &receiver, json!({})).await;
    }
    assert_eq!(server.terminate().await.code(), Some(0));
    let mut random = support::seed();
    let (mut ended, mut killed) = (0, 0);
    for _ in 0..30 {
        let program = Program::start(&["key", "rotate", "--data", text(&data)], &[]);
        tokio::time::sleep(Duration::from_micros(next_random(&mut random) % 40_000)).await;
        let mut program = program;
        if program.runs() {
            program.kill().await;
            killed += 1;
        } else {
            ended += 1;
        }
        // What the next rotation or start settles, is settled by it.
        let settled = run(&["key", "rotate", "--data", text(&data)]).await;
        assert_eq!(settled.code, Some(0), "{}", settled.stderr);
        assert!(settled.stdout.starts_with("20 secrets"), "{}", settled.stdout);
        let found = run(&["verify", text(&data)]).await;
        assert_eq!(found.code, Some(0), "{}", found.stdout);
        assert!(!data.join("secret.key.next").exists());
    }
    println!("{killed} rotations killed, {ended} ended before");
    let server = RunningServer::start(&data, &[]).await;
    assert_eq!(server.terminate().await.code(), Some(0));
}
