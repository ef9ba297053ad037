//! What a rule's message tells of the variable and of what was found in it.
//!
//! Most CRS rules say `Matched Data: SIGN found within VARIABLE: VALUE`; the attacker wrote all three of them, so each may
//! itself hold blanks, colons, quotes, newlines and the words `found within`. ModSecurity v3 names the variable a second
//! time in its description of the match. Where two readings are possible, the one that agrees with the request wins.

use crate::point::{Seen, split};
use crate::request::Request;

const MATCHED_DATA: &str = "Matched Data: ";
const FOUND_WITHIN: &str = " found within ";

/// How many readings of one message are tried. An honest message has one or two; a hostile one may have thousands.
const READINGS_MAX: usize = 64;

/// A rule's message, taken apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evidence<'a> {
    /// The variable as the description of the match names it.
    pub(crate) matched_in: Option<&'a str>,
    /// The variable as `found within` names it.
    pub(crate) found_within: Option<&'a str>,
    /// What the rule matched; for libinjection's rules a fingerprint.
    pub(crate) sign: Option<&'a str>,
    /// The variable's value, as transformed by the rule.
    pub(crate) value: Option<&'a str>,
    /// The variable's value as the description of the match shows it: cut, with `\xHH` for what is not printable.
    pub(crate) shown: Option<&'a str>,
    /// The whole of what the rule logged.
    pub(crate) logged: &'a str,
}

impl<'a> Evidence<'a> {
    /// Takes apart the description of the match (empty if there is none) and what the rule logged.
    pub(crate) fn read(description: &'a str, logged: &'a str, request: &Request<'_>) -> Self {
        let (matched_in, shown) = described(description, logged).unzip();
        let evidence = Evidence { matched_in, shown, logged, ..Evidence::default() };
        let Some(found) = logged.strip_prefix(MATCHED_DATA) else { return evidence };
        match matched_in.and_then(|variable| found_in(found, variable)) {
            Some((sign, value)) => Evidence { found_within: matched_in, sign: Some(sign), value, ..evidence },
            None => match found_somewhere(found, request) {
                Some((sign, variable, value)) => {
                    Evidence { found_within: Some(variable), sign: Some(sign), value, ..evidence }
                }
                None => evidence,
            },
        }
    }

    /// Names of the variable, the better one first.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &'a str> {
        self.matched_in
            .into_iter()
            .chain(self.found_within.filter(|variable| Some(*variable) != self.matched_in))
    }

    /// What was seen, for telling arguments of the same name apart.
    pub(crate) fn seen(&self) -> Seen<'a> {
        Seen { value: self.value.or(self.shown), sign: self.sign }
    }
}

/// ``Matched "Operator `Rx' with parameter `...' against variable `VARIABLE' (Value: `VALUE' )``: the variable and the value.
fn described<'a>(description: &'a str, logged: &str) -> Option<(&'a str, &'a str)> {
    let (_, rest) = description.split_once("against variable `")?;
    let rest = rest.strip_suffix("' )").unwrap_or(rest);
    let mut readings = split_at_each(rest, "' (Value: `").peekable();
    let first = *readings.peek()?;
    let agrees = |(variable, _): &(&str, &str)| {
        logged.match_indices(FOUND_WITHIN).take(READINGS_MAX).any(|(at, _)| {
            let rest = &logged[at + FOUND_WITHIN.len()..];
            rest.strip_prefix(variable).is_some_and(|rest| rest.is_empty() || rest.starts_with(": "))
        })
    };
    Some(readings.take(READINGS_MAX).find(agrees).unwrap_or(first))
}

/// `SIGN found within VARIABLE: VALUE` or `SIGN found within VARIABLE` for a known variable: the sign and the value. If the
/// words occur more than once, the first place counts at which the value holds the sign.
fn found_in<'a>(found: &'a str, variable: &str) -> Option<(&'a str, Option<&'a str>)> {
    let mut readings = split_at_each(found, FOUND_WITHIN)
        .take(READINGS_MAX)
        .filter_map(|(sign, rest)| match rest.strip_prefix(variable)? {
            "" => Some((sign, None)),
            rest => Some((sign, Some(rest.strip_prefix(": ")?))),
        })
        .peekable();
    let first = *readings.peek()?;
    let consistent = |(sign, value): &(&str, Option<&str>)| {
        value.is_some_and(|value| value.to_ascii_lowercase().contains(&sign.to_ascii_lowercase()))
    };
    Some(readings.find(consistent).unwrap_or(first))
}

/// The same where the variable is not known otherwise: it is cut at the last `: ` behind which stands what the request is
/// known to hold in that variable, else at the first.
fn found_somewhere<'a>(found: &'a str, request: &Request<'_>) -> Option<(&'a str, &'a str, Option<&'a str>)> {
    let (sign, rest) = split_at_each(found, FOUND_WITHIN)
        .take(READINGS_MAX)
        .find(|(_, rest)| begins_with_collection(rest))?;
    let readings: Vec<_> = split_at_each(rest, ": ").take(READINGS_MAX).collect();
    let known = readings.iter().rfind(|(variable, value)| {
        let (collection, name) = split(variable);
        name.is_some_and(|name| request.holds(collection, name, value))
    });
    Some(match known.or(readings.first()) {
        Some((variable, value)) => (sign, variable, Some(value)),
        None => (sign, rest, None),
    })
}

