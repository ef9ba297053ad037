//! `new_scope_object_*`: what came into the network perimeter, and `scope_object`: what changed in it or left it.

use super::{Frame, Stored};
use hitwire_event::escape::visible;
use hitwire_event::json::{ObjectWriter, Shape, elements};
use hitwire_event::scope::{Action, SUMMARY, ScopeType, named};
use serde_json::value::RawValue;

pub(super) fn render(stored: &Stored<'_>, frame: Frame<'_>) -> String {
    let action = stored.text("action").and_then(|name| Action::from_name(&name)).unwrap_or_default();
    let objects = Objects::of(stored);
    let notification_type = match (action, objects.scope_type) {
        (Action::Create, ScopeType::Ip) => "new_scope_object_ips",
        (Action::Create, ScopeType::Domain) => "new_scope_object_domains",
        (Action::Create, ScopeType::Service) => "new_scope_object_services",
        (Action::Update | Action::Delete, _) => "scope_object",
    };
    let words = objects.words(action, &stored.line("domain"));
    let summary = "Network perimeter has changed";
    frame.around(notification_type, summary, Some(&words), stored.event.body.len() * 2, |details| {
        details.array("data", &objects.records(action, stored));
        // In an object of its own: what a sender added must not pass for the installation's labels.
        details.open("scope");
        for member in &stored.members {
            let name = &*member.name;
            let elsewhere =
                matches!(name, "action" | "object_type" | USER_ID) || name == objects.scope_type.field();
            let says_nothing = name == "summary" && stored.text(name).as_deref() == Some(SUMMARY);
            if !elsewhere && !says_nothing {
                details.member(name, member.value.text);
            }
        }
        details.close();
    })
}

/// In the original's records: the user that an object belongs to. hitwire only passes it on.
const USER_ID: &str = "object_userid";

/// The objects that a stored event lists, each as JSON.
struct Objects<'a> {
    scope_type: ScopeType,
    entities: Vec<&'a str>,
}

impl<'a> Objects<'a> {
    fn of(stored: &'a Stored<'_>) -> Self {
        let listed = |scope_type: ScopeType| {
            let list = stored.member(scope_type.field())?.value;
            (list.shape == Shape::Array).then(|| elements(list).map(|entity| entity.text).collect())
        };
        ScopeType::ALL
            .into_iter()
            .find_map(|scope_type| Some(Objects { scope_type, entities: listed(scope_type)? }))
            .unwrap_or(Objects { scope_type: ScopeType::Ip, entities: Vec::new() })
    }

    /// The sentence and the list below it; `domain` is what the objects were found by, or empty.
    fn words(&self, action: Action, domain: &str) -> String {
        let what = match self.scope_type {
            ScopeType::Ip => "IP addresses",
            ScopeType::Domain => "domains",
            ScopeType::Service => "services",
        };
        let linked =
            if domain.is_empty() { String::new() } else { format!(" linked to the domain {domain}") };
        let mut words = match action {
            Action::Create => format!("New {what}{linked} were discovered in the network perimeter:"),
            Action::Update => format!("These {what}{linked} in the network perimeter have changed:"),
            Action::Delete => format!("These {what}{linked} are no longer in the network perimeter:"),
        };
        for entity in &self.entities {
            words.push('\n');
            words.push_str(&visible(&named(self.scope_type, entity).unwrap_or_default()));
        }
        words
    }

    /// Each object as the original's audit records write it.
    fn records(&self, action: Action, stored: &Stored<'_>) -> Vec<Box<RawValue>> {
        let object_type = match self.scope_type {
            ScopeType::Ip => "subnetorip",
            ScopeType::Domain => "domain",
            ScopeType::Service => "service",
        };
        let record = |entity: &&str| {
            let mut record = ObjectWriter::with_capacity(entity.len() + 96);
            record.string("action", action.name());
            record.raw("entity", entity);
            record.string("object_type", object_type);
            if let Some(user) = stored.member(USER_ID) {
                record.raw(USER_ID, user.value.text);
            }
            record.finish_raw()
        };
        self.entities.iter().map(record).collect()
    }
}
