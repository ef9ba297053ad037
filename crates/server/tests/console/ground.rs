//! What holds for all pages: who gets in, what a page may load, and that the console is nothing but a client of the API.

use crate::support::{Browser, Hitwire, PASSWORD, set_up_path, text};
use http::StatusCode;
use std::os::unix::fs::PermissionsExt;

const COOKIE: &str = "__Host-hitwire";

#[tokio::test]
async fn the_first_start_leaves_a_link_that_makes_the_first_user_once() {
    let mut hitwire = Hitwire::start().await;
    let file = hitwire.server().set_up_link().expect("a link").to_owned();
    assert_eq!(std::fs::metadata(&file).expect("the file").permissions().mode() & 0o777, 0o600);
    let path = set_up_path(&hitwire);

    let mut browser = Browser::new(&hitwire);
    let short =
        [("name", "Olga"), ("email", "olga@example.com"), ("password", "short"), ("password_again", "short")];
    let refused = browser.post_as_it_is(&path, &short).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text(&refused).contains("at least 12 characters"), "{}", text(&refused));
    assert!(text(&refused).contains("value=\"olga@example.com\""), "what was typed is kept");

    let mut browser = Browser::operator(&hitwire).await;
    assert!(text(&browser.get("/dashboard").await).contains("Olga Operator"));
    assert!(!file.exists(), "the used link is gone");
    let again = Browser::new(&hitwire).get(&path).await;
    assert_eq!(again.status, StatusCode::GONE);

    // It is a change as any other: in the activity log, and told by an event.
    crate::support::until(async || hitwire.told(1).await.contains(&"create_user".to_owned())).await;
    let activity = hitwire.admin().get("/v1/activity?object_type=user").await.expect(200);
    assert_eq!(activity["activity"][0]["source"], "console");
    assert_eq!(activity["activity"][0]["actor"]["email"], "olga@example.com");

    hitwire.restart().await;
    assert_eq!(hitwire.server().set_up_link(), None, "there is somebody who can sign in");
}

#[tokio::test]
async fn while_nobody_can_sign_in_each_start_writes_a_new_link_and_the_old_one_is_dead() {
    let mut hitwire = Hitwire::start().await;
    let old = set_up_path(&hitwire);
    hitwire.restart().await;
    let new = set_up_path(&hitwire);
    assert_ne!(old, new);
    assert_eq!(Browser::new(&hitwire).get(&old).await.status, StatusCode::GONE);
    assert_eq!(Browser::new(&hitwire).get(&new).await.status, StatusCode::OK);
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_sent_to_sign_in_and_goes_on_from_there() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    let session = browser.cookie(COOKIE).expect("a session").to_owned();
    browser.submit("/dashboard", "/sign-out", &[]).await;
    assert_eq!(browser.cookie(COOKIE), None);
    browser.set_cookie(COOKIE, &session);
    let answer = browser.get_as_it_is("/dashboard?a=b").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "the session is over, also for who kept the cookie");
    assert_eq!(answer.headers["location"], "/sign-in?next=%2Fdashboard%3Fa%3Db");

    let wrong = [("email", "olga@example.com"), ("password", "wrong wrong wrong"), ("next", "/dashboard")];
    let refused = browser.post_as_it_is("/sign-in", &wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let right = [("email", "OLGA@example.com"), ("password", PASSWORD), ("next", "/dashboard")];
    let signed_in = browser.post_as_it_is("/sign-in", &right).await;
    assert_eq!(signed_in.headers["location"], "/dashboard");
    let cookie = signed_in.headers["set-cookie"].to_str().expect("text");
    for part in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
}

#[tokio::test]
async fn a_page_may_load_and_send_nothing_but_from_and_to_the_console() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    for path in ["/dashboard", "/sign-in", "/there-is-no-such-page"] {
        let page = browser.get(path).await;
        let policy = page.headers["content-security-policy"].to_str().expect("text");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(page.headers["cache-control"], "no-store", "{path}");
        let text = text(&page);
        assert!(!text.contains(" style=") && !text.contains(" onclick="), "{path}");
        assert!(!text.contains("src=\"http") && !text.contains("href=\"http"), "{path}");
    }
}

#[tokio::test]
async fn a_browser_is_told_in_words_what_a_program_is_told_in_json() {
    let hitwire = Hitwire::start().await;
    let page = Browser::new(&hitwire).get("/nothing").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(text(&page).contains("There is no such page"));
    let problem = hitwire.nobody().get("/nothing").await;
    assert_eq!(problem.headers["content-type"], "application/problem+json");
}

#[tokio::test]
async fn the_api_takes_tokens_and_not_the_cookie_of_the_console() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    let answer = browser.get_as_it_is("/v2/integration").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "no other site can have the browser call it");
}

#[tokio::test]
async fn a_form_without_the_pages_secret_or_from_another_site_does_nothing() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    for fields in [vec![], vec![("csrf", "")], vec![("csrf", "guessed")]] {
        let refused = browser.post_as_it_is("/sign-out", &fields).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{fields:?}");
    }
    browser.headers = vec![("sec-fetch-site", "cross-site".to_owned())];
    assert_eq!(browser.submit("/dashboard", "/sign-out", &[]).await.status, StatusCode::FORBIDDEN);
    let sign_in = [("email", "olga@example.com"), ("password", PASSWORD)];
    let foreign = browser.post_as_it_is("/sign-in", &sign_in).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN, "nobody is signed in from elsewhere, as somebody else");
    browser.headers.clear();
    assert_eq!(browser.get("/dashboard").await.status, StatusCode::OK, "still signed in");
}
