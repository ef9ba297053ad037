//! What a handler left unread of a request's body.
//!
//! Closing a connection on which unread bytes have arrived makes the system reset it, and a caller who is still sending
//! then sees "connection reset" in place of the answer that says why. So what is left is read and thrown away, within
//! bounds, before the answer goes out.

use axum::body::{Body, Bytes};
use http::header::EXPECT;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::timeout;

/// What is thrown away at most: several times the largest body that a call takes.
const BYTES_MAX: usize = 64 << 20;

/// How long throwing away may take.
const TAKES_MAX: Duration = Duration::from_secs(5);

/// A body that can still be reached when the handler has dropped it.
#[derive(Clone, Debug)]
struct Shared(Arc<Mutex<Watched>>);

#[derive(Debug)]
struct Watched {
    body: Body,
    /// The handler began to read it.
    asked_for: bool,
}

/// What is left of a body.
#[derive(Debug)]
pub(super) struct Leftover {
    body: Shared,
    /// The caller sends the body only once it is asked for.
    waits: bool,
}

/// Splits a request into one whose body a handler may read, and what that leaves.
pub(super) fn watch(request: Request<Body>) -> (Request<Body>, Leftover) {
    let waits = waits_for_permission(request.headers());
    let (head, body) = request.into_parts();
    let body = Shared(Arc::new(Mutex::new(Watched { body, asked_for: false })));
    (Request::from_parts(head, Body::new(body.clone())), Leftover { body, waits })
}

fn waits_for_permission(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

impl Leftover {
    /// Reads it and throws it away.
    pub(super) async fn discard(mut self) {
        let nothing_comes = self.waits && !self.body.with(|watched| watched.asked_for);
        if nothing_comes || self.body.is_end_stream() {
            return;
        }
        let discard = async {
            let mut bytes = 0;
            while let Some(Ok(frame)) = self.body.frame().await {
                bytes += frame.data_ref().map_or(0, Bytes::len);
                if bytes > BYTES_MAX {
                    break;
                }
            }
        };
        if timeout(TAKES_MAX, discard).await.is_err() {
            tracing::debug!("a body that nobody wanted did not end; the connection is closed");
        }
    }
}

impl Shared {
    fn with<T>(&self, ask: impl FnOnce(&mut Watched) -> T) -> T {
        ask(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl hyper::body::Body for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.with(|watched| {
            watched.asked_for = true;
            Pin::new(&mut watched.body).poll_frame(cx)
        })
    }

    fn is_end_stream(&self) -> bool {
        self.with(|watched| watched.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.with(|watched| watched.body.size_hint())
    }
}
