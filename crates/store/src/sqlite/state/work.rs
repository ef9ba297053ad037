//! What is asked of the state's writer, what it answers, and what a step works with.

use super::Retire;
use super::log_memory::LogMark;
use crate::sqlite::seal::Sealer;
use crate::sqlite::view::LogView;
use crate::{Done, Op, StoreError};
use hitwire_courier::{LostRange, LostReason};
use rusqlite::Connection;
use std::cell::{Cell, RefCell};
use tokio::sync::oneshot;

/// Why a step did not succeed: what was asked is not possible, or the file is in trouble.
#[derive(Debug)]
pub(in crate::sqlite) enum Trouble {
    /// SQLite or the disk: the whole transaction is lost.
    Sql(rusqlite::Error),
    /// The answer to the one who asked; others are not concerned.
    Store(StoreError),
}

impl Trouble {
    /// Whether it concerns the whole file or the disk, and not one statement's values or one row's content.
    pub(super) fn concerns_the_file(&self) -> bool {
        use rusqlite::ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
        match self {
            Trouble::Sql(rusqlite::Error::SqliteFailure(error, _)) => {
                !matches!(error.code, TooBig | TypeMismatch | ConstraintViolation)
            }
            Trouble::Sql(_) | Trouble::Store(_) => false,
        }
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Trouble::Sql(error)
    }
}

impl From<rusqlite::types::FromSqlError> for Trouble {
    fn from(error: rusqlite::types::FromSqlError) -> Self {
        Trouble::Sql(error.into())
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Trouble::Store(error)
    }
}

/// What a step works with.
pub(in crate::sqlite) struct Context<'a> {
    /// In a transaction.
    pub connection: &'a Connection,
    /// Seals secrets.
    pub sealer: &'a Sealer,
    /// The log.
    pub view: &'a LogView,
    /// The wall clock, for times on record.
    pub now_ms: u64,
    pub(super) attempts: Cell<i64>,
    pub(super) lost: RefCell<Vec<(LostReason, u64)>>,
}

impl Context<'_> {
    /// The end of the log as this step sees it.
    pub(super) fn head(&self) -> u64 {
        self.view.head()
    }

    /// Counts events that an integration does not get.
    pub(super) fn count_lost(&self, range: &LostRange) {
        self.lost.borrow_mut().push((range.reason, range.events));
    }

    /// Counts attempts that came or went.
    pub(super) fn count_attempts(&self, change: i64) {
        self.attempts.set(self.attempts.get() + change);
    }
}

/// What is asked of the state's writer.
#[derive(Debug)]
pub(in crate::sqlite) enum Work {
    /// Ops of a caller (no appends), all or nothing.
    Ops(Vec<Op>),
    /// Retention drops a slice.
    Retire(Retire),
    /// A step of keeping the delivery log within its bounds.
    Prune,
    /// Notes how long hitwire has run, and where the log ends.
    Ran,
    /// How far the log is.
    Mark {
        /// It.
        mark: LogMark,
        /// A slice has begun: that must be known after a power loss too.
        synced: bool,
    },
}

impl Work {
    /// Whether it must be synced before it is answered.
    pub(super) fn must_be_synced(&self) -> bool {
        match self {
            Work::Ops(ops) => ops.iter().any(|op| {
                !matches!(op, Op::Save(..) | Op::TokensUsed(_) | Op::SessionsUsed(_) | Op::Append(_))
            }),
            Work::Retire(_) => true,
            Work::Prune | Work::Ran => false,
            Work::Mark { synced, .. } => *synced,
        }
    }
}

/// The answer to [`Work`].
#[derive(Debug)]
pub(in crate::sqlite) enum Answer {
    /// To ops.
    Done(Vec<Done>),
    /// To a slice that shall go: whether it may.
    Retired(bool),
    /// To pruning: whether there is more to do.
    Pruned(bool),
    /// To a note.
    Noted,
    /// To a mark.
    Marked,
}

/// Work, and who waits for it.
#[derive(Debug)]
pub(in crate::sqlite) struct Job {
    /// What to do.
    pub work: Work,
    /// The caller waits here.
    pub reply: oneshot::Sender<Result<Answer, StoreError>>,
}

/// The answer to ops.
pub(in crate::sqlite) fn done(answer: Result<Answer, StoreError>) -> Result<Vec<Done>, StoreError> {
    match answer? {
        Answer::Done(done) => Ok(done),
        Answer::Retired(_) | Answer::Pruned(_) | Answer::Noted | Answer::Marked => Err(StoreError::Closed),
    }
}
