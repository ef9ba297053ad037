//! What is kept of an attempt in detail: who delivers hands over what it has, and masking comes later, if it comes to that.

use super::echo::without_secrets;
use super::transport::{Delivery, Exchange};
use hitwire_courier::{OpenBatch, Reply};
use hitwire_endpoint::{Cause, RESPONSE_BYTES_MAX, Response, Timings, WEBHOOK_SIGNATURE};
use hitwire_store::{
    AttemptKey, AttemptTimings, Detail, Draft, HttpMethod, Integration, MASK, PrivateDetail, ResponseDetail,
    Secret, Target,
};
use http::{HeaderMap, HeaderName};
use std::sync::Arc;
use std::time::Duration;
use url::{Position, Url};

/// What a draft holds beside headers and the receiver's answer.
const DRAFT_BYTES: usize = 1_024;

/// The draft of an attempt at this batch; none if the way out does not tell of its exchanges.
pub(crate) fn draft(
    integration: &Arc<Integration>,
    batch: &OpenBatch,
    delivery: &mut Delivery,
) -> Option<Draft> {
    let exchange = delivery.exchange.take()?;
    let delivered = matches!(delivery.reply, Reply::Complete { status: 200..=299, .. });
    let cause = delivery.cause;
    let integration = Arc::clone(integration);
    let key = AttemptKey {
        integration: integration.id,
        webhook_id: batch.webhook_id.clone(),
        number: batch.tries.saturating_add(1),
    };
    let answer =
        exchange.response.as_ref().map_or(0, |response| response.body.len() + of_headers(&response.headers));
    let bytes = DRAFT_BYTES + of_headers(&exchange.headers) + answer;
    Some(Draft { key, delivered, bytes, make: Box::new(move || of(&integration.target, &exchange, cause)) })
}

fn of_headers(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

/// The detail of an exchange. `target` is what it was sent with, so that every secret that was sent is known.
fn of(target: &Target, exchange: &Exchange, cause: Option<Cause>) -> Detail {
    let Exchange { timings, reused, http_version, headers, response } = exchange;
    Detail {
        timings: micros(timings),
        reused: *reused,
        http_version: http_version.map(|version| format!("{version:?}")),
        cause: cause.map(|cause| cause.name().to_owned()),
        method: match target.http_method {
            HttpMethod::Post => "POST",
            HttpMethod::Put => "PUT",
        }
        .to_owned(),
        origin: origin(target.url.expose()),
        headers: sent(headers),
        response: response.as_ref().map(|response| answered(response, target)),
        private: Some(private(target.url.expose(), headers)),
    }
}

/// What is masked in the rest, for those who may change the integration.
fn private(url: &str, headers: &HeaderMap) -> PrivateDetail {
    let path_and_query = Url::parse(url)
        .map(|url| url[Position::BeforePath..Position::AfterQuery].to_owned())
        .unwrap_or_default();
    let signature = headers.get(WEBHOOK_SIGNATURE).and_then(|value| value.to_str().ok());
    PrivateDetail { path_and_query: Secret::new(path_and_query), signature: signature.map(Secret::new) }
}

/// Of a URL what is no secret.
fn origin(url: &str) -> String {
    Url::parse(url).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

fn sent(headers: &HeaderMap) -> Vec<(String, String)> {
    // A signature is no secret by itself, but whoever has one can send the same notification again for a while.
    let is_masked = |name: &HeaderName, secret: bool| secret || *name == WEBHOOK_SIGNATURE;
    let shown = headers.iter().map(|(name, value)| {
        let value = if is_masked(name, value.is_sensitive()) {
            MASK.to_owned()
        } else {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        };
        (name.to_string(), value)
    });
    shown.collect()
}

fn answered(response: &Response, target: &Target) -> ResponseDetail {
    let headers = response.headers.iter();
    let headers = headers.map(|(name, value)| (name.to_string(), without_secrets(value.as_bytes(), target)));
    let mut body = without_secrets(&response.body, target);
    // Each byte that is not UTF-8 has become three.
    let cut = body.len() > RESPONSE_BYTES_MAX;
    body.truncate(body.floor_char_boundary(RESPONSE_BYTES_MAX));
    ResponseDetail {
        status: response.status,
        headers: headers.collect(),
        body,
        truncated: response.truncated || cut,
        incomplete: response.incomplete.as_ref().map(ToString::to_string),
    }
}

/// In microseconds.
fn micros(timings: &Timings) -> AttemptTimings {
    let us = |took: Duration| u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    AttemptTimings {
        dns_us: timings.dns.map(us),
        connect_us: timings.connect.map(us),
        tls_us: timings.tls.map(us),
        first_byte_us: timings.first_byte.map(us),
        total_us: us(timings.total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(body: &[u8]) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert("x-echo", "Bearer abcdefghij".parse().expect("a value"));
        let body = body.to_vec();
        Response { status: 500, retry_after: None, headers, body, truncated: false, incomplete: None }
    }

    fn target() -> Target {
        let mut target = Target::new("https://user.example:8443/secret-path?key=secret-query", "whsec_1");
        target.headers = vec![("Authorization".to_owned(), hitwire_store::Secret::new("Bearer abcdefghij"))];
        target
    }

    #[test]
    fn secrets_are_masked_where_they_were_sent_and_where_the_receiver_repeats_them() {
        let mut headers = HeaderMap::new();
        let mut secret: http::HeaderValue = "Bearer abcdefghij".parse().expect("a value");
        secret.set_sensitive(true);
        headers.insert("authorization", secret);
        headers.insert("webhook-id", "msg_1".parse().expect("a value"));
        headers.insert(WEBHOOK_SIGNATURE, "v1,abc".parse().expect("a value"));
        let exchange = Exchange {
            timings: Timings::default(),
            reused: false,
            http_version: Some(http::Version::HTTP_11),
            headers,
            response: Some(response(b"no /secret-path?key=secret-query for abcdefghij")),
        };
        let detail = of(&target(), &exchange, Some(Cause::Closed));
        let text = serde_json::to_string(&detail).expect("JSON");
        for secret in ["abcdefghij", "secret-path", "secret-query", "v1,abc"] {
            assert!(!text.contains(secret), "{text}");
        }
        let private = detail.private.expect("it is kept apart");
        assert_eq!(private.path_and_query.expose(), "/secret-path?key=secret-query");
        assert_eq!(private.signature.expect("signed").expose(), "v1,abc");
        assert_eq!(detail.origin, "https://user.example:8443");
        assert!(detail.headers.contains(&("webhook-id".to_owned(), "msg_1".to_owned())));
        assert_eq!(detail.http_version.as_deref(), Some("HTTP/1.1"));
        assert_eq!(detail.cause.as_deref(), Some("closed"));
    }

    #[test]
    fn of_bytes_that_are_no_text_not_more_is_kept_than_of_text() {
        let answered = answered(&response(&[0xff; RESPONSE_BYTES_MAX]), &target());
        assert!(answered.truncated && answered.body.len() <= RESPONSE_BYTES_MAX);
        assert!(answered.body.starts_with('\u{fffd}'));
    }
}
