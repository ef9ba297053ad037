//! What is dialled, and what is not.

use super::authority::NAME;
use super::receiver::{Receiver, ok};
use super::support::*;
use hitwire_endpoint::{Guard, Rule, SendError, Sender};
use std::net::SocketAddr;

fn strict(names: &[(&str, &[&str])]) -> Sender {
    Sender::new(Guard::new(vec![], true), table(names))
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_and_nothing_is_dialled() {
    let receiver = Receiver::http(ok).await;
    let sent = send(&strict(&[(NAME, &["127.0.0.1"])]), &target(receiver.http_url())).await;
    let error = sent.outcome.unwrap_err();
    assert!(
        matches!(&error, SendError::Guard { refusal, .. } if refusal.rule == Rule::Loopback),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "the address that receiver.test resolves to is not allowed: it is a loopback address; an operator can allow it with hitwire serve --allow-target"
    );
    // For operators.
    assert_eq!(sent.address, Some(receiver.address));
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn one_bad_address_among_good_ones_refuses_all() {
    let receiver = Receiver::http(ok).await;
    let sender = sender_knowing(&[(NAME, &["127.0.0.1", "127.0.0.2", "10.0.0.1"])]);
    let error = failed(&sender, &target(receiver.http_url())).await;
    assert!(matches!(&error, SendError::Guard { refusal, .. } if refusal.rule == Rule::Private), "{error:?}");
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_literal_address_is_judged_when_it_is_sent_to_in_any_spelling() {
    let receiver = Receiver::http(ok).await;
    let port = receiver.address.port();
    for host in ["127.0.0.1", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "0"] {
        let words = words(&strict(&[]), &target(format!("http://{host}:{port}/s3cret"))).await;
        assert!(words.contains("allow it with hitwire serve --allow-target"), "{host}: {words}");
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn an_allowed_literal_is_dialled_in_any_spelling() {
    let receiver = Receiver::http(ok).await;
    let port = receiver.address.port();
    for host in ["127.0.0.1", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]"] {
        let response = answered(&sender(), &target(format!("http://{host}:{port}/"))).await;
        assert_eq!(response.status, 200, "{host}");
    }
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_told_as_that() {
    let error = failed(&sender(), &target("https://nowhere.test/s3cret")).await;
    assert!(matches!(error, SendError::Resolve { .. }), "{error:?}");
    assert_eq!(error.to_string(), "the name nowhere.test could not be resolved: the name does not exist");
}

#[tokio::test]
async fn a_refused_connection_names_no_internal_address() {
    let port = Receiver::http(ok).await.address.port();
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    assert_ne!(port, free);
    let sent = send(&sender(), &target(format!("https://{NAME}:{free}/s3cret"))).await;
    let address = SocketAddr::from(([127, 0, 0, 1], free));
    assert_eq!(sent.address, Some(address));
    assert_eq!(
        sent.outcome.unwrap_err().to_string(),
        "no connection to an internal address: connection refused"
    );
    let sender = sender_knowing(&[(NAME, &["127.0.0.1", "127.0.0.2", "127.0.0.3"])]);
    assert_eq!(
        words(&sender, &target(format!("https://{NAME}:{free}/s3cret"))).await,
        "no connection to an internal address (nor to 2 further addresses): connection refused"
    );
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_refuses() {
    let receiver = Receiver::http(ok).await;
    let sender = sender_knowing(&[(NAME, &["127.0.0.9", "127.0.0.8", "127.0.0.1"])]);
    let sent = send(&sender, &target(receiver.http_url())).await;
    assert_eq!(sent.outcome.unwrap().status, 200);
    assert_eq!(sent.address, Some(receiver.address));
}

#[tokio::test]
async fn each_part_of_the_way_is_timed() {
    let ca = super::authority::Authority::new("Test CA");
    let receiver = Receiver::https(ca.certify().server(), ok).await;
    let (sender, target) = (sender(), trusting(receiver.https_url(), ca.pem()));
    let sent = send(&sender, &target).await;
    let timings = sent.timings;
    assert!(timings.dns.is_some() && timings.connect.is_some() && timings.tls.is_some());
    let parts = [timings.dns, timings.connect, timings.tls, timings.first_byte];
    assert!(parts.into_iter().flatten().sum::<std::time::Duration>() <= timings.total);
    assert!(!sent.reused);
    let again = send(&sender, &target).await;
    assert!(again.reused);
    let timings = again.timings;
    assert_eq!((timings.dns, timings.connect, timings.tls), (None, None, None));
    assert!(timings.first_byte.is_some());
}
