//! What users have already, receiving what hitwire sends: whole, in order, and only with the right keys.
//!
//! The cast:
//!
//! - [`page`]: the files that docs/receivers.md shows. They are what runs here, so that the page cannot be wrong.
//! - [`tools`]: the receivers' programs, where `install` puts them, and [`tools::Daemon`], one of them running.
//! - [`certificates`]: authorities of servers and of clients.
//! - [`webhook`], [`syslog_ng`], [`nginx`], [`libraries`]: the tests, one module a receiver.
//!
//! Beside each receiver stands one of our own ([`Listener`]) at the same log: what arrives there is what must arrive.

pub(crate) mod certificates;
mod libraries;
pub(crate) mod nginx;
mod page;
mod syslog_ng;
mod tools;
pub(crate) mod webhook;

use crate::support::{RunningServer, hits, in_time, integration};
use hitwire::api::Body;
use hitwire::listen::{Listener, Options};
use http::{Method, StatusCode};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// A server, and a receiver of our own that gets each hit as well.
struct Beside {
    server: RunningServer,
    receiver: Listener,
}

impl Beside {
    async fn start(dir: &Path) -> Beside {
        let server = RunningServer::start(&dir.join("data"), &[]).await;
        let receiver = Listener::start(Options::on_loopback().unwrap()).await.unwrap();
        integration::of_hits(&server, &receiver, serde_json::json!({})).await;
        Beside { server, receiver }
    }

    /// Posts hits, with what a receiver that reads JSON and writes it anew would change.
    async fn post(&self, numbers: impl IntoIterator<Item = u64>) {
        let text = hits::hits("ecosystem", 0, numbers).to_string();
        let fragile =
            r#""exact":1.50,"large":12345678901234567890123,"text":"é \u00e9 \u0007 <&> \ud83d\ude00","n":"#;
        let text = text.replace(r#""n":"#, fragile);
        let posted = self.server.api().request(Method::POST, "/v1/events", Body::Json(text.into())).await;
        let answer = posted.expect("an answer");
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", String::from_utf8_lossy(&answer.body));
    }

    /// The next hits as they were sent, byte for byte.
    async fn sent(&mut self, count: usize) -> Vec<String> {
        let mut sent = Vec::new();
        while sent.len() < count {
            let received = in_time("our own receiver", self.receiver.events.recv()).await.expect("it runs");
            let objects = received.objects.expect("a notification holds objects");
            sent.extend(objects.iter().map(|object| object.get().to_owned()));
        }
        sent
    }

    /// The newest attempt of an integration that ended like this, once there is one.
    async fn attempt(&self, id: u64, what: &str, like: impl Fn(&Value) -> bool) -> Value {
        let found = async {
            loop {
                let attempts = integration::attempts(&self.server, id).await;
                if let Some(found) = attempts.into_iter().find(|attempt| like(attempt)) {
                    return found;
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        in_time(what, found).await
    }
}

/// How long to wait before looking again for what must come.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The lines of a file that another process writes, once it has as many; the last is whole.
async fn lines_of(path: &Path, count: usize) -> Vec<String> {
    let written = async {
        loop {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            if text.matches('\n').count() >= count && text.ends_with('\n') {
                return text.lines().map(str::to_owned).collect();
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    in_time(&format!("{count} lines in {}", path.display()), written).await
}
