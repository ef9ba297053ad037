//! The keys that a provider signs with (JWK sets, RFC 7517), and what they verify.

use super::token::Untrue;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, Validation};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The most keys of a set that are looked at.
const KEYS_MAX: usize = 64;

/// The ways to sign that are accepted: the one that every provider must know, and the one on elliptic curves. Never `none`, and
/// never one with a common secret.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::RS256, Algorithm::ES256];

/// The keys of a provider, of the kinds that are understood.
#[derive(Clone, Debug)]
pub(super) struct Keys(Vec<Key>);

#[derive(Clone, Debug)]
struct Key {
    id: Option<String>,
    key: DecodingKey,
}

/// Keys are read one by one, so that one of an unknown kind does not cost the others.
#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl Keys {
    /// Reads a set; keys of other kinds, and for other uses, are passed over.
    pub(super) fn parse(json: &[u8]) -> Option<Keys> {
        let set: Set = serde_json::from_slice(json).ok()?;
        let keys = set.keys.into_iter().take(KEYS_MAX);
        Some(Keys(keys.filter_map(|key| serde_json::from_value(key).ok().and_then(Key::of)).collect()))
    }

    /// The claims of a token, if the key that it names signed it. A token that names no key may be signed with any.
    /// What the claims say is not looked at.
    pub(super) fn decode<C: DeserializeOwned>(&self, token: &str) -> Result<C, Untrue> {
        let header = jsonwebtoken::decode_header(token).map_err(|error| match error.kind() {
            // The algorithm is all that a header must have, and it must be one that the library knows.
            ErrorKind::Json(error) if error.is_data() => Untrue::Algorithm,
            _ => Untrue::Malformed,
        })?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(Untrue::Algorithm);
        }
        let validation = signature_alone(header.alg);
        let mut untrue = Untrue::UnknownKey;
        for Key { key, .. } in self.0.iter().filter(|key| header.kid.is_none() || key.id == header.kid) {
            if key.family() != header.alg.family() {
                continue;
            }
            match jsonwebtoken::decode(token, key, &validation) {
                Ok(token) => return Ok(token.claims),
                Err(error) if *error.kind() == ErrorKind::InvalidSignature => untrue = Untrue::Signature,
                Err(_) => return Err(Untrue::Malformed),
            }
        }
        Err(untrue)
    }
}

/// The library would ask the system's clock, and take an issuer or audience that is missing for right: claims are checked
/// by `token`.
fn signature_alone(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}

impl Key {
    fn of(jwk: Jwk) -> Option<Key> {
        if jwk.common.public_key_use.as_ref().is_some_and(|used| *used != PublicKeyUse::Signature) {
            return None;
        }
        match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => {}
            AlgorithmParameters::EllipticCurve(params) if params.curve == EllipticCurve::P256 => {}
            _ => return None,
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        let key = match key.kind() {
            // Some providers write a zero in front, which the cryptography refuses.
            DecodingKeyKind::RsaModulusExponent { n, e } => {
                DecodingKey::from_rsa_raw_components(without_zeros(n), without_zeros(e))
            }
            DecodingKeyKind::SecretOrDer(_) => key,
        };
        Some(Key { id: jwk.common.key_id, key })
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}
