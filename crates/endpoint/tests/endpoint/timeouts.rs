//! Receivers that hang, at every point of a request's way.

use super::authority::{Authority, NAME};
use super::receiver::{Answer, Receiver, Seen, read_request, write};
use super::support::*;
use bytes::Bytes;
use hitwire_endpoint::{Guard, Incomplete, Phase, Resolver, SendError, Sender};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// The open timeout is the one that ends it, in this phase.
async fn assert_open_timeout(sender: &Sender, url: &str, expected: Phase, expected_words: &str) {
    let mut target = target(url);
    target.open_timeout = SHORT;
    let error = failed(sender, &target).await;
    let SendError::OpenTimeout { phase, after, .. } = error else { panic!("{error:?}") };
    assert_eq!((phase, after), (expected, SHORT));
    assert_eq!(error.to_string(), format!("open timeout: {expected_words} within 5 s"));
}

/// The timeout of the exchange is the one that ends it, in this phase.
async fn assert_timeout(
    url: &str,
    ca_pem: &str,
    body: impl Into<Bytes>,
    expected: Phase,
    expected_words: &str,
) {
    let mut target = trusting(url, ca_pem);
    target.timeout = SHORT;
    let sender = sender();
    let sent = send_message(&sender, &target, message_of(body)).await;
    let error = sent.outcome.unwrap_err();
    let SendError::Timeout { phase, after } = error else { panic!("{error:?}") };
    assert_eq!((phase, after), (expected, SHORT));
    assert_eq!(error.to_string(), format!("timeout: {expected_words} within 5 s"));
    assert_eq!(sender.kept_connections(), 0, "a connection that hangs is not used again");
}

