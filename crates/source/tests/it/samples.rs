//! Real audit logs into hits, checked against what was sent.

use hitwire_event::hit::{BlockStatus, Hit};
use hitwire_event::{ClientId, Step};
use hitwire_source::modsecurity::{self, Converted, Found};
use hitwire_source::{Position, Settings};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

/// The logs, with the number of their records.
const LOGS: [(&str, usize); 5] = [
    ("detection", 256),
    ("detection-paranoia2", 287),
    ("blocking", 262),
    ("blocking-all-parts", 152),
    ("blocking-crs4", 275),
];

/// When the hits are recorded, Unix seconds.
const NOW_S: u64 = 1_795_500_000;

/// One record of a log, what became of it, and what was sent.
struct Sample {
    line: Vec<u8>,
    record: Value,
    converted: Converted,
    sent: Value,
}

impl Sample {
    fn rules(&self) -> BTreeSet<&str> {
        let messages = self.record["transaction"]["messages"].as_array().unwrap();
        messages.iter().map(|message| message["details"]["ruleId"].as_str().unwrap()).collect()
    }

    fn text(&self, field: &str) -> &str {
        self.sent[field].as_str().unwrap()
    }

    /// The one place where the payload was put, if it was put in one place.
    fn place(&self) -> Option<Vec<Step>> {
        let steps: Vec<Step> = serde_json::from_value(self.sent["point"].clone()).ok()?;
        (!steps.is_empty() && !self.text("payload").is_empty()).then_some(steps)
    }

    fn is_blocked(&self) -> bool {
        self.converted.hits.iter().any(|hit| hit.block_status == BlockStatus::Blocked)
    }
}

fn settings() -> Settings {
    Settings { client: ClientId(6396), timezone: Some(TimeZone::UTC), ..Settings::default() }
}

fn data(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/modsecurity").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn samples(log: &str, settings: &Settings) -> Vec<Sample> {
    let sent: BTreeMap<String, Value> = String::from_utf8(data(&format!("{log}.sent.jsonl")))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|sent| (sent["x_request_id"].as_str().unwrap().to_owned(), sent))
        .collect();
    let mut offset = 0;
    let log = data(&format!("{log}.jsonl"));
    let lines = log.split_inclusive(|&byte| byte == b'\n').map(|line| {
        let at = Position { offset };
        offset += line.len() as u64;
        let line = line.strip_suffix(b"\n").unwrap();
        let converted = modsecurity::convert(line, at, settings, NOW_S).unwrap();
        let record: Value = serde_json::from_str(&String::from_utf8_lossy(line)).unwrap();
        let sent = sent[request_id(&record)].clone();
        Sample { line: line.to_owned(), record, converted, sent }
    });
    lines.collect()
}

fn request_id(record: &Value) -> &str {
    let headers = record["transaction"]["request"]["headers"].as_object().unwrap();
    let (_, id) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-request-id")).unwrap();
    id.as_str().unwrap()
}

/// The attack type that a category of payloads was meant to be.
fn meant(category: &str) -> Option<&'static str> {
    Some(match category {
        "sql-injection" | "own-sqli" => "sqli",
        "xss-scripting" | "own-xss" => "xss",
        "path-traversal" | "own-lfi" => "ptrav",
        "rce" | "rce-urlparam" | "rce-urlpath" | "shell-injection" | "own-rce" | "own-php" | "own-java"
        | "own-node" | "own-log4j" => "rce",
        "own-rfi" => "rfi",
        "own-ssrf" => "ssrf",
        "own-ssti" | "sst-injection" => "ssti",
        "own-nosql" | "nosql-injection" => "nosqli",
        "own-crlf" | "crlf" => "crlf",
        "own-ldap" | "ldap-injection" => "ldapi",
        "own-fixation" => "input_validation",
        "scanner" => "scanner",
        _ if category.starts_with("community-") => match category.rsplit('-').next()? {
            "sqli" => "sqli",
            "xss" => "xss",
            "lfi" => "ptrav",
            "rce" => "rce",
            "agent" => "scanner",
            _ => return None,
        },
        _ => return None,
    })
}

#[test]
fn every_record_is_converted_exactly_once() {
    for (log, records) in LOGS {
        let samples = samples(log, &settings());
        assert_eq!(samples.len(), records, "{log}");
        let ids: BTreeSet<&[String; 2]> =
            samples.iter().flat_map(|sample| &sample.converted.hits).map(|hit| &hit.id).collect();
        let hits = samples.iter().map(|sample| sample.converted.hits.len()).sum::<usize>();
        assert_eq!(ids.len(), hits, "{log}: an id stands for two hits");
        for Sample { line, converted, .. } in &samples {
            assert_eq!(converted.lossy, std::str::from_utf8(line).is_err());
            assert_eq!(converted.kind == Found::Hits, !converted.hits.is_empty());
            let types: BTreeSet<&str> = converted.hits.iter().map(|hit| hit.attack_type.as_str()).collect();
            assert_eq!(types.len(), converted.hits.len(), "{log}: one hit for each attack type");
        }
    }
}

