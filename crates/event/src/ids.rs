//! A type for each meaning of a number or a string, so that they cannot be mixed up.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! integer_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

integer_id! {
    /// A position in the log. The first event has 1; 0 stands for "before everything". Positions grow, and may have gaps.
    Seq
}
integer_id! {
    /// A tenant. Comes from the token that a caller presents, never from a request's body.
    ClientId
}
integer_id! {
    /// A webhook that a user set up.
    IntegrationId
}

impl ClientId {
    /// hitwire itself: what is kept for all clients together. Tenants begin at 1.
    pub const HITWIRE: ClientId = ClientId(0);
}

impl Seq {
    /// Before the first event.
    pub const ZERO: Seq = Seq(0);

    /// The next position.
    #[must_use]
    pub const fn next(self) -> Seq {
        Seq(self.0 + 1)
    }
}

/// An event's stable id: the same event read again has the same id. For a hit it is both parts of `id`, joined by `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub Box<str>);

impl EventId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for EventId {
    fn from(id: String) -> Self {
        EventId(id.into_boxed_str())
    }
}

impl From<&str> for EventId {
    fn from(id: &str) -> Self {
        EventId(id.into())
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of a batch, sent as the header `webhook-id`; the same on each attempt. Text of the form `msg_<32 hex digits>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebhookId(pub Box<str>);

impl WebhookId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
