//! What a path names.

use super::Shared;
use super::problem::Problem;
use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

/// The parts of a path that a caller fills in, as texts.
#[derive(Debug)]
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Shared> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self, Problem> {
        // Texts can be anything but bytes that are no text.
        match axum::extract::Path::from_request_parts(parts, api).await {
            Ok(axum::extract::Path(named)) => Ok(Path(named)),
            Err(_) => Err(Problem::not_found("the path is not UTF-8, so it names nothing")),
        }
    }
}
