//! The activity log's page and its file.

use crate::support::{Browser, Hitwire, text};
use http::StatusCode;
use serde_json::json;

#[tokio::test]
async fn the_activity_log_shows_each_changed_field_and_its_filters_stand_in_the_address() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    let long = "<script>alert(1)</script>".repeat(5);
    for (id, name) in [(7, "shop"), (8, &*long)] {
        hitwire.make("applications", &json!({"id": id, "name": name})).await;
    }
    let admin = hitwire.admin();
    let renamed = json!({"name": "storefront"});
    admin.send("PUT", "/v1/applications/7", &renamed).await.expect(200);

    let page = text(&browser.get("/settings/activity").await);
    assert!(page.contains("<del><span class=\"break\">shop</span></del>"), "{page}");
    assert!(page.contains("<ins><span class=\"break\">storefront</span></ins>"), "{page}");
    assert!(page.contains("olga@example.com"), "the first user made an account");
    assert!(!page.contains("<script>alert"), "{page}");
    assert!(page.contains("<details class=\"long\">"), "a long value is cut");

    let page = text(&browser.get("/settings/activity?type=application&object=7&action=update").await);
    assert!(page.contains("storefront") && !page.contains("alert(1)"), "{page}");
    assert!(
        page.contains("/settings/activity.csv?type=application&#38;object=7&#38;action=update"),
        "{page}"
    );
    let none = text(&browser.get("/settings/activity?actor=nobody").await);
    assert!(none.contains("Nothing fits these filters"), "{none}");
    let wrong = browser.get("/settings/activity?from=yesterday").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text(&wrong).contains("id=\"from-error\">yesterday is no day"), "beside its field");
}

#[tokio::test]
async fn older_entries_are_reached_page_by_page() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    for id in 1..=60 {
        hitwire.make("applications", &json!({"id": id, "name": format!("app-{id}")})).await;
    }
    let first = text(&browser.get("/settings/activity?type=application").await);
    assert!(first.contains(">app-60<") && !first.contains(">app-10<"), "{first}");
    let older = first.split("href=\"").find(|rest| rest.contains("rel=\"next\"")).expect("a link");
    let older = older.split('"').next().expect("an address").replace("&#38;", "&");
    let second = text(&browser.get(&older).await);
    assert!(second.contains(">app-10<") && second.contains(">app-1<"), "{second}");
    assert!(!second.contains(">app-60<") && !second.contains("rel=\"next\""), "{second}");
}

#[tokio::test]
async fn the_file_has_a_row_for_each_field_and_no_cell_is_a_formula() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    for id in 1..=600 {
        hitwire.make("applications", &json!({"id": id, "name": "=1+1"})).await;
    }
    let file = browser.get("/settings/activity.csv?type=application").await;
    assert_eq!(file.status, StatusCode::OK);
    assert!(file.headers["content-type"].to_str().expect("text").starts_with("text/csv"));
    let text = text(&file);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("\"time\",\"client\",\"actor\""), "{}", lines[0]);
    assert_eq!(lines.len(), 601, "more than one page of the API");
    assert!(lines[1].contains("\"application\",\"600\",\"'=1+1\",\"name\",\"\",\"'=1+1\""), "{}", lines[1]);
    assert!(!text.contains("\"="), "a formula");
}
