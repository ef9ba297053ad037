//! Connections: how many, how long they may take, and their encryption.

use crate::certificate::Certificate;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hitwire_api::{Open, Requests};
use hitwire_share::Peer;
use hitwire_share::{Holder, Share, Shares, UsedUp};
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use ipnet::IpNet;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_io_timeout::TimeoutWriter;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The head of a request arrives within this, counted from the end of the answer before; so it is also how long an idle
/// connection is kept.
const HEAD_READ_MAX: Duration = Duration::from_secs(30);

/// The head of a request: larger than the 8 KiB or 16 KiB that other servers and proxies take.
const HEAD_BYTES_MAX: usize = 32 << 10;

/// How much is read at once. 4,096 connections take 256 MiB at worst.
const BUFFER_BYTES_MAX: usize = 64 << 10;

/// Headers of a request.
const HEADERS_MAX: usize = 100;

/// A TLS handshake: two round trips and a signature, with room for the slowest line.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// An answer of which the other side takes no byte for this long is given up, with its connection.
const WRITE_STALL_MAX: Duration = Duration::from_secs(30);

/// How long to wait when the system gives no more connections (out of file descriptors, for example).
const ACCEPT_RETRY: Duration = Duration::from_millis(200);

/// The two ways in which connections end before the other side closes them.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    /// Take nothing new, finish what is under way.
    pub(crate) stop: CancellationToken,
    /// Drop what is under way.
    pub(crate) abort: CancellationToken,
}

/// What listens where.
#[derive(Debug)]
pub(crate) struct Door {
    /// Where connections come from.
    pub(crate) listener: TcpListener,
    /// None: they are in clear.
    pub(crate) certificate: Option<Arc<Certificate>>,
    /// What answers.
    pub(crate) router: Router,
    /// Counts.
    pub(crate) requests: Requests,
    /// Places for connections, those included whose handshake is under way.
    pub(crate) places: Places,
}

/// Places for connections, of which no address takes more than its share.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) shares: Shares<Holder>,
    /// Proxies bring the connections of many: they are bounded only together with all others.
    pub(crate) proxies: Vec<IpNet>,
}

impl Places {
    /// A place for a connection from this address, or none if the address has its share. Waits while all places are taken.
    async fn take(&self, address: IpAddr) -> Option<Share<Holder>> {
        let address = address.to_canonical();
        if self.proxies.iter().any(|proxies| proxies.contains(&address)) {
            return Some(self.shares.take_exempt(Holder::address(address), 1).await);
        }
        let holder = Holder::address(address);
        match self.shares.try_take(holder, 1) {
            Ok(share) => Some(share),
            Err(UsedUp::Own) => None,
            Err(UsedUp::All) => Some(self.shares.take(holder, 1).await),
        }
    }
}

/// Accepts and serves connections until told to stop. Each connection is a task of `tasks`.
pub(crate) async fn serve(door: Door, ending: Ending, tasks: TaskTracker) {
    let Door { listener, certificate, router, requests, places } = door;
    loop {
        let accepted = async {
            let (stream, peer) = listener.accept().await?;
            // Further connections wait in the kernel's queue while all places are taken.
            Ok((places.take(peer.ip()).await, stream, peer))
        };
        let accepted: io::Result<_> = tokio::select! {
            accepted = accepted => accepted,
            () = ending.stop.cancelled() => return,
        };
        match accepted {
            Ok((Some(place), stream, peer)) => {
                let acceptor = certificate.as_deref().map(Certificate::acceptor);
                let held = Held { _place: place, _open: requests.connected(), requests: requests.clone() };
                let answering =
                    Answering { router: TowerToHyperService::new(router.clone()), peer: Peer(peer) };
                tasks.spawn(connection(stream, acceptor, answering, ending.clone(), held));
            }
            // Closed at once: in the kernel's queue it would hold up the connections of others.
            Ok((None, ..)) => {}
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// What answers the requests of one connection, and knows from where they come.
struct Answering {
    router: TowerToHyperService<Router>,
    peer: Peer,
}

impl Service<Request<Incoming>> for Answering {
    type Response = Response;
    type Error = Infallible;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        self.router.call(request)
    }
}

/// What a connection holds as long as it is open.
struct Held {
    _place: Share<Holder>,
    _open: Open,
    requests: Requests,
}

async fn connection(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    answering: Answering,
    ending: Ending,
    held: Held,
) {
    // Answers are small and awaited; to hold them back for more would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let Some(acceptor) = acceptor else {
        return serve_http(stream, answering, ending).await;
    };
    let stream = tokio::select! {
        stream = handshake(stream, &acceptor) => stream,
        // Nothing was asked yet.
        () = ending.stop.cancelled() => return,
    };
    match stream {
        Some(stream) => serve_http(stream, answering, ending).await,
        None => held.requests.handshake_failed(),
    }
}

/// The handshake; none if it came to nothing, for which the other side was told why as far as it can be told.
async fn handshake<S>(stream: S, acceptor: &TlsAcceptor) -> Option<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!("a TLS handshake took too long");
            None
        }
    }
}

