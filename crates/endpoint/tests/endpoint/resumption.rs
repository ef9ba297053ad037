//! Servers that give out TLS sessions, and what they do when one is to be resumed.

use super::authority::Authority;
use super::proxy_server::{Manner, ProxyServer, Speaks};
use super::receiver::{Wire, read_request, write};
use super::support::*;
use hitwire_endpoint::Target;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What a server does with a client that offers a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reaction {
    /// Resumes it.
    Resume,
    /// Ends the handshake with the alert `internal_error`, as OpenSSL does without a session id context.
    Alert,
    /// Closes at once.
    Close,
    /// Finishes the handshake, and closes then, without reading a request.
    CloseLater,
}

/// A server that closes after each answer, so that each request needs a handshake.
struct Server {
    address: SocketAddr,
    /// For each handshake, whether a session was offered.
    offers: Arc<Mutex<Vec<bool>>>,
    /// Closes every connection.
    broken: Arc<AtomicBool>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Server {
    async fn start(
        ca: &Authority,
        version: &'static SupportedProtocolVersion,
        alpn: &str,
        reaction: Reaction,
    ) -> Server {
        let mut config = ca.certify().server_of(&[version], &[alpn]);
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (offers, broken) = (Arc::<Mutex<Vec<bool>>>::default(), Arc::<AtomicBool>::default());
        let (noted, fails) = (offers.clone(), broken.clone());
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let offered = offers_a_session(&stream).await;
                noted.lock().unwrap().push(offered);
                if !fails.load(SeqCst) {
                    tokio::spawn(serve(stream, acceptor.clone(), offered.then_some(reaction)));
                }
            }
        });
        Server { address, offers, broken, serving }
    }

    fn target(&self, ca: &Authority) -> Target {
        trusting(format!("https://{}:{}/s3cret", super::authority::NAME, self.address.port()), ca.pem())
    }

    fn offers(&self) -> Vec<bool> {
        self.offers.lock().unwrap().clone()
    }
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, reaction: Option<Reaction>) {
    let mut plain: Wire = match reaction {
        Some(Reaction::Alert) => {
            let mut wire: Wire = Box::new(stream);
            write(&mut wire, [0x15, 3, 3, 0, 2, 2, 80]).await;
            return;
        }
        Some(Reaction::Close) => return,
        Some(Reaction::Resume | Reaction::CloseLater) | None => match acceptor.accept(stream).await {
            Ok(stream) => Box::new(stream),
            Err(_) => return,
        },
    };
    if reaction == Some(Reaction::CloseLater) {
        return;
    }
    if read_request(&mut plain).await {
        write(&mut plain, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    }
}

/// Whether a ClientHello (RFC 8446, 4.1.2) holds a pre-shared key or a ticket; it is left where it is.
async fn offers_a_session(stream: &TcpStream) -> bool {
    let mut hello = vec![0; 5];
    loop {
        let read = stream.peek(&mut hello).await.unwrap();
        let length = if read < 5 { 5 } else { 5 + usize::from(u16::from_be_bytes([hello[3], hello[4]])) };
        if read >= 5 && read == length {
            break;
        }
        hello.resize(length, 0);
        tokio::task::yield_now().await;
    }
    let mut rest = &hello[5 + 4 + 2 + 32..];
    let mut skip = |length_bytes: usize| {
        let length = rest[..length_bytes].iter().fold(0, |all, byte| all * 256 + usize::from(*byte));
        let (skipped, after) = rest[length_bytes..].split_at(length);
        rest = after;
        skipped
    };
    skip(1); // session id
    skip(2); // cipher suites
    skip(1); // compression
    let mut extensions = skip(2);
    while let [kind1, kind2, length1, length2, after @ ..] = extensions {
        let (kind, length) = (u16::from_be_bytes([*kind1, *kind2]), u16::from_be_bytes([*length1, *length2]));
        if kind == 0x29 || (kind == 0x23 && length > 0) {
            return true;
        }
        extensions = &after[usize::from(length)..];
    }
    false
}

#[tokio::test]
async fn after_a_failed_resumption_the_handshake_is_made_in_full_and_no_session_is_offered_again() {
    let ca = Authority::new("Test CA");
    for version in [&TLS12, &TLS13] {
        for reaction in [Reaction::Alert, Reaction::Close, Reaction::CloseLater] {
            let server = Server::start(&ca, version, "http/1.1", reaction).await;
            let (sender, target) = (sender(), server.target(&ca));
            for _ in 0..4 {
                assert_eq!(answered(&sender, &target).await.status, 200, "{version:?} {reaction:?}");
            }
            let offers = server.offers();
            assert_eq!(offers, [false, true, false, false, false], "{version:?} {reaction:?}");
        }
    }
}

#[tokio::test]
async fn the_handshake_in_full_goes_through_the_same_proxy() {
    let ca = Authority::new("Test CA");
    for speaks in [Speaks::Http, Speaks::Socks5] {
        let proxy = ProxyServer::start(speaks, Manner::Serves).await;
        let server = Server::start(&ca, &TLS13, "http/1.1", Reaction::Close).await;
        let (sender, mut target) = (sender(), server.target(&ca));
        let scheme = if speaks == Speaks::Http { "http" } else { "socks5" };
        let url = format!("{scheme}://{}", proxy.address);
        target.proxy = Some(hitwire_endpoint::ProxySettings { url, credentials: None });
        for _ in 0..3 {
            assert_eq!(answered(&sender, &target).await.status, 200, "{speaks:?}");
        }
        assert_eq!(server.offers(), [false, true, false, false], "{speaks:?}");
        assert_eq!(proxy.asked(), vec![server.address.to_string(); 4]);
    }
}

#[tokio::test]
async fn sessions_are_resumed_where_that_works() {
    let ca = Authority::new("Test CA");
    for version in [&TLS12, &TLS13] {
        let server = Server::start(&ca, version, "http/1.1", Reaction::Resume).await;
        let (sender, target) = (sender(), server.target(&ca));
        for _ in 0..3 {
            assert_eq!(answered(&sender, &target).await.status, 200, "{version:?}");
        }
        assert_eq!(server.offers(), [false, true, true], "{version:?}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_every_handshake_is_not_taken_for_one_that_refuses_resumption() {
    let ca = Authority::new("Test CA");
    let server = Server::start(&ca, &TLS12, "http/1.1", Reaction::Resume).await;
    let (sender, target) = (sender(), server.target(&ca));
    assert_eq!(answered(&sender, &target).await.status, 200);
    server.broken.store(true, SeqCst);
    failed(&sender, &target).await;
    server.broken.store(false, SeqCst);
    assert_eq!(answered(&sender, &target).await.status, 200);
    assert_eq!(server.offers(), [false, true, false, true]);
}

#[tokio::test]
async fn one_place_where_resumption_fails_does_not_count_for_another() {
    let ca = Authority::new("Test CA");
    let bad = Server::start(&ca, &TLS12, "http/1.1", Reaction::Alert).await;
    let good = Server::start(&ca, &TLS12, "http/1.1", Reaction::Resume).await;
    let sender = sender();
    for server in [&bad, &bad, &good, &good] {
        assert_eq!(answered(&sender, &server.target(&ca)).await.status, 200);
    }
    assert_eq!(good.offers().last(), Some(&true));
    assert_eq!(bad.offers().last(), Some(&false));
}
