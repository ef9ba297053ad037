//! The pace of an endpoint: at most so many requests a minute, in all lanes together.
//!
//! A request begins no earlier than a minute's share after the one before it began. Nothing is saved up while there is
//! nothing to send: a receiver that takes sixty a minute is never sent two at once. Events gather meanwhile, and fill the
//! next batch.

use std::time::Duration;

/// When the last request began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    begun: Option<Duration>,
    /// The shell was told to send, and has not said yet that it has.
    is_told: bool,
}

impl Pace {
    /// After a restart. A batch on record had most likely been sent, and when is not known: it counts as if just now.
    pub(super) fn resumed(has_open_batch: bool, now: Duration) -> Self {
        Pace { begun: has_open_batch.then_some(now), is_told: false }
    }

    /// The shell is told to send.
    pub(super) fn tell(&mut self, now: Duration) {
        self.is_told = true;
        self.begun(now);
    }

    /// The shell has done what it was told.
    pub(super) fn carried_out(&mut self, now: Duration) {
        if std::mem::take(&mut self.is_told) {
            self.begun(now);
        }
    }

    /// A request began at this time (monotonic), or no earlier.
    pub(super) fn begun(&mut self, at: Duration) {
        self.begun = self.begun.max(Some(at));
    }

    /// When the next request may begin. `rate`: requests a minute, at least 1; none: no limit.
    pub(super) fn next(self, rate: Option<u32>) -> Duration {
        match (self.begun, rate) {
            (Some(begun), Some(rate)) => begun + interval(rate),
            _ => Duration::ZERO,
        }
    }
}

/// The least time from the beginning of one request to that of the next.
fn interval(rate: u32) -> Duration {
    const MINUTE_NS: u64 = 60_000_000_000;
    Duration::from_nanos(MINUTE_NS.div_ceil(u64::from(rate.max(1))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sixty_a_minute_is_one_a_second_and_no_limit_is_no_wait() {
        let mut pace = Pace::default();
        assert_eq!(pace.next(Some(1)), Duration::ZERO, "the first one need not wait");
        pace.begun(Duration::from_secs(9));
        assert_eq!(pace.next(Some(60)), Duration::from_secs(10));
        assert_eq!(pace.next(Some(1)), Duration::from_secs(69));
        assert_eq!(pace.next(None), Duration::ZERO);
    }

    #[test]
    fn what_is_heard_late_of_an_earlier_request_changes_nothing() {
        let mut pace = Pace::default();
        pace.begun(Duration::from_secs(9));
        pace.begun(Duration::from_secs(5));
        assert_eq!(pace.next(Some(60)), Duration::from_secs(10));
    }

    proptest! {
        #[test]
        fn no_minute_holds_more_requests_than_its_rate_and_the_one_that_begins_it(rate in 1u32..=60_000) {
            let intervals = interval(rate) * rate;
            prop_assert!(intervals >= Duration::from_mins(1));
            prop_assert!(intervals < Duration::from_mins(1) + Duration::from_micros(60));
        }
    }
}
