//! The endpoint's waits, the two presets, and when to give up.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Waits before the retries, in seconds: the three cycles of the original (its documentation: 1, 3, 5, 10, 10 seconds; 0,
/// 1, 3, 5, 30 seconds; 1, 1, 3, 5, 10, 30 minutes).
pub const WAITS_S: [u64; 16] = [1, 3, 5, 10, 10, 0, 1, 3, 5, 30, 60, 60, 180, 300, 600, 1_800];

/// Retries in the first cycle.
pub const FIRST_CYCLE: u32 = 5;

/// How the patient preset goes on after the table.
const HOURLY: Duration = Duration::from_hours(1);

/// `Retry-After` lengthens a wait up to this: a receiver must not be able to silence an integration for good.
const RETRY_AFTER_MOST: Duration = Duration::from_hours(1);

/// The patient preset gives up after this long without one success.
const PATIENCE: Duration = Duration::from_hours(72);

/// No longer gap between two failures counts towards [`PATIENCE`]: the longest wait is an hour and a tenth, and then two
/// timeouts of five minutes; whatever is longer was a time in which there was nothing to send.
const GAP_MOST: Duration = Duration::from_hours(2);

/// After a restart no wait is longer than this.
const RESUMED_MOST: Duration = Duration::from_mins(5);

/// How long to go on with an endpoint that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// As the original: gives up after the 16 retries, and begins anew with what comes next. Disables the integration when
    /// 60 % of the requests in 12 h failed.
    Original,
    /// Goes on hourly after the 16 retries. Gives up, and disables the integration, after 72 h without one success.
    #[default]
    Patient,
}

/// A retry preset that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPreset(pub String);

impl fmt::Display for UnknownPreset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no retry preset {:?}; use \"patient\" or \"original\"", self.0)
    }
}

impl std::error::Error for UnknownPreset {}

impl Preset {
    /// `original` or `patient`.
    pub const fn name(self) -> &'static str {
        match self {
            Preset::Original => "original",
            Preset::Patient => "patient",
        }
    }

    /// The wait before the next retry when `retries` were made already; none: no more retries.
    pub fn wait(self, retries: u32) -> Option<Duration> {
        match (WAITS_S.get(retries as usize), self) {
            (Some(&seconds), _) => Some(Duration::from_secs(seconds)),
            (None, Preset::Original) => None,
            (None, Preset::Patient) => Some(HOURLY),
        }
    }

    /// When it gives up, events older than this are given up with the batch.
    pub fn gives_up_events_older_than(self) -> Duration {
        match self {
            Preset::Original => Duration::from_secs(WAITS_S.iter().sum()),
            Preset::Patient => PATIENCE,
        }
    }

    /// How long it goes on without a success, whatever the number of retries; none: it counts retries alone.
    pub fn patience(self) -> Option<Duration> {
        match self {
            Preset::Original => None,
            Preset::Patient => Some(PATIENCE),
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(text: &str) -> Result<Self, UnknownPreset> {
        [Preset::Original, Preset::Patient]
            .into_iter()
            .find(|preset| preset.name() == text)
            .ok_or_else(|| UnknownPreset(text.to_owned()))
    }
}

/// A wait as the receiver wishes it: `Retry-After` makes it longer, up to an hour, never shorter.
pub fn lengthened(wait: Duration, retry_after: Option<Duration>) -> Duration {
    wait.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MOST))
}

/// What is left of a wait after a restart. How much of it had passed is not known, so all of it; but a process that is
/// restarted more often than it waits must still get to its next attempt.
pub fn resumed(wait: Duration) -> Duration {
    wait.min(RESUMED_MOST)
}

/// How long failures have gone on without a success between them. Counted from failure to failure on the monotonic clock;
/// time in which the process was down, or in which there was nothing to send, does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streak {
    lasted: Duration,
    counted_to: Option<Duration>,
}

impl Streak {
    /// One that had lasted this long when it was saved, and goes on from `now`.
    pub fn resumed(lasted: Duration, now: Duration) -> Self {
        Streak { lasted, counted_to: Some(now) }
    }

    /// One more failure. Returns how long the streak has lasted.
    pub fn fail(&mut self, now: Duration) -> Duration {
        if let Some(counted_to) = self.counted_to {
            self.lasted += now.saturating_sub(counted_to).min(GAP_MOST);
        }
        self.counted_to = Some(now);
        self.lasted
    }

    /// How long it has lasted up to the last failure.
    pub fn lasted(self) -> Duration {
        self.lasted
    }
}

