//! A client's certificate and key as receivers' administrators hand them out, into what is kept: a PEM chain that begins
//! with the certificate of the key, and the key, decrypted.
//!
//! - `chain`: which of the certificates is the key's, and which lead from it to its root.
//! - `pkcs12`: reads PKCS#12 files (RFC 7292).
//! - `decrypt`: password-based encryption (RFC 8018, RFC 7292), within bounds on what it may cost.

mod chain;
mod decrypt;
mod pkcs12;

use super::bounds::PASSWORD_BYTES_MAX;
use super::config_error::{Field, TlsConfigError};
use super::facts::{self, CertificateFacts};
use super::pem::{self, Contents};
use crate::target::KeyPem;
use ::pkcs12::pbe_params::EncryptedPrivateKeyInfo;
use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use decrypt::{Costs, Failure, Password};
use pkcs5::der::Decode as _;
use pkcs5::der::referenced::OwnedToRef as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use zeroize::Zeroizing;

/// Some tools leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// As whom an integration appears: a certificate and its key, in the form in which they are kept.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// PEM: the key's certificate first, then each one's issuer as far as it was given.
    pub chain_pem: String,
    /// PEM, not encrypted.
    pub key_pem: KeyPem,
    /// The certificates of the chain.
    pub chain: Vec<CertificateFacts>,
    /// How many of the given certificates are not in the chain, because they did not issue any that is.
    pub left_out: usize,
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity")
            .field("chain", &self.chain)
            .field("left_out", &self.left_out)
            .finish_non_exhaustive()
    }
}

impl ClientIdentity {
    /// What the user should know, at this moment (Unix seconds): certificates that are not valid or will soon not be, and
    /// certificates that were left out.
    pub fn warnings(&self, now_s: i64) -> Vec<String> {
        let mut warnings: Vec<String> = self.chain.iter().filter_map(|facts| facts.warning(now_s)).collect();
        if self.left_out > 0 {
            warnings.push(format!(
                "client_cert holds {} certificate(s) that did not issue the others; they are left out",
                self.left_out
            ));
        }
        warnings
    }
}

/// Turns what a user gave into what is kept. `cert` is PEM text, in which the key may stand too, or the base64 of a PKCS#12
/// file; `key` is PEM, plain or encrypted PKCS#8; `password` is for whichever is encrypted, and does no harm if nothing is.
///
/// Pure, but not quick: a password costs what whoever encrypted chose, up to a bound of a few seconds. Don't call it where
/// others wait.
pub fn client_identity(
    cert: &str,
    key: Option<&str>,
    password: Option<&str>,
) -> Result<ClientIdentity, TlsConfigError> {
    let key = key.filter(|key| !key.trim().is_empty());
    if cert.trim().is_empty() {
        return Err(TlsConfigError::ClientCertificateMissing);
    }
    pem::bounded(cert, Field::ClientCertificate)?;
    if password.is_some_and(|password| password.len() > PASSWORD_BYTES_MAX) {
        return Err(TlsConfigError::PasswordTooLong);
    }
    let mut costs = Costs::default();
    let is_pem = cert.contains("-----BEGIN ");
    let (certificates, mut among) = if is_pem {
        let mut contents = pem::contents(cert, Field::ClientCertificate)?;
        if contents.certificates.is_empty() {
            return Err(TlsConfigError::NoCertificate { field: Field::ClientCertificate });
        }
        let certificates = std::mem::take(&mut contents.certificates);
        (certificates, keys(contents, Field::ClientCertificate, password, &mut costs)?)
    } else {
        from_pkcs12(cert, password, &mut costs)?
    };
    if let Some(key) = key {
        let contents = pem::contents(key, Field::ClientKey)?;
        if is_pem && !among.is_empty() {
            return Err(TlsConfigError::KeyAmongCertificates { field: Field::ClientCertificate });
        }
        let own = keys(contents, Field::ClientKey, password, &mut costs)?;
        if own.is_empty() {
            return Err(TlsConfigError::KeyUnreadable);
        }
        among.extend(own);
    }
    let key = match among.as_slice() {
        [key] => key,
        [] if is_pem => return Err(TlsConfigError::KeyMissing),
        [] => return Err(TlsConfigError::NoKeyInPkcs12),
        several => return Err(TlsConfigError::SeveralKeys { count: several.len() }),
    };
    let chain = chain::of_key(&certificates, key)?;
    Ok(ClientIdentity {
        chain_pem: pem::of_certificates(&chain),
        key_pem: pem::of_key(key),
        left_out: certificates.len() - chain.len(),
        chain: facts::describe_all(&chain, Field::ClientCertificate)?,
    })
}

/// All private keys of a PEM text.
fn keys(
    contents: Contents,
    field: Field,
    password: Option<&str>,
    costs: &mut Costs,
) -> Result<Vec<PrivateKeyDer<'static>>, TlsConfigError> {
    if contents.traditional {
        return Err(TlsConfigError::KeyTraditional);
    }
    let mut keys = contents.keys;
    for der in contents.encrypted {
        let info = EncryptedPrivateKeyInfo::from_der(&der).map_err(|_| TlsConfigError::KeyUnreadable)?;
        let password = password.ok_or(TlsConfigError::PasswordMissing { field })?;
        let data = info.encrypted_data.as_bytes();
        let plain =
            decrypt::decrypt(info.encryption_algorithm.owned_to_ref(), data, &Password::new(password), costs)
                .and_then(|plain| decrypt::key(&plain));
        keys.push(plain.map_err(|failure| in_words(failure, field))?);
    }
    Ok(keys)
}

/// Certificates and keys.
type Identity = (Vec<CertificateDer<'static>>, Vec<PrivateKeyDer<'static>>);

fn from_pkcs12(text: &str, password: Option<&str>, costs: &mut Costs) -> Result<Identity, TlsConfigError> {
    let field = Field::ClientCertificate;
    let base64: Zeroizing<String> = Zeroizing::new(text.split_ascii_whitespace().collect());
    let file = BASE64.decode(base64.as_bytes()).map_err(|_| TlsConfigError::NeitherPemNorPkcs12)?;
    let contents = pkcs12::read(&file, password, costs).map_err(|failure| match failure {
        Failure::Password if password.is_none() => TlsConfigError::PasswordMissing { field },
        Failure::Unreadable => TlsConfigError::NeitherPemNorPkcs12,
        failure => in_words(failure, field),
    })?;
    if contents.certificates.is_empty() {
        return Err(TlsConfigError::NoCertificateInPkcs12);
    }
    let certificates = contents.certificates.into_iter().map(CertificateDer::from).collect();
    Ok((certificates, contents.keys))
}

fn in_words(failure: Failure, field: Field) -> TlsConfigError {
    match failure {
        Failure::Password => TlsConfigError::PasswordWrong { field },
        Failure::Unsupported { algorithm } => TlsConfigError::Encryption { field, algorithm },
        Failure::TooCostly => TlsConfigError::TooCostly { field },
        Failure::Unreadable => TlsConfigError::KeyUnreadable,
    }
}

#[cfg(test)]
mod tests;
