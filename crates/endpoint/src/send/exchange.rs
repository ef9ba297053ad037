//! One request and its response on an open connection.

use crate::body::{self, BODY_WITHIN, Beginning};
use crate::connection::{Body, Http1, Http2};
use crate::error::{Phase, SendError, incomplete, is_http1_required, is_refused_stream, is_reset_stream};
use crate::headers::RequestError;
use crate::response::{self, RESPONSE_BYTES_MAX, Response};
use crate::target::{Message, Method};
use bytes::Bytes;
use http::Extensions;
use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use hyper::body::Incoming;
use std::time::Duration;
use tokio::time::Instant;
use url::{Position, Url};

/// A request that can be sent more than once, in either version of HTTP.
#[derive(Debug)]
pub(super) struct Request {
    method: http::Method,
    scheme: Scheme,
    authority: Authority,
    path: PathAndQuery,
    headers: HeaderMap,
    /// How the headers' names are written over HTTP/1.1.
    spelling: Extensions,
    body: Bytes,
    timestamp_s: u64,
    /// How much of the response's body is kept.
    response_bytes_max: usize,
    /// How long it is waited for.
    response_body_within: Duration,
}

impl Request {
    pub(super) fn new(
        url: &Url,
        method: Method,
        headers: HeaderMap,
        message: &Message,
    ) -> Result<Request, RequestError> {
        let request = Request::plain(url, method.into(), headers, message.body.clone())?;
        Ok(Request { timestamp_s: message.timestamp_s, ..request })
    }

    /// A request that is no message: without a time.
    pub(super) fn plain(
        url: &Url,
        method: http::Method,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Request, RequestError> {
        let authority = &url[Position::BeforeHost..Position::AfterPort];
        let path = &url[Position::BeforePath..Position::AfterQuery];
        Ok(Request {
            method,
            scheme: if url.scheme() == "http" { Scheme::HTTP } else { Scheme::HTTPS },
            authority: authority.parse().map_err(|_| RequestError::Url)?,
            path: path.parse().map_err(|_| RequestError::Url)?,
            headers,
            spelling: Extensions::new(),
            body,
            timestamp_s: 0,
            response_bytes_max: RESPONSE_BYTES_MAX,
            response_body_within: BODY_WITHIN,
        })
    }

    /// The same, of whose response so much is kept, and waited for as long as the timeout lets.
    pub(super) fn keeping(self, response_bytes_max: usize) -> Request {
        Request { response_bytes_max, response_body_within: Duration::MAX, ..self }
    }

    /// The same, with the headers' names written in this way over HTTP/1.1.
    pub(super) fn spelled(self, spelling: Extensions) -> Request {
        Request { spelling, ..self }
    }

    pub(super) fn into_headers(self) -> HeaderMap {
        self.headers
    }

    /// Target in origin form, with `Host`.
    fn for_http1(&self) -> Result<http::Request<Body>, RequestError> {
        let mut request = self.with_uri(http::Uri::from(self.path.clone()));
        let host = HeaderValue::from_str(self.authority.as_str()).map_err(|_| RequestError::Url)?;
        request.headers_mut().insert(HOST, host);
        *request.extensions_mut() = self.spelling.clone();
        Ok(request)
    }

    /// Target in pseudo-headers, which are made from an absolute URI.
    fn for_http2(&self) -> Result<http::Request<Body>, RequestError> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(self.path.clone());
        Ok(self.with_uri(http::Uri::from_parts(parts).map_err(|_| RequestError::Url)?))
    }

    /// `content-length` is set here because the HTTP library leaves it out of an empty body.
    fn with_uri(&self, uri: http::Uri) -> http::Request<Body> {
        let mut request = http::Request::new(Body::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        request
    }
}

/// A response and what is told about it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) response: Response,
    /// Its body was read to its end.
    pub(super) ended: bool,
    pub(super) first_byte: Duration,
    pub(super) http_version: http::Version,
}

/// No complete response.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: SendError,
    /// The connection ended without one byte of a response: had it been kept, it was dead already.
    pub(super) unanswered: bool,
    /// The receiver wants this request over HTTP/1.1.
    pub(super) http1_required: bool,
    /// Not one byte of a response came.
    pub(super) silent: bool,
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        Failure { error, unanswered: false, http1_required: false, silent: false }
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        SendError::from(error).into()
    }
}

/// How long a kept connection may need until it takes a request. It is ready unless its receiver answered the request
/// before without taking the whole of it, and still does not.
const READY_WITHIN: Duration = Duration::from_secs(1);

pub(super) async fn over_http1(
    http1: &mut Http1,
    request: &Request,
    timeout: Duration,
) -> Result<Answer, Failure> {
    let clock = Clock::start(timeout);
    let (read_before, written_before) = (http1.meter.read_bytes(), http1.meter.written_bytes());
    let meter = http1.meter.clone();
    let is_silent = || meter.read_bytes() == read_before;
    let message = request.for_http1()?;
    let ready = tokio::time::timeout(READY_WITHIN, http1.sender.ready()).await;
    let Ok(ready) = ready else {
        let error = SendError::Timeout { phase: Phase::Request, after: READY_WITHIN };
        return Err(Failure { unanswered: true, silent: true, ..error.into() });
    };
    let answer = match ready {
        Ok(()) => {
            http1.meter.expect_head();
            let phase = || {
                let sent_bytes = meter.written_bytes() - written_before;
                if sent_bytes < request.body.len() as u64 { Phase::Request } else { Phase::Headers }
            };
            let answer = clock.within(http1.sender.send_request(message), phase).await;
            answer.map_err(|error| Failure { silent: is_silent(), ..error.into() })?
        }
        Err(error) => Err(error),
    };
    match answer {
        Ok(answer) => Ok(read(answer, request, clock).await),
        Err(error) => Err(Failure {
            unanswered: is_silent(),
            silent: is_silent(),
            ..SendError::of_exchange(&error, Phase::Headers, &http1.meter, http1.peer.target).into()
        }),
    }
}

