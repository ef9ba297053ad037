//! The second factor, from the QR code to the last recovery code.

use crate::support::{Browser, Hitwire, PASSWORD, between};
use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, Mac as _};
use sha1::Sha1;
use std::time::{SystemTime, UNIX_EPOCH};

const EMAIL: &str = "olga@example.com";

/// An authenticator app with one secret.
struct App(Vec<u8>);

impl App {
    fn of(page: &str) -> App {
        let secret = between(page, "<code id=\"secret\" class=\"break\">", "</code>").replace(' ', "");
        App(BASE32_NOPAD.decode(secret.as_bytes()).expect("base32"))
    }

    /// The code of the step that is so many steps after this one.
    fn shows(&self, steps_later: u64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.0).expect("any key");
        mac.update(&(now / 30 + steps_later).to_be_bytes());
        let digest = mac.finalize().into_bytes();
        let at = usize::from(digest[19] & 15);
        let number = u32::from_be_bytes(digest[at..at + 4].try_into().expect("four bytes"));
        format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
    }
}

/// Turns it on, and answers the app, the code that was used for it, and the recovery codes.
async fn turn_on(browser: &mut Browser) -> (App, String, Vec<String>) {
    browser.look_for_csrf().await;
    let page = browser.get("/settings/profile/second-factor").await.page(200);
    assert!(page.contains("role=\"img\" aria-label=\"QR code"), "{page}");
    let (app, ticket) = (App::of(&page), between(&page, "name=\"ticket\" value=\"", "\"").to_owned());
    let send = [("ticket", ticket.as_str()), ("code", "000000"), ("current", "not the password")];
    let refused = browser.post("/settings/profile/second-factor", &send).await.page(422);
    assert!(refused.contains("This code is not right") && refused.contains("not your password"), "{refused}");
    assert!(refused.contains(between(&page, "d=\"M", "\"")), "the same secret is shown again");
    let code = app.shows(0);
    let send = [("ticket", ticket.as_str()), ("code", &code), ("current", PASSWORD)];
    let page = browser.post("/settings/profile/second-factor", &send).await.page(200);
    let codes =
        between(&page, "<pre id=\"codes\">", "</pre>").split_whitespace().map(str::to_owned).collect();
    browser.look_for_csrf().await;
    (app, code, codes)
}

#[tokio::test]
async fn signing_in_asks_for_a_code_that_is_good_once() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    let mut elsewhere = Browser::new(&hitwire);
    elsewhere.sign_in(EMAIL, PASSWORD).await.sees_other("/");
    let before = browser.cookie("__Host-hitwire").map(str::to_owned);
    let (app, used, codes) = turn_on(&mut browser).await;
    assert_ne!(browser.cookie("__Host-hitwire"), before.as_deref(), "another secret for the session");
    elsewhere.get_as_it_is("/dashboard").await.sees_other("/sign-in?next=%2Fdashboard");
    assert_eq!(codes.len(), 10);

    let mut other = Browser::new(&hitwire);
    other.sign_in(EMAIL, PASSWORD).await.sees_other("/sign-in/code");
    assert_eq!(other.cookie("__Host-hitwire"), None, "the password alone opens nothing");
    assert!(other.get_as_it_is("/sign-in/code").await.page(200).contains("Enter the code"));
    for wrong in ["000000", "", "abc", used.as_str()] {
        let page = other.post("/sign-in/code", &[("code", wrong)]).await.page(422);
        assert!(page.contains("This code is not right"), "{page}");
    }
    let code = app.shows(1);
    other.post("/sign-in/code", &[("code", &code)]).await.sees_other("/");
    other.get("/dashboard").await.page(200);

    let mut replay = Browser::new(&hitwire);
    replay.sign_in(EMAIL, PASSWORD).await.sees_other("/sign-in/code");
    replay.post("/sign-in/code", &[("code", &code)]).await.page(422);
    let waits = replay.post("/sign-in/code", &[("code", &code)]).await;
    assert!(waits.page(429).contains("Too many tries"));
    assert!(waits.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn a_code_that_was_used_is_refused_and_so_is_a_recovery_code() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    let (app, ..) = turn_on(&mut browser).await;
    let code = app.shows(1);
    let mut one = Browser::new(&hitwire);
    one.sign_in(EMAIL, PASSWORD).await.sees_other("/sign-in/code");
    one.post("/sign-in/code", &[("code", &code)]).await.sees_other("/");
    let mut replay = Browser::new(&hitwire);
    replay.sign_in(EMAIL, PASSWORD).await.sees_other("/sign-in/code");
    replay.post("/sign-in/code", &[("code", &code)]).await.page(422);
    let foreign = [("code", "abcd-efgh-jkmn-pqrs")];
    replay.post("/sign-in/code", &foreign).await.page(422);
}

#[tokio::test]
async fn a_recovery_code_lets_in_once() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    let (_, _, codes) = turn_on(&mut browser).await;
    let typed = codes[4].replace('-', " ").to_uppercase();
    let mut one = Browser::new(&hitwire);
    one.sign_in(EMAIL, PASSWORD).await.sees_other("/sign-in/code");
    one.post("/sign-in/code", &[("code", &typed)]).await.sees_other("/");
    assert!(one.get("/settings/profile").await.page(200).contains("9 recovery codes left"));
    let mut again = Browser::new(&hitwire);
    again.sign_in(EMAIL, PASSWORD).await.sees_other("/sign-in/code");
    again.post("/sign-in/code", &[("code", &codes[4])]).await.page(422);
    again.post("/sign-in/code", &[("code", &codes[5])]).await.sees_other("/");
}

#[tokio::test]
async fn codes_are_downloaded_renewed_and_the_second_factor_turned_off_with_the_password() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    let (_, _, codes) = turn_on(&mut browser).await;
    let file = browser
        .post("/settings/profile/recovery-codes/text", &[("code", &codes[0]), ("code", "<script>")])
        .await;
    assert_eq!(file.page(200), format!("{}\n", codes[0]));
    assert!(file.headers["content-disposition"].to_str().expect("text").starts_with("attachment"));
    let wrong = [("current", "not the password")];
    for path in ["/settings/profile/recovery-codes", "/settings/profile/second-factor/off"] {
        assert!(browser.post(path, &wrong).await.page(422).contains("not your password"), "{path}");
    }
    let page = browser.post("/settings/profile/recovery-codes", &[("current", PASSWORD)]).await.page(200);
    assert!(!page.contains(&codes[0]), "others");
    browser.look_for_csrf().await;
    let mut old = Browser::new(&hitwire);
    old.sign_in(EMAIL, PASSWORD).await.sees_other("/sign-in/code");
    old.post("/sign-in/code", &[("code", &codes[0])]).await.page(422);
    let off = browser.post("/settings/profile/second-factor/off", &[("current", PASSWORD)]).await;
    off.sees_other("/settings/profile?done=off");
    old.post("/sign-in/code", &[("code", &codes[1])]).await.sees_other("/sign-in");
    old.sign_in(EMAIL, PASSWORD).await.sees_other("/");
    let log = hitwire.admin().get("/v1/activity?object_type=user").await.expect(200);
    let actions: Vec<_> =
        log["activity"].as_array().expect("a list").iter().map(|one| &one["action"]).collect();
    assert_eq!(actions, ["disable_totp", "renew_recovery_codes", "enable_totp", "create"]);
}
