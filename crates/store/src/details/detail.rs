//! What is kept of an attempt beside its row.

use crate::Secret;
use hitwire_event::{IntegrationId, WebhookId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AttemptKey {
    /// Whose.
    pub integration: IntegrationId,
    /// Of which batch.
    pub webhook_id: WebhookId,
    /// 1 for the first attempt of the batch. If the process ended before an attempt was recorded, the next one has the same
    /// number; who looks for its detail says what it came to.
    pub number: u32,
}

/// An attempt in detail. No secret is in it but in [`private`](Detail::private): values that the user set, signatures, the URL's
/// path and query are masked, also where the receiver repeated them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// How long each part took.
    pub timings: AttemptTimings,
    /// The connection had been used before.
    pub reused: bool,
    /// Of the response: `HTTP/1.1`, `HTTP/2.0`.
    pub http_version: Option<String>,
    /// Why there is no complete answer, in one word; none if there is one.
    pub cause: Option<String>,
    /// `POST` or `PUT`.
    pub method: String,
    /// Scheme, host and port of the URL.
    pub origin: String,
    /// The request's headers as they were sent.
    pub headers: Vec<(String, String)>,
    /// What was answered, if the answer was complete.
    pub response: Option<ResponseDetail>,
    /// What only those may see who can change the integration. Lies sealed, beside the rest; none of older attempts, and of
    /// those before the key of the secrets was rotated.
    #[serde(skip)]
    pub private: Option<PrivateDetail>,
}

/// What of a request is masked elsewhere, and needed to find out why a receiver does not take it. No value that the user set in
/// headers is among it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivateDetail {
    /// Of the URL, as it was sent: `/hooks/T0?key=1`.
    pub path_and_query: Secret,
    /// The value of the header `webhook-signature`; none: it was not signed.
    pub signature: Option<Secret>,
}

/// How long each part took, in microseconds; none for a part that was not reached, or not needed on a reused connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttemptTimings {
    /// Resolving the name.
    pub dns_us: Option<u64>,
    /// The TCP connection.
    pub connect_us: Option<u64>,
    /// The TLS handshake.
    pub tls_us: Option<u64>,
    /// From the first byte of the request to the response's headers.
    pub first_byte_us: Option<u64>,
    /// All of it.
    pub total_us: u64,
}

/// A complete answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResponseDetail {
    /// 100-999.
    pub status: u16,
    /// Its headers, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The beginning of its body, as text. The receiver's words: escape them before they are shown.
    pub body: String,
    /// The body was longer.
    pub truncated: bool,
    /// Why the body did not arrive whole, in words; none if it did. The answer counts all the same.
    pub incomplete: Option<String>,
}

/// A detail that is not made yet.
pub struct Draft {
    /// Of which attempt.
    pub key: AttemptKey,
    /// 2xx.
    pub delivered: bool,
    /// How much memory it holds, about.
    pub bytes: usize,
    /// Makes it: masks what is secret. Runs on the thread that writes, if it comes to that.
    pub make: Box<dyn FnOnce() -> Detail + Send>,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("key", &self.key).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