/// Spreads retries: a small generator of random numbers (splitmix64), so that a machine with the same seed waits the same.
#[derive(Clone, Copy, Debug)]
pub struct Jitter {
    state: u64,
}

impl Jitter {
    /// Its numbers depend on the seed alone.
    pub fn new(seed: u64) -> Self {
        Jitter { state: seed }
    }

    /// The wait and up to a tenth more.
    pub fn added_to(&mut self, wait: Duration) -> Duration {
        let tenth_us = wait.as_micros() as u64 / 10;
        wait + Duration::from_micros(self.next() % (tenth_us + 1))
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn original_makes_sixteen_retries_in_three_cycles() {
        let waits: Vec<u64> =
            (0..).map_while(|retries| Preset::Original.wait(retries)).map(|wait| wait.as_secs()).collect();
        let minutes = |n: u64| n * 60;
        let third = [minutes(1), minutes(1), minutes(3), minutes(5), minutes(10), minutes(30)];
        assert_eq!(waits[..5], [1, 3, 5, 10, 10]);
        assert_eq!(waits[5..10], [0, 1, 3, 5, 30]);
        assert_eq!(waits[10..], third);
    }

    #[test]
    fn original_gives_up_what_is_older_than_its_whole_schedule() {
        let whole = Duration::from_secs(29 + 39 + 50 * 60);
        assert_eq!(Preset::Original.gives_up_events_older_than(), whole);
        assert_eq!(Preset::Original.patience(), None);
    }

    #[test]
    fn patient_goes_on_hourly() {
        assert_eq!(Preset::Patient.wait(15), Some(HOUR / 2));
        for retries in [16, 17, 1_000, u32::MAX] {
            assert_eq!(Preset::Patient.wait(retries), Some(HOUR));
        }
        assert_eq!(Preset::Patient.patience(), Some(72 * HOUR));
    }

    #[test]
    fn presets_have_names_and_patient_is_the_default() {
        for preset in [Preset::Original, Preset::Patient] {
            assert_eq!(preset.name().parse(), Ok(preset));
            assert_eq!(serde_json::to_value(preset).unwrap(), preset.name());
        }
        assert_eq!(Preset::default(), Preset::Patient);
        let error = "eager".parse::<Preset>().unwrap_err();
        assert_eq!(error.to_string(), "there is no retry preset \"eager\"; use \"patient\" or \"original\"");
    }

    #[test]
    fn retry_after_lengthens_a_wait_up_to_an_hour_and_never_shortens_it() {
        let s = Duration::from_secs;
        assert_eq!(lengthened(s(10), None), s(10));
        assert_eq!(lengthened(s(10), Some(s(3))), s(10));
        assert_eq!(lengthened(s(10), Some(s(30))), s(30));
        assert_eq!(lengthened(s(10), Some(s(86_400))), HOUR);
        assert_eq!(lengthened(2 * HOUR, Some(s(86_400))), 2 * HOUR);
    }

    #[test]
    fn a_streak_counts_from_failure_to_failure_but_not_a_time_without_anything_to_send() {
        let mut streak = Streak::default();
        assert_eq!(streak.fail(5 * HOUR), Duration::ZERO);
        assert_eq!(streak.fail(6 * HOUR), HOUR);
        assert_eq!(streak.fail(106 * HOUR), HOUR + GAP_MOST);
    }

    #[test]
    fn a_streak_goes_on_after_a_restart_without_the_time_between() {
        let mut streak = Streak::resumed(71 * HOUR, Duration::ZERO);
        assert_eq!(streak.fail(HOUR / 2), 71 * HOUR + HOUR / 2);
    }

    #[test]
    fn the_same_seed_gives_the_same_jitter() {
        let waits = |seed| {
            let mut jitter = Jitter::new(seed);
            [(); 8].map(|()| jitter.added_to(HOUR))
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
    }

    proptest! {
        #[test]
        fn jitter_only_adds_and_at_most_a_tenth(seed: u64, wait_ms in 0u64..4_000_000) {
            let wait = Duration::from_millis(wait_ms);
            let jittered = Jitter::new(seed).added_to(wait);
            prop_assert!(jittered >= wait && jittered <= wait + wait / 10);
        }

        #[test]
        fn jitter_spreads_over_the_whole_tenth(seed: u64) {
            let mut jitter = Jitter::new(seed);
            let waits: Vec<Duration> = (0..200).map(|_| jitter.added_to(HOUR)).collect();
            prop_assert!(waits.iter().any(|&wait| wait < HOUR + HOUR / 30));
            prop_assert!(waits.iter().any(|&wait| wait > HOUR + HOUR / 15));
        }
    }
}
