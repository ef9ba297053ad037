//! `hitwire application`.

use super::{Book, Common, created, set, text};
use crate::failure::{Failure, Origins};
use crate::remote::Object;
use crate::table::{Facts, Table};
use crate::terminal::Style;
use clap::Subcommand;
use serde_json::Map;

const ORIGINS: &Origins = &[("/name", "NAME"), ("/id", "--id")];

/// What `hitwire application` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All applications
    List,
    /// A new application
    Create {
        /// What it is called
        name: String,

        /// Its id, which events carry; -1 is the default application [default: the next free one]
        #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
        id: Option<i64>,
    },
    /// Give an application another name
    Rename {
        /// Its id, or its name
        #[arg(value_name = "ID|NAME", allow_negative_numbers = true)]
        which: String,

        /// The new name
        name: String,
    },
    /// Delete an application; events keep its id
    Delete {
        /// Its id, or its name
        #[arg(value_name = "ID|NAME", allow_negative_numbers = true)]
        which: String,

        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Runs the command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let mut book = Book::open(&args.common, "application", "/v1/applications")?;
    match args.command {
        Command::List => book.list(table).await,
        Command::Create { name, id } => {
            let mut body = Map::new();
            set(&mut body, "name", Some(name));
            set(&mut body, "id", id);
            let made = book.create(body, ORIGINS).await?;
            book.output.print(&made.json, |terminal| created(&made, &Facts::default(), terminal))
        }
        Command::Rename { which, name } => {
            let mut body = Map::new();
            set(&mut body, "name", Some(name));
            book.edit(&which, body, &[], ORIGINS).await
        }
        Command::Delete { which, yes } => book.end(&which, yes, "Deleting", "deleted").await,
    }
}

fn table(applications: &[Object]) -> Table {
    let mut table = Table::new(&["ID", "NAME"]);
    for application in applications {
        table.row([text(application, "/id"), text(application, "/name").styled(Style::Strong)]);
    }
    table
}
