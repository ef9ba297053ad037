//! What must survive the way through hitwire, also through one hitwire after another.

use crate::{CLIENT, event, record, take};
use hitwire_event::hit::{AttackType, BlockStatus, Hit, headers, stamps_hash};
use hitwire_event::ingest::{Invalid, Lines, parse};
use hitwire_event::scope::{Action, Objects, Scope};
use hitwire_event::vulnerability::Vulnerability;
use hitwire_event::{Event, Number, Point, Risk, Step};
use hitwire_receiver::{Labels, Rendered as _, Rendering, Style};
use proptest::option::of;
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A number in any of the ways to write one that a float can hold.
fn number_text() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?"
}

fn number() -> impl Strategy<Value = Number> {
    number_text().prop_map(|text| Number::parse(&text).expect("a number"))
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("JSON")
}

/// A compact value such as a sender may put into a field that nobody here knows.
fn unknown_value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        number_text(),
        any::<String>().prop_map(|text| serde_json::json!(text).to_string()),
        number_text().prop_map(|number| format!(r#"{{"b":[{number},{{}}],"a":" \u00e9\/ "}}"#)),
    ]
}

/// Unknown fields in any order, no name twice; the prefix keeps them apart from the known ones.
fn unknown_fields() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::btree_map("x_[a-z\"\\\\ é]{0,6}", unknown_value(), 0..5)
        .prop_map(|fields| fields.into_iter().collect::<Vec<_>>())
        .prop_shuffle()
}

fn extra() -> impl Strategy<Value = Vec<(String, Box<RawValue>)>> {
    unknown_fields().prop_map(|fields| fields.into_iter().map(|(name, value)| (name, raw(&value))).collect())
}

fn text() -> impl Strategy<Value = Option<String>> {
    of(any::<String>())
}

fn point() -> impl Strategy<Value = Point> {
    let step = prop_oneof![any::<String>().prop_map(Step::Name), any::<u64>().prop_map(Step::Index)];
    prop::collection::vec(step, 0..5).prop_map(Point)
}

prop_compose! {
    fn request()(
        domain in text(), method in text(), path in text(), parameter in text(), point in point(),
        payloads in prop::collection::vec(any::<String>(), 0..3), remote_country in text(), remote_port in of(any::<u16>()),
        address in any::<std::net::IpAddr>(), request_time in 0..253_402_300_800_u64,
    ) -> Hit {
        let (remote_addr4, remote_addr6) = match address {
            std::net::IpAddr::V4(address) => (Some(address), None),
            std::net::IpAddr::V6(address) => (None, Some(address)),
        };
        Hit {
            domain, method, path, parameter, point, payloads, remote_country, remote_port, remote_addr4, remote_addr6,
            request_time, ..Hit::default()
        }
    }
}

prop_compose! {
    fn hit()(
        request in request(), anomality in of(number()), heur_distance in of(number()), probability in of(number()),
        create_time in 0..253_402_300_800_u64, response_len in of(any::<u64>()), response_status in of(100..600_u16),
        stamps in prop::collection::vec(any::<u32>(), 0..4), regex in prop::collection::vec(number(), 0..3),
        attack_type in ".{1,8}", blocked in any::<bool>(), id in ("[^/]{1,20}", ".{1,20}"),
        header in of(("[A-Za-z-]{1,8}", any::<String>())), extra in extra(),
    ) -> Hit {
        Hit {
            anomality, heur_distance, probability, create_time, response_len, response_status,
            stamps_hash: stamps_hash(&stamps), stamps, regex, attack_type: AttackType::from(attack_type),
            block_status: if blocked { BlockStatus::Blocked } else { BlockStatus::Monitored }, id: id.into(),
            headers: header.map(|(name, value)| headers([(name.as_str(), value.as_str()), (&name, "again")])), extra,
            ..request
        }
    }
}

prop_compose! {
    fn vulnerability()(
        title in ".{1,20}", source in text(), vulnerability_type in text(), domain in text(), threat in prop::sample::select(&Risk::ALL),
        link in text(), summary in any::<String>(), id in ".{1,20}", method in text(), description in text(), extra in extra(),
    ) -> Vulnerability {
        Vulnerability { title, source, vulnerability_type, domain, threat, link, summary, id, method, description, extra, ..Vulnerability::default() }
    }
}

