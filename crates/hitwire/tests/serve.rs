//! `hitwire serve`, as a service manager runs it.

use crate::support::{self, RunningServer, hits, in_time, integration, run, run_with_input};
use hitwire::listen::{Behaviour, Listener, Options};
use rustix::process::Signal;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

/// A receiver that answers after a wait.
async fn slow_receiver(slow: Duration) -> Listener {
    let behaviour = Behaviour { slow, ..Behaviour::default() };
    Listener::start(Options { behaviour, ..Options::on_loopback().unwrap() }).await.unwrap()
}

#[tokio::test]
async fn sigterm_ends_it_well_and_loses_nothing() {
    let data = tempfile::tempdir().unwrap();
    let mut receiver = slow_receiver(Duration::from_millis(100)).await;
    let server = RunningServer::start(data.path(), &[]).await;
    integration::of_hits(&server, &receiver, json!({"max_events": 50})).await;
    for first in (0..1_000).step_by(100) {
        assert_eq!(server.accept(&hits::hits("term", 0, first..first + 100)).await, (100, 0));
    }
    let mut missing: BTreeSet<u64> = (0..1_000).collect();
    let first = in_time("a first notification", receiver.events.recv()).await.unwrap();
    for hit in hits::numbered(&first) {
        assert!(missing.remove(&hit.n));
    }

    assert_eq!(server.terminate().await.code(), Some(0));
    assert!(!missing.is_empty(), "it was too fast to be interrupted: the test says nothing");

    let _server = RunningServer::start(data.path(), &[]).await;
    while !missing.is_empty() {
        let received = in_time("the rest", receiver.events.recv()).await.unwrap();
        for hit in hits::numbered(&received) {
            missing.remove(&hit.n);
        }
    }
}

