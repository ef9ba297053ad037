//! `hitwire check-config`: what `hitwire serve` would do with the same file, variables and flags, without doing it.

use crate::failure::Failure;
use crate::listen::line;
use crate::output::{Output, print};
use crate::serve;
use crate::terminal;

/// What `hitwire check-config` takes.
#[derive(Debug, clap::Args)]
// The flags of `serve` are a group of this name already.
#[group(skip)]
pub(crate) struct Args {
    #[command(flatten)]
    serve: serve::Args,

    #[command(flatten)]
    output: Output,
}

/// Checks the settings and prints the ones in effect, as a configuration file or as JSON with the same keys.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let config = serve::checked(args.serve)?;
    config
        .check_certificate()
        .map_err(|error| Failure::Usage(format!("the API's certificate cannot be used: {error}")))?;
    let file = config.to_toml();
    if args.output.is_json() {
        let settings: serde_json::Value = toml::from_str(&file).map_err(Failure::runtime)?;
        return print(&line::harmless(&settings.to_string()));
    }
    let lines: Vec<_> = file.lines().map(terminal::safe).collect();
    print(&lines.join("\n"))
}
