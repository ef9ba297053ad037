//! Why no TLS connection came about, in words for the integration's user.

use super::client_auth::ClientAuth;
use super::config_error::TlsConfigError;
use super::configs::ConfigError;
use super::pin::Pin;
use hitwire_event::escape;
use jiff::Timestamp;
use rustls::{AlertDescription, CertificateError, Error};
use std::fmt;
use std::io;

/// How many of a certificate's names are shown.
const NAMES_SHOWN: usize = 8;

/// How much of one name is shown.
const NAME_CHARS_SHOWN: usize = 128;

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
    #[error("the receiver refused the TLS handshake ({alert})")]
    Alert {
        /// What it said, as TLS names it.
        alert: String,
    },
    /// No protocol version or cipher in common.
    #[error(
        "the receiver offers nothing that hitwire accepts: TLS 1.2 or 1.3 with forward secrecy is needed ({detail})"
    )]
    Incompatible {
        /// What is missing, in the words of the TLS library.
        detail: String,
    },
    /// The connection was closed or broke within the handshake.
    #[error("the connection was closed during the TLS handshake")]
    Closed,
    /// Anything else.
    #[error("the TLS handshake failed: {detail}")]
    Other {
        /// What happened, in the words of the TLS library.
        detail: String,
    },
}

/// What is wrong with a receiver's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateProblem {
    /// It, or a certificate between it and the root, is too old.
    Expired {
        /// When it ended.
        since: Option<Timestamp>,
    },
    /// It, or a certificate between it and the root, is too new.
    NotYetValid {
        /// When it begins.
        from: Option<Timestamp>,
    },
    /// It is for other names.
    WrongName {
        /// The name that was dialled.
        expected: String,
        /// The names it is for; at most a few.
        presented: Vec<String>,
    },
    /// It is its own issuer, and not what the integration trusts.
    SelfSigned {
        /// The name of the integration's CA, if it has one.
        own_ca: Option<String>,
    },
    /// Its issuer is not what the integration trusts.
    UnknownIssuer {
        /// Who issued it, if it says so.
        issuer: Option<String>,
        /// The name of the integration's CA, if it has one.
        own_ca: Option<String>,
    },
    /// It is none of those that the integration pins.
    NotPinned {
        /// The fingerprint of the one that was presented.
        presented: Pin,
    },
    /// It is for other purposes than a server's.
    WrongPurpose,
    /// It is a CA's, not a server's.
    Other {
        /// In the words of the TLS library.
        detail: String,
    },
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CertificateProblem::Expired { since } => {
                write!(f, "the receiver's certificate expired{}", When(" on", *since))
            }
            CertificateProblem::NotYetValid { from } => {
                write!(f, "the receiver's certificate is not yet valid{}", When("; it will be from", *from))
            }
            CertificateProblem::WrongName { expected, presented } if presented.is_empty() => write!(
                f,
                "the receiver's certificate is not valid for {expected}: it has no subjectAltName, the only place where names count"
            ),
            CertificateProblem::WrongName { expected, presented } => {
                write!(f, "the receiver's certificate is not valid for {expected}, but for {}", presented.join(", "))
            }
            CertificateProblem::SelfSigned { own_ca: None } => f.write_str(
                "the receiver's certificate is self-signed; to trust it, make it the integration's CA certificate",
            ),
            CertificateProblem::SelfSigned { own_ca: Some(own) } => write!(
                f,
                "the receiver's certificate is self-signed, and not the integration's CA certificate ({own})"
            ),
            CertificateProblem::UnknownIssuer { issuer, own_ca: None } => write!(
                f,
                "the receiver's certificate was issued by {}, which is no public root; a private CA must be the integration's CA certificate, a public one needs the certificates in between sent by the receiver",
                Issuer(issuer.as_deref())
            ),
            CertificateProblem::UnknownIssuer { issuer, own_ca: Some(own) } => write!(
                f,
                "the receiver's certificate was issued by {}, not by the integration's CA certificate ({own})",
                Issuer(issuer.as_deref())
            ),
            CertificateProblem::NotPinned { presented } => write!(
                f,
                "the receiver's certificate is not the one in pin_sha256; its SHA-256 fingerprint is {presented}; add that only if the receiver's administrator confirms it"
            ),
            CertificateProblem::WrongPurpose => {
                f.write_str("the receiver's certificate is not for servers (extended key usage serverAuth is missing)")
            }
            CertificateProblem::Other { detail } => write!(f, "the receiver's certificate is not accepted: {detail}"),
        }
    }
}

