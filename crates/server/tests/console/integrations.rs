//! Settings -> Integrations, as a browser without scripts meets it.

use crate::support::{Browser, Hitwire, PageForm, Receiver, hit, hits, text, until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const HOME: &str = "/settings/integrations";
const ADD: &str = "/settings/integrations/add";

/// The operator, at the console.
async fn operator(hitwire: &Hitwire) -> Browser {
    let mut browser = Browser::operator(hitwire).await;
    browser.look_for_csrf().await;
    browser
}

/// The form of a page.
async fn form(browser: &mut Browser, path: &str) -> PageForm {
    PageForm::on(&browser.get(path).await.page(200), path)
}

/// What is posted by pressing a button of it.
async fn press(browser: &mut Browser, form: &PageForm, button: &str) -> crate::support::Answer {
    let mut pairs = form.pairs();
    pairs.push(("action", button));
    browser.post_as_it_is(&form.action, &pairs).await
}

/// A page, once it says something: couriers do their work beside it.
async fn page_with(browser: &mut Browser, path: &str, words: &str) -> String {
    let mut page = String::new();
    until(async || {
        page = browser.get(path).await.page(200);
        page.contains(words)
    })
    .await;
    page
}

/// An integration as the API shows it.
async fn stored(hitwire: &Hitwire, id: u64) -> Value {
    hitwire.admin().get(&format!("/v2/integration/{id}")).await.expect(200)["body"]["object"].take()
}

/// An integration with something in every setting.
fn full(url: &str) -> Value {
    json!({
        "name": "SIEM \u{1f469}\u{200d}\u{1f4bb} <b>\"&'", "active": true,
        "events": [
            {"event": "scope", "active": false}, {"event": "siem", "active": true, "with_headers": true},
            {"event": "security_issue_high", "active": true}
        ],
        "filter": {
            "applications": ["the shop, new", "b"], "attack_types": ["sqli"], "domains": ["*.example.com", "example.org"],
            "addresses": {"in": ["10.0.0.0/8"], "not_in": ["10.9.0.0/16", "2001:db8::1"]}, "block_status": ["blocked"],
            "min_score": 2.5, "risks": ["critical", "info"]
        },
        "target": {
            "url": url, "http_method": "PUT", "headers": {"X-B": "secret-of-b", "X-A": "secret-of-a"}, "ca_verify": true,
            "timeout": 7, "open_timeout": 8, "format": "jsonl", "rendering": "envelope", "retry": "original",
            "max_events": 10, "max_bytes": 5000, "rate": 60, "in_flight": 2, "signing": "v1a", "http_version": "1.1",
            "proxy": "socks5://user:secret-of-proxy@proxy.example.com",
            "pin_sha256": ["AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA"]
        },
    })
}

#[tokio::test]
async fn a_webhook_is_added_with_a_name_a_url_and_events_and_its_secret_is_shown_once() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let mut browser = operator(&hitwire).await;
    assert!(browser.get(HOME).await.page(200).contains("Nothing is notified yet"));

    let form = form(&mut browser, ADD).await;
    let name = form.value("name").expect("a name").to_owned();
    assert!(name.starts_with("Webhook integration by Olga Operator, "), "{name}");
    assert_eq!((form.value("timeout"), form.value("open_timeout")), (Some("15"), Some("20")));
    let form = form.with("url", &receiver.url()).and("events", "siem");
    let page = press(&mut browser, &form, "save").await.page(200);
    let secret =
        page.split("id=\"secret\">").nth(1).and_then(|rest| rest.split('<').next()).expect("a secret");
    assert!(secret.starts_with("whsec_"), "{page}");

    let page = page_with(&mut browser, &format!("{HOME}/1"), "Up to date").await;
    assert!(page.contains(&name) && !page.contains("whsec_"), "{page}");
    let page = browser.get(HOME).await.page(200);
    assert!(page.contains(&name) && page.contains("Hits detected") && page.contains("All&nbsp;1"), "{page}");
    hitwire.send(&hits(0..1)).await.expect(202);
    receiver.until_objects(1).await;
}

