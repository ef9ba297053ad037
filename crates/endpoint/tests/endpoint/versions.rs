//! Which version of HTTP is spoken, and who decides.

use super::authority::Authority;
use super::http2::{self, HTTP_1_1_REQUIRED};
use super::receiver::{OK, Receiver, Wire, ok, read_request, write};
use super::support::*;
use hitwire_endpoint::{HttpVersion, Phase, SendError};
use hitwire_event::ClientId;
use http::Version;

/// When a receiver says over HTTP/2 that it wants HTTP/1.1.
#[derive(Clone, Copy, Debug)]
enum Says {
    Resets,
    GoesAway,
    /// Before any request.
    GoesAwayAtOnce,
    /// Over HTTP/2 again and again; it does not speak HTTP/1.1.
    Never,
}

/// Offers HTTP/2, and answers over HTTP/1.1 alone. A client that does as it is told opens a connection for each by turns.
async fn picky(ca: &Authority, says: Says) -> Receiver {
    Receiver::talking(Some(ca.certify().http2_server()), move |mut wire, connection| async move {
        if connection % 2 == 1 {
            speak_http2(&mut wire, says).await;
        } else {
            speak_http1(&mut wire, says).await;
        }
    })
    .await
}

async fn speak_http1(wire: &mut Wire, says: Says) {
    while read_request(wire).await && !matches!(says, Says::Never) {
        write(wire, OK).await;
    }
}

async fn speak_http2(wire: &mut Wire, says: Says) {
    http2::greet(wire).await;
    if matches!(says, Says::GoesAwayAtOnce) {
        write(wire, http2::go_away(0, HTTP_1_1_REQUIRED)).await;
    }
    while let Some(stream) = http2::read_request(wire).await {
        let end = match says {
            Says::GoesAway => http2::go_away(0, HTTP_1_1_REQUIRED),
            Says::GoesAwayAtOnce => continue,
            Says::Resets | Says::Never => http2::reset(stream, HTTP_1_1_REQUIRED),
        };
        write(wire, end).await;
    }
}

#[tokio::test]
async fn a_receiver_that_wants_http1_gets_it_at_once_and_from_then_on() {
    let ca = Authority::new("Test CA");
    for says in [Says::Resets, Says::GoesAway, Says::GoesAwayAtOnce] {
        let receiver = picky(&ca, says).await;
        let (sender, target) = (sender(), trusting(receiver.https_url(), ca.pem()));
        for number in 1..=3 {
            let sent = send(&sender, &target).await;
            assert_eq!(sent.outcome.unwrap().status, 200, "{says:?}");
            assert_eq!(sent.http_version, Some(Version::HTTP_11));
            assert_eq!(sent.reused, number > 1);
            assert_eq!(receiver.connections(), 2, "{says:?}: HTTP/2 once");
        }
        assert_eq!(sender.kept_connections(), 1, "{says:?}");
        // Another client's requests have nothing to do with it.
        let other = sender.send(ClientId(CLIENT.0 + 1), &target, message()).await;
        assert_eq!(other.outcome.unwrap().status, 200);
        assert_eq!(receiver.connections(), 4);
    }
}

#[tokio::test]
async fn a_receiver_that_wants_http1_on_a_kept_connection_gets_it() {
    let ca = Authority::new("Test CA");
    let receiver = Receiver::talking(Some(ca.certify().http2_server()), |mut wire, connection| async move {
        if connection > 1 {
            speak_http1(&mut wire, Says::Resets).await;
            return;
        }
        http2::greet(&mut wire).await;
        let Some(first) = http2::read_request(&mut wire).await else { return };
        write(&mut wire, http2::answer(first, "200")).await;
        let Some(second) = http2::read_request(&mut wire).await else { return };
        write(&mut wire, http2::reset(second, HTTP_1_1_REQUIRED)).await;
        let _ = http2::read_request(&mut wire).await;
    })
    .await;
    let (sender, target) = (sender(), trusting(receiver.https_url(), ca.pem()));
    for expected in [Version::HTTP_2, Version::HTTP_11, Version::HTTP_11] {
        let sent = send(&sender, &target).await;
        assert_eq!(sent.outcome.unwrap().status, 200);
        assert_eq!(sent.http_version, Some(expected));
    }
    assert_eq!(receiver.connections(), 2);
}

#[tokio::test]
async fn a_receiver_that_wants_http1_and_does_not_speak_it_is_asked_once() {
    let ca = Authority::new("Test CA");
    let receiver = picky(&ca, Says::Never).await;
    let error = failed(&sender(), &trusting(receiver.https_url(), ca.pem())).await;
    // What it answers over the second connection is HTTP/2 all the same, whole or not.
    let is_no_answer = matches!(error, SendError::Cut { phase: Phase::Headers } | SendError::Protocol { .. });
    assert!(is_no_answer, "{error:?}");
    // If the second connection resumed the TLS session and nothing came over it, it is tried once more without.
    assert!(matches!(receiver.connections(), 2 | 3), "{}", receiver.connections());
}

#[tokio::test]
async fn a_page_is_fetched_over_http1_too_if_its_server_wants_that() {
    let ca = Authority::new("Test CA");
    let receiver = picky(&ca, Says::Resets).await;
    let fetch = hitwire_endpoint::Fetch {
        url: receiver.https_url(),
        headers: Vec::new(),
        form: Some("a=b".to_owned()),
        tls: trusting("", ca.pem()).tls.clone(),
        open_timeout: std::time::Duration::from_mins(1),
        timeout: std::time::Duration::from_mins(1),
        response_bytes_max: 100,
    };
    assert_eq!(sender().fetch(&fetch).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_target_of_http1_is_never_spoken_to_in_http2() {
    let ca = Authority::new("Test CA");
    let receiver = Receiver::https(ca.certify().http2_server(), ok).await;
    let (sender, auto) = (sender(), trusting(receiver.https_url(), ca.pem()));
    let mut http1 = auto.clone();
    http1.http_version = HttpVersion::Http1;
    // By turns: each has a kept connection of its own.
    for _ in 0..2 {
        for (target, version) in [(&auto, Version::HTTP_2), (&http1, Version::HTTP_11)] {
            let sent = send(&sender, target).await;
            assert_eq!(sent.outcome.unwrap().status, 200);
            assert_eq!(sent.http_version, Some(version));
        }
    }
    assert_eq!(receiver.connections(), 2);
    let versions: Vec<_> = receiver.seen().iter().map(|seen| seen.version).collect();
    assert_eq!(versions, [Version::HTTP_2, Version::HTTP_11].repeat(2));
}
