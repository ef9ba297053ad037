//! Notifications as lines for people.
//!
//! Everything in a notification may come from an attacker. It reaches the terminal only through [`terminal::safe`] and
//! [`terminal::cut`]; only what this module writes itself is painted.

use super::notification::{Received, Signature};
use crate::terminal::{self, Style, Terminal};
use crate::units;
use jiff::Timestamp;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// Where there is no width to keep to (a file, a pipe) a text is shown up to this many characters.
const TEXT_CHARS: usize = 400;

/// Columns of the parts of a hit that come first, after its time.
const TYPE_COLUMNS: usize = 8;
const STATUS_COLUMNS: usize = 9;
const CLIENT_COLUMNS: usize = 15;

/// Longer types and clients take from what follows, up to these; on a terminal longer ones are cut.
const TYPE_COLUMNS_MAX: usize = 16;
const CLIENT_COLUMNS_MAX: usize = 20;

/// From this width on a hit is one line; a narrower terminal has where and payload on a second one.
const ONE_LINE_COLUMNS: usize = 150;

/// Where the second line begins: below the type.
const SECOND_LINE_INDENT: usize = 11;

/// Of a line, the parameter takes at most this share, in hundredths, unless the payload is short.
const PARAMETER_SHARE: usize = 45;

/// Two blanks before the payload, and behind it ` (+9)`.
const MORE_COLUMNS: usize = 7;

/// Where a request does not fit, its domain is cut first, but not below this.
const DOMAIN_COLUMNS_MIN: usize = 8;

/// All the lines of a notification: one about the request, one for each object.
pub(crate) fn notification(received: &Received, terminal: Terminal) -> String {
    let mut lines = request_line(received, terminal);
    match &received.objects {
        Ok(objects) => {
            for object in objects {
                lines.push('\n');
                lines.push_str(&object_line(object, terminal));
            }
        }
        Err(error) => {
            let _ = write!(lines, "\n  {}", terminal.paint(Style::Bad, terminal::safe(&error.to_string())));
            let room = terminal.width().map_or(TEXT_CHARS, |width| width.saturating_sub(4));
            let body = String::from_utf8_lossy(&received.body);
            let _ = write!(lines, "\n  {}", terminal::cut_naming_length(&body, room));
        }
    }
    lines
}

/// `14:02:11.123 POST /hook  3 hits  2,341 bytes  msg_…a1b2c3d4  signature verified  answered 200`
fn request_line(received: &Received, terminal: Terminal) -> String {
    let at = Timestamp::try_from(received.at)
        .map_or_else(|_| String::new(), |at| at.strftime("%H:%M:%S%.3f").to_string());
    let path = terminal::cut(&received.path, 24);
    let mut line = format!("{} ", terminal.paint(Style::Faint, at));
    let what = format!("{} {path}", terminal::cut(&received.method, 8));
    let _ = write!(line, "{}", terminal.paint(Style::Strong, what));
    let _ = write!(line, "  {}  {}", contents(received), units::counted(received.bytes() as u64, "byte"));
    let id = received
        .webhook_id
        .as_deref()
        .map_or_else(|| "no webhook-id".to_owned(), |id| short_id(id, terminal));
    let _ = write!(line, "  {}", terminal.paint(Style::Faint, id));
    let style = match received.signature {
        Signature::Verified => Style::Good,
        Signature::NotChecked => Style::Faint,
        Signature::Unsigned => Style::Notice,
        Signature::Wrong(_) => Style::Bad,
    };
    let _ = write!(line, "  {}", terminal.paint(style, terminal::safe(&received.signature.to_string())));
    if received.answered != 200 {
        let _ =
            write!(line, "  {}", terminal.paint(Style::Bad, format_args!("answered {}", received.answered)));
    }
    line
}

fn contents(received: &Received) -> String {
    let Ok(objects) = &received.objects else { return "no objects".to_owned() };
    let all_hits = objects.iter().all(|object| is_hit(&fields(object)));
    units::counted(objects.len() as u64, if all_hits && !objects.is_empty() { "hit" } else { "object" })
}

/// Ids begin with their time and differ at their end: where there is little room, the end is what is shown.
fn short_id(id: &str, terminal: Terminal) -> String {
    const END: usize = 8;
    let length = id.chars().count();
    match terminal.width() {
        Some(width) if width < 130 && length > END + 5 => {
            let end: String = id.chars().skip(length - END).collect();
            format!("{}…{}", terminal::cut(id.get(..4).unwrap_or(""), 4), terminal::safe(&end))
        }
        _ => terminal::cut(id, 64),
    }
}

/// One object as one line.
pub(crate) fn object_line(object: &RawValue, terminal: Terminal) -> String {
    let fields = fields(object);
    if is_hit(&fields) { hit_line(&fields, terminal) } else { other_line(&fields, object, terminal) }
}

