//! `hitwire token`.

use super::{Book, Common, created, moment, set, text};
use crate::failure::{Failure, Origins};
use crate::remote::Object;
use crate::table::{Cell, Facts, Table};
use crate::terminal::Style;
use crate::units;
use clap::Subcommand;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const ORIGINS: &Origins =
    &[("/name", "NAME"), ("/role", "--role"), ("/user", "--user"), ("/expires_at", "--expires")];

/// What `hitwire token` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All tokens: their names, roles, when each was last used
    List,
    /// A new token; it is shown this once
    Create {
        /// What it is for
        name: String,

        /// What it may do
        #[arg(long, value_parser = ["operator", "admin", "analyst", "read_only", "ingest"])]
        role: String,

        /// It is good for so long: 12h, 30d [default: until it is revoked]
        #[arg(long, value_name = "DURATION", value_parser = units::duration)]
        expires: Option<Duration>,

        /// The user that it belongs to
        #[arg(long, value_name = "ID")]
        user: Option<u64>,

        /// Write the token to this file, which must not be there yet (mode 0600), in place of the output
        #[arg(long, value_name = "FILE")]
        token_out: Option<PathBuf>,
    },
    /// Take a token back: whoever has it may do nothing any more
    Revoke {
        /// Its id, or its name
        #[arg(value_name = "ID|NAME")]
        which: String,

        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Runs the command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let mut book = Book::open(&args.common, "token", "/v1/tokens")?;
    match args.command {
        Command::List => book.list(table).await,
        Command::Revoke { which, yes } => book.end(&which, yes, "Revoking", "revoked").await,
        Command::Create { name, role, expires, user, token_out } => {
            // Opened first: a token that cannot be kept would be lost.
            let file = token_out.as_deref().map(|path| Ok::<_, Failure>((path, file(path)?))).transpose()?;
            let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let made = book.create(body(name, role, expires, user, now_s), ORIGINS).await;
            let made = match (made, file) {
                (Ok(made), Some((path, mut file))) => {
                    let token = made.text("/token").unwrap_or_default();
                    writeln!(file, "{token}").map_err(|error| unwritable(path, &error))?;
                    return book.output.print(&without_token(&made)?, |terminal| {
                        let mut facts = facts(&made);
                        facts.add("token", format!("in {}", path.display()));
                        created(&made, &facts, terminal)
                    });
                }
                (Err(failure), Some((path, _))) => {
                    // Nothing was made, so nothing is kept; a file that cannot be removed is empty.
                    let _ = std::fs::remove_file(path);
                    return Err(failure);
                }
                (made, None) => made?,
            };
            book.output.print(&made.json, |terminal| {
                let mut facts = facts(&made);
                facts
                    .maybe("token", made.text("/token").map(|token| Cell::from(token).styled(Style::Strong)));
                format!("{}  Keep the token: it is not shown again.", created(&made, &facts, terminal))
            })
        }
    }
}

fn body(
    name: String,
    role: String,
    expires: Option<Duration>,
    user: Option<u64>,
    now_s: u64,
) -> Map<String, Value> {
    let mut body = Map::new();
    set(&mut body, "name", Some(name));
    set(&mut body, "role", Some(role));
    set(&mut body, "user", user);
    set(&mut body, "expires_at", expires.map(|good_for| now_s.saturating_add(good_for.as_secs())));
    body
}

fn file(path: &Path) -> Result<std::fs::File, Failure> {
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    opened.map_err(|error| Failure::Usage(format!("cannot make {}: {error}", path.display())))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Runtime(format!("cannot write {}: {error}; revoke the token and make another", path.display()))
}

/// The answer for programs, when the token is in a file.
fn without_token(made: &Object) -> Result<Box<serde_json::value::RawValue>, Failure> {
    let mut value = made.value.clone();
    if let Some(members) = value.as_object_mut() {
        members.insert("token".to_owned(), json!(hitwire_store::MASK));
    }
    serde_json::value::to_raw_value(&value).map_err(Failure::runtime)
}

fn facts(made: &Object) -> Facts {
    let mut facts = Facts::default();
    facts.add("role", text(made, "/role"));
    facts.add("expires", moment(made, "/expires_at"));
    facts
}

fn table(tokens: &[Object]) -> Table {
    let mut table = Table::new(&["ID", "NAME", "ROLE", "USER", "EXPIRES", "LAST USED", "CREATED", "BY"]);
    for token in tokens {
        table.row([
            text(token, "/id"),
            text(token, "/name").styled(Style::Strong),
            text(token, "/role"),
            text(token, "/user"),
            moment(token, "/expires_at"),
            moment(token, "/last_used_at"),
            moment(token, "/created_at"),
            text(token, "/created_by"),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::Terminal;

    #[test]
    fn a_token_expires_so_long_after_now() {
        let expiring =
            body("ci".to_owned(), "ingest".to_owned(), Some(Duration::from_hours(24)), None, 1_000);
        assert_eq!(Value::from(expiring), json!({"name": "ci", "role": "ingest", "expires_at": 87_400}));
        let lasting = body("ci".to_owned(), "admin".to_owned(), None, Some(7), 1_000);
        assert_eq!(Value::from(lasting), json!({"name": "ci", "role": "admin", "user": 7}));
    }

    #[test]
    fn the_table_shows_whether_a_token_is_still_used() {
        let value = json!({"id": 3, "name": "ci", "role": "ingest", "user": null, "expires_at": null,
            "last_used_at": 1_795_419_114, "created_at": 1_795_419_114, "created_by": "admin"});
        let token = Object { json: serde_json::value::to_raw_value(&value).unwrap(), value };
        insta::assert_snapshot!(table(&[token]).lines(Terminal::plain()), @r"
        ID  NAME  ROLE    USER  EXPIRES  LAST USED   CREATED     BY
        3   ci    ingest  -     -        2026-11-23  2026-11-23  admin
        ");
    }
}
