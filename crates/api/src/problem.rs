//! Errors on the wire: `application/problem+json` (RFC 9457), each with words that a user can act on.

use axum::response::{IntoResponse, Response};
use hitwire_store::{Revoked, StoreError};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// At most this many single errors are listed in one answer; `errors_total` says how many there are.
pub(super) const ERRORS_LISTED_MAX: usize = 100;

/// How long a caller should wait before trying again what is not possible at the moment.
const RETRY_AFTER_503: Duration = Duration::from_secs(5);

/// One thing that is wrong in a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct FieldError {
    /// Which item of the call (from 0), where a call has items. Blank lines are no items.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) index: Option<usize>,
    /// Which line of the body (from 1), where the body was read line by line.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) line: Option<usize>,
    /// Which field: a JSON pointer (RFC 6901) within the item, or within the body.
    pub(super) pointer: String,
    /// What is wrong and what would do.
    pub(super) message: String,
}

impl FieldError {
    /// An error in a body without items.
    pub(super) fn at(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        FieldError { index: None, line: None, pointer: pointer.into(), message: message.into() }
    }
}

/// What sort of problem it is, for programs: the status, the last part of `type`, and the title.
type Class = (StatusCode, &'static str, &'static str);

const BAD_REQUEST: Class = (StatusCode::BAD_REQUEST, "bad-request", "The request cannot be read");
const MALFORMED: Class = (StatusCode::BAD_REQUEST, "malformed", "The body is not valid JSON");
const UNAUTHORIZED: Class = (StatusCode::UNAUTHORIZED, "unauthorized", "A valid token is needed");
const FORBIDDEN: Class = (StatusCode::FORBIDDEN, "forbidden", "This token may not do that");
const NOT_FOUND: Class = (StatusCode::NOT_FOUND, "not-found", "There is no such thing");
const METHOD: Class = (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The method does not fit");
const TIMEOUT: Class = (StatusCode::REQUEST_TIMEOUT, "timeout", "The request took too long to arrive");
const CONFLICT: Class = (StatusCode::CONFLICT, "conflict", "It does not fit what is there");
const PRECONDITION: Class =
    (StatusCode::PRECONDITION_FAILED, "precondition-failed", "It was changed meanwhile");
const TOO_LARGE: Class = (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large");
const MEDIA_TYPE: Class =
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body's form is not understood");
const INVALID: Class = (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The body is not valid");
const TOO_MANY: Class = (StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Not so often");
const INTERNAL: Class = (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error");
const UNAVAILABLE: Class = (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not possible at the moment");

/// One for each status.
const CLASSES: [&Class; 14] = [
    &BAD_REQUEST,
    &UNAUTHORIZED,
    &FORBIDDEN,
    &NOT_FOUND,
    &METHOD,
    &TIMEOUT,
    &CONFLICT,
    &PRECONDITION,
    &TOO_LARGE,
    &MEDIA_TYPE,
    &INVALID,
    &TOO_MANY,
    &INTERNAL,
    &UNAVAILABLE,
];

/// What an error with this status means, in the words of its title.
pub(super) fn meaning(status: u16) -> Option<&'static str> {
    CLASSES.into_iter().find(|(of, ..)| of.as_u16() == status).map(|(_, _, title)| *title)
}

/// Why a call was not carried out.
#[derive(Debug)]
pub(super) struct Problem {
    class: &'static Class,
    detail: String,
    /// Line and column of the body, from 1.
    place: Option<(usize, usize)>,
    errors: Vec<FieldError>,
    /// What of the body was passed over.
    warnings: Vec<FieldError>,
    /// When to come again.
    retry_after: Option<Duration>,
}

impl Problem {
    fn new(class: &'static Class, detail: impl Into<String>) -> Self {
        let (errors, warnings) = (Vec::new(), Vec::new());
        Problem { class, detail: detail.into(), place: None, errors, warnings, retry_after: None }
    }

    /// Status and words alone.
    pub(super) fn in_words(self) -> (StatusCode, String) {
        (self.class.0, self.detail)
    }

    /// 400: the request cannot be read.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Problem::new(&BAD_REQUEST, detail)
    }

    /// 400: the body is not JSON; where it ceases to be.
    pub(super) fn malformed(line: usize, column: usize, detail: impl Into<String>) -> Self {
        Problem { place: Some((line, column)), ..Problem::new(&MALFORMED, detail) }
    }

    /// 401: nobody known.
    pub(super) fn unauthorized(detail: impl Into<String>) -> Self {
        Problem::new(&UNAUTHORIZED, detail)
    }

    /// 403: known, but may not.
    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Problem::new(&FORBIDDEN, detail)
    }

    /// 404: no such thing.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Problem::new(&NOT_FOUND, detail)
    }

    /// 405: there is such a thing, but not with this method.
    pub(super) fn method_not_allowed(detail: impl Into<String>) -> Self {
        Problem::new(&METHOD, detail)
    }

    /// 408: the body did not come.
    pub(super) fn timeout(detail: impl Into<String>) -> Self {
        Problem::new(&TIMEOUT, detail)
    }

    /// 409: it does not fit what is there.
    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Problem::new(&CONFLICT, detail)
    }

    /// 412: not the revision that the caller wants to change.
    pub(super) fn precondition_failed(detail: impl Into<String>) -> Self {
        Problem::new(&PRECONDITION, detail)
    }

    /// 413: too large.
    pub(super) fn too_large(detail: impl Into<String>) -> Self {
        Problem::new(&TOO_LARGE, detail)
    }

    /// 415: a form that is not understood.
    pub(super) fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Problem::new(&MEDIA_TYPE, detail)
    }

    /// 422: read, but not valid. Says what is wrong in each place, up to a bound, and how many places there are.
    pub(super) fn invalid(detail: impl Into<String>, errors: Vec<FieldError>) -> Self {
        Problem { errors, ..Problem::new(&INVALID, detail) }
    }

    /// The same, and what of the body was passed over: it may be why something else is wrong or missing.
    pub(super) fn with_warnings(self, warnings: &[FieldError]) -> Self {
        Problem { warnings: warnings.to_vec(), ..self }
    }

    /// 429: more often than this call may be made.
    pub(super) fn too_many(detail: impl Into<String>, retry_after: Duration) -> Self {
        Problem { retry_after: Some(retry_after), ..Problem::new(&TOO_MANY, detail) }
    }

    /// 500: hitwire's own fault.
    pub(super) fn internal() -> Self {
        let detail = "hitwire made a mistake; its log says which. Whether the call took effect is not known";
        Problem::new(&INTERNAL, detail)
    }

    /// 503: not now.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Problem::new(&UNAVAILABLE, detail)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound | StoreError::Gone(_) => Problem::not_found(error.to_string()),
            StoreError::Revoked(Revoked::UserDisabled | Revoked::Role | Revoked::ClientDisabled) => {
                Problem::forbidden(error.to_string())
            }
            StoreError::Revoked(_) => Problem::unauthorized(error.to_string()),
            StoreError::Conflict | StoreError::Taken(_) => Problem::new(&CONFLICT, error.to_string()),
            StoreError::Closed => Problem::unavailable("hitwire is stopping; try again when it is back"),
            StoreError::Unavailable(_)
            | StoreError::DiskFloor { .. }
            | StoreError::Overtaken
            | StoreError::Open(_) => {
                tracing::error!(%error, "a call was refused because the store does not take it");
                Problem::unavailable(error.to_string())
            }
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors_total: Option<usize>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [FieldError],
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, name, title) = *self.class;
        let errors_total = (!self.errors.is_empty()).then_some(self.errors.len());
        let body = Body {
            r#type: format!("urn:hitwire:problem:{name}"),
            title,
            status: status.as_u16(),
            detail: &self.detail,
            line: self.place.map(|(line, _)| line),
            column: self.place.map(|(_, column)| column),
            errors_total,
            errors: &self.errors[..self.errors.len().min(ERRORS_LISTED_MAX)],
            warnings: &self.warnings,
        };
        let mut response = (status, super::json_text(&body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let unavailable = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER_503);
        if let Some(wait) = self.retry_after.or(unavailable) {
            // Whole seconds, upwards: who comes at the told moment must not be too early.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"hitwire\""));
        }
        response
    }
}
