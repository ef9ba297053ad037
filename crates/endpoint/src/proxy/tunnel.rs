//! Asking a proxy for a connection to a target.

use super::fault::ProxyFault;
use super::settings::{Credentials, Protocol, Proxy};
use crate::transport::Transport;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{HOST, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT};
use http::{Method, Request};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::upgrade::Parts;
use hyper_util::rt::TokioIo;
use std::fmt;
use std::future::pending;
use std::net::SocketAddr;
use tokio_socks::tcp::Socks5Stream;
use zeroize::Zeroizing;

/// The longest head of an answer to `CONNECT`, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The most headers in it.
const HEADERS_MAX: usize = 100;

/// What a proxy is asked to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// An address that the guard has judged.
    Judged(SocketAddr),
    /// A name and a port, for a proxy that is trusted to resolve and judge by itself.
    Name(String, u16),
}

impl Aim {
    /// The judged address.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Aim::Judged(address) => Some(*address),
            Aim::Name(..) => None,
        }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Aim::Judged(address) => address.fmt(f),
            Aim::Name(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

/// Asks the proxy at the other end of `transport`. What comes back is connected to the target. Has no timeout of its own; reads
/// at most [`HEAD_BYTES_MAX`] of an answer, and of a SOCKS5 answer what its lengths say, a few hundred bytes.
pub(crate) async fn through(proxy: &Proxy, transport: Transport, aim: &Aim) -> Result<Transport, ProxyFault> {
    match proxy.protocol {
        Protocol::Http | Protocol::Https => connect(proxy.credentials.as_deref(), transport, aim).await,
        Protocol::Socks5 => socks5(proxy.credentials.as_deref(), transport, aim).await,
    }
}

async fn connect(
    credentials: Option<&Credentials>,
    transport: Transport,
    aim: &Aim,
) -> Result<Transport, ProxyFault> {
    let handshake = http1::Builder::new()
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        // Old proxies look for names in this spelling.
        .title_case_headers(true)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .handshake(TokioIo::new(transport))
        .await;
    let (mut sender, connection) = handshake.map_err(|error| ProxyFault::of_http(&error))?;
    let moving = async move {
        // How it ended is heard of through the answer.
        let _ = connection.with_upgrades().await;
        pending().await
    };
    let asking = async move {
        let answer = sender.send_request(request(credentials, aim)?).await;
        let answer = answer.map_err(|error| ProxyFault::of_http(&error))?;
        if !answer.status().is_success() {
            return Err(ProxyFault::of_status(answer.status(), credentials.is_some()));
        }
        hyper::upgrade::on(answer).await.map_err(|error| ProxyFault::of_http(&error))
    };
    let upgraded = tokio::select! {
        asked = asking => asked?,
        never = moving => never,
    };
    let invalid = |detail: &str| ProxyFault::Protocol {
        expected: Protocol::Http.expected(),
        detail: detail.to_owned(),
    };
    match upgraded.downcast::<TokioIo<Transport>>() {
        // Of TLS and HTTP it is the client who speaks first.
        Ok(Parts { read_buf, .. }) if !read_buf.is_empty() => Err(invalid("more bytes follow its answer")),
        Ok(Parts { io, .. }) => Ok(io.into_inner()),
        Err(_) => Err(invalid("the connection cannot be used")),
    }
}

fn request(credentials: Option<&Credentials>, aim: &Aim) -> Result<Request<Empty<Bytes>>, ProxyFault> {
    let aim = aim.to_string();
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri(&aim)
        .header(HOST, &aim)
        .header(USER_AGENT, crate::USER_AGENT_VALUE)
        .body(Empty::new());
    let mut request = request.map_err(|_| ProxyFault::Failed("the endpoint's name cannot be asked for"))?;
    if let Some(Credentials { user, password }) = credentials {
        let pair = Zeroizing::new(format!("{}:{}", user.as_str(), password.as_str()));
        let encoded = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        if let Ok(mut value) = HeaderValue::from_str(&encoded) {
            value.set_sensitive(true);
            request.headers_mut().insert(PROXY_AUTHORIZATION, value);
        }
    }
    Ok(request)
}

async fn socks5(
    credentials: Option<&Credentials>,
    transport: Transport,
    aim: &Aim,
) -> Result<Transport, ProxyFault> {
    let aim = match aim {
        Aim::Judged(address) => tokio_socks::TargetAddr::Ip(*address),
        Aim::Name(host, port) => tokio_socks::TargetAddr::Domain(host.into(), *port),
    };
    let stream = match credentials {
        None => Socks5Stream::connect_with_socket(transport, aim).await,
        Some(Credentials { user, password }) => {
            Socks5Stream::connect_with_password_and_socket(transport, aim, user, password).await
        }
    };
    stream.map(Socks5Stream::into_inner).map_err(ProxyFault::of_socks)
}
