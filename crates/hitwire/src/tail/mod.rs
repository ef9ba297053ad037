//! `hitwire tail`: the newest events of a running server, and those that come.
//!
//! First a page with the newest events, then a stream. A stream that breaks is taken up where it ended: the position of the
//! last event that was shown is known.

mod show;

use crate::api::{ApiError, Client};
use crate::failure::Failure;
use crate::integration::flags::event_names;
use crate::listen::line;
use crate::output::{Output, print_while_read};
use crate::remote::Common;
use crate::terminal::{self, Terminal};
use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::time::Duration;
use tokio::time::timeout;

/// The server sends a sign of life every 15 s: three of them missing, nobody is there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(45);

/// Between two tries to take up a stream; a second more each time, up to this.
const WAIT_MAX_S: u64 = 10;

/// What `hitwire tail` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only events of this kind (repeatable, or with commas); siem means hits, vuln all security issues
    #[arg(long = "kind", value_name = "EVENT", value_delimiter = ',', value_parser = event_names())]
    kinds: Vec<String>,

    /// Begin with the newest so many events
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u64).range(0..=1_000))]
    lines: u64,

    /// Go on with what comes (the default)
    #[arg(short, long, overrides_with = "no_follow")]
    follow: bool,

    /// End after the newest events
    #[arg(long, overrides_with = "follow")]
    no_follow: bool,

    #[command(flatten)]
    common: Common,
}

/// An event, as far as is needed to go on and to show it.
#[derive(Deserialize)]
struct Event<'a> {
    seq: u64,
    #[serde(default)]
    appended_at: &'a str,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// Shows events until nobody reads them any more.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let client = args.common.remote.client()?;
    let kinds = if args.kinds.is_empty() { String::new() } else { format!("&kind={}", args.kinds.join(",")) };
    let path = |from: &str| args.common.tenant.path(&format!("/v1/events?{from}{kinds}"));
    let screen = Screen { output: args.common.output, terminal: Terminal::stdout() };
    let newest = newest(&client, &path(&format!("tail={}", args.lines)), screen).await?;
    let Some(mut after) = newest.filter(|_| !args.no_follow) else { return Ok(()) };
    let mut failures = 0;
    loop {
        let before = after;
        let ended = follow(&client, &path(&format!("follow=true&after={after}")), screen, &mut after).await;
        failures = if after == before { failures + 1 } else { 1 };
        match ended {
            Ok(Ended::NobodyReads) => return Ok(()),
            Ok(Ended::ByServer) => {}
            Err(error) if error.is_passing() => terminal::tell(&terminal::safe(&error.to_string())),
            Err(error) => return Err(error.into()),
        }
        let wait = failures.min(WAIT_MAX_S);
        terminal::tell(&format!("the stream of events ended; taking it up again in {wait} s"));
        tokio::time::sleep(Duration::from_secs(wait)).await;
    }
}

enum Ended {
    ByServer,
    NobodyReads,
}

/// Shows one stream to its end; `after` moves on to the position of the last event that was shown.
async fn follow(client: &Client, path: &str, screen: Screen, after: &mut u64) -> Result<Ended, ApiError> {
    let mut lines = client.connect().await?.lines(path).await?;
    loop {
        let line = match timeout(SIGN_OF_LIFE, lines.next()).await {
            Ok(line) => line?,
            Err(_) => return Err(ApiError::Timeout { server: client.server(), within: SIGN_OF_LIFE }),
        };
        let line: Bytes = match line {
            None => return Ok(Ended::ByServer),
            Some(line) if line.is_empty() => continue,
            Some(line) => line,
        };
        let text = std::str::from_utf8(&line).map_err(|error| strange(client, &error))?;
        let event: Event<'_> = serde_json::from_str(text).map_err(|error| strange(client, &error))?;
        match screen.show(text, &event) {
            Ok(true) => *after = event.seq,
            // What cannot be written is not read either.
            Ok(false) | Err(_) => return Ok(Ended::NobodyReads),
        }
    }
}

fn strange(client: &Client, error: &impl ToString) -> ApiError {
    ApiError::Strange { server: client.server(), problem: error.to_string() }
}

/// Shows the newest events; the position to go on from, if somebody reads on. A stream would tell none before its first
/// event, and what came while it was broken would be missing.
async fn newest(client: &Client, path: &str, screen: Screen) -> Result<Option<u64>, Failure> {
    #[derive(Deserialize)]
    struct Page {
        events: Vec<Box<RawValue>>,
        next: u64,
    }
    let answer = client.request(Method::GET, path, ()).await?;
    let Page { events, next } = answer.successful(client)?;
    for event in events {
        let text = event.get();
        let event = serde_json::from_str(text).map_err(|error| strange(client, &error))?;
        if !screen.show(text, &event)? {
            return Ok(None);
        }
    }
    Ok(Some(next))
}

/// Where events are shown, and how.
#[derive(Clone, Copy)]
struct Screen {
    output: Output,
    terminal: Terminal,
}

impl Screen {
    /// Shows an event; false when nobody reads it.
    fn show(self, text: &str, event: &Event<'_>) -> Result<bool, Failure> {
        let line =
            if self.output.is_json() { line::harmless(text) } else { show::event(event, self.terminal) };
        print_while_read(&line)
    }
}
