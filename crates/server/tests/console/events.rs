//! Events, vulnerabilities, the dashboard.

use crate::support::{Answer, Browser, Hitwire, Receiver, between, hit, text, until};
use http::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What attackers put into events.
const HOSTILE: &str = "<script>alert(1)</script>\u{202e}\u{7}\"'&";

/// A page, once it says something: the index is a moment behind.
async fn page_with(browser: &mut Browser, path: &str, words: &str) -> String {
    let mut page = String::new();
    until(async || {
        page = text(&browser.get(path).await);
        page.contains(words)
    })
    .await;
    page
}

fn rows(page: &str) -> usize {
    page.matches("<a href=\"/events/").count()
}

#[tokio::test]
async fn the_link_of_a_notification_leads_to_the_vulnerability() {
    let (classic, envelope) = (Receiver::start().await, Receiver::start().await);
    let hitwire =
        Hitwire::start_with(|config| config.public_url = Some("https://waf.example.com/".to_owned())).await;
    for (receiver, rendering) in [(&classic, "classic"), (&envelope, "envelope")] {
        let target = json!({"url": receiver.url(), "rendering": rendering});
        hitwire.create(&json!({"target": target, "events": [{"event": "vuln"}]})).await;
    }
    let issue = json!({"object_type": "vuln", "id": "CVE-1/2 é?#", "type": "xss", "threat": "High", "title": "The title of it"});
    hitwire.send(&issue).await.expect(202);
    until(async || !classic.received().is_empty() && !envelope.received().is_empty()).await;
    let told = |receiver: &Receiver| -> serde_json::Value {
        serde_json::from_slice(&receiver.received()[0].body).expect("JSON")
    };
    let link = told(&envelope)[0]["details"]["security_issue_link"].as_str().expect("a link").to_owned();
    assert_eq!(told(&classic)[0]["link"], link);
    let path = link.strip_prefix("https://waf.example.com").expect("the console's address");

    let nobody = Browser::new(&hitwire).get_as_it_is(path).await;
    assert!(nobody.status.is_redirection(), "who is not signed in is asked to sign in first");
    let mut browser = Browser::operator(&hitwire).await;
    // The index is a moment behind.
    until(async || {
        browser.get_as_it_is(path).await.headers["location"].to_str().expect("text").starts_with("/events/")
    })
    .await;
    let page = text(&browser.get(path).await);
    assert!(page.contains("The title of it") && page.contains("CVE-1/2"), "{page}");
    let none = text(&browser.get("/object/nothing-has-this-id").await);
    assert!(none.contains("nothing-has-this-id") && rows(&none) == 0, "{none}");
}

#[tokio::test]
async fn a_hit_is_listed_found_and_told_with_its_way_through_the_integrations() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    hitwire.subscribe(&receiver.url()).await;
    let mut browser = Browser::operator(&hitwire).await;
    for number in 0..3 {
        hitwire.send(&hit(number)).await.expect(202);
    }
    let mut special = hit(9);
    special["type"] = json!("ssrf");
    special["payloads"] = json!(["the Needle in the hay"]);
    special["remote_addr4"] = json!("203.0.113.99");
    hitwire.send(&special).await.expect(202);

    page_with(&mut browser, "/events?kind=hit", "Needle in the hay").await;
    // How far the index is may be told a moment later.
    let page = page_with(&mut browser, "/events?kind=hit", "Indexed up to").await;
    assert_eq!(rows(&page), 4);
    assert!(page.contains("data-live=\"/events/live?kind=hit"), "it is told what is new");
    assert!(!text(&browser.get("/events?live=off").await).contains("data-live="));
    for query in ["q=nEEDLE", "type=ssrf", "address=203.0.113.99", "type=ssrf&q=needle&kind=hit"] {
        let found = text(&browser.get(&format!("/events?{query}")).await);
        assert_eq!(rows(&found), 1, "{query}");
        assert!(found.contains("203.0.113.99"), "{query}");
    }
    let none = text(&browser.get("/events?q=nowhere").await);
    assert!(rows(&none) == 0 && none.contains("Nothing fits"), "{none}");
    let wrong = text(&browser.get("/events?address=here").await);
    assert!(wrong.contains("aria-invalid=\"true\"") && wrong.contains("value=\"here\""), "{wrong}");
    for invalid in
        ["address=here", "address=here&type=ssrf", "status=many", "from=yesterday", "kind=all", "block=maybe"]
    {
        let page = text(&browser.get(&format!("/events?{invalid}")).await);
        assert_eq!(rows(&page), 0, "{invalid}: a filter that is not valid finds nothing");
        assert!(page.contains("Nothing was searched") || page.contains("choose from the lists"), "{page}");
        assert_eq!(browser.get(&format!("/events/live?{invalid}")).await.status, 404, "{invalid}");
    }

    let (_, rest) = page.split_once("<a href=\"/events/").expect("a link");
    let seq = rest.split_once('"').expect("its end").0.to_owned();
    let event = page_with(&mut browser, &format!("/events/{seq}"), ">Delivered<").await;
    assert!(event.contains("the Needle in the hay") && event.contains("203.0.113.99"), "{event}");
    for path in ["/events/0", "/events/999999", "/events/999999999999999999999"] {
        let status = browser.get(path).await.status;
        assert!(matches!(status, StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST), "{path}: {status}");
    }
}

