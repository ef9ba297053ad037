//! Tokens: made of the system's randomness.

/// Characters of a token that hitwire makes: the form that the original's clients check (contract.md section 1). 381 bits.
pub const CHARS: usize = 64;

/// Letters and digits alone: every client of the original, old or new, takes them, and so do shells and URLs.
pub const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Random bytes below this number stand for a character; the others are drawn again, so that no character is more likely.
const UNBIASED: usize = 256 - 256 % ALPHABET.len();

/// A token that nobody has.
///
/// # Errors
///
/// When the system gives no random bytes.
pub fn random_token() -> Result<String, getrandom::Error> {
    let mut token = String::with_capacity(CHARS);
    while token.len() < CHARS {
        let mut random = [0_u8; CHARS];
        getrandom::fill(&mut random)?;
        let usable = random.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < UNBIASED);
        token
            .extend(usable.take(CHARS - token.len()).map(|byte| char::from(ALPHABET[byte % ALPHABET.len()])));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_64_letters_and_digits_and_each_of_them_occurs() {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let token = random_token().expect("randomness");
            assert_eq!(token.len(), CHARS);
            assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{token}");
            seen.extend(token.bytes());
        }
        assert_eq!(seen.len(), ALPHABET.len());
    }
}
