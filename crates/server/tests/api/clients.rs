//! What the original's clients ask first.

use crate::support::Hitwire;
use serde_json::json;

#[tokio::test]
async fn a_client_learns_its_id_from_its_token() {
    let hitwire = Hitwire::start().await;
    for body in ["", "{}"] {
        for headers in [&[][..], &[("content-type", "application/json")][..]] {
            let answer = hitwire.admin().send_bytes("POST", "/v1/user", headers, body).await.expect(200);
            let user = &answer["body"];
            assert_eq!(
                (&answer["status"], &user["client_id"], &user["clientid"]),
                (&json!(200), &json!(1), &json!(1))
            );
            assert!(
                user.get("create_at").is_none(),
                "one era of the Go client wants a number, the other a text"
            );
            assert_eq!((&user["permissions"], &user["enabled"]), (&json!(["admin"]), &json!(true)));
            assert!(
                ["uuid", "username", "email", "realname"].iter().all(|field| user[field].is_string()),
                "{user}"
            );
        }
    }
}

#[tokio::test]
async fn the_list_of_clients_is_the_tokens_own() {
    let hitwire = Hitwire::start().await;
    let admin = hitwire.admin();
    for (method, path, found) in [
        ("GET", "/v1/objects/client?filter[id]=1&limit=1&offset=0", 1),
        ("GET", "/v1/objects/client?filter%5Bid%5D=2&limit=1&offset=0", 0),
        ("GET", "/v1/objects/client?limit=1&offset=1", 0),
        ("POST", "/v1/objects/client", 1),
    ] {
        let answer = admin.send(method, path, &json!({"filter": {}})).await.expect(200);
        assert_eq!(answer["body"].as_array().expect("a list").len(), found, "{path}");
    }
    let answer = admin.get("/v1/objects/client").await.expect(200);
    assert_eq!(
        (&answer["status"], &answer["body"][0]["id"], &answer["body"][0]["enabled"]),
        (&json!(200), &json!(1), &json!(true))
    );
}
