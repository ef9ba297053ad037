//! What a user has sent once more or tried at once, and how that is steered.

use super::{By, Object, record};
use crate::{FieldChange, Integration, NewReplay, Op, Replay, ReplayChange, ReplayPurpose, SteerReplay};
use hitwire_event::system::{IntegrationRef, ReplayAct, System};
use serde_json::{Value, json};

/// A replay that begins. `unique` tells its event from all others: the replay has no number yet.
pub fn begun(integration: &Integration, new: NewReplay, unique: &[u8], by: &By) -> Vec<Op> {
    let what = in_words(&new.plan.purpose);
    let mut changes = vec![
        made("what", what.clone().into()),
        made("first", json!(new.plan.first().0)),
        made("last", json!(new.plan.last().0)),
        made("events", json!(new.plan.events)),
    ];
    changes.extend(new.events_per_s.map(|rate| made("events_per_second", json!(rate))));
    let act = ReplayAct::Begun { events: new.plan.events };
    let event = System::Replay { integration: reference(integration), what, act, by: by.actor.clone() };
    tell(Op::BeginReplay(new), "start_replay", integration, changes, &event, unique, by)
}

/// A replay that is paused, goes on, is slowed down, or called off.
pub fn steered(
    integration: &Integration,
    replay: &Replay,
    change: ReplayChange,
    unique: &[u8],
    by: &By,
) -> Vec<Op> {
    let number =
        FieldChange { field: "replay".to_owned(), old: json!(replay.number), new: json!(replay.number) };
    let (action, act, changed) = match change {
        ReplayChange::Pause(true) => ("pause_replay", ReplayAct::Paused, None),
        ReplayChange::Pause(false) => ("resume_replay", ReplayAct::Resumed, None),
        ReplayChange::EventsPerSecond(rate) => {
            let field = "events_per_second".to_owned();
            let changed = FieldChange { field, old: json!(replay.events_per_s), new: json!(rate) };
            ("change_replay", ReplayAct::Changed { events_per_s: rate }, Some(changed))
        }
        ReplayChange::Cancel => ("cancel_replay", ReplayAct::Cancelled, None),
    };
    let what = format!("{}, {}", replay.number, in_words(&replay.plan.purpose));
    let event = System::Replay { integration: reference(integration), what, act, by: by.actor.clone() };
    let steer = SteerReplay { integration: integration.id, number: replay.number, change };
    let changes = [number].into_iter().chain(changed).collect();
    tell(Op::SteerReplay(steer), action, integration, changes, &event, unique, by)
}

/// A replay whose record cannot be read is called off.
pub fn cancelled_unread(integration: &Integration, number: u32, unique: &[u8], by: &By) -> Vec<Op> {
    let field = FieldChange { field: "replay".to_owned(), old: json!(number), new: Value::Null };
    let (what, act) = (number.to_string(), ReplayAct::Cancelled);
    let event = System::Replay { integration: reference(integration), what, act, by: by.actor.clone() };
    let steer = SteerReplay { integration: integration.id, number, change: ReplayChange::Cancel };
    tell(Op::SteerReplay(steer), "cancel_replay", integration, vec![field], &event, unique, by)
}

/// What waits is tried at once. Nothing on record changes but that somebody wanted it.
pub fn retried(integration: &Integration, unique: &[u8], by: &By) -> Vec<Op> {
    let event = System::IntegrationRetried { integration: reference(integration), by: by.actor.clone() };
    let mut ops = vec![record(Some(by), "retry", object(integration), Vec::new())];
    ops.push(Op::Announce(event.to_event(integration.client, by.now_s, &[unique])));
    ops
}

/// What is sent once more.
pub fn in_words(purpose: &ReplayPurpose) -> String {
    match purpose {
        ReplayPurpose::Replay => "a part of the log".to_owned(),
        ReplayPurpose::ResendBatch { attempt, .. } => format!("the batch of attempt {attempt}"),
        ReplayPurpose::ResendEvent { id } => format!("the event {}", id.as_str()),
        ReplayPurpose::ResendUndelivered { ranges } => match ranges.as_slice() {
            [one] => format!("the undelivered range {one}"),
            ranges => format!("{} undelivered ranges", ranges.len()),
        },
    }
}

fn tell(
    op: Op,
    action: &str,
    integration: &Integration,
    changes: Vec<FieldChange>,
    event: &System,
    unique: &[u8],
    by: &By,
) -> Vec<Op> {
    let event = event.to_event(integration.client, by.now_s, &[unique]);
    vec![op, record(Some(by), action, object(integration), changes), Op::Announce(event)]
}

fn made(field: &str, new: Value) -> FieldChange {
    FieldChange { field: field.to_owned(), old: Value::Null, new }
}

fn reference(integration: &Integration) -> IntegrationRef {
    IntegrationRef { id: integration.id, name: integration.name.clone() }
}

fn object(integration: &Integration) -> Object<'_> {
    Object {
        client: integration.client,
        kind: "integration",
        id: integration.id.to_string(),
        name: &integration.name,
    }
}
