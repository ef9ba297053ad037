//! Whom an integration trusts and as whom it appears, told to people.

use hitwire_endpoint::{CertificateFacts, TlsField, Validity, describe};
use hitwire_store::Target;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// The most certificates of a field that are shown; a bundle of all public roots has some 150.
const SHOWN_MAX: usize = 20;

/// The certificates of an integration's settings.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Certificates {
    /// Those that replace the public roots; the first 20.
    ca: Vec<Certificate>,
    /// The client's and those that issued it; the first 20.
    client_cert: Vec<Certificate>,
}

/// A certificate.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Certificate {
    /// The distinguished name.
    subject: String,
    /// The same of who issued it.
    issuer: String,
    /// DNS names and addresses.
    names: Vec<String>,
    not_before: String,
    not_after: String,
    /// Hexadecimal.
    serial: String,
    /// The fingerprint, `AB:CD:...`.
    sha256: String,
    is_ca: bool,
    self_signed: bool,
}

/// The certificates of a target, and what is to be said about its trust at this moment (Unix seconds).
pub(super) fn told(target: &Target, now_s: i64) -> (Certificates, Vec<String>) {
    let mut warnings = Vec::new();
    if !target.ca_verify && target.pins.is_empty() {
        warnings.push(
            "the receiver's certificate is not verified: whoever is in between can read and change what is sent; set ca_file, or pin_sha256 for a self-signed certificate"
                .to_owned(),
        );
    }
    if target.url.expose().starts_with("http:") {
        warnings.push("the URL is not https: what is sent can be read and changed on its way".to_owned());
    }
    let mut described = |pem: &str, field: TlsField| match describe(pem, field) {
        Ok(certificates) => {
            // Of a bundle it is enough that one is good, so those that have ended are of no consequence.
            let is_bundle = field == TlsField::Ca && certificates.len() > 1;
            let all_over = || certificates.iter().all(|one| one.validity(now_s) == Validity::Expired);
            if !is_bundle || all_over() {
                let said = certificates.iter().filter_map(|one| one.warning(now_s));
                warnings.extend(said.map(|words| format!("{field}: {words}")).take(SHOWN_MAX));
            }
            certificates.into_iter().take(SHOWN_MAX).map(Certificate::from).collect()
        }
        Err(error) => {
            warnings.push(error.to_string());
            Vec::new()
        }
    };
    let ca = described(&target.ca_file, TlsField::Ca);
    let client_cert = described(&target.client_cert, TlsField::ClientCertificate);
    (Certificates { ca, client_cert }, warnings)
}

impl From<CertificateFacts> for Certificate {
    fn from(facts: CertificateFacts) -> Self {
        // A year that the calendar does not know: certificates without an end say 9999.
        let moment = |at| Timestamp::from_second(at).unwrap_or(Timestamp::MAX).to_string();
        Certificate {
            not_before: moment(facts.not_before),
            not_after: moment(facts.not_after),
            subject: facts.subject,
            issuer: facts.issuer,
            names: facts.names,
            serial: facts.serial,
            sha256: facts.sha256.to_string(),
            is_ca: facts.is_ca,
            self_signed: facts.self_signed,
        }
    }
}