#[test]
fn a_log_read_again_gives_the_same_hits() {
    let hits = || -> Vec<_> {
        let events = samples("blocking", &settings()).into_iter().flat_map(|sample| sample.converted.hits);
        events.map(|hit| hit.to_event(ClientId(6396))).collect()
    };
    assert_eq!(hits(), hits());
}

#[test]
fn a_record_at_another_place_is_another_record() {
    let line = samples("blocking", &settings()).remove(1).line;
    let id = |offset| {
        modsecurity::convert(&line, Position { offset }, &settings(), NOW_S).unwrap().hits.remove(0).id
    };
    assert_ne!(id(0), id(1));
}

/// The client knows what was blocked: it got 403 from the WAF, 400 for a body that could not be read, or its connection was cut
/// when the response was stopped. (In these runs no application answers 403, and 400 only without a record.)
#[test]
fn every_block_is_found_and_none_is_invented() {
    for (log, blocks) in [("blocking", 244), ("blocking-all-parts", 136), ("blocking-crs4", 255)] {
        let mut found = 0;
        for sample in samples(log, &settings()) {
            let blocked = matches!(sample.sent["status"].as_u64(), Some(400 | 403) | None);
            assert_eq!(sample.is_blocked(), blocked, "{log}: {}", sample.record);
            found += usize::from(sample.is_blocked());
        }
        println!("{log}: {found} of {blocks} blocks");
        assert_eq!(found, blocks, "{log}");
    }
}

#[test]
fn what_the_web_server_says_was_denied_is_blocked() {
    let error_log = data("blocking.nginx-error.log");
    let error_log = String::from_utf8_lossy(&error_log);
    let denied: BTreeSet<&str> = error_log
        .lines()
        .filter(|line| line.contains("ModSecurity: Access denied"))
        .filter_map(|line| line.split_once("[unique_id \"")?.1.split('"').next())
        .collect();
    assert_eq!(denied.len(), 134);
    let samples = samples("blocking", &settings());
    let blocked: BTreeSet<&str> = samples
        .iter()
        .filter(|sample| sample.is_blocked())
        .map(|sample| sample.record["transaction"]["unique_id"].as_str().unwrap())
        .collect();
    assert_eq!(denied.difference(&blocked).count(), 0);
}

#[test]
fn an_engine_that_only_detects_blocks_nothing() {
    for log in ["detection", "detection-paranoia2"] {
        assert!(samples(log, &settings()).iter().all(|sample| !sample.is_blocked()), "{log}");
    }
}

#[test]
fn a_block_without_an_attack_is_never_silent() {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for sample in samples("blocking", &settings()) {
        let types: Vec<&str> = sample.converted.hits.iter().map(|hit| hit.attack_type.as_str()).collect();
        if let ["invalid_request" | "infoleak"] = types[..] {
            *kinds.entry(types[0].to_owned()).or_default() += 1;
        }
    }
    let kinds: Vec<_> = kinds.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(kinds, [("infoleak", 22), ("invalid_request", 26)]);
}

#[test]
fn a_missing_page_asked_for_by_an_odd_client_stays_monitored() {
    let protocol_hits = Settings { protocol_hits: true, ..settings() };
    let samples = samples("blocking", &protocol_hits);
    let odd: Vec<&Sample> = samples
        .iter()
        .filter(|sample| sample.record["transaction"]["response"]["http_code"] == 404)
        .collect();
    assert_eq!(odd.len(), 1);
    assert_eq!(odd[0].rules(), BTreeSet::from(["920330"]));
    assert_eq!(odd[0].converted.hits[0].block_status, BlockStatus::Monitored);
}

/// Where one payload was put into one argument, the hits name that argument. The exceptions are rules that look at the whole
/// URI or body, and two that forget the variable (`MATCHED_VAR`).
#[test]
fn a_hit_names_the_argument_that_the_payload_was_put_into() {
    let (mut exact, mut whole, mut other) = (0, 0, Vec::new());
    for (log, _) in LOGS {
        for sample in samples(log, &settings()) {
            let Some(place) =
                sample.place().filter(|_| matches!(sample.text("placed_in"), "get" | "form" | "multipart"))
            else {
                continue;
            };
            for hit in sample.converted.hits.iter().filter(|hit| is_attack(hit)) {
                // An argument that occurs twice is named with its occurrence.
                if hit.point.0.starts_with(&place) {
                    exact += 1;
                } else if hit.point.0 == [Step::from("uri")] || hit.point.0 == [Step::from("post")] {
                    whole += 1;
                } else {
                    other.push(format!("{log}: {:?} instead of {place:?}", hit.point.0));
                }
            }
        }
    }
    println!("{exact} hits at the very argument, {whole} at the whole URI or body, elsewhere: {other:#?}");
    assert_eq!((exact, whole, other.len()), (600, 12, 0));
}

