//! The server as its users meet it: a real one on a loopback port, with a data directory of its own.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod accounts;
mod api;
mod console;
mod damage;
mod delivery;
mod import;
mod lifecycle;
mod metrics;
mod serving;
mod shares;
mod sources;
mod support;
