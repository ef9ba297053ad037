//! What a machine has under way: a read, a request, a measurement. Each ends as an input.

use super::batch_body;
use super::context::{Context, Interrupt};
use super::detail;
use super::failing;
use super::of_lane::OfLane;
use super::refused;
use super::search::{self, Found};
use super::unreadable;
use crate::counted::Ended;
use bytes::Bytes;
use futures_util::poll;
use hitwire_courier::{Input, OpenBatch};
use hitwire_endpoint::{Cause, Message};
use hitwire_event::{Lane, Seq};
use hitwire_store::{Activity, Integration};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// How long the machine is not told that a batch was not sent, because its integration is disabled: by then it knows.
const NOT_SENT_AFTER: Duration = Duration::from_millis(2);

/// How long a request waits for which hitwire had no file descriptor: those under way end and give theirs back.
const HELD_FOR: Duration = Duration::from_secs(1);

/// What came back of something that was under way.
#[derive(Debug)]
pub(crate) enum Landed {
    /// hitwire stops, or the integration is gone: there is nothing to tell the machine.
    Nothing,
    Input(Input),
    Batch {
        lane: Lane,
        input: Input,
        body: Option<CutBody>,
    },
}

/// The body of a batch that was just cut, with the hash that was recorded for it: it need not be hashed again.
#[derive(Clone, Debug)]
pub(crate) struct CutBody {
    sha256: [u8; 32],
    bytes: Bytes,
}

impl CutBody {
    /// Whether it is the body of this batch.
    pub(crate) fn is_of(&self, batch: &OpenBatch) -> bool {
        self.sha256 == batch.body_sha256
    }
}

/// A read that the machine asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) after: Seq,
    pub(crate) max_events: u32,
    pub(crate) max_bytes: u64,
}

pub(crate) async fn read(context: Arc<Context>, of: OfLane, wanted: Wanted) -> Landed {
    let Wanted { after, max_events, max_bytes } = wanted;
    let (lane, integration) = (of.lane, &of.integration);
    let Ok(part) = of.part(&context, after).await else { return Landed::Nothing };
    let page_bytes = usize::try_from(max_bytes).unwrap_or(usize::MAX);
    let found = search::forward(&context, integration.client, &part, max_events as usize, page_bytes).await;
    let Ok(found) = found else { return Landed::Nothing };
    let Found { records, scanned_to, skipped, more, unreadable } = found.within(&part);
    let labels = context.names.labels(integration.client);
    let cut = batch_body::cut(integration, &labels, &records, scanned_to, max_events, max_bytes);
    let (cut, bytes) = cut.unzip();
    let body = cut.as_ref().zip(bytes).map(|(cut, bytes)| CutBody { sha256: cut.body_sha256, bytes });
    let left_over = cut.as_ref().is_some_and(|cut| (cut.events as usize) < records.len());
    let input = Input::Batch {
        lane,
        cut,
        scanned_to,
        skipped: skipped || unreadable.is_some(),
        more: more || left_over,
        unreadable: unreadable
            .and_then(|unreadable| unreadable::lost(integration, lane, &part.streams, &unreadable)),
        webhook_id: context.webhook_id(),
    };
    Landed::Batch { lane, input, body }
}

/// Sends the batch: with the body that was just cut, or with the same one made again. Where hitwire itself cannot begin a
/// request, this is no attempt, and not the endpoint's failure: it is tried again after a little while.
pub(crate) async fn send(
    context: Arc<Context>,
    of: OfLane,
    batch: OpenBatch,
    mut body: Option<CutBody>,
    probe: bool,
) -> Landed {
    loop {
        let sent = send_once(&context, &of, &batch, body.take(), probe).await;
        if let Some(landed) = sent {
            return landed;
        }
        context.deliveries.held();
        tracing::error!(
            "a request cannot be made: too many files are open; raise the limit of open files (LimitNOFILE, ulimit -n)"
        );
        tokio::select! {
            () = tokio::time::sleep(HELD_FOR) => {}
            () = context.stop.cancelled() => return Landed::Nothing,
        }
    }
}

