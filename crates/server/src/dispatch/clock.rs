//! The two clocks of the dispatch.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Monotonic time since the start, and the wall clock as it was at the start plus that time: a jump of the system's wall
/// clock while hitwire runs neither expires nor hastens anything.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    wall_at_start: Duration,
}

impl Clock {
    /// Anchored at the system's wall clock.
    pub fn system() -> Self {
        Clock::at(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// Anchored at a given wall time since the Unix epoch.
    pub fn at(wall: Duration) -> Self {
        Clock { start: Instant::now(), wall_at_start: wall }
    }

    /// Monotonic time since the start: what machines are fed with.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The instant at which [`Clock::now`] will read `at`.
    pub fn instant(&self, at: Duration) -> Instant {
        self.start + at
    }

    /// Milliseconds since the Unix epoch.
    pub fn wall_ms(&self) -> u64 {
        self.wall_of(self.now())
    }

    /// The wall time, in milliseconds since the Unix epoch, at which [`Clock::now`] reads `at`.
    pub fn wall_of(&self, at: Duration) -> u64 {
        (self.wall_at_start + at).as_millis() as u64
    }
}
