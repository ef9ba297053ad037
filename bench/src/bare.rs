//! hitwire's own HTTP client, without hitwire around it.

use crate::Failure;
use crate::hit::{Body, now_ns};
use bytes::Bytes;
use hitwire_endpoint::{Guard, Message, Method, Resolver, Sender, Target, TlsIdentity};
use hitwire_event::{ClientId, WebhookId};
use std::time::{Duration, Instant};

/// Posts bodies of so many hits, one after the other, as a lane does.
pub(crate) fn requests_per_second(
    url: &str,
    ca_pem: &str,
    events: usize,
    time: Duration,
) -> Result<f64, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let guard = Guard::new(vec!["127.0.0.0/8".parse()?], false);
        let sender = Sender::new(guard, Resolver::system());
        let target = Target {
            http_version: hitwire_endpoint::HttpVersion::Auto,
            url: url.to_owned(),
            method: Method::Post,
            headers: Vec::new(),
            tls: TlsIdentity { ca_pem: ca_pem.to_owned(), ..TlsIdentity::default() },
            proxy: None,
            open_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(5),
            signing_secrets: vec!["whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned()],
        };
        let mut body = Body::of(events);
        let started = Instant::now();
        let mut requests: u64 = 0;
        while started.elapsed() < time {
            let sent_ns = now_ns();
            body.stamp(requests * events as u64, sent_ns);
            let message = Message {
                webhook_id: WebhookId(format!("msg_{requests:032}").into()),
                timestamp_s: sent_ns / 1_000_000_000,
                content_type: "application/json",
                body: Bytes::copy_from_slice(&body.bytes),
                repeat: None,
            };
            let response = sender.send(ClientId(1), &target, message).await.outcome?;
            if response.status != 200 {
                return Err(format!("the receiver answered {}", response.status).into());
            }
            requests += 1;
        }
        Ok(requests as f64 / started.elapsed().as_secs_f64())
    })
}
