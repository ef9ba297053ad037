//! The classes of TLS problems, for whoever counts them.

use super::certificate_problem::CertificateProblem;
use super::problem::TlsProblem;

/// What kind of problem it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsClass {
    /// The receiver's certificate has expired.
    Expired,
    /// It is not yet valid.
    NotYetValid,
    /// It is for other names.
    WrongName,
    /// Its issuer is not trusted, or it is its own.
    Untrusted,
    /// It is none that the integration pins.
    NotPinned,
    /// Something else is wrong with it.
    Certificate,
    /// The receiver wants another client certificate, or one at all.
    ClientCertificate,
    /// The receiver does not speak TLS.
    NotTls,
    /// No protocol version or cipher in common.
    Incompatible,
    /// The receiver broke off.
    Closed,
    /// The integration's TLS settings cannot be used.
    Settings,
    /// Anything else.
    Other,
}

impl TlsClass {
    /// All of them.
    pub const ALL: [TlsClass; 12] = [
        TlsClass::Expired,
        TlsClass::NotYetValid,
        TlsClass::WrongName,
        TlsClass::Untrusted,
        TlsClass::NotPinned,
        TlsClass::Certificate,
        TlsClass::ClientCertificate,
        TlsClass::NotTls,
        TlsClass::Incompatible,
        TlsClass::Closed,
        TlsClass::Settings,
        TlsClass::Other,
    ];

    /// In one word.
    pub const fn name(self) -> &'static str {
        match self {
            TlsClass::Expired => "expired",
            TlsClass::NotYetValid => "not_yet_valid",
            TlsClass::WrongName => "wrong_name",
            TlsClass::Untrusted => "untrusted",
            TlsClass::NotPinned => "not_pinned",
            TlsClass::Certificate => "certificate",
            TlsClass::ClientCertificate => "client_certificate",
            TlsClass::NotTls => "not_tls",
            TlsClass::Incompatible => "incompatible",
            TlsClass::Closed => "closed",
            TlsClass::Settings => "settings",
            TlsClass::Other => "other",
        }
    }
}

impl TlsProblem {
    /// What kind of problem it is.
    pub const fn class(&self) -> TlsClass {
        match self {
            TlsProblem::Certificate(problem) => match problem {
                CertificateProblem::Expired { .. } => TlsClass::Expired,
                CertificateProblem::NotYetValid { .. } => TlsClass::NotYetValid,
                CertificateProblem::WrongName { .. } => TlsClass::WrongName,
                CertificateProblem::SelfSigned { .. }
                | CertificateProblem::UnknownIssuer { .. }
                | CertificateProblem::NotSignedByOwnCa { .. } => TlsClass::Untrusted,
                CertificateProblem::NotPinned { .. } => TlsClass::NotPinned,
                CertificateProblem::WrongPurpose
                | CertificateProblem::MarkedAsCa
                | CertificateProblem::OldVersion
                | CertificateProblem::CriticalExtension { .. }
                | CertificateProblem::NameConstraints
                | CertificateProblem::Signature { .. }
                | CertificateProblem::Key { .. }
                | CertificateProblem::NotProven
                | CertificateProblem::Unreadable
                | CertificateProblem::Other => TlsClass::Certificate,
            },
            TlsProblem::ClientCertificateMissing { .. }
            | TlsProblem::ClientCertificateRefused { .. }
            | TlsProblem::ClosedAfterAsking { .. } => TlsClass::ClientCertificate,
            TlsProblem::NotTls => TlsClass::NotTls,
            TlsProblem::Incompatible { .. } => TlsClass::Incompatible,
            TlsProblem::Closed => TlsClass::Closed,
            TlsProblem::Settings(_) => TlsClass::Settings,
            TlsProblem::Alert { .. } | TlsProblem::Other { .. } => TlsClass::Other,
        }
    }
}
