//! The API, call by call.

mod auth;
mod clients;
mod events;
mod history;
mod integrations;
mod secrets;
mod service;
mod test_messages;