#[tokio::test]
async fn a_form_that_is_shown_and_saved_untouched_changes_nothing() {
    let hitwire = Hitwire::start().await;
    let mut browser = operator(&hitwire).await;
    hitwire.create(&full("https://receiver.example/a?b=c&d=%22")).await;
    hitwire.create(&json!({"target": {"url": "https://receiver.example/"}})).await;
    let activity = async || hitwire.admin().get("/v1/activity?object_type=integration").await.expect(200);
    let before = activity().await;
    for id in [1, 2] {
        let there = stored(&hitwire, id).await;
        let form = form(&mut browser, &format!("{HOME}/{id}/edit")).await;
        press(&mut browser, &form, "save").await.sees_other(&format!("{HOME}/{id}?done=saved"));
        assert_eq!(stored(&hitwire, id).await, there);
    }
    assert_eq!(activity().await, before, "nothing is written and nothing told");
}

#[tokio::test]
async fn what_is_wrong_stands_beside_its_field_and_nothing_that_was_typed_is_lost() {
    let hitwire = Hitwire::start().await;
    let mut browser = operator(&hitwire).await;
    let form = form(&mut browser, ADD).await;
    let form = press(&mut browser, &form, "add-header").await.page(200);
    let mut form = PageForm::on(&form, ADD)
        .with("name", "  ")
        .with("url", "ftp://receiver.example/")
        .with("header_name", "X Key")
        .with("header_value", "typed-just-now")
        .with("timeout", "soon")
        .with("domains", "fine.example\na.*.example")
        .and("events", "system");
    let page = press(&mut browser, &form, "save").await.page(422);
    for id in ["timeout", "domains", "name", "url", "header-0"] {
        assert!(page.contains(&format!("href=\"#{id}\"")), "the summary leads to {id}: {page}");
        assert!(page.contains(&format!("id=\"{id}-error\"")), "{id} says what is wrong: {page}");
    }
    assert!(page.contains("<details class=\"card advanced\" open>"), "{page}");
    let again = PageForm::on(&page, ADD);
    let kept = [
        ("url", "ftp://receiver.example/"),
        ("header_name", "X Key"),
        ("header_value", "typed-just-now"),
        ("timeout", "soon"),
    ];
    for (name, value) in kept {
        assert_eq!(again.value(name), Some(value));
    }
    assert_eq!(again.values("events"), ["system"]);
    form = again.with("timeout", "9").with("domains", "fine.example");
    let corrected =
        form.with("name", "Corrected").with("url", "https://receiver.example/").with("header_name", "X-Key");
    press(&mut browser, &corrected, "save").await.page(200);
    let there = stored(&hitwire, 1).await;
    assert_eq!((&there["name"], &there["target"]["timeout"]), (&json!("Corrected"), &json!(9)));
    assert_eq!(there["filter"], json!({"domains": ["fine.example"]}));
}

#[tokio::test]
async fn headers_are_added_and_removed_row_by_row_without_a_script() {
    let hitwire = Hitwire::start().await;
    let mut browser = operator(&hitwire).await;
    let mut page =
        form(&mut browser, ADD).await.with("url", "https://receiver.example/").and("events", "siem");
    for (name, value) in [("X-A", "1"), ("X-B", "2"), ("X-C", "3")] {
        page = PageForm::on(&press(&mut browser, &page, "add-header").await.page(200), ADD);
        let fields = page.fields.iter_mut().rev();
        for (field, typed) in
            fields.filter(|(field, _)| field == "header_name" || field == "header_value").take(2)
        {
            *typed = if field == "header_name" { name.to_owned() } else { value.to_owned() };
        }
    }
    page = PageForm::on(&press(&mut browser, &page, "remove-header-1").await.page(200), ADD);
    assert_eq!(
        (page.values("header_name"), page.values("header_value")),
        (vec!["X-A", "X-C"], vec!["1", "3"])
    );
    assert_eq!(page.values("events"), ["siem"], "the rest stays");
    press(&mut browser, &page, "save").await.page(200);

    let edit = form(&mut browser, &format!("{HOME}/1/edit")).await;
    assert_eq!(edit.values("header_value"), ["", ""], "values that are kept are not shown");
    let edit = PageForm::on(&press(&mut browser, &edit, "remove-header-0").await.page(200), &edit.action);
    press(&mut browser, &edit, "save").await.sees_other(&format!("{HOME}/1?done=saved"));
    assert_eq!(stored(&hitwire, 1).await["target"]["headers"], json!({"X-C": "********"}));
}

