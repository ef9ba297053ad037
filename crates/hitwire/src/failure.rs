//! How a command ends when it does not end well.

use crate::terminal;
use std::fmt;
use std::process::ExitCode;

/// Why a command failed: one clear sentence, and who has to act.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was called wrongly: a flag, a variable or the configuration file has to change. Exit code 2.
    Usage(String),
    /// Something did not work while running. Exit code 1.
    Runtime(String),
}

impl Failure {
    /// An error of a part below; its text tells the user what to do.
    pub(crate) fn runtime(error: impl fmt::Display) -> Self {
        Failure::Runtime(error.to_string())
    }

    /// Says why on standard error.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            // What the operator wrote may be quoted over several lines, with a mark below the place.
            Failure::Usage(why) => {
                let lines: Vec<_> = why.lines().map(terminal::safe).collect();
                eprintln!("error: {}", lines.join("\n"));
                ExitCode::from(2)
            }
            // This may quote a server's answer, or a file's content: it must not make lines of its own.
            Failure::Runtime(why) => {
                eprintln!("error: {}", terminal::safe(why));
                ExitCode::from(1)
            }
        }
    }
}
