//! `hitwire replay` and `hitwire retry`: what is sent once more, and what is tried at once.

use crate::api::Body;
use crate::failure::Failure;
use crate::integration::find::{PATH, id_of, named};
use crate::integration::flags;
use crate::output::print;
use crate::pages::moment;
use crate::remote::{Common, Object, Session, Tenant};
use crate::table::Table;
use crate::units;
use clap::Subcommand;
use http::Method;
use serde_json::{Map, Value, json};

/// What `hitwire retry` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct RetryArgs {
    /// The integration: its id, or its name
    #[arg(value_name = "ID|NAME")]
    which: String,

    #[command(flatten)]
    common: Common,
}

/// What `hitwire replay` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The replays of an integration: those under way, and those that ended last
    List {
        /// The integration: its id, or its name
        #[arg(value_name = "ID|NAME")]
        which: String,
    },
    /// Send a part of the log once more, in new batches
    ///
    /// Live events go first; a replay gets at least one request in ten. Requests carry the header hitwire-replay, and
    /// hitwire-resend-of if a batch, an event or lost ranges are named.
    #[command(after_help = START_EXAMPLES)]
    Start(Box<Start>),
    /// Hold a replay
    Pause(Which),
    /// Let a replay that is held go on
    Resume(Which),
    /// Make a replay slower or faster
    Rate {
        #[command(flatten)]
        which: Which,

        /// At most so many events a second; 0: no limit
        #[arg(value_name = "EVENTS", value_parser = clap::value_parser!(u32).range(0..=100_000))]
        events_per_second: u32,
    },
    /// End a replay; what is on its way may still arrive
    Cancel(Which),
}

const START_EXAMPLES: &str = "\
Examples:
  hitwire replay start SIEM --from 2026-03-01T08:00:00Z --until 2026-03-01T09:00:00Z --preview
  hitwire replay start SIEM --from 2026-03-01T08:00:00Z --events-per-second 200
  hitwire replay start SIEM --lost all
  hitwire replay start SIEM --attempt 1234";

#[derive(Debug, clap::Args)]
struct Which {
    /// The integration: its id, or its name
    #[arg(value_name = "ID|NAME")]
    integration: String,

    /// The number of the replay
    #[arg(value_name = "REPLAY")]
    number: u32,
}

#[derive(Debug, clap::Args)]
struct Start {
    /// The integration: its id, or its name
    #[arg(value_name = "ID|NAME")]
    which: String,

    #[command(flatten)]
    part: Part,

    /// What came before this time [default: up to now]
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "from")]
    until: Option<String>,

    /// Up to this position, itself included [default: up to now]
    #[arg(long, value_name = "SEQ", requires = "first")]
    last: Option<u64>,

    /// Only these kinds of events: siem,system (repeatable) [default: those that it is subscribed to]
    #[arg(long = "kind", value_name = "EVENT", value_delimiter = ',', value_parser = flags::event_names())]
    kinds: Vec<String>,

    /// Whatever the integration's filter says
    #[arg(long)]
    unfiltered: bool,

    /// At most so many events a second [default: as fast as the endpoint takes them]
    #[arg(long, value_name = "EVENTS", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    events_per_second: Option<u32>,

    /// Start it, and hold it
    #[arg(long)]
    paused: bool,

    /// Start nothing; say how many events there are
    #[arg(long)]
    preview: bool,
}

/// Which part of the log, named in one way.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Part {
    /// What came at this time or later: RFC 3339, or as far back as 90s, 15m, 4h, 7d
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<String>,

    /// From this position of the log on
    #[arg(long, value_name = "SEQ")]
    first: Option<u64>,

    /// The batch of this attempt
    #[arg(long, value_name = "NUMBER")]
    attempt: Option<u64>,

    /// The event with this id
    #[arg(long, value_name = "ID")]
    event: Option<String>,

    /// The event at this position
    #[arg(long, value_name = "SEQ")]
    seq: Option<u64>,

    /// Lost ranges by their numbers, or all of them
    #[arg(long, value_name = "NUMBER|all", value_delimiter = ',')]
    lost: Vec<String>,
}

impl Start {
    fn body(&self) -> Result<Value, Failure> {
        let Part { from, first, attempt, event, seq, lost } = &self.part;
        let mut body = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(name.to_owned(), value);
            }
        };
        set("from", from.as_deref().map(Value::from));
        set("until", self.until.as_deref().map(Value::from));
        set("first", first.map(Value::from));
        set("last", self.last.map(Value::from));
        set("attempt", attempt.map(Value::from));
        set("event", event.as_deref().map(Value::from));
        set("seq", seq.map(Value::from));
        set("lost", lost_ranges(lost)?);
        set("events", (!self.kinds.is_empty()).then(|| json!(self.kinds)));
        set("filter", self.unfiltered.then(|| json!({})));
        set("events_per_second", self.events_per_second.map(Value::from));
        set("paused", self.paused.then_some(true.into()));
        set("preview", self.preview.then_some(true.into()));
        Ok(Value::Object(body))
    }
}

