//! The headers of a request: which ones a user may set, and how they join with ours.

use crate::sign::{self, SecretError};
use crate::target::{Message, Repeat, Target};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};

/// The most bytes of one header, name and value together: the limit of one header line in common servers.
pub const HEADER_BYTES_MAX: usize = 8 * 1024;

/// The most bytes of all headers together, names and values: the limit of a request's head in common servers. Their number
/// is not limited otherwise.
pub const HEADERS_BYTES_MAX: usize = 32 * 1024;

/// What hitwire calls itself, unless the user sets a `user-agent`.
pub const USER_AGENT_VALUE: &str = concat!("hitwire/", env!("CARGO_PKG_VERSION"));

/// The batch's id, the same on each attempt.
pub const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
/// Unix seconds of the attempt.
pub const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// The signatures, see [`sign`].
pub const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Headers that frame the message or steer the connection; a user who sets one could smuggle a second request or break
/// the pool.
const CONNECTION_HEADERS: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The number of the replay that the request belongs to.
const REPLAY: HeaderName = HeaderName::from_static("hitwire-replay");
/// What is sent again, see [`Repeat`](crate::Repeat).
const RESEND_OF: HeaderName = HeaderName::from_static("hitwire-resend-of");

/// Headers that hitwire sets itself; `hitwire-origin` marks own deliveries.
const OWN_HEADERS: &[&str] = &[
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "hitwire-origin",
    "hitwire-replay",
    "hitwire-resend-of",
];

/// Whether a user may set these headers.
pub fn check_headers<N: AsRef<str>, V: AsRef<str>>(headers: &[(N, V)]) -> Result<(), HeaderError> {
    parse(headers).map(drop)
}

/// Why a header is not accepted. Names it, never quotes its value: values are secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Not a token of RFC 9110.
    #[error("{name:?} is not a header name: only letters, digits and !#$%&'*+-.^_`|~ are allowed")]
    Name {
        /// The name, cut to 64 characters.
        name: String,
    },
    /// Control characters in the value.
    #[error("the value of the header {name} contains a line break or another control character")]
    Value {
        /// The header.
        name: HeaderName,
    },
    /// It frames the message or steers the connection.
    #[error("the header {name} cannot be set: it belongs to the connection, which hitwire looks after")]
    Connection {
        /// The header.
        name: HeaderName,
    },
    /// hitwire sets it.
    #[error("the header {name} cannot be set: hitwire sets it on every request")]
    Own {
        /// The header.
        name: HeaderName,
    },
    /// The same name again; upper and lower case don't differ.
    #[error("the header {name} is set twice")]
    Twice {
        /// The header.
        name: HeaderName,
    },
    /// One is too large.
    #[error("the header {name} is larger than {HEADER_BYTES_MAX} bytes")]
    TooLarge {
        /// The header.
        name: HeaderName,
    },
    /// Too large together.
    #[error("the headers are larger than {HEADERS_BYTES_MAX} bytes together")]
    TooLargeTogether,
}

/// How much of a wrong name is quoted.
const NAME_CHARS_QUOTED: usize = 64;

pub(crate) fn parse<N: AsRef<str>, V: AsRef<str>>(headers: &[(N, V)]) -> Result<HeaderMap, HeaderError> {
    let mut map = HeaderMap::new();
    let mut bytes = 0;
    for (name, value) in headers {
        let (name, value) = (name.as_ref(), value.as_ref());
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| HeaderError::Name { name: name.chars().take(NAME_CHARS_QUOTED).collect() })?;
        if CONNECTION_HEADERS.contains(&header.as_str()) || header.as_str().starts_with("proxy-") {
            return Err(HeaderError::Connection { name: header });
        }
        if OWN_HEADERS.contains(&header.as_str()) {
            return Err(HeaderError::Own { name: header });
        }
        if name.len() + value.len() > HEADER_BYTES_MAX {
            return Err(HeaderError::TooLarge { name: header });
        }
        bytes += name.len() + value.len();
        // Before the map grows: it panics above 32,768 headers, and fewer than that fit into the bytes.
        if bytes > HEADERS_BYTES_MAX {
            return Err(HeaderError::TooLargeTogether);
        }
        let Ok(mut secret) = HeaderValue::from_bytes(value.as_bytes()) else {
            return Err(HeaderError::Value { name: header });
        };
        // Keeps the value out of debug output, and HTTP/2 from putting it into the compression table.
        secret.set_sensitive(true);
        if map.insert(header.clone(), secret).is_some() {
            return Err(HeaderError::Twice { name: header });
        }
    }
    Ok(map)
}

