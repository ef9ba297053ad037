//! An open connection that speaks HTTP.

use crate::error::is_http1_required;
use crate::stream::{Meter, Stream};
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The body of every request.
pub(crate) type Body = Full<Bytes>;

/// The read and write buffer of an HTTP/1.1 connection; a request's body is written from where it is, not copied into it.
const HTTP1_BUFFER_BYTES: usize = 64 * 1024;

/// How much of one HTTP/2 response may be on its way before it is read: what is kept of a body, and some.
const HTTP2_STREAM_WINDOW_BYTES: u32 = 32 * 1024;

/// The same for all responses on one HTTP/2 connection.
const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

/// The most bytes of one HTTP/2 response's headers that are taken; of them is kept what is kept of any.
const HTTP2_HEADER_BYTES_MAX: u32 = 256 * 1024;

/// How long an idle connection may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

/// What is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The target's address. None: a proxy that is trusted to resolve by itself knows it.
    pub(crate) target: Option<SocketAddr>,
    /// The address of a proxy that the guard judges.
    pub(crate) judged_proxy: Option<SocketAddr>,
}

impl Peer {
    /// A target without a proxy.
    pub(crate) fn direct(address: SocketAddr) -> Peer {
        Peer { target: Some(address), judged_proxy: None }
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) enum Connection {
    /// For one request at a time.
    Http1(Http1),
    /// For many at a time; shared.
    Http2(Arc<Http2>),
}

/// A connection that speaks HTTP/1.1.
#[derive(Debug)]
pub(crate) struct Http1 {
    pub(crate) sender: http1::SendRequest<Body>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) peer: Peer,
    driver: Driver,
}

/// A connection that speaks HTTP/2.
#[derive(Debug)]
pub(crate) struct Http2 {
    pub(crate) sender: http2::SendRequest<Body>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) peer: Peer,
    driver: Driver,
}

impl Http2 {
    /// Whether the receiver has ended the connection because it wants HTTP/1.1. A request that was not under way yet hears only
    /// that the connection is closed.
    pub(crate) async fn ended_for_http1(&self) -> bool {
        self.sender.is_closed() && self.driver.ended_for_http1().await
    }
}

impl Connection {
    /// Begins to speak HTTP over a stream.
    pub(crate) async fn begin(stream: Stream, peer: Peer) -> hyper::Result<Connection> {
        let meter = stream.meter();
        if stream.is_http2() {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .initial_stream_window_size(HTTP2_STREAM_WINDOW_BYTES)
                .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
                .max_header_list_size(HTTP2_HEADER_BYTES_MAX)
                .handshake(TokioIo::new(stream))
                .await?;
            let driver = Driver::spawn(connection, peer);
            Ok(Connection::Http2(Arc::new(Http2 { sender, meter, peer, driver })))
        } else {
            let (sender, connection) = http1::Builder::new()
                .allow_obsolete_multiline_headers_in_responses(true)
                .allow_spaces_after_header_name_in_responses(true)
                .ignore_invalid_headers_in_responses(true)
                .preserve_header_case(true)
                .max_buf_size(HTTP1_BUFFER_BYTES)
                .handshake(TokioIo::new(stream))
                .await?;
            let driver = Driver::spawn(connection, peer);
            Ok(Connection::Http1(Http1 { sender, meter, peer, driver }))
        }
    }

    /// What is at its other end.
    pub(crate) fn peer(&self) -> Peer {
        match self {
            Connection::Http1(http1) => http1.peer,
            Connection::Http2(http2) => http2.peer,
        }
    }

    pub(crate) fn meter(&self) -> &Arc<Meter> {
        match self {
            Connection::Http1(http1) => &http1.meter,
            Connection::Http2(http2) => &http2.meter,
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Connection::Http1(http1) => http1.sender.is_closed(),
            Connection::Http2(http2) => http2.sender.is_closed(),
        }
    }

    /// Says goodbye as the protocol has it (TLS `close_notify`, HTTP/2 `GOAWAY`), so that an idle connection's end is no
    /// error in the receiver's log. A connection that is merely dropped is cut. Must be called within a runtime.
    pub(crate) fn close(self) {
        match self {
            Connection::Http1(Http1 { sender, driver, .. }) => {
                drop(sender);
                driver.finish();
            }
            Connection::Http2(http2) => {
                if let Some(Http2 { sender, driver, .. }) = Arc::into_inner(http2) {
                    drop(sender);
                    driver.finish();
                }
            }
        }
    }
}

/// The task that moves a connection's bytes. It ends with the connection's last holder.
#[derive(Debug)]
struct Driver {
    task: Option<JoinHandle<()>>,
    /// Once it has ended: whether the receiver said that it wants HTTP/1.1.
    ended: watch::Receiver<Option<bool>>,
}

impl Driver {
    fn spawn<C>(connection: C, peer: Peer) -> Driver
    where
        C: Future<Output = hyper::Result<()>> + Send + 'static,
    {
        let (end, ended) = watch::channel(None);
        let task = tokio::spawn(async move {
            let outcome = connection.await;
            if let Err(error) = &outcome {
                tracing::debug!(?peer, %error, "connection ended");
            }
            end.send_replace(Some(outcome.is_err_and(|error| is_http1_required(&error))));
        });
        Driver { task: Some(task), ended }
    }

    async fn ended_for_http1(&self) -> bool {
        let mut ended = self.ended.clone();
        let ended = tokio::time::timeout(GOODBYE, ended.wait_for(Option::is_some)).await;
        matches!(ended.as_ref().map(Result::as_deref), Ok(Ok(Some(true))))
    }

    /// Lets the task end by itself, for a while.
    fn finish(mut self) {
        if let Some(mut task) = self.task.take() {
            tokio::spawn(async move {
                if tokio::time::timeout(GOODBYE, &mut task).await.is_err() {
                    task.abort();
                }
            });
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
