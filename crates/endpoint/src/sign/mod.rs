//! Signatures by the Standard Webhooks specification (<https://www.standardwebhooks.com>) over
//! `<webhook-id>.<webhook-timestamp>.<body>`, in base64. Both its schemes:
//!
//! - `v1`, HMAC-SHA256 with a secret (`whsec_...`) that sender and receiver hold;
//! - `v1a`, Ed25519 with a private key (`whsk_...`) that the sender alone holds; the receiver has the public one
//!   (`whpk_...`), with which nobody can sign.
//!
//! Which of the two a key is for, its prefix says. So a list of keys is all that a sender or receiver needs, and keys
//! of both kinds may stand in it.
//!
//! This module has no clock and no randomness: both come in as arguments.

mod keys;

pub use keys::{
    PRIVATE_KEY_PREFIX, PUBLIC_KEY_PREFIX, SECRET_BYTES, SECRET_PREFIX, SEED_BYTES, SecretError,
    check_secret, check_verifier, private_key, public_key, secret,
};

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, Mac as _};
use keys::{SigningKey, VerifyingKey};
use sha2::Sha256;

/// What a signature begins with.
mod scheme {
    pub(super) const SYMMETRIC: &str = "v1,";
    pub(super) const ASYMMETRIC: &str = "v1a,";
}

/// How far the timestamp of a message may be from the receiver's clock, in seconds, as the official libraries have it:
/// it bounds for how long a recorded request can be replayed.
pub const TOLERANCE_S: u64 = 5 * 60;

/// The most signatures of one header and scheme that are looked at, so that a forged header cannot cost much.
const SIGNATURES_MAX: usize = 16;

