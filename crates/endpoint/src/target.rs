//! What is sent, and where: the inputs of [`Sender::send`](crate::Sender::send).

use crate::proxy::ProxySettings;
use crate::tls::TlsIdentity;
use bytes::Bytes;
use hitwire_event::WebhookId;
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// The HTTP method of a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// `POST`
    #[default]
    Post,
    /// `PUT`
    Put,
}

impl From<Method> for http::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Post => http::Method::POST,
            Method::Put => http::Method::PUT,
        }
    }
}

/// Which versions of HTTP are spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HttpVersion {
    /// HTTP/2 where the receiver offers it over TLS, else HTTP/1.1. A receiver that answers HTTP/2 with `HTTP_1_1_REQUIRED`
    /// gets HTTP/1.1 at once, and for a day.
    #[default]
    Auto,
    /// HTTP/1.1 alone.
    Http1,
}

/// Where to send, and how. Everything in it that is secret is left out of its debug output.
#[derive(Clone)]
pub struct Target {
    /// `https://...`; its path and query are secret.
    pub url: String,
    /// POST or PUT.
    pub method: Method,
    /// Extra headers, in the order given; see [`check_headers`](crate::check_headers). The values are secret.
    pub headers: Vec<(String, String)>,
    /// Which versions of HTTP are spoken.
    pub http_version: HttpVersion,
    /// Whom to trust and as whom to appear.
    pub tls: TlsIdentity,
    /// The proxy that it is sent to through. None: the installation's, if there is one.
    pub proxy: Option<ProxySettings>,
    /// For a new connection: resolving, TCP, proxy, TLS and the HTTP/2 preface together.
    pub open_timeout: Duration,
    /// From the first byte of the request to the end of the response's headers, and of the part of its body that is read; for
    /// this part at most 5 s more are waited. A reused connection has only this timeout.
    pub timeout: Duration,
    /// What signs, by Standard Webhooks: secrets (`whsec_...`; while one is exchanged, the current before the previous one)
    /// and private keys (`whsk_...`); one signature each. None: the request is not signed.
    pub signing_secrets: Vec<String>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("method", &self.method)
            .field("http_version", &self.http_version)
            .field("tls", &self.tls)
            .field("proxy", &self.proxy)
            .field("open_timeout", &self.open_timeout)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        use zeroize::Zeroize as _;
        self.url.zeroize();
        self.headers.iter_mut().for_each(|(_, value)| value.zeroize());
        self.signing_secrets.zeroize();
        if let Some(proxy) = &mut self.proxy {
            proxy.url.zeroize();
        }
    }
}

/// One attempt's message.
#[derive(Clone, Debug)]
pub struct Message {
    /// The batch's id: the same on each attempt.
    pub webhook_id: WebhookId,
    /// Unix seconds of this attempt.
    pub timestamp_s: u64,
    /// Of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
    /// A user has it sent on purpose, once more.
    pub repeat: Option<Repeat>,
}

/// What tells a receiver that it is sent again what it may have got before, under another id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// Number of the replay: the header `hitwire-replay`.
    pub replay: u32,
    /// What is sent again, if it is not just a part of the log: the header `hitwire-resend-of`. The `webhook-id` of a batch,
    /// the id of an event, or the word `undelivered`.
    pub resend_of: Option<Box<str>>,
}

/// A private key in PEM, wiped when dropped.
pub type KeyPem = Zeroizing<String>;
