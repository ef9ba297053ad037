//! What one record becomes, rule by rule of the conversion.

use super::*;
use crate::RuleRange;
use hitwire_event::ClientId;
use hitwire_event::hit::BlockStatus;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A record of a request for `/?id=1` in which these messages were written.
fn record(engine: &str, status: u16, messages: &[Value]) -> Value {
    json!({"transaction": {
        "client_ip": "198.51.100.7", "client_port": 41616, "host_ip": "127.0.0.1", "host_port": 80,
        "time_stamp": "Mon Nov 23 07:31:54 2026", "server_id": "4f1c", "unique_id": "28917cf9ec852b5330efaee0be44a092",
        "request": {"method": "GET", "http_version": 1.1, "uri": "/a/b?id=1",
                    "headers": {"Host": "shop.example.com:8080", "Cookie": "sid=secret"}},
        "response": {"http_code": status, "headers": {"content-length": "20"}, "body": "not twenty"},
        "producer": {"modsecurity": "ModSecurity v3.0.9", "secrules_engine": engine, "components": []},
        "messages": messages}})
}

/// The message of a rule that saw `value` in `variable`.
fn message(rule: &str, severity: &str, variable: &str, value: &str) -> Value {
    let logged = format!("Matched Data: {value} found within {variable}: {value}");
    let description = format!(
        "Matched \"Operator `Rx' with parameter `x' against variable `{variable}' (Value: `{value}' )"
    );
    json!({"message": "m", "details": {"match": description, "reference": "", "ruleId": rule, "file": "f", "lineNumber": "1",
           "data": logged, "severity": severity, "ver": "OWASP_CRS/3.3.4", "rev": "", "tags": [], "maturity": "0", "accuracy": "0"}})
}

fn found(rule: &str) -> Value {
    message(rule, "2", "ARGS:id", "x")
}

/// The message of a rule of the operator's own.
fn own(rule: &str) -> Value {
    let mut own = found(rule);
    own["details"]["ver"] = json!("");
    own
}

fn tagged(mut message: Value, tags: &[&str]) -> Value {
    message["details"]["tags"] = json!(tags);
    message
}

fn exceeded(total: u32) -> Value {
    let mut message = message("949110", "2", "TX:ANOMALY_SCORE", "5");
    message["message"] = json!(format!("Inbound Anomaly Score Exceeded (Total Score: {total})"));
    message
}

fn settings() -> Settings {
    Settings { client: ClientId(6396), timezone: Some(TimeZone::UTC), ..Settings::default() }
}

fn try_convert(record: &Value, settings: &Settings) -> Result<Converted, RecordError> {
    convert(record.to_string().as_bytes(), Position { offset: 17 }, settings, 1_795_500_000)
}

fn converted(record: &Value) -> Converted {
    try_convert(record, &settings()).unwrap()
}

fn hits(engine: &str, status: u16, messages: &[Value]) -> Vec<(String, BlockStatus)> {
    hits_with(&settings(), engine, status, messages)
}

fn hits_with(
    settings: &Settings,
    engine: &str,
    status: u16,
    messages: &[Value],
) -> Vec<(String, BlockStatus)> {
    let hits = try_convert(&record(engine, status, messages), settings).unwrap().hits;
    hits.into_iter().map(|hit| (hit.attack_type.to_string(), hit.block_status)).collect()
}

fn monitored(types: &[&str]) -> Vec<(String, BlockStatus)> {
    types.iter().map(|code| ((*code).to_owned(), BlockStatus::Monitored)).collect()
}

fn blocked(types: &[&str]) -> Vec<(String, BlockStatus)> {
    types.iter().map(|code| ((*code).to_owned(), BlockStatus::Blocked)).collect()
}

