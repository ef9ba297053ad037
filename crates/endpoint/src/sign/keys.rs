//! What signs and what verifies: the text forms of the specification, parsed.

use super::BASE64;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use zeroize::Zeroizing;

/// What every secret begins with that both sides hold.
pub const SECRET_PREFIX: &str = "whsec_";

/// What every private key begins with.
pub const PRIVATE_KEY_PREFIX: &str = "whsk_";

/// What every public key begins with.
pub const PUBLIC_KEY_PREFIX: &str = "whpk_";

/// The bytes of a secret that hitwire makes; the specification allows 24 to 64.
pub const SECRET_BYTES: usize = 32;

/// The bytes from which an Ed25519 key is made (RFC 8032, 5.1.5).
pub const SEED_BYTES: usize = 32;

/// The fewest and the most bytes that the specification allows in a secret.
const SECRET_BYTES_ALLOWED: std::ops::RangeInclusive<usize> = 24..=64;

/// A key that signs.
pub(super) enum SigningKey {
    /// HMAC-SHA256.
    Symmetric(Zeroizing<Vec<u8>>),
    /// Ed25519.
    Asymmetric(Box<Ed25519KeyPair>),
}

/// A key that verifies.
pub(super) enum VerifyingKey {
    /// HMAC-SHA256.
    Symmetric(Zeroizing<Vec<u8>>),
    /// Ed25519: a point, 32 bytes.
    Asymmetric(Vec<u8>),
}

impl SigningKey {
    pub(super) fn parse(text: &str) -> Result<SigningKey, SecretError> {
        if let Some(text) = text.strip_prefix(SECRET_PREFIX) {
            return symmetric(text).map(SigningKey::Symmetric);
        }
        match text.strip_prefix(PRIVATE_KEY_PREFIX) {
            Some(text) => key_pair(text).map(|pair| SigningKey::Asymmetric(Box::new(pair))),
            None if text.starts_with(PUBLIC_KEY_PREFIX) => Err(SecretError::Public),
            None => Err(SecretError::Prefix),
        }
    }
}

impl VerifyingKey {
    pub(super) fn parse(text: &str) -> Result<VerifyingKey, SecretError> {
        if let Some(text) = text.strip_prefix(SECRET_PREFIX) {
            return symmetric(text).map(VerifyingKey::Symmetric);
        }
        match text.strip_prefix(PUBLIC_KEY_PREFIX) {
            Some(text) => match decode(text)?.to_vec() {
                point if point.len() == 32 => Ok(VerifyingKey::Asymmetric(point)),
                _ => Err(SecretError::PublicKeyLength),
            },
            None if text.starts_with(PRIVATE_KEY_PREFIX) => Err(SecretError::Private),
            None => Err(SecretError::VerifierPrefix),
        }
    }
}

/// Makes a secret of random bytes: `whsec_` and their base64.
pub fn secret(random: &[u8; SECRET_BYTES]) -> Zeroizing<String> {
    prefixed(SECRET_PREFIX, random)
}

/// Makes a private key of random bytes: `whsk_` and their base64.
pub fn private_key(seed: &[u8; SEED_BYTES]) -> Zeroizing<String> {
    prefixed(PRIVATE_KEY_PREFIX, seed)
}

/// The public key (`whpk_...`) of a private key (`whsk_...`): what receivers verify with. It is no secret.
pub fn public_key(private_key: &str) -> Result<String, SecretError> {
    match SigningKey::parse(private_key)? {
        SigningKey::Symmetric(_) => Err(SecretError::Symmetric),
        SigningKey::Asymmetric(pair) => {
            Ok(format!("{PUBLIC_KEY_PREFIX}{}", BASE64.encode(pair.public_key().as_ref())))
        }
    }
}

/// Whether this can sign: a secret (`whsec_...`) or a private key (`whsk_...`).
pub fn check_secret(text: &str) -> Result<(), SecretError> {
    SigningKey::parse(text).map(drop)
}

/// Whether this can verify: a secret (`whsec_...`) or a public key (`whpk_...`).
pub fn check_verifier(text: &str) -> Result<(), SecretError> {
    VerifyingKey::parse(text).map(drop)
}

fn prefixed(prefix: &str, bytes: &[u8; 32]) -> Zeroizing<String> {
    // Made in one piece: growing would leave parts of it behind in memory.
    let mut text = Zeroizing::new(String::with_capacity(prefix.len() + bytes.len().div_ceil(3) * 4));
    text.push_str(prefix);
    BASE64.encode_string(bytes, &mut text);
    text
}

fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    BASE64.decode(text).map(Zeroizing::new).map_err(|_| SecretError::Base64)
}

fn symmetric(text: &str) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let key = decode(text)?;
    if SECRET_BYTES_ALLOWED.contains(&key.len()) { Ok(key) } else { Err(SecretError::Length) }
}

/// The specification leaves open which form of a private key is meant. Both that are in use are read: the seed alone, and
/// the seed with the public key after it, which must then belong to it.
fn key_pair(text: &str) -> Result<Ed25519KeyPair, SecretError> {
    let bytes = decode(text)?;
    match bytes.split_at_checked(SEED_BYTES) {
        Some((seed, [])) => Ed25519KeyPair::from_seed_unchecked(seed),
        Some((seed, public)) if public.len() == 32 => Ed25519KeyPair::from_seed_and_public_key(seed, public),
        _ => return Err(SecretError::PrivateKeyLength),
    }
    .map_err(|_| SecretError::KeyPair)
}

/// Why something cannot sign or verify. Never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Neither `whsec_` nor `whsk_`.
    #[error(
        "a signing secret begins with {SECRET_PREFIX}, a private key that signs with {PRIVATE_KEY_PREFIX}"
    )]
    Prefix,
    /// Neither `whsec_` nor `whpk_`.
    #[error("a signing secret begins with {SECRET_PREFIX}, a public key with {PUBLIC_KEY_PREFIX}")]
    VerifierPrefix,
    /// A public key where something must sign.
    #[error("a public key ({PUBLIC_KEY_PREFIX}) cannot sign")]
    Public,
    /// A private key where only the public one belongs.
    #[error(
        "this is a private key ({PRIVATE_KEY_PREFIX}); whoever verifies needs the public one ({PUBLIC_KEY_PREFIX})"
    )]
    Private,
    /// A secret where a private key is meant.
    #[error("a secret ({SECRET_PREFIX}) has no public key")]
    Symmetric,
    /// Not base64.
    #[error("a signing secret or key is base64 after its prefix")]
    Base64,
    /// Too short or too long.
    #[error("a signing secret holds 24 to 64 bytes")]
    Length,
    /// Neither a seed nor a seed with its public key.
    #[error("a private key that signs holds 32 bytes (the seed), or 64 (seed and public key)")]
    PrivateKeyLength,
    /// Not a point.
    #[error("a public key holds 32 bytes")]
    PublicKeyLength,
    /// The public half is of another key.
    #[error("the two halves of the private key do not belong together")]
    KeyPair,
}