/// `  07:29:23 sqli     blocked   203.0.113.7     GET shop.example.com/login  GET_id_value  ' or 1=1--`
///
/// On a narrow terminal the parameter and the payload stand on a second line, below the type.
fn hit_line(hit: &Map<String, Value>, terminal: Terminal) -> String {
    let time = hit
        .get("request_time")
        .and_then(Value::as_i64)
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .map_or_else(|| "--:--:--".to_owned(), |at| at.strftime("%H:%M:%S").to_string());
    let status = text(hit, "block_status");
    let client = match text(hit, "remote_addr4") {
        "" => text(hit, "remote_addr6"),
        address => address,
    };
    let at_most = |columns| if terminal.width().is_some() { columns } else { TEXT_CHARS };
    let kind = terminal::cut(text(hit, "type"), at_most(TYPE_COLUMNS_MAX));
    let client = terminal::cut(client, at_most(CLIENT_COLUMNS_MAX));
    let status_style = if status == "blocked" { Style::Good } else { Style::Notice };
    let mut line = format!(
        "  {} {:<TYPE_COLUMNS$} {:<STATUS_COLUMNS$} {client:<CLIENT_COLUMNS$} ",
        terminal.paint(Style::Faint, time),
        terminal.paint(Style::Strong, &kind),
        terminal.paint(status_style, terminal::cut(status, STATUS_COLUMNS)),
    );
    // Two blanks, the time, and a blank after each column.
    let first = 11
        + (TYPE_COLUMNS.max(kind.chars().count()) + 1)
        + (STATUS_COLUMNS + 1)
        + (CLIENT_COLUMNS.max(client.chars().count()) + 1);
    match terminal.width() {
        None => {
            let _ = write!(line, "{}  {}", request(hit, TEXT_CHARS), finding(hit, TEXT_CHARS * 2, terminal));
        }
        Some(width) if width >= ONE_LINE_COLUMNS => {
            let left = width.saturating_sub(first + 2);
            let request = request(hit, left / 2);
            let room = left.saturating_sub(request.chars().count());
            let _ = write!(line, "{request}  {}", finding(hit, room, terminal));
        }
        Some(width) => {
            let request = request(hit, width.saturating_sub(first));
            let finding = finding(hit, width.saturating_sub(SECOND_LINE_INDENT), terminal);
            let _ = write!(line, "{request}\n{:SECOND_LINE_INDENT$}{finding}", "");
        }
    }
    line
}

/// Where something was found, and what: `GET_id_value  ' or 1=1-- (+2)`, in at most `room` columns.
fn finding(hit: &Map<String, Value>, room: usize, terminal: Terminal) -> String {
    let payloads = hit.get("payloads").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let for_payload =
        payloads.first().and_then(Value::as_str).map_or(0, |payload| payload.chars().take(room).count());
    let for_parameter = (room * PARAMETER_SHARE / 100).max(room.saturating_sub(for_payload + MORE_COLUMNS));
    let parameter = terminal::cut(text(hit, "parameter"), for_parameter);
    let mut found = terminal.paint(Style::Faint, &parameter).to_string();
    let Some(payload) = payloads.first().and_then(Value::as_str) else { return found };
    let more = if payloads.len() > 1 { format!(" (+{})", payloads.len() - 1) } else { String::new() };
    let gap = if parameter.is_empty() { "" } else { "  " };
    let room = room.saturating_sub(parameter.chars().count() + gap.len() + more.len());
    let _ = write!(found, "{gap}{}", terminal::cut_naming_length(payload, room));
    if !more.is_empty() {
        let _ = write!(found, "{}", terminal.paint(Style::Faint, more));
    }
    found
}

fn whole_request(hit: &Map<String, Value>) -> String {
    format!("{} {}{}", text(hit, "method"), text(hit, "domain"), text(hit, "path"))
}

/// `GET shop.example.com/search`, and where that is too long `GET shop.exa…/search`: the path says more than the domain.
fn request(hit: &Map<String, Value>, room: usize) -> String {
    let whole = whole_request(hit);
    let over = whole.chars().count().saturating_sub(room);
    let domain = text(hit, "domain");
    let domain_room = domain.chars().count().saturating_sub(over).max(DOMAIN_COLUMNS_MIN);
    let shortened =
        format!("{} {}{}", text(hit, "method"), terminal::cut(domain, domain_room), text(hit, "path"));
    terminal::cut(if over == 0 { &whole } else { &shortened }, room)
}

/// What is no hit is shown by its headline, and where it has none as it is.
fn other_line(fields: &Map<String, Value>, object: &RawValue, terminal: Terminal) -> String {
    let kind = match text(fields, "object_type") {
        "" => "object",
        kind => kind,
    };
    let room = terminal.width().map_or(TEXT_CHARS, |width| width.saturating_sub(24).max(24));
    let headline = ["threat", "domain", "title", "summary"].map(|name| text(fields, name));
    let said: Vec<_> = headline.into_iter().filter(|text| !text.is_empty()).collect();
    let said = if said.is_empty() { object.get().to_owned() } else { said.join("  ") };
    format!(
        "  {:<19} {}",
        terminal.paint(Style::Strong, terminal::cut(kind, 19)),
        terminal::cut_naming_length(&said, room)
    )
}

fn fields(object: &RawValue) -> Map<String, Value> {
    // Objects nested deeper than the parser goes are shown without their fields.
    serde_json::from_str(object.get()).unwrap_or_default()
}

