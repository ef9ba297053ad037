//! `hitwire integration`: webhooks of a running server, over its API.
//!
//! The cast:
//!
//! - [`flags`]: the flags of `add` and `edit`; [`settings`]: what they say, into a body of the API.
//! - [`secret`]: where values come from that must not stand on a command line.
//! - [`find`]: an integration by its id or by its name.
//! - [`preview`]: what an integration would send.
//! - [`signature`]: why a received message verifies, or does not.
//! - [`show`]: integrations as people read them.

pub(crate) mod find;
pub(crate) mod flags;
mod preview;
pub(crate) mod secret;
mod settings;
pub(crate) mod show;
mod signature;

pub(crate) use find::{PATH, id_of, listed, named};

use crate::api::Body;
use crate::ask;
use crate::failure::Failure;
use crate::output::{Output, print};
use crate::remote::{Common, Object, Session, Tenant};
use crate::units;
use clap::{Subcommand, ValueEnum};
use flags::{ORIGINS, Settings, Unset};
use http::header::{ETAG, IF_MATCH};
use http::{HeaderMap, Method};
use serde_json::json;
use std::time::Duration;

/// Of more integrations than this, `list` does not ask one by one how they are doing.
const ASKED_HOW_MAX: usize = 200;

/// So many lost ranges are shown, the newest ones.
const LOST_SHOWN: usize = 5;

/// A test message takes as long as the integration's timeouts allow: 300 s each at most, and a little for the way.
const TEST_WITHIN: Duration = Duration::from_secs(620);

/// What `hitwire integration` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All integrations, and how each is doing
    List,
    /// One integration: its settings, its lanes, its last error, what it lost
    ///
    /// With --output json: {"integration": ..., "status": ..., "lost": ...}, each as the API answers it.
    Show {
        /// Its id, or its name
        #[arg(value_name = "ID|NAME")]
        which: String,
    },
    /// A new integration
    ///
    /// Prints the secret that its notifications are signed with, this once. Without --event it is subscribed to nothing.
    #[command(after_help = ADD_EXAMPLES)]
    Add {
        /// Make it, but send nothing until it is enabled
        #[arg(long)]
        inactive: bool,

        #[command(flatten)]
        settings: Settings,
    },
    /// Change an integration: what no flag names stays as it is
    ///
    /// A change of scheme, host, port or CA, and switching verification off, need every secret again: headers' values and
    /// the key.
    Edit {
        /// Its id, or its name
        #[arg(value_name = "ID|NAME")]
        which: String,

        /// Set these back to what they are in a new integration: ca-file,rate (repeatable)
        #[arg(long, value_enum, value_name = "SETTING", value_delimiter = ',')]
        unset: Vec<Unset>,

        /// Take this header away (repeatable)
        #[arg(long, value_name = "NAME")]
        remove_header: Vec<String>,

        #[command(flatten)]
        settings: Settings,
    },
    /// Let an integration send again
    Enable {
        /// Its id, or its name
        #[arg(value_name = "ID|NAME")]
        which: String,

        /// Where to go on [default: from now; after hitwire itself disabled it, with what was missed]
        #[arg(long, value_enum, value_name = "FROM")]
        resume: Option<Resume>,
    },
    /// Let an integration send nothing until it is enabled
    Disable {
        /// Its id, or its name
        #[arg(value_name = "ID|NAME")]
        which: String,
    },
    /// Take an integration away for good
    Delete {
        /// Its id, or its name
        #[arg(value_name = "ID|NAME")]
        which: String,

        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Replace the secret that notifications are signed with; the new one is shown once
    ///
    /// For a while both secrets sign, so that receivers can be changed one after the other. A still older secret ends at once.
    RotateSecret {
        /// Its id, or its name
        #[arg(value_name = "ID|NAME")]
        which: String,

        /// How long the previous secret signs as well: 0, 1h, up to 7d [default: 1d]
        #[arg(long, value_name = "DURATION", value_parser = units::duration)]
        overlap: Option<Duration>,
    },
    /// Count how many of the newest events would be sent; sends nothing
    Preview(preview::Args),
    /// Show the request that a test message would be; sends nothing
    Render {
        /// Its id, or its name
        #[arg(value_name = "ID|NAME")]
        which: String,

        /// The kind of event: siem, system, ... [default: the first that it is subscribed to]
        #[arg(long, value_name = "EVENT", value_parser = flags::event_names())]
        event: Option<String>,
    },
    /// Say why a message that a receiver got verifies, or does not; exit code 1 if a receiver does not accept it
    ///
    /// It is compared with what was sent under its webhook-id. Nothing of it is kept, and no key is shown.
    CheckSignature(signature::Args),
    /// Send test messages and show what became of each; exit code 1 if one was not delivered
    Test {
        /// Its id, or its name
        #[arg(value_name = "ID|NAME")]
        which: String,

        /// The kind of event to send: siem, system, ... [default: each that it is subscribed to, at most five]
        #[arg(long, value_name = "EVENT", value_parser = flags::event_names())]
        event: Option<String>,
    },
}

