//! How an integration is doing, in the same words wherever it is said.

use crate::text::{count, span_ms};

/// How an integration is doing, in a word.
pub(crate) struct Doing {
    /// The colour of its badge: `ok`, `info`, `warn`, `bad`, `off`.
    pub(crate) class: &'static str,
    pub(crate) word: &'static str,
    /// How much attention it needs; little is much.
    pub(crate) urgency: u8,
}

/// What needs more attention than this, by a lower number, does not get on.
pub(crate) const TROUBLED_TO: u8 = 3;

/// What the API says of an integration.
pub(crate) struct Told<'a> {
    /// `user`, `hitwire`; none: it is active.
    pub(crate) disabled_by: Option<&'a str>,
    /// Whether events that come now will be sent.
    pub(crate) sends: bool,
    /// `refused`, `waiting`, `sending`, `broken`, ...
    pub(crate) state: &'a str,
    /// Requests fail, and no success has followed yet.
    pub(crate) failing: bool,
    /// How long the response to a request has been awaited, milliseconds; none: no request is under way.
    pub(crate) awaited_ms: Option<u64>,
}

/// A response that is awaited for so long, in milliseconds, is late: receivers answer within a second or two.
const LATE_MS: u64 = 5_000;

/// It in a word.
pub(crate) fn doing(told: &Told<'_>) -> Doing {
    let (urgency, class, word) = match (told.disabled_by, told.state) {
        (_, "broken") => (0, "bad", "Damaged"),
        (Some("hitwire"), _) => (0, "bad", "Disabled by hitwire"),
        (Some(_), _) => (7, "off", "Disabled"),
        _ if !told.sends => (3, "warn", "Sends nothing"),
        _ if told.failing => (1, "bad", "Failing"),
        _ if told.awaited_ms >= Some(LATE_MS) => (2, "warn", "Waiting for a response"),
        // It waits for its rate, or for the first try after a start.
        (_, "waiting") => (4, "info", "Waiting"),
        (_, "sending") => (5, "ok", "Sending"),
        _ => (6, "ok", "Up to date"),
    };
    Doing { class, word, urgency }
}

/// `57 events, the oldest for 9 s`: what it is behind; none: nothing.
pub(crate) fn behind(events: u64, seconds: u64) -> Option<String> {
    let age = match seconds {
        // To the second, as it was measured.
        0..60 => format!("{seconds} s"),
        _ => span_ms(seconds * 1_000),
    };
    (events > 0).then(|| format!("{}, the oldest for {age}", count(events, "event", "events")))
}

/// `99.7 %`, rounded down. Only what is all of it is 100 %, and only what is nothing is 0 %.
pub(crate) fn percent(share: f64) -> String {
    match share {
        1.0.. => "100 %".to_owned(),
        share if share <= 0.0 => "0 %".to_owned(),
        share => format!("{:.1} %", ((share * 1_000.0).floor() / 10.0).max(0.1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_whole_is_said_to_be_whole() {
        let shown = [1.0, 0.999_999, 0.5, 0.000_001, 0.0].map(percent);
        assert_eq!(shown, ["100 %", "99.9 %", "50.0 %", "0.1 %", "0 %"]);
    }

    #[test]
    fn what_needs_most_attention_comes_first() {
        let word = |disabled_by, sends, state, failing, awaited_ms| {
            let doing = doing(&Told { disabled_by, sends, state, failing, awaited_ms });
            (doing.urgency, doing.word)
        };
        let mut said = [
            word(None, true, "caught_up", false, None),
            word(None, true, "sending", false, Some(900)),
            word(None, true, "sending", false, Some(9_000)),
            word(None, true, "waiting", false, None),
            word(None, true, "sending", true, Some(9_000)),
            word(None, false, "caught_up", false, None),
            word(Some("user"), false, "disabled", false, None),
            word(Some("hitwire"), false, "disabled", true, None),
        ];
        said.sort_unstable();
        let words = said.map(|(_, word)| word);
        let expected = [
            "Disabled by hitwire",
            "Failing",
            "Waiting for a response",
            "Sends nothing",
            "Waiting",
            "Sending",
            "Up to date",
            "Disabled",
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn what_is_behind_is_told_to_the_second() {
        assert_eq!(behind(0, 9), None);
        assert_eq!(behind(1, 9).as_deref(), Some("1 event, the oldest for 9 s"));
        assert_eq!(behind(1_200, 125).as_deref(), Some("1,200 events, the oldest for 2 min 5 s"));
    }
}
