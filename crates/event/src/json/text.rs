//! The text inside of JSON strings.

/// A `\u` escape, or two that make one character.
pub(super) struct UnicodeEscape {
    /// What it stands for; U+FFFD for half of a surrogate pair, which is no character.
    pub(super) character: char,
    /// It is half of a surrogate pair.
    pub(super) half: bool,
    /// Its length in bytes: 6, or 12 for a pair.
    pub(super) len: usize,
}

/// Reads the `\uXXXX` at the front of `bytes`, with the second half of a surrogate pair if it follows.
pub(super) fn unicode_escape(bytes: &[u8]) -> Option<UnicodeEscape> {
    let first = code_unit(bytes)?;
    if let Some(character) = char::from_u32(first) {
        return Some(UnicodeEscape { character, half: false, len: 6 });
    }
    let second = if first < 0xdc00 { code_unit(&bytes[6..]) } else { None };
    let pair = second
        .filter(|second| (0xdc00..0xe000).contains(second))
        .and_then(|second| char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)));
    Some(match pair {
        Some(character) => UnicodeEscape { character, half: false, len: 12 },
        None => UnicodeEscape { character: char::REPLACEMENT_CHARACTER, half: true, len: 6 },
    })
}

fn code_unit(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit * 16 + char::from(digit).to_digit(16)?))
}

/// What the inside of a string stands for; `inner` has passed the scanner. Halves of surrogate pairs, which some senders
/// write for bytes that are no text, become U+FFFD: a hit must not be refused for what its payload is made of.
pub(super) fn unescape(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (character, len) = match rest.as_bytes().get(1) {
            Some(b'u') => unicode_escape(rest.as_bytes())
                .map_or((char::REPLACEMENT_CHARACTER, rest.len()), |escape| (escape.character, escape.len)),
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(&itself) => (char::from(itself), 2),
            None => ('\\', 1),
        };
        out.push(character);
        rest = rest.get(len..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// For each byte, whether it ends a stretch of plain text inside of a string.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        special[byte] = true;
        byte += 1;
    }
    special[b'"' as usize] = true;
    special[b'\\' as usize] = true;
    special
};

/// How many bytes from the front of `bytes` are plain: no quote, backslash or control character.
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| SPECIAL[usize::from(byte)]).unwrap_or(bytes.len())
}

/// Writes `text` as the inside of a string: only what must be escaped is.
pub(super) fn escape_into(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut rest = text;
    loop {
        let plain = plain_len(rest.as_bytes());
        out.push_str(&rest[..plain]);
        let Some(&byte) = rest.as_bytes().get(plain) else { return };
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => {
                out.push_str("\\u00");
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
        rest = &rest[plain + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pair_of_halves_is_one_character_and_a_lone_half_is_none() {
        assert_eq!(unescape(r"\ud83e\udd80"), "🦀");
        assert_eq!(unescape(r"a\ud83eb"), "a\u{fffd}b");
        assert_eq!(unescape(r"\udc80\ud83e\ud83e\udd80"), "\u{fffd}\u{fffd}🦀");
    }

    proptest! {
        #[test]
        fn escaping_writes_what_serde_json_writes(text in any::<String>()) {
            let mut written = String::from("\"");
            escape_into(&mut written, &text);
            written.push('"');
            prop_assert_eq!(&written, &serde_json::to_string(&text).expect("a string is JSON"));
            prop_assert_eq!(unescape(&written[1..written.len() - 1]), text);
        }

        #[test]
        fn unescaping_reads_what_serde_json_reads(inner in r#"([a-zé]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}){0,8}"#) {
            if let Ok(text) = serde_json::from_str::<String>(&format!("\"{inner}\"")) {
                prop_assert_eq!(unescape(&inner), text);
            }
        }
    }
}
