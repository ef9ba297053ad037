//! The crate from outside: real logs into hits, and real files followed.

mod follow;
mod samples;
