//! Internal addresses are shown to operators alone; a client's people are told the rule.

use crate::support::{Caller, Hitwire, hits, until};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpListener};

/// A client with an integration that sends to a name that leads inside, and its administrator.
struct Tenant {
    client: u64,
    integration: u64,
    admin: Caller,
    url: String,
}

impl Tenant {
    async fn make(hitwire: &Hitwire) -> Tenant {
        let client = hitwire.new_client("Shop").await;
        let token = json!({"name": "admin", "role": "admin", "clientid": client});
        let admin = hitwire.caller(&hitwire.new_token(&token).await);
        // Nothing listens there: the port was free a moment ago.
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port").local_addr().expect("bound").port();
        let url = format!("http://localhost:{port}/hook");
        let integration = json!({"target": {"url": url}, "events": [{"event": "siem"}, {"event": "system"}]});
        let made = admin.send("POST", "/v2/integration", &integration).await.expect(200);
        let integration = made["body"]["object"]["id"].as_u64().expect("an id");
        Tenant { client, integration, admin, url }
    }

    /// All that a caller is told of the integration's failures.
    async fn told(&self, caller: &Caller) -> Vec<Value> {
        let of = format!("/v2/integration/{}", self.integration);
        let attempts = caller.get(&format!("{of}/attempts")).await.expect(200);
        let attempt = attempts["attempts"][0]["id"].clone();
        let seq = attempts["attempts"][0]["first"].clone();
        let client = self.client;
        let mut told = vec![attempts];
        for path in [
            format!("{of}/attempts/{attempt}"),
            format!("{of}/status"),
            format!("/v2/integration/overview?clientid={client}"),
            format!("/v1/events/{seq}/deliveries"),
            format!("/v1/events?kind=system&clientid={client}"),
            format!("/v1/activity?clientid={client}"),
        ] {
            told.push(caller.get(&path).await.expect(200));
        }
        told.push(caller.send("POST", &format!("{of}/test"), &json!({"event": "siem"})).await.expect(200));
        let unsaved = json!({"target": {"url": self.url}, "clientid": client});
        told.push(caller.send("POST", "/v2/integration/test", &unsaved).await.expect(200));
        told
    }

    /// Waits for the first attempt, and for the event that tells of a refusal if there is one.
    async fn failed(&self, hitwire: &Hitwire, refused: bool) {
        self.admin.send("POST", "/v1/events", &hits(1..2)).await.expect(202);
        let path = format!("/v2/integration/{}/attempts", self.integration);
        until(async || self.admin.get(&path).await.expect(200)["attempts"][0]["error"].is_string()).await;
        until(async || !refused || hitwire.told(self.client).await.contains(&"guard_refused".to_owned()))
            .await;
    }
}

/// Addresses of this machine in any form.
fn names_an_address(told: &Value) -> bool {
    let text = told.to_string();
    ["127.0.0.1", "[::1]", "::1", "127.0.0.0/8"].iter().any(|address| text.contains(address))
}

#[tokio::test]
async fn whom_the_guard_refuses_is_told_the_rule_and_operators_the_address() {
    let hitwire = Hitwire::start_with(|config| config.allow_targets.clear()).await;
    let tenant = Tenant::make(&hitwire).await;
    tenant.failed(&hitwire, true).await;
    let told = tenant.told(&tenant.admin).await;
    for told in &told {
        assert!(!names_an_address(told), "{told}");
    }
    let all = Value::Array(told).to_string();
    assert!(
        all.contains("the address that localhost resolves to is not allowed: it is a loopback address"),
        "{all}"
    );
    let shown = tenant.told(&hitwire.admin()).await;
    let (attempts, test) = (&shown[0], &shown[7]["body"]["object"]);
    for address in [&attempts["attempts"][0]["address"], &test["address"]] {
        assert!(names_an_address(address), "{address}");
    }
}

#[tokio::test]
async fn of_an_internal_network_that_is_allowed_addresses_are_shown_to_operators_too() {
    let networks = ["127.0.0.0/8", "::1/128"].map(|network| network.parse().expect("a network"));
    let hitwire = Hitwire::start_with(|config| config.allow_targets = networks.into()).await;
    let tenant = Tenant::make(&hitwire).await;
    tenant.failed(&hitwire, false).await;
    let told = tenant.told(&tenant.admin).await;
    for told in &told {
        assert!(!names_an_address(told), "{told}");
    }
    let all = Value::Array(told).to_string();
    assert!(all.contains("no connection to an internal address"), "{all}");
    let shown = tenant.told(&hitwire.admin()).await;
    assert!(names_an_address(&shown[0]["attempts"][0]["address"]), "{}", shown[0]);
}
