//! What the words of an error need of an X.509 certificate (RFC 5280). Nothing here decides about trust: that is the TLS
//! library's part.

use hitwire_event::escape;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

/// How much of a name is shown.
const NAME_CHARS_SHOWN: usize = 64;

/// A certificate, parsed, borrowed from its DER.
#[derive(Debug)]
pub(super) struct Certificate<'a>(pub(super) X509Certificate<'a>, &'a [u8]);

impl<'a> Certificate<'a> {
    /// Reads a certificate; none if it is no certificate.
    pub(super) fn parse(der: &'a [u8]) -> Option<Self> {
        let (rest, certificate) = X509Certificate::from_der(der).ok()?;
        rest.is_empty().then_some(Certificate(certificate, der))
    }

    /// All of it.
    pub(super) fn der(&self) -> &'a [u8] {
        self.1
    }

    /// Unix seconds.
    pub(super) fn not_before(&self) -> i64 {
        self.0.validity().not_before.timestamp()
    }

    /// Unix seconds.
    pub(super) fn not_after(&self) -> i64 {
        self.0.validity().not_after.timestamp()
    }

    /// It names itself as its issuer.
    pub(super) fn is_self_issued(&self) -> bool {
        self.is_named_as_issuer_of(self)
    }

    /// The other one names it as its issuer.
    pub(super) fn is_named_as_issuer_of(&self, other: &Certificate<'_>) -> bool {
        self.0.subject().as_raw() == other.0.issuer().as_raw()
    }

    /// Who issued it, for people.
    pub(super) fn issuer_name(&self) -> Option<String> {
        name(self.0.issuer())
    }

    /// A critical extension that the TLS library refuses because it does not evaluate it: its object identifier.
    pub(super) fn critical_extension_unknown_to_the_library(&self) -> Option<String> {
        let known = |extension: &X509Extension<'_>| {
            matches!(
                extension.parsed_extension(),
                ParsedExtension::KeyUsage(_)
                    | ParsedExtension::SubjectAlternativeName(_)
                    | ParsedExtension::BasicConstraints(_)
                    | ParsedExtension::NameConstraints(_)
                    | ParsedExtension::CRLDistributionPoints(_)
                    | ParsedExtension::ExtendedKeyUsage(_)
            )
        };
        let mut extensions = self.0.extensions().iter();
        extensions.find(|one| one.critical && !known(one)).map(|one| one.oid.to_id_string())
    }

    /// Whose it is, for people.
    pub(super) fn subject_name(&self) -> Option<String> {
        name(self.0.subject())
    }
}

/// The common name of a distinguished name, or its organization. Made harmless and short: whoever runs the server chose it.
fn name(distinguished: &X509Name<'_>) -> Option<String> {
    let name =
        distinguished.iter_common_name().next().or_else(|| distinguished.iter_organization().last())?;
    Some(match name.as_str() {
        Ok(text) => shown(text, NAME_CHARS_SHOWN),
        Err(_) => shown(&String::from_utf8_lossy(name.as_slice()), NAME_CHARS_SHOWN),
    })
}

/// Text of a certificate, made harmless and short.
pub(super) fn shown(text: &str, chars_max: usize) -> String {
    escape::visible(&text.chars().take(chars_max).collect::<String>()).into_owned()
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
        assert_eq!(certificate.not_before(), 946_598_400);
        assert_eq!(certificate.not_after(), 3_192_652_800);
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
