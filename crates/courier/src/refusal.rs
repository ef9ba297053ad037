//! What an answer means, and how far a refused batch has come.

use crate::schedule::{FIRST_CYCLE, Preset, Streak};
use crate::{Reply, Verdict};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The body is larger than the receiver takes: a smaller batch may pass.
pub const TOO_LARGE: u16 = 413;

/// What an answer means. 2xx alone is success. An endpoint without a complete answer, or with one of those that stand for
/// overload and failure on the way (408, 429, 502, 503, 504), is sick: no batch would pass. Any other complete answer,
/// redirects included, refuses this batch.
pub fn classify(reply: Reply) -> Verdict {
    match reply {
        Reply::Incomplete => Verdict::Sick,
        Reply::Complete { status, .. } => match status {
            200..=299 => Verdict::Delivered,
            408 | 429 | 502..=504 => Verdict::Sick,
            410 => Verdict::Gone,
            _ => Verdict::Refused,
        },
    }
}

/// How far a lane has come with a batch that is refused, as the store keeps it. Splitting a batch in search of the event
/// that is refused becomes another stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum RefusalState {
    /// In the first cycle of retries: it may have been a slip of the receiver.
    FirstCycle {
        /// Retries begun.
        retries: u32,
        /// How long the batch is refused, in milliseconds.
        refused_ms: u64,
    },
    /// After the first cycle: the lane waits on the rest of the schedule.
    OnSchedule {
        /// Retries begun, those of the first cycle included.
        retries: u32,
        /// How long the batch is refused, in milliseconds.
        refused_ms: u64,
    },
}

impl RefusalState {
    fn new(retries: u32, refused: Duration) -> Self {
        let refused_ms = refused.as_millis() as u64;
        if retries <= FIRST_CYCLE {
            RefusalState::FirstCycle { retries, refused_ms }
        } else {
            RefusalState::OnSchedule { retries, refused_ms }
        }
    }

    fn retries(self) -> u32 {
        match self {
            RefusalState::FirstCycle { retries, .. } | RefusalState::OnSchedule { retries, .. } => retries,
        }
    }

    fn refused(self) -> Duration {
        match self {
            RefusalState::FirstCycle { refused_ms, .. } | RefusalState::OnSchedule { refused_ms, .. } => {
                Duration::from_millis(refused_ms)
            }
        }
    }
}

/// A refusal under way in one lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    retries: u32,
    streak: Streak,
    /// The lane's next attempt, on the monotonic clock.
    pub(crate) until: Duration,
}

impl Refusal {
    /// One that was saved; none if what was saved cannot be read.
    pub(crate) fn restored(saved: &serde_json::Value, preset: Preset, now: Duration) -> Option<Self> {
        let state = RefusalState::deserialize(saved).ok()?;
        let wait = preset.wait(state.retries().saturating_sub(1)).unwrap_or_default();
        Some(Refusal {
            retries: state.retries(),
            streak: Streak::resumed(state.refused(), now),
            until: now + crate::schedule::resumed(wait),
        })
    }

    pub(crate) fn state(&self) -> RefusalState {
        RefusalState::new(self.retries, self.streak.lasted())
    }

    /// The batch was refused once more: how long to wait before it is tried again, or none if it is given up.
    pub(crate) fn refused(&mut self, preset: Preset, now: Duration) -> Option<Duration> {
        let lasted = self.streak.fail(now);
        if preset.patience().is_some_and(|patience| lasted >= patience) {
            return None;
        }
        let wait = preset.wait(self.retries)?;
        self.retries = self.retries.saturating_add(1);
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn complete(status: u16) -> Verdict {
        classify(Reply::Complete { status, retry_after: None })
    }

    #[test]
    fn every_2xx_and_nothing_else_is_success() {
        for status in 0..=999 {
            assert_eq!(complete(status) == Verdict::Delivered, (200..300).contains(&status), "{status}");
        }
    }

    #[test]
    fn no_complete_answer_overload_and_failure_on_the_way_are_sickness() {
        assert_eq!(classify(Reply::Incomplete), Verdict::Sick);
        let sick: Vec<u16> = (0..=999).filter(|&status| complete(status) == Verdict::Sick).collect();
        assert_eq!(sick, [408, 429, 502, 503, 504]);
    }

    #[test]
    fn gone_is_410_alone() {
        let gone: Vec<u16> = (0..=999).filter(|&status| complete(status) == Verdict::Gone).collect();
        assert_eq!(gone, [410]);
    }

    #[test]
    fn redirects_client_errors_500_and_odd_statuses_refuse_the_batch() {
        for status in
            [0, 100, 199, 300, 301, 302, 307, 308, 400, 401, 403, 404, 413, 415, 422, 500, 501, 505, 600, 999]
        {
            assert_eq!(complete(status), Verdict::Refused, "{status}");
        }
    }

    #[test]
    fn original_retries_a_refused_batch_sixteen_times() {
        let mut refusal = Refusal::default();
        let waits = (0..).map_while(|s| refusal.refused(Preset::Original, Duration::from_secs(s))).count();
        assert_eq!(waits, 16);
    }

    #[test]
    fn patient_gives_a_batch_up_that_was_refused_for_72_hours() {
        let mut refusal = Refusal::default();
        let given_up_at =
            (0..100).find(|&hour| refusal.refused(Preset::Patient, Duration::from_hours(hour)).is_none());
        assert_eq!(given_up_at, Some(72));
    }

    #[test]
    fn a_refusal_is_kept_by_its_stage() {
        let mut refusal = Refusal::default();
        let mut stages = Vec::new();
        for s in 0..7 {
            refusal.refused(Preset::Patient, Duration::from_secs(s));
            stages.push(serde_json::to_value(refusal.state()).unwrap());
        }
        assert_eq!(stages[0], json!({"stage": "first_cycle", "retries": 1, "refused_ms": 0}));
        assert_eq!(stages[4], json!({"stage": "first_cycle", "retries": 5, "refused_ms": 4_000}));
        assert_eq!(stages[5], json!({"stage": "on_schedule", "retries": 6, "refused_ms": 5_000}));
        let now = Duration::from_secs(50);
        let restored = Refusal::restored(&stages[6], Preset::Patient, now).unwrap();
        assert_eq!(restored.state(), refusal.state());
        assert_eq!(restored.until, now + Duration::from_secs(1), "the wait before the seventh retry");
    }

    #[test]
    fn a_refusal_that_cannot_be_read_begins_anew() {
        for saved in [json!(null), json!({"stage": "unheard_of"}), json!("x")] {
            assert_eq!(Refusal::restored(&saved, Preset::Patient, Duration::ZERO), None);
        }
    }
}