#[tokio::test]
async fn secrets_are_asked_for_again_where_they_would_go_elsewhere() {
    let hitwire = Hitwire::start().await;
    let mut browser = operator(&hitwire).await;
    hitwire.create(&full("https://receiver.example/")).await;
    let edit = form(&mut browser, &format!("{HOME}/1/edit")).await.with("url", "https://elsewhere.example/");
    let page = press(&mut browser, &edit, "save").await.page(422);
    assert!(page.contains("the value of this header must be sent again"), "{page}");
    assert!(page.contains("id=\"header-0-error\"") && page.contains("id=\"header-1-error\""), "{page}");
    assert!(!page.contains("secret-of-a"), "what is kept is not shown");
    let mut again = PageForm::on(&page, &edit.action);
    for (name, value) in &mut again.fields {
        if name == "header_value" {
            "again".clone_into(value);
        }
    }
    press(&mut browser, &again, "save").await.sees_other(&format!("{HOME}/1?done=saved"));
    assert_eq!(stored(&hitwire, 1).await["target"]["url"], "https://elsewhere.example/");
}

#[tokio::test]
async fn a_proxy_is_shown_without_its_credentials_and_another_one_needs_its_own() {
    let hitwire = Hitwire::start().await;
    let mut browser = operator(&hitwire).await;
    hitwire.create(&full("https://receiver.example/")).await;
    let (shown, edit) = (format!("{HOME}/1"), format!("{HOME}/1/edit"));
    for path in [&shown, &edit] {
        let page = browser.get(path).await.page(200);
        assert!(page.contains("socks5://proxy.example.com:1080") && page.contains("own proxy"), "{page}");
        assert!(!page.contains("secret-of-proxy"), "{page}");
    }
    let form = form(&mut browser, &edit).await;
    let other = form.clone().with("proxy", "http://proxy.example.com:3128");
    let page = press(&mut browser, &other, "save").await.page(422);
    for id in ["proxy_credentials", "header-0"] {
        assert!(page.contains(&format!("id=\"{id}-error\"")), "{id}: {page}");
    }
    let inside = form.clone().with("proxy", "http://10.1.2.3:3128").with("proxy_credentials", "user:typed");
    let page = press(&mut browser, &inside, "save").await.page(422);
    assert!(page.contains("id=\"proxy-error\""), "{page}");
    let password = form.with("proxy_credentials", "user:another");
    press(&mut browser, &password, "save").await.sees_other(&format!("{HOME}/1?done=saved"));
    let activity = hitwire.admin().get("/v1/activity?object_type=integration").await.expect(200).to_string();
    assert!(activity.contains("target.proxy_credentials") && !activity.contains("another"), "{activity}");
}

#[tokio::test]
async fn a_change_over_somebody_elses_is_not_saved_unseen() {
    let hitwire = Hitwire::start().await;
    let mut browser = operator(&hitwire).await;
    hitwire.create(&full("https://receiver.example/")).await;
    let edit = form(&mut browser, &format!("{HOME}/1/edit")).await.with("name", "Mine");
    hitwire.admin().send("PUT", "/v2/integration/1", &json!({"name": "Theirs"})).await.expect(200);
    let page = press(&mut browser, &edit, "save").await.page(409);
    assert!(page.contains("It was changed meanwhile") && page.contains("→ Theirs, by admin"), "{page}");
    assert_eq!(stored(&hitwire, 1).await["name"], "Theirs");
    let again = PageForm::on(&page, &edit.action);
    assert_eq!(again.value("name"), Some("Mine"));
    press(&mut browser, &again, "save").await.sees_other(&format!("{HOME}/1?done=saved"));
    assert_eq!(stored(&hitwire, 1).await["name"], "Mine");
}

