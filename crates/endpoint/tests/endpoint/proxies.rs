//! Targets behind proxies: real ones, on the loopback interface.

use super::authority::{Authority, NAME};
use super::proxy_server::{Manner, ProxyServer, Speaks};
use super::receiver::{Receiver, ok};
use super::support::*;
use hitwire_endpoint::{
    Answer, Cause, Fetch, Guard, NoProxy, Outbound, Proxy, ProxyAddress, ProxySettings, Resolver, Rule,
    SendError, Sender, Target, TlsIdentity,
};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsAcceptor;

const BOTH: [Speaks; 2] = [Speaks::Http, Speaks::Socks5];

/// The name under which proxies are dialled.
const PROXY: &str = "proxy.test";

fn url(speaks: Speaks, proxy: &ProxyServer) -> String {
    let scheme = if speaks == Speaks::Http { "http" } else { "socks5" };
    format!("{scheme}://{PROXY}:{}", proxy.address.port())
}

/// The same target through a proxy of its own.
fn through(target: Target, url: &str, credentials: Option<&str>) -> Target {
    let mut target = target;
    let credentials = credentials.map(|text| text.to_owned().into());
    target.proxy = Some(ProxySettings { url: url.to_owned(), credentials });
    target
}

fn sender_with(allow: &str, outbound: Outbound) -> Sender {
    let guard = Guard::new(vec![allow.parse().unwrap()], true);
    Sender::leaving(guard, table(&[(NAME, &["127.0.0.1"]), (PROXY, &["127.0.0.1"])]), outbound)
}

fn through_proxies() -> Sender {
    sender_with("127.0.0.0/8", Outbound::default())
}

fn trusting_proxy(proxy: &ProxyServer) -> Outbound {
    let address = ProxyAddress::parse(&format!("{PROXY}:{}", proxy.address.port())).unwrap();
    Outbound { trusted: vec![address], ..Outbound::default() }
}

