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

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertifiedKey as Generated, KeyPair, generate_simple_self_signed};

    fn generated() -> (String, KeyPem) {
        let Generated { cert, signing_key } =
            generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
        (cert.pem(), signing_key.serialize_pem().into())
    }

    fn with_ca(ca_pem: impl Into<String>) -> TlsIdentity {
        TlsIdentity { ca_pem: ca_pem.into(), ..TlsIdentity::default() }
    }

    fn with_client(cert: &str, key: Option<&str>) -> TlsIdentity {
        TlsIdentity {
            client_cert_pem: cert.to_owned(),
            client_key_pem: key.map(|key| key.to_owned().into()),
            ..TlsIdentity::default()
        }
    }

    #[test]
    fn what_can_be_used_is_accepted() {
        let (cert, key) = generated();
        for identity in [
            TlsIdentity::default(),
            with_ca(" \n"),
            with_ca(&cert),
            with_ca(format!("subject=a.example\n{cert}\n\n{}", generated().0)),
            with_ca(cert.replace('\n', "\r\n")),
            with_client(&cert, Some(&key)),
            with_client(&format!("{cert}{}", generated().0), Some(&key)),
            with_client("", Some("")),
        ] {
            assert_eq!(identity.check(), Ok(()), "{identity:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_the_field_and_without_its_contents() {
        let (cert, key) = generated();
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let not_a_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (identity, words) in [
            (with_ca("secret"), "ca_file contains no certificate"),
            (with_ca(&cert[..cert.len() / 2]), "ca_file is damaged after 0 certificate(s)"),
            (
                with_ca(format!("{cert}-----BEGIN CERTIFICATE-----\n")),
                "ca_file is damaged after 1 certificate(s)",
            ),
            (with_ca(format!("{cert}{}", &*key)), "ca_file contains a private key"),
            (with_ca(not_a_certificate), "certificate 1 of ca_file is not valid"),
            (with_ca(format!("{cert}{not_a_certificate}")), "certificate 2 of ca_file is not valid"),
            (with_ca("a".repeat(PEM_BYTES_MAX + 1)), "ca_file is longer than 524288 bytes"),
            (with_client(&cert, None), "client_cert is set, but client_key is not"),
            (with_client("", Some(&key)), "client_key is set, but client_cert is not"),
            (with_client("secret", Some(&key)), "client_cert contains no certificate"),
            (with_client(&cert, Some("secret")), "client_key contains no private key"),
            (with_client(&cert, Some(&cert)), "client_key contains no private key"),
            (with_client(&cert, Some(encrypted)), "client_key is encrypted"),
            (with_client(&cert, Some(&generated().1)), "client_key does not belong"),
            (with_client(not_a_certificate, Some(&key)), "client_cert"),
        ] {
            let error = identity.check().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
            assert!(!error.contains("secret") && !error.contains("AAAA"), "{error}");
        }
    }

    #[test]
    fn a_key_of_any_common_kind_and_encoding_is_read() {
        for algorithm in
            [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519]
        {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
            let cert = params.self_signed(&key).unwrap();
            assert_eq!(with_client(&cert.pem(), Some(&key.serialize_pem())).check(), Ok(()));
        }
    }

    #[test]
    fn each_setting_counts_in_the_fingerprint() {
        let (cert, key) = generated();
        let all = [
            TlsIdentity::default(),
            TlsIdentity { verify: false, ..TlsIdentity::default() },
            with_ca(&cert),
            with_client(&cert, None),
            with_client("", Some(&cert)),
            with_client(&cert, Some(&key)),
        ];
        for (i, one) in all.iter().enumerate() {
            for (j, other) in all.iter().enumerate() {
                assert_eq!(one.fingerprint() == other.fingerprint(), i == j);
            }
        }
    }

    #[test]
    fn debug_output_holds_no_key() {
        let (cert, key) = generated();
        let shown = format!("{:?}", with_client(&cert, Some(&key)));
        assert!(!shown.contains("BEGIN"), "{shown}");
    }
}
