//! Changes of clients (tenants). No kind of event tells them.

use super::plain::{Fields, action, differences};
use super::{By, Object, record};
use crate::{Client, Op};

/// A new client.
pub fn created(client: Client, by: &By) -> Vec<Op> {
    let entry = record(Some(by), "create", object(&client), differences(None, Some(fields(&client))));
    vec![Op::PutClient(client), entry]
}

/// A client as it shall be; none if nothing is other than before.
pub fn changed(before: &Client, after: Client, by: &By) -> Option<Vec<Op>> {
    let changes = differences(Some(fields(before)), Some(fields(&after)));
    if changes.is_empty() {
        return None;
    }
    let entry = record(Some(by), action(&changes), object(&after), changes);
    Some(vec![Op::PutClient(after), entry])
}

/// A client that goes, with its users, tokens and applications.
pub fn deleted(client: &Client, by: &By) -> Vec<Op> {
    let entry = record(Some(by), "delete", object(client), differences(Some(fields(client)), None));
    vec![Op::DeleteClient { id: client.id }, entry]
}

fn fields(client: &Client) -> Fields {
    let limits = &client.limits;
    vec![
        ("name", client.name.as_str().into()),
        ("enabled", client.enabled.into()),
        ("integrations_max", limits.integrations_max.into()),
        ("events_per_s", limits.events_per_s.into()),
        ("allow_targets", limits.allow_targets.clone().into()),
    ]
}

fn object(client: &Client) -> Object<'_> {
    Object { client: client.id, kind: "client", id: client.id.to_string(), name: &client.name }
}