fn objects() -> impl Strategy<Value = Objects> {
    prop_oneof![
        prop::collection::vec(any::<std::net::IpAddr>(), 1..4).prop_map(Objects::ips),
        prop::collection::vec(".{1,8}", 1..4)
            .prop_map(|domains| Objects::domains(domains.iter().map(String::as_str))),
        prop::collection::vec((".{1,8}", 1..=u16::MAX), 1..4).prop_map(|services| Objects::services(
            services.iter().map(|(host, port)| (host.as_str(), *port))
        )),
    ]
}

prop_compose! {
    fn scope()(
        summary in any::<String>(), action in prop::sample::select(&Action::ALL), objects in objects(), domain in text(),
        discovered_by in text(), time in of(0..253_402_300_800_u64), id in ".{1,20}", extra in extra(),
    ) -> Scope {
        Scope { summary, action, objects, domain, discovered_by, time, id, extra }
    }
}

/// What another hitwire makes of this event: it was sent with `now_s` on the other's clock.
fn fed_to_another(event: &Event, now_s: u64) -> Event {
    let mut taken =
        parse(event.body.as_bytes(), Lines::Detect, CLIENT, now_s, Invalid::Refuse).expect("JSON");
    assert_eq!(taken.rejected, []);
    taken.events.remove(0)
}

fn parsed(json: &str) -> Map<String, Value> {
    serde_json::from_str(json).expect("an object")
}

fn envelope_of(event: Event) -> String {
    let rendering = Rendering { style: Style::Envelope, with_headers: true };
    record(event).rendered(rendering, &Labels::default()).to_owned()
}

fn enveloped(event: Event) -> Value {
    Value::Object(parsed(&envelope_of(event)))
}

