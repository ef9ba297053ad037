//! Records into request bodies.

use crate::{event, record};
use hitwire_event::Record;
use hitwire_event::rendering::{Format, Rendering, Style, body, body_len};
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
    assert_eq!(with.rendered(BARE), without.rendered(BARE));
    assert_ne!(with.rendered(WITH_HEADERS), with.rendered(BARE));
    assert!(with.rendered(WITH_HEADERS).ends_with(r#","object_type":"hit","headers":{"HOST":"a"},"x":1}"#));
}

#[test]
fn only_a_hits_own_headers_are_left_out() {
    let inside = hit(r#""x":{"headers":{"a":1}},"y":["\"headers\":"],"#);
    assert_eq!(inside.rendered(BARE), &*inside.event.body);
    let vulnerability =
        record(event(r#"{"object_type":"vuln","title":"t","threat":"Low","headers":{"a":1},"id":"v"}"#));
    assert_eq!(vulnerability.rendered(BARE), &*vulnerability.event.body);
}

#[test]
fn a_rendering_that_equals_the_stored_body_is_the_stored_body() {
    let without = hit("");
    assert!(std::ptr::eq(without.rendered(BARE), &raw const *without.event.body));
    let with = hit(r#""headers":{},"#);
    assert!(std::ptr::eq(with.rendered(WITH_HEADERS), &raw const *with.event.body));
}

#[test]
fn a_rendering_is_made_once() {
    let with = hit(r#""headers":{},"#);
    assert!(std::ptr::eq(with.rendered(BARE), with.rendered(BARE)));
}

#[test]
fn a_body_is_an_array_without_blanks_or_a_line_for_each_object() {
    let (one, two) = (hit(r#""x":1,"#), hit(r#""headers":{},"#));
    let (first, second) = (one.rendered(BARE).to_owned(), two.rendered(BARE).to_owned());
    for (records, json, lines) in [
        (vec![], "[]".to_owned(), String::new()),
        (vec![one.clone()], format!("[{first}]"), format!("{first}\n")),
        (vec![one, two], format!("[{first},{second}]"), format!("{first}\n{second}\n")),
    ] {
        for (format, expected) in [(Format::Json, json), (Format::Jsonl, lines)] {
            assert_eq!(body_len(&records, BARE, format), expected.len());
            assert_eq!(String::from_utf8(body(&records, BARE, format)).expect("UTF-8"), expected);
        }
    }
}

#[test]
fn settings_are_written_in_snake_case() {
    let json = r#"{"style":"classic","with_headers":true}"#;
    assert_eq!(serde_json::from_str::<Rendering>(json).expect("reads"), WITH_HEADERS);
    assert_eq!(serde_json::to_string(&WITH_HEADERS).expect("writes"), json);
    assert_eq!(serde_json::to_string(&[Format::Json, Format::Jsonl]).expect("writes"), r#"["json","jsonl"]"#);
    assert_eq!(Format::Json.content_type(), "application/json");
    assert_eq!(Format::Jsonl.content_type(), "application/x-ndjson");
}
