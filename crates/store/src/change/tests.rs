//! What the activity log says of changes.

use super::integration::{Undelivered, broken, changed, created, deleted};
use super::*;
use crate::{Activity, Integration, MASK, NewIntegration, Resume, Secret, Target, Ticked};
use hitwire_courier::{DisableReason, OpenBatch};
use hitwire_event::filter::Filter;
use hitwire_event::{IntegrationId, Kind, Lane, Seq, WebhookId};
use serde_json::{Value, json};

const SECRETS: [&str; 6] = ["in-the-path", "header-value", "the-key", "whsec_", "other-path", "other-value"];

fn by() -> By {
    By {
        actor: Actor { name: "Jane".to_owned(), email: Some("jane@example.com".to_owned()) },
        now_s: 1_700_000_000,
        source: ActivitySource::Api,
    }
}

fn integration() -> Integration {
    Integration {
        id: IntegrationId(7),
        client: ClientId(1),
        name: "SIEM".to_owned(),
        activity: Activity::Active,
        created_at: 0,
        created_by: "Jane".to_owned(),
        target: Target {
            headers: vec![("X-Key".to_owned(), Secret::new("header-value"))],
            client_cert: "a certificate".to_owned(),
            client_key: Some(Secret::new("the-key")),
            pins: vec![[0xab; 32]],
            ..Target::new("https://siem.example.com:8443/in-the-path?k=v", "whsec_1")
        },
        events: vec![Ticked { kind: Kind::Hit, active: true, with_headers: false, from: Seq(1) }],
        filter: Filter::default(),
        revision: 4,
        content_revision: 2,
    }
}

/// The entries among ops, as lines: who, what, and each field with its old and its new value.
fn entries(ops: &[Op]) -> Vec<String> {
    let entry = |op: &Op| match op {
        Op::Record(entry) => {
            let who = entry.actor.as_ref().map_or("hitwire", |actor| &actor.name);
            let changes =
                entry.changes.iter().map(|one| format!(" {}: {} -> {};", one.field, one.old, one.new));
            Some(format!(
                "{who} {} {} {}:{}",
                entry.action,
                entry.object_type,
                entry.object_id,
                changes.collect::<String>()
            ))
        }
        _ => None,
    };
    ops.iter().filter_map(entry).collect()
}

/// The types of the events among ops.
fn told(ops: &[Op]) -> Vec<String> {
    let told = |op: &Op| match op {
        Op::Announce(event) => {
            let body: Value = serde_json::from_str(&event.body).expect("JSON");
            Some(body["notification_type"].as_str().expect("a type").to_owned())
        }
        _ => None,
    };
    ops.iter().filter_map(told).collect()
}

fn holds_no_secret(ops: &[Op]) {
    let words = entries(ops).join("\n");
    for secret in SECRETS {
        assert!(!words.contains(secret), "{secret} is in {words}");
    }
}

#[test]
fn a_creation_is_recorded_with_every_setting_and_no_secret() {
    let Integration { client, name, target, events, filter, .. } = integration();
    let new = NewIntegration {
        id: None,
        client,
        name,
        active: true,
        created_at: 0,
        created_by: "Jane".to_owned(),
        target,
        events,
        filter,
    };
    let ops = created(new, IntegrationId(7), &by());
    assert!(matches!(&ops[0], Op::CreateIntegration(new) if new.id == Some(IntegrationId(7))));
    assert_eq!(told(&ops), ["create_integration"]);
    insta::assert_snapshot!(entries(&ops).join("\n").replace("; ", ";\n"));
    holds_no_secret(&ops);
}

