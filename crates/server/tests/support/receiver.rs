//! A receiver of notifications, in clear, on loopback.

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// One request that came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) answered: u16,
}

/// Keeps what it receives.
pub(crate) struct Receiver {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    status: AtomicU16,
    received: Mutex<Vec<Received>>,
}

impl Receiver {
    /// Answers 200 until told otherwise.
    pub(crate) async fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let addr = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { status: AtomicU16::new(200), received: Mutex::default() });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                let service = service_fn(move |request| receive(Arc::clone(&shared), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Receiver { addr, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook?key=in-the-query", self.addr)
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

async fn receive(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let status = shared.status.load(Ordering::SeqCst);
    let (head, body) = request.into_parts();
    if let Ok(body) = body.collect().await {
        let received = Received {
            path: head.uri.to_string(),
            headers: head.headers,
            body: body.to_bytes(),
            answered: status,
        };
        shared.received.lock().expect("not poisoned").push(received);
    }
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    Ok(response)
}
