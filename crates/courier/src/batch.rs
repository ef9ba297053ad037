//! How much of the log goes into one request.
//!
//! A batch holds one object type, at least one event, and at most so many events and bytes. How many is adaptive: a lane
//! that keeps up sends small batches at once; a lane that is behind asks for more as long as requests stay fast.

mod learnt;
mod sizer;

use hitwire_event::{ObjectType, Seq};

pub use learnt::LearntSize;
pub use sizer::{Ask, Sizer};

/// A batch as the shell cut it from the log: what the machine needs to open it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Its first event.
    pub first: Seq,
    /// Its last event.
    pub last: Seq,
    /// Where the cursor stands once the batch is settled: no event of the lane lies in `last < seq <= through`.
    pub through: Seq,
    /// Number of events, at least 1.
    pub events: u32,
    /// Length of the body.
    pub body_bytes: u64,
    /// SHA-256 of the body.
    pub body_sha256: [u8; 32],
}

/// Bounds for a batch that the user set. They cap what the machine would ask for by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// At most this many events.
    pub max_events: Option<u32>,
    /// At most this many bytes of body; a single larger event is still sent.
    pub max_bytes: Option<u64>,
}

/// How many of the next events go into one batch: those of the first one's object type, as long as they stay within
/// `max_events` and `max_bytes` of body; the first one always.
///
/// Each item is an event's object type and the bytes of its rendering. Around and between the renderings one byte each is
/// counted for brackets, commas or line ends, so that the body is never longer than counted.
pub fn take(items: impl Iterator<Item = (ObjectType, usize)>, max_events: u32, max_bytes: u64) -> usize {
    let mut body_bytes = 1u64;
    let mut batch_type = None;
    items
        .take(max_events.max(1) as usize)
        .take_while(|&(object_type, rendered_bytes)| {
            body_bytes = body_bytes.saturating_add(rendered_bytes as u64).saturating_add(1);
            match batch_type {
                None => {
                    batch_type = Some(object_type);
                    true
                }
                Some(first) => first == object_type && body_bytes <= max_bytes,
            }
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HIT: ObjectType = ObjectType::Hit;
    const VULN: ObjectType = ObjectType::Vulnerability;

    fn taken(items: &[(ObjectType, usize)], max_events: u32, max_bytes: u64) -> usize {
        take(items.iter().copied(), max_events, max_bytes)
    }

    #[test]
    fn nothing_makes_no_batch() {
        assert_eq!(taken(&[], 500, 1000), 0);
    }

    #[test]
    fn a_batch_ends_where_the_object_type_changes() {
        assert_eq!(taken(&[(HIT, 10), (HIT, 10), (VULN, 10), (HIT, 10)], 500, 1000), 2);
    }

    #[test]
    fn a_batch_ends_at_the_most_events() {
        assert_eq!(taken(&[(HIT, 10); 7], 5, 1000), 5);
    }

    #[test]
    fn an_array_of_three_with_its_brackets_and_commas_is_just_full() {
        assert_eq!(taken(&[(HIT, 10); 4], 500, "[,,]".len() as u64 + 30), 3);
        assert_eq!(taken(&[(HIT, 10); 4], 500, "[,,]".len() as u64 + 29), 2);
    }

    #[test]
    fn an_event_larger_than_the_limit_goes_alone() {
        assert_eq!(taken(&[(HIT, 5_000), (HIT, 1)], 500, 1000), 1);
        assert_eq!(taken(&[(HIT, 5_000), (HIT, 1)], 0, 0), 1);
    }

    fn any_items() -> impl Strategy<Value = Vec<(ObjectType, usize)>> {
        prop::collection::vec((prop::sample::select(vec![HIT, VULN, ObjectType::Scope]), 0usize..400), 0..60)
    }

    proptest! {
        #[test]
        fn what_is_taken_is_within_the_limits_and_as_much_as_they_allow(
            items in any_items(), max_events in 0u32..40, max_bytes in 0u64..6_000
        ) {
            let n = taken(&items, max_events, max_bytes);
            let body = |n: usize| items[..n].iter().map(|item| item.1 as u64).sum::<u64>() + n as u64 + 1;
            let fits = |n: usize| {
                n <= 1 || (n <= max_events as usize
                    && body(n) <= max_bytes
                    && items[..n].iter().all(|item| item.0 == items[0].0))
            };
            prop_assert_eq!(n == 0, items.is_empty());
            prop_assert!(fits(n));
            prop_assert!(n == items.len() || !fits(n + 1), "one more would have fitted");
        }
    }
}
