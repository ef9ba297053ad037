//! How values are written for people, and how everything that a template prints is made harmless.

use crate::zone;
use hitwire_event::escape::visible;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fmt;

/// What templates escape with: besides what HTML gives a meaning, characters that act instead of being seen (control and
/// bidirectional characters, zero-width ones) are shown as `\u{202e}` and the like. Newlines and tabs stay: they mean nothing in HTML,
/// and what is preformatted needs them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Harmless;

impl askama::filters::Escaper for Harmless {
    fn write_escaped_str<W: fmt::Write>(&self, mut dest: W, string: &str) -> fmt::Result {
        let mut pieces = string.split_inclusive(['\n', '\t']);
        pieces.try_for_each(|piece| {
            let (text, space) = match piece.strip_suffix(['\n', '\t']) {
                Some(text) => (text, &piece[text.len()..]),
                None => (piece, ""),
            };
            write_html(&mut dest, &visible(text))?;
            dest.write_str(space)
        })
    }
}

fn write_html(dest: &mut impl fmt::Write, text: &str) -> fmt::Result {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escaped = match byte {
            b'<' => "&#60;",
            b'>' => "&#62;",
            b'&' => "&#38;",
            b'"' => "&#34;",
            b'\'' => "&#39;",
            _ => continue,
        };
        dest.write_str(&text[from..at])?;
        dest.write_str(escaped)?;
        from = at + 1;
    }
    dest.write_str(&text[from..])
}

/// The value of a form's field, exactly: it must come back as it is, so characters that act stay what they are. What HTML gives a
/// meaning is escaped. Not for anything else than `value="..."` and the inside of `<textarea>`.
pub(crate) fn value(text: impl AsRef<str>) -> askama::filters::Safe<String> {
    let mut escaped = String::with_capacity(text.as_ref().len());
    // Writing to a string cannot fail.
    let _ = write_html(&mut escaped, text.as_ref());
    askama::filters::Safe(escaped)
}

