//! What the server says, and why there may be nothing of it.

use super::Client;
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::io;
use std::time::Duration;

/// A server that asks for more patience than this is asked again after this.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(1);

/// What the server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No address of a server.
    #[error("{url} is not the address of a hitwire server: {problem}; it looks like http://127.0.0.1:8419")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Certificates that cannot be used.
    #[error("the CA certificates cannot be used: {0}")]
    Authority(String),
    /// A token with characters that no header may hold.
    #[error("the token holds characters that cannot stand in a request header")]
    Token,
    /// Nobody there, or not who was expected.
    #[error("cannot connect to {server}: {source}; is hitwire serve running there?")]
    Connect {
        /// Where.
        server: String,
        /// Why.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to {server} broke: {source}")]
    Broken {
        /// Where.
        server: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer.
    #[error("{server} did not answer within {} s", within.as_secs())]
    Timeout {
        /// Where.
        server: String,
        /// How long it was waited.
        within: Duration,
    },
    /// An answer, but a refusal.
    #[error("{server} answered {status}: {detail}")]
    Refused {
        /// Where.
        server: String,
        /// The status.
        status: StatusCode,
        /// What it says.
        detail: String,
        /// What it says of single fields.
        errors: Vec<FieldError>,
    },
    /// An answer that is not what the API answers.
    #[error("{server} does not answer like hitwire: {problem}")]
    Strange {
        /// Where.
        server: String,
        /// What is strange.
        problem: String,
    },
}

impl ApiError {
    /// Whether the same request may succeed in a moment: nobody answered, or the server had no room.
    pub fn is_passing(&self) -> bool {
        match self {
            ApiError::Connect { .. } | ApiError::Broken { .. } | ApiError::Timeout { .. } => true,
            ApiError::Refused { status, .. } => {
                matches!(*status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)
            }
            _ => false,
        }
    }
}

/// What the server has against one field of a body.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FieldError {
    /// Which item of the call (from 0), where a call has items.
    pub index: Option<usize>,
    /// Which field: a JSON pointer (RFC 6901) within the item, or within the body.
    #[serde(default)]
    pub pointer: String,
    /// What is wrong and what would do.
    #[serde(default)]
    pub message: String,
}

/// What the API says of a refusal (RFC 9457).
#[derive(Default, Deserialize)]
struct Problem {
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    errors: Vec<FieldError>,
}

impl Answer {
    /// The answer's body, if the request succeeded; else what the server has against it.
    pub fn successful<T: DeserializeOwned>(&self, client: &Client) -> Result<T, ApiError> {
        let server = client.server();
        if self.status.is_success() {
            let strange = |error: serde_json::Error| ApiError::Strange { server, problem: error.to_string() };
            return serde_json::from_slice(&self.body).map_err(strange);
        }
        let Problem { title, detail, errors } = serde_json::from_slice(&self.body).unwrap_or_default();
        let said = [detail, title].into_iter().find(|text| !text.is_empty());
        let detail = said.unwrap_or_else(|| "it does not say why".to_owned());
        Err(ApiError::Refused { server, status: self.status, detail, errors })
    }

    /// How long the server asks to wait before the next try; bounded.
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: StatusCode, body: &'static str) -> Answer {
        Answer { status, headers: HeaderMap::new(), body: Bytes::from_static(body.as_bytes()) }
    }

    #[test]
    fn a_refusal_says_what_the_server_says() {
        let client = Client::new("http://127.0.0.1:8419", None, None).unwrap();
        let body = r#"{"title":"Unauthorized","detail":"this token is not known"}"#;
        let refused =
            answer(StatusCode::UNAUTHORIZED, body).successful::<serde_json::Value>(&client).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "http://127.0.0.1:8419 answered 401 Unauthorized: this token is not known"
        );
        assert!(!refused.is_passing());
    }

    #[test]
    fn what_a_server_asks_to_wait_is_bounded() {
        let mut busy = answer(StatusCode::SERVICE_UNAVAILABLE, "");
        assert_eq!(busy.retry_after(), None);
        busy.headers.insert(RETRY_AFTER, http::HeaderValue::from_static("5"));
        assert_eq!(busy.retry_after(), Some(Duration::from_secs(5)));
        busy.headers.insert(RETRY_AFTER, http::HeaderValue::from_static("86400"));
        assert_eq!(busy.retry_after(), Some(RETRY_AFTER_MAX));
    }
}