#[tokio::test]
async fn a_test_shows_request_and_response_before_anything_is_saved() {
    let receiver = Receiver::start().await;
    receiver.answer(418);
    let hitwire = Hitwire::start().await;
    let mut browser = operator(&hitwire).await;
    let add = form(&mut browser, ADD).await.with("url", &receiver.url()).with("example", "system");
    let page = press(&mut browser, &add, "test").await.page(200);
    for shown in
        ["Not delivered", "the endpoint returned 418", "HTTP 418", "webhook-signature", "[Test message]"]
    {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert_eq!(PageForm::on(&page, ADD).value("url"), Some(&*receiver.url()), "the form is still there");
    assert_eq!(receiver.received().len(), 1);
    // The same with htmx: the part alone.
    browser.headers = vec![("hx-request", "true".to_owned())];
    receiver.answer(200);
    let part = press(&mut browser, &add, "test").await.page(200);
    assert!(part.starts_with("<section") && part.contains("Delivered"), "{part}");
    let wrong = press(&mut browser, &add.with("url", "nowhere"), "test").await.page(200);
    assert!(wrong.contains("It cannot be sent yet") && wrong.contains("Webhook URL: "), "{wrong}");
    browser.headers.clear();

    hitwire.subscribe(&receiver.url()).await;
    let page = browser.post(&format!("{HOME}/1/test"), &[("example", "scope")]).await.page(200);
    assert!(page.contains("Delivered") && page.contains("Scope changed"), "{page}");

    // Without an example each ticked event is sent, and each is shown.
    let target = json!({"url": receiver.url()});
    let several = json!({"target": target, "active": false, "events": [{"event": "siem"}, {"event": "system"}, {"event": "scope"}]});
    let id = hitwire.create(&several).await["id"].clone();
    let page = browser.post(&format!("{HOME}/{id}/test"), &[("example", "")]).await.page(200);
    assert_eq!(page.matches("aria-label=\"Response\"").count(), 3, "{page}");
    assert!(page.contains("Test messages"), "{page}");
}

#[tokio::test]
async fn the_installations_default_rendering_is_what_a_new_integration_has() {
    use hitwire_receiver::Style;
    let hitwire = Hitwire::start_with(|config| config.default_rendering = Style::Envelope).await;
    let target = json!({"url": "https://example.com/"});
    let created = hitwire.create(&json!({"target": target})).await;
    assert_eq!(created["target"]["rendering"], "envelope");
    let mut browser = operator(&hitwire).await;
    let page = text(&browser.get(ADD).await);
    assert!(page.contains("The default of this installation is envelope."), "{page}");
    assert_eq!(PageForm::on(&page, ADD).value("rendering"), Some("envelope"));
    let general = text(&browser.get("/settings/general").await);
    assert!(general.contains("default_rendering"), "{general}");
}

#[tokio::test]
async fn it_shows_what_will_be_sent_and_how_much_a_filter_would_have_let_pass() {
    let hitwire = Hitwire::start().await;
    let mut browser = operator(&hitwire).await;
    hitwire.send(&hits(0..5)).await.expect(202);
    let add = form(&mut browser, ADD)
        .await
        .with("rendering", "envelope")
        .with("format", "jsonl")
        .and("events", "siem");
    let page = press(&mut browser, &add, "preview").await.page(200);
    assert!(page.contains("[Hitwire] New hit detected") && page.contains("application/x-ndjson"), "{page}");
    let page = press(&mut browser, &add.clone().with("attack_types", "xss"), "would-send").await.page(200);
    assert!(page.contains("Would have sent 0 of the last 5."), "{page}");
    let page =
        press(&mut browser, &add.clone().with("attack_types", "xss, sqli"), "would-send").await.page(200);
    assert!(page.contains("Would have sent 5 of the last 5."), "{page}");
    let page = press(&mut browser, &add.with("within", "10.0.0.1/8"), "would-send").await.page(422);
    assert!(page.contains("id=\"within-error\""), "{page}");
}

#[tokio::test]
async fn an_application_is_picked_for_a_filter_and_an_unknown_one_is_told() {
    let hitwire = Hitwire::start().await;
    let mut browser = operator(&hitwire).await;
    hitwire.make("applications", &json!({"id": 12, "name": "shop <1>"})).await;
    let mut of_shop = hit(1);
    of_shop["applications"] = json!([12]);
    hitwire.send(&of_shop).await.expect(202);
    let page = browser.get(ADD).await.page(200);
    assert!(page.contains("<option value=\"12\">shop &#60;1&#62; (12)</option>"), "{page}");
    let add = PageForm::on(&page, ADD).with("url", "https://example.com/").and("events", "siem");
    let picked = add.clone().and("application", "12");
    let page = press(&mut browser, &picked, "would-send").await.page(200);
    assert!(page.contains("Would have sent 1 of the last 1."), "{page}");
    let shown = PageForm::on(&page, ADD);
    assert_eq!(shown.value("applications").map(str::trim), Some("12"), "it stands in the list now");
    press(&mut browser, &picked.clone().and("application", "12"), "save").await.page(200);
    assert_eq!(stored(&hitwire, 1).await["filter"], json!({"applications": ["12"]}));
    let doubtful = add.with("applications", "shpo");
    let doubt = "&#34;shpo&#34; is neither the name nor the id of an application that is set up";
    let added = press(&mut browser, &doubtful, "save").await.page(200);
    assert!(added.contains(doubt) && added.contains("whsec_"), "{added}");
    let edit = form(&mut browser, &format!("{HOME}/1/edit")).await.with("applications", "shpo");
    let saved = format!("{HOME}/1?done=saved");
    press(&mut browser, &edit, "save").await.sees_other(&saved);
    let page = browser.get(&saved).await.page(200);
    assert!(page.contains(doubt), "{page}");
    assert_eq!(stored(&hitwire, 1).await["filter"], json!({"applications": ["shpo"]}));
    let page = press(&mut browser, &doubtful, "would-send").await.page(200);
    assert!(page.contains("Would have sent 0 of the last 1.") && page.contains("shpo"), "{page}");
    assert!(page.contains("is neither the name nor the id of an application that is set up"), "{page}");
}

#[tokio::test]
async fn a_disabled_one_is_enabled_with_what_was_missed_or_from_now() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let mut browser = operator(&hitwire).await;
    hitwire.subscribe(&receiver.url()).await;
    let page = format!("{HOME}/1");
    for (resume, first) in [("missed", 10), ("now", 20)] {
        browser.post(&format!("{page}/disable"), &[]).await.sees_other(&format!("{page}?done=disabled"));
        hitwire.send(&hits(first..first + 3)).await.expect(202);
        let shown = browser.get(&page).await.page(200);
        assert!(shown.contains("what was missed (3 events)"), "{shown}");
        assert!(browser.get(HOME).await.page(200).contains("Disabled&nbsp;1"));
        browser
            .post(&format!("{page}/enable"), &[("resume", resume)])
            .await
            .sees_other(&format!("{page}?done=enabled"));
        if resume == "missed" {
            receiver.until_objects(3).await;
            // What is under way when it is disabled would be missed as well.
            page_with(&mut browser, &page, "Up to date").await;
        }
    }
    let lost = hitwire.admin().get("/v2/integration/1/lost").await.expect(200);
    assert_eq!(
        (&lost["lost"][0]["reason"], &lost["lost"][0]["events"]),
        (&json!("enabled_from_now"), &json!(3))
    );
    assert_eq!(receiver.objects().len(), 3);
}

