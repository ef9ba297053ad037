//! A test message: sent once, the way that batches go, with everything about it kept for the one who asked.

use super::batch_body;
use super::transport::target_of;
use hitwire_endpoint::{Message, Sender, Sent, request_headers};
use hitwire_event::rendering::Labels;
use hitwire_event::{Kind, WebhookId, test_message};
use hitwire_log::Integration;
use http::HeaderMap;
use std::sync::Arc;

/// What was sent, and what became of it.
#[derive(Debug)]
pub(crate) struct Tried {
    pub(crate) message: Message,
    /// As they were sent, but for those of the connection; values that the user set are marked as sensitive. Empty if no
    /// request could be made of the settings.
    pub(crate) headers: HeaderMap,
    pub(crate) sent: Sent,
}

/// Sends an example of `kind`, rendered, signed and guarded like a batch, over a connection of its own: a kept one would
/// hide what has changed at the receiver. Nobody counts it: it is in no delivery log and in no health figure. Ends within
/// the integration's timeouts.
pub(crate) async fn try_once(
    sender: &Sender,
    integration: &Integration,
    labels: &Labels,
    kind: Kind,
    webhook_id: WebhookId,
    now_s: u64,
) -> Tried {
    let record = Arc::new(test_message(kind, integration.client, now_s));
    let message = Message {
        webhook_id,
        timestamp_s: now_s,
        content_type: integration.target.format.content_type(),
        body: batch_body::body(integration, labels, &[record]),
    };
    let target = target_of(integration, now_s);
    let headers = request_headers(&target, &message).unwrap_or_default();
    let sent = sender.anew().send(integration.client, &target, message.clone()).await;
    Tried { message, headers, sent }
}
