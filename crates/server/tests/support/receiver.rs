//! A receiver of notifications on loopback, in clear or over TLS.

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::server::Acceptor;
use serde_json::Value;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::LazyConfigAcceptor;

/// One request that came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) answered: u16,
}

/// Keeps what it receives.
pub(crate) struct Receiver {
    addr: SocketAddr,
    /// PEM of the certificate that it shows; none if it talks in clear.
    certificate: Option<String>,
    shared: Arc<Shared>,
}

struct Shared {
    status: AtomicU16,
    repeats: AtomicBool,
    /// The body of its answers.
    says: Mutex<Bytes>,
    /// Answers wait as long as this is true.
    holds: watch::Sender<bool>,
    received: Mutex<Vec<Received>>,
    /// What each TLS handshake offered by ALPN.
    offered: Mutex<Vec<Vec<String>>>,
}

impl Receiver {
    /// Answers 200 until told otherwise.
    pub(crate) async fn start() -> Receiver {
        Receiver::listening(None, None).await
    }

    /// The same over TLS, with a certificate of its own making.
    pub(crate) async fn start_https() -> Receiver {
        Receiver::start_tls(&[]).await
    }

    /// The same, and it takes HTTP/2 before HTTP/1.1.
    pub(crate) async fn start_http2() -> Receiver {
        Receiver::start_tls(&[b"h2", b"http/1.1"]).await
    }

    async fn start_tls(protocols: &[&[u8]]) -> Receiver {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .expect("a key that fits");
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Receiver::listening(Some(Arc::new(config)), Some(made.cert.pem())).await
    }

    async fn listening(tls: Option<Arc<ServerConfig>>, certificate: Option<String>) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let addr = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            status: AtomicU16::new(200),
            repeats: AtomicBool::new(false),
            says: Mutex::default(),
            holds: watch::Sender::new(false),
            received: Mutex::default(),
            offered: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, tls) = (Arc::clone(&serving), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, shared).await,
                        Some(tls) => serve_tls(stream, tls, shared).await,
                    }
                });
            }
        });
        Receiver { addr, certificate, shared }
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/hook?key=in-the-query", self.addr)
    }

    /// What whoever sends to it must trust.
    pub(crate) fn certificate(&self) -> &str {
        self.certificate.as_deref().expect("it talks TLS")
    }

    /// From now on its answers repeat the request's headers, in a header and in the body.
    pub(crate) fn repeat(&self) {
        self.shared.repeats.store(true, Ordering::SeqCst);
    }

    /// The body of its answers from now on.
    pub(crate) fn say(&self, words: &str) {
        *self.shared.says.lock().expect("not poisoned") = Bytes::copy_from_slice(words.as_bytes());
    }

    /// Keeps its answers back from now on, or gives them.
    pub(crate) fn hold(&self, holds: bool) {
        self.shared.holds.send_replace(holds);
    }

    /// The `notification_type`s of all objects that came, in the order in which they came, whatever it answered.
    pub(crate) fn told(&self) -> Vec<String> {
        let objects = |received: Received| match serde_json::from_slice(&received.body) {
            Ok(Value::Array(objects)) => objects,
            other => panic!("not an array: {other:?}"),
        };
        let told = self.received().into_iter().flat_map(objects);
        told.map(|object| object["notification_type"].as_str().unwrap_or("none").to_owned()).collect()
    }

    /// All objects that it took, in the order in which they came.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let taken = self.received().into_iter().filter(|received| received.answered < 300);
        taken
            .flat_map(|received| match serde_json::from_slice(&received.body) {
                Ok(Value::Array(objects)) => objects,
                other => panic!("not an array: {other:?}"),
            })
            .collect()
    }

    /// Waits until it has taken so many objects.
    pub(crate) async fn until_objects(&self, number: usize) {
        super::until(async || self.objects().len() >= number).await;
    }

    /// The protocols that each TLS handshake offered by ALPN.
    pub(crate) fn offered(&self) -> Vec<Vec<String>> {
        self.shared.offered.lock().expect("not poisoned").clone()
    }

    /// Answers this from now on.
    pub(crate) fn answer(&self, status: u16) {
        self.shared.status.store(status, Ordering::SeqCst);
    }

    /// Everything that came.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().expect("not poisoned").clone()
    }

    /// The second part of the ids of all hits that were answered 2xx, in the order in which they came.
    pub(crate) fn delivered(&self) -> Vec<String> {
        let objects = |received: Received| match serde_json::from_slice(&received.body) {
            Ok(Value::Array(objects)) => objects,
            other => panic!("not an array: {other:?}"),
        };
        let delivered = self.received().into_iter().filter(|received| received.answered < 300);
        delivered.flat_map(objects).map(|hit| hit["id"][1].as_str().expect("an id").to_owned()).collect()
    }
}

async fn serve_tls(stream: TcpStream, tls: Arc<ServerConfig>, shared: Arc<Shared>) {
    let Ok(start) = LazyConfigAcceptor::new(Acceptor::default(), stream).await else { return };
    let offered = start.client_hello().alpn().into_iter().flatten();
    let offered = offered.map(|protocol| String::from_utf8_lossy(protocol).into_owned()).collect();
    shared.offered.lock().expect("not poisoned").push(offered);
    if let Ok(stream) = start.into_stream(tls).await {
        serve(stream, shared).await;
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, shared: Arc<Shared>) {
    let service = service_fn(move |request| receive(Arc::clone(&shared), request));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().max_headers(10_000);
    // A connection that is broken off is the sender's matter.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

async fn receive(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let status = shared.status.load(Ordering::SeqCst);
    let (head, body) = request.into_parts();
    let repeated = format!("you sent {:?}", head.headers);
    if let Ok(body) = body.collect().await {
        let received = Received {
            path: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            version: head.version,
            headers: head.headers,
            body: body.to_bytes(),
            answered: status,
        };
        shared.received.lock().expect("not poisoned").push(received);
    }
    // The sender of `holds` is in `shared`: it outlives the wait.
    let _ = shared.holds.subscribe().wait_for(|holds| !holds).await;
    let says = shared.says.lock().expect("not poisoned").clone();
    let mut response = Response::new(Full::new(says));
    if shared.repeats.load(Ordering::SeqCst) {
        response.headers_mut().insert("x-repeated", repeated.parse().expect("a value"));
        *response.body_mut() = Full::new(format!("\u{1b}[2J{repeated}\n").into());
    }
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    Ok(response)
}
