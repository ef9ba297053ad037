//! What an answer means, and how far a refused batch has come.

use crate::schedule::{FIRST_CYCLE, Jitter, Preset, SavedWait, Streak, Wait, WallClock};
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
        Reply::Incomplete | Reply::BrokenOff => Verdict::Sick,
        Reply::Complete { status, .. } => match status {
            200..=299 => Verdict::Delivered,
            408 | 429 | 502..=504 => Verdict::Sick,
            410 => Verdict::Gone,
            _ => Verdict::Refused,
        },
    }
}

/// Whether a smaller batch may fare better, if this one fails again and again: the receiver, or something before it, gave up
/// while it worked on the request. 503 and `Retry-After` stand for overload, whatever the batch.
pub fn may_be_its_size(reply: Reply) -> bool {
    match reply {
        Reply::Incomplete => false,
        Reply::BrokenOff => true,
        Reply::Complete { status, retry_after } => {
            matches!(status, 408 | 500..=502 | 504..=599) && retry_after.is_none()
        }
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
        /// The wait for the next attempt.
        wait: SavedWait,
    },
    /// After the first cycle: the lane waits on the rest of the schedule.
    OnSchedule {
        /// Retries begun, those of the first cycle included.
        retries: u32,
        /// How long the batch is refused, in milliseconds.
        refused_ms: u64,
        /// The wait for the next attempt.
        wait: SavedWait,
    },
}

/// A refusal under way in one lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    retries: u32,
    streak: Streak,
    /// For the lane's next attempt.
    pub(crate) wait: Wait,
}

impl Refusal {
    /// One that was saved; none if what was saved cannot be read.
    pub(crate) fn restored(saved: &serde_json::Value, wall: WallClock, jitter: &mut Jitter) -> Option<Self> {
        let state = RefusalState::deserialize(saved).ok()?;
        let (RefusalState::FirstCycle { retries, refused_ms, wait }
        | RefusalState::OnSchedule { retries, refused_ms, wait }) = state;
        Some(Refusal {
            retries,
            streak: Streak::resumed(Duration::from_millis(refused_ms), wall.at),
            wait: Wait::resumed(wait, wall, jitter),
        })
    }

    pub(crate) fn state(&self, wall: WallClock) -> RefusalState {
        let (retries, wait) = (self.retries, self.wait.saved(wall));
        let refused_ms = self.streak.lasted().as_millis() as u64;
        if retries <= FIRST_CYCLE {
            RefusalState::FirstCycle { retries, refused_ms, wait }
        } else {
            RefusalState::OnSchedule { retries, refused_ms, wait }
        }
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
        assert_eq!(classify(Reply::BrokenOff), Verdict::Sick);
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
        let wall = WallClock { at: Duration::ZERO, ms: 0 };
        for s in 0..7 {
            let now = Duration::from_secs(s);
            let wait = refusal.refused(Preset::Patient, now).unwrap();
            refusal.wait = Wait::begin(now, wait);
            stages.push(serde_json::to_value(refusal.state(wall)).unwrap());
        }
        let wait = |until_ms: u64, whole_ms: u64| json!({"until_ms": until_ms, "whole_ms": whole_ms});
        let first = |retries, refused_ms, wait| json!({"stage": "first_cycle", "retries": retries, "refused_ms": refused_ms, "wait": wait});
        assert_eq!(stages[0], first(1, 0, wait(1_000, 1_000)));
        assert_eq!(stages[4], first(5, 4_000, wait(14_000, 10_000)));
        assert_eq!(stages[5]["stage"], "on_schedule");
        let wall = WallClock { at: Duration::from_secs(50), ms: 6_400 };
        let restored = Refusal::restored(&stages[6], wall, &mut Jitter::new(1)).unwrap();
        assert_eq!((restored.retries, restored.streak.lasted()), (7, Duration::from_secs(6)));
        assert_eq!(restored.wait.until, Duration::from_millis(50_600), "what is left of the seventh wait");
    }

    #[test]
    fn a_refusal_that_cannot_be_read_begins_anew() {
        for saved in [json!(null), json!({"stage": "unheard_of"}), json!("x")] {
            let wall = WallClock { at: Duration::ZERO, ms: 0 };
            assert_eq!(Refusal::restored(&saved, wall, &mut Jitter::new(1)), None);
        }
    }
}
