//! The console as browsers meet it, without scripts.

mod ground;
