//! A small client of hitwire's own HTTP API: for the commands that talk to a running server, for the demo, and for tests of
//! the real binary.
//!
//! The cast:
//!
//! - [`Client`]: where the server is and who asks.
//! - [`Connection`]: one connection, which carries one request after the other; [`Lines`]: an answer that goes on.
//! - [`Answer`], [`ApiError`], [`FieldError`]: what the server says.

mod answer;
mod connection;

pub use answer::{Answer, ApiError, FieldError};
pub use connection::{Connection, Lines};

use bytes::Bytes;
use hitwire_store::Secret;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::Full;
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// An answer must be there by then: the server may wait for a slow disk, but not for ever.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);

/// Where the server is, and who asks.
#[derive(Clone, Debug)]
pub struct Client {
    server: Url,
    token: Option<Secret>,
    tls: Option<Arc<ClientConfig>>,
    answer_within: Duration,
}

impl Client {
    /// A client of the server at `url` (`http://127.0.0.1:8419`). Its certificate is verified with the public roots, or,
    /// if given, with `ca_pem` in their place.
    pub fn new(url: &str, token: Option<Secret>, ca_pem: Option<&str>) -> Result<Self, ApiError> {
        let address = |problem: String| ApiError::Address { url: url.to_owned(), problem };
        let server = Url::parse(url).map_err(|error| address(error.to_string()))?;
        let tls = match server.scheme() {
            "http" => None,
            "https" => Some(Arc::new(connection::tls_config(ca_pem)?)),
            scheme => return Err(address(format!("{scheme} is neither http nor https"))),
        };
        if !server.username().is_empty() || server.password().is_some() {
            return Err(address("a token does not belong into the address".to_owned()));
        }
        Ok(Client { server, token, tls, answer_within: ANSWER_WITHIN })
    }

    /// The same client, which waits so long for an answer.
    #[must_use]
    pub fn waiting(self, answer_within: Duration) -> Self {
        Client { answer_within, ..self }
    }

    /// The server's address, for messages.
    pub fn server(&self) -> String {
        self.server.as_str().trim_end_matches('/').to_owned()
    }

    /// Whether what is sent to the server can be read on the way.
    pub fn is_in_clear(&self) -> bool {
        self.tls.is_none()
    }

    /// Whether the server is on this machine, as its address says.
    pub fn is_local(&self) -> bool {
        match self.server.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// The same client with a token.
    #[must_use]
    pub fn with_token(self, token: Secret) -> Self {
        Client { token: Some(token), ..self }
    }

    /// One request on a connection of its own.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Body>,
    ) -> Result<Answer, ApiError> {
        self.connect().await?.request(method, path, body).await
    }

    fn request_for(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Body,
    ) -> Result<Request<Full<Bytes>>, ApiError> {
        let (content_type, body) = match body {
            Body::Empty => (None, Bytes::new()),
            Body::Json(body) => (Some("application/json"), body),
            Body::Lines(body) => (Some("application/x-ndjson"), body),
        };
        let (host, port) = (self.server.host_str().unwrap_or_default(), self.server.port());
        let host = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let base = self.server.path().trim_end_matches('/');
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{base}{path}"))
            .header(HOST, host)
            .header(USER_AGENT, concat!("hitwire/", env!("CARGO_PKG_VERSION")));
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        if let Some(token) = &self.token {
            let mut value =
                HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| ApiError::Token)?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let mut request = request
            .body(Full::new(body))
            .map_err(|error| ApiError::Address { url: path.to_owned(), problem: error.to_string() })?;
        request.headers_mut().extend(headers);
        Ok(request)
    }
}

/// What a request carries.
#[derive(Clone, Debug)]
pub enum Body {
    /// Nothing.
    Empty,
    /// A JSON document.
    Json(Bytes),
    /// JSON objects, one a line.
    Lines(Bytes),
}

impl From<()> for Body {
    fn from((): ()) -> Self {
        Body::Empty
    }
}

impl From<serde_json::Value> for Body {
    fn from(value: serde_json::Value) -> Self {
        Body::Json(value.to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_server_is_refused_in_words() {
        for url in ["127.0.0.1:8419", "ftp://a/", "", "http://token@a/"] {
            let refused = Client::new(url, None, None).unwrap_err().to_string();
            assert!(refused.contains("is not the address of a hitwire server"), "{refused}");
        }
    }

    #[test]
    fn a_path_of_the_server_comes_before_that_of_the_call() {
        let client = Client::new("https://example.com/hitwire/", None, None).unwrap();
        let request = client.request_for(Method::GET, "/healthz", HeaderMap::new(), Body::Empty).unwrap();
        assert_eq!(request.uri(), "/hitwire/healthz");
        assert_eq!(request.headers()[HOST], "example.com");
    }

    #[test]
    fn only_loopback_addresses_are_this_machine() {
        for (url, local) in [
            ("http://127.0.0.1:8419", true),
            ("https://[::1]", true),
            ("http://localhost:1", true),
            ("http://localhost.example.com", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(Client::new(url, None, None).unwrap().is_local(), local, "{url}");
        }
    }
}
