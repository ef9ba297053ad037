//! Certificates and handshakes, good and bad.

use super::authority::{Authority, Certified, NAME, named, self_signed};
use super::receiver::{Receiver, ok};
use super::support::*;
use hitwire_endpoint::{CertificateProblem, Pin, SendError, TlsProblem};
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, SanType, date_time_ymd};
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use std::sync::Arc;
use tokio::io::AsyncWriteExt as _;

/// What a sender that trusts this CA (empty: the public roots) says about a server.
async fn words_about(config: ServerConfig, ca_pem: &str) -> String {
    let receiver = Receiver::https(config, ok).await;
    let error = failed(&sender(), &trusting(receiver.https_url(), ca_pem)).await;
    assert!(matches!(error, SendError::Tls { .. }), "{error:?}");
    assert!(receiver.seen().is_empty(), "a request was sent");
    let words = error.to_string();
    let address = " (an internal address)";
    words.strip_suffix(address).unwrap_or_else(|| panic!("{words} does not end in {address}")).to_owned()
}

async fn is_accepted(config: ServerConfig, ca_pem: &str) {
    let receiver = Receiver::https(config, ok).await;
    let response = answered(&sender(), &trusting(receiver.https_url(), ca_pem)).await;
    assert_eq!(response.status, 200);
}

#[tokio::test]
async fn a_private_ca_is_trusted_in_both_versions_of_tls() {
    let ca = Authority::new("Test CA");
    let certified = ca.certify();
    is_accepted(certified.server_of(&[&TLS12], &["http/1.1"]), &ca.pem()).await;
    is_accepted(certified.server_of(&[&TLS13], &["http/1.1"]), &ca.pem()).await;
    is_accepted(certified.server_of(&[&TLS12], &["h2"]), &ca.pem()).await;
    // A server that knows no ALPN speaks HTTP/1.1.
    is_accepted(certified.server_of(&[&TLS13], &[]), &ca.pem()).await;
}

#[tokio::test]
async fn one_of_several_cas_is_enough() {
    let (ca, other) = (Authority::new("Test CA"), Authority::new("Other CA"));
    let bundle = format!("# ours\n{}\n# theirs\n{}", other.pem(), ca.pem());
    is_accepted(ca.certify().server(), &bundle).await;
}

#[tokio::test]
async fn an_intermediate_certificate_must_be_sent_or_be_the_ca() {
    let root = Authority::new("Test Root");
    let intermediate = root.below("Test Intermediate");
    is_accepted(intermediate.certify().with_chain(intermediate.der()).server(), &root.pem()).await;
    is_accepted(intermediate.certify().server(), &intermediate.pem()).await;
    assert_eq!(
        words_about(intermediate.certify().server(), &root.pem()).await,
        "the receiver's certificate was issued by \"Test Intermediate\", not by the integration's CA certificate (Test Root)"
    );
}

#[tokio::test]
async fn another_ca_is_named_beside_the_expected_one() {
    let (ca, other) = (Authority::new("Test CA"), Authority::new("Other CA"));
    assert_eq!(
        words_about(ca.certify().server(), &other.pem()).await,
        "the receiver's certificate was issued by \"Test CA\", not by the integration's CA certificate (Other CA)"
    );
}

#[tokio::test]
async fn a_private_ca_is_not_trusted_with_the_public_roots() {
    let ca = Authority::new("Test CA");
    let words = words_about(ca.certify().server(), "").await;
    assert!(
        words.starts_with(
            "the receiver's certificate was issued by \"Test CA\", which is no public root; a private CA must be the integration's CA certificate"
        ),
        "{words}"
    );
}

#[tokio::test]
async fn a_ca_of_the_same_name_with_another_key_is_not_trusted() {
    let (ca, impostor) = (Authority::new("Test CA"), Authority::new("Test CA"));
    let receiver = Receiver::https(impostor.certify().server(), ok).await;
    let error = failed(&sender(), &trusting(receiver.https_url(), ca.pem())).await;
    assert!(matches!(error, SendError::Tls { problem: TlsProblem::Certificate(_), .. }), "{error:?}");
    assert!(receiver.seen().is_empty());
}

