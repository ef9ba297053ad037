//! Links, passwords, sessions, forms of others.

use crate::support::{Browser, Hitwire, PASSWORD, until};
use hitwire_store::{Link, Op, Options, Session, SqliteStore, Store, UserId};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::time::{SystemTime, UNIX_EPOCH};

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// Ops on the data of a hitwire that is stopped.
async fn with_store(hitwire: &Hitwire, ops: Vec<Op>) {
    let store = SqliteStore::open(Options::new(hitwire.data_dir())).expect("opened");
    store.commit(ops).await.expect("committed");
    store.close().await.expect("closed");
}

/// What the activity log says of sign-ins, the newest last: action and what it is about.
async fn activity(hitwire: &Hitwire) -> Vec<(String, String)> {
    let log = hitwire.admin().get("/v1/activity?object_type=sign_in").await.expect(200);
    let entries = log["activity"].as_array().expect("a list").clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    entries.iter().rev().map(|entry| (text(&entry["action"]), text(&entry["object_name"]))).collect()
}

#[tokio::test]
async fn signing_in_again_takes_another_session_in_place_of_the_one_before() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    let mut before = browser.clone();
    browser.sign_in("olga@example.com", PASSWORD).await.sees_other("/");
    assert_ne!(browser.cookie("__Host-hitwire"), before.cookie("__Host-hitwire"));
    browser.get_as_it_is("/dashboard").await.page(200);
    before.get_as_it_is("/dashboard").await.sees_other("/sign-in?next=%2Fdashboard");
}

#[tokio::test]
async fn a_wrong_password_says_no_more_than_an_unknown_user() {
    let hitwire = Hitwire::start().await;
    Browser::operator(&hitwire).await;
    let mut browser = Browser::new(&hitwire);
    let wrong = browser.sign_in("olga@example.com", "not the password").await.page(422);
    let unknown = browser.sign_in("eve@example.com", "not the password").await.page(422);
    assert_eq!(wrong.replace("olga@", "eve@"), unknown);
    assert_eq!(browser.cookie("__Host-hitwire"), None);
    until(async || activity(&hitwire).await.contains(&("refuse".to_owned(), "olga@example.com".to_owned())))
        .await;
}

#[tokio::test]
async fn refusals_of_one_account_are_one_entry_and_then_their_number() {
    let mut hitwire = Hitwire::start().await;
    Browser::operator(&hitwire).await;
    let mut browser = Browser::new(&hitwire);
    for _ in 0..5 {
        browser.sign_in("olga@example.com", "not the password").await.page(422);
    }
    let refusals = async |hitwire: &Hitwire| {
        let log = hitwire.admin().get("/v1/activity?object_type=sign_in&action=refuse").await.expect(200);
        let entries = log["activity"].as_array().expect("a list").clone();
        entries.into_iter().map(|mut entry| entry["changes"].take()).collect::<Vec<_>>()
    };
    until(async || !refusals(&hitwire).await.is_empty()).await;
    assert_eq!(refusals(&hitwire).await.len(), 1);
    // What is still counted is written down when hitwire stops.
    hitwire.restart().await;
    let both = refusals(&hitwire).await;
    assert_eq!(both.len(), 2);
    assert_eq!(both[0][0], json!({"field": "times", "old": null, "new": 4}));
    assert_eq!(both[1][0], json!({"field": "reason", "old": null, "new": "wrong password"}));
}

#[tokio::test]
async fn too_many_tries_have_to_wait_and_are_told_how_long() {
    let hitwire = Hitwire::start().await;
    let (mut known, _) = Browser::invited(&hitwire, "bob@example.com", "analyst").await;
    let mut stranger = Browser::new(&hitwire);
    for _ in 0..10 {
        stranger.sign_in("eve@example.com", "not the password").await.page(422);
    }
    let answer = stranger.sign_in("eve@example.com", "not the password").await;
    let page = answer.page(429);
    assert!(page.contains("Too many tries. Try again in"), "{page}");
    let wait: u64 = answer.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    known.sign_in("bob@example.com", PASSWORD).await.sees_other("/");
}

#[tokio::test]
async fn nobody_is_sent_to_another_site_by_signing_in() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    for next in ["https://evil.example", "//evil.example", "/\\evil.example"] {
        let form = [("email", "olga@example.com"), ("password", PASSWORD), ("next", next)];
        browser.post("/sign-in", &form).await.sees_other("/");
    }
}

