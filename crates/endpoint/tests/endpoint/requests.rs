//! What a receiver sees of a request.

use super::authority::{Authority, NAME};
use super::receiver::{OK, Receiver, Seen, ok, read_head, write};
use super::support::*;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hitwire_endpoint::{Method, SendError};
use hmac::{Hmac, Mac as _};
use http::{HeaderMap, Version};
use sha2::Sha256;

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let mut values = headers.get_all(name).iter();
    let value = values.next().unwrap_or_else(|| panic!("no {name}"));
    assert!(values.next().is_none(), "{name} more than once");
    value.to_str().unwrap()
}

/// All but the headers that frame the message.
fn assert_is_the_message(seen: &Seen) {
    assert_eq!(seen.body, BODY);
    assert_eq!(seen.path, SECRET_PATH);
    let headers = &seen.headers;
    assert_eq!(text(headers, "content-type"), "application/json");
    assert_eq!(text(headers, "content-length"), BODY.len().to_string());
    assert_eq!(text(headers, "user-agent"), concat!("hitwire/", env!("CARGO_PKG_VERSION")));
    assert_eq!(text(headers, "authorization"), "Bearer s3cret");
    assert_eq!(text(headers, "webhook-id"), "msg_0123456789abcdef0123456789abcdef");
    assert_eq!(text(headers, "webhook-timestamp"), "1700000000");
    let key = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("msg_0123456789abcdef0123456789abcdef.1700000000.{BODY}").as_bytes());
    let expected = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(text(headers, "webhook-signature"), expected);
    for unwanted in ["accept-encoding", "transfer-encoding", "expect", "te", "cookie", "referer"] {
        assert!(!headers.contains_key(unwanted), "{unwanted}");
    }
}

#[tokio::test]
async fn a_receiver_gets_the_body_with_our_headers_and_a_signature_over_http1() {
    let receiver = Receiver::http(ok).await;
    let sent = send(&sender(), &target(receiver.http_url())).await;
    assert_eq!(sent.outcome.unwrap().status, 200);
    assert_eq!(sent.http_version, Some(Version::HTTP_11));
    assert_eq!(sent.address, Some(receiver.address));
    let seen = receiver.only();
    assert_is_the_message(&seen);
    assert_eq!(seen.version, Version::HTTP_11);
    assert_eq!(seen.method, "POST");
    assert_eq!(text(&seen.headers, "host"), format!("{NAME}:{}", receiver.address.port()));
}

#[tokio::test]
async fn the_same_over_http2_if_the_receiver_offers_it() {
    let ca = Authority::new("Test CA");
    let receiver = Receiver::https(ca.certify().http2_server(), ok).await;
    let sent = send(&sender(), &trusting(receiver.https_url(), ca.pem())).await;
    assert_eq!(sent.outcome.unwrap().status, 200);
    assert_eq!(sent.http_version, Some(Version::HTTP_2));
    let seen = receiver.only();
    assert_is_the_message(&seen);
    assert_eq!(seen.version, Version::HTTP_2);
    assert_eq!(seen.authority.unwrap(), format!("{NAME}:{}", receiver.address.port()));
    assert!(!seen.headers.contains_key("host"));
}

#[tokio::test]
async fn put_is_put() {
    let receiver = Receiver::http(ok).await;
    let mut target = target(receiver.http_url());
    target.method = Method::Put;
    answered(&sender(), &target).await;
    assert_eq!(receiver.only().method, "PUT");
}

