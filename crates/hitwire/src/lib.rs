//! The command line of hitwire.
//!
//! The cast:
//!
//! - [`listen`]: a local HTTPS receiver of webhooks with its own certificate authority; `hitwire listen`, and the other
//!   end of the demo and of tests.
//!
//! What it deliberately does not do: anything that an embedding program could want; that is in `hitwire-server` and below.

mod cli;
mod failure;
pub mod listen;
mod signals;
mod terminal;
mod units;

pub use cli::main;
