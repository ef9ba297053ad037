//! What a receiver answered.

use bytes::Bytes;
use http::HeaderMap;
use http::header::RETRY_AFTER;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::time::{Duration, UNIX_EPOCH};

/// How much of a response's body is read and kept. It is for people who look why a request failed.
pub const RESPONSE_BYTES_MAX: usize = 16 * 1024;

/// The most headers of a response.
pub const RESPONSE_HEADERS_MAX: usize = 100;

/// The most bytes of a response's headers.
pub const RESPONSE_HEADER_BYTES_MAX: u32 = 32 * 1024;

/// The longest `Retry-After` that is told; what is longer is told as this.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(366 * 24);

/// A complete answer: its headers, and its body as far as it is kept.
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
}

/// The part of a body that is kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Beginning {
    pub(crate) bytes: Vec<u8>,
    pub(crate) truncated: bool,
}

/// Reads a body to its end or to its bound.
pub(crate) async fn read_beginning(mut body: Incoming, bytes_max: usize) -> hyper::Result<Beginning> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        // Trailers say nothing that is kept.
        if let Ok(data) = frame?.into_data()
            && !append(&mut bytes, &data, bytes_max)
        {
            return Ok(Beginning { bytes, truncated: true });
        }
    }
    Ok(Beginning { bytes, truncated: false })
}

/// Appends as much as there is room for; false if that is not all.
fn append(bytes: &mut Vec<u8>, data: &Bytes, bytes_max: usize) -> bool {
    let room = bytes_max - bytes.len();
    bytes.extend_from_slice(&data[..data.len().min(room)]);
    data.len() <= room
}

/// `Retry-After` in both its forms (RFC 9110, 10.2.3): seconds, or a date, which counts from `now` (since the Unix epoch). A
/// date in the past asks for no wait; what cannot be read is as good as absent.
pub(crate) fn retry_after(headers: &HeaderMap, now: Duration) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        value.parse().map_or(RETRY_AFTER_MAX, Duration::from_secs)
    } else {
        let date = httpdate::parse_http_date(value).ok()?;
        date.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(now)
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT
    const NOW: Duration = Duration::from_secs(784_111_777);

    fn parsed(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        retry_after(&headers, NOW)
    }

    #[test]
    fn seconds_are_a_wait() {
        assert_eq!(parsed("120"), Some(Duration::from_mins(2)));
        assert_eq!(parsed(" 0 "), Some(Duration::ZERO));
        assert_eq!(parsed("99999999999999999999999"), Some(RETRY_AFTER_MAX));
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
    fn what_cannot_be_read_is_as_good_as_absent() {
        for value in ["", "soon", "-1", "1.5", "1e3", "+7", "2026-01-01"] {
            assert_eq!(parsed(value), None, "{value:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), NOW), None);
    }

    proptest! {
        #[test]
        fn a_body_is_kept_up_to_its_bound_however_it_is_cut(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9000), 0..6),
        ) {
            let whole: Vec<u8> = chunks.concat();
            let mut kept = Vec::new();
            let all = chunks.into_iter().map(Bytes::from).all(|chunk| append(&mut kept, &chunk, RESPONSE_BYTES_MAX));
            prop_assert_eq!(all, whole.len() <= RESPONSE_BYTES_MAX);
            prop_assert_eq!(&kept[..], &whole[..whole.len().min(RESPONSE_BYTES_MAX)]);
        }
    }
}
