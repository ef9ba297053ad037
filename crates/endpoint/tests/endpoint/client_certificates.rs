//! Receivers that want a client certificate, and do not get the right one.

use super::authority::{Authority, Certified};
use super::receiver::{Receiver, ok, write};
use super::support::*;
use hitwire_endpoint::{SendError, Target, TlsProblem, WhyRefused, client_identity};
use rcgen::date_time_ymd;
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError, OtherError, SupportedProtocolVersion};
use std::fmt;
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

type Version = &'static SupportedProtocolVersion;

/// Each version of TLS with each of HTTP: in TLS 1.3 a refusal comes after the handshake, when HTTP has begun.
const WAYS: [(Version, &str); 4] =
    [(&TLS12, "http/1.1"), (&TLS12, "h2"), (&TLS13, "http/1.1"), (&TLS13, "h2")];

fn showing(mut target: Target, client: Option<&Certified>) -> Target {
    if let Some(client) = client {
        let identity = client_identity(&client.cert_pem, Some(&client.key_pem()), None).unwrap();
        target.tls.client_cert_pem = identity.chain_pem;
        target.tls.client_key_pem = Some(identity.key_pem);
    }
    target
}

fn expired(clients: &Authority) -> Certified {
    clients.certify_client_as(|params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 2, 3);
    })
}

#[tokio::test]
async fn a_missing_a_strange_and_an_expired_client_certificate_are_told_apart() {
    let (ca, clients) = (Authority::new("Test CA"), Authority::new("Client CA"));
    let (stranger, expired) = (Authority::new("Strange CA").certify_client(), expired(&clients));
    for (version, alpn) in WAYS {
        for (client, words) in [
            (None, "the receiver wants a client certificate, and the integration has none ("),
            (
                Some(&stranger),
                "the receiver does not accept the client certificate: the receiver does not trust its issuer (unknown_ca)",
            ),
            (
                Some(&expired),
                "the receiver does not accept the client certificate: it has expired, or is not yet valid (certificate_expired)",
            ),
        ] {
            let config = ca.certify().demanding_server(&clients, &[version], &[alpn]);
            let receiver = Receiver::https(config, ok).await;
            let target = showing(trusting(receiver.https_url(), ca.pem()), client);
            // A long body is still being written when the refusal comes.
            for body in [BODY.to_owned(), "x".repeat(4 << 20)] {
                let sent = send_message(&sender(), &target, message_of(body)).await;
                let error = sent.outcome.unwrap_err();
                assert!(
                    matches!(&error, SendError::Tls { address, .. } if *address == Some(receiver.address)),
                    "{version:?} {alpn}: {error:?}"
                );
                assert!(error.to_string().starts_with(words), "{version:?} {alpn}: {error}");
            }
            assert!(receiver.seen().is_empty());
        }
    }
}

#[tokio::test]
async fn the_right_client_certificate_is_accepted_with_the_chain_from_a_pkcs12_file() {
    let ca = Authority::new("Test CA");
    let file = include_str!("../identities/modern.p12.txt");
    let identity = client_identity(file, None, Some("s3cret-Pässword")).unwrap();
    for (version, alpn) in WAYS {
        let root = include_str!("../identities/root.pem");
        let config = ca.certify().server_demanding(root, &[version], &[alpn]);
        let receiver = Receiver::https(config, ok).await;
        let mut target = trusting(receiver.https_url(), ca.pem());
        target.tls.client_cert_pem = identity.chain_pem.clone();
        target.tls.client_key_pem = Some(identity.key_pem.clone());
        assert_eq!(answered(&sender(), &target).await.status, 200, "{version:?} {alpn}");
    }
}

#[tokio::test]
async fn a_server_that_merely_offers_to_take_a_client_certificate_gets_on_without() {
    let (ca, clients) = (Authority::new("Test CA"), Authority::new("Client CA"));
    let receiver = Receiver::https(ca.certify().asking_server(&clients), ok).await;
    assert_eq!(answered(&sender(), &trusting(receiver.https_url(), ca.pem())).await.status, 200);
}

/// A server that asked for a client certificate and then closes without a word, as some do that are not content. It reads
/// as long as the client writes, so that the end is an orderly one.
#[tokio::test]
async fn a_silent_end_after_the_question_is_told_with_the_question() {
    let (ca, clients) = (Authority::new("Test CA"), Authority::new("Client CA"));
    let client = clients.certify_client();
    for (client, words) in [
        (None, "without a reason; the integration has none"),
        (Some(&client), "without a reason; it may not accept the integration's"),
    ] {
        let config = ca.certify().asking_server(&clients);
        let receiver = Receiver::talking(Some(config), |mut wire, _| async move {
            let _ = wire.read(&mut [0; 100]).await;
        })
        .await;
        let target = showing(trusting(receiver.https_url(), ca.pem()), client);
        let error = failed(&sender(), &target).await;
        let SendError::Tls { problem: TlsProblem::ClosedAfterAsking { own }, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(*own, client.is_some());
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// Alerts come as two bytes; a server that sends them in the clear, in answer to the first message, is enough here.
#[tokio::test]
async fn an_alert_before_any_question_is_not_blamed_on_a_client_certificate() {
    for (description, words) in [
        (40, "the receiver refused the TLS handshake (handshake_failure)"),
        (49, "the receiver refused the TLS handshake (access_denied)"),
        (112, "the receiver refused the TLS handshake (unrecognized_name)"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/s3cret", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut wire: super::receiver::Wire = Box::new(stream);
            let _ = wire.read(&mut [0; 4096]).await;
            write(&mut wire, [0x15, 3, 3, 0, 2, 2, description]).await;
        });
        let error = failed(&sender(), &target(url)).await;
        assert!(error.to_string().starts_with(words), "{error}");
        server.await.unwrap();
    }
}

#[tokio::test]
async fn why_a_certificate_is_refused_follows_from_the_alert() {
    let ca = Authority::new("Test CA");
    let client = Authority::new("Client CA").certify_client();
    for (fault, alert, why) in [
        (CertificateError::Revoked, "certificate_revoked", WhyRefused::Revoked),
        (CertificateError::BadEncoding, "bad_certificate", WhyRefused::Bad),
        (CertificateError::BadSignature, "decrypt_error", WhyRefused::Bad),
        (CertificateError::InvalidPurpose, "unsupported_certificate", WhyRefused::Unsupported),
        (CertificateError::ApplicationVerificationFailure, "access_denied", WhyRefused::AccessDenied),
        (
            CertificateError::Other(OtherError(Arc::new(fmt::Error))),
            "certificate_unknown",
            WhyRefused::Unknown,
        ),
    ] {
        for (version, alpn) in WAYS {
            let config = ca.certify().refusing_server(fault.clone(), &[version], &[alpn]);
            let receiver = Receiver::https(config, ok).await;
            let target = showing(trusting(receiver.https_url(), ca.pem()), Some(&client));
            let error = failed(&sender(), &target).await;
            let SendError::Tls { problem, .. } = &error else { panic!("{error:?}") };
            let told = TlsProblem::ClientCertificateRefused { why, alert: alert.to_owned() };
            assert_eq!(*problem, told, "{version:?} {alpn}");
        }
    }
}
