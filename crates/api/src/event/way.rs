//! What became of one event on its way through one integration.
//!
//! There is no row for an event and an integration: a batch is a range of the log, and which events of the range were in it
//! followed from the settings of then. So where a range was full, or the settings have not changed since the batch was cut, the answer is
//! certain; otherwise it is told from the settings of today, and says so.

use hitwire_courier::{LaneState, LostReason, Verdict};
use hitwire_event::Seq;
use hitwire_index::Delivery;
use hitwire_store::{LostRow, Ticked};

/// What is known.
pub(super) struct Known<'a> {
    /// Where the event is.
    pub(super) seq: Seq,
    /// The integration is enabled.
    pub(super) active: bool,
    /// The ticked kind that is the event's; none: it is not ticked.
    pub(super) subscription: Option<&'a Ticked>,
    /// The filter lets it pass.
    pub(super) fits: bool,
    /// The content revision of the integration: what was cut with it was cut by the kinds and the filter of today. None: the filter names
    /// applications, which may have got other names since.
    pub(super) revision: Option<u64>,
    /// The event's lane.
    pub(super) lane: &'a LaneState,
    /// Attempts whose batches reach over the event, the newest first.
    pub(super) attempts: &'a [Delivery],
    /// The newest lost range that the event lies in.
    pub(super) lost: Option<&'a LostRow>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Delivered,
    OnItsWay,
    Waiting,
    /// Settled, and no attempt on record says how.
    Settled,
    /// A delivered batch reaches over it, and by the settings of today it was not in it.
    ReachedOver,
    FilteredOut,
    Lost(LostReason),
    NotSubscribed,
}

/// What became of it, and how well that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) state: State,
    pub(super) certain: bool,
    /// The attempt that delivered it.
    pub(super) attempt: Option<Delivery>,
}

/// What became of the event.
pub(super) fn way(known: &Known<'_>) -> Found {
    let deliveries = || known.attempts.iter().filter(|attempt| attempt.verdict == Verdict::Delivered);
    let found = |state, certain| Found { state, certain, attempt: None };
    if let Some(dense) = deliveries().find(|attempt| attempt.is_dense()) {
        return Found { state: State::Delivered, certain: true, attempt: Some(*dense) };
    }
    let is_of_today = |revision: Option<u64>| revision.is_some() && revision == known.revision;
    let subscribed = known.subscription.is_some_and(|ticked| ticked.from <= known.seq);
    let fits = subscribed && known.fits;
    // One that was cut by the settings of today had the event exactly if it fits; what was in an older one is not known.
    let delivered = deliveries().find(|attempt| fits && is_of_today(attempt.content_revision));
    let delivered =
        delivered.or_else(|| deliveries().find(|attempt| !is_of_today(attempt.content_revision))).copied();
    // A range that is sent again is delivered after it was lost.
    let lost =
        known.lost.filter(|lost| delivered.is_none_or(|delivered| delivered.ended_ms < lost.recorded_ms));
    if let Some(lost) = lost {
        let never_changed = known.revision.is_some_and(|revision| revision <= 1);
        return found(State::Lost(lost.range.reason), known.fits && never_changed);
    }
    let left_out = |state| {
        // A batch that was sent may have had it under other settings: that it was not in it is only said if there is none.
        if delivered.is_none() { found(state, true) } else { found(State::ReachedOver, false) }
    };
    if !subscribed {
        return left_out(State::NotSubscribed);
    }
    if !known.fits {
        return left_out(State::FilteredOut);
    }
    let mut open = known.lane.open.iter().map(|open| &open.batch);
    if let Some(open) = open.find(|batch| batch.first <= known.seq && known.seq <= batch.last) {
        // What is disabled has nothing in progress: its open batches wait.
        let state = if known.active { State::OnItsWay } else { State::Waiting };
        return found(state, is_of_today(Some(open.content_revision)));
    }
    if known.lane.unsettled().iter().any(|(after, through)| *after < known.seq && known.seq <= *through) {
        return found(State::Waiting, true);
    }
    match delivered {
        Some(attempt) => Found {
            state: State::Delivered,
            certain: is_of_today(attempt.content_revision),
            attempt: delivered,
        },
        None => found(State::Settled, false),
    }
}

impl State {
    /// As answers write it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            State::Delivered => "delivered",
            State::OnItsWay => "on_its_way",
            State::Waiting => "waiting",
            State::Settled | State::ReachedOver => "settled",
            State::FilteredOut => "filtered_out",
            State::Lost(reason) if reason.is_dead() => "dead",
            State::Lost(_) => "skipped",
            State::NotSubscribed => "not_subscribed",
        }
    }
}

