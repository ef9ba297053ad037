//! Which slices there are, and which positions of each count.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// One slice of the log.
#[derive(Debug)]
pub(super) struct Slice {
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
    given_up: AtomicBool,
    removed: AtomicBool,
}

impl Slice {
    /// A slice whose events were appended between these times; none yet: `None`.
    pub(super) fn new(first: u64, path: PathBuf, times_ms: Option<(u64, u64)>, packed: bool) -> Self {
        static GENERATION: AtomicU64 = AtomicU64::new(0);
        let (oldest_ms, newest_ms) = times_ms.unwrap_or((u64::MAX, 0));
        Slice {
            first,
            path,
            generation: GENERATION.fetch_add(1, Ordering::Relaxed),
            packed,
            oldest_ms: AtomicU64::new(oldest_ms),
            newest_ms: AtomicU64::new(newest_ms),
            given_up: AtomicBool::new(false),
            removed: AtomicBool::new(false),
        }
    }

    /// Counts events that were appended at this time.
    pub(super) fn extend(&self, appended_ms: u64) {
        self.oldest_ms.fetch_min(appended_ms, Ordering::Relaxed);
        self.newest_ms.fetch_max(appended_ms, Ordering::Relaxed);
    }

    /// Says that a commit failed: nothing may be written to the slice any more, not even out of its WAL.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Whether a commit failed.
    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Says that its file is being removed: no connection to it is kept, so that its space is given back.
    pub(super) fn remove(&self) {
        self.removed.store(true, Ordering::Relaxed);
    }

    /// Whether its file is being removed.
    pub(super) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Relaxed)
    }

    /// The earliest time at which one of its events was appended; `u64::MAX` if it is empty.
    pub(super) fn oldest_ms(&self) -> u64 {
        self.oldest_ms.load(Ordering::Relaxed)
    }

    /// The latest time at which one of its events was appended; 0 if it is empty.
    pub(super) fn newest_ms(&self) -> u64 {
        self.newest_ms.load(Ordering::Relaxed)
    }
}

/// A slice, and the positions wanted of it (both inclusive, never empty).
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// The slice.
    pub slice: Arc<Slice>,
    /// First position.
    pub first: u64,
    /// Last position.
    pub last: u64,
}

/// All slices, oldest first. A slice counts from its first position to the one before the next slice's first: what a
/// failed commit left behind that is never seen.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    slices: RwLock<Vec<Arc<Slice>>>,
}

impl Catalog {
    /// The parts of the slices that lie in `after < seq <= through`, oldest first.
    pub(super) fn parts(&self, after: u64, through: u64) -> Vec<Part> {
        let slices = self.slices.read().unwrap_or_else(PoisonError::into_inner);
        let mut parts = Vec::new();
        for (at, slice) in slices.iter().enumerate() {
            let end = slices.get(at + 1).map_or(u64::MAX, |next| next.first - 1);
            let first = slice.first.max(after.saturating_add(1));
            let last = end.min(through);
            if first <= last {
                parts.push(Part { slice: slice.clone(), first, last });
            }
        }
        parts
    }

    /// All slices, oldest first.
    pub(super) fn all(&self) -> Vec<Arc<Slice>> {
        self.slices.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds the newest slice. One that begins at the same position holds nothing that counts, and is replaced.
    pub(super) fn push(&self, slice: Arc<Slice>) {
        let mut slices = self.slices.write().unwrap_or_else(PoisonError::into_inner);
        slices.retain(|other| other.first < slice.first);
        slices.push(slice);
    }

    /// Takes a slice away.
    pub(super) fn remove(&self, slice: &Slice) {
        self.slices
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|other| other.generation != slice.generation);
        slice.remove();
    }

    /// Puts a slice with the same events into another one's place. `false`: that one was taken away meanwhile.
    pub(super) fn replace(&self, slice: &Slice, by: Arc<Slice>) -> bool {
        let mut slices = self.slices.write().unwrap_or_else(PoisonError::into_inner);
        let place = slices.iter_mut().find(|other| other.generation == slice.generation);
        let found = place.map(|place| *place = by).is_some();
        if found {
            slice.remove();
        }
        found
    }

    /// The slice that took another one's place; none if that one is still there, or was taken away.
    pub(super) fn successor(&self, slice: &Slice) -> Option<Arc<Slice>> {
        let slices = self.slices.read().unwrap_or_else(PoisonError::into_inner);
        let other = slices.iter().find(|other| other.first == slice.first)?;
        (other.generation != slice.generation).then(|| Arc::clone(other))
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

    fn ranges(parts: &[Part]) -> Vec<(u64, u64, u64)> {
        parts.iter().map(|part| (part.slice.first, part.first, part.last)).collect()
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
}
