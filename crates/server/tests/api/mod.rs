//! The API, call by call.

mod addresses;
mod attempts;
mod auth;
mod bounds;
mod clients;
mod counters;
mod description;
mod event;
mod events;
mod feed;
mod filters;
mod history;
mod integrations;
mod listing;
mod original_clients;
mod overview;
mod secrets;
mod service;
mod test_messages;
mod tls;
