//! The two clocks of the dispatch.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Monotonic time since the start, for everything that waits or expires; and the wall clock, for what others read: the
/// timestamp of a signature, the time of an attempt. What expires by wall time uses the wall clock as it was at the
/// start plus the monotonic time: a jump of the system's clock while hitwire runs neither expires nor hastens anything.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    wall_at_start: Duration,
    /// The wall clock is the system's, not a simulated one.
    is_system: bool,
}

impl Clock {
    /// Anchored at the system's wall clock.
    pub fn system() -> Self {
        Clock { is_system: true, ..Clock::at(system_wall()) }
    }

    /// Anchored at a given wall time since the Unix epoch.
    pub fn at(wall: Duration) -> Self {
        Clock { start: Instant::now(), wall_at_start: wall, is_system: false }
    }

    /// Monotonic time since the start: what machines are fed with.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The instant at which [`Clock::now`] will read `at`.
    pub fn instant(&self, at: Duration) -> Instant {
        self.start + at
    }

    /// The wall clock now: milliseconds since the Unix epoch. Follows corrections of the system's clock.
    pub fn wall_ms(&self) -> u64 {
        if self.is_system { system_wall().as_millis() as u64 } else { self.anchored_ms() }
    }

    /// The wall clock as it was at the start, plus the time since then: milliseconds since the Unix epoch.
    pub fn anchored_ms(&self) -> u64 {
        (self.wall_at_start + self.now()).as_millis() as u64
    }

    /// The wall time, in milliseconds since the Unix epoch, at which [`Clock::now`] will read `at`, as far as one can say
    /// now.
    pub fn wall_of(&self, at: Duration) -> u64 {
        let ahead = at.saturating_sub(self.now()).as_millis() as u64;
        self.wall_ms() + ahead
    }
}

fn system_wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