/// Asks as an open page does, from where its address says, until there are rows; the rows, and where the page asks next.
async fn told_next(browser: &mut Browser, live: &str) -> (String, String) {
    let mut live = live.to_owned();
    loop {
        let answer = browser.get(&live).await;
        let told_to = answer.headers["x-live-after"].to_str().expect("text").to_owned();
        let (before, _) = live.split_once("after=").expect("where the page stands");
        live = format!("{before}after={told_to}");
        if answer.status == StatusCode::OK {
            return (text(&answer), live);
        }
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_open_list_is_told_each_new_event_once() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    hitwire.send(&hit(1)).await.expect(202);
    let page = page_with(&mut browser, "/events?kind=hit", "<a href=\"/events/").await;
    let live = between(&page, "data-live=\"", "\"").replace("&#38;", "&");
    hitwire.send(&json!([hit(2), hit(3)])).await.expect(202);
    let (told, live) = told_next(&mut browser, &live).await;
    assert_eq!(rows(&told), 2, "{told}");
    hitwire.send(&hit(4)).await.expect(202);
    let (told, _) = told_next(&mut browser, &live).await;
    assert_eq!(rows(&told), 1, "{told}");
}

#[tokio::test]
async fn a_stream_says_that_something_has_come_and_ends_with_the_session() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    let mut stream = TcpStream::connect(hitwire.server().addr()).await.expect("connected");
    let cookie = browser.cookie("__Host-hitwire").expect("a session");
    let request = format!("GET /live HTTP/1.1\r\nhost: x\r\ncookie: __Host-hitwire={cookie}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut told = String::new();
    let mut sent = false;
    while told.matches("event: news").count() < 2 {
        if told.contains("event: news") && !sent {
            sent = true;
            hitwire.send(&hit(1)).await.expect(202);
        }
        read_more(&mut stream, &mut told).await;
    }
    assert!(told.contains("content-type: text/event-stream"), "{told}");
    browser.submit("/settings/profile", "/sign-out", &[]).await.page(200);
    while !told.ends_with("0\n\n") {
        read_more(&mut stream, &mut told).await;
    }
    let nobody = Browser::new(&hitwire).get_as_it_is("/live").await;
    assert!(nobody.status.is_redirection());
}

async fn read_more(stream: &mut TcpStream, told: &mut String) {
    let mut bytes = [0; 4_096];
    let read = stream.read(&mut bytes).await.expect("read");
    assert!(read > 0, "it ended: {told}");
    told.push_str(&String::from_utf8_lossy(&bytes[..read]).replace('\r', ""));
}

/// What the list says of deliveries, for each row from the top.
fn delivered_to(page: &str) -> Vec<String> {
    let cells = page.split("<td data-label=\"Delivered to\">").skip(1);
    cells
        .map(|cell| {
            cell.split("</td>")
                .next()
                .expect("a cell")
                .replace("<div class=\"break\">", "")
                .replace("</div>", "")
        })
        .collect()
}

#[tokio::test]
async fn whoever_got_an_event_is_named_in_the_list() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    let made = json!({
        "name": "SIEM",
        "target": {"url": receiver.url()},
        "events": [{"event": "siem"}, {"event": "vuln"}],
        "filter": {"domains": ["shop.example.com"]},
    });
    hitwire.create(&made).await;
    let mut events: Vec<_> = (0..4).map(hit).collect();
    for (number, event) in events.iter_mut().enumerate() {
        event["domain"] = json!(if number == 1 { "elsewhere.example.com" } else { "shop.example.com" });
    }
    let finding = json!({"object_type": "vuln", "title": "Open door", "threat": "Critical", "domain": "shop.example.com"});
    events.insert(3, finding);
    hitwire.send(&json!(events)).await.expect(202);
    let named = |cell: &String| cell == "SIEM";
    let mut cells = Vec::new();
    until(async || {
        let page = text(&browser.get("/events").await);
        cells = delivered_to(&page);
        cells.iter().filter(|cell| named(cell)).count() == 4
    })
    .await;
    let hits = text(&browser.get("/events?kind=hit").await);
    let cells = delivered_to(&hits);
    assert_eq!(cells.len(), 4);
    assert!(named(&cells[0]) && named(&cells[1]) && named(&cells[3]), "{cells:?}");
    assert!(cells[2].contains("not delivered"), "the filter left it out: {cells:?}");
    assert!(hits.contains("1–4 of 4"), "{hits}");
    let two = text(&browser.get("/events?address=10.0.0.0%2F8,+192.0.2.0%2F33").await);
    assert!(two.contains("Addresses or networks, such as") && rows(&two) == 0, "{two}");
}

