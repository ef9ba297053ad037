//! Users who are invited, disabled, changed and reset.

use crate::support::{Browser, Hitwire, PASSWORD};
use serde_json::json;

#[tokio::test]
async fn an_invited_user_chooses_a_password_with_a_link_that_is_good_once() {
    let hitwire = Hitwire::start().await;
    let id =
        hitwire.make("users", &json!({"email": "ann@example.com", "role": "analyst"})).await["id"].clone();
    let path = format!("/v1/users/{id}/sign-in-link");
    let link = async || hitwire.admin().call("POST", &path).await.expect(200)["body"]["object"].take();
    let (older, newer) = (link().await, link().await);
    let mut browser = Browser::new(&hitwire);
    let form = [("password", PASSWORD), ("password_again", PASSWORD)];
    browser.post(older["path"].as_str().expect("a path"), &form).await.page(410);
    let newer = newer["path"].as_str().expect("a path");
    assert!(browser.get(newer).await.page(200).contains("ann@example.com"));
    let page = browser.post(newer, &[("password", PASSWORD), ("password_again", "another")]).await.page(422);
    assert!(page.contains("The two passwords differ."), "{page}");
    browser.post(newer, &form).await.sees_other("/");
    browser.get_as_it_is("/dashboard").await.page(200);
    Browser::new(&hitwire).post(newer, &form).await.page(410);
    Browser::new(&hitwire).sign_in("ann@example.com", PASSWORD).await.sees_other("/");
}

#[tokio::test]
async fn what_an_administrator_takes_away_is_gone_at_once() {
    let hitwire = Hitwire::start().await;
    let admin = hitwire.admin();
    let (mut ann, id) = Browser::invited(&hitwire, "ann@example.com", "admin").await;
    let path = format!("/v1/users/{id}");
    let denied = async |browser: &mut Browser| browser.get_as_it_is("/dashboard").await.status == 303;
    assert!(!denied(&mut ann).await);
    admin.send("PUT", &path, &json!({"enabled": false})).await.expect(200);
    assert!(denied(&mut ann).await);
    Browser::new(&hitwire).sign_in("ann@example.com", PASSWORD).await.page(422);
    admin.send("PUT", &path, &json!({"enabled": true})).await.expect(200);
    assert!(denied(&mut ann).await, "the session is gone for good");
    ann.sign_in("ann@example.com", PASSWORD).await.sees_other("/");
    assert!(!denied(&mut ann).await);
    admin.call("POST", &format!("{path}/sign-in-link")).await.expect(200);
    assert!(denied(&mut ann).await, "reset");
    ann.sign_in("ann@example.com", PASSWORD).await.page(422);
    let (mut bob, id) = Browser::invited(&hitwire, "bob@example.com", "read_only").await;
    admin.call("DELETE", &format!("/v1/users/{id}")).await.expect(200);
    assert!(denied(&mut bob).await);
}

#[tokio::test]
async fn nobody_does_anything_to_somebody_with_more_power() {
    let hitwire = Hitwire::start().await;
    Browser::operator(&hitwire).await;
    let token = hitwire.new_token(&json!({"name": "admin", "role": "admin"})).await;
    let admin = hitwire.caller(&token);
    let operator = json!({"email": "eve@example.com", "role": "operator"});
    admin.send("POST", "/v1/users", &operator).await.expect(403);
    for (method, path) in
        [("PUT", "/v1/users/1"), ("DELETE", "/v1/users/1"), ("POST", "/v1/users/1/sign-in-link")]
    {
        let refused = admin.send(method, path, &json!({"name": "Eve"})).await.expect(403);
        assert!(refused["detail"].as_str().expect("text").contains("only by who has that role"), "{refused}");
    }
    let ann = hitwire.make("users", &json!({"email": "ann@example.com", "role": "admin"})).await;
    admin.send("PUT", &format!("/v1/users/{}", ann["id"]), &json!({"role": "operator"})).await.expect(403);
    hitwire.admin().send("POST", "/v1/users", &operator).await.expect(200);
}

#[tokio::test]
async fn the_last_one_who_could_undo_it_cannot_take_away_their_own_power() {
    let hitwire = Hitwire::start().await;
    let (_, id) = Browser::invited(&hitwire, "ann@example.com", "admin").await;
    let token = hitwire.new_token(&json!({"name": "ann", "role": "admin", "user": id})).await;
    let (ann, path) = (hitwire.caller(&token), format!("/v1/users/{id}"));
    // Who has not signed in yet could not help.
    hitwire.make("users", &json!({"email": "bob@example.com", "role": "admin"})).await;
    for change in [json!({"enabled": false}), json!({"role": "analyst"})] {
        let refused = ann.send("PUT", &path, &change).await.expect(409);
        assert!(refused["detail"].as_str().expect("text").contains("the last one"), "{refused}");
    }
    ann.call("DELETE", &path).await.expect(409);
    ann.send("PUT", &path, &json!({"name": "Anna"})).await.expect(200);
    Browser::invited(&hitwire, "cid@example.com", "admin").await;
    ann.send("PUT", &path, &json!({"role": "analyst"})).await.expect(200);
}

#[tokio::test]
async fn people_change_their_own_name_and_no_more() {
    let hitwire = Hitwire::start().await;
    let ann = hitwire.make("users", &json!({"email": "ann@example.com", "role": "read_only"})).await;
    let token = hitwire.new_token(&json!({"name": "ann", "role": "read_only", "user": ann["id"]})).await;
    let own = hitwire.caller(&token);
    let changed = own.send("PUT", "/v1/user", &json!({"name": "Anna"})).await.expect(200);
    assert_eq!(changed["body"]["object"]["name"], "Anna");
    let more = json!({"name": "Anna", "role": "admin"});
    assert_eq!(own.send("PUT", "/v1/user", &more).await.expect(422)["errors"][0]["pointer"], "/role");
    hitwire.admin().send("PUT", "/v1/user", &json!({"name": "x"})).await.expect(409);
}
