//! `hitwire check-config`: what `hitwire serve` would do with the same file, variables and flags, without doing it.

use crate::failure::Failure;
use crate::output::print;
use crate::serve;
use crate::terminal;

/// Checks the settings and prints the ones in effect, as a configuration file.
pub(crate) fn run(args: serve::Args) -> Result<(), Failure> {
    let config = serve::checked(args)?;
    config
        .check_certificate()
        .map_err(|error| Failure::Usage(format!("the API's certificate cannot be used: {error}")))?;
    let lines: Vec<_> = config.to_toml().lines().map(terminal::safe).collect();
    print(&lines.join("\n"))
}
