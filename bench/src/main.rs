//! How fast is it? A load generator, a receiver and the server as separate processes, and what the machine can do
//! beside them, in one table.
//!
//! The cast:
//!
//! - `load`: sends hits to the ingest API over a few kept connections; prints what was acknowledged, as JSON.
//! - `receive`: an HTTPS receiver; counts what arrives and how old it is. Told what to do on its standard input.
//! - `run`: starts both and the server, measures, and prints the table; `volume` is the part of it with many integrations
//!   and many events.
//! - `hostile`: what one hostile client costs another.
//! - `pages`: how long the console's pages take beside all of that.
//! - [`baseline`]: the same disk, SQLite and HTTP client without hitwire.
//!
//! Nothing is asserted about time: the figures are for reading, on the machine where they were seen.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bare;
mod baseline;
mod certificate;
mod hit;
mod hostile;
mod http;
mod load;
mod pages;
mod process;
mod receive;
mod run;
mod table;
mod volume;

use std::process::ExitCode;

const USAGE: &str = "\
usage: hitwire-bench run [--server FILE] [--dir DIR] [--samples DIR] [--quick]
       hitwire-bench pages [--server FILE] [--dir DIR] [--quick]
       hitwire-bench hostile [--server FILE] [--dir DIR] [--quick]
       hitwire-bench load --addr HOST:PORT --token TOKEN [--batch N] [--connections N] [--rate N] [--seconds N] [--events N]
       hitwire-bench receive --ca-out FILE

run      measures everything and prints a table; starts the other two and the server (default: hitwire beside this program);
         --samples: a folder of ModSecurity audit logs, for what real hits take on the disk
pages    measures the console's pages beside a full log, many integrations and events that come in
hostile  measures one client alone and beside a hostile one, three times; needs 4,300 file descriptors
load     closed loop, or --rate events a second in all; ends after --seconds or --events, whatever comes first
receive  an HTTPS receiver on a free loopback port; reads `take`, `answer`, `hang`, `refuse` from standard input
";

/// What went wrong, in words.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let result = Options::read(words).and_then(|options| match command.as_str() {
        "run" => run::run(&options),
        "pages" => pages::run(&options),
        "hostile" => hostile::run(&options),
        "load" => load::run(&options),
        "receive" => receive::run(&options),
        _ => Err("which of run, pages, hostile, load and receive?".into()),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("hitwire-bench: {failure}\n\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

/// `--name value` pairs, and flags without a value.
struct Options(Vec<(String, String)>);

impl Options {
    const FLAGS: [&str; 1] = ["quick"];

    fn read(mut words: impl Iterator<Item = String>) -> Result<Options, Failure> {
        let mut options = Vec::new();
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").ok_or_else(|| format!("what is {word}?"))?;
            let value = if Self::FLAGS.contains(&name) {
                String::new()
            } else {
                words.next().ok_or_else(|| format!("--{name} needs a value"))?
            };
            options.push((name.to_owned(), value));
        }
        Ok(Options(options))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(option, _)| option == name).map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Failure> {
        self.text(name)
            .map(|text| text.parse().map_err(|_| format!("--{name} wants a number, not {text}").into()))
            .transpose()
    }

    fn has(&self, name: &str) -> bool {
        self.text(name).is_some()
    }
}
