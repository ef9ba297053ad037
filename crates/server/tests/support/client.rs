//! A caller of the API: one connection for each request, no redirects, no retries.

use super::described::assert_described;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::fmt::Write as _;
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }

    /// The body as JSON, of an answer with this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// What a reader of the answer sees: status, the headers that matter, the body.
    pub(crate) fn shown(&self) -> String {
        let mut shown = format!("{}\n", self.status);
        for name in ["content-type", "retry-after", "www-authenticate", "allow"] {
            if let Some(value) = self.headers.get(name) {
                writeln!(shown, "{name}: {}", value.to_str().expect("text")).expect("written");
            }
        }
        format!("{shown}\n{}", serde_json::to_string_pretty(&self.json()).expect("JSON"))
    }
}

/// Somebody with a token, or without.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) addr: SocketAddr,
    pub(crate) token: Option<String>,
}

impl Caller {
    /// A request with a JSON body.
    pub(crate) async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.send_bytes(method, path, &[("content-type", "application/json")], body.to_string()).await
    }

    /// A request without a body.
    pub(crate) async fn call(&self, method: &str, path: &str) -> Answer {
        self.send_bytes(method, path, &[], "").await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path).await
    }

    /// A request with just these headers, and the token.
    pub(crate) async fn send_bytes(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", self.addr.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = ask(self.addr, request.body(Full::new(body.into())).expect("a request")).await;
        // What the HTTP server itself refuses (a head that is too large) is no answer of a call.
        if answer.headers.contains_key("content-type") {
            assert_described(method, path, answer.status);
        }
        answer
    }
}

/// Sends a request as it is.
pub(crate) async fn ask(addr: SocketAddr, request: Request<Full<Bytes>>) -> Answer {
    let stream = TcpStream::connect(addr).await.expect("connected");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    tokio::spawn(connection);
    let response = sender.send_request(request).await.expect("an answer");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("the whole answer").to_bytes();
    Answer { status: head.status, headers: head.headers, body }
}
