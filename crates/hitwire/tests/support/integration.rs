//! Integrations, made over the API as a user makes them.

use super::RunningServer;
use hitwire::listen::Listener;
use http::Method;
use serde_json::{Value, json};

/// An integration that was made.
#[derive(Clone, Debug)]
pub(crate) struct Integration {
    pub(crate) id: u64,
    /// What its notifications are signed with.
    pub(crate) signing_secret: String,
}

/// Makes an integration that sends hits to `receiver`; `target` adds to its target or replaces parts of it.
pub(crate) async fn of_hits(server: &RunningServer, receiver: &Listener, target: Value) -> Integration {
    of_hits_at(server, &receiver.url(), &receiver.ca_pem, target).await
}

/// The same for a receiver at this address, whose certificate is verified with this authority's.
pub(crate) async fn of_hits_at(
    server: &RunningServer,
    url: &str,
    ca_pem: &str,
    target: Value,
) -> Integration {
    let mut wanted = json!({"url": url, "ca_file": ca_pem});
    let fields = wanted.as_object_mut().expect("an object");
    fields.extend(target.as_object().expect("an object").clone());
    let body = json!({
        "type": "web_hooks",
        "name": "Test",
        "active": true,
        "events": [{"event": "siem", "active": true}],
        "target": wanted,
    });
    let api = server.api();
    let answer = api.request(Method::POST, "/v2/integration", body).await.expect("an answer");
    let created: Value = answer.successful(&api).expect("the integration is made");
    let object = &created["body"]["object"];
    Integration {
        id: object["id"].as_u64().expect("an id"),
        signing_secret: object["signing_secret"].as_str().expect("a secret").to_owned(),
    }
}

/// One page of its delivery log, newest first.
pub(crate) async fn attempts(server: &RunningServer, id: u64) -> Vec<Value> {
    let page = get(server, &format!("/v2/integration/{id}/attempts?limit=500")).await;
    page["attempts"].as_array().expect("a list").clone()
}

/// How it is doing.
pub(crate) async fn status(server: &RunningServer, id: u64) -> Value {
    get(server, &format!("/v2/integration/{id}/status")).await
}

/// An answer of the API that must succeed.
pub(crate) async fn get(server: &RunningServer, path: &str) -> Value {
    let api = server.api();
    api.request(Method::GET, path, ()).await.expect("an answer").successful(&api).expect("success")
}
