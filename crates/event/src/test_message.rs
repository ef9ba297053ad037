//! What "Test integration" sends: one example of a kind.

use crate::hit::{AttackType, DEFAULT_ENV, Hit, document_id, index, stamps_hash};
use crate::requests_per_hour::RequestsPerHour;
use crate::rules_and_triggers::{Change, RulesAndTriggers, Subject};
use crate::scope::{Action, Objects, Scope};
use crate::system::{System, User};
use crate::vulnerability::Vulnerability;
use crate::{Actor, ClientId, Event, Kind, Number, Point, Record, Risk};
use std::net::{IpAddr, Ipv4Addr};

/// Names and addresses that belong to nobody (RFC 2606, RFC 5737).
const HOST: &str = "example.com";
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Who does what test messages tell.
const NAME: &str = "Test";

/// An example of this kind, marked as a test message. What the original sends for the kind is what happens in it: a new hit,
/// a new issue, a new address in the scope, a new user, a new trigger.
///
/// `now_s` (Unix seconds) is when it happens. Messages of other seconds have other ids, and no event that happened has one of
/// them.
pub fn test_message(kind: Kind, client: ClientId, now_s: u64) -> Record {
    let id = [b"test".as_slice(), &[kind.code()], &now_s.to_le_bytes()];
    Record::test(match kind {
        Kind::Hit => hit(client, now_s),
        Kind::Vulnerability(risk) => vulnerability(risk, document_id(&id)).to_event(client),
        Kind::Scope => scope(now_s, document_id(&id)).to_event(client),
        Kind::System => user_created().to_event(client, now_s, &id),
        Kind::RulesAndTriggers => trigger_created().to_event(client, now_s, &id),
        // What a counter becomes.
        Kind::RequestsPerHour | Kind::Counter => requests_per_hour(now_s).event_known_by(client, &id),
    })
}

fn hit(client: ClientId, now_s: u64) -> Event {
    const STAMP: u32 = 942_100;
    let weight = Some(Number::from(5_u32));
    let point = Point(vec!["get".into(), "id".into()]);
    let document = document_id(&[b"test", &client.0.to_le_bytes(), &now_s.to_le_bytes()]);
    Hit {
        anomality: Number::from_f64(0.125),
        domain: Some(HOST.to_owned()),
        heur_distance: weight.clone(),
        method: Some("GET".to_owned()),
        parameter: point.parameter(false),
        path: Some("/".to_owned()),
        payloads: vec!["' or 1=1--".to_owned()],
        point,
        probability: weight,
        remote_port: Some(41_616),
        remote_addr4: Some(ADDRESS),
        request_time: now_s,
        create_time: now_s,
        response_len: Some(345),
        response_status: Some(404),
        response_time: Some(257),
        stamps: vec![STAMP],
        stamps_hash: stamps_hash(&[STAMP]),
        attack_type: AttackType::from("sqli"),
        id: [index(client, DEFAULT_ENV, now_s.cast_signed()), document],
        ..Hit::default()
    }
    .to_event(client)
}

fn vulnerability(threat: Risk, id: String) -> Vulnerability {
    Vulnerability {
        title: NAME.to_owned(),
        source: Some("hitwire".to_owned()),
        vulnerability_type: Some("Info".to_owned()),
        domain: Some(HOST.to_owned()),
        threat,
        id,
        ..Vulnerability::default()
    }
}

fn scope(now_s: u64, id: String) -> Scope {
    Scope {
        action: Action::Create,
        objects: Objects::ips([IpAddr::V4(ADDRESS)]),
        time: Some(now_s),
        id,
        ..Scope::default()
    }
}

fn tester() -> Actor {
    Actor { name: NAME.to_owned(), email: Some("test@example.com".to_owned()) }
}

fn user_created() -> System {
    let user = User {
        name: "new_user_name".to_owned(),
        email: "new_user@example.com".to_owned(),
        role: "Administrator".to_owned(),
    };
    System::UserCreated { user, by: tester() }
}

fn trigger_created() -> RulesAndTriggers {
    RulesAndTriggers {
        subject: Subject::Trigger,
        id: None,
        name: NAME.to_owned(),
        change: Change::Created,
        by: tester(),
    }
}

fn requests_per_hour(now_s: u64) -> RequestsPerHour {
    const HOUR_S: u64 = 3600;
    let time_to = now_s - now_s % HOUR_S;
    RequestsPerHour { requests: 12_345, time_from: time_to.saturating_sub(HOUR_S), time_to }
}
