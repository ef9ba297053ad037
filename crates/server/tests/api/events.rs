//! `POST /v1/events`.

use crate::support::{Hitwire, INGEST, hit, hits};
use serde_json::{Value, json};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const LINES: &[(&str, &str)] = &[("content-type", "application/x-ndjson")];

#[tokio::test]
async fn one_event_an_array_and_lines_are_taken() {
    let hitwire = Hitwire::start().await;
    let one = hitwire.send(&hit(1)).await.expect(202);
    assert_eq!(
        one,
        json!({"accepted": 1, "duplicates": 0, "ids": ["hits_production_1_202611_v_1/hit00000000000000001"]})
    );
    let array = hitwire.send(&hits(2..5)).await.expect(202);
    assert_eq!((&array["accepted"], array["ids"].as_array().expect("ids").len()), (&json!(3), 3));
    let lines = format!("{}\n{}\n", hit(5), hit(6));
    let caller = hitwire.caller(INGEST);
    let declared = caller.send_bytes("POST", "/v1/events", LINES, lines.clone()).await.expect(202);
    assert_eq!(declared["accepted"], 2);
    let shown = caller.send_bytes("POST", "/v1/events", JSON, lines).await.expect(202);
    assert_eq!(
        (&shown["accepted"], &shown["duplicates"]),
        (&json!(0), &json!(2)),
        "lines are told by their look as well"
    );
}

#[tokio::test]
async fn the_same_event_again_is_a_duplicate_and_the_same_id_with_other_content_is_taken() {
    let hitwire = Hitwire::start().await;
    hitwire.send(&hit(1)).await.expect(202);
    let again = hitwire.send(&json!([hit(1), hit(2)])).await.expect(202);
    assert_eq!((&again["accepted"], &again["duplicates"]), (&json!(1), &json!(1)));
    assert_eq!(again["ids"].as_array().expect("ids").len(), 2, "both are in the log");
    let mut other = hit(1);
    other["path"] = json!("/other");
    assert_eq!(hitwire.send(&other).await.expect(202)["accepted"], 1);
}

#[tokio::test]
async fn duplicates_are_known_after_a_restart() {
    let mut hitwire = Hitwire::start().await;
    hitwire.send(&hits(0..20)).await.expect(202);
    hitwire.restart().await;
    let again = hitwire.send(&hits(0..20)).await.expect(202);
    assert_eq!((&again["accepted"], &again["duplicates"]), (&json!(0), &json!(20)));
}

#[tokio::test]
async fn nothing_to_take_is_no_mistake() {
    let hitwire = Hitwire::start().await;
    let none = hitwire.send(&json!([])).await.expect(202);
    assert_eq!(none, json!({"accepted": 0, "duplicates": 0, "ids": []}));
}

#[tokio::test]
async fn a_body_that_is_not_json_is_answered_with_line_and_column() {
    let hitwire = Hitwire::start().await;
    let body = format!("{}\n{{\"object_type\": hit}}\n", hit(1));
    let answer = hitwire.caller(INGEST).send_bytes("POST", "/v1/events", LINES, body).await;
    insta::assert_snapshot!(answer.shown());
    let head = hitwire.send(&hit(1)).await.expect(202);
    assert_eq!(head["accepted"], 1, "nothing of the body had been taken");
}

fn good_and_bad() -> Value {
    json!([hit(1), {"object_type": "hit"}, {"type": "sqli"}, {"object_type": "system", "type": "x"}, hit(2)])
}

#[tokio::test]
async fn one_bad_item_and_nothing_is_taken() {
    let hitwire = Hitwire::start().await;
    let answer = hitwire.send(&good_and_bad()).await;
    insta::assert_snapshot!(answer.shown());
    assert_eq!(hitwire.send(&hits(1..3)).await.expect(202)["accepted"], 2);
}

#[tokio::test]
async fn the_good_items_are_taken_if_the_caller_says_so() {
    let hitwire = Hitwire::start().await;
    let answer = hitwire.caller(INGEST).send("POST", "/v1/events?invalid=skip", &good_and_bad()).await;
    insta::assert_snapshot!(answer.shown());
    assert_eq!(hitwire.send(&hits(1..3)).await.expect(202)["duplicates"], 2);
}

