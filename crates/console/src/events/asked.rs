//! What a list of events is asked for: the query of its address, as it was typed, and as a search.

use crate::zone::{self, End};
use hitwire_event::hit::BlockStatus;
use hitwire_event::{ClientId, Kind, Risk, Seq};
use hitwire_index::Search;
use ipnet::IpNet;
use std::net::IpAddr;

/// Events of a page.
pub(super) const PAGE_EVENTS: usize = 50;

/// The longest value of a field that is looked at.
pub(super) const VALUE_BYTES_MAX: usize = 512;

/// Addresses and networks of one search.
const NETWORKS_MAX: usize = 32;

/// Which list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Events,
    Vulnerabilities,
}

impl List {
    pub(super) fn is_events(self) -> bool {
        self == List::Events
    }

    pub(super) const fn path(self) -> &'static str {
        match self {
            List::Events => "/events",
            List::Vulnerabilities => "/vulnerabilities",
        }
    }
}

/// What can be chosen as a kind: value, words, kinds.
const KINDS: [(&str, &str, &[Kind]); 6] = [
    ("hit", "Hits", &[Kind::Hit]),
    ("vuln", "Vulnerabilities", &VULNERABILITIES),
    ("scope", "Scope changes", &[Kind::Scope]),
    ("system", "System", &[Kind::System]),
    ("rules_and_triggers", "Rules and triggers", &[Kind::RulesAndTriggers]),
    ("number_of_requests_per_hour", "Requests per hour", &[Kind::RequestsPerHour]),
];

pub(super) const VULNERABILITIES: [Kind; 5] = [
    Kind::Vulnerability(Risk::Critical),
    Kind::Vulnerability(Risk::High),
    Kind::Vulnerability(Risk::Medium),
    Kind::Vulnerability(Risk::Low),
    Kind::Vulnerability(Risk::Info),
];

/// A value that can be chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) value: &'static str,
    pub(super) label: &'static str,
    pub(super) chosen: bool,
}

/// The fields of the query, as they were typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) q: String,
    pub(super) kind: String,
    pub(super) risk: String,
    pub(super) type_code: String,
    pub(super) domain: String,
    pub(super) address: String,
    pub(super) status: String,
    pub(super) block: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) id: String,
    before: String,
    /// Events on the pages before this one.
    pub(super) at: usize,
    after: String,
    again: String,
    live: String,
}

/// What is wrong with the fields, in words; empty where nothing is.
#[derive(Clone, Debug, Default)]
pub(super) struct Wrong {
    pub(super) address: &'static str,
    pub(super) status: &'static str,
    pub(super) from: String,
    pub(super) to: String,
    /// A choice of a list that the list does not have.
    pub(super) choice: &'static str,
}

impl Wrong {
    pub(super) fn is_empty(&self) -> bool {
        [self.address, self.status, &self.from, &self.to, self.choice].iter().all(|words| words.is_empty())
    }
}

