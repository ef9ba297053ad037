//! A block: the events of one commit, one after another, and a directory of their streams. Pure: bytes in, bytes out.
//!
//! The plain body is the time of the first event (varint), then for each event: client (varint), kind and flags (a byte
//! each), its time as a difference from the first one's (zigzag varint), the lengths of its id and of its body (varints),
//! id, body. Its position is the block's first position plus its place. The body is stored compressed with zstd where that
//! makes it smaller, and as it is otherwise; a hash over positions and plain bytes shows damage in either form.

mod directory;
pub(in crate::sqlite) mod varint;

pub(in crate::sqlite) use directory::{Directory, StreamSum, streams_in};

use hitwire_event::{ClientId, Event, EventId, Kind, Record, Seq};
use siphasher::sip::SipHasher13;
use std::hash::Hasher;
use std::sync::Arc;

/// An event's id was used before with other content.
pub(in crate::sqlite) const FLAG_ID_REUSED: u8 = 1;

/// An event counts for deduplication.
pub(in crate::sqlite) const FLAG_DEDUPLICATED: u8 = 2;

/// Events of a block of one commit; more go into further blocks.
pub(in crate::sqlite) const EVENTS_MAX: u32 = 2_048;

/// Events of a block of a slice that has ended: most of what a larger one would save, and not much more than a batch.
pub(in crate::sqlite) const PACKED_EVENTS_MAX: u32 = 1_024;

/// Bytes at which a block ends. A single event may be larger.
const BYTES_MAX: usize = 2 << 20;

/// No plain body is longer: the largest event and all that may stand before it. A longer one on disk is damage.
const PLAIN_BYTES_MAX: u64 = 64 << 20;

/// Below this many events compression costs more than it saves.
const COMPRESSED_EVENTS_MIN: u32 = 4;

/// Bytes of the check of a stored directory.
const CHECK_BYTES: usize = 4;

/// How a body is stored: as it is.
const PLAIN: u8 = 0;

/// How a body is stored: as one zstd frame.
const ZSTD: u8 = 1;

/// What a block says of itself, without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sqlite) struct Header {
    /// Position of the first event.
    pub first: u64,
    /// Number of events, at least 1; their positions have no gap.
    pub events: u32,
    /// The earliest time at which one was appended, milliseconds since the Unix epoch.
    pub oldest_ms: u64,
    /// The latest one.
    pub newest_ms: u64,
    /// How the body is stored.
    pub format: u8,
    /// Length of the plain body.
    pub plain_bytes: u64,
    /// Over positions and plain body.
    pub hash: u64,
}

impl Header {
    /// Position of the last event.
    pub(in crate::sqlite) fn last(&self) -> u64 {
        self.first + u64::from(self.events.max(1)) - 1
    }
}

/// A directory as it is stored beside its block: with a check of what readers believe without opening the block, so that a
/// damaged directory hides no event.
pub(in crate::sqlite) fn described(
    directory: &Directory,
    first: u64,
    events: u32,
    oldest_ms: u64,
    newest_ms: u64,
) -> Vec<u8> {
    let mut bytes = directory.to_bytes(oldest_ms);
    let check = check(&bytes, first, events, oldest_ms, newest_ms);
    bytes.extend_from_slice(&check);
    bytes
}

/// The directory in what [`described`] made; none if it, or what it is checked against, is damaged.
pub(in crate::sqlite) fn directory_in(
    described: &[u8],
    first: u64,
    events: u32,
    oldest_ms: u64,
    newest_ms: u64,
) -> Option<&[u8]> {
    let (bytes, stored) = described.split_last_chunk::<CHECK_BYTES>()?;
    (*stored == check(bytes, first, events, oldest_ms, newest_ms)).then_some(bytes)
}

fn check(directory: &[u8], first: u64, events: u32, oldest_ms: u64, newest_ms: u64) -> [u8; CHECK_BYTES] {
    let mut hasher = SipHasher13::new();
    hasher.write_u64(first);
    hasher.write_u32(events);
    hasher.write_u64(oldest_ms);
    hasher.write_u64(newest_ms);
    hasher.write(directory);
    (hasher.finish() as u32).to_le_bytes()
}

