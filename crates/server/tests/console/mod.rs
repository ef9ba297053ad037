//! The console as browsers meet it, without scripts.

mod activity;
mod deliveries;
mod events;
mod ground;
mod integrations;
mod links;
mod profile;
mod provider;
mod replays;
mod revoked;
mod second_factor;
mod settings;
mod sign_in;
mod tokens;
mod users;
