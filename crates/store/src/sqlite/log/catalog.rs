//! Which slices there are, and which positions of each count.

use crate::sqlite::wal::{Gate, READERS_WAIT_MAX};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

/// One slice of the log.
#[derive(Debug)]
pub(in crate::sqlite) struct Slice {
    /// Its first position, also in its name.
    pub first: u64,
    /// Its file.
    pub path: PathBuf,
    /// Tells it from an earlier slice of the same name: connections are kept by this number.
    pub generation: u64,
    /// It has ended, and was rewritten into large blocks.
    pub packed: bool,
    oldest_ms: AtomicU64,
    newest_ms: AtomicU64,
    /// The last position it holds, once it has ended; [`WRITTEN`] until then.
    last: AtomicU64,
    given_up: AtomicBool,
    removed: AtomicBool,
    stuck: AtomicBool,
    /// Passed by those who read the file.
    pub readers: Gate,
    /// When the disk began to refuse to read it, as the monotonic clock says in milliseconds; 0: it does not.
    refused_since_ms: AtomicU64,
}

/// The last position of a slice that is still being written, or of which it is not known.
const WRITTEN: u64 = u64::MAX;

impl Slice {
    /// A slice whose events were appended between these times; none yet: `None`.
    pub(in crate::sqlite) fn new(
        first: u64,
        path: PathBuf,
        times_ms: Option<(u64, u64)>,
        packed: bool,
    ) -> Self {
        static GENERATION: AtomicU64 = AtomicU64::new(0);
        let (oldest_ms, newest_ms) = times_ms.unwrap_or((u64::MAX, 0));
        Slice {
            first,
            path,
            generation: GENERATION.fetch_add(1, Ordering::Relaxed),
            packed,
            oldest_ms: AtomicU64::new(oldest_ms),
            newest_ms: AtomicU64::new(newest_ms),
            last: AtomicU64::new(WRITTEN),
            given_up: AtomicBool::new(false),
            removed: AtomicBool::new(false),
            stuck: AtomicBool::new(false),
            readers: Gate::new(READERS_WAIT_MAX),
            refused_since_ms: AtomicU64::new(0),
        }
    }

    /// The same, ended at this position.
    pub(in crate::sqlite) fn ended_at(self, last: u64) -> Self {
        self.last.store(last, Ordering::Relaxed);
        self
    }

    /// Says that its last position is this one, unless that is known already.
    fn end(&self, last: u64) {
        let _ = self.last.compare_exchange(WRITTEN, last, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The last position it holds; [`u64::MAX`] while it is written.
    pub(in crate::sqlite) fn last(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }

    /// The disk refuses to read it: how long it has done so. It is asked with times that never go back.
    pub(in crate::sqlite) fn refused_for(&self, now: Duration) -> Duration {
        let now_ms = (now.as_millis() as u64).max(1);
        let since = self.refused_since_ms.compare_exchange(0, now_ms, Ordering::Relaxed, Ordering::Relaxed);
        Duration::from_millis(now_ms.saturating_sub(since.err().unwrap_or(now_ms)))
    }

    /// The disk reads it again.
    pub(in crate::sqlite) fn reads(&self) {
        if self.refused_since_ms.load(Ordering::Relaxed) != 0 {
            self.refused_since_ms.store(0, Ordering::Relaxed);
        }
    }

    /// Counts events that were appended at this time.
    pub(in crate::sqlite) fn extend(&self, appended_ms: u64) {
        self.oldest_ms.fetch_min(appended_ms, Ordering::Relaxed);
        self.newest_ms.fetch_max(appended_ms, Ordering::Relaxed);
    }

    /// Says that a commit failed: nothing may be written to the slice any more, not even out of its WAL.
    pub(in crate::sqlite) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Says that its WAL must stay as it is, since moving it into the file failed.
    pub(in crate::sqlite) fn stick(&self) {
        self.stuck.store(true, Ordering::Relaxed);
    }

    /// Whether its WAL must stay as it is.
    pub(in crate::sqlite) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }

    /// Whether a commit failed.
    pub(in crate::sqlite) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Says that its file is being removed: no connection to it is kept, so that its space is given back.
    pub(in crate::sqlite) fn remove(&self) {
        self.removed.store(true, Ordering::Relaxed);
    }

    /// Whether its file is being removed.
    pub(in crate::sqlite) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Relaxed)
    }

    /// The earliest time at which one of its events was appended; `u64::MAX` if it is empty.
    pub(in crate::sqlite) fn oldest_ms(&self) -> u64 {
        self.oldest_ms.load(Ordering::Relaxed)
    }

    /// The latest time at which one of its events was appended; 0 if it is empty.
    pub(in crate::sqlite) fn newest_ms(&self) -> u64 {
        self.newest_ms.load(Ordering::Relaxed)
    }
}

