//! Stable names for a hit: its index, its document id, the hash of its stamps.

use super::murmur::murmur3_x86_32;
use crate::ClientId;
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
    let (year, month) = year_and_month(request_time);
    format!("hits_{env}_{client}_{year:04}{month:02}_v_1")
}

/// The civil date in the proleptic Gregorian calendar, counted in years that begin on March 1: so the leap day is the last
/// of its year, and a month's first day is a linear function of the month.
fn year_and_month(unix_s: i64) -> (i64, i64) {
    const DAY_S: i64 = 86_400;
    /// Days from 0000-03-01 to 1970-01-01.
    const EPOCH: i64 = 719_468;
    /// Days of 400 years, after which the calendar repeats.
    const ERA: i64 = 146_097;

    let day = unix_s.div_euclid(DAY_S) + EPOCH;
    let (era, day) = (day.div_euclid(ERA), day.rem_euclid(ERA));
    // Years within the era: without the leap days of 4 years (1,460 days on), of centuries (36,524), of the era (its last day).
    let year = (day - day / 1_460 + day / 36_524 - day / (ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Months of 31, 30, 31, 30, 31 days, twice from March on: 153 days for five of them.
    let from_march = (5 * day + 2) / 153;
    if from_march < 10 { (era * 400 + year, from_march + 3) } else { (era * 400 + year + 1, from_march - 9) }
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

    #[test]
    fn months_turn_at_midnight_utc() {
        for (unix_s, date) in [
            (0, (1970, 1)),
            (-1, (1969, 12)),
            (951_782_399, (2000, 2)),
            (951_868_799, (2000, 2)),
            (951_868_800, (2000, 3)),
            (1_709_251_199, (2024, 2)),
            (1_709_251_200, (2024, 3)),
            (1_735_689_599, (2024, 12)),
            (1_735_689_600, (2025, 1)),
            (4_107_542_399, (2100, 2)),
            (4_107_542_400, (2100, 3)),
            (253_402_300_799, (9999, 12)),
        ] {
            assert_eq!(year_and_month(unix_s), date, "{unix_s}");
        }
    }

    #[test]
    fn every_day_of_eight_centuries_is_in_its_month() {
        let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let mut day = 0;
        for year in 1970..2770 {
            for (month, days) in [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].into_iter().enumerate() {
                let days = days + i64::from(month == 1 && leap(year));
                for _ in 0..days {
                    assert_eq!(year_and_month(day * 86_400), (year, month as i64 + 1));
                    day += 1;
                }
            }
        }
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
