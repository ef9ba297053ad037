//! What hitwire tells about itself: one flat object, its words first.

use crate::escape::visible;
use crate::hit::document_id;
use crate::json::ObjectWriter;
use crate::{ClientId, Event, EventId, Kind};
use std::fmt;

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The user's real name, or the name of the token.
    pub name: String,
    /// The user's e-mail; none for a token.
    pub email: Option<String>,
}

/// As sentences name people: `John Doe <johndoe@example.com>`, made harmless.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(&self.name))?;
        match &self.email {
            Some(email) if self.name.is_empty() => f.write_str(&visible(email)),
            Some(email) => write!(f, " <{}>", visible(email)),
            None => Ok(()),
        }
    }
}

/// The value of a field.
#[derive(Debug)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Integer(i128),
    Texts(&'a [String]),
}

/// An event in the making.
#[derive(Debug)]
pub(crate) struct Notice<'a> {
    kind: Kind,
    notification_type: &'static str,
    summary: String,
    description: String,
    fields: Vec<(&'static str, Value<'a>)>,
}

impl<'a> Notice<'a> {
    /// `notification_type` is the machine's word for it. `summary` is its headline, `description` tells it in sentences;
    /// what they quote must be [`visible`].
    pub(crate) fn new(
        kind: Kind,
        notification_type: &'static str,
        summary: impl Into<String>,
        description: String,
    ) -> Self {
        let summary = summary.into();
        Notice { kind, notification_type, summary, description, fields: Vec::new() }
    }

    pub(crate) fn text(mut self, name: &'static str, value: &'a str) -> Self {
        self.fields.push((name, Value::Text(value)));
        self
    }

    pub(crate) fn text_if_any(self, name: &'static str, value: Option<&'a str>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    pub(crate) fn integer(mut self, name: &'static str, value: impl Into<i128>) -> Self {
        self.fields.push((name, Value::Integer(value.into())));
        self
    }

    pub(crate) fn texts(mut self, name: &'static str, values: &'a [String]) -> Self {
        self.fields.push((name, Value::Texts(values)));
        self
    }

    /// Who made the thing.
    pub(crate) fn created_by(self, actor: &'a Actor) -> Self {
        self.text("created_by", &actor.name).text_if_any("created_by_email", actor.email.as_deref())
    }

    /// Who changed or deleted the thing.
    pub(crate) fn changed_by(self, actor: &'a Actor) -> Self {
        self.text("changed_by", &actor.name).text_if_any("changed_by_email", actor.email.as_deref())
    }

    /// The event, in canonical JSON: `summary`, `description`, the fields in the order of the calls, `time`,
    /// `notification_type`, `id`, `object_type`; compact.
    ///
    /// `time_s` (Unix seconds) is when it happened. The id stands for the client, the type and `id_parts`: equal parts, equal
    /// id.
    pub(crate) fn into_event(self, client: ClientId, time_s: u64, id_parts: &[&[u8]]) -> Event {
        let client_bytes = client.0.to_le_bytes();
        let mut parts: Vec<&[u8]> = vec![self.notification_type.as_bytes(), &client_bytes];
        parts.extend(id_parts);
        let id = document_id(&parts);
        let mut object = ObjectWriter::new();
        object.string("summary", &self.summary);
        object.string("description", &self.description);
        for (name, value) in &self.fields {
            match value {
                Value::Text(text) => object.string(name, text),
                Value::Integer(integer) => object.plain(name, integer),
                Value::Texts(texts) => object.array(name, texts),
            }
        }
        object.plain("time", time_s);
        object.string("notification_type", self.notification_type);
        object.string("id", &id);
        object.string("object_type", self.kind.object_type().name());
        Event { client, kind: self.kind, id: EventId::from(id), body: object.finish().into_boxed_str() }
    }
}

/// A reason as the end of a sentence: made harmless, without a point of its own.
pub(crate) fn ending(text: &str) -> String {
    visible(text.trim_end_matches('.')).into_owned()
}

/// The names of settings as a sentence of their own.
pub(crate) struct Changed<'a>(pub(crate) &'a [String]);

impl fmt::Display for Changed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, " Changed: {}.", visible(&self.0.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id_parts: &[&[u8]]) -> Event {
        let by = Actor { name: "Jane \"J\" Doe".to_owned(), email: None };
        Notice::new(Kind::System, "delete_thing", "Thing was deleted", "The thing.".to_owned())
            .integer("thing_id", 7_u64)
            .text_if_any("nothing", None)
            .changed_by(&by)
            .into_event(ClientId(1), 1_700_000_000, id_parts)
    }

    #[test]
    fn a_notice_is_flat_and_its_words_come_first() {
        let event = event(&[b"7"]);
        let expected = format!(
            r#"{{"summary":"Thing was deleted","description":"The thing.","thing_id":7,"changed_by":"Jane \"J\" Doe","time":1700000000,"notification_type":"delete_thing","id":"{}","object_type":"system"}}"#,
            event.id
        );
        assert_eq!(&*event.body, expected);
    }

    #[test]
    fn equal_parts_give_equal_ids_and_others_do_not() {
        assert_eq!(event(&[b"7", b"2"]).id, event(&[b"7", b"2"]).id);
        assert_ne!(event(&[b"7", b"2"]).id, event(&[b"7", b"3"]).id);
        assert_ne!(event(&[b"7", b"2"]).id, event(&[b"72"]).id);
    }

    #[test]
    fn a_person_without_a_name_is_called_by_mail() {
        let actor = |name: &str, email: Option<&str>| {
            Actor { name: name.to_owned(), email: email.map(str::to_owned) }.to_string()
        };
        assert_eq!(actor("John Doe", Some("j@example.com")), "John Doe <j@example.com>");
        assert_eq!(actor("", Some("j@example.com")), "j@example.com");
        assert_eq!(actor("CI\u{202e}", None), "CI\\u{202e}");
    }
}
