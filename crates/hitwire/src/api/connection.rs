//! One connection to the server.

use super::{Answer, ApiError, Body, Client};
use bytes::{Buf, Bytes, BytesMut};
use hitwire_endpoint::PemText;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Host;

/// Connecting, TLS included, must be done by then.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// No answer of the API is as long as this.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// No line of an answer that goes on is as long as this: an event has at most 1 MiB.
const LINE_BYTES_MAX: usize = 4 << 20;

/// A connection to the server; it carries one request after the other.
#[derive(Debug)]
pub struct Connection {
    client: Client,
    sender: SendRequest<Full<Bytes>>,
}

/// An answer that goes on, line by line.
#[derive(Debug)]
pub struct Lines {
    server: String,
    body: Incoming,
    buffer: BytesMut,
    /// Of the buffer, so much holds no line's end.
    searched: usize,
    /// The connection belongs to the answer: it ends with it.
    _sender: SendRequest<Full<Bytes>>,
}

impl Client {
    /// Opens a connection.
    pub async fn connect(&self) -> Result<Connection, ApiError> {
        match timeout(CONNECT_WITHIN, self.dial()).await {
            Ok(Ok(sender)) => Ok(Connection { client: self.clone(), sender }),
            Ok(Err(source)) => Err(ApiError::Connect { server: self.server(), source }),
            Err(_) => Err(ApiError::Timeout { server: self.server(), within: CONNECT_WITHIN }),
        }
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

pub(super) fn tls_config(ca_pem: Option<&str>) -> Result<ClientConfig, ApiError> {
    let mut roots = RootCertStore::empty();
    match ca_pem {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            let text = PemText::read(pem).map_err(|error| ApiError::Authority(error.to_string()))?;
            for (index, certificate) in text.certificates.into_iter().enumerate() {
                roots.add(certificate).map_err(|_| {
                    ApiError::Authority(format!("certificate {} cannot be used as a CA", index + 1))
                })?;
            }
            if roots.is_empty() {
                return Err(ApiError::Authority("there is no certificate in PEM".to_owned()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_details(provider, Arc::new(hitwire_endpoint::WallClock))
        .with_safe_default_protocol_versions()
        .map_err(|error| ApiError::Authority(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

impl Connection {
    /// Whether the other side has closed it, so that a further request needs another one.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Sends a request and waits for the whole answer.
    pub async fn request(
        &mut self,
        method: Method,
        path: &str,
        body: impl Into<Body>,
    ) -> Result<Answer, ApiError> {
        self.request_with(method, path, HeaderMap::new(), body).await
    }

    /// Sends a request with headers of its own and waits for the whole answer.
    pub async fn request_with(
        &mut self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: impl Into<Body>,
    ) -> Result<Answer, ApiError> {
        let request = self.client.request_for(method, path, headers, body.into())?;
        let server = self.client.server();
        let within = self.client.answer_within;
        let answer = async {
            let response = self.send(request).await?;
            collected(response, &server).await
        };
        match timeout(within, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(ApiError::Timeout { server: self.client.server(), within }),
        }
    }

    /// Asks for an answer that goes on. A refusal is an answer like any other, and an error here.
    pub async fn lines(mut self, path: &str) -> Result<Lines, ApiError> {
        let request = self.client.request_for(Method::GET, path, HeaderMap::new(), Body::Empty)?;
        let server = self.client.server();
        let within = self.client.answer_within;
        let head = async {
            let response = self.send(request).await?;
            if response.status() == StatusCode::OK {
                return Ok(response);
            }
            let refused =
                collected(response, &server).await?.successful::<serde::de::IgnoredAny>(&self.client);
            let strange = || ApiError::Strange {
                server: server.clone(),
                problem: "it neither answers nor refuses".to_owned(),
            };
            Err(refused.err().unwrap_or_else(strange))
        };
        let Ok(response) = timeout(within, head).await else {
            return Err(ApiError::Timeout { server: self.client.server(), within });
        };
        Ok(Lines {
            server: self.client.server(),
            body: response?.into_body(),
            buffer: BytesMut::new(),
            searched: 0,
            _sender: self.sender,
        })
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, ApiError> {
        // The connection may still be occupied with the end of the answer before.
        let sent = match self.sender.ready().await {
            Ok(()) => self.sender.send_request(request).await,
            Err(error) => Err(error),
        };
        sent.map_err(|error| ApiError::Broken { server: self.client.server(), source: error.into() })
    }
}

async fn collected(response: Response<Incoming>, server: &str) -> Result<Answer, ApiError> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|source| ApiError::Broken { server: server.to_owned(), source })?;
    Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
}

impl Lines {
    /// The next line, without its end; an empty one is a sign of life. None: the server ended the answer.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            if let Some(length) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + length).freeze();
                self.buffer.advance(1);
                self.searched = 0;
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            if self.searched > LINE_BYTES_MAX {
                let problem = format!("a line has more than {LINE_BYTES_MAX} bytes");
                return Err(ApiError::Strange { server: self.server.clone(), problem });
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(chunk) = frame.into_data() {
                        self.buffer.extend_from_slice(&chunk);
                    }
                }
                Some(Err(error)) => {
                    return Err(ApiError::Broken { server: self.server.clone(), source: error.into() });
                }
            }
        }
    }
}