/// All headers of a request but those that belong to the connection, as they are sent. A user's `content-type` and `user-agent`
/// win. The values that the user set are marked as sensitive: they are secret, whoever shows the rest.
pub fn request_headers(target: &Target, message: &Message) -> Result<HeaderMap, RequestError> {
    let mut headers = parse(&target.headers)?;
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(message.content_type));
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT_VALUE));
    let id = message.webhook_id.as_str();
    headers.insert(WEBHOOK_ID, HeaderValue::from_str(id).map_err(|_| RequestError::Id)?);
    headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::from(message.timestamp_s));
    if let Some(Repeat { replay, resend_of }) = &message.repeat {
        headers.insert(REPLAY, HeaderValue::from(*replay));
        // An id may hold anything; what cannot stand in a header is no reason not to send.
        if let Some(of) = resend_of.as_deref().and_then(|of| HeaderValue::from_str(of).ok()) {
            headers.insert(RESEND_OF, of);
        }
    }
    let signatures = sign::sign(&target.signing_secrets, id, message.timestamp_s, &message.body)?;
    if !signatures.is_empty() {
        let value = HeaderValue::from_str(&signatures).map_err(|_| RequestError::Id)?;
        headers.insert(WEBHOOK_SIGNATURE, value);
    }
    Ok(headers)
}

/// Why no request can be made of the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A signing secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The URL cannot stand in a request.
    #[error("the URL cannot be sent in a request; write unusual characters of its path as %XX")]
    Url,
    /// The batch's id cannot stand in a header.
    #[error("the batch's id cannot be sent in a header")]
    Id,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(name: &str, value: &str) -> Result<(), HeaderError> {
        check_headers(&[(name, value)])
    }

    #[test]
    fn ordinary_headers_are_accepted() {
        for (name, value) in [
            ("Authorization", "Bearer abc"),
            ("content-type", "application/vnd.siem+json"),
            ("User-Agent", "waf"),
            ("X-Api-Key", ""),
            ("x-name", "Grüße\tan alle"),
            ("cookie", "a=b; c=d"),
        ] {
            assert_eq!(check(name, value), Ok(()), "{name}");
        }
    }

    #[test]
    fn headers_of_the_connection_are_refused_in_any_case() {
        for name in CONNECTION_HEADERS.iter().copied().chain(["proxy-authorization", "proxy-connection"]) {
            for spelling in [name.to_owned(), name.to_uppercase()] {
                assert!(matches!(check(&spelling, "x"), Err(HeaderError::Connection { .. })), "{spelling}");
            }
        }
    }

    #[test]
    fn headers_that_hitwire_sets_are_refused() {
        for name in OWN_HEADERS {
            assert!(matches!(check(name, "x"), Err(HeaderError::Own { .. })), "{name}");
        }
    }

    #[test]
    fn what_would_break_the_message_is_refused_without_quoting_the_value() {
        for name in ["", "a b", "a:b", ":path", "a\r\nb", "ä"] {
            assert!(matches!(check(name, "x"), Err(HeaderError::Name { .. })), "{name:?}");
        }
        for value in ["a\r\nhost: b", "a\nb", "a\rb", "secret\0", "secret\x7f"] {
            let error = check("x-a", value).unwrap_err();
            assert!(matches!(error, HeaderError::Value { .. }), "{value:?}");
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn a_name_counts_once_whatever_its_case() {
        let twice = [("X-A", "1"), ("x-a", "2")];
        assert!(matches!(check_headers(&twice), Err(HeaderError::Twice { .. })));
    }

    #[test]
    fn size_is_bounded_and_number_is_not() {
        let many = |n: usize, bytes: usize| -> Vec<(String, String)> {
            (0..n).map(|i| (format!("{i:04}"), "v".repeat(bytes - 4))).collect()
        };
        assert_eq!(check_headers(&many(8_192, 4)), Ok(()));
        assert_eq!(check_headers(&many(8_193, 4)), Err(HeaderError::TooLargeTogether));
        assert_eq!(check_headers(&many(100_000, 8)), Err(HeaderError::TooLargeTogether));
        assert_eq!(check_headers(&many(1, HEADER_BYTES_MAX)), Ok(()));
        assert!(matches!(check_headers(&many(1, HEADER_BYTES_MAX + 1)), Err(HeaderError::TooLarge { .. })));
        assert_eq!(check_headers(&many(4, HEADER_BYTES_MAX)), Ok(()));
        assert_eq!(check_headers(&many(5, HEADER_BYTES_MAX)), Err(HeaderError::TooLargeTogether));
    }

    #[test]
    fn values_do_not_show_in_debug_output() {
        let map = parse(&[("authorization", "Bearer secret")]).unwrap();
        assert!(!format!("{map:?}").contains("secret"));
    }

    proptest! {
        #[test]
        fn an_accepted_value_never_holds_a_line_break(value in any::<String>()) {
            if check("x-a", &value).is_ok() {
                prop_assert!(!value.contains(['\r', '\n', '\0']));
            }
        }
    }
}
