//! Requests to the API in the name of whoever is signed in, without leaving the process.

use crate::Console;
use crate::failure::{FieldError, Refused};
use crate::session::Session;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use hitwire_store::{Role, SignedIn};
use http::header::{CONTENT_TYPE, ETAG, IF_MATCH, RETRY_AFTER};
use http::{HeaderMap, Method, Request, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::ServiceExt;

/// The largest answer of the API that a page takes: all integrations of a client with 10,000 of them.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// What the API answered.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    /// For `If-Match` of the next change.
    pub(crate) etag: Option<String>,
    pub(crate) body: Value,
}

impl Answered {
    /// The body. That the API says something else than the console understands must not pass for nothing.
    pub(crate) fn read<T: DeserializeOwned>(self) -> Result<T, Refused> {
        serde_json::from_value(self.body).map_err(|error| broken(&error.to_string()))
    }

    /// What the API warns of: each with a pointer into the body of the call.
    pub(crate) fn warnings(&self) -> Vec<FieldError> {
        serde_json::from_value(self.body["warnings"].clone()).unwrap_or_default()
    }

    /// What stands in the envelope of the newer calls, likewise.
    pub(crate) fn read_object<T: DeserializeOwned>(self) -> Result<T, Refused> {
        serde_json::from_value(self.object()).map_err(|error| broken(&error.to_string()))
    }

    /// What stands in the envelope of the newer calls: `{"body":{"object":...}}`.
    pub(crate) fn object(mut self) -> Value {
        self.body["body"]["object"].take()
    }
}

impl Console {
    /// `GET` of a path with its query.
    pub(crate) async fn get(&self, session: &Session, path: &str) -> Result<Answered, Refused> {
        self.call(session, Method::GET, path, None, None).await
    }

    /// `POST` of a JSON body.
    pub(crate) async fn post(
        &self,
        session: &Session,
        path: &str,
        body: &Value,
    ) -> Result<Answered, Refused> {
        self.call(session, Method::POST, path, Some(body), None).await
    }

    /// `PUT` of a JSON body, made from what had this `etag`.
    pub(crate) async fn put(
        &self,
        session: &Session,
        path: &str,
        body: &Value,
        etag: Option<&str>,
    ) -> Result<Answered, Refused> {
        self.call(session, Method::PUT, path, Some(body), etag).await
    }

    /// `DELETE` of what had this `etag`.
    pub(crate) async fn delete(
        &self,
        session: &Session,
        path: &str,
        etag: Option<&str>,
    ) -> Result<Answered, Refused> {
        self.call(session, Method::DELETE, path, None, etag).await
    }

    /// Whether whoever is signed in may make a call of the API, `path` as it is routed (`/v2/integration/{id}`).
    pub(crate) fn may(&self, session: &Session, method: &Method, path: &str) -> bool {
        (self.may)(method, path, session.user.role)
    }

    /// `GET` of what is no JSON, and may be long: passed on while it is read.
    pub(crate) async fn file(&self, session: &Session, path: &str) -> Result<Response, Refused> {
        self.send(session, Method::GET, path, None, None).await
    }

    /// `GET` of a text.
    pub(crate) async fn text(&self, session: &Session, path: &str) -> Result<String, Refused> {
        let body = self.file(session, path).await?.into_body();
        let bytes =
            axum::body::to_bytes(body, ANSWER_BYTES_MAX).await.map_err(|error| broken(&error.to_string()))?;
        String::from_utf8(bytes.into()).map_err(|error| broken(&error.to_string()))
    }

    async fn call(
        &self,
        session: &Session,
        method: Method,
        path: &str,
        body: Option<&Value>,
        etag: Option<&str>,
    ) -> Result<Answered, Refused> {
        let (parts, body) = self.send(session, method, path, body, etag).await?.into_parts();
        let bytes =
            axum::body::to_bytes(body, ANSWER_BYTES_MAX).await.map_err(|error| broken(&error.to_string()))?;
        let etag = parts.headers.get(ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let body = if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&bytes) };
        Ok(Answered { etag, body: body.map_err(|error| broken(&error.to_string()))? })
    }

    /// The answer to a call that succeeded; its body may still be on its way.
    async fn send(
        &self,
        session: &Session,
        method: Method,
        path: &str,
        body: Option<&Value>,
        etag: Option<&str>,
    ) -> Result<Response, Refused> {
        let bytes = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let mut request = Request::builder().method(method).uri(path);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(etag) = etag {
            request = request.header(IF_MATCH, etag);
        }
        let request = request
            .extension(SignedIn { session: session.kept.sha256 })
            .body(Body::from(bytes))
            .map_err(|error| broken(&error.to_string()))?;
        let response = match self.api.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let bytes =
            axum::body::to_bytes(body, ANSWER_BYTES_MAX).await.map_err(|error| broken(&error.to_string()))?;
        let refused = refused(parts.status, &parts.headers, &bytes);
        Err(for_a_person(refused, session.role()))
    }
}

/// The API's problem+json.
fn refused(status: StatusCode, headers: &HeaderMap, bytes: &[u8]) -> Refused {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Problem {
        title: String,
        detail: String,
        errors: Vec<FieldError>,
    }
    let problem: Problem = serde_json::from_slice(bytes).unwrap_or_default();
    let retry_after_s = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Refused { status, title: problem.title, detail: problem.detail, errors: problem.errors, retry_after_s }
}

/// The API speaks to who holds a token, and names its calls; here it is a person with a role.
fn for_a_person(refused: Refused, role: Role) -> Refused {
    if refused.status != StatusCode::FORBIDDEN {
        return refused;
    }
    let detail = if refused.detail.contains(" may not call ") {
        format!(
            "Your role is {}, and this is for others. If you need it, ask an administrator for another role.",
            role.title()
        )
    } else {
        refused.detail
    };
    Refused { title: "Your role may not do that".to_owned(), detail, ..refused }
}

/// What must not happen between two parts of one program.
fn broken(error: &str) -> Refused {
    tracing::error!(error, "the console could not make a call of the API");
    Refused {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        title: "Internal error".to_owned(),
        detail: "The console could not make a call of the API; the log says why.".to_owned(),
        errors: Vec::new(),
        retry_after_s: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_told_of_the_role_and_not_of_tokens_and_calls() {
        let refused = |status, detail: &str| Refused {
            status,
            title: "This token may not do that".to_owned(),
            detail: detail.to_owned(),
            errors: Vec::new(),
            retry_after_s: None,
        };
        let call = "the role analyst may not call GET /v1/users; these may: operator, admin, read_only";
        let told = for_a_person(refused(StatusCode::FORBIDDEN, call), Role::Analyst);
        assert_eq!(told.title, "Your role may not do that");
        assert!(told.detail.starts_with("Your role is Analyst,"), "{}", told.detail);
        let own = "an administrator makes no operator";
        assert_eq!(for_a_person(refused(StatusCode::FORBIDDEN, own), Role::Administrator).detail, own);
        assert_eq!(for_a_person(refused(StatusCode::CONFLICT, call), Role::Analyst).detail, call);
    }
}
