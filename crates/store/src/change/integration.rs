//! Changes of integrations.

use super::fields::{Settings, differences};
use super::{By, Object, record};
use crate::{Activity, FieldChange, Integration, NewIntegration, Op, Resume, UpdateIntegration};
use hitwire_courier::{DisableReason, OpenBatch};
use hitwire_event::rules_and_triggers::{Change, RulesAndTriggers, Subject};
use hitwire_event::system::{IntegrationRef, System};
use hitwire_event::{ClientId, Event, IntegrationId, Lane};
use serde_json::{Value, json};

/// What of a lane was not delivered when its integration was deleted.
#[derive(Clone, Debug)]
pub struct Undelivered {
    /// The lane.
    pub lane: Lane,
    /// Events that it has not got.
    pub events: u64,
    /// The batches on their way.
    pub open: Vec<OpenBatch>,
}

/// A new integration, with the id that was reserved for it.
pub fn created(new: NewIntegration, id: IntegrationId, by: &By) -> Vec<Op> {
    let (client, name) = (new.client, new.name.clone());
    let changes = differences(None, Some(&Settings::from(&new)));
    let integration = IntegrationRef { id, name: name.clone() };
    let event = System::IntegrationCreated { integration, by: by.actor.clone() };
    let filter = (!new.filter.is_empty()).then(|| filter_event(client, id, &name, Change::Created, 1, by));
    let mut ops = vec![
        Op::CreateIntegration(NewIntegration { id: Some(id), ..new }),
        record(Some(by), "create", object(client, id, &name), changes),
        Op::Announce(event.to_event(client, by.now_s, &Revision::of(id, 1).parts())),
    ];
    ops.extend(filter.map(Op::Announce));
    ops
}

/// An integration as it shall be; none if nothing is other than before. Each aspect has an entry and an event of its own.
pub fn changed(before: &Integration, after: Integration, resume: Option<Resume>, by: &By) -> Option<Vec<Op>> {
    let mut changes = differences(Some(&Settings::from(before)), Some(&Settings::from(&after)));
    if changes.is_empty() {
        return None;
    }
    let (client, id, revision) = (before.client, before.id, before.revision + 1);
    let integration = IntegrationRef { id, name: after.name.clone() };
    let actor = || by.actor.clone();
    let activity: Vec<_> = changes.extract_if(.., |change| change.field == "active").collect();
    let mut told: Vec<(&str, Vec<FieldChange>, System)> = Vec::new();
    if !activity.is_empty() {
        let integration = integration.clone();
        told.push(match after.activity {
            Activity::Active => {
                let resumes_missed = resumes_missed(before, resume);
                let event = System::IntegrationEnabled { integration, resumes_missed, by: actor() };
                let mut activity = activity;
                let from = if resumes_missed { "missed" } else { "now" };
                activity.push(FieldChange { field: "resume".to_owned(), old: Value::Null, new: from.into() });
                ("enable", activity, event)
            }
            _ => ("disable", activity, System::IntegrationDisabled { integration, by: actor() }),
        });
    }
    if !changes.is_empty() {
        let settings = setting_names(&changes);
        told.push(("update", changes, System::IntegrationChanged { integration, settings, by: actor() }));
    }
    let filter = filter_change(before, &after)
        .map(|change| filter_event(client, id, &after.name, change, revision, by));
    let name = after.name.clone();
    let mut ops = vec![Op::UpdateIntegration(UpdateIntegration { integration: after, resume })];
    for (action, changes, event) in told {
        ops.push(record(Some(by), action, object(client, id, &name), changes));
        ops.push(Op::Announce(event.to_event(client, by.now_s, &Revision::of(id, revision).parts())));
    }
    ops.extend(filter.map(Op::Announce));
    Some(ops)
}

/// A new signing secret in place of the old one. Its event tells that settings were changed, as any other.
pub fn rotated(before: &Integration, after: Integration, by: &By) -> Vec<Op> {
    let (client, id, revision) = (before.client, before.id, before.revision + 1);
    let changes = differences(Some(&Settings::from(before)), Some(&Settings::from(&after)));
    let settings = setting_names(&changes);
    let integration = IntegrationRef { id, name: after.name.clone() };
    let event = System::IntegrationChanged { integration, settings, by: by.actor.clone() };
    let name = after.name.clone();
    vec![
        Op::UpdateIntegration(UpdateIntegration { integration: after, resume: None }),
        record(Some(by), "rotate", object(client, id, &name), changes),
        Op::Announce(event.to_event(client, by.now_s, &Revision::of(id, revision).parts())),
    ]
}