#[test]
fn a_change_is_recorded_field_by_field_and_what_is_secret_only_as_changed() {
    let before = integration();
    let mut after = before.clone();
    after.target.url = Secret::new("https://siem.example.com:8443/other-path");
    after.target.headers = vec![
        ("X-Key".to_owned(), Secret::new("other-value")),
        ("X-New".to_owned(), Secret::new("other-value")),
    ];
    after.target.timeout_s = 30;
    let ops = changed(&before, after, None, &by()).expect("a change");
    let at = format!("https://siem.example.com:8443/{MASK}");
    assert_eq!(
        entries(&ops),
        [format!(
            "Jane update integration 7: target.timeout: 15 -> 30; target.url: \"{at}\" -> \"{at}\"; \
             target.headers.X-Key: \"{MASK}\" -> \"{MASK}\"; target.headers.X-New: null -> \"{MASK}\";"
        )]
    );
    let Some(Op::Announce(event)) = ops.last() else { panic!("no event") };
    let body: Value = serde_json::from_str(&event.body).expect("JSON");
    assert_eq!(body["changed"], json!(["target.timeout", "target.url", "target.headers"]));
    holds_no_secret(&ops);
}

#[test]
fn a_change_of_nothing_is_no_change() {
    let mut same = integration();
    // The store's own: what a caller gives is ignored.
    same.events[0].from = Seq(9);
    assert!(changed(&integration(), same, Some(Resume::Missed), &by()).is_none());
}

#[test]
fn enabling_says_where_it_goes_on() {
    let by_user = Integration { activity: Activity::DisabledByUser, ..integration() };
    let by_hitwire =
        Integration { activity: Activity::DisabledAutomatically(DisableReason::Gone), ..integration() };
    for (before, resume, from) in [
        (&by_user, None, "now"),
        (&by_user, Some(Resume::Missed), "missed"),
        (&by_hitwire, None, "missed"),
        (&by_hitwire, Some(Resume::Now), "now"),
    ] {
        let ops = changed(before, integration(), resume, &by()).expect("a change");
        assert_eq!(
            entries(&ops),
            [format!("Jane enable integration 7: active: false -> true; resume: null -> \"{from}\";")]
        );
        assert_eq!(told(&ops), ["enable_integration"]);
    }
}

#[test]
fn equal_changes_make_equal_events_and_later_ones_make_others() {
    let after = |name: &str| Integration { name: name.to_owned(), ..integration() };
    let ids = |before: &Integration, name: &str| {
        let ops = changed(before, after(name), None, &by()).expect("a change");
        ops.iter()
            .filter_map(|op| match op {
                Op::Announce(event) => Some(event.id.clone()),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&integration(), "a"), ids(&integration(), "a"));
    let later = Integration { revision: 5, ..integration() };
    assert_ne!(ids(&integration(), "a"), ids(&later, "a"));
}

#[test]
fn a_deletion_says_what_was_not_delivered() {
    let open = OpenBatch {
        first: Seq(11),
        last: Seq(20),
        through: Seq(20),
        events: 10,
        webhook_id: WebhookId("msg_1".into()),
        content_revision: 2,
        body_bytes: 1,
        body_sha256: [0; 32],
        tries: 3,
    };
    let lane = |lane, events, open| Undelivered { lane, events, open };
    let lanes = [lane(Lane::Urgent, 0, Vec::new()), lane(Lane::Bulk, 25, vec![open])];
    let (ops, event) = deleted(&integration(), &lanes, &by());
    assert!(matches!(ops[0], Op::DeleteIntegration { id: IntegrationId(7), revision: Some(4) }));
    assert!(ops.iter().any(|op| matches!(op, Op::Announce(told) if *told == event)));
    let words = entries(&ops).remove(0);
    assert!(
        words.contains("undelivered.bulk: {\"events\":25,\"first\":11,\"open_batches\":[\"msg_1\"]} -> null"),
        "{words}"
    );
    assert!(!words.contains("undelivered.urgent"), "{words}");
    holds_no_secret(&ops);
}

#[test]
fn what_hitwire_disables_is_recorded_as_its_own_doing() {
    let ops = broken(&integration(), &DisableReason::NoSuccess { limit_s: 259_200 }, 1_700_000_000);
    assert_eq!(
        entries(&ops),
        [
            "hitwire disable integration 7: active: true -> false; reason: null -> \"no request succeeded for 72 hours\";"
        ]
    );
    assert_eq!(told(&ops), ["integration_broken"]);
}
