//! `hitwire integration`, as an operator sets up and looks after webhooks.

use crate::support::{Finished, RunningServer, TOKEN, hits, in_time, run, run_with_input};
use hitwire::listen::{Listener, Options};
use serde_json::Value;
use std::path::Path;

/// The command line, with a token and what else is in the environment.
pub(crate) async fn hitwire_with(
    server: &RunningServer,
    variables: &[(&str, &str)],
    args: &[&str],
) -> Finished {
    let fixed = [("HITWIRE_SERVER", server.url()), ("HITWIRE_TOKEN", TOKEN)];
    run_with_input(args, &[&fixed, variables].concat(), b"").await
}

/// The same, which must succeed; what it printed.
pub(crate) async fn succeeds(server: &RunningServer, args: &[&str]) -> String {
    let finished = hitwire_with(server, &[], args).await;
    assert_eq!(finished.code, Some(0), "{args:?}: {}", finished.stderr);
    finished.stdout
}

/// The same, in JSON.
pub(crate) async fn json(server: &RunningServer, args: &[&str]) -> Value {
    let printed = succeeds(server, &[args, &["--output", "json"]].concat()).await;
    assert_eq!(printed.lines().count(), 1, "one line of JSON: {printed}");
    serde_json::from_str(&printed).expect("JSON")
}

/// A receiver, and the file with its CA.
pub(crate) async fn receiver(dir: &Path) -> (Listener, String) {
    let receiver = Listener::start(Options::on_loopback().unwrap()).await.unwrap();
    let ca = dir.join("receiver-ca.pem");
    std::fs::write(&ca, &receiver.ca_pem).unwrap();
    (receiver, ca.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn an_integration_made_on_the_command_line_delivers() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    let (mut receiver, ca) = receiver(dir.path()).await;
    let url = receiver.url();
    let added = succeeds(
        &server,
        &["integration", "add", "--name", "SIEM", "--url", &url, "--ca-file", &ca, "--event", "siem"],
    )
    .await;
    let secret = added.split_whitespace().find(|word| word.starts_with("whsec_")).expect("the secret");
    receiver.check_with(secret.to_owned());
    server.accept(&hits::hits("cli", 0, 0..3)).await;
    let received = in_time("the notification", receiver.events.recv()).await.unwrap();
    assert_eq!(received.object_count(), 3);
    assert_eq!(received.signature.to_string(), "signature verified");

    let list = succeeds(&server, &["integration", "list"]).await;
    let row: Vec<_> = list.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!([row[0], row[1], row[2], row[4]], ["1", "SIEM", "active", "siem"], "{list}");
    let page = succeeds(&server, &["integration", "show", "SIEM"]).await;
    assert!(page.contains("SIEM (1)") && page.contains(&url), "{page}");
}

#[tokio::test]
async fn an_edit_changes_what_it_names_and_keeps_the_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    let (mut receiver, ca) = receiver(dir.path()).await;
    let url = receiver.url();
    let key = dir.path().join("key");
    std::fs::write(&key, "from-a-file\n").unwrap();
    let from_file = format!("X-File: @{}", key.display());
    let added = hitwire_with(
        &server,
        &[("SIEM_KEY", "from-the-variable")],
        &[
            "integration",
            "add",
            "--name",
            "SIEM",
            "--url",
            &url,
            "--ca-file",
            &ca,
            "--event",
            "siem",
            "--header-from-env",
            "X-Api-Key=SIEM_KEY",
            "--header",
            &from_file,
            "--output",
            "json",
        ],
    )
    .await;
    assert_eq!(added.code, Some(0), "{}", added.stderr);
    assert!(!added.stdout.contains("from-"), "a secret was shown: {}", added.stdout);

    let changed = json(
        &server,
        &["integration", "edit", "SIEM", "--name", "New", "--timeout", "30", "--max-events", "7"],
    )
    .await;
    assert_eq!(changed["name"], "New");
    assert_eq!(changed["target"]["timeout"], 30);
    assert_eq!(changed["target"]["max_events"], 7);
    assert_eq!(changed["target"]["open_timeout"], 20);
    let reset =
        json(&server, &["integration", "edit", "1", "--unset", "max-events", "--remove-header", "x-file"])
            .await;
    assert_eq!(reset["target"]["max_events"], Value::Null);
    assert_eq!(reset["target"]["headers"], serde_json::json!({"X-Api-Key": "********"}));

    server.accept(&hits::hits("cli", 0, 0..1)).await;
    in_time("the notification", receiver.events.recv()).await.unwrap();
    let page = json(&server, &["integration", "show", "New"]).await;
    assert_eq!(page["integration"]["name"], "New");
    assert_eq!(page["status"]["failures_in_a_row"], 0);
    assert_eq!(page["lost"], serde_json::json!([]));
}

