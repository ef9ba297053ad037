//! What a block, or a span of blocks, holds of each stream.

use super::varint;
use std::collections::BTreeMap;

/// What there is of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sqlite) struct StreamSum {
    /// Number of events.
    pub events: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// When the oldest was appended, milliseconds since the Unix epoch.
    pub oldest_ms: u64,
}

impl StreamSum {
    fn add(&mut self, other: StreamSum) {
        self.events += other.events;
        self.bytes += other.bytes;
        self.oldest_ms = self.oldest_ms.min(other.oldest_ms);
    }
}

/// Sums by client and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::sqlite) struct Directory(BTreeMap<(u64, u8), StreamSum>);

impl Directory {
    /// Counts events of a stream.
    pub(in crate::sqlite) fn add(&mut self, client: u64, kind: u8, sum: StreamSum) {
        self.0.entry((client, kind)).and_modify(|so_far| so_far.add(sum)).or_insert(sum);
    }

    /// Counts all that another one counts.
    pub(in crate::sqlite) fn add_all(&mut self, other: &Directory) {
        for (client, kind, sum) in other.iter() {
            self.add(client, kind, sum);
        }
    }

    /// Client, kind and sum of each stream, in order.
    pub(in crate::sqlite) fn iter(&self) -> impl Iterator<Item = (u64, u8, StreamSum)> {
        self.0.iter().map(|(&(client, kind), &sum)| (client, kind, sum))
    }

    /// As it is stored; `oldest_ms` is that of the whole block.
    pub(in crate::sqlite) fn to_bytes(&self, oldest_ms: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * 8);
        for (client, kind, sum) in self.iter() {
            varint::put(&mut bytes, client);
            bytes.push(kind);
            varint::put(&mut bytes, sum.events);
            varint::put(&mut bytes, sum.bytes);
            varint::put(&mut bytes, sum.oldest_ms.saturating_sub(oldest_ms));
        }
        bytes
    }
}

/// Reads a stored directory, stream by stream. Ends at the first damage, of which its check tells.
pub(in crate::sqlite) fn streams_in(
    bytes: &[u8],
    oldest_ms: u64,
) -> impl Iterator<Item = (u64, u8, StreamSum)> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let client = varint::take(&mut rest)?;
        let (&kind, after) = rest.split_first()?;
        rest = after;
        let (events, bytes) = (varint::take(&mut rest)?, varint::take(&mut rest)?);
        let oldest_ms = oldest_ms.saturating_add(varint::take(&mut rest)?);
        Some((client, kind, StreamSum { events, bytes, oldest_ms }))
    })
}
