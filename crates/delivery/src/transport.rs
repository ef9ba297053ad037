//! The one way out of the dispatch.

use super::echo::without_secrets;
use hitwire_courier::Reply;
use hitwire_endpoint::{self as endpoint, Cause, Message, Response, Timings};
use hitwire_store::{HttpMethod, HttpVersion, Integration, Target};
use http::HeaderMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// What became of it, as far as courier and delivery log care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// For the machine.
    pub reply: Reply,
    /// The address that was dialled.
    pub address: Option<String>,
    /// Why it failed, in words, without secrets. None for 2xx.
    pub error: Option<String>,
    /// Why there is no complete answer; none if there is one.
    pub cause: Option<Cause>,
    /// What else is known of it, for whoever looks at single attempts; none if this way out does not tell.
    pub exchange: Option<Box<Exchange>>,
}

/// A request and its answer in detail. Holds secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// How long each part took.
    pub timings: Timings,
    /// The connection had been used before.
    pub reused: bool,
    /// Of the response.
    pub http_version: Option<http::Version>,
    /// The request's; values that the user set are marked as sensitive.
    pub headers: HeaderMap,
    /// If it was complete.
    pub response: Option<Response>,
}

/// A delivery under way.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Delivery> + Send + 'a>>;

/// Carries one request to an integration's endpoint: the real network, or a simulated one.
pub trait Transport: Send + Sync + 'static {
    /// Sends once. Ends within the integration's timeouts.
    fn send<'a>(&'a self, integration: &'a Integration, message: Message) -> Sending<'a>;
}

/// The real network.
#[derive(Clone, Debug)]
pub struct EndpointTransport {
    sender: endpoint::Sender,
}

impl EndpointTransport {
    /// Sends through this sender's guard and pools.
    pub fn new(sender: endpoint::Sender) -> Self {
        EndpointTransport { sender }
    }
}

impl Transport for EndpointTransport {
    fn send<'a>(&'a self, integration: &'a Integration, message: Message) -> Sending<'a> {
        Box::pin(async move {
            let now_s = message.timestamp_s;
            let target = target_of(integration, now_s);
            let sent = self.sender.send(integration.client, &target, message).await;
            let address = sent.address.map(|address| address.to_string());
            let (reply, error, cause, response) = match sent.outcome {
                Ok(response) => {
                    let reply =
                        Reply::Complete { status: response.status, retry_after: response.retry_after };
                    let error = refusal_in_words(&response, &integration.target, now_s);
                    (reply, error, None, Some(response))
                }
                Err(error) => {
                    let cause = error.cause();
                    (without_answer(cause), Some(error.to_string()), Some(cause), None)
                }
            };
            let exchange = Exchange {
                timings: sent.timings,
                reused: sent.reused,
                http_version: sent.http_version,
                headers: sent.headers,
                response,
            };
            Delivery { reply, address, error, cause, exchange: Some(Box::new(exchange)) }
        })
    }
}

/// What it means that there is no complete answer.
fn without_answer(cause: Cause) -> Reply {
    match cause {
        Cause::Timeout | Cause::Closed => Reply::BrokenOff,
        _ => Reply::Incomplete,
    }
}

/// The endpoint's view of an integration's settings at this moment (Unix seconds).
pub fn target_of(integration: &Integration, now_s: u64) -> endpoint::Target {
    let target = &integration.target;
    let previous = target.previous_secret.as_ref().filter(|previous| now_s < previous.expires_at);
    let signing = [&target.signing_secret].into_iter();
    let signing = signing.chain(previous.map(|previous| &previous.secret)).chain(&target.signing_key);
    endpoint::Target {
        url: target.url.expose().to_owned(),
        method: match target.http_method {
            HttpMethod::Post => endpoint::Method::Post,
            HttpMethod::Put => endpoint::Method::Put,
        },
        headers: target
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.expose().to_owned()))
            .collect(),
        tls: endpoint::TlsIdentity {
            ca_pem: target.ca_file.clone(),
            verify: target.ca_verify,
            pins: target.pins.iter().copied().map(endpoint::Pin::from).collect(),
            client_cert_pem: target.client_cert.clone(),
            client_key_pem: target.client_key.as_ref().map(|key| key.expose().to_owned().into()),
        },
        proxy: target.proxy.as_ref().map(|url| endpoint::ProxySettings {
            url: url.clone(),
            credentials: target.proxy_credentials.as_ref().map(|it| it.expose().to_owned().into()),
        }),
        open_timeout: Duration::from_secs(target.open_timeout_s.into()),
        timeout: Duration::from_secs(target.timeout_s.into()),
        http_version: match target.http_version {
            HttpVersion::Auto => endpoint::HttpVersion::Auto,
            HttpVersion::Http1 => endpoint::HttpVersion::Http1,
        },
        signing_secrets: signing.map(|secret| secret.expose().to_owned()).collect(),
    }
}

/// The longest part of a response that is quoted in an attempt's words.
const QUOTED_CHARS: usize = 200;

/// What an answer that is no success says at this moment (Unix seconds); none if it is one. Secrets of `target` that the
/// receiver repeats are masked.
pub fn refusal_in_words(response: &endpoint::Response, target: &Target, now_s: u64) -> Option<String> {
    if (200..300).contains(&response.status) {
        return None;
    }
    let mut words = format!("the endpoint returned {}", response.status);
    if (300..400).contains(&response.status) {
        words.push_str("; redirects are not followed, set the integration's URL to the final address");
    }
    if let Some(refusal) = endpoint::client_certificate_refusal(response, &target.client_cert, now_s as i64) {
        words.push_str(": ");
        words.push_str(&refusal);
        return Some(words);
    }
    // Lines and indents become blanks: these words are one line.
    let text = without_secrets(&response.body, target);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if !text.is_empty() {
        let quoted: String = text.chars().take(QUOTED_CHARS).collect();
        words.push_str(": ");
        words.push_str(&hitwire_event::escape::visible(&quoted));
        if quoted.len() < text.len() {
            words.push_str("...");
        }
    }
    Some(words)
}