/// Accepts nothing, and its queue is full: further connections get no answer at all.
async fn black_hole(
    address: &str,
) -> (TcpListener, Vec<tokio::task::JoinHandle<std::io::Result<TcpStream>>>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(address.parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut filling = Vec::new();
    loop {
        let mut connecting = tokio::spawn(TcpStream::connect(address));
        // One that has not been taken within a second, on one machine, waits for a place in the queue.
        let queued = tokio::time::timeout(Duration::from_secs(1), &mut connecting).await.is_err();
        if queued {
            filling.push(connecting);
            return (listener, filling);
        }
        filling.push(tokio::spawn(async move {
            connecting.await.unwrap_or_else(|e| Err(std::io::Error::other(e)))
        }));
        assert!(filling.len() < 64, "the queue never fills");
    }
}

#[tokio::test]
async fn a_name_server_that_hangs() {
    let silent = Resolver::table([(NAME.to_owned(), hitwire_endpoint::Answer::Silence)]);
    let sender = Sender::new(Guard::new(vec![], false), silent);
    assert_open_timeout(&sender, "https://receiver.test/s3cret", Phase::Resolve, "the name was not resolved")
        .await;
}

#[tokio::test]
async fn a_host_that_does_not_answer() {
    let (listener, _filling) = black_hole("127.0.0.1:0").await;
    let address = listener.local_addr().unwrap();
    let url = format!("https://{NAME}:{}/s3cret", address.port());
    assert_open_timeout(&sender(), &url, Phase::Connect, "no TCP connection with an internal address").await;
}

#[tokio::test]
async fn a_host_that_does_not_answer_does_not_hold_up_the_next_address() {
    let (listener, _filling) = black_hole("127.0.0.2:0").await;
    let port = listener.local_addr().unwrap().port();
    let good = TcpListener::bind(SocketAddr::from(([127, 0, 0, 3], port))).await.unwrap();
    tokio::spawn(async move {
        let (stream, _) = good.accept().await.unwrap();
        let mut wire: super::receiver::Wire = Box::new(stream);
        read_request(&mut wire).await;
        write(&mut wire, super::receiver::OK).await;
    });
    let sender = sender_knowing(&[(NAME, &["127.0.0.2", "127.0.0.3"])]);
    let sent = send(&sender, &target(format!("http://{NAME}:{port}/"))).await;
    assert_eq!(sent.outcome.unwrap().status, 200);
    assert_eq!(sent.address, Some(SocketAddr::from(([127, 0, 0, 3], port))));
}

#[tokio::test]
async fn a_receiver_that_accepts_but_shakes_no_hands() {
    let receiver =
        Receiver::talking(None, |mut wire, _| async move { while wire.read_u8().await.is_ok() {} }).await;
    let words = "the TLS handshake was not finished with an internal address";
    assert_open_timeout(&sender(), &receiver.https_url(), Phase::Tls, words).await;
}

#[tokio::test]
async fn a_receiver_that_does_not_take_the_request() {
    let receiver = Receiver::talking(None, |wire, _| async move {
        std::future::pending::<()>().await;
        drop(wire);
    })
    .await;
    let body = vec![b'x'; 20_000_000];
    assert_timeout(&receiver.http_url(), "", body, Phase::Request, "the receiver did not take the request")
        .await;
}

#[tokio::test]
async fn a_request_that_was_given_up_is_not_sent_any_further() {
    const BODY_BYTES: u64 = 20_000_000;
    let (read_on, begin) = tokio::sync::watch::channel(false);
    let (end, mut ended) = tokio::sync::mpsc::channel(1);
    let receiver = Receiver::talking(None, move |mut wire, _| {
        let (mut begin, end) = (begin.clone(), end.clone());
        async move {
            begin.wait_for(|begin| *begin).await.unwrap();
            let mut buffer = vec![0; 64 * 1024];
            let mut taken = 0;
            while let Ok(bytes @ 1..) = wire.read(&mut buffer).await {
                taken += bytes as u64;
            }
            end.send(taken).await.unwrap();
        }
    })
    .await;
    let (sender, mut target) = (sender(), target(receiver.http_url()));
    target.timeout = SHORT;
    let sent = send_message(&sender, &target, message_of(vec![b'x'; BODY_BYTES as usize])).await;
    assert!(matches!(sent.outcome, Err(SendError::Timeout { phase: Phase::Request, .. })));
    read_on.send(true).unwrap();
    let taken = ended.recv().await.unwrap();
    assert!(taken < BODY_BYTES, "what was on its way arrives, the rest does not: {taken}");
}

#[tokio::test]
async fn a_receiver_that_does_not_answer() {
    let receiver =
        Receiver::talking(None, |mut wire, _| async move { while read_request(&mut wire).await {} }).await;
    assert_timeout(&receiver.http_url(), "", BODY, Phase::Headers, "the receiver did not answer").await;
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_over_tls() {
    let ca = Authority::new("Test CA");
    let receiver = Receiver::talking(Some(ca.certify().server()), |mut wire, _| async move {
        while read_request(&mut wire).await {}
    })
    .await;
    assert_timeout(&receiver.https_url(), &ca.pem(), BODY, Phase::Headers, "the receiver did not answer")
        .await;
}

#[tokio::test]
async fn a_receiver_that_never_ends_its_headers() {
    let receiver = Receiver::talking(None, |mut wire, _| async move {
        read_request(&mut wire).await;
        write(&mut wire, "HTTP/1.1 200 OK\r\n").await;
        loop {
            write(&mut wire, "x: y\r\n").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_timeout(&receiver.http_url(), "", BODY, Phase::Headers, "the receiver did not answer").await;
}

/// The answer counts, and the timeout of the exchange is what ends its body.
async fn assert_body_timeout(url: &str, ca_pem: &str, begun: &[u8]) {
    let mut target = trusting(url, ca_pem);
    target.timeout = SHORT;
    let sender = sender();
    let response = answered(&sender, &target).await;
    assert_eq!(response.status, 200);
    assert!(response.body.starts_with(begun), "{:?}", response.body);
    assert_eq!(response.incomplete, Some(Incomplete::Timeout { after: SHORT }));
    let words = "the answer's body had not ended within the timeout of 5 s";
    assert_eq!(response.incomplete.unwrap().to_string(), words);
    assert_eq!(sender.kept_connections(), 0, "a connection that hangs is not used again");
}

#[tokio::test]
async fn a_receiver_whose_body_stalls() {
    let receiver = Receiver::talking(None, |mut wire, _| async move {
        read_request(&mut wire).await;
        write(&mut wire, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
        let _ = wire.read_u8().await;
    })
    .await;
    assert_body_timeout(&receiver.http_url(), "", b"half").await;
}

#[tokio::test]
async fn a_receiver_that_drips() {
    let receiver = Receiver::talking(None, |mut wire, _| async move {
        read_request(&mut wire).await;
        write(&mut wire, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        loop {
            write(&mut wire, "1\r\nx\r\n").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_body_timeout(&receiver.http_url(), "", b"x").await;
}

#[tokio::test]
async fn an_http2_receiver_whose_body_stalls() {
    fn stalling(_: &Seen) -> Answer {
        let begun = futures_util::stream::once(async { Ok(Frame::data(Bytes::from_static(b"half"))) });
        let body = futures_util::StreamExt::chain(begun, futures_util::stream::pending());
        http::Response::new(StreamBody::new(SyncStream(Box::pin(body))).boxed())
    }
    let ca = Authority::new("Test CA");
    let receiver = Receiver::https(ca.certify().http2_server(), stalling).await;
    assert_body_timeout(&receiver.https_url(), &ca.pem(), b"half").await;
}

#[tokio::test]
async fn a_body_is_not_waited_for_as_long_as_the_timeout() {
    let receiver = Receiver::talking(None, |mut wire, _| async move {
        read_request(&mut wire).await;
        write(&mut wire, "HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 10\r\n\r\nhalf").await;
        let _ = wire.read_u8().await;
    })
    .await;
    let mut target = target(receiver.http_url());
    // Longer than any test may take.
    target.timeout = Duration::from_hours(1);
    let response = answered(&sender(), &target).await;
    assert_eq!((response.status, response.retry_after), (503, Some(Duration::from_secs(7))));
    let words = "the answer's body had not ended 5 s after its headers";
    assert_eq!(response.incomplete.unwrap().to_string(), words);
}

type Frames = std::pin::Pin<
    Box<dyn futures_util::Stream<Item = Result<Frame<Bytes>, std::convert::Infallible>> + Send + Sync>,
>;

/// `BoxBody` wants a body that is `Sync`.
struct SyncStream(Frames);

impl futures_util::Stream for SyncStream {
    type Item = Result<Frame<Bytes>, std::convert::Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

#[tokio::test]
async fn an_http2_receiver_that_dies_in_silence_is_dialled_anew_next_time() {
    let ca = Authority::new("Test CA");
    // After the handshake not one byte comes back: neither settings nor an answer.
    let receiver = Receiver::talking(Some(ca.certify().server_of(&[&rustls::version::TLS13], &["h2"])), {
        |mut wire, _| async move { while wire.read_u8().await.is_ok() {} }
    })
    .await;
    let sender = sender();
    let mut target = trusting(receiver.https_url(), ca.pem());
    target.timeout = SHORT;
    for connections in 1..=2 {
        let error = failed(&sender, &target).await;
        assert!(matches!(error, SendError::Timeout { phase: Phase::Headers, .. }), "{error:?}");
        assert_eq!(receiver.connections(), connections);
    }
}
