//! Bytes that should be UTF-8 and are not.
//!
//! An audit log copies the attacker's bytes raw, so 2-4 % of the records of attacks are not valid UTF-8. They are the ones
//! that matter most; none is refused. Each bad byte is shown as `\xHH`, as ModSecurity itself shows it elsewhere, so that
//! nothing is lost, and the record is marked.

use std::borrow::Cow;
use std::fmt::Write;

/// A line of JSON as text: each byte that is not UTF-8 becomes `\\xHH`, which a JSON parser reads as `\xHH`. The flag says
/// whether there was one. (Such a byte outside of a JSON string is an error either way.)
pub(crate) fn json_line(line: &[u8]) -> (Cow<'_, str>, bool) {
    let text = with_bad_bytes_as(line, r"\\x");
    let repaired = matches!(text, Cow::Owned(_));
    (text, repaired)
}

/// Bytes as text: each byte that is not UTF-8 becomes `\xHH`.
pub(crate) fn escaped(bytes: &[u8]) -> Cow<'_, str> {
    with_bad_bytes_as(bytes, r"\x")
}

fn with_bad_bytes_as<'a>(bytes: &'a [u8], prefix: &str) -> Cow<'a, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + 64);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(prefix);
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
    }
    Cow::Owned(text)
}

/// The first `chars_max` characters.
pub(crate) fn cut(text: &str, chars_max: usize) -> &str {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_text_is_passed_on_without_a_copy() {
        assert!(matches!(json_line("{\"a\":\"ü\"}".as_bytes()), (Cow::Borrowed(_), false)));
    }

    #[test]
    fn each_bad_byte_of_a_json_string_is_shown() {
        let (text, repaired) = json_line(b"{\"a\":\"x\xff\xfey\"}");
        assert!(repaired);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["a"], r"x\xff\xfey");
    }

    #[test]
    fn a_cut_counts_characters_and_not_bytes() {
        assert_eq!(cut("äöü", 2), "äö");
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("", 0), "");
    }
}
