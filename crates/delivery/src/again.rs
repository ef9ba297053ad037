//! The body of an attempt, made again from the log: byte for byte the one that was sent, or the reason why not.

use super::batch_body;
use super::context::Context;
use super::of_lane::OfLane;
use bytes::Bytes;
use hitwire_courier::Attempt;
use hitwire_event::{Lane, Record, Seq};
use hitwire_store::{Integration, Read, StoreError};
use std::sync::Arc;

/// Pages of the log that are read for it at most: a filter may have passed a great many events between two that were sent.
const PAGES_MAX: usize = 16;

/// Events of a page.
const PAGE_EVENTS: usize = 1_000;

/// Bytes of a page.
const PAGE_BYTES: usize = 2 << 20;

/// What became of it.
#[derive(Debug)]
pub enum Again {
    /// Length and hash are those of the body that was sent.
    Same(Bytes),
    /// Not the one that was sent.
    Not(WhyNot),
}

/// Why the body cannot be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyNot {
    /// An older hitwire recorded the attempt, without a hash.
    NoHash,
    /// The events lie too far apart to be searched for here.
    TooMuch,
    /// So many of the batch's events were found, which is not all of them.
    Missing {
        /// Events found.
        found: usize,
    },
    /// All events are there, or more than were sent, and make another body.
    Different,
}

/// Makes the body of an attempt again, under the settings as they are now. Takes its turn among the couriers' reads.
pub(crate) async fn body_of(
    context: &Context,
    integration: &Integration,
    attempt: &Attempt,
) -> Result<Again, StoreError> {
    let Some(sha256) = attempt.body_sha256 else { return Ok(Again::Not(WhyNot::NoHash)) };
    let events = attempt.events as usize;
    let records = match records(context, integration, attempt).await? {
        Ok(records) => records,
        Err(why) => return Ok(Again::Not(why)),
    };
    if records.len() < events {
        return Ok(Again::Not(WhyNot::Missing { found: records.len() }));
    }
    let labels = context.names.labels(integration.client);
    let body = batch_body::body(integration, &labels, &records);
    if batch_body::is_recorded(&body, attempt.body_bytes, &sha256) {
        Ok(Again::Same(body))
    } else {
        Ok(Again::Not(WhyNot::Different))
    }
}

/// The events of the attempt's batch, as far as they are in the log; one more than there were, if there are more.
async fn records(
    context: &Context,
    integration: &Integration,
    attempt: &Attempt,
) -> Result<Result<Vec<Arc<Record>>, WhyNot>, StoreError> {
    let replay = match attempt.lane {
        Lane::Replay(number) => context.store.replay(integration.id, number).await?.map(Arc::new),
        Lane::Urgent | Lane::Bulk => None,
    };
    let of = OfLane { integration: Arc::new(integration.clone()), lane: attempt.lane, replay };
    let before = Seq(attempt.first.0.saturating_sub(1));
    let part = of.part(context, before).await.map_err(|_| StoreError::Closed)?;
    if part.streams.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    let mut read = Read {
        streams: part.streams,
        after: part.after,
        through: Some(attempt.last),
        max_events: PAGE_EVENTS,
        max_bytes: PAGE_BYTES,
    };
    let mut found = Vec::new();
    for _ in 0..PAGES_MAX {
        let page = {
            let _permit = context.budget.read(integration.client).await;
            context.store.read(read.clone()).await?
        };
        found.extend(page.records.into_iter().filter(|record| part.filter.matches(record)));
        let got_on = page.scanned_to > read.after;
        if found.len() > attempt.events as usize || !page.more || !got_on {
            return Ok(Ok(found));
        }
        read.after = page.scanned_to;
    }
    Ok(Err(WhyNot::TooMuch))
}
