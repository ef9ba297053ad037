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

/// No wait is longer than this, with what jitter adds.
const WAIT_MOST: Duration = Duration::from_mins(66);

/// Waits that ran out while hitwire was stopped end within this time after the start: so many endpoints are not called
/// at the same moment.
pub const SPREAD: Duration = Duration::from_secs(5);

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

/// What the wall clock says at a moment of the monotonic one. Waits are kept by it, since each process has a monotonic
/// clock of its own; while a process runs, its waits do not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    /// The moment, monotonic.
    pub at: Duration,
    /// Milliseconds since the Unix epoch.
    pub ms: u64,
}

impl WallClock {
    /// What it will say, or said, at another moment; rounded up.
    fn ms_at(self, at: Duration) -> u64 {
        match at.checked_sub(self.at) {
            Some(ahead) => self.ms.saturating_add(rounded_up_ms(ahead)),
            None => self.ms.saturating_sub(self.at.saturating_sub(at).as_millis() as u64),
        }
    }
}

fn rounded_up_ms(time: Duration) -> u64 {
    u64::try_from(time.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
}

/// A wait under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wait {
    /// When it ends, monotonic.
    pub(crate) until: Duration,
    /// How long it is in all: a wall clock that was set back in between makes it no longer.
    whole: Duration,
}

/// A wait as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedWait {
    /// When it ends, by the wall clock: milliseconds since the Unix epoch.
    until_ms: u64,
    /// How long it is in all, in milliseconds.
    whole_ms: u64,
}

impl Wait {
    /// One that begins now and lasts this long.
    pub(crate) fn begin(now: Duration, lasts: Duration) -> Self {
        Wait { until: now + lasts, whole: lasts }
    }

    /// Makes it end no earlier than this long from now.
    pub(crate) fn lengthen(&mut self, now: Duration, lasts: Duration) {
        self.until = self.until.max(now + lasts);
        self.whole = self.whole.max(lasts);
    }

    /// Ends it now, if it has not ended yet.
    pub(crate) fn end(&mut self, now: Duration) {
        self.until = self.until.min(now);
    }

    /// For the store.
    pub(crate) fn saved(self, wall: WallClock) -> SavedWait {
        SavedWait { until_ms: wall.ms_at(self.until), whole_ms: rounded_up_ms(self.whole) }
    }

    /// What is left of one that was saved. One that has ended meanwhile ends soon.
    pub(crate) fn resumed(saved: SavedWait, wall: WallClock, jitter: &mut Jitter) -> Self {
        let whole = Duration::from_millis(saved.whole_ms).min(WAIT_MOST);
        let left = Duration::from_millis(saved.until_ms.saturating_sub(wall.ms)).min(whole);
        let left = if left.is_zero() { jitter.below(SPREAD) } else { left };
        Wait { until: wall.at + left, whole }
    }
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
        wait + self.below(wait / 10)
    }

    /// Some time up to this one.
    fn below(&mut self, most: Duration) -> Duration {
        let most_us = most.as_micros() as u64;
        Duration::from_micros(self.next() % (most_us + 1))
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

    fn wall(at: Duration, ms: u64) -> WallClock {
        WallClock { at, ms }
    }

    #[test]
    fn what_is_left_of_a_wait_survives_a_restart() {
        let s = Duration::from_secs;
        let wait = Wait::begin(s(1_000), s(120));
        let saved = wait.saved(wall(s(1_010), 5_000_000));
        let resumed = |at, ms| Wait::resumed(saved, wall(at, ms), &mut Jitter::new(1)).until;
        assert_eq!(resumed(s(0), 5_000_000), s(110));
        assert_eq!(resumed(s(7), 5_060_000), s(7 + 50), "time while it is stopped counts");
        assert_eq!(resumed(s(7), 0), s(7 + 120), "a clock that was set back makes it no longer");
        assert!(resumed(s(7), 6_000_000) <= s(7) + SPREAD);
        // By another clock at the same moment, as after a correction of the system's clock.
        let saved = wait.saved(wall(s(1_010), 9_000));
        assert_eq!(Wait::resumed(saved, wall(s(0), 9_000), &mut Jitter::new(1)).until, s(110));
    }

    #[test]
    fn waits_that_have_ended_come_back_spread_out() {
        let saved = Wait::begin(Duration::ZERO, HOUR).saved(wall(Duration::ZERO, 0));
        let until = |seed| {
            Wait::resumed(saved, wall(HOUR, 9_000_000), &mut Jitter::new(seed)).until.saturating_sub(HOUR)
        };
        let mut ends: Vec<Duration> = (0..100).map(until).collect();
        ends.sort_unstable();
        assert!(ends[99] <= SPREAD && ends[90] > ends[10] + SPREAD / 2, "{ends:?}");
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
        fn a_restart_never_cuts_a_wait_short(
            lasts_us in 0u64..3_600_000_000, passed_us in 0u64..3_600_000_000, down_ms in 0u64..100_000, seed: u64
        ) {
            let (lasts, passed) = (Duration::from_micros(lasts_us), Duration::from_micros(passed_us));
            let wait = Wait::begin(HOUR, lasts);
            let saved = wait.saved(wall(HOUR + passed, 1_700_000_000_000));
            let start = wall(Duration::ZERO, 1_700_000_000_000 + down_ms);
            let resumed = Wait::resumed(saved, start, &mut Jitter::new(seed));
            let left = lasts.saturating_sub(passed + Duration::from_millis(down_ms));
            prop_assert!(resumed.until >= left, "{resumed:?} {left:?}");
            prop_assert!(resumed.until <= left.max(SPREAD) + Duration::from_millis(1));
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
