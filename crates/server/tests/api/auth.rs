//! Who may do what.

use crate::support::{ADMIN, Caller, Hitwire, INGEST, ask};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::json;

#[tokio::test]
async fn another_clients_integrations_look_as_if_they_were_not_there() {
    let hitwire = Hitwire::start().await;
    let client = hitwire.new_client("Other").await;
    let id = hitwire.create(&json!({"target": {"url": "https://example.com/"}})).await["id"].clone();
    let token = hitwire.new_token(&json!({"clientid": client, "name": "other", "role": "admin"})).await;
    let other = hitwire.caller(&token);
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
    hitwire.new_client("Other").await;
    let token = hitwire.new_token(&json!({"name": "own", "role": "admin"})).await;
    let admin = hitwire.caller(&token);
    admin.get("/v2/integration?clientid=1").await.expect(200);
    let answer = admin.get("/v2/integration?clientid=2").await;
    insta::assert_snapshot!(answer.shown());
    let body = json!({"clientid": 2, "target": {"url": "https://example.com/"}});
    admin.send("POST", "/v2/integration", &body).await.expect(403);
    // Whether there is such a client is none of its business.
    admin.get("/v2/integration?clientid=99").await.expect(403);
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
    hitwire
        .restart_with(|config| config.admin_token = Some(hitwire_store::Secret::new("x".repeat(40))))
        .await;
    hitwire.admin().get("/v2/integration").await.expect(401);
    hitwire.caller(&"x".repeat(40)).get("/v2/integration").await.expect(200);
}
