//! What the deduplication knows of an event: two hashes, made once and kept beside the event's block, so that a start reads
//! them and not the bodies.
//!
//! The hashes are keyed: nobody who sends events can choose an id or a content that meets another one's hash. The key is
//! drawn with the data directory and kept in the state, which is as secret as the events themselves.
//!
//! Beside a block stands: a check (8 bytes), how many events brought a new id (varint), for each of them both hashes (16
//! bytes), and for each event whose id was used before the hash of its content (8 bytes), little-endian. The check is keyed
//! likewise: what another key made counts as damaged, and is made again from the bodies.

use super::block::{FLAG_DEDUPLICATED, FLAG_ID_REUSED, Placed, varint};
use hitwire_event::{ClientId, Event, Kind, content_of};
use siphasher::sip::SipHasher13 as Check;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;

/// Bytes of a key.
pub(in crate::sqlite) const KEY_BYTES: usize = 16;

/// Bytes of a stored hash, and of the check.
const HASH_BYTES: usize = 8;

/// An event as the deduplication knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sqlite) struct Fingerprint {
    /// Of the client and the id.
    pub id: u64,
    /// Of the client, the id and the content.
    pub content: u64,
}

/// Makes fingerprints, and says which stored ones are its own.
#[derive(Clone, Copy)]
pub(in crate::sqlite) struct Fingerprinter {
    key: [u8; KEY_BYTES],
}

impl std::fmt::Debug for Fingerprinter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fingerprinter(..)")
    }
}

impl Fingerprinter {
    /// With this key.
    pub(in crate::sqlite) fn new(key: [u8; KEY_BYTES]) -> Self {
        Fingerprinter { key }
    }

    /// The fingerprint of an event.
    pub(in crate::sqlite) fn of(&self, event: &Event) -> Fingerprint {
        self.of_parts(event.client, event.kind, event.id.as_str(), event.content())
    }

    /// The fingerprint of an event in the log; none if it does not count for deduplication.
    pub(in crate::sqlite) fn of_placed(&self, event: &Placed<'_>) -> Option<Fingerprint> {
        if event.flags & FLAG_DEDUPLICATED == 0 {
            return None;
        }
        let kind = Kind::from_code(event.kind)?;
        Some(self.of_parts(event.client, kind, event.id, content_of(kind, event.body)))
    }

    fn of_parts(&self, client: ClientId, kind: Kind, id: &str, content: [&str; 2]) -> Fingerprint {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write_u64(client.0);
        hasher.write(id.as_bytes());
        let of_id = hasher.finish128().h1;
        // The lengths keep (id "a", content "bc") and (id "ab", content "c") apart.
        hasher.write_u64(id.len() as u64);
        hasher.write_u8(kind.code());
        for part in content {
            hasher.write_u64(part.len() as u64);
            hasher.write(part.as_bytes());
        }
        Fingerprint { id: of_id, content: hasher.finish128().h1 }
    }

    fn check(&self, extent: Extent, stored: &[u8]) -> [u8; HASH_BYTES] {
        let mut hasher = Check::new_with_key(&self.key);
        hasher.write_u64(extent.first);
        hasher.write_u32(extent.events);
        hasher.write_u64(extent.newest_ms);
        hasher.write(stored);
        hasher.finish().to_le_bytes()
    }
}

/// Which block fingerprints belong to, and what a start believes of it without opening it.
#[derive(Clone, Copy, Debug)]
pub(in crate::sqlite) struct Extent {
    /// Position of the first event.
    pub first: u64,
    /// Number of events.
    pub events: u32,
    /// The latest time at which one was appended, milliseconds since the Unix epoch.
    pub newest_ms: u64,
}

/// The fingerprints of a block.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct Fingerprints {
    new: Vec<u8>,
    reused: Vec<u8>,
}

impl Fingerprints {
    /// Adds an event with these flags.
    pub(in crate::sqlite) fn push(&mut self, fingerprint: Fingerprint, flags: u8) {
        if flags & FLAG_ID_REUSED == 0 {
            self.new.extend_from_slice(&fingerprint.id.to_le_bytes());
            self.new.extend_from_slice(&fingerprint.content.to_le_bytes());
        } else {
            self.reused.extend_from_slice(&fingerprint.content.to_le_bytes());
        }
    }

    /// Forgets all of them.
    pub(in crate::sqlite) fn clear(&mut self) {
        self.new.clear();
        self.reused.clear();
    }

