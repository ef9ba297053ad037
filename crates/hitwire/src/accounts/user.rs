//! `hitwire user`.

use super::{Book, Common, created, enabled, moment, set, switch, text};
use crate::failure::{Failure, Origins};
use crate::remote::Object;
use crate::table::{Facts, Table};
use crate::terminal::Style;
use clap::Subcommand;
use serde_json::{Map, Value};

const ORIGINS: &Origins = &[("/email", "EMAIL"), ("/name", "--name"), ("/role", "--role")];

/// What a change sends of what it does not change.
const FIELDS: &[&str] = &["email", "name", "role", "enabled"];

/// The roles of users.
const ROLES: [&str; 3] = ["admin", "analyst", "read_only"];

/// What `hitwire user` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All users
    List,
    /// A new user
    Create {
        /// The address that the user is known by
        email: String,

        /// What the user is called
        #[arg(long)]
        name: String,

        /// What the user may do
        #[arg(long, value_parser = ROLES)]
        role: String,
    },
    /// Change a user: what no flag names stays as it is
    Edit {
        /// The id, the address or the name
        #[arg(value_name = "ID|EMAIL")]
        which: String,

        /// Another address
        #[arg(long)]
        email: Option<String>,

        /// Another name
        #[arg(long)]
        name: Option<String>,

        /// Another role
        #[arg(long, value_parser = ROLES)]
        role: Option<String>,

        /// Take the user's tokens again
        #[arg(long, conflicts_with = "disable")]
        enable: bool,

        /// Refuse the user's tokens
        #[arg(long)]
        disable: bool,
    },
    /// Take a user away
    Delete {
        /// The id, the address or the name
        #[arg(value_name = "ID|EMAIL")]
        which: String,

        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Runs the command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let mut book = Book::open(&args.common, "user", "/v1/users", ORIGINS)?;
    match args.command {
        Command::List => book.list(table).await,
        Command::Create { email, name, role } => {
            let made = book.create(body(Some(email), Some(name), Some(role))).await?;
            book.output.print(&made.json, |terminal| {
                let mut facts = Facts::default();
                facts.add("name", text(&made, "/name"));
                facts.add("role", text(&made, "/role"));
                created(&made, &facts, terminal)
            })
        }
        Command::Edit { which, email, name, role, enable, disable } => {
            let mut body = body(email, name, role);
            switch(&mut body, enable, disable);
            book.edit(&which, body, FIELDS).await
        }
        Command::Delete { which, yes } => book.end(&which, yes, "Deleting", "deleted").await,
    }
}

fn body(email: Option<String>, name: Option<String>, role: Option<String>) -> Map<String, Value> {
    let mut body = Map::new();
    set(&mut body, "email", email);
    set(&mut body, "name", name);
    set(&mut body, "role", role);
    body
}

fn table(users: &[Object]) -> Table {
    let mut table = Table::new(&["ID", "EMAIL", "NAME", "ROLE", "STATE", "CREATED", "BY"]);
    for user in users {
        table.row([
            text(user, "/id"),
            text(user, "/email").styled(Style::Strong),
            text(user, "/name"),
            text(user, "/role"),
            enabled(user),
            moment(user, "/created_at"),
            text(user, "/created_by"),
        ]);
    }
    table
}
