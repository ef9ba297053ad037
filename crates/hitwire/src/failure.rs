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
        let (Failure::Usage(why) | Failure::Runtime(why)) = self;
        eprintln!("error: {}", terminal::safe(why));
        match self {
            Failure::Usage(_) => ExitCode::from(2),
            Failure::Runtime(_) => ExitCode::from(1),
        }
    }
}