#[test]
fn a_hit_has_every_field() {
    let record = record("Enabled", 403, &[found("942100"), found("942190"), found("942100"), exceeded(15)]);
    let hit = converted(&record).hits.remove(0);
    assert_eq!(hit.anomality.unwrap().as_f64().to_bits(), 0.375f64.to_bits());
    assert_eq!(hit.domain.as_deref(), Some("shop.example.com"));
    assert_eq!(hit.heur_distance.unwrap().as_i64(), Some(10));
    assert_eq!(hit.probability.unwrap().as_i64(), Some(10));
    assert_eq!(hit.method.as_deref(), Some("GET"));
    assert_eq!(hit.path.as_deref(), Some("/a/b"));
    assert_eq!(hit.parameter.as_deref(), Some("GET_id_value"));
    assert_eq!(hit.payloads, ["x"]);
    assert_eq!(hit.remote_addr4, Some("198.51.100.7".parse().unwrap()));
    assert_eq!(hit.remote_addr6, None);
    assert_eq!(hit.remote_port, Some(41616));
    assert_eq!(hit.request_time, 1_795_419_114);
    assert_eq!(hit.create_time, 1_795_500_000);
    assert_eq!(hit.response_len, Some(20));
    assert_eq!(hit.response_status, Some(403));
    assert_eq!(hit.response_time, None);
    assert_eq!(hit.stamps, [942_100, 942_190]);
    assert_eq!(hit.stamps_hash, hitwire_event::hit::stamps_hash(&[942_100, 942_190]));
    assert_eq!(hit.attack_type.as_str(), "sqli");
    assert_eq!(hit.block_status, BlockStatus::Blocked);
    assert_eq!(hit.id[0], "hits_production_6396_202611_v_1");
    assert_eq!(hit.id[1].len(), 20);
    assert_eq!(hit.headers.unwrap().get(), r#"{"Cookie":"[redacted]","Host":"shop.example.com:8080"}"#);
    assert!(hit.extra.is_empty());
}

#[test]
fn each_attack_type_makes_one_hit() {
    let messages = [found("941100"), found("942100"), found("941110"), found("930100")];
    assert_eq!(hits("Enabled", 200, &messages), monitored(&["xss", "sqli", "ptrav"]));
}

#[test]
fn the_ids_of_a_transactions_hits_differ_by_type_alone() {
    let hits = converted(&record("Enabled", 200, &[found("941100"), found("942100")])).hits;
    assert_ne!(hits[0].id, hits[1].id);
    assert_eq!(hits[0].id[0], hits[1].id[0]);
}

#[test]
fn a_record_without_matches_makes_no_hit() {
    let converted = converted(&record("Enabled", 403, &[]));
    assert_eq!((converted.kind, converted.hits.len()), (Found::NoRule, 0));
}

#[test]
fn rules_that_stand_for_no_attack_make_no_hit() {
    for rule in ["920350", "911100", "200002", "951230", "913101", "980130", "910100"] {
        let converted = converted(&record("Enabled", 200, &[found(rule)]));
        assert_eq!((converted.kind, converted.hits.len()), (Found::OtherRules, 0), "{rule}");
    }
}

#[test]
fn the_settings_can_ask_for_what_is_left_out() {
    let protocol = Settings { protocol_hits: true, ..settings() };
    assert_eq!(hits_with(&protocol, "Enabled", 200, &[found("920350")]), monitored(&["invalid_request"]));
    let response = Settings { response_rules: true, ..settings() };
    assert_eq!(
        hits_with(&response, "Enabled", 200, &[found("951230"), found("955100")]),
        monitored(&["infoleak", "rce"])
    );
    let clients = Settings { scripting_clients: true, ..settings() };
    assert_eq!(hits_with(&clients, "Enabled", 200, &[found("913101")]), monitored(&["scanner"]));
    let own_rules =
        Settings { rules: vec![RuleRange { first: 1, last: 9, attack_type: "brute".into() }], ..settings() };
    assert_eq!(
        hits_with(&own_rules, "Enabled", 200, &[own("9"), own("10")]),
        monitored(&["brute", "custom"])
    );
}

#[test]
fn rules_above_the_paranoia_level_are_left_out() {
    let calm = Settings { max_paranoia: Some(2), ..settings() };
    let messages = [
        tagged(found("942100"), &["paranoia-level/1"]),
        tagged(found("941100"), &["paranoia-level/3"]),
        tagged(found("930100"), &[]),
    ];
    assert_eq!(hits_with(&calm, "Enabled", 200, &messages), monitored(&["sqli", "ptrav"]));
    let stopped = [messages[1].clone(), exceeded(5)];
    assert_eq!(hits_with(&calm, "Enabled", 403, &stopped), blocked(&["xss"]), "a block is never silent");
}

#[test]
fn external_entities_are_guessed_only_when_asked_for() {
    let xml = message("930120", "2", "XML:/*", "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>");
    assert_eq!(hits("Enabled", 200, std::slice::from_ref(&xml)), monitored(&["ptrav"]));
    let guess = Settings { xxe_from_entities: true, ..settings() };
    assert_eq!(hits_with(&guess, "Enabled", 200, &[xml]), monitored(&["xxe", "ptrav"]));
    let elsewhere = message("930120", "2", "ARGS:id", "<!ENTITY a");
    assert_eq!(hits_with(&guess, "Enabled", 200, &[elsewhere]), monitored(&["ptrav"]));
}

#[test]
fn the_rules_that_judge_the_score_block() {
    for rule in ["949110", "949111", "959100", "959101"] {
        assert_eq!(hits("Enabled", 403, &[found("942100"), found(rule)]), blocked(&["sqli"]), "{rule}");
    }
}

#[test]
fn an_engine_that_only_detects_never_blocks() {
    assert_eq!(hits("DetectionOnly", 403, &[found("942100"), exceeded(5)]), monitored(&["sqli"]));
    assert_eq!(hits("DetectionOnly", 400, &[found("200002")]), []);
    assert_eq!(hits("DetectionOnly", 403, &[own("77")]), monitored(&["custom"]));
}

#[test]
fn the_status_alone_blocks_nothing() {
    assert_eq!(hits("Enabled", 403, &[found("942100")]), monitored(&["sqli"]));
    assert_eq!(hits("Enabled", 404, &[found("920330")]), []);
    assert_eq!(hits("Enabled", 403, &[found("920330")]), []);
}

#[test]
fn a_body_that_cannot_be_read_blocks_with_its_status() {
    assert_eq!(hits("Enabled", 400, &[found("200002")]), blocked(&["invalid_request"]));
    assert_eq!(hits("Enabled", 403, &[found("200004")]), blocked(&["invalid_request"]));
    assert_eq!(hits("Enabled", 200, &[found("200002")]), []);
}

#[test]
fn the_one_rule_of_the_operators_own_blocks_with_a_blocking_status() {
    for status in [403, 406, 429] {
        assert_eq!(hits("Enabled", status, &[own("77")]), blocked(&["custom"]));
    }
    assert_eq!(hits("Enabled", 404, &[own("77")]), monitored(&["custom"]));
    assert_eq!(hits("Enabled", 403, &[own("77"), own("77"), found("920350")]), blocked(&["custom"]));
    assert_eq!(
        hits("Enabled", 403, &[own("77"), own("78")]),
        monitored(&["custom"]),
        "which of them blocks is not known"
    );
    let teapot = Settings { block_statuses: vec![418], ..settings() };
    assert_eq!(hits_with(&teapot, "Enabled", 418, &[own("77")]), blocked(&["custom"]));
    assert_eq!(hits_with(&teapot, "Enabled", 403, &[own("77")]), monitored(&["custom"]));
}

#[test]
fn a_block_is_never_silent() {
    assert_eq!(hits("Enabled", 403, &[found("911100"), exceeded(5)]), blocked(&["invalid_request"]));
    assert_eq!(hits("Enabled", 403, &[found("951230"), found("959100")]), blocked(&["infoleak"]));
    assert_eq!(
        hits("Enabled", 403, &[found("920350"), found("951230"), found("959100")]),
        blocked(&["infoleak"])
    );
    assert_eq!(hits("Enabled", 403, &[found("913101"), exceeded(5)]), blocked(&["invalid_request"]));
    assert_eq!(hits("Enabled", 403, &[found("910100"), exceeded(5)]), blocked(&["invalid_request"]));
    assert_eq!(hits("Enabled", 403, &[exceeded(5)]), blocked(&["invalid_request"]));
}

#[test]
fn a_block_names_the_rules_that_it_was_for() {
    let stamps = |messages: &[Value]| converted(&record("Enabled", 403, messages)).hits.remove(0).stamps;
    assert_eq!(stamps(&[found("920350"), found("911100"), exceeded(8)]), [911_100, 920_350]);
    assert_eq!(stamps(&[found("920350"), found("951230"), found("959100")]), [951_230]);
    assert_eq!(stamps(&[found("913101"), exceeded(5)]), [913_101]);
    assert_eq!(stamps(&[exceeded(5)]), [949_110]);
}

#[test]
fn the_point_is_that_of_the_first_of_the_gravest_matches() {
    let point = |messages: &[Value]| {
        let hit = converted(&record("Enabled", 200, messages)).hits.remove(0);
        serde_json::to_string(&hit.point).unwrap()
    };
    let minor = message("942430", "4", "ARGS:a", "x");
    let major = message("942190", "2", "ARGS:b", "x");
    let another = message("942100", "2", "ARGS:c", "x");
    assert_eq!(point(&[minor.clone(), major.clone(), another.clone()]), r#"["get","b"]"#);
    assert_eq!(point(&[another, major.clone()]), r#"["get","c"]"#);
    let forgot = message("942200", "2", "MATCHED_VAR", "x");
    assert_eq!(point(&[forgot.clone(), minor]), r#"["get","a"]"#, "a variable that says nothing gives way");
    assert_eq!(point(&[forgot]), r#"["uri"]"#);
    assert_eq!(point(&[message("942200", "2", "DURATION", "x")]), "[]");
}

#[test]
fn rules_that_name_no_variable_of_the_request_have_a_usual_one() {
    let protocol = Settings { protocol_hits: true, ..settings() };
    for (rule, parameter) in [
        ("911100", "METHOD_value"),
        ("200002", "POST_value"),
        ("920350", "HEADER_HOST_value"),
        ("920420", "HEADER_CONTENT-TYPE_value"),
    ] {
        let message = message(rule, "2", "TX:1", "x");
        let hit = try_convert(&record("Enabled", 200, &[message]), &protocol).unwrap().hits.remove(0);
        assert_eq!(hit.parameter.as_deref(), Some(parameter), "{rule}");
    }
}

#[test]
fn payloads_come_from_all_matches_each_once_and_at_most_ten() {
    let mut messages: Vec<Value> =
        (0..30).map(|n| message("942100", "2", "ARGS:a", &format!("x{}", n / 2))).collect();
    messages.push(message("942190", "2", "ARGS:a", &"y".repeat(5_000)));
    let hit = converted(&record("Enabled", 200, &messages)).hits.remove(0);
    let expected: Vec<String> = (0..10).map(|n| format!("x{n}")).collect();
    assert_eq!(hit.payloads, expected);
}

#[test]
fn the_anomality_is_the_stated_score_or_what_the_rules_add_up_to() {
    let anomality = |messages: &[Value]| {
        converted(&record("Enabled", 200, messages)).hits.remove(0).anomality.unwrap().to_string()
    };
    assert_eq!(anomality(&[found("942100"), exceeded(40)]), "1");
    assert_eq!(anomality(&[found("942100"), found("942100"), message("920350", "4", "ARGS:a", "x")]), "0.2");
    assert_eq!(anomality(&[found("942100"), found("951230"), own("77")]), "0.125");
}

#[test]
fn an_address_has_one_family() {
    for (client_ip, four, six) in [
        ("198.51.100.7", Some("198.51.100.7"), None),
        ("::ffff:198.51.100.7", Some("198.51.100.7"), None),
        ("2001:db8::1", None, Some("2001:db8::1")),
        ("unix:", None, None),
    ] {
        let mut record = record("Enabled", 200, &[found("942100")]);
        record["transaction"]["client_ip"] = json!(client_ip);
        let hit = converted(&record).hits.remove(0);
        assert_eq!(hit.remote_addr4.map(|address| address.to_string()).as_deref(), four);
        assert_eq!(hit.remote_addr6.map(|address| address.to_string()).as_deref(), six);
    }
}

#[test]
fn a_port_of_0_is_no_port() {
    let mut record = record("Enabled", 200, &[found("942100")]);
    record["transaction"]["client_port"] = json!(0);
    assert_eq!(converted(&record).hits[0].remote_port, None);
}

#[test]
fn the_domain_is_the_host_without_port() {
    for (host, domain) in [
        ("shop.example.com", "shop.example.com"),
        ("Shop.Example.com:8443", "Shop.Example.com"),
        ("[2001:db8::1]:8443", "[2001:db8::1]"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("2001:db8::1", "2001:db8::1"),
        ("a:b", "a:b"),
        ("", ""),
    ] {
        let mut record = record("Enabled", 200, &[found("942100")]);
        record["transaction"]["request"]["headers"] = json!({"hOST": host});
        assert_eq!(converted(&record).hits[0].domain.as_deref(), Some(domain));
    }
}

#[test]
fn the_host_that_newer_versions_name_stands_in_for_a_missing_header() {
    let mut record = record("Enabled", 200, &[found("942100")]);
    record["transaction"]["request"]["headers"] = json!({});
    assert_eq!(converted(&record).hits[0].domain, None);
    record["transaction"]["request"]["hostname"] = json!("shop.example.com");
    assert_eq!(converted(&record).hits[0].domain.as_deref(), Some("shop.example.com"));
}

#[test]
fn the_length_of_the_response_is_the_stated_one_or_that_of_its_body() {
    let len = |response: Value| {
        let mut record = record("Enabled", 200, &[found("942100")]);
        record["transaction"]["response"] = response;
        converted(&record).hits[0].response_len
    };
    assert_eq!(len(json!({"http_code": 200, "headers": {"CONTENT-LENGTH": "7"}, "body": "ü"})), Some(7));
    assert_eq!(len(json!({"http_code": 200, "headers": {}, "body": "ü"})), Some(2));
    assert_eq!(len(json!({"http_code": 200})), None);
}

#[test]
fn a_repeated_header_does_not_matter() {
    let text = record("Enabled", 200, &[found("942100")]).to_string();
    let text = text.replace(r#""Cookie":"#, r#""HOST":"first.example.com","Cookie":"#);
    let hit = convert(text.as_bytes(), Position::default(), &settings(), 0).unwrap().hits.remove(0);
    assert_eq!(hit.domain.as_deref(), Some("first.example.com"));
    assert!(hit.headers.unwrap().get().contains(r#""HOST":["first.example.com","shop.example.com:8080"]"#));
}

#[test]
fn a_record_that_is_not_utf8_is_taken_and_marked() {
    let text = record("Enabled", 200, &[message("942100", "2", "ARGS:id", "@")]).to_string();
    let line: Vec<u8> = text.bytes().map(|byte| if byte == b'@' { 0xff } else { byte }).collect();
    let converted = convert(&line, Position::default(), &settings(), 0).unwrap();
    assert!(converted.lossy);
    assert_eq!(converted.hits[0].payloads, [r"\xff"]);
    let (name, value) = &converted.hits[0].extra[0];
    assert_eq!((name.as_str(), value.get()), ("invalid_utf8", "true"));
}

#[test]
fn whole_records_of_a_damaged_line_are_saved() {
    let whole = |rule: &str| record("Enabled", 200, &[found(rule)]).to_string();
    let saved = |line: String| {
        let converted = convert(line.as_bytes(), Position { offset: 100 }, &settings(), 0).unwrap();
        let types: Vec<String> = converted.hits.iter().map(|hit| hit.attack_type.to_string()).collect();
        (types.join(" "), converted.fragments)
    };
    let (sqli, xss) = (whole("942100"), whole("941100"));
    assert_eq!(saved(sqli.clone()), ("sqli".to_owned(), 0));
    assert_eq!(saved(format!("{sqli}{xss}")), ("sqli xss".to_owned(), 0));
    assert_eq!(saved(format!("{}{xss}", &sqli[..sqli.len() / 2])), ("xss".to_owned(), 1));
    assert_eq!(saved(format!("\0\0\0{sqli}")), ("sqli".to_owned(), 1));
    assert_eq!(saved(format!("{sqli}{}", &xss[..40])), ("sqli".to_owned(), 1));
}

#[test]
fn a_saved_record_has_the_position_at_which_it_begins() {
    let text = record("Enabled", 200, &[found("942100")]).to_string();
    let id = |line: &str, offset| {
        convert(line.as_bytes(), Position { offset }, &settings(), 0).unwrap().hits[0].id.clone()
    };
    assert_eq!(id(&format!("half{text}"), 100), id(&text, 104));
}

#[test]
fn an_attacker_cannot_write_a_record_into_a_record() {
    let forged = record("Enabled", 403, &[found("942100"), exceeded(5)]).to_string();
    let carrier = record("Enabled", 200, &[message("941100", "2", "ARGS:id", &forged)]).to_string();
    let hits = |line: &str| {
        convert(line.as_bytes(), Position::default(), &settings(), 0).map(|converted| converted.hits.len())
    };
    assert_eq!(hits(&carrier).unwrap(), 1);
    assert!(hits(&carrier[..carrier.len() - 5]).is_err(), "nor when the record around it is damaged");
}

#[test]
fn a_time_that_cannot_be_read_is_now() {
    let mut record = record("Enabled", 200, &[found("942100")]);
    record["transaction"]["time_stamp"] = json!("yesterday");
    assert_eq!(converted(&record).hits[0].request_time, 1_795_500_000);
}

#[test]
fn a_rule_without_a_number_is_the_operators_own() {
    let hit = converted(&record("Enabled", 200, &[own("mine")])).hits.remove(0);
    assert_eq!((hit.attack_type.as_str(), hit.stamps), ("custom", vec![]));
}

#[test]
fn a_record_without_part_h_is_refused_with_what_to_do() {
    let mut record = record("Enabled", 403, &[]);
    record["transaction"].as_object_mut().unwrap().remove("messages");
    let error = try_convert(&record, &settings()).unwrap_err();
    assert!(matches!(error, RecordError::NoRuleData));
    insta::assert_snapshot!(error, @"this record has no part H, so it does not say which rules matched: add H to SecAuditLogParts, for example ABHZ");
}

#[test]
fn a_line_that_is_no_record_is_refused_with_what_it_looks_like() {
    let refused =
        |line: &str| convert(line.as_bytes(), Position::default(), &settings(), 0).unwrap_err().to_string();
    insta::assert_snapshot!(refused(r#"{"transaction":{"client_ip":"1"#), @"this line is not JSON: EOF while parsing a string at line 1 column 30");
    insta::assert_snapshot!(refused("198.51.100.7 - - [23/Nov/2026:07:31:54 +0000] \"GET / HTTP/1.1\" 200"), @"this line is not JSON: trailing characters at line 1 column 7");
    insta::assert_snapshot!(refused("--8f7e1736-A--"), @r#"this line is no JSON audit record of ModSecurity v3: it looks like the native format; set "SecAuditLogFormat JSON" in ModSecurity's configuration"#);
    insta::assert_snapshot!(refused(r#"{"transaction":{"timestamp":"2026/11/23 07:43:59","unix_timestamp":1,"id":"a","request":{"headers":{"host":["a"]}}},"messages":[]}"#), @"this line is no JSON audit record of ModSecurity v3: it looks like JSON of Coraza, which is not supported yet");
    insta::assert_snapshot!(refused(r#"{"transaction":{"time":"23/Nov/2026","transaction_id":"a"},"request":{},"response":{},"audit_data":{}}"#), @"this line is no JSON audit record of ModSecurity v3: it looks like JSON of ModSecurity 2 (Apache), which is not supported yet");
    insta::assert_snapshot!(refused(r#"{"log":"{}","stream":"stdout","time":"t"}"#), @r#"this line is no JSON audit record of ModSecurity v3: it looks like a container's log with records inside; follow the audit log itself, or pass on only the "log" fields"#);
    insta::assert_snapshot!(refused("{}"), @"this line is no JSON audit record of ModSecurity v3: it is JSON, but not of an audit log that hitwire knows");
    insta::assert_snapshot!(refused("[]"), @"this line is no JSON audit record of ModSecurity v3: it is JSON, but not of an audit log that hitwire knows");
}

#[test]
fn a_field_of_another_type_is_told() {
    let mut record = record("Enabled", 403, &[]);
    record["transaction"]["client_ip"] = json!(7);
    let error = try_convert(&record, &settings()).unwrap_err();
    assert!(matches!(error, RecordError::UnexpectedField(_)), "{error}");
}

proptest! {
    #[test]
    fn no_bytes_make_the_conversion_fail_otherwise_than_with_an_error(line in any::<Vec<u8>>()) {
        let _ = convert(&line, Position::default(), &settings(), 0);
    }

    #[test]
    fn a_damaged_record_is_converted_or_refused(from in 0usize..1_600, to in 0usize..1_600, with in any::<Vec<u8>>()) {
        let mut line = record("Enabled", 403, &[found("942100"), exceeded(5)]).to_string().into_bytes();
        let (from, to) = (from.min(to).min(line.len()), from.max(to).min(line.len()));
        line.splice(from..to, with);
        let _ = convert(&line, Position::default(), &settings(), 0);
    }

    #[test]
    fn whatever_an_attacker_sends_the_hit_is_bounded_and_the_same_each_time(
        variable in "(ARGS|ARGS_NAMES|REQUEST_COOKIES|REQUEST_HEADERS|XML|FILES|TX|[A-Z_]{1,12})(:\\PC{0,300})?",
        (value, times) in ("\\PC{0,60}", 0usize..40),
        uri in "\\PC{0,300}",
        body in proptest::option::of("\\PC{0,300}"),
        content_type in prop_oneof![Just("application/json"), Just("multipart/form-data; boundary=a"), Just("x")],
    ) {
        let mut record = record("Enabled", 403, &[message("942190", "2", &variable, &value.repeat(times)), exceeded(5)]);
        record["transaction"]["request"]["uri"] = json!(uri);
        record["transaction"]["request"]["headers"]["Content-Type"] = json!(content_type);
        if let Some(body) = body {
            record["transaction"]["request"]["body"] = json!(body);
        }
        let body = |hit: &Hit| hit.to_event(ClientId(1)).body;
        let once = converted(&record);
        let twice = converted(&record);
        prop_assert_eq!(once.hits.iter().map(body).collect::<Vec<_>>(), twice.hits.iter().map(body).collect::<Vec<_>>());
        prop_assert_eq!(once.hits.len(), 1);
        prop_assert!(once.hits[0].payloads.iter().all(|payload| payload.chars().count() <= 1_000));
        prop_assert!(once.hits[0].parameter.as_deref().unwrap_or("").len() <= 3_000);
    }
}
