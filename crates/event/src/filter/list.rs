//! A bounded list of conditions, any of which is enough.

use serde::{Deserialize, Serialize};
use std::ops::Deref;

/// The most entries of one list. A filter is compared with each event that it concerns: its length is what that costs.
pub const ENTRIES_MAX: usize = 100;

/// At most [`ENTRIES_MAX`] entries, in the order given, none twice. An empty list is no condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<T>", bound(deserialize = "T: Deserialize<'de> + PartialEq"))]
pub struct List<T>(Vec<T>);

/// More than [`ENTRIES_MAX`] entries were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at most {ENTRIES_MAX} entries are possible, and there are {0}")]
pub struct TooMany(pub usize);

impl<T: PartialEq> List<T> {
    /// A list of these; what is there already is left out.
    pub fn new(entries: Vec<T>) -> Result<Self, TooMany> {
        if entries.len() > ENTRIES_MAX {
            return Err(TooMany(entries.len()));
        }
        let mut kept = Vec::with_capacity(entries.len());
        for entry in entries {
            if !kept.contains(&entry) {
                kept.push(entry);
            }
        }
        Ok(List(kept))
    }
}

impl<T> List<T> {
    /// Adds other words for what is there already, which do not count as entries.
    pub(super) fn add_synonyms(&mut self, synonyms: impl IntoIterator<Item = T>) {
        self.0.extend(synonyms);
    }

    /// There is no condition.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        List(Vec::new())
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: PartialEq> TryFrom<Vec<T>> for List<T> {
    type Error = TooMany;

    fn try_from(entries: Vec<T>) -> Result<Self, TooMany> {
        List::new(entries)
    }
}
