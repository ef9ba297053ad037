//! PEM text in and out (RFC 7468).

use super::config_error::{Field, TlsConfigError};
use crate::target::KeyPem;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// The most bytes of one PEM text; a bundle of all public roots takes some 220 KiB.
pub const PEM_BYTES_MAX: usize = 512 * 1024;

/// How many characters a line of PEM holds.
const LINE_CHARS: usize = 64;

pub(super) fn bounded(pem: &str, field: Field) -> Result<(), TlsConfigError> {
    if pem.len() > PEM_BYTES_MAX { Err(TlsConfigError::TooLong { field }) } else { Ok(()) }
}

/// All certificates of a PEM text, at least one. Other text between them is skipped, as is common in bundles; a private
/// key is not.
pub(super) fn certificates(pem: &str, field: Field) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let Sections { certificates, keys } = sections(pem, field)?;
    if !keys.is_empty() {
        return Err(TlsConfigError::KeyAmongCertificates { field });
    }
    Ok(certificates)
}

/// What a PEM text holds: certificates, at least one, and private keys that are not encrypted.
pub(super) struct Sections {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    pub(super) keys: Vec<PrivateKeyDer<'static>>,
}

pub(super) fn sections(pem: &str, field: Field) -> Result<Sections, TlsConfigError> {
    bounded(pem, field)?;
    let mut sections = Sections { certificates: Vec::new(), keys: Vec::new() };
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.as_bytes()) {
        match section {
            Ok((SectionKind::Certificate, der)) => sections.certificates.push(CertificateDer::from(der)),
            Ok((kind, der)) => sections.keys.extend(key(kind, der)),
            Err(_) => return Err(TlsConfigError::Pem { field, after: sections.certificates.len() }),
        }
    }
    if sections.certificates.is_empty() {
        return Err(TlsConfigError::NoCertificate { field });
    }
    Ok(sections)
}

/// All private keys of a PEM text that are not encrypted.
pub(super) fn plain_keys(pem: &str) -> Result<Vec<PrivateKeyDer<'static>>, TlsConfigError> {
    let mut keys = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.as_bytes()) {
        let (kind, der) = section.map_err(|_| TlsConfigError::KeyUnreadable)?;
        keys.extend(key(kind, der));
    }
    Ok(keys)
}

fn key(kind: SectionKind, der: Vec<u8>) -> Option<PrivateKeyDer<'static>> {
    match kind {
        SectionKind::PrivateKey => Some(PrivateKeyDer::Pkcs8(der.into())),
        SectionKind::RsaPrivateKey => Some(PrivateKeyDer::Pkcs1(der.into())),
        SectionKind::EcPrivateKey => Some(PrivateKeyDer::Sec1(der.into())),
        _ => None,
    }
}

/// What each section of this label holds; none for one that is damaged. The TLS library's reader skips the labels that it
/// has no use for.
pub(super) fn of_label<'a>(pem: &'a str, label: &str) -> impl Iterator<Item = Option<Vec<u8>>> + 'a {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let mut rest = pem;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(&begin)?;
        let (body, after) = after.split_once(&end).unwrap_or((after, ""));
        let damaged = after.len() == rest.len();
        rest = after;
        let body: String = body.split_ascii_whitespace().collect();
        (!damaged).then(|| BASE64_STANDARD.decode(body).ok())
    })
}

/// Certificates as PEM text.
pub(super) fn of_certificates<'a>(
    certificates: impl IntoIterator<Item = &'a CertificateDer<'static>>,
) -> String {
    let mut pem = String::new();
    for certificate in certificates {
        encode("CERTIFICATE", certificate, &mut pem);
    }
    pem
}

/// A private key as PEM text, not encrypted.
pub(super) fn of_key(key: &PrivateKeyDer<'_>) -> KeyPem {
    let label = match key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    let der = key.secret_der();
    // Made in one piece: growing would leave parts of the key behind in memory.
    let mut pem = KeyPem::new(String::with_capacity(der.len() * 3 / 2 + 128));
    encode(label, der, &mut pem);
    pem
}

fn encode(label: &str, der: &[u8], pem: &mut String) {
    pem.extend(["-----BEGIN ", label, "-----\n"]);
    // Whole groups of three bytes fill each line but the last.
    for bytes in der.chunks(LINE_CHARS / 4 * 3) {
        BASE64_STANDARD.encode_string(bytes, pem);
        pem.push('\n');
    }
    pem.extend(["-----END ", label, "-----\n"]);
}
