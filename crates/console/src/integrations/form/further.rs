//! What else is wrong. The API tells first what it cannot read, and only when all can be read what may not be. Whoever fills in a form
//! wants to know both at once: so what cannot be read is left out, and the rest asked about once more.

use crate::failure::FieldError;
use serde_json::{Value, json};

/// What rules are about. An error there means that all could be read.
const RULED: [&str; 6] =
    ["/name", "/target/url", "/target/headers/", "/target/ca_file", "/target/client_", "/target/proxy"];

/// The body without what cannot be read; none if all of it can.
pub(super) fn readable(body: &Value, stored: &Value, errors: &[FieldError]) -> Option<Value> {
    let is_ruled = |error: &FieldError| RULED.iter().any(|ruled| error.pointer.starts_with(ruled));
    if errors.is_empty() || errors.iter().any(is_ruled) {
        return None;
    }
    let mut body = body.clone();
    for error in errors {
        // Of a list with an entry that is wrong nothing stays.
        let is_member = |part: &&str| !part.bytes().all(|byte| byte.is_ascii_digit());
        let path: Vec<&str> = error.pointer.split('/').skip(1).take_while(is_member).collect();
        if path == ["target", "pin_sha256"] {
            // Pins that change would have every secret asked for again.
            let pins = &stored["target"]["pin_sha256"];
            body["target"]["pin_sha256"] = if pins.is_array() { pins.clone() } else { json!([]) };
            continue;
        }
        let (last, parents) = path.split_last()?;
        let parent = parents.iter().try_fold(&mut body, |at, part| at.get_mut(*part));
        parent?.as_object_mut()?.remove(*last);
    }
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(pointers: &[&str]) -> Vec<FieldError> {
        let error = |pointer: &&str| FieldError { pointer: (*pointer).to_owned(), message: String::new() };
        pointers.iter().map(error).collect()
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let body = json!({
            "name": "a", "events": [{"event": "siem"}],
            "target": {"url": "https://a.example/", "timeout": "soon", "pin_sha256": ["x"], "rate": 1},
            "filter": {"domains": ["*.*"], "addresses": {"in": ["x"], "not_in": []}},
        });
        let wrong = errors(&[
            "/target/timeout",
            "/target/pin_sha256/0",
            "/filter/domains/0",
            "/filter/addresses/in/0",
        ]);
        let stored = json!({"target": {"pin_sha256": ["AB"]}});
        let expected = json!({
            "name": "a", "events": [{"event": "siem"}],
            "target": {"url": "https://a.example/", "pin_sha256": ["AB"], "rate": 1},
            "filter": {"addresses": {"not_in": []}},
        });
        assert_eq!(readable(&body, &stored, &wrong), Some(expected));
    }

    #[test]
    fn what_could_be_read_is_not_asked_about_again() {
        let body = json!({"name": "", "target": {}});
        for pointers in
            [&["/name"][..], &["/target/url"], &["/target/headers/X"], &["/target/client_key"], &[]]
        {
            assert_eq!(readable(&body, &Value::Null, &errors(pointers)), None, "{pointers:?}");
        }
        assert_eq!(readable(&body, &Value::Null, &errors(&["/no/such/member"])), None);
    }
}
