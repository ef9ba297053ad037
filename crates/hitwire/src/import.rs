//! `hitwire import`: a whole log file into a running server, over its API.
//!
//! The ids of hits follow from the records and their places in the file, so importing a file twice makes duplicates,
//! which the server leaves out, and not new events; for the same reason a body may be sent again when an answer was lost.

use crate::api::Body;
use crate::failure::Failure;
use crate::listen::{line, show};
use crate::output::{Output, print, print_while_read};
use crate::remote::Remote;
use crate::terminal::{self, Style, Terminal};
use crate::units;
use crate::upload::{Taken, Uploader};
use clap::ValueEnum;
use hitwire_event::ClientId;
use hitwire_server::import::{Chunk, ModSecurityFile, Summary};
use hitwire_source::Settings;
use jiff::tz::TimeZone;
use serde_json::json;
use serde_json::value::RawValue;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// What `hitwire import` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What wrote the file
    #[arg(value_enum)]
    format: Format,

    /// The file; - reads standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,

    /// Show the hits that would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,

    /// The client (tenant) that the token belongs to; part of the ids of hits
    #[arg(long, value_name = "ID", default_value_t = 1)]
    client: u64,

    /// The label in the ids of hits
    #[arg(long = "env", value_name = "LABEL", default_value = "production", env = "HITWIRE_ENV")]
    env_label: String,

    /// The zone that the WAF writes its local times in: Europe/Berlin [default: the zone of this machine]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,

    #[command(flatten)]
    output: Output,

    /// An older spelling of `--output json`, which scripts use with `--dry-run`.
    #[arg(long, requires = "dry_run", hide = true)]
    json: bool,

    #[command(flatten)]
    remote: Remote,
}

/// Files that can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The JSON audit log of ModSecurity v3
    Modsecurity,
}

/// Reads the file and sends its hits, or shows them.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let settings = settings(&args)?;
    let input = open(&args.file)?;
    let Format::Modsecurity = args.format;
    let mut file = ModSecurityFile::new(input, settings);
    let unreadable = |error| Failure::Runtime(format!("cannot read {}: {error}", args.file.display()));
    let terminal = Terminal::stdout();
    if args.dry_run {
        let json = args.json || args.output.is_json();
        while let Some(chunk) = file.next_chunk().map_err(unreadable)? {
            if !shown(&chunk, json, terminal)? {
                return Ok(());
            }
        }
        terminal::tell(&summary(&args.file, file.summary(), None, Terminal::stderr()));
        return Ok(());
    }
    let mut uploader = Uploader::new(args.remote.client()?, "/v1/events");
    let mut taken = Taken::default();
    // Reading blocks this thread; nothing else waits for it.
    while let Some(chunk) = file.next_chunk().map_err(unreadable)? {
        let sent = uploader.send(Body::Lines(chunk.body.into()), |notice| terminal::tell(&notice)).await;
        let sent = sent.map_err(Failure::runtime)?;
        taken.accepted += sent.accepted;
        taken.duplicates += sent.duplicates;
    }
    if args.output.is_json() {
        return print(&counts(file.summary(), &taken).to_string());
    }
    print(&summary(&args.file, file.summary(), Some(&taken), terminal))
}

fn settings(args: &Args) -> Result<Settings, Failure> {
    let timezone = match &args.timezone {
        None => None,
        Some(name) => Some(TimeZone::get(name).map_err(|_| {
            Failure::Usage(format!("--timezone {name:?} is not known; zones look like Europe/Berlin or UTC"))
        })?),
    };
    Ok(Settings {
        client: ClientId(args.client),
        env: args.env_label.clone(),
        timezone,
        ..Settings::default()
    })
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path)
        .map_err(|error| Failure::Usage(format!("cannot open {}: {error}", path.display())))?;
    Ok(Box::new(BufReader::new(file)))
}

/// Shows the hits of a body; false when nobody reads them any more.
fn shown(chunk: &Chunk, json: bool, terminal: Terminal) -> Result<bool, Failure> {
    for object in chunk.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let object: &RawValue = serde_json::from_slice(object).map_err(Failure::runtime)?;
        let text = if json { line::harmless(object.get()) } else { show::object_line(object, terminal) };
        if !print_while_read(&text)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What was in the file, and what became of it, for programs.
fn counts(summary: &Summary, taken: &Taken) -> serde_json::Value {
    json!({
        "records": summary.records,
        "hits": summary.hits_total(),
        "blocked": summary.blocked,
        "accepted": taken.accepted,
        "duplicates": taken.duplicates,
        "lossy": summary.lossy,
        "errors": summary.errors,
    })
}

/// What was in the file, and what became of it.
fn summary(file: &Path, summary: &Summary, taken: Option<&Taken>, terminal: Terminal) -> String {
    let row = |name: &str, number: u64, words: &str| {
        let line = format!("  {name:<20}{:>9}  {words}", units::count(number));
        line.trim_end().to_owned()
    };
    let hits = summary.hits_total();
    let name = if file == Path::new("-") {
        "standard input".to_owned()
    } else {
        terminal::safe(&file.display().to_string())
    };
    let blocked = format!(
        "{} blocked, {} monitored",
        units::count(summary.blocked),
        units::count(hits - summary.blocked)
    );
    let mut lines = vec![
        terminal.paint(Style::Strong, name).to_string(),
        row("records", summary.records, ""),
        row("  no attack", summary.without_hits, "records without a rule that stands for one"),
        row("hits", hits, &blocked),
    ];
    lines.extend(
        summary.hits.iter().map(|(name, count)| row(&format!("  {}", terminal::cut(name, 24)), *count, "")),
    );
    match taken {
        None => lines.push("  Nothing was sent.".to_owned()),
        Some(taken) => {
            lines.push(row("accepted", taken.accepted, ""));
            lines.push(row("duplicates", taken.duplicates, "were there before"));
        }
    }
    if summary.lossy > 0 {
        lines.push(row("not UTF-8", summary.lossy, "records; their bad bytes are shown as \\xHH"));
    }
    if summary.errors > 0 {
        lines.push(row("skipped", summary.errors, "lines that are no records"));
        let quoted = summary.problems.iter();
        lines.extend(
            quoted.map(|(offset, why)| {
                format!("    at byte {}: {}", units::count(*offset), terminal::safe(why))
            }),
        );
        let more = summary.errors - summary.problems.len() as u64;
        if more > 0 {
            lines.push(format!("    and {} more", units::count(more)));
        }
    }
    lines.join("\n")
}
