//! Certificates told to people.

use super::certificate::{Certificate, shown};
use super::config_error::{Field, TlsConfigError};
use super::names::Names;
use super::pem;
use super::pin::Pin;
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;

/// The most characters of a subject, an issuer, a name or a serial number that are told.
const CHARS_SHOWN: usize = 256;

/// The most names of one certificate that are told.
const NAMES_SHOWN: usize = 100;

/// How long before its end a certificate's user is warned.
pub const WARN_BEFORE_EXPIRY_S: i64 = 30 * 24 * 60 * 60;

/// A certificate as it is shown. All text is harmless for terminals, and cut if it is long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Whose it is: the distinguished name, `CN=..., O=...`.
    pub subject: String,
    /// Who issued it, in the same form.
    pub issuer: String,
    /// The DNS names and IP addresses that it is for.
    pub names: Vec<String>,
    /// Valid from then on; Unix seconds.
    pub not_before: i64,
    /// Valid until then; Unix seconds.
    pub not_after: i64,
    /// Hexadecimal, `0a:1b:...`.
    pub serial: String,
    /// What pins it.
    pub sha256: Pin,
    /// It may issue others (basic constraints).
    pub is_ca: bool,
    /// It names itself as its issuer.
    pub self_signed: bool,
}

/// How a certificate's validity lies to a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// It has not begun.
    NotYet,
    /// It holds.
    Valid,
    /// It holds, but ends within [`WARN_BEFORE_EXPIRY_S`].
    EndsSoon,
    /// It has ended.
    Expired,
}

/// The certificates of a PEM text, as they stand in it; none if it is empty.
pub fn describe(pem: &str, field: Field) -> Result<Vec<CertificateFacts>, TlsConfigError> {
    if pem.trim().is_empty() {
        return Ok(Vec::new());
    }
    describe_all(&pem::certificates(pem, field)?, field)
}

