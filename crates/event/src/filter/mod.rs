//! Which events of its ticked kinds an integration wants.

mod entry;
mod list;

pub use entry::{
    ApplicationName, AttackTypeName, DomainPattern, EntryError, MinScore, Network, TEXT_CHARS_MAX,
    block_status, risk,
};
pub use list::{ENTRIES_MAX, List, TooMany};

use crate::hit::BlockStatus;
use crate::{Facets, Kind, Record, Risk};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Conditions on an event, all of which must hold. The default has none: every event passes.
///
/// Each part concerns some kinds of events and holds for all others: an attack type says nothing about vulnerabilities, and
/// nothing here says anything about what hitwire itself tells. A part holds for an event that it concerns if the event says
/// one of the listed things. What an event does not say is in no list: such an event passes no part but `addresses.not_in`.
///
/// In JSON it is the API's `filter`: parts without a condition are left out, so that one without any is `{}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Hits and vulnerabilities: one of the event's `applications` is one of these, by name or by id (as text).
    #[serde(skip_serializing_if = "List::is_empty")]
    pub applications: List<ApplicationName>,
    /// Hits: `type` is one of these.
    #[serde(skip_serializing_if = "List::is_empty")]
    pub attack_types: List<AttackTypeName>,
    /// Hits and vulnerabilities: `domain` fits one of these.
    #[serde(skip_serializing_if = "List::is_empty")]
    pub domains: List<DomainPattern>,
    /// Hits: where the client is, `remote_addr4` or `remote_addr6`.
    #[serde(skip_serializing_if = "Addresses::is_empty")]
    pub addresses: Addresses,
    /// Hits: `block_status` is one of these.
    #[serde(skip_serializing_if = "List::is_empty")]
    pub block_status: List<BlockStatus>,
    /// Hits: `probability` is at least this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_score: Option<MinScore>,
    /// Vulnerabilities: the risk is one of these.
    #[serde(skip_serializing_if = "List::is_empty")]
    pub risks: List<Risk>,
}

/// Conditions on a client's address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Addresses {
    /// It is in one of these.
    #[serde(rename = "in", skip_serializing_if = "List::is_empty")]
    pub within: List<Network>,
    /// It is in none of these. An address that is not known is in none.
    #[serde(skip_serializing_if = "List::is_empty")]
    pub not_in: List<Network>,
}

impl Filter {
    /// There is no condition.
    pub fn is_empty(&self) -> bool {
        *self == Filter::default()
    }

    /// The same filter, in which each application also stands under its other words: events may carry an application's id where
    /// the filter has its name, and the other way round. `synonyms` gives what else an entry is called. What this filter is
    /// written as is not changed for users: only for matching.
    #[must_use]
    pub fn with_synonyms_of_applications(mut self, synonyms: impl Fn(&str) -> Vec<String>) -> Filter {
        let entries = self.applications.iter();
        let others = entries.flat_map(|entry| synonyms(entry.as_str()));
        let others: Vec<_> = others.filter_map(|other| ApplicationName::parse(&other).ok()).collect();
        self.applications.add_synonyms(others);
        self
    }

    /// Every condition holds. Reads the record's body only if one of them could fail, and at most once for all filters.
    pub fn matches(&self, record: &Record) -> bool {
        match record.event.kind {
            Kind::Hit => !self.asks_of_hits() || self.takes_hit(&record.facets()),
            Kind::Vulnerability(risk) => {
                takes(&self.risks, |listed| *listed == risk)
                    && (!self.asks_where() || self.takes_place(&record.facets()))
            }
            Kind::Scope | Kind::System | Kind::RulesAndTriggers | Kind::RequestsPerHour | Kind::Counter => {
                true
            }
        }
    }

    /// Something is asked that a hit's body must answer.
    fn asks_of_hits(&self) -> bool {
        self.asks_where()
            || !self.attack_types.is_empty()
            || !self.addresses.is_empty()
            || !self.block_status.is_empty()
            || self.min_score.is_some()
    }

    fn asks_where(&self) -> bool {
        !self.applications.is_empty() || !self.domains.is_empty()
    }

    fn takes_hit(&self, facets: &Facets<'_>) -> bool {
        takes(&self.block_status, |listed| facets.block_status() == Some(*listed))
            && self
                .min_score
                .as_ref()
                .is_none_or(|least| facets.score().is_some_and(|score| score >= least.as_f64()))
            && self.addresses.take(facets.address())
            && (self.attack_types.is_empty()
                || facets
                    .attack_type()
                    .is_some_and(|found| self.attack_types.iter().any(|listed| listed.is(&found))))
            && self.takes_place(facets)
    }

    fn takes_place(&self, facets: &Facets<'_>) -> bool {
        (self.domains.is_empty()
            || facets.domain().is_some_and(|found| self.domains.iter().any(|listed| listed.fits(&found))))
            && (self.applications.is_empty()
                || facets
                    .applications()
                    .any(|found| self.applications.iter().any(|listed| listed.as_str() == found)))
    }
}

impl Addresses {
    /// There is no condition.
    pub fn is_empty(&self) -> bool {
        self.within.is_empty() && self.not_in.is_empty()
    }

    fn take(&self, address: Option<IpAddr>) -> bool {
        takes(&self.within, |network| address.is_some_and(|address| network.contains(address)))
            && !self.not_in.iter().any(|network| address.is_some_and(|address| network.contains(address)))
    }
}

/// A list without entries is no condition.
fn takes<T: PartialEq>(list: &List<T>, fits: impl FnMut(&T) -> bool) -> bool {
    list.is_empty() || list.iter().any(fits)
}
