//! The command line of hitwire.
//!
//! The cast:
//!
//! - [`listen`]: a local HTTPS receiver of webhooks with its own certificate authority; `hitwire listen`, and the other
//!   end of the demo and of tests.
//!
//! - [`api`]: a client of the HTTP API; for the commands that talk to a running server, the demo, and tests.
//! - `serve`: flags, variables and the configuration file into a [`Config`](hitwire_server::Config); signals.
//! - `allocator`: how a server takes memory.
//! - `logging`: what `serve` says on standard error, without ever waiting or failing for it.
//! - `check_config`: the same, without running; `manual`: completions and manual pages.
//! - `accounts`: `token`, `client`, `user`, `application`. `care`: `verify`, `backup`, `restore`, `key`, on the files themselves.
//! - `activity`, `apply`, `attempt`, `demo`, `import`, `integration`, `lost`, `send`, `source`, `tail`: the commands of these names; `upload`: what those that send events share.
//! - `remote`: a running server, as commands see it: flags, token, calls. `failure`: how a command ends when it does not
//!   end well, and its exit code.
//! - `pages`: lists that the API answers page by page.
//! - `output`, `table`, `ask`: what commands print and ask; `terminal`: what may be written to a terminal, and how wide it
//!   is.
//!
//! What it deliberately does not do: anything that an embedding program could want; that is in `hitwire-server` and below.

mod accounts;
mod activity;
mod allocator;
pub mod api;
mod apply;
mod ask;
mod attempt;
mod care;
mod check_config;
mod cli;
mod demo;
mod failure;
mod import;
mod integration;
pub mod listen;
mod logging;
mod lost;
mod manual;
mod output;
mod pages;
mod remote;
mod replay;
mod send;
mod serve;
mod signals;
mod source;
mod table;
mod tail;
mod terminal;
mod units;
mod upload;

pub use cli::main;
