//! Connections that are kept, shared, not shared, and found dead.

use super::authority::{Authority, NAME};
use super::receiver::{OK, Receiver, answer, ok, read_request, write};
use super::support::*;
use hitwire_endpoint::{Guard, Phase, SendError, Sender, TlsIdentity};
use hitwire_event::ClientId;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Barrier;

#[tokio::test]
async fn a_connection_is_used_again() {
    let ca = Authority::new("Test CA");
    for config in [ca.certify().server(), ca.certify().http2_server()] {
        let receiver = Receiver::https(config, ok).await;
        let (sender, target) = (sender(), trusting(receiver.https_url(), ca.pem()));
        for number in 0..5 {
            let sent = send(&sender, &target).await;
            assert_eq!(sent.outcome.unwrap().status, 200);
            assert_eq!(sent.reused, number > 0);
            assert_eq!(sent.address, Some(receiver.address));
        }
        assert_eq!(receiver.connections(), 1);
        assert_eq!(sender.kept_connections(), 1);
    }
}

#[tokio::test]
async fn connections_are_never_shared_between_clients() {
    let ca = Authority::new("Test CA");
    for config in [ca.certify().server(), ca.certify().http2_server()] {
        let receiver = Receiver::https(config, ok).await;
        let (sender, target) = (sender(), trusting(receiver.https_url(), ca.pem()));
        for client in 1..=3 {
            let sent = sender.send(ClientId(client), &target, message()).await;
            assert_eq!(sent.outcome.unwrap().status, 200);
            assert!(!sent.reused);
        }
        assert_eq!(receiver.connections(), 3);
    }
}

#[tokio::test]
async fn a_kept_connection_is_not_used_again_once_its_network_is_no_longer_allowed_for_the_client() {
    let ca = Authority::new("Test CA");
    for config in [ca.certify().server(), ca.certify().http2_server()] {
        let receiver = Receiver::https(config, ok).await;
        let sender = Sender::new(Guard::new(vec![], false), table(&[(NAME, &["127.0.0.1"])]));
        let target = trusting(receiver.https_url(), ca.pem());
        let refused = |error: SendError| assert!(matches!(error, SendError::Guard { .. }), "{error:?}");
        refused(failed(&sender, &target).await);
        sender.guard().set_allowed_for(CLIENT, vec!["127.0.0.0/8".parse().unwrap()]);
        for _ in 0..2 {
            assert_eq!(answered(&sender, &target).await.status, 200);
        }
        assert_eq!((receiver.connections(), sender.kept_connections()), (1, 1));
        let other = sender.send(ClientId(CLIENT.0 + 1), &target, message()).await;
        refused(other.outcome.unwrap_err());
        sender.guard().set_allowed_for(CLIENT, vec![]);
        refused(failed(&sender, &target).await);
        assert_eq!(sender.kept_connections(), 0);
        assert_eq!(receiver.seen().len(), 2);
        assert_eq!(receiver.connections(), 1);
    }
}

#[tokio::test]
async fn connections_are_never_shared_between_tls_identities() {
    let ca = Authority::new("Test CA");
    let (one, two) = (ca.certify_client(), ca.certify_client());
    for config in [ca.certify().server(), ca.certify().http2_server()] {
        let receiver = Receiver::https(config, ok).await;
        let sender = sender();
        let trusting_all = TlsIdentity { verify: false, ..TlsIdentity::default() };
        let trusting_ca = TlsIdentity { ca_pem: ca.pem(), ..TlsIdentity::default() };
        let as_one = TlsIdentity {
            client_cert_pem: one.cert_pem.clone(),
            client_key_pem: Some(one.key_pem().into()),
            ..trusting_ca.clone()
        };
        let as_two = TlsIdentity {
            client_cert_pem: two.cert_pem.clone(),
            client_key_pem: Some(two.key_pem().into()),
            ..trusting_ca.clone()
        };
        for (number, identity) in [trusting_all, trusting_ca, as_one, as_two].into_iter().enumerate() {
            let mut target = target(receiver.https_url());
            target.tls = identity;
            let sent = send(&sender, &target).await;
            assert_eq!(sent.outcome.unwrap().status, 200);
            assert!(!sent.reused, "{number}");
        }
        assert_eq!(receiver.connections(), 4);
        // A connection that verified nothing serves nobody who verifies.
        let mut strict = target(receiver.https_url());
        strict.tls = TlsIdentity { ca_pem: Authority::new("Other CA").pem(), ..TlsIdentity::default() };
        assert!(matches!(failed(&sender, &strict).await, SendError::Tls { .. }));
    }
}