/// A block on its way to the disk.
#[derive(Debug)]
pub(in crate::sqlite) struct Sealed {
    /// What it says of itself.
    pub header: Header,
    /// What it holds of each stream.
    pub directory: Directory,
    /// The body as it is stored.
    pub body: Vec<u8>,
}

/// Why a block cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::sqlite) enum BlockError {
    /// Its bytes are not what was written.
    #[error("the block at position {0} is damaged")]
    Damaged(u64),
    /// It was stored in a way that this version does not know.
    #[error("the block at position {0} is of a format that this hitwire does not know")]
    Unknown(u64),
}

/// An event as it lies in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sqlite) struct Placed<'a> {
    /// Its position.
    pub seq: u64,
    /// When it was appended, milliseconds since the Unix epoch.
    pub appended_ms: u64,
    /// [`FLAG_ID_REUSED`], [`FLAG_DEDUPLICATED`].
    pub flags: u8,
    /// The tenant.
    pub client: ClientId,
    /// The kind's number; one of a newer version may be unknown.
    pub kind: u8,
    /// The event's id.
    pub id: &'a str,
    /// The event's body.
    pub body: &'a str,
}

impl Placed<'_> {
    /// As readers get it; none if its kind is not known.
    pub(in crate::sqlite) fn record(&self) -> Option<Arc<Record>> {
        let kind = Kind::from_code(self.kind)?;
        let event = Event { client: self.client, kind, id: EventId::from(self.id), body: self.body.into() };
        let id_reused = self.flags & FLAG_ID_REUSED != 0;
        Some(Arc::new(Record::new(Seq(self.seq), self.appended_ms, id_reused, event)))
    }
}

/// Compresses blocks. Keeps its working memory from one block to the next: to make it anew costs more than a small block.
pub(in crate::sqlite) struct Compressor(zstd::bulk::Compressor<'static>);

impl Compressor {
    /// Level 1 is for what is acknowledged only after it; 3 for what has time.
    pub(in crate::sqlite) fn new(level: i32) -> std::io::Result<Self> {
        zstd::bulk::Compressor::new(level).map(Compressor)
    }
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Compressor")
    }
}

/// Gathers the events of a block.
#[derive(Debug)]
pub(in crate::sqlite) struct Builder {
    events_max: u32,
    first: u64,
    events: u32,
    base_ms: u64,
    times_ms: (u64, u64),
    plain: Vec<u8>,
    directory: Directory,
}

impl Builder {
    /// An empty one, for blocks of at most so many events.
    pub(in crate::sqlite) fn new(events_max: u32) -> Self {
        Builder {
            events_max,
            first: 0,
            events: 0,
            base_ms: 0,
            times_ms: (0, 0),
            plain: Vec::new(),
            directory: Directory::default(),
        }
    }

    /// Adds the event after the last one. The caller sees to it that its position follows.
    pub(in crate::sqlite) fn push(&mut self, event: &Placed<'_>) {
        if self.events == 0 {
            self.first = event.seq;
            self.base_ms = event.appended_ms;
            self.times_ms = (event.appended_ms, event.appended_ms);
            varint::put(&mut self.plain, self.base_ms);
        }
        debug_assert_eq!(event.seq, self.first + u64::from(self.events), "positions in a block have no gap");
        self.events += 1;
        self.times_ms = (self.times_ms.0.min(event.appended_ms), self.times_ms.1.max(event.appended_ms));
        varint::put(&mut self.plain, event.client.0);
        self.plain.extend_from_slice(&[event.kind, event.flags]);
        varint::put(&mut self.plain, varint::zigzag(event.appended_ms.wrapping_sub(self.base_ms) as i64));
        varint::put(&mut self.plain, event.id.len() as u64);
        varint::put(&mut self.plain, event.body.len() as u64);
        self.plain.extend_from_slice(event.id.as_bytes());
        self.plain.extend_from_slice(event.body.as_bytes());
        self.directory.add(
            event.client.0,
            event.kind,
            StreamSum { events: 1, bytes: event.body.len() as u64, oldest_ms: event.appended_ms },
        );
    }

