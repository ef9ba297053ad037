//! Public keys: what kind they are, whether two are the same, and whether a signature is theirs.

use super::der::{self, BIT_STRING, INTEGER, OBJECT_IDENTIFIER, Reader, SEQUENCE};
use aws_lc_rs::signature::{
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    UnparsedPublicKey,
};
use rustls::SignatureScheme;
use rustls_pki_types::{AlgorithmIdentifier, SignatureVerificationAlgorithm, alg_id};
use std::fmt;

/// The sizes of RSA keys that are safe, and that signatures are verified with. Shorter ones count with a pin alone.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The shortest RSA key that the cryptography library takes at all.
const RSA_BITS_MIN: usize = 1024;

/// The schemes of TLS 1.2 by which short RSA keys can be verified.
pub(super) const SHORT_RSA_SCHEMES: [SignatureScheme; 2] =
    [SignatureScheme::RSA_PKCS1_SHA256, SignatureScheme::RSA_PKCS1_SHA512];

const RSA: &str = "1.2.840.113549.1.1.1";
const EC: &str = "1.2.840.10045.2.1";
const ED25519: &str = "1.3.101.112";

/// A `SubjectPublicKeyInfo`, borrowed from its DER.
#[derive(Clone, Copy, Debug)]
pub(super) struct PublicKey<'a> {
    /// The contents of the `AlgorithmIdentifier`.
    algorithm: &'a [u8],
    bits: &'a [u8],
}

/// What kind of key it is; displays as people call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    Rsa {
        bits: usize,
    },
    P256,
    P384,
    P521,
    Ed25519,
    /// By name, or by number.
    Other(String),
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyKind::Rsa { bits } => write!(f, "RSA, {bits} bits"),
            KeyKind::P256 => f.write_str("ECDSA, P-256"),
            KeyKind::P384 => f.write_str("ECDSA, P-384"),
            KeyKind::P521 => f.write_str("ECDSA, P-521"),
            KeyKind::Ed25519 => f.write_str("Ed25519"),
            KeyKind::Other(name) => f.write_str(name),
        }
    }
}

/// Why a signature does not count.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unproven {
    /// It is not by this key.
    Wrong,
    /// Signatures by keys of this kind cannot be verified.
    Kind,
}

