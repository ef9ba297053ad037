//! Reads the log for the events that an integration wants.
//!
//! Without a filter that is what the store reads for its streams. With one, what it reads is matched, and what does not match
//! is passed: it is settled with the cursor, and is neither sent nor lost. An integration whose filter lets little pass reads
//! much, so a search is made of pages, each with a place of its own among all reads, and ends after some of them: others
//! have their turn, and what was found is sent.

use super::context::{Context, Interrupt};
use super::of_lane::Part;
use hitwire_event::{ClientId, Record, Seq};
use hitwire_store::{Page, Read, Unreadable};
use std::sync::Arc;

/// Pages that one search reads at most.
const PAGES_MAX: usize = 16;

/// Events of a page that is to be matched, unless more are asked for. Smaller pages cost more queries, larger ones hold a
/// place among all reads for longer.
const PAGE_EVENTS: usize = 1_000;

/// Bytes of such a page, unless more are asked for.
const PAGE_BYTES: usize = 1 << 20;

/// What a search found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The events that are wanted, oldest first.
    pub(crate) records: Vec<Arc<Record>>,
    /// Every wanted event up to here is in `records`.
    pub(crate) scanned_to: Seq,
    /// There were others, which are not wanted.
    pub(crate) skipped: bool,
    /// There is more, or more to search.
    pub(crate) more: bool,
    /// This cannot be read, and was passed; then there are no records.
    pub(crate) unreadable: Option<Unreadable>,
}

impl Found {
    /// The same, for a lane that goes on behind the part, or ends with it.
    pub(crate) fn within(mut self, part: &Part<'_>) -> Self {
        if let Some(last) = part.last {
            // The log says no more than that it has nothing else up to there.
            self.scanned_to = if self.more { self.scanned_to.min(last) } else { last };
            self.more |= part.more;
        }
        self
    }
}

/// The next wanted events of a part of the log: at most so many events, and bytes of bodies (a single larger one is found all
/// the same).
pub(crate) async fn forward(
    context: &Context,
    client: ClientId,
    part: &Part<'_>,
    max_events: usize,
    max_bytes: usize,
) -> Result<Found, Interrupt> {
    let Part { ref streams, ref filter, after, last, .. } = *part;
    if streams.is_empty() {
        return Ok(Found { scanned_to: after, ..Found::default() });
    }
    let mut read = Read { streams: streams.clone(), after, through: last, max_events, max_bytes };
    if filter.is_empty() {
        let Page { records, scanned_to, more, unreadable } = context.read(client, read).await?;
        return Ok(Found { records, scanned_to, skipped: false, more, unreadable });
    }
    read.max_events = max_events.max(PAGE_EVENTS);
    read.max_bytes = max_bytes.max(PAGE_BYTES);
    let mut found = Found { scanned_to: after, more: true, ..Found::default() };
    let mut bytes = 0;
    for _ in 0..PAGES_MAX {
        let page = context.read(client, read.clone()).await?;
        if let Some(mut unreadable) = page.unreadable {
            // What was found before it is sent first.
            if found.records.is_empty() {
                // Nobody knows what the filter would have let pass of it.
                unreadable.exact = false;
                let (scanned_to, more) = (page.scanned_to, page.more);
                return Ok(Found { scanned_to, more, unreadable: Some(unreadable), ..found });
            }
            break;
        }
        for record in page.records {
            if !filter.matches(&record) {
                found.skipped = true;
                continue;
            }
            bytes += record.event.body.len();
            if found.records.len() >= max_events || (bytes > max_bytes && !found.records.is_empty()) {
                // What is wanted and finds no room is read again; what was passed before it need not be.
                found.scanned_to = Seq(record.seq.0 - 1);
                return Ok(found);
            }
            found.records.push(record);
        }
        let got_on = page.scanned_to > read.after;
        read.after = page.scanned_to;
        found.scanned_to = page.scanned_to;
        found.more = page.more;
        let full = found.records.len() >= max_events || bytes >= max_bytes;
        if full || !page.more || !got_on {
            break;
        }
    }
    Ok(found)
}

/// The wanted events of a part of the log up to `last`, if there are exactly so many.
pub(crate) async fn exactly(
    context: &Context,
    client: ClientId,
    part: &Part<'_>,
    last: Seq,
    events: usize,
) -> Result<Option<Vec<Arc<Record>>>, Interrupt> {
    let Part { ref streams, ref filter, mut after, .. } = *part;
    let all = filter.is_empty();
    let mut records = Vec::with_capacity(events);
    loop {
        let missing = events - records.len();
        let read = Read {
            streams: streams.clone(),
            after,
            through: Some(last),
            max_events: if all { missing } else { missing.max(PAGE_EVENTS) },
            max_bytes: if all { usize::MAX } else { PAGE_BYTES },
        };
        let page = context.read(client, read).await?;
        if page.unreadable.is_some() {
            return Ok(None);
        }
        records.extend(page.records.into_iter().filter(|record| filter.matches(record)));
        if records.len() > events {
            return Ok(None);
        }
        if records.len() == events && (all || !page.more) {
            return Ok(Some(records));
        }
        if !page.more || page.scanned_to <= after {
            return Ok(None);
        }
        after = page.scanned_to;
    }
}
