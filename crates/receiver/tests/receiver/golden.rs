//! The public examples, byte by byte. Their origin is told in `tests/payloads/README.md`.

use crate::{event, record};
use hitwire_event::{ClientId, Event, EventId, Kind, Risk};
use hitwire_receiver::{Format, Labels, Rendering, body};

const HIT: &str = include_str!("../payloads/classic/hit.json");
const VULNERABILITY: &str = include_str!("../payloads/classic/vulnerability.json");
const VULNERABILITY_TEST: &str = include_str!("../payloads/classic/vulnerability-test.json");
const USER_CREATED: &str = include_str!("../payloads/classic/user-created.json");
const IP_BLACKLISTED: &str = include_str!("../payloads/classic/trigger-ip-blacklisted.json");

/// An example as it goes over the wire. In the examples line breaks and indentation are the only blanks beside one after
/// each colon, and no string holds `": ` or a line break.
pub(crate) fn on_the_wire(example: &str) -> String {
    example.lines().map(str::trim).collect::<String>().replace("\": ", "\":")
}

fn sent(event: Event, format: Format) -> String {
    let body = body(&[record(event)], Rendering::default(), &Labels::default(), format);
    String::from_utf8(body).expect("a body is UTF-8")
}

pub(crate) fn object_of(array: &str) -> &str {
    array.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).expect("an array of one")
}

#[test]
fn the_seeds_hit_comes_out_as_it_went_in() {
    let wire = on_the_wire(HIT);
    assert_eq!(sent(event(HIT), Format::Json), wire);
    assert_eq!(sent(event(&wire), Format::Json), wire);
    assert_eq!(sent(event(HIT), Format::Jsonl), format!("{}\n", object_of(&wire)));
}

#[test]
fn the_seeds_hit_is_known_by_both_parts_of_its_id() {
    let event = event(HIT);
    assert_eq!(event.kind, Kind::Hit);
    assert_eq!(event.id, EventId::from("hits_production_6396_202006_v_1/vpuRfnIBVc0URvOZ6ALA"));
}

/// The seed's object, then what hitwire adds: the id that every object carries, and the object type.
fn with_identity(wire: &str, event: &Event) -> String {
    let object = object_of(wire).strip_suffix('}').expect("an object");
    format!(r#"[{object},"id":"{}","object_type":"vuln"}}]"#, event.id)
}

#[test]
fn the_seeds_vulnerabilities_come_out_as_they_went_in_with_id_and_object_type_last() {
    for (example, risk) in [(VULNERABILITY, Risk::Low), (VULNERABILITY_TEST, Risk::Medium)] {
        let wire = on_the_wire(example);
        let typed = wire.replacen('{', r#"{"object_type":"vuln","#, 1);
        let event = event(&typed);
        assert_eq!(event.kind, Kind::Vulnerability(risk));
        let expected = with_identity(&wire, &event);
        assert_eq!(sent(event.clone(), Format::Json), expected);
        assert_eq!(sent(event, Format::Jsonl), format!("{}\n", object_of(&expected)));
    }
}

fn system(body: &str) -> Event {
    Event { client: ClientId(1), kind: Kind::System, id: EventId::from("1"), body: body.into() }
}

#[test]
fn a_new_user_makes_a_body_of_109_bytes() {
    let wire = on_the_wire(USER_CREATED);
    let sent = sent(system(object_of(&wire)), Format::Json);
    assert_eq!(sent, wire);
    assert_eq!(sent.len(), 109);
}

#[test]
fn a_trigger_is_sent_as_its_summary() {
    let wire = on_the_wire(IP_BLACKLISTED);
    assert_eq!(sent(system(object_of(&wire)), Format::Json), wire);
}
