//! Keeps the files in order: checkpoints of the WALs, packing of ended slices, retention. It works beside the writers, so
//! that none of this makes a commit wait.

use super::files;
use super::ground::Ground;
use super::ledger::retire::{RangeCounts, Retire, Retired};
use super::log::catalog::Slice;
use super::log::pack::Packing;
use super::options::FaultPoint;
use super::schema::{self, Access, Kind, LOG_PAGE_BYTES, STATE_PAGE_BYTES};
use super::state::log_memory::LogMark;
use super::state::running;
use super::state::view::StateView;
use super::state::work::{Answer, Work};
use super::wal::{self, Checkpoint, WalContent, checkpoint};
use crate::StoreError;
use hitwire_event::IntegrationId;
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often the WALs are looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often a WAL is moved into its database even if it is small, so that a start has little to read.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);

/// A WAL that is held back is told at most this often, and not before it lasts so long.
const HELD_BACK_TOLD_EVERY: Duration = Duration::from_secs(10);

/// How often retention looks for slices that are too old, and it is noted how long hitwire ran.
const RETENTION_EVERY: Duration = Duration::from_mins(1);

/// How long packing works at a stretch, and how long it then leaves the processor to others: a tenth of one core.
const PACK_STEP: Duration = Duration::from_millis(10);
/// See [`PACK_STEP`].
pub(super) const PACK_PAUSE: Duration = Duration::from_millis(90);

/// Asks the state's writer.
pub(super) type Ask<'a> = &'a mut dyn FnMut(Work) -> Result<Answer, StoreError>;

/// What keeps a WAL from being used again, and since when.
#[derive(Debug, Default)]
struct HeldBack {
    since: Option<Duration>,
    told_at: Option<Duration>,
}

impl HeldBack {
    /// After a try to move all of a WAL.
    fn seen(&mut self, content: WalContent, bytes: u64, whose: &str, now: Duration) {
        if content.left() == 0 {
            *self = HeldBack::default();
            return;
        }
        let since = *self.since.get_or_insert(now);
        let told_at = self.told_at.unwrap_or(since);
        if now.saturating_sub(told_at) >= HELD_BACK_TOLD_EVERY {
            self.told_at = Some(now);
            let seconds = now.saturating_sub(since).as_secs();
            tracing::warn!(bytes, seconds, "a reader holds the WAL of the {whose} back, and it grows");
        }
    }
}

/// The keeper.
pub(super) struct Keeper {
    ground: Ground,
    packing: Option<Packing>,
    /// Generations of slices that could not be packed.
    unpackable: BTreeSet<u64>,
    log_connection: Option<(u64, Connection)>,
    state_connection: Option<(u64, Connection)>,
    log_held_back: HeldBack,
    state_held_back: HeldBack,
    checkpointed_at: Duration,
    /// The log's end at the last checkpoint.
    checkpointed_to: u64,
    retained_at: Option<Duration>,
    /// What the state remembers of the log.
    marked: Option<LogMark>,
}

impl Keeper {
    /// A keeper that has done nothing yet.
    pub(super) fn new(ground: Ground) -> Self {
        Keeper {
            packing: None,
            unpackable: BTreeSet::new(),
            log_connection: None,
            state_connection: None,
            log_held_back: HeldBack::default(),
            state_held_back: HeldBack::default(),
            checkpointed_at: ground.clock.elapsed(),
            checkpointed_to: 0,
            retained_at: None,
            marked: None,
            ground,
        }
    }

    /// Makes room for the slice that has begun.
    pub(super) fn rotated(&mut self, ask: Ask<'_>) {
        self.log_connection = None;
        self.mark(true, ask);
        self.retain(ask);
    }

    /// Tells of files in use that were deleted or moved, once, and again when they are back.
    fn look_for_files(&mut self) {
        let slices = self.ground.log.catalog.all();
        // Asked in this order: a slice is marked before its file is removed on purpose.
        let gone = slices.iter().filter(|slice| !slice.path.exists() && !slice.is_removed());
        let mut missing: Vec<PathBuf> = gone.map(|slice| slice.path.clone()).collect();
        let state = self.ground.state.path();
        if !state.exists() {
            missing.push(state.clone());
        }
        self.ground.missing.send_if_modified(|before| {
            if *before == missing {
                return false;
            }
            for path in missing.iter().filter(|path| !before.contains(path)) {
                tracing::error!("{}", files::deleted(path));
            }
            for path in before.iter().filter(|path| !missing.contains(path)) {
                tracing::info!(file = %path.display(), "a file that was missing is there again, or not needed any more");
            }
            *before = missing;
            true
        });
    }

