//! A running hitwire.

use super::{Answer, Caller};
use hitwire_server::{Config, Server};
use hitwire_store::Secret;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// The token that may do everything.
pub(crate) const ADMIN: &str = "admin-token-of-the-tests-0123456789abcdef";

/// The token that may only send events.
pub(crate) const INGEST: &str = "ingest-token-of-the-tests-0123456789abcde";

/// A real server with a data directory of its own, which outlives restarts.
pub(crate) struct Hitwire {
    server: Option<Server>,
    config: Config,
    _dir: TempDir,
}

impl Hitwire {
    /// A server that may send to loopback addresses, in clear.
    pub(crate) async fn start() -> Hitwire {
        Hitwire::start_with(|_| {}).await
    }

    /// The same with other settings.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Hitwire {
        let dir = tempfile::tempdir().expect("a directory");
        let mut config = Config {
            data_dir: dir.path().join("data"),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            allow_targets: vec!["127.0.0.0/8".parse().expect("a network")],
            allow_http: true,
            admin_token: Some(Secret::new(ADMIN)),
            ingest_token: Some(Secret::new(INGEST)),
            ..Config::default()
        };
        config.log.disk_floor_bytes = 0;
        change(&mut config);
        let server = Server::start(config.clone()).await.expect("started");
        Hitwire { server: Some(server), config, _dir: dir }
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().expect("running")
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.config.data_dir
    }

    /// A file beside the data directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.config.data_dir.parent().expect("a parent").join(name)
    }

    /// Stops as SIGTERM does.
    pub(crate) async fn stop(&mut self) {
        self.server.take().expect("running").stop().await;
    }

    /// Stops, changes the settings, and starts on the same data.
    pub(crate) async fn restart_with(&mut self, change: impl FnOnce(&mut Config)) {
        if self.server.is_some() {
            self.stop().await;
        }
        change(&mut self.config);
        self.server = Some(Server::start(self.config.clone()).await.expect("started again"));
    }

    pub(crate) async fn restart(&mut self) {
        self.restart_with(|_| {}).await;
    }

    /// Somebody with this token.
    pub(crate) fn caller(&self, token: &str) -> Caller {
        Caller { addr: self.server().addr(), token: Some(token.to_owned()) }
    }

    pub(crate) fn admin(&self) -> Caller {
        self.caller(ADMIN)
    }

    pub(crate) fn nobody(&self) -> Caller {
        Caller { addr: self.server().addr(), token: None }
    }

    /// Sends events as the ingest token.
    pub(crate) async fn send(&self, events: &Value) -> Answer {
        self.caller(INGEST).send("POST", "/v1/events", events).await
    }

    /// Creates an integration and answers its object.
    pub(crate) async fn create(&self, integration: &Value) -> Value {
        self.admin().send("POST", "/v2/integration", integration).await.expect(200)["body"]["object"].take()
    }

    /// Makes an account: `what` is `users`, `tokens`, ...
    pub(crate) async fn make(&self, what: &str, body: &Value) -> Value {
        let made = self.admin().send("POST", &format!("/v1/{what}"), body).await;
        made.expect(200)["body"]["object"].take()
    }

    /// Makes a client (tenant), and answers its id.
    pub(crate) async fn new_client(&self, name: &str) -> u64 {
        self.make("clients", &json!({"name": name})).await["id"].as_u64().expect("an id")
    }

    /// Makes a token, and answers it.
    pub(crate) async fn new_token(&self, body: &Value) -> String {
        self.make("tokens", body).await["token"].as_str().expect("the token").to_owned()
    }

    /// The events of a client that hitwire made, by their types, the newest last.
    pub(crate) async fn told(&self, client: u64) -> Vec<String> {
        let path = format!("/v1/events?after=0&limit=1000&kind=system,rules_and_triggers&clientid={client}");
        let events = self.admin().get(&path).await.expect(200);
        let events = events["events"].as_array().expect("a list").iter();
        events.map(|event| event["body"]["notification_type"].as_str().expect("a type").to_owned()).collect()
    }

    /// Creates an integration for hits that sends to `url`, and answers its id.
    pub(crate) async fn subscribe(&self, url: &str) -> u64 {
        let integration = json!({"target": {"url": url}, "events": [{"event": "siem"}]});
        self.create(&integration).await["id"].as_u64().expect("an id")
    }
}

/// Asks until the answer is yes. A test that waits for what never comes is ended by the test runner.
pub(crate) async fn until(mut ask: impl AsyncFnMut() -> bool) {
    while !ask().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
