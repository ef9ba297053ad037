//! Settings -> Integrations: the webhooks that users set up.
//!
//! - [`list`]: all of them, as cards. [`form`]: adding and changing one. [`show`]: one, and what can be done with it.
//! - [`replays`]: what it is sent once more.
//! - [`signature`]: why a received message verifies, or does not. [`tested`]: what a test message came to. [`doing`]: how one is doing, in a word.
//! - here: the words for events, and what the pages have in common.

pub(crate) mod doing;
mod form;
mod list;
mod replays;
mod show;
mod signature;
mod tested;

use crate::failure::Failure;
use crate::session::Session;
use crate::{Console, Shared};
use axum::Router;
use http::Method;
use serde_json::Value;

/// Where the list is; the other pages are below it.
pub(crate) const HOME: &str = "/settings/integrations";

pub(crate) fn routes() -> Router<Shared> {
    list::routes()
        .merge(form::routes())
        .merge(show::routes())
        .merge(replays::routes())
        .merge(signature::routes())
}

/// An event to notify of.
pub(crate) struct EventKind {
    /// In the API.
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    /// What stands behind the question mark.
    pub(crate) hint: &'static str,
}

/// A risk of a vulnerability.
pub(crate) struct RiskKind {
    /// In the API, as an event.
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
}

/// The events, but for vulnerabilities, in the order of the form.
pub(crate) const EVENTS: &[EventKind] = &[
    EventKind {
        name: "siem",
        label: "Hits detected",
        hint: "A malicious request, as a WAF reported it. One request with payloads of several attack types makes several hits.",
    },
    EventKind {
        name: "system",
        label: "System related",
        hint: "Users, API tokens, applications and integrations added, changed or deleted; an integration disabled; a source in trouble.",
    },
    EventKind {
        name: "rules_and_triggers",
        label: "Rules and triggers changed",
        hint: "Filters of integrations and settings of sources created, changed or deleted.",
    },
    EventKind {
        name: "scope",
        label: "Scope changed",
        hint: "Hosts, services and domains that were found or are gone. They come from scanners that send them over the API.",
    },
    EventKind {
        name: "number_of_requests_per_hour",
        label: "Number of requests per hour",
        hint: "Once an hour: how many requests were processed in the hour before.",
    },
];

/// What stands behind the question mark of vulnerabilities.
pub(crate) const RISKS_HINT: &str =
    "A finding of a scanner, by its risk. Critical and high ones do not wait behind a flood of hits.";

/// Vulnerabilities by risk, the worst first.
pub(crate) const RISKS: &[RiskKind] = &[
    RiskKind { name: "security_issue_critical", label: "Critical" },
    RiskKind { name: "security_issue_high", label: "High" },
    RiskKind { name: "security_issue_medium", label: "Medium" },
    RiskKind { name: "security_issue_low", label: "Low" },
    RiskKind { name: "security_issue_info", label: "Info" },
];

/// `Hits detected`, `Vulnerabilities detected (High)`: an event as people call it.
pub(crate) fn event_label(name: &str) -> String {
    if let Some(event) = EVENTS.iter().find(|event| event.name == name) {
        return event.label.to_owned();
    }
    match RISKS.iter().find(|risk| risk.name == name) {
        Some(risk) => format!("Vulnerabilities detected ({})", risk.label),
        None => name.to_owned(),
    }
}

/// Which proxy requests are sent through, of a target as the API shows it; none: they are sent directly.
fn proxy_in_words(target: &Value) -> Option<&'static str> {
    match (text(target, "proxy_in_use"), target["proxy_trusted"] == true) {
        ("own", false) => Some("the integration's own proxy"),
        ("own", true) => Some(
            "the integration's own proxy, which resolves and judges the endpoint by itself (trusted by the operator)",
        ),
        ("installation", false) => Some("the installation's proxy"),
        ("installation", true) => Some(
            "the installation's proxy, which resolves and judges the endpoint by itself (trusted by the operator)",
        ),
        _ => None,
    }
}

/// Active events in a line: `All events`, `Hits detected, System related`, `No events`.
pub(crate) fn events_in_words(active: &[&str]) -> String {
    let is_active = |name: &str| active.contains(&name);
    let risks: Vec<_> = RISKS.iter().filter(|risk| is_active(risk.name)).map(|risk| risk.label).collect();
    if EVENTS.iter().all(|event| is_active(event.name)) && risks.len() == RISKS.len() {
        return "All events".to_owned();
    }
    let mut words: Vec<String> =
        EVENTS.iter().filter(|event| is_active(event.name)).map(|event| event.label.to_owned()).collect();
    if risks.len() == RISKS.len() {
        words.push("Vulnerabilities detected".to_owned());
    } else if !risks.is_empty() {
        words.push(format!("Vulnerabilities detected ({})", risks.join(", ").to_lowercase()));
    }
    if words.is_empty() { "No events".to_owned() } else { words.join(", ") }
}

/// Whether two texts are the same, for templates.
fn is_same(one: impl AsRef<str>, other: impl AsRef<str>) -> bool {
    one.as_ref() == other.as_ref()
}

/// Whether a text is one of these, for templates.
fn is_one_of(value: impl AsRef<str>, of: &[String]) -> bool {
    of.iter().any(|one| one == value.as_ref())
}

/// Refuses whoever may not see integrations, in words for people.
fn check_may(console: &Console, session: &Session) -> Result<(), Failure> {
    if console.may(session, &Method::GET, "/v2/integration") {
        return Ok(());
    }
    Err(Failure::forbidden("Integrations are for Administrators. Ask one of them."))
}

/// A text of an answer; empty if it is not there.
fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

/// A moment of an answer, milliseconds since the epoch.
fn moment(of: &Value) -> Option<u64> {
    let at: jiff::Timestamp = of.as_str()?.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_events_are_told_in_words() {
        let mut all: Vec<_> = EVENTS.iter().map(|event| event.name).collect();
        all.extend(RISKS.iter().map(|risk| risk.name));
        assert_eq!(all.len(), hitwire_event::Kind::ALL.len());
        assert!(hitwire_event::Kind::ALL.iter().all(|kind| all.contains(&kind.name())));
        assert_eq!(events_in_words(&all), "All events");
        assert_eq!(events_in_words(&[]), "No events");
        assert_eq!(events_in_words(&["system", "siem"]), "Hits detected, System related");
        assert_eq!(
            events_in_words(&["scope", "security_issue_high", "security_issue_critical"]),
            "Scope changed, Vulnerabilities detected (critical, high)"
        );
        assert_eq!(event_label("security_issue_low"), "Vulnerabilities detected (Low)");
    }
}