    /// Has the state remember how far the log is.
    fn mark(&mut self, synced: bool, ask: Ask<'_>) {
        let Some(slice) = self.ground.log.catalog.all().last().map(|slice| slice.first) else { return };
        let mark = LogMark { slice, end: self.ground.log.head() };
        if self.marked == Some(mark) {
            return;
        }
        match ask(Work::Mark { mark, synced }) {
            Ok(_) => self.marked = Some(mark),
            Err(StoreError::Closed) => {}
            Err(error) => tracing::debug!(%error, "how far the log is could not be remembered"),
        }
    }

    /// Whether there is a slice to pack.
    pub(super) fn has_to_pack(&self) -> bool {
        self.packing.is_some() || self.next_to_pack().is_some()
    }

    /// Packs for a moment.
    pub(super) fn pack(&mut self) {
        if self.packing.is_none()
            && let Some((slice, last)) = self.next_to_pack()
        {
            let Ground { directory, fingerprinter, .. } = &self.ground;
            match Packing::begin(directory, Arc::clone(&slice), last, *fingerprinter) {
                Ok(packing) => self.packing = Some(packing),
                Err(error) => self.cannot_pack(&slice, &error),
            }
        }
        let Some(mut packing) = self.packing.take() else { return };
        let slice = Arc::clone(packing.slice());
        if slice.is_removed() {
            return packing.give_up();
        }
        match packing.step(PACK_STEP) {
            Ok(false) => self.packing = Some(packing),
            Ok(true) => match packing.finish(&self.ground.directory) {
                Ok(packed) => self.put_in_place(&slice, packed),
                Err(error) => self.cannot_pack(&slice, &error),
            },
            Err(error) => {
                packing.give_up();
                self.cannot_pack(&slice, &error);
            }
        }
    }

    /// The oldest slice that has ended, holds events and is not packed, with the last position of it that counts. One whose WAL
    /// could not be moved waits for the next start: until then what the disk dropped of it may be read in its place.
    fn next_to_pack(&self) -> Option<(Arc<Slice>, u64)> {
        let slices = self.ground.log.catalog.all();
        let (slice, next) = slices.iter().zip(slices.iter().skip(1)).find(|(slice, next)| {
            let is_empty = slice.oldest_ms() == u64::MAX || slice.first == next.first;
            !slice.packed && !slice.is_stuck() && !is_empty && !self.unpackable.contains(&slice.generation)
        })?;
        // The next one may begin behind a gap.
        Some((Arc::clone(slice), slice.last().min(next.first - 1)))
    }

    /// The packed slice takes the other one's place.
    fn put_in_place(&mut self, slice: &Arc<Slice>, packed: Arc<Slice>) {
        let path = packed.path.clone();
        let (before, after) = (files::database_bytes(&slice.path), files::database_bytes(&path));
        let gone = if self.ground.log.catalog.replace(slice, packed) { &slice.path } else { &path };
        self.ground.log.connections.forget(slice.generation);
        if let Err(error) = files::remove_database(gone).and_then(|()| self.ground.directory.sync()) {
            tracing::error!(%error, slice = %gone.display(), "the slice's file cannot be removed");
        }
        tracing::debug!(slice = %path.display(), before, after, "a slice was packed");
    }

    fn cannot_pack(&mut self, slice: &Slice, error: &StoreError) {
        tracing::warn!(%error, slice = %slice.path.display(), "the slice cannot be packed; it stays as it is");
        self.unpackable.insert(slice.generation);
    }

    /// What is to be done now and then. `true`: the minute's work was due.
    pub(super) fn tick(&mut self, ask: Ask<'_>) -> bool {
        let now = self.ground.clock.elapsed();
        self.look_for_files();
        if self.checkpoint(now) {
            self.mark(false, ask);
        }
        if self.retained_at.is_some_and(|at| now.saturating_sub(at) < RETENTION_EVERY) {
            return false;
        }
        self.retained_at = Some(now);
        match ask(Work::Ran) {
            Ok(_) | Err(StoreError::Closed) => {}
            Err(error) => {
                tracing::warn!(%error, "how long hitwire has run cannot be noted; it is tried again in a minute");
            }
        }
        self.retain(ask);
        true
    }

    /// Moves what the WALs hold into their databases. `true`: it was time for more than large ones.
    fn checkpoint(&mut self, now: Duration) -> bool {
        let due = now.saturating_sub(self.checkpointed_at) >= CHECKPOINT_EVERY;
        if due {
            self.checkpointed_at = now;
        }
        self.checkpoint_log(due, now);
        self.checkpoint_state(due, now);
        due
    }