    /// Whether there is an event in it.
    pub(in crate::sqlite) fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Whether a block ends here.
    pub(in crate::sqlite) fn is_full(&self) -> bool {
        self.events >= self.events_max || self.plain.len() >= BYTES_MAX
    }

    /// The position after its last event; none if it is empty.
    pub(in crate::sqlite) fn next(&self) -> Option<u64> {
        (self.events > 0).then(|| self.first + u64::from(self.events))
    }

    /// Forgets what was added since the last block.
    pub(super) fn clear(&mut self) {
        self.events = 0;
        self.plain.clear();
        self.directory = Directory::default();
    }

    /// Ends the block and begins an empty one.
    pub(in crate::sqlite) fn seal(&mut self, compressor: &mut Compressor) -> Sealed {
        let hash = hash(self.first, self.events, &self.plain);
        let plain_bytes = self.plain.len() as u64;
        let compressed = if self.events < COMPRESSED_EVENTS_MIN {
            None
        } else {
            // It cannot fail for bytes in memory; if it did, they are stored as they are.
            compressor.0.compress(&self.plain).ok().filter(|bytes| bytes.len() < self.plain.len())
        };
        let (format, body) = match compressed {
            Some(body) => {
                self.plain.clear();
                (ZSTD, body)
            }
            None => (PLAIN, std::mem::take(&mut self.plain)),
        };
        let header = Header {
            first: self.first,
            events: self.events,
            oldest_ms: self.times_ms.0,
            newest_ms: self.times_ms.1,
            format,
            plain_bytes,
            hash,
        };
        self.events = 0;
        Sealed { header, directory: std::mem::take(&mut self.directory), body }
    }
}

/// The plain body of a block, checked against its hash.
#[derive(Debug)]
pub(in crate::sqlite) struct Opened {
    first: u64,
    events: u32,
    plain: Vec<u8>,
}

/// Opens a block.
pub(in crate::sqlite) fn open(header: &Header, body: &[u8]) -> Result<Opened, BlockError> {
    let damaged = BlockError::Damaged(header.first);
    if header.plain_bytes > PLAIN_BYTES_MAX {
        return Err(damaged);
    }
    let plain = match header.format {
        PLAIN => body.to_vec(),
        ZSTD => zstd::bulk::decompress(body, header.plain_bytes as usize).map_err(|_| damaged)?,
        _ => return Err(BlockError::Unknown(header.first)),
    };
    if plain.len() as u64 != header.plain_bytes || hash(header.first, header.events, &plain) != header.hash {
        return Err(damaged);
    }
    Ok(Opened { first: header.first, events: header.events, plain })
}

impl Opened {
    /// Its events, in order.
    pub(in crate::sqlite) fn events(&self) -> Result<Vec<Placed<'_>>, BlockError> {
        self.parsed().ok_or(BlockError::Damaged(self.first))
    }

    fn parsed(&self) -> Option<Vec<Placed<'_>>> {
        let mut rest = &self.plain[..];
        let base_ms = varint::take(&mut rest)?;
        // The hash has shown that this is what was written: at least a few bytes for each event.
        let mut events = Vec::with_capacity((self.events as usize).min(rest.len()));
        for place in 0..u64::from(self.events) {
            let client = ClientId(varint::take(&mut rest)?);
            let (&[kind, flags], after) = rest.split_first_chunk()?;
            rest = after;
            let appended_ms = base_ms.wrapping_add(varint::unzigzag(varint::take(&mut rest)?) as u64);
            let id_bytes = usize::try_from(varint::take(&mut rest)?).ok()?;
            let body_bytes = usize::try_from(varint::take(&mut rest)?).ok()?;
            let (id, after) = rest.split_at_checked(id_bytes)?;
            let (body, after) = after.split_at_checked(body_bytes)?;
            rest = after;
            let (id, body) = (std::str::from_utf8(id).ok()?, std::str::from_utf8(body).ok()?);
            events.push(Placed { seq: self.first + place, appended_ms, flags, client, kind, id, body });
        }
        rest.is_empty().then_some(events)
    }
}

/// Not against an attacker, who could write any file, but against disks.
fn hash(first: u64, events: u32, plain: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write_u64(first);
    hasher.write_u32(events);
    hasher.write(plain);
    hasher.finish()
}

#[cfg(test)]
mod tests;
