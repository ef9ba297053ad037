//! What an integration's lanes share: the endpoint's schedule, its streak of failures, its health, what it takes.

use crate::batch::LearntSize;
use crate::health::{Health, SavedBucket, Unhealthy};
use crate::schedule::{self, Jitter, SavedWait, Streak, Wait, WallClock};
use crate::{EndpointState, Preset};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Failures of a batch of several events, as they may come of its size, before a smaller one is tried.
const SUSPICIONS_MOST: u8 = 3;

/// The endpoint as the lanes know it.
#[derive(Clone, Debug, Default)]
pub(super) struct Endpoint {
    /// Retries begun on the schedule since the last success.
    retries: u32,
    /// The same of replays, which have the schedule for themselves: it never ends for them.
    replay_retries: u32,
    /// It is sick, and is left alone for so long.
    sick: Option<Wait>,
    /// Rises with each wait for a sick endpoint.
    turn: u32,
    streak: Streak,
    failures_in_a_row: u32,
    /// What it takes, if not everything.
    size: Option<LearntSize>,
    /// Batches were made smaller since the last success, because they failed again and again.
    is_being_tried_smaller: bool,
    /// None until the first request, and always for the patient preset.
    health: Option<Box<Health>>,
}

/// [`Endpoint`] as it is kept. Fields that are missing stand for a healthy endpoint, unknown ones are passed over.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    #[serde(skip_serializing_if = "is_default")]
    retries: u32,
    #[serde(skip_serializing_if = "is_default")]
    replay_retries: u32,
    #[serde(skip_serializing_if = "is_default")]
    sick: Option<SavedWait>,
    #[serde(skip_serializing_if = "is_default")]
    failing_ms: u64,
    #[serde(skip_serializing_if = "is_default")]
    failures_in_a_row: u32,
    #[serde(skip_serializing_if = "is_default")]
    size: Option<LearntSize>,
    #[serde(skip_serializing_if = "is_default")]
    health: Vec<SavedBucket>,
}

/// A sick answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct SickAnswer {
    /// The endpoint's turn when the request was sent.
    pub(super) turn: u32,
    /// The request was one of a replay.
    pub(super) to_a_replay: bool,
    pub(super) retry_after: Option<Duration>,
}

/// What a sick answer leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sickness {
    /// The endpoint is left alone for a while.
    Waits,
    /// The schedule ended.
    Exhausted,
}

impl Endpoint {
    /// As it was saved; what cannot be read counts as a healthy endpoint.
    pub(super) fn restored(
        saved: &EndpointState,
        preset: Preset,
        wall: WallClock,
        jitter: &mut Jitter,
    ) -> Self {
        let kept = Option::<Kept>::deserialize(&saved.0).ok().flatten().unwrap_or_default();
        let now = wall.at;
        let health = (preset == Preset::Original && !kept.health.is_empty())
            .then(|| Box::new(Health::restored(&kept.health, now)));
        Endpoint {
            retries: kept.retries,
            replay_retries: kept.replay_retries,
            sick: kept.sick.map(|wait| Wait::resumed(wait, wall, jitter)),
            turn: 0,
            streak: match (kept.failures_in_a_row, kept.failing_ms) {
                (0, 0) => Streak::default(),
                _ => Streak::resumed(Duration::from_millis(kept.failing_ms), now),
            },
            failures_in_a_row: kept.failures_in_a_row,
            size: kept.size,
            is_being_tried_smaller: false,
            health,
        }
    }

    /// For the store. A healthy endpoint of the patient preset, the usual case, is `null`.
    pub(super) fn state(&self, now: Duration, wall: WallClock) -> EndpointState {
        let kept = Kept {
            retries: self.retries,
            replay_retries: self.replay_retries,
            sick: self.sick.map(|wait| wait.saved(wall)),
            failing_ms: self.streak.lasted().as_millis() as u64,
            failures_in_a_row: self.failures_in_a_row,
            size: self.size,
            health: self.health.as_deref().map(|health| health.saved(now)).unwrap_or_default(),
        };
        if kept == Kept::default() {
            return EndpointState::default();
        }
        // A struct of numbers: it always has a JSON value.
        EndpointState(serde_json::to_value(kept).unwrap_or_default())
    }

    pub(super) fn sick_until(&self) -> Option<Duration> {
        self.sick.map(|wait| wait.until)
    }

    pub(super) fn turn(&self) -> u32 {
        self.turn
    }

    /// Requests that are under way were sent in no later turn.
    pub(super) fn go_on_with_turn(&mut self, turn: u32) {
        self.turn = turn;
    }

    pub(super) fn failures_in_a_row(&self) -> u32 {
        self.failures_in_a_row
    }

    pub(super) fn body_bytes_max(&self) -> Option<u64> {
        self.size.map(LearntSize::body_bytes_max)
    }

