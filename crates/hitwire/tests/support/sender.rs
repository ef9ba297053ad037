//! What sends notifications to `hitwire listen`: hitwire's own way out.

use bytes::Bytes;
use hitwire_endpoint::{Guard, Message, Method, Resolver, Sent, Target, TlsIdentity};
use hitwire_event::{ClientId, WebhookId};
use std::time::{SystemTime, UNIX_EPOCH};

/// A sender of notifications to one receiver.
pub(crate) struct Sender {
    way_out: hitwire_endpoint::Sender,
    url: String,
    ca_pem: String,
}

impl Sender {
    /// Sends to `url`, trusting the authority in `ca_pem`.
    pub(crate) fn to(url: &str, ca_pem: &str) -> Self {
        let loopback = "127.0.0.0/8".parse().expect("a network");
        let way_out = hitwire_endpoint::Sender::new(Guard::new(vec![loopback], false), Resolver::system());
        Sender { way_out, url: url.to_owned(), ca_pem: ca_pem.to_owned() }
    }

    /// Where it sends to.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Sends a body, signed with `secrets`.
    pub(crate) async fn send(&self, webhook_id: &str, body: impl Into<Bytes>, secrets: &[&str]) -> Sent {
        let target = Target {
            url: self.url.clone(),
            method: Method::Post,
            headers: Vec::new(),
            tls: TlsIdentity { ca_pem: self.ca_pem.clone(), ..TlsIdentity::default() },
            proxy: None,
            open_timeout: super::PATIENCE,
            timeout: super::PATIENCE,
            http_version: hitwire_endpoint::HttpVersion::Auto,
            signing_secrets: secrets.iter().map(|&secret| secret.to_owned()).collect(),
        };
        let message = Message {
            webhook_id: WebhookId(webhook_id.into()),
            timestamp_s: SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs(),
            content_type: "application/json",
            body: body.into(),
            repeat: None,
        };
        self.way_out.send(ClientId(1), &target, message).await
    }

    /// Sends a body and returns the status that was answered.
    pub(crate) async fn status(&self, webhook_id: &str, body: impl Into<Bytes>, secrets: &[&str]) -> u16 {
        let sent = self.send(webhook_id, body, secrets).await;
        match sent.outcome {
            Ok(response) => response.status,
            Err(error) => panic!("it could not be sent: {error}"),
        }
    }
}
