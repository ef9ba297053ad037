//! What "Test integration" sends.

use crate::CLIENT;
use hitwire_event::ingest::{Invalid, Lines, parse};
use hitwire_event::requests_per_hour::RequestsPerHour;
use hitwire_event::{Kind, Record, test_message};
use hitwire_receiver::{Format, Labels, Rendered as _, Rendering, Style, body};
use insta::assert_snapshot;
use std::sync::Arc;

const NOW_S: u64 = 1_700_000_123;

fn sent(kind: Kind, style: Style, format: Format) -> String {
    let records = [Arc::new(test_message(kind, CLIENT, NOW_S))];
    let rendering = Rendering { style, with_headers: true };
    String::from_utf8(body(&records, rendering, &Labels::default(), format)).expect("UTF-8")
}

/// Bodies that a person reads, one below the other.
fn all_of(style: Style) -> String {
    Kind::ALL.map(|kind| format!("{}\n{}", kind.name(), sent(kind, style, Format::Jsonl))).join("\n")
}

#[test]
fn each_kind_has_a_classic_test_message() {
    assert_snapshot!(all_of(Style::Classic));
}

#[test]
fn each_kind_has_an_envelope_as_test_message() {
    assert_snapshot!(all_of(Style::Envelope));
}

#[test]
fn every_test_message_says_that_it_is_one() {
    for kind in Kind::ALL {
        for style in [Style::Classic, Style::Envelope] {
            let line = sent(kind, style, Format::Jsonl);
            assert_eq!(line.matches("[Test message] ").count(), 1, "{line}");
            assert_eq!(sent(kind, style, Format::Json), format!("[{}]", line.trim_end()));
        }
    }
}

#[test]
fn a_test_message_is_never_taken_for_what_happened() {
    let hour = |kind| test_message(kind, CLIENT, NOW_S).event;
    let counted = RequestsPerHour { requests: 1, time_from: 1_699_995_600, time_to: 1_699_999_200 };
    let test = hour(Kind::RequestsPerHour);
    assert!(test.body.contains(r#""time_from":1699995600,"#), "{}", test.body);
    assert_ne!(test.id, counted.to_event(CLIENT).id);
    assert_ne!(hour(Kind::System).id, test_message(Kind::System, CLIENT, NOW_S + 1).event.id);
}

#[test]
fn an_event_without_the_mark_is_no_test() {
    let event = test_message(Kind::System, CLIENT, NOW_S).event;
    let record = Record::new(hitwire_event::Seq(1), 0, false, event);
    for style in [Style::Classic, Style::Envelope] {
        let rendered = record.rendered(Rendering { style, with_headers: false }, &Labels::default());
        assert!(!rendered.contains("Test message"), "{rendered}");
    }
}

#[test]
fn a_test_message_could_have_come_from_a_source() {
    for kind in Kind::ALL {
        let event = test_message(kind, CLIENT, NOW_S).event;
        assert_eq!((event.kind, event.client), (kind, CLIENT));
        if !matches!(kind, Kind::System | Kind::RulesAndTriggers | Kind::RequestsPerHour) {
            let taken =
                parse(event.body.as_bytes(), Lines::Detect, CLIENT, 0, Invalid::Refuse).expect("JSON");
            assert_eq!(taken.events, [event]);
        }
    }
}
