//! One's own account.

use crate::support::{Browser, Hitwire, PASSWORD, between, hit, until};

#[tokio::test]
async fn everybody_changes_their_own_name_and_looks() {
    let hitwire = Hitwire::start().await;
    for role in ["admin", "analyst", "read_only"] {
        let (mut browser, _) = Browser::invited(&hitwire, &format!("{role}@example.com"), role).await;
        browser
            .post("/settings/profile", &[("name", "Ann <b>")])
            .await
            .sees_other("/settings/profile?done=name");
        let page = browser.get("/settings/profile?done=name").await.page(200);
        assert!(
            page.contains("value=\"Ann &#60;b&#62;\"") && page.contains("Your name was changed."),
            "{page}"
        );
        let page = browser.post("/settings/profile", &[("name", " ")]).await.page(422);
        assert!(page.contains("id=\"name-error\">The name is empty."), "{page}");
        browser.post("/settings/profile/theme", &[("theme", "dark")]).await.sees_other("/settings/profile");
        assert!(browser.get("/dashboard").await.page(200).contains("<html lang=\"en\" data-theme=\"dark\">"));
    }
}

#[tokio::test]
async fn times_and_filters_are_in_the_zone_that_was_chosen() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    hitwire.send(&hit(1)).await.expect(202);
    let listed = async |browser: &mut Browser, query: &str| {
        let mut page = String::new();
        until(async || {
            page = browser.get(&format!("/events?kind=hit{query}")).await.page(200);
            page.contains("<a href=\"/events/") || !query.is_empty()
        })
        .await;
        page
    };
    let page = listed(&mut browser, "").await;
    assert!(page.contains("Times are in UTC.") && page.contains("From (UTC)"), "{page}");
    // The browser says its zone; what was chosen goes before it.
    browser.set_cookie("hitwire-zone", "America/New_York");
    assert!(listed(&mut browser, "").await.contains("From (America/New_York)"));
    browser.look_for_csrf().await;
    let chosen = browser.post("/settings/profile/time-zone", &[("time_zone", "Asia/Kolkata")]).await;
    chosen.sees_other("/settings/profile?done=zone#time-zone");
    let page = listed(&mut browser, "").await;
    assert!(page.contains("Times are in Asia/Kolkata (UTC+05:30)."), "{page}");
    let row = between(&page, "<a href=\"/events/", "</a>");
    let exact: jiff::Timestamp = between(row, "datetime=\"", "\"").parse().expect("a time");
    let local = exact.to_zoned(jiff::tz::TimeZone::get("Asia/Kolkata").expect("a zone"));
    assert!(row.contains(&local.strftime(">%Y-%m-%d %H:%M:%S<").to_string()), "{row}");
    // What the row shows is what the filter takes.
    let minute = local.strftime("%Y-%m-%dT%H:%M").to_string();
    let rows = |page: &str| page.matches("<a href=\"/events/").count();
    assert_eq!(rows(&listed(&mut browser, &format!("&from={minute}&to={minute}")).await), 1);
    let utc = exact.strftime("%Y-%m-%dT%H:%M").to_string();
    assert_eq!(rows(&listed(&mut browser, &format!("&from={utc}&to={utc}")).await), 0);
    browser.post("/settings/profile/time-zone", &[("time_zone", "Europe/Berlin")]).await;
    let page = listed(&mut browser, "&from=2026-03-29T02:30").await;
    assert!(page.contains("There was no 02:30 on that day in Europe/Berlin"), "{page}");
    let page = browser.post("/settings/profile/time-zone", &[("time_zone", "Mars/Base")]).await.page(422);
    assert!(page.contains("id=\"zone-error\">The time zone is not one that"), "{page}");
}

#[tokio::test]
async fn another_password_needs_the_one_before_and_ends_all_other_sessions() {
    let hitwire = Hitwire::start().await;
    let (mut browser, _) = Browser::invited(&hitwire, "ann@example.com", "analyst").await;
    let mut elsewhere = Browser::new(&hitwire);
    elsewhere.sign_in("ann@example.com", PASSWORD).await.sees_other("/");
    let new = "another long password";
    let send = |current, new, again| [("current", current), ("password", new), ("password_again", again)];
    for (form, words) in [
        (send("not the password", new, new), "This is not your password."),
        (send(PASSWORD, "short", "short"), "at least 12 characters"),
        (send(PASSWORD, new, "something else!"), "The two passwords differ."),
        (send(PASSWORD, "ANN@example.com", "ANN@example.com"), "The password is the e-mail address;"),
    ] {
        let page = browser.post("/settings/profile/password", &form).await.page(422);
        assert!(page.contains(words), "{words}: {page}");
    }
    elsewhere.get("/dashboard").await.page(200);
    let before = browser.clone();
    let done = browser.post("/settings/profile/password", &send(PASSWORD, new, new)).await;
    done.sees_other("/settings/profile?done=password");
    browser.get("/dashboard").await.page(200);
    for mut old in [elsewhere, before] {
        old.get_as_it_is("/dashboard").await.sees_other("/sign-in?next=%2Fdashboard");
    }
    Browser::new(&hitwire).sign_in("ann@example.com", PASSWORD).await.page(422);
    Browser::new(&hitwire).sign_in("ann@example.com", new).await.sees_other("/");
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one_or_all() {
    let hitwire = Hitwire::start().await;
    let (mut browser, _) = Browser::invited(&hitwire, "ann@example.com", "read_only").await;
    let mut phone = Browser::new(&hitwire);
    let agent = "Mozilla/5.0 (Android 16; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0";
    phone.headers = vec![("user-agent", agent.to_owned())];
    phone.sign_in("ann@example.com", PASSWORD).await.sees_other("/");
    let page = browser.get("/settings/profile").await.page(200);
    assert!(page.contains("127.0.0.1") && page.contains("this one"), "{page}");
    let row = page.split("<tr>").find(|row| row.contains("Firefox on Android")).expect("the phone");
    let key = between(row, "name=\"key\" value=\"", "\"");
    let (mut stranger, _) = Browser::invited(&hitwire, "eve@example.com", "admin").await;
    stranger.post("/settings/profile/sessions/end", &[("key", key)]).await;
    phone.get("/dashboard").await.page(200);
    browser
        .post("/settings/profile/sessions/end", &[("key", key)])
        .await
        .sees_other("/settings/profile?done=ended");
    phone.get_as_it_is("/dashboard").await.sees_other("/sign-in?next=%2Fdashboard");
    phone.sign_in("ann@example.com", PASSWORD).await.sees_other("/");
    browser.post("/settings/profile/sessions/end-all", &[]).await.sees_other("/sign-in");
    for mut one in [phone, browser] {
        one.get_as_it_is("/dashboard").await.sees_other("/sign-in?next=%2Fdashboard");
    }
    stranger.get("/dashboard").await.page(200);
}
