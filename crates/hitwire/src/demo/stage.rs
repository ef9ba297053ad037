//! The demo's surroundings: a temporary directory, a server, a receiver, and an integration that joins them.

use crate::api::{Body, Client};
use crate::failure::Failure;
use crate::listen::{Listener, Options};
use crate::terminal::{Style, Terminal};
use hitwire_event::ClientId;
use hitwire_server::{Config, Server, SourceFormat, SourceSpec};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use tempfile::TempDir;

/// Rows of the delivery log that are asked for at once.
const ATTEMPTS_PAGE: usize = 500;

/// Everything that the demo needs, torn down by [`Stage::clear`].
pub(super) struct Stage {
    /// The tenant of everything in the demo.
    pub(super) client_id: ClientId,
    /// The receiving end.
    pub(super) listener: Listener,
    server: Server,
    api: Client,
    integration: u64,
    dir: TempDir,
}

impl Stage {
    /// Sets everything up.
    pub(super) async fn set() -> Result<Self, Failure> {
        let dir = tempfile::Builder::new()
            .prefix("hitwire-demo-")
            .tempdir()
            .map_err(|error| Failure::Runtime(format!("cannot make a temporary directory: {error}")))?;
        let unwritable =
            |error| Failure::Runtime(format!("cannot write into {}: {error}", dir.path().display()));
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = Listener::start(Options::on_loopback().map_err(Failure::runtime)?)
            .await
            .map_err(Failure::runtime)?;
        std::fs::write(dir.path().join("ca.pem"), &listener.ca_pem).map_err(unwritable)?;
        let server = Server::start(Config {
            data_dir: dir.path().join("data"),
            listen: loopback,
            // The guard refuses loopback addresses; here, and only here, the receiver is on one.
            allow_targets: vec![ipnet::IpNet::from(loopback.ip())],
            sources: vec![SourceSpec::new(SourceFormat::ModSecurity, dir.path().join("audit.log"))],
            ..Config::default()
        })
        .await
        .map_err(Failure::runtime)?;

        let token = server.admin_token().clone();
        let api =
            Client::new(&format!("http://{}", server.addr()), Some(token), None).map_err(Failure::runtime)?;
        let (client_id, integration) = integrate(&api, &listener).await.map_err(Failure::runtime)?;
        Ok(Stage { client_id, listener, server, api, integration, dir })
    }

    /// The file that the WAF writes and hitwire follows.
    pub(super) fn audit_log(&self) -> PathBuf {
        self.dir.path().join("audit.log")
    }

    /// Where the API is.
    pub(super) fn api_url(&self) -> String {
        self.api.server()
    }

    /// How many requests to the receiver did not succeed, from the delivery log.
    pub(super) async fn failed_attempts(&self) -> Result<u64, Failure> {
        #[derive(Deserialize)]
        struct Attempts {
            attempts: Vec<Attempt>,
            next: Option<u64>,
        }
        #[derive(Deserialize)]
        struct Attempt {
            verdict: String,
        }
        let mut failed = 0;
        let mut before = String::new();
        loop {
            let path = format!("/v2/integration/{}/attempts?limit={ATTEMPTS_PAGE}{before}", self.integration);
            let answer = self.api.request(Method::GET, &path, ()).await.map_err(Failure::runtime)?;
            let page: Attempts = answer.successful(&self.api).map_err(Failure::runtime)?;
            failed += page.attempts.iter().filter(|attempt| attempt.verdict != "delivered").count() as u64;
            let Some(next) = page.next else { return Ok(failed) };
            before = format!("&before={next}");
        }
    }

    /// How to look around while everything stays up.
    ///
    /// `attack` is the number of a line of the audit log that holds an attack.
    pub(super) fn invitation(&self, attack: usize, terminal: Terminal) -> String {
        let strong = |text: &str| terminal.paint(Style::Strong, text).to_string();
        let dir = self.dir.path().display();
        let api = self.api_url();
        let id = self.integration;
        let token = self.server.admin_token_file().map(|path| path.display().to_string()).unwrap_or_default();
        let curl = format!("curl -sS -H \"Authorization: Bearer $(cat {token})\"");
        [
            String::new(),
            strong("Everything stays up. To look around, from another terminal:"),
            String::new(),
            "  The integration, its lanes, and each request that was made:".to_owned(),
            format!("    {curl} {api}/v2/integration"),
            format!("    {curl} {api}/v2/integration/{id}/status"),
            format!("    {curl} '{api}/v2/integration/{id}/attempts?limit=3'"),
            "  How far the audit log was read:".to_owned(),
            format!("    {curl} {api}/v1/sources"),
            "  Another attack, as the WAF would log it:".to_owned(),
            format!("    head -n {attack} {dir}/audit.log | tail -n 1 >> {dir}/audit.log"),
            "  A hit of your own, over the API:".to_owned(),
            format!("    {curl} {api}/v1/events -d '{{\"object_type\":\"hit\",\"type\":\"sqli\",\"path\":\"/mine\"}}' \\"),
            "      -H 'Content-Type: application/json'".to_owned(),
            "  The receiver itself, which takes any notification:".to_owned(),
            format!("    curl -sS --cacert {dir}/ca.pem {} -d '[{{\"hello\":\"world\"}}]'", self.listener.url()),
            String::new(),
            "  Ctrl-C ends the demo and removes its files.".to_owned(),
            String::new(),
        ]
        .join("\n")
    }

    /// Stops everything and removes the files.
    pub(super) async fn clear(self) {
        self.server.stop().await;
        self.listener.stop().await;
        // What cannot be removed stays in the temporary directory, where the system cleans up.
        let _ = self.dir.close();
    }
}

/// Makes an integration as a user would: over the API, with the receiver's CA, hits ticked.
async fn integrate(api: &Client, listener: &Listener) -> Result<(ClientId, u64), crate::api::ApiError> {
    #[derive(Deserialize)]
    struct User {
        body: UserBody,
    }
    #[derive(Deserialize)]
    struct UserBody {
        client_id: u64,
    }
    #[derive(Deserialize)]
    struct Created {
        body: CreatedBody,
    }
    #[derive(Deserialize)]
    struct CreatedBody {
        object: Integration,
    }
    #[derive(Deserialize)]
    struct Integration {
        id: u64,
        signing_secret: String,
    }
    let user: User = api.request(Method::POST, "/v1/user", ()).await?.successful(api)?;
    let client_id = user.body.client_id;
    let wanted: Value = json!({
        "type": "web_hooks",
        "name": "Demo",
        "active": true,
        "clientid": client_id,
        "events": [{"event": "siem", "active": true}],
        "target": {"url": listener.url(), "ca_file": listener.ca_pem, "ca_verify": true},
    });
    let answer = api.request(Method::POST, "/v2/integration", Body::from(wanted)).await?;
    let created: Created = answer.successful(api)?;
    let Integration { id, signing_secret } = created.body.object;
    listener.check_with(signing_secret);
    Ok((ClientId(client_id), id))
}
