//! Signatures by the Standard Webhooks specification (<https://www.standardwebhooks.com>), symmetric scheme `v1`:
//! HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`, in base64.
//!
//! This module has no clock and no randomness: both come in as arguments.

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What every secret begins with.
pub const SECRET_PREFIX: &str = "whsec_";

/// The bytes of a secret that hitwire makes; the specification allows 24 to 64.
pub const SECRET_BYTES: usize = 32;

/// The fewest and the most bytes that the specification allows in a secret.
const SECRET_BYTES_ALLOWED: std::ops::RangeInclusive<usize> = 24..=64;

/// The scheme that each signature begins with.
const SCHEME: &str = "v1,";

/// How far the timestamp of a message may be from the receiver's clock, in seconds, as the official libraries have it:
/// it bounds for how long a recorded request can be replayed.
pub const TOLERANCE_S: u64 = 5 * 60;

/// The most signatures of one header that are looked at, so that a forged header cannot cost much.
const SIGNATURES_MAX: usize = 16;

/// Standard base64; some tools drop the padding when they show a secret.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Makes a secret of random bytes: `whsec_` and their base64.
pub fn secret(random: &[u8; SECRET_BYTES]) -> Zeroizing<String> {
    let mut secret =
        Zeroizing::new(String::with_capacity(SECRET_PREFIX.len() + SECRET_BYTES.div_ceil(3) * 4));
    secret.push_str(SECRET_PREFIX);
    BASE64.encode_string(random, &mut secret);
    secret
}

/// Whether this is a secret that can sign.
pub fn check_secret(secret: &str) -> Result<(), SecretError> {
    key(secret).map(drop)
}

/// The value of the header `webhook-signature`: one signature for each secret, so that a receiver accepts the old and the
/// new one while a secret is rotated.
pub fn sign<S: AsRef<str>>(
    secrets: &[S],
    id: &str,
    timestamp_s: u64,
    body: &[u8],
) -> Result<String, SecretError> {
    let timestamp = timestamp_s.to_string();
    let mut header = String::new();
    for secret in secrets {
        let signature = mac(secret.as_ref(), id, &timestamp, body)?.finalize().into_bytes();
        if !header.is_empty() {
            header.push(' ');
        }
        header.push_str(SCHEME);
        BASE64.encode_string(signature, &mut header);
    }
    Ok(header)
}

/// The three headers of a message as a receiver has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed<'a> {
    /// `webhook-id`
    pub id: &'a str,
    /// `webhook-timestamp`
    pub timestamp: &'a str,
    /// `webhook-signature`
    pub signature: &'a str,
}

/// Checks a received message: one of its signatures must come from one of the secrets, and its timestamp lie within
/// [`TOLERANCE_S`] of `now_s` (Unix seconds).
pub fn verify<S: AsRef<str>>(
    secrets: &[S],
    signed: Signed<'_>,
    body: &[u8],
    now_s: u64,
) -> Result<(), VerifyError> {
    let timestamp_s = decimal(signed.timestamp).ok_or(VerifyError::Timestamp)?;
    if timestamp_s.abs_diff(now_s) > TOLERANCE_S {
        return Err(if timestamp_s < now_s { VerifyError::TooOld } else { VerifyError::TooNew });
    }
    for secret in secrets {
        let expected = mac(secret.as_ref(), signed.id, signed.timestamp, body)?;
        let candidates = signed.signature.split(' ').filter_map(|one| one.strip_prefix(SCHEME));
        for candidate in candidates.take(SIGNATURES_MAX) {
            // `verify_slice` compares in constant time.
            if BASE64.decode(candidate).is_ok_and(|given| expected.clone().verify_slice(&given).is_ok()) {
                return Ok(());
            }
        }
    }
    Err(VerifyError::Wrong)
}

/// Digits alone: `u64::from_str` would take a sign.
fn decimal(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn mac(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> Result<Hmac<Sha256>, SecretError> {
    let key = key(secret)?;
    // HMAC takes keys of every length; the error cannot occur.
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| SecretError::Length)?;
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    Ok(mac)
}

fn key(secret: &str) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let text = secret.strip_prefix(SECRET_PREFIX).ok_or(SecretError::Prefix)?;
    let key = Zeroizing::new(BASE64.decode(text).map_err(|_| SecretError::Base64)?);
    if !SECRET_BYTES_ALLOWED.contains(&key.len()) {
        return Err(SecretError::Length);
    }
    Ok(key)
}

/// Why a secret cannot sign. Never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// No `whsec_`.
    #[error("a signing secret begins with {SECRET_PREFIX}")]
    Prefix,
    /// Not base64.
    #[error("a signing secret is base64 after {SECRET_PREFIX}")]
    Base64,
    /// Too short or too long.
    #[error("a signing secret holds 24 to 64 bytes")]
    Length,
}

