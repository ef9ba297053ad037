//! Whom an integration trusts and as whom it appears.

use crate::target::KeyPem;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// The most bytes of one PEM text; a bundle of all public roots takes some 220 KiB.
pub const PEM_BYTES_MAX: usize = 512 * 1024;

/// The TLS settings of an integration.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsIdentity {
    /// PEM, one or more certificates that replace the public roots; empty: the public roots.
    pub ca_pem: String,
    /// Verify the server's certificate. Off: any certificate is accepted, the connection is still encrypted.
    pub verify: bool,
    /// PEM, the client's certificate and those between it and its root; empty: none.
    pub client_cert_pem: String,
    /// PEM, the key of the client's certificate.
    pub client_key_pem: Option<KeyPem>,
}

impl Default for TlsIdentity {
    /// The public roots, verified, no client certificate.
    fn default() -> Self {
        TlsIdentity {
            ca_pem: String::new(),
            verify: true,
            client_cert_pem: String::new(),
            client_key_pem: None,
        }
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity")
            .field("own_ca", &!self.ca_pem.is_empty())
            .field("verify", &self.verify)
            .field("client_cert", &!self.client_cert_pem.is_empty())
            .finish_non_exhaustive()
    }
}

impl TlsIdentity {
    /// Whether the settings can be used.
    pub fn check(&self) -> Result<(), TlsConfigError> {
        self.trusted()?;
        self.client(&rustls::crypto::ring::default_provider()).map(drop)
    }

    /// The same for the same settings, so that connections are shared only between equals.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let mut hash = Sha256::new();
        let key = self.client_key_pem.as_ref().map_or("", |key| key.as_str());
        for part in [&self.ca_pem, &self.client_cert_pem, key] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.update([u8::from(self.verify)]);
        Fingerprint(hash.finalize().into())
    }

    /// The CAs that replace the public roots.
    pub(super) fn trusted(&self) -> Result<Option<Trusted>, TlsConfigError> {
        if self.ca_pem.trim().is_empty() {
            return Ok(None);
        }
        let certificates = certificates(&self.ca_pem, Field::Ca)?;
        let mut roots = RootCertStore::empty();
        for (index, certificate) in certificates.iter().enumerate() {
            roots.add(certificate.clone()).map_err(|source| TlsConfigError::Certificate {
                field: Field::Ca,
                number: index + 1,
                source,
            })?;
        }
        Ok(Some(Trusted { roots, certificates }))
    }

    /// The client's certificate with its key.
    pub(super) fn client(&self, provider: &CryptoProvider) -> Result<Option<CertifiedKey>, TlsConfigError> {
        let cert_given = !self.client_cert_pem.trim().is_empty();
        let key_pem = self.client_key_pem.as_ref().filter(|key| !key.trim().is_empty());
        let key_pem = match (cert_given, key_pem) {
            (false, None) => return Ok(None),
            (true, None) => return Err(TlsConfigError::KeyMissing),
            (false, Some(_)) => return Err(TlsConfigError::ClientCertificateMissing),
            (true, Some(key)) => key,
        };
        let chain = certificates(&self.client_cert_pem, Field::ClientCertificate)?;
        bounded(key_pem, Field::ClientKey)?;
        let Ok(key) = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()) else {
            return Err(if key_pem.contains("ENCRYPTED") {
                TlsConfigError::KeyEncrypted
            } else {
                TlsConfigError::KeyUnreadable
            });
        };
        match CertifiedKey::from_der(chain, key, provider) {
            Ok(certified) => Ok(Some(certified)),
            Err(rustls::Error::InconsistentKeys(_)) => Err(TlsConfigError::KeyMismatch),
            Err(rustls::Error::InvalidCertificate(source)) => Err(TlsConfigError::Certificate {
                field: Field::ClientCertificate,
                number: 1,
                source: source.into(),
            }),
            Err(_) => Err(TlsConfigError::KeyUnreadable),
        }
    }
}

/// What the user trusts instead of the public roots.
pub(super) struct Trusted {
    pub(super) roots: RootCertStore,
    pub(super) certificates: Vec<CertificateDer<'static>>,
}

/// SHA-256 of all of a [`TlsIdentity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint([u8; 32]);

fn bounded(pem: &str, field: Field) -> Result<(), TlsConfigError> {
    if pem.len() > PEM_BYTES_MAX { Err(TlsConfigError::TooLong { field }) } else { Ok(()) }
}

/// All certificates of a PEM text, at least one. Other text between them is skipped, as is common in bundles.
fn certificates(pem: &str, field: Field) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    bounded(pem, field)?;
    let mut certificates = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.as_bytes()) {
        match section {
            Ok((SectionKind::Certificate, der)) => certificates.push(CertificateDer::from(der)),
            Ok((SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey, _)) => {
                return Err(TlsConfigError::KeyAmongCertificates { field });
            }
            Ok(_) => {}
            Err(_) => return Err(TlsConfigError::Pem { field, after: certificates.len() }),
        }
    }
    if certificates.is_empty() {
        return Err(TlsConfigError::NoCertificate { field });
    }
    Ok(certificates)
}

/// A field of the settings; displays as its name in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `ca_file`
    Ca,
    /// `client_cert`
    ClientCertificate,
    /// `client_key`
    ClientKey,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Ca => "ca_file",
            Field::ClientCertificate => "client_cert",
            Field::ClientKey => "client_key",
        })
    }
}

/// What is wrong with TLS settings. Never quotes them.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TlsConfigError {
    /// Longer than [`PEM_BYTES_MAX`].
    #[error("{field} is longer than {PEM_BYTES_MAX} bytes")]
    TooLong {
        /// Which one.
        field: Field,
    },
    /// No certificate in the text.
    #[error("{field} contains no certificate: paste PEM text that begins with -----BEGIN CERTIFICATE-----")]
    NoCertificate {
        /// Which one.
        field: Field,
    },
    /// The PEM text is damaged.
    #[error(
        "{field} is damaged after {after} certificate(s): paste each from -----BEGIN to END----- unchanged"
    )]
    Pem {
        /// Which one.
        field: Field,
        /// How many certificates were read before.
        after: usize,
    },
    /// A private key where certificates belong.
    #[error(
        "{field} contains a private key; it must contain certificates alone, and that key should be replaced"
    )]
    KeyAmongCertificates {
        /// Which one.
        field: Field,
    },
    /// A certificate cannot be read.
    #[error("certificate {number} of {field} is not valid: {source}")]
    Certificate {
        /// Which one.
        field: Field,
        /// Counted from 1.
        number: usize,
        /// What the TLS library says.
        source: rustls::Error,
    },
    /// A certificate without its key.
    #[error("client_cert is set, but client_key is not")]
    KeyMissing,
    /// A key without its certificate.
    #[error("client_key is set, but client_cert is not")]
    ClientCertificateMissing,
    /// The key has a passphrase.
    #[error("client_key is encrypted; decrypt it first, for example with openssl pkey -in key.pem")]
    KeyEncrypted,
    /// No key that can be used.
    #[error(
        "client_key contains no private key that can be used: RSA of 2048 to 8192 bits, ECDSA P-256 or P-384, or Ed25519, in PEM"
    )]
    KeyUnreadable,
    /// Key and certificate don't belong together.
    #[error("client_key does not belong to the first certificate of client_cert")]
    KeyMismatch,
}
