//! What commands print: for people or for programs.

use crate::failure::Failure;
use crate::listen::line;
use crate::terminal::{self, Terminal};
use clap::ValueEnum;
use serde_json::value::RawValue;
use std::io;

/// How output is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables and sentences for people
    #[default]
    Text,
    /// JSON for programs: one document on one line, or one object a line
    Json,
}

/// The flag that chooses the output format. Every command that prints data has it.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Output {
    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text, global = true)]
    output: Format,
}

impl Output {
    /// Whether programs read it.
    pub(crate) fn is_json(self) -> bool {
        self.output == Format::Json
    }

    /// Prints the API's JSON as it came, on one line, or `text` of it for people.
    pub(crate) fn print(self, json: &RawValue, text: impl FnOnce(Terminal) -> String) -> Result<(), Failure> {
        print(&if self.is_json() { line::harmless(json.get()) } else { text(Terminal::stdout()) })
    }

    /// Prints several objects of the API as one array, or `text` of them for people.
    pub(crate) fn print_all<'a>(
        self,
        objects: impl IntoIterator<Item = &'a RawValue>,
        text: impl FnOnce(Terminal) -> String,
    ) -> Result<(), Failure> {
        if !self.is_json() {
            return print(&text(Terminal::stdout()));
        }
        let objects: Vec<_> = objects.into_iter().map(RawValue::get).collect();
        print(&line::harmless(&format!("[{}]", objects.join(","))))
    }
}

/// Prints text that ends with a line's end or not; nothing, if there is none. A reader that has gone away is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    match text.trim_end_matches('\n') {
        "" => Ok(()),
        text => print_while_read(text).map(|_| ()),
    }
}

/// Prints a line; false when nobody reads it any more.
pub(crate) fn print_while_read(line: &str) -> Result<bool, Failure> {
    match terminal::print_line(line) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::Runtime(format!("cannot write to standard output: {error}"))),
    }
}
