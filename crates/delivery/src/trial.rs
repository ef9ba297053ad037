//! A test message: made, and sent once, the way that batches go, with everything about it kept for the one who asked.

use super::batch_body;
use super::transport::target_of;
use hitwire_endpoint::{Message, Sender, Sent, Target, request_headers};
use hitwire_event::{Kind, WebhookId, test_message};
use hitwire_receiver::Labels;
use hitwire_store::Integration;
use http::HeaderMap;
use std::sync::Arc;

/// What was sent, and what became of it.
#[derive(Debug)]
pub struct Tried {
    /// What was to be sent.
    pub message: Message,
    /// Those of the [`Trial`].
    pub headers: HeaderMap,
    /// What became of it.
    pub sent: Sent,
}

/// A request that tests an integration, before it is sent.
#[derive(Debug)]
pub struct Trial {
    /// What is sent.
    pub message: Message,
    /// As they are sent, but for those of the connection; values that the user set are marked as sensitive. Empty if no
    /// request can be made of the settings.
    pub headers: HeaderMap,
    target: Target,
}

/// An example of `kind`, rendered and signed like a batch.
pub fn compose(
    integration: &Integration,
    labels: &Labels,
    kind: Kind,
    webhook_id: WebhookId,
    now_s: u64,
) -> Trial {
    let record = Arc::new(test_message(kind, integration.client, now_s));
    let message = Message {
        webhook_id,
        timestamp_s: now_s,
        content_type: integration.target.format.content_type(),
        body: batch_body::body(integration, labels, &[record]),
        repeat: None,
    };
    let target = target_of(integration, now_s);
    let headers = request_headers(&target, &message).unwrap_or_default();
    Trial { message, headers, target }
}

/// Sends an example of `kind`, guarded like a batch, over a connection of its own: a kept one would hide what has changed at
/// the receiver. Nobody counts it: it is in no delivery log and in no health figure. Ends within the integration's timeouts.
pub async fn try_once(
    sender: &Sender,
    integration: &Integration,
    labels: &Labels,
    kind: Kind,
    webhook_id: WebhookId,
    now_s: u64,
) -> Tried {
    let Trial { message, headers, target } = compose(integration, labels, kind, webhook_id, now_s);
    let sent = sender.anew().send(integration.client, &target, message.clone()).await;
    Tried { message, headers, sent }
}
