//! Receivers: real servers that answer by a script, or whose every byte is written by the test.

use bytes::Bytes;
use http::{HeaderMap, Method, Response, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) authority: Option<String>,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Counted from 1, over all connections.
    pub(crate) number: usize,
}

pub(crate) type Answer = Response<BoxBody<Bytes, Infallible>>;

/// An answer with a whole body.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Full::new(body.into()).boxed()).unwrap()
}

/// The usual answer.
pub(crate) fn ok(_: &Seen) -> Answer {
    answer(200, &[], "")
}

/// A server; stops accepting when dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    peers: Arc<Mutex<Vec<IpAddr>>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Both directions of a connection, plain or TLS.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}
pub(crate) type Wire = Box<dyn Duplex>;

type Conversation = Arc<dyn Fn(Wire, usize) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

impl Receiver {
    /// Plain HTTP.
    pub(crate) async fn http(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Receiver {
        Receiver::scripted(None, script).await
    }

    /// HTTPS.
    pub(crate) async fn https(
        config: ServerConfig,
        script: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Receiver {
        Receiver::scripted(Some(config), script).await
    }

    async fn scripted(
        config: Option<ServerConfig>,
        script: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Receiver {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let script = Arc::new(script);
        let of_all = seen.clone();
        let conversation = move |wire: Wire, _: usize| {
            let (seen, script) = (seen.clone(), script.clone());
            let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let (seen, script) = (seen.clone(), script.clone());
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await?.to_bytes();
                    let one = {
                        let mut seen = seen.lock().unwrap();
                        let one = Seen {
                            method: head.method,
                            path: head.uri.path_and_query().unwrap().to_string(),
                            authority: head.uri.authority().map(ToString::to_string),
                            version: head.version,
                            headers: head.headers,
                            body,
                            number: seen.len() + 1,
                        };
                        seen.push(one.clone());
                        one
                    };
                    hyper::Result::Ok(script(&one))
                }
            });
            async move {
                let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                // Clients of these tests break off in every way; what matters is what they say.
                let _ = builder.serve_connection(TokioIo::new(wire), service).await;
            }
        };
        let mut receiver = Receiver::talking(config, conversation).await;
        receiver.seen = of_all;
        receiver
    }

    /// Every byte is the test's: the conversation gets each connection (after the TLS handshake) and its number.
    pub(crate) async fn talking<F>(
        config: Option<ServerConfig>,
        conversation: impl Fn(Wire, usize) -> F + Send + Sync + 'static,
    ) -> Receiver
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections: Arc<AtomicUsize> = Arc::default();
        let counted = connections.clone();
        let peers: Arc<Mutex<Vec<IpAddr>>> = Arc::default();
        let came = peers.clone();
        let acceptor = config.map(|config| TlsAcceptor::from(Arc::new(config)));
        let conversation: Conversation = Arc::new(move |wire, number| Box::pin(conversation(wire, number)));
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, peer) = listener.accept().await.unwrap();
                came.lock().unwrap().push(peer.ip());
                let number = counted.fetch_add(1, SeqCst) + 1;
                let (acceptor, conversation) = (acceptor.clone(), conversation.clone());
                tokio::spawn(async move {
                    let wire: Wire = match acceptor {
                        None => Box::new(stream),
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => Box::new(stream),
                            Err(_) => return,
                        },
                    };
                    conversation(wire, number).await;
                });
            }
        });
        Receiver { address, seen: Arc::default(), connections, peers, accepting }
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The only request so far.
    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1);
        seen[0].clone()
    }

    /// How many connections were accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// Where they came from.
    pub(crate) fn peers(&self) -> Vec<IpAddr> {
        self.peers.lock().unwrap().clone()
    }

    pub(crate) fn http_url(&self) -> String {
        format!("http://{}:{}{}", super::authority::NAME, self.address.port(), super::support::SECRET_PATH)
    }

    pub(crate) fn https_url(&self) -> String {
        format!("https://{}:{}{}", super::authority::NAME, self.address.port(), super::support::SECRET_PATH)
    }
}

/// Reads one HTTP/1.1 request with a `content-length` to its end; false if the connection ended before one came.
pub(crate) async fn read_request(wire: &mut Wire) -> bool {
    read_head(wire).await.is_some()
}

/// The same; its head as it came.
pub(crate) async fn read_head(wire: &mut Wire) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(wire.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let lower = head.to_ascii_lowercase();
    let length = lower.split("content-length:").nth(1).and_then(|rest| rest.lines().next());
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
    wire.read_exact(&mut body).await.ok()?;
    Some(head)
}

/// Writes raw bytes.
pub(crate) async fn write(wire: &mut Wire, bytes: impl AsRef<[u8]>) {
    // The client may be gone already; the test looks at what the client says.
    let _ = wire.write_all(bytes.as_ref()).await;
    let _ = wire.flush().await;
}

/// The shortest good answer.
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
