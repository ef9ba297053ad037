//! Which events came in lately: by (client, id), and by content.
//!
//! Sized so: an id takes 17 bytes of a hash table (two 64-bit hashes and a control byte). Four generations of at most
//! 458,752 ids (7/8 of 2^19 buckets, where the table would grow again) hold 1.8 million ids in 36 MB; a generation ends
//! when it is full or after 6 h, so ids are known for 18 to 24 h unless more of them come in.

use super::fingerprint::Fingerprint;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

/// Generations that are remembered.
const GENERATIONS: usize = 4;

/// Ids of one generation.
const GENERATION_IDS_MAX: usize = 458_752;

/// How long a generation takes ids, in milliseconds: 6 h.
const GENERATION_MS: u64 = 6 * 3_600_000;

/// How far back ids are known, in milliseconds: 24 h.
pub(in crate::sqlite) const WINDOW_MS: u64 = GENERATIONS as u64 * GENERATION_MS;

/// How many ids are known at most.
pub(in crate::sqlite) const IDS_MAX: usize = GENERATIONS * GENERATION_IDS_MAX;

/// What is known of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sqlite) enum Known {
    /// Its id is new.
    New,
    /// The same id came before, with the same content.
    Duplicate,
    /// The same id came before, with other content only.
    IdReused,
}

#[derive(Default)]
struct Generation {
    began_ms: u64,
    /// From the id's hash to the content's.
    ids: HashMap<u64, u64, BuildHasherDefault<AlreadyHashed>>,
    /// Content hashes of events whose id was taken by another content before.
    reused: HashSet<u64, BuildHasherDefault<AlreadyHashed>>,
}

impl Generation {
    fn len(&self) -> usize {
        self.ids.len() + self.reused.len()
    }
}

/// The window of ids that are known.
#[derive(Default)]
pub(in crate::sqlite) struct Dedup {
    /// The newest first; at least one after the first use.
    generations: VecDeque<Generation>,
    /// What was added since the last [`Dedup::keep`], oldest first.
    added: Vec<(Fingerprint, Known)>,
}

impl Dedup {
    /// What is known of this event; if it is not a duplicate, it is known from now on, until taken back.
    pub(in crate::sqlite) fn add(&mut self, fingerprint: Fingerprint, now_ms: u64) -> Known {
        let known = self.known(fingerprint);
        if known != Known::Duplicate {
            self.rotate(now_ms);
            self.insert(fingerprint, known);
            self.added.push((fingerprint, known));
        }
        known
    }

    /// Forgets what was added since the last [`Dedup::keep`]: its transaction failed.
    pub(in crate::sqlite) fn take_back(&mut self) {
        for (fingerprint, known) in self.added.drain(..) {
            for generation in &mut self.generations {
                match known {
                    Known::IdReused => generation.reused.remove(&fingerprint.content),
                    Known::New | Known::Duplicate => generation.ids.remove(&fingerprint.id).is_some(),
                };
            }
        }
    }

    /// Keeps what was added: it is durable.
    pub(in crate::sqlite) fn keep(&mut self) {
        self.added.clear();
    }

    /// Adds an event that was appended before this process began. Must be called from the newest to the oldest;
    /// `false`: no more are wanted.
    pub(in crate::sqlite) fn remember(
        &mut self,
        fingerprint: Fingerprint,
        id_reused: bool,
        appended_ms: u64,
        now_ms: u64,
    ) -> bool {
        if appended_ms.saturating_add(WINDOW_MS) < now_ms {
            return false;
        }
        let ends = |generation: &Generation| {
            generation.len() >= GENERATION_IDS_MAX
                || generation.began_ms.saturating_sub(appended_ms) > GENERATION_MS
        };
        if self.generations.back().is_none_or(ends) {
            if self.generations.len() == GENERATIONS {
                return false;
            }
            self.generations.push_back(Generation { began_ms: appended_ms, ..Generation::default() });
        }
        let Some(oldest) = self.generations.back_mut() else { return false };
        if id_reused {
            oldest.reused.insert(fingerprint.content);
        } else {
            // An id that was forgotten and came again is known as it came last.
            oldest.ids.entry(fingerprint.id).or_insert(fingerprint.content);
        }
        true
    }

    fn known(&self, fingerprint: Fingerprint) -> Known {
        let mut known = Known::New;
        for generation in &self.generations {
            match generation.ids.get(&fingerprint.id) {
                Some(&content) if content == fingerprint.content => return Known::Duplicate,
                Some(_) => known = Known::IdReused,
                None => {}
            }
            if generation.reused.contains(&fingerprint.content) {
                return Known::Duplicate;
            }
        }
        known
    }

    fn insert(&mut self, fingerprint: Fingerprint, known: Known) {
        let Some(generation) = self.generations.front_mut() else { return };
        if known == Known::IdReused {
            generation.reused.insert(fingerprint.content);
        } else {
            generation.ids.insert(fingerprint.id, fingerprint.content);
        }
    }

