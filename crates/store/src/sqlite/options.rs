//! How the embedded store is set up, and the bounds that follow from it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const HOUR: Duration = Duration::from_hours(1);

/// A slice ends when its WAL reaches this size, because readers have kept it from being used again.
const WAL_BYTES_MAX: u64 = 64 * MIB;

/// The smallest slice: below it the fixed cost of a file outweighs its events.
const SLICE_BYTES_MIN: u64 = 256 << 10;

/// The wall clock: milliseconds since the Unix epoch.
pub type WallClock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The monotonic clock: time since some fixed moment.
pub type MonotonicClock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Asked at each [`FaultPoint`]; `true` makes that step fail as a failing disk would.
pub type FaultHook = Arc<dyn Fn(FaultPoint) -> bool + Send + Sync>;

/// Told when a thread of the store, named here, has ended by a panic. What is asked of the store fails from then on.
pub type ThreadFailed = Arc<dyn Fn(&str) + Send + Sync>;

/// Where tests and simulations can make the disk fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultPoint {
    /// Before a commit of the log: its rows never reach the file.
    LogBeforeCommit,
    /// After a commit of the log, as if its sync had failed: its rows are in the file, but are not acknowledged.
    LogAfterCommit,
    /// While the log's WAL is moved into its slice.
    LogMove,
    /// While a new slice is made.
    SliceCreate,
    /// While a slice is read.
    SliceRead,
    /// Before a commit of the state.
    StateBeforeCommit,
    /// While a copy of the state takes the place of its file, and while the old file is made usable again after that failed.
    StateInstall,
}

/// How a [`SqliteStore`](crate::SqliteStore) is set up.
#[derive(Clone)]
pub struct Options {
    /// The data directory; made if it is missing (mode 0700).
    pub data_dir: PathBuf,
    /// Bytes, at least 2 MiB: hard limit of what the log's slices take on disk. Whole slices are dropped before it is
    /// passed.
    pub retention_bytes: u64,
    /// Slices whose newest event is older are dropped, unless an integration within its lag budget still needs them.
    pub retention_age: Duration,
    /// Bytes: an integration that is further behind than this holds no slice back.
    pub lag_bytes: u64,
    /// An integration whose oldest outstanding event is older than this holds no slice back.
    pub lag_age: Duration,
    /// Bytes: a slice is full at this size; at most an eighth of `retention_bytes` is used.
    pub slice_bytes: u64,
    /// A slice with events in it is closed at this age.
    pub slice_age: Duration,
    /// Bytes: how much of the newest events is kept in memory, renderings included.
    pub tail_bytes: usize,
    /// Bytes: with less free space than this on the log's disk, appends are refused.
    pub disk_floor_bytes: u64,
    /// The key that secrets are sealed with. `None`: the file `secret.key` in the data directory, made at first start.
    pub secret_key: Option<[u8; 32]>,
    /// No threads: everything is carried out on the caller's thread, in order. For deterministic simulation.
    pub inline: bool,
    /// The wall clock, for times on record.
    pub now_ms: WallClock,
    /// The monotonic clock, for ages and pauses: a jump of the wall clock expires nothing.
    pub elapsed: MonotonicClock,
    /// Told when a thread has failed; `None`: nobody is.
    pub thread_failed: Option<ThreadFailed>,
    /// Each start goes on behind so many positions that no event ever has, as it would after another process had taken over: for
    /// tests and simulations of all that reads the log. 0 otherwise.
    pub unused_at_start: u64,
    /// Makes the disk fail. `None` outside tests and simulations.
    pub fault: Option<FaultHook>,
}

impl Options {
    /// The defaults: 20 GiB, 7 days.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let started = Instant::now();
        let retention_bytes = 20 * GIB;
        Options {
            data_dir: data_dir.into(),
            retention_bytes,
            retention_age: 7 * 24 * HOUR,
            lag_bytes: retention_bytes / 5 * 4,
            lag_age: 7 * 24 * HOUR,
            slice_bytes: 256 * MIB,
            slice_age: HOUR,
            tail_bytes: 16 << 20,
            disk_floor_bytes: 128 * MIB,
            secret_key: None,
            inline: false,
            now_ms: Arc::new(wall_clock_ms),
            elapsed: Arc::new(move || started.elapsed()),
            thread_failed: None,
            unused_at_start: 0,
            fault: None,
        }
    }

    /// The same with another size limit, and the lag budget that belongs to it (80 %).
    #[must_use]
    pub fn with_retention_bytes(mut self, retention_bytes: u64) -> Self {
        self.retention_bytes = retention_bytes;
        self.lag_bytes = retention_bytes / 5 * 4;
        self
    }

    /// The same under a clock that a test or a simulation moves: both the wall clock and the monotonic one.
    #[must_use]
    pub fn with_simulated_clock(mut self, now_ms: WallClock) -> Self {
        self.elapsed = Arc::new({
            let now_ms = now_ms.clone();
            move || Duration::from_millis(now_ms())
        });
        self.now_ms = now_ms;
        self
    }

    /// Bytes at which a slice is full.
    pub(super) fn slice_bytes_full(&self) -> u64 {
        self.slice_bytes.min(self.retention_bytes / 8).max(SLICE_BYTES_MIN)
    }

    /// Bytes of the log's WAL at which its slice ends.
    pub(super) fn wal_bytes_max(&self) -> u64 {
        (self.slice_bytes_full() / 2).min(WAL_BYTES_MAX)
    }

    /// Bytes of a WAL at which the keeper moves it into its database: a sixteenth of the most that it may have.
    pub(super) fn wal_bytes_to_move(&self) -> u64 {
        self.wal_bytes_max() / 16
    }

    /// Bytes that must stay free under the size limit: two slices being filled (the next one begins while retention
    /// still makes room) and their WALs, and a slice that is being packed.
    pub(super) fn reserve_bytes(&self) -> u64 {
        3 * self.slice_bytes_full() + 2 * self.wal_bytes_max()
    }

    /// Whether the step at `point` is to fail.
    pub(super) fn fails_at(&self, point: FaultPoint) -> bool {
        self.fault.as_ref().is_some_and(|fault| fault(point))
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("data_dir", &self.data_dir)
            .field("retention_bytes", &self.retention_bytes)
            .field("retention_age", &self.retention_age)
            .field("lag_bytes", &self.lag_bytes)
            .field("lag_age", &self.lag_age)
            .field("slice_bytes", &self.slice_bytes)
            .field("slice_age", &self.slice_age)
            .field("tail_bytes", &self.tail_bytes)
            .field("disk_floor_bytes", &self.disk_floor_bytes)
            .field("inline", &self.inline)
            .finish_non_exhaustive()
    }
}

/// The system's wall clock. A clock set before 1970 reads as 0.
fn wall_clock_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
