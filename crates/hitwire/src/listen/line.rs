//! Notifications as lines for machines: one JSON object a line, in ASCII where it matters.

use super::notification::Received;
use hitwire_event::escape;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt::Write as _;

/// What `--output json` prints of a notification.
#[derive(Serialize)]
struct Line<'a> {
    /// RFC 3339, UTC.
    at: Option<String>,
    peer: String,
    method: &'a str,
    path: &'a str,
    webhook_id: Option<&'a str>,
    /// `verified`, `wrong`, `unsigned` or `unchecked`.
    signature: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature_error: Option<Cow<'a, str>>,
    /// The status that was answered.
    answered: u16,
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    objects: Option<&'a [Box<RawValue>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_error: Option<String>,
}

/// A notification as one line of JSON, without the line's end. Numbers in its objects stay as they were written.
pub(crate) fn line(received: &Received) -> String {
    let line = Line {
        at: Timestamp::try_from(received.at).ok().map(|at| at.to_string()),
        peer: received.peer.to_string(),
        method: &received.method,
        path: &received.path,
        webhook_id: received.webhook_id.as_deref(),
        signature: received.signature.name(),
        signature_error: match &received.signature {
            super::Signature::Wrong(why) => Some(Cow::Borrowed(why)),
            _ => None,
        },
        answered: received.answered,
        bytes: received.bytes(),
        objects: received.objects.as_deref().ok(),
        body_error: received.objects.as_ref().err().map(ToString::to_string),
    };
    // Strings, numbers and raw JSON: there is nothing in a line that cannot be written as JSON.
    harmless(&serde_json::to_string(&line).unwrap_or_default())
}

/// The same JSON text on one line, without characters that a terminal would act on.
///
/// Objects are passed on as they were written, so they may hold line breaks between their parts, and in their strings
/// every character but C0. Between parts a blank does the same; in strings `\u` escapes do.
pub(crate) fn harmless(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for char in json.chars() {
        match char {
            '\n' | '\r' | '\t' => text.push(' '),
            _ if char.is_ascii_graphic() || char == ' ' => text.push(char),
            _ => {
                let mut buffer = [0; 4];
                let one = char.encode_utf8(&mut buffer);
                if matches!(escape::visible(one), Cow::Borrowed(_)) {
                    text.push(char);
                } else {
                    for unit in char.encode_utf16(&mut [0; 2]) {
                        // Writing to a String does not fail.
                        let _ = write!(text, "\\u{unit:04x}");
                    }
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn hostile_json_means_the_same_afterwards_and_acts_on_nothing() {
        let hostile = "{\n\t\"a\u{202e}\" :\r\n[ \"\u{7f}\u{9b}\u{e0041}ü\\u001b\", 1.50 ] }";
        let line = harmless(hostile);
        assert_eq!(escape::visible(&line), line);
        assert_eq!(
            serde_json::from_str::<Value>(&line).unwrap(),
            serde_json::from_str::<Value>(hostile).unwrap()
        );
        assert!(line.contains("1.50") && line.contains('ü'), "{line}");
    }

    proptest! {
        #[test]
        fn any_text_survives(text in any::<String>()) {
            let json = serde_json::to_string(&[&text]).unwrap();
            let line = harmless(&json);
            prop_assert_eq!(escape::visible(&line), line.as_str());
            prop_assert_eq!(serde_json::from_str::<[String; 1]>(&line).unwrap(), [text]);
        }
    }
}
