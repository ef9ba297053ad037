//! The little of an X.509 certificate (RFC 5280) that the words of an error need. Nothing here decides about trust: that
//! is the TLS library's part.

use hitwire_event::escape;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// How much of a name is shown.
const NAME_CHARS_SHOWN: usize = 64;

/// DER tags of what is read.
mod tag {
    pub(super) const INTEGER: u8 = 0x02;
    pub(super) const OBJECT_ID: u8 = 0x06;
    pub(super) const UTC_TIME: u8 = 0x17;
    pub(super) const GENERALIZED_TIME: u8 = 0x18;
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const SET: u8 = 0x31;
    pub(super) const VERSION: u8 = 0xa0;
}

/// `id-at-commonName` and `id-at-organizationName`, encoded.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];

/// Parts of a certificate, borrowed from its DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Certificate<'a> {
    issuer: &'a [u8],
    subject: &'a [u8],
    /// Unix seconds.
    pub(super) not_before: i64,
    /// Unix seconds.
    pub(super) not_after: i64,
}

impl<'a> Certificate<'a> {
    /// Reads a certificate; none if it is no certificate.
    pub(super) fn parse(der: &'a [u8]) -> Option<Self> {
        let mut tbs = Reader(Reader(Reader(der).take(tag::SEQUENCE)?).take(tag::SEQUENCE)?);
        if tbs.0.first() == Some(&tag::VERSION) {
            tbs.take(tag::VERSION)?;
        }
        tbs.take(tag::INTEGER)?; // serial number
        tbs.take(tag::SEQUENCE)?; // signature algorithm
        let issuer = tbs.take(tag::SEQUENCE)?;
        let mut validity = Reader(tbs.take(tag::SEQUENCE)?);
        let not_before = validity.time()?;
        let not_after = validity.time()?;
        let subject = tbs.take(tag::SEQUENCE)?;
        Some(Certificate { issuer, subject, not_before, not_after })
    }

    /// It names itself as its issuer.
    pub(super) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// Who issued it, for people.
    pub(super) fn issuer_name(&self) -> Option<String> {
        name(self.issuer)
    }

    /// Whose it is, for people.
    pub(super) fn subject_name(&self) -> Option<String> {
        name(self.subject)
    }
}

/// The common name of a distinguished name, or its organization. Made harmless and short: whoever runs the server chose it.
fn name(distinguished: &[u8]) -> Option<String> {
    let mut organization = None;
    let mut sets = Reader(distinguished);
    while let Some(set) = sets.take(tag::SET) {
        let mut attribute = Reader(Reader(set).take(tag::SEQUENCE)?);
        let kind = attribute.take(tag::OBJECT_ID)?;
        let (_, value) = attribute.next()?;
        if kind == COMMON_NAME {
            return Some(shown(value));
        }
        if kind == ORGANIZATION {
            organization = Some(shown(value));
        }
    }
    organization
}

fn shown(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    escape::visible(&text.chars().take(NAME_CHARS_SHOWN).collect::<String>()).into_owned()
}

/// Reads DER values one after the other.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The contents of the next value, if it has this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let before = self.0;
        match self.next() {
            Some((found, value)) if found == tag => Some(value),
            _ => {
                self.0 = before;
                None
            }
        }
    }

    /// The next value's tag and contents.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, length], mut rest) = self.0.split_first_chunk()?;
        let mut length = usize::from(length);
        if length >= 0x80 {
            // The long form: the low bits say how many bytes of length follow. Three cover all a handshake can carry.
            let count = length - 0x80;
            if count == 0 || count > 3 {
                return None;
            }
            let (bytes, after) = rest.split_at_checked(count)?;
            length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            rest = after;
        }
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, value))
    }

    /// The next value as a time, in Unix seconds.
    fn time(&mut self) -> Option<i64> {
        let (tag, value) = self.next()?;
        let text = std::str::from_utf8(value).ok()?.strip_suffix('Z')?;
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (year, rest) = match tag {
            tag::UTC_TIME => {
                let (year, rest) = text.split_at_checked(2)?;
                let year: i16 = year.parse().ok()?;
                // RFC 5280: two digits from 50 on are of the last century.
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            tag::GENERALIZED_TIME => {
                let (year, rest) = text.split_at_checked(4)?;
                (year.parse().ok()?, rest)
            }
            _ => return None,
        };
        if rest.len() != 10 {
            return None;
        }
        let part = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
        let time = DateTime::new(year, part(0)?, part(2)?, part(4)?, part(6)?, part(8)?, 0).ok()?;
        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    fn certificate(names: &[(DnType, &str)]) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["hooks.example".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        for (kind, name) in names {
            params.distinguished_name.push(kind.clone(), *name);
        }
        params.not_before = rcgen::date_time_ymd(1999, 12, 31);
        params.not_after = rcgen::date_time_ymd(2071, 3, 4);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn names_and_validity_are_read_in_both_forms_of_time() {
        let der =
            certificate(&[(DnType::OrganizationName, "Example Ltd"), (DnType::CommonName, "Example CA")]);
        let certificate = Certificate::parse(&der).unwrap();
        assert_eq!(certificate.issuer_name().as_deref(), Some("Example CA"));
        assert_eq!(certificate.subject_name().as_deref(), Some("Example CA"));
        assert!(certificate.is_self_issued());
        assert_eq!(certificate.not_before, 946_598_400);
        assert_eq!(certificate.not_after, 3_192_652_800);
    }

    #[test]
    fn without_a_common_name_the_organization_is_shown_and_without_both_none() {
        let der = certificate(&[(DnType::OrganizationName, "Example Ltd"), (DnType::CountryName, "DE")]);
        assert_eq!(Certificate::parse(&der).unwrap().issuer_name().as_deref(), Some("Example Ltd"));
        let der = certificate(&[(DnType::CountryName, "DE")]);
        assert_eq!(Certificate::parse(&der).unwrap().issuer_name(), None);
    }

    #[test]
    fn a_hostile_name_is_made_harmless_and_short() {
        let hostile = format!("\x1b[2J\u{202e}{}", "a".repeat(200));
        let der = certificate(&[(DnType::CommonName, &hostile)]);
        let name = Certificate::parse(&der).unwrap().issuer_name().unwrap();
        assert!(name.starts_with("\\u{1b}[2J\\u{202e}a"), "{name}");
        assert!(name.len() < 100, "{name}");
    }

    proptest! {
        #[test]
        fn damaged_certificates_are_read_or_refused_but_never_break(
            at in any::<prop::sample::Index>(), byte in any::<u8>(), end in any::<prop::sample::Index>(),
        ) {
            let mut der = certificate(&[(DnType::CommonName, "Example CA")]);
            let at = at.index(der.len());
            der[at] = byte;
            der.truncate(end.index(der.len() + 1));
            if let Some(certificate) = Certificate::parse(&der) {
                let _ = (certificate.issuer_name(), certificate.subject_name());
            }
        }

        #[test]
        fn arbitrary_bytes_are_read_or_refused_but_never_break(der in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Certificate::parse(&der);
        }
    }
}
