//! What is wrong with a receiver's certificate, in words for the integration's user.

use super::certificate::{Certificate, shown};
use super::key;
use super::names::Names;
use super::pin::Pin;
use jiff::Timestamp;
use rustls::CertificateError;
use rustls_pki_types::ServerName;
use std::fmt;

/// How many of a certificate's names are shown.
const NAMES_SHOWN: usize = 8;

/// How much of one name is shown.
const NAME_CHARS_SHOWN: usize = 128;

/// The keys that signatures are verified with, in words.
const GOOD_KEYS: &str = "RSA of 2048 to 8192 bits, ECDSA with P-256, P-384 or P-521, or Ed25519";

/// What is wrong with a receiver's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateProblem {
    /// It, or a certificate between it and the root, is too old.
    Expired {
        /// When it ended.
        since: Option<Timestamp>,
    },
    /// It, or a certificate between it and the root, is too new.
    NotYetValid {
        /// When it begins.
        from: Option<Timestamp>,
    },
    /// It is for other names.
    WrongName {
        /// The name that was dialled.
        expected: String,
        /// The names it is for; at most a few.
        presented: Vec<String>,
        /// The address that was dialled stands among its DNS names, where addresses do not count.
        as_dns_name: bool,
    },
    /// It is its own issuer, and not what the integration trusts.
    SelfSigned {
        /// The name of the integration's CA, if it has one.
        own_ca: Option<String>,
    },
    /// Its issuer is not what the integration trusts.
    UnknownIssuer {
        /// Who issued it, if it says so.
        issuer: Option<String>,
        /// The name of the integration's CA, if it has one.
        own_ca: Option<String>,
    },
    /// Its issuer has the name of the integration's CA, but the signature is by another key.
    NotSignedByOwnCa {
        /// The name of the integration's CA.
        own_ca: String,
    },
    /// It is none of those that the integration pins.
    NotPinned {
        /// The fingerprint of the one that was presented.
        presented: Pin,
    },
    /// It is for other purposes than a server's.
    WrongPurpose,
    /// It is marked as that of a CA, and was not issued directly by the integration's.
    MarkedAsCa,
    /// It is of a version before 3.
    OldVersion,
    /// It has a critical extension that this version does not know, so the certificate must be refused.
    CriticalExtension {
        /// Its object identifier, in numbers.
        oid: String,
    },
    /// A CA above it may issue for certain names alone.
    NameConstraints,
    /// It, or a certificate between it and the root, is signed in a way that is not accepted.
    Signature {
        /// The algorithm, as people call it.
        algorithm: String,
    },
    /// Its key, or that of a CA above it, is too weak, or of a kind that signatures are not verified with.
    Key {
        /// The name of the CA; none: it is the receiver's own key.
        ca: Option<String>,
        /// The kind of key, as people call it.
        kind: String,
    },
    /// The receiver did not prove that it has the certificate's key.
    NotProven,
    /// It is no certificate that can be read.
    Unreadable,
    /// Anything else.
    Other,
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CertificateProblem::Expired { since } => {
                write!(f, "the receiver's certificate expired{}", When(" on", *since))
            }
            CertificateProblem::NotYetValid { from } => {
                write!(f, "the receiver's certificate is not yet valid{}", When("; it will be from", *from))
            }
            CertificateProblem::WrongName { expected, as_dns_name: true, .. } => write!(
                f,
                "the receiver's certificate names {expected} as a DNS name, which does not count for an IP address; issue it again with subjectAltName=IP:{expected}, or pin it with pin_sha256"
            ),
            CertificateProblem::WrongName { expected, presented, .. } if presented.is_empty() => write!(
                f,
                "the receiver's certificate is not valid for {expected}: it has no subjectAltName, the only place where names count; issue it again with a subjectAltName, or pin it with pin_sha256"
            ),
            CertificateProblem::WrongName { expected, presented, .. } => {
                write!(f, "the receiver's certificate is not valid for {expected}, but for {}", presented.join(", "))
            }
            CertificateProblem::SelfSigned { own_ca: None } => f.write_str(
                "the receiver's certificate is self-signed; to trust it, make it the integration's CA certificate",
            ),
            CertificateProblem::SelfSigned { own_ca: Some(own) } => write!(
                f,
                "the receiver's certificate is self-signed, and not the integration's CA certificate ({own})"
            ),
            CertificateProblem::UnknownIssuer { issuer, own_ca: None } => write!(
                f,
                "the receiver's certificate was issued by {}, which is no public root; a private CA must be the integration's CA certificate, a public one needs the certificates in between sent by the receiver",
                Issuer(issuer.as_deref())
            ),
            CertificateProblem::UnknownIssuer { issuer, own_ca: Some(own) } => write!(
                f,
                "the receiver's certificate was issued by {}, not by the integration's CA certificate ({own})",
                Issuer(issuer.as_deref())
            ),
            CertificateProblem::NotSignedByOwnCa { own_ca } => write!(
                f,
                "the receiver's certificate names \"{own_ca}\" as its issuer, but the CA certificate of that name in ca_file has another key than the one that signed it; if the CA has a new key, paste its new certificate"
            ),
            CertificateProblem::NotPinned { presented } => write!(
                f,
                "the receiver's certificate is not the one in pin_sha256; its SHA-256 fingerprint is {presented}; add that only if the receiver's administrator confirms it"
            ),
            CertificateProblem::WrongPurpose => {
                f.write_str("the receiver's certificate is not for servers (extended key usage serverAuth is missing)")
            }
            CertificateProblem::MarkedAsCa => f.write_str(
                "the receiver's certificate is marked as that of a CA (basicConstraints CA:TRUE), which a server's must not be; issue it again with CA:FALSE, put the CA that issued it directly into ca_file, or pin it with pin_sha256",
            ),
            CertificateProblem::OldVersion => f.write_str(
                "the receiver's certificate is of an X.509 version before 3, which cannot say for which names it is; issue it again as version 3 with a subjectAltName, or pin it with pin_sha256",
            ),
            CertificateProblem::CriticalExtension { oid } => write!(
                f,
                "the receiver's certificate, or one that issued it, has a critical extension that hitwire does not evaluate ({}); issue it again without that extension, or pin it with pin_sha256",
                Extension(oid)
            ),
            CertificateProblem::NameConstraints => f.write_str(
                "a CA of the receiver's certificate must not issue for this name (name constraints); issue it from another CA, or pin it with pin_sha256",
            ),
            CertificateProblem::Signature { algorithm } => write!(
                f,
                "the receiver's certificate, or one that issued it, is signed by {algorithm}, which hitwire does not accept; issue it again with SHA-256, SHA-384 or SHA-512 and a key that is {GOOD_KEYS}, or pin it with pin_sha256"
            ),
            CertificateProblem::Key { ca: Some(ca), kind } => write!(
                f,
                "the key of the CA \"{ca}\" is not one that hitwire verifies certificates with ({kind}); use a CA whose key is {GOOD_KEYS}, or pin the receiver's certificate with pin_sha256"
            ),
            CertificateProblem::Key { ca: None, kind } => write!(
                f,
                "the key of the receiver's certificate is not one that hitwire can verify a TLS handshake with ({kind}); the receiver needs a key that is {GOOD_KEYS}"
            ),
            CertificateProblem::NotProven => f.write_str(
                "the receiver did not prove that it has the key of its certificate: the signature of its TLS handshake is wrong",
            ),
            CertificateProblem::Unreadable => f.write_str(
                "the receiver's certificate cannot be read: it is not written as X.509 says; issue it again with a current tool, or pin it with pin_sha256",
            ),
            CertificateProblem::Other => f.write_str(
                "the receiver's certificate, or one that issued it, breaks a rule for certificates on the web (RFC 5280), such as how long a chain may be; issue it again, or pin it with pin_sha256",
            ),
        }
    }
}

