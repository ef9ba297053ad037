//! PEM text in and out (RFC 7468), as people have it: joined without line ends, indented, from Windows, with the line ends
//! written as `\n`, with words around it. Every block counts, or the text is refused with the number of the block: a CA that
//! is passed over in silence would be missed only when nothing is delivered.

use super::config_error::{Field, TlsConfigError};
use super::der::{CONTEXT_0, INTEGER, OCTET_STRING, Reader, SEQUENCE};
use super::outline::Outline;
use crate::target::KeyPem;
use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

/// The most bytes of one PEM text; a bundle of all public roots takes some 220 KiB.
pub const PEM_BYTES_MAX: usize = 512 * 1024;

/// How many characters a line of PEM holds.
const LINE_CHARS: usize = 64;

/// Some tools leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a key that is encrypted in PEM's own way has in its head (RFC 1421).
const TRADITIONAL: &str = "Proc-Type: 4,ENCRYPTED";

/// What is wrong with a block; displays after its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemFault {
    /// No END line, or that of another kind.
    #[error("has no END line that fits its BEGIN line; paste all of it, from -----BEGIN to END-----")]
    NoEnd,
    /// An END line without its beginning.
    #[error("has no BEGIN line; paste all of it, from -----BEGIN to END-----")]
    NoBegin,
    /// A BEGIN or END line that is none.
    #[error(
        "has a damaged BEGIN or END line; it must read as -----BEGIN CERTIFICATE-----, in capitals, with five hyphens on each side"
    )]
    Marker,
    /// Something else than base64 between them.
    #[error("is damaged: between its BEGIN and END lines stands something else than base64")]
    Base64,
    /// Base64 of something else.
    #[error("is damaged: it does not hold what its BEGIN line says")]
    Content,
    /// An OpenSSL `TRUSTED CERTIFICATE` whose trust settings exclude servers.
    #[error(
        "is a TRUSTED CERTIFICATE that is not trusted for servers; convert it with openssl x509 -clrtrust -clrreject"
    )]
    NotTrusted,
    /// Certificates in PKCS#7.
    #[error("is PKCS#7; convert it with openssl pkcs7 -print_certs")]
    Pkcs7,
    /// A request for a certificate.
    #[error("is a certificate request; paste the certificate that the CA issued for it")]
    Request,
    /// A revocation list.
    #[error("is a revocation list, which hitwire does not use; leave it out")]
    Crl,
    /// A public key.
    #[error("is a public key without a certificate; paste the certificate")]
    PublicKey,
    /// An OpenSSH key.
    #[error("is an OpenSSH key; convert it with ssh-keygen -p -m PKCS8")]
    OpenSsh,
    /// Something else.
    #[error("is neither a certificate nor a private key")]
    OtherKind,
}

/// A PEM text that is no integration's: that of a listener, or of the command line.
#[derive(Debug, Default)]
pub struct PemText {
    /// The certificates, in their order.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The private keys that are not encrypted.
    pub keys: Vec<PrivateKeyDer<'static>>,
    /// There is a private key that is encrypted.
    pub has_encrypted_key: bool,
}

/// A PEM text that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("block {number} {fault}")]
pub struct PemError {
    /// Which block, counted from 1.
    pub number: usize,
    /// What is wrong with it.
    pub fault: PemFault,
}

impl PemText {
    /// Reads a text of whatever length: it is for the caller to bound it. Lenient as for an integration's settings, and as
    /// strict: every block counts.
    pub fn read(text: &str) -> Result<PemText, PemError> {
        let Contents { certificates, keys, encrypted, traditional } = read(text, true)?;
        Ok(PemText { certificates, keys, has_encrypted_key: traditional || !encrypted.is_empty() })
    }
}

/// What a PEM text holds.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// Private keys that are not encrypted.
    pub(super) keys: Vec<PrivateKeyDer<'static>>,
    /// Private keys that are: `EncryptedPrivateKeyInfo`.
    pub(super) encrypted: Vec<Vec<u8>>,
    /// There is a key that is encrypted in PEM's own way (RFC 1421).
    pub(super) traditional: bool,
}

pub(super) fn bounded(pem: &str, field: Field) -> Result<(), TlsConfigError> {
    if pem.len() > PEM_BYTES_MAX { Err(TlsConfigError::TooLong { field }) } else { Ok(()) }
}

/// All certificates of a PEM text, at least one. A private key among them is refused.
pub(super) fn certificates(pem: &str, field: Field) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let contents = contents(pem, field)?;
    if contents.certificates.is_empty() {
        return Err(TlsConfigError::NoCertificate { field });
    }
    if contents.has_key() {
        return Err(TlsConfigError::KeyAmongCertificates { field });
    }
    Ok(contents.certificates)
}

