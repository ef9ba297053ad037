//! The crate from outside: real logs into hits, and real files followed.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod follow;
mod samples;
