//! Events after a position, or the newest ones.

use hitwire_event::{Record, Seq};
use hitwire_store::{Read, Store, StoreError, StreamFrom};
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes of bodies in one answer: one event at least, whatever its size.
const PAGE_BYTES_MAX: usize = 8 << 20;

/// What a stream reads and sends at once.
pub(super) const CHUNK_EVENTS_MAX: usize = 500;
pub(super) const CHUNK_BYTES_MAX: usize = 1 << 20;

/// A page searches through the log this often at most; then it says how far it is.
const SEARCHES_MAX: usize = 64;

/// The search for the beginning of a tail ends when it is known this well; the rest is read.
const TAIL_POSITIONS_EXACT: u64 = 1_024;

/// Events after a position, and the position to go on from.
pub(super) async fn page(
    store: &dyn Store,
    streams: Vec<StreamFrom>,
    after: Seq,
    limit: usize,
) -> Result<(Vec<Arc<Record>>, Seq), StoreError> {
    let (mut records, mut bytes, mut after) = (Vec::new(), 0, after);
    for _ in 0..SEARCHES_MAX {
        let read = Read {
            streams: streams.clone(),
            after,
            through: None,
            max_events: limit - records.len(),
            max_bytes: PAGE_BYTES_MAX - bytes,
        };
        let found = store.read(read).await?;
        bytes += found.records.iter().map(|record| record.event.body.len()).sum::<usize>();
        let full = records.len() + found.records.len() >= limit || bytes >= PAGE_BYTES_MAX;
        after = found.scanned_to.max(after);
        records.extend(found.records);
        if full || !found.more {
            break;
        }
    }
    Ok((records, after))
}

/// The newest events, as many as fit into a page, and the position behind them.
pub(super) async fn newest(
    store: &dyn Store,
    streams: &[StreamFrom],
    tail: u64,
) -> Result<(Vec<Arc<Record>>, Seq), StoreError> {
    let head = store.head().now();
    let mut kept: VecDeque<Arc<Record>> = VecDeque::new();
    if tail == 0 {
        return Ok((Vec::new(), head));
    }
    let mut after = start_of_tail(store, streams, tail, head).await?;
    let mut bytes = 0;
    while after < head {
        let read = Read {
            streams: streams.to_vec(),
            after,
            through: Some(head),
            max_events: CHUNK_EVENTS_MAX,
            max_bytes: CHUNK_BYTES_MAX,
        };
        let found = store.read(read).await?;
        let stands = found.scanned_to <= after;
        after = found.scanned_to.max(after);
        for record in found.records {
            bytes += record.event.body.len();
            kept.push_back(record);
            while kept.len() as u64 > tail || (bytes > PAGE_BYTES_MAX && kept.len() > 1) {
                bytes -= kept.pop_front().map_or(0, |first| first.event.body.len());
            }
        }
        if !found.more || stands {
            break;
        }
    }
    Ok((kept.into(), head))
}

/// A position after which about `tail` events of the streams lie, rather more than fewer: found by counting, without reading
/// them.
async fn start_of_tail(
    store: &dyn Store,
    streams: &[StreamFrom],
    tail: u64,
    head: Seq,
) -> Result<Seq, StoreError> {
    let enough = async |back: u64| {
        let after = Seq(head.0.saturating_sub(back));
        Ok::<_, StoreError>(
            after == Seq::ZERO || store.lag(streams.to_vec(), after, head).await?.events >= tail,
        )
    };
    let (mut too_few, mut back) = (0, tail);
    while !enough(back).await? {
        too_few = back;
        back = back.saturating_mul(4);
    }
    let mut back = back.min(head.0);
    // Behind a long silence there may be a flood, of which only the end is wanted.
    while back - too_few > TAIL_POSITIONS_EXACT.max(tail) {
        let between = too_few + (back - too_few) / 2;
        if enough(between).await? {
            back = between;
        } else {
            too_few = between;
        }
    }
    Ok(Seq(head.0 - back))
}