fn lost_ranges(texts: &[String]) -> Result<Option<Value>, Failure> {
    match texts {
        [] => Ok(None),
        [all] if all == "all" => Ok(Some("all".into())),
        texts => {
            let numbers: Result<Vec<u64>, _> = texts.iter().map(|text| text.parse()).collect();
            let wrong = |_| Failure::Usage("--lost takes numbers of lost ranges, or all".to_owned());
            numbers.map(|numbers| Some(json!(numbers))).map_err(wrong)
        }
    }
}

/// Runs `hitwire replay`.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let Args { command, common: Common { output, tenant, remote } } = args;
    let mut session = remote.session()?;
    let (which, call) = match command {
        Command::List { which } => {
            let path = path_of(&mut session, tenant, &which).await?;
            let replays = session.raw(&tenant.path(&path)).await?;
            return output.print(&replays.json, |terminal| {
                let replays = replays.value["replays"].as_array().map_or(&[][..], Vec::as_slice);
                if replays.is_empty() { "no replays\n".to_owned() } else { table(replays).lines(terminal) }
            });
        }
        Command::Start(start) => {
            let path = path_of(&mut session, tenant, &start.which).await?;
            let body = start.body()?;
            let made = session.object(Method::POST, &tenant.path(&path), Body::from(body)).await?;
            return output.print(&made.json, |_| begun(&made, start.preview));
        }
        Command::Pause(which) => (which, Some(json!({"paused": true}))),
        Command::Resume(which) => (which, Some(json!({"paused": false}))),
        Command::Rate { which, events_per_second: 0 } => (which, Some(json!({"events_per_second": null}))),
        Command::Rate { which, events_per_second } => {
            (which, Some(json!({"events_per_second": events_per_second})))
        }
        Command::Cancel(which) => (which, None),
    };
    let path = path_of(&mut session, tenant, &which.integration).await?;
    let path = tenant.path(&format!("{path}/{}", which.number));
    let now = match call {
        Some(body) => session.object(Method::PUT, &path, Body::from(body)).await?,
        None => session.object(Method::DELETE, &path, ()).await?,
    };
    output.print(&now.json, |terminal| table([&now.value]).lines(terminal))
}

/// Runs `hitwire retry`.
pub(crate) async fn retry(args: RetryArgs) -> Result<(), Failure> {
    let RetryArgs { which, common: Common { output, tenant, remote } } = args;
    let mut session = remote.session()?;
    let id = id_of(&named(&mut session, tenant, &which).await?)?;
    let retried = session.object(Method::POST, &tenant.path(&format!("{PATH}/{id}/retry")), ()).await?;
    if output.is_json() {
        return output.print(&retried.json, |_| String::new());
    }
    let batches = retried.number("/batches").unwrap_or_default();
    print(&match batches {
        0 => "nothing was waiting to be sent again\n".to_owned(),
        1 => "1 batch is tried now, under the same webhook-id\n".to_owned(),
        batches => format!("{} batches are tried now, under the same webhook-ids\n", units::count(batches)),
    })
}

async fn path_of(session: &mut Session, tenant: Tenant, which: &str) -> Result<String, Failure> {
    let id = id_of(&named(session, tenant, which).await?)?;
    Ok(format!("{PATH}/{id}/replays"))
}

fn begun(made: &Object, preview: bool) -> String {
    let events = units::count(made.number("/total").unwrap_or_default());
    let filtered = if made.is("/filtered") { ", of which a filter lets some pass" } else { "" };
    let what = made.text("/what").unwrap_or_default();
    if preview {
        format!("{what}: {events} events{filtered}; nothing was started\n")
    } else {
        let number = made.number("/number").unwrap_or_default();
        format!("replay {number} started: {what}, {events} events{filtered}\n")
    }
}

/// Replays, a row each.
pub(crate) fn table<'a>(replays: impl IntoIterator<Item = &'a Value>) -> Table {
    let mut table =
        Table::new(&["REPLAY", "STATE", "WHAT", "DELIVERED", "LEFT", "GIVEN UP", "STARTED", "BY"]);
    for replay in replays {
        let text = |name: &str| replay[name].as_str().unwrap_or("-").to_owned();
        let number = |name: &str| units::count(replay[name].as_u64().unwrap_or(0));
        table.row([
            number("number").into(),
            text("state").into(),
            text("what").into(),
            number("delivered").into(),
            number("left").into(),
            number("given_up").into(),
            text("started_at").into(),
            text("started_by").into(),
        ]);
    }
    table
}