impl Found {
    /// In words.
    pub(super) fn words(&self) -> String {
        let words = match self.state {
            State::Delivered => "delivered",
            State::OnItsWay => "in a batch that is on its way",
            State::Waiting => "waits for its turn",
            State::Settled => "settled; the attempt is not on record any more, or not yet",
            State::ReachedOver => {
                "a delivered batch reaches over it; the settings of today leave it out, and those of then are not known"
            }
            State::FilteredOut => "the filter does not let it pass",
            State::Lost(LostReason::GaveUp) => "given up: the retry schedule ended",
            State::Lost(LostReason::Retention) => "given up: it left the log before it was delivered",
            State::Lost(LostReason::Damaged) => {
                "given up: it could not be read, a file of the log is damaged or missing"
            }
            State::Lost(LostReason::Unticked) => "skipped: its kind was unticked",
            State::Lost(LostReason::EnabledFromNow) => "skipped: the integration was enabled again from now",
            State::NotSubscribed => "its kind is not ticked, or was ticked later",
        };
        match self.state {
            State::Settled | State::ReachedOver | State::Waiting => words.to_owned(),
            _ if self.certain => words.to_owned(),
            _ => format!("{words}, by the settings of today"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitwire_courier::{LostRange, OpenBatch, Unsettled};
    use hitwire_event::{Kind, Lane, WebhookId};

    fn attempt(first: u64, last: u64, events: u32, verdict: Verdict) -> Delivery {
        Delivery {
            attempt: 1,
            first: Seq(first),
            last: Seq(last),
            lane: Lane::Bulk,
            events,
            number: 1,
            verdict,
            status: Some(200),
            ended_ms: 1_000,
            content_revision: Some(1),
        }
    }

    fn lost(reason: LostReason, recorded_ms: u64) -> LostRow {
        let range = LostRange {
            lane: Lane::Bulk,
            kinds: vec![Kind::Hit],
            first: Seq(1),
            last: Seq(9),
            events: 9,
            reason,
            detail: String::new(),
        };
        LostRow { id: 1, recorded_ms, range }
    }

    /// Settled up to 10; 11 to 20 on their way.
    fn lane() -> LaneState {
        let batch = OpenBatch {
            first: Seq(11),
            last: Seq(20),
            through: Seq(20),
            events: 10,
            webhook_id: WebhookId("msg_1".into()),
            content_revision: 1,
            body_bytes: 1,
            body_sha256: [0; 32],
            tries: 0,
        };
        LaneState { cursor: Seq(10), open: vec![Unsettled { batch, settled_behind: 0, refusal: None }] }
    }

    const TICKED: Ticked = Ticked { kind: Kind::Hit, active: true, with_headers: false, from: Seq(1) };

    fn told<'a>(seq: u64, change: impl FnOnce(&mut Known<'a>)) -> (State, bool) {
        static LANE: std::sync::LazyLock<LaneState> = std::sync::LazyLock::new(lane);
        let mut known = Known {
            seq: Seq(seq),
            active: true,
            subscription: Some(&TICKED),
            fits: true,
            revision: Some(2),
            lane: &LANE,
            attempts: &[],
            lost: None,
        };
        change(&mut known);
        let found = way(&known);
        (found.state, found.certain)
    }

    #[test]
    fn a_full_batch_is_proof_and_another_is_as_good_as_the_settings() {
        let full = &[attempt(1, 9, 9, Verdict::Delivered)];
        let thin = &[attempt(1, 9, 5, Verdict::Delivered)];
        assert_eq!(told(5, |known| known.attempts = full), (State::Delivered, true));
        assert_eq!(told(5, |known| (known.attempts, known.fits) = (full, false)), (State::Delivered, true));
        assert_eq!(told(5, |known| known.attempts = thin), (State::Delivered, false));
        assert_eq!(
            told(5, |known| (known.attempts, known.revision) = (thin, Some(1))),
            (State::Delivered, true)
        );
        // By the settings that cut the batch it was not in it, and that is certain.
        let left_out = |known: &mut Known<'_>| (known.revision, known.fits) = (Some(1), false);
        assert_eq!(
            told(5, |known| {
                known.attempts = thin;
                left_out(known);
            }),
            (State::FilteredOut, true)
        );
        assert_eq!(
            told(5, |known| (known.attempts, known.fits) = (thin, false)),
            (State::ReachedOver, false)
        );
        assert_eq!(
            told(5, |known| (known.attempts, known.subscription) = (thin, None)),
            (State::ReachedOver, false)
        );
    }

    #[test]
    fn what_is_not_settled_waits_or_is_on_its_way() {
        let failed = &[attempt(11, 20, 10, Verdict::Sick)];
        assert_eq!(told(15, |known| known.attempts = failed).0, State::OnItsWay);
        assert_eq!(told(25, |_| {}), (State::Waiting, true));
        assert_eq!(told(25, |known| known.fits = false), (State::FilteredOut, true));
        assert_eq!(told(25, |known| known.subscription = None), (State::NotSubscribed, true));
        assert_eq!(told(5, |_| {}), (State::Settled, false));
    }

    #[test]
    fn what_was_lost_is_lost_until_it_is_delivered_after_all() {
        let before = &[attempt(1, 9, 5, Verdict::Delivered)];
        let later = &lost(LostReason::GaveUp, 2_000);
        let earlier = &lost(LostReason::Unticked, 500);
        let state = |lost| told(5, |known| (known.attempts, known.lost) = (before, Some(lost))).0;
        assert_eq!(state(later).name(), "dead");
        assert_eq!(state(earlier), State::Delivered);
        assert_eq!(told(5, |known| known.lost = Some(earlier)).0.name(), "skipped");
    }

    #[test]
    fn a_kind_that_was_ticked_later_is_not_subscribed_to() {
        let late = &Ticked { from: Seq(6), ..TICKED };
        assert_eq!(told(5, |known| known.subscription = Some(late)).0, State::NotSubscribed);
        assert_eq!(told(6, |known| known.subscription = Some(late)).0, State::Settled);
    }
}
