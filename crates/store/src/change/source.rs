//! Changes of the configured sources from one start to the next: the configuration is a file, so nobody calls to change it.

use crate::{ActivityEntry, ActivitySource, FieldChange, Op};
use hitwire_event::rules_and_triggers::{Change, RulesAndTriggers, Subject};
use hitwire_event::{Actor, ClientId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Under this name the store remembers what was configured.
pub const REMEMBERED_AS: &str = "sources";

/// The setting that holds the operator's own rules; told as a rule, not as a source.
const RULES: &str = "rules";

/// The sources of one start, as the store remembers them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configured {
    /// Rises with every change.
    revision: u64,
    /// The settings of each source, by its name.
    sources: BTreeMap<String, Map<String, Value>>,
}

/// What is to be committed because the sources are other than at the last start; none if they are not.
pub fn changed(
    before: &Configured,
    sources: BTreeMap<String, Map<String, Value>>,
    client: ClientId,
    now_s: u64,
) -> Option<Vec<Op>> {
    if before.sources == sources {
        return None;
    }
    let now = Configured { revision: before.revision + 1, sources };
    let nothing = Map::new();
    let names: BTreeSet<&String> = before.sources.keys().chain(now.sources.keys()).collect();
    // What can be remembered has JSON: it is made of it.
    let mut ops =
        vec![Op::Remember { name: REMEMBERED_AS, text: serde_json::to_string(&now).unwrap_or_default() }];
    for name in names {
        let (old, new) = (before.sources.get(name), now.sources.get(name));
        let changes = differences(old.unwrap_or(&nothing), new.unwrap_or(&nothing));
        let (rules, settings): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| change.field == RULES);
        let is = |there: Option<&Map<String, Value>>| there.is_some();
        let had_rules =
            |there: Option<&Map<String, Value>>| there.is_some_and(|there| there.contains_key(RULES));
        for (subject, changes, was, will) in [
            (Subject::Source, settings, is(old), is(new)),
            (Subject::Rule, rules, had_rules(old), had_rules(new)),
        ] {
            let Some((action, change)) = what(&changes, was, will) else { continue };
            ops.push(Op::Record(ActivityEntry {
                client,
                actor: None,
                source: ActivitySource::Configuration,
                action: action.to_owned(),
                object_type: subject.name().to_owned(),
                object_id: String::new(),
                object_name: name.clone(),
                changes,
            }));
            let by = Actor { name: "the configuration".to_owned(), email: None };
            let told = RulesAndTriggers { subject, id: None, name: name.clone(), change, by };
            let parts = [name.as_bytes(), &now.revision.to_le_bytes()];
            ops.push(Op::Announce(told.to_event(client, now_s, &parts)));
        }
    }
    Some(ops)
}

fn what(changes: &[FieldChange], was: bool, will: bool) -> Option<(&'static str, Change)> {
    match (was, will) {
        _ if changes.is_empty() => None,
        (false, _) => Some(("create", Change::Created)),
        (true, false) => Some(("delete", Change::Deleted)),
        (true, true) => {
            let settings = changes.iter().map(|change| change.field.clone()).collect();
            Some(("update", Change::Changed { settings }))
        }
    }
}

fn differences(old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<FieldChange> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let value = |settings: &Map<String, Value>, name: &str| settings.get(name).cloned().unwrap_or_default();
    let change =
        |name: &String| FieldChange { field: name.clone(), old: value(old, name), new: value(new, name) };
    names.into_iter().map(change).filter(|change| change.old != change.new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sources(value: Value) -> BTreeMap<String, Map<String, Value>> {
        serde_json::from_value(value).expect("sources")
    }

    /// What is told, and what is remembered for the next start.
    fn step(before: &Configured, now: Value) -> (Vec<String>, Configured) {
        let ops = changed(before, sources(now), ClientId(1), 1_700_000_000).unwrap_or_default();
        let mut remembered = before.clone();
        let mut told = Vec::new();
        for op in ops {
            match op {
                Op::Remember { text, .. } => remembered = serde_json::from_str(&text).expect("JSON"),
                Op::Announce(event) => {
                    let body: Value = serde_json::from_str(&event.body).expect("JSON");
                    told.push(body["notification_type"].as_str().expect("a type").to_owned());
                }
                Op::Record(entry) => assert!(entry.actor.is_none() && !entry.changes.is_empty(), "{entry:?}"),
                other => panic!("{other:?}"),
            }
        }
        (told, remembered)
    }

    #[test]
    fn each_difference_from_the_last_start_is_told_once() {
        let plain = json!({"modsecurity:/a": {"path": "/a", "from_end": false}});
        let other = json!({"modsecurity:/a": {"path": "/a", "from_end": true}});
        let ruled = json!({"modsecurity:/a": {"path": "/a", "from_end": true, "rules": [{"id": "1-2", "type": "x"}]}});
        let mut known = Configured::default();
        for (now, expected) in [
            (&plain, &["source_create"][..]),
            (&plain, &[]),
            (&other, &["source_update"]),
            (&ruled, &["rule_create"]),
            (&other, &["rule_delete"]),
            (&json!({}), &["source_delete"]),
            (&ruled, &["source_create", "rule_create"]),
        ] {
            let (told, remembered) = step(&known, now.clone());
            assert_eq!(told, expected, "{now}");
            known = remembered;
        }
    }

    #[test]
    fn going_back_and_forth_makes_new_events() {
        let [a, b] = [json!({"s": {"x": 1}}), json!({"s": {"x": 2}})];
        let mut known = Configured::default();
        let mut ids = BTreeSet::new();
        for now in [&a, &b, &a, &b] {
            let ops = changed(&known, sources(now.clone()), ClientId(1), 1).expect("a change");
            ids.extend(ops.iter().filter_map(|op| match op {
                Op::Announce(event) => Some(event.id.to_string()),
                _ => None,
            }));
            known = step(&known, now.clone()).1;
        }
        assert_eq!(ids.len(), 4);
    }
}
