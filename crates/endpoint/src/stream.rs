//! The byte stream under HTTP: plain or TLS, watched.

use crate::head::HeadFilter;
use crate::tls::ClientAuth;
use crate::transport::Transport;
use rustls::{AlertDescription, HandshakeKind};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

/// What has gone over a stream; shared with those who hold its connection. It tells what the HTTP library does not:
/// whether a connection that broke had answered anything, and what the receiver's TLS said at the end.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    read_bytes: AtomicU64,
    written_bytes: AtomicU64,
    head_expected: AtomicBool,
    alert: OnceLock<AlertDescription>,
    client_auth: ClientAuth,
    /// The TLS session is one that was kept.
    resumed: bool,
}

impl Meter {
    /// Bytes received so far.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.read_bytes.load(Relaxed)
    }

    /// Bytes handed to the system (or to TLS) so far.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.written_bytes.load(Relaxed)
    }

    /// An HTTP/1.1 request is about to be sent: what is received next begins the head of an answer.
    pub(crate) fn expect_head(&self) {
        self.head_expected.store(true, Relaxed);
    }

    /// The TLS alert by which the receiver ended the connection. In TLS 1.3 a refused client certificate is heard of only
    /// after the handshake, so.
    pub(crate) fn alert(&self) -> Option<AlertDescription> {
        self.alert.get().copied()
    }

    /// Nothing has come over a connection whose TLS session was resumed: the receiver may not have agreed to that yet, since in
    /// TLS 1.3 it can refuse after the client is done with the handshake.
    pub(crate) fn is_resumed_in_vain(&self) -> bool {
        self.resumed && self.read_bytes() == 0
    }

    /// What the handshake had to do with client certificates.
    pub(crate) fn client_auth(&self) -> ClientAuth {
        self.client_auth
    }
}

/// A stream and its meter.
#[derive(Debug)]
pub(crate) struct Stream {
    io: Io,
    meter: Arc<Meter>,
    head: HeadFilter,
    /// Why nothing can be written any more; told once the receiver's last words have been heard.
    broken: Option<io::Error>,
}

#[derive(Debug)]
enum Io {
    Plain(Transport),
    Tls(Box<TlsStream<Transport>>),
}

impl Stream {
    pub(crate) fn plain(stream: Transport) -> Stream {
        Stream::new(Io::Plain(stream), Meter::default())
    }

    pub(crate) fn tls(stream: TlsStream<Transport>, client_auth: ClientAuth) -> Stream {
        let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
        Stream::new(Io::Tls(Box::new(stream)), Meter { client_auth, resumed, ..Meter::default() })
    }

    fn new(io: Io, meter: Meter) -> Stream {
        Stream { io, meter: Arc::new(meter), head: HeadFilter::default(), broken: None }
    }

    pub(crate) fn meter(&self) -> Arc<Meter> {
        self.meter.clone()
    }

    /// Whether both sides have agreed on HTTP/2 (by ALPN).
    pub(crate) fn is_http2(&self) -> bool {
        match &self.io {
            Io::Plain(_) => false,
            Io::Tls(tls) => tls.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }

    /// What comes over the stream, as it is.
    fn receive(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Io::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        self.meter.read_bytes.fetch_add((buf.filled().len() - before) as u64, Relaxed);
        self.noted(result)
    }

    fn noted<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &result
            && let Some(rustls::Error::AlertReceived(alert)) = crate::tls::tls_error(error)
        {
            // The first is the cause.
            let _ = self.meter.alert.set(*alert);
        }
        result
    }

    /// The outcome of writing. A receiver that does not accept our certificate says so and closes while the request is
    /// still being written: the write fails, and the alert that says why waits to be read, or is just about to. Nothing of
    /// an answer is lost by reading it here, since none has begun, and the connection is of no more use.
    fn written<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let Poll::Ready(Err(error)) = result else { return result };
        let ended = matches!(
            error.kind(),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted
        );
        if ended && self.meter.client_auth.asked && self.meter.read_bytes() == 0 {
            self.broken = Some(error);
            return self.end(cx);
        }
        self.noted(Poll::Ready(Err(error)))
    }

    /// The end of a stream that cannot be written to, after the receiver's last words.
    fn end<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if self.meter.alert().is_none()
            && let Io::Tls(stream) = &mut self.io
        {
            let heard = Pin::new(stream).poll_read(cx, &mut ReadBuf::new(&mut [0; 1]));
            if self.noted(heard).is_pending() {
                return Poll::Pending;
            }
        }
        Poll::Ready(Err(self.broken.take().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into())))
    }

    fn count(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(written)) = written {
            self.meter.written_bytes.fetch_add(*written as u64, Relaxed);
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.meter.head_expected.load(Relaxed) {
            self.meter.head_expected.store(false, Relaxed);
            self.head.expect();
        }
        if self.head.is_passing() {
            return self.receive(cx, buf);
        }
        let before = buf.filled().len();
        loop {
            self.head.pull(buf);
            // An empty read means the end of the stream, so reading goes on until some bytes pass the filter.
            if buf.filled().len() > before || buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            ready!(self.receive(cx, buf))?;
            let received = &buf.filled()[before..];
            if received.is_empty() {
                self.head.end();
                self.head.pull(buf);
                return Poll::Ready(Ok(()));
            }
            self.head.push(received)?;
            buf.set_filled(before);
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.broken.is_some() {
            return self.end(cx);
        }
        let result = match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Io::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        };
        self.count(&result);
        self.written(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.broken.is_some() {
            return self.end(cx);
        }
        let result = match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Io::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        };
        self.count(&result);
        self.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Io::Plain(stream) => stream.is_write_vectored(),
            Io::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.broken.is_some() {
            return self.end(cx);
        }
        let result = match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Io::Tls(stream) => Pin::new(stream).poll_flush(cx),
        };
        self.written(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Io::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        };
        self.noted(result)
    }
}
