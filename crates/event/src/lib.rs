//! What happened, and how it is written down.
//!
//! The cast:
//!
//! - [`Event`]: something that happened. It has a client (tenant), a [`Kind`], a stable [`EventId`] and a body, which is
//!   canonical JSON: compact, the known fields in the documented order, unknown fields after them, numbers as written.
//! - [`Kind`]: what a user ticks in "Events to trigger notifications". ([`ClientId`], [`Kind`]) is a [`Stream`], the
//!   unit of subscription; [`Kind::lane`] says which [`Lane`] carries it.
//! - [`Record`]: an event in the log: with its position ([`Seq`]), the time it was appended, and the texts that were made
//!   of it, each at most once.
//! - [`hit`], [`vulnerability`], [`scope`]: the payloads that others send or that are read from them, typed.
//! - [`system`], [`rules_and_triggers`], [`requests_per_hour`]: what hitwire alone tells, typed.
//! - [`Counter`]: a number of requests, kept until it is told by the hour. Nobody can subscribe to it.
//! - [`ingest`]: bytes that a caller sent into events, or an error that says where it is wrong.
//! - [`escape`]: attacker bytes made harmless for terminals, logs and pages.
//! - [`csv`]: tables for spreadsheets, of which no cell is a formula.
//! - [`json`]: canonical JSON read without copying, and written field by field.
//! - [`filter`]: which events an integration wants; [`Facets`], what filters look at.
//! - [`Glance`]: what a list shows of an event.
//! - [`test_message()`]: an example of a kind, marked as one.
//!
//! This crate knows no IO and no clock. What it deliberately does not do: decide when anything is sent (courier), write it
//! down for a receiver (receiver), keep it (store), or read other tools' formats (source).

mod counter;
pub mod csv;
pub mod escape;
mod event;
mod facets;
pub mod filter;
mod glance;
pub mod hit;
mod ids;
pub mod ingest;
pub mod json;
mod kind;
mod lane;
mod notice;
mod number;
mod point;
pub mod requests_per_hour;
pub mod rules_and_triggers;
pub mod scope;
pub mod system;
mod test_message;
mod time;
pub mod vulnerability;

pub use counter::Counter;
pub use event::{Event, MADE_MAX, Record, content_of};
pub use facets::Facets;
pub use glance::{Glance, cut};
pub use ids::{ClientId, EventId, IntegrationId, Seq, WebhookId};
pub use kind::{Kind, ObjectType, Risk, Stream, UnknownKind};
pub use lane::{Lane, UnknownLane};
pub use notice::Actor;
pub use number::Number;
pub use point::{Point, Step};
pub use test_message::test_message;
