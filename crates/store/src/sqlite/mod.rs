//! The embedded store: two kinds of SQLite file in one data directory.
//!
//! The cast:
//!
//! - `log-<first Seq>.db`, the *slices*: blocks of events, spans over them, the sources' checkpoints. `append` is what a
//!   caller wants added, `log_core` adds it in groups, `dedup` knows which ids came in lately, `block` is the form of a
//!   group on disk, `slice_writer` writes the file, `catalog` knows which slices there are, `recovery` what a start finds.
//! - `log-<first Seq>.packed.db`: a slice that has ended, rewritten by `pack` into larger blocks.
//! - `view`: what readers share. `gather` collects a page, from the `tail` in memory or through `slice_reader`, which
//!   keeps decoded blocks in the `cache`.
//! - `state.db`: integrations, lanes, history, tokens. `state` changes it in groups, `state::view` reads it.
//! - `keeper`: checkpoints, packing of ended slices, retention.
//! - `threads` and `writer`: the three threads (log, state, keeper) around these. `inline`: the same cores without
//!   threads, on the caller's.
//! - `schema`, `files`, `seal`, `clock`, `options`: versions, the directory and its lock, sealed secrets, times, bounds.
//!
//! What always holds:
//!
//! 1. What is answered is durable: appends and configuration are synced; a courier's step survives the end of the process.
//! 2. Nothing is built upon a file whose sync failed (see `log_core` and `state::file`).
//! 3. A slice is only dropped after what integrations lose with it is on record.

mod append;
mod backup;
mod block;
mod cache;
mod catalog;
mod clock;
mod damage;
mod dedup;
mod figures;
pub(crate) mod files;
mod gather;
mod inline;
mod keeper;
mod log_core;
mod options;
mod pack;
#[cfg(test)]
mod plans;
mod recovery;
mod rotate;
mod schema;
mod seal;
mod slice_reader;
mod slice_writer;
mod state;
mod tail;
mod threads;
mod verify;
mod view;
mod writer;

pub use backup::{Backup, BackupFile, back_up, restore};
pub use rotate::{KeyRotation, rotate_key};
pub use verify::{Finding, Verification, verify};

pub use options::{FaultHook, FaultPoint, MonotonicClock, Options, ThreadFailed, WallClock};

use crate::{
    ActivityPage, ActivityQuery, Answer, Append, Appended, Application, AttemptPage, AttemptQuery,
    AttemptRow, BrokenIntegration, Client, Counts, Credential, Done, Figures, Integration, IntegrationPage,
    IntegrationQuery, IntegrationRange, Lag, Lease, Link, LostRow, Op, Page, Read, Session, Store,
    StoreError, StreamFrom, Token, TokenId, Touched, User, UserId,
};
use append::Prepared;
use clock::Clock;
use dedup::Fingerprinter;
use files::DataDir;
use gather::Wanted;
use hitwire_courier::Saved;
use hitwire_event::{ClientId, Event, IntegrationId, Seq};
use inline::Inline;
use keeper::{Keeper, Keeping};
use log_core::LogCore;
use recovery::KnownOfLog;
use seal::Sealer;
use state::view::StateView;
use state::{StateCore, Trouble};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use threads::Threads;
use tokio::sync::{Semaphore, watch};
use view::LogView;

/// Reads of slices at the same time; further ones wait. Each may search some 50 ms; two cores gain nothing from more.
const LOG_READS_MAX: usize = 2;

/// Reads of the state at the same time; further ones wait. They are short, and must not wait for slices.
const STATE_READS_MAX: usize = 4;

/// The embedded store.
///
/// It is opened before serving, ended by [`Store::close`], and may as well be dropped: what was answered is durable. To
/// drop it waits for its threads.
pub struct SqliteStore {
    ground: Ground,
    sealer: Arc<Sealer>,
    fingerprinter: Fingerprinter,
    lease: Lease,
    writers: Writers,
    log_reads: Arc<Semaphore>,
    /// Those who follow the whole log take one of the places of [`LOG_READS_MAX`] at most.
    follow_reads: Semaphore,
    state_reads: Arc<Semaphore>,
}

/// Who carries things out.
enum Writers {
    Threads(Threads),
    Inline(Box<Inline>),
}