#[tokio::test]
async fn it_is_deleted_by_who_types_its_name() {
    let hitwire = Hitwire::start().await;
    let mut browser = operator(&hitwire).await;
    hitwire.create(&json!({"name": "Old SIEM", "target": {"url": "https://receiver.example/"}})).await;
    let ask = form(&mut browser, &format!("{HOME}/1/delete")).await;
    let wrong = ask.clone().with("name", "old siem");
    let page = browser.post_as_it_is(&ask.action, &wrong.pairs()).await.page(422);
    assert!(page.contains("This is not its name."), "{page}");
    hitwire.admin().send("PUT", "/v2/integration/1", &json!({"active": false})).await.expect(200);
    let right = ask.with("name", "Old SIEM");
    let page = browser.post_as_it_is(&right.action, &right.pairs()).await.page(422);
    assert!(page.contains("Somebody has changed it"), "{page}");
    let right = PageForm::on(&page, &right.action);
    browser.post_as_it_is(&right.action, &right.pairs()).await.sees_other(&format!("{HOME}?done=deleted"));
    assert!(
        browser.get(&format!("{HOME}?done=deleted")).await.page(200).contains("The integration is deleted.")
    );
    browser.get(&format!("{HOME}/1")).await.page(404);
}

#[tokio::test]
async fn a_damaged_one_is_shown_as_such_and_can_be_deleted() {
    let mut hitwire = Hitwire::start().await;
    for name in ["Old SIEM", "Chat"] {
        hitwire.create(&json!({"name": name, "target": {"url": "https://receiver.example/"}})).await;
    }
    hitwire.stop().await;
    let state = rusqlite::Connection::open(hitwire.data_dir().join("state.db")).expect("opened");
    state.execute("UPDATE integration SET target = 'no JSON' WHERE id = 1", []).expect("changed");
    drop(state);
    hitwire.restart().await;
    let mut browser = operator(&hitwire).await;
    let list = browser.get(HOME).await.page(200);
    assert!(
        list.contains("Damaged") && list.contains("its row is damaged") && list.contains("Chat"),
        "{list}"
    );
    let page = browser.get(&format!("{HOME}/1")).await.page(200);
    assert!(page.contains("Delete Old SIEM?") && page.contains("its row is damaged"), "{page}");
    let ask = form(&mut browser, &format!("{HOME}/1/delete")).await.with("name", "Old SIEM");
    browser.post_as_it_is(&ask.action, &ask.pairs()).await.sees_other(&format!("{HOME}?done=deleted"));
    let list = browser.get(HOME).await.page(200);
    assert!(!list.contains("Old SIEM") && list.contains("Chat"), "{list}");
}

