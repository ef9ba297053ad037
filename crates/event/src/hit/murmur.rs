//! MurmurHash3, the 32-bit variant for x86 (Austin Appleby, public domain), over whole 32-bit words.

/// The hash with seed 0 over `words`, each taken as four little-endian bytes.
pub(super) fn murmur3_x86_32(words: impl ExactSizeIterator<Item = u32>) -> u32 {
    let bytes = (words.len() as u32).wrapping_mul(4);
    let mixed = words.fold(0_u32, |hash, word| {
        let word = word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
        (hash ^ word).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
    });
    let mut hash = mixed ^ bytes;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_published_test_vectors() {
        assert_eq!(murmur3_x86_32([].into_iter()), 0);
        assert_eq!(murmur3_x86_32([0].into_iter()), 0x2362_f9de);
        assert_eq!(murmur3_x86_32([0xffff_ffff].into_iter()), 0x7629_3b50);
        assert_eq!(murmur3_x86_32([0x8765_4321].into_iter()), 0xf55b_516b);
    }
}
