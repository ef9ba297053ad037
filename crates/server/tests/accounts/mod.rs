//! Clients, users, tokens, applications, and who may do what.

mod activity;
mod clients;
mod roles;
mod tokens;
mod users;
