//! What is learnt of the bodies that a target takes.
//!
//! A 413 says it outright. A large batch that fails again and again with a 5xx, a reset or a timeout only suggests it: it
//! may as well be an outage. So a size that was suspected is doubled again with the first success, and only one that
//! fails again after it was doubled is believed more and more. Nothing that is learnt lasts: a proxy's bad minute must not
//! leave one event a request for ever.

use super::sizer::BYTES_MOST;
use serde::{Deserialize, Serialize};

/// Full batches to be delivered before a size that a 413 taught is doubled.
const DOUBLED_AFTER: u8 = 20;

/// Larger bodies than this fail, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearntSize {
    body_bytes_max: u64,
    /// Full batches delivered since it was halved or doubled.
    delivered: u8,
    /// So many of them double it, at least 1.
    doubled_after: u8,
    /// It has been doubled since it was halved.
    was_doubled: bool,
}

impl LearntSize {
    /// Bytes of a body that may be sent.
    pub fn body_bytes_max(self) -> u64 {
        self.body_bytes_max
    }

    /// A body of this many bytes, of several events, was answered with 413. Half of it may pass; a single event is always
    /// tried.
    pub fn refused(known: Option<Self>, body_bytes: u64) -> Self {
        Self::halved(known, body_bytes, DOUBLED_AFTER)
    }

    /// A body of this many bytes, of several events, failed again and again. Half of it may pass.
    pub fn suspected(known: Option<Self>, body_bytes: u64) -> Self {
        let doubled_after = match known {
            None => 1,
            Some(known) if known.was_doubled => known.doubled_after.saturating_mul(4).min(DOUBLED_AFTER),
            Some(known) => known.doubled_after,
        };
        Self::halved(known, body_bytes, doubled_after)
    }

    fn halved(known: Option<Self>, body_bytes: u64, doubled_after: u8) -> Self {
        let half = (body_bytes / 2).max(1);
        let body_bytes_max = known.map_or(half, |known| known.body_bytes_max.min(half));
        LearntSize { body_bytes_max, delivered: 0, doubled_after, was_doubled: false }
    }

    /// A body of this many bytes was delivered. None: nothing is held against larger ones any more.
    #[must_use]
    pub fn delivered(mut self, body_bytes: u64) -> Option<Self> {
        // One that had room left says nothing about larger ones.
        if body_bytes < self.body_bytes_max / 2 {
            return Some(self);
        }
        self.delivered = self.delivered.saturating_add(1);
        if self.delivered >= self.doubled_after {
            self.body_bytes_max = self.body_bytes_max.saturating_mul(2);
            self.delivered = 0;
            self.was_doubled = true;
        }
        (self.body_bytes_max < BYTES_MOST).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Full batches until the size is doubled.
    fn until_doubled(size: &mut LearntSize) -> u32 {
        let before = size.body_bytes_max;
        for successes in 1.. {
            *size = size.delivered(size.body_bytes_max).expect("still held");
            if size.body_bytes_max > before {
                assert_eq!(size.body_bytes_max, 2 * before);
                return successes;
            }
        }
        unreachable!("counted to the end")
    }

    #[test]
    fn what_a_413_taught_is_doubled_after_20_full_batches() {
        let mut size = LearntSize::refused(None, 80_000);
        assert_eq!(size.body_bytes_max(), 40_000);
        assert_eq!(until_doubled(&mut size), 20);
        assert_eq!(until_doubled(&mut size), 20);
        let size = LearntSize::refused(Some(size), 160_000);
        assert_eq!(size.body_bytes_max(), 80_000);
    }

    #[test]
    fn batches_with_room_left_say_nothing() {
        let mut size = LearntSize::refused(None, 80_000);
        for _ in 0..1_000 {
            size = size.delivered(19_999).expect("still held");
        }
        assert_eq!(size.body_bytes_max(), 40_000);
    }

    #[test]
    fn a_suspicion_is_dropped_at_once_unless_it_is_borne_out() {
        let mut size = None;
        for _ in 0..5 {
            size = Some(LearntSize::suspected(size, 80_000 >> 2));
        }
        let mut size = size.expect("suspected");
        let mut needed = Vec::new();
        for _ in 0..4 {
            needed.push(until_doubled(&mut size));
            size = LearntSize::suspected(Some(size), size.body_bytes_max);
        }
        assert_eq!(needed, [1, 4, 16, 20]);
    }

    proptest! {
        #[test]
        fn whatever_was_learnt_of_a_target_that_is_well_again_is_forgotten(
            bodies in prop::collection::vec((1u64..6_000_000, any::<bool>()), 1..20)
        ) {
            let mut size = None;
            for (body_bytes, refused) in bodies {
                let learn = if refused { LearntSize::refused } else { LearntSize::suspected };
                size = Some(learn(size, body_bytes));
                prop_assert!(size.is_some_and(|size| size.body_bytes_max() >= 1));
            }
            let mut successes = 0;
            while let Some(known) = size {
                size = known.delivered(known.body_bytes_max);
                successes += 1;
                prop_assert!(successes <= 23 * 20);
            }
        }
    }
}
