//! Connections: how many, and how long they may take.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
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

/// Accepts and serves connections until told to stop. Each connection is a task of `tasks`.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    connections_max: usize,
    ending: Ending,
    tasks: TaskTracker,
) {
    let places = Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS)));
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        };
        let accepted = tokio::select! {
            accepted = accepted => accepted,
            () = ending.stop.cancelled() => return,
        };
        match accepted {
            Some((place, Ok((stream, _)))) => {
                tasks.spawn(connection(stream, router.clone(), ending.clone(), place));
            }
            Some((_, Err(error))) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
            None => return,
        }
    }
}

async fn connection(stream: TcpStream, router: Router, ending: Ending, _place: OwnedSemaphorePermit) {
    // Answers are small and awaited; to hold them back for more would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_READ_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
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
