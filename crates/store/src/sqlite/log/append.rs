//! The appends of one caller on their way through the log's writer: asked for, in the transaction, answered.

use super::block::{FLAG_DEDUPLICATED, FLAG_ID_REUSED};
use super::dedup::Known;
use super::fingerprint::Fingerprint;
use super::view::Checkpoints;
use crate::{Append, Appended, StoreError};
use hitwire_event::{Record, Seq};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Where a caller waits.
pub(in crate::sqlite) type Reply = oneshot::Sender<Result<Vec<Appended>, StoreError>>;

/// An append with the fingerprints of its events, which are made outside the writer.
#[derive(Debug)]
pub(in crate::sqlite) struct Prepared {
    /// What to append.
    pub append: Append,
    /// One for each event if it is to be deduplicated, else none.
    pub fingerprints: Vec<Fingerprint>,
}

/// The appends of one caller, all or nothing.
#[derive(Debug)]
pub(in crate::sqlite) struct Job {
    /// What to append, in order.
    pub appends: Vec<Prepared>,
    /// The caller waits here.
    pub reply: Reply,
}

impl Job {
    /// Number of events.
    pub(in crate::sqlite) fn rows(&self) -> usize {
        self.appends.iter().map(|prepared| prepared.append.events.len()).sum()
    }

    /// Bytes of the bodies.
    pub(in crate::sqlite) fn bytes(&self) -> usize {
        let bodies =
            self.appends.iter().flat_map(|prepared| &prepared.append.events).map(|event| event.body.len());
        bodies.sum()
    }
}

/// A caller whose events are in the transaction.
pub(in crate::sqlite) struct Written {
    /// What the caller asked for.
    pub job: Job,
    /// The position of the caller's first event that is not a duplicate.
    pub first: u64,
    /// When they are appended, wall clock.
    pub appended_ms: u64,
    /// For each event, over all appends.
    pub known: Vec<Known>,
}

impl Written {
    /// The position after the caller's last event.
    pub(in crate::sqlite) fn end(&self) -> u64 {
        self.first + self.known.iter().filter(|known| **known != Known::Duplicate).count() as u64
    }

    /// The caller's records and checkpoints, and the answer to each append.
    pub(in crate::sqlite) fn take_apart(
        self,
        records: &mut Vec<Arc<Record>>,
        checkpoints: &mut Checkpoints,
    ) -> (Reply, Vec<Appended>) {
        let mut known = self.known.into_iter();
        let mut seq = self.first;
        let mut answers = Vec::with_capacity(self.job.appends.len());
        for Prepared { append, .. } in self.job.appends {
            let mut answer = Appended::default();
            for (event, known) in append.events.into_iter().zip(known.by_ref()) {
                answer.duplicate.push(known == Known::Duplicate);
                if known != Known::Duplicate {
                    let id_reused = known == Known::IdReused;
                    records.push(Arc::new(Record::new(Seq(seq), self.appended_ms, id_reused, event)));
                    answer.accepted += 1;
                    seq += 1;
                }
            }
            checkpoints.extend(append.checkpoint);
            answers.push(answer);
        }
        (self.job.reply, answers)
    }
}

/// The flags of an event in its block.
pub(in crate::sqlite) fn flags(known: Known, deduplicate: bool) -> u8 {
    let reused = if known == Known::IdReused { FLAG_ID_REUSED } else { 0 };
    let deduplicated = if deduplicate { FLAG_DEDUPLICATED } else { 0 };
    reused | deduplicated
}

/// What is said of SQLite's errors.
pub(in crate::sqlite) fn failure(error: rusqlite::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// Tells callers that nothing of what they asked for is done.
pub(in crate::sqlite) fn refuse(jobs: impl IntoIterator<Item = Job>, error: &StoreError) {
    for job in jobs {
        // A caller that no longer waits needs no answer.
        let _ = job.reply.send(Err(error.clone()));
    }
}
