//! An entry as the API gives it, and as people read it.

use super::filters::Filters;
use crate::session::Session;
use crate::text;
use hitwire_store::Role;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// Fields that are shown at once; a new integration has two dozen.
const FIELDS_AT_ONCE: usize = 6;

/// Characters of a value that are shown at once.
const CHARS_AT_ONCE: usize = 100;

/// An entry of `GET /v1/activity`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) time: String,
    pub(super) client_id: u64,
    pub(super) actor: Option<Actor>,
    pub(super) source: String,
    pub(super) action: String,
    pub(super) object_type: String,
    pub(super) object_id: String,
    pub(super) object_name: String,
    pub(super) changes: Vec<Change>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Actor {
    pub(super) name: String,
    pub(super) email: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Change {
    pub(super) field: String,
    pub(super) old: Value,
    pub(super) new: Value,
}

/// The same for people.
pub(super) struct Shown {
    pub(super) at_ms: u64,
    /// Who; none: hitwire itself or the configuration.
    pub(super) actor: Option<ShownActor>,
    pub(super) source: &'static str,
    pub(super) action: String,
    /// The class of its badge.
    pub(super) badge: &'static str,
    pub(super) object_type: String,
    pub(super) object_name: String,
    /// The page of what it is about, if there is one.
    pub(super) object_page: Option<String>,
    /// Where all entries about it are.
    pub(super) about_it: Option<String>,
    /// Whose it is, where it is not the reader's own client.
    pub(super) client: Option<u64>,
    pub(super) changes: Vec<ShownChange>,
    pub(super) more: Vec<ShownChange>,
    /// How many they are.
    pub(super) more_words: String,
}

pub(super) struct ShownActor {
    pub(super) name: String,
    pub(super) email: String,
    /// Where everything is that was done by whoever it is.
    pub(super) all: String,
}

pub(super) struct ShownChange {
    pub(super) field: String,
    pub(super) old: Option<ShownValue>,
    pub(super) new: Option<ShownValue>,
}

/// A value, or its beginning and the whole.
pub(super) struct ShownValue {
    pub(super) begin: String,
    pub(super) whole: Option<String>,
}

impl Entry {
    /// `opens_integrations`: whether the pages of integrations are for whoever reads this.
    pub(super) fn shown(self, session: &Session, opens_integrations: bool) -> Shown {
        let only = |filters: Filters| filters.path("/settings/activity", None);
        let about_it = (!self.object_id.is_empty()).then(|| {
            only(Filters {
                object_type: self.object_type.clone(),
                object: self.object_id.clone(),
                ..Filters::default()
            })
        });
        let is_page = opens_integrations && self.object_type == "integration" && self.action != "delete";
        let mut changes = self.changes.into_iter().map(Change::shown).collect::<Vec<_>>();
        let more = changes.split_off(changes.len().min(FIELDS_AT_ONCE));
        Shown {
            at_ms: at_ms(&self.time),
            actor: self.actor.map(|actor| {
                let name = actor.email.clone().unwrap_or_else(|| actor.name.clone());
                let all = only(Filters { actor: name, ..Filters::default() });
                ShownActor { name: actor.name, email: actor.email.unwrap_or_default(), all }
            }),
            source: source(&self.source),
            badge: match &*self.action {
                "create" | "enable" => "ok",
                "delete" | "revoke" => "bad",
                "disable" => "warn",
                _ => "info",
            },
            object_page: is_page.then(|| format!("/settings/integrations/{}", self.object_id)),
            object_name: if self.object_name.is_empty() { self.object_id } else { self.object_name },
            client: (session.role() == Role::Operator && self.client_id != session.user.client.0)
                .then_some(self.client_id),
            action: self.action,
            object_type: self.object_type,
            about_it,
            changes,
            more_words: text::count(more.len() as u64, "more field", "more fields"),
            more,
        }
    }
}

impl Change {
    fn shown(self) -> ShownChange {
        ShownChange { field: self.field, old: shown(&self.old), new: shown(&self.new) }
    }
}

/// From where a change came, as people call it.
fn source(name: &str) -> &'static str {
    match name {
        "api" => "API",
        "console" => "console",
        "configuration" => "configuration",
        _ => "hitwire",
    }
}

fn at_ms(time: &str) -> u64 {
    let at = time.parse::<Timestamp>().map(Timestamp::as_millisecond);
    at.ok().and_then(|ms| ms.try_into().ok()).unwrap_or_default()
}

fn shown(value: &Value) -> Option<ShownValue> {
    let whole = in_words(value)?;
    let Some((cut, _)) = whole.char_indices().nth(CHARS_AT_ONCE) else {
        return Some(ShownValue { begin: whole, whole: None });
    };
    Some(ShownValue { begin: whole[..cut].to_owned(), whole: Some(whole) })
}

/// A value without the marks of JSON where it needs none; none: there is no value.
pub(super) fn in_words(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::String(text) if text.is_empty() => "(empty)".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(values) if values.is_empty() => "(none)".to_owned(),
        Value::Object(fields) if fields.is_empty() => "(none)".to_owned(),
        Value::Array(values) if values.iter().all(Value::is_string) => {
            values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_read_as_people_write_them() {
        let words = |value: Value| in_words(&value).unwrap_or_else(|| "nothing".to_owned());
        for (value, expected) in [
            (json!(null), "nothing"),
            (json!("POST"), "POST"),
            (json!(""), "(empty)"),
            (json!(true), "yes"),
            (json!(15), "15"),
            (json!(["10.0.0.0/8", "fd00::/8"]), "10.0.0.0/8, fd00::/8"),
            (json!([]), "(none)"),
            (json!({"active": true, "with_headers": true}), r#"{"active":true,"with_headers":true}"#),
        ] {
            assert_eq!(words(value), expected);
        }
    }

    #[test]
    fn a_long_value_begins_at_once_and_is_there_as_a_whole() {
        let long = "ü".repeat(101);
        let value = shown(&json!(long)).unwrap();
        assert_eq!((value.begin.chars().count(), value.whole), (100, Some(long)));
        assert!(shown(&json!("ü".repeat(100))).unwrap().whole.is_none());
    }
}