/// An integration that goes for good, and the event that tells it.
pub fn deleted(before: &Integration, undelivered: &[Undelivered], by: &By) -> (Vec<Op>, Event) {
    let (client, id) = (before.client, before.id);
    let mut changes = differences(Some(&Settings::from(before)), None);
    changes.extend(undelivered.iter().filter_map(|lane| {
        let ids: Vec<_> = lane.open.iter().map(|batch| batch.webhook_id.as_str()).collect();
        (lane.events > 0 || !ids.is_empty()).then(|| FieldChange {
            field: format!("undelivered.{}", lane.lane),
            old: json!({
                "events": lane.events,
                "first": lane.open.first().map(|batch| batch.first.0),
                "open_batches": ids,
            }),
            new: Value::Null,
        })
    }));
    let integration = IntegrationRef { id, name: before.name.clone() };
    let event = System::IntegrationDeleted { integration, by: by.actor.clone() }.to_event(
        client,
        by.now_s,
        &Revision::of(id, before.revision).parts(),
    );
    let mut ops = vec![
        Op::DeleteIntegration { id, revision: Some(before.revision) },
        record(Some(by), "delete", object(client, id, &before.name), changes),
        Op::Announce(event.clone()),
    ];
    if !before.filter.is_empty() {
        let told = filter_event(client, id, &before.name, Change::Deleted, before.revision, by);
        ops.push(Op::Announce(told));
    }
    (ops, event)
}

/// An integration that goes for good and of which little is known, as its row is damaged.
pub fn deleted_broken(client: ClientId, id: IntegrationId, name: &str, why: &str, by: &By) -> Vec<Op> {
    let broken = FieldChange { field: "broken".to_owned(), old: why.into(), new: Value::Null };
    let integration = IntegrationRef { id, name: name.to_owned() };
    let event = System::IntegrationDeleted { integration, by: by.actor.clone() };
    vec![
        Op::DeleteIntegration { id, revision: None },
        record(Some(by), "delete", object(client, id, name), vec![broken]),
        // Its revision is not known; that it is none of the others tells the event from those before.
        Op::Announce(event.to_event(client, by.now_s, &Revision::of(id, u64::MAX).parts())),
    ]
}

/// What belongs to a step by which hitwire itself disables an integration.
pub fn broken(integration: &Integration, reason: &DisableReason, now_s: u64) -> Vec<Op> {
    let (client, id) = (integration.client, integration.id);
    let reason = in_words(reason);
    let changes = vec![
        FieldChange { field: "active".to_owned(), old: true.into(), new: false.into() },
        FieldChange { field: "reason".to_owned(), old: Value::Null, new: reason.clone().into() },
    ];
    let event = System::IntegrationBroken {
        integration: IntegrationRef { id, name: integration.name.clone() },
        reason,
    };
    vec![
        record(None, "disable", object(client, id, &integration.name), changes),
        Op::Announce(event.to_event(client, now_s, &Revision::of(id, integration.revision).parts())),
    ]
}

/// Why hitwire disabled an integration, as the end of a sentence.
pub fn in_words(reason: &DisableReason) -> String {
    match reason {
        DisableReason::Gone => "the endpoint returned 410 and asks never to be called again".to_owned(),
        DisableReason::NoSuccess { limit_s } => format!("no request succeeded for {} hours", limit_s / 3_600),
        DisableReason::TooManyFailures { failed, total } => {
            format!("{failed} of {total} requests failed in 12 hours")
        }
    }
}

/// Whether an integration that is enabled goes on with what was missed: as the caller says, else (architecture.md, "The
/// courier") if it was hitwire that disabled it. The store decides the same.
fn resumes_missed(before: &Integration, resume: Option<Resume>) -> bool {
    match resume {
        Some(resume) => resume == Resume::Missed,
        None => matches!(before.activity, Activity::DisabledAutomatically(_)),
    }
}

/// The names of changed settings, without values. An event's or a header's own name is not one: there may be many.
fn setting_names(changes: &[FieldChange]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for change in changes {
        let name = match change.field.as_str() {
            field if field.starts_with("events.") => "events",
            field if field.starts_with("target.headers.") => "target.headers",
            field => field,
        };
        if !names.iter().any(|other| other == name) {
            names.push(name.to_owned());
        }
    }
    names
}

fn filter_change(before: &Integration, after: &Integration) -> Option<Change> {
    match (before.filter.is_empty(), after.filter.is_empty()) {
        _ if before.filter == after.filter => None,
        (true, _) => Some(Change::Created),
        (false, true) => Some(Change::Deleted),
        (false, false) => Some(Change::Changed { settings: vec!["filter".to_owned()] }),
    }
}

/// A filter has no name of its own: it is called by its integration's, and has its id.
fn filter_event(
    client: ClientId,
    id: IntegrationId,
    name: &str,
    change: Change,
    revision: u64,
    by: &By,
) -> Event {
    let told = RulesAndTriggers {
        subject: Subject::Filter,
        id: Some(id.to_string()),
        name: name.to_owned(),
        change,
        by: by.actor.clone(),
    };
    told.to_event(client, by.now_s, &Revision::of(id, revision).parts())
}

fn object(client: ClientId, id: IntegrationId, name: &str) -> Object<'_> {
    Object { client, kind: "integration", id: id.to_string(), name }
}

/// What tells one change from any other: equal for the same change, also when it is made again after a crash.
struct Revision {
    id: [u8; 8],
    revision: [u8; 8],
}

impl Revision {
    fn of(id: IntegrationId, revision: u64) -> Self {
        Revision { id: id.0.to_le_bytes(), revision: revision.to_le_bytes() }
    }

    fn parts(&self) -> [&[u8]; 2] {
        [&self.id, &self.revision]
    }
}
