//! Records into the bytes of a request: the same records give the same bytes, today and after a crash.

use bytes::Bytes;
use hitwire_courier::{Cut, batch};
use hitwire_event::{ClientId, Kind, Lane, Record, Seq};
use hitwire_receiver::{Labels, Rendered as _, Rendering, object_len};
use hitwire_store::{Integration, StreamFrom, Ticked};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The streams of one lane of an integration, with where each subscription begins.
pub fn lane_streams(integration: &Integration, lane: Lane) -> Vec<StreamFrom> {
    streams_of(integration.client, &integration.events, lane)
}

/// The same of ticked kinds.
pub fn streams_of(client: ClientId, events: &[Ticked], lane: Lane) -> Vec<StreamFrom> {
    let ticked = events.iter().filter(|ticked| ticked.active && ticked.kind.lane() == lane);
    ticked
        .map(|ticked| StreamFrom {
            stream: hitwire_event::Stream { client, kind: ticked.kind },
            from: ticked.from,
        })
        .collect()
}

/// How the integration wants its objects.
pub(crate) fn rendering(integration: &Integration) -> Rendering {
    let with_headers = integration
        .events
        .iter()
        .any(|ticked| ticked.active && ticked.kind == Kind::Hit && ticked.with_headers);
    Rendering { style: integration.target.rendering, with_headers }
}

/// Cuts the next batch from what was read and renders it. `scanned_to` is where the reading stopped.
pub(crate) fn cut(
    integration: &Integration,
    labels: &Labels,
    records: &[Arc<Record>],
    scanned_to: Seq,
    max_events: u32,
    max_bytes: u64,
) -> Option<(Cut, Bytes)> {
    let style = rendering(integration);
    let items = records.iter().map(|record| {
        let bytes = object_len(record.rendered(style, labels), integration.target.format);
        (record.event.kind.object_type(), bytes)
    });
    let taken = batch::take(items, max_events, max_bytes);
    let (first, last) = (records.first()?.seq, records.get(taken.checked_sub(1)?)?.seq);
    let body = body(integration, labels, &records[..taken]);
    let cut = Cut {
        first,
        last,
        // What was searched and did not match is settled with the batch, but only if nothing read was left out.
        through: if taken == records.len() { scanned_to.max(last) } else { last },
        events: taken as u32,
        body_bytes: body.len() as u64,
        body_sha256: Sha256::digest(&body).into(),
    };
    Some((cut, body))
}

/// The body that these records make.
pub(crate) fn body(integration: &Integration, labels: &Labels, records: &[Arc<Record>]) -> Bytes {
    Bytes::from(hitwire_receiver::body(records, rendering(integration), labels, integration.target.format))
}

/// Whether this is the body that was recorded.
pub(crate) fn is_recorded(body: &[u8], body_bytes: u64, body_sha256: &[u8; 32]) -> bool {
    body.len() as u64 == body_bytes && Sha256::digest(body).as_slice() == body_sha256
}
