//! What holds for every command: found by walking the pages of help, so that a new command is held to it too.

use crate::integration::hitwire_with;
use crate::support::hints::names_of_commands;
use crate::support::{RunningServer, hits, run, run_with_input};

/// A command without subcommands: its words, and its page of help.
struct Leaf {
    words: Vec<String>,
    help: String,
}

/// Every command without subcommands.
async fn leaves() -> Vec<Leaf> {
    let mut leaves = Vec::new();
    let mut open = vec![Vec::<String>::new()];
    while let Some(words) = open.pop() {
        let args: Vec<_> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let help = run(&args).await.stdout;
        let below: Vec<_> =
            names_of_commands(&help).map(|name| [words.as_slice(), &[name.to_owned()]].concat()).collect();
        if below.is_empty() {
            leaves.push(Leaf { words, help });
        } else {
            open.extend(below);
        }
    }
    assert!(leaves.len() > 20, "the pages of help were not read: {} commands", leaves.len());
    leaves
}

/// Commands that print no data: they run, play, or describe the command line itself.
const WITHOUT_DATA: [&str; 5] = ["serve", "demo", "completions", "man", "key rotate"];

#[tokio::test]
async fn every_command_that_prints_data_has_the_same_flag_for_its_format() {
    for Leaf { words, help } in leaves().await {
        let words = words.join(" ");
        assert_eq!(
            help.contains("--output <FORMAT>"),
            !WITHOUT_DATA.contains(&words.as_str()),
            "hitwire {words}:\n{help}"
        );
        assert!(!help.contains("--json"), "another spelling of hitwire {words}:\n{help}");
        let wrong: Vec<_> = words.split(' ').chain(["--output", "yaml"]).collect();
        if !WITHOUT_DATA.contains(&words.as_str()) {
            let refused = run(&wrong).await;
            assert_eq!(refused.code, Some(2), "hitwire {words}");
            assert!(refused.stderr.contains("text, json"), "hitwire {words}: {}", refused.stderr);
        }
    }
}

/// A call of each command that talks to a server. LOG, EVENTS and INTEGRATIONS stand for files.
const CALLS: &[&[&str]] = &[
    &["import", "modsecurity", "LOG"],
    &["send", "EVENTS"],
    &["tail", "--no-follow"],
    &["integration", "list"],
    &["integration", "show", "1"],
    &["integration", "add", "--url", "https://10.0.0.1/", "--event", "siem"],
    &["integration", "edit", "1"],
    &["integration", "enable", "1"],
    &["integration", "disable", "1"],
    &["integration", "delete", "1"],
    &["integration", "rotate-secret", "1"],
    &["integration", "preview", "1"],
    &["integration", "render", "1"],
    &["integration", "test", "1"],
    &["integration", "check-signature", "1", "--headers", "EVENTS", "--body", "EVENTS"],
    &["apply", "INTEGRATIONS"],
    &["attempt", "list", "1"],
    &["attempt", "show", "1", "1"],
    &["attempt", "curl", "1", "1"],
    &["attempt", "export", "1"],
    &["lost", "1"],
    &["retry", "1"],
    &["replay", "list", "1"],
    &["replay", "start", "1", "--from", "1h"],
    &["replay", "pause", "1", "1"],
    &["replay", "resume", "1", "1"],
    &["replay", "rate", "1", "1", "50"],
    &["replay", "cancel", "1", "1"],
    &["source", "list"],
    &["token", "list"],
    &["token", "create", "ci", "--role", "ingest"],
    &["token", "revoke", "1"],
    &["user", "list"],
    &["user", "create", "ann@example.com", "--name", "Ann", "--role", "admin"],
    &["user", "edit", "1"],
    &["user", "sign-in-link", "1"],
    &["user", "delete", "1"],
    &["client", "list"],
    &["client", "create", "Shop"],
    &["client", "edit", "1"],
    &["client", "delete", "1"],
    &["application", "list"],
    &["application", "create", "shop"],
    &["application", "rename", "1", "shop"],
    &["application", "delete", "1"],
    &["activity"],
];

