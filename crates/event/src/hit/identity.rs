//! Stable names for a hit: its index, its document id, the hash of its stamps.

use super::murmur::murmur3_x86_32;
use crate::ClientId;
use crate::time::{Date, date};
use sha2::{Digest, Sha256};

/// The environment in a hit's index where nothing else is known: as in the public examples.
pub const DEFAULT_ENV: &str = "production";

/// The characters of a document id: those of base62, digits first.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The length of a document id: 62^20 is a little over 2^119, so that ids do not meet by chance.
pub const DOCUMENT_ID_LEN: usize = 20;

/// `stamps_hash` and `regex_hash` of an empty list.
pub const HASH_OF_NONE: i32 = i32::MIN;

/// The hash of the ids of detections: MurmurHash3 x86-32 with seed 0 over them, ascending, as little-endian 32-bit words,
/// minus 2^31. That is computed from the public examples, which it all matches; the order of several is not public, so a
/// fixed one is taken: the same set gives the same hash.
pub fn stamps_hash(stamps: &[u32]) -> i32 {
    let hash = if stamps.is_sorted() {
        murmur3_x86_32(stamps.iter().copied())
    } else {
        let mut ascending = stamps.to_vec();
        ascending.sort_unstable();
        murmur3_x86_32(ascending.into_iter())
    };
    // Minus 2^31 in 32 bits is the turn of the highest bit.
    (hash ^ 0x8000_0000).cast_signed()
}

/// Twenty characters of `[0-9A-Za-z]` that stand for `parts`, always the same ones: the first base62 digits of the SHA-256
/// over the parts, each with its length before it (so that `["ab","c"]` and `["a","bc"]` differ).
pub fn document_id(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    base62(&hasher.finalize().into())
}

/// The first digits of a fraction in base 62: the digest read as a number between 0 and 1, its highest byte first, is
/// multiplied by 62 again and again, and what comes out before the point is the next digit.
fn base62(digest: &[u8; 32]) -> String {
    let mut fraction = digest.map(u32::from);
    let mut digits = String::with_capacity(DOCUMENT_ID_LEN);
    for _ in 0..DOCUMENT_ID_LEN {
        let mut carry = 0;
        for byte in fraction.iter_mut().rev() {
            let product = *byte * 62 + carry;
            *byte = product & 0xff;
            carry = product >> 8;
        }
        digits.push(char::from(BASE62[carry as usize]));
    }
    digits
}

/// The first half of a hit's id: `hits_<env>_<clientid>_<yyyymm>_v_1`, year and month of `request_time` (Unix seconds) in UTC.
pub fn index(client: ClientId, env: &str, request_time: i64) -> String {
    let Date { year, month, .. } = date(request_time);
    format!("hits_{env}_{client}_{year:04}{month:02}_v_1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_hash_of_stamps_matches_every_public_pair() {
        assert_eq!(stamps_hash(&[1173]), -1_888_294_073);
        assert_eq!(stamps_hash(&[7965]), 271_168_947);
        assert_eq!(stamps_hash(&[2907]), -1_063_984_326);
        assert_eq!(stamps_hash(&[]), HASH_OF_NONE);
    }

    #[test]
    fn the_order_of_stamps_does_not_matter() {
        assert_eq!(stamps_hash(&[942_100, 941_100]), stamps_hash(&[941_100, 942_100]));
        assert_ne!(stamps_hash(&[942_100, 941_100]), stamps_hash(&[942_100]));
    }

    #[test]
    fn a_document_id_never_changes() {
        // Pinned: receivers and logs hold ids that were made before.
        assert_eq!(document_id(&[b"server", b"unique", b"sqli", b"0"]), "R2VWafQlArnIHc41k56q");
        assert_eq!(document_id(&[]), "t8ujaE0LubsxyK7LM5QG");
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(document_id(&[b"ab", b"c"]), document_id(&[b"a", b"bc"]));
        assert_ne!(document_id(&[b"a"]), document_id(&[b"a", b""]));
    }

    #[test]
    fn digits_are_those_of_the_fraction() {
        let mut half = [0; 32];
        half[0] = 0x80;
        assert_eq!(base62(&half), format!("V{}", "0".repeat(19)));
        assert_eq!(base62(&[0xff; 32]), "z".repeat(20));
    }

    #[test]
    fn the_index_names_environment_client_and_month() {
        assert_eq!(index(ClientId(6396), "production", 1_591_261_367), "hits_production_6396_202006_v_1");
    }

    proptest! {
        #[test]
        fn a_document_id_is_twenty_letters_and_digits(parts in prop::collection::vec(any::<Vec<u8>>(), 0..4)) {
            let id = document_id(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
            prop_assert_eq!(id.len(), DOCUMENT_ID_LEN);
            prop_assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
    }
}
