//! The command line of hitwire.
//!
//! The cast:
//!
//! - [`listen`]: a local HTTPS receiver of webhooks with its own certificate authority; `hitwire listen`, and the other
//!   end of the demo and of tests.
//!
//! - [`api`]: a client of the HTTP API; for `hitwire import`, the demo, and tests.
//! - `serve`: flags, variables and the configuration file into a [`Config`](hitwire_server::Config); signals.
//! - `demo`, `import`: the commands of these names.
//! - `terminal`: what may be written to a terminal, and how wide it is.
//!
//! What it deliberately does not do: anything that an embedding program could want; that is in `hitwire-server` and below.

pub mod api;
mod cli;
mod demo;
mod failure;
mod import;
pub mod listen;
mod serve;
mod signals;
mod terminal;
mod units;

pub use cli::main;