    /// As they are stored beside their block. None are left.
    pub(in crate::sqlite) fn seal(&mut self, fingerprinter: &Fingerprinter, extent: Extent) -> Vec<u8> {
        let mut sealed = vec![0; HASH_BYTES];
        varint::put(&mut sealed, (self.new.len() / (2 * HASH_BYTES)) as u64);
        sealed.append(&mut self.new);
        sealed.append(&mut self.reused);
        let (check, stored) = sealed.split_at_mut(HASH_BYTES);
        check.copy_from_slice(&fingerprinter.check(extent, stored));
        sealed
    }
}

/// Reads what [`Fingerprints::seal`] made, each with whether its id was used before; of such an event only the content's hash
/// is known. `None`: it is damaged, or another key made it.
pub(in crate::sqlite) fn stored<'a>(
    fingerprinter: &Fingerprinter,
    extent: Extent,
    sealed: &'a [u8],
) -> Option<impl Iterator<Item = (Fingerprint, bool)> + use<'a>> {
    let (check, mut rest) = sealed.split_first_chunk::<HASH_BYTES>()?;
    if *check != fingerprinter.check(extent, rest) {
        return None;
    }
    let new_bytes = usize::try_from(varint::take(&mut rest)?).ok()?.checked_mul(2 * HASH_BYTES)?;
    let (new, reused) = rest.split_at_checked(new_bytes)?;
    let new = new.as_chunks::<{ 2 * HASH_BYTES }>().0.iter().map(|both| {
        let (id, content) = both.split_at(HASH_BYTES);
        (Fingerprint { id: number(id), content: number(content) }, false)
    });
    let reused = reused.as_chunks::<HASH_BYTES>().0.iter();
    Some(new.chain(reused.map(|content| (Fingerprint { id: 0, content: number(content) }, true))))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXTENT: Extent = Extent { first: 7, events: 3, newest_ms: 1_000 };

    fn sealed() -> Vec<u8> {
        let mut fingerprints = Fingerprints::default();
        fingerprints.push(Fingerprint { id: 1, content: 2 }, FLAG_DEDUPLICATED);
        fingerprints.push(Fingerprint { id: 1, content: 3 }, FLAG_DEDUPLICATED | FLAG_ID_REUSED);
        fingerprints.push(Fingerprint { id: u64::MAX, content: 4 }, FLAG_DEDUPLICATED);
        let sealed = fingerprints.seal(&Fingerprinter::new([7; KEY_BYTES]), EXTENT);
        assert!(fingerprints.new.is_empty() && fingerprints.reused.is_empty());
        sealed
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let sealed = sealed();
        assert_eq!(sealed.len(), 8 + 1 + 2 * 16 + 8);
        let read: Vec<_> = stored(&Fingerprinter::new([7; KEY_BYTES]), EXTENT, &sealed).unwrap().collect();
        assert_eq!(
            read,
            [
                (Fingerprint { id: 1, content: 2 }, false),
                (Fingerprint { id: u64::MAX, content: 4 }, false),
                (Fingerprint { id: 0, content: 3 }, true),
            ]
        );
    }

    #[test]
    fn what_is_damaged_or_was_made_for_another_block_or_with_another_key_is_refused() {
        let sealed = sealed();
        let ours = Fingerprinter::new([7; KEY_BYTES]);
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert!(stored(&ours, EXTENT, &flipped).is_none(), "byte {at}");
            assert!(stored(&ours, EXTENT, &sealed[..at]).is_none(), "cut at {at}");
        }
        assert!(stored(&Fingerprinter::new([8; KEY_BYTES]), EXTENT, &sealed).is_none());
        for other in [
            Extent { first: 8, ..EXTENT },
            Extent { events: 4, ..EXTENT },
            Extent { newest_ms: 1_001, ..EXTENT },
        ] {
            assert!(stored(&ours, other, &sealed).is_none());
        }
    }

    #[test]
    fn fingerprints_keep_clients_ids_and_contents_apart() {
        let fingerprinter = Fingerprinter::new([7; KEY_BYTES]);
        let of = |client, kind: Kind, id, body| {
            let event = Placed {
                seq: 1,
                appended_ms: 1,
                flags: FLAG_DEDUPLICATED,
                client: ClientId(client),
                kind: kind.code(),
                id,
                body,
            };
            fingerprinter.of_placed(&event).unwrap()
        };
        let one = of(1, Kind::Scope, "a", "bc");
        assert_eq!(one, of(1, Kind::Scope, "a", "bc"));
        assert_ne!(one.id, of(2, Kind::Scope, "a", "bc").id);
        assert_ne!(one.content, of(1, Kind::Scope, "ab", "c").content);
        assert_ne!(one.content, of(1, Kind::System, "a", "bc").content);
        assert_eq!(one.id, of(1, Kind::System, "a", "x").id);
    }
}
