//! Plans, from what a file says and what a server answers.

use super::*;
use hitwire_store::MASK;
use serde_json::json;

fn desired(name: &str) -> Desired {
    let target =
        json!({"url": "https://siem.example.com/hits", "ca_file": "-----BEGIN A-----\nx\n-----END A-----\n"});
    Desired {
        name: name.to_owned(),
        active: true,
        events: BTreeMap::from([("siem", false)]),
        filter: Filter::default(),
        target: target.as_object().unwrap().clone(),
        headers: vec![("X-Api-Key".to_owned(), "s3cret".to_owned())],
    }
}

/// What a server answers of it.
fn answer(id: u64, name: &str) -> Object {
    let value = json!({
        "id": id, "name": name, "active": true, "type": "web_hooks",
        "events": [{"event": "siem", "active": true, "with_headers": false}, {"event": "scope", "active": false}],
        "filter": {},
        "target": {
            "url": "https://siem.example.com/hits", "http_method": "POST", "headers": {"x-api-key": MASK},
            "ca_file": "note\n-----BEGIN A-----\r\nx\r\n-----END A-----", "ca_verify": true, "timeout": 15,
            "open_timeout": 20, "format": "json", "subtype": "web_hooks", "rendering": "classic",
            "retry": "patient", "max_events": null, "max_bytes": null, "of_a_later_version": 7,
        },
    });
    Object { json: serde_json::value::to_raw_value(&value).unwrap(), value }
}

fn planned(desired: Desired, current: Object) -> Step {
    plan(vec![desired], &[current], false, false).unwrap().remove(0)
}

fn words(step: &Step) -> Vec<String> {
    let Step::Change { fields, .. } = step else { panic!("no change: {step:?}") };
    fields.iter().map(|field| format!("{} {}", field.name, field.how)).collect()
}

#[test]
fn what_is_as_it_shall_be_stays() {
    assert_eq!(planned(desired("SIEM"), answer(1, "SIEM")), Step::Unchanged { name: "SIEM".to_owned() });
}

#[test]
fn a_rendering_that_the_file_does_not_name_stays_as_the_installation_gave_it() {
    let mut enveloped = answer(1, "SIEM");
    enveloped.value["target"]["rendering"] = json!("envelope");
    assert_eq!(
        planned(desired("SIEM"), enveloped.clone()),
        Step::Unchanged { name: "SIEM".to_owned() },
        "it is not compared"
    );
    let mut slower = desired("SIEM");
    slower.target.insert("timeout".to_owned(), json!(30));
    let body = planned(slower.clone(), enveloped.clone()).body().unwrap();
    assert_eq!(body["target"]["rendering"], "envelope", "nor changed with something else");
    slower.target.insert("rendering".to_owned(), json!("classic"));
    let step = planned(slower, enveloped);
    assert!(words(&step).contains(&"target.rendering envelope -> classic".to_owned()), "{step:?}");
    assert_eq!(step.body().unwrap()["target"]["rendering"], "classic");
}

#[test]
fn what_the_file_no_longer_names_is_set_back_outright() {
    let mut limited = answer(1, "SIEM");
    for (name, value) in [
        ("max_events", json!(7)),
        ("rate", json!(60)),
        ("in_flight", json!(4)),
        ("http_version", json!("1.1")),
        ("retry", json!("original")),
        ("pin_sha256", json!(["AB".repeat(32)])),
    ] {
        limited.value["target"][name] = value;
    }
    let body = planned(desired("SIEM"), limited).body().unwrap();
    let target = &body["target"];
    assert_eq!((&target["max_events"], &target["rate"]), (&Value::Null, &Value::Null));
    assert_eq!(target["http_version"], "auto");
    assert_eq!(
        (&target["in_flight"], &target["retry"], &target["pin_sha256"]),
        (&json!(1), &json!("patient"), &json!([]))
    );
    assert!(target.as_object().unwrap().contains_key("rate"), "left out, it would stay");
}

#[test]
fn each_difference_is_named() {
    let mut other = desired("SIEM");
    other.active = false;
    other.events = BTreeMap::from([("siem", true), ("system", false)]);
    other.filter = serde_json::from_value(json!({"min_score": 5})).unwrap();
    other.headers = vec![("X-Other".to_owned(), "s".to_owned())];
    for (name, value) in [
        ("timeout", json!(30)),
        ("http_version", json!("1.1")),
        ("ca_verify", json!(false)),
        ("max_events", json!(7)),
        ("in_flight", json!(4)),
        ("ca_file", json!("")),
        ("pin_sha256", json!(["AB:cd"])),
    ] {
        other.target.insert(name.to_owned(), value);
    }
    assert_eq!(
        words(&planned(other, answer(1, "SIEM"))),
        [
            "active true -> false",
            "events ~siem +system",
            "filter ",
            "target.ca_verify true -> false",
            "target.timeout 15 -> 30",
            "target.http_version auto -> 1.1",
            "target.max_events none -> 7",
            "target.in_flight 1 -> 4",
            "target.headers +x-other -x-api-key",
            "target.ca_file ",
            "target.pin_sha256 ",
        ]
    );
}