#[tokio::test]
async fn an_integration_is_disabled_enabled_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    let url = "https://127.0.0.1:1/";
    succeeds(&server, &["integration", "add", "--name", "SIEM", "--url", url, "--event", "siem"]).await;
    assert_eq!(succeeds(&server, &["integration", "disable", "SIEM"]).await, "disabled SIEM (1)\n");
    assert_eq!(json(&server, &["integration", "list"]).await[0]["active"], false);
    server.accept(&hits::hits("cli", 0, 0..4)).await;
    assert_eq!(
        succeeds(&server, &["integration", "enable", "1", "--resume", "now"]).await,
        "enabled SIEM (1)\n"
    );
    let page = succeeds(&server, &["integration", "show", "1"]).await;
    assert!(page.contains("enabled_from_now"), "what was skipped is shown: {page}");

    let asked = hitwire_with(&server, &[], &["integration", "delete", "SIEM"]).await;
    assert_eq!(asked.code, Some(2), "without a terminal it must not guess: {}", asked.stderr);
    assert!(asked.stderr.contains("--yes"), "{}", asked.stderr);
    assert_eq!(succeeds(&server, &["integration", "delete", "SIEM", "--yes"]).await, "deleted SIEM (1)\n");
    assert_eq!(json(&server, &["integration", "list"]).await, serde_json::json!([]));
}

#[tokio::test]
async fn what_the_server_refuses_is_named_by_its_flag() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(dir.path(), &[]).await;
    let refused = hitwire_with(
        &server,
        &[],
        &[
            "integration",
            "add",
            "--url",
            "ftp://a/",
            "--timeout",
            "500",
            "--event",
            "siem",
            "--max-bytes",
            "1",
        ],
    )
    .await;
    assert_eq!(refused.code, Some(2));
    insta::assert_snapshot!("refused_by_the_server", refused.stderr);

    let nobody = hitwire_with(&server, &[], &["integration", "show", "Nobody"]).await;
    assert_eq!(nobody.code, Some(1));
    assert_eq!(
        nobody.stderr,
        "error: there is no integration with the id or the name \"Nobody\"; `hitwire integration list` shows all\n"
    );
    let nothing = hitwire_with(&server, &[], &["integration", "edit", "Nobody"]).await;
    assert_eq!(nothing.code, Some(1), "{}", nothing.stderr);
}

#[tokio::test]
async fn the_token_of_a_server_on_this_machine_is_found_in_its_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(dir.path(), &[]).await;
    std::fs::write(dir.path().join("admin-token"), format!("{TOKEN}\n")).unwrap();
    let data = dir.path().to_str().unwrap();
    let found = run(&["integration", "list", "--server", server.url(), "--data", data]).await;
    assert_eq!(found.code, Some(0), "{}", found.stderr);
    assert_eq!(found.stdout, "there are no integrations; hitwire integration add makes one\n");

    let without = run(&["integration", "list", "--server", server.url(), "--data", "/nonexistent"]).await;
    assert_eq!(without.code, Some(2));
    assert!(without.stderr.contains("HITWIRE_TOKEN"), "{}", without.stderr);
    let elsewhere = run(&["integration", "list", "--server", "http://192.0.2.1:8419", "--data", data]).await;
    assert_eq!(elsewhere.code, Some(2), "the token of this machine goes nowhere else: {}", elsewhere.stderr);
}

#[tokio::test]
async fn a_test_message_shows_what_became_of_it_and_its_exit_code_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    let (mut receiver, ca) = receiver(dir.path()).await;
    let url = receiver.url();
    let add = ["integration", "add", "--name", "SIEM", "--url", &url, "--ca-file", &ca, "--event", "siem"];
    succeeds(&server, &add).await;
    let delivered = succeeds(&server, &["integration", "test", "SIEM"]).await;
    assert!(delivered.starts_with("delivered\n") && delivered.contains("answered  200"), "{delivered}");
    assert_eq!(in_time("the test message", receiver.events.recv()).await.unwrap().object_count(), 1);
    let outcome = json(&server, &["integration", "test", "SIEM", "--event", "scope"]).await;
    assert_eq!((&outcome["delivered"], &outcome["event"]), (&true.into(), &"scope".into()));

    // The receiver is not known any more: its CA is not among the public ones.
    succeeds(&server, &["integration", "edit", "SIEM", "--unset", "ca-file"]).await;
    let refused = hitwire_with(&server, &[], &["integration", "test", "SIEM"]).await;
    assert_eq!(refused.code, Some(1), "{}", refused.stdout);
    assert!(refused.stdout.starts_with("not delivered\n"), "{}", refused.stdout);
    assert!(refused.stderr.starts_with("error: the test message was not delivered: "), "{}", refused.stderr);
}

#[tokio::test]
async fn a_token_is_not_sent_in_clear_to_another_machine_unless_that_is_asked_for() {
    let args = ["integration", "list", "--server", "http://192.0.2.1:8419"];
    let refused = run_with_input(&args, &[("HITWIRE_TOKEN", TOKEN)], b"").await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("in clear") && !refused.stderr.contains(TOKEN), "{refused:?}");
}