#[tokio::test]
async fn addresses_are_found_by_network_and_pages_say_which_part_they_are() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    let addresses = ["10.1.2.3", "10.9.9.9", "192.0.2.7", "2001:db8::1", "2001:db9::1"];
    let events: Vec<_> = (0..120)
        .map(|number| {
            let mut event = hit(number);
            let address = addresses[number % addresses.len()];
            let field = if address.contains(':') { "remote_addr6" } else { "remote_addr4" };
            event[field] = json!(address);
            event
        })
        .collect();
    hitwire.send(&json!(events)).await.expect(202);
    let page = page_with(&mut browser, "/events?kind=hit", "1–50 of 120").await;
    let older = between(&page, "before=", "\"").replace("&#38;", "&");
    let second = text(&browser.get(&format!("/events?kind=hit&before={older}")).await);
    assert!(second.contains("51–100 of 120"), "{second}");
    for (query, part) in [
        ("10.0.0.0%2F8", "1–48 of 48"),
        ("10.1.0.0%2F16+192.0.2.7", "1–48 of 48"),
        ("2001:db8::%2F32", "1–24 of 24"),
        ("192.0.2.7", "1–24 of 24"),
        ("0.0.0.0%2F0,::%2F0", "1–50 of 120"),
    ] {
        let page = text(&browser.get(&format!("/events?address={query}")).await);
        assert!(page.contains(part), "{query}: {page}");
    }
}

#[tokio::test]
async fn vulnerabilities_have_a_list_of_their_own() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    for (title, threat) in [("Old library", "Low"), ("Open door", "Critical")] {
        let found =
            json!({"object_type": "vuln", "title": title, "threat": threat, "discovered_by": "nuclei"});
        hitwire.send(&found).await.expect(202);
    }
    hitwire.send(&hit(1)).await.expect(202);
    let page = page_with(&mut browser, "/vulnerabilities", "Open door").await;
    assert!(page.contains("Old library") && page.contains("nuclei"));
    assert_eq!(rows(&page), 2, "no hits");
    let critical = text(&browser.get("/vulnerabilities?risk=Critical").await);
    assert!(critical.contains("Open door") && !critical.contains("Old library"));
}

