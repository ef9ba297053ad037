//! What receivers answer, rightly and wrongly.

use super::authority::Authority;
use super::receiver::{OK, Receiver, answer, read_request, write};
use super::support::*;
use hitwire_endpoint::{Phase, RESPONSE_BYTES_MAX, SendError};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;

/// What a sender makes of these bytes.
async fn outcome_of(bytes: &'static [u8]) -> Result<hitwire_endpoint::Response, SendError> {
    let receiver = Receiver::talking(None, move |mut wire, _| async move {
        if read_request(&mut wire).await {
            write(&mut wire, bytes).await;
        }
    })
    .await;
    send(&sender(), &target(receiver.http_url())).await.outcome
}

#[tokio::test]
async fn every_complete_answer_is_handed_on_as_it_came() {
    for status in [200, 201, 204, 299, 300, 304, 400, 401, 404, 410, 413, 500, 503, 599, 999] {
        let receiver = Receiver::http(move |_| answer(status, &[("x-trace", "1")], "")).await;
        let response = answered(&sender(), &target(receiver.http_url())).await;
        assert_eq!(response.status, status);
        assert_eq!(response.headers["x-trace"], "1");
        assert_eq!(response.retry_after, None);
        assert!(!response.truncated);
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = Receiver::http(super::receiver::ok).await;
    let location = elsewhere.http_url();
    let receiver = Receiver::http(move |_| answer(302, &[("location", &location)], "moved")).await;
    let response = answered(&sender(), &target(receiver.http_url())).await;
    assert_eq!((response.status, &response.body[..]), (302, &b"moved"[..]));
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn gone_is_an_answer() {
    let receiver = Receiver::http(|_| answer(410, &[], "gone")).await;
    assert_eq!(answered(&sender(), &target(receiver.http_url())).await.status, 410);
}

/// The wait that an answer with these headers asks for.
async fn wait_asked_by(headers: &'static str) -> Option<Duration> {
    let receiver = Receiver::talking(None, move |mut wire, _| async move {
        if read_request(&mut wire).await {
            write(&mut wire, format!("HTTP/1.1 429 Slow\r\n{headers}content-length: 0\r\n\r\n")).await;
        }
    })
    .await;
    let response = answered(&sender(), &target(receiver.http_url())).await;
    assert_eq!(response.status, 429);
    response.retry_after
}

#[tokio::test]
async fn retry_after_is_understood_as_seconds_and_as_a_date() {
    assert_eq!(wait_asked_by("retry-after: 120\r\n").await, Some(Duration::from_mins(2)));
    assert_eq!(wait_asked_by("retry-after: soon\r\n").await, None);
    // Two minutes after the attempt, which the tests put at Tue, 14 Nov 2023 22:13:20 GMT.
    let wait = wait_asked_by("retry-after: Tue, 14 Nov 2023 22:15:20 GMT\r\n").await.unwrap();
    // It loses what has passed since the attempt began.
    assert!(wait > Duration::from_mins(1) && wait <= Duration::from_mins(2), "{wait:?}");
}

#[tokio::test]
async fn a_date_of_retry_after_counts_from_the_receivers_own_clock() {
    // An hour and a day off.
    let headers = "date: Mon, 13 Nov 2023 21:13:20 GMT\r\nretry-after: Mon, 13 Nov 2023 21:15:20 GMT\r\n";
    assert_eq!(wait_asked_by(headers).await, Some(Duration::from_mins(2)));
}

#[tokio::test]
async fn an_error_may_be_followed_by_success_on_the_same_connection() {
    let receiver = Receiver::http(|seen| answer(if seen.number == 1 { 500 } else { 200 }, &[], "")).await;
    let (sender, target) = (sender(), target(receiver.http_url()));
    assert_eq!(answered(&sender, &target).await.status, 500);
    assert_eq!(answered(&sender, &target).await.status, 200);
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_body_up_to_the_bound_is_kept_whole_and_its_connection_too() {
    for length in [0, 1, RESPONSE_BYTES_MAX - 1, RESPONSE_BYTES_MAX] {
        let receiver = Receiver::http(move |_| answer(400, &[], vec![b'x'; length])).await;
        let sender = sender();
        let response = answered(&sender, &target(receiver.http_url())).await;
        assert_eq!(response.body.len(), length);
        assert!(!response.truncated);
        assert_eq!(sender.kept_connections(), 1, "{length}");
    }
}

/// Read to its end, but not kept as a whole.
const MODERATE_BYTES: usize = 64 * 1024;

#[tokio::test]
async fn of_a_moderate_body_the_beginning_is_kept_and_the_connection_too() {
    let ca = Authority::new("Test CA");
    for config in [ca.certify().server(), ca.certify().http2_server()] {
        for length in [RESPONSE_BYTES_MAX + 1, 50_000, MODERATE_BYTES] {
            let receiver =
                Receiver::https(config.clone(), move |_| answer(400, &[], vec![b'x'; length])).await;
            let (sender, target) = (sender(), trusting(receiver.https_url(), ca.pem()));
            for _ in 1..=3 {
                let response = answered(&sender, &target).await;
                assert_eq!(response.body, vec![b'x'; RESPONSE_BYTES_MAX]);
                assert!(response.truncated && response.incomplete.is_none());
            }
            assert_eq!(receiver.connections(), 1, "{length}");
        }
    }
}

#[tokio::test]
async fn of_a_moderate_body_in_chunks_the_connection_is_kept_too() {
    let receiver = Receiver::talking(None, |mut wire, _| async move {
        while read_request(&mut wire).await {
            write(&mut wire, "HTTP/1.1 500 Oops\r\ntransfer-encoding: chunked\r\n\r\n").await;
            let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
            write(&mut wire, chunk.repeat(15)).await;
            write(&mut wire, "0\r\n\r\n").await;
        }
    })
    .await;
    let (sender, target) = (sender(), target(receiver.http_url()));
    for _ in 1..=3 {
        let response = answered(&sender, &target).await;
        assert!(response.truncated && response.incomplete.is_none());
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn of_a_longer_body_the_beginning_is_kept_and_the_connection_closed() {
    for length in [MODERATE_BYTES + 1, 10_000_000] {
        let receiver = Receiver::http(move |_| answer(400, &[], vec![b'x'; length])).await;
        let (sender, target) = (sender(), target(receiver.http_url()));
        for connections in 1..=2 {
            let response = answered(&sender, &target).await;
            assert_eq!(response.body, vec![b'x'; RESPONSE_BYTES_MAX]);
            assert!(response.truncated && response.incomplete.is_none());
            assert_eq!(sender.kept_connections(), 0);
            assert_eq!(receiver.connections(), connections);
        }
    }
}

#[tokio::test]
async fn an_endless_body_is_left_and_the_receiver_sees_the_connection_closed() {
    let (closed, mut is_closed) = tokio::sync::mpsc::channel(1);
    let receiver = Receiver::talking(None, move |mut wire, _| {
        let closed = closed.clone();
        async move {
            read_request(&mut wire).await;
            write(&mut wire, "HTTP/1.1 500 Oops\r\ntransfer-encoding: chunked\r\n\r\n").await;
            let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
            while tokio::io::AsyncWriteExt::write_all(&mut wire, chunk.as_bytes()).await.is_ok() {}
            closed.send(()).await.unwrap();
        }
    })
    .await;
    let response = answered(&sender(), &target(receiver.http_url())).await;
    assert_eq!((response.status, response.body.len()), (500, RESPONSE_BYTES_MAX));
    assert!(response.truncated);
    assert_eq!(is_closed.recv().await, Some(()));
}

#[tokio::test]
async fn of_a_longer_body_over_http2_the_stream_is_left_and_the_connection_kept() {
    let ca = Authority::new("Test CA");
    let receiver =
        Receiver::https(ca.certify().http2_server(), |_| answer(400, &[], vec![b'x'; 10_000_000])).await;
    let (sender, target) = (sender(), trusting(receiver.https_url(), ca.pem()));
    // More than the connection's window in all: what is not read must be given back.
    for _ in 0..20 {
        let response = answered(&sender, &target).await;
        assert_eq!(response.body, vec![b'x'; RESPONSE_BYTES_MAX]);
        assert!(response.truncated);
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_compressed_answer_is_left_as_it_is() {
    let bytes: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b, 4, 0, 0x43, 0xbe, 0xb7, 0xe8, 1, 0, 0, 0];
    let receiver = Receiver::http(move |_| answer(400, &[("content-encoding", "gzip")], bytes)).await;
    assert_eq!(answered(&sender(), &target(receiver.http_url())).await.body, bytes);
}

#[tokio::test]
async fn a_chunked_body_is_put_together_and_its_trailers_are_left() {
    let response = outcome_of(
        b"HTTP/1.1 400 Bad\r\ntransfer-encoding: chunked\r\ntrailer: x\r\n\r\n2\r\nab\r\n1;e=1\r\nc\r\n0\r\nx: 1\r\n\r\n",
    )
    .await
    .unwrap();
    assert_eq!(response.body, b"abc");
}

#[tokio::test]
async fn a_body_that_ends_with_the_connection_is_complete() {
    let response = outcome_of(b"HTTP/1.0 400 Bad\r\n\r\nwhole").await.unwrap();
    assert_eq!((response.status, &response.body[..]), (400, &b"whole"[..]));
}

#[tokio::test]
async fn an_interim_answer_is_not_the_answer() {
    let response = outcome_of(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n",
    )
    .await
    .unwrap();
    assert_eq!(response.status, 202);
}

#[tokio::test]
async fn an_answer_that_breaks_the_rules_is_told_as_that() {
    for bytes in [
        &b"hello\r\n\r\n"[..],
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/9.1 200 OK\r\n\r\n",
        b"\0\0\0\0",
        b"SSH-2.0-OpenSSH_9.9\r\n",
    ] {
        let error = outcome_of(bytes).await.unwrap_err();
        assert!(matches!(error, SendError::Protocol { .. }), "{bytes:?}: {error:?}");
        assert!(error.to_string().starts_with("the receiver's answer is not valid HTTP: "), "{error}");
    }
}

#[tokio::test]
async fn an_answer_whose_headers_never_end_is_refused() {
    let receiver = Receiver::talking(None, |mut wire, _| async move {
        read_request(&mut wire).await;
        write(&mut wire, "HTTP/1.1 200 OK\r\n").await;
        let line = format!("x: {}\r\n", "y".repeat(1_000));
        while tokio::io::AsyncWriteExt::write_all(&mut wire, line.as_bytes()).await.is_ok() {}
    })
    .await;
    assert_eq!(
        words(&sender(), &target(receiver.http_url())).await,
        "the receiver's answer is not valid HTTP: its head is longer than 307200 bytes"
    );
}

#[tokio::test]
async fn a_connection_closed_before_the_answer_is_told_as_that() {
    for bytes in [&b""[..], b"HTTP/1.1", b"HTTP/1.1 200 OK\r\nx: y\r\n"] {
        let error = outcome_of(bytes).await.unwrap_err();
        assert!(matches!(error, SendError::Cut { phase: Phase::Headers }), "{bytes:?}: {error:?}");
        assert_eq!(error.to_string(), "the connection was closed before the receiver had answered");
    }
}

#[tokio::test]
async fn an_answer_that_comes_before_the_whole_request_is_taken_counts() {
    let receiver = Receiver::talking(None, |mut wire, _| async move {
        let mut head = [0; 512];
        let _ = wire.read(&mut head).await;
        write(&mut wire, "HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        // As servers do that want the answer to arrive: what still comes is thrown away until the client closes.
        let _ = tokio::io::copy(&mut wire, &mut tokio::io::sink()).await;
    })
    .await;
    let sent =
        send_message(&sender(), &target(receiver.http_url()), message_of(vec![b'x'; 20_000_000])).await;
    assert_eq!(sent.outcome.unwrap().status, 413);
}

#[tokio::test]
async fn a_receiver_that_answers_without_taking_the_request_does_not_hold_up_the_next() {
    let receiver = Receiver::talking(None, |mut wire, connection| async move {
        if connection == 1 {
            let _ = wire.read(&mut [0; 512]).await;
            write(&mut wire, "HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n").await;
            std::future::pending::<()>().await;
        }
        while read_request(&mut wire).await {
            write(&mut wire, OK).await;
        }
    })
    .await;
    let (sender, target) = (sender(), target(receiver.http_url()));
    let sent = send_message(&sender, &target, message_of(vec![b'x'; 20_000_000])).await;
    assert_eq!(sent.outcome.unwrap().status, 413);
    assert_eq!(answered(&sender, &target).await.status, 200);
    assert_eq!(receiver.connections(), 2);
}

#[tokio::test]
async fn an_answer_counts_also_if_the_connection_is_cut_behind_it() {
    let receiver = Receiver::talking(None, |mut wire, _| async move {
        let _ = wire.read(&mut [0; 512]).await;
        // What has not been read makes the system reset the connection.
        write(&mut wire, "HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    })
    .await;
    let sent =
        send_message(&sender(), &target(receiver.http_url()), message_of(vec![b'x'; 20_000_000])).await;
    assert_eq!(sent.outcome.unwrap().status, 413);
}

#[tokio::test]
async fn bytes_after_an_answer_end_the_connection_but_not_the_answer() {
    let receiver = Receiver::talking(None, |mut wire, _| async move {
        read_request(&mut wire).await;
        write(&mut wire, format!("{OK}HTTP/1.1 500 Smuggled\r\ncontent-length: 0\r\n\r\n")).await;
        let _ = wire.read_u8().await;
    })
    .await;
    let (sender, target) = (sender(), target(receiver.http_url()));
    for connections in 1..=2 {
        assert_eq!(
            answered(&sender, &target).await.status,
            200,
            "an answer that nobody asked for is never used"
        );
        assert_eq!(receiver.connections(), connections);
    }
}
