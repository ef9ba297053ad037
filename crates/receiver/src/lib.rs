//! How a kind of receiver wants it: events and batches as the bytes of a request.
//!
//! The cast:
//!
//! - [`Rendering`], [`Style`]: an event's canonical JSON into what an integration asked for. [`Rendered`]: a record in it.
//! - [`Format`], [`body`]: rendered records into the body of a request.
//! - [`Labels`]: what an installation and a client call themselves in it.
//!
//! This crate knows no IO and no clock, and nothing of delivery: when a body is sent, and what came back, is for others.

mod rendering;

pub use rendering::{
    CLOUD, Format, Labels, PRODUCT, Rendered, Rendering, Style, TEST_PREFIX, body, body_len, object_len,
};
