//! What is wrong with TLS settings, in words for whoever set them.

use super::bounds::{ITERATIONS_MAX, PASSWORD_BYTES_MAX, SCRYPT_MIB_MAX};
use super::pem::{PEM_BYTES_MAX, PemFault};
use super::pin::PINS_MAX;
use std::fmt;

/// A field of the settings; displays as its name in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `ca_file`
    Ca,
    /// `client_cert`
    ClientCertificate,
    /// `client_key`
    ClientKey,
    /// `client_key_password`
    Password,
    /// `pin_sha256`
    Pins,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Ca => "ca_file",
            Field::ClientCertificate => "client_cert",
            Field::ClientKey => "client_key",
            Field::Password => "client_key_password",
            Field::Pins => "pin_sha256",
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
    /// A block of the PEM text is damaged, or does not belong there.
    #[error("block {number} of {field} {fault}")]
    Pem {
        /// Which one.
        field: Field,
        /// Counted from 1.
        number: usize,
        /// What is wrong with it.
        fault: PemFault,
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
    #[error(
        "certificate {number} of {field} cannot be read: it is not written as X.509 says; issue it again with a current tool, or leave it out"
    )]
    Certificate {
        /// Which one.
        field: Field,
        /// Counted from 1.
        number: usize,
    },
    /// A certificate without its key.
    #[error("client_cert is set, but client_key is not")]
    KeyMissing,
    /// A key without its certificate.
    #[error("client_key is set, but client_cert is not")]
    ClientCertificateMissing,
    /// The key is encrypted where it must not be any more.
    #[error("client_key is encrypted; give its password too, or decrypt it with openssl pkey -in key.pem")]
    KeyEncrypted,
    /// Encrypted in the old way of PEM itself (RFC 1421), which is broken: its key comes from one round of MD5.
    #[error(
        "client_key is encrypted in the old PEM form (Proc-Type: 4,ENCRYPTED); convert it with openssl pkcs8 -topk8 -v2 aes256 -in key.pem"
    )]
    KeyTraditional,
    /// No password for what is encrypted.
    #[error("{field} is encrypted; give client_key_password too")]
    PasswordMissing {
        /// Which one.
        field: Field,
    },
    /// The password does not fit.
    #[error("client_key_password is wrong for {field}")]
    PasswordWrong {
        /// Which one.
        field: Field,
    },
    /// Longer than a password may be.
    #[error("client_key_password is longer than {PASSWORD_BYTES_MAX} bytes")]
    PasswordTooLong,
    /// Encrypted in a way that is not supported.
    #[error(
        "{field} is encrypted in a way that hitwire does not read ({algorithm}); write it anew with AES-256 and PBKDF2: openssl pkcs8 -topk8 -v2 aes256, or openssl pkcs12 -export of OpenSSL 3"
    )]
    Encryption {
        /// Which one.
        field: Field,
        /// Its object identifier.
        algorithm: String,
    },
    /// To try the password would take too long.
    #[error(
        "{field} takes more than {ITERATIONS_MAX} iterations, or {SCRYPT_MIB_MAX} MiB for scrypt, to decrypt; write it anew with fewer, for example openssl pkcs8 -topk8 -v2 aes256 -iter 100000"
    )]
    TooCostly {
        /// Which one.
        field: Field,
    },
    /// Neither PEM nor PKCS#12.
    #[error(
        "client_cert is neither PEM text (-----BEGIN CERTIFICATE-----) nor the base64 of a PKCS#12 file (base64 -w0 client.p12) that can be read; if it is one, write it anew with openssl pkcs12 -export"
    )]
    NeitherPemNorPkcs12,
    /// A PKCS#12 file without a certificate.
    #[error("client_cert is a PKCS#12 file that holds no certificate")]
    NoCertificateInPkcs12,
    /// A PKCS#12 file without a key.
    #[error(
        "client_cert is a PKCS#12 file that holds no private key; export the certificate together with its key"
    )]
    NoKeyInPkcs12,
    /// More than one key.
    #[error("client_cert and client_key hold {count} private keys; give one")]
    SeveralKeys {
        /// How many.
        count: usize,
    },
    /// Too many pins.
    #[error("pin_sha256 has more than {PINS_MAX} pins")]
    TooManyPins,
    /// No key that can be used.
    #[error(
        "client_key contains no private key that can be used: RSA of 2048 to 8192 bits, ECDSA P-256, P-384 or P-521, or Ed25519, in PEM"
    )]
    KeyUnreadable,
    /// Key and certificate don't belong together.
    #[error("client_key does not belong to {}", Certificates(*certificates))]
    KeyMismatch {
        /// How many certificates it was compared with.
        certificates: usize,
    },
}

impl TlsConfigError {
    /// The field to look at.
    pub fn field(&self) -> Field {
        match self {
            TlsConfigError::TooLong { field }
            | TlsConfigError::NoCertificate { field }
            | TlsConfigError::Pem { field, .. }
            | TlsConfigError::KeyAmongCertificates { field }
            | TlsConfigError::Certificate { field, .. }
            | TlsConfigError::Encryption { field, .. }
            | TlsConfigError::TooCostly { field } => *field,
            TlsConfigError::PasswordMissing { .. }
            | TlsConfigError::PasswordWrong { .. }
            | TlsConfigError::PasswordTooLong => Field::Password,
            TlsConfigError::KeyMissing
            | TlsConfigError::KeyEncrypted
            | TlsConfigError::KeyTraditional
            | TlsConfigError::KeyUnreadable
            | TlsConfigError::SeveralKeys { .. }
            | TlsConfigError::KeyMismatch { .. } => Field::ClientKey,
            TlsConfigError::ClientCertificateMissing
            | TlsConfigError::NeitherPemNorPkcs12
            | TlsConfigError::NoCertificateInPkcs12
            | TlsConfigError::NoKeyInPkcs12 => Field::ClientCertificate,
            TlsConfigError::TooManyPins => Field::Pins,
        }
    }
}

struct Certificates(usize);

impl fmt::Display for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("the certificate in client_cert"),
            count => write!(f, "any of the {count} certificates in client_cert"),
        }
    }
}
