//! What a store counts while it runs, and how full it is: for whoever watches. Plain atomics: counting costs the writers
//! nothing, and reading them disturbs nobody.

use hitwire_courier::LostReason;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Limits of the classes of commit times, microseconds: a sync takes some 300 us on a good disk, and a second on one that is
/// in trouble.
const COMMIT_US: [u64; 12] =
    [250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];

/// Limits of the classes of commit sizes, events: a group has 2,000 at most, unless a single caller brings more.
const COMMIT_EVENTS: [u64; 8] = [1, 3, 10, 30, 100, 300, 1_000, 3_000];

/// Values sorted into classes.
#[derive(Debug)]
pub struct Distribution {
    limits: &'static [u64],
    /// One more than there are limits: the last class has none.
    classes: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Distribution {
    fn new(limits: &'static [u64]) -> Self {
        let classes = (0..=limits.len()).map(|_| AtomicU64::new(0)).collect();
        Distribution { limits, classes, sum: AtomicU64::new(0) }
    }

    pub(crate) fn add(&self, value: u64) {
        let class = self.limits.partition_point(|limit| *limit < value);
        self.classes[class].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// How many values lie in each class, with its upper limit (inclusive); none: everything above.
    pub fn classes(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let limits = self.limits.iter().copied().map(Some).chain([None]);
        limits.zip(self.classes.iter().map(|class| class.load(Ordering::Relaxed)))
    }

    /// All values together.
    pub fn sum(&self) -> u64 {
        self.sum.load(Ordering::Relaxed)
    }
}

/// What a store counted since it was opened.
#[derive(Debug)]
pub struct Counts {
    /// How long transactions of the log took from their first row to the end of the sync, microseconds.
    pub log_commit_us: Distribution,
    /// Events in a transaction of the log; one that only moves a checkpoint has none.
    pub log_commit_events: Distribution,
    /// How long transactions of the state took, microseconds. Only those that change settings are synced.
    pub state_commit_us: Distribution,
    log_failures: AtomicU64,
    state_failures: AtomicU64,
    damaged_ranges: AtomicU64,
    dropped_attempts: AtomicU64,
    /// By the place in [`LostReason::ALL`].
    lost: [AtomicU64; LostReason::ALL.len()],
}

impl Default for Counts {
    fn default() -> Self {
        Counts {
            log_commit_us: Distribution::new(&COMMIT_US),
            log_commit_events: Distribution::new(&COMMIT_EVENTS),
            state_commit_us: Distribution::new(&COMMIT_US),
            log_failures: AtomicU64::new(0),
            state_failures: AtomicU64::new(0),
            damaged_ranges: AtomicU64::new(0),
            dropped_attempts: AtomicU64::new(0),
            lost: Default::default(),
        }
    }
}

impl Counts {
    /// How often a slice was given up because it could not be written.
    pub fn log_failures(&self) -> u64 {
        self.log_failures.load(Ordering::Relaxed)
    }

    /// How often the state's file was given up because it could not be written.
    pub fn state_failures(&self) -> u64 {
        self.state_failures.load(Ordering::Relaxed)
    }

    /// Ranges of the log that readers found to be unreadable, damaged or missing.
    pub fn damaged_ranges(&self) -> u64 {
        self.damaged_ranges.load(Ordering::Relaxed)
    }

    /// Attempts that are missing from the delivery log, because its file could not be written, or not fast enough.
    pub fn dropped_attempts(&self) -> u64 {
        self.dropped_attempts.load(Ordering::Relaxed)
    }

    /// Events that integrations did not get, for this reason: each counts once for each integration.
    pub fn lost_events(&self, reason: LostReason) -> u64 {
        self.of(reason).load(Ordering::Relaxed)
    }

    pub(crate) fn log_committed(&self, took: Duration, events: u64) {
        self.log_commit_us.add(micros(took));
        self.log_commit_events.add(events);
    }

    pub(crate) fn state_committed(&self, took: Duration) {
        self.state_commit_us.add(micros(took));
    }

    pub(crate) fn log_failed(&self) {
        self.log_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn state_failed(&self) {
        self.state_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn found_damage(&self) {
        self.damaged_ranges.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn attempts_dropped(&self, count: u64) {
        self.dropped_attempts.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn lost(&self, reason: LostReason, events: u64) {
        self.of(reason).fetch_add(events, Ordering::Relaxed);
    }

    fn of(&self, reason: LostReason) -> &AtomicU64 {
        &self.lost[reason.index()]
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// How full a store is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Bytes of the log's slices on disk, their WALs included.
    pub log_bytes: u64,
    /// Bytes of the WAL of the slice that is being written.
    pub log_wal_bytes: u64,
    /// Slices.
    pub slices: u64,
    /// When the oldest event was appended, milliseconds since the epoch; none: the log is empty.
    pub oldest_ms: Option<u64>,
    /// Bytes of the state's file, its WAL included.
    pub state_bytes: u64,
    /// Bytes of its WAL.
    pub state_wal_bytes: u64,
    /// Bytes that are free on the disk; none if the system does not say.
    pub disk_free_bytes: Option<u64>,
    /// Integrations that are enabled.
    pub active: u64,
    /// Integrations that a user disabled.
    pub disabled_by_user: u64,
    /// Integrations that hitwire disabled.
    pub disabled_automatically: u64,
    /// Events that tell of changes and are not in the log yet.
    pub outbox: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_in_the_first_class_that_holds_it() {
        let sizes = Distribution::new(&COMMIT_EVENTS);
        for value in [0, 1, 2, 3, 4, 3_000, 3_001] {
            sizes.add(value);
        }
        let classes: Vec<_> = sizes.classes().filter(|(_, count)| *count > 0).collect();
        assert_eq!(classes, [(Some(1), 2), (Some(3), 2), (Some(10), 1), (Some(3_000), 1), (None, 1)]);
        assert_eq!(sizes.sum(), 6_011);
    }
}