    /// A success: the schedule begins anew. `counts`: towards the 60 % rule.
    pub(super) fn delivered(&mut self, preset: Preset, now: Duration, counts: bool) {
        self.retries = 0;
        self.replay_retries = 0;
        self.sick = None;
        self.streak = Streak::default();
        self.failures_in_a_row = 0;
        self.is_being_tried_smaller = false;
        if counts {
            self.count(preset, now, false);
        }
    }

    /// A failure of any kind. `counts`: towards the 60 % rule. Returns how long failures have gone on.
    pub(super) fn failed(&mut self, preset: Preset, now: Duration, counts: bool) -> Duration {
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        if counts {
            self.count(preset, now, true);
        }
        self.streak.fail(now)
    }

    fn count(&mut self, preset: Preset, now: Duration, failed: bool) {
        if preset == Preset::Original {
            self.health.get_or_insert_default().record(now, failed);
        }
    }

    /// Whether too many requests failed.
    pub(super) fn unhealthy(&self) -> Option<Unhealthy> {
        self.health.as_deref().and_then(Health::unhealthy)
    }

    /// A complete answer that is not sick: the lanes need not wait for each other.
    pub(super) fn answered(&mut self) {
        self.sick = None;
    }

    /// A sick answer to a request of this turn: the next wait begins. The answer to a request that was under way before
    /// the current wait began says nothing new, except by its `Retry-After`.
    pub(super) fn sicken(
        &mut self,
        SickAnswer { turn, to_a_replay, retry_after }: SickAnswer,
        preset: Preset,
        now: Duration,
        jitter: &mut Jitter,
    ) -> Sickness {
        if let Some(wait) = &mut self.sick
            && turn != self.turn
        {
            wait.lengthen(now, schedule::lengthened(Duration::ZERO, retry_after));
            return Sickness::Waits;
        }
        self.turn = self.turn.wrapping_add(1);
        let (retries, preset) = if to_a_replay {
            (&mut self.replay_retries, Preset::Patient)
        } else {
            (&mut self.retries, preset)
        };
        let Some(wait) = preset.wait(*retries) else {
            self.sick = Some(Wait::begin(now, schedule::lengthened(Duration::ZERO, retry_after)));
            return Sickness::Exhausted;
        };
        *retries = retries.saturating_add(1);
        self.sick = Some(Wait::begin(now, jitter.added_to(schedule::lengthened(wait, retry_after))));
        Sickness::Waits
    }

    /// The last answer was no success.
    pub(super) fn is_failing(&self) -> bool {
        self.failures_in_a_row > 0 || self.replay_retries > 0
    }

    /// A body of this many bytes, of several events, was answered with 413.
    pub(super) fn learn_too_large(&mut self, body_bytes: u64) {
        self.size = Some(LearntSize::refused(self.size, body_bytes));
    }

    /// So many failures that may come of a batch's size have it made smaller. If smaller ones fail as well, each failure
    /// does: the schedule is long enough as it is.
    pub(super) fn suspicions_most(&self) -> u8 {
        if self.is_being_tried_smaller { 1 } else { SUSPICIONS_MOST }
    }

    /// A body of this many bytes, of several events, failed so often that a smaller one is tried.
    pub(super) fn suspect_too_large(&mut self, body_bytes: u64) {
        self.size = Some(LearntSize::suspected(self.size, body_bytes));
        self.is_being_tried_smaller = true;
    }

    /// A body of this many bytes was delivered.
    pub(super) fn takes(&mut self, body_bytes: u64) {
        self.size = self.size.and_then(|size| size.delivered(body_bytes));
    }

    /// The next attempt may be made now; nothing else changes.
    pub(super) fn try_now(&mut self, now: Duration) {
        if let Some(wait) = &mut self.sick {
            wait.end(now);
        }
    }

    /// The failures up to now are no news any more.
    pub(super) fn forget_failures_in_a_row(&mut self) {
        self.failures_in_a_row = 0;
    }

    /// The target may be another one now: what it takes is to be learnt again.
    pub(super) fn forget_what_it_takes(&mut self) {
        self.size = None;
    }

    /// The schedule and the time without a success begin anew; still one lane alone finds out whether it is well, and not
    /// before the current wait is over.
    pub(super) fn begin_schedule_anew(&mut self) {
        self.retries = 0;
        self.replay_retries = 0;
        self.streak = Streak::default();
    }

    /// Nothing is held against it any more.
    pub(super) fn pardon(&mut self) {
        *self = Endpoint { turn: self.turn, size: self.size, ..Endpoint::default() };
    }

    /// The preset has changed: only the original one counts requests.
    pub(super) fn use_preset(&mut self, preset: Preset) {
        if preset != Preset::Original {
            self.health = None;
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
