//! What the activity log says of signing in, and of what people change about how they do.

use crate::session::From;
use hitwire_event::Actor;
use hitwire_log::{ActivityEntry, ActivitySource, FieldChange, Op, User};
use serde_json::Value;

/// Somebody signed in. `with`: as [`hitwire_log::Session::signed_in_with`].
pub(crate) fn signed_in(user: &User, with: &str, from: &From) -> Op {
    let changes = vec![new("with", with), new("address", &from.address), new("agent", &from.agent)];
    entry(user, true, "sign_in", "sign_in", changes)
}

/// Somebody was not let in as this user. Who it was is not known.
pub(crate) fn refused(user: &User, why: &str, from: &From) -> Op {
    let changes = vec![new("reason", why), new("address", &from.address), new("agent", &from.agent)];
    entry(user, false, "sign_in", "refuse", changes)
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
