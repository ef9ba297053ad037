//! The crate as its users see it: bytes in, bodies out.

mod filter;
mod ingest;

use hitwire_event::ingest::{Invalid, Lines, Taken, parse};
use hitwire_event::{ClientId, Event, Record, Seq};
use std::sync::Arc;

const CLIENT: ClientId = ClientId(6396);

/// Now, where a test does not care.
const NOW_S: u64 = 1_591_261_381;

fn take(body: &str) -> Taken {
    parse(body.as_bytes(), Lines::Detect, CLIENT, NOW_S, Invalid::Refuse).expect(body)
}

/// The one event in a body.
fn event(body: &str) -> Event {
    let mut taken = take(body);
    assert_eq!(taken.rejected, [], "{body}");
    assert_eq!(taken.events.len(), 1, "{body}");
    taken.events.remove(0)
}

fn record(event: Event) -> Arc<Record> {
    Arc::new(Record::new(Seq(1), 0, false, event))
}