impl std::error::Error for CertificateProblem {}

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

/// A time with the words before it; nothing if it is not known.
struct When(&'static str, Option<Timestamp>);

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(time) => write!(f, "{} {}", self.0, time.strftime("%Y-%m-%d %H:%M:%S UTC")),
            None => Ok(()),
        }
    }
}

struct Issuer<'a>(Option<&'a str>);

impl fmt::Display for Issuer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, "\"{name}\""),
            None => f.write_str("an unnamed CA"),
        }
    }
}

/// What our verifier says instead of the library's bare "unknown issuer"; it travels inside the library's error.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the chain ends in no trusted root")]
pub(super) struct Untrusted {
    pub(super) self_signed: bool,
    pub(super) issuer: Option<String>,
    pub(super) own_ca: Option<String>,
}

/// What our verifier says of a certificate that is not pinned.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the certificate is not pinned")]
pub(super) struct NotPinned(pub(super) Pin);

impl From<CertificateError> for CertificateProblem {
    fn from(error: CertificateError) -> Self {
        match error {
            CertificateError::Expired => CertificateProblem::Expired { since: None },
            CertificateError::ExpiredContext { not_after, .. } => {
                CertificateProblem::Expired { since: timestamp(not_after.as_secs()) }
            }
            CertificateError::NotValidYet => CertificateProblem::NotYetValid { from: None },
            CertificateError::NotValidYetContext { not_before, .. } => {
                CertificateProblem::NotYetValid { from: timestamp(not_before.as_secs()) }
            }
            CertificateError::NotValidForNameContext { expected, presented } => {
                CertificateProblem::WrongName {
                    expected: expected.to_str().into_owned(),
                    presented: presented.iter().take(NAMES_SHOWN).map(|name| shown_name(name)).collect(),
                }
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                CertificateProblem::WrongPurpose
            }
            CertificateError::Other(other) => match other.0.downcast_ref::<Untrusted>() {
                Some(Untrusted { self_signed: true, own_ca, .. }) => {
                    CertificateProblem::SelfSigned { own_ca: own_ca.clone() }
                }
                Some(Untrusted { issuer, own_ca, .. }) => {
                    CertificateProblem::UnknownIssuer { issuer: issuer.clone(), own_ca: own_ca.clone() }
                }
                None => match other.0.downcast_ref::<NotPinned>() {
                    Some(NotPinned(presented)) => CertificateProblem::NotPinned { presented: *presented },
                    None => CertificateProblem::Other { detail: shown(&other.0.to_string()) },
                },
            },
            error => CertificateProblem::Other { detail: shown(&error.to_string()) },
        }
    }
}

impl TlsProblem {
    /// What the TLS library says, in our words.
    pub(crate) fn of(error: &Error, auth: ClientAuth) -> TlsProblem {
        match error {
            Error::InvalidCertificate(error) => TlsProblem::Certificate(error.clone().into()),
            Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => TlsProblem::NotTls,
            Error::AlertReceived(alert) => TlsProblem::of_alert(*alert, auth),
            Error::PeerIncompatible(detail) => TlsProblem::Incompatible { detail: format!("{detail:?}") },
            error => TlsProblem::Other { detail: shown(&error.to_string()) },
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
                kind => TlsProblem::Other { detail: kind.to_string() },
            },
        }
    }

    /// Most alerts about certificates can only be about ours. Servers that got none say so in TLS 1.3; in TLS 1.2 there is
    /// no such alert, and they say that the handshake failed, or that the certificate is bad.
    pub(crate) fn of_alert(alert: AlertDescription, auth: ClientAuth) -> TlsProblem {
        let words = format!("{alert:?}");
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
                TlsProblem::Incompatible { detail: words }
            }
            _ => TlsProblem::Alert { alert: words },
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

fn timestamp(unix_s: u64) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(unix_s).ok()?).ok()
}

/// A name as the TLS library prints it (`DnsName("a.example")`, `IpAddress(192.0.2.1)`), without its decoration.
fn shown_name(printed: &str) -> String {
    let name = ["DnsName(", "IpAddress(", "UniformResourceIdentifier("]
        .iter()
        .find_map(|kind| printed.strip_prefix(kind)?.strip_suffix(')'))
        .unwrap_or(printed);
    shown(name.trim_matches('"'))
}

/// Text that the receiver may have chosen, made harmless and short.
fn shown(text: &str) -> String {
    escape::visible(&text.chars().take(NAME_CHARS_SHOWN).collect::<String>()).into_owned()
}
