//! Pages and tables of integrations, as they are read.

use super::*;
use serde_json::json;

fn object(value: Value) -> Object {
    Object { json: serde_json::value::to_raw_value(&value).unwrap(), value }
}

fn integration(name: &str, active: bool) -> Object {
    object(json!({
        "id": 7, "name": name, "active": active, "created_at": 1_795_419_114, "created_by": "admin",
        "events": [{"event": "siem", "active": true, "with_headers": true}, {"event": "scope", "active": false}],
        "target": {"url": "https://siem.example.com/hits", "http_method": "POST", "headers": {"X-Api-Key": "********"},
                   "ca_verify": false, "timeout": 30, "format": "json", "max_events": null},
    }))
}

fn status(failures: u64) -> Object {
    object(json!({
        "failures_in_a_row": failures, "notice": null, "warnings": ["the receiver's certificate is not verified"],
        "tls": {"ca": [{"subject": "CN=Own CA", "not_after": "2036-01-01T00:00:00Z"}], "client_cert": []},
        "lanes": [
            {"lane": "urgent", "events": [], "state": "caught_up", "lag": {"events": 0, "seconds": 0}},
            {"lane": "bulk", "events": ["siem"], "state": "waiting", "lag": {"events": 1200, "seconds": 95},
             "open_batch": {"events": 12, "tries": 2}, "next_attempt_at": "2026-01-01T00:00:09Z",
             "last_error": "the endpoint returned 503\u{1b}[2J"},
        ],
    }))
}

#[test]
fn the_list_shows_first_what_an_operator_must_know() {
    let rows = [
        (integration("SIEM", true), Some(status(0))),
        (integration("Chat", true), Some(status(3))),
        (integration("Old", false), None),
    ];
    insta::assert_snapshot!(list(&rows, Terminal::plain()), @r"
    ID  NAME  STATE        BEHIND  EVENTS  URL
    7   SIEM  active       1,200   siem    https://siem.example.com/hits
    7   Chat  failing (3)  1,200   siem    https://siem.example.com/hits
    7   Old   disabled     -       siem    https://siem.example.com/hits
    ");
}

#[test]
fn the_page_has_state_lanes_errors_and_losses() {
    let lost = object(
        json!({"lost": [{"recorded_at": "2026-01-01T00:00:00Z", "events": 40, "range": "dead", "first": 1,
        "last": 90, "reason": "gave_up", "detail": "no request succeeded for 72 hours"}], "next": null}),
    );
    insta::assert_snapshot!(page(&integration("SIEM", true), &status(2), &lost, Terminal::plain()), @r"
    SIEM (7)
      state         failing (2)
      warning       the receiver's certificate is not verified
      sends to      POST https://siem.example.com/hits
      events        siem
      with headers  yes
      headers       X-Api-Key
      verification  off: any certificate is accepted
      timeout       30
      CA            CN=Own CA, until 2036-01-01T00:00:00Z
      created       2026-11-23 by admin

    LANE  STATE    BEHIND        OLDEST  OPEN BATCH                NEXT ATTEMPT
    bulk  waiting  1,200 events  1 min   12 events, tried 2 times  2026-01-01T00:00:09Z

    last error (bulk): the endpoint returned 503\u{1b}[2J

    LOST                  EVENTS  RANGE      WHY      DETAIL
    2026-01-01T00:00:00Z  40      dead 1-90  gave_up  no request succeeded for 72 hours
    ");
}

#[test]
fn a_test_of_several_events_shows_each_and_what_was_not_sent() {
    let message = |event: &str, delivered: bool| json!({"delivered": delivered, "event": event, "request": {"method": "POST", "url": "https://a/"}});
    let mut outcome = message("system", false);
    outcome["messages"] = json!([message("siem", true), message("system", false)]);
    outcome["not_sent"] = json!(["scope"]);
    insta::assert_snapshot!(test(&object(outcome), Terminal::plain()), @r"
    delivered
      request  POST https://a/
      event    siem

    not delivered
      request  POST https://a/
      event    system

    not sent, because there was no answer before: scope
    ");
}

#[test]
fn a_test_shows_the_request_the_answer_and_the_times() {
    let outcome = object(json!({
        "delivered": false, "event": "siem", "address": "203.0.113.7:443", "error": "the endpoint returned 500",
        "request": {"method": "POST", "url": "https://a/", "headers": {}, "body": "[{}]"},
        "response": {"status": 500, "headers": {}, "body": "oops"},
        "timings_ms": {"dns": 1, "connect": 2.5, "tls": 8, "first_byte": 20, "total": 1500},
    }));
    insta::assert_snapshot!(test(&outcome, Terminal::plain()), @r"
    not delivered
      request   POST https://a/
      event     siem
      dialled   203.0.113.7:443
      answered  500
      answer    oops
      took      dns 1.0 ms, connect 2.5 ms, tls 8.0 ms, first byte 20 ms, total 1.5 s
      body      [{}]
    ");
}
