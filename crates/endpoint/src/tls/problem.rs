//! Why no TLS connection came about, in words for the integration's user. What the TLS library says is written for those who
//! develop with it; none of that is passed on.

use super::alert;
use super::certificate_problem::CertificateProblem;
use super::client_auth::ClientAuth;
use super::config_error::TlsConfigError;
use super::configs::ConfigError;
use rustls::{AlertDescription, Error, InvalidMessage, PeerIncompatible};
use std::fmt;
use std::io;

/// Why no TLS connection came about.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TlsProblem {
    /// The integration's TLS settings cannot be used.
    #[error(transparent)]
    Settings(TlsConfigError),
    /// The receiver's certificate is not accepted.
    #[error(transparent)]
    Certificate(CertificateProblem),
    /// The receiver talks something else.
    #[error("the receiver does not speak TLS on this port; is it a plain HTTP port?")]
    NotTls,
    /// The receiver wants a client certificate, and there is none.
    #[error("the receiver wants a client certificate, and the integration has none{}", Said(alert.as_deref()))]
    ClientCertificateMissing {
        /// What it said, as TLS names it.
        alert: Option<String>,
    },
    /// The receiver does not accept the client certificate.
    #[error("the receiver does not accept the client certificate: {why} ({alert})")]
    ClientCertificateRefused {
        /// Why.
        why: WhyRefused,
        /// What it said, as TLS names it.
        alert: String,
    },
    /// The receiver asked for a client certificate and then broke off without a word.
    #[error(
        "the receiver asked for a client certificate and then closed the connection without a reason; {}",
        if *own { "it may not accept the integration's" } else { "the integration has none" }
    )]
    ClosedAfterAsking {
        /// It got the integration's.
        own: bool,
    },
    /// The receiver refused the handshake.
    #[error("the receiver refused the TLS handshake ({alert}){}", Meaning(*why))]
    Alert {
        /// What it said, as TLS names it.
        alert: String,
        /// What that means, if it is told.
        why: Option<&'static str>,
    },
    /// No protocol version or cipher in common.
    #[error(
        "the receiver offers nothing that hitwire accepts: TLS 1.2 or 1.3 with forward secrecy is needed ({detail})"
    )]
    Incompatible {
        /// What is missing.
        detail: String,
    },
    /// The connection was closed or broke within the handshake.
    #[error("the connection was closed during the TLS handshake")]
    Closed,
    /// Anything else.
    #[error("the TLS handshake failed: {detail}")]
    Other {
        /// What happened.
        detail: String,
    },
}

/// What an alert means, after it; nothing if it says all.
struct Meaning(Option<&'static str>);

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(words) => write!(f, ": {words}"),
            None => Ok(()),
        }
    }
}

/// Why a receiver does not accept a client certificate, as far as its alert says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyRefused {
    /// It is too old, or not yet valid.
    Expired,
    /// It was revoked.
    Revoked,
    /// Its issuer is not trusted.
    UnknownCa,
    /// It is damaged, or its signature is wrong.
    Bad,
    /// It is of another kind, or for another purpose.
    Unsupported,
    /// It is valid, but its owner may not do this.
    AccessDenied,
    /// The alert does not say.
    Unknown,
}

impl fmt::Display for WhyRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WhyRefused::Expired => "it has expired, or is not yet valid",
            WhyRefused::Revoked => "it was revoked",
            WhyRefused::UnknownCa => "the receiver does not trust its issuer",
            WhyRefused::Bad => "it is damaged, or cannot be verified",
            WhyRefused::Unsupported => "it is of a kind, or for a purpose, that the receiver does not take",
            WhyRefused::AccessDenied => "it is valid, but gives no access",
            WhyRefused::Unknown => "the receiver does not say why",
        })
    }
}

/// What the receiver said, in brackets; nothing if it said nothing.
struct Said<'a>(Option<&'a str>);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(alert) => write!(f, " ({alert})"),
            None => Ok(()),
        }
    }
}

