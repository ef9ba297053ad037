//! Counters: how many requests somebody processed. They lie in the log, where nobody can subscribe to them, until they are
//! told by the hour.

use crate::{ClientId, Event, EventId, Kind};
use serde::{Deserialize, Serialize};

/// A number of requests, as a source or a caller tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Whose requests they were.
    pub client: ClientId,
    /// How many.
    pub requests: u64,
    /// When they were processed: Unix seconds.
    pub at: u64,
}

impl Counter {
    /// The counter as the log keeps it: in one stream for all clients, since one reader reads all. `id` tells it from any other
    /// counter of its client.
    pub fn to_event(&self, id: &str) -> Event {
        let Counter { client, requests, at } = self;
        Event {
            client: ClientId::HITWIRE,
            kind: Kind::Counter,
            id: EventId::from(format!("{client}/{id}")),
            body: format!(r#"{{"client":{client},"requests":{requests},"at":{at}}}"#).into_boxed_str(),
        }
    }

    /// What such an event tells; none if it is no counter.
    pub fn of(event: &Event) -> Option<Counter> {
        if event.kind != Kind::Counter {
            return None;
        }
        serde_json::from_str(&event.body).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_read_back_as_it_was_written() {
        let counter = Counter { client: ClientId(7), requests: u64::MAX, at: 1_700_000_000 };
        let event = counter.to_event("a");
        assert_eq!(Counter::of(&event), Some(counter));
        assert_eq!((event.client, event.id.as_str()), (ClientId::HITWIRE, "7/a"));
    }

    #[test]
    fn counters_of_one_id_are_one_counter_whatever_they_say() {
        let counter = |requests, at| Counter { client: ClientId(7), requests, at }.to_event("a");
        assert_eq!(counter(1, 2).content(), counter(3, 4).content());
    }
}
