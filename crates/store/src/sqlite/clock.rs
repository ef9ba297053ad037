//! Times: for the record from the wall clock, for pauses from the monotonic one, for ages from both. What is owed to
//! receivers ages by the time that hitwire ran.

use super::options::Options;
use std::time::Duration;

/// The store's clocks.
pub(super) struct Clock {
    wall_ms: super::options::WallClock,
    elapsed: super::options::MonotonicClock,
    opened_wall_ms: u64,
    opened_at: Duration,
    /// How long hitwire had run in all before this start.
    ran_before: Duration,
}

impl Clock {
    /// The clocks of these options, from now on. `ran_before`: how long hitwire had run in all before.
    pub(super) fn new(options: &Options, ran_before: Duration) -> Self {
        Clock {
            opened_wall_ms: (options.now_ms)(),
            opened_at: (options.elapsed)(),
            wall_ms: options.now_ms.clone(),
            elapsed: options.elapsed.clone(),
            ran_before,
        }
    }

    /// The wall clock, in milliseconds since the Unix epoch. It may jump.
    pub(super) fn now_ms(&self) -> u64 {
        (self.wall_ms)()
    }

    /// The monotonic clock.
    pub(super) fn elapsed(&self) -> Duration {
        (self.elapsed)()
    }

    /// How long hitwire has run in all, this time and before. Neither time in which it was stopped nor a jump of the wall
    /// clock counts.
    pub(super) fn ran(&self) -> Duration {
        self.ran_before + self.elapsed().saturating_sub(self.opened_at)
    }

    /// The wall clock for judging ages: what the clock says, but no more than what has really gone by since the start.
    /// A clock that jumps ahead makes nothing old.
    pub(super) fn age_now_ms(&self) -> u64 {
        let gone_by = self.elapsed().saturating_sub(self.opened_at);
        self.now_ms().min(self.opened_wall_ms.saturating_add(gone_by.as_millis() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn a_jump_of_the_wall_clock_makes_nothing_old() {
        let wall = Arc::new(AtomicU64::new(1_000));
        let elapsed = Arc::new(AtomicU64::new(0));
        let mut options = Options::new("unused");
        options.now_ms = Arc::new({
            let wall = wall.clone();
            move || wall.load(Ordering::Relaxed)
        });
        options.elapsed = Arc::new({
            let elapsed = elapsed.clone();
            move || Duration::from_millis(elapsed.load(Ordering::Relaxed))
        });
        let clock = Clock::new(&options, Duration::from_mins(7));
        wall.store(9_000_000, Ordering::Relaxed);
        elapsed.store(500, Ordering::Relaxed);
        assert_eq!(clock.age_now_ms(), 1_500);
        assert_eq!(clock.ran(), Duration::from_mins(7) + Duration::from_millis(500));
        wall.store(1_200, Ordering::Relaxed);
        assert_eq!(clock.age_now_ms(), 1_200);
    }
}