/// What every part of the store stands on.
#[derive(Clone)]
struct Ground {
    options: Arc<Options>,
    clock: Arc<Clock>,
    directory: Arc<DataDir>,
    log: Arc<LogView>,
    state: Arc<StateView>,
    counts: Arc<Counts>,
    /// Files in use that were deleted or moved.
    missing: watch::Sender<Vec<PathBuf>>,
}

/// The parts that the writers are made of.
struct CutRange {
    log: LogCore,
    state: StateCore,
    keeper: Keeper,
    notices: std::sync::mpsc::Receiver<keeper::Notice>,
    to_keeper: std::sync::mpsc::Sender<keeper::Notice>,
}

/// A store whose writers do not run yet.
struct Opened {
    ground: Ground,
    sealer: Sealer,
    fingerprinter: Fingerprinter,
    lease: Lease,
    parts: CutRange,
}

/// Opens the files, and makes the parts that work on them.
fn open(options: Options) -> Result<Opened, StoreError> {
    let options = Arc::new(options);
    let directory = Arc::new(DataDir::open(&options.data_dir)?);

    state::file::prepare(&directory)?;
    rotate::settle(&directory)?;
    let state_path = directory.state();
    let sealer = match &options.secret_key {
        Some(key) => Sealer::new(key),
        None => Sealer::from_file(&directory, state::file::is_sealed(&state_path)?)?,
    };
    let (connection, lease) = state::file::open(&state_path, &sealer)?;
    let damaged = |error: state::Trouble| match error {
        Trouble::Sql(error) => schema::damaged(&state_path, &error),
        Trouble::Store(error) => error,
    };
    let known = KnownOfLog {
        settled_to: state::lanes::settled_to(&connection).map_err(|error| damaged(error.into()))?,
        memory: state::log_memory::load(&connection).map_err(damaged)?,
    };
    let ran_before = state::running::before(&connection).map_err(|error| damaged(error.into()))?;
    let clock = Arc::new(Clock::new(&options, ran_before));

    let fingerprinter = Fingerprinter::new()?;
    let counts = Arc::default();
    let recovered = recovery::open(&directory, &options, &counts, &clock, &fingerprinter, known)?;
    state::file::remember(&connection, &recovered.memory).map_err(damaged)?;
    state::running::forget_after(&connection, recovered.view.head())
        .map_err(|error| damaged(error.into()))?;
    let ground = Ground {
        options,
        clock,
        directory,
        log: recovered.view,
        state: Arc::new(StateView::new(state_path)),
        counts,
        missing: watch::Sender::default(),
    };
    let (keeping, to_keeper, notices) = Keeping::new();
    let lease = Lease(lease);
    let parts = CutRange {
        log: LogCore::new(ground.clone(), keeping, recovered.dedup, recovered.writer),
        state: StateCore::new(ground.clone(), sealer.clone(), connection, lease)?,
        keeper: Keeper::new(ground.clone()),
        notices,
        to_keeper,
    };
    Ok(Opened { ground, sealer, fingerprinter, lease, parts })
}