impl TlsProblem {
    /// What the TLS library says, in our words.
    pub(crate) fn of(error: &Error, auth: ClientAuth) -> TlsProblem {
        tracing::debug!(%error, "TLS");
        let other = |detail: &str| TlsProblem::Other { detail: detail.to_owned() };
        match error {
            Error::InvalidCertificate(error) => TlsProblem::Certificate(error.clone().into()),
            Error::AlertReceived(alert) => TlsProblem::of_alert(*alert, auth),
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => TlsProblem::NotTls,
            Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion) => {
                TlsProblem::Incompatible { detail: OLD_VERSION.to_owned() }
            }
            Error::PeerIncompatible(what) => TlsProblem::Incompatible { detail: missing(what).to_owned() },
            Error::NoApplicationProtocol => {
                TlsProblem::Incompatible { detail: "it speaks neither HTTP/1.1 nor HTTP/2".to_owned() }
            }
            Error::NoCertificatesPresented => other("the receiver shows no certificate"),
            Error::InvalidMessage(_) | Error::PeerSentOversizedRecord => {
                other("the receiver sent a message that is not valid TLS")
            }
            Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
                other("the receiver sent a message out of turn")
            }
            Error::PeerMisbehaved(_) => other("the receiver broke the rules of TLS"),
            Error::DecryptError => other(
                "a message of the receiver could not be decrypted; something in between may have changed it",
            ),
            _ => other("hitwire's TLS library failed; its words are in hitwire's log at level debug"),
        }
    }

    /// What an input or output error of the handshake says: the TLS library's own error may be inside.
    pub(crate) fn of_io(error: &io::Error, auth: ClientAuth) -> TlsProblem {
        match tls_error(error) {
            Some(error) => TlsProblem::of(error, auth),
            None => match error.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                    if auth.asked =>
                {
                    TlsProblem::ClosedAfterAsking { own: auth.own }
                }
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => TlsProblem::Closed,
                kind => TlsProblem::Other { detail: format!("the connection failed ({kind})") },
            },
        }
    }

    /// Most alerts about certificates can only be about ours. Servers that got none say so in TLS 1.3; in TLS 1.2 there is
    /// no such alert, and they say that the handshake failed, or that the certificate is bad.
    pub(crate) fn of_alert(alert: AlertDescription, auth: ClientAuth) -> TlsProblem {
        let words = alert::name(alert);
        let why = match alert {
            AlertDescription::CertificateExpired => Some(WhyRefused::Expired),
            AlertDescription::CertificateRevoked => Some(WhyRefused::Revoked),
            AlertDescription::UnknownCA => Some(WhyRefused::UnknownCa),
            AlertDescription::BadCertificate => Some(WhyRefused::Bad),
            AlertDescription::DecryptError if auth.asked && auth.own => Some(WhyRefused::Bad),
            AlertDescription::UnsupportedCertificate => Some(WhyRefused::Unsupported),
            AlertDescription::AccessDenied => Some(WhyRefused::AccessDenied),
            AlertDescription::CertificateUnknown => Some(WhyRefused::Unknown),
            _ => None,
        };
        match (alert, why) {
            (AlertDescription::CertificateRequired, _) if auth.own => {
                TlsProblem::ClientCertificateRefused { why: WhyRefused::Unknown, alert: words }
            }
            (AlertDescription::CertificateRequired, _) => {
                TlsProblem::ClientCertificateMissing { alert: Some(words) }
            }
            (AlertDescription::HandshakeFailure, _) | (_, Some(_)) if auth.asked && !auth.own => {
                TlsProblem::ClientCertificateMissing { alert: Some(words) }
            }
            (_, Some(why)) if auth.own => TlsProblem::ClientCertificateRefused { why, alert: words },
            (AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity, _) => {
                TlsProblem::Incompatible { detail: format!("it says {words}") }
            }
            _ => TlsProblem::Alert { alert: words, why: alert::meaning(alert) },
        }
    }
}

impl From<ConfigError> for TlsProblem {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Settings(error) => TlsProblem::Settings(error),
            ConfigError::Library(error) => TlsProblem::of(&error, ClientAuth::default()),
        }
    }
}

/// The TLS library's error inside an input or output error.
pub(crate) fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

const OLD_VERSION: &str = "it speaks another version of TLS or SSL";

/// What a receiver lacks.
fn missing(what: &PeerIncompatible) -> &'static str {
    match what {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::SupportedVersionsExtensionRequired => OLD_VERSION,
        PeerIncompatible::NoCipherSuitesInCommon => "no cipher suite in common",
        PeerIncompatible::NoKxGroupsInCommon
        | PeerIncompatible::NamedGroupsExtensionRequired
        | PeerIncompatible::KeyShareExtensionRequired => "no key exchange in common",
        PeerIncompatible::NoEcPointFormatsInCommon
        | PeerIncompatible::EcPointsExtensionRequired
        | PeerIncompatible::UncompressedEcPointsRequired => {
            "no way to write points of elliptic curves in common"
        }
        PeerIncompatible::NoSignatureSchemesInCommon
        | PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon
        | PeerIncompatible::SignatureAlgorithmsExtensionRequired => "no signature algorithm in common",
        PeerIncompatible::NullCompressionRequired => "it wants to compress",
        _ => "it lacks a part of TLS that hitwire needs",
    }
}