#[tokio::test]
async fn a_cut_line_is_named_and_the_other_lines_are_taken_if_the_caller_says_so() {
    let hitwire = Hitwire::start().await;
    let (one, two) = (hit(1).to_string(), hit(2).to_string());
    let body = [one.as_bytes(), b"\r\n\n", &two.as_bytes()[..50], b"\n\xff\n7\n", two.as_bytes()].concat();
    let caller = hitwire.caller(INGEST);
    let answer = caller.send_bytes("POST", "/v1/events?invalid=skip", LINES, body.clone()).await;
    insta::assert_snapshot!(answer.shown());
    let again = caller.send_bytes("POST", "/v1/events?invalid=skip", JSON, body.clone()).await.expect(202);
    assert_eq!(
        (&again["duplicates"], &again["rejected_total"]),
        (&json!(2), &json!(3)),
        "told by their look"
    );
    let refused = caller.send_bytes("POST", "/v1/events", LINES, body).await.expect(400);
    assert_eq!(refused["line"], 3, "{refused}");
}

#[tokio::test]
async fn of_refused_items_a_hundred_are_listed_and_of_skipped_ones_every_one() {
    let hitwire = Hitwire::start().await;
    let bad: Value = (0..250).map(|number| json!({"object_type": "hit", "n": number})).collect();
    let refused = hitwire.send(&bad).await.expect(422);
    assert_eq!(
        (&refused["errors_total"], refused["errors"].as_array().expect("errors").len()),
        (&json!(250), 100)
    );
    let skipped = hitwire.caller(INGEST).send("POST", "/v1/events?invalid=skip", &bad).await.expect(202);
    assert_eq!(
        (&skipped["rejected_total"], skipped["rejected"].as_array().expect("errors").len()),
        (&json!(250), 250)
    );
}

#[tokio::test]
async fn only_json_and_lines_are_understood() {
    let hitwire = Hitwire::start().await;
    let caller = hitwire.caller(INGEST);
    let body = hit(1).to_string();
    for taken in
        ["application/json", "Application/JSON; charset=utf-8", "application/x-ndjson", "application/jsonl"]
    {
        caller.send_bytes("POST", "/v1/events", &[("content-type", taken)], body.clone()).await.expect(202);
    }
    caller.send_bytes("POST", "/v1/events", &[], body.clone()).await.expect(202);
    for refused in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
        let answer =
            caller.send_bytes("POST", "/v1/events", &[("content-type", refused)], body.clone()).await;
        answer.expect(415);
    }
    let answer =
        caller.send_bytes("POST", "/v1/events", &[("content-type", "text/plain")], body.clone()).await;
    insta::assert_snapshot!(answer.shown());
    let compressed = [("content-type", "application/json"), ("content-encoding", "gzip")];
    caller.send_bytes("POST", "/v1/events", &compressed, body).await.expect(415);
}

#[tokio::test]
async fn a_body_above_the_bound_is_refused() {
    let hitwire = Hitwire::start_with(|config| config.api.body_bytes_max = 4_096).await;
    let answer = hitwire.send(&hits(0..100)).await;
    insta::assert_snapshot!(answer.shown());
    hitwire.send(&hits(0..20)).await.expect(202);
}

#[tokio::test]
async fn a_large_body_is_taken() {
    let hitwire = Hitwire::start().await;
    let answer = hitwire.send(&hits(0..9_000)).await.expect(202);
    assert_eq!(answer["accepted"], 9_000);
    let too_many = hitwire.send(&hits(0..10_001)).await.expect(413);
    assert!(too_many["detail"].as_str().expect("words").contains("10000"), "{too_many}");
}

#[tokio::test]
async fn a_slip_of_the_pen_in_the_query_is_told() {
    let hitwire = Hitwire::start().await;
    let caller = hitwire.caller(INGEST);
    caller.send("POST", "/v1/events?invald=skip", &hit(1)).await.expect(400);
    let answer = caller.send("POST", "/v1/events?invalid=ignore", &hit(1)).await;
    insta::assert_snapshot!(answer.shown());
}

#[tokio::test]
async fn a_full_disk_is_answered_with_503_and_when_to_come_again() {
    let mut hitwire = Hitwire::start_with(|config| config.log.disk_floor_bytes = u64::MAX / 2).await;
    let answer = hitwire.send(&hit(1)).await;
    assert_eq!(answer.headers.get("retry-after").expect("Retry-After"), "5");
    let problem = answer.expect(503);
    assert!(problem["detail"].as_str().expect("words").contains("nothing was accepted"), "{problem}");
    hitwire.restart_with(|config| config.log.disk_floor_bytes = 0).await;
    assert_eq!(hitwire.send(&hit(1)).await.expect(202)["accepted"], 1, "nothing had been accepted");
}

#[tokio::test]
async fn the_same_bytes_are_a_duplicate_a_moment_later_too() {
    let hitwire = Hitwire::start().await;
    let without_times = json!({"object_type": "hit", "type": "xss", "path": "/a"});
    let first = hitwire.send(&without_times).await.expect(202);
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let second = hitwire.send(&without_times).await.expect(202);
    assert_eq!((&second["duplicates"], &second["ids"]), (&json!(1), &first["ids"]));
}
