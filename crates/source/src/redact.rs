//! A request's headers as a hit keeps them: without secrets, and bounded.

use crate::text::cut;
use hitwire_event::hit;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The most headers that are kept; web servers take about 100.
const HEADERS_MAX: usize = 100;

/// The longest name or value that is kept, in characters.
const TEXT_CHARS_MAX: usize = 2_000;

/// All that is kept, in characters. A hit is a notification, not an archive of the request.
const ALL_CHARS_MAX: usize = 16_000;

/// The headers of a record; none if it shows none. What is beyond the bounds is left out.
pub(crate) fn headers(headers: &[(Cow<'_, str>, Cow<'_, str>)]) -> Option<Box<RawValue>> {
    let mut left_chars = ALL_CHARS_MAX;
    let kept = headers.iter().take(HEADERS_MAX).map(|(name, value)| {
        let value = if hit::is_secret(name) { hit::REDACTED } else { cut(value, TEXT_CHARS_MAX) };
        (cut(name, TEXT_CHARS_MAX), value)
    });
    let kept: Vec<(&str, &str)> = kept
        .take_while(|(name, value)| {
            let chars = name.chars().count() + value.chars().count();
            left_chars.checked_sub(chars).inspect(|left| left_chars = *left).is_some()
        })
        .collect();
    (!kept.is_empty()).then(|| hit::headers(kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lines: &[(&str, &str)]) -> String {
        let lines: Vec<_> =
            lines.iter().map(|(name, value)| (Cow::Borrowed(*name), Cow::Borrowed(*value))).collect();
        headers(&lines).map_or_else(String::new, |headers| headers.get().to_owned())
    }

    #[test]
    fn secrets_are_masked_in_any_letter_case() {
        for name in ["Authorization", "COOKIE", "set-cookie", "Proxy-Authorization", "x-Api-Key"] {
            assert_eq!(shown(&[(name, "secret")]), format!(r#"{{"{name}":"[redacted]"}}"#));
        }
        assert_eq!(shown(&[("Accept", "*/*")]), r#"{"Accept":"*/*"}"#);
    }

    #[test]
    fn a_record_without_headers_gives_none() {
        assert_eq!(shown(&[]), "");
    }

    #[test]
    fn headers_are_bounded() {
        assert!(shown(&[("A", &"x".repeat(100_000))]).len() < 2_100);
        let many = vec![("A", "b"); 1_000];
        assert!(shown(&many).len() < 1_000);
        let value = "x".repeat(2_000);
        let large = vec![("A", value.as_str()); 50];
        assert!(shown(&large).len() < 17_000);
    }
}