/// Why a received message is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// One of our own secrets is wrong.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// `webhook-timestamp` is no number.
    #[error("webhook-timestamp is not a number of seconds")]
    Timestamp,
    /// Sent too long ago.
    #[error("webhook-timestamp is more than {TOLERANCE_S} s old: a replay, or a clock is wrong")]
    TooOld,
    /// Sent in the future.
    #[error("webhook-timestamp is more than {TOLERANCE_S} s ahead: a clock is wrong")]
    TooNew,
    /// No signature matches.
    #[error("no signature matches: another secret, or the message was changed on its way")]
    Wrong,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of the specification's reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIMESTAMP_S: u64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn signed<'a>(timestamp: &'a str, signature: &'a str) -> Signed<'a> {
        Signed { id: ID, timestamp, signature }
    }

    fn check(signature: &str, now_s: u64) -> Result<(), VerifyError> {
        verify(&[SECRET], signed(&TIMESTAMP_S.to_string(), signature), BODY, now_s)
    }

    #[test]
    fn the_published_example_has_the_published_signature() {
        assert_eq!(sign(&[SECRET], ID, TIMESTAMP_S, BODY).unwrap(), SIGNATURE);
        assert_eq!(check(SIGNATURE, TIMESTAMP_S), Ok(()));
    }

    #[test]
    fn a_made_secret_is_prefixed_base64_and_can_sign() {
        let secret = secret(&[7; SECRET_BYTES]);
        assert_eq!(*secret, "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
        assert_eq!(check_secret(&secret), Ok(()));
        assert_eq!(check_secret(secret.trim_end_matches('=')), Ok(()));
    }

    #[test]
    fn each_secret_signs_and_either_is_accepted_while_one_is_rotated() {
        let new = secret(&[9; SECRET_BYTES]);
        let both = sign(&[SECRET, &new], ID, TIMESTAMP_S, BODY).unwrap();
        assert_eq!(both.split(' ').count(), 2);
        assert!(both.starts_with(SIGNATURE));
        let timestamp = TIMESTAMP_S.to_string();
        for one in [SECRET, &new] {
            assert_eq!(verify(&[one], signed(&timestamp, &both), BODY, TIMESTAMP_S), Ok(()));
        }
        let third = secret(&[1; SECRET_BYTES]);
        assert_eq!(verify(&[third], signed(&timestamp, &both), BODY, TIMESTAMP_S), Err(VerifyError::Wrong));
    }

    #[test]
    fn without_secrets_there_is_no_signature_and_nothing_verifies() {
        let none: [&str; 0] = [];
        assert_eq!(sign(&none, ID, TIMESTAMP_S, BODY).unwrap(), "");
        let timestamp = TIMESTAMP_S.to_string();
        assert_eq!(verify(&none, signed(&timestamp, SIGNATURE), BODY, TIMESTAMP_S), Err(VerifyError::Wrong));
    }

    #[test]
    fn a_message_is_accepted_for_five_minutes_either_way() {
        for (now_s, expected) in [
            (TIMESTAMP_S + TOLERANCE_S, Ok(())),
            (TIMESTAMP_S - TOLERANCE_S, Ok(())),
            (TIMESTAMP_S + TOLERANCE_S + 1, Err(VerifyError::TooOld)),
            (TIMESTAMP_S - TOLERANCE_S - 1, Err(VerifyError::TooNew)),
        ] {
            assert_eq!(check(SIGNATURE, now_s), expected, "at {now_s}");
        }
    }

    #[test]
    fn what_is_no_signature_is_wrong_and_what_is_no_timestamp_is_said() {
        for signature in ["", "v1", "v1,", "v1,%%%", "v2,AAAA", "v1a,AAAA", &SIGNATURE[3..], "v1,AAAA"] {
            assert_eq!(check(signature, TIMESTAMP_S), Err(VerifyError::Wrong), "{signature:?}");
        }
        for timestamp in ["", "+1614265330", "1614265330.0", "now", "99999999999999999999"] {
            let result = verify(&[SECRET], signed(timestamp, SIGNATURE), BODY, TIMESTAMP_S);
            assert_eq!(result, Err(VerifyError::Timestamp), "{timestamp:?}");
        }
    }

    #[test]
    fn a_secret_that_cannot_sign_is_refused_in_words_that_do_not_quote_it() {
        for (secret, expected) in [
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", SecretError::Prefix),
            ("whsec_!!!", SecretError::Base64),
            ("whsec_", SecretError::Length),
            ("whsec_c2hvcnQ=", SecretError::Length),
        ] {
            assert_eq!(check_secret(secret), Err(expected));
            assert_eq!(sign(&[secret], ID, 0, b""), Err(expected));
        }
    }

    proptest! {
        #[test]
        fn what_was_signed_verifies_and_what_was_changed_does_not(
            random in any::<[u8; SECRET_BYTES]>(),
            id in "[a-z0-9_]{1,40}",
            now_s in 1_000_000_000u64..4_000_000_000,
            body in proptest::collection::vec(any::<u8>(), 1..200),
            at in any::<prop::sample::Index>(),
        ) {
            let secret = secret(&random);
            let signature = sign(&[&*secret], &id, now_s, &body).unwrap();
            let timestamp = now_s.to_string();
            let signed = Signed { id: &id, timestamp: &timestamp, signature: &signature };
            prop_assert_eq!(verify(&[&*secret], signed, &body, now_s), Ok(()));
            let mut changed = body.clone();
            changed[at.index(body.len())] ^= 1;
            prop_assert_eq!(verify(&[&*secret], signed, &changed, now_s), Err(VerifyError::Wrong));
            let later = (now_s + 1).to_string();
            let moved = Signed { timestamp: &later, ..signed };
            prop_assert_eq!(verify(&[&*secret], moved, &body, now_s), Err(VerifyError::Wrong));
        }
    }
}