#[tokio::test]
async fn what_attackers_send_is_shown_and_does_nothing() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    let mut event = hit(1);
    for field in ["domain", "path", "method", "type"] {
        event[field] = json!(HOSTILE);
    }
    event["payloads"] = json!([HOSTILE, "x".repeat(100_000)]);
    event[HOSTILE] = json!(HOSTILE);
    hitwire.send(&event).await.expect(202);
    let finding = json!({"object_type": "vuln", "title": HOSTILE, "threat": "High", "type": HOSTILE});
    hitwire.send(&finding).await.expect(202);
    let list = page_with(&mut browser, "/events?kind=hit", "alert(1)").await;
    let (_, rest) = list.split_once("<a href=\"/events/").expect("a link");
    let seq = rest.split_once('"').expect("its end").0.to_owned();
    let query: String =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("q", HOSTILE).finish();
    let paths = [
        "/events".to_owned(),
        format!("/events?{query}"),
        format!("/events/{seq}"),
        "/vulnerabilities".to_owned(),
        "/dashboard".to_owned(),
    ];
    for path in paths {
        // The index may be a moment behind with one of the two.
        let page = page_with(&mut browser, &path, "alert(1)").await;
        assert!(!page.contains("<script>"), "{path}");
        // In the field for the search stands what was searched for, and nothing of it acts there.
        let outside = page.replace(
            &format!("value=\"{}\"", "&#60;script&#62;alert(1)&#60;/script&#62;\u{202e}\u{7}&#34;&#39;&#38;"),
            "",
        );
        assert!(!outside.contains(['\u{202e}', '\u{7}']), "{path}");
    }
}

#[tokio::test]
async fn other_clients_see_nothing_of_it() {
    let hitwire = Hitwire::start().await;
    let other = hitwire.new_client("other").await;
    let token = hitwire.new_token(&json!({"name": "theirs", "role": "ingest", "clientid": other})).await;
    let mut theirs = hit(5);
    theirs["payloads"] = json!(["theirs alone"]);
    let sent = hitwire.caller(&token).send("POST", "/v1/events", &theirs).await;
    sent.expect(202);
    hitwire.send(&hit(6)).await.expect(202);
    let mut browser = Browser::operator(&hitwire).await;
    let page = page_with(&mut browser, "/events?kind=hit", "<a href=\"/events/").await;
    assert_eq!(rows(&page), 1);
    assert!(!page.contains("theirs alone"));
    let mine: u64 = page
        .split_once("<a href=\"/events/")
        .and_then(|(_, rest)| rest.split_once('"'))
        .and_then(|(seq, _)| seq.parse().ok())
        .expect("a position");
    for seq in 1..mine {
        let answer: Answer = browser.get(&format!("/events/{seq}")).await;
        assert!(!text(&answer).contains("theirs alone"), "{seq}");
    }
    for path in ["/events?q=theirs", "/dashboard"] {
        assert!(!text(&browser.get(path).await).contains("theirs alone"));
    }
}

#[tokio::test]
async fn the_dashboard_teaches_and_then_shows_what_goes_on() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::operator(&hitwire).await;
    let page = text(&browser.get("/dashboard").await);
    assert!(page.contains("/settings/integrations/add") && page.contains("Log"), "{page}");
    receiver.answer(503);
    let id = hitwire.subscribe(&receiver.url()).await;
    let disabled = json!({"name": "Off", "active": false, "target": {"url": receiver.url()}, "events": []});
    hitwire.create(&disabled).await;
    for number in 0..3 {
        hitwire.send(&hit(number)).await.expect(202);
    }
    let page = page_with(&mut browser, "/dashboard", "1 needs attention").await;
    assert!(page.contains(&format!("/settings/integrations/{id}")), "{page}");
    // The parts of a page are read one after the other: the index may get on between them.
    page_with(&mut browser, "/dashboard", ">sqli</a>").await;
    let page = text(&browser.get("/dashboard").await);
    assert!(page.contains("data-chart=") && page.contains("As a table"), "{page}");
    assert!(page.contains("hx-get=\"/dashboard/live\""));
    assert!(text(&browser.get("/dashboard/live").await).contains("events in the last hour"));
    assert!(!text(&browser.get("/dashboard?live=off").await).contains("/dashboard/live"));
}
