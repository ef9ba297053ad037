//! Whom an integration trusts and as whom it appears.

use super::config_error::{Field, TlsConfigError};
use super::outline::Outline;
use super::pair;
use super::pem::{certificates, contents};
use super::pin::{PINS_MAX, Pin};
use crate::target::KeyPem;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// The TLS settings of an integration.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsIdentity {
    /// PEM, one or more certificates that replace the public roots; empty: the public roots.
    pub ca_pem: String,
    /// Verify the server's certificate. Off: any certificate is accepted, the connection is still encrypted.
    pub verify: bool,
    /// If there are any, the server's certificate must be one of these, and that is all that is asked of it: CAs, names
    /// and validity do not matter then, nor does `verify`. A pin names one certificate, whose key the server proves to
    /// have, so its issuer or end could add nothing; and receivers with self-signed certificates seldom renew them.
    pub pins: Vec<Pin>,
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
            pins: Vec::new(),
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
            .field("pins", &self.pins.len())
            .field("client_cert", &!self.client_cert_pem.is_empty())
            .finish_non_exhaustive()
    }
}

impl TlsIdentity {
    /// Whether the settings can be used.
    pub fn check(&self) -> Result<(), TlsConfigError> {
        self.trusted()?;
        if self.pins.len() > PINS_MAX {
            return Err(TlsConfigError::TooManyPins);
        }
        self.client(&rustls::crypto::aws_lc_rs::default_provider()).map(drop)
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
        self.pins.iter().for_each(|pin| hash.update(pin.as_bytes()));
        Fingerprint(hash.finalize().into())
    }

    /// The CAs that replace the public roots.
    pub(super) fn trusted(&self) -> Result<Option<Trusted>, TlsConfigError> {
        if self.ca_pem.trim().is_empty() {
            return Ok(None);
        }
        let certificates = certificates(&self.ca_pem, Field::Ca)?;
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            // One that the library takes for no root may still be the very certificate that the receiver shows.
            let _ = roots.add(certificate.clone());
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
        let mut held = contents(key_pem, Field::ClientKey)?;
        if held.traditional || !held.encrypted.is_empty() {
            return Err(TlsConfigError::KeyEncrypted);
        }
        if held.keys.len() > 1 {
            return Err(TlsConfigError::SeveralKeys { count: held.keys.len() });
        }
        let key = held.keys.pop().ok_or(TlsConfigError::KeyUnreadable)?;
        let key = pair::signing_key(key, provider)?;
        let fits =
            chain.first().and_then(|own| Outline::of(own)).is_some_and(|own| pair::fits(&own.key, &*key));
        if fits {
            Ok(Some(CertifiedKey::new(chain, key)))
        } else {
            Err(TlsConfigError::KeyMismatch { certificates: 1 })
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

#[cfg(test)]
mod tests {
    use super::super::pem::PEM_BYTES_MAX;
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
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAYwAgUABAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let not_a_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (identity, words) in [
            (with_ca("secret"), "ca_file contains no certificate"),
            (with_ca(&cert[..cert.len() / 2]), "block 1 of ca_file has no END line"),
            (with_ca(format!("{cert}-----BEGIN CERTIFICATE-----\n")), "block 2 of ca_file has no END line"),
            (with_ca(format!("{cert}{}", &*key)), "ca_file contains a private key"),
            (with_ca(not_a_certificate), "block 1 of ca_file is damaged"),
            (with_ca(format!("{cert}{not_a_certificate}")), "block 2 of ca_file is damaged"),
            (with_ca("a".repeat(PEM_BYTES_MAX + 1)), "ca_file is longer than 524288 bytes"),
            (
                TlsIdentity { pins: vec![Pin::of(b""); PINS_MAX + 1], ..TlsIdentity::default() },
                "pin_sha256 has more than 16 pins",
            ),
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
            TlsIdentity { pins: vec![Pin::of(b"a")], ..TlsIdentity::default() },
            TlsIdentity { pins: vec![Pin::of(b"b")], ..TlsIdentity::default() },
            TlsIdentity { pins: vec![Pin::of(b"a"), Pin::of(b"b")], ..TlsIdentity::default() },
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
