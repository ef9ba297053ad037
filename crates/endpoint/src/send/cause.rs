//! Why there is no complete answer, as a type: for whoever counts causes, or tells of them once.

use crate::error::SendError;
use crate::guard::{Rule, UrlError};
use crate::proxy::ProxyFault;
use crate::tls::TlsClass;

/// Why there is no complete answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Nothing can be sent with these settings: the URL, a header, a signing secret.
    Settings,
    /// The guard refused the address, by this rule.
    Guard(Rule),
    /// The proxy: it could not be reached, refused, or did not connect to the target.
    Proxy,
    /// The name has no address.
    Resolve,
    /// No TCP connection.
    Connect,
    /// A new connection took too long.
    OpenTimeout,
    /// No TLS connection.
    Tls(TlsClass),
    /// Request and answer took too long.
    Timeout,
    /// The connection ended before the answer did, or the receiver broke off.
    Closed,
    /// What came is not valid HTTP.
    Protocol,
    /// hitwire itself had no file descriptor left: nothing was sent, and the target is not to blame.
    Descriptors,
}

impl Cause {
    /// All names, for counting attempts. [`Cause::Descriptors`] is left out: it belongs to no attempt.
    pub const NAMES: [&'static str; 10] = [
        "settings",
        "guard",
        "proxy",
        "resolve",
        "connect",
        "open_timeout",
        "tls",
        "timeout",
        "closed",
        "protocol",
    ];

    /// In one word, without the rule or the class.
    pub const fn name(self) -> &'static str {
        match self {
            Cause::Settings => "settings",
            Cause::Guard(_) => "guard",
            Cause::Proxy => "proxy",
            Cause::Resolve => "resolve",
            Cause::Connect => "connect",
            Cause::OpenTimeout => "open_timeout",
            Cause::Tls(_) => "tls",
            Cause::Timeout => "timeout",
            Cause::Closed => "closed",
            Cause::Protocol => "protocol",
            Cause::Descriptors => "descriptors",
        }
    }
}

impl SendError {
    /// What it is an error of.
    pub fn cause(&self) -> Cause {
        match self {
            SendError::Url(UrlError::Refused(refusal))
            | SendError::Guard { refusal, .. }
            | SendError::Proxy { fault: ProxyFault::Guard(refusal), .. } => Cause::Guard(refusal.rule),
            SendError::Url(_) | SendError::Request(_) | SendError::ProxySettings(_) => Cause::Settings,
            SendError::Proxy { .. } => Cause::Proxy,
            SendError::Resolve { .. } => Cause::Resolve,
            SendError::Connect { .. } => Cause::Connect,
            SendError::OpenTimeout { phase, .. } if phase.is_of_proxy() => Cause::Proxy,
            SendError::OpenTimeout { .. } => Cause::OpenTimeout,
            SendError::Tls { problem, .. } => Cause::Tls(problem.class()),
            SendError::Timeout { .. } => Cause::Timeout,
            SendError::Cut { .. } | SendError::Reset { .. } => Cause::Closed,
            SendError::Protocol { .. } => Cause::Protocol,
            SendError::Descriptors => Cause::Descriptors,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_a_name_of_its_own_among_the_names() {
        let causes = [
            Cause::Settings,
            Cause::Guard(Rule::Loopback),
            Cause::Proxy,
            Cause::Resolve,
            Cause::Connect,
            Cause::OpenTimeout,
            Cause::Tls(TlsClass::Expired),
            Cause::Timeout,
            Cause::Closed,
            Cause::Protocol,
        ];
        assert_eq!(causes.map(Cause::name), Cause::NAMES);
        assert!(!Cause::NAMES.contains(&Cause::Descriptors.name()));
    }
}
