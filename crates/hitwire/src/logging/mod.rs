//! What `hitwire serve` says of itself, on standard error.
//!
//! - [`Logs`]: the flags; [`Logs::start`]: from then on `tracing` writes there.
//! - `repeats`: the same line again and again is said a few times a minute, then counted.
//!
//! Nothing here can stop the work: lines go through [`LogLines`], a panic is a log line like another.

mod repeats;

use crate::failure::Failure;
use crate::terminal::Terminal;
use clap::ValueEnum;
use hitwire_server::log_lines::{Gap, LogLines};
use repeats::Repeats;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// How long the end of the process waits for the last lines.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

/// What hitwire says of itself, on standard error.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What hitwire says of itself, on standard error")]
pub(crate) struct Logs {
    /// How log lines look
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "HITWIRE_LOG_FORMAT")]
    log_format: LogFormat,

    /// What is logged: error, warn, info, debug, trace, or single parts as in info,hitwire_api=debug
    #[arg(long, value_name = "FILTER", default_value = "info", env = "HITWIRE_LOG")]
    log: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The log while it is written. Dropped, it waits a moment for the last lines.
#[derive(Debug)]
pub(crate) struct Log(LogLines);

impl Logs {
    /// What is to be logged; an error if `--log` is no filter.
    pub(crate) fn filter(&self) -> Result<EnvFilter, Failure> {
        EnvFilter::try_new(&self.log)
            .map_err(|error| Failure::Usage(format!("--log {:?} is not a filter: {error}", self.log)))
    }

    /// Log lines go to standard error from now on, panics among them; standard output has where hitwire is and nothing
    /// else.
    pub(crate) fn start(&self) -> Result<Log, Failure> {
        let filter = self.filter()?;
        let repeats = Arc::new(Repeats::default());
        let ended = Arc::clone(&repeats);
        let lines = LogLines::start(standard_error(), move |gap| match gap {
            Gap::Tick => ended.tell_ended(),
            Gap::Dropped(lines) => tracing::warn!(lines, "log lines could not be written and were dropped"),
        });
        let writer = lines.clone();
        let writer = move || writer.clone();
        // The library would say on standard error, where it can fail, that it could not write there.
        let shown = fmt::layer().with_writer(writer).log_internal_errors(false);
        let shown = match self.log_format {
            LogFormat::Json => shown.json().boxed(),
            LogFormat::Text => shown.with_ansi(Terminal::stderr().colours()).boxed(),
        };
        tracing_subscriber::registry().with(shown).with(repeats.layer()).with(filter).init();
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            let words = panic.payload_as_str().map(hitwire_event::escape::visible);
            tracing::error!(
                place,
                panic = words.as_deref(),
                backtrace = backtrace(),
                "a part of hitwire failed by a programming error; please report this"
            );
        }));
        Ok(Log(lines))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.0.flush(FLUSH_WITHIN);
    }
}

/// Where a panic came from, if `RUST_BACKTRACE` asks for it.
fn backtrace() -> Option<String> {
    let backtrace = std::backtrace::Backtrace::capture();
    (backtrace.status() == std::backtrace::BacktraceStatus::Captured).then(|| backtrace.to_string())
}

/// Standard error by a descriptor of its own: the standard library's lock must not be held while a full pipe takes nothing.
fn standard_error() -> Box<dyn Write + Send> {
    match io::stderr().as_fd().try_clone_to_owned() {
        Ok(own) => Box::new(File::from(own)),
        Err(_) => Box::new(io::stderr()),
    }
}