#[tokio::test]
async fn an_expired_certificate_is_dated() {
    let ca = Authority::new("Test CA");
    let certified = ca.certify_as(|params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 2, 3);
    });
    assert_eq!(
        words_about(certified.server(), &ca.pem()).await,
        "the receiver's certificate expired on 2021-02-03 00:00:00 UTC"
    );
}

#[tokio::test]
async fn a_certificate_of_the_future_is_dated() {
    let ca = Authority::new("Test CA");
    let certified = ca.certify_as(|params| {
        params.not_before = date_time_ymd(4000, 1, 2);
        params.not_after = date_time_ymd(4001, 1, 1);
    });
    assert_eq!(
        words_about(certified.server(), &ca.pem()).await,
        "the receiver's certificate is not yet valid; it will be from 4000-01-02 00:00:00 UTC"
    );
}

#[tokio::test]
async fn a_certificate_for_other_names_says_which() {
    let ca = Authority::new("Test CA");
    let certified = ca.certify_as(|params| {
        params.subject_alt_names = vec![
            SanType::DnsName("a.example".try_into().unwrap()),
            SanType::DnsName("*.b.example".try_into().unwrap()),
            SanType::IpAddress("192.0.2.1".parse().unwrap()),
        ];
    });
    assert_eq!(
        words_about(certified.server(), &ca.pem()).await,
        "the receiver's certificate is not valid for receiver.test, but for a.example, *.b.example, 192.0.2.1"
    );
}

#[tokio::test]
async fn a_certificate_with_a_common_name_alone_is_not_valid_for_it() {
    let ca = Authority::new("Test CA");
    let certified = ca.certify_as(|params| params.subject_alt_names.clear());
    assert_eq!(
        words_about(certified.server(), &ca.pem()).await,
        "the receiver's certificate is not valid for receiver.test: it has no subjectAltName, the only place where names count; issue it again with a subjectAltName, or pin it with pin_sha256"
    );
}

#[tokio::test]
async fn an_address_needs_a_certificate_for_the_address() {
    let ca = Authority::new("Test CA");
    let for_address = ca.certify_as(|params| {
        params.subject_alt_names = vec![SanType::IpAddress("127.0.0.1".parse().unwrap())];
    });
    for (certified, accepted) in [(for_address, true), (ca.certify(), false)] {
        let receiver = Receiver::https(certified.server(), ok).await;
        let url = format!("https://{}/{SECRET}", receiver.address);
        let sent = send(&sender(), &trusting(url, ca.pem())).await;
        match sent.outcome {
            Ok(response) => assert!(accepted && response.status == 200),
            Err(error) => {
                assert!(!accepted, "{error}");
                let words = error.to_string();
                assert!(words.contains("is not valid for 127.0.0.1, but for receiver.test"), "{words}");
            }
        }
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_named_as_such() {
    let ca = Authority::new("Test CA");
    for certified in [self_signed(|_| {}), self_signed(made_as_a_ca)] {
        assert_eq!(
            words_about(certified.server(), "").await,
            "the receiver's certificate is self-signed; to trust it, make it the integration's CA certificate"
        );
        assert_eq!(
            words_about(certified.server(), &ca.pem()).await,
            "the receiver's certificate is self-signed, and not the integration's CA certificate (Test CA)"
        );
    }
}

/// Common tools make a self-signed certificate as that of a CA.
fn made_as_a_ca(params: &mut rcgen::CertificateParams) {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.extended_key_usages.clear();
}

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_if_it_is_the_ca_certificate() {
    for certified in [self_signed(|_| {}), self_signed(made_as_a_ca)] {
        is_accepted(certified.server(), &certified.cert_pem).await;
        is_accepted(certified.server_of(&[&TLS12], &["http/1.1"]), &certified.cert_pem).await;
    }
}

#[tokio::test]
async fn a_trusted_self_signed_certificate_must_still_be_valid_in_name_and_time() {
    let expired = self_signed(|params| {
        made_as_a_ca(params);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 2, 3);
    });
    assert_eq!(
        words_about(expired.server(), &expired.cert_pem).await,
        "the receiver's certificate expired on 2021-02-03 00:00:00 UTC"
    );
    let future = self_signed(|params| params.not_before = date_time_ymd(4000, 1, 2));
    assert!(
        words_about(future.server(), &future.cert_pem)
            .await
            .contains("not yet valid; it will be from 4000-01-02")
    );
    let other = self_signed(|params| {
        made_as_a_ca(params);
        params.subject_alt_names = vec![SanType::DnsName("a.example".try_into().unwrap())];
    });
    assert_eq!(
        words_about(other.server(), &other.cert_pem).await,
        "the receiver's certificate is not valid for receiver.test, but for a.example"
    );
}

#[tokio::test]
async fn a_certificate_for_other_purposes_is_named_as_such() {
    let ca = Authority::new("Test CA");
    let certified =
        ca.certify_as(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    assert_eq!(
        words_about(certified.server(), &ca.pem()).await,
        "the receiver's certificate is not for servers (extended key usage serverAuth is missing)"
    );
}

#[tokio::test]
async fn names_that_a_receiver_chose_are_made_harmless() {
    let ca = Authority::new("\x1b[2J\u{202e}evil");
    let words = words_about(ca.certify().server(), "").await;
    assert!(words.contains("\"\\u{1b}[2J\\u{202e}evil\""), "{words}");
}

#[tokio::test]
async fn without_verification_any_certificate_will_do() {
    let ca = Authority::new("Test CA");
    let expired = ca.certify_as(|params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 2, 3);
        params.subject_alt_names = vec![SanType::DnsName("a.example".try_into().unwrap())];
    });
    for config in
        [expired.server(), expired.server_of(&[&TLS12], &["http/1.1"]), self_signed(|_| {}).http2_server()]
    {
        let receiver = Receiver::https(config, ok).await;
        let mut target = target(receiver.https_url());
        target.tls.verify = false;
        assert_eq!(answered(&sender(), &target).await.status, 200);
    }
}

