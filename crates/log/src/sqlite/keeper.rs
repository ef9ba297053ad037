//! Keeps the files in order: checkpoints of the WALs, the end of slices, retention. It works beside the writers, so that
//! none of this makes a commit wait.

use super::Ground;
use super::files;
use super::schema::{self, Access, Kind};
use super::slice_writer::{SliceWriter, checkpoint};
use super::state::{Answer, Retire, Work};
use crate::StoreError;
use rusqlite::Connection;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

/// How often the WALs are looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often a WAL is moved into its database even if it is small, so that a start has little to read.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);

/// How often retention looks for slices that are too old, and the delivery log is pruned.
const RETENTION_EVERY: Duration = Duration::from_mins(1);

/// Portions of the delivery log that are pruned in one go.
const PRUNE_STEPS_MAX: u32 = 200;

/// Asks the state's writer.
pub(super) type Ask<'a> = &'a mut dyn FnMut(Work) -> Result<Answer, StoreError>;

/// What the keeper is told.
#[derive(Debug)]
pub(super) enum Notice {
    /// A slice has ended; when its turn is done, and retention has run, the sender is dropped.
    Rotated(Box<SliceWriter>, Sender<()>),
    /// No more work.
    Stop,
}

/// The log writer's end: hands over slices that have ended.
#[derive(Debug)]
pub(super) struct Keeping {
    notices: Sender<Notice>,
    busy: Option<Receiver<()>>,
}

impl Keeping {
    /// An end for the writer, and one for the keeper.
    pub(super) fn new() -> (Self, Sender<Notice>, Receiver<Notice>) {
        let (notices, receiver) = mpsc::channel();
        (Keeping { notices: notices.clone(), busy: None }, notices, receiver)
    }

    /// Hands over a slice that has ended.
    pub(super) fn rotated(&mut self, ended: SliceWriter) {
        let (done, busy) = mpsc::channel();
        if self.notices.send(Notice::Rotated(Box::new(ended), done)).is_ok() {
            self.busy = Some(busy);
        }
    }

    /// Waits until the keeper has dealt with the slice handed over last.
    pub(super) fn wait(&mut self) {
        if let Some(busy) = self.busy.take() {
            // Nothing is ever sent: the keeper drops its end.
            let _ = busy.recv();
        }
    }
}

/// The keeper.
pub(super) struct Keeper {
    ground: Ground,
    /// Slices that have ended, but whose WAL a reader still holds back.
    ending: Vec<SliceWriter>,
    log_connection: Option<(u64, Connection)>,
    state_connection: Option<(u64, Connection)>,
    checkpointed_at: Duration,
    /// The log's end at the last checkpoint.
    checkpointed_to: u64,
    retained_at: Option<Duration>,
}

impl Keeper {
    /// A keeper that has done nothing yet.
    pub(super) fn new(ground: Ground) -> Self {
        Keeper {
            ending: Vec::new(),
            log_connection: None,
            state_connection: None,
            checkpointed_at: ground.clock.elapsed(),
            checkpointed_to: 0,
            retained_at: None,
            ground,
        }
    }

    /// Ends a slice, and makes room for the one that has begun.
    pub(super) fn rotated(&mut self, ended: SliceWriter, ask: Ask<'_>) {
        self.ending.push(ended);
        self.end_slices();
        self.retain(ask);
    }

    /// What is to be done now and then. `true`: the minute's work was due.
    pub(super) fn tick(&mut self, ask: Ask<'_>) -> bool {
        let now = self.ground.clock.elapsed();
        self.checkpoint(now);
        if self.retained_at.is_some_and(|at| now.saturating_sub(at) < RETENTION_EVERY) {
            return false;
        }
        self.retained_at = Some(now);
        self.end_slices();
        self.retain(ask);
        for _ in 0..PRUNE_STEPS_MAX {
            match ask(Work::Prune) {
                Ok(Answer::Pruned(true)) => {}
                Ok(_) | Err(StoreError::Closed) => break,
                Err(error) => {
                    tracing::warn!(%error, "the delivery log cannot be pruned; it is tried again in a minute");
                    break;
                }
            }
        }
        true
    }

    /// Moves what the WALs hold into their databases.
    fn checkpoint(&mut self, now: Duration) {
        let due = now.saturating_sub(self.checkpointed_at) >= CHECKPOINT_EVERY;
        if due {
            self.checkpointed_at = now;
        }
        self.checkpoint_log(due);
        self.checkpoint_state(due);
    }

