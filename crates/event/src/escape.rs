//! Attacker bytes made harmless for terminals, logs and chats.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` with every character shown that would otherwise act instead of being seen: control characters (C0, DEL, C1: they
/// drive terminals and forge lines of a log), bidirectional controls (they reorder what is read), zero-width and tag
/// characters and the byte order mark (they hide text), line and paragraph separators. Newline, return and tab become `\n`,
/// `\r`, `\t`, the rest `\u{202e}` and the like. Text without any is passed on as it is.
pub fn visible(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(acts) else {
        return Cow::Borrowed(text);
    };
    let mut shown = String::with_capacity(text.len() + 16);
    shown.push_str(&text[..first]);
    for character in text[first..].chars() {
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ if acts(character) => {
                // Writing to a String cannot fail.
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
            }
            _ => shown.push(character),
        }
    }
    Cow::Owned(shown)
}

/// The same for text of several lines, such as a body: newlines and tabs stay, and a return before a newline is left out.
pub fn visible_lines(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(['\n', '\t']) {
        let (text, space) = match piece.strip_suffix(['\n', '\t']) {
            Some(text) => (text, &piece[text.len()..]),
            None => (piece, ""),
        };
        let text = if space == "\n" { text.strip_suffix('\r').unwrap_or(text) } else { text };
        shown.push_str(&visible(text));
        shown.push_str(space);
    }
    shown
}

fn acts(character: char) -> bool {
    // What follows C1 and Latin begins at U+00AD; most text is decided by the first comparison.
    if character < '\u{ad}' {
        return character.is_control();
    }
    matches!(
        character,
        '\u{ad}'                        // soft hyphen: seen only at the end of a line
        | '\u{34f}'                     // combining grapheme joiner
        | '\u{61c}'                     // Arabic letter mark
        | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers: blank letters
        | '\u{180e}'                    // Mongolian vowel separator
        | '\u{200b}'..='\u{200f}'       // zero-width space and joiners, direction marks
        | '\u{2028}'..='\u{202e}'       // line and paragraph separator, embeddings and overrides
        | '\u{2060}'..='\u{206f}'       // word joiner, invisible operators, isolates, deprecated format characters
        | '\u{fe00}'..='\u{fe0f}'       // variation selectors
        | '\u{feff}'                    // byte order mark
        | '\u{fff9}'..='\u{fffb}'       // interlinear annotation
        | '\u{e0000}'..='\u{e0fff}'     // tags and further variation selectors
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn harmless_text_is_passed_on_without_a_copy() {
        for text in ["", "' or 1=1--", "Grüße, 世界, 🦀, עברית"] {
            assert!(matches!(visible(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn what_drives_a_terminal_is_shown() {
        assert_eq!(visible("a\x1b[2Jb\x07\x7f"), "a\\u{1b}[2Jb\\u{7}\\u{7f}");
        assert_eq!(visible("\u{9b}31m"), "\\u{9b}31m");
    }

    #[test]
    fn a_payload_cannot_forge_a_line() {
        assert_eq!(visible("a\r\nb\tc\u{2028}d\u{85}"), "a\\r\\nb\\tc\\u{2028}d\\u{85}");
    }

    #[test]
    fn lines_stay_lines_and_nothing_else_acts() {
        assert_eq!(visible_lines("a\r\nb\tc\n"), "a\nb\tc\n");
        assert_eq!(visible_lines("a\rb\u{202e}\n\u{85}\u{2028}\r"), "a\\rb\\u{202e}\n\\u{85}\\u{2028}\\r");
    }

    #[test]
    fn what_hides_or_reorders_text_is_shown() {
        assert_eq!(visible("\u{202e}\u{2066}\u{200f}\u{61c}"), "\\u{202e}\\u{2066}\\u{200f}\\u{61c}");
        assert_eq!(visible("\u{feff}a\u{200b}b\u{2060}\u{e0041}"), "\\u{feff}a\\u{200b}b\\u{2060}\\u{e0041}");
    }

    proptest! {
        #[test]
        fn nothing_that_acts_is_left(text in any::<String>()) {
            let shown = visible(&text).into_owned();
            prop_assert!(!shown.chars().any(acts));
            prop_assert_eq!(visible(&shown), shown.as_str());
        }
    }
}
