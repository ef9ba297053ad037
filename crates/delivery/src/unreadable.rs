//! What a lane comes to and cannot be read: it becomes a dead range of the integration, and the lane goes on behind it.

use hitwire_courier::{LostRange, LostReason};
use hitwire_event::{Kind, Lane};
use hitwire_store::{Integration, StreamFrom, Unreadable};

/// What the lane records as lost in the step with which it passes it; none if there is nothing to lose.
pub(crate) fn lost(
    integration: &Integration,
    lane: Lane,
    streams: &[StreamFrom],
    unreadable: &Unreadable,
) -> Option<LostRange> {
    if unreadable.exact && unreadable.events == 0 {
        return None;
    }
    let kinds: Vec<Kind> = streams.iter().map(|from| from.stream.kind).collect();
    let Unreadable { first, last, events, .. } = *unreadable;
    tracing::warn!(integration = %integration.id, %lane, %first, %last, events, "a part of the log cannot be read");
    let (reason, detail) = (LostReason::Damaged, unreadable.detail());
    Some(LostRange { lane, kinds, first, last, events, reason, detail })
}
