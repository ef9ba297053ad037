//! JSON that is known to be well-formed, without what it does not need.

use super::scan::Raw;
use super::text::unicode_escape;
use std::borrow::Cow;

/// The value without blanks between its tokens, so that it fits on one line, and with U+FFFD for halves of surrogate pairs,
/// which receivers would refuse. Everything else stays as it was written.
pub(crate) fn compact<'a>(value: &Raw<'a>) -> Cow<'a, str> {
    if !value.loose {
        return Cow::Borrowed(value.text);
    }
    let text = value.text;
    let mut out = String::with_capacity(text.len());
    // What was seen since `from` is kept as it is.
    let (mut from, mut at, mut in_string) = (0, 0, false);
    while let Some(&byte) = text.as_bytes().get(at) {
        let mut len = 1;
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => match unicode_escape(&text.as_bytes()[at..]) {
                Some(escape) if escape.half => {
                    out.push_str(&text[from..at]);
                    out.push(escape.character);
                    from = at + escape.len;
                    len = escape.len;
                }
                Some(escape) => len = escape.len,
                None => len = 2,
            },
            b' ' | b'\n' | b'\r' | b'\t' if !in_string => {
                out.push_str(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
        at += len;
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}
