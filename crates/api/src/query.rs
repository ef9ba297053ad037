//! The query of a URL, parameter by parameter.

use super::problem::Problem;
use axum::extract::FromRequestParts;
use http::request::Parts;
use std::convert::Infallible;
use std::ops::RangeInclusive;
use url::form_urlencoded;

/// More parameters than any call has are not read.
const PARAMETERS_MAX: usize = 32;

/// The parameter that every call with a token takes: which client (tenant) it is about. Who takes it is
/// [`Caller`](super::auth::Caller).
const CLIENT: &str = "clientid";

/// The parameters that were not taken yet; `clientid` is none of them.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let mut query = Query::of_parts(parts);
        query.0.retain(|(name, _)| name != CLIENT);
        Ok(query)
    }
}

impl Query {
    pub(super) fn of(text: &str) -> Self {
        Query(form_urlencoded::parse(text.as_bytes()).into_owned().take(PARAMETERS_MAX).collect())
    }

    /// All parameters of a request.
    pub(super) fn of_parts(parts: &Parts) -> Self {
        Query::of(parts.uri.query().unwrap_or_default())
    }

    /// The client that a request names.
    pub(super) fn clientid(mut self) -> Result<Option<u64>, Problem> {
        self.integer(CLIENT, 0..=u64::MAX)
    }

    /// Takes a parameter.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let mut values = self.0.extract_if(.., |(other, _)| other == name).map(|(_, value)| value);
        let value = values.next();
        if values.next().is_some() {
            return Err(Problem::bad_request(format!("the parameter {name} is there twice")));
        }
        Ok(value)
    }

    /// Takes a parameter that is a whole number within a range.
    pub(super) fn integer(&mut self, name: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match text.parse() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(Problem::bad_request(format!(
                "the parameter {name} must be a whole number from {} to {}",
                range.start(),
                range.end()
            ))),
        }
    }

    /// Takes a parameter that is a moment, as milliseconds since the epoch: RFC 3339, or whole Unix seconds.
    pub(super) fn moment_ms(&mut self, name: &str) -> Result<Option<u64>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let seconds = text.parse::<u64>().ok().and_then(|seconds| seconds.checked_mul(1_000));
        let written = || text.parse::<jiff::Timestamp>().ok()?.as_millisecond().try_into().ok();
        seconds.or_else(written).map(Some).ok_or_else(|| {
            Problem::bad_request(format!(
                "the parameter {name} must be a moment since 1970, such as 2026-01-02T03:04:05Z, or Unix seconds"
            ))
        })
    }

    /// Takes a parameter that is one of a few.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        name: &str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let found = choices.iter().find(|(choice, _)| *choice == text).map(|(_, value)| *value);
        found.map(Some).ok_or_else(|| {
            let known: Vec<_> = choices.iter().map(|(choice, _)| *choice).collect();
            Problem::bad_request(format!("the parameter {name} must be {}", known.join(" or ")))
        })
    }

    /// Ends the reading: a parameter that nobody took is refused, so that a slip of the pen does not go unnoticed.
    pub(super) fn finish(self) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => {
                let name = hitwire_event::escape::visible(name);
                Err(Problem::bad_request(format!("the call has no parameter {name}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_taken_one_by_one() {
        let mut query = Query::of("before=7&name=a%20b&flag");
        assert_eq!(query.integer("before", 0..=9).expect("read"), Some(7));
        assert_eq!(query.text("name").expect("read").as_deref(), Some("a b"));
        assert_eq!(query.text("name").expect("read"), None);
        assert!(query.finish().is_err(), "flag was not taken");
    }

    #[test]
    fn a_moment_is_a_time_or_seconds() {
        let moment = |text: &str| Query::of(text).moment_ms("n").expect("read");
        assert_eq!(moment("n=2026-01-02T03:04:05.5Z"), Some(1_767_323_045_500));
        assert_eq!(moment("n=2026-01-02T04:04:05%2B01:00"), Some(1_767_323_045_000));
        assert_eq!(moment("n=1767323045"), Some(1_767_323_045_000));
        assert_eq!(moment("m=1"), None);
    }

    #[test]
    fn what_is_wrong_is_refused() {
        assert!(Query::of("n=10").integer("n", 0..=9).is_err());
        assert!(Query::of("n=-1").integer("n", 0..=9).is_err());
        assert!(Query::of("n=1&n=1").integer("n", 0..=9).is_err());
        assert!(Query::of("n=yesterday").moment_ms("n").is_err());
        assert!(Query::of("n=99999999999999999999").moment_ms("n").is_err());
        assert!(Query::of("n=x").one_of("n", &[("a", 1), ("b", 2)]).is_err());
    }
}