/// A slice, and the positions wanted of it (both inclusive, never empty).
#[derive(Clone, Debug)]
pub(in crate::sqlite) struct Part {
    /// The slice.
    pub slice: Arc<Slice>,
    /// First position.
    pub first: u64,
    /// Last position.
    pub last: u64,
}

/// All slices, oldest first. A slice counts from its first position to the one before the next slice's first: what a
/// failed commit left behind that is never seen. What lies between the log's beginning and its end and in no slice is missing.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct Catalog {
    listed: RwLock<Listed>,
}

#[derive(Debug, Default)]
struct Listed {
    slices: Vec<Arc<Slice>>,
    /// The first position that the log should hold: what was before it was dropped, and is settled.
    begins: u64,
    /// Positions that no event ever had (both inclusive): a new slice began behind them, as it was not known where the one
    /// before it ended.
    unused: Vec<(u64, u64)>,
}

/// A range of the log, cut where slices end.
#[derive(Clone, Debug, Default)]
pub(in crate::sqlite) struct CutRange {
    /// The parts of the slices, oldest first.
    pub parts: Vec<Part>,
    /// The first position wanted that the log should hold; what the parts do not cover from there on is missing.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// What of it no event ever had (both inclusive), in order.
    unused: Vec<(u64, u64)>,
}

impl CutRange {
    /// What of the range lies in no slice though events had it, as first and last positions. If nobody knows where that ended, it
    /// ends with the unused positions behind it.
    pub(in crate::sqlite) fn missing(&self) -> Vec<(u64, u64)> {
        let mut covered: Vec<_> = self.parts.iter().map(|part| (part.first, part.last, false)).collect();
        covered.extend(self.unused.iter().map(|&(first, last)| (first, last, true)));
        covered.sort_unstable();
        let mut missing = Vec::new();
        let mut next = self.first;
        for (first, last, is_unused) in covered {
            if first > next && next <= self.last {
                let end = if is_unused { last } else { first - 1 };
                missing.push((next, end.min(self.last)));
            }
            next = next.max(last.saturating_add(1));
        }
        if next <= self.last {
            missing.push((next, self.last));
        }
        missing
    }
}

impl Catalog {
    /// A catalog of a log that should begin at a position, with the ranges that no event ever had.
    pub(in crate::sqlite) fn new(begins: u64, unused: Vec<(u64, u64)>) -> Self {
        Catalog { listed: RwLock::new(Listed { slices: Vec::new(), begins, unused }) }
    }

    /// The parts of the slices that lie in `after < seq <= through`.
    pub(in crate::sqlite) fn parts(&self, after: u64, through: u64) -> CutRange {
        let listed = self.listed();
        let mut parts = Vec::new();
        for (at, slice) in listed.slices.iter().enumerate() {
            let end = listed.slices.get(at + 1).map_or(u64::MAX, |next| next.first - 1);
            let first = slice.first.max(after.saturating_add(1));
            let last = end.min(slice.last()).min(through);
            if first <= last {
                parts.push(Part { slice: slice.clone(), first, last });
            }
        }
        let first = listed.begins.max(after.saturating_add(1));
        let unused = listed.unused.iter().copied().filter(|&(from, to)| from <= through && first <= to);
        CutRange { parts, first, last: through, unused: unused.collect() }
    }

    /// The first position that the log should hold.
    pub(in crate::sqlite) fn begins(&self) -> u64 {
        self.listed().begins
    }

    /// The position behind which the newest so many events of a log lie that ends at `head`; 0: there are no more. As positions
    /// follow each other in a slice, no disk is read; in one that is damaged each counts as if it held an event.
    pub(in crate::sqlite) fn behind_newest(&self, events: u64, head: u64) -> u64 {
        let mut left = events;
        for part in self.parts(0, head).parts.iter().rev() {
            let held = self.events_at_most(part.first, part.last);
            if held >= left {
                return part.last.saturating_sub(left).max(part.first - 1);
            }
            left -= held;
        }
        0
    }

    /// How many events lie in `after < seq <= through`, as exact as [`Catalog::behind_newest`].
    pub(in crate::sqlite) fn events_between(&self, after: u64, through: u64) -> u64 {
        let parts = self.parts(after, through).parts;
        parts.iter().map(|part| self.events_at_most(part.first, part.last)).sum()
    }

    /// How many events a range (both inclusive) can have had at most.
    pub(in crate::sqlite) fn events_at_most(&self, first: u64, last: u64) -> u64 {
        let length = |first: u64, last: u64| (last + 1).saturating_sub(first);
        let unused = self.listed().unused.clone();
        let never = unused.iter().map(|&(from, to)| length(from.max(first), to.min(last)));
        length(first, last).saturating_sub(never.sum())
    }

    /// All slices.
    pub(in crate::sqlite) fn all(&self) -> Vec<Arc<Slice>> {
        self.listed().slices.clone()
    }