    /// Begins a new generation if the newest one is full or old.
    fn rotate(&mut self, now_ms: u64) {
        let ends = |generation: &Generation| {
            generation.len() >= GENERATION_IDS_MAX
                || now_ms.saturating_sub(generation.began_ms) >= GENERATION_MS
        };
        if self.generations.front().is_none_or(ends) {
            self.generations.push_front(Generation { began_ms: now_ms, ..Generation::default() });
            self.generations.truncate(GENERATIONS);
        }
    }
}

/// The keys are hashes already; hashing them again would only cost time.
#[derive(Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(id: u64, content: u64) -> Fingerprint {
        // Spread as hashes are: the table takes its buckets from the bits.
        let spread = |value: u64| value.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Fingerprint { id: spread(id), content: spread(content) }
    }

    #[test]
    fn the_same_id_and_content_is_a_duplicate_other_content_is_not() {
        let mut dedup = Dedup::default();
        assert_eq!(dedup.add(fingerprint(1, 10), 0), Known::New);
        assert_eq!(dedup.add(fingerprint(1, 10), 0), Known::Duplicate);
        assert_eq!(dedup.add(fingerprint(1, 11), 0), Known::IdReused);
        assert_eq!(dedup.add(fingerprint(1, 11), 0), Known::Duplicate);
        assert_eq!(dedup.add(fingerprint(1, 10), 0), Known::Duplicate);
        assert_eq!(dedup.add(fingerprint(2, 12), 0), Known::New);
    }

    #[test]
    fn what_is_taken_back_was_never_there() {
        let mut dedup = Dedup::default();
        dedup.add(fingerprint(1, 10), 0);
        dedup.keep();
        dedup.add(fingerprint(1, 11), 0);
        dedup.add(fingerprint(2, 12), 0);
        dedup.take_back();
        assert_eq!(dedup.add(fingerprint(1, 10), 0), Known::Duplicate);
        assert_eq!(dedup.add(fingerprint(1, 11), 0), Known::IdReused);
        assert_eq!(dedup.add(fingerprint(2, 12), 0), Known::New);
    }

    #[test]
    fn an_id_is_known_for_at_least_eighteen_hours_and_at_most_a_day() {
        let mut dedup = Dedup::default();
        dedup.add(fingerprint(1, 10), 5);
        for hour in 1..18 {
            dedup.add(fingerprint(100 + hour, 100 + hour), 5 + hour * 3_600_000);
        }
        assert_eq!(dedup.add(fingerprint(1, 10), 5 + 18 * 3_600_000), Known::Duplicate);
        dedup.add(fingerprint(200, 200), 5 + 18 * 3_600_000);
        dedup.add(fingerprint(201, 201), 5 + WINDOW_MS);
        assert_eq!(dedup.add(fingerprint(1, 10), 5 + WINDOW_MS), Known::New);
    }

    #[test]
    fn a_jump_of_the_clock_forgets_one_generation_at_most() {
        let mut dedup = Dedup::default();
        dedup.add(fingerprint(1, 10), 0);
        dedup.add(fingerprint(2, 20), WINDOW_MS * 1000);
        dedup.add(fingerprint(3, 30), 0);
        assert_eq!(dedup.add(fingerprint(1, 10), 0), Known::Duplicate);
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_ids_go_first() {
        let mut dedup = Dedup::default();
        for id in 0..=IDS_MAX as u64 {
            dedup.add(fingerprint(id, id), 0);
            dedup.keep();
        }
        assert!(dedup.generations.iter().map(Generation::len).sum::<usize>() <= IDS_MAX);
        assert_eq!(dedup.known(fingerprint(0, 0)), Known::New);
        assert_eq!(dedup.known(fingerprint(IDS_MAX as u64, IDS_MAX as u64)), Known::Duplicate);
    }

    #[test]
    fn what_is_remembered_from_the_log_is_known_as_it_was() {
        let mut dedup = Dedup::default();
        let now_ms = 3 * WINDOW_MS;
        assert!(dedup.remember(fingerprint(1, 11), true, now_ms - 1000, now_ms));
        assert!(dedup.remember(fingerprint(1, 10), false, now_ms - 2000, now_ms));
        assert!(!dedup.remember(fingerprint(2, 20), false, now_ms - WINDOW_MS - 1, now_ms));
        assert_eq!(dedup.add(fingerprint(1, 10), now_ms), Known::Duplicate);
        assert_eq!(dedup.add(fingerprint(1, 11), now_ms), Known::Duplicate);
        assert_eq!(dedup.add(fingerprint(1, 12), now_ms), Known::IdReused);
        assert_eq!(dedup.add(fingerprint(2, 20), now_ms), Known::New);
    }
}
