//! `ETag` and `If-Match` (RFC 9110 sections 8.8.3 and 13.1.1): a change is made from the revision that its caller has read,
//! or not at all.

use super::Shared;
use super::problem::Problem;
use axum::extract::FromRequestParts;
use axum::response::Response;
use http::HeaderValue;
use http::header::{ETAG, IF_MATCH};
use http::request::Parts;

/// Says which revision an answer shows.
pub(super) fn with_etag(mut response: Response, revision: u64) -> Response {
    if let Ok(etag) = HeaderValue::try_from(etag(revision)) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}

fn etag(revision: u64) -> String {
    format!("\"{revision}\"")
}

/// The revisions of which the caller wants one to be the current one; none: the caller does not care.
#[derive(Debug)]
pub(super) struct IfMatch(Option<Vec<String>>);

impl FromRequestParts<Shared> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _api: &Shared) -> Result<Self, Problem> {
        let mut wanted = Vec::new();
        for value in parts.headers.get_all(IF_MATCH) {
            let value = value.to_str().map_err(|_| {
                Problem::bad_request(
                    "the header If-Match is not text; send the ETag of the answer that was read",
                )
            })?;
            wanted.extend(value.split(',').map(|tag| tag.trim().to_owned()));
        }
        Ok(IfMatch(parts.headers.contains_key(IF_MATCH).then_some(wanted)))
    }
}

impl IfMatch {
    /// Refuses if the current revision is none of those wanted.
    pub(super) fn check(&self, revision: u64) -> Result<(), Problem> {
        let current = etag(revision);
        match &self.0 {
            Some(wanted) if !wanted.iter().any(|tag| tag == "*" || *tag == current) => {
                Err(Problem::precondition_failed(format!(
                    "it was changed meanwhile: its ETag is {current} now; read it again and repeat the change"
                )))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn if_match(tags: &[&str]) -> IfMatch {
        IfMatch(Some(tags.iter().map(|&tag| tag.to_owned()).collect()))
    }

    #[test]
    fn the_current_revision_or_any_must_be_among_the_wanted_ones() {
        assert!(IfMatch(None).check(7).is_ok());
        assert!(if_match(&["*"]).check(7).is_ok());
        assert!(if_match(&["\"6\"", "\"7\""]).check(7).is_ok());
        for tags in [&["\"6\""][..], &["7"], &["W/\"7\""], &[""], &[]] {
            assert!(if_match(tags).check(7).is_err(), "{tags:?}");
        }
    }
}