/// JSON as it is, but with line breaks and indents between its parts: no key changes its place and no number its digits. What is
/// no JSON is only cut into lines oddly.
pub(crate) fn indented(json: &str) -> String {
    let mut shown = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut characters = json.chars().peekable();
    let new_line = |shown: &mut String, depth: usize| {
        shown.push('\n');
        // Deep nesting does not make long lines of nothing.
        shown.extend(std::iter::repeat_n(' ', 2 * depth.min(32)));
    };
    while let Some(character) = characters.next() {
        if in_string {
            shown.push(character);
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        match character {
            '{' | '[' => {
                shown.push(character);
                while characters.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(close) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    shown.push(close);
                } else {
                    depth += 1;
                    new_line(&mut shown, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut shown, depth);
                shown.push(character);
            }
            ',' => {
                shown.push(',');
                new_line(&mut shown, depth);
            }
            ':' => shown.push_str(": "),
            blank if blank.is_ascii_whitespace() => {}
            other => {
                in_string = other == '"';
                shown.push(other);
            }
        }
    }
    shown
}

/// Larger than this many times its text, a body is shown as it is: nesting alone makes it long.
const LAID_OUT_GROWS_MAX: usize = 8;

/// A body for people: JSON with indents, several lines of JSON each with its own; none: it is best shown as it is. `is_cut`: it is the
/// beginning of one.
pub(crate) fn laid_out(body: &str, is_cut: bool) -> Option<String> {
    let is_json = |text: &str| {
        let text = text.trim();
        text.starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
    };
    let lines: Vec<&str> = body.lines().filter(|line| !line.trim().is_empty()).collect();
    let (last, before) = lines.split_last()?;
    let shown = if is_json(body) {
        indented(body)
    } else if before.iter().all(|line| is_json(line)) && (is_json(last) || is_cut) {
        // The last line of a body that is cut is laid out as far as it goes; so is an array of which this is the beginning.
        if !last.trim_start().starts_with(['{', '[']) {
            return None;
        }
        lines.iter().map(|line| indented(line)).collect::<Vec<_>>().join("\n")
    } else {
        return None;
    };
    (shown != body && shown.len() <= LAID_OUT_GROWS_MAX * body.len() + 1_024).then_some(shown)
}

/// A whole number, as templates hand it on: itself, or a reference to it, or one to that.
pub(crate) trait Whole: Copy {
    fn whole(self) -> u64;
}

impl Whole for u64 {
    fn whole(self) -> u64 {
        self
    }
}

macro_rules! whole {
    ($($integer:ty),*) => {$(
        impl Whole for $integer {
            fn whole(self) -> u64 {
                u64::try_from(self).unwrap_or_default()
            }
        }
    )*};
}

whole!(u8, u16, u32, usize, i32);

impl<T: Whole> Whole for &T {
    fn whole(self) -> u64 {
        (*self).whole()
    }
}

/// `1,234,567`.
pub(crate) fn number(number: impl Whole) -> String {
    let digits = number.whole().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `events`, or `event` if it is one.
pub(crate) fn count(number: impl Whole, one: &str, many: &str) -> String {
    let number = number.whole();
    if number == 1 { format!("1 {one}") } else { format!("{} {many}", self::number(number)) }
}

/// Which part of a list a page shows: `51–100 of 1,234`. `before`: how many pages before it have shown. `is_more`: counting ended at
/// `count`, which may be the most that is counted (`bound`).
pub(crate) fn part_of(before: usize, shown: usize, count: usize, is_more: bool, bound: usize) -> String {
    if shown == 0 {
        return String::new();
    }
    // What an address says of itself may be anything.
    let to = before.saturating_add(shown);
    let (first, last) = (number(before.saturating_add(1)), number(to));
    let range = if shown == 1 { first } else { format!("{first}–{last}") };
    let count = count.max(to);
    match is_more {
        false => format!("{range} of {}", number(count)),
        true if count >= bound => format!("{range} of more than {}", number(bound)),
        true => format!("{range} of at least {}", number(count)),
    }
}

/// `1.5 MiB`.
pub(crate) fn bytes(bytes: impl Whole) -> String {
    let bytes = bytes.whole();
    let mut size = bytes as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{size:.1} {unit}") }
}

/// A length of time, in the two units that matter: `3 d 4 h`, `2 min 5 s`, `1.25 s`, `12 ms`.
pub(crate) fn span_ms(ms: impl Whole) -> String {
    let ms = ms.whole();
    let (s, min, h) = (ms / 1_000, ms / 60_000, ms / 3_600_000);
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..10_000 => format!("{:.2} s", ms as f64 / 1_000.0),
        10_000..60_000 => format!("{s} s"),
        60_000..3_600_000 => format!("{min} min {} s", s % 60),
        3_600_000..86_400_000 => format!("{h} h {} min", min % 60),
        _ => format!("{} d {} h", h / 24, h % 24),
    }
}

/// A length of time in microseconds: `0.42 ms`, `12 ms`, `1.25 s`.
pub(crate) fn span_us(us: u64) -> String {
    if us < 10_000 { format!("{:.2} ms", us as f64 / 1_000.0) } else { span_ms(us / 1_000) }
}

/// For `datetime` of `<time>`: RFC 3339 with milliseconds, UTC.
pub(crate) fn rfc3339(ms: impl Whole) -> String {
    at(ms.whole()).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// For people, in the zone of the page: `2026-11-25 22:59:34`. A time that came twice says which it is: `2026-10-25 02:30:00 (UTC+02:00)`.
pub(crate) fn local(ms: impl Whole) -> String {
    let at = at(ms.whole()).with_time_zone(zone::current());
    let came_twice = at.time_zone().to_ambiguous_timestamp(at.datetime()).is_ambiguous();
    let format = if came_twice { "%Y-%m-%d %H:%M:%S (UTC%:z)" } else { "%Y-%m-%d %H:%M:%S" };
    at.strftime(format).to_string()
}

/// The same exactly: `2026-11-25 22:59:34.123 UTC+01:00`.
pub(crate) fn exact(ms: impl Whole) -> String {
    let at = at(ms.whole()).with_time_zone(zone::current());
    at.strftime("%Y-%m-%d %H:%M:%S%.3f UTC%:z").to_string()
}

/// `Nov 5`: as names of integrations have it.
pub(crate) fn month_and_day(ms: u64) -> String {
    at(ms).strftime("%b %-d").to_string()
}

/// Milliseconds since the Unix epoch of a moment as the API writes it; 0 for what is none.
pub(crate) fn ms_of(moment: &str) -> u64 {
    let at: Option<Timestamp> = moment.parse().ok();
    at.and_then(|at| u64::try_from(at.as_millisecond()).ok()).unwrap_or_default()
}

fn at(ms: u64) -> jiff::Zoned {
    Timestamp::from_millisecond(ms as i64).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use askama::filters::Escaper;

    fn harmless(text: &str) -> String {
        let mut shown = String::new();
        Harmless.write_escaped_str(&mut shown, text).unwrap();
        shown
    }

    #[test]
    fn nothing_that_is_printed_acts() {
        assert_eq!(harmless("<script>\"'&"), "&#60;script&#62;&#34;&#39;&#38;");
        assert_eq!(harmless("a\u{202e}b\u{7}c\u{200b}"), "a\\u{202e}b\\u{7}c\\u{200b}");
        assert_eq!(harmless("{\n\t\"a\": 1\r\n}"), "{\n\t&#34;a&#34;: 1\\r\n}");
        assert_eq!(harmless("Grüße 世界"), "Grüße 世界");
        assert_eq!(harmless(""), "");
    }

    #[test]
    fn a_value_stands_in_its_field_as_it_is_and_cannot_leave_it() {
        let shown = value("a\u{200d}b\"><script>").0;
        assert_eq!(shown, "a\u{200d}b&#34;&#62;&#60;script&#62;");
    }

    #[test]
    fn json_is_indented_and_stays_what_it_is() {
        let json = r#"[{"b":1.50,"a":"x,{\\\"}","c":[],"d":{ },"e":[1,null]}]"#;
        let shown = indented(json);
        let expected = "[\n  {\n    \"b\": 1.50,\n    \"a\": \"x,{\\\\\\\"}\",\n    \"c\": [],\n    \"d\": {},\n    \"e\": [\n      1,\n      null\n    ]\n  }\n]";
        assert_eq!(shown, expected);
    }

    #[test]
    fn bodies_are_laid_out_where_they_are_json() {
        let laid_out = |body: &str| super::laid_out(body, false);
        assert_eq!(laid_out(r#"{"a":1}"#).as_deref(), Some("{\n  \"a\": 1\n}"));
        assert_eq!(laid_out("{\"a\":1}\n[2]\n").as_deref(), Some("{\n  \"a\": 1\n}\n[\n  2\n]"));
        for body in ["", "ok\n", "<h1>Sorry</h1>", "{\"a\":1}\nok", "{\"a\":", "true"] {
            assert_eq!(laid_out(body), None, "{body}");
        }
        assert_eq!(
            super::laid_out("{\"a\":1}\n{\"a\":", true).as_deref(),
            Some("{\n  \"a\": 1\n}\n{\n  \"a\": ")
        );
        assert_eq!(super::laid_out("[{\"a\":1},", true).as_deref(), Some("[\n  {\n    \"a\": 1\n  },\n  "));
        assert_eq!(super::laid_out(&"[".repeat(10_000), true), None, "nesting alone");
    }

    #[test]
    fn numbers_sizes_and_times_are_written_for_people() {
        assert_eq!(
            (number(7_u64), number(1_234_567_u64), number(999_u64)),
            ("7".into(), "1,234,567".into(), "999".into())
        );
        assert_eq!(
            (bytes(12), bytes(1_536), bytes(5_u64 << 30)),
            ("12 B".into(), "1.5 KiB".into(), "5.0 GiB".into())
        );
        let spans = [12, 1_250, 59_999, 125_000, 4_000_000, 273_600_000].map(span_ms);
        assert_eq!(spans, ["12 ms", "1.25 s", "59 s", "2 min 5 s", "1 h 6 min", "3 d 4 h"]);
        assert_eq!(count(1, "event", "events"), "1 event");
        assert_eq!(part_of(0, 50, 1_234, false, 10_000), "1–50 of 1,234");
        assert_eq!(part_of(50, 50, 10_000, true, 10_000), "51–100 of more than 10,000");
        assert_eq!(part_of(50, 3, 7, true, 10_000), "51–53 of at least 53");
        assert_eq!(
            (part_of(0, 1, 1, false, 9), part_of(0, 0, 0, false, 9)),
            ("1 of 1".into(), String::new())
        );
        assert_eq!(rfc3339(1_764_107_974_123_u64), "2025-11-25T21:59:34.123Z");
        assert_eq!(local(0), "1970-01-01 00:00:00");
        zone::tests::within("Europe/Berlin", || {
            assert_eq!(local(1_764_107_974_123_u64), "2025-11-25 22:59:34");
            assert_eq!(exact(1_764_107_974_123_u64), "2025-11-25 22:59:34.123 UTC+01:00");
            let twice = [1_792_888_200_000_u64, 1_792_891_800_000].map(local);
            assert_eq!(twice, ["2026-10-25 02:30:00 (UTC+02:00)", "2026-10-25 02:30:00 (UTC+01:00)"]);
        });
        assert_eq!(month_and_day(1_764_107_974_123), "Nov 25");
    }
}
