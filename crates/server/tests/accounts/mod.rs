//! Clients, users, tokens, applications, and who may do what.

mod activity;
mod clients;
mod revoked;
mod roles;
mod tokens;
mod users;
