//! `hitwire completions` and `hitwire man`: the command line described for shells and for `man`.

use crate::failure::Failure;
use clap::Command;
use clap_complete::Shell;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

/// What `hitwire completions` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// What `hitwire man` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// Write a page for every command into this directory, which is made if it is not there; without it the page of hitwire
    /// itself is printed
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints the script that completes the command line in a shell.
pub(crate) fn completions(args: &CompletionsArgs, mut command: Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "hitwire", &mut script);
    write_out(&script)
}

/// Prints the manual page, or writes all of them.
pub(crate) fn man(args: &ManArgs, command: Command) -> Result<(), Failure> {
    let Some(dir) = &args.dir else { return write_out(&page(command)?) };
    let written = std::fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(command, dir));
    written.map_err(|error| Failure::Runtime(format!("cannot write pages into {}: {error}", dir.display())))
}

fn page(command: Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    let made = clap_mangen::Man::new(command).render(&mut page);
    made.map_err(|error| Failure::Runtime(format!("the page cannot be made: {error}")))?;
    Ok(page)
}

fn write_out(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Runtime(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}
