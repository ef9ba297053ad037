//! What is the same for every call, and how the service is doing.

use crate::support::{Hitwire, INGEST, hit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_call_that_is_not_there_and_a_method_that_does_not_fit_are_told_in_the_same_form() {
    let hitwire = Hitwire::start().await;
    insta::assert_snapshot!("no_such_call", hitwire.admin().get("/v3/nothing").await.shown());
    insta::assert_snapshot!("no_such_method", hitwire.admin().call("DELETE", "/v1/events").await.shown());
}

#[tokio::test]
async fn it_says_that_it_is_up_and_ready() {
    let hitwire = Hitwire::start().await;
    assert_eq!(hitwire.nobody().get("/healthz").await.expect(200)["status"], "up");
    assert_eq!(hitwire.nobody().get("/readyz").await.expect(200)["status"], "ready");
}

#[tokio::test]
async fn it_is_not_ready_while_the_log_cannot_be_written() {
    let hitwire = Hitwire::start_with(|config| config.log.disk_floor_bytes = u64::MAX / 2).await;
    let problem = hitwire.nobody().get("/readyz").await.expect(503);
    assert!(problem["detail"].as_str().expect("words").contains("free"), "{problem}");
    hitwire.nobody().get("/healthz").await.expect(200);
}

#[tokio::test]
async fn a_dispatch_that_has_failed_is_told_by_both_and_ends_the_server_in_order() {
    let mut hitwire = Hitwire::start().await;
    hitwire.server().break_dispatch();
    let reason = hitwire.server().failed().await;
    assert!(reason.starts_with("the dispatch, which delivers, failed by a programming error"), "{reason}");
    for path in ["/healthz", "/readyz"] {
        let problem = hitwire.nobody().get(path).await.expect(503);
        assert!(problem["detail"].as_str().expect("words").contains(&*reason), "{problem}");
    }
    hitwire.send(&hit(1)).await.expect(202);
    hitwire.stop().await;
    hitwire.restart().await;
    hitwire.nobody().get("/readyz").await.expect(200);
    assert_eq!(hitwire.send(&hit(1)).await.expect(202)["duplicates"], 1, "what was taken is there");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let hitwire = Hitwire::start().await;
    let mut stream = TcpStream::connect(hitwire.server().addr()).await.expect("connected");
    let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-large: {}\r\n\r\n", "a".repeat(100_000));
    // The server may answer and close before it was all written.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    hitwire.nobody().get("/healthz").await.expect(200);
}

#[tokio::test]
async fn a_second_server_on_the_same_data_says_so() {
    let hitwire = Hitwire::start().await;
    let config = hitwire_server::Config {
        data_dir: hitwire.data_dir().to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        ..hitwire_server::Config::default()
    };
    let Err(error) = hitwire_server::Server::start(config).await else { panic!("started") };
    let words = error.to_string();
    assert!(words.contains(&hitwire.data_dir().display().to_string()), "{words}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let hitwire = Hitwire::start().await;
    let config = hitwire_server::Config {
        data_dir: hitwire.file("other"),
        listen: hitwire.server().addr(),
        ..hitwire_server::Config::default()
    };
    let Err(error) = hitwire_server::Server::start(config).await else { panic!("started") };
    let words = error.to_string();
    assert!(words.contains(&hitwire.server().addr().to_string()) && words.contains("--listen"), "{words}");
}

#[tokio::test]
async fn a_body_that_waits_to_be_asked_for_is_refused_before_it_comes() {
    let hitwire = Hitwire::start().await;
    let mut stream = TcpStream::connect(hitwire.server().addr()).await.expect("connected");
    let head =
        "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 5000000\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 401");
}

#[tokio::test]
async fn who_comes_when_all_places_are_taken_waits_until_one_is_free() {
    let hitwire = Hitwire::start_with(|config| {
        config.api.connections_max = 2;
        // Or one address would have half of the places at most.
        config.console.proxies = vec!["127.0.0.1/32".parse().expect("a network")];
    })
    .await;
    let connect = || TcpStream::connect(hitwire.server().addr());
    let mut taken = vec![connect().await.expect("connected"), connect().await.expect("connected")];
    for stream in &mut taken {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("written");
        stream.read_exact(&mut [0; 12]).await.expect("an answer");
    }
    let nobody = hitwire.nobody();
    let mut waiting = tokio::spawn(async move { nobody.get("/healthz").await });
    let early = tokio::time::timeout(std::time::Duration::from_millis(300), &mut waiting).await;
    assert!(early.is_err(), "nobody is answered beyond the bound");
    taken.pop();
    waiting.await.expect("waited").expect(200);
}

#[tokio::test]
async fn a_caller_who_sends_a_large_body_in_vain_still_reads_why() {
    let hitwire = Hitwire::start().await;
    let body = vec![b'x'; 20 << 20];
    for (token, status) in [("nobody-knows-this", "401"), (INGEST, "413")] {
        let mut stream = TcpStream::connect(hitwire.server().addr()).await.expect("connected");
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.expect("written");
        // Like most clients it reads only when all is written.
        stream.write_all(&body).await.expect("the server reads to the end");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(std::str::from_utf8(&answer), Ok(format!("HTTP/1.1 {status}").as_str()));
    }
}
