//! Records into request bodies.

use crate::{event, record};
use hitwire_event::{ClientId, Event, Kind, Record, Seq};
use hitwire_receiver::{Format, Labels, Rendered as _, Rendering, Style, body, body_len};
use std::collections::BTreeMap;
use std::sync::Arc;

const BARE: Rendering = Rendering { style: Style::Classic, with_headers: false };
const WITH_HEADERS: Rendering = Rendering { style: Style::Classic, with_headers: true };

fn hit(fields: &str) -> Arc<Record> {
    record(event(&format!(
        r#"{{"object_type":"hit","type":"sqli","id":["i","d"],{fields}"request_time":5}}"#
    )))
}

#[test]
fn headers_are_left_out_unless_asked_for() {
    let with = hit(r#""headers":{"HOST":"a"},"x":1,"#);
    let without = hit(r#""x":1,"#);
    assert_eq!(with.rendered(BARE, &Labels::default()), without.rendered(BARE, &Labels::default()));
    assert_ne!(with.rendered(WITH_HEADERS, &Labels::default()), with.rendered(BARE, &Labels::default()));
    assert!(
        with.rendered(WITH_HEADERS, &Labels::default())
            .ends_with(r#","object_type":"hit","headers":{"HOST":"a"},"x":1}"#)
    );
}

#[test]
fn a_callers_secrets_reach_neither_the_log_nor_a_receiver() {
    let sent = hit(r#""headers":{"HOST":"a","Cookie":["s3cret","s3cret2"],"x-api-key":"s3cret"},"x":1,"#);
    assert!(!sent.event.body.contains("s3cret"), "{}", sent.event.body);
    assert!(
        sent.event
            .body
            .ends_with(r#","headers":{"HOST":"a","Cookie":"[redacted]","x-api-key":"[redacted]"},"x":1}"#)
    );
}

#[test]
fn secrets_that_are_in_the_log_already_are_masked_when_they_are_sent() {
    let masked = hit(r#""headers":{"HOST":"a","Cookie":"[redacted]","X":"b"},"x":1,"#);
    let body = masked.event.body.replace("[redacted]", "s3cret").into_boxed_str();
    for test in [false, true] {
        let made = |body: &str| {
            let event = Event { body: body.into(), ..masked.event.clone() };
            if test { Record::test(event) } else { Record::new(Seq(1), 0, false, event) }
        };
        let (kept, expected) = (made(&body), made(&masked.event.body));
        for style in [Style::Classic, Style::Envelope] {
            for with_headers in [false, true] {
                let rendering = Rendering { style, with_headers };
                let rendered = kept.rendered(rendering, &Labels::default());
                assert_eq!(rendered, expected.rendered(rendering, &Labels::default()));
            }
        }
    }
}

#[test]
fn only_a_hits_own_headers_are_left_out() {
    let inside = hit(r#""x":{"headers":{"a":1}},"y":["\"headers\":"],"#);
    assert_eq!(inside.rendered(BARE, &Labels::default()), &*inside.event.body);
    let vulnerability =
        record(event(r#"{"object_type":"vuln","title":"t","threat":"Low","headers":{"a":1},"id":"v"}"#));
    assert_eq!(vulnerability.rendered(BARE, &Labels::default()), &*vulnerability.event.body);
}

#[test]
fn a_rendering_that_equals_the_stored_body_is_the_stored_body() {
    let without = hit("");
    assert!(std::ptr::eq(without.rendered(BARE, &Labels::default()), &raw const *without.event.body));
    let with = hit(r#""headers":{},"#);
    assert!(std::ptr::eq(with.rendered(WITH_HEADERS, &Labels::default()), &raw const *with.event.body));
}

#[test]
fn a_rendering_is_made_once() {
    let with = hit(r#""headers":{},"#);
    assert!(std::ptr::eq(with.rendered(BARE, &Labels::default()), with.rendered(BARE, &Labels::default())));
}

#[test]
fn a_body_is_an_array_without_blanks_or_a_line_for_each_object() {
    let (one, two) = (hit(r#""x":1,"#), hit(r#""headers":{},"#));
    let (first, second) = (
        one.rendered(BARE, &Labels::default()).to_owned(),
        two.rendered(BARE, &Labels::default()).to_owned(),
    );
    for (records, json, lines) in [
        (vec![], "[]".to_owned(), String::new()),
        (vec![one.clone()], format!("[{first}]"), format!("{first}\n")),
        (vec![one, two], format!("[{first},{second}]"), format!("{first}\n{second}\n")),
    ] {
        for (format, expected) in [(Format::Json, json), (Format::Jsonl, lines)] {
            assert_eq!(body_len(&records, BARE, &Labels::default(), format), expected.len());
            assert_eq!(
                String::from_utf8(body(&records, BARE, &Labels::default(), format)).expect("UTF-8"),
                expected
            );
        }
    }
}

fn body_in_json(records: &[Arc<Record>], rendering: Rendering) -> Vec<u8> {
    body(records, rendering, &Labels::default(), Format::Json)
}

#[test]
fn no_payload_makes_two_lines_of_one() {
    let attack = "a\u{2028}b\u{2029}c\u{85}d\u{b}e\u{1e}f";
    let event = event(&format!(
        r#"{{"object_type":"hit","type":"sqli","id":["i","d"],"request_time":5,"payloads":[{0}],"headers":{{"X{1}":"{1}"}},"new{1}":"{1}"}}"#,
        serde_json::to_string(attack).expect("JSON"),
        "\u{2028}\u{2029}\u{85}",
    ));
    let records = [record(event.clone()), record(event)];
    let line_ends =
        ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];
    for style in [Style::Classic, Style::Envelope] {
        for with_headers in [false, true] {
            let rendering = Rendering { style, with_headers };
            let labels = Labels::default();
            let lines = body(&records, rendering, &labels, Format::Jsonl);
            assert_eq!(lines.len(), body_len(&records, rendering, &labels, Format::Jsonl));
            let lines = String::from_utf8(lines).expect("UTF-8");
            let (body, _) = lines.rsplit_once('\n').expect("the last line ends");
            let read: Vec<serde_json::Value> = body
                .split(line_ends)
                .map(|line| serde_json::from_str(line).expect("a whole object"))
                .collect();
            let array = body_in_json(&records, rendering);
            assert_eq!(
                read,
                serde_json::from_slice::<Vec<serde_json::Value>>(&array).expect("JSON"),
                "{rendering:?}"
            );
        }
    }
}

#[test]
fn a_record_weighs_at_least_what_all_its_renderings_take() {
    let mut events: Vec<Event> =
        Kind::ALL.map(|kind| hitwire_event::test_message(kind, ClientId(1), 1_700_000_000).event).into();
    for fields in ["", r#""x":1,"#, r#""headers":{"HOST":"a"},"#, r#""headers":{"HOST":"a"},"x":1,"#] {
        events.push(hit(fields).event.clone());
    }
    for record in events.into_iter().map(record) {
        let weight = record.weight_rendered();
        let mut places = BTreeMap::new();
        for style in [Style::Classic, Style::Envelope] {
            for with_headers in [false, true] {
                let rendered = record.rendered(Rendering { style, with_headers }, &Labels::default());
                places.insert(rendered.as_ptr(), rendered.len());
            }
        }
        places.insert(record.event.body.as_ptr(), record.event.body.len());
        let taken = size_of::<Record>() + record.event.id.as_str().len() + places.values().sum::<usize>();
        assert!(weight >= taken, "{weight} < {taken}: {}", record.event.body);
        assert_eq!(record.weight_rendered(), weight, "renderings must not change it");
    }
}

#[test]
fn a_hit_without_headers_is_made_once_for_those_who_want_headers_and_those_who_do_not() {
    let without = hit("");
    let [bare, with_headers] = [false, true].map(|with_headers| {
        let rendering = Rendering { style: Style::Envelope, with_headers };
        without.rendered(rendering, &Labels::default()).as_ptr()
    });
    assert_eq!(bare, with_headers);
}

#[test]
fn the_labels_that_come_first_stay() {
    let record = hit("");
    let named = |client_name: &str| Labels { client_name: client_name.to_owned(), ..Labels::default() };
    let rendering = Rendering { style: Style::Envelope, with_headers: false };
    let first = record.rendered(rendering, &named("before")).to_owned();
    assert!(first.contains(r#""client_name":"before""#), "{first}");
    assert_eq!(record.rendered(rendering, &named("after")), first);
}

#[test]
fn settings_are_written_in_snake_case() {
    let json = r#"{"style":"classic","with_headers":true}"#;
    assert_eq!(serde_json::from_str::<Rendering>(json).expect("reads"), WITH_HEADERS);
    assert_eq!(serde_json::to_string(&WITH_HEADERS).expect("writes"), json);
    let json = r#"{"style":"envelope","with_headers":false}"#;
    let envelope = Rendering { style: Style::Envelope, with_headers: false };
    assert_eq!(serde_json::from_str::<Rendering>(json).expect("reads"), envelope);
    assert_eq!(serde_json::to_string(&[Format::Json, Format::Jsonl]).expect("writes"), r#"["json","jsonl"]"#);
    assert_eq!(Format::Json.content_type(), "application/json");
    assert_eq!(Format::Jsonl.content_type(), "application/x-ndjson");
}
