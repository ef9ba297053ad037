//! Tokens: made, used, expired, revoked.

use crate::support::{Hitwire, INGEST, hit, until};
use http::StatusCode;
use serde_json::{Value, json};

async fn status(hitwire: &Hitwire, token: &str) -> StatusCode {
    hitwire.caller(token).get("/v1/applications").await.status
}

#[tokio::test]
async fn a_token_is_shown_once_and_good_until_it_is_revoked() {
    let hitwire = Hitwire::start().await;
    let made = hitwire.make("tokens", &json!({"name": "reader", "role": "read_only"})).await;
    let token = made["token"].as_str().expect("the token");
    assert!(token.len() == 64 && token.chars().all(|c| c.is_ascii_alphanumeric()), "{token}");
    assert_eq!(status(&hitwire, token).await, 200);
    let path = format!("/v1/tokens/{}", made["id"]);
    for answer in [hitwire.admin().get(&path).await, hitwire.admin().get("/v1/tokens").await] {
        let text = answer.expect(200).to_string();
        assert!(text.contains("reader") && !text.contains(token), "{text}");
    }
    hitwire.admin().call("DELETE", &path).await.expect(200);
    assert_eq!(status(&hitwire, token).await, 401, "at once");
    hitwire.admin().call("DELETE", &path).await.expect(404);
    until(async || hitwire.told(1).await == ["create_token", "revoke_token"]).await;
}

#[tokio::test]
async fn a_token_expires() {
    let hitwire = Hitwire::start().await;
    let now_s =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after it").as_secs();
    let body = |expires_at: u64| json!({"name": "soon", "role": "read_only", "expires_at": expires_at});
    let refused = hitwire.admin().send("POST", "/v1/tokens", &body(now_s - 1)).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/expires_at");
    let token = hitwire.new_token(&body(now_s + 3)).await;
    assert_eq!(status(&hitwire, &token).await, 200);
    until(async || status(&hitwire, &token).await == 401).await;
    let words = hitwire.caller(&token).get("/v1/applications").await.json();
    assert!(words["detail"].as_str().expect("text").contains("expired"), "{words}");
}

#[tokio::test]
async fn nobody_gives_or_takes_more_power_than_he_has() {
    let hitwire = Hitwire::start().await;
    let operators = hitwire.make("tokens", &json!({"name": "operator", "role": "operator"})).await;
    let admin = hitwire.new_token(&json!({"name": "admin", "role": "admin"})).await;
    let admin = hitwire.caller(&admin);
    for (role, status) in
        [("operator", 403), ("admin", 200), ("analyst", 200), ("read_only", 200), ("ingest", 200)]
    {
        admin.send("POST", "/v1/tokens", &json!({"name": "new", "role": role})).await.expect(status);
    }
    admin.call("DELETE", &format!("/v1/tokens/{}", operators["id"])).await.expect(403);
    let user = json!({"email": "o@example.com", "role": "operator"});
    admin.send("POST", "/v1/users", &user).await.expect(403);
}

#[tokio::test]
async fn a_token_does_no_more_than_its_user_may() {
    let hitwire = Hitwire::start().await;
    let user =
        hitwire.make("users", &json!({"email": "ann@example.com", "name": "Ann", "role": "admin"})).await;
    let path = format!("/v1/users/{}", user["id"]);
    let own = |role: &str| json!({"name": "hers", "role": role, "user": user["id"]});
    let (admin, ingest) = (hitwire.new_token(&own("admin")).await, hitwire.new_token(&own("ingest")).await);
    let ann = hitwire.caller(&admin);
    let asked = ann.send("POST", "/v1/user", &json!({})).await.expect(200);
    assert_eq!(
        (&asked["body"]["email"], &asked["body"]["realname"]),
        (&json!("ann@example.com"), &json!("Ann"))
    );
    let made = ann.send("POST", "/v2/integration", &json!({"target": {"url": "https://example.com/"}})).await;
    assert_eq!(made.expect(200)["body"]["object"]["created_by"], "ann@example.com");

    hitwire.admin().send("PUT", &path, &json!({"role": "read_only"})).await.expect(200);
    ann.get("/v2/integration").await.expect(403);
    ann.get("/v1/activity").await.expect(200);
    hitwire.caller(&ingest).send("POST", "/v1/events", &hit(1)).await.expect(403);
    let refused = hitwire.admin().send("POST", "/v1/tokens", &own("analyst")).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/role");

    hitwire.admin().send("PUT", &path, &json!({"enabled": false})).await.expect(200);
    ann.get("/v1/activity").await.expect(403);
    hitwire.admin().send("PUT", &path, &json!({"enabled": true})).await.expect(200);
    ann.get("/v1/activity").await.expect(200);
    hitwire.admin().call("DELETE", &path).await.expect(200);
    ann.get("/v1/activity").await.expect(401);
    let told = [
        "create_user",
        "create_token",
        "create_token",
        "update_user",
        "revoke_token",
        "revoke_token",
        "delete_user",
    ];
    until(async || {
        let mut of_accounts = hitwire.told(1).await;
        of_accounts.retain(|told| told != "create_integration");
        of_accounts == told
    })
    .await;
}

#[tokio::test]
async fn when_a_token_was_last_used_is_told() {
    let hitwire = Hitwire::start().await;
    let made = hitwire.make("tokens", &json!({"name": "reader", "role": "read_only"})).await;
    let last_used = async || {
        let path = format!("/v1/tokens/{}", made["id"]);
        hitwire.admin().get(&path).await.expect(200)["body"]["object"]["last_used_at"].clone()
    };
    assert_eq!(last_used().await, Value::Null);
    hitwire.caller(made["token"].as_str().expect("text")).get("/v1/applications").await.expect(200);
    until(async || last_used().await.is_u64()).await;
}

#[tokio::test]
async fn a_stream_of_events_ends_when_its_token_is_revoked() {
    let hitwire = Hitwire::start().await;
    let made = hitwire.make("tokens", &json!({"name": "reader", "role": "read_only"})).await;
    let reader = hitwire.caller(made["token"].as_str().expect("text"));
    // The answer is whole only when the stream has ended.
    let streaming = tokio::spawn(async move { reader.get("/v1/events?follow=true&kind=siem").await });
    let last_used = async || {
        let list = hitwire.admin().get("/v1/tokens").await.expect(200);
        list["body"]["object"][0]["last_used_at"].is_u64()
    };
    until(last_used).await;
    hitwire.caller(INGEST).send("POST", "/v1/events", &hit(1)).await.expect(202);
    hitwire.admin().call("DELETE", &format!("/v1/tokens/{}", made["id"])).await.expect(200);
    let answer = streaming.await.expect("ended");
    assert!(answer.status == 200 || answer.status == 401, "{}", answer.status);
}
