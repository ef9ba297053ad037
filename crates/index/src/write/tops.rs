//! The most frequent attack types, client addresses and domains of each hour, by the space-saving algorithm (Metwally,
//! Agrawal and El Abbadi, 2005): a fixed number of counters, and a new value takes over the smallest.
//!
//! What is told of a value is never too small, and too large by no more than its `error`, which is at most the hour's events
//! divided by the number of counters. A value with more events than that is among them.

use crate::row::EventRow;
use crate::sql;
use hitwire_event::{ClientId, Kind};
use rusqlite::{Connection, params};
use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

/// Counters of each hour, client and question.
pub const TOP_COUNTERS: usize = 200;

/// Sketches that are kept in memory, some 16 KiB each; beyond them they are read again.
const SKETCHES_MAX: usize = 512;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TopOf {
    /// Types of hits.
    Types,
    /// Addresses of hits' clients.
    Addresses,
    /// Domains of hits.
    Domains,
}

impl TopOf {
    /// All of them.
    pub const ALL: [TopOf; 3] = [TopOf::Types, TopOf::Addresses, TopOf::Domains];

    pub(crate) const fn code(self) -> u8 {
        match self {
            TopOf::Types => 1,
            TopOf::Addresses => 2,
            TopOf::Domains => 3,
        }
    }

    fn value(self, row: &EventRow) -> Option<Cow<'_, str>> {
        match self {
            TopOf::Types => row.type_code.as_deref().map(Cow::Borrowed),
            TopOf::Addresses => row.address.map(|address| Cow::Owned(address.to_string())),
            TopOf::Domains => row.domain.as_deref().map(|domain| Cow::Owned(domain.to_ascii_lowercase())),
        }
    }
}

/// Hour since the epoch, client, question.
type Key = (u64, u64, TopOf);

/// The sketches that are being counted in.
#[derive(Debug, Default)]
pub(super) struct Sketches {
    kept: BTreeMap<Key, Sketch>,
}

#[derive(Debug, Default)]
struct Sketch {
    counters: Vec<Counter>,
    slots: HashMap<String, usize>,
    /// Slots that are other than in the file.
    changed: Vec<usize>,
}

#[derive(Debug)]
struct Counter {
    value: String,
    events: u64,
    error: u64,
    changed: bool,
}

impl Sketches {
    /// Counts an event in the sketches of its hour.
    pub(super) fn count(&mut self, connection: &Connection, row: &EventRow) -> rusqlite::Result<()> {
        if row.kind != Kind::Hit {
            return Ok(());
        }
        for what in TopOf::ALL {
            let Some(value) = what.value(row) else { continue };
            let key = (row.appended_ms / 3_600_000, row.client.0, what);
            match self.kept.entry(key) {
                Entry::Occupied(kept) => kept.into_mut().count(&value),
                Entry::Vacant(free) => free.insert(Sketch::read(connection, key)?).count(&value),
            }
        }
        Ok(())
    }

    /// Writes down what changed.
    pub(super) fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(sql::PUT_TOP)?;
        for ((hour, client, what), sketch) in &mut self.kept {
            for slot in sketch.changed.drain(..) {
                let Some(counter) = sketch.counters.get_mut(slot) else { continue };
                counter.changed = false;
                statement.execute(params![
                    *hour as i64,
                    *client as i64,
                    what.code(),
                    slot as i64,
                    counter.value,
                    counter.events as i64,
                    counter.error as i64
                ])?;
            }
        }
        Ok(())
    }

    /// Keeps no more than there may be.
    pub(super) fn rest(&mut self) {
        while self.kept.len() > SKETCHES_MAX {
            self.kept.pop_first();
        }
    }

    /// Forgets what may not be in the file.
    pub(super) fn forget(&mut self) {
        self.kept.clear();
    }
}

impl Sketch {
    fn read(connection: &Connection, (hour, client, what): Key) -> rusqlite::Result<Sketch> {
        let mut sketch = Sketch::default();
        for (value, events, error) in read(connection, hour, ClientId(client), what)? {
            sketch.slots.insert(value.clone(), sketch.counters.len());
            sketch.counters.push(Counter { value, events, error, changed: false });
        }
        Ok(sketch)
    }

    fn count(&mut self, value: &str) {
        let slot = match self.slots.get(value) {
            Some(slot) => *slot,
            None if self.counters.len() < TOP_COUNTERS => {
                self.slots.insert(value.to_owned(), self.counters.len());
                self.counters.push(Counter { value: value.to_owned(), events: 0, error: 0, changed: false });
                self.counters.len() - 1
            }
            None => self.take_over(value),
        };
        let Some(counter) = self.counters.get_mut(slot) else { return };
        counter.events += 1;
        if !counter.changed {
            counter.changed = true;
            self.changed.push(slot);
        }
    }

    /// Gives the smallest counter, the first of several, to another value.
    fn take_over(&mut self, value: &str) -> usize {
        let smallest = self.counters.iter_mut().enumerate().min_by_key(|(_, counter)| counter.events);
        let Some((slot, counter)) = smallest else { return 0 };
        self.slots.remove(&counter.value);
        self.slots.insert(value.to_owned(), slot);
        value.clone_into(&mut counter.value);
        counter.error = counter.events;
        slot
    }
}

/// The counters of an hour: value, events, error.
pub(crate) fn read(
    connection: &Connection,
    hour: u64,
    client: ClientId,
    what: TopOf,
) -> rusqlite::Result<Vec<(String, u64, u64)>> {
    let mut statement = connection.prepare_cached(sql::TOP)?;
    let rows = statement.query_map(params![hour as i64, client.0 as i64, what.code()], |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64))
    })?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_told_is_never_too_small_and_too_large_by_its_error_at_most(
            values in prop::collection::vec(0_u32..400, 0..3_000)
        ) {
            let mut sketch = Sketch::default();
            let mut exact: HashMap<String, u64> = HashMap::new();
            for value in &values {
                // Few values are frequent, many are rare.
                let value = (value * value / 400).to_string();
                sketch.count(&value);
                *exact.entry(value).or_default() += 1;
            }
            let bound = values.len() as u64 / TOP_COUNTERS as u64;
            prop_assert!(sketch.counters.len() <= TOP_COUNTERS);
            for counter in &sketch.counters {
                let exact = exact[&counter.value];
                prop_assert!(counter.events >= exact && counter.events - counter.error <= exact);
                prop_assert!(counter.error <= bound);
            }
            for (value, events) in exact {
                prop_assert!(events <= bound || sketch.slots.contains_key(&value), "{value} with {events} is missing");
            }
        }
    }
}