fn is_attack(hit: &Hit) -> bool {
    !matches!(hit.attack_type.as_str(), "invalid_request" | "infoleak")
}

/// What a log gives, in figures.
fn summary(log: &str) -> String {
    let samples = samples(log, &settings());
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    let mut hits: BTreeMap<String, usize> = BTreeMap::new();
    let mut places: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut meanings: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for sample in &samples {
        *found.entry(format!("{:?}", sample.converted.kind)).or_default() += 1;
        for hit in &sample.converted.hits {
            *hits.entry(format!("{} {}", hit.attack_type, hit.block_status.name())).or_default() += 1;
        }
        let attacks: Vec<&Hit> = sample.converted.hits.iter().filter(|hit| is_attack(hit)).collect();
        if attacks.is_empty() {
            continue;
        }
        if let Some(place) = sample.place() {
            let (there, elsewhere) = places.entry(sample.text("placed_in")).or_default();
            let at = attacks.iter().filter(|hit| hit.point.0.starts_with(&place)).count();
            *there += at;
            *elsewhere += attacks.len() - at;
        }
        if let Some(meant) = meant(sample.text("category")) {
            let (as_meant, otherwise) = meanings.entry(meant).or_default();
            let seen = attacks.iter().any(|hit| hit.attack_type.as_str() == meant);
            *(if seen { as_meant } else { otherwise }) += 1;
        }
    }
    let mut text = format!(
        "{} records, {} not UTF-8\n",
        samples.len(),
        samples.iter().filter(|s| s.converted.lossy).count()
    );
    let mut table =
        |title: &str, rows: Vec<String>| writeln!(text, "\n{title}\n  {}", rows.join("\n  ")).unwrap();
    table("records with", found.iter().map(|(kind, count)| format!("{kind}: {count}")).collect());
    table("hits", hits.iter().map(|(kind, count)| format!("{kind}: {count}")).collect());
    let pairs = |rows: &BTreeMap<&str, (usize, usize)>| {
        rows.iter().map(|(name, (is, other))| format!("{name}: {is}, otherwise {other}")).collect()
    };
    table("hits where the payload was put", pairs(&places));
    table("attacked records seen as what was meant", pairs(&meanings));
    text
}

#[test]
fn figures_of_each_log() {
    for (log, _) in LOGS {
        insta::assert_snapshot!(format!("figures_{log}"), summary(log));
    }
}

/// A record's hits as they are written, one field a line.
fn written(sample: &Sample) -> String {
    let mut text = format!(
        "sent: {} in {}: {:?}\n",
        sample.text("category"),
        sample.text("placed_in"),
        sample.text("payload")
    );
    for hit in &sample.converted.hits {
        let body = hit.to_event(ClientId(6396)).body;
        let fields: serde_json::Map<String, Value> = serde_json::from_str(&body).unwrap();
        text.push('\n');
        for (name, value) in fields {
            writeln!(text, "{name}: {value}").unwrap();
        }
    }
    text
}

#[test]
fn typical_hits() {
    let pick = |log: &str, name: &str, is: &dyn Fn(&Sample) -> bool| {
        let samples = samples(log, &settings());
        let sample = samples.iter().find(|sample| is(sample)).unwrap_or_else(|| panic!("no {name} in {log}"));
        insta::assert_snapshot!(format!("hit_{name}"), written(sample));
    };
    let category = |category: &'static str| {
        move |sample: &Sample| sample.text("category") == category && sample.converted.kind == Found::Hits
    };
    pick("detection", "monitored_injection", &category("own-sqli"));
    pick("detection", "several_types", &category("multi"));
    pick("detection", "not_utf8", &|sample| sample.converted.lossy && sample.converted.kind == Found::Hits);
    pick("detection", "in_a_name", &category("argname"));
    pick("blocking", "blocked_traversal", &category("own-lfi"));
    pick("blocking", "blocked_for_its_method", &|sample| {
        sample.rules().contains("911100")
            && sample.converted.hits.len() == 1
            && !is_attack(&sample.converted.hits[0])
    });
    pick("blocking", "blocked_for_its_response", &|sample| sample.rules().contains("959100"));
    pick("blocking", "blocked_for_its_body", &|sample| sample.rules().contains("200002"));
    pick("blocking-all-parts", "upload", &category("file"));
    pick("blocking-crs4", "template_injection", &category("own-ssti"));
    pick("blocking-crs4", "log4j", &category("own-log4j"));
}