/// One try; none if there was no file descriptor, so that nothing was sent.
async fn send_once(
    context: &Arc<Context>,
    of: &OfLane,
    batch: &OpenBatch,
    body: Option<CutBody>,
    probe: bool,
) -> Option<Landed> {
    let (lane, integration) = (of.lane, &of.integration);
    let under_way = context.under_way(integration.id);
    let share = context.share_of(integration.id, probe, under_way.beside);
    let mut slot = pin!(context.budget.slot(share, integration.client, batch.body_bytes));
    let (slot, body) = match poll!(slot.as_mut()) {
        Poll::Ready(slot) => (slot, body),
        Poll::Pending => {
            // What waits in the queue holds no body: it is made again when there is room for it.
            drop(body);
            (slot.await, None)
        }
    };
    // The wait may have been long: what was edited meanwhile counts, and a stop means that nothing new is sent.
    let integration = match context.integration(integration.id).await {
        Ok(Some(integration)) if !context.stop.is_cancelled() => integration,
        _ => return Some(Landed::Nothing),
    };
    let of = OfLane { integration, ..of.clone() };
    let integration = &of.integration;
    if integration.activity != Activity::Active {
        // The shell learns of it in a moment; until then the batch would come back at once.
        tokio::time::sleep(NOT_SENT_AFTER).await;
        return Some(Landed::Input(Input::NotSent { lane, webhook_id: batch.webhook_id.clone() }));
    }
    let body = match body.filter(|body| body.is_of(batch)) {
        _ if !is_wanted(integration, batch) => None,
        Some(body) => Some(body.bytes),
        None => match again(context, &of, batch).await {
            Ok(body) => body,
            Err(_) => return Some(Landed::Nothing),
        },
    };
    let Some(body) = body else {
        tracing::warn!(integration = %integration.id, %lane, webhook_id = %batch.webhook_id,
            "the open batch cannot be made again as it was; it is superseded by a new one");
        return Some(Landed::Input(Input::Unreproducible { lane, webhook_id: batch.webhook_id.clone() }));
    };
    let started = context.clock.now();
    let started_ms = context.clock.wall_ms();
    let message = Message {
        webhook_id: batch.webhook_id.clone(),
        timestamp_s: started_ms / 1000,
        content_type: integration.target.format.content_type(),
        body,
        repeat: of.repeat(),
    };
    let mut delivery = context.transport.send(integration, message).await;
    drop(slot);
    drop(under_way);
    if delivery.cause == Some(Cause::Descriptors) {
        return None;
    }
    if let (Some(details), Some(draft)) = (&context.details, detail::draft(integration, batch, &mut delivery))
    {
        details.keep(draft);
    }
    let took = context.clock.now().saturating_sub(started);
    context.took(integration.id, took);
    context.deliveries.ended(&Ended {
        integration: integration.id,
        reply: delivery.reply,
        cause: delivery.cause,
        events: batch.events,
        body_bytes: batch.body_bytes,
        took,
    });
    failing::look(context, integration, &delivery);
    refused::look(context, integration, &delivery, started_ms).await;
    Some(Landed::Input(Input::Outcome {
        lane,
        webhook_id: batch.webhook_id.clone(),
        reply: delivery.reply,
        started_ms,
        took,
        address: delivery.address,
        error: delivery.error,
    }))
}

/// Whether the batch may still go out under the settings as they are now.
fn is_wanted(integration: &Integration, batch: &OpenBatch) -> bool {
    integration.content_revision == batch.content_revision
}

/// The open batch's body, made again from the log; none if it is no longer the same.
async fn again(context: &Context, of: &OfLane, batch: &OpenBatch) -> Result<Option<Bytes>, Interrupt> {
    let integration = &of.integration;
    let before = Seq(batch.first.0.saturating_sub(1));
    let part = of.part(context, before).await?;
    let records =
        search::exactly(context, integration.client, &part, batch.last, batch.events as usize).await?;
    let Some(records) = records else { return Ok(None) };
    let labels = context.names.labels(integration.client);
    let body = batch_body::body(integration, &labels, &records);
    Ok(batch_body::is_recorded(&body, batch.body_bytes, &batch.body_sha256).then_some(body))
}

/// Finds out how much of the lane is to be given up.
pub(crate) async fn measure(
    context: Arc<Context>,
    of: OfLane,
    after: Seq,
    age: Duration,
    at_least: Seq,
) -> Landed {
    let Ok(old) = context.patiently(|store| store.position_aged(age)).await else {
        return Landed::Nothing;
    };
    let through = old.max(at_least);
    let through = match &of.replay {
        Some(replay) => through.min(replay.plan.last()),
        None => through,
    };
    let mut events = 0;
    for (streams, after, through) in of.streams_within(after, through) {
        match context.patiently(|store| store.lag(streams.clone(), after, through)).await {
            Ok(lag) => events += lag.events,
            Err(_) => return Landed::Nothing,
        }
    }
    Landed::Input(Input::Measured { lane: of.lane, through, events })
}