    /// A WAL has grown.
    pub(super) fn wal_grew(&mut self) {
        let now = self.ground.clock.elapsed();
        self.checkpoint_log(false, now);
        self.checkpoint_state(false, now);
    }

    fn checkpoint_log(&mut self, due: bool, now: Duration) {
        let slices = self.ground.log.catalog.all();
        let Some(slice) = slices.last() else { return };
        if slice.is_given_up() || slice.is_stuck() {
            self.log_connection = None;
            return;
        }
        let head = self.ground.log.head();
        if head == self.checkpointed_to {
            return;
        }
        let generation = slice.generation;
        if self.log_connection.as_ref().is_none_or(|(other, _)| *other != generation) {
            self.log_connection = None;
            self.log_held_back = HeldBack::default();
            match schema::open(&slice.path, Kind::Log, Access::Write) {
                Ok(connection) => self.log_connection = Some((generation, connection)),
                Err(error) => {
                    tracing::warn!(%error, "the log's WAL cannot be moved into its slice; it is tried again");
                }
            }
        }
        let Some((_, connection)) = &self.log_connection else { return };
        let pass = || {
            if self.ground.options.fails_at(FaultPoint::LogMove) {
                return Err(rusqlite::Error::InvalidQuery);
            }
            wal::move_some(connection)
        };
        let move_wal = || -> rusqlite::Result<WalContent> {
            let content = checkpoint(connection, Checkpoint::Look)?;
            let is_large = content.bytes(LOG_PAGE_BYTES) >= self.ground.options.wal_bytes_to_move();
            wal::move_what_is_due(content, is_large, due, &pass, &self.ground.log.writer, &slice.readers)
        };
        match move_wal() {
            Ok(content) => {
                if content.left() == 0 {
                    self.checkpointed_to = head;
                }
                let bytes = content.bytes(LOG_PAGE_BYTES);
                if bytes >= self.ground.options.wal_bytes_to_move() {
                    self.log_held_back.seen(content, bytes, "log", now);
                }
            }
            // Every frame was synced when it was acknowledged: as long as the WAL stays as it is, nothing is lost.
            Err(error) => {
                // First: a commit that ends now must not count.
                slice.stick();
                tracing::error!(%error, slice = %slice.path.display(),
                    "the log's WAL cannot be moved into its slice; it is kept, and a new slice begins");
            }
        }
    }

    fn checkpoint_state(&mut self, due: bool, now: Duration) {
        if self.ground.state.is_poisoned() {
            return;
        }
        let wipe = self.ground.state.take_wipe();
        let state = self.ground.state.clone();
        state.hold(|generation| {
            // A copy may have failed to take its place while this waited.
            if state.is_poisoned() {
                if wipe {
                    state.ask_to_wipe();
                }
                return;
            }
            if self.state_connection.as_ref().is_none_or(|(other, _)| *other != generation) {
                self.state_connection = None;
                match open_to_move(state.path()) {
                    Ok(connection) => self.state_connection = Some((generation, connection)),
                    Err(error) => {
                        tracing::warn!(%error, "the state's WAL cannot be emptied; it is tried again");
                    }
                }
            }
            let Some((_, connection)) = &self.state_connection else {
                if wipe {
                    state.ask_to_wipe();
                }
                return;
            };
            let pass = || state.while_moving(|| wal::move_some(connection));
            let move_wal = || -> rusqlite::Result<WalContent> {
                let content = checkpoint(connection, Checkpoint::Look)?;
                let is_large = content.bytes(STATE_PAGE_BYTES) >= self.ground.options.wal_bytes_to_move();
                let all = is_large || wipe;
                wal::move_what_is_due(content, all, due, &pass, &state.writer, &state.readers.gate)
            };
            match move_wal() {
                Ok(content) => {
                    let bytes = content.bytes(STATE_PAGE_BYTES);
                    if bytes >= self.ground.options.wal_bytes_to_move() {
                        self.state_held_back.seen(content, bytes, "state", now);
                    }
                    if wipe && !cut(connection, &state) {
                        // What was deleted goes with the next try.
                        state.ask_to_wipe();
                    }
                }
                Err(error) => tracing::error!(%error, "the state's WAL cannot be moved into its file"),
            }
        });
    }

