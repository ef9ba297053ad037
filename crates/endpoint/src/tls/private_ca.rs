//! Certificates of private CAs that the TLS library refuses by their form: marked as a CA's own, or with a critical extension
//! that says nothing about servers, such as the policies under which they were issued. Common tools make them, and other
//! clients take them.
//!
//! They are taken if a certificate of the integration's `ca_file` issued them directly. Longer chains are the library's
//! part alone.

use super::certificate::Certificate;
use super::certificate_problem::CertificateProblem;
use super::names::Names;
use super::outline::Outline;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls_pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, UnixTime};
use x509_parser::extensions::ParsedExtension;
use x509_parser::x509::X509Version;

/// Whether the server's certificate is good, if it is directly below one of these; none if it is not.
pub(super) fn judge(
    end_entity: &CertificateDer<'_>,
    own: &[CertificateDer<'_>],
    server_name: &ServerName<'_>,
    now: UnixTime,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Option<Result<(), CertificateProblem>> {
    let outline = Outline::of(end_entity)?;
    let certificate = Certificate::parse(end_entity)?;
    own.iter().any(|ca| has_issued(ca, &outline, algorithms)).then(|| {
        check_validity(&certificate, now)?;
        check_form(&certificate)?;
        check_purpose(&certificate)?;
        check_name(&certificate, &Names::of(&certificate), server_name)
    })
}

fn has_issued(
    ca: &CertificateDer<'_>,
    outline: &Outline<'_>,
    algorithms: &WebPkiSupportedAlgorithms,
) -> bool {
    let (Some(ca), Some(certificate)) = (Outline::of(ca), Certificate::parse(ca)) else { return false };
    if ca.subject != outline.issuer || !may_issue(&certificate) {
        return false;
    }
    let of_signature = |algorithm: &&dyn SignatureVerificationAlgorithm| {
        algorithm.signature_alg_id().as_ref() == outline.algorithm
    };
    let candidates: Vec<_> = algorithms.all.iter().copied().filter(of_signature).collect();
    ca.key.verify(&candidates, outline.signed, outline.signature).is_ok()
}

/// Whether it is the certificate of a CA without bounds on the names that it issues for.
fn may_issue(certificate: &Certificate<'_>) -> bool {
    let is_ca = match certificate.0.basic_constraints() {
        Ok(Some(constraints)) => constraints.value.ca,
        // Version 1 has no place to say so.
        Ok(None) => certificate.0.version() == X509Version::V1,
        Err(_) => false,
    };
    let may_sign = match certificate.0.key_usage() {
        Ok(usage) => usage.is_none_or(|usage| usage.value.key_cert_sign()),
        Err(_) => false,
    };
    is_ca && may_sign && matches!(certificate.0.name_constraints(), Ok(None))
}

pub(super) fn check_validity(certificate: &Certificate<'_>, now: UnixTime) -> Result<(), CertificateProblem> {
    let now_s = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now_s < certificate.not_before() {
        return Err(CertificateProblem::not_yet_valid(certificate.not_before()));
    }
    if now_s > certificate.not_after() {
        return Err(CertificateProblem::expired(certificate.not_after()));
    }
    Ok(())
}

/// Every extension that must be understood is.
fn check_form(certificate: &Certificate<'_>) -> Result<(), CertificateProblem> {
    let strange = certificate.0.extensions().iter().find(|extension| {
        let known = matches!(
            extension.parsed_extension(),
            ParsedExtension::AuthorityKeyIdentifier(_)
                | ParsedExtension::SubjectKeyIdentifier(_)
                | ParsedExtension::KeyUsage(_)
                | ParsedExtension::CertificatePolicies(_)
                | ParsedExtension::SubjectAlternativeName(_)
                | ParsedExtension::IssuerAlternativeName(_)
                | ParsedExtension::BasicConstraints(_)
                | ParsedExtension::ExtendedKeyUsage(_)
                | ParsedExtension::CRLDistributionPoints(_)
                | ParsedExtension::AuthorityInfoAccess(_)
                | ParsedExtension::SubjectInfoAccess(_)
                | ParsedExtension::NsCertComment(_)
        );
        extension.critical && !known
    });
    match strange {
        Some(extension) => Err(CertificateProblem::CriticalExtension { oid: extension.oid.to_id_string() }),
        None => Ok(()),
    }
}

fn check_purpose(certificate: &Certificate<'_>) -> Result<(), CertificateProblem> {
    let for_servers = match certificate.0.extended_key_usage() {
        Ok(Some(usage)) => usage.value.any || usage.value.server_auth,
        Ok(None) => true,
        Err(_) => false,
    };
    if for_servers { Ok(()) } else { Err(CertificateProblem::WrongPurpose) }
}

pub(super) fn check_name(
    certificate: &Certificate<'_>,
    names: &Names<'_>,
    server_name: &ServerName<'_>,
) -> Result<(), CertificateProblem> {
    if names.include(server_name) {
        return Ok(());
    }
    Err(CertificateProblem::wrong_name(certificate, server_name))
}
