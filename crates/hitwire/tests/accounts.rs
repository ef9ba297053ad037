//! `hitwire token`, `user` and `client`: who may do what.

use crate::integration::{hitwire_with, json, succeeds};
use crate::support::{RunningServer, hits};

#[tokio::test]
async fn a_token_is_made_shown_once_used_and_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    let made = json(&server, &["token", "create", "scanner", "--role", "ingest", "--expires", "30d"]).await;
    let token = made["token"].as_str().expect("the token").to_owned();
    assert_eq!(token.len(), 64);
    let list = succeeds(&server, &["token", "list"]).await;
    assert!(list.contains("scanner") && list.contains("ingest") && !list.contains(&token), "{list}");

    let event = dir.path().join("event.json");
    std::fs::write(&event, hits::hit("accounts", 0, 1).to_string()).unwrap();
    let send = ["send", event.to_str().unwrap()];
    let sent = hitwire_with(&server, &[("HITWIRE_TOKEN", &token)], &send).await;
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    let reads = hitwire_with(&server, &[("HITWIRE_TOKEN", &token)], &["tail", "--no-follow"]).await;
    assert_eq!(reads.code, Some(1), "it may only send: {}", reads.stdout);
    assert!(reads.stderr.contains("403"), "{}", reads.stderr);

    let revoked = succeeds(&server, &["token", "revoke", "scanner", "--yes"]).await;
    assert!(revoked.starts_with("revoked scanner ("), "{revoked}");
    let sent = hitwire_with(&server, &[("HITWIRE_TOKEN", &token)], &send).await;
    assert!(sent.stderr.contains("401"), "{}", sent.stderr);
}

#[tokio::test]
async fn a_token_may_go_to_a_file_and_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    let file = dir.path().join("token");
    let path = file.to_str().unwrap();
    let create = ["token", "create", "ci", "--role", "admin", "--token-out", path];
    let made = succeeds(&server, &create).await;
    let token = std::fs::read_to_string(&file).unwrap();
    assert!(!made.contains(token.trim()), "{made}");
    let listed = hitwire_with(
        &server,
        &[("HITWIRE_TOKEN", ""), ("HITWIRE_TOKEN_FILE", path)],
        &["integration", "list"],
    )
    .await;
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    let again = hitwire_with(&server, &[], &create).await;
    assert_eq!(again.code, Some(2), "a token that is there is not written over: {}", again.stdout);
}

#[tokio::test]
async fn a_user_is_made_changed_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    let email = "ann@example.com";
    let made = json(&server, &["user", "create", email, "--name", "Ann", "--role", "analyst"]).await;
    assert_eq!((&made["email"], &made["role"]), (&email.into(), &"analyst".into()));
    let changed = json(&server, &["user", "edit", email, "--role", "admin", "--disable"]).await;
    assert_eq!((&changed["role"], &changed["enabled"]), (&"admin".into(), &false.into()));
    assert_eq!(changed["name"], "Ann", "what no flag names stays");
    let list = succeeds(&server, &["user", "list"]).await;
    assert!(list.contains(email) && list.contains("disabled"), "{list}");
    succeeds(&server, &["user", "delete", email, "--yes"]).await;
    let gone = hitwire_with(&server, &[], &["user", "edit", email, "--enable"]).await;
    assert_eq!(gone.code, Some(1), "{}", gone.stdout);
}

#[tokio::test]
async fn a_user_made_here_signs_in_by_a_link_made_here() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    let email = "ann@example.com";
    let made = succeeds(&server, &["user", "create", email, "--name", "Ann", "--role", "operator"]).await;
    assert!(made.contains("operator") && made.contains("hitwire user sign-in-link 1"), "{made}");
    let said = succeeds(&server, &["user", "sign-in-link", email]).await;
    let link = said.split_whitespace().find(|word| word.contains("/set-up/")).expect("a link");
    let path = link.strip_prefix(server.url()).expect("it begins with the address that was asked");
    let page = server.api().request(http::Method::GET, path, ()).await.unwrap();
    assert_eq!(page.status, http::StatusCode::OK, "{}", String::from_utf8_lossy(&page.body));

    let later = json(&server, &["user", "sign-in-link", "1"]).await;
    assert_eq!((&later["email"], &later["url"]), (&email.into(), &serde_json::Value::Null));
    let older = server.api().request(http::Method::GET, path, ()).await.unwrap();
    assert_ne!(older.status, http::StatusCode::OK, "a later link takes the earlier one's place");
}

#[tokio::test]
async fn a_sign_in_link_begins_with_the_public_url() {
    let dir = tempfile::tempdir().unwrap();
    let flags = ["--public-url", "https://hitwire.example.com"];
    let server = RunningServer::start(&dir.path().join("data"), &flags).await;
    succeeds(&server, &["user", "create", "bob@example.com", "--name", "Bob", "--role", "analyst"]).await;
    let said = succeeds(&server, &["user", "sign-in-link", "bob@example.com"]).await;
    assert!(said.contains(" https://hitwire.example.com/set-up/") && !said.contains("127.0.0.1"), "{said}");
}

#[tokio::test]
async fn an_application_is_made_renamed_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    assert_eq!(json(&server, &["application", "create", "shop"]).await["name"], "shop");
    assert_eq!(json(&server, &["application", "create", "rest", "--id", "-1"]).await["id"], -1);
    let renamed = succeeds(&server, &["application", "rename", "-1", "everything else"]).await;
    assert_eq!(renamed, "changed everything else (-1)\n");
    let list = succeeds(&server, &["application", "list"]).await;
    assert!(list.contains("shop") && list.contains("-1  everything else"), "{list}");
    let taken = hitwire_with(&server, &[], &["application", "create", "again", "--id", "-1"]).await;
    assert_eq!(taken.code, Some(1), "{}", taken.stdout);
    succeeds(&server, &["application", "delete", "everything else", "--yes"]).await;
    assert_eq!(json(&server, &["application", "list"]).await.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn an_operator_makes_a_client_and_works_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    let made = json(
        &server,
        &["client", "create", "Shop", "--integrations-max", "1", "--allow-target", "10.1.0.0/16"],
    )
    .await;
    let id = made["id"].as_u64().expect("an id").to_string();
    let changed = json(&server, &["client", "edit", "Shop", "--events-per-s", "100"]).await;
    assert_eq!((&changed["events_per_s"], &changed["integrations_max"]), (&100.into(), &1.into()));

    let of_the_client = ["--client", &id];
    let add = ["integration", "add", "--name", "Own", "--url", "https://example.com/", "--event", "siem"];
    let added = json(&server, &[&add[..], &of_the_client].concat()).await;
    assert_eq!(added["clientid"].to_string(), id);
    let second = hitwire_with(&server, &[], &[&add[..], &of_the_client].concat()).await;
    assert_ne!(second.code, Some(0), "one is all that it may have");
    assert_eq!(
        json(&server, &["integration", "list"]).await,
        serde_json::json!([]),
        "the operator's own client"
    );
    assert_eq!(json(&server, &["integration", "list", "--client", &id]).await[0]["name"], "Own");
}
