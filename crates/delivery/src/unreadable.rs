//! What a lane comes to and cannot be read: it becomes a dead range of the integration, and the lane goes on behind it.

use super::context::{Context, Interrupt};
use hitwire_courier::{LostRange, LostReason};
use hitwire_event::{Kind, Lane};
use hitwire_store::{Integration, Op, Unreadable};

/// Records that the integration does not get a range, before its lane passes it.
pub(crate) async fn record(
    context: &Context,
    integration: &Integration,
    lane: Lane,
    unreadable: &Unreadable,
) -> Result<(), Interrupt> {
    if unreadable.exact && unreadable.events == 0 {
        return Ok(());
    }
    let ticked = integration.events.iter().filter(|ticked| ticked.active).map(|ticked| ticked.kind);
    let kinds: Vec<Kind> = ticked.filter(|kind| kind.lane() == lane).collect();
    let range = LostRange {
        lane,
        kinds,
        first: unreadable.first,
        last: unreadable.last,
        events: unreadable.events,
        reason: LostReason::Damaged,
        detail: unreadable.detail(),
    };
    let (first, last, events) = (range.first.0, range.last.0, range.events);
    tracing::warn!(integration = %integration.id, %lane, first, last, events, "a part of the log cannot be read");
    let op = Op::RecordLost(integration.id, range);
    context.patiently(|store| store.commit(vec![op.clone()])).await.map(|_| ())
}
