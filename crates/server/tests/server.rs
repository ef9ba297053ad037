//! The server as its users meet it: a real one on a loopback port, with a data directory of its own.

mod accounts;
mod api;
mod console;
mod damage;
mod delivery;
mod dispatch;
mod import;
mod lifecycle;
mod metrics;
mod serving;
mod shares;
mod sources;
mod support;
