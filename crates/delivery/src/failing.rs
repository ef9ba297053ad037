//! Tells hitwire's own log when an integration begins to fail, and when it delivers again.

use super::context::Context;
use super::transport::Delivery;
use hitwire_courier::refusal::classify;
use hitwire_courier::{Reply, Verdict};
use hitwire_event::IntegrationId;
use hitwire_event::escape::visible;
use hitwire_store::Integration;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// An integration is told of once in this time at most: one that fails every other time must not fill the log.
const QUIET: Duration = Duration::from_mins(10);

/// Integrations that fail, and those that were told of lately. One entry for each integration at most.
#[derive(Debug, Default)]
pub(crate) struct Failing(Mutex<HashMap<IntegrationId, Episode>>);

/// A time in which an integration fails.
#[derive(Clone, Copy, Debug, Default)]
struct Episode {
    /// When it began to fail, monotonic; none: it is well.
    since: Option<Duration>,
    failures: u32,
    /// It was told that it fails, and is to be told that it is well again.
    is_told: bool,
    /// When it was told last that it fails.
    told_at: Option<Duration>,
}

/// What there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    Fails,
    Recovered { after: Duration, failures: u32 },
}

impl Failing {
    fn outcome(&self, id: IntegrationId, delivered: bool, now: Duration) -> Option<News> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_quiet = |told: &Episode| told.told_at.is_some_and(|at| now.saturating_sub(at) < QUIET);
        if delivered {
            let told = all.get_mut(&id)?;
            let Episode { since, failures, is_told, told_at } = *told;
            if is_quiet(told) {
                *told = Episode { told_at, ..Episode::default() };
            } else {
                all.remove(&id);
            }
            let after = now.saturating_sub(since?);
            return is_told.then_some(News::Recovered { after, failures });
        }
        let told = all.entry(id).or_default();
        told.since.get_or_insert(now);
        told.failures = told.failures.saturating_add(1);
        if told.is_told || is_quiet(told) {
            return None;
        }
        (told.is_told, told.told_at) = (true, Some(now));
        Some(News::Fails)
    }

    /// The integration is no more.
    pub(crate) fn forget(&self, id: IntegrationId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

/// Looks at what became of an attempt, and tells if it is news. The reason holds no secret: no path and query of a URL, and
/// nothing that the receiver said but its status.
pub(crate) fn look(context: &Context, integration: &Integration, delivery: &Delivery) {
    let delivered = classify(delivery.reply) == Verdict::Delivered;
    let Some(news) = context.failing.outcome(integration.id, delivered, context.clock.now()) else { return };
    let (id, client, name) = (integration.id, integration.client, visible(&integration.name));
    match news {
        News::Fails => {
            let status = match delivery.reply {
                Reply::Complete { status, .. } => Some(status),
                Reply::Incomplete | Reply::BrokenOff => None,
            };
            let reason = match status {
                Some(status) => format!("the endpoint returned {status}"),
                None => delivery.error.clone().unwrap_or_else(|| "no complete response".to_owned()),
            };
            tracing::warn!(integration = %id, %client, %name, status, reason, "deliveries of an integration fail");
        }
        News::Recovered { after, failures } => {
            let failed_s = after.as_secs();
            tracing::info!(integration = %id, %client, %name, failures, failed_s, "an integration delivers again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: IntegrationId = IntegrationId(7);
    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn the_first_failure_and_the_success_after_it_are_news() {
        let failing = Failing::default();
        assert_eq!(failing.outcome(ID, true, MINUTE), None);
        assert_eq!(failing.outcome(ID, false, MINUTE), Some(News::Fails));
        assert_eq!(failing.outcome(ID, false, 2 * MINUTE), None);
        assert_eq!(failing.outcome(IntegrationId(8), false, 2 * MINUTE), Some(News::Fails), "another one");
        let recovered = News::Recovered { after: 59 * MINUTE, failures: 2 };
        assert_eq!(failing.outcome(ID, true, 60 * MINUTE), Some(recovered));
        assert_eq!(failing.outcome(ID, true, 61 * MINUTE), None);
    }

    #[test]
    fn one_that_fails_every_other_time_is_told_of_once_in_ten_minutes() {
        let failing = Failing::default();
        let news = (0..60)
            .filter_map(|s| failing.outcome(ID, s % 2 == 1, Duration::from_secs(s * 30)))
            .collect::<Vec<_>>();
        let fails = news.iter().filter(|news| **news == News::Fails).count();
        assert_eq!((fails, news.len()), (3, 6), "{news:?}");
    }

    #[test]
    fn one_that_fails_for_good_soon_after_it_was_well_is_told_of_when_the_time_is_up() {
        let failing = Failing::default();
        failing.outcome(ID, false, MINUTE);
        failing.outcome(ID, true, 2 * MINUTE);
        assert_eq!(failing.outcome(ID, false, 3 * MINUTE), None);
        assert_eq!(failing.outcome(ID, false, 12 * MINUTE), Some(News::Fails));
    }

    #[test]
    fn nothing_is_kept_of_those_that_have_long_been_well() {
        let failing = Failing::default();
        failing.outcome(ID, false, MINUTE);
        failing.outcome(ID, true, 2 * MINUTE);
        failing.outcome(ID, true, 30 * MINUTE);
        assert!(failing.0.lock().unwrap().is_empty());
    }
}
