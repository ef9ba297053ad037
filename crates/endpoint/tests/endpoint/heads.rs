//! Heads of answers as receivers write them, and as curl takes them.

use super::authority::Authority;
use super::receiver::{Receiver, answer, read_request, write};
use super::support::*;
use hitwire_endpoint::{RESPONSE_HEADER_BYTES_MAX, RESPONSE_HEADERS_MAX, Response};
use std::time::Duration;

/// What a sender makes of this head and no body, twice over one connection.
async fn answer_of(head: impl Into<Vec<u8>>) -> Response {
    let head: Vec<u8> = head.into();
    let receiver = Receiver::talking(None, move |mut wire, _| {
        let head = head.clone();
        async move {
            while read_request(&mut wire).await {
                write(&mut wire, &head).await;
            }
        }
    })
    .await;
    let (sender, target) = (sender(), target(receiver.http_url()));
    let response = answered(&sender, &target).await;
    assert_eq!(answered(&sender, &target).await, response);
    assert_eq!(receiver.connections(), 1, "the connection is kept");
    response
}

#[tokio::test]
async fn odd_headers_are_taken() {
    let length = "Content-Length: 0\r\n\r\n";
    for (head, name, value) in [
        ("A: b;\r\n  c\r\n\td\r\n", "a", "b; c d"),
        ("A:\r\n b\r\n", "a", "b"),
        ("Server : x\r\n", "server", "x"),
        ("Server\t: x\r\n", "server", "x"),
        ("Set-Cookie: a=b\x01c\r\n", "set-cookie", "a=b c"),
        ("Nul: a\0b\r\n", "nul", "a b"),
        ("Cr: a\rb\r\n", "cr", "a b"),
        ("no colon\r\nA: b\r\n", "a", "b"),
        ("bad name: x\r\nA: b\r\n", "a", "b"),
        (": no name\r\nA: b\r\n", "a", "b"),
        ("A: b\n", "a", "b"),
        ("Empty:\r\n", "empty", ""),
    ] {
        let response = answer_of(format!("HTTP/1.1 200 OK\r\n{head}{length}")).await;
        assert_eq!((response.status, response.headers[name].to_str().unwrap()), (200, value), "{head:?}");
    }
    let latin: &[u8] = b"HTTP/1.1 200 OK\r\nName: Gr\xfc\xdfe\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(answer_of(latin).await.headers["name"].as_bytes(), b"Gr\xfc\xdfe");
}

#[tokio::test]
async fn odd_status_lines_are_taken() {
    for line in [
        "HTTP/1.1 503\r\n",
        "HTTP/1.1 503 \r\n",
        "HTTP/1.1 503 Back\x07soon\r\n",
        "HTTP/1.1  503  Twice\r\n",
        "HTTP/1.1 503 Busy\n",
        "\r\nHTTP/1.1 503 Behind a blank line\r\n",
    ] {
        let response = answer_of(format!("{line}Retry-After: 7\nContent-Length: 0\n\n")).await;
        assert_eq!((response.status, response.retry_after), (503, Some(Duration::from_secs(7))), "{line:?}");
    }
    let latin: &[u8] = b"HTTP/1.1 200 Gr\xfc\xdfe\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(answer_of(latin).await.status, 200);
}

#[tokio::test]
async fn of_too_many_headers_the_first_are_kept_and_the_wait_counts() {
    for many in [101, 1_000, 10_000] {
        let headers: Vec<_> = (0..many).map(|number| format!("X-{number}: y\r\n")).collect();
        let headers = headers.concat();
        let tail = "Retry-After: 9\r\nContent-Length: 0\r\n\r\n";
        let response = answer_of(format!("HTTP/1.1 429 Slow\r\n{headers}{tail}")).await;
        assert_eq!((response.status, response.retry_after), (429, Some(Duration::from_secs(9))));
        assert!((80..=RESPONSE_HEADERS_MAX).contains(&response.headers.len()), "{}", response.headers.len());
        assert_eq!(response.headers["x-0"], "y");
    }
}

#[tokio::test]
async fn of_large_headers_no_more_than_the_bound_is_kept() {
    for (size, times) in [(40_000, 1), (200_000, 1), (4_000, 50)] {
        let headers = format!("X: {}\r\n", "y".repeat(size)).repeat(times);
        let head = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 0\r\n\r\n");
        let response = answer_of(head).await;
        let kept: usize =
            response.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        assert!(response.status == 200 && kept <= RESPONSE_HEADER_BYTES_MAX, "{kept}");
    }
}

#[tokio::test]
async fn the_same_holds_over_http2() {
    let ca = Authority::new("Test CA");
    let receiver = Receiver::https(ca.certify().http2_server(), |_| {
        let headers: Vec<_> = (0..500).map(|number| (format!("x-{number}"), "y".repeat(100))).collect();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        answer(429, &[&headers[..], &[("retry-after", "9")]].concat(), "")
    })
    .await;
    let response = answered(&sender(), &trusting(receiver.https_url(), ca.pem())).await;
    assert_eq!((response.status, response.retry_after), (429, Some(Duration::from_secs(9))));
    assert_eq!(response.headers.len(), RESPONSE_HEADERS_MAX);
}

#[tokio::test]
async fn framing_that_contradicts_itself_closes_the_connection_and_leaves_the_status() {
    for head in [
        "HTTP/1.1 410 Gone\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "HTTP/1.1 410 Gone\r\nContent-Length: many\r\n\r\n",
        "HTTP/1.0 410 Gone\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let receiver = Receiver::talking(None, move |mut wire, _| async move {
            if read_request(&mut wire).await {
                write(&mut wire, head).await;
            }
        })
        .await;
        let (sender, target) = (sender(), target(receiver.http_url()));
        for connections in 1..=2 {
            assert_eq!(answered(&sender, &target).await.status, 410, "{head:?}");
            assert_eq!((receiver.connections(), sender.kept_connections()), (connections, 0));
        }
    }
}
