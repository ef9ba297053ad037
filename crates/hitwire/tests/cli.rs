//! The real binary, driven from outside: as a user, a service manager, an attacker and a power cut would.
//!
//! Everything runs on loopback addresses and in temporary directories.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod accounts;
mod apply;
mod care;
mod clock;
mod commands;
mod console;
mod delivery_log;
mod demo;
mod descriptors;
mod ecosystem;
mod history;
mod hostile;
mod import;
mod integration;
mod kill;
mod listen;
mod manual;
mod power_loss;
mod proxies;
mod secrets;
mod send;
mod serve;
mod support;
mod tail;
mod unread_log;
