//! The API over TLS: the handshake, a renewal while it serves, and what is no handshake.

use crate::support::{ADMIN, Hitwire, until};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A certificate for `localhost` with its key.
struct Pair {
    cert: CertificateDer<'static>,
    cert_pem: String,
    key_pem: String,
}

impl Pair {
    fn new() -> Pair {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).expect("made");
        Pair { cert_pem: cert.pem(), cert: cert.der().clone(), key_pem: signing_key.serialize_pem() }
    }
}

/// A hitwire that serves with files which can be exchanged.
struct Served {
    hitwire: Hitwire,
    cert: PathBuf,
    key: PathBuf,
    _files: tempfile::TempDir,
}

impl Served {
    async fn with(pair: &Pair) -> Served {
        let files = tempfile::tempdir().expect("a directory");
        let (cert, key) = (files.path().join("tls.pem"), files.path().join("tls.key"));
        std::fs::write(&cert, &pair.cert_pem).expect("written");
        std::fs::write(&key, &pair.key_pem).expect("written");
        let hitwire = Hitwire::start_with(|config| {
            config.tls_cert = Some(cert.clone());
            config.tls_key = Some(key.clone());
            config.api.connections_max = 2;
            config.console.proxies = vec!["127.0.0.1/32".parse().expect("a network")];
        })
        .await;
        Served { hitwire, cert, key, _files: files }
    }

    fn addr(&self) -> SocketAddr {
        self.hitwire.server().addr()
    }

    fn replace(&self, cert_pem: &str, key_pem: &str) {
        std::fs::write(&self.cert, cert_pem).expect("written");
        std::fs::write(&self.key, key_pem).expect("written");
    }
}

fn connector(trusted: &Pair) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.cert.clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn connect(addr: SocketAddr, trusted: &Pair) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(addr).await?;
    connector(trusted).connect(ServerName::try_from("localhost").expect("a name"), stream).await
}

/// The status of an answer to an administrator's question.
async fn ask(stream: TlsStream<TcpStream>) -> u16 {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    tokio::spawn(connection);
    let request = Request::get("/v2/integration")
        .header("host", "localhost")
        .header("authorization", format!("Bearer {ADMIN}"))
        .body(Empty::<Bytes>::new())
        .expect("a request");
    let answer = sender.send_request(request).await.expect("an answer");
    let status = answer.status().as_u16();
    answer.into_body().collect().await.expect("the whole answer");
    status
}

#[tokio::test]
async fn the_api_is_served_with_the_certificate_that_was_given() {
    let pair = Pair::new();
    let served = Served::with(&pair).await;
    assert!(served.hitwire.server().url().starts_with("https://127.0.0.1:"));
    let stream = connect(served.addr(), &pair).await.expect("connected");
    assert_eq!(stream.get_ref().1.peer_certificates().expect("certificates")[0], pair.cert);
    assert_eq!(ask(stream).await, 200);
    let refused = connect(served.addr(), &Pair::new()).await.expect_err("another certificate is trusted");
    assert!(refused.to_string().contains("invalid peer certificate"), "{refused}");
}

#[tokio::test]
async fn a_renewed_certificate_is_used_without_a_restart_and_leaves_open_connections_alone() {
    let (before, after) = (Pair::new(), Pair::new());
    let served = Served::with(&before).await;
    let open = connect(served.addr(), &before).await.expect("connected");
    served.replace(&after.cert_pem, &after.key_pem);
    until(async || connect(served.addr(), &after).await.is_ok()).await;
    assert!(connect(served.addr(), &before).await.is_err(), "the old one is gone");
    assert_eq!(ask(open).await, 200);
}

#[tokio::test]
async fn a_pair_that_does_not_fit_is_refused_and_the_one_before_stays() {
    let (before, other) = (Pair::new(), Pair::new());
    let served = Served::with(&before).await;
    for (cert, key) in [(&*other.cert_pem, &*before.key_pem), ("nothing", &*other.key_pem)] {
        served.replace(cert, key);
        served.hitwire.server().read_certificate_again().await;
        let stream = connect(served.addr(), &before).await.expect("the old certificate serves");
        assert_eq!(ask(stream).await, 200);
    }
    served.replace(&other.cert_pem, &other.key_pem);
    served.hitwire.server().read_certificate_again().await;
    assert_eq!(ask(connect(served.addr(), &other).await.expect("the new one serves")).await, 200);
}

#[tokio::test]
async fn who_speaks_in_clear_is_sent_away_and_harms_nobody() {
    let pair = Pair::new();
    let served = Served::with(&pair).await;
    for _ in 0..5 {
        let mut stream = TcpStream::connect(served.addr()).await.expect("connected");
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("written");
        let mut answer = Vec::new();
        // A reset is an end as well.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.windows(4).any(|window| window == b"HTTP"), "{answer:?}");
    }
    assert_eq!(ask(connect(served.addr(), &pair).await.expect("connected")).await, 200);
}

#[tokio::test]
async fn a_handshake_that_is_under_way_takes_a_place() {
    let pair = Pair::new();
    let served = Served::with(&pair).await;
    let begun: Vec<_> = [TcpStream::connect(served.addr()).await, TcpStream::connect(served.addr()).await]
        .map(|stream| stream.expect("connected"))
        .into();
    let addr = served.addr();
    let mut waiting = tokio::spawn(async move { connect(addr, &pair).await.map(ask) });
    let early = tokio::time::timeout(Duration::from_millis(300), &mut waiting).await;
    assert!(early.is_err(), "nobody is greeted beyond the bound");
    drop(begun);
    assert_eq!(waiting.await.expect("waited").expect("connected").await, 200);
}

#[tokio::test]
async fn without_a_usable_certificate_it_does_not_start() {
    let files = tempfile::tempdir().expect("a directory");
    let config = hitwire_server::Config {
        data_dir: files.path().join("data"),
        tls_cert: Some(files.path().join("tls.pem")),
        tls_key: Some(files.path().join("tls.key")),
        ..hitwire_server::Config::default()
    };
    let Err(error) = hitwire_server::Server::start(config).await else { panic!("started") };
    let words = error.to_string();
    assert!(words.starts_with("the API's certificate cannot be used: cannot read "), "{words}");
    assert!(!files.path().join("data").exists(), "nothing was made before");
}
