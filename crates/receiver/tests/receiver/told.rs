//! What hitwire alone tells, in every style and format.

use crate::record;
use hitwire_event::requests_per_hour::RequestsPerHour;
use hitwire_event::rules_and_triggers::{Change, RulesAndTriggers, Subject};
use hitwire_event::system::{ApplicationRef, IntegrationRef, ReplayAct, System, TokenRef, User};
use hitwire_event::{Actor, ClientId, Event, IntegrationId, Kind};
use hitwire_receiver::{Format, Labels, Rendered as _, Rendering, Style, body};
use insta::assert_snapshot;
use serde_json::Value;
use std::collections::BTreeSet;

const CLIENT: ClientId = ClientId(1);
const NOW_S: u64 = 1_700_000_000;

fn jane() -> Actor {
    Actor { name: "Jane Roe".to_owned(), email: Some("jane@example.com".to_owned()) }
}

fn user() -> User {
    User {
        name: "John Smith".to_owned(),
        email: "johnsmith@example.com".to_owned(),
        role: "Analyst".to_owned(),
    }
}

/// One of each.
fn system() -> Vec<System> {
    let by = jane();
    let integration = IntegrationRef { id: IntegrationId(5), name: "SIEM".to_owned() };
    let application = ApplicationRef { id: 8, name: "Shop".to_owned() };
    let token = TokenRef { name: "ci".to_owned(), role: "ingest".to_owned() };
    vec![
        System::UserCreated { user: user(), by: by.clone() },
        System::UserDeleted { user: user(), by: by.clone() },
        System::UserRoleChanged {
            user: user(),
            previous_role: "Administrator".to_owned(),
            by: Actor { name: "provisioning".to_owned(), email: None },
        },
        System::IntegrationCreated { integration: integration.clone(), by: by.clone() },
        System::IntegrationChanged {
            integration: integration.clone(),
            settings: vec!["url".to_owned(), "events".to_owned()],
            by: by.clone(),
        },
        System::IntegrationEnabled { integration: integration.clone(), resumes_missed: true, by: by.clone() },
        System::IntegrationEnabled {
            integration: integration.clone(),
            resumes_missed: false,
            by: by.clone(),
        },
        System::IntegrationDisabled { integration: integration.clone(), by: by.clone() },
        System::IntegrationBroken {
            integration: integration.clone(),
            reason: "no request succeeded for 72 h".to_owned(),
        },
        System::IntegrationRetried { integration: integration.clone(), by: by.clone() },
        replay(&integration, ReplayAct::Begun { events: 4_000 }, &by),
        replay(&integration, ReplayAct::Paused, &by),
        replay(&integration, ReplayAct::Resumed, &by),
        replay(&integration, ReplayAct::Changed { events_per_s: Some(50) }, &by),
        replay(&integration, ReplayAct::Changed { events_per_s: None }, &by),
        replay(&integration, ReplayAct::Cancelled, &by),
        System::IntegrationDeleted { integration: integration.clone(), by: by.clone() },
        System::ApplicationCreated { application: application.clone(), by: by.clone() },
        System::ApplicationDeleted { application: application.clone(), by: by.clone() },
        System::ApplicationRenamed { application, previous_name: "Store".to_owned(), by: by.clone() },
        System::TokenCreated { token: token.clone(), expires_s: Some(NOW_S + 86_400), by: by.clone() },
        System::TokenCreated { token: token.clone(), expires_s: None, by: by.clone() },
        System::TokenRevoked { token, by },
        System::GuardRefused {
            integration,
            host: "siem.example.com:443".to_owned(),
            reason: "10.0.0.1 is a private address.".to_owned(),
        },
        System::SourceTrouble {
            source: "modsecurity:audit.log".to_owned(),
            reason: "the file is gone".to_owned(),
        },
        System::SourceRecovered { source: "modsecurity:audit.log".to_owned() },
    ]
}

fn replay(integration: &IntegrationRef, act: ReplayAct, by: &Actor) -> System {
    let (integration, what, by) = (integration.clone(), "a part of the log".to_owned(), by.clone());
    System::Replay { integration, what, act, by }
}

fn change(subject: Subject, change: Change) -> RulesAndTriggers {
    RulesAndTriggers { subject, id: Some("7".to_owned()), name: "Flood".to_owned(), change, by: jane() }
}

fn changes() -> Vec<RulesAndTriggers> {
    let settings = vec!["threshold".to_owned()];
    let changes = [Change::Created, Change::Changed { settings }, Change::Deleted];
    Subject::ALL
        .into_iter()
        .flat_map(|subject| changes.iter().map(move |kind_of_change| change(subject, kind_of_change.clone())))
        .collect()
}

fn events() -> Vec<Event> {
    let system = system().into_iter().map(|event| event.to_event(CLIENT, NOW_S, &[b"5", b"2"]));
    let changes = changes().into_iter().map(|event| event.to_event(CLIENT, NOW_S, &[b"7", b"2"]));
    let hour = RequestsPerHour { requests: 1, time_from: NOW_S - 3600, time_to: NOW_S };
    system.chain(changes).chain([hour.to_event(CLIENT)]).collect()
}

fn lines(style: Style) -> String {
    let records: Vec<_> = events().into_iter().map(record).collect();
    let rendering = Rendering { style, with_headers: false };
    let lines = body(&records, rendering, &Labels::default(), Format::Jsonl);
    String::from_utf8(lines).expect("UTF-8")
}

