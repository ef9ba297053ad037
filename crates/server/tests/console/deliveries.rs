//! The delivery log in the console, one attempt in full, and what an integration did not get.

use crate::support::{Browser, Hitwire, Receiver, between, hit, until};
use serde_json::json;

/// The numbers of the attempts on a page, from the top.
fn attempts(page: &str) -> Vec<u64> {
    let rows = page.split("<tr id=\"attempt-").skip(1);
    rows.map(|row| row.split('"').next().and_then(|id| id.parse().ok()).expect("a number")).collect()
}

/// An integration whose first attempts failed with what a hostile receiver said, and the last one succeeded.
async fn after_a_failure() -> (Hitwire, Receiver, Browser, String) {
    let receiver = Receiver::start().await;
    receiver.answer(500);
    receiver.say("<script>alert(1)</script> \u{202e}evil\n");
    let hitwire = Hitwire::start().await;
    let target = json!({"url": receiver.url(), "headers": {"X-Token": "header-Aeb8ohwa"}});
    let made = json!({"name": "SIEM <b>", "target": target, "events": [{"event": "siem"}]});
    let id = hitwire.create(&made).await["id"].as_u64().expect("an id");
    hitwire.send(&hit(1)).await.expect(202);
    let path = format!("/v2/integration/{id}/attempts");
    let count = async |query: &str| {
        let page = hitwire.admin().get(&format!("{path}{query}")).await.expect(200);
        page["attempts"].as_array().expect("rows").len()
    };
    until(async || count("").await >= 1).await;
    receiver.answer(200);
    until(async || count("?outcome=delivered").await == 1).await;
    let browser = Browser::operator(&hitwire).await;
    (hitwire, receiver, browser, format!("/settings/integrations/{id}"))
}

#[tokio::test]
async fn the_delivery_log_is_filtered_by_a_plain_form() {
    let (hitwire, _receiver, mut browser, integration) = after_a_failure().await;
    let page = browser.get(&format!("{integration}/attempts")).await.page(200);
    let all = attempts(&page);
    assert!(all.len() >= 2 && all.windows(2).all(|pair| pair[0] > pair[1]), "the newest first: {all:?}");
    assert!(page.contains("SIEM &#60;b&#62;") && !page.contains("SIEM <b>"));
    let failed = browser.get(&format!("{integration}/attempts?outcome=failed&status=5xx")).await.page(200);
    let failed_ids = attempts(&failed);
    assert!(!failed_ids.is_empty() && failed_ids.len() < all.len(), "{failed_ids:?}");
    assert!(failed.contains("<option value=\"failed\" selected>") && failed.contains("value=\"5xx\""));
    // An event of hitwire's own, about the integration, comes before the hit or after it.
    let told = hitwire.admin().get("/v2/integration/1/attempts").await.expect(200);
    let position = told["attempts"][0]["first"].as_u64().expect("a position");
    let event = browser.get(&format!("{integration}/attempts?event={position}")).await.page(200);
    assert_eq!(attempts(&event), all, "all tries of the batch that it was in");
    let id = "hits_production_1_202611_v_1%2Fhit00000000000000001";
    let path = format!("/v2/integration/1/attempts?event={id}");
    until(async || !hitwire.admin().get(&path).await.expect(200)["attempts"][0].is_null()).await;
    let by_id = browser.get(&format!("{integration}/attempts?event={id}")).await.page(200);
    assert_eq!(attempts(&by_id), all);
    let none = browser.get(&format!("{integration}/attempts?from=2090-01-01T00:00")).await.page(200);
    assert!(attempts(&none).is_empty() && none.contains("No attempt fits"));
    let wrong = browser.get(&format!("{integration}/attempts?status=abc")).await.page(422);
    assert!(wrong.contains("id=\"status-error\">A status such as 503") && wrong.contains("value=\"abc\""));
    assert!(wrong.contains("aria-invalid=\"true\" aria-describedby=\"status-error\""), "{wrong}");
    assert!(!wrong.contains("the parameter"), "{wrong}");
}