#[tokio::test]
async fn connections_are_kept_apart_by_port_and_scheme() {
    let (one, two) = (Receiver::http(ok).await, Receiver::http(ok).await);
    let sender = sender();
    for receiver in [&one, &two, &one, &two] {
        answered(&sender, &target(receiver.http_url())).await;
    }
    assert_eq!((one.connections(), two.connections()), (1, 1));
    assert!(matches!(failed(&sender, &target(one.https_url())).await, SendError::Tls { .. }));
}

/// Sends as many at once as the barrier holds; all are under way together.
async fn send_together(
    sender: &hitwire_endpoint::Sender,
    target: &hitwire_endpoint::Target,
    requests: usize,
) {
    let sends = (0..requests).map(|_| {
        let (sender, target) = (sender.clone(), target.clone());
        tokio::spawn(async move { answered(&sender, &target).await.status })
    });
    for sent in sends.collect::<Vec<_>>() {
        assert_eq!(sent.await.unwrap(), 200);
    }
}

#[tokio::test]
async fn requests_at_the_same_time_open_connections_of_which_two_are_kept() {
    let together = Arc::new(Barrier::new(4));
    let receiver = Receiver::talking(None, move |mut wire, _| {
        let together = together.clone();
        async move {
            while read_request(&mut wire).await {
                together.wait().await;
                write(&mut wire, OK).await;
            }
        }
    })
    .await;
    let (sender, target) = (sender(), target(receiver.http_url()));
    send_together(&sender, &target, 4).await;
    assert_eq!(receiver.connections(), 4);
    assert_eq!(sender.kept_connections(), 2);
}

#[tokio::test]
async fn requests_at_the_same_time_share_an_http2_connection() {
    let ca = Authority::new("Test CA");
    let receiver = Receiver::https(ca.certify().http2_server(), ok).await;
    let (sender, target) = (sender(), trusting(receiver.https_url(), ca.pem()));
    answered(&sender, &target).await;
    send_together(&sender, &target, 20).await;
    assert_eq!(receiver.connections(), 1);
    assert_eq!(receiver.seen().len(), 21);
}

