//! Fields of things that hold no secret, and what differs between two.

use crate::FieldChange;
use serde_json::Value;

/// Fields by their names, none of them secret; the same ones in the same order for each thing of a sort.
pub(super) type Fields = Vec<(&'static str, Value)>;

/// What differs. Nothing is said of what is null before and after.
pub(super) fn differences(before: Option<Fields>, after: Option<Fields>) -> Vec<FieldChange> {
    let nulls = |fields: &Fields| fields.iter().map(|(name, _)| (*name, Value::Null)).collect::<Fields>();
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => (before, after),
        (None, Some(after)) => (nulls(&after), after),
        (Some(before), None) => {
            let after = nulls(&before);
            (before, after)
        }
        (None, None) => return Vec::new(),
    };
    let changed = before.into_iter().zip(after).filter(|((_, old), (_, new))| old != new);
    changed.map(|((name, old), (_, new))| FieldChange { field: name.to_owned(), old, new }).collect()
}

/// What to call a change of something that can be disabled: a switch alone is named after what it does.
pub(super) fn action(changes: &[FieldChange]) -> &'static str {
    match changes {
        [FieldChange { field, new: Value::Bool(enabled), .. }] if field == "enabled" => {
            if *enabled {
                "enable"
            } else {
                "disable"
            }
        }
        _ => "update",
    }
}

/// A number as a part of an event's id.
pub(super) fn part(number: u64) -> [u8; 8] {
    number.to_le_bytes()
}
