//! What happened, and how it is written down.
//!
//! The cast:
//!
//! - [`Event`]: something that happened. It has a client (tenant), a [`Kind`], a stable [`EventId`] and a body, which is
//!   canonical JSON: compact, the known fields in the documented order, unknown fields after them, numbers as written.
//! - [`Kind`]: what a user ticks in "Events to trigger notifications". ([`ClientId`], [`Kind`]) is a [`Stream`], the
//!   unit of subscription; [`Kind::lane`] says which [`Lane`] carries it.
//! - [`Record`]: an event in the log: with its position ([`Seq`]), the time it was appended, and its renderings, each
//!   made at most once.
//! - [`hit`], [`vulnerability`]: the payloads, typed.
//! - [`ingest`]: bytes that a caller sent into events, or an error that says where it is wrong.
//! - [`escape`]: attacker bytes made harmless for terminals, logs and pages.
//! - [`rendering`]: an event's canonical JSON into what an integration asked for, and records into a request body.
//!
//! This crate knows no IO and no clock. What it deliberately does not do: decide when anything is sent (courier), keep
//! anything (log), or read other tools' formats (source).

pub mod escape;
mod event;
pub mod hit;
mod ids;
pub mod ingest;
mod json;
mod kind;
mod number;
mod point;
pub mod rendering;
pub mod vulnerability;

pub use event::{Event, Record, content_of};
pub use ids::{ClientId, EventId, IntegrationId, Seq, WebhookId};
pub use kind::{Kind, Lane, ObjectType, Risk, Stream, UnknownKind};
pub use number::Number;
pub use point::{Point, Step};