/// Whether an object is a hit.
pub(crate) fn is_hit_object(object: &RawValue) -> bool {
    is_hit(&fields(object))
}

fn is_hit(fields: &Map<String, Value>) -> bool {
    text(fields, "object_type") == "hit"
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(object: &str, terminal: Terminal) -> String {
        object_line(&RawValue::from_string(object.to_owned()).unwrap(), terminal)
    }

    const HIT: &str = r#"{"method":"GET","domain":"example.com","path":"/","parameter":"GET_id_value",
        "payloads":["'or 1=1--"],"remote_addr4":"111.17.1.1","remote_addr6":null,"request_time":1591261367,
        "type":"sqli","block_status":"monitored","object_type":"hit"}"#;

    #[test]
    fn a_hit_is_one_line_with_everything_that_matters() {
        for terminal in [Terminal::plain(), Terminal::of_width(150)] {
            insta::allow_duplicates!(insta::assert_snapshot!(
                line(HIT, terminal),
                @"  09:02:47 sqli     monitored 111.17.1.1      GET example.com/  GET_id_value  'or 1=1--"
            ));
        }
    }

    #[test]
    fn a_narrow_terminal_has_the_finding_on_a_second_line() {
        insta::assert_snapshot!(line(HIT, Terminal::of_width(100)).replace("  ", ".."), @r"
        ..09:02:47 sqli.... monitored 111.17.1.1......GET example.com/
        .......... GET_id_value..'or 1=1--
        ");
    }

    #[test]
    fn a_line_keeps_to_the_terminals_width() {
        let long = format!(
            r#"{{"object_type":"hit","type":"{}","block_status":"{}","remote_addr6":"{}","method":"{}","domain":"{}",
                "path":"/{}","parameter":"{}","payloads":["{}","b"]}}"#,
            "t".repeat(99),
            "b".repeat(99),
            "2001:db8::".repeat(9),
            "M".repeat(99),
            "d".repeat(99),
            "p".repeat(99),
            "q".repeat(99),
            "x".repeat(5_000)
        );
        for width in [100, 120, 200] {
            let shown = line(&long, Terminal::of_width(width));
            for line in shown.lines() {
                assert!(line.chars().count() <= width, "{} columns: {line}", line.chars().count());
            }
        }
    }

    #[test]
    fn a_long_payload_is_cut_and_its_length_named() {
        let long = HIT.replace("'or 1=1--", &"x".repeat(1_204));
        assert!(line(&long, Terminal::of_width(120)).ends_with("x… (1,204 characters)"));
        assert!(line(&long, Terminal::plain()).ends_with("x… (1,204 characters)"));
    }

    #[test]
    fn a_hostile_hit_writes_nothing_that_a_terminal_acts_on() {
        let hostile = r"\u001b[2J\u0007\u202e\n\u009b31m\u200b";
        let object = format!(
            r#"{{"object_type":"hit","type":"{hostile}","block_status":"{hostile}","remote_addr4":"{hostile}",
                "method":"{hostile}","domain":"{hostile}","path":"{hostile}","parameter":"{hostile}",
                "payloads":["{hostile}"]}}"#
        );
        let other = object
            .replace(r#""object_type":"hit""#, &format!(r#""object_type":"{hostile}","title":"{hostile}""#));
        for object in [&object, &other] {
            for terminal in [Terminal::plain(), Terminal::of_width(100)] {
                let shown = line(object, terminal);
                for line in shown.split('\n') {
                    assert_eq!(hitwire_event::escape::visible(line), line, "something got through");
                }
                assert!(shown.lines().count() <= 2, "a payload made a line of its own: {shown}");
            }
        }
    }

    #[test]
    fn what_is_no_hit_is_shown_by_its_headline() {
        insta::assert_snapshot!(
            line(r#"{"title":"No HSTS","threat":"Low","domain":"www.example.com","object_type":"vuln"}"#, Terminal::plain()),
            @"  vuln                Low  www.example.com  No HSTS"
        );
        insta::assert_snapshot!(line(r#"{"a":[1,2]}"#, Terminal::plain()), @r#"  object              {"a":[1,2]}"#);
    }

    proptest! {
        #[test]
        fn whatever_a_hit_holds_its_lines_are_harmless_and_keep_to_the_width(
            texts in proptest::collection::vec(any::<String>(), 8),
            width in 100_usize..220,
        ) {
            let hit = serde_json::json!({
                "object_type": "hit", "type": texts[0], "block_status": texts[1], "remote_addr4": texts[2],
                "method": texts[3], "domain": texts[4], "path": texts[5], "parameter": texts[6],
                "payloads": [texts[7], "more"],
            });
            for terminal in [Terminal::plain(), Terminal::of_width(width)] {
                let shown = line(&hit.to_string(), terminal);
                prop_assert!(shown.split('\n').count() <= 2);
                for line in shown.split('\n') {
                    prop_assert_eq!(hitwire_event::escape::visible(line), line);
                    prop_assert!(terminal.width().is_none_or(|width| line.chars().count() <= width), "{}", line);
                }
            }
        }
    }
}
