//! What a caller may send, and what he is told where he may not.

use crate::{CLIENT, NOW_S, event, take};
use hitwire_event::ingest::{
    DEPTH_MAX, EVENT_BYTES_MAX, ITEMS_MAX, IngestError, Invalid, Lines, Taken, parse,
};
use hitwire_event::{Kind, Risk};
use insta::assert_snapshot;
use proptest::prelude::*;

const HIT: &str = r#"{"object_type":"hit","type":"sqli"}"#;

fn hit(fields: &str) -> String {
    format!(r#"{{"object_type":"hit","type":"sqli",{fields}}}"#)
}

fn vulnerability(fields: &str) -> String {
    format!(r#"{{"object_type":"vuln","title":"t",{fields}}}"#)
}

fn parse_as(body: &str, lines: Lines, invalid: Invalid) -> Result<Taken, IngestError> {
    parse(body.as_bytes(), lines, CLIENT, NOW_S, invalid)
}

/// How many events a body holds; none is rejected.
fn count(body: &str, lines: Lines) -> usize {
    let taken = parse_as(body, lines, Invalid::Refuse).expect(body);
    assert_eq!(taken.rejected, [], "{body}");
    taken.events.len()
}

/// What the sender of one object is told.
fn told(object: &str) -> String {
    let taken = take(object);
    assert!(taken.events.is_empty(), "{object} was taken");
    taken.rejected.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Each object with what its sender is told.
fn told_of(objects: &[&str]) -> String {
    objects.iter().map(|object| format!("{object}\n  {}", told(object))).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_body_is_an_object_an_array_or_lines() {
    for (body, events) in [
        (HIT.to_owned(), 1),
        (format!(" \n{HIT}\r\n"), 1),
        ("[]".to_owned(), 0),
        (format!("[{HIT}]"), 1),
        (format!(" [ {HIT} , {HIT}\n]\n"), 2),
        (format!("{HIT}\n{HIT}"), 2),
        (format!("{HIT}\r\n\r\n{HIT}\n"), 2),
        (format!("\u{feff}{HIT}"), 1),
    ] {
        assert_eq!(count(&body, Lines::Detect), events, "{body}");
    }
}

#[test]
fn declared_lines_hold_an_object_each() {
    for (body, events) in [
        (String::new(), 0),
        (HIT.to_owned(), 1),
        (format!("{HIT}\n{HIT}\n"), 2),
        (format!("\n  {HIT} \r\n\n{HIT}"), 2),
    ] {
        assert_eq!(count(&body, Lines::Declared), events, "{body}");
    }
    let array = parse_as(&format!("[{HIT}]"), Lines::Declared, Invalid::Refuse).expect("JSON");
    assert_eq!(array.rejected[0].to_string(), "item 0 (line 1): expected an object, found an array");
}

#[test]
fn a_body_that_is_not_json_is_refused_with_the_place() {
    let told: Vec<String> = [
        (Lines::Detect, ""),
        (Lines::Detect, " \n "),
        (Lines::Detect, "hello"),
        (Lines::Detect, "[\n  {\"a\": 1},\n  {\"é\": tru}\n]"),
        (Lines::Detect, "[{\"a\":1}"),
        (Lines::Detect, "[{\"a\":1}] []"),
        (Lines::Detect, "{\"a\":1},{\"b\":2}"),
        (Lines::Detect, "{\"a\":\"b\nc\"}"),
        (Lines::Detect, "{\"a\":\"\u{202e}\"\u{202e}}"),
        (Lines::Declared, "{\"a\":1}\n{\"b\":\n2}"),
        (Lines::Declared, "{\"a\":1}\n{\"b\":2} {\"c\":3}"),
        (Lines::Declared, "{\"a\":1}\n\n{\"b\":\"c"),
    ]
    .into_iter()
    .map(|(lines, body)| {
        let error = parse_as(body, lines, Invalid::Refuse).expect_err(body);
        format!("{lines:?} {body:?}\n  {error}")
    })
    .collect();
    assert_snapshot!(told.join("\n"));
}

#[test]
fn bytes_that_are_not_utf8_are_refused_with_the_place() {
    let body = [b"{\"a\":1}\n{\"\xc3\xa9\":\"".as_slice(), b"\xff\"}"].concat();
    let error = parse(&body, Lines::Detect, CLIENT, NOW_S, Invalid::Refuse).expect_err("not UTF-8");
    assert_eq!(error.to_string(), "line 2, column 7: this byte is not UTF-8");
}

#[test]
fn an_object_must_say_what_it_is() {
    assert_snapshot!(told_of(&[
        "1",
        "\"hit\"",
        "{}",
        r#"{"title":"t","threat":"Low"}"#,
        r#"{"object_type":null}"#,
        r#"{"object_type":1}"#,
        r#"{"object_type":"system"}"#,
        r#"{"object_type":"rules_and_triggers"}"#,
        r#"{"object_type":"number_of_requests_per_hour"}"#,
        r#"{"object_type":"scope"}"#,
        r#"{"object_type":"\u202eHit"}"#,
    ]));
}

#[test]
fn each_field_of_a_hit_must_be_of_its_type_and_in_its_range() {
    let told: Vec<String> = [
        r#""type":"xss""#,
        r#""anomality":"0.5""#,
        r#""anomality":1e999"#,
        r#""anomality":0.5,"anomaly":0.50"#,
        r#""host":"a","domain":"b""#,
        r#""method":1"#,
        r#""payloads":"a""#,
        r#""payloads":["a",{"b":1}]"#,
        r#""point":[["get","id"]]"#,
        r#""point":["path",-1]"#,
        r#""remote_port":65536"#,
        r#""remote_port":80.0"#,
        r#""remote_port":-0"#,
        r#""remote_addr4":"2001:db8::1""#,
        r#""remote_addr6":"198.51.100.1""#,
        r#""remote_addr4":"198.51.100.1","remote_addr6":"2001:db8::1""#,
        r#""request_time":-1"#,
        r#""request_time":1591261367000"#,
        r#""create_time":"2020-06-04""#,
        r#""response_status":99"#,
        r#""response_status":600"#,
        r#""response_len":-1"#,
        r#""stamps":[1173,4294967296]"#,
        r#""stamps":{}"#,
        r#""stamps_hash":2147483648"#,
        r#""regex":[null]"#,
        r#""block_status":"partially""#,
        r#""id":"a""#,
        r#""id":["a"]"#,
        r#""id":["a",""]"#,
        r#""id":["a/b","c"]"#,
        r#""headers":["a"]"#,
        r#""x":{"a":[{"b":1,"b":2}]}"#,
        r#""a/b~c":1,"a\/b~c":2"#,
    ]
    .into_iter()
    .map(|fields| format!("{fields}\n  {}", told(&hit(fields))))
    .collect();
    assert_snapshot!(told.join("\n"));
}

#[test]
fn a_hit_must_have_a_type() {
    for object in [
        r#"{"object_type":"hit"}"#,
        r#"{"object_type":"hit","type":null}"#,
        r#"{"object_type":"hit","type":""}"#,
    ] {
        assert_eq!(
            told(object),
            "item 0 at /type: this field is required: the attack type, such as \"sqli\""
        );
    }
}

#[test]
fn each_field_of_a_vulnerability_must_be_of_its_type() {
    assert_snapshot!(told_of(&[
        r#"{"object_type":"vuln","threat":"Low"}"#,
        &vulnerability(r#""x":1"#),
        &vulnerability(r#""threat":"Severe""#),
        &vulnerability(r#""threat":3"#),
        &vulnerability(r#""threat":"Low","risk":"High""#),
        &vulnerability(r#""threat":"Low","id":7"#),
        &vulnerability(r#""threat":"Low","id":"""#),
        &vulnerability(r#""threat":"Low","description":[]"#),
    ]));
}

fn scope(fields: &str) -> String {
    format!(r#"{{"object_type":"scope",{fields}}}"#)
}

#[test]
fn each_field_of_a_change_of_scope_must_be_of_its_type() {
    let told: Vec<String> = [
        r#""ips":["192.0.2.1"]"#,
        r#""action":"added","ips":["192.0.2.1"]"#,
        r#""action":"create""#,
        r#""action":"create","ips":null"#,
        r#""action":"create","ips":[]"#,
        r#""action":"create","ips":"192.0.2.1""#,
        r#""action":"create","ips":["192.0.2.1"],"domains":["example.com"]"#,
        r#""action":"create","ips":["192.0.2.1","example.com"]"#,
        r#""action":"create","ips":[{"address":"192.0.2.1"}]"#,
        r#""action":"create","domains":[""]"#,
        r#""action":"create","services":["192.0.2.1"]"#,
        r#""action":"create","services":[{"host":"192.0.2.1","port":"https"}]"#,
        r#""action":"create","ips":["192.0.2.1"],"time":1700000000000"#,
        r#""action":"create","ips":["192.0.2.1"],"domain":1"#,
        r#""action":"create","ips":["192.0.2.1"],"id":"""#,
        r#""action":"create","ips":[{"ip":"192.0.2.1","a":1,"a":2}]"#,
    ]
    .into_iter()
    .map(|fields| format!("{fields}\n  {}", told(&scope(fields))))
    .collect();
    assert_snapshot!(told.join("\n"));
}

#[test]
fn a_change_of_scope_is_stored_flat_with_its_objects_spelt_out() {
    let fields = r#""x":1,"action":"delete","services":["192.0.2.1:443", {"port": 53, "host": "ns.example.com"}],"domains":null,"id":"i""#;
    let event = event(&scope(fields));
    assert_eq!(event.kind, Kind::Scope);
    assert_eq!(event.id.as_str(), "i");
    assert_eq!(
        &*event.body,
        r#"{"summary":"The company's scope was changed","action":"delete","services":[{"host":"192.0.2.1","port":443},{"port":53,"host":"ns.example.com"}],"id":"i","x":1,"object_type":"scope"}"#
    );
}

#[test]
fn a_hit_that_says_little_is_filled() {
    assert_snapshot!(event(&hit(r#""stamps":[7965],"point":["get","id"],"remote_addr6":"""#)).body);
}

#[test]
fn null_is_as_good_as_absent() {
    let nulls = r#""datacenter":null,"tor":null,"payloads":null,"point":null,"stamps":null,"regex":null,"stamps_hash":null,
        "regex_hash":null,"block_status":null,"create_time":null,"request_time":null,"headers":null"#;
    let fixed_id = r#""id":["i","d"]"#;
    assert_eq!(event(&hit(&format!("{fixed_id},{nulls}"))), event(&hit(fixed_id)));
}

#[test]
fn todays_names_of_fields_stand_for_the_older_ones() {
    let id = r#""id":["i","d"]"#;
    let today = event(&hit(&format!(r#"{id},"host":"a","anomaly":0.50"#)));
    let older = event(&hit(&format!(r#"{id},"domain":"a","anomality":0.50"#)));
    let both = event(&hit(&format!(r#"{id},"domain":"a","host":"a","anomaly":0.50,"anomality":0.50"#)));
    assert_eq!(today, older);
    assert_eq!(both, older);
    let today = event(&vulnerability(r#""id":"i","host":"a","risk":"High""#));
    assert_eq!(today, event(&vulnerability(r#""id":"i","domain":"a","threat":"High""#)));
}

#[test]
fn the_threat_decides_the_kind_in_any_letter_case() {
    for risk in Risk::ALL {
        for threat in [risk.title().to_owned(), risk.title().to_lowercase()] {
            let event = event(&vulnerability(&format!(r#""threat":"{threat}""#)));
            assert_eq!(event.kind, Kind::Vulnerability(risk));
            assert!(event.body.contains(&format!(r#""threat":"{}""#, risk.title())));
        }
    }
}

#[test]
fn a_hit_without_id_gets_one_in_the_index_of_its_client_and_month() {
    let id = event(&hit(r#""request_time":1591261367"#)).id;
    let (index, document) = id.as_str().split_once('/').expect("two parts");
    assert_eq!(index, "hits_production_6396_202006_v_1");
    assert_eq!(document.len(), 20);
}

#[test]
fn one_bad_item_refuses_all_or_is_skipped() {
    let body = format!("[{HIT},{},{HIT},{{}}]", hit(r#""remote_port":-1"#));
    let refused = parse_as(&body, Lines::Detect, Invalid::Refuse).expect("JSON");
    let skipped = parse_as(&body, Lines::Detect, Invalid::Skip).expect("JSON");
    assert_eq!(refused.events, []);
    assert_eq!(skipped.events.len(), 2);
    assert_eq!(refused.rejected, skipped.rejected);
    let places: Vec<_> = refused.rejected.iter().map(|error| (error.index, error.pointer.as_str())).collect();
    assert_eq!(places, [(1, "/remote_port"), (3, "/object_type")]);
}

/// What is wrong with each line of a body, with its line and its place among the items.
fn rejected_lines(body: &[u8], lines: Lines, good: usize) -> String {
    let taken = parse(body, lines, CLIENT, NOW_S, Invalid::Skip).expect("lines");
    assert_eq!(taken.events.len(), good, "{:?}", taken.rejected);
    taken.rejected.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_line_that_is_not_json_costs_that_line_alone_if_invalid_ones_are_skipped() {
    let cut = &HIT[..20];
    let deep = format!(r#"{{"x":{}"#, "[".repeat(20_000));
    let long = format!(r#"{{"object_type":"hit","type":"sqli","x":"{}"}}"#, "a".repeat(EVENT_BYTES_MAX));
    let bad: Vec<&[u8]> = vec![
        cut.as_bytes(),
        b"{\"object_type\":\"hit\",\"type\":\"\xff\"}",
        b"\0\0\0\0",
        b"{\"object_type\":\"hit\",\"type\":\"a\0b\"}",
        b"[]",
        b"7",
        b"not JSON",
        b"{\"object_type\":\"hit\",\"type\":\"sqli\"} {\"object_type\":\"hit\",\"type\":\"sqli\"}",
        b"\xef\xbb\xbf{}",
        deep.as_bytes(),
        long.as_bytes(),
        b"{\"object_type\":\"hit\"}",
    ];
    for end in ["\n", "\r\n", "\n \t \n", "\r\n\r\n"] {
        let lines: Vec<Vec<u8>> = bad
            .iter()
            .flat_map(|line| [HIT.as_bytes().to_vec(), line.to_vec()])
            .chain([HIT.as_bytes().to_vec(), cut.as_bytes().to_vec()])
            .collect();
        let body = lines.join(end.as_bytes());
        let told = rejected_lines(&body, Lines::Declared, bad.len() + 1);
        assert_eq!(
            told,
            rejected_lines(&body, Lines::Detect, bad.len() + 1),
            "the body shows that it holds lines"
        );
        let blank_lines_between = end.matches('\n').count() > 1;
        if !blank_lines_between {
            assert_snapshot!("rejected_lines", told);
        }
    }
}

#[test]
fn rejected_lines_are_named_by_their_number_in_the_body() {
    let body = format!("\u{feff}\n{HIT}\n\n{{\n{HIT}\n\n\n7");
    let taken = parse_as(&body, Lines::Declared, Invalid::Skip).expect("lines");
    let places: Vec<_> = taken.rejected.iter().map(|error| (error.index, error.line)).collect();
    assert_eq!(places, [(1, Some(4)), (3, Some(8))]);
    assert_eq!(taken.events.len(), 2);
}

#[test]
fn a_line_that_is_not_json_refuses_all_unless_invalid_ones_are_skipped() {
    let body = format!("{HIT}\n\n{}\n{HIT}\n", &HIT[..20]);
    let error = parse_as(&body, Lines::Declared, Invalid::Refuse).expect_err("a cut line");
    assert_eq!(error.to_string(), "line 3, column 21: the line ends too early: expected `,` or `}`");
    let error = parse_as(&body, Lines::Detect, Invalid::Refuse).expect_err("a cut line");
    assert_eq!(error.to_string(), "line 4, column 1: expected `,` or `}`, found `{`");
}

#[test]
fn an_array_or_an_object_over_several_lines_with_a_fault_is_refused_as_a_whole() {
    for body in
        [format!("[{HIT},\n{{,\n{HIT}]"), "{\n\"object_type\": \"hit\",\n\"type\" \"sqli\"\n}\n".to_owned()]
    {
        let error = parse_as(&body, Lines::Detect, Invalid::Skip).expect_err("a fault");
        assert!(matches!(error, IngestError::Malformed { .. }), "{error}");
    }
}

#[test]
fn a_call_holds_so_many_items_and_no_more() {
    let lines = |items: usize| format!("{HIT}\n").repeat(items);
    assert_eq!(count(&lines(ITEMS_MAX), Lines::Detect), ITEMS_MAX);
    for (body, form) in [
        (lines(ITEMS_MAX + 1), Lines::Detect),
        (lines(ITEMS_MAX + 1), Lines::Declared),
        (format!("[{}1]", "1,".repeat(ITEMS_MAX)), Lines::Detect),
        ("{\n".repeat(ITEMS_MAX + 1), Lines::Declared),
    ] {
        let error = parse_as(&body, form, Invalid::Skip).expect_err("too many");
        assert_eq!(error, IngestError::TooManyItems { max: ITEMS_MAX });
    }
}

#[test]
fn an_event_may_be_so_long_and_no_longer() {
    let padded = |spare: usize| {
        let short = event(&hit(r#""id":["i","d"],"x":"""#)).body.len();
        hit(&format!(r#""id":["i","d"],"x":"{}""#, "a".repeat(EVENT_BYTES_MAX - short - spare)))
    };
    let longest = event(&padded(0));
    assert_eq!(longest.body.len(), EVENT_BYTES_MAX);
    assert_eq!(event(&longest.body), longest, "the next hitwire takes it too");
    assert_eq!(
        told(&hit(&format!(r#""x":"{}""#, "a".repeat(EVENT_BYTES_MAX)))),
        "item 0: 1048618 bytes long; at most 1048576"
    );
}

#[test]
fn an_event_may_nest_so_deep_and_no_deeper() {
    let nested = |depth: usize| hit(&format!(r#""x":{}{}"#, "[".repeat(depth), "]".repeat(depth)));
    assert_eq!(count(&nested(DEPTH_MAX - 1), Lines::Detect), 1);
    assert_eq!(told(&nested(DEPTH_MAX)), "item 0: nested 65 deep; at most 64");
    let error = parse_as(&nested(300_000), Lines::Detect, Invalid::Skip).expect_err("far too deep");
    assert_eq!(error.to_string(), "line 1, column 10040: this nests too deep, found `[`");
}

#[test]
fn a_message_is_short_and_harmless() {
    let message =
        told(&hit(&format!(r#""block_status":"\u001b[2J{}\u202e{}""#, '\u{202e}', "é".repeat(1_000))));
    assert!(message.chars().count() < 200, "{message}");
    assert!(!message.contains('\u{202e}'), "{message}");
}

/// A body that is right, on several lines, without escapes.
const PRETTY: &str = "[\n  {\"object_type\": \"hit\", \"type\": \"sqli\",\n   \"path\": \"/é/日本\", \"anomality\": -12.5e3},\n  \
    {\"x\": [true, null, {\"y\": false}], \"object_type\": \"hit\",\n   \"type\": \"xss\"}\n]\n";

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>(), declared in any::<bool>()) {
        let lines = if declared { Lines::Declared } else { Lines::Detect };
        let _ = parse(&bytes, lines, CLIENT, NOW_S, Invalid::Skip);
    }

    #[test]
    fn no_changed_bytes_make_it_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), declared in any::<bool>(),
    ) {
        let lines = if declared { Lines::Declared } else { Lines::Detect };
        let mut bytes = include_bytes!("../../../receiver/tests/payloads/classic/hit.json").to_vec();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = parse(&bytes, lines, CLIENT, NOW_S, Invalid::Skip);
    }

    #[test]
    fn the_place_is_where_the_text_stops_being_json(place in 0..PRETTY.chars().count()) {
        // A control character is right nowhere, neither in a string nor between.
        let (at, _) = PRETTY.char_indices().nth(place).expect("within");
        let body = format!("{}\u{1}{}", &PRETTY[..at], &PRETTY[at..]);
        let before = &PRETTY[..at];
        let expected_line = before.matches('\n').count() + 1;
        let expected_column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        match parse(body.as_bytes(), Lines::Detect, CLIENT, NOW_S, Invalid::Skip) {
            Err(IngestError::Malformed { line, column, message }) => {
                prop_assert_eq!((line, column), (expected_line, expected_column));
                prop_assert!(message.ends_with("found `\\u{1}`"), "{}", message);
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn a_pointer_leads_to_the_bad_field(index in 0..5_usize, element in 0..5_usize) {
        let mut payloads = ["\"a\""; 5];
        payloads[element] = "7";
        let bad = hit(&format!("\"payloads\":[{}]", payloads.join(",")));
        let mut items = [HIT; 5];
        items[index] = &bad;
        let body = format!("[{}]", items.join(","));
        let rejected = take(&body).rejected;
        prop_assert_eq!(rejected.len(), 1);
        prop_assert_eq!(rejected[0].index, index);
        let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        prop_assert_eq!(body[index].pointer(&rejected[0].pointer), Some(&serde_json::json!(7)));
    }
}
