//! Who may do what.

use crate::support::{ADMIN, Caller, Hitwire, INGEST, ask, hit};
use bytes::Bytes;
use hitwire_event::ClientId;
use hitwire_log::{Op, Options, Role, SqliteStore, Store, Token, TokenId};
use http::Request;
use http_body_util::Full;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

const ANALYST: &str = "analyst-token-of-the-tests-0123456789abcd";
const READER: &str = "reader-token-of-the-tests-0123456789abcde";
const OTHER_CLIENT: &str = "admin-token-of-another-client-0123456789a";

/// A server that knows a token of each role, and one of another client.
async fn with_all_roles() -> Hitwire {
    let mut hitwire = Hitwire::start().await;
    hitwire.stop().await;
    let store = SqliteStore::open(Options::new(hitwire.data_dir())).expect("opened");
    let tokens =
        [(ANALYST, Role::Analyst, 1), (READER, Role::ReadOnly, 1), (OTHER_CLIENT, Role::Administrator, 2)];
    for (id, (token, role, client)) in (1..).zip(tokens) {
        let token = Token {
            id: TokenId(id),
            sha256: Sha256::digest(token.as_bytes()).into(),
            client: ClientId(client),
            user: None,
            role,
            name: "somebody".to_owned(),
            created_at: 0,
            created_by: "the tests".to_owned(),
            expires_at: None,
            last_used_at: None,
        };
        store.commit(vec![Op::PutToken(token)]).await.expect("kept");
    }
    store.close().await.expect("closed");
    drop(store);
    hitwire.restart().await;
    hitwire
}

#[tokio::test]
async fn each_role_may_do_its_own_and_no_more() {
    let hitwire = with_all_roles().await;
    let url = json!({"target": {"url": "https://example.com/"}});
    let calls = [
        ("POST", "/v1/events", hit(1)),
        ("GET", "/v2/integration", json!(null)),
        ("POST", "/v2/integration", url.clone()),
        ("PUT", "/v2/integration/1", json!({"active": true})),
        ("GET", "/v2/integration/1/attempts", json!(null)),
        ("GET", "/v2/integration/1/status", json!(null)),
        ("POST", "/v1/user", json!(null)),
        ("GET", "/v1/objects/client", json!(null)),
        ("GET", "/v1/sources", json!(null)),
    ];
    hitwire.create(&url).await;
    let mut table = String::new();
    for (method, path, body) in &calls {
        let mut row = format!("{method:5} {path:27}");
        for (name, token) in [("admin", ADMIN), ("ingest", INGEST), ("analyst", ANALYST), ("reader", READER)]
        {
            let answer = hitwire.caller(token).send(method, path, body).await;
            write!(row, " {name} {}", answer.status.as_u16()).expect("written");
        }
        let nobody = hitwire.nobody().send(method, path, body).await.status.as_u16();
        writeln!(table, "{row} nobody {nobody}").expect("written");
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn another_clients_integrations_look_as_if_they_were_not_there() {
    let hitwire = with_all_roles().await;
    let id = hitwire.create(&json!({"target": {"url": "https://example.com/"}})).await["id"].clone();
    let other = hitwire.caller(OTHER_CLIENT);
    assert_eq!(other.get("/v2/integration").await.expect(200)["body"]["object"], json!([]));
    for (method, path) in
        [("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/attempts"), ("GET", "/lost"), ("GET", "/status")]
    {
        other
            .send(method, &format!("/v2/integration/{id}{path}"), &json!({"active": false}))
            .await
            .expect(404);
    }
    assert_eq!(
        hitwire.admin().get(&format!("/v2/integration/{id}")).await.expect(200)["body"]["object"]["active"],
        true
    );
}

#[tokio::test]
async fn a_client_id_that_is_not_the_tokens_is_refused() {
    let hitwire = Hitwire::start().await;
    let admin = hitwire.admin();
    admin.get("/v2/integration?clientid=1").await.expect(200);
    let answer = admin.get("/v2/integration?clientid=2").await;
    insta::assert_snapshot!(answer.shown());
    let body = json!({"clientid": 2, "target": {"url": "https://example.com/"}});
    admin.send("POST", "/v2/integration", &body).await.expect(403);
}

#[tokio::test]
async fn without_a_known_token_the_answer_says_what_to_send() {
    let hitwire = Hitwire::start().await;
    insta::assert_snapshot!("no_token", hitwire.nobody().get("/v2/integration").await.shown());
    insta::assert_snapshot!(
        "unknown_token",
        hitwire.caller("nobody-knows-this").get("/v2/integration").await.shown()
    );
    insta::assert_snapshot!("wrong_role", hitwire.caller(INGEST).get("/v2/integration").await.shown());
}

#[tokio::test]
async fn the_originals_headers_are_taken_as_well() {
    let hitwire = Hitwire::start().await;
    let Caller { addr, .. } = hitwire.nobody();
    for name in ["X-WallarmAPI-Token", "x-wallarmapi-token", "X-WallarmAPI-Secret"] {
        let request = Request::get("/v2/integration?clientid=1").header("host", "x").header(name, ADMIN);
        let answer = ask(addr, request.body(Full::<Bytes>::default()).expect("a request")).await;
        answer.expect(200);
    }
}

#[tokio::test]
async fn the_made_token_is_in_its_file_and_dies_with_it() {
    let mut hitwire = Hitwire::start_with(|config| config.admin_token = None).await;
    let file = hitwire.server().admin_token_file().expect("a file").to_owned();
    let token = std::fs::read_to_string(&file).expect("read").trim().to_owned();
    assert_eq!(token.len(), 64);
    assert_eq!(hitwire.server().admin_token().expose(), token);
    hitwire.caller(&token).get("/v2/integration").await.expect(200);
    hitwire.restart().await;
    hitwire.caller(&token).get("/v2/integration").await.expect(200);
    hitwire.stop().await;
    std::fs::remove_file(file).expect("removed");
    hitwire.restart().await;
    hitwire.caller(&token).get("/v2/integration").await.expect(401);
}

#[tokio::test]
async fn an_operator_who_changes_the_token_takes_the_old_one_back() {
    let mut hitwire = Hitwire::start().await;
    hitwire.restart_with(|config| config.admin_token = Some(hitwire_log::Secret::new("x".repeat(40)))).await;
    hitwire.admin().get("/v2/integration").await.expect(401);
    hitwire.caller(&"x".repeat(40)).get("/v2/integration").await.expect(200);
}
