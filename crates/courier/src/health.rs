//! The 60 % rule: an integration whose requests mostly fail is disabled.
//!
//! Applies to the preset `original` alone. Only live requests count, and of those not the ones answered 429: a receiver
//! that asks for patience is alive.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Requests are counted in buckets this long.
const BUCKET_S: u64 = 15 * 60;
/// Buckets in the window of 12 h.
const WINDOW_BUCKETS: i64 = 48;
/// First and last request must lie at least 6 h apart: one bad hour disables nobody.
const SPREAD_BUCKETS: i64 = 24;
/// Fewer requests than this prove nothing.
const REQUESTS_LEAST: u32 = 20;
/// Percent of failed requests that disable.
const FAILED_PERCENT: u64 = 60;

/// Requests of the last 12 h. At most 48 buckets: 48 * 16 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Oldest first.
    buckets: Vec<Bucket>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bucket {
    /// Its place on the monotonic clock; negative for those from before the process started.
    index: i64,
    total: u32,
    failed: u32,
}

/// A bucket as it is kept: (age in buckets, all requests, failed requests). Relative, because the monotonic clock begins
/// anew with each process; time while the process is down does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedBucket(u32, u32, u32);

/// Too many requests failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unhealthy {
    /// Failed requests in the window.
    pub failed: u32,
    /// All requests in the window.
    pub total: u32,
}

impl Health {
    /// Counts one request that ended at `now` (monotonic).
    pub fn record(&mut self, now: Duration, failed: bool) {
        let index = index(now);
        self.buckets.retain(|bucket| bucket.index > index - WINDOW_BUCKETS);
        if self.buckets.last().is_none_or(|last| last.index < index) {
            self.buckets.push(Bucket { index, total: 0, failed: 0 });
        }
        if let Some(last) = self.buckets.last_mut() {
            last.total = last.total.saturating_add(1);
            last.failed = last.failed.saturating_add(u32::from(failed));
        }
    }

    /// Whether the requests of the window condemn the endpoint, as of the last one recorded.
    pub fn unhealthy(&self) -> Option<Unhealthy> {
        let (first, last) = (self.buckets.first()?, self.buckets.last()?);
        let sum = |count: fn(&Bucket) -> u32| self.buckets.iter().map(count).fold(0, u32::saturating_add);
        let (total, failed) = (sum(|bucket| bucket.total), sum(|bucket| bucket.failed));
        let condemned = total >= REQUESTS_LEAST
            && last.index - first.index >= SPREAD_BUCKETS
            && u64::from(failed) * 100 >= u64::from(total) * FAILED_PERCENT;
        condemned.then_some(Unhealthy { failed, total })
    }

    /// For the store, as of `now`.
    pub fn saved(&self, now: Duration) -> Vec<SavedBucket> {
        let index = index(now);
        self.buckets
            .iter()
            .map(|bucket| SavedBucket((index - bucket.index).max(0) as u32, bucket.total, bucket.failed))
            .collect()
    }

    /// From the store; buckets that are out of order or too old are left out.
    pub fn restored(saved: &[SavedBucket], now: Duration) -> Self {
        let index = index(now);
        let mut buckets: Vec<Bucket> = Vec::with_capacity(saved.len().min(WINDOW_BUCKETS as usize));
        for &SavedBucket(age, total, failed) in saved {
            let at = index - i64::from(age);
            let in_order = buckets.last().is_none_or(|last| last.index < at);
            if in_order && i64::from(age) < WINDOW_BUCKETS {
                buckets.push(Bucket { index: at, total, failed: failed.min(total) });
            }
        }
        Health { buckets }
    }
}

fn index(now: Duration) -> i64 {
    (now.as_secs() / BUCKET_S) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_minute(minute: u64) -> Duration {
        Duration::from_secs(minute * 60)
    }

    /// A request every `every` minutes from `from` on, failed where `failed` says so.
    fn requests(health: &mut Health, from: u64, every: u64, failed: &[bool]) {
        for (n, &failed) in failed.iter().enumerate() {
            health.record(at_minute(from + n as u64 * every), failed);
        }
    }

    #[test]
    fn twenty_requests_over_six_hours_of_which_twelve_failed_condemn() {
        let mut health = Health::default();
        let outcomes: Vec<bool> = (0..20).map(|n| n % 5 < 3).collect();
        requests(&mut health, 0, 20, &outcomes);
        assert_eq!(health.unhealthy(), Some(Unhealthy { failed: 12, total: 20 }));
    }

    #[test]
    fn one_failure_less_does_not() {
        let mut health = Health::default();
        let outcomes: Vec<bool> = (0..20).map(|n| n % 5 < 3 && n != 0).collect();
        requests(&mut health, 0, 20, &outcomes);
        assert_eq!(health.unhealthy(), None);
    }

    #[test]
    fn nineteen_requests_prove_nothing() {
        let mut health = Health::default();
        requests(&mut health, 0, 30, &[true; 19]);
        assert_eq!(health.unhealthy(), None);
        health.record(at_minute(19 * 30), true);
        assert!(health.unhealthy().is_some());
    }

    #[test]
    fn a_hundred_failures_within_one_hour_disable_nobody() {
        let mut health = Health::default();
        requests(&mut health, 0, 0, &[true; 50]);
        requests(&mut health, 60, 0, &[true; 50]);
        assert_eq!(health.unhealthy(), None);
        health.record(at_minute(6 * 60), true);
        assert_eq!(health.unhealthy(), Some(Unhealthy { failed: 101, total: 101 }));
    }

    #[test]
    fn what_is_older_than_twelve_hours_is_forgotten() {
        let mut health = Health::default();
        requests(&mut health, 0, 0, &[false; 100]);
        requests(&mut health, 6 * 60, 10, &[true; 37]);
        assert_eq!(health.unhealthy().map(|unhealthy| unhealthy.total), Some(37));
    }

    #[test]
    fn it_never_holds_more_than_48_buckets() {
        let mut health = Health::default();
        requests(&mut health, 0, 1, &[true; 3_000]);
        assert_eq!(health.buckets.len(), 48);
    }

    #[test]
    fn it_goes_on_after_a_restart_on_another_clock() {
        let mut health = Health::default();
        requests(&mut health, 1_000, 20, &[true; 19]);
        let saved = health.saved(at_minute(1_000 + 18 * 20));
        let mut restored = Health::restored(&saved, Duration::ZERO);
        assert_eq!(restored.unhealthy(), None);
        restored.record(at_minute(20), true);
        assert_eq!(restored.unhealthy(), Some(Unhealthy { failed: 20, total: 20 }));
        let text = serde_json::to_string(&saved[17..]).unwrap();
        assert_eq!(text, "[[1,1,1],[0,1,1]]");
    }

    #[test]
    fn odd_saved_buckets_are_left_out() {
        let saved = [SavedBucket(48, 9, 9), SavedBucket(3, 2, 5), SavedBucket(3, 1, 1), SavedBucket(7, 1, 1)];
        let restored = Health::restored(&saved, Duration::ZERO);
        assert_eq!(restored.buckets, [Bucket { index: -3, total: 2, failed: 2 }]);
    }
}
