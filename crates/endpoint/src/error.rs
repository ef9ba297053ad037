//! Why there is no complete answer, in words for the integration's user.

use crate::body::Incomplete;
use crate::guard::{PublicOnly, Refusal, UrlError};
use crate::headers::RequestError;
use crate::proxy::{Faulty, ProxyError, ProxyFault, ProxyName};
use crate::stream::Meter;
use crate::tls::{ClientAuth, TlsProblem, tls_error};
use hitwire_event::escape;
use std::error::Error as _;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// A part of a request's way, as far as timeouts tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Resolving the proxy's name.
    ProxyResolve,
    /// The TCP connection to the proxy.
    ProxyConnect,
    /// The TLS handshake with the proxy.
    ProxyTls,
    /// Waiting for the proxy to connect to the target.
    ProxyTunnel,
    /// Resolving the name.
    Resolve,
    /// The TCP connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Sending the request.
    Request,
    /// Waiting for the response's headers.
    Headers,
    /// Reading the response's body.
    Body,
}

impl Phase {
    /// Whether a proxy is waited for.
    pub(crate) const fn is_of_proxy(self) -> bool {
        matches!(self, Phase::ProxyResolve | Phase::ProxyConnect | Phase::ProxyTls | Phase::ProxyTunnel)
    }
}

/// Why there is no complete answer. The words are for the user of the integration; they contain no secrets, and no internal
/// addresses: an integration's user must not learn from them what names lead to inside.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The URL.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A header or a signing secret.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The target's proxy is none.
    #[error(transparent)]
    ProxySettings(#[from] ProxyError),
    /// Something between hitwire and a proxy. Whatever a proxy answers is no answer of the target.
    #[error("{}", Faulty(proxy, fault))]
    Proxy {
        /// Which proxy.
        proxy: ProxyName,
        /// What went wrong.
        fault: ProxyFault,
    },
    /// The guard.
    #[error("{} is not allowed: it is {}; an operator can allow it with hitwire serve --allow-target", Refused(host.as_deref()), refusal.rule)]
    Guard {
        /// The name that led to the address; none if the URL names the address itself.
        host: Option<String>,
        /// What the guard says.
        refusal: Refusal,
    },
    /// The name has no address.
    #[error("the name {host} could not be resolved: {detail}")]
    Resolve {
        /// The name.
        host: String,
        /// In the system's words.
        detail: String,
    },
    /// hitwire had no file descriptor left for a connection, or for looking a name up.
    #[error(
        "hitwire has too many files open, so nothing was sent; an operator has to raise its limit of open files"
    )]
    Descriptors,
    /// No TCP connection.
    #[error("no connection to {}{}: {}", PublicOnly(*address), Others(*others), in_words(source))]
    Connect {
        /// The first address tried.
        address: SocketAddr,
        /// How many further addresses failed too.
        others: usize,
        /// What the system says about the first.
        source: io::Error,
    },
    /// A new connection took too long.
    #[error("{}", OpenTimeout { phase: *phase, address: *address, after: *after })]
    OpenTimeout {
        /// Where it was then.
        phase: Phase,
        /// The address that was tried.
        address: Option<SocketAddr>,
        /// The timeout.
        after: Duration,
    },
    /// No TLS connection.
    #[error("{problem} ({})", At(*address))]
    Tls {
        /// The receiver's address. None: only the proxy knows it.
        address: Option<SocketAddr>,
        /// What is wrong.
        problem: TlsProblem,
    },
    /// Request and response took too long.
    #[error("timeout: {} within {}", Unfinished(*phase), Seconds(*after))]
    Timeout {
        /// Where it was then.
        phase: Phase,
        /// The timeout.
        after: Duration,
    },
    /// The connection ended before the response did.
    #[error("the connection was closed {}", Interrupted(*phase))]
    Cut {
        /// Where it was then.
        phase: Phase,
    },
    /// The receiver broke the rules of HTTP.
    #[error("the receiver's answer is not valid HTTP: {detail}")]
    Protocol {
        /// In the words of the HTTP library.
        detail: String,
    },
    /// The receiver gave up this request (HTTP/2 `RST_STREAM`) or the connection (`GOAWAY`) with an error.
    #[error("the receiver broke off: {detail}")]
    Reset {
        /// In the words of the HTTP/2 specification.
        detail: String,
    },
}