#[tokio::test]
async fn a_request_that_hangs_does_not_keep_it_from_stopping() {
    let data = tempfile::tempdir().unwrap();
    let mut receiver = slow_receiver(Duration::from_mins(2)).await;
    let server = RunningServer::start(data.path(), &[]).await;
    integration::of_hits(&server, &receiver, json!({"timeout": 300})).await;
    server.accept(&hits::hits("hang", 0, 0..1)).await;
    in_time("the notification", receiver.events.recv()).await;
    assert_eq!(server.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let data = tempfile::tempdir().unwrap();
    let mut receiver = slow_receiver(Duration::from_mins(2)).await;
    let mut server = RunningServer::start(data.path(), &[]).await;
    integration::of_hits(&server, &receiver, json!({"timeout": 300})).await;
    server.accept(&hits::hits("twice", 0, 0..1)).await;
    in_time("the notification", receiver.events.recv()).await;
    // Two of a kind might be taken for one; and to wait in between would be a race with the stop itself.
    server.signal(Signal::TERM);
    server.signal(Signal::INT);
    assert_eq!(server.ended().await.code(), Some(1));
    assert!(server.log().contains("stopped at once by a second signal"), "{}", server.log());
}

#[tokio::test]
async fn what_went_wrong_stands_in_the_delivery_log() {
    let data = tempfile::tempdir().unwrap();
    let fail = "500".parse().ok();
    let options =
        Options { behaviour: Behaviour { fail, ..Behaviour::default() }, ..Options::on_loopback().unwrap() };
    let mut receiver = Listener::start(options).await.unwrap();
    let server = RunningServer::start(data.path(), &[]).await;
    let integration = integration::of_hits(&server, &receiver, json!({})).await;
    server.accept(&hits::hits("refused", 0, 0..1)).await;
    let first = in_time("an attempt", receiver.events.recv()).await.unwrap();
    let again = in_time("another attempt", receiver.events.recv()).await.unwrap();
    assert_eq!((&first.webhook_id, &first.body), (&again.webhook_id, &again.body));
    let attempts = integration::attempts(&server, integration.id).await;
    let oldest = attempts.last().unwrap();
    assert_eq!((&oldest["status"], &oldest["number"]), (&json!(500), &json!(1)), "{oldest}");
    assert_eq!(oldest["webhook_id"].as_str(), first.webhook_id.as_deref());
}

#[tokio::test]
async fn a_second_server_on_the_same_data_says_so() {
    let data = tempfile::tempdir().unwrap();
    let first = RunningServer::start(data.path(), &[]).await;
    let mut second = RunningServer::launch(data.path(), &[]);
    assert_eq!(second.ended().await.code(), Some(1));
    let said = second.says("error: ").await;
    let error = said.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(error.contains(data.path().to_str().unwrap()), "{error}");
    assert!(error.contains("in use") || error.contains("another hitwire"), "{error}");
    assert_eq!(first.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn a_first_token_is_left_in_a_file_that_only_its_owner_reads() {
    use std::os::unix::fs::PermissionsExt;
    let data = tempfile::tempdir().unwrap();
    let dir = data.path().join("data");
    let mut program =
        support::Program::start(&["serve", "--data", dir.to_str().unwrap(), "--listen", "127.0.0.1:0"], &[]);
    let line = program.line_with("admin token").await;
    let file = line.split_whitespace().last().unwrap();
    assert_eq!(file, dir.join("admin-token").to_str().unwrap());
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    let token = std::fs::read_to_string(file).unwrap();
    assert_eq!(token.trim().len(), 64);
    assert!(!program.stderr().contains(token.trim()), "the token was logged");
}

#[tokio::test]
async fn flags_override_the_configuration_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hitwire.toml");
    std::fs::write(&file, format!("data_dir = {:?}\nlisten = \"127.0.0.1:1\"\n", dir.path().join("data")))
        .unwrap();
    let mut program = support::Program::start(
        &["serve", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"],
        &[],
    );
    let data = program.line_with("data").await;
    assert!(data.ends_with(dir.path().join("data").to_str().unwrap()), "{data}");
}

#[tokio::test]
async fn a_port_alone_is_an_address_of_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    for (n, (listen, url)) in [
        ("0", "http://127.0.0.1:"),
        (":0", "http://127.0.0.1:"),
        ("localhost:0", "http://127.0.0.1:"),
        ("[::1]:0", "http://[::1]:"),
    ]
    .into_iter()
    .enumerate()
    {
        let server = RunningServer::start(&dir.path().join(n.to_string()), &["--listen", listen]).await;
        assert!(server.url().starts_with(url), "{listen}: {}", server.url());
    }
    let variables = [("HITWIRE_LISTEN", "8420"), ("HITWIRE_METRICS_LISTEN", ":9420")];
    let checked = run_with_input(&["check-config"], &variables, b"").await;
    for line in ["\nlisten = \"127.0.0.1:8420\"\n", "\nmetrics_listen = \"127.0.0.1:9420\"\n"] {
        assert!(checked.stdout.contains(line), "{}{}", checked.stdout, checked.stderr);
    }
    for flags in [["--listen", "localhost"], ["--metrics-listen", "example.com:1"]] {
        let refused = run(&[&["serve"][..], &flags].concat()).await;
        assert_eq!(refused.code, Some(2), "{flags:?}");
        assert!(refused.stderr.contains("as in 127.0.0.1:8419"), "{}", refused.stderr);
    }
    let refused = run(&["listen", "--addr", "nowhere"]).await;
    assert!(refused.stderr.contains("as in 127.0.0.1:8419"), "{}", refused.stderr);
}

#[tokio::test]
async fn log_lines_can_be_json() {
    let data = tempfile::tempdir().unwrap();
    let server = RunningServer::start(data.path(), &["--log-format", "json"]).await;
    let log = server.log();
    assert!(!log.is_empty());
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}

#[tokio::test]
async fn what_is_called_wrongly_ends_with_2_and_says_why() {
    let data = tempfile::tempdir().unwrap();
    let dir = data.path().to_str().unwrap();
    for (flags, why) in [
        (&["--no-such-flag"][..], "--no-such-flag"),
        (&["--retention-size", "much"], "much"),
        (&["--source", "suricata:/x"], "known: modsecurity"),
        (&["--allow-target", "everything"], "everything"),
        (&["--listen", "0.0.0.0:0"], "--allow-plain-http-api"),
        (&["--config", "/nonexistent/hitwire.toml"], "/nonexistent/hitwire.toml"),
        (&["--log", "no=such=filter"], "no=such=filter"),
    ] {
        let finished = run(&[&["serve", "--data", dir], flags].concat()).await;
        assert_eq!(finished.code, Some(2), "{flags:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(why), "{flags:?}: {}", finished.stderr);
    }
    let file = data.path().join("hitwire.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:0\"\nlistn = 3\n").unwrap();
    let slip = run(&["serve", "--data", dir, "--config", file.to_str().unwrap()]).await;
    assert_eq!(slip.code, Some(2));
    insta::assert_snapshot!("slip_in_the_configuration_file", slip.stderr.replace(dir, "[dir]"));

    let short = run_with_input(&["serve", "--data", dir], &[("HITWIRE_ADMIN_TOKEN", "short")], b"").await;
    assert_eq!(short.code, Some(2));
    assert!(short.stderr.starts_with("error: HITWIRE_ADMIN_TOKEN: "), "{}", short.stderr);
}

#[tokio::test]
async fn every_page_of_help_teaches() {
    for command in [
        &["--help"][..],
        &["demo", "--help"],
        &["serve", "--help"],
        &["listen", "--help"],
        &["import", "--help"],
        &["send", "--help"],
        &["tail", "--help"],
        &["token", "create", "--help"],
        &["client", "edit", "--help"],
        &["user", "--help"],
        &["apply", "--help"],
        &["integration", "--help"],
        &["integration", "add", "--help"],
    ] {
        let finished = run(command).await;
        assert_eq!(finished.code, Some(0));
        let name: Vec<_> = command.iter().filter(|word| command.len() == 1 || **word != "--help").collect();
        let name: Vec<_> = name.into_iter().map(|word| word.trim_start_matches('-')).collect();
        insta::assert_snapshot!(format!("help_{}", name.join("_")), finished.stdout);
    }
    let version = run(&["--version"]).await;
    assert_eq!(version.stdout, format!("hitwire {}\n", env!("CARGO_PKG_VERSION")));
}

/// The server starts itself again with settings for the allocator, in the same process and under its own name.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[tokio::test]
async fn its_allocator_is_set_up_unless_somebody_has_done_so() {
    let variables = |server: &RunningServer| {
        let environment = std::fs::read(format!("/proc/{}/environ", server.pid().as_raw_nonzero())).unwrap();
        let environment = String::from_utf8(environment).unwrap();
        environment
            .split('\0')
            .filter(|one| one.starts_with("MALLOC_"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let data = tempfile::tempdir().unwrap();
    let server = RunningServer::start(data.path(), &[]).await;
    assert!(variables(&server).contains(&"MALLOC_ARENA_MAX=2".to_owned()), "{:?}", variables(&server));
    let name = std::fs::read_to_string(format!("/proc/{}/comm", server.pid().as_raw_nonzero())).unwrap();
    assert_eq!(name.trim(), "hitwire");
    server.kill().await;
    let server = RunningServer::start_with(data.path(), &[], &[("MALLOC_ARENA_MAX", "7")]).await;
    assert_eq!(variables(&server), ["MALLOC_ARENA_MAX=7"]);
    server.kill().await;
}
