//! The hourly count of requests.

use crate::notice::Notice;
use crate::time::written;
use crate::{ClientId, Event, Kind};

/// Seconds of an hour. Hours are those of UTC.
pub const HOUR_S: u64 = 3_600;

/// An hour is told this long after its end: what is on its way by then still counts in it.
pub const GRACE_S: u64 = 60;

/// The hour in which a counter counts, in hours since the epoch, and whether it came too late for its own, that
/// is after that was told: then it counts in the hour that runs. `at_s` is when the
/// requests were processed, `now_s` when the counter is put into the log (Unix seconds). One that comes from the future
/// counts in the hour of its arrival.
pub fn hour_of(at_s: u64, now_s: u64) -> (u64, bool) {
    let (hour, current) = (at_s / HOUR_S, now_s / HOUR_S);
    let is_late = hour < now_s.saturating_sub(GRACE_S) / HOUR_S;
    (if is_late { current } else { hour.min(current) }, is_late)
}

/// How many requests were processed in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestsPerHour {
    /// How many.
    pub requests: u64,
    /// Where the hour begins: Unix seconds.
    pub time_from: u64,
    /// Where it ends, exclusive: Unix seconds.
    pub time_to: u64,
}

impl RequestsPerHour {
    /// The count as an event of `client`. There is one for each hour: its id stands for the client and `time_from`.
    pub fn to_event(&self, client: ClientId) -> Event {
        self.event_known_by(client, &[&self.time_from.to_le_bytes()])
    }

    /// The same, but the id stands for other parts: not the event of its hour.
    pub(crate) fn event_known_by(&self, client: ClientId, id_parts: &[&[u8]]) -> Event {
        let description = format!(
            "{} {} processed from {} to {}.",
            self.requests,
            if self.requests == 1 { "request was" } else { "requests were" },
            written(self.time_from),
            written(self.time_to)
        );
        let summary = "Number of requests processed in 1 hour";
        Notice::new(Kind::RequestsPerHour, "requests_per_hour", summary, description)
            .integer("requests", self.requests)
            .integer("time_from", self.time_from)
            .integer("time_to", self.time_to)
            .into_event(client, self.time_to, id_parts)
    }
}