#[tokio::test]
async fn a_new_signing_secret_is_shown_once_and_the_old_one_goes_on_for_a_while() {
    let hitwire = Hitwire::start().await;
    let mut browser = operator(&hitwire).await;
    let old = hitwire.create(&full("https://receiver.example/")).await["signing_secret"].clone();
    let page = browser.post(&format!("{HOME}/1/rotate-secret"), &[("overlap", "3600")]).await.page(200);
    assert!(page.contains("New signing secret") && page.contains("whsec_"), "{page}");
    assert!(
        page.contains("requests carry a signature of the secret before")
            && !page.contains(old.as_str().expect("text"))
    );
}

#[tokio::test]
async fn cards_are_found_by_state_and_name_page_by_page() {
    let hitwire = Hitwire::start().await;
    let mut browser = operator(&hitwire).await;
    for n in 0..50 {
        let name = format!("{} {n}", if n % 2 == 0 { "SIEM" } else { "Pager" });
        hitwire
            .create(&json!({"name": name, "active": n < 49, "target": {"url": "https://receiver.example/"}}))
            .await;
    }
    let page = browser.get(HOME).await.page(200);
    assert!(page.contains("SIEM 0<") && !page.contains("SIEM 48<") && page.contains("?after=48\""), "{page}");
    let page = browser.get(&format!("{HOME}?after=48")).await.page(200);
    assert!(page.contains("SIEM 48<") && page.contains("Pager 49<") && page.contains("First page"), "{page}");
    let page = browser.get(&format!("{HOME}?q=siem&state=enabled")).await.page(200);
    assert!(page.contains("SIEM 48<") && !page.contains("Pager"), "{page}");
    assert!(page.contains("href=\"/settings/integrations?state=disabled&#38;q=siem\""), "{page}");
    let page = browser.get(&format!("{HOME}?q=nothing+like+it")).await.page(200);
    assert!(page.contains("There is no integration like that."), "{page}");
}

#[tokio::test]
async fn a_failing_one_says_why_and_when_it_is_tried_again() {
    let receiver = Receiver::start().await;
    receiver.answer(503);
    let hitwire = Hitwire::start().await;
    let mut browser = operator(&hitwire).await;
    hitwire.subscribe(&receiver.url()).await;
    hitwire.send(&hits(0..2)).await.expect(202);
    let page = page_with(&mut browser, HOME, "Failing").await;
    assert!(page.contains("the endpoint returned 503") && page.contains("Next try"), "{page}");
    assert!(page.contains("Behind by 2 events"), "{page}");
    let page = browser.get(&format!("{HOME}/1")).await.page(200);
    assert!(page.contains("the endpoint returned 503") && page.contains("On its way"), "{page}");
}

#[tokio::test]
async fn integrations_are_for_administrators() {
    let hitwire = Hitwire::start().await;
    hitwire.create(&full("https://receiver.example/")).await;
    for role in ["analyst", "read_only"] {
        let (mut browser, _) = Browser::invited(&hitwire, &format!("{role}@example.com"), role).await;
        for path in ["", "/add", "/1", "/1/edit", "/1/delete"] {
            let page = browser.get_as_it_is(&format!("{HOME}{path}")).await.page(403);
            assert!(!page.contains("receiver.example"), "{page}");
        }
        for path in ["/add", "/1/edit", "/1/disable", "/1/enable", "/1/test", "/1/rotate-secret", "/1/delete"]
        {
            browser
                .post(&format!("{HOME}{path}"), &[("name", "x"), ("url", "https://x.example/")])
                .await
                .page(403);
        }
    }
    let (mut ann, _) = Browser::invited(&hitwire, "ann@example.com", "admin").await;
    ann.get_as_it_is(&format!("{HOME}/1")).await.page(200);
}

