//! Debian's `webhook`: a command for each request that satisfies a rule.

use super::certificates::{Authority, Certified};
use super::tools::{Daemon, command};
use super::{Beside, lines_of, page};
use crate::support::integration;
use http::Method;
use serde_json::json;
use serde_json::value::RawValue;
use std::path::{Path, PathBuf};

/// The secret header of the page.
pub(crate) const TOKEN: &str = "change-me";

/// The daemon with the page's hook.
pub(crate) struct Webhook {
    daemon: Daemon,
    kept: PathBuf,
}

impl Webhook {
    /// Starts it in `dir`, over TLS if it has a certificate; its command keeps what it gets in `dir/kept/hits`.
    pub(crate) async fn start(dir: &Path, tls: Option<&Certified>) -> Webhook {
        let kept = dir.join("kept");
        let keep = page::write(dir, "keep-hits", &[("/var/lib/webhook", kept.to_str().unwrap())]);
        let hooks = page::write(dir, "hooks.json", &[("/etc/webhook/keep-hits", keep.to_str().unwrap())]);
        let files = tls.map(|certified| certified.write(dir));
        let daemon = Daemon::start(|port| {
            let mut webhook = command("webhook");
            webhook.arg("-hooks").arg(&hooks).args([
                "-ip",
                "127.0.0.1",
                "-port",
                &port.to_string(),
                "-verbose",
            ]);
            if let Some((certificate, key)) = &files {
                webhook.arg("-secure").arg("-cert").arg(certificate).arg("-key").arg(key);
            }
            webhook
        })
        .await;
        Webhook { daemon, kept }
    }

    /// Lets its command succeed: until then the folder is not there.
    pub(crate) fn make_folder(&self) {
        std::fs::create_dir(&self.kept).unwrap();
    }

    pub(crate) fn port(&self) -> u16 {
        self.daemon.port
    }

    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}/hooks/hitwire", self.daemon.port)
    }

    /// The first hits that its command was given, byte for byte.
    pub(crate) async fn hits(&self, count: usize) -> Vec<String> {
        let mut hits = Vec::new();
        let mut bodies = 0;
        while hits.len() < count {
            bodies += 1;
            let lines = lines_of(&self.kept.join("hits"), bodies).await;
            let body = &lines[bodies - 1];
            let objects: Vec<Box<RawValue>> = serde_json::from_str(body).expect("a body is an array");
            let objects: Vec<_> = objects.iter().map(|object| object.get().to_owned()).collect();
            assert_eq!(*body, format!("[{}]", objects.join(",")), "the array is as hitwire wrote it");
            hits.extend(objects);
        }
        hits
    }
}

#[tokio::test]
async fn webhook_gives_its_command_each_body_as_it_was_sent() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new("Webhook CA");
    let webhook = Webhook::start(dir.path(), Some(&ca.server())).await;
    webhook.make_folder();
    let mut beside = Beside::start(dir.path()).await;
    let target = json!({"headers": {"X-Hook-Token": TOKEN}});
    integration::of_hits_at(&beside.server, &webhook.url(), &ca.pem(), target).await;
    beside.post(0..1).await;
    beside.post(1..40).await;
    beside.post(40..43).await;
    assert_eq!(webhook.hits(43).await, beside.sent(43).await);
}

#[tokio::test]
async fn what_webhook_refuses_or_its_command_cannot_keep_is_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new("Webhook CA");
    let webhook = Webhook::start(dir.path(), Some(&ca.server())).await;
    let mut beside = Beside::start(dir.path()).await;
    let target = json!({"headers": {"X-Hook-Token": "wrong"}});
    let made = integration::of_hits_at(&beside.server, &webhook.url(), &ca.pem(), target).await;
    beside.post(0..5).await;
    let refused = beside.attempt(made.id, "the rule to refuse it", |attempt| attempt["status"] == 403).await;
    assert_eq!(refused["verdict"], "refused");

    let target =
        json!({"target": {"url": webhook.url(), "ca_file": ca.pem(), "headers": {"X-Hook-Token": TOKEN}}});
    let api = beside.server.api();
    let path = format!("/v2/integration/{}", made.id);
    let changed = api.request(Method::PUT, &path, target).await.expect("an answer");
    changed.successful::<serde::de::IgnoredAny>(&api).expect("the header is changed");
    let failed = beside.attempt(made.id, "the command to fail", |attempt| attempt["status"] == 500).await;
    assert_eq!(failed["webhook_id"], refused["webhook_id"], "it is the same batch");

    webhook.make_folder();
    assert_eq!(webhook.hits(5).await, beside.sent(5).await);
    beside.attempt(made.id, "the delivery", |attempt| attempt["verdict"] == "delivered").await;
}