    /// Adds the newest slice; the one before it has ended. One that begins at the same position holds nothing that counts,
    /// and is replaced.
    pub(in crate::sqlite) fn push(&self, slice: Arc<Slice>) {
        let mut listed = self.listed_to_change();
        listed.slices.retain(|other| other.first < slice.first);
        if let Some(before) = listed.slices.last() {
            before.end(slice.first - 1);
        }
        listed.slices.push(slice);
    }

    /// Takes a slice away, which nobody needs any more.
    pub(in crate::sqlite) fn remove(&self, slice: &Slice) {
        let mut listed = self.listed_to_change();
        listed.slices.retain(|other| other.generation != slice.generation);
        if let Some(first) = listed.slices.first().map(|oldest| oldest.first)
            && first > slice.first
        {
            listed.begins = listed.begins.max(first);
        }
        slice.remove();
    }

    /// Puts a slice with the same events into another one's place. `false`: that one was taken away meanwhile.
    pub(in crate::sqlite) fn replace(&self, slice: &Slice, by: Arc<Slice>) -> bool {
        let mut listed = self.listed_to_change();
        let place = listed.slices.iter_mut().find(|other| other.generation == slice.generation);
        let found = place.map(|place| *place = by).is_some();
        if found {
            slice.remove();
        }
        found
    }

    /// The slice that took another one's place; none if that one is still there, or was taken away.
    pub(in crate::sqlite) fn successor(&self, slice: &Slice) -> Option<Arc<Slice>> {
        let listed = self.listed();
        let other = listed.slices.iter().find(|other| other.first == slice.first)?;
        (other.generation != slice.generation).then(|| Arc::clone(other))
    }

    fn listed(&self) -> RwLockReadGuard<'_, Listed> {
        self.listed.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn listed_to_change(&self) -> RwLockWriteGuard<'_, Listed> {
        self.listed.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(firsts: &[u64]) -> Catalog {
        let catalog = Catalog::default();
        for &first in firsts {
            catalog.push(Arc::new(Slice::new(first, PathBuf::new(), None, false)));
        }
        catalog
    }

    fn ranges(parts: &CutRange) -> Vec<(u64, u64, u64)> {
        parts.parts.iter().map(|part| (part.slice.first, part.first, part.last)).collect()
    }

    #[test]
    fn a_slice_ends_where_the_next_one_begins() {
        let catalog = catalog(&[1, 10, 20]);
        assert_eq!(ranges(&catalog.parts(0, 25)), [(1, 1, 9), (10, 10, 19), (20, 20, 25)]);
        assert_eq!(ranges(&catalog.parts(9, 19)), [(10, 10, 19)]);
        assert_eq!(ranges(&catalog.parts(12, 12)), []);
    }

    #[test]
    fn a_slice_that_begins_at_the_same_position_takes_the_others_place() {
        let catalog = catalog(&[1, 10, 10]);
        assert_eq!(ranges(&catalog.parts(0, 12)), [(1, 1, 9), (10, 10, 12)]);
    }

    #[test]
    fn what_no_slice_covers_is_missing() {
        let catalog = Catalog::new(3, vec![(31, 40)]);
        for (first, last) in [(5, 9), (20, 24), (41, 45)] {
            catalog.push(Arc::new(Slice::new(first, PathBuf::new(), None, false).ended_at(last)));
        }
        assert_eq!(catalog.parts(0, 45).missing(), [(3, 4), (10, 19), (25, 40)]);
        assert_eq!(catalog.parts(6, 21).missing(), [(10, 19)]);
        assert_eq!(catalog.parts(11, 12).missing(), [(12, 12)]);
        assert_eq!(catalog.parts(45, 45).missing(), []);
        assert_eq!(catalog.events_at_most(25, 40), 6);
        assert_eq!(catalog.events_at_most(35, 42), 2);
        catalog.remove(&catalog.all()[0]);
        assert_eq!(catalog.parts(33, 45).missing(), [], "31 to 40 nobody ever had");
        assert_eq!(catalog.parts(27, 35).missing(), [(28, 35)]);
        assert_eq!(catalog.parts(0, 45).missing(), [(25, 40)], "what was dropped on purpose is not missing");
    }

    #[test]
    fn the_newest_events_are_found_over_gaps() {
        let catalog = Catalog::new(1, vec![(31, 1_000)]);
        for (first, last) in [(1, 9), (10, 30)] {
            catalog.push(Arc::new(Slice::new(first, PathBuf::new(), None, false).ended_at(last)));
        }
        catalog.push(Arc::new(Slice::new(1_001, PathBuf::new(), None, false)));
        let behind = |events| catalog.behind_newest(events, 1_005);
        assert_eq!([behind(1), behind(5), behind(6), behind(26), behind(27)], [1_004, 1_000, 29, 9, 8]);
        assert_eq!([behind(35), behind(36)], [0, 0]);
        let between = |after| catalog.events_between(after, 1_005);
        assert_eq!([between(0), between(29), between(500), between(1_004)], [35, 6, 5, 1]);
    }
}
