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

/// Where the width is unknown (a file, a pipe) a payload is shown up to this many characters.
const PAYLOAD_CHARS: usize = 400;

/// Columns of the parts of a hit that come first, each followed by a blank: time, type, block status, client.
const TYPE_COLUMNS: usize = 8;
const STATUS_COLUMNS: usize = 9;
const CLIENT_COLUMNS: usize = 15;

/// Longer types and clients take from what follows, up to these; on a terminal longer ones are cut.
const TYPE_COLUMNS_MAX: usize = 16;
const CLIENT_COLUMNS_MAX: usize = 20;

/// Of the columns that are left, each part keeps so many, however long the others are.
const REQUEST_COLUMNS_MIN: usize = 14;
const PARAMETER_COLUMNS_MIN: usize = 10;
const PAYLOAD_COLUMNS_MIN: usize = 18;

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
            let room = terminal.width().map_or(PAYLOAD_CHARS, |width| width.saturating_sub(4));
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
    let mut line = format!("  {} ", terminal.paint(Style::Faint, time));
    let at_most = |columns| if terminal.width().is_some() { columns } else { PAYLOAD_CHARS };
    let kind = terminal::cut(text(hit, "type"), at_most(TYPE_COLUMNS_MAX));
    let _ = write!(line, "{:<TYPE_COLUMNS$} ", terminal.paint(Style::Strong, &kind));
    let style = if status == "blocked" { Style::Good } else { Style::Notice };
    let _ =
        write!(line, "{:<STATUS_COLUMNS$} ", terminal.paint(style, terminal::cut(status, STATUS_COLUMNS)));
    let client = terminal::cut(client, at_most(CLIENT_COLUMNS_MAX));
    let _ = write!(line, "{client:<CLIENT_COLUMNS$} ");

    let parameter = text(hit, "parameter");
    let payloads = hit.get("payloads").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let payload = payloads.first().and_then(Value::as_str).unwrap_or("");
    let more = if payloads.len() > 1 { format!(" (+{})", payloads.len() - 1) } else { String::new() };
    let room = match terminal.width() {
        None => Room { request: PAYLOAD_CHARS, parameter: PAYLOAD_CHARS, payload: PAYLOAD_CHARS },
        Some(width) => {
            // 2 blanks, the time, a blank after each column, 2 blanks between the parts that follow.
            let kind = TYPE_COLUMNS.max(kind.chars().count());
            let client = CLIENT_COLUMNS.max(client.chars().count());
            let taken = 11 + kind + 1 + STATUS_COLUMNS + 1 + client + 1 + 4 + more.len();
            Room::share(width.saturating_sub(taken), hit, parameter, payload)
        }
    };
    let request = request(hit, room.request);
    let parameter = terminal::cut(parameter, room.parameter);
    let _ = write!(line, "{request}  {}", terminal.paint(Style::Faint, &parameter));
    if !payload.is_empty() {
        let payload = terminal::cut_naming_length(payload, room.payload);
        let _ = write!(line, "  {payload}{}", terminal.paint(Style::Faint, more));
    }
    line
}

/// Columns for the parts of a hit whose length is anybody's guess.
struct Room {
    request: usize,
    parameter: usize,
    payload: usize,
}

impl Room {
    /// Shares `left` columns: what one part does not need goes to the others, the payload's need is met last.
    fn share(left: usize, hit: &Map<String, Value>, parameter: &str, payload: &str) -> Self {
        let needs = |text: &str, at_most: usize| text.chars().take(at_most).count();
        let for_payload = needs(payload, PAYLOAD_COLUMNS_MIN);
        let for_parameter = needs(parameter, PARAMETER_COLUMNS_MIN);
        let request = left.saturating_sub(for_payload + for_parameter).max(REQUEST_COLUMNS_MIN);
        let request = needs(&whole_request(hit), request);
        let parameter = needs(parameter, left.saturating_sub(request + for_payload).max(for_parameter));
        Room { request, parameter, payload: left.saturating_sub(request + parameter).max(DOMAIN_COLUMNS_MIN) }
    }
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
    let room = terminal.width().map_or(PAYLOAD_CHARS, |width| width.saturating_sub(24).max(24));
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

fn is_hit(fields: &Map<String, Value>) -> bool {
    text(fields, "object_type") == "hit"
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(object: &str, terminal: Terminal) -> String {
        object_line(&RawValue::from_string(object.to_owned()).unwrap(), terminal)
    }

    const HIT: &str = r#"{"method":"GET","domain":"example.com","path":"/","parameter":"GET_id_value",
        "payloads":["'or 1=1--"],"remote_addr4":"111.17.1.1","remote_addr6":null,"request_time":1591261367,
        "type":"sqli","block_status":"monitored","object_type":"hit"}"#;

    #[test]
    fn a_hit_is_one_line_with_everything_that_matters() {
        insta::assert_snapshot!(
            line(HIT, Terminal::of_width(100)),
            @"  09:02:47 sqli     monitored 111.17.1.1      GET example.com/  GET_id_value  'or 1=1--"
        );
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
            assert!(shown.chars().count() <= width, "{} columns: {shown}", shown.chars().count());
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
                assert_eq!(hitwire_event::escape::visible(&shown), shown, "something got through");
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
}
