//! The names that a certificate is for.

use super::certificate::Certificate;
use rustls_pki_types::ServerName;
use std::net::IpAddr;
use x509_parser::extensions::GeneralName;

/// The DNS names and addresses of a certificate's `subjectAltName`, as they are written there.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    dns: Vec<&'a str>,
    addresses: Vec<IpAddr>,
    /// The common names of the subject.
    common: Vec<&'a str>,
    has_extension: bool,
}

impl<'a> Names<'a> {
    pub(super) fn of(certificate: &'a Certificate<'_>) -> Names<'a> {
        let common = certificate.0.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        let mut names = Names { common: common.collect(), ..Names::default() };
        let extension = match certificate.0.subject_alternative_name() {
            Ok(Some(extension)) => extension,
            Ok(None) => return names,
            // Twice there, so neither counts.
            Err(_) => return Names { has_extension: true, ..names },
        };
        names.has_extension = true;
        for name in &extension.value.general_names {
            match name {
                GeneralName::DNSName(name) => names.dns.push(name),
                GeneralName::IPAddress(bytes) => names.addresses.extend(address(bytes)),
                _ => {}
            }
        }
        names
    }

    /// If there is no `subjectAltName` at all, the subject's common name counts in its place, as it once did everywhere. That is
    /// sound for a certificate that is trusted for itself, not for its signature.
    pub(super) fn include_common_name(mut self) -> Names<'a> {
        if !self.has_extension {
            self.addresses.extend(self.common.iter().filter_map(|name| name.parse::<IpAddr>().ok()));
            self.dns.append(&mut self.common);
        }
        self
    }

    /// Whether the certificate is for this name (RFC 9525): a wildcard stands for one whole label, the first.
    pub(super) fn include(&self, name: &ServerName<'_>) -> bool {
        match name {
            ServerName::IpAddress(address) => self.addresses.contains(&IpAddr::from(*address)),
            ServerName::DnsName(name) => self.dns.iter().any(|own| matches(own, name.as_ref())),
            _ => false,
        }
    }

    /// An address that stands among the DNS names, where it does not count.
    pub(super) fn has_as_dns_name(&self, name: &ServerName<'_>) -> bool {
        let ServerName::IpAddress(address) = name else { return false };
        self.dns.iter().any(|own| own.parse() == Ok(IpAddr::from(*address)))
    }

    /// All of them, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = String> {
        let dns = self.dns.iter().map(|&name| name.to_owned());
        dns.chain(self.addresses.iter().map(IpAddr::to_string))
    }
}

fn matches(own: &str, name: &str) -> bool {
    match own.strip_prefix("*.") {
        // Not for a whole top-level domain.
        Some(domain) => name.split_once('.').is_some_and(|(label, rest)| {
            !label.is_empty() && domain.contains('.') && rest.eq_ignore_ascii_case(domain)
        }),
        None => own.eq_ignore_ascii_case(name),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        for (own, name, fits) in [
            ("a.example", "A.Example", true),
            ("a.example", "b.a.example", false),
            ("*.a.example", "b.a.example", true),
            ("*.a.example", "a.example", false),
            ("*.a.example", "c.b.a.example", false),
            ("*.example", "a.example", false),
            ("*", "example", false),
            ("b*.a.example", "bc.a.example", false),
            ("", "a.example", false),
        ] {
            assert_eq!(matches(own, name), fits, "{own} {name}");
        }
    }
}
