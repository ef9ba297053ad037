//! Answers whose headers are whole and whose bodies are not: they count.

use super::authority::Authority;
use super::http2::{self, INTERNAL_ERROR, NO_ERROR};
use super::receiver::{OK, Receiver, read_request, write};
use super::support::*;
use hitwire_endpoint::{Incomplete, Response};
use std::time::Duration;

/// What a sender makes of these bytes, behind which the connection is closed; over TLS without a goodbye.
async fn answer_of(bytes: &'static [u8], over_tls: bool) -> Response {
    let ca = Authority::new("Test CA");
    let receiver =
        Receiver::talking(over_tls.then(|| ca.certify().server()), move |mut wire, _| async move {
            if read_request(&mut wire).await {
                write(&mut wire, bytes).await;
            }
        })
        .await;
    let url = if over_tls { receiver.https_url() } else { receiver.http_url() };
    let sender = sender();
    let response = answered(&sender, &trusting(url, if over_tls { ca.pem() } else { String::new() })).await;
    assert_eq!(sender.kept_connections(), 0);
    response
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_needs_no_goodbye() {
    let bytes = b"HTTP/1.1 200 OK\r\n\r\nwhole";
    let response = answer_of(bytes, true).await;
    assert_eq!((response.status, &response.body[..]), (200, &b"whole"[..]));
    assert_eq!(
        response.incomplete.unwrap().to_string(),
        "the connection was closed without TLS close_notify, so the answer's body may have been cut"
    );
    assert_eq!(answer_of(bytes, false).await.incomplete, None, "without TLS this is a good end");
}

#[tokio::test]
async fn an_answer_with_a_length_needs_no_goodbye_at_all() {
    for bytes in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"[..],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ] {
        for over_tls in [true, false] {
            assert_eq!(answer_of(bytes, over_tls).await.incomplete, None, "{bytes:?}");
        }
    }
}

#[tokio::test]
async fn a_cut_body_leaves_status_headers_and_wait_as_they_are() {
    for bytes in [
        &b"HTTP/1.1 429 Slow\r\nretry-after: 600\r\ncontent-length: 10\r\n\r\nhalf"[..],
        b"HTTP/1.1 429 Slow\r\nretry-after: 600\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 429 Slow\r\nretry-after: 600\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
        b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 429 Slow\r\nretry-after: 600\r\ncontent-length: 10\r\n\r\nhalf",
    ] {
        for over_tls in [true, false] {
            let response = answer_of(bytes, over_tls).await;
            assert_eq!((response.status, &response.body[..]), (429, &b"half"[..]));
            assert_eq!(response.retry_after, Some(Duration::from_mins(10)));
            assert_eq!(response.incomplete, Some(Incomplete::Cut));
        }
    }
}

#[tokio::test]
async fn a_body_whose_framing_is_broken_is_told_as_that() {
    for body in ["zz\r\n", "2\r\nokay\r\n", "0\r\nno trailer\r\n\r\n", "ffffffffffffffffff\r\n"] {
        let bytes = format!("HTTP/1.1 410 Gone\r\ntransfer-encoding: chunked\r\n\r\n{body}");
        let response = answer_of(bytes.leak().as_bytes(), false).await;
        assert_eq!(response.status, 410);
        let words = response.incomplete.unwrap().to_string();
        assert!(words.starts_with("the answer's body is not valid HTTP: "), "{words}");
    }
}

#[tokio::test]
async fn a_connection_reset_behind_the_headers_is_a_cut_body() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = stream.into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        tokio::task::spawn_blocking(move || {
            use std::io::{Read as _, Write as _};
            let (mut stream, mut some) = (stream, [0; 64]);
            stream.read_exact(&mut some).unwrap();
            stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 10\r\n\r\nhalf").unwrap();
            // What has come and was not read makes the system reset the connection.
        });
    });
    let response = answered(&sender(), &target(url)).await;
    assert_eq!((response.status, response.incomplete), (413, Some(Incomplete::Cut)));
}

#[tokio::test]
async fn the_next_request_goes_over_a_new_connection() {
    let receiver = Receiver::talking(None, |mut wire, connection| async move {
        while read_request(&mut wire).await {
            if connection == 1 {
                write(&mut wire, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n").await;
            } else {
                write(&mut wire, OK).await;
            }
        }
    })
    .await;
    let (sender, target) = (sender(), target(receiver.http_url()));
    assert!(answered(&sender, &target).await.incomplete.is_some());
    assert!(answered(&sender, &target).await.incomplete.is_none());
    assert_eq!(receiver.connections(), 2);
}

/// What the receiver sends instead of the rest of its answer, on this stream.
type End = fn(u32) -> Vec<u8>;

#[tokio::test]
async fn an_http2_answer_that_is_broken_off_counts() {
    let ca = Authority::new("Test CA");
    let broken_off = "the receiver broke off within the answer's body: unexpected internal error encountered";
    let closed = "the connection was closed before the answer's body had ended";
    let ends: [(End, Option<&str>); 4] = [
        (|stream| http2::reset(stream, INTERNAL_ERROR), Some(broken_off)),
        (|_| http2::go_away(0x7fff_ffff, INTERNAL_ERROR), Some(closed)),
        (|_| Vec::new(), Some(closed)),
        // So a receiver says that it has said all.
        (|stream| http2::reset(stream, NO_ERROR), None),
    ];
    for (number, (end, words)) in ends.into_iter().enumerate() {
        for with_data in [true, false] {
            let receiver =
                Receiver::talking(Some(ca.certify().http2_server()), move |mut wire, _| async move {
                    http2::greet(&mut wire).await;
                    let Some(stream) = http2::read_request(&mut wire).await else { return };
                    let mut answer = http2::headers(stream, "429");
                    if with_data {
                        answer.extend(http2::data(stream, b"half"));
                    }
                    // In one piece, so that the client finds all of it at once.
                    answer.extend(end(stream));
                    write(&mut wire, answer).await;
                })
                .await;
            let response = answered(&sender(), &trusting(receiver.https_url(), ca.pem())).await;
            assert_eq!(response.status, 429, "{number}");
            let said = response.incomplete.map(|incomplete| incomplete.to_string());
            assert_eq!(said.as_deref(), words, "{number}");
        }
    }
}
