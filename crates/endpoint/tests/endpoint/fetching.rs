//! Requests that are no deliveries.

use super::authority::Authority;
use super::receiver::{Receiver, answer};
use super::support::*;
use hitwire_endpoint::{Fetch, SendError, TlsIdentity};
use std::time::Duration;

fn fetch(url: String) -> Fetch {
    Fetch {
        url,
        headers: vec![("authorization".to_owned(), format!("Basic {SECRET}"))],
        form: None,
        tls: TlsIdentity::default(),
        open_timeout: Duration::from_mins(1),
        timeout: Duration::from_mins(1),
        response_bytes_max: 40_000,
    }
}

#[tokio::test]
async fn a_page_is_asked_for_and_as_much_of_it_kept_as_is_wanted() {
    let receiver = Receiver::http(|_| answer(200, &[], "x".repeat(50_000))).await;
    let response = sender().fetch(&fetch(receiver.http_url())).await.unwrap();
    assert_eq!((response.status, response.body.len(), response.truncated), (200, 40_000, true));
    let seen = receiver.only();
    assert_eq!((seen.method.as_str(), seen.body.len()), ("GET", 0));
    assert!(!seen.headers.contains_key("webhook-id"));
    assert!(seen.headers["authorization"].to_str().unwrap().contains(SECRET));
}

#[tokio::test]
async fn a_form_is_posted_over_tls_to_whom_the_ca_vouches_for() {
    let authority = Authority::new("CA");
    let receiver = Receiver::https(authority.certify().server(), |_| answer(200, &[], "{}")).await;
    let mut fetch = fetch(receiver.https_url());
    fetch.form = Some("grant_type=authorization_code&code=a%20b".to_owned());
    let refused = sender().fetch(&fetch).await;
    assert!(matches!(refused, Err(SendError::Tls { .. })), "{refused:?}");
    fetch.tls.ca_pem = authority.pem();
    assert_eq!(sender().fetch(&fetch).await.unwrap().body, b"{}");
    let seen = receiver.only();
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(seen.body, "grant_type=authorization_code&code=a%20b");
}

#[tokio::test]
async fn nothing_is_asked_where_the_guard_does_not_let_it() {
    let inside = sender_knowing(&[("inside.example", &["10.0.0.1"])]);
    let refused = inside.fetch(&fetch("https://inside.example/".to_owned())).await.unwrap_err();
    assert!(matches!(refused, SendError::Guard { .. }), "{refused}");
}