/// Shows a certificate without having its key.
#[derive(Debug)]
struct Impostor(Arc<CertifiedKey>);

impl ResolvesServerCert for Impostor {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

#[tokio::test]
async fn whoever_shows_a_certificate_must_have_its_key_also_without_verification() {
    let ca = Authority::new("Test CA");
    let (shown, own): (Certified, Certified) = (ca.certify(), ca.certify());
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&own.key_der()).unwrap();
    for version in [&TLS12, &TLS13] {
        let mut config = shown.server_of(&[version], &["http/1.1"]);
        config.cert_resolver =
            Arc::new(Impostor(Arc::new(CertifiedKey::new(shown.chain.clone(), key.clone()))));
        for (verify, pins) in [(true, vec![]), (false, vec![]), (true, vec![Pin::of(&shown.chain[0])])] {
            let receiver = Receiver::https(config.clone(), ok).await;
            let mut target = trusting(receiver.https_url(), ca.pem());
            (target.tls.verify, target.tls.pins) = (verify, pins);
            let error = failed(&sender(), &target).await;
            let SendError::Tls { problem: TlsProblem::Certificate(problem), .. } = &error else {
                panic!("{error:?}")
            };
            assert!(matches!(problem, CertificateProblem::NotProven), "{problem:?}");
            assert!(receiver.seen().is_empty());
        }
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_it_is_demanded() {
    let (ca, clients) = (Authority::new("Test CA"), Authority::new("Client CA"));
    for (version, alpn) in [(&TLS12, "http/1.1"), (&TLS13, "http/1.1"), (&TLS13, "h2")] {
        let config = ca.certify().demanding_server(&clients, &[version], &[alpn]);
        let receiver = Receiver::https(config, ok).await;
        let client = clients.certify_client();
        let mut target = trusting(receiver.https_url(), ca.pem());
        target.tls.client_cert_pem = client.cert_pem.clone();
        target.tls.client_key_pem = Some(client.key_pem().into());
        target.tls.check().unwrap();
        assert_eq!(answered(&sender(), &target).await.status, 200, "{version:?} {alpn}");
    }
}

/// A self-signed certificate that everything else is wrong with.
fn strange_in_every_way() -> Certified {
    self_signed(|params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 2, 3);
        params.subject_alt_names = vec![SanType::DnsName("a.example".try_into().unwrap())];
    })
}

