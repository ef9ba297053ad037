//! Names with several addresses, of which some do not work.

use super::authority::{Authority, NAME};
use super::receiver::{OK, Receiver, Wire, read_request, write};
use super::support::*;
use hitwire_endpoint::{Sender, Target};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What a connection to a bad address meets after TCP.
#[derive(Clone, Copy, Debug)]
enum Bad {
    /// The connection is closed at once.
    Closes,
    /// Nothing ever comes.
    Hangs,
    /// The request is read, and the connection closed.
    ClosesAfterRequest,
}

/// Three addresses with the same port, the third of which works. TLS if there is an authority.
async fn receivers(bad: Bad, ca: Option<&Authority>) -> u16 {
    let acceptor = ca.map(|ca| TlsAcceptor::from(Arc::new(ca.certify().server())));
    loop {
        let first = TcpListener::bind("127.0.0.11:0").await.unwrap();
        let port = first.local_addr().unwrap().port();
        let second = TcpListener::bind(("127.0.0.12", port)).await;
        let (Ok(second), Ok(third)) = (second, TcpListener::bind(("127.0.0.13", port)).await) else {
            continue;
        };
        for (listener, is_good) in [(first, false), (second, false), (third, true)] {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let acceptor = acceptor.clone();
                    tokio::spawn(async move {
                        let mut wire: Wire = match acceptor {
                            Some(_) if !is_good => Box::new(stream),
                            Some(acceptor) => match acceptor.accept(stream).await {
                                Ok(stream) => Box::new(stream),
                                Err(_) => return,
                            },
                            None => Box::new(stream),
                        };
                        if is_good {
                            while read_request(&mut wire).await {
                                // One request a connection: the next one is dialled.
                                write(&mut wire, OK.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"))
                                    .await;
                            }
                            return;
                        }
                        match bad {
                            Bad::Closes => {}
                            Bad::ClosesAfterRequest => drop(read_request(&mut wire).await),
                            Bad::Hangs => while wire.read_u8().await.is_ok() {},
                        }
                    });
                }
            });
        }
        return port;
    }
}

fn several() -> Sender {
    sender_knowing(&[(NAME, &["127.0.0.11", "127.0.0.12", "127.0.0.13"])])
}

/// The last part of the address of each attempt, until one succeeds, and then of three more.
async fn attempts(sender: &Sender, target: &Target) -> Vec<u8> {
    let mut addresses = Vec::new();
    let mut successes = 0;
    while successes < 4 && addresses.len() < 20 {
        let sent = send(sender, target).await;
        let Some(SocketAddr::V4(address)) = sent.address else { panic!("{:?}", sent.address) };
        addresses.push(address.ip().octets()[3]);
        successes += usize::from(sent.outcome.is_ok());
    }
    addresses
}

#[tokio::test]
async fn each_attempt_begins_with_another_address_until_one_works_which_then_is_first() {
    let ca = Authority::new("Test CA");
    for (bad, over_tls) in [
        (Bad::Closes, true),
        (Bad::Hangs, true),
        (Bad::Closes, false),
        (Bad::ClosesAfterRequest, false),
        (Bad::Hangs, false),
    ] {
        let port = receivers(bad, over_tls.then_some(&ca)).await;
        let mut target = if over_tls {
            trusting(format!("https://{NAME}:{port}/"), ca.pem())
        } else {
            target(format!("http://{NAME}:{port}/"))
        };
        if matches!(bad, Bad::Hangs) {
            (target.open_timeout, target.timeout) = (SHORT * 10, SHORT * 10);
        }
        let found = attempts(&several(), &target).await;
        assert_eq!(found, [11, 12, 13, 13, 13, 13], "{bad:?}, TLS {over_tls}");
    }
}

#[tokio::test]
async fn an_address_that_refuses_is_not_first_next_time() {
    let receiver = Receiver::talking(None, |mut wire, _| async move {
        read_request(&mut wire).await;
        write(&mut wire, OK).await;
    })
    .await;
    let sender = sender_knowing(&[(NAME, &["127.0.0.11", "127.0.0.1"])]);
    let target = target(receiver.http_url());
    for _ in 0..3 {
        let sent = send(&sender, &target).await;
        assert_eq!((sent.outcome.unwrap().status, sent.address), (200, Some(receiver.address)));
    }
}

#[tokio::test]
async fn an_answer_whatever_it_says_is_no_reason_for_another_address() {
    let port = receivers(Bad::Closes, None).await;
    let sender = sender_knowing(&[(NAME, &["127.0.0.13", "127.0.0.11"])]);
    assert_eq!(attempts(&sender, &target(format!("http://{NAME}:{port}/"))).await, [13, 13, 13, 13]);
}
