//! `hitwire user`.

use super::{Book, Common, created, enabled, moment, name, set, switch, text, time};
use crate::failure::{Failure, Origins};
use crate::remote::Object;
use crate::table::{Cell, Facts, Table};
use crate::terminal::{Style, Terminal};
use clap::Subcommand;
use serde_json::{Map, Value};

const OF_CREATE: &Origins = &[("/email", "EMAIL"), ("/name", "--name"), ("/role", "--role")];

const OF_EDIT: &Origins = &[("/email", "--email"), ("/name", "--name"), ("/role", "--role")];

/// What a change sends of what it does not change.
const FIELDS: &[&str] = &["email", "name", "role", "enabled"];

/// The roles of users, the most powerful first.
const ROLES: [&str; 4] = ["operator", "admin", "analyst", "read_only"];

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
    /// Create a link with which a user chooses a password; it is shown once
    ///
    /// The link works once, for 72 hours. Until it is used the user cannot sign in: a password, a second factor and sessions
    /// that the user had are removed. The user's tokens stay valid.
    SignInLink {
        /// The id, the address or the name
        #[arg(value_name = "ID|EMAIL")]
        which: String,
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
    let mut book = Book::open(&args.common, "user", "/v1/users")?;
    match args.command {
        Command::List => book.list(table).await,
        Command::Create { email, name, role } => {
            let made = book.create(body(Some(email), Some(name), Some(role)), OF_CREATE).await?;
            book.output.print(&made.json, |terminal| {
                let mut facts = Facts::default();
                facts.add("name", text(&made, "/name"));
                facts.add("role", text(&made, "/role"));
                let id = made.number("/id").unwrap_or_default();
                let next = format!(
                    "  To sign in, the user needs a password: hitwire user sign-in-link {id} creates the link to choose one.\n"
                );
                created(&made, &facts, terminal) + &next
            })
        }
        Command::Edit { which, email, name, role, enable, disable } => {
            let mut body = body(email, name, role);
            switch(&mut body, enable, disable);
            book.edit(&which, body, FIELDS, OF_EDIT).await
        }
        Command::SignInLink { which } => {
            let link = book.act(&which, "sign-in-link").await?;
            let server = book.session.server();
            book.output.print(&link.json, |terminal| sign_in_link(&link, &server, terminal))
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

/// The link for people. Without a public URL the server only knows its path, so it is put after the address that this
/// command itself uses.
fn sign_in_link(link: &Object, server: &str, terminal: Terminal) -> String {
    let mut facts = Facts::default();
    let url = link
        .text("/url")
        .map_or_else(|| format!("{server}{}", link.text("/path").unwrap_or_default()), str::to_owned);
    facts.add("link", Cell::from(url).styled(Style::Strong));
    facts.add("works until", time(link, "/expires_at"));
    let mut words = format!("sign-in link for {}\n{}", name(link), facts.lines(terminal));
    words.push_str("  It works once and is not shown again. Share it over a private channel.\n");
    if link.text("/url").is_none() {
        words.push_str(
            "  The server has no public URL (hitwire serve --public-url), so the link begins with the address used here.\n",
        );
    }
    words
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
