//! Something for each lane of an integration.

use hitwire_event::Lane;
use std::ops::{Index, IndexMut};

/// A value for each lane, in the order of the lanes. There are few lanes, and thousands of integrations that rest: so it is a
/// list of just so many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByLane<T>(Vec<(Lane, T)>);

impl<T> Default for ByLane<T> {
    fn default() -> Self {
        ByLane(Vec::new())
    }
}

impl<T> ByLane<T> {
    /// One for each of the lanes that every integration has.
    pub fn live(mut value: impl FnMut(Lane) -> T) -> Self {
        ByLane(Lane::LIVE.map(|lane| (lane, value(lane))).into())
    }

    /// The value of a lane.
    pub fn get(&self, lane: Lane) -> Option<&T> {
        self.place(lane).ok().map(|at| &self.0[at].1)
    }

    /// The value of a lane.
    pub fn get_mut(&mut self, lane: Lane) -> Option<&mut T> {
        self.place(lane).ok().map(|at| &mut self.0[at].1)
    }

    /// Whether there is one for this lane.
    pub fn has(&self, lane: Lane) -> bool {
        self.place(lane).is_ok()
    }

    /// Sets the value of a lane. Returns the one before.
    pub fn insert(&mut self, lane: Lane, value: T) -> Option<T> {
        match self.place(lane) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.reserve_exact(1);
                self.0.insert(at, (lane, value));
                None
            }
        }
    }

    /// Takes the value of a lane away.
    pub fn remove(&mut self, lane: Lane) -> Option<T> {
        self.place(lane).ok().map(|at| self.0.remove(at).1)
    }

    /// Keeps only those for which this holds.
    pub fn retain(&mut self, mut keep: impl FnMut(Lane, &T) -> bool) {
        self.0.retain(|(lane, value)| keep(*lane, value));
    }

    /// The lanes.
    pub fn lanes(&self) -> impl Iterator<Item = Lane> {
        self.0.iter().map(|(lane, _)| *lane)
    }

    /// The values with their lanes.
    pub fn iter(&self) -> impl Iterator<Item = (Lane, &T)> {
        self.0.iter().map(|(lane, value)| (*lane, value))
    }

    /// The values with their lanes.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Lane, &mut T)> {
        self.0.iter_mut().map(|(lane, value)| (*lane, value))
    }

    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }

    /// The values.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// The same lanes with other values.
    pub fn map<U>(self, mut into: impl FnMut(Lane, T) -> U) -> ByLane<U> {
        ByLane(self.0.into_iter().map(|(lane, value)| (lane, into(lane, value))).collect())
    }

    fn place(&self, lane: Lane) -> Result<usize, usize> {
        self.0.binary_search_by_key(&lane, |(lane, _)| *lane)
    }
}

impl<T> IntoIterator for ByLane<T> {
    type Item = (Lane, T);
    type IntoIter = std::vec::IntoIter<(Lane, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// The last one of a lane counts.
impl<T> FromIterator<(Lane, T)> for ByLane<T> {
    fn from_iter<I: IntoIterator<Item = (Lane, T)>>(values: I) -> Self {
        let mut by_lane = ByLane::default();
        for (lane, value) in values {
            by_lane.insert(lane, value);
        }
        by_lane
    }
}

/// Of a lane that is there; panics otherwise.
impl<T> Index<Lane> for ByLane<T> {
    type Output = T;

    fn index(&self, lane: Lane) -> &T {
        self.get(lane).unwrap_or_else(|| panic!("there is no lane {lane}"))
    }
}

impl<T> IndexMut<Lane> for ByLane<T> {
    fn index_mut(&mut self, lane: Lane) -> &mut T {
        self.get_mut(lane).unwrap_or_else(|| panic!("there is no lane {lane}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_in_the_order_of_their_lanes() {
        let replay = Lane::Replay;
        let mut names: ByLane<&str> =
            [(replay(2), "b"), (Lane::Bulk, "bulk"), (replay(1), "a"), (replay(2), "c")]
                .into_iter()
                .collect();
        assert_eq!(names.insert(Lane::Urgent, "urgent"), None);
        assert_eq!(names.values().copied().collect::<Vec<_>>(), ["urgent", "bulk", "a", "c"]);
        assert_eq!(names.remove(replay(1)), Some("a"));
        assert_eq!((names.get(replay(1)), names[replay(2)]), (None, "c"));
        assert_eq!(names.insert(replay(2), "d"), Some("c"));
        assert_eq!(names.lanes().collect::<Vec<_>>(), [Lane::Urgent, Lane::Bulk, replay(2)]);
    }
}
