//! Requests that are no deliveries: what hitwire itself wants to know of a server that its operator named.

use super::Sender;
use super::exchange::{self, Answer, Failure, Request};
use crate::connection::Connection;
use crate::connector::{Progress, Way};
use crate::error::SendError;
use crate::headers::{self, USER_AGENT_VALUE};
use crate::pool::Place;
use crate::response::Response;
use crate::target::{HttpVersion, Method, Target};
use crate::tls::TlsIdentity;
use bytes::Bytes;
use hitwire_event::ClientId;
use http::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use std::fmt;
use std::time::Duration;

/// The client whose requests these are: none has this number.
const NOBODY: ClientId = ClientId(0);

/// One request on a connection of its own: GET, or POST of a form.
#[derive(Clone)]
pub struct Fetch {
    /// `https://...`
    pub url: String,
    /// In the order given; see [`check_headers`](crate::check_headers). The values are secret.
    pub headers: Vec<(String, String)>,
    /// The body, `application/x-www-form-urlencoded`; it is secret. None: GET.
    pub form: Option<String>,
    /// Whom to trust.
    pub tls: TlsIdentity,
    /// For the connection.
    pub open_timeout: Duration,
    /// For request and response.
    pub timeout: Duration,
    /// How much of the response's body is kept.
    pub response_bytes_max: usize,
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch").field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl Sender {
    /// Asks once. Redirects are not followed. An answer whose body is not complete is an error.
    pub async fn fetch(&self, fetch: &Fetch) -> Result<Response, SendError> {
        let url = self.guard().check_url(NOBODY, &fetch.url)?;
        let mut headers = headers::parse(&fetch.headers).map_err(crate::RequestError::from)?;
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT_VALUE));
        let (method, body) = match &fetch.form {
            None => (http::Method::GET, Bytes::new()),
            Some(form) => {
                let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
                headers.insert(CONTENT_TYPE, form_type);
                (http::Method::POST, Bytes::from(form.clone()))
            }
        };
        let spelling = self.spellings.of(&fetch.headers);
        let request = Request::plain(&url, method, headers, body)?.keeping(fetch.response_bytes_max);
        let request = request.spelled(spelling);
        let target = Target {
            url: fetch.url.clone(),
            method: Method::Post,
            headers: Vec::new(),
            http_version: HttpVersion::Auto,
            tls: fetch.tls.clone(),
            proxy: None,
            open_timeout: fetch.open_timeout,
            timeout: fetch.timeout,
            signing_secrets: Vec::new(),
        };
        let route = self.outbound().route(&url, None);
        let way = Way { url: &url, target: &target, route: &route };
        let mut place = way.place(NOBODY);
        let mut answered = self.fetch_on_new_connection(&place, way, &request).await;
        if let Err(Failure { http1_required: true, .. }) = answered {
            place.http_version = HttpVersion::Http1;
            answered = self.fetch_on_new_connection(&place, way, &request).await;
        }
        let mut response = answered.map_err(|failure| failure.error)?.response;
        match response.incomplete.take() {
            None => Ok(response),
            Some(incomplete) => Err(incomplete.into()),
        }
    }

    async fn fetch_on_new_connection(
        &self,
        place: &Place,
        way: Way<'_>,
        request: &Request,
    ) -> Result<Answer, Failure> {
        let timeout = way.target.timeout;
        match self.connector.open(place, way, &mut Progress::default()).await? {
            Connection::Http1(mut http1) => exchange::over_http1(&mut http1, request, timeout).await,
            Connection::Http2(http2) => exchange::over_http2(&http2, request, timeout).await,
        }
    }
}
