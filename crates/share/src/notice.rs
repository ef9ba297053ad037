//! When a used-up share is logged: a holder can cause it at will, so the lines are bounded.

use std::collections::HashSet;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// The period in which each holder is named once.
const PERIOD: Duration = Duration::from_mins(1);

/// Holders that are named in a period.
const NAMED_MAX: usize = 10;

/// Which holders were named lately.
#[derive(Debug)]
pub(crate) struct Notices<K> {
    since: Option<Instant>,
    named: HashSet<K>,
    unnamed: u64,
}

impl<K> Default for Notices<K> {
    fn default() -> Self {
        Notices { since: None, named: HashSet::new(), unnamed: 0 }
    }
}

impl<K: Eq + Hash + Clone> Notices<K> {
    /// Whether a line is due for this holder; if so, how many times were not logged since the line before.
    pub(crate) fn due(&mut self, holder: &K, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= PERIOD) {
            self.since = Some(now);
            self.named.clear();
        }
        if self.named.len() >= NAMED_MAX || !self.named.insert(holder.clone()) {
            self.unnamed += 1;
            return None;
        }
        Some(std::mem::take(&mut self.unnamed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_named_once_a_minute_and_few_holders_are_named() {
        let (mut notices, now) = (Notices::default(), Instant::now());
        assert_eq!(notices.due(&1, now), Some(0));
        assert_eq!(notices.due(&1, now), None);
        assert_eq!(notices.due(&2, now), Some(1));
        let named = (0..1_000).filter(|holder| notices.due(holder, now).is_some()).count();
        assert_eq!(named, NAMED_MAX - 2);
        let later = now + PERIOD;
        assert_eq!(notices.due(&1, later), Some(990));
    }
}