#[tokio::test]
async fn a_failed_attempt_explains_itself_and_nothing_of_it_runs_or_is_secret() {
    let (_hitwire, receiver, mut browser, integration) = after_a_failure().await;
    let log = browser.get(&format!("{integration}/attempts?outcome=failed")).await.page(200);
    let number = *attempts(&log).last().expect("one");
    let page = browser.get(&format!("{integration}/attempts/{number}")).await.page(200);
    for words in [
        "The endpoint returned 500. It is an error of its own.",
        "The same batch was tried again",
        ": Delivered.",
        "Connecting (TCP)",
        "<svg class=\"timing\"",
        "webhook-signature",
        "Exact body sent",
        "&#60;script&#62;alert(1)&#60;/script&#62; \\u{202e}evil",
        "HITWIRE_HEADER_X_TOKEN: the value of the header x-token",
        "HITWIRE_SIGNING_SECRET",
    ] {
        assert!(page.contains(words), "{words} in {page}");
    }
    // The end of a line is no part of what is read; the body sent is laid out, and there as it was.
    assert!(!page.contains("evil\\n"), "{page}");
    assert!(page.contains("<summary>Raw</summary>") && page.contains("[\n  {\n    &#34;"), "{page}");
    let webhook_id = between(&page, "<dt>webhook-id</dt><dd class=\"mono\">", "<");
    let log = browser.get(&format!("{integration}/attempts?webhook_id={webhook_id}")).await.page(200);
    assert_eq!(attempts(&log).len(), 2);
    assert!(log.contains("1–2 of 2") && log.contains(&format!("value=\"{webhook_id}\"")), "{log}");
    let none = browser.get(&format!("{integration}/attempts?webhook_id=msg_none")).await.page(200);
    assert!(attempts(&none).is_empty() && none.contains("No attempt fits"), "{none}");
    assert!(!page.contains("<script>alert") && !page.contains("Aeb8ohwa"));
    let saved = browser.get(&format!("{integration}/attempts/{number}/body")).await;
    assert_eq!(saved.body, receiver.received()[0].body);
    let disposition = saved.headers["content-disposition"].to_str().expect("text");
    assert!(disposition.starts_with("attachment"), "{disposition}");
    browser.get(&format!("{integration}/attempts/{}", number + 1_000)).await.page(404);
}

#[tokio::test]
async fn whoever_may_not_sees_no_attempts_and_an_analyst_no_answers() {
    let (hitwire, _receiver, mut operator, integration) = after_a_failure().await;
    let log = operator.get(&format!("{integration}/attempts?outcome=failed")).await.page(200);
    let path = format!("{integration}/attempts/{}", attempts(&log)[0]);
    let (mut reader, _) = Browser::invited(&hitwire, "ron@example.com", "read_only").await;
    for path in [&format!("{integration}/attempts"), &path, &format!("{integration}/lost")] {
        reader.get(path).await.page(403);
    }
    reader.get(&format!("{integration}/attempts/live")).await.page(403);
    let (mut analyst, _) = Browser::invited(&hitwire, "ann@example.com", "analyst").await;
    let page = analyst.get(&path).await.page(200);
    assert!(page.contains("What receivers answer is for Administrators."), "{page}");
    assert!(!page.contains("alert(1)") && page.contains("Exact body sent"));
    assert!(!page.contains("in-the-query") && page.contains("HITWIRE_PATH_AND_QUERY"), "{page}");
    let all = format!("{integration}/attempts");
    assert_eq!(attempts(&analyst.get(&all).await.page(200)), attempts(&operator.get(&all).await.page(200)));
}