/// Variables are named in capitals, underscores and digits, up to a colon or the end.
fn begins_with_collection(text: &str) -> bool {
    let name = split(text).0;
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_')
}

/// Both sides of each occurrence of `separator`, the first occurrence first.
fn split_at_each<'a>(text: &'a str, separator: &'static str) -> impl Iterator<Item = (&'a str, &'a str)> {
    text.match_indices(separator).map(move |(at, _)| (&text[..at], &text[at + separator.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read<'a>(description: &'a str, logged: &'a str, uri: &str) -> Evidence<'a> {
        Evidence::read(description, logged, &Request::new(uri, &[], None))
    }

    #[test]
    fn the_usual_message_is_taken_apart() {
        let evidence = read(
            "Matched \"Operator `Rx' with parameter `(?:^|=) (6252 characters omitted)' against variable `ARGS:lang' (Value: `echo in the mirror' )",
            "Matched Data: echo  found within ARGS:lang: echo in the mirror",
            "/",
        );
        assert_eq!(evidence.matched_in, Some("ARGS:lang"));
        assert_eq!(evidence.found_within, Some("ARGS:lang"));
        assert_eq!(evidence.sign, Some("echo "));
        assert_eq!(evidence.value, Some("echo in the mirror"));
        assert_eq!(evidence.shown, Some("echo in the mirror"));
    }

    #[test]
    fn libinjection_names_the_variable_only_in_what_it_logs() {
        let evidence = read(
            "detected SQLi using libinjection.",
            "Matched Data: s&1c found within ARGS:id: 1' or 1=1: --",
            "/?id=1%27+or+1=1:+--",
        );
        assert_eq!(evidence.matched_in, None);
        assert_eq!(evidence.found_within, Some("ARGS:id"));
        assert_eq!(evidence.value, Some("1' or 1=1: --"));
    }

    #[test]
    fn a_name_with_a_colon_is_cut_where_the_request_agrees() {
        let logged = "Matched Data: sUE1c found within ARGS_NAMES:a: union select: a: union select";
        let evidence = read("detected SQLi using libinjection.", logged, "/");
        assert_eq!(evidence.found_within, Some("ARGS_NAMES:a: union select"));
        assert_eq!(evidence.value, Some("a: union select"));

        let logged = "Matched Data: x found within ARGS:a: b: c";
        assert_eq!(read("", logged, "/?a:%20b=c").found_within, Some("ARGS:a: b"));
        assert_eq!(read("", logged, "/?a=b:%20c").found_within, Some("ARGS:a"));
        assert_eq!(read("", logged, "/").found_within, Some("ARGS:a"));
    }

    #[test]
    fn a_message_may_end_with_the_variable() {
        let evidence = read(
            "Matched \"Operator `Rx' with parameter `x' against variable `REQUEST_HEADERS:Referer' (Value: `java.lang.Runtime' )",
            "Matched Data: java.lang.runtime found within REQUEST_HEADERS:Referer",
            "/",
        );
        assert_eq!(evidence.sign, Some("java.lang.runtime"));
        assert_eq!(evidence.value, None);
    }

    #[test]
    fn an_attacker_who_writes_the_words_himself_does_not_shift_the_reading() {
        let value = "x found within ARGS:b: ' or 1=1";
        let logged = format!("Matched Data: {value} found within ARGS:a: {value}");
        let description = format!(
            "Matched \"Operator `Rx' with parameter `' against variable `ARGS:a' (Value: `{value}' )"
        );
        let evidence = read(&description, &logged, "/");
        assert_eq!((evidence.sign, evidence.value), (Some(value), Some(value)));

        let name = "a' (Value: `x";
        let description = format!(
            "Matched \"Operator `Rx' with parameter `' against variable `ARGS_NAMES:{name}' (Value: `{name}' )"
        );
        let logged = format!("Matched Data: ' found within ARGS_NAMES:{name}: {name}");
        assert_eq!(read(&description, &logged, "/").matched_in, Some("ARGS_NAMES:a' (Value: `x"));
    }

    #[test]
    fn what_is_logged_without_the_words_stays_whole() {
        let evidence = read("", "Restricted header detected: /accept-charset/", "/");
        assert_eq!(
            evidence,
            Evidence { logged: "Restricted header detected: /accept-charset/", ..Evidence::default() }
        );
    }

    proptest! {
        #[test]
        fn any_name_and_value_are_found_again(name in "[ -~]{0,20}", value in "[ -~]{0,40}", from in 0usize..40, to in 0usize..40) {
            let sign = value.get(from.min(to)..from.max(to)).unwrap_or("");
            let description = format!("Matched \"Operator `Rx' with parameter `x' against variable `ARGS:{name}' (Value: `...' )");
            let logged = format!("Matched Data: {sign} found within ARGS:{name}: {value}");
            let evidence = read(&description, &logged, "/");
            let variable = format!("ARGS:{name}");
            prop_assert_eq!(evidence.matched_in, Some(variable.as_str()));
            prop_assert_eq!(evidence.value, Some(value.as_str()));
            prop_assert_eq!(evidence.sign, Some(sign));
        }

        #[test]
        fn nothing_makes_the_reading_fail(description in ".*", logged in "(Matched Data: )?.*( found within )?.*", uri in ".*") {
            read(&description, &logged, &uri);
        }
    }
}
