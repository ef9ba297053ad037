//! A plan as people and programs read it.

use super::plan::Step;
use crate::integration::show::name;
use crate::remote::Object;
use crate::table::{Cell, Table};
use crate::terminal::{self, Style, Terminal};
use crate::units;
use serde_json::{Value, json};

/// The plan for people.
pub(super) fn plan(steps: &[Step], terminal: Terminal) -> String {
    let mut table = Table::new(&["", "INTEGRATION", "WHAT CHANGES"]);
    let mut unchanged = 0;
    for step in steps {
        match step {
            Step::Create { desired } => table.row([
                Cell::from("+ create").styled(Style::Good),
                desired.name.as_str().into(),
                desired.target.get("url").and_then(Value::as_str).unwrap_or_default().into(),
            ]),
            Step::Change { desired, fields, .. } => {
                let (mark, name) = (Cell::from("~ change").styled(Style::Notice), desired.name.as_str());
                for (index, field) in fields.iter().enumerate() {
                    let words = format!("{} {}", field.name, field.how);
                    let (mark, name) = if index == 0 { (mark.clone(), name) } else { ("".into(), "") };
                    table.row([mark, name.into(), words.trim_end().into()]);
                }
            }
            Step::Delete { id, name } => table.row([
                Cell::from("- delete").styled(Style::Bad),
                name.as_str().into(),
                format!("id {id}: it is not in the file").into(),
            ]),
            Step::Unchanged { .. } => unchanged += 1,
        }
    }
    let unchanged = match unchanged {
        0 => String::new(),
        count => format!("{} up to date", units::counted(count, "integration")),
    };
    match (table.is_empty(), unchanged.as_str()) {
        (true, "") => "the file names no integration, and there is nothing to do".to_owned(),
        (true, unchanged) => format!("nothing to do: {unchanged}"),
        (false, "") => table.lines(terminal),
        (false, unchanged) => format!("{}{unchanged}", table.lines(terminal)),
    }
}

/// A step that was carried out.
pub(super) fn done(step: &Step, done: &Object) -> String {
    let what = match step {
        Step::Create { .. } => "created",
        Step::Change { .. } => "changed",
        Step::Delete { .. } => "deleted",
        Step::Unchanged { .. } => "left",
    };
    format!("{what} {}", name(done))
}

/// A signing secret, told this once.
pub(super) fn secret(name: &str, secret: &str) -> String {
    format!("signing secret of {} (it is not shown again): {}", terminal::safe(name), terminal::safe(secret))
}

/// The plan for programs.
pub(super) fn json(steps: &[Step], applied: bool) -> Value {
    let changes: Vec<_> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Create { desired } => Some(json!({"action": "create", "name": desired.name})),
            Step::Change { id, desired, fields, .. } => {
                let fields: Vec<_> = fields.iter().map(|field| &field.name).collect();
                Some(json!({"action": "change", "id": id, "name": desired.name, "fields": fields}))
            }
            Step::Delete { id, name } => Some(json!({"action": "delete", "id": id, "name": name})),
            Step::Unchanged { .. } => None,
        })
        .collect();
    let unchanged = steps.len() - changes.len();
    json!({"applied": applied, "changes": changes, "unchanged": unchanged})
}