#[test]
fn each_event_has_a_flat_classic_form() {
    assert_snapshot!(lines(Style::Classic));
}

#[test]
fn each_event_has_an_envelope() {
    assert_snapshot!(lines(Style::Envelope));
}

/// All names of members in a value, inner ones too.
fn names(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                into.insert(name.clone());
                names(value, into);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| names(element, into)),
        _ => {}
    }
}

#[test]
fn docs_events_md_tells_of_every_field_and_type() {
    let tests = Kind::ALL.map(|kind| hitwire_event::test_message(kind, CLIENT, NOW_S).event);
    let mut said = BTreeSet::new();
    for record in events().into_iter().chain(tests).map(record) {
        for style in [Style::Classic, Style::Envelope] {
            let rendered = record.rendered(Rendering { style, with_headers: false }, &Labels::default());
            let rendered: Value = serde_json::from_str(rendered).expect("JSON");
            names(&rendered, &mut said);
            let notification_type = &rendered["details"]["notification_type"];
            said.extend(notification_type.as_str().map(str::to_owned));
        }
    }
    // The fields of a hit are told in docs/notifications.md.
    let docs =
        [include_str!("../../../../docs/events.md"), include_str!("../../../../docs/notifications.md")]
            .concat();
    let told =
        |name: &str| docs.contains(&format!("`{name}`")) || docs.contains(&format!("`details.{name}`"));
    let untold: Vec<_> = said.iter().filter(|name| !told(name)).collect();
    assert!(untold.is_empty(), "not in the documentation: {untold:?}");
}

#[test]
fn a_new_user_is_sent_as_it_was_in_2020() {
    let user = User {
        name: "Johnny".to_owned(),
        email: "johnsmith@example.com".to_owned(),
        role: "Analyst".to_owned(),
    };
    let by = Actor { name: "John Doe".to_owned(), email: Some("johndoe@example.com".to_owned()) };
    let event = System::UserCreated { user, by }.to_event(CLIENT, NOW_S, &[b"7"]);
    let sent = body(&[record(event)], Rendering::default(), &Labels::default(), Format::Json);
    assert_eq!(sent.len(), 109);
    assert_eq!(
        String::from_utf8(sent).expect("UTF-8"),
        crate::golden::on_the_wire(include_str!("../payloads/classic/user-created.json"))
    );
}

#[test]
fn every_object_but_a_classic_new_user_carries_the_id_of_its_event() {
    for event in events() {
        let id = format!(r#""id":"{}""#, event.id);
        let new_user = event.body.contains("create_user");
        let record = record(event);
        for style in [Style::Classic, Style::Envelope] {
            let rendered = record.rendered(Rendering { style, with_headers: false }, &Labels::default());
            assert_eq!(rendered.contains(&id), style == Style::Envelope || !new_user, "{rendered}");
        }
    }
}

#[test]
fn events_of_one_moment_are_told_apart() {
    let types: BTreeSet<_> = events().into_iter().map(|event| (event.kind, event.id)).collect();
    // Enabled, created and changed in two ways are the same type with the same parts.
    assert_eq!(types.len(), events().len() - 3);
}

#[test]
fn ids_tell_clients_types_and_parts_apart_and_nothing_else() {
    let renamed = |name: &str| System::ApplicationRenamed {
        application: ApplicationRef { id: 8, name: name.to_owned() },
        previous_name: "Store".to_owned(),
        by: jane(),
    };
    let id = |client: u64, now_s: u64, name: &str, part: &[u8]| {
        renamed(name).to_event(ClientId(client), now_s, &[part]).id
    };
    assert_eq!(id(1, NOW_S, "Shop", b"1"), id(1, NOW_S + 1, "Other", b"1"));
    assert_ne!(id(1, NOW_S, "Shop", b"1"), id(2, NOW_S, "Shop", b"1"));
    assert_ne!(id(1, NOW_S, "Shop", b"1"), id(1, NOW_S, "Shop", b"2"));
}

#[test]
fn an_hour_has_one_event() {
    let hour = |requests, time_from| RequestsPerHour { requests, time_from, time_to: time_from + 3600 };
    assert_eq!(hour(1, 7200).to_event(CLIENT).id, hour(2, 7200).to_event(CLIENT).id);
    assert_ne!(hour(1, 7200).to_event(CLIENT).id, hour(1, 10_800).to_event(CLIENT).id);
    assert_eq!(hour(1, 7200).to_event(CLIENT).kind, Kind::RequestsPerHour);
}

#[test]
fn a_name_cannot_forge_a_line_of_a_description() {
    let user = User { name: "x\n\nClient: forged\u{202e}".to_owned(), ..user() };
    let event = System::UserDeleted { user, by: jane() }.to_event(CLIENT, NOW_S, &[]);
    let rendering = Rendering { style: Style::Envelope, with_headers: false };
    let envelope: serde_json::Value =
        serde_json::from_str(record(event).rendered(rendering, &Labels::default())).expect("JSON");
    let description = envelope["description"].as_str().expect("a description");
    assert!(description.contains("x\\n\\nClient: forged\\u{202e} <johnsmith@example.com>"), "{description}");
    assert_eq!(envelope["details"]["name"], "x\n\nClient: forged\u{202e}");
}
