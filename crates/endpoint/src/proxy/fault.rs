//! What went wrong between hitwire and a proxy, in words that say whose part it is.

use super::outbound::Proxied;
use super::settings::Protocol;
use crate::error::{SendError, in_words, shown};
use crate::guard::Refusal;
use crate::tls::TlsProblem;
use http::StatusCode;
use std::fmt;
use std::io;

/// What a proxy is called. The installation's is not named: it is for operators to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyName {
    /// The one that the target names, by host and port.
    Own(String),
    /// The installation's.
    Installation,
}

impl ProxyName {
    pub(crate) fn of(proxied: &Proxied) -> ProxyName {
        if proxied.is_own {
            ProxyName::Own(format!("{}:{}", proxied.proxy.host, proxied.proxy.port))
        } else {
            ProxyName::Installation
        }
    }

    /// Who looks after its credentials.
    fn check(&self) -> &'static str {
        match self {
            ProxyName::Own(_) => "check its user name and password",
            ProxyName::Installation => "an operator has to check its user name and password",
        }
    }
}

impl fmt::Display for ProxyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProxyName::Own(place) => write!(f, "the proxy at {place}"),
            ProxyName::Installation => f.write_str("the installation's proxy"),
        }
    }
}

/// What went wrong between hitwire and a proxy.
#[derive(Debug)]
pub enum ProxyFault {
    /// The guard refuses the proxy's address.
    Guard(Refusal),
    /// Its name has no address; in the system's words.
    Resolve(String),
    /// No TCP connection to it.
    Connect(io::Error),
    /// No TLS connection to it.
    Tls(TlsProblem),
    /// It closed the connection instead of answering.
    Closed,
    /// It does not speak the protocol.
    Protocol {
        /// `an HTTP proxy` or `a SOCKS5 proxy`.
        expected: &'static str,
        /// What is wrong with its answer.
        detail: String,
    },
    /// It does not accept the credentials, or wants some. Of HTTP: 407.
    Credentials {
        /// Of HTTP.
        status: Option<StatusCode>,
        /// There were some.
        given: bool,
    },
    /// Its rules do not allow the target. Of HTTP: 403.
    Forbidden(Option<StatusCode>),
    /// It could not connect to the target. Of HTTP: 502, 503, 504.
    Unreachable(String),
    /// It answered with another status.
    Status(StatusCode),
    /// It could not do what it was asked; in words.
    Failed(&'static str),
}

impl ProxyFault {
    /// Whether another address of the target may fare better.
    pub(crate) fn is_of_the_address(&self) -> bool {
        matches!(self, ProxyFault::Unreachable(_) | ProxyFault::Failed(_))
    }

    /// What an answer to `CONNECT` means that is no success.
    pub(super) fn of_status(status: StatusCode, given: bool) -> ProxyFault {
        match status {
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                ProxyFault::Credentials { status: Some(status), given }
            }
            StatusCode::FORBIDDEN => ProxyFault::Forbidden(Some(status)),
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                ProxyFault::Unreachable(format!("it answered {}", status.as_u16()))
            }
            status => ProxyFault::Status(status),
        }
    }

    pub(super) fn of_http(error: &hyper::Error) -> ProxyFault {
        match SendError::of_http(error, crate::Phase::Headers) {
            SendError::Protocol { detail } => ProxyFault::Protocol { expected: HTTP, detail },
            _ => ProxyFault::Closed,
        }
    }

    pub(super) fn of_socks(error: tokio_socks::Error) -> ProxyFault {
        use tokio_socks::Error;
        match error {
            Error::Io(_) => ProxyFault::Closed,
            Error::NoAcceptableAuthMethods | Error::AuthorizationRequired => {
                ProxyFault::Credentials { status: None, given: false }
            }
            Error::PasswordAuthFailure(_) => ProxyFault::Credentials { status: None, given: true },
            Error::ConnectionNotAllowedByRuleset => ProxyFault::Forbidden(None),
            Error::NetworkUnreachable => ProxyFault::Unreachable("network unreachable".to_owned()),
            Error::HostUnreachable => ProxyFault::Unreachable("host unreachable".to_owned()),
            Error::ConnectionRefused => ProxyFault::Unreachable("connection refused".to_owned()),
            Error::TtlExpired => ProxyFault::Unreachable("the way there is too long".to_owned()),
            Error::GeneralSocksServerFailure => ProxyFault::Failed("it reports a general failure"),
            Error::CommandNotSupported => ProxyFault::Failed("it makes no connections for others"),
            Error::AddressTypeNotSupported => ProxyFault::Failed("it does not support this kind of address"),
            error => {
                ProxyFault::Protocol { expected: SOCKS5, detail: shown(&error.to_string().to_lowercase()) }
            }
        }
    }
}

const HTTP: &str = "an HTTP proxy";
const SOCKS5: &str = "a SOCKS5 proxy";

impl Protocol {
    /// What it is that should have answered.
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Protocol::Http | Protocol::Https => HTTP,
            Protocol::Socks5 => SOCKS5,
        }
    }
}

/// A fault with the name of its proxy.
pub(crate) struct Faulty<'a>(pub(crate) &'a ProxyName, pub(crate) &'a ProxyFault);

impl fmt::Display for Faulty<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Faulty(name, fault) = self;
        let number = |status: &Option<StatusCode>| {
            status.map_or_else(String::new, |status| format!(" ({})", status.as_u16()))
        };
        match fault {
            ProxyFault::Guard(refusal) => write!(
                f,
                "the address of {name} is not allowed: it is {}; an operator can allow it with hitwire serve --allow-target",
                refusal.rule
            ),
            ProxyFault::Resolve(detail) => write!(f, "the name of {name} could not be resolved: {detail}"),
            ProxyFault::Connect(error) => write!(f, "no connection to {name}: {}", in_words(error)),
            ProxyFault::Tls(problem) => write!(f, "no TLS connection to {name}: {problem}"),
            ProxyFault::Closed => write!(f, "{name} closed the connection before it had answered"),
            ProxyFault::Protocol { expected, detail } => {
                write!(f, "{name} did not answer as {expected} does: {detail}")
            }
            ProxyFault::Credentials { status, given: true } => {
                write!(f, "{name} refused the connection{}: {}", number(status), name.check())
            }
            ProxyFault::Credentials { status, given: false } => {
                write!(
                    f,
                    "{name} refused the connection{}: it asks for a user name and password",
                    number(status)
                )
            }
            ProxyFault::Forbidden(status) => {
                write!(
                    f,
                    "{name} refused the connection{}: its rules do not allow this endpoint",
                    number(status)
                )
            }
            ProxyFault::Unreachable(why) => write!(f, "{name} could not connect to the endpoint: {why}"),
            ProxyFault::Status(status) => write!(f, "{name} refused the connection ({})", status.as_u16()),
            ProxyFault::Failed(why) => write!(f, "{name} made no connection: {why}"),
        }
    }
}
