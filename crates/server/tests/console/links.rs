//! Links lead where the installation says, whatever a request says of itself.

use crate::support::{Browser, Caller, Hitwire, text};
use serde_json::json;

const EVIL: &str = "evil.example";

/// The headers by which a request may say how it reached the server.
const FORGED: [(&str, &str); 6] = [
    ("host", EVIL),
    ("origin", "https://evil.example"),
    ("x-forwarded-host", EVIL),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-server", EVIL),
    ("forwarded", "host=evil.example;proto=https"),
];

fn forge(browser: &mut Browser) {
    browser.headers = FORGED.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
}

/// An operator who reaches the console by a forged host, and the page with a new link for somebody.
async fn link_page(hitwire: &Hitwire) -> String {
    let mut operator = Browser::operator(hitwire).await;
    operator.look_for_csrf().await;
    let user =
        hitwire.make("users", &json!({"email": "ann@example.com", "name": "Ann", "role": "analyst"})).await;
    forge(&mut operator);
    operator.post(&format!("/settings/users/{}/link", user["id"]), &[]).await.page(200)
}

#[tokio::test]
async fn a_sign_in_link_begins_with_the_configured_address() {
    let hitwire =
        Hitwire::start_with(|config| config.public_url = Some("https://waf.example/".to_owned())).await;
    let page = link_page(&hitwire).await;
    assert!(page.contains("id=\"link\">https://waf.example/set-up/"), "{page}");
    assert!(!page.contains(EVIL) && !page.contains("does not know the address"), "{page}");
}

#[tokio::test]
async fn without_a_configured_address_a_sign_in_link_begins_with_the_one_it_listens_on_and_says_so() {
    let hitwire = Hitwire::start().await;
    let page = link_page(&hitwire).await;
    let addr = hitwire.server().addr();
    assert!(page.contains(&format!("id=\"link\">http://{addr}/set-up/")), "{page}");
    assert!(page.contains("does not know the address") && page.contains("public_url"), "{page}");
    assert!(!page.contains(EVIL), "{page}");
}

#[tokio::test]
async fn no_page_repeats_the_host_that_a_request_names() {
    let hitwire = Hitwire::start().await;
    let mut operator = Browser::operator(&hitwire).await;
    forge(&mut operator);
    for path in [
        "/dashboard",
        "/events",
        "/vulnerabilities",
        "/settings",
        "/settings/integrations",
        "/settings/integrations/add",
        "/settings/users",
        "/settings/users/add",
        "/settings/tokens",
        "/settings/sources",
        "/settings/general",
        "/settings/profile",
        "/settings/applications",
        "/settings/activity",
        "/sign-in",
        "/sign-in/oidc",
        "/nowhere",
        "/docs",
        "/openapi.json",
        "/v1/nowhere",
    ] {
        let answer = operator.get_as_it_is(path).await;
        assert!(!text(&answer).contains(EVIL), "{path}: {}", text(&answer));
        assert!(!format!("{:?}", answer.headers).contains(EVIL), "{path}: {:?}", answer.headers);
    }
}

#[tokio::test]
async fn the_api_gives_a_whole_link_only_if_an_address_is_configured() {
    let mut hitwire = Hitwire::start().await;
    let id =
        hitwire.make("users", &json!({"email": "ann@example.com", "role": "analyst"})).await["id"].clone();
    let path = format!("/v1/users/{id}/sign-in-link");
    let link = async |admin: Caller| {
        admin.send_bytes("POST", &path, &FORGED[1..], "").await.expect(200)["body"]["object"].take()
    };
    assert!(link(hitwire.admin()).await["url"].is_null());
    hitwire.restart_with(|config| config.public_url = Some("https://waf.example/base/".to_owned())).await;
    let link = link(hitwire.admin()).await;
    let whole = format!("https://waf.example/base{}", link["path"].as_str().expect("a path"));
    assert_eq!(link["url"], whole);
}
