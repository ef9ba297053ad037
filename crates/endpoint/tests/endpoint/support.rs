//! What the tests share: senders, targets, messages.

use super::authority::NAME;
use bytes::Bytes;
use hitwire_endpoint::{
    Answer, Guard, HttpVersion, Message, Method, Resolver, Response, SendError, Sender, Sent, Target,
    TlsIdentity,
};
use hitwire_event::{ClientId, WebhookId};
use std::net::IpAddr;
use std::time::Duration;

/// In every secret of every test; no error may contain it.
pub(crate) const SECRET: &str = "s3cret";
pub(crate) const SECRET_PATH: &str = "/in/s3cret?token=s3cret";
pub(crate) const SIGNING_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(crate) const CLIENT: ClientId = ClientId(7);
pub(crate) const TIMESTAMP_S: u64 = 1_700_000_000;
pub(crate) const BODY: &str = r#"[{"object_type":"hit"}]"#;

/// Long enough that it never ends a test that is right, also on a busy machine.
const PATIENCE: Duration = Duration::from_mins(8);

/// For tests that wait for it: short, and long enough for what comes before the part that hangs, also on a busy machine.
pub(crate) const SHORT: Duration = Duration::from_secs(5);

/// A sender that may dial the loopback interface, over plain HTTP too.
pub(crate) fn sender() -> Sender {
    sender_knowing(&[(NAME, &["127.0.0.1"])])
}

/// The same, with other names.
pub(crate) fn sender_knowing(names: &[(&str, &[&str])]) -> Sender {
    Sender::new(Guard::new(vec!["127.0.0.0/8".parse().unwrap()], true), table(names))
}

pub(crate) fn table(names: &[(&str, &[&str])]) -> Resolver {
    Resolver::table(names.iter().map(|(name, addresses)| {
        let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        ((*name).to_owned(), Answer::Addresses(addresses))
    }))
}

pub(crate) fn target(url: impl Into<String>) -> Target {
    Target {
        url: url.into(),
        method: Method::Post,
        http_version: HttpVersion::Auto,
        headers: vec![("authorization".to_owned(), format!("Bearer {SECRET}"))],
        tls: TlsIdentity::default(),
        proxy: None,
        open_timeout: PATIENCE,
        timeout: PATIENCE,
        signing_secrets: vec![SIGNING_SECRET.to_owned()],
    }
}

/// A target that trusts this CA.
pub(crate) fn trusting(url: impl Into<String>, ca_pem: impl Into<String>) -> Target {
    let mut target = target(url);
    target.tls.ca_pem = ca_pem.into();
    target
}

pub(crate) fn message() -> Message {
    message_of(BODY)
}

pub(crate) fn message_of(body: impl Into<Bytes>) -> Message {
    Message {
        webhook_id: WebhookId("msg_0123456789abcdef0123456789abcdef".into()),
        timestamp_s: TIMESTAMP_S,
        content_type: "application/json",
        body: body.into(),
        repeat: None,
    }
}

/// Sends, and checks that whatever went wrong is told without secrets.
pub(crate) async fn send(sender: &Sender, target: &Target) -> Sent {
    send_message(sender, target, message()).await
}

pub(crate) async fn send_message(sender: &Sender, target: &Target, message: Message) -> Sent {
    let sent = sender.send(CLIENT, target, message).await;
    if let Err(error) = &sent.outcome {
        for text in [error.to_string(), format!("{error:?}"), format!("{target:?}")] {
            assert!(!text.contains(SECRET), "{text}");
            assert!(!text.contains(SIGNING_SECRET), "{text}");
        }
    }
    sent
}

/// The answer to a message that got one.
pub(crate) async fn answered(sender: &Sender, target: &Target) -> Response {
    let sent = send(sender, target).await;
    sent.outcome.unwrap_or_else(|error| panic!("no answer: {error}"))
}

/// The error of a message that got no answer.
pub(crate) async fn failed(sender: &Sender, target: &Target) -> SendError {
    send(sender, target).await.outcome.expect_err("an answer")
}

/// The same in words.
pub(crate) async fn words(sender: &Sender, target: &Target) -> String {
    failed(sender, target).await.to_string()
}
