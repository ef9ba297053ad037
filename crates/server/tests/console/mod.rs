//! The console as browsers meet it, without scripts.

mod ground;
mod sign_in;
mod users;