proptest! {
    #[test]
    fn one_hitwire_feeds_another_hits(hit in hit(), now_s in any::<u32>()) {
        let event = hit.to_event(CLIENT);
        prop_assert_eq!(fed_to_another(&event, u64::from(now_s)), event);
    }

    #[test]
    fn one_hitwire_feeds_another_vulnerabilities(vulnerability in vulnerability()) {
        let event = vulnerability.to_event(CLIENT);
        prop_assert_eq!(fed_to_another(&event, 0), event);
    }

    #[test]
    fn one_hitwire_feeds_another_changes_of_scope(scope in scope()) {
        let event = scope.to_event(CLIENT);
        prop_assert_eq!(fed_to_another(&event, 0), event);
    }

    #[test]
    fn one_hitwire_feeds_another_envelopes(hit in hit(), vulnerability in vulnerability(), scope in scope(), now_s in any::<u32>()) {
        for event in [hit.to_event(CLIENT), vulnerability.to_event(CLIENT), scope.to_event(CLIENT)] {
            let envelope = envelope_of(event.clone());
            let mut taken =
                parse(envelope.as_bytes(), Lines::Detect, CLIENT, u64::from(now_s), Invalid::Refuse).expect("JSON");
            prop_assert_eq!(&taken.rejected, &[], "{}", envelope);
            let fed = taken.events.remove(0);
            prop_assert_eq!((&fed.id, fed.kind), (&event.id, event.kind));
            // Some fields may have changed their places, and null is as good as nothing.
            let known = |body: &str| {
                let mut fields = parsed(body);
                fields.retain(|_, value| !value.is_null());
                fields
            };
            prop_assert_eq!(known(&fed.body), known(&event.body));
        }
    }

    #[test]
    fn an_envelope_holds_all_of_a_hit(hit in hit()) {
        let stored = parsed(&hit.to_event(CLIENT).body);
        let envelope = enveloped(hit.to_event(CLIENT));
        let todays = |name: &str| match name {
            "domain" => "host".to_owned(),
            "anomality" => "anomaly".to_owned(),
            name => name.to_owned(),
        };
        let expected: Map<_, _> = stored.into_iter().map(|(name, value)| (todays(&name), value)).collect();
        prop_assert_eq!(&envelope["details"]["hit"], &Value::Object(expected));
        prop_assert!(envelope.get("description").is_none());
    }

    #[test]
    fn an_envelope_holds_all_of_a_vulnerability(vulnerability in vulnerability()) {
        let stored = parsed(&vulnerability.to_event(CLIENT).body);
        let envelope = enveloped(vulnerability.to_event(CLIENT));
        let issue = envelope["details"]["security_issue"].as_object().expect("an issue");
        for (name, value) in stored {
            let found = match &*name {
                "domain" => &issue["host"],
                "threat" => &issue["risk"],
                "link" => &envelope["details"]["security_issue_link"],
                "object_type" => continue,
                name => issue.get(name).unwrap_or(&Value::Null),
            };
            prop_assert_eq!(found, &value, "{}", name);
        }
    }

    #[test]
    fn an_envelope_holds_all_of_a_change_of_scope(scope in scope()) {
        let stored = parsed(&scope.to_event(CLIENT).body);
        let envelope = enveloped(scope.to_event(CLIENT));
        let details = &envelope["details"];
        let records = details["data"].as_array().expect("records");
        let entities: Vec<_> = records.iter().map(|record| record["entity"].clone()).collect();
        prop_assert_eq!(&Value::Array(entities), &stored[scope.objects.scope_type().field()]);
        for (name, value) in &stored {
            match &**name {
                "action" => prop_assert!(records.iter().all(|record| record["action"] == *value)),
                "ips" | "domains" | "services" | "object_type" => {}
                name => prop_assert_eq!(&details["scope"][name], value, "{}", name),
            }
        }
    }

    #[test]
    fn what_ingest_filled_stays_as_it_was_filled(fields in unknown_fields(), now_s in any::<u32>()) {
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{}:{value},", serde_json::json!(name))).collect();
        let fields = fields.concat();
        for object in [r#""object_type":"hit","type":"xss""#, r#""object_type":"vuln","title":"t","threat":"High""#] {
            let event = event(&format!("{{{fields}{object}}}"));
            prop_assert_eq!(fed_to_another(&event, u64::from(now_s)), event);
        }
    }

    #[test]
    fn numbers_keep_their_digits(number in number_text()) {
        let body = event(&format!(
            r#"{{"object_type":"hit","type":"xss","anomality":{number},"probability":{number},"regex":[{number}],"x":{number}}}"#
        )).body;
        for written in [
            format!(r#"{{"anomality":{number},"#), format!(r#","probability":{number},"#), format!(r#","regex":[{number}],"#),
            format!(r#","x":{number}}}"#),
        ] {
            prop_assert!(body.contains(&written), "{body} lacks {written}");
        }
    }

    #[test]
    fn unknown_fields_come_last_in_the_order_of_arrival(fields in unknown_fields()) {
        let written: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}:{value}", serde_json::json!(name))).collect();
        let known = r#""object_type":"hit","type":"xss""#;
        let (before, after) = written.split_at(written.len() / 2);
        // Known and unknown ones in any mixture.
        let sent = [before, &[known.to_owned()], after].concat().join(" ,\n\t");
        let body = event(&format!("{{{sent}}}")).body;
        let end = [&[r#""object_type":"hit""#.to_owned()][..], &written].concat().join(",");
        prop_assert!(body.ends_with(&format!(",{end}}}")), "{body} should end in {end}");
    }

    #[test]
    fn a_stored_body_is_one_line(text in any::<String>()) {
        let text = serde_json::json!({ "a": [text] });
        let body = event(&format!(r#"{{"object_type":"hit","type":"xss","headers":{text:#},"x":{text:#}}}"#)).body;
        prop_assert!(!body.contains('\n'));
        let end = format!(r#","headers":{text},"x":{text}}}"#);
        prop_assert!(body.ends_with(&end), "{body} should end in {end}");
    }
}

#[test]
fn half_of_a_surrogate_pair_does_not_cost_a_hit() {
    let body = event(
        r#"{"object_type":"hit","type":"xss","payloads":["a\udc80b"],"x":{"\ud800":"\ud83e\udd80\udfff"}}"#,
    )
    .body;
    assert!(body.contains("\"payloads\":[\"a\u{fffd}b\"]"));
    assert!(body.ends_with("\"x\":{\"\u{fffd}\":\"\\ud83e\\udd80\u{fffd}\"}}"));
}

#[test]
fn sending_the_same_bytes_again_gives_the_same_event() {
    for object in [
        r#"{"object_type":"hit","type":"xss"}"#,
        r#"{"object_type":"hit","type":"xss","request_time":1591261367}"#,
        r#"{"object_type":"hit","type":"xss","create_time":1591261367}"#,
        r#"{"object_type":"vuln","title":"t","threat":"Low"}"#,
    ] {
        let now = |now_s| {
            parse(object.as_bytes(), Lines::Detect, CLIENT, now_s, Invalid::Refuse)
                .expect("JSON")
                .events
                .remove(0)
        };
        let (first, second) = (now(1_591_261_381), now(1_591_261_999));
        assert_eq!(first.id, second.id, "{object}");
        assert_eq!(first.content(), second.content(), "{object}");
    }
}

#[test]
fn content_is_all_but_the_times_that_may_have_been_filled() {
    let content = |fields: &str| {
        let event = event(&format!(r#"{{"object_type":"hit","type":"xss","id":["a","b"],{fields}"x":1}}"#));
        event.content().concat()
    };
    assert_ne!(content(r#""path":"/a","#), content(r#""path":"/b","#));
    assert_ne!(content(r#""request_time":5,"#), content(r#""request_time":6,"#));
    assert_ne!(content(r#""response_len":5,"#), content(r#""response_len":6,"#));
    assert_eq!(
        content(r#""request_time":5,"create_time":7,"#),
        content(r#""create_time":8,"request_time":5,"#)
    );
    // A payload cannot pretend to be a time.
    assert_ne!(
        content(r#""path":",\"request_time\":1,\"create_time\":1,a","#),
        content(r#""path":",\"request_time\":1,\"create_time\":1,b","#)
    );
}

#[test]
fn what_cannot_be_in_an_envelope_is_named() {
    for (item, pointer, words) in [
        (
            r#"{"summary":"","details":{"notification_type":"create_user","user":{}}}"#,
            "/details/notification_type",
            "`create_user` cannot be sent in; accepted are \"new_hits\"",
        ),
        (
            r#"{"details":{"notification_type":"new_hits"}}"#,
            "/details/notification_type",
            "cannot be sent in",
        ),
        (
            r#"{"details":{"notification_type":"new_hits","hit":{"type":"xss"}}}"#,
            "/object_type",
            "says what it is",
        ),
        (
            r#"{"details":{"notification_type":"x","hit":{"object_type":"system"}}}"#,
            "/object_type",
            "made by hitwire alone",
        ),
        (
            r#"{"details":{"notification_type":"x","hit":{"details":{"notification_type":"x","hit":{"object_type":"hit"}}}}}"#,
            "/object_type",
            "says what it is",
        ),
        (r#"{"details":{"notification_type":"x","security_issue":{"title":"t"}}}"#, "/threat", "is required"),
        (
            r#"{"details":{"notification_type":"x","hit":{"object_type":"hit","type":"a","x":{"y":1,"y":2}}}}"#,
            "/details/hit/x/y",
            "twice",
        ),
        (r#"{"details":{"notification_type":"x","data":[]}}"#, "/details/data", "nothing"),
        (
            r#"{"details":{"notification_type":"x","data":[{"action":"create"}]}}"#,
            "/details/data/0",
            "a record has",
        ),
        (
            r#"{"details":{"notification_type":"x","data":[{"action":"create","object_type":"domain","entity":"a"},{"action":"delete","object_type":"domain","entity":"b"}]}}"#,
            "/details/data/1",
            "the same action",
        ),
        (
            r#"{"details":{"notification_type":"x","data":[{"action":"create","object_type":"galaxy","entity":"a"}]}}"#,
            "/details/data/0/object_type",
            "none of \"subnetorip\"",
        ),
        (r#"{"details":{}}"#, "/object_type", "is required"),
    ] {
        let taken = parse(item.as_bytes(), Lines::Detect, CLIENT, 0, Invalid::Skip).expect("JSON");
        let [refused] = &taken.rejected[..] else { panic!("{item} was taken") };
        assert_eq!(refused.pointer, pointer, "{item}: {refused}");
        assert!(refused.message.contains(words), "{item}: {refused}");
    }
}

#[test]
fn different_items_have_different_ids() {
    let ids: std::collections::BTreeSet<_> = take(
        r#"[{"object_type":"hit","type":"xss"},{"object_type":"hit","type":"sqli"},{"object_type":"vuln","title":"t","threat":"Low"}]"#,
    )
    .events
    .into_iter()
    .map(|event| event.id)
    .collect();
    assert_eq!(ids.len(), 3);
}

/// What a receiver with this type makes of each number in a text: 64-bit floats, or integers where a number is one.
fn each_reads_the_numbers(text: &str) -> Result<(), String> {
    fn walk(value: &Value) -> Result<(), String> {
        match value {
            Value::Number(number) => {
                let float: f64 =
                    serde_json::from_str(&number.to_string()).map_err(|error| error.to_string())?;
                if !float.is_finite() {
                    return Err(format!("{number} is not finite"));
                }
                Ok(())
            }
            Value::Array(values) => values.iter().try_for_each(walk),
            Value::Object(members) => members.values().try_for_each(walk),
            _ => Ok(()),
        }
    }
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    walk(&value)
}

/// Any number by the grammar of JSON, most of them beyond what one reader or another takes.
fn any_number() -> impl Strategy<Value = String> {
    prop_oneof![
        number_text(),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?[eE][+-]?[0-9]{1,9}",
        "-?[1-9][0-9]{15,400}",
        "-?0\\.[0-9]{15,400}([eE][+-]?[0-9]{1,4})?",
        prop::sample::select(vec![
            "1e999",
            "-1e999",
            "1e-999999",
            "-0",
            "-0.0",
            "0e999999999999",
            "0.1e+0001",
            "1e+00000000000000000000000308",
            "1.7976931348623157e308",
            "1.7976931348623159e308",
            "5e-324",
            "2e-324",
            "9223372036854775808",
            "18446744073709551616",
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn no_event_that_is_taken_breaks_a_receivers_parser(
        number in any_number(), place in 0..8_usize, lines in any::<bool>(),
    ) {
        let nested = format!(r#""x":{{"b":[1,{{"c":{number}}}]}}"#);
        let fields = [
            format!(r#""object_type":"hit","type":"xss","anomality":{number}"#),
            format!(r#""object_type":"hit","type":"xss","probability":{number},"heur_distance":{number}"#),
            format!(r#""object_type":"hit","type":"xss","regex":[1,{number}]"#),
            format!(r#""object_type":"hit","type":"xss","headers":{{"a":{number}}}"#),
            format!(r#""object_type":"hit","type":"xss",{nested}"#),
            format!(r#""object_type":"vuln","title":"t","threat":"High",{nested}"#),
            format!(r#""object_type":"scope","summary":"s","action":"create","ips":["192.0.2.1"],{nested}"#),
            format!(r#""object_type":"hit","type":"xss","x":{number}"#),
        ];
        let item = format!("{{{}}}", fields[place]);
        let (body, lines) = if lines {
            (format!("{item}\n{item}\n"), Lines::Declared)
        } else {
            (format!("[{item},{item}]"), Lines::Detect)
        };
        let taken = parse(body.as_bytes(), lines, CLIENT, 5, Invalid::Skip).expect("JSON");
        prop_assert_eq!(taken.events.len() + taken.rejected.len(), 2);
        for rejected in &taken.rejected {
            prop_assert!(!rejected.pointer.is_empty(), "{rejected} names no field");
        }
        // Of a number that a double holds, in few characters, nothing is refused.
        let value: f64 = number.parse().expect("a float");
        if number.len() <= 64 && value.is_finite() && value != 0.0 {
            prop_assert_eq!(taken.rejected.len(), 0, "{}", number);
        }
        for event in taken.events {
            prop_assert!(event.body.contains(&number), "kept as it was written");
            let record = record(event);
            for style in [Style::Classic, Style::Envelope] {
                for with_headers in [false, true] {
                    let text = record.rendered(Rendering { style, with_headers }, &Labels::default());
                    prop_assert_eq!(each_reads_the_numbers(text), Ok(()), "{} of {}", text, number);
                }
            }
        }
    }
}

#[test]
fn a_number_that_not_every_receiver_reads_is_refused_at_its_field() {
    for number in ["1e999", "1e-999999", &"7".repeat(400)] {
        for (item, pointer) in [
            (format!(r#"{{"object_type":"hit","type":"xss","anomality":{number}}}"#), "/anomality"),
            (format!(r#"{{"object_type":"hit","type":"xss","regex":[1,{number}]}}"#), "/regex/1"),
            (
                format!(r#"{{"object_type":"vuln","title":"t","threat":"Low","a":{{"b":[{number}]}}}}"#),
                "/a/b/0",
            ),
            (
                format!(r#"{{"object_type":"scope","action":"create","ips":["192.0.2.1"],"x":{number}}}"#),
                "/x",
            ),
        ] {
            let taken = parse(item.as_bytes(), Lines::Detect, CLIENT, 5, Invalid::Refuse).expect("JSON");
            assert_eq!(taken.rejected[0].pointer, pointer, "{item}");
        }
    }
}