impl Asked {
    /// Reads a query. What it does not know is passed over: links from elsewhere carry all sorts of things.
    pub(super) fn of(query: &str) -> Asked {
        let mut asked = Asked::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()).take(32) {
            let value = hitwire_event::cut(value.trim(), VALUE_BYTES_MAX).to_owned();
            if name == "at" {
                asked.at = value.parse().unwrap_or_default();
                continue;
            }
            let field = match &*name {
                "q" => &mut asked.q,
                "kind" => &mut asked.kind,
                "risk" => &mut asked.risk,
                "type" => &mut asked.type_code,
                "domain" => &mut asked.domain,
                "address" => &mut asked.address,
                "status" => &mut asked.status,
                "block" => &mut asked.block,
                "from" => &mut asked.from,
                "to" => &mut asked.to,
                "id" => &mut asked.id,
                "before" => &mut asked.before,
                "after" => &mut asked.after,
                "again" => &mut asked.again,
                "live" => &mut asked.live,
                _ => continue,
            };
            *field = value;
        }
        asked
    }

    /// The search, and what is wrong with the fields. If anything is, the search must not be made: it finds what was not asked
    /// for.
    pub(super) fn search(&self, client: ClientId, list: List) -> (Search, Wrong) {
        let mut wrong = Wrong::default();
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        let networks = networks(&self.address).unwrap_or_else(|words| {
            wrong.address = words;
            Vec::new()
        });
        let status = some(&self.status).and_then(|text| {
            let parsed = text.parse::<u16>().ok().filter(|status| (0..1_000).contains(status));
            if parsed.is_none() {
                wrong.status = "A status of three digits, such as 403.";
            }
            parsed
        });
        let from_ms = time(&self.from, End::From, &mut wrong.from);
        let to_ms = time(&self.to, End::Through, &mut wrong.to);
        let block_status = BlockStatus::from_name(&self.block);
        let kind =
            self.kind.is_empty() || !list.is_events() || KINDS.iter().any(|(value, ..)| *value == self.kind);
        let risk = self.risk.is_empty() || list.is_events() || Risk::from_title(&self.risk).is_some();
        if !kind || !risk || (block_status.is_none() && !self.block.is_empty()) {
            wrong.choice = "The address of this page names a kind, a risk or a status that there is not; choose from the lists.";
        }
        let search = Search {
            client,
            kinds: self.kinds(list),
            type_code: some(&self.type_code),
            networks,
            domain: some(&self.domain),
            status,
            block_status,
            from_ms,
            to_ms,
            id: some(&self.id),
            text: some(&self.q),
            before: self.before.parse().ok().map(Seq),
            after: self.after.parse().ok().map(Seq),
            limit: PAGE_EVENTS,
        };
        (search, wrong)
    }

    fn kinds(&self, list: List) -> Vec<Kind> {
        if list == List::Events {
            let chosen = KINDS.iter().find(|(value, _, _)| *value == self.kind);
            return chosen.map(|(_, _, kinds)| kinds.to_vec()).unwrap_or_default();
        }
        match Risk::from_title(&self.risk) {
            Some(risk) => vec![Kind::Vulnerability(risk)],
            None => VULNERABILITIES.to_vec(),
        }
    }

    /// Kinds to choose from.
    pub(super) fn kind_choices(&self) -> Vec<Choice> {
        let choice = |(value, label, _): &(&'static str, &'static str, _)| Choice {
            value,
            label,
            chosen: *value == self.kind,
        };
        KINDS.iter().map(choice).collect()
    }

    /// Risks to choose from.
    pub(super) fn risk_choices(&self) -> Vec<Choice> {
        let choice = |risk: Risk| Choice {
            value: risk.title(),
            label: risk.title(),
            chosen: Risk::from_title(&self.risk) == Some(risk),
        };
        Risk::ALL.map(choice).to_vec()
    }

    /// Whether anything narrows the list down.
    pub(super) fn is_filtered(&self) -> bool {
        self.fields().iter().any(|(_, value)| !value.is_empty())
    }

    /// Whether one of the fields that are folded away is in use.
    pub(super) fn uses_more(&self) -> bool {
        [&self.domain, &self.status, &self.block, &self.from, &self.to, &self.id]
            .iter()
            .any(|value| !value.is_empty())
    }

    /// From here on an open page asks again for rows that it has: what they say of deliveries may have changed.
    pub(super) fn again(&self) -> Option<u64> {
        self.again.parse().ok()
    }

    /// Whether the page is the newest one.
    pub(super) fn is_newest(&self) -> bool {
        self.before.is_empty()
    }

    /// Whether the reader wants to be told what is new.
    pub(super) fn wants_live(&self) -> bool {
        self.live != "off"
    }

    /// The query of the same list, with other fields for place and liveliness.
    pub(super) fn query(&self, more: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.fields().into_iter().chain(more.iter().copied()) {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        query.finish()
    }

    /// The query of the newest page of the same list.
    pub(super) fn newest(&self) -> String {
        self.query(&[])
    }

    fn fields(&self) -> [(&'static str, &str); 11] {
        [
            ("q", &self.q),
            ("kind", &self.kind),
            ("risk", &self.risk),
            ("type", &self.type_code),
            ("domain", &self.domain),
            ("address", &self.address),
            ("status", &self.status),
            ("block", &self.block),
            ("from", &self.from),
            ("to", &self.to),
            ("id", &self.id),
        ]
    }
}

/// Addresses and networks, with commas or blanks between them.
fn networks(text: &str) -> Result<Vec<IpNet>, &'static str> {
    let each = text.split([',', ';', ' ', '\t', '\n']).filter(|part| !part.is_empty());
    let networks: Option<Vec<IpNet>> = each.map(network).collect();
    match networks {
        Some(networks) if networks.len() <= NETWORKS_MAX => Ok(networks),
        Some(_) => Err("At most 32 addresses and networks."),
        None => Err("Addresses or networks, such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32."),
    }
}

