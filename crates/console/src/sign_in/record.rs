//! What the activity log says of signing in, and of what people change about how they do.

use crate::session::From;
use hitwire_event::{Actor, ClientId};
use hitwire_store::{ActivityEntry, ActivitySource, FieldChange, Op, User};
use serde_json::Value;

/// Somebody signed in. `with`: as [`hitwire_store::Session::signed_in_with`].
pub(crate) fn signed_in(user: &User, with: &str, from: &From) -> Op {
    let changes = vec![new("with", with), new("address", &from.address), new("agent", &from.agent)];
    entry(user, true, "sign_in", "sign_in", changes)
}

/// Somebody was not let in as this user. Who it was is not known.
pub(crate) fn refused(user: &User, why: &str, from: &From) -> Op {
    let changes = vec![new("reason", why), new("address", &from.address), new("agent", &from.agent)];
    entry(user, false, "sign_in", "refuse", changes)
}

/// The same so many times since the entry before; the last time so.
pub(crate) fn refused_again(user: &User, why: &str, from: &From, times: u64) -> Op {
    let mut changes = vec![times_of(times)];
    changes.extend([new("reason", why), new("address", &from.address), new("agent", &from.agent)]);
    entry(user, false, "sign_in", "refuse", changes)
}

/// The same of accounts and addresses of which there were too many to be counted apart.
pub(crate) fn refused_elsewhere(client: ClientId, times: u64) -> Op {
    Op::Record(ActivityEntry {
        client,
        actor: None,
        source: ActivitySource::Console,
        action: "refuse".to_owned(),
        object_type: "sign_in".to_owned(),
        object_id: String::new(),
        object_name: "several accounts".to_owned(),
        changes: vec![times_of(times)],
    })
}

fn times_of(times: u64) -> FieldChange {
    FieldChange { field: "times".to_owned(), old: Value::Null, new: times.into() }
}

/// A session ended before its time. `from`: where it was signed in from.
pub(crate) fn session_ended(user: &User, action: &str, from: Option<&str>) -> Op {
    let ended =
        |address: &str| FieldChange { field: "address".to_owned(), old: address.into(), new: Value::Null };
    entry(user, true, "sign_in", action, from.map(ended).into_iter().collect())
}

/// Somebody changed how they sign in: `set_password`, `enable_totp`, `disable_totp`, `renew_recovery_codes`, `link_provider`.
pub(crate) fn changed(user: &User, action: &str) -> Op {
    entry(user, true, "user", action, Vec::new())
}

fn new(field: &str, value: &str) -> FieldChange {
    FieldChange { field: field.to_owned(), old: Value::Null, new: value.into() }
}

fn entry(user: &User, by_them: bool, kind: &str, action: &str, changes: Vec<FieldChange>) -> Op {
    let actor = Actor { name: user.name.clone(), email: Some(user.email.clone()) };
    Op::Record(ActivityEntry {
        client: user.client,
        actor: by_them.then_some(actor),
        source: ActivitySource::Console,
        action: action.to_owned(),
        object_type: kind.to_owned(),
        object_id: user.id.to_string(),
        object_name: user.email.clone(),
        changes,
    })
}
