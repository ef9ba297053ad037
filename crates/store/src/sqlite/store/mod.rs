//! The embedded store as its callers see it: each of its traits in a file of its own.

mod ledger;
mod log;
mod outbox;
mod registry;

use super::cores::{self, Opened};
use super::ground::Ground;
use super::inline::Inline;
use super::ledger::lanes;
use super::log::append::Prepared;
use super::log::view::LogView;
use super::options::Options;
use super::registry::integrations;
use super::seal::Sealer;
use super::state::context::Trouble;
use super::threads::Threads;
use super::{figures, files};
use crate::{Answer, Append, Appended, Counts, Done, Figures, Op, Store, StoreError};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Reads of slices at the same time; further ones wait. Each may search some 50 ms; two cores gain nothing from more.
const LOG_READS_MAX: usize = 2;

/// Reads of the state at the same time; further ones wait. They are short, and must not wait for slices.
const STATE_READS_MAX: usize = 4;

/// Reads of the delivery log at the same time; further ones wait. Each may look at thousands of rows, or wait for its writer.
const ATTEMPT_READS_MAX: usize = 4;

/// The embedded store.
///
/// It is opened before serving, ended by [`Store::close`], and may as well be dropped: what was answered is durable. To
/// drop it waits for its threads.
pub struct SqliteStore {
    pub(super) ground: Ground,
    pub(super) sealer: Arc<Sealer>,
    writers: Writers,
    log_reads: Arc<Semaphore>,
    /// Those who follow the whole log take one of the places of [`LOG_READS_MAX`] at most.
    follow_reads: Semaphore,
    state_reads: Arc<Semaphore>,
    attempt_reads: Arc<Semaphore>,
}

/// Who carries things out.
enum Writers {
    Threads(Threads),
    Inline(Box<Inline>),
}

impl SqliteStore {
    /// Opens the store in its data directory, or makes it, and starts its threads.
    pub fn open(options: Options) -> Result<SqliteStore, StoreError> {
        let Opened { ground, sealer, cores } = cores::open(options)?;
        let writers = if ground.options.inline {
            Writers::Inline(Box::new(Inline::new(cores)))
        } else {
            Writers::Threads(Threads::start(cores, ground.options.thread_failed.as_ref())?)
        };
        Ok(SqliteStore {
            ground,
            sealer: Arc::new(sealer),
            writers,
            log_reads: Arc::new(Semaphore::new(LOG_READS_MAX)),
            follow_reads: Semaphore::new(1),
            state_reads: Arc::new(Semaphore::new(STATE_READS_MAX)),
            attempt_reads: Arc::new(Semaphore::new(ATTEMPT_READS_MAX)),
        })
    }

    /// Carries ops out: appends first, then the rest, and puts the answers into the order of the ops.
    async fn carry_out(&self, ops: Vec<Op>) -> Result<Vec<Done>, StoreError> {
        let order: Vec<bool> = ops.iter().map(|op| matches!(op, Op::Append(_))).collect();
        let mut appends = Vec::new();
        let mut others = Vec::new();
        for op in ops {
            match op {
                Op::Append(append) => appends.push(self.prepare(append)),
                other => others.push(other),
            }
        }
        if !appends.is_empty() && !others.is_empty() {
            self.check(&others).await?;
        }
        let mut appended =
            if appends.is_empty() { Vec::new() } else { self.append(appends).await? }.into_iter();
        let mut done = if others.is_empty() { Vec::new() } else { self.change(others).await? }.into_iter();
        let answers = order
            .into_iter()
            .map(|is_append| if is_append { appended.next().map(Done::Appended) } else { done.next() });
        answers.collect::<Option<_>>().ok_or(StoreError::Closed)
    }

    fn prepare(&self, append: Append) -> Prepared {
        let fingerprints = if append.deduplicate {
            append.events.iter().map(|event| self.ground.fingerprinter.of(event)).collect()
        } else {
            Vec::new()
        };
        Prepared { append, fingerprints }
    }

    async fn append(&self, appends: Vec<Prepared>) -> Result<Vec<Appended>, StoreError> {
        match &self.writers {
            Writers::Threads(threads) => threads.append(appends).await,
            Writers::Inline(inline) => inline.append(appends),
        }
    }

    async fn change(&self, ops: Vec<Op>) -> Result<Vec<Done>, StoreError> {
        match &self.writers {
            Writers::Threads(threads) => threads.change(ops).await,
            Writers::Inline(inline) => inline.change(ops),
        }
    }

    /// Looks whether the ops beside an append can succeed, so that its events are not appended for nothing.
    async fn check(&self, ops: &[Op]) -> Result<(), StoreError> {
        let (mut wanted, mut saves) = (Vec::new(), Vec::new());
        for op in ops {
            match op {
                Op::Save(token, progress) => saves.push((progress.integration, *token)),
                Op::UpdateIntegration(change) => {
                    wanted.push((change.integration.id, change.integration.revision));
                }
                _ => {}
            }
        }
        self.read_state(move |connection| {
            for (id, revision) in wanted {
                let found = integrations::revision(connection, id)?.ok_or(StoreError::NotFound)?;
                if revision != found {
                    return Err(StoreError::Conflict.into());
                }
            }
            for (id, token) in saves {
                lanes::may_save(connection, id, token)?;
            }
            Ok(())
        })
        .await
    }

    /// Runs work that reads the disk: on a thread for that, when it is its turn, or inline.
    async fn read_disk<T: Send + 'static>(
        &self,
        turns: &Arc<Semaphore>,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if matches!(self.writers, Writers::Inline(_)) {
            return work();
        }
        let turn = turns.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        });
        done.await.unwrap_or(Err(StoreError::Closed))
    }

    async fn read_log<T: Send + 'static>(
        &self,
        work: impl FnOnce(&LogView) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let log = self.ground.log.clone();
        self.read_disk(&self.log_reads, move || work(&log)).await
    }

    async fn read_attempts<T: Default + Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let attempts = self.ground.attempts.clone();
        self.read_disk(&self.attempt_reads, move || attempts.read(work)).await
    }

    async fn read_state<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, StoreError> {
        let state = self.ground.state.clone();
        self.read_disk(&self.state_reads, move || state.read(work)).await
    }
}

impl Store for SqliteStore {
    fn commit(&self, ops: Vec<Op>) -> Answer<'_, Vec<Done>> {
        Box::pin(self.carry_out(ops))
    }

    fn counts(&self) -> Arc<Counts> {
        self.ground.counts.clone()
    }

    fn missing_files(&self) -> Vec<String> {
        self.ground.missing.borrow().iter().map(|path| files::deleted(path)).collect()
    }

    fn file_figures(&self) -> Answer<'_, Figures> {
        let ground = self.ground.clone();
        Box::pin(
            async move { self.read_disk(&self.state_reads, move || Ok(figures::of_files(&ground))).await },
        )
    }

    fn figures(&self) -> Answer<'_, Figures> {
        let ground = self.ground.clone();
        Box::pin(
            self.read_state(move |connection| figures::with_state(figures::of_files(&ground), connection)),
        )
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            match &self.writers {
                Writers::Threads(threads) => threads.close().await,
                Writers::Inline(inline) => inline.close(),
            }
            Ok(())
        })
    }
}
