//! One object a line, for every reader's idea of a line.
//!
//! JSON escapes the control characters of ASCII, but allows three characters in strings that some readers take for the end
//! of a line: U+0085 (next line), U+2028 (line separator), U+2029 (paragraph separator). Python's `str.splitlines`, Java's
//! and JavaScript's regular expressions split there. An attacker's payload must not make two lines of one, so `jsonl`
//! carries these as `\u` escapes. In JSON they stand in strings and names alone, where an escape means the same.

/// The three characters in UTF-8, each with its escape.
const LINE_ENDS: [(&str, &str); 3] =
    [("\u{85}", "\\u0085"), ("\u{2028}", "\\u2028"), ("\u{2029}", "\\u2029")];

/// The first of them at or behind `from`: where it begins, itself, and its escape.
fn next_line_end(object: &str, from: usize) -> Option<(usize, &'static str, &'static str)> {
    let bytes = object.as_bytes();
    let mut at = from;
    // The first byte of each; most text holds neither.
    while let Some(ahead) = bytes[at..].iter().position(|&byte| byte == 0xc2 || byte == 0xe2) {
        at += ahead;
        let found = LINE_ENDS.iter().find(|(character, _)| bytes[at..].starts_with(character.as_bytes()));
        if let Some((character, escape)) = found {
            return Some((at, character, escape));
        }
        at += 1;
    }
    None
}

/// The length in bytes of [`push_line`]'s line, without its `\n`.
pub(super) fn line_len(object: &str) -> usize {
    let (mut len, mut from) = (object.len(), 0);
    while let Some((at, character, escape)) = next_line_end(object, from) {
        len += escape.len() - character.len();
        from = at + character.len();
    }
    len
}

/// Appends an object, which is JSON without blanks, as one line.
pub(super) fn push_line(out: &mut Vec<u8>, object: &str) {
    let mut from = 0;
    while let Some((at, character, escape)) = next_line_end(object, from) {
        out.extend_from_slice(&object.as_bytes()[from..at]);
        out.extend_from_slice(escape.as_bytes());
        from = at + character.len();
    }
    out.extend_from_slice(&object.as_bytes()[from..]);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Where Python's `str.splitlines` splits, which knows more line ends than other readers.
    const UNICODE_LINE_ENDS: [char; 10] =
        ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];

    fn line(object: &str) -> String {
        let mut out = Vec::new();
        push_line(&mut out, object);
        assert_eq!(out.len(), line_len(object) + 1);
        String::from_utf8(out).expect("UTF-8")
    }

    proptest! {
        #[test]
        fn a_line_holds_no_line_end_and_says_the_same(
            name in "[a\u{85}\u{2028}\u{2029}\u{84}\u{2027}\u{202a}é日\n\r\u{b}\u{c}\u{1c}-\u{1e}\"\\\\]{0,12}",
            text in any::<String>(),
        ) {
            let value = serde_json::json!({(name): text});
            let line = line(&value.to_string());
            let object = line.strip_suffix('\n').expect("ended");
            prop_assert!(!object.contains(UNICODE_LINE_ENDS), "{object:?}");
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(object).expect("JSON"), value);
        }
    }
}
