//! The durable log, the lanes and the integrations.
//!
//! The cast:
//!
//! - [`Store`]: the one trait, shaped for several nodes: `commit(ops)`, `read(streams, from, ...)`, and a lease in every
//!   settlement. What it answers to `commit` is durable: an append is synced to disk before it is answered.
//! - [`SqliteStore`]: the embedded implementation: `log-<first Seq>.db` slices and `state.db` in one data directory, one
//!   writer thread each.
//! - [`Integration`]: a webhook that a user set up. Its secrets are [`Secret`]s: sealed at rest, masked when printed.
//! - [`Client`], [`User`], [`Token`], [`Application`]: who may do what; [`ActivityEntry`]: what the activity log says of it.
//! - the *outbox*: events that tell of changes, kept in the same transaction as the change until they are in the log.
//! - [`Counts`]: what the store counts while it runs; [`Figures`]: how full it is.
//! - [`Details`]: what happened in single attempts, in files of its own.
//! - the *tail*: the newest events in memory, shared by every reader, bounded in bytes.
//!
//! It knows nothing of HTTP, and takes no decision about delivery: couriers decide, the store keeps.

mod access;
mod account;
mod authority;
mod counts;
mod details;
mod integration;
mod ops;
mod secret;
mod sqlite;
mod store;
mod uuid;

pub use self::uuid::new_uuid;
pub use access::{Credential, Link, Session};
pub use account::{
    ActivityEntry, ActivityPage, ActivityQuery, ActivityRow, ActivitySource, Application, Client,
    ClientLimits, FieldChange, Role, Sequence, Token, TokenId, User, UserId,
};
pub use authority::{Authority, Revoked};
pub use counts::{Counts, Distribution, Figures};
pub use details::{AttemptKey, AttemptTimings, DELIVERED_OF_EACH, Detail, Details, Draft, ResponseDetail};
pub use integration::{
    Activity, BrokenIntegration, HttpMethod, HttpVersion, Integration, IntegrationCounts, IntegrationPage,
    IntegrationQuery, IntegrationRange, IntegrationRow, NewIntegration, PreviousSecret, Target, Ticked,
};
pub use ops::{
    Append, Appended, AttemptPage, AttemptQuery, AttemptRow, Done, Lag, LostRow, Op, Page, Read, Resume,
    StreamFrom, Unreadable, UpdateIntegration,
};
pub use secret::{MASK, Secret};
pub use sqlite::{
    Backup, BackupFile, FaultHook, FaultPoint, Finding, KeyRotation, MonotonicClock, Options, SqliteStore,
    ThreadFailed, Verification, WallClock, back_up, restore, rotate_key, verify,
};
pub use store::{Answer, Lease, Store, StoreError, Touched};
