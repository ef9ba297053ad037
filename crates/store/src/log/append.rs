//! What is added to the log.

use hitwire_event::Event;

/// Events to append, all or nothing.
#[derive(Clone, Debug, Default)]
pub struct Append {
    /// The events, in order.
    pub events: Vec<Event>,
    /// Leave out events that were appended within the deduplication window: same client, id and content.
    pub deduplicate: bool,
    /// The source's name and its new checkpoint, committed with the events.
    pub checkpoint: Option<(String, Vec<u8>)>,
}

/// What became of an append.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Events that are in the log now because of this call.
    pub accepted: u64,
    /// For each event of the call: it was there before, and was left out.
    pub duplicate: Vec<bool>,
}
