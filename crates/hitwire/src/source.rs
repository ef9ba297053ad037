//! `hitwire source`: what a server follows, and how far it is.

use crate::failure::Failure;
use crate::remote::Common;
use crate::table::{Cell, Table};
use crate::terminal::{self, Style, Terminal};
use crate::units;
use clap::Subcommand;
use serde_json::Value;
use std::fmt::Write as _;

/// What `hitwire source` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All sources: how far each is, what it could not read, what keeps it from going on
    ///
    /// With --output json: {"sources": [...]}. Counts begin with the server's start.
    List,
}

/// Runs the command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let Args { command: Command::List, common: Common { output, tenant, remote } } = args;
    let answer = remote.session()?.raw(&tenant.path("/v1/sources")).await?;
    let sources = answer.value["sources"].as_array().map_or(&[][..], Vec::as_slice);
    output.print(&answer.json, |terminal| page(sources, terminal))
}

fn page(sources: &[Value], terminal: Terminal) -> String {
    if sources.is_empty() {
        return "no sources: hitwire serve --source modsecurity:PATH follows a file; sources belong to the first client"
            .to_owned();
    }
    let mut table = Table::new(&["SOURCE", "STATE", "RECORDS", "HITS", "UNPARSED", "LAST RECORD"]);
    let mut notes = String::new();
    for source in sources {
        let text = |name: &str| source[name].as_str();
        let count = |name: &str| units::count(source[name].as_u64().unwrap_or_default());
        let name = text("name").unwrap_or_default();
        table.row([
            Cell::from(name).styled(Style::Strong),
            state(source),
            count("records").into(),
            count("hits").into(),
            count("errors").into(),
            text("last_record_at").unwrap_or("-").into(),
        ]);
        for (words, style, note) in [
            ("problem", Style::Bad, text("problem")),
            ("last unparsed line", Style::Notice, text("last_error")),
        ] {
            if let Some(note) = note {
                // Writing to a String does not fail.
                let _ = writeln!(
                    notes,
                    "{words} ({}): {}",
                    terminal::safe(name),
                    terminal.paint(style, terminal::safe(note))
                );
            }
        }
    }
    let gap = if notes.is_empty() { "" } else { "\n" };
    format!("{}{gap}{notes}", table.lines(terminal))
}

fn state(source: &Value) -> Cell {
    if !source["problem"].is_null() {
        Cell::from("stopped").styled(Style::Bad)
    } else if source["caught_up"] == true {
        Cell::from("caught up").styled(Style::Good)
    } else {
        Cell::from("reading").styled(Style::Notice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_source_that_cannot_go_on_says_why() {
        let sources = [
            json!({"name": "modsecurity:/a.log", "records": 1200, "hits": 30, "errors": 1, "caught_up": true,
                "last_error": "at byte 7: not JSON\u{1b}[2J", "last_record_at": "2026-01-01T00:00:00Z", "problem": null}),
            json!({"name": "modsecurity:/b.log", "records": 0, "hits": 0, "errors": 0, "caught_up": false,
                "last_error": null, "last_record_at": null, "problem": "cannot open it: permission denied"}),
        ];
        insta::assert_snapshot!(page(&sources, Terminal::plain()), @r"
        SOURCE              STATE      RECORDS  HITS  UNPARSED  LAST RECORD
        modsecurity:/a.log  caught up  1,200    30    1         2026-01-01T00:00:00Z
        modsecurity:/b.log  stopped    0        0     0         -

        last unparsed line (modsecurity:/a.log): at byte 7: not JSON\u{1b}[2J
        problem (modsecurity:/b.log): cannot open it: permission denied
        ");
    }
}