    /// The last position of this age in time that hitwire ran; 0 if none is, or if it cannot be told.
    fn position_aged(&self, age: Duration) -> u64 {
        let Some(then) = self.ground.clock.ran().checked_sub(age) else { return 0 };
        let head_at = |connection: &Connection| running::head_at(connection, then);
        self.ground.state.read(head_at).unwrap_or_else(|error| {
            tracing::warn!(%error, "how old positions of the log are cannot be told; none counts as old");
            0
        })
    }

    /// Drops the oldest slices: while the log is too large for its limit, and those that are too old.
    fn retain(&mut self, ask: Ask<'_>) {
        let slices = self.ground.log.catalog.all();
        let sizes: Vec<u64> = slices.iter().map(|slice| files::database_bytes(&slice.path)).collect();
        let mut all_bytes: u64 = sizes.iter().sum();
        let now_ms = self.ground.clock.age_now_ms();
        let (lag_age, retention_age) = (self.ground.options.lag_age, self.ground.options.retention_age);
        // The last positions of these ages, in time that hitwire ran.
        let (past_lag_age, past_retention_age) =
            (self.position_aged(lag_age), self.position_aged(retention_age));
        // The newest slice stays: it is being written.
        for (at, (slice, bytes)) in slices.iter().zip(sizes).enumerate() {
            let Some(next) = slices.get(at + 1) else { break };
            let newest_bytes = slices.last().map_or(0, |newest| files::database_bytes(&newest.path));
            let ended_bytes = all_bytes.saturating_sub(newest_bytes);
            let age = Duration::from_millis(now_ms.saturating_sub(slice.newest_ms()));
            let last = next.first - 1;
            let too_large =
                ended_bytes + self.ground.options.reserve_bytes() > self.ground.options.retention_bytes;
            let ran_too_long = last <= past_retention_age;
            let too_old = age > retention_age || ran_too_long;
            if !too_large && !too_old {
                break;
            }
            // Time in which hitwire was stopped makes a slice old, but not what is owed of it.
            let within_lag_budget =
                last > past_lag_age && (all_bytes <= self.ground.options.lag_bytes || !ran_too_long);
            let detail = if too_large {
                format!("the log reached its size limit of {} bytes", self.ground.options.retention_bytes)
            } else {
                format!("events are kept for {} hours", retention_age.as_secs() / 3600)
            };
            let mut retire = Retire {
                // What is missing before the oldest slice goes with it.
                first: if at == 0 { slice.first.min(self.ground.log.catalog.begins()) } else { slice.first },
                last,
                unless_needed: !too_large && within_lag_budget,
                detail,
                counts: RangeCounts::default(),
                after: IntegrationId(0),
            };
            // Beside the writer, so that no save waits for the disk. If it fails, the writer counts.
            let log = Arc::clone(&self.ground.log);
            match self.ground.state.read(|connection| retire.count(connection, &log)) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::debug!(%error, "what integrations lose could not be counted beforehand");
                }
            }
            if !retired(&mut retire, ask) {
                break;
            }
            tracing::info!(slice = %slice.path.display(), too_large, too_old, "a slice of the log is dropped");
            self.ground.log.catalog.remove(slice);
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

/// A connection that never waits for readers while it keeps the writer out.
fn open_to_move(path: &Path) -> Result<Connection, StoreError> {
    let connection = schema::open(path, Kind::State, Access::Write)?;
    connection.busy_timeout(Duration::ZERO).map_err(|error| schema::damaged(path, &error))?;
    Ok(connection)
}

/// Cuts the state's WAL, so that nothing of it stays on the disk. `false`: somebody was in the way.
fn cut(connection: &Connection, state: &StateView) -> bool {
    let cut = || state.while_moving(|| checkpoint(connection, Checkpoint::Cut));
    let closed = || state.writer.while_closed(cut);
    match state.readers.gate.while_closed(closed).flatten() {
        Some(Ok(content)) => !content.busy,
        Some(Err(error)) => {
            tracing::error!(%error, "the state's WAL cannot be moved into its file");
            false
        }
        None => false,
    }
}

/// Has the writer move all integrations behind a slice, a portion at a time. `false`: it stays.
fn retired(retire: &mut Retire, ask: Ask<'_>) -> bool {
    loop {
        match ask(Work::Retire(retire.clone())) {
            Ok(Answer::Retired(Retired::All)) => return true,
            Ok(Answer::Retired(Retired::To(after))) => retire.after = after,
            // Still needed, or the store is closing.
            Ok(_) | Err(StoreError::Closed) => return false,
            Err(error) => {
                tracing::error!(%error, "retention cannot record what integrations lose; no slice is dropped");
                return false;
            }
        }
    }
}
