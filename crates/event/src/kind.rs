//! The catalogue of kinds: what a user ticks, what the log stores, which lane carries it.

use crate::{ClientId, Lane};
use serde::{Deserialize, Serialize};

/// How bad a vulnerability is. Order: the worst first. In settings it is written in lower case: `critical`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// `critical`
    Critical,
    /// `high`
    High,
    /// `medium`
    Medium,
    /// `low`
    Low,
    /// `info`
    Info,
}

impl Risk {
    /// All of them, the worst first.
    pub const ALL: [Risk; 5] = [Risk::Critical, Risk::High, Risk::Medium, Risk::Low, Risk::Info];

    /// The name as it stands in a vulnerability's `threat`: `Critical`, `High`, ...
    pub const fn title(self) -> &'static str {
        match self {
            Risk::Critical => "Critical",
            Risk::High => "High",
            Risk::Medium => "Medium",
            Risk::Low => "Low",
            Risk::Info => "Info",
        }
    }

    /// Reads a `threat`, in any letter case.
    pub fn from_title(text: &str) -> Option<Risk> {
        Risk::ALL.into_iter().find(|risk| risk.title().eq_ignore_ascii_case(text))
    }
}

/// What a user ticks in "Events to trigger notifications".
///
/// In JSON and in the API it is written by its event name of today (`siem`, `security_issue_high`, `scope`, ...).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Kind {
    /// A malicious request seen through one attack type.
    Hit,
    /// A finding of a scanner, by risk.
    Vulnerability(Risk),
    /// Hosts, services, domains came or went.
    Scope,
    /// Users, integrations, applications, tokens. Made by hitwire alone.
    System,
    /// Configuration of sources, rules, filters and triggers changed.
    RulesAndTriggers,
    /// Once an hour: the number of requests processed in the hour before.
    RequestsPerHour,
    /// A number of requests that is told by the hour. Kept in the log for hitwire alone: nobody can tick it, and it is never
    /// sent; so it is not among [`Kind::ALL`].
    Counter,
}

/// The type of the objects in a body: a batch holds one object type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectType {
    /// `hit`
    Hit,
    /// `vuln`
    Vulnerability,
    /// `scope`
    Scope,
    /// `system`
    System,
    /// `rules_and_triggers`
    RulesAndTriggers,
    /// `number_of_requests_per_hour`
    RequestsPerHour,
    /// `counter`
    Counter,
}

impl ObjectType {
    /// The value of `object_type`.
    pub const fn name(self) -> &'static str {
        match self {
            ObjectType::Hit => "hit",
            ObjectType::Vulnerability => "vuln",
            ObjectType::Scope => "scope",
            ObjectType::System => "system",
            ObjectType::RulesAndTriggers => "rules_and_triggers",
            ObjectType::RequestsPerHour => "number_of_requests_per_hour",
            ObjectType::Counter => "counter",
        }
    }
}

impl Kind {
    /// All kinds that can be ticked, in the order in which pages and answers list them.
    pub const ALL: [Kind; 10] = [
        Kind::Hit,
        Kind::RulesAndTriggers,
        Kind::RequestsPerHour,
        Kind::Vulnerability(Risk::Critical),
        Kind::Vulnerability(Risk::High),
        Kind::Vulnerability(Risk::Medium),
        Kind::Vulnerability(Risk::Low),
        Kind::Vulnerability(Risk::Info),
        Kind::System,
        Kind::Scope,
    ];

    /// The number that the log stores; never reused, never renumbered.
    pub const fn code(self) -> u8 {
        match self {
            Kind::Hit => 1,
            Kind::Scope => 2,
            Kind::System => 3,
            Kind::RulesAndTriggers => 4,
            Kind::RequestsPerHour => 5,
            Kind::Vulnerability(Risk::Critical) => 16,
            Kind::Vulnerability(Risk::High) => 17,
            Kind::Vulnerability(Risk::Medium) => 18,
            Kind::Vulnerability(Risk::Low) => 19,
            Kind::Vulnerability(Risk::Info) => 20,
            Kind::Counter => 64,
        }
    }

    /// The kind with this number.
    pub fn from_code(code: u8) -> Option<Kind> {
        Kind::ALL.into_iter().chain([Kind::Counter]).find(|kind| kind.code() == code)
    }