#[tokio::test]
async fn the_delivery_log_is_saved_as_a_file_with_the_filters_of_the_page() {
    let (_hitwire, _receiver, mut browser, integration) = after_a_failure().await;
    let page = browser.get(&format!("{integration}/attempts?outcome=failed")).await.page(200);
    let csv = between(&page, "<a class=\"btn\" href=\"", "\"").replace("&#38;", "&");
    assert!(csv.contains("/export?format=csv&outcome=failed"), "{csv}");
    let saved = browser.get(&csv).await;
    let disposition = saved.headers["content-disposition"].to_str().expect("text").to_owned();
    assert_eq!(disposition, "attachment; filename=\"attempts-of-1.csv\"");
    let table = saved.page(200);
    assert_eq!(table.lines().count(), 1 + attempts(&page).len(), "{table}");
    assert!(
        table.contains("evil") && !table.contains('\u{202e}'),
        "what was said is there, and harmless: {table}"
    );
    let lines = browser.get(&csv.replace("csv", "ndjson")).await.page(200);
    assert!(lines.lines().all(|line| line.starts_with("{\"id\":")), "{lines}");
    let refused = browser.get(&format!("{integration}/attempts/export?status=abc")).await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn a_signature_is_checked_on_a_page_that_keeps_and_shows_no_secret() {
    let (_hitwire, receiver, mut browser, integration) = after_a_failure().await;
    let page = browser.get(&integration).await.page(200);
    assert!(page.contains("/check-signature\">Check a signature</a>"), "{page}");
    let path = format!("{integration}/check-signature");
    let sent = receiver.received()[0].clone();
    let lines: Vec<_> = sent
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")))
        .collect();
    let (headers, body) = (lines.join("\r\n"), String::from_utf8(sent.body.to_vec()).expect("text"));
    let good = browser.submit(&path, &path, &[("headers", &headers), ("body", &body)]).await.page(200);
    assert!(
        good.contains("A receiver accepts this message.") && good.contains("the signing secret"),
        "{good}"
    );
    let longer = format!("{body}\r\n");
    let fields = [("headers", &*headers), ("body", &*longer), ("secret", "whsec_held-Ahk7ooje")];
    let wrong = browser.submit(&path, &path, &fields).await.page(200);
    assert!(wrong.contains("No signature fits.") && wrong.contains("end was added"), "{wrong}");
    assert!(wrong.contains("cannot verify anything") && !wrong.contains("Ahk7ooje"), "{wrong}");
    let time = browser.submit(&path, &path, &[("received_at", "soon")]).await.page(422);
    assert!(time.contains("id=\"received_at-error\""), "{time}");
}

#[tokio::test]
async fn an_open_page_is_told_of_new_attempts() {
    let (hitwire, _receiver, mut browser, integration) = after_a_failure().await;
    let page = browser.get(&format!("{integration}/attempts")).await.page(200);
    let live = between(&page, "data-live=\"", "\"").replace("&#38;", "&");
    let newest = attempts(&page)[0];
    let nothing = browser.get(&live).await;
    assert_eq!(nothing.status, 204);
    hitwire.send(&hit(2)).await.expect(202);
    let mut told = nothing;
    until(async || {
        told = browser.get(&live).await;
        told.status == 200
    })
    .await;
    let fresh = attempts(&told.page(200));
    assert_eq!(fresh.len(), 1, "{fresh:?}");
    assert!(fresh[0] > newest);
    let told_to: u64 = told.headers["x-live-after"].to_str().expect("text").parse().expect("a number");
    assert!(told_to >= fresh[0], "it is not told again");
    // A page that was kept for the way back goes on from where it stood.
    let again = browser.get(&format!("{integration}/attempts/live?after={newest}")).await.page(200);
    assert_eq!(attempts(&again), fresh, "{again}");
}

#[tokio::test]
async fn what_was_skipped_is_listed_with_its_reason() {
    let (hitwire, _receiver, mut browser, integration) = after_a_failure().await;
    let empty = browser.get(&format!("{integration}/lost")).await.page(200);
    assert!(empty.contains("Nothing was lost"), "{empty}");
    let path = integration.replace("/settings/integrations", "/v2/integration");
    hitwire.admin().send("PUT", &path, &json!({"active": false})).await.expect(200);
    hitwire.send(&json!([hit(2), hit(3)])).await.expect(202);
    hitwire.admin().send("PUT", &path, &json!({"active": true})).await.expect(200);
    let page = browser.get(&format!("{integration}/lost")).await.page(200);
    for words in
        ["Skipped", "The integration was enabled again from that moment on", "2 events", "Hits detected"]
    {
        assert!(page.contains(words), "{words} in {page}");
    }
    let past_the_end = browser.get(&format!("{integration}/lost?before=1")).await.page(200);
    assert!(
        past_the_end.contains("No older ones") && !past_the_end.contains("Every event"),
        "{past_the_end}"
    );
}
