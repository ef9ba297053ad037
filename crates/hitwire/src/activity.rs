//! `hitwire activity`: who changed what.

use crate::failure::Failure;
use crate::pages::{Paging, Query, moment};
use crate::remote::{Common, Object};
use crate::table::{Cell, Table};
use crate::terminal::Style;
use serde_json::Value;

/// What `hitwire activity` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only changes of such objects: integration, client, user, token, application, source
    #[arg(long, value_name = "TYPE")]
    object_type: Option<String>,

    /// Only changes of objects with this id
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    object_id: Option<String>,

    /// Only such changes: create, update, delete, enable, disable, rotate, revoke
    #[arg(long)]
    action: Option<String>,

    /// Only changes by the user or token with this name or e-mail
    #[arg(long, value_name = "NAME|EMAIL")]
    actor: Option<String>,

    /// Only changes then or later: 2026-01-31T07:29:23Z, Unix seconds, or how long ago (12h)
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    from: Option<String>,

    /// Only changes before then
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<String>,

    #[command(flatten)]
    paging: Paging,

    #[command(flatten)]
    common: Common,
}

/// Runs the command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let Args { object_type, object_id, action, actor, from, until, paging, common } = args;
    let Common { output, tenant, remote } = common;
    let query = Query::default()
        .set("object_type", object_type)
        .set("object_id", object_id)
        .set("action", action)
        .set("actor", actor)
        .set("from", from)
        .set("until", until);
    let mut session = remote.session()?;
    let listing = session.listing("/v1/activity", "activity", query, paging, tenant).await?;
    listing.print(output, "change", table)
}

fn table(entries: &[Object]) -> Table {
    let mut table = Table::new(&["TIME", "WHO", "FROM", "ACTION", "OBJECT", "NAME", "CHANGES"]);
    for entry in entries {
        let text = |pointer: &str| entry.text(pointer).unwrap_or_default();
        let actor = entry.text("/actor/email").or_else(|| entry.text("/actor/name"));
        let changes = entry.value["changes"].as_array().into_iter().flatten();
        table.row([
            text("/time").into(),
            actor.map_or_else(|| Cell::from("-").styled(Style::Faint), Cell::from),
            text("/source").into(),
            text("/action").into(),
            format!("{} {}", text("/object_type"), text("/object_id")).into(),
            Cell::from(text("/object_name")).styled(Style::Strong),
            changes.map(change).collect::<Vec<_>>().join("; ").into(),
        ]);
    }
    table
}

/// `role: analyst -> admin`; of something new or gone only the value that there is.
fn change(change: &Value) -> String {
    let field = change["field"].as_str().unwrap_or_default();
    match (&change["old"], &change["new"]) {
        (Value::Null, value) | (value, Value::Null) => format!("{field}: {}", plain(value)),
        (old, new) => format!("{field}: {} -> {}", plain(old), plain(new)),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::Terminal;
    use serde_json::json;

    #[test]
    fn an_entry_says_who_changed_what_from_what_to_what() {
        let entry = |value: Value| Object { json: serde_json::value::to_raw_value(&value).unwrap(), value };
        let entries = [
            entry(
                json!({"id": 2, "time": "2026-01-01T00:00:09Z", "actor": {"name": "Ann", "email": "ann@example.com"},
                "source": "api", "action": "update", "object_type": "user", "object_id": "4", "object_name": "bob@example.com",
                "changes": [{"field": "role", "old": "analyst", "new": "admin"}, {"field": "enabled", "old": true, "new": false}]}),
            ),
            entry(
                json!({"id": 1, "time": "2026-01-01T00:00:00Z", "actor": null, "source": "hitwire", "action": "disable",
                "object_type": "integration", "object_id": "1", "object_name": "SIEM",
                "changes": [{"field": "active", "old": null, "new": false}]}),
            ),
        ];
        insta::assert_snapshot!(table(&entries).lines(Terminal::plain()), @r"
        TIME                  WHO              FROM     ACTION   OBJECT         NAME             CHANGES
        2026-01-01T00:00:09Z  ann@example.com  api      update   user 4         bob@example.com  role: analyst -> admin; enabled: true -> false
        2026-01-01T00:00:00Z  -                hitwire  disable  integration 1  SIEM             active: false
        ");
    }
}