fn network(text: &str) -> Option<IpNet> {
    match text.parse::<IpNet>() {
        Ok(network) => Some(network.trunc()),
        Err(_) => text.parse::<IpAddr>().ok().map(|address| address.to_canonical().into()),
    }
}

/// A time that was typed; what is wrong with it is said.
fn time(text: &str, end: End, wrong: &mut String) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    zone::moment(text, end).map_err(|words| *wrong = words).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(query: &str) -> (Search, Wrong) {
        Asked::of(query).search(ClientId(1), List::Events)
    }

    #[test]
    fn a_query_is_a_search() {
        let (search, wrong) = search(
            "q=+union+&kind=hit&type=sqli&address=192.0.2.7&status=403&block=blocked&before=9&unknown=1\
             &from=2026-11-25T22:00&to=2026-11-25T22:01",
        );
        assert!(wrong.is_empty());
        assert_eq!((search.text.as_deref(), search.kinds), (Some("union"), vec![Kind::Hit]));
        assert_eq!((search.status, search.before), (Some(403), Some(Seq(9))));
        assert_eq!(search.block_status, Some(BlockStatus::Blocked));
        assert_eq!(search.to_ms.unwrap() - search.from_ms.unwrap(), 119_999, "both minutes whole");
    }

    #[test]
    fn addresses_may_be_networks_and_several() {
        let networks = |text: &str| {
            let query =
                url::form_urlencoded::Serializer::new(String::new()).append_pair("address", text).finish();
            let (search, wrong) = search(&query);
            let networks: Vec<_> = search.networks.iter().map(ToString::to_string).collect();
            (networks.join(" "), wrong.is_empty())
        };
        assert_eq!(networks("192.0.2.7"), ("192.0.2.7/32".to_owned(), true));
        assert_eq!(networks("10.1.2.3/8, 2001:db8::/32"), ("10.0.0.0/8 2001:db8::/32".to_owned(), true));
        assert_eq!(networks("::ffff:192.0.2.7 ::1"), ("192.0.2.7/32 ::1/128".to_owned(), true));
        for wrong in ["10.0.0.0/33", "10.0.0", "here", "192.0.2.7/x", &"192.0.2.7,".repeat(33)] {
            assert_eq!(networks(wrong), (String::new(), false), "{wrong}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let (search, wrong) =
            search("address=here&status=many&from=yesterday&to=2026-01-01T00:00:00Z&kind=all");
        assert!(!wrong.address.is_empty() && !wrong.status.is_empty() && !wrong.from.is_empty());
        assert!(wrong.to.is_empty());
        assert_eq!(search.to_ms, Some(1_767_225_600_000));
        for query in ["kind=all", "block=maybe"] {
            assert!(!self::search(query).1.choice.is_empty(), "{query}");
        }
        let of_vulnerabilities = |query| Asked::of(query).search(ClientId(1), List::Vulnerabilities).1;
        assert!(!of_vulnerabilities("risk=some").choice.is_empty());
        assert!(of_vulnerabilities("risk=critical&kind=all").is_empty());
    }

    #[test]
    fn the_query_of_the_next_page_has_the_same_fields() {
        let asked = Asked::of("q=a%26b&before=9&type=xss&live=off");
        assert_eq!(asked.query(&[("before", "5")]), "q=a%26b&type=xss&before=5");
        assert!(asked.is_filtered() && !asked.is_newest() && !asked.wants_live());
        assert!(!Asked::of("before=3").is_filtered());
    }

    #[test]
    fn the_list_of_vulnerabilities_has_nothing_else() {
        let kinds = |query| Asked::of(query).search(ClientId(1), List::Vulnerabilities).0.kinds;
        assert_eq!(kinds("kind=hit").len(), 5);
        assert_eq!(kinds("risk=critical"), [Kind::Vulnerability(Risk::Critical)]);
    }
}