/// Commands that talk to no server.
const WITHOUT_SERVER: [&str; 10] =
    ["serve", "check-config", "listen", "demo", "completions", "man", "verify", "backup", "restore", "key"];

#[tokio::test]
async fn errors_name_flags_of_the_command_in_hand() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/demo/modsecurity-audit.jsonl");
    let events = file("events.json", &hits::hit("hints", 0, 1).to_string());
    let one = "[[integration]]\nname = \"SIEM\"\ntarget.url = \"https://10.0.0.1/\"\n";
    let integrations = file("integrations.toml", one);
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    for Leaf { words, .. } in leaves().await {
        let called = CALLS.iter().any(|call| call.iter().take(words.len()).eq(words.iter()));
        let talks = !WITHOUT_SERVER.contains(&words[0].as_str());
        assert_eq!(called, talks, "hitwire {} is not among the calls here", words.join(" "));
    }
    let local = ("HITWIRE_SERVER", server.url());
    let token = ("HITWIRE_TOKEN", "a-token");
    for call in CALLS {
        let call: Vec<_> = call
            .iter()
            .map(|word| match *word {
                "LOG" => sample,
                "EVENTS" => &events,
                "INTEGRATIONS" => &integrations,
                word => word,
            })
            .collect();
        // Each call fails, and `run_with_input` checks the flags that its message names.
        for (flags, variables) in [
            (&["--no-such-flag"][..], &[][..]),
            (&["--data", "/nonexistent"], &[local]),
            (&["--server", "https://192.0.2.1"], &[]),
            (&["--server", "http://192.0.2.1"], &[token]),
            (&["--server", "no address"], &[token]),
            (&["--server-ca", "/nonexistent"], &[local, token]),
            (&["--token-file", "/nonexistent"], &[local]),
            (&[], &[local, token]),
        ] {
            let finished = run_with_input(&[&call, flags].concat(), variables, b"").await;
            assert!(matches!(finished.code, Some(1 | 2)), "{call:?} {flags:?}: {finished:?}");
            assert!(finished.stderr.starts_with("error: "), "{call:?} {flags:?}: {}", finished.stderr);
        }
        // With the right token, too: a message of a failure is checked in the same way.
        hitwire_with(&server, &[], &call).await;
    }
    for command in WITHOUT_SERVER {
        let finished = run(&[command, "--no-such-flag"]).await;
        assert_eq!(finished.code, Some(2), "{command}");
    }
}

#[tokio::test]
async fn what_the_server_refuses_is_named_as_this_command_calls_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(dir.path(), &[]).await;
    let long = "x".repeat(300);
    for (call, place) in [
        (&["user", "create", "nobody", "--name", "Ann", "--role", "admin"][..], "EMAIL: "),
        (&["user", "create", "ann@example.com", "--name", &long, "--role", "admin"], "--name: "),
        (&["user", "create", "ann@example.com", "--name", "Ann", "--role", "admin"], ""),
        (&["user", "edit", "1", "--email", "nobody"], "--email: "),
        (&["client", "create", &long], "NAME: "),
        (&["client", "edit", "1", "--name", &long], "--name: "),
        (&["client", "edit", "1", "--events-per-s", "0"], "--events-per-s: "),
        (&["token", "create", &long, "--role", "ingest"], "NAME: "),
        (&["application", "create", &long], "NAME: "),
        (&["application", "create", "shop", "--id", "-7"], "--id: "),
        (&["application", "create", "shop"], ""),
        (&["application", "rename", "shop", &long], "NAME: "),
    ] {
        let finished = hitwire_with(&server, &[], call).await;
        if place.is_empty() {
            assert_eq!(finished.code, Some(0), "{call:?}: {}", finished.stderr);
            continue;
        }
        assert_eq!(finished.code, Some(2), "{call:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(&format!("\n  {place}")), "{call:?}: {}", finished.stderr);
    }
    // What the guard says is for whoever runs the server: it names the command that has the flag.
    for url in ["https://10.0.0.1/", "http://example.com/"] {
        let add = ["integration", "add", "--url", url, "--event", "siem"];
        let refused = hitwire_with(&server, &[], &add).await;
        assert!(refused.stderr.contains("hitwire serve --allow-"), "{}", refused.stderr);
    }
}