impl SendError {
    /// What an error of the HTTP library means, in this phase.
    pub(crate) fn of_http(error: &hyper::Error, phase: Phase) -> SendError {
        if let Some(error) = find::<h2::Error>(error) {
            return SendError::of_http2(error, phase);
        }
        // The library tells of a body's broken framing as of input that is not valid.
        let invalid = |error: &&io::Error| {
            matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
        };
        if let Some(error) = find::<io::Error>(error).filter(invalid) {
            return SendError::Protocol { detail: shown(&error.to_string()) };
        }
        if error.is_parse() {
            return SendError::Protocol { detail: shown(&with_cause(error)) };
        }
        let cut = error.is_incomplete_message()
            || error.is_canceled()
            || error.is_closed()
            || find::<io::Error>(error).is_some();
        if cut { SendError::Cut { phase } } else { SendError::Protocol { detail: shown(&with_cause(error)) } }
    }

    fn of_http2(error: &h2::Error, phase: Phase) -> SendError {
        match error.reason() {
            // NO_ERROR: a server that shuts down in good order.
            None | Some(h2::Reason::NO_ERROR) => SendError::Cut { phase },
            Some(reason) => {
                let detail = reason.description().to_owned();
                if error.is_remote() { SendError::Reset { detail } } else { SendError::Protocol { detail } }
            }
        }
    }

    /// The same, but where the receiver's TLS has said why it ended the connection, that is the cause. In TLS 1.3 the
    /// handshake is over for us before the receiver has judged our certificate.
    pub(crate) fn of_exchange(
        error: &hyper::Error,
        phase: Phase,
        meter: &Meter,
        address: Option<SocketAddr>,
    ) -> SendError {
        let auth = meter.client_auth();
        if let Some(alert) = meter.alert() {
            return SendError::Tls { address, problem: TlsProblem::of_alert(alert, auth) };
        }
        if let Some(broken) = find::<io::Error>(error).and_then(tls_error) {
            return SendError::Tls { address, problem: TlsProblem::of(broken, auth) };
        }
        match SendError::of_http(error, phase) {
            SendError::Cut { .. } if auth.asked && meter.read_bytes() == 0 => {
                SendError::Tls { address, problem: TlsProblem::ClosedAfterAsking { own: auth.own } }
            }
            error => error,
        }
    }
}

/// What an error of the HTTP library means for a body; `open_ended`: only the connection's end tells where it ends.
pub(super) fn incomplete(error: &hyper::Error, open_ended: bool) -> Incomplete {
    // TLS alone has such an end: to a plain connection it is a good one.
    let without_goodbye = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
    if open_ended && find::<io::Error>(error).is_some_and(without_goodbye) {
        return Incomplete::NoGoodbye;
    }
    match SendError::of_http(error, Phase::Body) {
        SendError::Protocol { detail } => Incomplete::Protocol { detail },
        SendError::Reset { detail } => Incomplete::Reset { detail },
        _ => Incomplete::Cut,
    }
}

impl From<Incomplete> for SendError {
    /// For who needs the whole of a body.
    fn from(incomplete: Incomplete) -> Self {
        match incomplete {
            Incomplete::Cut | Incomplete::NoGoodbye => SendError::Cut { phase: Phase::Body },
            Incomplete::Slow { after } | Incomplete::Timeout { after } => {
                SendError::Timeout { phase: Phase::Body, after }
            }
            Incomplete::Reset { detail } => SendError::Reset { detail },
            Incomplete::Protocol { detail } => SendError::Protocol { detail },
        }
    }
}

