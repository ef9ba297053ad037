//! The hours that are being counted: what a counter and the clock change, without IO.

use hitwire_event::requests_per_hour::{GRACE_S, HOUR_S, RequestsPerHour, hour_of};
use hitwire_event::{ClientId, Counter, Event, Seq};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The form in which the state is kept.
const VERSION: u8 = 1;

/// What is known of the hours that are not told yet, after every counter up to a position of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hours {
    version: u8,
    /// Everything up to here is counted.
    cursor: Seq,
    /// Hours before this one are told, in hours since the epoch.
    told_to: u64,
    /// Requests by hour and client.
    open: BTreeMap<u64, BTreeMap<ClientId, u64>>,
}

impl Default for Hours {
    fn default() -> Self {
        Hours { version: VERSION, cursor: Seq::ZERO, told_to: 0, open: BTreeMap::new() }
    }
}

impl Hours {
    /// Reads what [`Hours::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// In words, when it is something else or of a newer form.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        match serde_json::from_slice::<Hours>(bytes) {
            Ok(hours) if hours.version == VERSION => Ok(hours),
            Ok(hours) => Err(format!("it is of form {}, and this hitwire knows {VERSION}", hours.version)),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_else(|error| unreachable!("numbers can be written: {error}"))
    }

    /// Everything up to here is counted.
    pub(super) fn cursor(&self) -> Seq {
        self.cursor
    }

    /// Counts a counter, which was appended at this time (Unix seconds).
    pub(super) fn count(&mut self, counter: Counter, appended_s: u64) {
        // An hour that is told stays as it was told, whatever the clock says now.
        let hour = hour_of(counter.at, appended_s).0.max(self.told_to);
        let requests = self.open.entry(hour).or_default().entry(counter.client).or_default();
        *requests = requests.saturating_add(counter.requests);
    }

    /// There is no counter up to here that was not counted.
    pub(super) fn passed(&mut self, seq: Seq) {
        self.cursor = self.cursor.max(seq);
    }

    /// When the next hour is to be told, Unix seconds; none while nothing is counted.
    pub(super) fn due_s(&self) -> Option<u64> {
        self.open.keys().next().map(|hour| (hour + 1) * HOUR_S + GRACE_S)
    }

    /// Tells the oldest hour, if it is due: one event for each client that sent a counter for it, be it 0; `max` of them at
    /// once, the rest the next time.
    pub(super) fn tell(&mut self, now_s: u64, max: usize) -> Vec<Event> {
        if self.due_s().is_none_or(|due_s| now_s < due_s) {
            return Vec::new();
        }
        let Some(mut entry) = self.open.first_entry() else { return Vec::new() };
        let hour = *entry.key();
        self.told_to = self.told_to.max(hour + 1);
        let clients = entry.get_mut();
        let mut events = Vec::with_capacity(clients.len().min(max));
        while events.len() < max
            && let Some((client, requests)) = clients.pop_first()
        {
            let (time_from, time_to) = (hour * HOUR_S, (hour + 1) * HOUR_S);
            events.push(RequestsPerHour { requests, time_from, time_to }.to_event(client));
        }
        if clients.is_empty() {
            entry.remove();
        }
        events
    }
}

#[cfg(test)]
mod tests;
