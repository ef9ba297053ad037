//! What a page says when something is refused or does not work.

use askama::Template;
use axum::response::{Html, IntoResponse, Redirect, Response};
use hitwire_store::StoreError;
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Deserialize;

/// One field that the API does not take.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FieldError {
    /// Which: a JSON pointer into the body of the call, such as `/target/url`.
    pub(crate) pointer: String,
    /// What is wrong and what would do.
    pub(crate) message: String,
}

/// What the API refused: its problem+json.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) title: String,
    pub(crate) detail: String,
    pub(crate) errors: Vec<FieldError>,
    /// Seconds until it is worth trying again.
    pub(crate) retry_after_s: Option<u64>,
}

impl Refused {
    /// What is wrong with the field that this pointer names, as a sentence; empty: nothing.
    pub(crate) fn at(&self, pointer: &str) -> String {
        let error = self.errors.iter().find(|error| error.pointer == pointer);
        error.map(|error| format!("It {}.", error.message)).unwrap_or_default()
    }

    /// Why the whole is refused, if it is not one of its fields and no fault of hitwire's; as a sentence.
    pub(crate) fn whole(&self) -> String {
        if !self.errors.is_empty() {
            return String::new();
        }
        let mut words = self.detail.clone();
        if let Some(first) = words.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        words.push('.');
        words
    }

    /// Whether the form is shown again: what is wrong can be mended in it.
    pub(crate) fn is_for_the_form(&self) -> bool {
        matches!(
            self.status,
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED
        )
    }
}

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody is signed in: the page to go on with after signing in.
    SignIn { next: String },
    /// The API, or a rule of the console's own, refuses.
    Refused(Refused),
}

impl Failure {
    /// A refusal in the console's own words.
    pub(crate) fn new(status: StatusCode, title: &str, detail: impl Into<String>) -> Failure {
        Failure::Refused(Refused {
            status,
            title: title.to_owned(),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_s: None,
        })
    }

    /// What is asked for is not there.
    pub(crate) fn not_found(detail: impl Into<String>) -> Failure {
        Failure::new(StatusCode::NOT_FOUND, "It is not there", detail)
    }

    /// The role may not.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Failure {
        Failure::new(StatusCode::FORBIDDEN, "Your role may not do that", detail)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Failure::Refused(refused)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let (status, title) = match error {
            StoreError::NotFound | StoreError::Gone(_) => (StatusCode::NOT_FOUND, "It is not there"),
            StoreError::Revoked(_) => (StatusCode::FORBIDDEN, "You may not do that any more"),
            StoreError::Conflict => (StatusCode::CONFLICT, "It was changed meanwhile"),
            StoreError::Taken(_) => (StatusCode::CONFLICT, "It does not fit what is there"),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "Not possible at the moment"),
        };
        Failure::new(status, title, error.to_string())
    }
}

impl From<hitwire_index::IndexError> for Failure {
    fn from(error: hitwire_index::IndexError) -> Self {
        tracing::warn!(%error, "a page cannot be shown");
        let detail = "It is being opened or made again; events are taken and delivered all the same. Try again in a moment.";
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "The index cannot be read", detail)
    }
}

impl From<askama::Error> for Failure {
    fn from(error: askama::Error) -> Self {
        tracing::error!(%error, "a page could not be written");
        Failure::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Internal error",
            "The page could not be written; the log says why.",
        )
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Failure::SignIn { next } => {
                let query: String =
                    url::form_urlencoded::Serializer::new(String::new()).append_pair("next", &next).finish();
                Redirect::to(&format!("/sign-in?{query}")).into_response()
            }
            Failure::Refused(refused) => {
                let page = page(refused.status, &refused.title, &refused.detail);
                let wait = refused.retry_after_s.map(|seconds| [(RETRY_AFTER, seconds.to_string())]);
                (wait, page).into_response()
            }
        }
    }
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage<'a> {
    title: &'a str,
    detail: &'a str,
}

/// A page that stands alone.
pub(crate) fn page(status: StatusCode, title: &str, detail: &str) -> impl IntoResponse + use<> {
    let page = FailurePage { title, detail }.render();
    (status, Html(page.unwrap_or_else(|_| "hitwire: the page could not be written".to_owned())))
}
