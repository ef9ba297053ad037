//! Who and what is set up, in tables: the [`Registry`](crate::Registry).
//!
//! - `integrations`, their targets (`target`), pages of them (`listing`), and whether one is there and enabled (`standing`).
//! - `accounts`: clients, users, applications. `access`: how users sign in. `tokens`. `authority`: whether somebody still may.
//! - `activity`: who changed what.

pub(super) mod access;
pub(super) mod accounts;
pub(super) mod activity;
pub(super) mod authority;
pub(super) mod integrations;
pub(super) mod listing;
pub(super) mod standing;
mod target;
pub(super) mod tokens;