    /// The event name of today, as the API answers it (contract.md section 1; `scope` keeps its older name).
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Hit => "siem",
            Kind::Scope => "scope",
            Kind::System => "system",
            Kind::RulesAndTriggers => "rules_and_triggers",
            Kind::RequestsPerHour => "number_of_requests_per_hour",
            Kind::Vulnerability(Risk::Critical) => "security_issue_critical",
            Kind::Vulnerability(Risk::High) => "security_issue_high",
            Kind::Vulnerability(Risk::Medium) => "security_issue_medium",
            Kind::Vulnerability(Risk::Low) => "security_issue_low",
            Kind::Vulnerability(Risk::Info) => "security_issue_info",
            Kind::Counter => "counter",
        }
    }

    /// The kinds that an event name of the API stands for: today's names, and the older `hit`, `vuln` (all risks) and
    /// `vuln_<risk>`. Empty for a name nobody knows.
    pub fn named(name: &str) -> Vec<Kind> {
        match name {
            "hit" => vec![Kind::Hit],
            "vuln" => Risk::ALL.map(Kind::Vulnerability).to_vec(),
            _ => {
                let today = name.strip_prefix("vuln_").map(|risk| format!("security_issue_{risk}"));
                let name = today.as_deref().unwrap_or(name);
                Kind::ALL.into_iter().filter(|kind| kind.name() == name).collect()
            }
        }
    }

    /// The lane that carries this kind.
    pub const fn lane(self) -> Lane {
        match self {
            Kind::System | Kind::Vulnerability(Risk::Critical | Risk::High) => Lane::Urgent,
            _ => Lane::Bulk,
        }
    }

    /// The type of this kind's objects.
    pub const fn object_type(self) -> ObjectType {
        match self {
            Kind::Hit => ObjectType::Hit,
            Kind::Vulnerability(_) => ObjectType::Vulnerability,
            Kind::Scope => ObjectType::Scope,
            Kind::System => ObjectType::System,
            Kind::RulesAndTriggers => ObjectType::RulesAndTriggers,
            Kind::RequestsPerHour => ObjectType::RequestsPerHour,
            Kind::Counter => ObjectType::Counter,
        }
    }
}

impl From<Kind> for &'static str {
    fn from(kind: Kind) -> Self {
        kind.name()
    }
}

/// A name that stands for no kind, or for several.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not the name of one kind of event")]
pub struct UnknownKind(pub String);

impl TryFrom<String> for Kind {
    type Error = UnknownKind;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        match Kind::named(&name).as_slice() {
            [kind] => Ok(*kind),
            _ => Err(UnknownKind(name)),
        }
    }
}

/// The unit of subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stream {
    /// The tenant.
    pub client: ClientId,
    /// The kind of event.
    pub kind: Kind,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_code_and_by_its_name() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_code(kind.code()), Some(kind));
            assert_eq!(Kind::named(kind.name()), [kind]);
        }
    }

    #[test]
    fn a_counter_is_known_to_the_log_and_to_nobody_else() {
        assert_eq!(Kind::from_code(Kind::Counter.code()), Some(Kind::Counter));
        assert!(!Kind::ALL.contains(&Kind::Counter));
        assert_eq!(Kind::named(Kind::Counter.name()), []);
        assert!(Kind::try_from("counter".to_owned()).is_err());
    }

    #[test]
    fn older_event_names_stand_for_todays_kinds() {
        assert_eq!(Kind::named("hit"), [Kind::Hit]);
        assert_eq!(Kind::named("vuln").len(), 5);
        assert_eq!(Kind::named("vuln_low"), [Kind::Vulnerability(Risk::Low)]);
        assert_eq!(Kind::named("nonsense"), []);
        assert_eq!(Kind::named("vuln_siem"), []);
    }

    #[test]
    fn system_events_and_grave_vulnerabilities_are_urgent() {
        let urgent: Vec<_> = Kind::ALL.into_iter().filter(|kind| kind.lane() == Lane::Urgent).collect();
        assert_eq!(
            urgent,
            [Kind::Vulnerability(Risk::Critical), Kind::Vulnerability(Risk::High), Kind::System]
        );
    }
}