const ADD_EXAMPLES: &str = "\
Examples:
  hitwire integration add --name SIEM --url https://siem.example.com/hits --event siem \\
    --header-from-env X-Api-Key=SIEM_KEY
  hitwire integration add --name Chat --url https://chat.example.com/hook \\
    --event security_issue_critical,security_issue_high,system --rendering envelope";

/// Where an integration goes on when it is enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Resume {
    /// With what comes from now on; what was missed is recorded as skipped
    Now,
    /// With what was missed
    Missed,
}

/// Runs the command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let Args { command, common: Common { output, tenant, remote } } = args;
    let session = remote.session()?;
    let mut desk = Desk { session, tenant, output };
    match command {
        Command::List => desk.list().await,
        Command::Show { which } => desk.show(&which).await,
        Command::Add { settings, inactive } => desk.add(&settings, inactive).await,
        Command::Edit { which, settings, unset, remove_header } => {
            desk.edit(&which, &settings, &unset, &remove_header).await
        }
        Command::Enable { which, resume } => desk.enable(&which, resume).await,
        Command::Disable { which } => desk.disable(&which).await,
        Command::Delete { which, yes } => desk.delete(&which, yes).await,
        Command::RotateSecret { which, overlap } => desk.rotate_secret(&which, overlap).await,
        Command::Preview(args) => desk.preview(args).await,
        Command::Render { which, event } => desk.render(&which, event.as_deref()).await,
        Command::CheckSignature(args) => desk.check_signature(args).await,
        Command::Test { which, event } => {
            let client = remote.client()?.waiting(TEST_WITHIN);
            desk.session = Session::of(client);
            desk.test(&which, event.as_deref()).await
        }
    }
}

/// Where the commands work: the server, the client that is meant, and who reads the output.
struct Desk {
    session: Session,
    tenant: Tenant,
    output: Output,
}

impl Desk {
    async fn list(&mut self) -> Result<(), Failure> {
        let integrations = self.session.listed(&self.tenant.path(PATH)).await?;
        if self.output.is_json() {
            return self.output.print_all(integrations.iter().map(|object| &*object.json), |_| String::new());
        }
        let mut rows = Vec::with_capacity(integrations.len());
        let ask = integrations.len() <= ASKED_HOW_MAX;
        for integration in integrations {
            let status = match id_of(&integration) {
                Ok(id) if ask && integration.text("/broken").is_none() => Some(self.status(id).await?),
                _ => None,
            };
            rows.push((integration, status));
        }
        self.output.print_all([], |terminal| show::list(&rows, terminal))
    }

    async fn show(&mut self, which: &str) -> Result<(), Failure> {
        let integration = self.find(which).await?;
        let id = id_of(&integration)?;
        let status = self.status(id).await?;
        let path = self.tenant.path(&format!("{PATH}/{id}/lost?limit={LOST_SHOWN}"));
        let lost = self.session.raw(&path).await?;
        if self.output.is_json() {
            let all = format!(
                r#"{{"integration":{},"status":{},"lost":{}}}"#,
                integration.json, status.json, lost.value["lost"]
            );
            return print(&crate::listen::line::harmless(&all));
        }
        print(&show::page(&integration, &status, &lost, crate::terminal::Terminal::stdout()))
    }

    async fn add(&mut self, settings: &Settings, inactive: bool) -> Result<(), Failure> {
        let mut body = settings.creation()?;
        body["active"] = json!(!inactive);
        let path = self.tenant.path(PATH);
        let created = self.session.object(Method::POST, &path, body).await.map_err(refused)?;
        self.output.print(&created.json, |terminal| show::created(&created, terminal))
    }