impl Contents {
    fn has_key(&self) -> bool {
        self.traditional || !self.keys.is_empty() || !self.encrypted.is_empty()
    }

    fn add(&mut self, block: &Block<'_>, as_ca: bool) -> Result<(), PemFault> {
        match block.label {
            "CERTIFICATE" | "X509 CERTIFICATE" => {
                let der = block.decoded()?;
                let bytes = Outline::of(&der).ok_or(PemFault::Content)?.bytes;
                self.certificates.push(CertificateDer::from(der[..bytes].to_vec()));
            }
            "TRUSTED CERTIFICATE" => {
                let der = block.decoded()?;
                let bytes = Outline::of(&der).ok_or(PemFault::Content)?.bytes;
                if as_ca && !is_trusted_for_servers(&der[bytes..]) {
                    return Err(PemFault::NotTrusted);
                }
                self.certificates.push(CertificateDer::from(der[..bytes].to_vec()));
            }
            "PRIVATE KEY"
            | "RSA PRIVATE KEY"
            | "EC PRIVATE KEY"
            | "ENCRYPTED PRIVATE KEY"
            | "ANY PRIVATE KEY" => {
                if block.body.contains(TRADITIONAL) {
                    self.traditional = true;
                    return Ok(());
                }
                match key(&block.decoded()?).ok_or(PemFault::Content)? {
                    Key::Plain(key) => self.keys.push(key),
                    Key::Encrypted(der) => self.encrypted.push(der),
                }
            }
            // What openssl writes before a key: not needed, since the key says it too.
            "EC PARAMETERS" | "DH PARAMETERS" | "X9.42 DH PARAMETERS" | "DSA PARAMETERS" => {}
            "PKCS7" | "CMS" | "PKCS #7 SIGNED DATA" => return Err(PemFault::Pkcs7),
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => return Err(PemFault::Request),
            "X509 CRL" => return Err(PemFault::Crl),
            "PUBLIC KEY" | "RSA PUBLIC KEY" => return Err(PemFault::PublicKey),
            "OPENSSH PRIVATE KEY" => return Err(PemFault::OpenSsh),
            _ => return Err(PemFault::OtherKind),
        }
        Ok(())
    }
}

/// Everything in a PEM text of an integration's settings.
pub(super) fn contents(pem: &str, field: Field) -> Result<Contents, TlsConfigError> {
    bounded(pem, field)?;
    read(pem, field == Field::Ca).map_err(|PemError { number, fault }| TlsConfigError::Pem {
        field,
        number,
        fault,
    })
}

/// Everything in a PEM text. Words around the blocks are skipped, as is common in bundles. `as_ca`: certificates are to be
/// trusted.
fn read(pem: &str, as_ca: bool) -> Result<Contents, PemError> {
    // Environment variables and JSON that was escaped twice have line ends as letters. A backslash stands in no block.
    let pem = Zeroizing::new(pem.replace("\\r", "\n").replace("\\n", "\n"));
    let mut contents = Contents::default();
    for (index, block) in Blocks(&pem).enumerate() {
        let added = block.and_then(|block| contents.add(&block, as_ca));
        added.map_err(|fault| PemError { number: index + 1, fault })?;
    }
    Ok(contents)
}

/// What stands between a BEGIN and its END.
struct Block<'a> {
    label: &'a str,
    body: &'a str,
}

impl Block<'_> {
    fn decoded(&self) -> Result<Zeroizing<Vec<u8>>, PemFault> {
        // A line with a colon is a header (RFC 1421).
        let lines = self.body.lines().filter(|line| !line.contains(':'));
        let mut base64 = Zeroizing::new(String::with_capacity(self.body.len()));
        lines.for_each(|line| base64.extend(line.chars().filter(|&letter| !is_blank(letter))));
        let der = BASE64.decode(base64.as_bytes()).map(Zeroizing::new).map_err(|_| PemFault::Base64)?;
        if der.is_empty() { Err(PemFault::Content) } else { Ok(der) }
    }
}

/// Blanks of every kind, those that have no width too, which pages and editors put in.
fn is_blank(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '\u{feff}' | '\u{200b}'..='\u{200d}' | '\u{2060}')
}

/// The blocks of a text, one after the other; ends with the first fault.
struct Blocks<'a>(&'a str);

