//! What an integration is told when it is deleted: one notification of its own deletion, if it wanted such, and no second
//! attempt.

use super::batch_body;
use super::budget::ShareOf;
use super::context::Context;
use hitwire_endpoint::Message;
use hitwire_event::{Event, IntegrationId, Record, Seq};
use hitwire_store::{Activity, Integration};
use std::sync::Arc;

/// An integration as it was, and the event of its deletion.
pub(crate) struct Farewell {
    integration: Integration,
    event: Event,
}

impl Farewell {
    /// None: it does not want to know.
    pub(crate) fn of(integration: &Integration, event: Event) -> Option<Self> {
        let wants = |kind| integration.events.iter().any(|ticked| ticked.active && ticked.kind == kind);
        (integration.activity == Activity::Active && wants(event.kind))
            .then(|| Farewell { integration: integration.clone(), event })
    }
}

/// Says farewell, if that is to be done and was not done yet. Ends within the integration's timeouts.
pub(crate) async fn say(context: &Context, id: IntegrationId) {
    let Some(Farewell { integration, event }) = context.take_farewell(id) else { return };
    let started_ms = context.clock.wall_ms();
    let record = Arc::new(Record::new(Seq::ZERO, started_ms, false, event));
    let labels = context.names.labels(integration.client);
    let body = batch_body::body(&integration, &labels, &[record]);
    let slot = context.budget.slot(ShareOf::Probes, integration.client, body.len() as u64).await;
    if context.stop.is_cancelled() {
        return;
    }
    let message = Message {
        webhook_id: context.webhook_id(),
        timestamp_s: started_ms / 1000,
        content_type: integration.target.format.content_type(),
        body,
        repeat: None,
    };
    let delivery = context.transport.send(&integration, message).await;
    drop(slot);
    match delivery.error {
        None => tracing::info!(integration = %id, "told a deleted integration of its deletion"),
        Some(error) => {
            tracing::info!(integration = %id, error, "a deleted integration could not be told of its deletion");
        }
    }
}
