//! What is counted for single integrations.

use super::deliveries::VERDICTS;
use hitwire_courier::Verdict;
use hitwire_event::IntegrationId;
use std::collections::BTreeMap;

/// Integrations with series of their own: those that sent something first since the start. With eight series each, an answer
/// has some 700 KB at most.
pub(crate) const SINGLE_MAX: usize = 1_000;

/// What became of one integration's attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct One {
    /// Attempts, by the place in [`VERDICTS`].
    pub batches: [u64; VERDICTS.len()],
    /// Events that were delivered.
    pub delivered_events: u64,
}

impl One {
    fn ended(&mut self, verdict: Verdict, events: u32) {
        if let Some(place) = VERDICTS.iter().position(|other| *other == verdict) {
            self.batches[place] += 1;
        }
        if verdict == Verdict::Delivered {
            self.delivered_events += u64::from(events);
        }
    }
}

/// Integrations one by one, up to a bound; the rest together.
#[derive(Debug, Default)]
pub(crate) struct Each {
    single: BTreeMap<IntegrationId, One>,
    other: One,
}

impl Each {
    /// An attempt ended. Who is among the others stays there until the end of the process: a counter never goes down.
    pub(crate) fn ended(&mut self, id: IntegrationId, verdict: Verdict, events: u32) {
        let has_room = self.single.len() < SINGLE_MAX;
        let one = match self.single.get_mut(&id) {
            Some(one) => one,
            None if has_room => self.single.entry(id).or_default(),
            None => &mut self.other,
        };
        one.ended(verdict, events);
    }

    pub(crate) fn forget(&mut self, id: IntegrationId) {
        self.single.remove(&id);
    }

    /// Those that are told one by one, and the others.
    pub(crate) fn counted(&self) -> (Vec<(IntegrationId, One)>, One) {
        (self.single.iter().map(|(id, one)| (*id, *one)).collect(), self.other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_bound_integrations_are_counted_together() {
        let mut each = Each::default();
        for id in 1..=SINGLE_MAX as u64 + 5 {
            each.ended(IntegrationId(id), Verdict::Delivered, 2);
            each.ended(IntegrationId(id), Verdict::Sick, 2);
        }
        let (single, other) = each.counted();
        assert_eq!(single.len(), SINGLE_MAX);
        assert!(single.iter().all(|(_, one)| one.delivered_events == 2 && one.batches == [1, 1, 0, 0]));
        assert_eq!((other.delivered_events, other.batches), (10, [5, 5, 0, 0]));
    }

    #[test]
    fn who_is_deleted_makes_room() {
        let mut each = Each::default();
        for id in 1..=SINGLE_MAX as u64 {
            each.ended(IntegrationId(id), Verdict::Delivered, 1);
        }
        each.forget(IntegrationId(7));
        each.ended(IntegrationId(5_000), Verdict::Delivered, 1);
        let (single, other) = each.counted();
        assert_eq!(single.len(), SINGLE_MAX);
        assert_eq!(other, One::default());
        assert_eq!(single.last().expect("one").0, IntegrationId(5_000));
    }
}
