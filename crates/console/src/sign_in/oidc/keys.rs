//! The keys that a provider signs with (JWK sets, RFC 7517), and what they verify.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// The most keys of a set that are looked at.
const KEYS_MAX: usize = 64;

/// Bytes of a coordinate of the curve P-256.
const P256_BYTES: usize = 32;

/// The ways to sign that are accepted: the one that every provider must know, and the one on elliptic curves. Never `none`, and
/// never one with a common secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Es256,
}

impl Algorithm {
    pub(super) fn named(name: &str) -> Option<Algorithm> {
        match name {
            "RS256" => Some(Algorithm::Rs256),
            "ES256" => Some(Algorithm::Es256),
            _ => None,
        }
    }
}

/// A key, of the kinds that are understood.
#[derive(Clone, Debug)]
struct Key {
    id: Option<String>,
    material: Material,
}

#[derive(Clone, Debug)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point (SEC 1).
    P256(Vec<u8>),
}

/// The keys of a provider.
#[derive(Clone, Debug)]
pub(super) struct Keys(Vec<Key>);

/// What a signature is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    Good,
    Bad,
    /// No key has this id: the provider may have new ones.
    UnknownKey,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    r#use: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// Reads a set; keys of other kinds, and for other uses, are passed over.
    pub(super) fn parse(json: &[u8]) -> Option<Keys> {
        let set: Set = serde_json::from_slice(json).ok()?;
        let keys = set.keys.into_iter().take(KEYS_MAX);
        Some(Keys(keys.filter_map(|key| serde_json::from_value(key).ok().and_then(Key::of)).collect()))
    }

    /// Whether the key with this id signed the message. Without an id any key may have.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Signature {
        let mut tried = false;
        for key in self.0.iter().filter(|key| id.is_none() || key.id.as_deref() == id) {
            let Some(good) = key.verify(algorithm, message, signature) else { continue };
            tried = true;
            if good {
                return Signature::Good;
            }
        }
        if tried { Signature::Bad } else { Signature::UnknownKey }
    }
}

impl Key {
    fn of(jwk: Jwk) -> Option<Key> {
        if jwk.r#use.is_some_and(|used| used != "sig") {
            return None;
        }
        let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        let material = match jwk.kty.as_str() {
            "RSA" => {
                let without_zeros =
                    |bytes: Vec<u8>| bytes.into_iter().skip_while(|byte| *byte == 0).collect();
                Material::Rsa { n: without_zeros(bytes(jwk.n)?), e: without_zeros(bytes(jwk.e)?) }
            }
            "EC" if jwk.crv.as_deref() == Some("P-256") => {
                let (x, y) = (bytes(jwk.x)?, bytes(jwk.y)?);
                if x.len() != P256_BYTES || y.len() != P256_BYTES {
                    return None;
                }
                Material::P256([&[4], x.as_slice(), &y].concat())
            }
            _ => return None,
        };
        Some(Key { id: jwk.kid, material })
    }

    /// None: the key is of another kind.
    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Option<bool> {
        match (&self.material, algorithm) {
            (Material::Rsa { n, e }, Algorithm::Rs256) => {
                let key = RsaPublicKeyComponents { n, e };
                Some(key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok())
            }
            (Material::P256(point), Algorithm::Es256) => {
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
                Some(key.verify(message, signature).is_ok())
            }
            _ => None,
        }
    }
}