#[tokio::test]
async fn a_rotated_secret_is_shown_once_and_signs() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    let (mut receiver, ca) = receiver(dir.path()).await;
    let url = receiver.url();
    let add = ["integration", "add", "--name", "SIEM", "--url", &url, "--ca-file", &ca, "--event", "siem"];
    let before = json(&server, &add).await["signing_secret"].clone();
    let said = succeeds(&server, &["integration", "rotate-secret", "SIEM", "--overlap", "0"]).await;
    let secret = said.split_whitespace().find(|word| word.starts_with("whsec_")).expect("the new secret");
    assert_ne!(before, *secret);
    receiver.check_with(secret.to_owned());
    server.accept(&hits::hits("cli", 0, 0..1)).await;
    let received = in_time("the notification", receiver.events.recv()).await.unwrap();
    assert_eq!(received.signature.to_string(), "signature verified");
    let again = json(&server, &["integration", "rotate-secret", "SIEM", "--overlap", "1h"]).await;
    assert!(again["previous_expires_at"].as_u64().is_some(), "{again}");
    let long = hitwire_with(&server, &[], &["integration", "rotate-secret", "SIEM", "--overlap", "8d"]).await;
    assert_eq!(long.code, Some(2), "{}", long.stdout);
    assert!(long.stderr.contains("\n  --overlap: "), "{}", long.stderr);
}

#[tokio::test]
async fn a_preview_counts_and_a_rendering_shows_what_would_be_sent() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    let add = [
        "integration",
        "add",
        "--name",
        "SIEM",
        "--url",
        "https://127.0.0.1:1/",
        "--event",
        "siem",
        "--inactive",
    ];
    succeeds(&server, &add).await;
    let empty = succeeds(&server, &["integration", "preview", "SIEM"]).await;
    assert_eq!(empty, "the log has no events of these kinds yet\n");
    server.accept(&hits::hits("cli", 0, 0..4)).await;
    let all = json(&server, &["integration", "preview", "SIEM"]).await;
    assert_eq!((&all["looked_at"], &all["would_send"]), (&4.into(), &4.into()));
    let none = ["integration", "preview", "SIEM", "--filter", r#"{"attack_types": ["rce"]}"#, "--last", "3"];
    let text = succeeds(&server, &none).await;
    assert!(text.starts_with("0 of the newest 3 events would be sent (the oldest of them came 2"), "{text}");
    let unnamed = json(&server, &["integration", "preview", "--event", "system,siem"]).await;
    assert!(unnamed["would_send"].as_u64() >= Some(4), "{unnamed}");
    let neither = hitwire_with(&server, &[], &["integration", "preview"]).await;
    assert_eq!(neither.code, Some(2), "{}", neither.stdout);
    let nonsense = hitwire_with(&server, &[], &["integration", "preview", "SIEM", "--filter", "nope"]).await;
    assert_eq!(nonsense.code, Some(2), "{}", nonsense.stdout);
    let words = "error: --filter ceases to be JSON at line 1, column 2; it looks like {\"domains\"";
    assert!(nonsense.stderr.starts_with(words), "{}", nonsense.stderr);
    let much = hitwire_with(&server, &[], &["integration", "preview", "SIEM", "--last", "100001"]).await;
    assert!(much.stderr.contains("\n  --last: "), "{}", much.stderr);

    let rendered = succeeds(&server, &["integration", "render", "SIEM"]).await;
    assert!(rendered.contains("POST https://127.0.0.1:1/"), "{rendered}");
    assert!(rendered.contains("webhook-id") && rendered.contains("[Test message]"), "{rendered}");
    let other = json(&server, &["integration", "render", "SIEM", "--event", "system"]).await;
    assert_eq!(other["event"], "system");
}

#[tokio::test]
async fn a_damaged_integration_is_listed_as_such_and_can_be_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = RunningServer::start(&data, &[]).await;
    for name in ["SIEM", "Chat"] {
        succeeds(&server, &["integration", "add", "--name", name, "--url", "https://receiver.example/"])
            .await;
    }
    let state = rusqlite::Connection::open(data.join("state.db")).unwrap();
    state.execute("UPDATE integration SET target = 'no JSON' WHERE id = 1", []).unwrap();
    drop(state);
    let list = succeeds(&server, &["integration", "list"]).await;
    let rows: Vec<_> = list.lines().skip(1).collect();
    assert!(rows[0].contains("SIEM") && rows[0].contains("damaged: delete it"), "{list}");
    assert!(rows[1].contains("Chat") && rows[1].contains("no events"), "{list}");
    let listed = json(&server, &["integration", "list"]).await;
    assert!(listed[0]["broken"].as_str().unwrap().contains("its row is damaged"), "{listed}");
    let shown = hitwire_with(&server, &[], &["integration", "show", "SIEM"]).await;
    assert_eq!(shown.code, Some(1));
    assert!(shown.stderr.contains("its row is damaged; delete the integration"), "{}", shown.stderr);
    assert_eq!(succeeds(&server, &["integration", "delete", "SIEM", "--yes"]).await, "deleted SIEM (1)\n");
    let list = succeeds(&server, &["integration", "list"]).await;
    assert!(!list.contains("SIEM") && list.contains("Chat"), "{list}");
}
