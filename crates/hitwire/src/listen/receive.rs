//! The receiving end of webhooks: accepts connections, reads requests, hands notifications over, answers.

use super::behaviour::Answers;
use super::notification::{self, Received, Signature};
use bytes::Bytes;
use hitwire_endpoint::sign::{self, Signed};
use http::header::ALLOW;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A body longer than this is refused with 413. hitwire's own batches end at 5 MiB.
pub const BODY_BYTES_MAX: usize = 8 << 20;

/// Connections at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 256;

/// Bodies that are read at once; further requests wait. With the notifications that wait to be shown they bound memory.
pub(super) const BODIES_MAX: usize = 32;

/// A client that connects has so long to finish the TLS handshake.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// So long a connection may lie idle, or take to send a request's headers. Senders keep idle connections for a minute.
const HEADERS_WITHIN: Duration = Duration::from_secs(90);

/// A request's body must be there so long after its headers.
const BODY_WITHIN: Duration = Duration::from_mins(1);

/// A failed `accept` (too many open files) is tried again after this.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Something that went wrong between a client and the listener, before there was a notification.
#[derive(Debug)]
pub struct Trouble {
    /// The client.
    pub peer: SocketAddr,
    /// What happened, in words.
    pub what: String,
}

/// The secrets that signatures are checked with; more may become known while the listener runs.
pub(super) type Secrets = Arc<RwLock<Vec<String>>>;

/// What all connections share.
pub(super) struct Receiver {
    pub(super) secrets: Secrets,
    pub(super) answers: Answers,
    pub(super) bodies: Semaphore,
    pub(super) received: mpsc::Sender<Received>,
    pub(super) troubles: mpsc::Sender<Trouble>,
}

impl Receiver {
    /// Accepts connections until `stop`; each is served by a task of `tasks`.
    pub(super) async fn accept(
        self: Arc<Self>,
        listener: TcpListener,
        tls: TlsAcceptor,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) {
        let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let accepted = async {
                // The semaphore is never closed, so the permit is always there.
                let permit = Arc::clone(&free).acquire_owned().await.ok();
                (permit, listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                () = stop.cancelled() => return,
                accepted = accepted => accepted,
            };
            let Ok((stream, peer)) = accepted else {
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                continue;
            };
            let receiver = Arc::clone(&self);
            let connection = receiver.serve(stream, peer, tls.clone(), stop.clone());
            tasks.spawn(async move {
                connection.await;
                drop(permit);
            });
        }
    }

    async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        tls: TlsAcceptor,
        stop: CancellationToken,
    ) {
        // Answers are small: they must not wait for more to send. Without it they only come later.
        let _ = stream.set_nodelay(true);
        let stream = match tokio::time::timeout(HANDSHAKE_WITHIN, tls.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return self.trouble(peer, format!("the TLS handshake failed: {error}")),
            Err(_) => return self.trouble(peer, "the TLS handshake was not finished in time".to_owned()),
        };
        let service = service_fn(|request| {
            let receiver = Arc::clone(&self);
            async move { Ok::<_, Infallible>(receiver.answer(peer, request).await) }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
        builder.http2().timer(TokioTimer::new());
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        // A connection that breaks shows in the sender's own log; here it would only be noise.
        tokio::select! {
            _ = connection.as_mut() => return,
            () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }

    async fn answer(&self, peer: SocketAddr, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::POST | Method::PUT) {
            let mut response = text(
                StatusCode::METHOD_NOT_ALLOWED,
                "This is hitwire listen: send notifications here by POST or PUT.\n",
            );
            response.headers_mut().insert(ALLOW, http::HeaderValue::from_static("POST, PUT"));
            return response;
        }
        let (parts, body) = request.into_parts();
        // Held until the body is handed over. The semaphore is never closed.
        let reading = self.bodies.acquire().await.ok();
        let body = match tokio::time::timeout(BODY_WITHIN, Limited::new(body, BODY_BYTES_MAX).collect()).await
        {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                self.trouble(peer, format!("a body of more than {} MiB was refused", BODY_BYTES_MAX >> 20));
                return text(StatusCode::PAYLOAD_TOO_LARGE, "The body is longer than the listener takes.\n");
            }
            Ok(Err(error)) => {
                self.trouble(peer, format!("a request broke off in its body: {error}"));
                return text(StatusCode::BAD_REQUEST, "The body broke off.\n");
            }
            Err(_) => {
                self.trouble(peer, "a request's body did not arrive in time".to_owned());
                return text(StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time.\n");
            }
        };
        let (at, arrived) = (SystemTime::now(), Instant::now());
        let status = self.answers.next();
        let received = Received {
            at,
            arrived,
            peer,
            method: parts.method.to_string(),
            path: parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            webhook_id: header(&parts.headers, "webhook-id"),
            objects: notification::objects(&body),
            signature: self.signature(&parts.headers, &body, at),
            body,
            answered: status,
        };
        // Handed over before it is answered: what the sender takes for delivered was seen. If nobody listens any more,
        // the listener is about to stop, and the sender must keep the batch.
        if self.received.send(received).await.is_err() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "The listener is stopping.\n");
        }
        drop(reading);
        tokio::time::sleep(self.answers.slow()).await;
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        text(status, if status.is_success() { "" } else { "This failure was asked for with --fail.\n" })
    }

    fn signature(&self, headers: &HeaderMap, body: &[u8], at: SystemTime) -> Signature {
        let Some(signature) = header(headers, "webhook-signature") else { return Signature::Unsigned };
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        if secrets.is_empty() {
            return Signature::NotChecked;
        }
        let id = header(headers, "webhook-id").unwrap_or_default();
        let timestamp = header(headers, "webhook-timestamp").unwrap_or_default();
        let signed = Signed { id: &id, timestamp: &timestamp, signature: &signature };
        let now_s = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        match sign::verify(&secrets, signed, body, now_s) {
            Ok(()) => Signature::Verified,
            Err(why) => Signature::Wrong(why.to_string()),
        }
    }

    /// Best effort: where nobody reads troubles, they are not collected.
    fn trouble(&self, peer: SocketAddr, what: String) {
        let _ = self.troubles.try_send(Trouble { peer, what });
    }
}

/// A header as text; bytes that are not UTF-8 are replaced, which no valid id or signature survives.
fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    response
}
