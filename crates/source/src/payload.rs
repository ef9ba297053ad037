//! What a hit shows of the attack.

use crate::evidence::Evidence;
use crate::text::cut;
use std::borrow::Cow;

/// The most payloads of a hit.
pub(crate) const PAYLOADS_MAX: usize = 10;

/// The longest payload, in characters.
pub(crate) const PAYLOAD_CHARS_MAX: usize = 1_000;

/// The payload that a message shows: what the rule matched, with the whole argument around it as the client sent it where
/// that is known, since rules see it in lower case and without blanks. `value_counts`: what the
/// rule logs as matched is a name for it, the value is the payload.
pub(crate) fn payload<'a>(
    evidence: &Evidence<'a>,
    value_counts: bool,
    argument: Option<&str>,
) -> Option<Cow<'a, str>> {
    let Some(sign) = evidence.sign else { return shown(evidence.logged) };
    let value = evidence.value.filter(|_| value_counts || sign.is_empty());
    let sign = value.unwrap_or(if value_counts { evidence.shown.unwrap_or_default() } else { sign });
    if sign.is_empty() {
        return None;
    }
    match argument.and_then(|argument| around(argument, sign)) {
        Some(window) => Some(Cow::Owned(window.to_owned())),
        None => shown(sign),
    }
}

fn shown(text: &str) -> Option<Cow<'_, str>> {
    (!text.is_empty()).then(|| Cow::Borrowed(cut(text, PAYLOAD_CHARS_MAX)))
}

/// The part of the argument around the sign, which it may hold in other letter case; none if it does not hold it.
fn around<'a>(argument: &'a str, sign: &str) -> Option<&'a str> {
    // Lower case by ASCII, as the WAF makes it, keeps every byte in its place.
    let sign_from = argument.to_ascii_lowercase().find(&sign.to_ascii_lowercase())?;
    let sign_chars = sign.chars().count();
    let chars_before = argument[..sign_from].chars().count();
    if chars_before + sign_chars <= PAYLOAD_CHARS_MAX || sign_chars >= PAYLOAD_CHARS_MAX {
        let from = if sign_chars >= PAYLOAD_CHARS_MAX { sign_from } else { 0 };
        return Some(cut(&argument[from..], PAYLOAD_CHARS_MAX));
    }
    // A long argument with the sign far behind: as much before the sign as after it.
    let lead = (PAYLOAD_CHARS_MAX - sign_chars) / 2;
    let from = argument[..sign_from].char_indices().rev().nth(lead.saturating_sub(1)).map_or(0, |(at, _)| at);
    Some(cut(&argument[from..], PAYLOAD_CHARS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found<'a>(sign: &'a str, value: &'a str) -> Evidence<'a> {
        Evidence { sign: Some(sign), value: Some(value), logged: "unused", ..Evidence::default() }
    }

    #[test]
    fn the_sign_is_the_payload_where_the_argument_is_not_known() {
        assert_eq!(payload(&found("echo ", "echo in"), false, None).unwrap(), "echo ");
        assert_eq!(payload(&found("echo ", "echo in"), false, Some("something else")).unwrap(), "echo ");
    }

    #[test]
    fn the_argument_is_shown_as_it_was_sent() {
        assert_eq!(payload(&found("<script", "<script>"), false, Some("a <ScRipt>")).unwrap(), "a <ScRipt>");
    }

    #[test]
    fn what_is_no_payload_is_not_shown() {
        assert_eq!(payload(&found("s&1c", "1' or 1=1"), true, None).unwrap(), "1' or 1=1");
        assert_eq!(payload(&found("XSS data", "<b>"), true, Some("x<B>")).unwrap(), "x<B>");
    }

    #[test]
    fn an_empty_sign_gives_way_to_the_value() {
        assert_eq!(payload(&found("", "/%\n\nSet-cookie:a"), false, None).unwrap(), "/%\n\nSet-cookie:a");
        assert_eq!(payload(&found("", ""), false, Some("x")), None);
    }

    #[test]
    fn a_message_without_a_sign_is_shown_whole() {
        let evidence = Evidence { logged: "PATCH", ..Evidence::default() };
        assert_eq!(payload(&evidence, false, None).unwrap(), "PATCH");
        assert_eq!(payload(&Evidence::default(), false, None), None);
    }

    #[test]
    fn a_sign_behind_much_padding_is_still_shown() {
        let argument = format!("{}<script>{}", "ä".repeat(5_000), "b".repeat(5_000));
        let shown = payload(&found("<script>", "unused"), false, Some(&argument)).unwrap();
        assert_eq!(shown.chars().count(), PAYLOAD_CHARS_MAX);
        assert!(shown.contains("ä<script>b"));
    }

    proptest! {
        #[test]
        fn a_payload_is_bounded_and_holds_the_sign(before in "\\PC{0,1500}", sign in "\\PC{1,1500}", after in "\\PC{0,1500}") {
            let argument = format!("{before}{sign}{after}");
            let shown = payload(&found(&sign, "unused"), false, Some(&argument)).unwrap();
            prop_assert!(shown.chars().count() <= PAYLOAD_CHARS_MAX);
            let shortened = cut(&sign, PAYLOAD_CHARS_MAX).to_ascii_lowercase();
            prop_assert!(shown.to_ascii_lowercase().contains(&shortened));
        }
    }
}