impl SqliteStore {
    /// Opens the store in its data directory, or makes it, and starts its threads.
    pub fn open(options: Options) -> Result<SqliteStore, StoreError> {
        let Opened { ground, sealer, fingerprinter, lease, parts } = open(options)?;
        let writers = if ground.options.inline {
            Writers::Inline(Box::new(Inline::new(parts)))
        } else {
            Writers::Threads(Threads::start(parts, ground.options.thread_failed.as_ref())?)
        };
        Ok(SqliteStore {
            ground,
            sealer: Arc::new(sealer),
            fingerprinter,
            lease,
            writers,
            log_reads: Arc::new(Semaphore::new(LOG_READS_MAX)),
            follow_reads: Semaphore::new(1),
            state_reads: Arc::new(Semaphore::new(STATE_READS_MAX)),
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
            append.events.iter().map(|event| self.fingerprinter.of(event)).collect()
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
        let lease = self.lease;
        let mut wanted = Vec::new();
        for op in ops {
            match op {
                Op::Save(held, _) if *held != lease => return Err(StoreError::LeaseLost),
                Op::Save(_, progress) => wanted.push((progress.integration, None)),
                Op::UpdateIntegration(change) => {
                    wanted.push((change.integration.id, Some(change.integration.revision)));
                }
                _ => {}
            }
        }
        self.read_state(move |connection| {
            for (id, revision) in wanted {
                let found = state::integrations::revision(connection, id)?.ok_or(StoreError::NotFound)?;
                if revision.is_some_and(|revision| revision != found) {
                    return Err(StoreError::Conflict.into());
                }
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

    fn read(&self, read: Read) -> Answer<'_, Page> {
        Box::pin(async move {
            if let Some(page) = self.ground.log.read_memory(&read, Wanted::Streams) {
                return Ok(page);
            }
            self.read_log(move |log| log.read_disk(&read, Wanted::Streams)).await
        })
    }

    fn follow(&self, after: Seq, max_events: usize, max_bytes: usize) -> Answer<'_, Page> {
        Box::pin(async move {
            let read = Read { streams: Vec::new(), after, through: None, max_events, max_bytes };
            if let Some(page) = self.ground.log.read_memory(&read, Wanted::Everything) {
                return Ok(page);
            }
            let turn = self.follow_reads.acquire().await.map_err(|_| StoreError::Closed)?;
            let page = self.read_log(move |log| log.read_disk(&read, Wanted::Everything)).await;
            drop(turn);
            page
        })
    }

    fn head(&self) -> watch::Receiver<Seq> {
        self.ground.log.watch_head()
    }

    fn touched(&self, after: Seq) -> Touched {
        self.ground.log.touched(after.0)
    }

    fn lease(&self) -> Lease {
        self.lease
    }

    fn lag(&self, streams: Vec<StreamFrom>, after: Seq, through: Seq) -> Answer<'_, Lag> {
        Box::pin(self.read_log(move |log| log.count(&streams, after.0, through.0).map(|count| count.lag)))
    }

    fn position_at(&self, appended_ms: u64) -> Answer<'_, Seq> {
        Box::pin(self.read_log(move |log| log.position_at(appended_ms).map(Seq)))
    }

    fn position_aged(&self, age: Duration) -> Answer<'_, Seq> {
        let ran = self.ground.clock.ran();
        Box::pin(async move {
            let Some(then) = ran.checked_sub(age) else { return Ok(Seq::ZERO) };
            self.read_state(move |connection| state::running::head_at(connection, then).map(Seq)).await
        })
    }

    fn integrations(&self, range: IntegrationRange) -> Answer<'_, Vec<Integration>> {
        let sealer = self.sealer.clone();
        Box::pin(self.read_state(move |connection| state::integrations::range(connection, &sealer, &range)))
    }

