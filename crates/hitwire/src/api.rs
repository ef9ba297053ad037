//! A small client of hitwire's own HTTP API: for `import`, for the demo, and for tests of the real binary.

use bytes::Bytes;
use hitwire_log::Secret;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

/// Connecting, TLS included, must be done by then.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// An answer must be there by then: the server may wait for a slow disk, but not for ever.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);

/// No answer of the API is as long as this.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Where the server is, and who asks.
#[derive(Clone, Debug)]
pub struct Client {
    server: Url,
    token: Option<Secret>,
    tls: Option<Arc<ClientConfig>>,
}

/// A connection to the server; it carries one request after the other.
#[derive(Debug)]
pub struct Connection {
    client: Client,
    sender: SendRequest<Full<Bytes>>,
}

/// What the server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No address of a server.
    #[error("{url} is not the address of a hitwire server: {problem}; it looks like http://127.0.0.1:8419")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Certificates that cannot be used.
    #[error("the CA certificates cannot be used: {0}")]
    Authority(String),
    /// A token with characters that no header may hold.
    #[error("the token holds characters that cannot stand in a request header")]
    Token,
    /// Nobody there, or not who was expected.
    #[error("cannot connect to {server}: {source}; is hitwire serve running there?")]
    Connect {
        /// Where.
        server: String,
        /// Why.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to {server} broke: {source}")]
    Broken {
        /// Where.
        server: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer.
    #[error("{server} did not answer within {} s", within.as_secs())]
    Timeout {
        /// Where.
        server: String,
        /// How long it was waited.
        within: Duration,
    },
    /// An answer, but a refusal.
    #[error("{server} answered {status}: {detail}")]
    Refused {
        /// Where.
        server: String,
        /// The status.
        status: StatusCode,
        /// What it says.
        detail: String,
    },
    /// An answer that is not what the API answers.
    #[error("{server} does not answer like hitwire: {problem}")]
    Strange {
        /// Where.
        server: String,
        /// What is strange.
        problem: String,
    },
}

impl Client {
    /// A client of the server at `url` (`http://127.0.0.1:8419`). Its certificate is verified with the public roots, or,
    /// if given, with `ca_pem` in their place.
    pub fn new(url: &str, token: Option<Secret>, ca_pem: Option<&str>) -> Result<Self, ApiError> {
        let address = |problem: String| ApiError::Address { url: url.to_owned(), problem };
        let server = Url::parse(url).map_err(|error| address(error.to_string()))?;
        let tls = match server.scheme() {
            "http" => None,
            "https" => Some(Arc::new(tls_config(ca_pem)?)),
            scheme => return Err(address(format!("{scheme} is neither http nor https"))),
        };
        if !server.username().is_empty() || server.password().is_some() {
            return Err(address("a token does not belong into the address".to_owned()));
        }
        Ok(Client { server, token, tls })
    }

    /// The server's address, for messages.
    pub fn server(&self) -> String {
        self.server.as_str().trim_end_matches('/').to_owned()
    }

    /// Opens a connection.
    pub async fn connect(&self) -> Result<Connection, ApiError> {
        match tokio::time::timeout(CONNECT_WITHIN, self.dial()).await {
            Ok(Ok(sender)) => Ok(Connection { client: self.clone(), sender }),
            Ok(Err(source)) => Err(ApiError::Connect { server: self.server(), source }),
            Err(_) => Err(ApiError::Timeout { server: self.server(), within: CONNECT_WITHIN }),
        }
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

    async fn dial(&self) -> io::Result<SendRequest<Full<Bytes>>> {
        let no_host = || io::Error::new(io::ErrorKind::InvalidInput, "the address names no host");
        let host = self.server.host().ok_or_else(no_host)?;
        let port = self.server.port_or_known_default().ok_or_else(no_host)?;
        let stream = match &host {
            Host::Domain(name) => TcpStream::connect((*name, port)).await?,
            Host::Ipv4(address) => TcpStream::connect((*address, port)).await?,
            Host::Ipv6(address) => TcpStream::connect((*address, port)).await?,
        };
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return open(stream).await };
        let name = match host {
            Host::Domain(name) => ServerName::try_from(name.to_owned()).map_err(io::Error::other)?,
            Host::Ipv4(address) => ServerName::from(std::net::IpAddr::V4(address)),
            Host::Ipv6(address) => ServerName::from(std::net::IpAddr::V6(address)),
        };
        open(TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?).await
    }
}

async fn open(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> io::Result<SendRequest<Full<Bytes>>> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // Ends with the connection; what breaks it is reported to the request that is under way.
    tokio::spawn(connection);
    Ok(sender)
}

fn tls_config(ca_pem: Option<&str>) -> Result<ClientConfig, ApiError> {
    let mut roots = RootCertStore::empty();
    match ca_pem {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|error| ApiError::Authority(error.to_string()))?;
                roots.add(certificate).map_err(|error| ApiError::Authority(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(ApiError::Authority("there is no certificate in PEM".to_owned()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ApiError::Authority(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
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

impl Connection {
    /// Sends a request and waits for the whole answer.
    pub async fn request(
        &mut self,
        method: Method,
        path: &str,
        body: impl Into<Body>,
    ) -> Result<Answer, ApiError> {
        let server = self.client.server();
        let request = self.client.request_for(method, path, body.into())?;
        let broken = |source: Box<dyn std::error::Error + Send + Sync>| ApiError::Broken {
            server: server.clone(),
            source,
        };
        let answer = async {
            let response = self.sender.send_request(request).await.map_err(|error| broken(error.into()))?;
            let status = response.status();
            let body =
                Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(broken)?;
            Ok(Answer { status, body: body.to_bytes() })
        };
        match tokio::time::timeout(ANSWER_WITHIN, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(ApiError::Timeout { server: server.clone(), within: ANSWER_WITHIN }),
        }
    }
}

impl Client {
    fn request_for(&self, method: Method, path: &str, body: Body) -> Result<Request<Full<Bytes>>, ApiError> {
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
        request
            .body(Full::new(body))
            .map_err(|error| ApiError::Address { url: path.to_owned(), problem: error.to_string() })
    }
}

/// What the API says of a refusal (RFC 9457).
#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
}

impl Answer {
    /// The answer's body, if the request succeeded; else what the server has against it.
    pub fn successful<T: DeserializeOwned>(&self, client: &Client) -> Result<T, ApiError> {
        let server = client.server();
        if self.status.is_success() {
            let strange = |error: serde_json::Error| ApiError::Strange { server, problem: error.to_string() };
            return serde_json::from_slice(&self.body).map_err(strange);
        }
        let detail = match serde_json::from_slice(&self.body) {
            Ok(Problem { detail, title }) if detail.is_empty() => title,
            Ok(Problem { detail, .. }) => detail,
            Err(_) => "it does not say why".to_owned(),
        };
        Err(ApiError::Refused { server, status: self.status, detail })
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
        let request = client.request_for(Method::GET, "/healthz", Body::Empty).unwrap();
        assert_eq!(request.uri(), "/hitwire/healthz");
        assert_eq!(request.headers()[HOST], "example.com");
    }

    #[test]
    fn a_refusal_says_what_the_server_says() {
        let client = Client::new("http://127.0.0.1:8419", None, None).unwrap();
        let body = Bytes::from_static(br#"{"title":"Unauthorized","detail":"this token is not known"}"#);
        let answer = Answer { status: StatusCode::UNAUTHORIZED, body };
        let refused = answer.successful::<serde_json::Value>(&client).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "http://127.0.0.1:8419 answered 401 Unauthorized: this token is not known"
        );
    }
}