/// Standard base64; some tools drop the padding when they show a secret.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The value of the header `webhook-signature`: one signature for each secret (`whsec_...`) and private key (`whsk_...`),
/// in their order. With the old secret beside the new one a receiver accepts either while they are exchanged.
pub fn sign<S: AsRef<str>>(
    keys: &[S],
    id: &str,
    timestamp_s: u64,
    body: &[u8],
) -> Result<String, SecretError> {
    let timestamp = timestamp_s.to_string();
    let mut header = String::new();
    for key in keys {
        if !header.is_empty() {
            header.push(' ');
        }
        match SigningKey::parse(key.as_ref())? {
            SigningKey::Symmetric(key) => {
                header.push_str(scheme::SYMMETRIC);
                let signature = mac(&key, id, &timestamp, body)?.finalize().into_bytes();
                BASE64.encode_string(signature, &mut header);
            }
            SigningKey::Asymmetric(pair) => {
                header.push_str(scheme::ASYMMETRIC);
                let signature = pair.sign(&content(id, &timestamp, body).concat());
                BASE64.encode_string(signature, &mut header);
            }
        }
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

/// Checks a received message: one of its signatures must fit one of the secrets (`whsec_...`) or public keys
/// (`whpk_...`), and its timestamp lie within [`TOLERANCE_S`] of `now_s` (Unix seconds).
pub fn verify<S: AsRef<str>>(
    keys: &[S],
    signed: Signed<'_>,
    body: &[u8],
    now_s: u64,
) -> Result<(), VerifyError> {
    let timestamp_s = decimal(signed.timestamp).ok_or(VerifyError::Timestamp)?;
    if timestamp_s.abs_diff(now_s) > TOLERANCE_S {
        return Err(if timestamp_s < now_s { VerifyError::TooOld } else { VerifyError::TooNew });
    }
    for key in keys {
        let fits = match VerifyingKey::parse(key.as_ref())? {
            VerifyingKey::Symmetric(key) => {
                let expected = mac(&key, signed.id, signed.timestamp, body)?;
                // `verify_slice` compares in constant time.
                any_of(signed.signature, scheme::SYMMETRIC, |given| {
                    expected.clone().verify_slice(given).is_ok()
                })
            }
            VerifyingKey::Asymmetric(point) => {
                let message = content(signed.id, signed.timestamp, body).concat();
                let key = UnparsedPublicKey::new(&ED25519, point);
                any_of(signed.signature, scheme::ASYMMETRIC, |given| key.verify(&message, given).is_ok())
            }
        };
        if fits {
            return Ok(());
        }
    }
    Err(VerifyError::Wrong)
}

/// Whether one of the header's signatures of this scheme fits.
fn any_of(header: &str, scheme: &str, fits: impl Fn(&[u8]) -> bool) -> bool {
    let candidates = header.split(' ').filter_map(|one| one.strip_prefix(scheme));
    candidates.take(SIGNATURES_MAX).any(|candidate| BASE64.decode(candidate).is_ok_and(|given| fits(&given)))
}

/// Digits alone: `u64::from_str` would take a sign.
fn decimal(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// What is signed, in its parts.
fn content<'a>(id: &'a str, timestamp: &'a str, body: &'a [u8]) -> [&'a [u8]; 5] {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body]
}

fn mac(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> Result<Hmac<Sha256>, SecretError> {
    // HMAC takes keys of every length; the error cannot occur.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| SecretError::Length)?;
    for part in content(id, timestamp, body) {
        mac.update(part);
    }
    Ok(mac)
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

    /// RFC 8032, section 7.1, the first test's key.
    const PRIVATE_KEY: &str = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    const PUBLIC_KEY: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

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
    fn a_private_key_has_the_public_key_that_its_specification_gives() {
        assert_eq!(public_key(PRIVATE_KEY).unwrap(), PUBLIC_KEY);
        assert_eq!(public_key(PRIVATE_KEY.trim_end_matches('=')).unwrap(), PUBLIC_KEY);
        let (seed, point) =
            (&BASE64.decode(&PRIVATE_KEY[5..]).unwrap(), BASE64.decode(&PUBLIC_KEY[5..]).unwrap());
        let both = format!("whsk_{}", BASE64.encode([&seed[..], &point[..]].concat()));
        assert_eq!(public_key(&both).unwrap(), PUBLIC_KEY, "the form with both halves");
        assert_eq!(*private_key(seed.as_slice().try_into().unwrap()), PRIVATE_KEY);
        assert_eq!(public_key(SECRET), Err(SecretError::Symmetric));
    }

    #[test]
    fn whoever_has_the_public_key_verifies_but_cannot_sign() {
        let signature = sign(&[PRIVATE_KEY], ID, TIMESTAMP_S, BODY).unwrap();
        assert!(signature.starts_with("v1a,"), "{signature}");
        let timestamp = TIMESTAMP_S.to_string();
        let check =
            |key: &str, body: &[u8]| verify(&[key], signed(&timestamp, &signature), body, TIMESTAMP_S);
        assert_eq!(check(PUBLIC_KEY, BODY), Ok(()));
        assert_eq!(check(PUBLIC_KEY, b"{}"), Err(VerifyError::Wrong));
        assert_eq!(check(SECRET, BODY), Err(VerifyError::Wrong), "a secret is not for this scheme");
        assert_eq!(check(PRIVATE_KEY, BODY), Err(SecretError::Private.into()));
        assert_eq!(sign(&[PUBLIC_KEY], ID, TIMESTAMP_S, BODY), Err(SecretError::Public));
        let other = public_key(&private_key(&[3; SEED_BYTES])).unwrap();
        assert_eq!(check(&other, BODY), Err(VerifyError::Wrong));
    }

    #[test]
    fn both_schemes_stand_in_one_header_and_each_receiver_finds_its_own() {
        let both = sign(&[SECRET, PRIVATE_KEY], ID, TIMESTAMP_S, BODY).unwrap();
        let (first, second) = both.split_once(' ').unwrap();
        assert_eq!(first, SIGNATURE);
        assert!(second.starts_with("v1a,"), "{second}");
        let timestamp = TIMESTAMP_S.to_string();
        for one in [SECRET, PUBLIC_KEY] {
            assert_eq!(verify(&[one], signed(&timestamp, &both), BODY, TIMESTAMP_S), Ok(()));
        }
        let swapped = both.replace("v1a,", "v1,");
        assert_eq!(
            verify(&[PUBLIC_KEY], signed(&timestamp, &swapped), BODY, TIMESTAMP_S),
            Err(VerifyError::Wrong)
        );
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
            ("whsk_c2hvcnQ=", SecretError::PrivateKeyLength),
            ("whsk_%", SecretError::Base64),
            // The seed of one key with the public half of another.
            (
                "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2CdYbGd7/1aYLqESvSS7CzEREnFaXsyaRlwO6wDHK5/YA==",
                SecretError::KeyPair,
            ),
        ] {
            assert_eq!(check_secret(secret), Err(expected));
            assert_eq!(sign(&[secret], ID, 0, b""), Err(expected));
        }
    }

    #[test]
    fn what_cannot_verify_is_refused_in_words() {
        for (text, expected) in [
            (SECRET, Ok(())),
            (PUBLIC_KEY, Ok(())),
            (PRIVATE_KEY, Err(SecretError::Private)),
            ("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", Err(SecretError::VerifierPrefix)),
            ("whpk_c2hvcnQ=", Err(SecretError::PublicKeyLength)),
            ("whpk_%", Err(SecretError::Base64)),
        ] {
            assert_eq!(check_verifier(text), expected, "{text}");
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
            let key = private_key(&random);
            let signature = sign(&[&*secret, &*key], &id, now_s, &body).unwrap();
            let timestamp = now_s.to_string();
            let signed = Signed { id: &id, timestamp: &timestamp, signature: &signature };
            let public = public_key(&key).unwrap();
            let mut changed = body.clone();
            changed[at.index(body.len())] ^= 1;
            let later = (now_s + 1).to_string();
            let moved = Signed { timestamp: &later, ..signed };
            for verifier in [secret.as_str(), &public] {
                prop_assert_eq!(verify(&[verifier], signed, &body, now_s), Ok(()));
                prop_assert_eq!(verify(&[verifier], signed, &changed, now_s), Err(VerifyError::Wrong));
                prop_assert_eq!(verify(&[verifier], moved, &body, now_s), Err(VerifyError::Wrong));
            }
        }
    }
}