    fn integration_ids(&self, client: Option<ClientId>) -> Answer<'_, Vec<IntegrationId>> {
        Box::pin(self.read_state(move |connection| state::integrations::ids(connection, client)))
    }

    fn broken_integrations(&self, client: Option<ClientId>) -> Answer<'_, Vec<BrokenIntegration>> {
        let sealer = self.sealer.clone();
        Box::pin(self.read_state(move |connection| state::integrations::broken(connection, &sealer, client)))
    }

    fn integration_page(&self, query: IntegrationQuery) -> Answer<'_, IntegrationPage> {
        Box::pin(self.read_state(move |connection| state::listing::page(connection, &query)))
    }

    fn integration(&self, id: IntegrationId) -> Answer<'_, Option<Integration>> {
        let sealer = self.sealer.clone();
        Box::pin(self.read_state(move |connection| state::integrations::load(connection, &sealer, id)))
    }

    fn saved(&self, id: IntegrationId) -> Answer<'_, Option<Saved>> {
        Box::pin(self.read_state(move |connection| state::lanes::load(connection, id)))
    }

    fn attempts(&self, id: IntegrationId, before: Option<u64>, limit: usize) -> Answer<'_, Vec<AttemptRow>> {
        Box::pin(self.read_state(move |connection| state::history::attempts(connection, id, before, limit)))
    }

    fn attempts_after(&self, after: u64, limit: usize) -> Answer<'_, Vec<(IntegrationId, AttemptRow)>> {
        Box::pin(self.read_state(move |connection| state::history::attempts_after(connection, after, limit)))
    }

    fn find_attempts(&self, query: AttemptQuery) -> Answer<'_, AttemptPage> {
        Box::pin(self.read_state(move |connection| state::history::search(connection, &query)))
    }

    fn attempt(&self, id: IntegrationId, number: u64) -> Answer<'_, Option<AttemptRow>> {
        Box::pin(self.read_state(move |connection| state::history::one(connection, id, number)))
    }

    fn lost(&self, id: IntegrationId, before: Option<u64>, limit: usize) -> Answer<'_, Vec<LostRow>> {
        Box::pin(self.read_state(move |connection| state::history::lost(connection, id, before, limit)))
    }

    fn checkpoint(&self, source: &str) -> Answer<'_, Option<Vec<u8>>> {
        let checkpoint = self.ground.log.checkpoint(source);
        Box::pin(std::future::ready(Ok(checkpoint)))
    }

    fn token(&self, sha256: [u8; 32]) -> Answer<'_, Option<Token>> {
        Box::pin(self.read_state(move |connection| state::tokens::load(connection, sha256)))
    }

    fn clients(&self) -> Answer<'_, Vec<Client>> {
        Box::pin(self.read_state(state::accounts::clients))
    }

    fn client_page(&self, after: ClientId, limit: usize) -> Answer<'_, Vec<Client>> {
        Box::pin(self.read_state(move |connection| state::accounts::client_page(connection, after, limit)))
    }

    fn users(&self, client: Option<ClientId>) -> Answer<'_, Vec<User>> {
        Box::pin(self.read_state(move |connection| state::accounts::users(connection, client)))
    }

    fn user(&self, id: UserId) -> Answer<'_, Option<User>> {
        Box::pin(self.read_state(move |connection| state::accounts::user_of_id(connection, id)))
    }

    fn users_of_email(&self, email: &str) -> Answer<'_, Vec<User>> {
        let email = email.to_owned();
        Box::pin(self.read_state(move |connection| state::accounts::users_of_email(connection, &email)))
    }

    fn credential(&self, user: UserId) -> Answer<'_, Option<Credential>> {
        let sealer = self.sealer.clone();
        Box::pin(self.read_state(move |connection| state::access::credential(connection, &sealer, user)))
    }

    fn users_of_subject(&self, issuer: &str, subject: &str) -> Answer<'_, Vec<(ClientId, UserId)>> {
        let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
        Box::pin(
            self.read_state(move |connection| state::access::users_of_subject(connection, &issuer, &subject)),
        )
    }

    fn anybody_signs_in(&self) -> Answer<'_, bool> {
        Box::pin(self.read_state(state::access::anybody))
    }

    fn session(&self, sha256: [u8; 32]) -> Answer<'_, Option<(Session, User)>> {
        Box::pin(self.read_state(move |connection| state::access::session(connection, sha256)))
    }

    fn sessions(&self, user: UserId) -> Answer<'_, Vec<Session>> {
        Box::pin(self.read_state(move |connection| state::access::sessions(connection, user)))
    }

    fn link(&self, sha256: [u8; 32]) -> Answer<'_, Option<Link>> {
        Box::pin(self.read_state(move |connection| state::access::link(connection, sha256)))
    }

    fn token_of_id(&self, id: TokenId) -> Answer<'_, Option<Token>> {
        Box::pin(self.read_state(move |connection| state::tokens::of_id(connection, id)))
    }

    fn tokens(&self, client: Option<ClientId>) -> Answer<'_, Vec<Token>> {
        Box::pin(self.read_state(move |connection| state::tokens::list(connection, client)))
    }

    fn applications(&self, client: ClientId) -> Answer<'_, Vec<Application>> {
        Box::pin(self.read_state(move |connection| state::accounts::applications(connection, client)))
    }

    fn remembered(&self, name: &'static str) -> Answer<'_, Option<String>> {
        Box::pin(self.read_state(move |connection| state::accounts::remembered(connection, name)))
    }

    fn activity(&self, query: ActivityQuery) -> Answer<'_, ActivityPage> {
        Box::pin(self.read_state(move |connection| state::activity::load(connection, &query)))
    }

    fn outbox(&self, limit: usize) -> Answer<'_, Vec<(u64, Event)>> {
        Box::pin(self.read_state(move |connection| state::outbox::load(connection, limit)))
    }

    fn announced(&self) -> watch::Receiver<u64> {
        self.ground.state.watch_announced()
    }

    fn moved(&self) -> watch::Receiver<Vec<IntegrationId>> {
        self.ground.state.watch_moved()
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
