//! How far a file was read, in a form that survives this process.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The version that is written.
const VERSION: u32 = 1;

/// How much of a file's start its fingerprint covers. In a record's first 256 bytes are client, time and unique id, so the
/// start tells two generations of a log apart.
pub(crate) const HEAD_BYTES: u64 = 256;

/// How much before the offset is fingerprinted.
pub(crate) const TAIL_BYTES: u64 = 64;

/// How far a file was read, and how to know that file again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    /// The version of this form.
    v: u32,
    /// The device and inode of the file; 0 before a file was seen. Only a hint: the fingerprints decide.
    pub(crate) dev: u64,
    /// See `dev`.
    pub(crate) ino: u64,
    /// Every byte before it is dealt with.
    pub(crate) offset: u64,
    /// Of the first [`HEAD_BYTES`] bytes, or of all before the offset if those are fewer.
    head: Fingerprint,
    /// Of the last [`TAIL_BYTES`] bytes before the offset, or of all before it.
    tail: Fingerprint,
    /// Where the line began that the offset lies within, because it is too long and its first part was passed over.
    pub(crate) skipping_from: Option<u64>,
}

/// Some bytes, known by their length and hash. The hash and not the bytes, because an attacker wrote them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Fingerprint {
    length: u64,
    sha256: String,
}

impl Fingerprint {
    fn of(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        // 128 bits are plenty for telling files apart.
        let (half, _) = digest.split_first_chunk().expect("a SHA-256 has 32 bytes");
        Fingerprint { length: bytes.len() as u64, sha256: format!("{:032x}", u128::from_be_bytes(*half)) }
    }

    fn matches(&self, bytes: &[u8]) -> bool {
        *self == Fingerprint::of(bytes)
    }
}

/// A checkpoint that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It is not what a follower writes.
    #[error(
        "the checkpoint of a followed file cannot be read: {0}; without it the file would be read from its start again"
    )]
    Unreadable(#[source] serde_json::Error),
    /// A newer hitwire wrote it.
    #[error(
        "the checkpoint of a followed file has version {found}, this hitwire knows version {VERSION}: use the newer one again"
    )]
    Newer {
        /// The version found.
        found: u32,
    },
}

impl Checkpoint {
    /// At the start of whatever file there will be.
    pub(crate) fn start() -> Self {
        Checkpoint::at((0, 0), 0, b"", b"", None)
    }

    /// At `offset` of the file with this device and inode, given the bytes that the fingerprints cover.
    pub(crate) fn at(
        (dev, ino): (u64, u64),
        offset: u64,
        head: &[u8],
        tail: &[u8],
        skipping_from: Option<u64>,
    ) -> Self {
        let (head, tail) = (Fingerprint::of(head), Fingerprint::of(tail));
        Checkpoint { v: VERSION, dev, ino, offset, head, tail, skipping_from }
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let Version { v } = serde_json::from_slice(bytes).map_err(CheckpointError::Unreadable)?;
        if v > VERSION {
            return Err(CheckpointError::Newer { found: v });
        }
        serde_json::from_slice(bytes).map_err(CheckpointError::Unreadable)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a struct of numbers and strings is always JSON")
    }

    /// Where to begin reading so that what is read can be known as the continuation: before the fingerprinted tail, or at
    /// the start of the file while the head is still growing.
    pub(crate) fn context_from(&self) -> u64 {
        if self.offset < HEAD_BYTES { 0 } else { self.offset - TAIL_BYTES }
    }

    /// Bytes at the start of the file that `head` covers.
    pub(crate) fn head_bytes(&self) -> u64 {
        self.offset.min(HEAD_BYTES)
    }

    /// Whether the file begins with these bytes, [`head_bytes`](Self::head_bytes) of them.
    pub(crate) fn begins_with(&self, head: &[u8]) -> bool {
        self.head.matches(head)
    }

    /// Whether these bytes, which begin at [`context_from`](Self::context_from), lead up to the offset.
    pub(crate) fn continues(&self, bytes: &[u8]) -> bool {
        let context = (self.offset - self.context_from()) as usize;
        bytes.get(..context).is_some_and(|context| self.tail.matches(last(context, TAIL_BYTES)))
    }

    /// The checkpoint after `bytes` have been read, which begin at [`context_from`](Self::context_from) and reach at least to
    /// `offset`.
    pub(crate) fn advanced(
        &self,
        (dev, ino): (u64, u64),
        bytes: &[u8],
        offset: u64,
        skipping_from: Option<u64>,
    ) -> Self {
        let from = self.context_from();
        let read = &bytes[..(offset - from) as usize];
        let head = if from == 0 { Fingerprint::of(first(read, HEAD_BYTES)) } else { self.head.clone() };
        Checkpoint {
            v: VERSION,
            dev,
            ino,
            offset,
            head,
            tail: Fingerprint::of(last(read, TAIL_BYTES)),
            skipping_from,
        }
    }
}

fn first(bytes: &[u8], bytes_max: u64) -> &[u8] {
    &bytes[..bytes.len().min(bytes_max as usize)]
}

fn last(bytes: &[u8], bytes_max: u64) -> &[u8] {
    &bytes[bytes.len().saturating_sub(bytes_max as usize)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_survives_being_written_down() {
        let checkpoint = Checkpoint { offset: 7, skipping_from: Some(3), ..Checkpoint::start() };
        assert_eq!(Checkpoint::from_bytes(&checkpoint.to_bytes()).unwrap(), checkpoint);
    }

    #[test]
    fn a_checkpoint_of_a_newer_version_is_refused_by_name() {
        let error = Checkpoint::from_bytes(br#"{"v":2,"somewhere":1}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the checkpoint of a followed file has version 2, this hitwire knows version 1: use the newer one again"
        );
    }

    #[test]
    fn what_is_no_checkpoint_is_refused() {
        for bytes in [&b""[..], b"12", b"{\"v\":1}", b"\xff"] {
            assert!(matches!(Checkpoint::from_bytes(bytes), Err(CheckpointError::Unreadable(_))));
        }
    }
}
