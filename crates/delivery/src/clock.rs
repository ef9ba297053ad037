//! The two clocks of the dispatch.

use hitwire_courier::WallClock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Monotonic time since the start, for everything that waits or expires; and the wall clock, for what others read: the
/// timestamp of a signature, the time of an attempt. A jump of the system's clock while hitwire runs neither expires nor
/// hastens anything; what is left of a wait at a stop is known to the next start by the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    /// What a simulated wall clock says at the start, since the Unix epoch; none: the system's clock.
    simulated: Option<Duration>,
}

impl Clock {
    /// With the system's wall clock.
    pub fn system() -> Self {
        Clock { start: Instant::now(), simulated: None }
    }

    /// With a simulated wall clock, which says this now, since the Unix epoch.
    pub fn at(wall: Duration) -> Self {
        Clock { start: Instant::now(), simulated: Some(wall) }
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
        let wall = self.simulated.map_or_else(system_wall, |at_start| at_start + self.now());
        wall.as_millis() as u64
    }

    /// Both clocks now.
    pub fn wall(&self) -> WallClock {
        WallClock { at: self.now(), ms: self.wall_ms() }
    }

    /// The wall time, in milliseconds since the Unix epoch, at which [`Clock::now`] will read `at`, or did, as far as one
    /// can say now.
    pub fn wall_of(&self, at: Duration) -> u64 {
        let (now, wall_ms) = (self.now(), self.wall_ms());
        match at.checked_sub(now) {
            Some(ahead) => wall_ms + ahead.as_millis() as u64,
            None => wall_ms.saturating_sub(now.saturating_sub(at).as_millis() as u64),
        }
    }
}

fn system_wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