impl std::error::Error for CertificateProblem {}

impl CertificateProblem {
    /// Since this Unix second.
    pub(super) fn expired(since_s: i64) -> CertificateProblem {
        CertificateProblem::Expired { since: Timestamp::from_second(since_s).ok() }
    }

    /// Until this Unix second.
    pub(super) fn not_yet_valid(from_s: i64) -> CertificateProblem {
        CertificateProblem::NotYetValid { from: Timestamp::from_second(from_s).ok() }
    }

    /// The names that this certificate has instead.
    pub(super) fn wrong_name(certificate: &Certificate<'_>, expected: &ServerName<'_>) -> CertificateProblem {
        let names = Names::of(certificate);
        CertificateProblem::WrongName {
            expected: expected.to_str().into_owned(),
            presented: names.iter().take(NAMES_SHOWN).map(|name| shown(&name, NAME_CHARS_SHOWN)).collect(),
            as_dns_name: names.has_as_dns_name(expected),
        }
    }

    /// Signed by this algorithm: the contents of an `AlgorithmIdentifier`.
    pub(super) fn signature(algorithm: &[u8]) -> CertificateProblem {
        CertificateProblem::Signature { algorithm: key::signature_algorithm_name(algorithm) }
    }

    /// As the TLS library's error, in which it travels through the library.
    pub(super) fn refuse(self) -> rustls::Error {
        CertificateError::Other(rustls::OtherError(std::sync::Arc::new(self))).into()
    }
}