    async fn edit(
        &mut self,
        which: &str,
        settings: &Settings,
        unset: &[Unset],
        without_headers: &[String],
    ) -> Result<(), Failure> {
        let id = id_of(&self.find(which).await?)?;
        let path = self.tenant.path(&format!("{PATH}/{id}"));
        let answer = self.session.call(Method::GET, &path, HeaderMap::new(), ()).await?;
        let current = self.session.enveloped(&answer)?;
        let body = settings.change(&current.value, unset, without_headers)?;
        if body.as_object().is_none_or(serde_json::Map::is_empty) {
            return Err(Failure::Usage(
                "nothing to change: say what with flags, as in --timeout 30".to_owned(),
            ));
        }
        // The change was made from what was just read: if somebody else changed it meanwhile, the server says so.
        let headers = answer.headers.get(ETAG).map(|etag| (IF_MATCH, etag.clone())).into_iter().collect();
        let answer = self.session.call(Method::PUT, &path, headers, body).await?;
        let changed = self.session.enveloped(&answer).map_err(refused)?;
        self.output.print(&changed.json, |_| format!("changed {}", show::name(&changed)))
    }

    async fn enable(&mut self, which: &str, resume: Option<Resume>) -> Result<(), Failure> {
        let id = id_of(&self.find(which).await?)?;
        let from = match resume {
            None => "",
            Some(Resume::Now) => "?resume=now",
            Some(Resume::Missed) => "?resume=missed",
        };
        let path = self.tenant.path(&format!("{PATH}/{id}{from}"));
        let enabled = self.session.object(Method::PUT, &path, json!({"active": true})).await?;
        self.output.print(&enabled.json, |_| format!("enabled {}", show::name(&enabled)))
    }

    async fn disable(&mut self, which: &str) -> Result<(), Failure> {
        let id = id_of(&self.find(which).await?)?;
        let path = self.tenant.path(&format!("{PATH}/{id}"));
        let disabled = self.session.object(Method::PUT, &path, json!({"active": false})).await?;
        self.output.print(&disabled.json, |_| format!("disabled {}", show::name(&disabled)))
    }

    async fn delete(&mut self, which: &str, yes: bool) -> Result<(), Failure> {
        // Also one whose settings are damaged.
        let integration = listed(&mut self.session, self.tenant, which).await?;
        let id = id_of(&integration)?;
        let (name, number) = (integration.text("/name").unwrap_or_default(), id.to_string());
        let name = if name.is_empty() { &number } else { name };
        let question =
            format!("Deleting {} cannot be undone; its secrets are wiped.", show::name(&integration));
        ask::to_type(name, &question, yes)?;
        let path = self.tenant.path(&format!("{PATH}/{id}"));
        let deleted = self.session.object(Method::DELETE, &path, ()).await?;
        self.output.print(&deleted.json, |_| format!("deleted {}", show::name(&deleted)))
    }

    async fn test(&mut self, which: &str, event: Option<&str>) -> Result<(), Failure> {
        let id = id_of(&self.find(which).await?)?;
        let body = event.map_or_else(|| json!({}), |event| json!({"event": event}));
        let path = self.tenant.path(&format!("{PATH}/{id}/test"));
        let answer = self.session.call(Method::POST, &path, HeaderMap::new(), Body::from(body)).await?;
        let outcome = self
            .session
            .enveloped(&answer)
            .map_err(|error| Failure::of_call(error, &[("/event", "--event")]))?;
        self.output.print(&outcome.json, |terminal| show::test(&outcome, terminal))?;
        if outcome.is("/delivered") {
            return Ok(());
        }
        let why = outcome.text("/error").unwrap_or("the receiver did not take it");
        Err(Failure::Runtime(format!("the test message was not delivered: {why}")))
    }

    async fn rotate_secret(&mut self, which: &str, overlap: Option<Duration>) -> Result<(), Failure> {
        let integration = self.find(which).await?;
        let path = self.tenant.path(&format!("{PATH}/{}/rotate-secret", id_of(&integration)?));
        let body = overlap.map_or_else(|| json!({}), |overlap| json!({"overlap": overlap.as_secs()}));
        let rotated = self.session.object(Method::POST, &path, body).await;
        let rotated = rotated.map_err(|error| Failure::of_call(error, &[("/overlap", "--overlap")]))?;
        self.output.print(&rotated.json, |terminal| show::rotated(&rotated, &integration, terminal))
    }

    async fn find(&mut self, which: &str) -> Result<Object, Failure> {
        named(&mut self.session, self.tenant, which).await
    }

    async fn status(&mut self, id: i64) -> Result<Object, Failure> {
        Ok(self.session.raw(&self.tenant.path(&format!("{PATH}/{id}/status"))).await?)
    }
}

fn refused(error: crate::api::ApiError) -> Failure {
    Failure::of_call(error, ORIGINS)
}
