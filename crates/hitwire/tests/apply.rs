//! `hitwire apply`: integrations as a file says they shall be.

use crate::integration::{hitwire_with, json, receiver};
use crate::support::{Finished, RunningServer, hits, in_time};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A file of two integrations, one with a header whose value is in a variable.
fn file(dir: &Path, url: &str, timeout: u64) -> PathBuf {
    let path = dir.join("integrations.toml");
    let text = format!(
        r#"
        [[integration]]
        name = "SIEM"
        events = [{{ event = "siem", with_headers = true }}]
        [integration.target]
        url = "{url}"
        ca_file = {{ file = "receiver-ca.pem" }}
        headers = {{ X-Api-Key = {{ env = "SIEM_KEY" }} }}
        timeout = {timeout}

        [[integration]]
        name = "Chat"
        active = false
        events = ["security_issue_critical", "system"]
        target = {{ url = "https://chat.example.com/hook", rendering = "envelope", max_events = 1 }}
        "#
    );
    std::fs::write(&path, text).unwrap();
    path
}

async fn apply(server: &RunningServer, file: &Path, flags: &[&str]) -> Finished {
    let args = [&["apply", file.to_str().unwrap()], flags].concat();
    hitwire_with(server, &[("SIEM_KEY", "s3cret-key")], &args).await
}

#[tokio::test]
async fn a_file_is_carried_out_once_and_then_nothing_is_left_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    let (mut receiver, _) = receiver(dir.path()).await;
    let file = file(dir.path(), &receiver.url(), 15);

    let dry = apply(&server, &file, &["--dry-run"]).await;
    assert_eq!(dry.code, Some(3), "{}", dry.stderr);
    insta::assert_snapshot!(dry.stdout.replace(&receiver.url(), "[url]"), @r"
              INTEGRATION  WHAT CHANGES
    + create  SIEM         [url]
    + create  Chat         https://chat.example.com/hook
    ");
    assert_eq!(json(&server, &["integration", "list"]).await, json!([]), "a dry run changes nothing");

    let asked = apply(&server, &file, &[]).await;
    assert_eq!(asked.code, Some(2), "without a terminal it must not guess: {}", asked.stderr);
    let secrets = dir.path().join("secrets");
    let done = apply(&server, &file, &["--yes", "--secrets-out", secrets.to_str().unwrap()]).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stdout.contains("created SIEM (1)\ncreated Chat (2)\n"), "{}", done.stdout);
    assert!(!done.stdout.contains("whsec_") && !done.stdout.contains("s3cret"), "{}", done.stdout);
    let secrets = std::fs::read_to_string(secrets).unwrap();
    let secret = secrets.lines().find(|line| line.ends_with(" 1 SIEM")).unwrap().split(' ').next().unwrap();

    let again = apply(&server, &file, &["--yes"]).await;
    assert_eq!((again.code, &*again.stdout), (Some(0), "nothing to do: 2 integrations up to date\n"));
    assert_eq!(apply(&server, &file, &["--dry-run"]).await.code, Some(0));

    receiver.check_with(secret.to_owned());
    server.accept(&hits::hits("apply", 0, 0..1)).await;
    let received = in_time("the notification", receiver.events.recv()).await.unwrap();
    assert_eq!(received.signature.to_string(), "signature verified");
}

#[tokio::test]
async fn what_differs_is_changed_and_pruning_deletes_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    let (receiver, _) = receiver(dir.path()).await;
    let first = file(dir.path(), &receiver.url(), 15);
    assert_eq!(apply(&server, &first, &["--yes"]).await.code, Some(0));
    json(&server, &["integration", "add", "--name", "Old", "--url", "https://old.example.com/"]).await;

    let second = file(dir.path(), &receiver.url(), 30);
    let planned = apply(&server, &second, &["--dry-run", "--prune", "--output", "json"]).await;
    let plan: Value = serde_json::from_str(&planned.stdout).unwrap();
    assert_eq!(
        plan,
        json!({
            "applied": false,
            "changes": [
                {"action": "change", "id": 1, "name": "SIEM", "fields": ["target.timeout"]},
                {"action": "delete", "id": 3, "name": "Old"},
            ],
            "unchanged": 1,
        })
    );
    let done = apply(&server, &second, &["--yes", "--prune"]).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let list = json(&server, &["integration", "list"]).await;
    let names: Vec<_> = list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["SIEM", "Chat"]);
    assert_eq!(list[0]["target"]["timeout"], 30);
    assert_eq!(list[0]["target"]["headers"], json!({"X-Api-Key": "********"}));

    let quiet = apply(&server, &second, &["--yes"]).await;
    assert!(quiet.stdout.starts_with("nothing to do"), "{}", quiet.stdout);
    let secrets = apply(&server, &second, &["--yes", "--resend-secrets"]).await;
    assert!(secrets.stdout.contains("secrets sent again") && secrets.stdout.contains("changed SIEM (1)"));
}

#[tokio::test]
async fn what_is_wrong_in_the_file_is_said_before_anything_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    let path = dir.path().join("a.yaml");
    std::fs::write(&path, "integrations:\n  - name: SIEM\n    target:\n      url: ftp://a/\n").unwrap();
    let refused = apply(&server, &path, &["--yes"]).await;
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.starts_with("error: SIEM: the server refuses this"), "{}", refused.stderr);
    assert!(refused.stderr.contains("/target/url: "), "{}", refused.stderr);

    std::fs::write(&path, "integrations:\n  - name: SIEM\n    target:\n      uri: https://a/\n").unwrap();
    let slip = apply(&server, &path, &["--yes"]).await;
    assert_eq!(slip.code, Some(2));
    assert!(slip.stderr.contains("unknown field") && slip.stderr.contains("uri"), "{}", slip.stderr);
    println!("{}", slip.stderr);

    let unset = file(dir.path(), "https://a/", 15);
    std::fs::write(dir.path().join("receiver-ca.pem"), "").unwrap();
    let missing = hitwire_with(&server, &[], &["apply", unset.to_str().unwrap(), "--yes"]).await;
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.contains("the variable SIEM_KEY is not set"), "{}", missing.stderr);
}
