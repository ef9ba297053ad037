//! What became of a batch after one of its attempts: only what the API has on record.

use super::{Attempt, Outcome};
use crate::Console;
use crate::session::Session;
use crate::text::ms_of;
use serde::Deserialize;

/// Later attempts, and lost ranges, that are looked at: the newest of them.
const LOOKED_AT: usize = 200;

/// What is on record about a batch after an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Since {
    /// The newest later attempt of the same batch, or else of a batch that reaches over its first event.
    pub(super) later: Option<Later>,
    /// There may be later attempts that were not looked at.
    pub(super) may_be_more: bool,
    /// All of its range is among what the integration did not get.
    pub(super) lost: bool,
    /// Whether the integration is active now; none for whoever may not see it.
    pub(super) active: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Later {
    pub(super) id: u64,
    pub(super) same_batch: bool,
    pub(super) outcome: Outcome,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attempts {
    attempts: Vec<Attempt>,
    next: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ranges {
    lost: Vec<Range>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Range {
    recorded_at: String,
    lane: String,
    first: u64,
    last: u64,
    /// `dead` or `skipped`.
    #[serde(rename = "range")]
    how: String,
}

impl Since {
    /// Asks the API. What it does not tell is left out.
    pub(super) async fn of(console: &Console, session: &Session, id: u64, attempt: &Attempt) -> Since {
        if attempt.verdict == "delivered" {
            return Since::default();
        }
        let path = format!("/v2/integration/{id}/attempts?limit={LOOKED_AT}&seq={}", attempt.first);
        let attempts = console.get(session, &path).await.and_then(crate::calls::Answered::read);
        let path = format!("/v2/integration/{id}/lost?limit={LOOKED_AT}");
        let lost = console.get(session, &path).await.and_then(crate::calls::Answered::read::<Ranges>);
        let integration = console.get(session, &format!("/v2/integration/{id}")).await;
        Since {
            lost: lost.is_ok_and(|ranges| ranges.lost.iter().any(|range| range.covers(attempt))),
            active: integration.ok().and_then(|answer| answer.object()["active"].as_bool()),
            ..Since::read(attempt, attempts.unwrap_or(Attempts { next: Some(0), ..Attempts::default() }))
        }
    }

    fn read(attempt: &Attempt, found: Attempts) -> Since {
        let is_seen = found.attempts.iter().any(|other| other.id <= attempt.id);
        let later = || {
            let later = found.attempts.iter().filter(|other| other.id > attempt.id);
            later.filter(|other| other.lane == attempt.lane)
        };
        let same_batch = |other: &&Attempt| other.webhook_id == attempt.webhook_id;
        let newest = later().find(same_batch).or_else(|| later().next());
        Since {
            later: newest.map(|other| Later {
                id: other.id,
                same_batch: same_batch(&other),
                outcome: other.outcome(),
            }),
            may_be_more: !is_seen && found.next.is_some(),
            ..Since::default()
        }
    }
}

impl Range {
    /// Whether all of the attempt's range was given up afterwards.
    fn covers(&self, attempt: &Attempt) -> bool {
        self.how == "dead"
            && self.lane == attempt.lane
            && self.first <= attempt.first
            && self.last >= attempt.last
            && ms_of(&self.recorded_at) >= attempt.started_ms()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(id: u64, webhook_id: &str, verdict: &str) -> Attempt {
        Attempt {
            id,
            webhook_id: webhook_id.to_owned(),
            verdict: verdict.to_owned(),
            first: 5,
            last: 9,
            started_at: "2026-11-25T22:00:00Z".to_owned(),
            ..Attempt::default()
        }
    }

    #[test]
    fn the_newest_later_attempt_of_the_same_batch_is_told_before_others() {
        let this = attempt(3, "a", "refused");
        let page = |attempts: &[Attempt]| Attempts { attempts: attempts.to_vec(), next: None };
        let since = Since::read(&this, page(&[attempt(9, "b", "sick"), attempt(7, "a", "delivered")]));
        let later = since.later.expect("a later one");
        assert_eq!((later.id, later.same_batch, later.outcome.word), (7, true, "Delivered"));
        let since = Since::read(&this, page(&[attempt(9, "b", "sick"), this.clone()]));
        assert!(since.later.is_some_and(|later| later.id == 9 && !later.same_batch));
        assert_eq!(Since::read(&this, page(&[this.clone(), attempt(1, "a", "sick")])), Since::default());
        let cut_off = Attempts { attempts: Vec::new(), next: Some(4) };
        assert!(Since::read(&this, cut_off).may_be_more);
    }

    #[test]
    fn a_range_that_was_given_up_before_or_holds_a_part_covers_nothing() {
        let range = |first, last, recorded_at: &str| Range {
            recorded_at: recorded_at.to_owned(),
            first,
            last,
            how: "dead".to_owned(),
            ..Range::default()
        };
        let this = attempt(3, "a", "refused");
        assert!(range(5, 9, "2026-11-25T22:00:01Z").covers(&this));
        assert!(!range(5, 9, "2026-11-25T21:00:00Z").covers(&this));
        assert!(!range(6, 9, "2026-11-25T22:00:01Z").covers(&this));
    }
}
