//! How many of the newest events a filter would have let pass.
//!
//! The log can be read forwards only, so first the place is looked for where the newest events begin: by counting, which the
//! store's directory makes cheap. Every step takes a place among all reads, as couriers do, and gives it back: a preview
//! delays nobody for longer than a page takes.

use super::context::Context;
use hitwire_event::filter::Filter;
use hitwire_event::{Seq, Stream};
use hitwire_store::{Read, StoreError, StreamFrom};
use std::collections::VecDeque;

/// Events of one page.
const PAGE_EVENTS: usize = 1_000;

/// Bytes of one page.
const PAGE_BYTES: usize = 1 << 20;

/// So many events more than needed are rather read than looked for more narrowly: a page costs about what a count costs.
const SURPLUS_EVENTS: u64 = 4_096;

/// What a preview found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// The newest events, as many as were asked for, or as there are.
    pub looked_at: usize,
    /// Those of them that the filter lets pass.
    pub would_send: usize,
    /// When the oldest of them was appended: milliseconds since the Unix epoch.
    pub from_ms: Option<u64>,
}

/// Looks at the newest `last` events of these streams.
pub(crate) async fn preview(
    context: &Context,
    streams: &[Stream],
    filter: &Filter,
    last: usize,
) -> Result<Preview, StoreError> {
    let Some(client) = streams.first().map(|stream| stream.client) else { return Ok(Preview::default()) };
    let head = context.store.head().now();
    let streams: Vec<_> =
        streams.iter().map(|stream| StreamFrom { stream: *stream, from: Seq::ZERO }).collect();
    let after = begin_of_newest(context, &streams, head, last as u64).await?;
    let mut read =
        Read { streams, after, through: Some(head), max_events: PAGE_EVENTS, max_bytes: PAGE_BYTES };
    // The newest so far: when each was appended, and whether it matches.
    let mut newest: VecDeque<(u64, bool)> = VecDeque::new();
    loop {
        let page = {
            let _permit = context.budget.read(client).await;
            context.store.read(read.clone()).await?
        };
        for record in page.records {
            if newest.len() == last {
                newest.pop_front();
            }
            newest.push_back((record.appended_ms, filter.matches(&record)));
        }
        if !page.more || page.scanned_to <= read.after {
            break;
        }
        read.after = page.scanned_to;
    }
    Ok(Preview {
        looked_at: newest.len(),
        would_send: newest.iter().filter(|(_, matches)| *matches).count(),
        from_ms: newest.front().map(|(appended_ms, _)| *appended_ms),
    })
}

/// A position after which there are at least `wanted` events, and not many more; zero if there are not so many.
async fn begin_of_newest(
    context: &Context,
    streams: &[StreamFrom],
    head: Seq,
    wanted: u64,
) -> Result<Seq, StoreError> {
    let count = async |after: u64| {
        let _permit = context.budget.read(streams[0].stream.client).await;
        context.store.lag(streams.to_vec(), Seq(after), head).await.map(|lag| lag.events)
    };
    // Backwards in steps that double, since nobody knows how many of the log's events are of these streams.
    let (mut enough, mut too_few, mut step) = (head.0, head.0, wanted.max(1));
    let mut there = 0;
    while there < wanted && enough > 0 {
        too_few = enough;
        enough = head.0.saturating_sub(step);
        step = step.saturating_mul(2);
        there = count(enough).await?;
    }
    // The last step may have been far too large.
    while there > wanted + SURPLUS_EVENTS && too_few - enough > 1 {
        let middle = enough + (too_few - enough) / 2;
        match count(middle).await? {
            events if events >= wanted => (enough, there) = (middle, events),
            _ => too_few = middle,
        }
    }
    Ok(Seq(enough))
}
