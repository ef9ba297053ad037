//! Numbers in as few bytes as they need: seven bits a byte, the lowest first, the highest bit says that more follow
//! (LEB128).

/// A 64-bit number takes ten bytes at most.
const BYTES_MAX: u32 = 10;

/// Appends a number.
pub(in crate::sqlite) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Takes a number from the front; none if there is none, or it is larger than 64 bits.
pub(in crate::sqlite) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for place in 0..BYTES_MAX {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if place == BYTES_MAX - 1 && bits > 1 {
            return None;
        }
        value |= bits << (7 * place);
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Small numbers of either sign become small numbers.
pub(super) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The reverse of [`zigzag`].
pub(super) const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