/// The receiver wants the request over HTTP/1.1: it reset the stream, or ended the connection, with this reason.
pub(crate) fn is_http1_required(error: &hyper::Error) -> bool {
    find::<h2::Error>(error).is_some_and(|error| error.reason() == Some(h2::Reason::HTTP_1_1_REQUIRED))
}

/// The receiver refused this stream before looking at it (RFC 9113, 8.7): to send it again is always safe.
pub(super) fn is_refused_stream(error: &hyper::Error) -> bool {
    find::<h2::Error>(error).is_some_and(|error| error.reason() == Some(h2::Reason::REFUSED_STREAM))
}

/// The receiver ended one stream, not the connection.
pub(super) fn is_reset_stream(error: &hyper::Error) -> bool {
    find::<h2::Error>(error).is_some_and(h2::Error::is_reset)
}

pub(crate) fn find<E: std::error::Error + 'static>(error: &hyper::Error) -> Option<&E> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(found) = inner.downcast_ref() {
            return Some(found);
        }
        source = inner.source();
    }
    None
}

fn with_cause(error: &hyper::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// The receiver may have had a say in the library's words.
pub(crate) fn shown(text: &str) -> String {
    const CHARS_SHOWN: usize = 200;
    escape::visible(&text.chars().take(CHARS_SHOWN).collect::<String>()).into_owned()
}

/// The kind in words, without the number of the error; the system's own words where there is no kind.
pub(crate) fn in_words(error: &io::Error) -> String {
    if let Some(error) = tls_error(error) {
        return TlsProblem::of(error, ClientAuth::default()).to_string();
    }
    // Kinds without a stable name are all called the same.
    match error.kind().to_string().as_str() {
        "uncategorized error" | "other error" => error.to_string(),
        words => words.to_owned(),
    }
}

/// What the guard refuses, before "is not allowed".
struct Refused<'a>(Option<&'a str>);

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(host) => write!(f, "the address that {host} resolves to"),
            None => f.write_str("the address in the URL"),
        }
    }
}

/// Where something went wrong, in brackets.
struct At(Option<SocketAddr>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => PublicOnly(address).fmt(f),
            None => f.write_str("through a proxy"),
        }
    }
}

struct Others(usize);

impl fmt::Display for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(" (nor to 1 further address)"),
            others => write!(f, " (nor to {others} further addresses)"),
        }
    }
}

struct OpenTimeout {
    phase: Phase,
    address: Option<SocketAddr>,
    after: Duration,
}

impl fmt::Display for OpenTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "open timeout: {}", Unfinished(self.phase))?;
        if let Some(address) = self.address.filter(|_| !self.phase.is_of_proxy()) {
            write!(f, " with {}", PublicOnly(address))?;
        }
        write!(f, " within {}", Seconds(self.after))
    }
}

/// What was not finished, before "within 15 s".
struct Unfinished(Phase);

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Phase::ProxyResolve => "the proxy's name was not resolved",
            Phase::ProxyConnect => "no TCP connection to the proxy",
            Phase::ProxyTls => "the TLS handshake with the proxy was not finished",
            Phase::ProxyTunnel => "the proxy did not connect to the endpoint",
            Phase::Resolve => "the name was not resolved",
            Phase::Connect => "no TCP connection",
            Phase::Tls => "the TLS handshake was not finished",
            Phase::Request => "the receiver did not take the request",
            Phase::Headers => "the receiver did not answer",
            Phase::Body => "the receiver began an answer, but did not finish its body",
        })
    }
}

/// Where it ended, after "the connection was closed".
struct Interrupted(Phase);

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Phase::Body => "before the answer's body had ended",
            _ => "before the receiver had answered",
        })
    }
}

/// Seconds as people write them: `15 s`, `0.25 s`.
pub(crate) struct Seconds(pub(crate) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}
