//! The commands, their flags and their exit codes.

use crate::failure::Failure;
use crate::listen;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Security events in, webhook notifications out.
#[derive(Debug, Parser)]
#[command(name = "hitwire", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive notifications here: a local HTTPS endpoint with its own CA that shows what arrives
    Listen(listen::command::Args),
}

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::Runtime(format!("cannot start: {error}")).report(),
    };
    let ended = runtime.block_on(async {
        match cli.command {
            Command::Listen(args) => listen::command::run(args).await,
        }
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
