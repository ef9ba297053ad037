//! An event as a line: a hit as `hitwire listen` shows it, everything else with the time at which it was appended.

use super::Event;
use crate::listen::show;
use crate::terminal::{Style, Terminal};
use jiff::Timestamp;

/// `  07:29:23 sqli     blocked   203.0.113.7     GET shop.example.com/login  GET_id_value  ' or 1=1--`
pub(super) fn event(event: &Event<'_>, terminal: Terminal) -> String {
    let line = show::object_line(event.body, terminal);
    if show::is_hit_object(event.body) {
        return line;
    }
    let at: Option<Timestamp> = event.appended_at.parse().ok();
    let time = at.map_or_else(|| "--:--:--".to_owned(), |at| at.strftime("%H:%M:%S").to_string());
    format!("  {} {}", terminal.paint(Style::Faint, time), line.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    fn line(body: &str) -> String {
        let body = RawValue::from_string(body.to_owned()).unwrap();
        event(&Event { seq: 1, appended_at: "2026-01-31T07:29:23.5Z", body: &body }, Terminal::plain())
    }

    #[test]
    fn what_is_no_hit_has_the_time_at_which_it_came() {
        insta::assert_snapshot!(
            line(r#"{"object_type":"vuln","title":"No HSTS","threat":"Low","domain":"www.example.com"}"#),
            @"  07:29:23 vuln                Low  www.example.com  No HSTS"
        );
    }

    #[test]
    fn a_hit_has_its_own_time() {
        let hit = r#"{"object_type":"hit","type":"sqli","request_time":1591261367,"block_status":"blocked"}"#;
        assert!(line(hit).starts_with("  09:02:47 sqli     blocked"), "{}", line(hit));
    }
}
