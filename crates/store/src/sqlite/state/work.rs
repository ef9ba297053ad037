//! What is asked of the state's writer, and what it answers.

use super::log_memory::LogMark;
use crate::sqlite::ledger::retire::{Retire, Retired};
use crate::{Done, Op, StoreError};
use tokio::sync::oneshot;

/// What is asked of the state's writer.
#[derive(Debug)]
pub(in crate::sqlite) enum Work {
    /// Ops of a caller (no appends), all or nothing.
    Ops(Vec<Op>),
    /// Retention drops a slice.
    Retire(Retire),
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
    pub(in crate::sqlite) fn must_be_synced(&self) -> bool {
        match self {
            Work::Ops(ops) => ops.iter().any(|op| {
                !matches!(
                    op,
                    Op::LoadCourier(_)
                        | Op::Save(..)
                        | Op::TokensUsed(_)
                        | Op::SessionsUsed(_)
                        | Op::Append(_)
                )
            }),
            Work::Retire(_) => true,
            Work::Ran => false,
            Work::Mark { synced, .. } => *synced,
        }
    }
}

/// The answer to [`Work`].
#[derive(Debug)]
pub(in crate::sqlite) enum Answer {
    /// To ops.
    Done(Vec<Done>),
    /// To a slice that shall go.
    Retired(Retired),
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
        Answer::Retired(_) | Answer::Noted | Answer::Marked => Err(StoreError::Closed),
    }
}