#[tokio::test]
async fn a_users_headers_are_sent_and_win_over_ours() {
    let receiver = Receiver::http(ok).await;
    let mut target = target(receiver.http_url());
    target.headers = [
        ("Content-Type", "application/x-siem"),
        ("User-Agent", "our-waf"),
        ("X-Name", "Grüße"),
        ("X-Empty", ""),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    answered(&sender(), &target).await;
    let headers = receiver.only().headers;
    assert_eq!(text(&headers, "content-type"), "application/x-siem");
    assert_eq!(text(&headers, "user-agent"), "our-waf");
    assert_eq!(headers["x-name"].as_bytes(), "Grüße".as_bytes());
    assert_eq!(text(&headers, "x-empty"), "");
    assert!(!headers.contains_key("authorization"));
}

/// The names of a request's headers as they stand on the wire.
async fn names_on_the_wire(headers: &[&str]) -> Vec<String> {
    let (tell, mut told) = tokio::sync::mpsc::channel(4);
    let receiver = Receiver::talking(None, move |mut wire, _| {
        let tell = tell.clone();
        async move {
            while let Some(head) = read_head(&mut wire).await {
                write(&mut wire, OK).await;
                tell.send(head).await.unwrap();
            }
        }
    })
    .await;
    let mut target = target(receiver.http_url());
    target.headers = headers.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect();
    let sender = sender();
    let mut names = Vec::new();
    for _ in 0..2 {
        assert_eq!(answered(&sender, &target).await.status, 200);
        let head = told.recv().await.unwrap();
        let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let again: Vec<_> = lines.map(|(name, _)| name.to_owned()).collect();
        assert!(names.is_empty() || names == again, "the same each time");
        names = again;
    }
    names.sort();
    names
}

#[tokio::test]
async fn names_of_headers_leave_as_the_user_wrote_them() {
    let ours = ["Content-Length", "Content-Type", "Host", "User-Agent"];
    let standard = ["webhook-id", "webhook-signature", "webhook-timestamp"];
    let users = ["SOAPAction", "X-Api-Key", "x-lower", "X-UPPER"];
    let mut expected = [&ours[..], &users, &standard].concat();
    expected.sort_unstable();
    assert_eq!(names_on_the_wire(&users).await, expected);
    let own = ["USER-agent", "content-type"];
    let mut expected = [&["Content-Length", "Host"], &own[..], &standard].concat();
    expected.sort_unstable();
    assert_eq!(names_on_the_wire(&own).await, expected, "the user's spelling wins");
}

#[tokio::test]
async fn a_rotated_secret_signs_beside_the_new_one_and_without_secrets_nothing_is_signed() {
    let receiver = Receiver::http(ok).await;
    let sender = sender();
    let mut target = target(receiver.http_url());
    target.signing_secrets =
        vec![SIGNING_SECRET.to_owned(), hitwire_endpoint::sign::secret(&[1; 32]).to_string()];
    answered(&sender, &target).await;
    target.signing_secrets.clear();
    answered(&sender, &target).await;
    let seen = receiver.seen();
    assert_eq!(text(&seen[0].headers, "webhook-signature").split(' ').count(), 2);
    assert!(!seen[1].headers.contains_key("webhook-signature"));
}

#[tokio::test]
async fn a_private_key_signs_beside_the_secret_and_a_receiver_verifies_with_either() {
    use hitwire_endpoint::sign::{self, Signed, VerifyError};
    let receiver = Receiver::http(ok).await;
    let mut target = target(receiver.http_url());
    let key = sign::private_key(&[5; sign::SEED_BYTES]);
    target.signing_secrets = vec![SIGNING_SECRET.to_owned(), key.to_string()];
    answered(&sender(), &target).await;
    let seen = receiver.only();
    let signed = Signed {
        id: text(&seen.headers, "webhook-id"),
        timestamp: text(&seen.headers, "webhook-timestamp"),
        signature: text(&seen.headers, "webhook-signature"),
    };
    let public = sign::public_key(&key).unwrap();
    for verifier in [SIGNING_SECRET, &public] {
        assert_eq!(sign::verify(&[verifier], signed, &seen.body, TIMESTAMP_S), Ok(()), "{verifier}");
        assert_eq!(sign::verify(&[verifier], signed, b"[]", TIMESTAMP_S), Err(VerifyError::Wrong));
    }
}

#[tokio::test]
async fn settings_that_make_no_request_are_refused_before_anything_is_dialled() {
    let receiver = Receiver::http(ok).await;
    let sender = sender();
    let good = target(receiver.http_url());
    let mut bad_header = good.clone();
    bad_header.headers = vec![("Host".to_owned(), SECRET.to_owned())];
    let mut bad_value = good.clone();
    bad_value.headers = vec![("x-a".to_owned(), format!("{SECRET}\r\nx-b: 1"))];
    let mut bad_secret = good.clone();
    bad_secret.signing_secrets = vec![SECRET.to_owned()];
    for (target, expected) in [
        (bad_header, "the header host cannot be set"),
        (bad_value, "the header x-a contains a line break"),
        (bad_secret, "a signing secret begins with whsec_"),
        (target("https://user:s3cret@receiver.test/"), "header Authorization"),
        (target("gopher://receiver.test/s3cret"), "must begin with https://"),
    ] {
        let words = words(&sender, &target).await;
        assert!(words.contains(expected), "{words}");
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_large_body_arrives_whole_over_either_version() {
    let body: Vec<u8> = (0..5_000_000_u32).map(|i| (i % 251) as u8).collect();
    let ca = Authority::new("Test CA");
    for config in [ca.certify().server(), ca.certify().http2_server()] {
        let receiver = Receiver::https(config, ok).await;
        let sent =
            send_message(&sender(), &trusting(receiver.https_url(), ca.pem()), message_of(body.clone()))
                .await;
        assert_eq!(sent.outcome.unwrap().status, 200);
        assert!(receiver.only().body == body);
    }
}

#[tokio::test]
async fn an_empty_body_is_said_to_be_empty() {
    let receiver = Receiver::http(ok).await;
    let sent = send_message(&sender(), &target(receiver.http_url()), message_of("")).await;
    assert_eq!(sent.outcome.unwrap().status, 200);
    assert_eq!(text(&receiver.only().headers, "content-length"), "0");
}

#[tokio::test]
async fn plain_http_is_not_sent_without_permission() {
    let receiver = Receiver::http(ok).await;
    let guard = hitwire_endpoint::Guard::new(vec!["127.0.0.0/8".parse().unwrap()], false);
    let sender = hitwire_endpoint::Sender::new(guard, table(&[(NAME, &["127.0.0.1"])]));
    let error = failed(&sender, &target(receiver.http_url())).await;
    assert!(matches!(error, SendError::Url(hitwire_endpoint::UrlError::PlainHttp)), "{error}");
    assert_eq!(receiver.connections(), 0);
}
