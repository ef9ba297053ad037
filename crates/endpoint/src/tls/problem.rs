//! Why no TLS connection came about, in words for the integration's user.

use super::configs::ConfigError;
use super::identity::TlsConfigError;
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
    /// The receiver asks for a client certificate, or does not accept the one it got.
    #[error("the receiver refuses the client certificate, or wants one ({alert})")]
    ClientCertificate {
        /// What it said, as TLS names it.
        alert: String,
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
            CertificateProblem::WrongPurpose => {
                f.write_str("the receiver's certificate is not for servers (extended key usage serverAuth is missing)")
            }
            CertificateProblem::Other { detail } => write!(f, "the receiver's certificate is not accepted: {detail}"),
        }
    }
}

impl std::error::Error for CertificateProblem {}

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
                None => CertificateProblem::Other { detail: shown(&other.0.to_string()) },
            },
            error => CertificateProblem::Other { detail: shown(&error.to_string()) },
        }
    }
}

impl TlsProblem {
    /// What the TLS library says, in our words.
    pub(crate) fn of(error: &Error) -> TlsProblem {
        match error {
            Error::InvalidCertificate(error) => TlsProblem::Certificate(error.clone().into()),
            Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => TlsProblem::NotTls,
            Error::AlertReceived(alert) => TlsProblem::of_alert(*alert),
            Error::PeerIncompatible(detail) => TlsProblem::Incompatible { detail: format!("{detail:?}") },
            error => TlsProblem::Other { detail: shown(&error.to_string()) },
        }
    }

    /// What an input or output error of the handshake says: the TLS library's own error may be inside.
    pub(crate) fn of_io(error: &io::Error) -> TlsProblem {
        match tls_error(error) {
            Some(error) => TlsProblem::of(error),
            None => match error.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => TlsProblem::Closed,
                kind => TlsProblem::Other { detail: kind.to_string() },
            },
        }
    }

    fn of_alert(alert: AlertDescription) -> TlsProblem {
        let words = format!("{alert:?}");
        match alert {
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied => TlsProblem::ClientCertificate { alert: words },
            AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity => {
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
            ConfigError::Library(error) => TlsProblem::of(&error),
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