/// Our own verifiers say what is wrong themselves; what the library says is told without the names and numbers that only its
/// errors carry.
impl From<CertificateError> for CertificateProblem {
    fn from(error: CertificateError) -> Self {
        match error {
            CertificateError::Expired => CertificateProblem::Expired { since: None },
            CertificateError::ExpiredContext { not_after, .. } => {
                CertificateProblem::expired(i64::try_from(not_after.as_secs()).unwrap_or(i64::MAX))
            }
            CertificateError::NotValidYet => CertificateProblem::NotYetValid { from: None },
            CertificateError::NotValidYetContext { not_before, .. } => {
                CertificateProblem::not_yet_valid(i64::try_from(not_before.as_secs()).unwrap_or(i64::MAX))
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                CertificateProblem::WrongPurpose
            }
            CertificateError::BadEncoding => CertificateProblem::Unreadable,
            CertificateError::BadSignature => CertificateProblem::NotProven,
            CertificateError::UnknownIssuer => {
                CertificateProblem::UnknownIssuer { issuer: None, own_ca: None }
            }
            CertificateError::Other(other) => {
                other.0.downcast_ref::<CertificateProblem>().cloned().unwrap_or(CertificateProblem::Other)
            }
            _ => CertificateProblem::Other,
        }
    }
}

/// A time with the words before it; nothing if it is not known.
struct When(&'static str, Option<Timestamp>);

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(time) => write!(f, "{} {}", self.0, time.strftime("%Y-%m-%d %H:%M:%S UTC")),
            None => Ok(()),
        }
    }
}

struct Issuer<'a>(Option<&'a str>);

impl fmt::Display for Issuer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, "\"{name}\""),
            None => f.write_str("an unnamed CA"),
        }
    }
}

/// Those that people meet by name, others by number.
struct Extension<'a>(&'a str);

impl fmt::Display for Extension<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            "2.5.29.32" => "certificate policies",
            "2.5.29.33" => "policy mappings",
            "2.5.29.36" => "policy constraints",
            "2.5.29.54" => "inhibit any policy",
            "1.3.6.1.5.5.7.1.24" => "TLS feature",
            "2.16.840.1.113730.1.1" => "Netscape certificate type",
            number => number,
        })
    }
}