#[tokio::test]
async fn sessions_end_when_they_are_not_used_and_after_a_week_whatever_happens() {
    let mut hitwire = Hitwire::start().await;
    Browser::operator(&hitwire).await;
    hitwire.stop().await;
    let (hour, day) = (3_600, 86_400);
    let cases = [
        ("fresh", 0, 0, true),
        ("used seven hours ago", day, 7 * hour, true),
        ("used nine hours ago", day, 9 * hour, false),
        ("used just now, signed in eight days ago", 8 * day, 0, false),
    ];
    for (token, made, used, _) in cases {
        let session = Session {
            sha256: Sha256::digest(token).into(),
            user: UserId(1),
            created_at: now_s() - made,
            last_used_at: now_s() - used,
            signed_in_with: "password".to_owned(),
            address: "192.0.2.1".to_owned(),
            agent: String::new(),
        };
        with_store(&hitwire, vec![Op::PutSession(session)]).await;
    }
    hitwire.restart_with(|_| {}).await;
    for (token, _, _, good) in cases {
        let mut browser = Browser::new(&hitwire);
        browser.set_cookie("__Host-hitwire", token);
        let status = browser.get_as_it_is("/dashboard").await.status;
        assert_eq!(status == 200, good, "{token}");
    }
}

#[tokio::test]
async fn a_link_is_good_for_its_time_only() {
    let mut hitwire = Hitwire::start().await;
    let user = serde_json::json!({"email": "ann@example.com", "role": "analyst"});
    let id = hitwire.make("users", &user).await["id"].as_u64().expect("an id");
    hitwire.stop().await;
    let link = |token: &str, expires_at| {
        Op::PutLink(Link { sha256: Sha256::digest(token).into(), user: Some(UserId(id)), expires_at })
    };
    with_store(&hitwire, vec![link("late", now_s() - 1)]).await;
    hitwire.restart().await;
    let mut browser = Browser::new(&hitwire);
    let form = [("password", PASSWORD), ("password_again", PASSWORD)];
    browser.post("/set-up/late", &form).await.page(410);
    assert!(
        browser.sign_in("ann@example.com", PASSWORD).await.page(422).contains("no user with this e-mail")
    );
}

/// A user of a client with a password of their own.
async fn user_of(hitwire: &Hitwire, client: u64, email: &str, password: &str) {
    let user =
        json!({"email": email, "name": format!("Jane of {client}"), "role": "analyst", "clientid": client});
    let id = hitwire.make("users", &user).await["id"].clone();
    let link = hitwire.admin().call("POST", &format!("/v1/users/{id}/sign-in-link")).await.expect(200);
    let path = link["body"]["object"]["path"].as_str().expect("a path").to_owned();
    let form = [("password", password), ("password_again", password)];
    Browser::new(hitwire).post(&path, &form).await.sees_other("/");
}

#[tokio::test]
async fn users_of_several_clients_with_one_email_are_told_apart_by_the_password() {
    const EMAIL: &str = "jane@example.com";
    let hitwire = Hitwire::start().await;
    let (shop, bank, firm) = (
        hitwire.new_client("Shop").await,
        hitwire.new_client("Bank").await,
        hitwire.new_client("Firm").await,
    );
    user_of(&hitwire, shop, EMAIL, "the password of the shop").await;
    user_of(&hitwire, bank, EMAIL, "the password of the bank").await;
    user_of(&hitwire, firm, EMAIL, "the password of the bank").await;
    let mut browser = Browser::new(&hitwire);
    browser.sign_in(EMAIL, "the password of the shop").await.sees_other("/");
    assert!(browser.get("/settings/profile").await.page(200).contains(&format!("Jane of {shop}")));
    let refused = async |client: u64| {
        let log = format!("/v1/activity?clientid={client}&action=refuse");
        hitwire.admin().get(&log).await.expect(200)["activity"].as_array().expect("a list").len()
    };
    assert_eq!(refused(bank).await, 0, "nobody tried to get in there");

    let mut browser = Browser::new(&hitwire);
    let page = browser.sign_in(EMAIL, "the password of the bank").await.page(422);
    assert!(page.contains("Bank (") && page.contains("Firm (") && !page.contains("Shop"), "{page}");
    let firm_number = firm.to_string();
    let fields = [("email", EMAIL), ("password", "the password of the bank"), ("client", &*firm_number)];
    browser.post("/sign-in", &fields).await.sees_other("/");
    assert!(browser.get("/settings/profile").await.page(200).contains(&format!("Jane of {firm}")));

    let mut browser = Browser::new(&hitwire);
    let page = browser.get(&format!("/sign-in?client={bank}")).await.page(200);
    assert!(page.contains(&format!("name=\"client\" value=\"{bank}\"")), "{page}");
    let bank_number = bank.to_string();
    let fields = [("email", EMAIL), ("password", "the password of the shop"), ("client", &*bank_number)];
    browser.post("/sign-in", &fields).await.page(422);
    let fields = [("email", EMAIL), ("password", "the password of the bank"), ("client", &*bank_number)];
    browser.post("/sign-in", &fields).await.sees_other("/");

    // Where one of the two is closed, there is nothing to choose.
    let path = format!("/v1/clients/{firm}");
    hitwire.admin().send("PUT", &path, &json!({"enabled": false})).await.expect(200);
    Browser::new(&hitwire).sign_in(EMAIL, "the password of the bank").await.sees_other("/");
    Browser::new(&hitwire).sign_in(EMAIL, "of none of them").await.page(422);
}
