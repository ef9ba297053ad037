//! How an index is set up.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// How an index is set up.
#[derive(Clone)]
pub struct Options {
    /// The data directory, which must be there: the index is `index.db` in it.
    pub data_dir: PathBuf,
    /// How much it holds.
    pub bounds: Bounds,
    /// Bytes: below this the log refuses events; the index stops growing while less than twice as much is free.
    pub disk_floor_bytes: u64,
    /// The wall clock: milliseconds since the Unix epoch.
    pub now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// How much an index holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Positions of a volume of events, and attempts of a volume of attempts.
    pub volume: u64,
    /// So many volumes of events are held, if positions have no gaps. With gaps there are more, and as many events.
    pub event_volumes: u64,
    /// Volumes of attempts.
    pub attempt_volumes: u64,
    /// Bytes of the file. Over it the oldest volumes go, then the oldest counts.
    pub bytes: u64,
}

/// Bytes that an event takes, with its part of the trees.
const EVENT_BYTES: u64 = 700;

impl Default for Bounds {
    /// Two gibibytes: some three million events.
    fn default() -> Self {
        Bounds::of_bytes(2 << 30)
    }
}

impl Bounds {
    /// As much as fits into a file of this size.
    pub fn of_bytes(bytes: u64) -> Self {
        let volume = 1 << 17;
        let event_volumes = (bytes / (volume * EVENT_BYTES)).max(2);
        Bounds { volume, event_volumes, attempt_volumes: 8, bytes }
    }
}

impl Bounds {
    /// How many of the newest events are indexed at least, once the log has more.
    pub(crate) fn events(self) -> u64 {
        self.volume * self.event_volumes.saturating_sub(1).max(1)
    }
}

impl Options {
    /// With the default bounds, under the system's clock.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let now_ms =
            || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        Options {
            data_dir: data_dir.into(),
            bounds: Bounds::default(),
            disk_floor_bytes: 0,
            now_ms: Arc::new(now_ms),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("data_dir", &self.data_dir)
            .field("bounds", &self.bounds)
            .field("disk_floor_bytes", &self.disk_floor_bytes)
            .finish_non_exhaustive()
    }
}