async fn serve_http<S>(stream: S, answering: Answering, ending: Ending)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_READ_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    // Whoever asks and does not read the answer must not hold it in memory for ever.
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(WRITE_STALL_MAX));
    let stream = Box::pin(stream);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), answering));
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = ending.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                served = connection.as_mut() => served,
                () = ending.abort.cancelled() => return,
            }
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Makes a thread of the runtime ready for serving connections whatever the system's clock says later.
///
/// The HTTP library keeps the header `date` for each thread and panics if the clock is set before 1970 when it first makes
/// one; once it has one it goes on with it. So it is made here, while the clock is right: give this to the runtime's
/// `on_thread_start`.
pub fn prepare_thread() {
    if SystemTime::now() < UNIX_EPOCH {
        return;
    }
    let (stream, _other) = tokio::io::duplex(1);
    let nothing = service_fn(|_| std::future::ready(Ok::<_, Infallible>(Response::new(Body::empty()))));
    let connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), nothing));
    // Nothing was asked: it is pending after it has looked at the clock.
    let _ = connection.poll(&mut Context::from_waker(Waker::noop()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TlsFiles;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn acceptor() -> TlsAcceptor {
        let dir = tempfile::tempdir().expect("a directory");
        let files = TlsFiles { cert: dir.path().join("c.pem"), key: dir.path().join("k.pem") };
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
        std::fs::write(&files.cert, made.cert.pem()).expect("written");
        std::fs::write(&files.key, made.signing_key.serialize_pem()).expect("written");
        Certificate::open(files).expect("opened").acceptor()
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_the_answer_is_given_up() {
        let (server, mut client) = tokio::io::duplex(1_024);
        let long = axum::routing::get(|| async { "x".repeat(1 << 20) });
        let ending = Ending { stop: CancellationToken::new(), abort: CancellationToken::new() };
        let begun = tokio::time::Instant::now();
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("written");
        let router = TowerToHyperService::new(Router::new().route("/", long));
        let answering = Answering { router, peer: Peer(([127, 0, 0, 1], 1).into()) };
        serve_http(server, answering, ending).await;
        assert!(begun.elapsed() >= WRITE_STALL_MAX, "{:?}", begun.elapsed());
        assert!(begun.elapsed() < 2 * WRITE_STALL_MAX, "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_finish_the_handshake_is_cut_off() {
        let (server, mut client) = tokio::io::duplex(1_024);
        // The beginning of a ClientHello, of which the rest never comes.
        client.write_all(&[22, 3, 1, 2, 0, 1]).await.expect("written");
        let begun = tokio::time::Instant::now();
        assert!(handshake(server, &acceptor()).await.is_none());
        assert_eq!(begun.elapsed(), HANDSHAKE_MAX);
        assert_eq!(client.read(&mut [0; 1]).await.expect("read"), 0, "the connection is closed");
    }
}