#[tokio::test]
async fn a_receiver_that_wants_its_connection_closed_gets_that() {
    let receiver = Receiver::http(|_| answer(200, &[("connection", "close")], "")).await;
    let (sender, target) = (sender(), target(receiver.http_url()));
    for connections in 1..=3 {
        assert!(!send(&sender, &target).await.reused);
        assert_eq!(receiver.connections(), connections);
    }
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_meanwhile_is_not_used() {
    let receiver = Receiver::talking(None, |mut wire, _| async move {
        read_request(&mut wire).await;
        write(&mut wire, OK).await;
    })
    .await;
    let (sender, target) = (sender(), target(receiver.http_url()));
    for connections in 1..=3 {
        assert_eq!(answered(&sender, &target).await.status, 200);
        assert_eq!(receiver.connections(), connections);
    }
}

#[tokio::test]
async fn a_kept_connection_that_dies_before_it_answers_is_replaced_at_once() {
    let receiver = Receiver::talking(None, |mut wire, connection| async move {
        read_request(&mut wire).await;
        write(&mut wire, OK).await;
        // The first connection takes a second request and is closed without a word.
        while read_request(&mut wire).await && connection > 1 {
            write(&mut wire, OK).await;
        }
    })
    .await;
    let (sender, target) = (sender(), target(receiver.http_url()));
    assert!(!send(&sender, &target).await.reused);
    let sent = send(&sender, &target).await;
    assert_eq!(sent.outcome.unwrap().status, 200);
    assert!(!sent.reused, "answered by the new connection");
    assert!(sent.timings.connect.is_some());
    assert_eq!(receiver.connections(), 2);
    assert!(send(&sender, &target).await.reused);
}

#[tokio::test]
async fn a_kept_connection_is_replaced_once_only() {
    let receiver = Receiver::talking(None, |mut wire, connection| async move {
        read_request(&mut wire).await;
        if connection == 1 {
            write(&mut wire, OK).await;
            read_request(&mut wire).await;
        }
    })
    .await;
    let (sender, target) = (sender(), target(receiver.http_url()));
    answered(&sender, &target).await;
    let error = failed(&sender, &target).await;
    assert!(matches!(error, SendError::Cut { phase: Phase::Headers }), "{error:?}");
    assert_eq!(receiver.connections(), 2);
}

#[tokio::test]
async fn a_request_is_not_repeated_once_an_answer_has_begun() {
    let receiver = Receiver::talking(None, |mut wire, _| async move {
        read_request(&mut wire).await;
        write(&mut wire, OK).await;
        read_request(&mut wire).await;
        write(&mut wire, "HTTP/1.1 20").await;
    })
    .await;
    let (sender, target) = (sender(), target(receiver.http_url()));
    answered(&sender, &target).await;
    let sent = send(&sender, &target).await;
    assert!(matches!(sent.outcome, Err(SendError::Cut { phase: Phase::Headers })), "{:?}", sent.outcome);
    assert!(sent.reused);
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_new_connection_that_dies_is_not_replaced() {
    let receiver = Receiver::talking(None, |mut wire, _| async move {
        read_request(&mut wire).await;
    })
    .await;
    failed(&sender(), &target(receiver.http_url())).await;
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_kept_http2_connection_that_was_closed_is_replaced() {
    let ca = Authority::new("Test CA");
    let (kill, killed) = tokio::sync::watch::channel(0);
    let receiver = Receiver::talking(Some(ca.certify().http2_server()), move |wire, connection| {
        let mut killed = killed.clone();
        async move {
            let service = hyper::service::service_fn(|_: http::Request<hyper::body::Incoming>| async {
                hyper::Result::Ok(ok_body())
            });
            let builder = hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
            tokio::select! {
                _ = builder.serve_connection(hyper_util::rt::TokioIo::new(wire), service) => {}
                _ = killed.wait_for(|killed| *killed >= connection) => {}
            }
        }
    })
    .await;
    let (sender, target) = (sender(), trusting(receiver.https_url(), ca.pem()));
    for connection in 1..=3 {
        assert_eq!(answered(&sender, &target).await.status, 200);
        assert_eq!(answered(&sender, &target).await.status, 200);
        assert_eq!(receiver.connections(), connection);
        kill.send(connection).unwrap();
    }
}

fn ok_body() -> http::Response<http_body_util::Empty<bytes::Bytes>> {
    http::Response::new(http_body_util::Empty::new())
}

#[tokio::test]
async fn an_unused_connection_is_closed_after_a_minute_with_a_goodbye() {
    let ca = Authority::new("Test CA");
    for config in [ca.certify().server(), ca.certify().http2_server()] {
        let http2 = config.alpn_protocols.len() > 1;
        let (ended, mut end) = tokio::sync::mpsc::channel(1);
        let receiver = Receiver::talking(Some(config), move |mut wire, _| {
            let ended = ended.clone();
            async move {
                if http2 {
                    let service =
                        hyper::service::service_fn(|_: http::Request<hyper::body::Incoming>| async {
                            hyper::Result::Ok(ok_body())
                        });
                    let builder =
                        hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
                    let end = builder.serve_connection(hyper_util::rt::TokioIo::new(wire), service).await;
                    ended.send(end.is_ok()).await.unwrap();
                } else {
                    read_request(&mut wire).await;
                    write(&mut wire, OK).await;
                    // TLS tells an orderly end (nothing more to read) from a cut connection (an error).
                    ended.send(matches!(wire.read(&mut [0]).await, Ok(0))).await.unwrap();
                }
            }
        })
        .await;
        let sender = sender();
        answered(&sender, &trusting(receiver.https_url(), ca.pem())).await;
        assert_eq!(sender.kept_connections(), 1);
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(sender.kept_connections(), 1);
        tokio::time::advance(Duration::from_secs(12)).await;
        tokio::time::resume();
        assert_eq!(end.recv().await, Some(true), "an orderly end");
        assert_eq!(sender.kept_connections(), 0);
    }
}

#[tokio::test]
async fn a_dropped_sender_closes_its_connections() {
    let (ended, mut end) = tokio::sync::mpsc::channel(1);
    let receiver = Receiver::talking(None, move |mut wire, _| {
        let ended = ended.clone();
        async move {
            while read_request(&mut wire).await {
                write(&mut wire, OK).await;
            }
            ended.send(()).await.unwrap();
        }
    })
    .await;
    let sender = sender();
    answered(&sender, &target(receiver.http_url())).await;
    drop(sender);
    assert_eq!(end.recv().await, Some(()));
}

#[tokio::test]
async fn an_abandoned_request_closes_its_connection() {
    let (ended, mut end) = tokio::sync::mpsc::channel(2);
    let receiver = Receiver::talking(None, move |mut wire, _| {
        let ended = ended.clone();
        async move {
            while read_request(&mut wire).await {
                ended.send("asked").await.unwrap();
            }
            ended.send("closed").await.unwrap();
        }
    })
    .await;
    let (sender, target) = (sender(), target(receiver.http_url()));
    let abandoned = tokio::spawn({
        let sender = sender.clone();
        async move { send(&sender, &target).await }
    });
    assert_eq!(end.recv().await, Some("asked"));
    abandoned.abort();
    assert_eq!(end.recv().await, Some("closed"));
    assert_eq!(sender.kept_connections(), 0);
}
