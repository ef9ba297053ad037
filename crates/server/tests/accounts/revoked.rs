//! What is taken from somebody whose request is under way is taken, whatever call it is.

use crate::support::{HalfSent, Hitwire, hit};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A call with a body, by an operator of another client. `{integration}`, `{user}`, `{application}` and `{client}` stand for ids
/// of that client.
struct Call {
    method: &'static str,
    path: &'static str,
    body: Value,
    /// Somebody who may only read may make it too.
    reads: bool,
}

fn call(method: &'static str, path: &'static str, body: Value) -> Call {
    Call { method, path, body, reads: false }
}

/// Every call that reads a body.
fn calls() -> Vec<Call> {
    let target = json!({"url": "https://example.com/late"});
    vec![
        call("POST", "/v1/events", hit(1)),
        call("POST", "/v1/counters", json!({"requests": 7})),
        call("POST", "/v2/integration", json!({"name": "late", "target": target})),
        call("PUT", "/v2/integration/{integration}", json!({"name": "late"})),
        call("POST", "/v2/integration/{integration}/test", json!({"event": "siem"})),
        call("POST", "/v2/integration/{integration}/rotate-secret", json!({"overlap": 0})),
        call("POST", "/v2/integration/{integration}/check-signature", json!({"body": "late"})),
        call("POST", "/v2/integration/{integration}/replays", json!({"first": 1})),
        call("PUT", "/v2/integration/{integration}/replays/{n}", json!({"paused": true})),
        call("POST", "/v2/integration/test", json!({"target": target})),
        call("POST", "/v2/integration/render", json!({"target": target})),
        call("POST", "/v2/integration/preview", json!({"events": [{"event": "siem"}]})),
        call("POST", "/v1/clients", json!({"name": "late"})),
        call("PUT", "/v1/clients/{client}", json!({"name": "late"})),
        call("POST", "/v1/users", json!({"email": "late@example.com", "role": "analyst"})),
        call("PUT", "/v1/users/{user}", json!({"name": "late"})),
        Call { reads: true, ..call("PUT", "/v1/user", json!({"name": "late"})) },
        call("POST", "/v1/tokens", json!({"name": "late", "role": "ingest"})),
        call("POST", "/v1/applications", json!({"name": "late"})),
        call("PUT", "/v1/applications/{application}", json!({"name": "late"})),
        Call { reads: true, ..call("POST", "/v1/objects/client", json!({"limit": 5})) },
    ]
}

/// Calls that the description gives no body to, but that read one.
const UNDESCRIBED: [&str; 1] = ["POST /v1/objects/client"];

/// What is taken while a body is under way, and the status that the rest of it gets.
#[derive(Clone, Copy, Debug)]
enum Taken {
    Token,
    User,
    UserEnabled,
    Role,
    ClientEnabled,
    Client,
}

const TAKEN: [(Taken, u16); 6] = [
    (Taken::Token, 401),
    (Taken::User, 401),
    (Taken::UserEnabled, 403),
    (Taken::Role, 403),
    (Taken::ClientEnabled, 403),
    (Taken::Client, 401),
];

/// A client with one of everything, and a user of it whose token makes the call.
struct Tenant {
    client: u64,
    integration: u64,
    application: i64,
    user: u64,
    caller: u64,
    token: u64,
    secret: String,
}

impl Tenant {
    async fn make(hitwire: &Hitwire, n: usize) -> Tenant {
        let client = hitwire.new_client(&format!("client {n}")).await;
        let of = |what: &str| format!("{what}?clientid={client}");
        let id = |made: &Value| made["id"].as_u64().expect("an id");
        let integration =
            json!({"clientid": client, "target": {"url": "https://example.com/"}, "active": false});
        let user = |name: &str, role: &str| json!({"email": format!("{name}-{n}@example.com"), "role": role});
        let caller = id(&hitwire.make(&of("users"), &user("caller", "operator")).await);
        let token = json!({"name": "caller", "role": "operator", "user": caller});
        let token = hitwire.make(&of("tokens"), &token).await;
        Tenant {
            client,
            integration: id(&hitwire.create(&integration).await),
            application: hitwire.make(&of("applications"), &json!({"name": "shop"})).await["id"]
                .as_i64()
                .expect("an id"),
            user: id(&hitwire.make(&of("users"), &user("other", "analyst")).await),
            caller,
            token: id(&token),
            secret: token["token"].as_str().expect("the token").to_owned(),
        }
    }

    fn path(&self, path: &str) -> String {
        path.replace("{integration}", &self.integration.to_string())
            .replace("{application}", &self.application.to_string())
            .replace("{user}", &self.user.to_string())
            .replace("{client}", &self.client.to_string())
            .replace("{n}", "1")
    }

    async fn take(&self, hitwire: &Hitwire, taken: Taken) {
        let admin = hitwire.admin();
        let user = format!("/v1/users/{}", self.caller);
        let client = format!("/v1/clients/{}", self.client);
        let answer = match taken {
            Taken::Token => admin.call("DELETE", &format!("/v1/tokens/{}", self.token)).await,
            Taken::User => admin.call("DELETE", &user).await,
            Taken::UserEnabled => admin.send("PUT", &user, &json!({"enabled": false})).await,
            Taken::Role => admin.send("PUT", &user, &json!({"role": "read_only"})).await,
            Taken::ClientEnabled => admin.send("PUT", &client, &json!({"enabled": false})).await,
            Taken::Client => {
                admin.call("DELETE", &format!("/v2/integration/{}", self.integration)).await.expect(200);
                admin.call("DELETE", &client).await
            }
        };
        answer.expect(200);
    }