    fn checkpoint_log(&mut self, due: bool) {
        let slices = self.ground.log.catalog.all();
        let Some(slice) = slices.last() else { return };
        // Nothing may be moved out of a WAL whose sync failed.
        if slice.is_given_up() {
            self.log_connection = None;
            return;
        }
        let head = self.ground.log.head();
        let wal_bytes = files::file_bytes(&files::wal(&slice.path));
        if head == self.checkpointed_to || !(due || wal_bytes >= self.ground.options.wal_bytes_checkpoint()) {
            return;
        }
        let generation = slice.generation;
        if self.log_connection.as_ref().is_none_or(|(other, _)| *other != generation) {
            self.log_connection = None;
            match schema::open(&slice.path, Kind::Log, Access::Write) {
                Ok(connection) => self.log_connection = Some((generation, connection)),
                Err(error) => {
                    tracing::warn!(%error, "the log's WAL cannot be moved into its slice; it is tried again");
                }
            }
        }
        let Some((_, connection)) = &self.log_connection else { return };
        // Every frame of the log's WAL was synced when it was acknowledged, and what a failed checkpoint wrote is
        // written again by the next one: a failure here loses nothing.
        match checkpoint(connection, "PASSIVE") {
            Ok(_) => self.checkpointed_to = head,
            Err(error) => {
                tracing::warn!(%error, "the log's WAL cannot be moved into its slice; it is tried again");
            }
        }
    }

    fn checkpoint_state(&mut self, due: bool) {
        let wal = files::wal(self.ground.state.path());
        let large = files::file_bytes(&wal) >= self.ground.options.wal_bytes_checkpoint();
        if self.ground.state.is_poisoned() || !(due || large) {
            return;
        }
        let mode = if self.ground.state.take_wipe() { "TRUNCATE" } else { "PASSIVE" };
        let state = self.ground.state.clone();
        state.hold(|generation| {
            if self.state_connection.as_ref().is_none_or(|(other, _)| *other != generation) {
                self.state_connection = None;
                match schema::open(state.path(), Kind::State, Access::Write) {
                    Ok(connection) => self.state_connection = Some((generation, connection)),
                    Err(error) => {
                        tracing::warn!(%error, "the state's WAL cannot be emptied; it is tried again");
                    }
                }
            }
            let moved = self
                .state_connection
                .as_ref()
                .map_or(Ok(false), |(_, connection)| checkpoint(connection, mode));
            match moved {
                Err(error) => {
                    // Commits of the state are not synced one by one, so frames may be lost: the file is replaced.
                    tracing::error!(%error, "the state's WAL cannot be moved into its file");
                    state.poison();
                }
                // A reader was in the way; what was deleted goes with the next checkpoint.
                Ok(false) if mode == "TRUNCATE" => state.ask_to_wipe(),
                Ok(_) => {}
            }
        });
    }

    /// Ends the slices that have ended, as far as readers let it.
    fn end_slices(&mut self) {
        self.log_connection = None;
        self.ending.retain_mut(|slice| match slice.finish().and_then(|()| slice.truncate_wal()) {
            Ok(ended) => !ended,
            Err(error) => {
                tracing::warn!(%error, slice = %slice.slice.path.display(), "the slice keeps its WAL");
                false
            }
        });
    }

    /// Drops the oldest slices: while the log is too large for its limit, and those that are too old.
    fn retain(&mut self, ask: Ask<'_>) {
        let slices = self.ground.log.catalog.all();
        let sizes: Vec<u64> = slices.iter().map(|slice| files::database_bytes(&slice.path)).collect();
        let mut all_bytes: u64 = sizes.iter().sum();
        let now_ms = self.ground.clock.age_now_ms();
        // The newest slice stays: it is being written.
        for (at, (slice, bytes)) in slices.iter().zip(sizes).enumerate() {
            let Some(next) = slices.get(at + 1) else { break };
            let newest_bytes = slices.last().map_or(0, |newest| files::database_bytes(&newest.path));
            let ended_bytes = all_bytes.saturating_sub(newest_bytes);
            let age = Duration::from_millis(now_ms.saturating_sub(slice.newest_ms()));
            let too_large =
                ended_bytes + self.ground.options.reserve_bytes() > self.ground.options.retention_bytes;
            let too_old = age > self.ground.options.retention_age;
            if !too_large && !too_old {
                break;
            }
            let within_lag_budget =
                age <= self.ground.options.lag_age && all_bytes <= self.ground.options.lag_bytes;
            let detail = if too_large {
                format!("the log reached its size limit of {} bytes", self.ground.options.retention_bytes)
            } else {
                format!("events are kept for {} hours", self.ground.options.retention_age.as_secs() / 3600)
            };
            let retire = Retire {
                first: slice.first,
                last: next.first - 1,
                unless_needed: !too_large && within_lag_budget,
                detail,
            };
            match ask(Work::Retire(retire)) {
                Ok(Answer::Retired(true)) => {}
                // Still needed, or the store is closing.
                Ok(_) | Err(StoreError::Closed) => break,
                Err(error) => {
                    tracing::error!(%error, "retention cannot record what integrations lose; no slice is dropped");
                    break;
                }
            }
            tracing::info!(slice = %slice.path.display(), too_large, too_old, "a slice of the log is dropped");
            self.ending.retain(|ending| ending.slice.generation != slice.generation);
            self.ground.log.catalog.remove(slice.generation);
            self.ground.log.connections.forget(slice.generation);
            if let Err(error) =
                files::remove_database(&slice.path).and_then(|()| self.ground.directory.sync())
            {
                tracing::error!(%error, slice = %slice.path.display(), "the slice's file cannot be removed");
            }
            all_bytes = all_bytes.saturating_sub(bytes);
        }
    }
}
