//! Tokens: made of the system's randomness.

/// Characters of a token that hitwire makes: the form that the original's Terraform provider checks (contract.md
/// section 1). 384 bits.
pub(crate) const CHARS: usize = 64;

pub(crate) const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A token that nobody has.
pub(crate) fn random_token() -> Result<String, getrandom::Error> {
    let mut random = [0_u8; CHARS];
    getrandom::fill(&mut random)?;
    Ok(random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 64)])).collect())
}