#[tokio::test]
async fn names_that_would_act_are_shown_and_do_nothing() {
    let hitwire = Hitwire::start().await;
    let mut browser = operator(&hitwire).await;
    let name = "<script>alert(1)</script>\u{202e}\"'";
    hitwire.create(&json!({"name": name, "target": {"url": "https://receiver.example/<script>"}})).await;
    for path in [HOME.to_owned(), format!("{HOME}/1"), format!("{HOME}/1/edit"), format!("{HOME}/1/delete")] {
        let page = browser.get(&path).await.page(200);
        assert!(!page.contains("<script>") && page.contains("&#60;script&#62;"), "{path}: {page}");
    }
    let page = browser.get(&format!("{HOME}?q=%3Cscript%3E%22")).await.page(200);
    assert!(!page.contains("<script>"), "{page}");
}

#[tokio::test]
async fn certificates_are_uploaded_and_shown_back_in_words() {
    let receiver = Receiver::start_https().await;
    let hitwire = Hitwire::start().await;
    let mut browser = operator(&hitwire).await;
    let add = form(&mut browser, ADD).await.with("url", &receiver.url()).and("events", "siem");
    let page = press(&mut browser, &add.clone().with("ca", "no certificate"), "save").await.page(422);
    assert!(page.contains("id=\"ca-error\"") && page.contains("no certificate</textarea>"), "{page}");
    let files = [("ca_file", "ca.crt", receiver.certificate().as_bytes())];
    let answer = browser.post_files(ADD, &add.and("action", "save").pairs(), &files).await.page(200);
    assert!(answer.contains("Integration added"), "{answer}");
    let page = browser.get(&format!("{HOME}/1/edit")).await.page(200);
    for shown in ["Subject", "Issuer", "SHA-256", "Remove it"] {
        assert!(page.contains(shown), "{page}");
    }
    hitwire.send(&hits(0..1)).await.expect(202);
    receiver.until_objects(1).await;
    let edit = PageForm::on(&page, &format!("{HOME}/1/edit")).and("remove_ca", "on");
    press(&mut browser, &edit, "save").await.sees_other(&format!("{HOME}/1?done=saved"));
    assert_eq!(stored(&hitwire, 1).await["target"]["ca_file"], "");
}

#[tokio::test]
async fn a_client_certificate_is_uploaded_as_pkcs12_kept_and_removed() {
    /// The password of all files of `crates/endpoint/tests/identities`.
    const FILE_PASSWORD: &str = "s3cret-Pässword";
    const PKCS12: &str = include_str!("../../../endpoint/tests/identities/modern.p12.txt");
    let file = STANDARD.decode(PKCS12.replace('\n', "")).expect("base64");
    let hitwire = Hitwire::start().await;
    let mut browser = operator(&hitwire).await;
    let files = [("client_cert_file", "hitwire.p12", &*file)];
    let add = form(&mut browser, ADD).await.with("url", "https://receiver.example/").and("action", "save");
    let wrong = add.clone().with("client_key_password", "wrong");
    let page = browser.post_files(ADD, &wrong.pairs(), &files).await.page(422);
    assert!(page.contains("id=\"client_key_password-error\""), "{page}");
    // The file need not be chosen again.
    let right = PageForm::on(&page, ADD).with("client_key_password", FILE_PASSWORD);
    press(&mut browser, &right, "save").await.page(200);
    let edit = form(&mut browser, &format!("{HOME}/1/edit")).await;
    assert_eq!((edit.value("client_cert"), edit.value("client_key")), (Some(""), Some("")));
    press(&mut browser, &edit, "save").await.sees_other(&format!("{HOME}/1?done=saved"));
    assert_eq!(stored(&hitwire, 1).await["target"]["client_key"], "********", "it stays");
    let edit = edit.and("remove_client_cert", "on");
    press(&mut browser, &edit, "save").await.sees_other(&format!("{HOME}/1?done=saved"));
    let target = stored(&hitwire, 1).await["target"].take();
    assert_eq!((&target["client_cert"], &target["client_key"]), (&json!(""), &json!(null)));
}
