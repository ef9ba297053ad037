//! What is durable: the log, what became of its events for each integration, and who and what is set up.
//!
//! The cast:
//!
//! - [`Store`]: all of it, shaped for several nodes. `commit(ops)` changes it: several [`Op`]s that belong together are one
//!   call. What it answers to `commit` is durable: an append is synced to disk before it is answered. It is read through
//!   four traits, so that a caller takes no more than it needs:
//!   - [`Log`]: events in order, as blocks; sources' checkpoints. For ingest, sources, processors, couriers, the index.
//!   - [`Ledger`]: lanes, batches on their way, attempts, dead and skipped ranges. For couriers and the delivery log. Each save
//!     of a courier carries the [`CourierToken`] of its load.
//!   - [`Registry`]: integrations, clients, users, credentials, sessions, tokens, applications, the activity log. For the API
//!     and the console.
//!   - [`Outbox`]: events that tell of changes, kept in the same transaction as the change until they are in the log.
//! - [`SqliteStore`]: the embedded implementation: `log-<first Seq>.db` slices and `state.db` in one data directory.
//! - [`Integration`]: a webhook that a user set up. Its secrets are [`Secret`]s: sealed at rest, masked when printed.
//! - [`Client`], [`User`], [`Token`], [`Application`]: who may do what; [`ActivityEntry`]: what the activity log says of it.
//! - [`Counts`]: what the store counts while it runs; [`Figures`]: how full it is.
//! - [`Details`]: what happened in single attempts, in files of its own.
//!
//! It knows nothing of HTTP, and takes no decision about delivery: couriers decide, the store keeps.

mod answer;
pub mod change;
mod counts;
mod details;
mod ledger;
mod log;
mod ops;
mod outbox;
mod registry;
mod secret;
mod sqlite;
mod store;
mod uuid;

pub use self::uuid::new_uuid;
pub use answer::{Answer, StoreError};
pub use counts::{Counts, Distribution, Figures};
pub use details::{
    AttemptKey, AttemptTimings, DELIVERED_OF_EACH, Detail, Details, Draft, PrivateDetail, ResponseDetail,
};
pub use ledger::{
    AttemptPage, AttemptQuery, AttemptRow, CourierToken, Ledger, LoadedCourier, LostRow, Moved, NewReplay,
    Replay, ReplayChange, ReplayEnd, ReplayPlan, ReplayPurpose, Segment, SteerReplay,
};
pub use log::{Append, Appended, Head, Lag, Log, Page, Read, StreamFrom, Touched, Unreadable};
pub use ops::{Done, Op};
pub use outbox::Outbox;
pub use registry::{
    Activity, ActivityEntry, ActivityPage, ActivityQuery, ActivityRow, ActivitySource, Application,
    Authority, BrokenIntegration, Client, ClientLimits, Credential, FieldChange, HttpMethod, HttpVersion,
    Integration, IntegrationCounts, IntegrationPage, IntegrationQuery, IntegrationRange, IntegrationRow,
    Link, ListedIntegration, NewIntegration, PreviousSecret, Registry, Resume, Revoked, Role, Sequence,
    Session, SignedIn, Target, Ticked, Token, TokenId, UpdateIntegration, User, UserId,
};
pub use secret::{MASK, Secret};
pub use sqlite::{
    Backup, BackupFile, FaultHook, FaultPoint, Finding, KeyRotation, MonotonicClock, Options, SqliteStore,
    ThreadFailed, Verification, WallClock, back_up, restore, rotate_key, verify,
};
pub use store::Store;
