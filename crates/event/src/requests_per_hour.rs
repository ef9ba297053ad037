//! The hourly count of requests.

use crate::notice::Notice;
use crate::time::written;
use crate::{ClientId, Event, Kind};

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