#[tokio::test]
async fn a_pinned_certificate_is_accepted_whatever_else_is_wrong_with_it_and_no_other_is() {
    let (ca, pinned) = (Authority::new("Test CA"), strange_in_every_way());
    let public = Pin::of(&pinned.chain[0]);
    for (version, alpn) in [(&TLS12, "http/1.1"), (&TLS13, "h2")] {
        for (verify, ca_pem) in [(true, String::new()), (true, ca.pem()), (false, String::new())] {
            let right = Receiver::https(pinned.server_of(&[version], &[alpn]), ok).await;
            // The CA that is trusted issued this one, and its name is right.
            let good = ca.certify();
            let other = Receiver::https(good.server_of(&[version], &[alpn]), ok).await;
            let pinning = |url: String| {
                let mut target = trusting(url, ca_pem.clone());
                target.tls.verify = verify;
                target.tls.pins = vec![Pin::of(b"another"), public];
                target
            };
            assert_eq!(answered(&sender(), &pinning(right.https_url())).await.status, 200);
            let error = failed(&sender(), &pinning(other.https_url())).await;
            let presented = Pin::of(&good.chain[0]);
            assert!(
                matches!(
                    &error,
                    SendError::Tls { problem: TlsProblem::Certificate(CertificateProblem::NotPinned { presented: told }), .. }
                        if *told == presented
                ),
                "{error:?}"
            );
            let words = error.to_string();
            assert!(words.contains(&format!("its SHA-256 fingerprint is {presented};")), "{words}");
            assert!(other.seen().is_empty());
        }
    }
}

#[tokio::test]
async fn a_connection_is_not_shared_between_those_who_pin_and_those_who_do_not() {
    let ca = Authority::new("Test CA");
    let certified = ca.certify();
    let receiver = Receiver::https(certified.server(), ok).await;
    let (sender, target) = (sender(), trusting(receiver.https_url(), ca.pem()));
    assert_eq!(answered(&sender, &target).await.status, 200);
    let mut pinning = target.clone();
    pinning.tls.pins = vec![Pin::of(b"another")];
    assert!(matches!(failed(&sender, &pinning).await, SendError::Tls { .. }));
    pinning.tls.pins = vec![Pin::of(&certified.chain[0])];
    let sent = send(&sender, &pinning).await;
    assert!(!sent.reused && sent.outcome.unwrap().status == 200);
    assert_eq!(sender.kept_connections(), 2);
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_refused_before_the_handshake() {
    let receiver = Receiver::https(self_signed(|_| {}).server(), ok).await;
    let words = words(&sender(), &trusting(receiver.https_url(), "s3cret, but no certificate")).await;
    assert!(words.contains("ca_file contains no certificate"), "{words}");
}

#[tokio::test]
async fn a_plain_http_port_is_recognised() {
    let receiver = Receiver::http(ok).await;
    let words = words(&sender(), &target(receiver.https_url())).await;
    assert!(
        words.starts_with("the receiver does not speak TLS on this port; is it a plain HTTP port?"),
        "{words}"
    );
}

#[tokio::test]
async fn a_connection_that_is_closed_in_the_handshake_is_told_as_that() {
    let receiver = Receiver::talking(None, |mut wire, _| async move {
        let _ = wire.shutdown().await;
    })
    .await;
    let words = words(&sender(), &target(receiver.https_url())).await;
    assert!(words.starts_with("the connection was closed during the TLS handshake"), "{words}");
}

#[tokio::test]
async fn a_receiver_without_anything_in_common_is_told_as_that() {
    let ca = Authority::new("Test CA");
    let words = words_about(ca.certify().server_of(&[&TLS13], &["spdy/1"]), &ca.pem()).await;
    assert!(words.contains("no_application_protocol"), "{words}");
}

#[tokio::test]
async fn an_unnamed_issuer_is_called_unnamed() {
    let ca = Authority::new("");
    let words =
        words_about(ca.certify_as(|params| params.distinguished_name = named(NAME)).server(), "").await;
    assert!(words.starts_with("the receiver's certificate was issued by"), "{words}");
}

#[tokio::test]
async fn a_session_is_resumed_on_the_next_connection() {
    let ca = Authority::new("Test CA");
    let receiver = Receiver::https(ca.certify().server(), |_| {
        super::receiver::answer(200, &[("connection", "close")], "")
    })
    .await;
    let (sender, target) = (sender(), trusting(receiver.https_url(), ca.pem()));
    for _ in 0..3 {
        let sent = send(&sender, &target).await;
        assert!(!sent.reused);
        assert!(sent.timings.tls.is_some());
        assert_eq!(sent.outcome.unwrap().status, 200);
    }
    assert_eq!(receiver.connections(), 3);
}
