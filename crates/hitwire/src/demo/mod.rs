//! `hitwire demo`: the whole way of the data, on this machine, in a few seconds.
//!
//! The cast:
//!
//! - [`Script`]: real records of a WAF, and which hits each must become.
//! - [`Stage`]: a temporary directory, a [`Server`](hitwire_server::Server) with its embedded store, a
//!   [`Listener`](crate::listen::Listener) with its own certificate authority, and an integration from one to the other,
//!   made over the API as a user would.
//! - [`Tally`]: what arrived, when, and what is missing.
//!
//! Nothing is simulated: the records go through a file, the file source, the log, a courier and TLS.

mod script;
mod stage;
mod tally;

use crate::failure::Failure;
use crate::listen::show;
use crate::signals::Interrupts;
use crate::terminal::{self, Style, Terminal};
use crate::units;
use script::Script;
use stage::Stage;
use std::io;
use std::time::Duration;
use tally::Tally;
use tokio::time::{Instant, sleep_until};

/// A hit that has not arrived so long after the last record was written is missing.
const ARRIVAL_WITHIN: Duration = Duration::from_mins(2);

/// Records a second: fast enough not to bore, slow enough to read along.
const RATE_DEFAULT: u32 = 20;

/// What `hitwire demo` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Stay up afterwards, and say how to look around
    #[arg(long)]
    keep: bool,

    /// How many records the WAF writes; the sample is repeated as needed [default: the sample once]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    records: Option<u32>,

    /// How many records a second
    #[arg(long, value_name = "R", default_value_t = RATE_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
}

/// Runs the demo. A hit that does not arrive is a failure.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let terminal = Terminal::stdout();
    let mut interrupts = Interrupts::new().map_err(Failure::runtime)?;
    let mut stage = Stage::set().await?;
    let script = Script::of_sample(args.records, stage.client_id)?;
    let attack = script.first_attack();
    print(&opening(&stage, &script, args.rate, terminal))?;

    let played = play(&mut stage, script, args.rate, &mut interrupts, terminal).await;
    let ended = match played {
        Ok(Some(tally)) => {
            let failures = stage.failed_attempts().await?;
            print(&tally.summary(failures, terminal)).and_then(|()| tally.verdict(ARRIVAL_WITHIN))
        }
        // Interrupted: there is nothing to sum up.
        Ok(None) => Ok(()),
        Err(failure) => Err(failure),
    };
    if args.keep && ended.is_ok() {
        print(&stage.invitation(attack, terminal))?;
        stay(&mut stage, &mut interrupts, terminal).await?;
    }
    // Who cannot wait for connections to end interrupts again.
    tokio::select! {
        () = stage.clear() => {}
        () = interrupts.next() => {}
    }
    ended
}

/// Writes the records, and shows notifications until every hit is there. None: interrupted.
async fn play(
    stage: &mut Stage,
    script: Script,
    rate: u32,
    interrupts: &mut Interrupts,
    terminal: Terminal,
) -> Result<Option<Tally>, Failure> {
    let mut tally = Tally::of(&script);
    let log = stage.audit_log();
    let mut writing = tokio::task::spawn_blocking(move || script.write(&log, rate));
    let mut written = None;
    let mut give_up_at = None;
    while written.is_none() || tally.missing() > 0 {
        let deadline = give_up_at.unwrap_or_else(|| Instant::now() + ARRIVAL_WITHIN);
        tokio::select! {
            () = interrupts.next() => return Ok(None),
            Some(received) = stage.listener.events.recv() => {
                tally.received(&received);
                print(&show::notification(&received, terminal))?;
            }
            ended = &mut writing, if written.is_none() => {
                let times = ended.map_err(Failure::runtime)?.map_err(|error| {
                    Failure::Runtime(format!("cannot write the demo's audit log: {error}"))
                })?;
                written = Some(times);
                give_up_at = Some(Instant::now() + ARRIVAL_WITHIN);
            }
            () = sleep_until(deadline), if give_up_at.is_some() => break,
        }
    }
    tally.written(written.unwrap_or_default());
    Ok(Some(tally))
}

/// Goes on showing notifications until it is interrupted.
async fn stay(stage: &mut Stage, interrupts: &mut Interrupts, terminal: Terminal) -> Result<(), Failure> {
    loop {
        tokio::select! {
            () = interrupts.next() => return Ok(()),
            Some(received) = stage.listener.events.recv() => print(&show::notification(&received, terminal))?,
        }
    }
}

fn opening(stage: &Stage, script: &Script, rate: u32, terminal: Terminal) -> String {
    let strong = |text: String| terminal.paint(Style::Strong, text).to_string();
    let faint = |text: String| terminal.paint(Style::Faint, text).to_string();
    let records = units::counted(script.records() as u64, "ModSecurity record");
    [
        strong("A WAF's audit log becomes webhook notifications.".to_owned()),
        String::new(),
        format!("  audit log  {}", strong(stage.audit_log().display().to_string())),
        faint(format!("             {records} will be written here, {rate} a second")),
        format!("  hitwire    {}", strong(stage.api_url())),
        faint("             follows that file, keeps the hits in its log, delivers them in order".to_owned()),
        format!("  webhook    {}", strong(stage.listener.url())),
        faint(
            "             an HTTPS receiver whose CA was given to the integration as target.ca_file"
                .to_owned(),
        ),
        String::new(),
        faint("  time     type     status    client          request, parameter, payload".to_owned()),
    ]
    .join("\n")
}

fn print(text: &str) -> Result<(), Failure> {
    terminal::print_line(text).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Runtime("nobody reads the demo's output any more".to_owned()),
        _ => Failure::Runtime(format!("cannot write to standard output: {error}")),
    })
}