#[test]
fn what_the_file_no_longer_says_goes_back_to_its_default() {
    let mut current = answer(1, "SIEM");
    current.value["target"]["timeout"] = json!(60);
    current.value["filter"] = json!({"min_score": 5});
    let step = planned(desired("SIEM"), current);
    assert_eq!(words(&step), ["filter ", "target.timeout 60 -> 15"]);
    let body = step.body().unwrap();
    assert_eq!(body["target"]["timeout"], 15);
    assert_eq!(body["target"]["of_a_later_version"], 7);
    assert_eq!(body["target"]["headers"], json!({"X-Api-Key": "s3cret"}), "secrets travel with a change");
    assert_eq!(body.get("events"), None, "only what differs is sent");
}

#[test]
fn secrets_alone_are_sent_only_if_that_is_wished() {
    let steps = plan(vec![desired("SIEM")], &[answer(1, "SIEM")], false, true).unwrap();
    assert_eq!(words(&steps[0]), ["secrets sent again"]);
    assert_eq!(steps[0].body().unwrap()["target"]["headers"]["X-Api-Key"], "s3cret");
    let mut without = desired("SIEM");
    without.headers.clear();
    let mut current = answer(1, "SIEM");
    current.value["target"]["headers"] = json!({});
    let steps = plan(vec![without], &[current], false, true).unwrap();
    assert_eq!(steps, [Step::Unchanged { name: "SIEM".to_owned() }]);
}

const CHAIN: [&str; 2] = [
    include_str!("../../../../endpoint/tests/certificates/plain-ca.pem"),
    include_str!("../../../../endpoint/tests/certificates/p521-ca.pem"),
];
const KEY: &str = include_str!("../../../../endpoint/tests/certificates/key.pem");

fn with_certificate(certificate: &str, key: Option<&str>) -> Desired {
    let mut desired = desired("SIEM");
    desired.target.insert("client_cert".to_owned(), json!(certificate));
    desired.target.extend(key.map(|key| ("client_key".to_owned(), json!(key))));
    desired
}

#[test]
fn a_key_is_compared_by_whether_there_is_one() {
    let desired = with_certificate(&CHAIN.concat(), Some(KEY));
    assert_eq!(words(&planned(desired.clone(), answer(1, "SIEM"))), ["target.client_cert "]);
    let mut current = answer(1, "SIEM");
    current.value["target"]["client_cert"] = json!(format!("{}{}", CHAIN[1], CHAIN[0]));
    assert_eq!(
        words(&planned(desired.clone(), current.clone())),
        ["target.client_key "],
        "any order will do"
    );
    current.value["target"]["client_key"] = json!(MASK);
    assert!(matches!(planned(desired, current.clone()), Step::Unchanged { .. }));
    for with_key in [format!("{}{KEY}", CHAIN.concat()), "MIIKPKCS12".to_owned()] {
        let desired = with_certificate(&with_key, None);
        assert!(
            matches!(planned(desired, current.clone()), Step::Unchanged { .. }),
            "{with_key} holds the key"
        );
    }
    let step = planned(super::tests::desired("SIEM"), current);
    assert_eq!(words(&step), ["target.client_cert "]);
    let target = &step.body().unwrap()["target"];
    assert_eq!((&target["client_cert"], &target["client_key"]), (&json!(""), &json!("")));
}

#[test]
fn what_the_server_keeps_unless_told_is_told() {
    let mut current = answer(1, "SIEM");
    current.value["target"]["signing"] = json!("v1a");
    let step = planned(desired("SIEM"), current);
    assert_eq!(words(&step), ["target.signing v1a -> v1"]);
    assert_eq!(step.body().unwrap()["target"]["signing"], "v1");
}

#[test]
fn only_pruning_deletes_and_it_comes_last() {
    let current = [answer(1, "Old"), answer(2, "SIEM")];
    let mut changed = desired("SIEM");
    changed.active = false;
    let wanted = vec![changed, desired("New")];
    let steps = plan(wanted.clone(), &current, false, false).unwrap();
    assert!(matches!(&steps[..], [Step::Create { .. }, Step::Change { id: 2, .. }]), "{steps:?}");
    let steps = plan(wanted, &current, true, false).unwrap();
    assert_eq!(steps.last(), Some(&Step::Delete { id: 1, name: "Old".to_owned() }));
}

#[test]
fn a_name_that_the_server_has_twice_is_refused() {
    let words =
        plan(vec![desired("SIEM")], &[answer(1, "SIEM"), answer(2, "SIEM")], false, false).unwrap_err();
    assert!(words.contains("[1, 2]"), "{words}");
}
