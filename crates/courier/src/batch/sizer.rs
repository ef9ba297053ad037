//! Batches grow while a lane is behind and its requests are fast.

use super::Limits;
use std::time::Duration;

/// Events in a batch of a lane that keeps up.
const BASE_EVENTS: u32 = 500;
/// Bytes in a batch of a lane that keeps up.
const BASE_BYTES: u64 = 512 * 1024;
/// A lane that is behind goes up to 5,000 events or 5 MiB: beyond that the cost of a request no longer shows, and a
/// failed one costs too much to repeat.
const FACTOR_MOST: u32 = 10;
/// No body is asked to be larger.
pub(super) const BYTES_MOST: u64 = BASE_BYTES * FACTOR_MOST as u64;
/// A request that takes this long has reached what the receiver digests at once.
const SLOW: Duration = Duration::from_secs(1);

/// How much to ask the log for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// At most this many events, at least 1.
    pub max_events: u32,
    /// At most this many bytes of body.
    pub max_bytes: u64,
}

impl Ask {
    /// Whether a batch came near what was asked for (half of either bound): a batch that was cut short because the
    /// object type changed says nothing about larger ones.
    pub fn is_filled_by(self, events: u32, body_bytes: u64) -> bool {
        events >= self.max_events.div_ceil(2) || body_bytes >= self.max_bytes / 2
    }
}

/// Learns how large a lane's batches may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizer {
    /// Multiple of the base, 1 to [`FACTOR_MOST`].
    factor: u32,
}

impl Default for Sizer {
    fn default() -> Self {
        Sizer { factor: 1 }
    }
}

impl Sizer {
    /// What to ask for, within the user's limits and the bytes that the target is known to take.
    pub fn ask(self, limits: Limits, target_max_bytes: Option<u64>) -> Ask {
        let max_events = (BASE_EVENTS * self.factor).min(limits.max_events.unwrap_or(u32::MAX));
        let max_bytes = (BASE_BYTES * u64::from(self.factor))
            .min(limits.max_bytes.unwrap_or(u64::MAX))
            .min(target_max_bytes.unwrap_or(u64::MAX));
        Ask { max_events: max_events.max(1), max_bytes: max_bytes.max(1) }
    }

    /// A batch was delivered. `behind`: more was waiting when it was cut; `filled`: it came near what was asked for.
    pub fn delivered(&mut self, took: Duration, behind: bool, filled: bool) {
        if took >= SLOW || !behind {
            self.factor = 1;
        } else if filled {
            self.factor = (self.factor * 2).min(FACTOR_MOST);
        }
    }

    /// A batch was not delivered: a large one might be why.
    pub fn failed(&mut self) {
        self.factor = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FAST: Duration = Duration::from_millis(999);
    const NO_LIMITS: Limits = Limits { max_events: None, max_bytes: None };

    fn asked(sizer: Sizer) -> (u32, u64) {
        let ask = sizer.ask(NO_LIMITS, None);
        (ask.max_events, ask.max_bytes)
    }

    #[test]
    fn a_lane_that_is_behind_doubles_up_to_5000_events_or_5_mib() {
        let mut sizer = Sizer::default();
        let mut seen = vec![asked(sizer)];
        for _ in 0..5 {
            sizer.delivered(FAST, true, true);
            seen.push(asked(sizer));
        }
        let kib = |n: u64| n * 1024;
        let expected = [
            (500, kib(512)),
            (1_000, kib(1_024)),
            (2_000, kib(2_048)),
            (4_000, kib(4_096)),
            (5_000, kib(5_120)),
            (5_000, kib(5_120)),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_slow_request_a_lane_that_caught_up_or_a_failure_goes_back_to_the_base() {
        let after = |step: fn(&mut Sizer)| {
            let mut sizer = Sizer { factor: 8 };
            step(&mut sizer);
            sizer.factor
        };
        assert_eq!(after(|sizer| sizer.delivered(SLOW, true, true)), 1);
        assert_eq!(after(|sizer| sizer.delivered(FAST, false, true)), 1);
        assert_eq!(after(Sizer::failed), 1);
    }

    #[test]
    fn a_batch_cut_short_by_its_object_type_changes_nothing() {
        let mut sizer = Sizer { factor: 4 };
        sizer.delivered(FAST, true, false);
        assert_eq!(sizer.factor, 4);
    }

    #[test]
    fn a_batch_near_either_bound_fills_what_was_asked_for() {
        let ask = Ask { max_events: 500, max_bytes: 1_000 };
        assert!(ask.is_filled_by(250, 0));
        assert!(ask.is_filled_by(1, 500));
        assert!(!ask.is_filled_by(249, 499));
    }

    proptest! {
        #[test]
        fn the_users_limits_and_the_targets_cap_everything(
            factor in 1u32..=FACTOR_MOST, events in 0u32..10_000, bytes in 0u64..10_000_000, target in 0u64..10_000_000
        ) {
            let limits = Limits { max_events: Some(events), max_bytes: Some(bytes) };
            let ask = Sizer { factor }.ask(limits, Some(target));
            prop_assert!(ask.max_events >= 1 && ask.max_events <= events.max(1));
            prop_assert!(ask.max_bytes >= 1 && ask.max_bytes <= bytes.min(target).max(1));
        }

        #[test]
        fn whatever_happens_it_stays_between_base_and_most(
            steps in prop::collection::vec((0u64..3_000, any::<bool>(), any::<bool>()), 0..50)
        ) {
            let mut sizer = Sizer::default();
            for (took_ms, behind, filled) in steps {
                sizer.delivered(Duration::from_millis(took_ms), behind, filled);
                let (events, bytes) = asked(sizer);
                prop_assert!((500..=5_000).contains(&events) && (BASE_BYTES..=10 * BASE_BYTES).contains(&bytes));
            }
        }
    }
}
