//! What is taken from somebody is taken, whatever they have under way.

use crate::support::{Browser, HalfSent, Hitwire, PASSWORD, text};
use http::StatusCode;
use serde_json::json;
use std::net::SocketAddr;

const COOKIE: &str = "__Host-hitwire";

/// A form of which the last byte has not been sent yet.
async fn half_a_form(addr: SocketAddr, cookie: &str, path: &str, form: &str) -> HalfSent {
    let cookie = format!("{COOKIE}={cookie}");
    let headers = [("cookie", &*cookie), ("content-type", "application/x-www-form-urlencoded")];
    HalfSent::begin(addr, "POST", path, &headers, form).await
}

#[tokio::test]
async fn a_form_under_way_does_nothing_once_its_sender_is_disabled() {
    let hitwire = Hitwire::start().await;
    Browser::operator(&hitwire).await;
    let (mut admin, id) = Browser::invited(&hitwire, "ann@example.com", "admin").await;
    let page = text(&admin.get("/settings/users/add").await);
    let csrf = crate::support::input(&page, "csrf").expect("the page's secret");
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("csrf", &*csrf), ("email", "late@example.com"), ("name", "Late"), ("role", "admin")])
        .finish();
    let cookie = admin.cookie(COOKIE).expect("a session").to_owned();
    let half = half_a_form(hitwire.server().addr(), &cookie, "/settings/users/add", &form).await;
    hitwire.admin().send("PUT", &format!("/v1/users/{id}"), &json!({"enabled": false})).await.expect(200);
    let answer = half.finish().await;
    assert!(answer.starts_with("HTTP/1.1 303") && answer.contains("/sign-in"), "{answer}");
    let users = hitwire.admin().get("/v1/users").await.expect(200).to_string();
    assert!(!users.contains("late@example.com"), "{users}");
}

#[tokio::test]
async fn nobody_of_a_disabled_client_gets_in_or_stays_in() {
    let hitwire = Hitwire::start().await;
    Browser::operator(&hitwire).await;
    let client = hitwire.new_client("Second").await;
    let user = json!({"email": "two@example.com", "name": "Two", "role": "analyst"});
    let made = hitwire.admin().send("POST", &format!("/v1/users?clientid={client}"), &user).await.expect(200);
    let id = made["body"]["object"]["id"].as_u64().expect("an id");
    let link = hitwire.admin().call("POST", &format!("/v1/users/{id}/sign-in-link")).await.expect(200);
    let mut browser = Browser::new(&hitwire);
    let password = [("password", PASSWORD), ("password_again", PASSWORD)];
    browser.post_as_it_is(link["body"]["object"]["path"].as_str().expect("a path"), &password).await;
    assert_eq!(browser.get_as_it_is("/events").await.status, StatusCode::OK);
    let path = format!("/v1/clients/{client}");
    hitwire.admin().send("PUT", &path, &json!({"enabled": false})).await.expect(200);
    for page in ["/events", "/vulnerabilities", "/dashboard", "/settings/profile"] {
        assert_eq!(browser.get_as_it_is(page).await.status, StatusCode::SEE_OTHER, "{page}");
    }
    let mut again = Browser::new(&hitwire);
    let refused = again.sign_in("two@example.com", PASSWORD).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(text(&refused).contains("is disabled") && again.cookie(COOKIE).is_none());
    hitwire.admin().send("PUT", &path, &json!({"enabled": true})).await.expect(200);
    assert_eq!(browser.get_as_it_is("/events").await.status, StatusCode::OK);
}

#[tokio::test]
async fn who_is_not_signed_in_may_not_send_much() {
    let hitwire = Hitwire::start().await;
    let long = "x".repeat(20_000);
    let refused =
        Browser::new(&hitwire).post_as_it_is("/sign-in", &[("email", &long), ("password", "x")]).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    let mut operator = Browser::operator(&hitwire).await;
    let taken = operator.post_as_it_is("/settings/integrations/add", &[("csrf", &long)]).await;
    assert_eq!(taken.status, StatusCode::FORBIDDEN, "it was read, and is refused for its secret alone");
}

#[tokio::test]
async fn the_settings_begin_where_a_role_may_see_something() {
    let hitwire = Hitwire::start().await;
    let mut operator = Browser::operator(&hitwire).await;
    let (mut analyst, _) = Browser::invited(&hitwire, "ana@example.com", "analyst").await;
    for (browser, path) in [(&mut operator, "/settings/integrations"), (&mut analyst, "/settings/profile")] {
        assert_eq!(browser.get_as_it_is("/settings").await.headers["location"], path);
        let page = text(&browser.get("/dashboard").await);
        assert!(page.contains(&format!("<a href=\"{path}\"><svg")), "{page}");
        assert_eq!(browser.get(path).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_link_given_to_somebody_of_less_power_is_dead_once_they_have_more() {
    let hitwire = Hitwire::start().await;
    Browser::operator(&hitwire).await;
    let user =
        hitwire.make("users", &json!({"email": "ana@example.com", "name": "Ana", "role": "analyst"})).await;
    let id = user["id"].as_u64().expect("an id");
    let link = hitwire.admin().call("POST", &format!("/v1/users/{id}/sign-in-link")).await.expect(200);
    let path = link["body"]["object"]["path"].as_str().expect("a path").to_owned();
    assert_eq!(Browser::new(&hitwire).get_as_it_is(&path).await.status, StatusCode::OK);
    hitwire.admin().send("PUT", &format!("/v1/users/{id}"), &json!({"role": "admin"})).await.expect(200);
    let password = [("password", PASSWORD), ("password_again", PASSWORD)];
    let mut holder = Browser::new(&hitwire);
    assert_eq!(holder.post_as_it_is(&path, &password).await.status, StatusCode::GONE);
    assert!(holder.cookie(COOKIE).is_none());
}

#[tokio::test]
async fn the_link_for_the_first_user_is_dead_once_somebody_else_can_sign_in() {
    let hitwire = Hitwire::start().await;
    let set_up = crate::support::set_up_path(&hitwire);
    Browser::invited(&hitwire, "ann@example.com", "admin").await;
    let account = [
        ("name", "Second"),
        ("email", "second@example.com"),
        ("password", PASSWORD),
        ("password_again", PASSWORD),
    ];
    let refused = Browser::new(&hitwire).post_as_it_is(&set_up, &account).await;
    assert_eq!(refused.status, StatusCode::GONE, "{}", text(&refused));
    let users = hitwire.admin().get("/v1/users").await.expect(200).to_string();
    assert!(!users.contains("second@example.com"), "{users}");
}