impl<'a> PublicKey<'a> {
    /// Reads the contents of a `SubjectPublicKeyInfo`.
    pub(super) fn read(contents: &'a [u8]) -> Option<PublicKey<'a>> {
        let mut reader = Reader::new(contents);
        let algorithm = reader.expect(SEQUENCE)?.contents;
        let (_unused_bits, bits) = reader.expect(BIT_STRING)?.contents.split_first()?;
        Some(PublicKey { algorithm, bits })
    }

    /// Reads a whole `SubjectPublicKeyInfo`.
    pub(super) fn of_info(der: &'a [u8]) -> Option<PublicKey<'a>> {
        PublicKey::read(Reader::new(der).expect(SEQUENCE)?.contents)
    }

    /// Whether both are the same key. How the algorithm is written does not matter: RSA keys come with and without an empty
    /// parameter, and a point on a curve may be compressed.
    pub(super) fn is_same(&self, other: &PublicKey<'_>) -> bool {
        self.bits == other.bits || self.compressed().is_some_and(|own| other.compressed() == Some(own))
    }

    /// A point of a curve: its first coordinate, and whether the second is odd.
    fn compressed(&self) -> Option<(&'a [u8], bool)> {
        let (&form, rest) = self.bits.split_first()?;
        match form {
            0x02 | 0x03 => Some((rest, form == 0x03)),
            0x04 if rest.len().is_multiple_of(2) => {
                let (x, y) = rest.split_at(rest.len() / 2);
                Some((x, y.last()? & 1 == 1))
            }
            _ => None,
        }
    }

    pub(super) fn kind(&self) -> KeyKind {
        let mut reader = Reader::new(self.algorithm);
        let Some(oid) = reader.expect(OBJECT_IDENTIFIER).and_then(|oid| der::dotted(oid.contents)) else {
            return KeyKind::Other("of an unreadable kind".to_owned());
        };
        match oid.as_str() {
            RSA => KeyKind::Rsa { bits: self.rsa_bits().unwrap_or(0) },
            EC => match reader.next() {
                Some(curve) if curve.tag == OBJECT_IDENTIFIER => of_curve(curve.contents),
                // The curve is written out. The point's length tells which one it can only be; a signature is then verified
                // on that curve, with its own parameters, whatever the certificate says.
                _ => self.curve_by_length(),
            },
            ED25519 => KeyKind::Ed25519,
            other => KeyKind::Other(named(other)),
        }
    }

    fn rsa_bits(&self) -> Option<usize> {
        let mut key = Reader::new(Reader::new(self.bits).expect(SEQUENCE)?.contents);
        let modulus = key.expect(INTEGER)?.contents;
        let modulus = &modulus[modulus.iter().take_while(|&&byte| byte == 0).count()..];
        Some(modulus.len() * 8 - modulus.first()?.leading_zeros() as usize)
    }

    fn curve_by_length(&self) -> KeyKind {
        let coordinate = self.compressed().map_or(0, |(x, _)| x.len());
        match coordinate {
            32 => KeyKind::P256,
            48 => KeyKind::P384,
            66 => KeyKind::P521,
            _ => KeyKind::Other("ECDSA on an unnamed curve".to_owned()),
        }
    }

    /// Whether a key of this kind and size is safe, and can be verified with.
    pub(super) fn is_sound(&self) -> bool {
        match self.kind() {
            KeyKind::Rsa { bits } => RSA_BITS.contains(&bits),
            KeyKind::Other(_) => false,
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 | KeyKind::Ed25519 => true,
        }
    }

    /// Whether this algorithm is for keys of this kind.
    pub(super) fn is_for(&self, algorithm: &dyn SignatureVerificationAlgorithm) -> bool {
        let expected: AlgorithmIdentifier = match self.kind() {
            KeyKind::Rsa { .. } => alg_id::RSA_ENCRYPTION,
            KeyKind::P256 => alg_id::ECDSA_P256,
            KeyKind::P384 => alg_id::ECDSA_P384,
            KeyKind::P521 => alg_id::ECDSA_P521,
            KeyKind::Ed25519 => alg_id::ED25519,
            KeyKind::Other(_) => return algorithm.public_key_alg_id().as_ref() == self.algorithm,
        };
        algorithm.public_key_alg_id() == expected
    }

    /// Verifies a signature by the first of these algorithms that is for keys of this kind.
    pub(super) fn verify(
        &self,
        candidates: &[&dyn SignatureVerificationAlgorithm],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Unproven> {
        let fitting = candidates.iter().find(|algorithm| self.is_for(**algorithm)).ok_or(Unproven::Kind)?;
        if matches!(self.kind(), KeyKind::Rsa { bits } if !RSA_BITS.contains(&bits)) {
            return Err(Unproven::Kind);
        }
        fitting.verify_signature(self.bits, message, signature).map_err(|_| Unproven::Wrong)
    }

    /// The same for a signature by a short RSA key, which proves little, but all that there is to prove.
    pub(super) fn verify_short_rsa(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Unproven> {
        let is_short =
            matches!(self.kind(), KeyKind::Rsa { bits } if (RSA_BITS_MIN..*RSA_BITS.start()).contains(&bits));
        let parameters = match scheme {
            SignatureScheme::RSA_PKCS1_SHA256 => &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
            SignatureScheme::RSA_PKCS1_SHA512 => &RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
            _ => return Err(Unproven::Kind),
        };
        if !is_short {
            return Err(Unproven::Kind);
        }
        UnparsedPublicKey::new(parameters, self.bits).verify(message, signature).map_err(|_| Unproven::Wrong)
    }
}

fn of_curve(oid: &[u8]) -> KeyKind {
    let oid = der::dotted(oid).unwrap_or_default();
    match oid.as_str() {
        "1.2.840.10045.3.1.7" => KeyKind::P256,
        "1.3.132.0.34" => KeyKind::P384,
        "1.3.132.0.35" => KeyKind::P521,
        "1.3.132.0.10" => KeyKind::Other("ECDSA, secp256k1".to_owned()),
        "1.3.36.3.3.2.8.1.1.7" => KeyKind::Other("ECDSA, brainpoolP256r1".to_owned()),
        "1.3.36.3.3.2.8.1.1.11" => KeyKind::Other("ECDSA, brainpoolP384r1".to_owned()),
        "1.3.36.3.3.2.8.1.1.13" => KeyKind::Other("ECDSA, brainpoolP512r1".to_owned()),
        other => KeyKind::Other(format!("ECDSA, curve {other}")),
    }
}

/// Kinds of keys that people meet; others by their number.
fn named(oid: &str) -> String {
    match oid {
        "1.2.840.10040.4.1" => "DSA".to_owned(),
        "1.2.840.113549.1.1.10" => "RSA-PSS".to_owned(),
        "1.3.101.113" => "Ed448".to_owned(),
        "1.2.643.7.1.1.1.1" | "1.2.643.7.1.1.1.2" => "GOST".to_owned(),
        "1.2.156.10197.1.301" => "SM2".to_owned(),
        other => format!("of kind {other}"),
    }
}

/// What signed a certificate, as people call it: from the contents of an `AlgorithmIdentifier`.
pub(super) fn signature_algorithm_name(algorithm: &[u8]) -> String {
    let oid = Reader::new(algorithm).expect(OBJECT_IDENTIFIER).and_then(|oid| der::dotted(oid.contents));
    match oid.as_deref() {
        None => "an unreadable algorithm".to_owned(),
        Some("1.2.840.113549.1.1.2") => "MD2 with RSA".to_owned(),
        Some("1.2.840.113549.1.1.4") => "MD5 with RSA".to_owned(),
        Some("1.2.840.113549.1.1.5" | "1.3.14.3.2.29") => "SHA-1 with RSA".to_owned(),
        Some("1.2.840.113549.1.1.10") => "RSA-PSS with unusual parameters".to_owned(),
        Some("1.2.840.113549.1.1.11") => "SHA-256 with RSA".to_owned(),
        Some("1.2.840.113549.1.1.12") => "SHA-384 with RSA".to_owned(),
        Some("1.2.840.113549.1.1.13") => "SHA-512 with RSA".to_owned(),
        Some("1.2.840.113549.1.1.14") => "SHA-224 with RSA".to_owned(),
        Some("1.2.840.10045.4.1") => "SHA-1 with ECDSA".to_owned(),
        Some("1.2.840.10045.4.3.1") => "SHA-224 with ECDSA".to_owned(),
        Some("1.2.840.10045.4.3.2") => "SHA-256 with ECDSA".to_owned(),
        Some("1.2.840.10045.4.3.3") => "SHA-384 with ECDSA".to_owned(),
        Some("1.2.840.10045.4.3.4") => "SHA-512 with ECDSA".to_owned(),
        Some("1.2.840.10040.4.3" | "2.16.840.1.101.3.4.3.2") => "DSA".to_owned(),
        Some("1.3.101.112") => "Ed25519".to_owned(),
        Some("1.3.101.113") => "Ed448".to_owned(),
        Some(other) => format!("the algorithm {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::outline::Outline;
    use super::super::pem;
    use super::*;
    use crate::TlsField;
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    /// A file that `tests/certificates/make` made.
    macro_rules! made {
        ($name:literal) => {
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/", $name))
        };
    }

    fn kind_of(certificate: &str) -> String {
        let der = pem::certificates(certificate, TlsField::Ca).unwrap().remove(0);
        Outline::of(&der).unwrap().key.kind().to_string()
    }

    #[test]
    fn kinds_of_keys_are_told_as_people_call_them() {
        for (certificate, kind) in [
            (made!("plain-ca.pem"), "ECDSA, P-256"),
            (made!("p384-sha512-ca.pem"), "ECDSA, P-384"),
            (made!("p521-ca.pem"), "ECDSA, P-521"),
            (made!("brainpool-ca.pem"), "ECDSA, brainpoolP256r1"),
            (made!("rsa1024-ca.pem"), "RSA, 1024 bits"),
            (made!("sha1-ca.pem"), "RSA, 2048 bits"),
        ] {
            assert_eq!(kind_of(certificate), kind);
        }
    }

    #[test]
    fn a_short_rsa_key_proves_only_what_is_asked_of_it_by_name() {
        let der = pem::certificates(made!("short-rsa.pem"), TlsField::Ca).unwrap().remove(0);
        let key = Outline::of(&der).unwrap().key;
        let signature: String = made!("short-rsa-signature.txt").split_whitespace().collect();
        let signature = BASE64_STANDARD.decode(signature).unwrap();
        let (scheme, pss) = (SignatureScheme::RSA_PKCS1_SHA256, SignatureScheme::RSA_PSS_SHA256);
        assert_eq!(key.verify_short_rsa(scheme, b"handshake", &signature), Ok(()));
        assert_eq!(key.verify_short_rsa(scheme, b"another", &signature), Err(Unproven::Wrong));
        assert_eq!(key.verify_short_rsa(pss, b"handshake", &signature), Err(Unproven::Kind));
        let all = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.all;
        assert_eq!(key.verify(all, b"handshake", &signature), Err(Unproven::Kind));
    }

    #[test]
    fn the_same_point_is_the_same_key_compressed_or_not() {
        let point = |bytes: &'static [u8]| PublicKey { algorithm: &[], bits: bytes };
        let whole = point(&[4, 7, 8, 9, 10]);
        assert!(whole.is_same(&point(&[4, 7, 8, 9, 10])));
        assert!(whole.is_same(&point(&[2, 7, 8])));
        for other in [&[3, 7, 8][..], &[2, 7, 9], &[4, 7, 8, 9, 11], &[4, 7, 8], &[]] {
            assert!(!whole.is_same(&point(other)), "{other:?}");
        }
    }
}