pub(super) fn describe_all(
    certificates: &[CertificateDer<'_>],
    field: Field,
) -> Result<Vec<CertificateFacts>, TlsConfigError> {
    let described = certificates.iter().enumerate().map(|(index, der)| {
        let certificate = Certificate::parse(der)
            .ok_or_else(|| TlsConfigError::Certificate { field, number: index + 1 })?;
        Ok(CertificateFacts::of(&certificate, der))
    });
    described.collect()
}

impl CertificateFacts {
    fn of(certificate: &Certificate<'_>, der: &[u8]) -> CertificateFacts {
        let parsed = &certificate.0;
        CertificateFacts {
            subject: shown(&parsed.subject().to_string(), CHARS_SHOWN),
            issuer: shown(&parsed.issuer().to_string(), CHARS_SHOWN),
            names: Names::of(certificate)
                .iter()
                .take(NAMES_SHOWN)
                .map(|name| shown(&name, CHARS_SHOWN))
                .collect(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            serial: shown(&parsed.raw_serial_as_string(), CHARS_SHOWN),
            sha256: Pin::of(der),
            is_ca: parsed.is_ca(),
            self_signed: certificate.is_self_issued(),
        }
    }

    /// How its validity lies to this moment (Unix seconds).
    pub fn validity(&self, now_s: i64) -> Validity {
        if now_s < self.not_before {
            Validity::NotYet
        } else if now_s > self.not_after {
            Validity::Expired
        } else if self.not_after - now_s < WARN_BEFORE_EXPIRY_S {
            Validity::EndsSoon
        } else {
            Validity::Valid
        }
    }

    /// What is to be said about its validity at this moment (Unix seconds), if anything.
    pub fn warning(&self, now_s: i64) -> Option<String> {
        let (words, at) = match self.validity(now_s) {
            Validity::Valid => return None,
            Validity::NotYet => ("is not valid before", self.not_before),
            Validity::EndsSoon => ("expires on", self.not_after),
            Validity::Expired => ("expired on", self.not_after),
        };
        let subject = if self.subject.is_empty() { "without a name" } else { &self.subject };
        Some(match Timestamp::from_second(at) {
            Ok(at) => format!("the certificate {subject} {words} {}", at.strftime("%Y-%m-%d %H:%M:%S UTC")),
            // A year that the calendar does not know.
            Err(_) => format!("the certificate {subject} {words} the Unix second {at}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
        SanType, SerialNumber,
    };

    const DAY_S: i64 = 24 * 60 * 60;

    /// A CA and a certificate that it issued.
    fn pair(subject: &str) -> (String, String) {
        let mut ca = CertificateParams::default();
        ca.distinguished_name = DistinguishedName::new();
        ca.distinguished_name.push(DnType::CommonName, "Example CA");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let mut leaf = CertificateParams::default();
        leaf.subject_alt_names = vec![
            SanType::DnsName("*.a.example".try_into().unwrap()),
            SanType::IpAddress("192.0.2.1".parse().unwrap()),
            SanType::IpAddress("2001:db8::1".parse().unwrap()),
            SanType::Rfc822Name("a@b.example".try_into().unwrap()),
        ];
        leaf.distinguished_name = DistinguishedName::new();
        leaf.distinguished_name.push(DnType::OrganizationName, "Example Ltd");
        leaf.distinguished_name.push(DnType::CommonName, subject);
        leaf.serial_number = Some(SerialNumber::from_slice(&[0x0a, 0xbc]));
        leaf.not_before = rcgen::date_time_ymd(2026, 1, 2);
        leaf.not_after = rcgen::date_time_ymd(2027, 1, 2);
        let leaf = leaf.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        (issuer.pem(), leaf.pem())
    }

    #[test]
    fn a_certificate_is_told_by_its_names_times_serial_and_fingerprint() {
        let (ca, leaf) = pair("client");
        let facts = describe(&format!("{leaf}\n# and its CA\n{ca}"), Field::ClientCertificate).unwrap();
        let [leaf, ca] = facts.as_slice() else { panic!("{facts:?}") };
        assert_eq!(leaf.subject, "O=Example Ltd, CN=client");
        assert_eq!(leaf.issuer, "CN=Example CA");
        assert_eq!(leaf.names, ["*.a.example", "192.0.2.1", "2001:db8::1"]);
        assert_eq!((leaf.not_before, leaf.not_after), (1_767_312_000, 1_798_848_000));
        assert_eq!(leaf.serial, "0a:bc");
        assert!(!leaf.is_ca && !leaf.self_signed);
        assert!(ca.is_ca && ca.self_signed);
        assert_eq!(ca.subject, "CN=Example CA");
        assert_ne!(ca.sha256, leaf.sha256);
    }

    #[test]
    fn validity_is_told_at_a_moment_and_warned_of_in_time() {
        let (_, leaf) = pair("client");
        let facts = describe(&leaf, Field::Ca).unwrap().remove(0);
        for (now_s, validity, warning) in [
            (facts.not_before - 1, Validity::NotYet, Some("is not valid before 2026-01-02 00:00:00 UTC")),
            (facts.not_before, Validity::Valid, None),
            (facts.not_after - 30 * DAY_S, Validity::Valid, None),
            (facts.not_after - 29 * DAY_S, Validity::EndsSoon, Some("expires on 2027-01-02 00:00:00 UTC")),
            (facts.not_after, Validity::EndsSoon, Some("expires on")),
            (facts.not_after + 1, Validity::Expired, Some("expired on 2027-01-02 00:00:00 UTC")),
        ] {
            assert_eq!(facts.validity(now_s), validity, "{now_s}");
            let words = facts.warning(now_s);
            assert_eq!(words.is_some(), warning.is_some(), "{words:?}");
            let words = words.unwrap_or_default();
            assert!(words.contains(warning.unwrap_or_default()), "{words}");
        }
    }

    #[test]
    fn hostile_names_are_made_harmless_and_cut() {
        let (_, leaf) = pair(&format!("\x1b[2J\u{202e}{}", "a".repeat(2000)));
        let facts = describe(&leaf, Field::Ca).unwrap().remove(0);
        assert!(facts.subject.contains("\\u{1b}[2J\\u{202e}aaa"), "{}", facts.subject);
        assert!(facts.subject.len() < 300, "{}", facts.subject);
        assert!(!facts.warning(0).unwrap().contains('\x1b'));
    }

    #[test]
    fn what_is_no_certificate_is_refused_by_its_number_and_no_text_has_no_certificates() {
        assert_eq!(describe(" \n", Field::Ca), Ok(Vec::new()));
        let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let error = describe(&format!("{}{damaged}", pair("a").1), Field::Ca).unwrap_err();
        assert!(error.to_string().starts_with("block 2 of ca_file is damaged"), "{error}");
    }
}
