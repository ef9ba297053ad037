//! Users and applications.

use crate::support::{Hitwire, until};
use serde_json::json;

#[tokio::test]
async fn a_user_is_made_changed_and_deleted() {
    let hitwire = Hitwire::start().await;
    let admin = hitwire.admin();
    let made =
        hitwire.make("users", &json!({"email": "ann@example.com", "name": "Ann", "role": "analyst"})).await;
    let path = format!("/v1/users/{}", made["id"]);
    let shown = admin.get(&path).await;
    assert_eq!(
        (&shown.json()["body"]["object"], &shown.headers["etag"]),
        (&made, &"\"1\"".parse().expect("a value"))
    );
    let same = admin.send("PUT", &path, &made).await;
    assert_eq!(
        (same.status.as_u16(), &same.headers["etag"]),
        (200, &shown.headers["etag"]),
        "nothing is changed"
    );
    let changed = admin.send("PUT", &path, &json!({"name": "Anna"})).await.expect(200);
    assert_eq!(changed["body"]["object"]["email"], "ann@example.com");
    let stale = [("content-type", "application/json"), ("if-match", "\"1\"")];
    admin.send_bytes("PUT", &path, &stale, r#"{"role":"admin"}"#).await.expect(412);
    admin.send("PUT", &path, &json!({"role": "admin"})).await.expect(200);
    admin.call("DELETE", &path).await.expect(200);
    admin.get(&path).await.expect(404);
    until(async || hitwire.told(1).await == ["create_user", "update_user", "delete_user"]).await;
}

#[tokio::test]
async fn an_address_belongs_to_one_user_of_a_client() {
    let hitwire = Hitwire::start().await;
    hitwire.make("users", &json!({"email": "ann@example.com", "role": "analyst"})).await;
    let again = json!({"email": "ANN@example.com", "role": "analyst"});
    let refused = hitwire.admin().send("POST", "/v1/users", &again).await.expect(409);
    assert!(refused["detail"].as_str().expect("text").contains("ANN@example.com"), "{refused}");
    for wrong in ["ann", "ann@", "@example.com", "a b@example.com", "Ann <ann@example.org>", "a@b@c d"] {
        let refused =
            hitwire.admin().send("POST", "/v1/users", &json!({"email": wrong, "role": "analyst"})).await;
        assert_eq!(refused.expect(422)["errors"][0]["pointer"], "/email", "{wrong}");
    }
}

#[tokio::test]
async fn another_clients_accounts_look_as_if_they_were_not_there() {
    let hitwire = Hitwire::start().await;
    let other = hitwire.new_client("Other").await;
    let token = hitwire.new_token(&json!({"clientid": other, "name": "other", "role": "admin"})).await;
    let stranger = hitwire.caller(&token);
    let user = hitwire.make("users", &json!({"email": "ann@example.com", "role": "analyst"})).await;
    let own = hitwire.make("tokens", &json!({"name": "own", "role": "ingest"})).await;
    hitwire.make("applications", &json!({"id": 7, "name": "shop"})).await;
    for path in [
        format!("/v1/users/{}", user["id"]),
        format!("/v1/tokens/{}", own["id"]),
        "/v1/applications/7".to_owned(),
    ] {
        stranger.get(&path).await.expect(404);
        stranger.call("DELETE", &path).await.expect(404);
        hitwire.admin().get(&path).await.expect(200);
    }
    stranger.get("/v1/clients/1").await.expect(404);
    assert_eq!(stranger.get("/v1/users").await.expect(200)["body"]["object"], json!([]));
    assert_eq!(stranger.get("/v1/clients").await.expect(200)["body"]["object"][0]["id"], other);
    let with_their_user = json!({"name": "x", "role": "analyst", "user": user["id"]});
    let refused = stranger.send("POST", "/v1/tokens", &with_their_user).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/user");
    let activity = stranger.get("/v1/activity").await.expect(200).to_string();
    assert!(activity.contains("Other") && !activity.contains("ann@example.com"), "{activity}");
}

#[tokio::test]
async fn an_application_is_made_renamed_and_deleted() {
    let hitwire = Hitwire::start().await;
    let admin = hitwire.admin();
    let default = hitwire.make("applications", &json!({"id": -1, "name": "default"})).await;
    assert_eq!(default, json!({"id": -1, "clientid": 1, "name": "default"}));
    admin.send("POST", "/v1/applications", &json!({"id": -1, "name": "again"})).await.expect(409);
    hitwire.make("applications", &json!({"id": 1, "name": "chosen"})).await;
    assert_eq!(hitwire.make("applications", &json!({"name": "shop"})).await["id"], 2, "1 was taken");
    admin.send("PUT", "/v1/applications/2", &json!({"name": "webshop"})).await.expect(200);
    admin.send("PUT", "/v1/applications/2", &json!({"name": "webshop"})).await.expect(200);
    admin.send("PUT", "/v1/applications/2", &json!({"name": "shop"})).await.expect(200);
    admin.call("DELETE", "/v1/applications/2").await.expect(200);
    admin.get("/v1/applications/2").await.expect(404);
    let told = [
        "create_application",
        "create_application",
        "create_application",
        "update_application",
        "update_application",
        "delete_application",
    ];
    until(async || hitwire.told(1).await == told).await;
}

#[tokio::test]
async fn whether_another_client_has_an_email_is_not_told() {
    let hitwire = Hitwire::start().await;
    let (shop, bank) = (hitwire.new_client("Shop").await, hitwire.new_client("Bank").await);
    let taken = json!({"email": "jane@example.com", "name": "Jane", "role": "analyst", "clientid": bank});
    hitwire.make("users", &taken).await;
    let token = hitwire.new_token(&json!({"name": "admin", "role": "admin", "clientid": shop})).await;
    let admin = hitwire.caller(&token);
    let make = async |email: &str| {
        let made = admin.send("POST", "/v1/users", &json!({"email": email, "role": "analyst"})).await;
        (made.status, made.json()["body"]["object"].take())
    };
    let (fresh, mut nobody) = make("nobody@example.com").await;
    let (status, mut jane) = make("JANE@example.com").await;
    assert_eq!((status, status.as_u16()), (fresh, 200));
    let path = format!("/v1/users/{}", jane["id"]);
    let link = admin.call("POST", &format!("{path}/sign-in-link")).await.expect(200);
    assert!(link["body"]["object"]["path"].is_string());
    for field in ["id", "uuid", "email", "created_at"] {
        (nobody[field], jane[field]) = (json!(null), json!(null));
    }
    assert_eq!(jane, nobody);
    admin.send("PUT", &path, &json!({"email": "joan@example.com"})).await.expect(200);
    admin.send("PUT", &path, &json!({"email": "jane@example.com"})).await.expect(200);
    // In its own client it is told.
    let again =
        admin.send("POST", "/v1/users", &json!({"email": "Jane@example.com", "role": "analyst"})).await;
    let words = again.expect(409)["detail"].to_string();
    assert!(words.contains("already"), "{words}");
}

#[tokio::test]
async fn lists_of_accounts_are_read_page_by_page_or_as_a_whole() {
    let hitwire = Hitwire::start().await;
    for name in ["a", "b", "c"] {
        hitwire
            .make("users", &json!({"email": format!("{name}@example.com"), "name": name, "role": "analyst"}))
            .await;
        hitwire.make("tokens", &json!({"name": name, "role": "ingest"})).await;
        hitwire.make("applications", &json!({"name": name})).await;
    }
    for what in ["users", "tokens", "applications"] {
        let list = async |query: &str| {
            let list = hitwire.admin().get(&format!("/v1/{what}{query}")).await.expect(200);
            let list = list["body"]["object"].as_array().expect("a list").clone();
            list.iter().map(|one| one["id"].as_i64().expect("an id")).collect::<Vec<_>>()
        };
        let all = list("").await;
        assert!(all.len() >= 3 && all.is_sorted(), "{what}: {all:?}");
        assert_eq!(list("?limit=1").await, all[..1], "{what}");
        assert_eq!(list(&format!("?limit=1&after={}", all[0])).await, all[1..2], "{what}");
        assert_eq!(list(&format!("?after={}", all[all.len() - 1])).await, [0; 0], "{what}");
        for wrong in ["?limit=0", "?limit=501", "?after=x"] {
            hitwire.admin().get(&format!("/v1/{what}{wrong}")).await.expect(400);
        }
    }
}
