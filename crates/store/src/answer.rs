//! How a store answers.

use crate::Revoked;
use std::future::Future;
use std::pin::Pin;

/// What a store promises for later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why a store could not do what it was asked. The text tells the user what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk refuses: writing is suspended until a sync works again. Callers answer 503 and try later.
    #[error("the log cannot be written: {0}; nothing was accepted, try again later")]
    Unavailable(String),
    /// The disk has less free space than the floor.
    #[error(
        "only {free_bytes} bytes are free on the log's disk, the floor is {floor_bytes}; nothing was accepted"
    )]
    DiskFloor {
        /// Free bytes.
        free_bytes: u64,
        /// Configured floor.
        floor_bytes: u64,
    },
    /// A courier's step, and somebody else has changed the courier since it was loaded: it is to be loaded again. Others are not
    /// concerned.
    #[error("the courier was changed since it was loaded; load it again")]
    Overtaken,
    /// The revision that an update was made from is no longer the current one.
    #[error("it was changed meanwhile; read it again and repeat the change")]
    Conflict,
    /// What must be unique is there already, or something is still in use. Says which.
    #[error("{0}")]
    Taken(String),
    /// Something that the change belongs to is not there any more: its client, or its user. Says which.
    #[error("{0}")]
    Gone(String),
    /// Whoever makes the change may not do so any more. Nothing was changed.
    #[error("{0} while the call was under way; nothing was changed")]
    Revoked(Revoked),
    /// No such thing.
    #[error("there is no such thing any more")]
    NotFound,
    /// A file was written by a newer hitwire, is damaged, is in use, or has the wrong key. Says which and what to do.
    #[error("{0}")]
    Open(String),
    /// The store was closed.
    #[error("the log is closed")]
    Closed,
}