impl<'a> Iterator for Blocks<'a> {
    type Item = Result<Block<'a>, PemFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let begin = match Marker::first(self.0)? {
            Ok(begin) => begin,
            Err(fault) => return Some(Err(fault)),
        };
        if begin.ends {
            return Some(Err(PemFault::NoBegin));
        }
        let body = &self.0[begin.after..];
        match Marker::first(body) {
            Some(Ok(end)) if end.ends && end.label == begin.label => {
                self.0 = &body[end.after..];
                Some(Ok(Block { label: begin.label, body: &body[..end.at] }))
            }
            Some(Err(fault)) => Some(Err(fault)),
            _ => Some(Err(PemFault::NoEnd)),
        }
    }
}

/// `-----BEGIN label-----` or `-----END label-----`.
struct Marker<'a> {
    at: usize,
    after: usize,
    label: &'a str,
    ends: bool,
}

impl<'a> Marker<'a> {
    /// The first one of a text, or what looks as if it had been one.
    fn first(text: &'a str) -> Option<Result<Marker<'a>, PemFault>> {
        const HYPHENS: &str = "-----";
        let (at, word) = words(text).find(|(at, _)| follows_dashes(&text[..*at]))?;
        let whole = || {
            text[..at].ends_with(HYPHENS).then_some(())?;
            let ends = match word {
                "BEGIN " => false,
                "END " => true,
                _ => return None,
            };
            let rest = &text[at + word.len()..];
            let length = rest.find(HYPHENS)?;
            let label = rest[..length].trim();
            let is_label = |letter: char| {
                letter.is_ascii_uppercase() || letter.is_ascii_digit() || matches!(letter, ' ' | '.' | '#')
            };
            label.chars().all(is_label).then(|| Marker {
                at: at - HYPHENS.len(),
                after: at + word.len() + length + HYPHENS.len(),
                label,
                ends,
            })
        };
        Some(whole().ok_or(PemFault::Marker))
    }
}

/// Where the words of a marker stand, in whatever spelling.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.char_indices().filter_map(|(at, letter)| {
        let word = match letter {
            'B' | 'b' => "BEGIN ",
            'E' | 'e' => "END ",
            _ => return None,
        };
        let found = text.get(at..at + word.len())?;
        found.eq_ignore_ascii_case(word).then_some((at, found))
    })
}

/// Two or more hyphens, or what word processors make of them.
fn follows_dashes(before: &str) -> bool {
    let dashes = |letter: &char| matches!(letter, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}');
    before.chars().rev().take_while(dashes).take(2).count() == 2
}

/// A private key, by what it is: labels are mistaken now and then.
enum Key {
    Plain(PrivateKeyDer<'static>),
    Encrypted(Vec<u8>),
}

fn key(der: &[u8]) -> Option<Key> {
    let mut parts = Reader::new(Reader::new(der).expect(SEQUENCE)?.contents);
    let (first, second) = (parts.next()?.tag, parts.next()?.tag);
    let owned = || der.to_vec();
    match (first, second) {
        (SEQUENCE, OCTET_STRING) => Some(Key::Encrypted(owned())),
        (INTEGER, SEQUENCE) => Some(Key::Plain(PrivateKeyDer::Pkcs8(owned().into()))),
        (INTEGER, INTEGER) => Some(Key::Plain(PrivateKeyDer::Pkcs1(owned().into()))),
        (INTEGER, OCTET_STRING) => Some(Key::Plain(PrivateKeyDer::Sec1(owned().into()))),
        _ => None,
    }
}

/// What OpenSSL writes behind a `TRUSTED CERTIFICATE` (`X509_CERT_AUX`): purposes for which it is trusted, all if none is
/// listed, and those for which it is rejected.
fn is_trusted_for_servers(aux: &[u8]) -> bool {
    const SERVERS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
    const ANY: &[u8] = &[0x55, 0x1d, 0x25, 0];
    let Some(aux) = Reader::new(aux).expect(SEQUENCE) else { return aux.is_empty() };
    let mut parts = Reader::new(aux.contents);
    let (mut trusted, mut rejected) = (true, false);
    while let Some(part) = parts.next() {
        let mut purposes = Reader::new(part.contents);
        let mut names_servers = false;
        while let Some(purpose) = purposes.next() {
            names_servers |= purpose.contents == SERVERS || purpose.contents == ANY;
        }
        match part.tag {
            SEQUENCE => trusted = names_servers,
            CONTEXT_0 => rejected = names_servers,
            _ => {}
        }
    }
    trusted && !rejected
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

#[cfg(test)]
#[path = "pem_tests.rs"]
mod tests;
