//! Users who are invited, disabled, changed and reset.

use crate::support::{Browser, Hitwire, PASSWORD, between, input};
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
    // In the spelling of the time zone database; what is not named stays.
    let zone = own.send("PUT", "/v1/user", &json!({"time_zone": "europe/berlin"})).await.expect(200);
    let user = &zone["body"]["object"];
    assert_eq!((&user["time_zone"], &user["name"]), (&json!("Europe/Berlin"), &json!("Anna")));
    let none = own.send("PUT", "/v1/user", &json!({"time_zone": "Mars/Base"})).await.expect(422);
    assert_eq!(none["errors"][0]["pointer"], "/time_zone", "{none}");
    let path = format!("/v1/users/{}", ann["id"]);
    let whole = hitwire.admin().get(&path).await.expect(200)["body"]["object"].take();
    assert_eq!(whole["time_zone"], "Europe/Berlin");
    hitwire.admin().send("PUT", &path, &whole).await.expect(200);
    let back = own.send("PUT", "/v1/user", &json!({"time_zone": null})).await.expect(200);
    assert_eq!(back["body"]["object"]["time_zone"], json!(null));
    let more = json!({"name": "Anna", "role": "admin"});
    assert_eq!(own.send("PUT", "/v1/user", &more).await.expect(422)["errors"][0]["pointer"], "/role");
    hitwire.admin().send("PUT", "/v1/user", &json!({"name": "x"})).await.expect(409);
}

#[tokio::test]
async fn an_administrator_adds_somebody_on_the_page_and_gets_a_link_for_them() {
    let hitwire = Hitwire::start().await;
    let mut olga = Browser::operator(&hitwire).await;
    olga.look_for_csrf().await;
    let page = olga.get("/settings/users/add").await.page(200);
    assert!(page.contains("value=\"operator\""), "an operator can make another");
    let wrong = [("email", "ann"), ("name", "Ann <i>"), ("role", "analyst")];
    let page = olga.post("/settings/users/add", &wrong).await.page(422);
    assert!(page.contains("id=\"email-error\">It is no e-mail address"), "{page}");
    assert!(page.contains("value=\"Ann &#60;i&#62;\""), "what was typed is kept: {page}");
    let taken = [("email", "OLGA@example.com"), ("role", "analyst")];
    assert!(olga.post("/settings/users/add", &taken).await.page(409).contains("id=\"email-error\""));
    olga.headers = vec![("origin", format!("http://{}", hitwire.server().addr()))];
    let right = [("email", "ann@example.com"), ("name", "Ann"), ("role", "analyst")];
    let page = olga.post("/settings/users/add", &right).await.page(200);
    let link = between(&page, "id=\"link\">", "</output>");
    let path =
        link.strip_prefix(&format!("http://{}", hitwire.server().addr())).expect("the console's address");
    assert!(olga.get("/settings/users").await.page(200).contains("not yet"));
    let mut ann = Browser::new(&hitwire);
    ann.post(path, &[("password", PASSWORD), ("password_again", PASSWORD)]).await.sees_other("/");
    let page = olga.get("/settings/users?q=ANN").await.page(200);
    assert!(page.contains("ann@example.com") && !page.contains("olga@example.com</td>"), "{page}");
}

#[tokio::test]
async fn somebody_is_changed_disabled_enabled_reset_and_deleted_on_the_page() {
    let hitwire = Hitwire::start().await;
    let mut olga = Browser::operator(&hitwire).await;
    olga.look_for_csrf().await;
    let (mut ann, id) = Browser::invited(&hitwire, "ann@example.com", "analyst").await;
    let at = |rest: &str| format!("/settings/users/{id}{rest}");
    let etag = input(&olga.get(&at("")).await.page(200), "etag").expect("one").replace("&#34;", "\"");
    let change =
        [("email", "ann@example.com"), ("name", "Anna"), ("role", "read_only"), ("etag", etag.as_str())];
    olga.post(&at(""), &change).await.sees_other(&at("?done=changed"));
    assert!(olga.post(&at(""), &change).await.page(412).contains("role=\"alert\""), "changed meanwhile");
    assert!(ann.get("/dashboard").await.page(200).contains("Read only"));
    olga.post(&at("/disable"), &[]).await.sees_other(&at("?done=disabled"));
    assert!(olga.get(&at("?done=disabled")).await.page(200).contains("The user is disabled"));
    ann.get_as_it_is("/dashboard").await.sees_other("/sign-in?next=%2Fdashboard");
    olga.post(&at("/enable"), &[]).await.sees_other(&at("?done=enabled"));
    ann.sign_in("ann@example.com", PASSWORD).await.sees_other("/");
    assert!(olga.post(&at("/link"), &[]).await.page(200).contains("/set-up/"));
    ann.get_as_it_is("/dashboard").await.sees_other("/sign-in?next=%2Fdashboard");
    let page = olga.post(&at("/delete"), &[("email", "bob@example.com")]).await.page(422);
    assert!(page.contains("This is not the e-mail of the user."), "{page}");
    olga.post(&at("/delete"), &[("email", "ann@example.com")])
        .await
        .sees_other("/settings/users?done=deleted");
    olga.get(&at("")).await.page(404);
    olga.post("/settings/users/1/disable", &[]).await.page(409);
}

#[tokio::test]
async fn each_role_sees_and_does_what_the_table_says() {
    let hitwire = Hitwire::start().await;
    hitwire.make("applications", &json!({"id": 7, "name": "shop"})).await;
    let mut olga = Browser::operator(&hitwire).await;
    olga.look_for_csrf().await;
    for (role, users, tokens, changes) in
        [("admin", 200, 200, true), ("analyst", 403, 403, false), ("read_only", 200, 403, false)]
    {
        let (mut one, id) = Browser::invited(&hitwire, &format!("{role}@example.com"), role).await;
        one.get("/settings/profile").await.page(200);
        one.get("/settings/applications").await.page(200);
        one.get("/settings/users").await.page(users);
        one.get("/settings/tokens").await.page(tokens);
        for path in ["/settings/users/add", "/settings/tokens/add", "/settings/applications/7"] {
            one.get(path).await.page(if changes { 200 } else { 403 });
        }
        let user = [("email", "new@example.com"), ("role", "operator")];
        one.post("/settings/users/add", &user).await.page(403);
        for path in ["/settings/users/1/disable", "/settings/users/1/link", "/settings/users/1/enable"] {
            one.post(path, &[]).await.page(403);
        }
        one.post("/settings/users/1/delete", &[("email", "olga@example.com")]).await.page(403);
        let raised = [("email", "x@example.com"), ("role", "operator")];
        one.post(&format!("/settings/users/{id}"), &raised).await.page(403);
        if !changes {
            one.post("/settings/tokens/add", &[("name", "x"), ("role", "ingest")]).await.page(403);
            one.post("/settings/applications", &[("name", "x")]).await.page(403);
            one.post("/settings/applications/7", &[("name", "x")]).await.page(403);
            one.post("/settings/applications/7/delete", &[]).await.page(403);
        }
    }
}
