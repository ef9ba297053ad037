//! Changes: what takes effect, what the activity log says of it, and the event that tells it, as the ops of one commit.
//!
//! So there is no change without its entry and its event, and neither without the change. Everything here is a plain function
//! of what was, what shall be, who wants it and when; the API (and later the console) commits what it answers.
//!
//! - [`integration`]: integrations made, changed, enabled, disabled, deleted, broken; `fields`: their settings field by field,
//!   secrets masked, and what differs.
//! - [`replay`]: what is sent once more, or tried at once.
//! - [`source`]: sources, as they are configured from one start to the next.
//! - [`client`], [`user`], [`token`], [`application`]: accounts; `plain`: their fields, none of which is secret.

pub mod application;
pub mod client;
mod fields;
pub mod integration;
mod plain;
pub mod replay;
pub mod source;
pub mod token;
pub mod user;

use crate::{ActivityEntry, ActivitySource, FieldChange, Op};
use hitwire_event::{Actor, ClientId};

/// Who wants a change, and when.
#[derive(Clone, Debug)]
pub struct By {
    /// A user or a token.
    pub actor: Actor,
    /// Unix seconds.
    pub now_s: u64,
    /// From where.
    pub source: ActivitySource,
}

/// What an entry of the activity log is about.
struct Object<'a> {
    client: ClientId,
    kind: &'a str,
    id: String,
    name: &'a str,
}

/// The entry that says what somebody did, or, if it is nobody, what hitwire did by itself.
fn record(by: Option<&By>, action: &str, object: Object<'_>, changes: Vec<FieldChange>) -> Op {
    Op::Record(ActivityEntry {
        client: object.client,
        actor: by.map(|by| by.actor.clone()),
        source: by.map_or(ActivitySource::Hitwire, |by| by.source),
        action: action.to_owned(),
        object_type: object.kind.to_owned(),
        object_id: object.id,
        object_name: object.name.to_owned(),
        changes,
    })
}

#[cfg(test)]
mod tests;
