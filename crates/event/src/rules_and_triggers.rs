//! Changes of what decides about events: sources, rules, filters, triggers.

use crate::escape::visible;
use crate::notice::{Changed, Notice};
use crate::{Actor, ClientId, Event, Kind};

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Where events come from.
    Source,
    /// What decides how events are read.
    Rule,
    /// What decides which events an integration gets.
    Filter,
    /// What makes events of events: thresholds and the like.
    Trigger,
}

impl Subject {
    /// All of them.
    pub const ALL: [Subject; 4] = [Subject::Source, Subject::Rule, Subject::Filter, Subject::Trigger];

    /// `source`, `rule`, `filter`, `trigger`.
    pub const fn name(self) -> &'static str {
        match self {
            Subject::Source => "source",
            Subject::Rule => "rule",
            Subject::Filter => "filter",
            Subject::Trigger => "trigger",
        }
    }

    /// The fields that hold its id and its name.
    const fn fields(self) -> [&'static str; 2] {
        match self {
            Subject::Source => ["source_id", "source_name"],
            Subject::Rule => ["rule_id", "rule_name"],
            Subject::Filter => ["filter_id", "filter_name"],
            Subject::Trigger => ["trigger_id", "trigger_name"],
        }
    }

    /// Those of rules and triggers are published, the others follow their manner.
    const fn notification_type(self, change: &Change) -> &'static str {
        match (self, change) {
            (Subject::Source, Change::Created) => "source_create",
            (Subject::Source, Change::Changed { .. }) => "source_update",
            (Subject::Source, Change::Deleted) => "source_delete",
            (Subject::Rule, Change::Created) => "rule_create",
            (Subject::Rule, Change::Changed { .. }) => "rule_update",
            (Subject::Rule, Change::Deleted) => "rule_delete",
            (Subject::Filter, Change::Created) => "filter_create",
            (Subject::Filter, Change::Changed { .. }) => "filter_update",
            (Subject::Filter, Change::Deleted) => "filter_delete",
            (Subject::Trigger, Change::Created) => "trigger_create",
            (Subject::Trigger, Change::Changed { .. }) => "trigger_update",
            (Subject::Trigger, Change::Deleted) => "trigger_delete",
        }
    }
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Created,
    /// It is other than before.
    Changed {
        /// The names of the settings that are other than before; never their values, which may be secret.
        settings: Vec<String>,
    },
    /// It is gone.
    Deleted,
}

/// A change of configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesAndTriggers {
    /// What kind of thing was changed.
    pub subject: Subject,
    /// Its id, as the API writes it; none for what only has a name.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// What became of it.
    pub change: Change,
    /// Who did it.
    pub by: Actor,
}

impl RulesAndTriggers {
    /// The change as an event of `client`. `time_s` (Unix seconds) is when it happened; the id stands for the client, the
    /// change and `id_parts`, which must tell this change from any other: such as the subject's id and its revision.
    pub fn to_event(&self, client: ClientId, time_s: u64, id_parts: &[&[u8]]) -> Event {
        let subject = self.subject.name();
        let (summary, what) = match &self.change {
            Change::Created => (format!("New {subject} was created"), "was created"),
            Change::Changed { .. } => (format!("{} was changed", capitalised(subject)), "was changed"),
            Change::Deleted => (format!("{} was deleted", capitalised(subject)), "was deleted"),
        };
        let settings = match &self.change {
            Change::Changed { settings } => settings.as_slice(),
            Change::Created | Change::Deleted => &[],
        };
        let name = visible(&self.name);
        let description = format!("The {subject} \"{name}\" {what} by {}.{}", self.by, Changed(settings));
        let notification_type = self.subject.notification_type(&self.change);
        let [id_field, name_field] = self.subject.fields();
        let mut notice = Notice::new(Kind::RulesAndTriggers, notification_type, summary, description)
            .text_if_any(id_field, self.id.as_deref())
            .text(name_field, &self.name);
        notice = match &self.change {
            Change::Created => notice.created_by(&self.by),
            Change::Changed { .. } => notice.texts("changed", settings).changed_by(&self.by),
            Change::Deleted => notice.changed_by(&self.by),
        };
        notice.into_event(client, time_s, id_parts)
    }
}

/// An ASCII word with its first letter in upper case.
fn capitalised(word: &str) -> String {
    let mut word = word.to_owned();
    if let Some(first) = word.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    word
}
