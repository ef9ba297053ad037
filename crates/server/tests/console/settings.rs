//! The pages Sources and General.

use crate::support::{Browser, Hitwire, input, text, until};
use hitwire_server::SourceSpec;
use http::StatusCode;
use serde_json::json;

#[tokio::test]
async fn without_a_source_the_page_says_how_to_get_one() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    let page = text(&browser.get("/settings/sources").await);
    assert!(page.contains("No file is followed"), "{page}");
    assert!(page.contains("SecAuditLogFormat JSON") && page.contains("--source modsecurity:"), "{page}");
    assert!(page.contains(&format!("api=http://{}", hitwire.server().addr())), "{page}");
}

#[tokio::test]
async fn a_source_shows_how_far_it_is_and_what_is_wrong() {
    let directory = tempfile::tempdir().expect("a directory");
    let [log, missing] = ["audit.log", "missing.log"].map(|name| directory.path().join(name));
    std::fs::write(&log, "{\"no\":\"record\"}\n").expect("written");
    let hitwire = Hitwire::start_with(|config| {
        for path in [&log, &missing] {
            let spec = SourceSpec::parse(&format!("modsecurity:{}", path.display())).expect("a source");
            config.sources.push(spec);
        }
    })
    .await;
    let mut browser = Browser::operator(&hitwire).await;
    let mut page = String::new();
    until(async || {
        page = text(&browser.get("/settings/sources").await);
        page.contains("caught up") && page.contains("in trouble")
    })
    .await;
    assert!(page.contains("byte 16 of the file, its end"), "{page}");
    assert!(page.contains("at byte 0: "), "the line that is no record: {page}");
    assert!(page.contains("the file is not there yet") && page.contains("Is the path the one"), "{page}");
}

#[tokio::test]
async fn an_operator_sees_the_installation_and_others_their_client_alone() {
    let hitwire = Hitwire::start_with(|config| config.product = "Shield".to_owned()).await;
    let mut browser = Browser::operator(&hitwire).await;
    let page = text(&browser.get("/settings/general").await);
    let dir = hitwire.data_dir().display().to_string();
    for part in ["Shield", "0.1.0", &*dir, "not by hitwire itself", "<code>retention.size</code>", "20.0 GiB"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains(hitwire.server().admin_token().expose()), "a secret");
}

/// The revision that a form is made from.
fn etag(page: &str) -> String {
    input(page, "etag").expect("an etag").replace("&#34;", "\"")
}

#[tokio::test]
async fn an_operator_adds_changes_and_deletes_clients() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    let add = "/settings/general/clients/add";
    let wrong = [("name", ""), ("integrations_max", "many"), ("allow_targets", "10.0.0.0/8\nhere")];
    let refused = browser.submit(add, add, &wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let page = text(&refused);
    for id in ["name-error", "integrations_max-error", "allow_targets-error"] {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}: {page}");
    }
    assert!(page.contains("here is no network") && page.contains("value=\"many\""), "what was typed is kept");

    let right =
        [("name", "Shop"), ("integrations_max", "3"), ("allow_targets", "10.1.0.0/16"), ("enabled", "on")];
    let listed = text(&browser.submit(add, add, &right).await);
    assert!(listed.contains("The client was added.") && listed.contains(">Shop<"), "{listed}");
    let client = hitwire.admin().get("/v1/clients/2").await.expect(200);
    assert_eq!(client["body"]["object"]["integrations_max"], 3);

    let edit = "/settings/general/clients/2";
    let etag = etag(&text(&browser.get(edit).await));
    let changed = [("name", "Shop & Co"), ("etag", &*etag)];
    let listed = text(&browser.submit(edit, edit, &changed).await);
    assert!(listed.contains("Shop &#38; Co") && listed.contains("disabled"), "{listed}");
    let again = browser.submit(edit, edit, &changed).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text(&again).contains("Somebody has changed it since"), "{}", text(&again));

    let delete = "/settings/general/clients/2/delete";
    let etag = self::etag(&text(&browser.get(delete).await));
    let refused = browser.submit(delete, delete, &[("name", "Shop"), ("etag", &*etag)]).await;
    assert!(text(&refused).contains("That is not its name"));
    let listed = text(&browser.submit(delete, delete, &[("name", "Shop & Co"), ("etag", &*etag)]).await);
    assert!(listed.contains("The client was deleted"), "{listed}");
    let first = text(&browser.get("/settings/general/clients/1").await);
    assert!(
        first.contains("cannot be disabled or deleted") && !first.contains("/clients/1/delete"),
        "{first}"
    );
}

#[tokio::test]
async fn clients_are_listed_page_by_page() {
    let hitwire = Hitwire::start().await;
    for number in 2..=55 {
        hitwire.make("clients", &json!({"name": format!("client-{number}")})).await;
    }
    let admin = hitwire.admin();
    let page = admin.get("/v1/clients?after=3&limit=2").await.expect(200);
    let ids: Vec<_> =
        page["body"]["object"].as_array().expect("clients").iter().map(|client| &client["id"]).collect();
    assert_eq!(ids, [4, 5]);
    let mut browser = Browser::operator(&hitwire).await;
    let first = text(&browser.get("/settings/general").await);
    assert!(
        first.contains(">client-50<") && !first.contains(">client-51<") && first.contains("All clients"),
        "{first}"
    );
    let second = text(&browser.get("/settings/general/clients?after=50").await);
    assert!(second.contains(">client-51<") && second.contains(">client-55<"), "{second}");
    assert!(!second.contains("rel=\"next\""), "{second}");
}