    async fn begin(&self, hitwire: &Hitwire, call: &Call) -> HalfSent {
        let bearer = format!("Bearer {}", self.secret);
        let headers = [("authorization", &*bearer), ("content-type", "application/json")];
        let path = self.path(call.path);
        HalfSent::begin(hitwire.server().addr(), call.method, &path, &headers, &call.body.to_string()).await
    }

    /// All that there is of the client, but for when the token was used.
    async fn everything(&self, hitwire: &Hitwire) -> Vec<String> {
        let admin = hitwire.admin();
        let mut all = Vec::new();
        // What hitwire itself tells of a change comes a moment later; that there was one, the activity log says at once.
        for call in [
            "/v2/integration?",
            "/v1/users?",
            "/v1/applications?",
            "/v1/tokens?",
            "/v1/events?kind=siem&",
            "/v1/activity?",
        ] {
            let answer = admin.get(&format!("{call}clientid={}", self.client)).await;
            assert!(matches!(answer.status.as_u16(), 200 | 404), "{call}: {}", answer.status);
            let mut answer = answer.json();
            answer["next"] = Value::Null;
            for token in answer["body"]["object"].as_array_mut().into_iter().flatten() {
                token["last_used_at"] = Value::Null;
            }
            all.push(answer.to_string());
        }
        all.push(admin.get("/v1/clients").await.expect(200).to_string());
        all
    }
}

#[tokio::test]
async fn a_call_under_way_does_nothing_once_its_sender_may_not_make_it() {
    let hitwire = Hitwire::start().await;
    let mut n = 0;
    for call in calls() {
        for (taken, status) in TAKEN {
            n += 1;
            let tenant = Tenant::make(&hitwire, n).await;
            let half = tenant.begin(&hitwire, &call).await;
            tenant.take(&hitwire, taken).await;
            let before = tenant.everything(&hitwire).await;
            let (answered, words) = half.status().await;
            let still_may = call.reads && matches!(taken, Taken::Role);
            let status = if still_may { 200 } else { status };
            assert_eq!(answered, status, "{} {} after {taken:?}: {words}", call.method, call.path);
            if !still_may {
                let after = tenant.everything(&hitwire).await;
                assert_eq!(after, before, "{} {} after {taken:?}", call.method, call.path);
            }
        }
    }
}

#[tokio::test]
async fn every_call_with_a_body_is_among_them() {
    let hitwire = Hitwire::start().await;
    let description = hitwire.nobody().get("/openapi.json").await.expect(200);
    let mut described: BTreeSet<String> = UNDESCRIBED.map(str::to_owned).into();
    for (path, item) in description["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            if operation.get("requestBody").is_some() {
                described.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    let as_described = |call: &Call| {
        let mut path = call.path.to_owned();
        for of in ["integration", "user", "application", "client"] {
            path = path.replace(&format!("{{{of}}}"), "{id}");
        }
        format!("{} {path}", call.method)
    };
    assert_eq!(calls().iter().map(as_described).collect::<BTreeSet<_>>(), described);
}

#[tokio::test]
async fn nothing_is_made_of_a_client_that_an_operator_deletes_meanwhile() {
    let hitwire = Hitwire::start().await;
    let bearer = format!("Bearer {}", crate::support::ADMIN);
    let headers = [("authorization", &*bearer), ("content-type", "application/json")];
    let made_of_it = ["/v2/integration", "/v1/users", "/v1/tokens", "/v1/applications"];
    for call in calls().into_iter().filter(|call| made_of_it.contains(&call.path)) {
        let client = hitwire.new_client("short-lived").await;
        let mut body = call.body.clone();
        body["clientid"] = client.into();
        let addr = hitwire.server().addr();
        let half = HalfSent::begin(addr, call.method, call.path, &headers, &body.to_string()).await;
        hitwire.admin().call("DELETE", &format!("/v1/clients/{client}")).await.expect(200);
        let (status, words) = half.status().await;
        assert_eq!(status, 404, "{}: {words}", call.path);
    }
}

#[tokio::test]
async fn a_change_of_something_that_is_deleted_meanwhile_finds_nothing() {
    let hitwire = Hitwire::start().await;
    for (n, (path, body)) in [
        ("/v2/integration/{integration}", json!({"name": "late"})),
        ("/v2/integration/{integration}/test", json!({"event": "siem"})),
        ("/v2/integration/{integration}/rotate-secret", json!({"overlap": 0})),
        ("/v1/users/{user}", json!({"name": "late"})),
    ]
    .into_iter()
    .enumerate()
    {
        let method = if path.ends_with('}') { "PUT" } else { "POST" };
        let tenant = Tenant::make(&hitwire, n).await;
        let half = tenant.begin(&hitwire, &call(method, path, body)).await;
        let thing = tenant.path(path).replace("/test", "").replace("/rotate-secret", "");
        hitwire.admin().call("DELETE", &thing).await.expect(200);
        let (status, words) = half.status().await;
        assert_eq!(status, 404, "{path}: {words}");
        hitwire.admin().get(&thing).await.expect(404);
    }
}

#[tokio::test]
async fn a_body_that_does_not_end_holds_up_nobody() {
    let hitwire = Hitwire::start().await;
    let slow = Tenant::make(&hitwire, 1).await;
    let mut halves = Vec::new();
    for call in calls() {
        halves.push(slow.begin(&hitwire, &call).await);
    }
    // Each of these would wait for good if one of those held what it needs.
    let other = Tenant::make(&hitwire, 2).await;
    let change = json!({"name": "in time"});
    for path in ["/v1/users/{user}", "/v1/clients/{client}", "/v2/integration/{integration}"] {
        hitwire.admin().send("PUT", &other.path(path), &change).await.expect(200);
        hitwire.admin().send("PUT", &slow.path(path), &change).await.expect(200);
    }
    drop(halves);
}