pub(super) async fn over_http2(
    http2: &Http2,
    request: &Request,
    timeout: Duration,
) -> Result<Answer, Failure> {
    let clock = Clock::start(timeout);
    let answer = http2.sender.clone().send_request(request.for_http2()?);
    let answer = clock.within(answer, || Phase::Headers).await;
    match answer.map_err(|error| Failure { silent: true, ..error.into() })? {
        Ok(answer) => Ok(read(answer, request, clock).await),
        Err(error) => {
            let http1_required = is_http1_required(&error) || http2.ended_for_http1().await;
            Err(Failure {
                // Many share the connection, so bytes tell nothing; that the connection ended, not this stream alone, does.
                unanswered: !is_reset_stream(&error) || is_refused_stream(&error),
                silent: !is_reset_stream(&error) && !http1_required,
                http1_required,
                ..SendError::of_exchange(&error, Phase::Headers, &http2.meter, http2.peer.target).into()
            })
        }
    }
}

/// The rest of an answer whose headers are here: it counts, whatever becomes of its body.
async fn read(answer: http::Response<Incoming>, request: &Request, clock: Clock) -> Answer {
    let first_byte = clock.begun.elapsed();
    let (head, body) = answer.into_parts();
    let mut beginning = Beginning::default();
    let (deadline, late) =
        body::deadline(clock.begun, clock.timeout, clock.begun + first_byte, request.response_body_within);
    let reading = body::read(body, request.response_bytes_max, &mut beginning);
    let incomplete = match tokio::time::timeout_at(deadline, reading).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(incomplete(&error, ends_with_connection(&head))),
        Err(_) => Some(late),
    };
    // The time of the attempt and what has passed since: the caller's clock, not the system's.
    let now = Duration::from_secs(request.timestamp_s) + first_byte;
    Answer {
        response: Response {
            status: head.status.as_u16(),
            retry_after: response::retry_after(&head.headers, now),
            headers: response::kept(head.headers),
            body: beginning.bytes,
            truncated: beginning.truncated,
            incomplete,
        },
        ended: beginning.ended,
        first_byte,
        http_version: head.version,
    }
}

/// Whether nothing but the connection's end tells where the body ends.
fn ends_with_connection(head: &http::response::Parts) -> bool {
    let framing = [CONTENT_LENGTH, TRANSFER_ENCODING];
    head.version < http::Version::HTTP_2 && !framing.iter().any(|name| head.headers.contains_key(name))
}

/// The timeout of one exchange.
#[derive(Clone, Copy)]
struct Clock {
    begun: Instant,
    timeout: Duration,
}

impl Clock {
    fn start(timeout: Duration) -> Clock {
        Clock { begun: Instant::now(), timeout }
    }

    async fn within<T>(
        self,
        work: impl Future<Output = T>,
        phase: impl FnOnce() -> Phase,
    ) -> Result<T, SendError> {
        tokio::time::timeout_at(self.begun + self.timeout, work)
            .await
            .map_err(|_| SendError::Timeout { phase: phase(), after: self.timeout })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Guard;
    use hitwire_event::{ClientId, WebhookId};
    use proptest::prelude::*;

    fn request(url: &str) -> Request {
        let url = Guard::new(vec![], false).check_url(ClientId(1), url).unwrap();
        let message = Message {
            webhook_id: WebhookId("msg_1".into()),
            timestamp_s: 0,
            content_type: "application/json",
            body: Bytes::from_static(b"[]"),
            repeat: None,
        };
        Request::new(&url, Method::Post, HeaderMap::new(), &message).unwrap()
    }

    #[test]
    fn the_target_stands_in_the_place_that_each_version_has_for_it() {
        let request = request("https://Hooks.example:8443/a/b?token=1&x=[2]");
        let http1 = request.for_http1().unwrap();
        assert_eq!(http1.uri(), "/a/b?token=1&x=[2]");
        assert_eq!(http1.headers()[HOST], "hooks.example:8443");
        let http2 = request.for_http2().unwrap();
        assert_eq!(http2.uri(), "https://hooks.example:8443/a/b?token=1&x=[2]");
        assert!(!http2.headers().contains_key(HOST));
    }

    #[test]
    fn the_default_port_is_left_out_and_an_empty_path_is_the_root() {
        let http1 = request("https://hooks.example:443?a").for_http1().unwrap();
        assert_eq!(http1.uri(), "/?a");
        assert_eq!(http1.headers()[HOST], "hooks.example");
        let http1 = request("https://[2a00:1450:4001:80b::200e]:1").for_http1().unwrap();
        assert_eq!(http1.headers()[HOST], "[2a00:1450:4001:80b::200e]:1");
    }

    proptest! {
        #[test]
        fn every_url_that_the_guard_accepts_can_be_requested(rest in "[ -~äß世]{0,60}") {
            let url = format!("https://hooks.example/{rest}");
            if Guard::new(vec![], false).check_url(ClientId(1), &url).is_ok() {
                let request = request(&url);
                prop_assert!(request.for_http1().is_ok());
                prop_assert!(request.for_http2().is_ok());
            }
        }
    }
}
