//! The head of a hit's request: its headers, without secrets.

use crate::json::{self, ObjectWriter, Raw, Shape};
use serde_json::value::RawValue;
use std::collections::HashMap;

/// Headers whose values are secrets. What an attacker put there is in the hit's payloads.
const SECRET: [&str; 5] = ["authorization", "cookie", "set-cookie", "proxy-authorization", "x-api-key"];

/// What stands in a secret's place.
pub const REDACTED: &str = "[redacted]";

/// Whether a header's value is a secret: it lets whoever reads it act as somebody else.
pub fn is_secret(name: &str) -> bool {
    SECRET.iter().any(|secret| name.trim().eq_ignore_ascii_case(secret))
}

/// A hit's `headers` from the lines of a request's head: names as given, in order of first appearance; a name that occurs
/// once has its value, one that occurs more often (compared without regard to case) an array of its values.
pub fn headers<'a>(lines: impl IntoIterator<Item = (&'a str, &'a str)>) -> Box<RawValue> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut named: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, value) in lines {
        let place = *places.entry(name.to_ascii_lowercase()).or_insert(named.len());
        match named.get_mut(place) {
            Some((_, values)) => values.push(value),
            None => named.push((name, vec![value])),
        }
    }
    let mut object = ObjectWriter::new();
    for (name, values) in named {
        object.string_or_strings(name, &values);
    }
    object.finish_raw()
}

/// The `headers` of somebody who kept secrets in them, without; none if there are none in them. Where there were several
/// values, one mask stands for all.
pub fn without_secrets(headers: &str) -> Option<Box<RawValue>> {
    let members = json::members(headers)?;
    if !members.iter().any(|member| is_secret(&member.name) && !is_redacted(member.value)) {
        return None;
    }
    let mut object = ObjectWriter::with_capacity(headers.len());
    for member in &members {
        if is_secret(&member.name) && !is_redacted(member.value) {
            object.string_or_strings(&member.name, &[REDACTED]);
        } else {
            object.member(&member.name, member.value.text);
        }
    }
    Some(object.finish_raw())
}

/// It is the mask, or some of them.
fn is_redacted(value: Raw<'_>) -> bool {
    match value.shape {
        Shape::Array => json::elements(value)
            .all(|element| element.shape == Shape::String && element.unquoted() == REDACTED),
        Shape::String => value.unquoted() == REDACTED,
        Shape::Null => true,
        Shape::Bool | Shape::Number | Shape::Object => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(headers: &str) -> Option<String> {
        without_secrets(headers).map(|masked| masked.get().to_owned())
    }

    #[test]
    fn secrets_are_masked_whatever_their_form_and_letter_case() {
        for value in [r#""s""#, r#"["[redacted]","s"]"#, r#"{"a":"s"}"#, "1", "true"] {
            for name in
                ["Authorization", "COOKIE", "set-cookie", "Proxy-Authorization", "x-Api-Key", " Cookie"]
            {
                let before = format!(r#"{{"A":"b","{name}":{value},"B":["c","d"]}}"#);
                let after = format!(r#"{{"A":"b","{name}":"[redacted]","B":["c","d"]}}"#);
                assert_eq!(masked(&before), Some(after));
            }
        }
        assert_eq!(masked(r#"{"Cook\u0069e":"s"}"#).as_deref(), Some(r#"{"Cookie":"[redacted]"}"#));
    }

    #[test]
    fn what_holds_no_secret_stays_as_it_is() {
        for headers in [
            "{}",
            r#"{"Host":"a","X-Cookie":"b"}"#,
            r#"{"Cookie":"[redacted]"}"#,
            r#"{"Cookie":["[redacted]","[redacted]"]}"#,
        ] {
            assert_eq!(masked(headers), None, "{headers}");
        }
    }
}