#[tokio::test]
async fn a_proxy_is_asked_for_the_judged_address_and_tls_is_with_the_target() {
    let ca = Authority::new("Test CA");
    for speaks in BOTH {
        let receiver = Receiver::https(ca.certify().server(), ok).await;
        let proxy = ProxyServer::start(speaks, Manner::Serves).await;
        let sender = through_proxies();
        let target = through(trusting(receiver.https_url(), ca.pem()), &url(speaks, &proxy), None);
        let sent = send(&sender, &target).await;
        assert_eq!(sent.outcome.unwrap().status, 200, "{speaks:?}");
        assert_eq!(sent.address, Some(receiver.address));
        assert_eq!(proxy.asked(), [receiver.address.to_string()], "the address, not the name");
        assert_eq!(proxy.credentials(), [None]);
        let seen = receiver.only();
        let host = seen.headers.get("host").map(|host| host.to_str().unwrap().to_owned()).or(seen.authority);
        assert_eq!(host, Some(format!("{NAME}:{}", receiver.address.port())));
        // The connection is kept, and used again.
        assert!(send(&sender, &target).await.reused);
        assert_eq!((proxy.connections(), receiver.connections()), (1, 1));
        // A certificate for another name, or of another CA, is found out inside the tunnel.
        let stranger = through(
            trusting(receiver.https_url(), Authority::new("Other CA").pem()),
            &url(speaks, &proxy),
            None,
        );
        let error = failed(&sender, &stranger).await;
        assert!(matches!(error, SendError::Tls { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn plain_http_goes_through_a_tunnel_too() {
    for speaks in BOTH {
        let receiver = Receiver::http(ok).await;
        let proxy = ProxyServer::start(speaks, Manner::Serves).await;
        let target = through(target(receiver.http_url()), &url(speaks, &proxy), None);
        assert_eq!(answered(&through_proxies(), &target).await.status, 200);
        assert_eq!(receiver.only().path, SECRET_PATH);
        assert_eq!(proxy.asked(), [receiver.address.to_string()]);
    }
}

#[tokio::test]
async fn a_proxy_over_tls_is_verified_by_the_operators_ca() {
    let (of_proxies, of_receivers) = (Authority::new("Proxies"), Authority::new("Receivers"));
    let certified = of_proxies.certify_as(|params| {
        params.subject_alt_names = vec![rcgen::SanType::DnsName(PROXY.try_into().unwrap())];
    });
    let tls = TlsAcceptor::from(Arc::new(certified.server()));
    let proxy = ProxyServer::start_over(Some(tls), Speaks::Http, Manner::ServesOnly("user:s3cret")).await;
    let receiver = Receiver::https(of_receivers.certify().server(), ok).await;
    let proxy_url = format!("https://{PROXY}:{}", proxy.address.port());
    let target = through(trusting(receiver.https_url(), of_receivers.pem()), &proxy_url, Some("user:s3cret"));
    let proxy_tls = TlsIdentity { ca_pem: of_proxies.pem(), ..TlsIdentity::default() };
    let sender = sender_with("127.0.0.0/8", Outbound { proxy_tls, ..Outbound::default() });
    assert_eq!(answered(&sender, &target).await.status, 200);
    assert_eq!(proxy.credentials(), [Some("user:s3cret".to_owned())]);
    // Against the public roots it is a stranger, and hears no credentials.
    let words = words(&through_proxies(), &target).await;
    assert!(words.starts_with(&format!("no TLS connection to the proxy at {PROXY}:")), "{words}");
    assert_eq!(proxy.credentials().len(), 1);
}

#[tokio::test]
async fn credentials_are_sent_to_the_proxy_and_wrong_ones_are_told_as_that() {
    let receiver = Receiver::http(ok).await;
    for speaks in BOTH {
        let proxy = ProxyServer::start(speaks, Manner::ServesOnly("user:s3cret")).await;
        let (sender, place) = (through_proxies(), format!("the proxy at {PROXY}:{}", proxy.address.port()));
        let with = |credentials| through(target(receiver.http_url()), &url(speaks, &proxy), credentials);
        assert_eq!(answered(&sender, &with(Some("user:s3cret"))).await.status, 200);
        assert_eq!(proxy.credentials(), [Some("user:s3cret".to_owned())]);
        let number = if speaks == Speaks::Http { " (407)" } else { "" };
        assert_eq!(
            words(&sender, &with(Some("user:s3cret-no-more"))).await,
            format!("{place} refused the connection{number}: check its user name and password")
        );
        assert_eq!(
            words(&sender, &with(None)).await,
            format!("{place} refused the connection{number}: it asks for a user name and password")
        );
        let header =
            receiver.seen().into_iter().find_map(|seen| seen.headers.get("proxy-authorization").cloned());
        assert_eq!(header, None, "they are the proxy's alone");
    }
}

#[tokio::test]
async fn an_address_that_is_judged_bad_is_asked_of_no_proxy() {
    for speaks in BOTH {
        let proxy = ProxyServer::start(speaks, Manner::Serves).await;
        // The proxy may be dialled, the target not.
        let guard = Guard::new(vec!["127.0.0.1/32".parse().unwrap()], true);
        for (addresses, rule) in [
            (&["127.0.0.2"][..], Rule::Loopback),
            (&["127.0.0.1", "10.0.0.1"], Rule::Private),
            (&["169.254.169.254"], Rule::CloudMetadata),
        ] {
            let names = table(&[(NAME, addresses), (PROXY, &["127.0.0.1"])]);
            let sender = Sender::new(guard.clone(), names);
            let error =
                failed(&sender, &through(target(format!("https://{NAME}/")), &url(speaks, &proxy), None))
                    .await;
            assert!(matches!(&error, SendError::Guard { refusal, .. } if refusal.rule == rule), "{error:?}");
            assert_eq!(error.cause(), Cause::Guard(rule));
        }
        for literal in ["https://10.0.0.1/", "https://[::ffff:10.0.0.1]/", "https://0x0a000001/"] {
            let error =
                failed(&through_proxies(), &through(target(literal), &url(speaks, &proxy), None)).await;
            assert_eq!(error.cause(), Cause::Guard(Rule::Private), "{literal}");
        }
        assert_eq!(proxy.connections(), 0);
    }
}

#[tokio::test]
async fn what_a_kept_connection_leads_to_is_judged_again() {
    for speaks in BOTH {
        let (receiver, proxy) = (Receiver::http(ok).await, ProxyServer::start(speaks, Manner::Serves).await);
        let installations = Some(Proxy::parse(&url(speaks, &proxy), None).unwrap());
        // The operator's proxy is not judged, so that only the target's address can refuse; a user's is.
        for (outbound, own) in [
            (Outbound { proxy: installations, ..Outbound::default() }, None),
            (Outbound::default(), Some(url(speaks, &proxy))),
        ] {
            let guard = Guard::new(vec![], true);
            let names = table(&[(NAME, &["127.0.0.1"]), (PROXY, &["127.0.0.1"])]);
            let sender = Sender::leaving(guard.clone(), names, outbound);
            guard.set_allowed_for(CLIENT, vec!["127.0.0.0/8".parse().unwrap()]);
            let mut target = target(receiver.http_url());
            target.proxy = own.map(|url| ProxySettings { url, credentials: None });
            assert_eq!(answered(&sender, &target).await.status, 200);
            assert_eq!(sender.kept_connections(), 1);
            guard.set_allowed_for(CLIENT, vec![]);
            let error = failed(&sender, &target).await;
            assert_eq!(error.cause(), Cause::Guard(Rule::Loopback));
        }
        assert_eq!((proxy.connections(), receiver.seen().len()), (2, 2));
    }
}

#[tokio::test]
async fn a_name_that_moves_inside_is_not_asked_of_the_proxy() {
    let receiver = Receiver::http(ok).await;
    for speaks in BOTH {
        let proxy = ProxyServer::start(speaks, Manner::Serves).await;
        // What the proxy would make of the name does not count: it is not told the name.
        let outside = sender_with("127.0.0.0/8", Outbound::default());
        let of_this = through(target(receiver.http_url()), &url(speaks, &proxy), None);
        assert_eq!(answered(&outside, &of_this).await.status, 200);
        let guard = Guard::new(vec!["127.0.0.1/32".parse().unwrap()], true);
        let moved = Sender::new(guard, table(&[(NAME, &["127.0.0.3"]), (PROXY, &["127.0.0.1"])]));
        assert_eq!(failed(&moved, &of_this).await.cause(), Cause::Guard(Rule::Loopback));
        assert_eq!(proxy.asked(), [receiver.address.to_string()]);
    }
}

#[tokio::test]
async fn a_proxy_that_a_target_names_is_judged_and_the_operators_is_not() {
    let receiver = Receiver::http(ok).await;
    let (own, installations) = (
        ProxyServer::start(Speaks::Http, Manner::Serves).await,
        ProxyServer::start(Speaks::Socks5, Manner::Serves).await,
    );
    // Nothing on the loopback interface may be dialled but the receiver's own address.
    let names = || table(&[(NAME, &["127.0.0.1"]), (PROXY, &["127.0.0.2"])]);
    let guard = Guard::new(vec!["127.0.0.1/32".parse().unwrap()], true);
    let sender = Sender::new(guard.clone(), names());
    let named = through(target(receiver.http_url()), &url(Speaks::Http, &own), None);
    let sent = send(&sender, &named).await;
    let error = sent.outcome.unwrap_err();
    assert_eq!(error.cause(), Cause::Guard(Rule::Loopback));
    assert_eq!(
        error.to_string(),
        format!(
            "the address of the proxy at {PROXY}:{} is not allowed: it is a loopback address; an operator can allow it with hitwire serve --allow-target",
            own.address.port()
        )
    );
    // For operators.
    assert_eq!(sent.address.map(|address| address.ip()), Some(IpAddr::from([127, 0, 0, 2])));
    assert_eq!(own.connections(), 0);
    // A literal is no way around it.
    let literal = format!("http://127.0.0.2:{}", own.address.port());
    let error = failed(&sender, &through(target(receiver.http_url()), &literal, None)).await;
    assert_eq!(error.cause(), Cause::Guard(Rule::Loopback));
    // The installation's may be anywhere: the operator named it. Here the guard allows the receiver alone.
    let proxy = Proxy::parse(&format!("socks5://{}", installations.address), None).unwrap();
    let receivers = Guard::new(vec!["127.0.0.5/32".parse().unwrap()], true);
    let names = table(&[(NAME, &["127.0.0.5"])]);
    let sender = Sender::leaving(receivers, names, Outbound { proxy: Some(proxy), ..Outbound::default() });
    let error = failed(&sender, &target(format!("http://{NAME}:1/"))).await;
    assert_eq!(
        error.to_string(),
        "the installation's proxy could not connect to the endpoint: connection refused"
    );
    assert_eq!(error.cause(), Cause::Proxy);
    assert_eq!(installations.asked(), ["127.0.0.5:1"]);
}

#[tokio::test]
async fn a_trusted_proxy_is_asked_for_the_name_and_judges_itself() {
    let ca = Authority::new("Test CA");
    for speaks in BOTH {
        let receiver = Receiver::https(ca.certify().server(), ok).await;
        let proxy = ProxyServer::start(speaks, Manner::Serves).await;
        // hitwire knows no address of the target, and may not dial the proxy's.
        let names = table(&[(PROXY, &["127.0.0.1"])]);
        let sender = Sender::leaving(Guard::new(vec![], true), names, trusting_proxy(&proxy));
        let target = through(trusting(receiver.https_url(), ca.pem()), &url(speaks, &proxy), None);
        let sent = send(&sender, &target).await;
        assert_eq!(sent.outcome.unwrap().status, 200);
        assert_eq!(sent.address, None);
        assert_eq!(proxy.asked(), [format!("{NAME}:{}", receiver.address.port())]);
        assert!(send(&sender, &target).await.reused);
        // An address in the URL is judged as always.
        let literal = through(trusting("https://127.0.0.1/", ca.pem()), &url(speaks, &proxy), None);
        assert_eq!(failed(&sender, &literal).await.cause(), Cause::Guard(Rule::Loopback));
        // What goes wrong with the target then is told without an address.
        let stranger = through(
            trusting(receiver.https_url(), Authority::new("Other CA").pem()),
            &url(speaks, &proxy),
            None,
        );
        let words = words(&sender, &stranger).await;
        assert!(words.ends_with("(through a proxy)"), "{words}");
    }
}

#[tokio::test]
async fn connections_through_different_proxies_do_not_mix() {
    let receiver = Receiver::http(ok).await;
    let first = ProxyServer::start(Speaks::Http, Manner::Serves).await;
    let second = ProxyServer::start(Speaks::Http, Manner::Serves).await;
    let sender = through_proxies();
    let direct = || target(receiver.http_url());
    let by = |proxy: &ProxyServer, credentials| through(direct(), &url(Speaks::Http, proxy), credentials);
    let all =
        [direct(), by(&first, None), by(&first, Some("a:b")), by(&first, Some("a:c")), by(&second, None)];
    for target in &all {
        assert!(!send(&sender, target).await.reused);
    }
    for target in &all {
        assert!(send(&sender, target).await.reused);
    }
    assert_eq!((first.connections(), second.connections(), receiver.connections()), (3, 1, 5));
    assert_eq!(first.credentials(), [None, Some("a:b".to_owned()), Some("a:c".to_owned())]);
}

#[tokio::test]
async fn the_next_address_is_asked_for_when_a_proxy_cannot_connect_to_one() {
    for speaks in BOTH {
        let receiver = Receiver::http(ok).await;
        let proxy = ProxyServer::start(speaks, Manner::Serves).await;
        let guard = Guard::new(vec!["127.0.0.0/8".parse().unwrap()], true);
        let names = table(&[(NAME, &["127.0.0.9", "127.0.0.1"]), (PROXY, &["127.0.0.1"])]);
        let sender = Sender::new(guard, names);
        let target = through(target(receiver.http_url()), &url(speaks, &proxy), None);
        let sent = send(&sender, &target).await;
        assert_eq!(sent.outcome.unwrap().status, 200);
        assert_eq!(sent.address, Some(receiver.address));
        let port = receiver.address.port();
        assert_eq!(proxy.asked(), [format!("127.0.0.9:{port}"), format!("127.0.0.1:{port}")]);
    }
}

/// An answer of a proxy that is no connection, and what is said of it.
async fn assert_fault(speaks: Speaks, answer: impl Into<Vec<u8>>, expected: &str) {
    let receiver = Receiver::http(ok).await;
    let answer = answer.into();
    let proxy = ProxyServer::start(speaks, Manner::Answers(answer.clone())).await;
    let target = through(target(receiver.http_url()), &url(speaks, &proxy), Some("user:s3cret"));
    let error = failed(&through_proxies(), &target).await;
    let words = error.to_string().replace(&format!("the proxy at {PROXY}:{}", proxy.address.port()), "it");
    assert!(words.starts_with(expected), "{words} ({})", String::from_utf8_lossy(&answer));
    assert_eq!(error.cause(), Cause::Proxy, "a proxy's answer is never the endpoint's");
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn what_an_http_proxy_answers_is_told_as_the_proxys() {
    for (answer, expected) in [
        ("HTTP/1.1 407 No\r\n\r\n", "it refused the connection (407): check its user name and password"),
        ("HTTP/1.1 403 No\r\n\r\n", "it refused the connection (403): its rules do not allow this endpoint"),
        ("HTTP/1.1 502 No\r\n\r\n", "it could not connect to the endpoint: it answered 502"),
        (
            "HTTP/1.1 503 No\r\ncontent-length: 3\r\n\r\nwhy",
            "it could not connect to the endpoint: it answered 503",
        ),
        ("HTTP/1.0 504 No\r\n\r\n", "it could not connect to the endpoint: it answered 504"),
        ("HTTP/1.1 500 No\r\n\r\n", "it refused the connection (500)"),
        ("HTTP/1.1 410 Gone\r\n\r\n", "it refused the connection (410)"),
        ("HTTP/1.1 302 No\r\nlocation: https://a.example/\r\n\r\n", "it refused the connection (302)"),
        (
            "HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
            "it refused the connection (101)",
        ),
        ("", "it closed the connection before it had answered"),
        ("HTTP/1.1 200 Conn", "it closed the connection before it had answered"),
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n", "it did not answer as an HTTP proxy does: "),
        ("\x05\x00", "it "),
        (
            "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            "it did not answer as an HTTP proxy does: more bytes follow",
        ),
    ] {
        assert_fault(Speaks::Http, answer, expected).await;
    }
}

#[tokio::test]
async fn the_head_of_a_proxys_answer_is_bounded() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(64 * 1024));
    assert_fault(Speaks::Http, long, "it did not answer as an HTTP proxy does: ").await;
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(101));
    assert_fault(Speaks::Http, many, "it did not answer as an HTTP proxy does: ").await;
}

#[tokio::test]
async fn what_a_socks5_proxy_answers_is_told_as_the_proxys() {
    let reply = |code: u8| vec![5, 2, 1, 0, 5, code, 0, 1, 0, 0, 0, 0, 0, 0];
    for (answer, expected) in [
        (reply(1), "it made no connection: it reports a general failure"),
        (reply(2), "it refused the connection: its rules do not allow this endpoint"),
        (reply(3), "it could not connect to the endpoint: network unreachable"),
        (reply(4), "it could not connect to the endpoint: host unreachable"),
        (reply(5), "it could not connect to the endpoint: connection refused"),
        (reply(7), "it made no connection: it makes no connections for others"),
        (reply(8), "it made no connection: it does not support this kind of address"),
        (vec![5, 2, 1, 1], "it refused the connection: check its user name and password"),
        (vec![5, 0xff], "it refused the connection: "),
        (vec![], "it closed the connection before it had answered"),
        (vec![5], "it closed the connection before it had answered"),
        (vec![5, 2, 1, 0, 5, 0, 0, 3, 255, 1], "it closed the connection before it had answered"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "it did not answer as a SOCKS5 proxy does: "),
        (vec![5, 2, 1, 0, 5, 0, 0, 9, 0, 0], "it did not answer as a SOCKS5 proxy does: "),
        (vec![5, 2, 1, 0, 4, 0, 0, 1, 0, 0], "it did not answer as a SOCKS5 proxy does: "),
    ] {
        assert_fault(Speaks::Socks5, answer, expected).await;
    }
}

#[tokio::test]
async fn a_proxy_that_hangs_or_drips_is_left_by_the_open_timeout() {
    let receiver = Receiver::http(ok).await;
    for (speaks, manner) in [
        (Speaks::Http, Manner::Hangs),
        (Speaks::Socks5, Manner::Hangs),
        (Speaks::Http, Manner::Drips("HTTP/1.1 200 OK\r\nx:")),
        (Speaks::Http, Manner::Drips("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\nx:")),
    ] {
        let proxy = ProxyServer::start(speaks, manner.clone()).await;
        let mut target = through(target(receiver.http_url()), &url(speaks, &proxy), None);
        target.open_timeout = Duration::from_secs(2);
        let error = failed(&through_proxies(), &target).await;
        assert_eq!(
            error.to_string(),
            "open timeout: the proxy did not connect to the endpoint within 2 s",
            "{speaks:?} {manner:?}"
        );
        assert_eq!(error.cause(), Cause::Proxy);
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_told_as_that() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let receiver = Receiver::http(ok).await;
    let of = |url: String| through(target(receiver.http_url()), &url, None);
    assert_eq!(
        words(&through_proxies(), &of(format!("http://{PROXY}:{free}"))).await,
        format!("no connection to the proxy at {PROXY}:{free}: connection refused")
    );
    assert_eq!(
        words(&through_proxies(), &of("socks5://nowhere.test".to_owned())).await,
        "the name of the proxy at nowhere.test:1080 could not be resolved: the name does not exist"
    );
    let error = failed(&through_proxies(), &of("ftp://user:s3cret@proxy.test".to_owned())).await;
    assert_eq!(error.cause(), Cause::Settings, "it is not sent without the proxy: {error}");
    let silent = Resolver::table([
        (NAME.to_owned(), Answer::Addresses(vec![IpAddr::from([127, 0, 0, 1])])),
        (PROXY.to_owned(), Answer::Silence),
    ]);
    let sender = Sender::new(Guard::new(vec!["127.0.0.0/8".parse().unwrap()], true), silent);
    let mut hanging = of(format!("http://{PROXY}:{free}"));
    hanging.open_timeout = Duration::from_secs(1);
    assert_eq!(words(&sender, &hanging).await, "open timeout: the proxy's name was not resolved within 1 s");
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn the_installations_proxy_serves_who_names_none_but_for_exceptions() {
    let receiver = Receiver::http(ok).await;
    let (installations, own) = (
        ProxyServer::start(Speaks::Http, Manner::ServesOnly("operator:s3cret")).await,
        ProxyServer::start(Speaks::Socks5, Manner::Serves).await,
    );
    let outbound = |no_proxy: &[&str]| Outbound {
        proxy: Some(Proxy::parse(&url(Speaks::Http, &installations), Some("operator:s3cret")).unwrap()),
        no_proxy: no_proxy.iter().map(|text| NoProxy::parse(text).unwrap()).collect(),
        ..Outbound::default()
    };
    let sender = sender_with("127.0.0.0/8", outbound(&[]));
    assert_eq!(answered(&sender, &target(receiver.http_url())).await.status, 200);
    assert_eq!(installations.asked(), [receiver.address.to_string()]);
    // Its own takes the place of the installation's; exceptions are for the installation's alone.
    let sender = sender_with("127.0.0.0/8", outbound(&[NAME]));
    let named = through(target(receiver.http_url()), &url(Speaks::Socks5, &own), None);
    assert_eq!(answered(&sender, &named).await.status, 200);
    assert_eq!(answered(&sender, &target(receiver.http_url())).await.status, 200);
    assert_eq!((installations.connections(), own.connections(), receiver.connections()), (1, 1, 3));
    // Also what hitwire asks for itself, and a test that meets the receiver as a stranger.
    let sender = sender_with("127.0.0.0/8", outbound(&[]));
    let fetch = Fetch {
        url: receiver.http_url(),
        headers: Vec::new(),
        form: None,
        tls: TlsIdentity::default(),
        open_timeout: SHORT,
        timeout: SHORT,
        response_bytes_max: 1_000,
    };
    assert_eq!(sender.fetch(&fetch).await.unwrap().status, 200);
    assert_eq!(answered(&sender.anew(), &target(receiver.http_url())).await.status, 200);
    assert_eq!(installations.connections(), 3);
    // A refusal does not name it: it is for operators to see.
    let wrong = Outbound {
        proxy: Some(
            Proxy::parse(&url(Speaks::Http, &installations), Some("operator:s3cret-no-more")).unwrap(),
        ),
        ..Outbound::default()
    };
    assert_eq!(
        words(&sender_with("127.0.0.0/8", wrong), &target(receiver.http_url())).await,
        "the installation's proxy refused the connection (407): an operator has to check its user name and password"
    );
}

#[tokio::test]
async fn connections_leave_from_the_source_address() {
    let receiver = Receiver::http(ok).await;
    let proxy = ProxyServer::start(Speaks::Http, Manner::Serves).await;
    let source_v4 = Some(Ipv4Addr::new(127, 0, 0, 77));
    let sender = sender_with("127.0.0.0/8", Outbound { source_v4, ..Outbound::default() });
    assert_eq!(answered(&sender, &target(receiver.http_url())).await.status, 200);
    assert_eq!(receiver.peers(), [IpAddr::from([127, 0, 0, 77])]);
    let named = through(target(receiver.http_url()), &url(Speaks::Http, &proxy), None);
    assert_eq!(answered(&sender, &named).await.status, 200);
    assert_eq!(proxy.peers()[0].ip(), IpAddr::from([127, 0, 0, 77]));
    // An address of another machine is told as a connection that cannot be made.
    let source_v4 = Some(Ipv4Addr::new(192, 0, 2, 1));
    let elsewhere = sender_with("127.0.0.0/8", Outbound { source_v4, ..Outbound::default() });
    assert_eq!(failed(&elsewhere, &target(receiver.http_url())).await.cause(), Cause::Connect);
}
