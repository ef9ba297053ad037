//! The envelope rendering: `summary`, `description` where there is one, and `details`.
//!
//! The form is the original's since 2021; field names and their order are those of its newest public examples. An envelope
//! holds one event, an event makes one envelope.

mod flat;
mod hit;
mod scope;
mod vulnerability;

use super::{Labels, TEST_PREFIX};
use hitwire_event::escape::visible;
use hitwire_event::json::{self, Member, ObjectWriter, Shape};
use hitwire_event::{Event, Kind};

/// Room for what an envelope has beside the object: a little more than its fixed words and ordinary labels.
pub(super) const ENVELOPE_BYTES: usize = 384;

/// The envelope of an event; none if its body is no object.
pub(super) fn render(event: &Event, labels: &Labels, with_headers: bool, test: bool) -> Option<Box<str>> {
    let stored = Stored { event, members: json::members(&event.body)? };
    let frame = Frame { labels, test };
    let envelope = match event.kind {
        Kind::Hit => hit::render(&stored, frame, with_headers),
        Kind::Vulnerability(_) => vulnerability::render(&stored, frame),
        Kind::Scope => scope::render(&stored, frame),
        Kind::System | Kind::RulesAndTriggers | Kind::RequestsPerHour | Kind::Counter => {
            flat::render(&stored, frame)
        }
    };
    Some(envelope.into_boxed_str())
}

/// An event, split into its fields.
struct Stored<'a> {
    event: &'a Event,
    members: Vec<Member<'a>>,
}

impl Stored<'_> {
    fn member(&self, name: &str) -> Option<&Member<'_>> {
        self.members.iter().find(|member| member.name == name)
    }

    /// A field's value as JSON, `null` where there is none.
    fn json(&self, name: &str) -> &str {
        self.member(name).map_or("null", |member| member.value.text)
    }

    /// The text of a field that is a string.
    fn text(&self, name: &str) -> Option<String> {
        let member = self.member(name).filter(|member| member.value.shape == Shape::String)?;
        Some(member.value.unquoted().into_owned())
    }

    /// The same for a line that people read: made harmless, empty where there is none.
    fn line(&self, name: &str) -> String {
        self.text(name).map_or(String::new(), |text| visible(&text).into_owned())
    }
}

/// What is around the details.
#[derive(Clone, Copy)]
struct Frame<'a> {
    labels: &'a Labels,
    test: bool,
}

impl Frame<'_> {
    /// `text` is the summary without product, `words` the middle of the description, `details` writes what follows the
    /// fields that all details begin with.
    fn around(
        self,
        notification_type: &str,
        text: &str,
        words: Option<&str>,
        details_bytes: usize,
        details: impl FnOnce(&mut ObjectWriter),
    ) -> String {
        let words_bytes = words.map_or(0, str::len);
        let mut envelope = ObjectWriter::with_capacity(ENVELOPE_BYTES + words_bytes + details_bytes);
        let test = if self.test { TEST_PREFIX } else { "" };
        envelope.string("summary", &[test, "[", &self.labels.product, "] ", text].concat());
        if let Some(words) = words {
            envelope.string("description", &self.description(notification_type, words));
        }
        envelope.open("details");
        envelope.string("client_name", &self.labels.client_name);
        envelope.string("cloud", &self.labels.cloud);
        envelope.string("notification_type", notification_type);
        details(&mut envelope);
        envelope.close();
        envelope.finish()
    }

    fn description(self, notification_type: &str, words: &str) -> String {
        format!(
            "Notification type: {}\n\n{words}\n\nClient: {}\nCloud: {}\n",
            visible(notification_type),
            visible(&self.labels.client_name),
            visible(&self.labels.cloud)
        )
    }
}
