//! syslog-ng with a source in Python: one object a line, answered when it is written.

use super::certificates::Authority;
use super::tools::{Daemon, command};
use super::{Beside, lines_of, page};
use crate::support::integration;
use serde_json::json;
use std::path::Path;

async fn start(dir: &Path, ca: &Authority) -> Daemon {
    let (certificate, key) = ca.server().write(dir);
    let log = dir.join("hits.jsonl");
    page::write(dir, "hitwire_source.py", &[]);
    Daemon::start(|port| {
        let configuration = page::write(
            dir,
            "syslog-ng.conf",
            &[
                ("0.0.0.0", "127.0.0.1"),
                ("9443", &port.to_string()),
                ("/etc/syslog-ng/cert.pem", certificate.to_str().unwrap()),
                ("/etc/syslog-ng/key.pem", key.to_str().unwrap()),
                ("/var/log/hits.jsonl", log.to_str().unwrap()),
            ],
        );
        let mut syslog_ng = command("syslog-ng");
        syslog_ng.args(["--foreground", "--stderr", "--no-caps", "--cfgfile"]).arg(configuration);
        for (flag, file) in [("--persist-file", "persist"), ("--pidfile", "pid"), ("--control", "control")] {
            syslog_ng.arg(flag).arg(dir.join(file));
        }
        syslog_ng.env("PYTHONPATH", dir).env("PYTHONDONTWRITEBYTECODE", "1");
        syslog_ng
    })
    .await
}

#[tokio::test]
async fn syslog_ng_writes_each_event_on_a_line_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new("Syslog CA");
    let syslog_ng = start(dir.path(), &ca).await;
    let mut beside = Beside::start(dir.path()).await;
    let url = format!("https://127.0.0.1:{}/", syslog_ng.port);
    let target = json!({"format": "jsonl", "max_events": 70, "headers": {"X-Hook-Token": "change-me"}});
    let made = integration::of_hits_at(&beside.server, &url, &ca.pem(), target).await;
    beside.post(0..1).await;
    beside.post(1..600).await;
    beside.post(600..900).await;
    assert_eq!(lines_of(&dir.path().join("hits.jsonl"), 900).await, beside.sent(900).await);
    let attempts = integration::attempts(&beside.server, made.id).await;
    assert!(attempts.len() > 10, "they came in several requests: {attempts:?}");
    assert!(attempts.iter().all(|attempt| attempt["verdict"] == "delivered"), "{attempts:?}");
}

#[tokio::test]
async fn syslog_ng_takes_nothing_without_the_token() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new("Syslog CA");
    let syslog_ng = start(dir.path(), &ca).await;
    let beside = Beside::start(dir.path()).await;
    let url = format!("https://127.0.0.1:{}/", syslog_ng.port);
    let made = integration::of_hits_at(&beside.server, &url, &ca.pem(), json!({"format": "jsonl"})).await;
    beside.post(0..1).await;
    let refused = beside.attempt(made.id, "the refusal", |attempt| attempt["status"] == 401).await;
    assert_eq!(refused["verdict"], "refused");
    assert!(!dir.path().join("hits.jsonl").exists());
}
