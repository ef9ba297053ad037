//! What a receiver answered.

use crate::body::Incomplete;
use http::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use std::time::{Duration, UNIX_EPOCH};

/// How much of a response's body is kept. It is for people who look why a request failed.
pub const RESPONSE_BYTES_MAX: usize = 16 * 1024;

/// The most headers of a response that are kept; the first ones.
pub const RESPONSE_HEADERS_MAX: usize = 100;

/// The most bytes of a response's headers that are kept.
pub const RESPONSE_HEADER_BYTES_MAX: usize = 32 * 1024;

/// The longest `Retry-After` that is told; what is longer is told as this.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(366 * 24);

/// An answer: it counts from the moment its headers are complete. Its body is for people, as far as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 100-999; whether it is a success is for the caller to say.
    pub status: u16,
    /// How long the receiver asks to wait, from now on.
    pub retry_after: Option<Duration>,
    /// At most [`RESPONSE_HEADERS_MAX`], and [`RESPONSE_HEADER_BYTES_MAX`] together.
    pub headers: HeaderMap,
    /// The first [`RESPONSE_BYTES_MAX`] of the body, as it came: never decompressed.
    pub body: Vec<u8>,
    /// The body was longer.
    pub truncated: bool,
    /// Why the body is not all there; none if it is, or if it was longer than what is kept and was left.
    pub incomplete: Option<Incomplete>,
}

/// As many headers as are kept: whole ones, the first ones.
pub(crate) fn kept(headers: HeaderMap) -> HeaderMap {
    let bytes = |name: &HeaderName, value: &http::HeaderValue| name.as_str().len() + value.len();
    let all: usize = headers.iter().map(|(name, value)| bytes(name, value)).sum();
    if headers.len() <= RESPONSE_HEADERS_MAX && all <= RESPONSE_HEADER_BYTES_MAX {
        return headers;
    }
    let mut room = RESPONSE_HEADER_BYTES_MAX;
    let mut kept = HeaderMap::with_capacity(RESPONSE_HEADERS_MAX);
    for (name, value) in headers.iter().take(RESPONSE_HEADERS_MAX) {
        let bytes = bytes(name, value);
        if bytes <= room {
            room -= bytes;
            kept.append(name, value.clone());
        }
    }
    kept
}

/// `Retry-After` in both its forms (RFC 9110, 10.2.3): seconds, or a date. A date is of the receiver's clock, so it counts
/// from the answer's own `Date`; from `now` (since the Unix epoch) if there is none that can be read. A date in the past asks
/// for no wait; what cannot be read is as good as absent.
pub(crate) fn retry_after(headers: &HeaderMap, now: Duration) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        value.parse().map_or(RETRY_AFTER_MAX, Duration::from_secs)
    } else {
        let answered = headers.get(DATE).and_then(|date| parse_date(date.to_str().ok()?.trim()));
        parse_date(value)?.saturating_sub(answered.unwrap_or(now))
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// Since the Unix epoch.
fn parse_date(text: &str) -> Option<Duration> {
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(UNIX_EPOCH).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT
    const NOW: Duration = Duration::from_secs(784_111_777);

    fn parsed(value: &str) -> Option<Duration> {
        parsed_with(value, None)
    }

    fn parsed_with(value: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        headers.extend(date.map(|date| (DATE, date.parse().unwrap())));
        retry_after(&headers, NOW)
    }

    #[test]
    fn seconds_are_a_wait() {
        assert_eq!(parsed("120"), Some(Duration::from_mins(2)));
        assert_eq!(parsed(" 0 "), Some(Duration::ZERO));
        assert_eq!(parsed("99999999999999999999999"), Some(RETRY_AFTER_MAX));
        let date = Some("Sun, 06 Nov 1994 08:50:37 GMT");
        assert_eq!(parsed_with("120", date), Some(Duration::from_mins(2)), "whatever the clock says");
    }

    #[test]
    fn a_date_counts_from_now_in_each_of_its_three_spellings() {
        for date in
            ["Sun, 06 Nov 1994 08:50:37 GMT", "Sunday, 06-Nov-94 08:50:37 GMT", "Sun Nov  6 08:50:37 1994"]
        {
            assert_eq!(parsed(date), Some(Duration::from_mins(1)), "{date}");
        }
        assert_eq!(parsed("Sun, 06 Nov 1994 08:48:37 GMT"), Some(Duration::ZERO));
        assert_eq!(parsed("Fri, 31 Dec 9999 23:59:59 GMT"), Some(RETRY_AFTER_MAX));
    }

    #[test]
    fn a_date_counts_from_the_answers_own_date() {
        let two_hours_fast = "Sun, 06 Nov 1994 10:50:37 GMT";
        for (date, wait) in [
            (Some("Sun, 06 Nov 1994 10:49:37 GMT"), Duration::from_mins(1)),
            (Some("Sun, 06 Nov 1994 10:51:37 GMT"), Duration::ZERO),
            (Some("yesterday"), Duration::from_mins(121)),
            (Some(""), Duration::from_mins(121)),
            (None, Duration::from_mins(121)),
        ] {
            assert_eq!(parsed_with(two_hours_fast, date), Some(wait), "{date:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_as_good_as_absent() {
        for value in ["", "soon", "-1", "1.5", "1e3", "+7", "2026-01-01"] {
            assert_eq!(parsed(value), None, "{value:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), NOW), None);
    }

    #[test]
    fn of_too_many_headers_the_first_are_kept() {
        let mut headers = HeaderMap::new();
        for number in 0..=RESPONSE_HEADERS_MAX {
            headers.append("x-many", number.into());
        }
        let few = kept(headers);
        assert_eq!(few.len(), RESPONSE_HEADERS_MAX);
        assert_eq!(few["x-many"], "0");
        let mut headers = HeaderMap::new();
        for name in ["x-a", "x-b", "x-c"] {
            headers.insert(name, "y".repeat(RESPONSE_HEADER_BYTES_MAX / 2).parse().unwrap());
        }
        headers.insert("x-d", "short".parse().unwrap());
        let few = kept(headers);
        assert!(few.len() == 2 && few.contains_key("x-d"), "{:?}", few.keys().collect::<Vec<_>>());
    }
}
