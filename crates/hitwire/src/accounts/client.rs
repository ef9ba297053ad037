//! `hitwire client`.

use super::{Book, Common, created, enabled, set, switch, text};
use crate::failure::{Failure, Origins};
use crate::remote::Object;
use crate::table::{Facts, Table};
use crate::terminal::Style;
use clap::{Subcommand, ValueEnum};
use ipnet::IpNet;
use serde_json::{Map, Value};

const OF_CREATE: &Origins = &[
    ("/name", "NAME"),
    ("/integrations_max", "--integrations-max"),
    ("/events_per_s", "--events-per-s"),
    ("/allow_targets", "--allow-target"),
];

const OF_EDIT: &Origins = &[
    ("/name", "--name"),
    ("/integrations_max", "--integrations-max"),
    ("/events_per_s", "--events-per-s"),
    ("/allow_targets", "--allow-target"),
];

/// What a change sends of what it does not change.
const FIELDS: &[&str] = &["name", "enabled", "integrations_max", "events_per_s", "allow_targets"];

/// What `hitwire client` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All clients that the token may see
    List,
    /// A new client; needs an operator's token
    Create {
        /// What it is called
        name: String,

        #[command(flatten)]
        quotas: Quotas,
    },
    /// Change a client: what no flag names stays as it is
    Edit {
        /// Its id, or its name
        #[arg(value_name = "ID|NAME")]
        which: String,

        /// Another name
        #[arg(long)]
        name: Option<String>,

        /// Lift these limits (repeatable, or with commas)
        #[arg(long, value_enum, value_name = "SETTING", value_delimiter = ',')]
        unset: Vec<Unset>,

        #[command(flatten)]
        quotas: Quotas,
    },
    /// Take a client away, with all that is its own
    Delete {
        /// Its id, or its name
        #[arg(value_name = "ID|NAME")]
        which: String,

        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// What a client may have.
#[derive(Debug, Default, clap::Args)]
struct Quotas {
    /// At most so many integrations
    #[arg(long, value_name = "NUMBER")]
    integrations_max: Option<u64>,

    /// At most so many events a second
    #[arg(long, value_name = "NUMBER")]
    events_per_s: Option<u64>,

    /// Its integrations may send into this network, beside those of the whole installation (repeatable, or with commas; in
    /// place of the list that there is)
    #[arg(long = "allow-target", value_name = "CIDR", value_delimiter = ',')]
    allow_targets: Vec<IpNet>,

    /// Let it do everything again
    #[arg(long, conflicts_with = "disable")]
    enable: bool,

    /// Refuse its tokens
    #[arg(long)]
    disable: bool,
}

/// What can be lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Unset {
    /// As many integrations as the installation allows
    IntegrationsMax,
    /// As many events as come
    EventsPerS,
    /// No networks of its own
    AllowTarget,
}

/// Runs the command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let mut book = Book::open(&args.common, "client", "/v1/clients")?;
    match args.command {
        Command::List => book.list(table).await,
        Command::Create { name, quotas } => {
            let made = book.create(body(Some(name), &quotas), OF_CREATE).await?;
            book.output.print(&made.json, |terminal| created(&made, &facts(&made), terminal))
        }
        Command::Edit { which, name, unset, quotas } => {
            let mut lifted = Map::new();
            for setting in unset {
                match setting {
                    Unset::IntegrationsMax => lifted.insert("integrations_max".to_owned(), Value::Null),
                    Unset::EventsPerS => lifted.insert("events_per_s".to_owned(), Value::Null),
                    Unset::AllowTarget => {
                        lifted.insert("allow_targets".to_owned(), Vec::<Value>::new().into())
                    }
                };
            }
            lifted.extend(body(name, &quotas));
            book.edit(&which, lifted, FIELDS, OF_EDIT).await
        }
        Command::Delete { which, yes } => book.end(&which, yes, "Deleting", "deleted").await,
    }
}

fn body(name: Option<String>, quotas: &Quotas) -> Map<String, Value> {
    let Quotas { integrations_max, events_per_s, allow_targets, enable, disable } = quotas;
    let mut body = Map::new();
    set(&mut body, "name", name);
    set(&mut body, "integrations_max", *integrations_max);
    set(&mut body, "events_per_s", *events_per_s);
    let networks: Vec<_> = allow_targets.iter().map(ToString::to_string).collect();
    set(&mut body, "allow_targets", (!networks.is_empty()).then_some(networks));
    switch(&mut body, *enable, *disable);
    body
}

fn facts(made: &Object) -> Facts {
    let mut facts = Facts::default();
    facts.add("state", enabled(made));
    facts.add("integrations at most", text(made, "/integrations_max"));
    facts.add("events a second", text(made, "/events_per_s"));
    facts
}

fn table(clients: &[Object]) -> Table {
    let mut table = Table::new(&["ID", "NAME", "STATE", "INTEGRATIONS", "EVENTS/S", "ALLOWED TARGETS"]);
    for client in clients {
        let targets = client.value["allow_targets"].as_array().into_iter().flatten();
        let targets: Vec<_> = targets.filter_map(Value::as_str).collect();
        table.row([
            text(client, "/id"),
            text(client, "/name").styled(Style::Strong),
            enabled(client),
            text(client, "/integrations_max"),
            text(client, "/events_per_s"),
            targets.join(", ").into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_flags_name_is_sent() {
        assert!(body(None, &Quotas::default()).is_empty());
        let quotas = Quotas {
            events_per_s: Some(100),
            allow_targets: vec!["10.1.0.0/16".parse().unwrap()],
            disable: true,
            ..Quotas::default()
        };
        let expected =
            json!({"name": "Shop", "events_per_s": 100, "allow_targets": ["10.1.0.0/16"], "enabled": false});
        assert_eq!(Value::from(body(Some("Shop".to_owned()), &quotas)), expected);
    }
}
