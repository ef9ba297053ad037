//! Filters, against a plain model of them.

use crate::{CLIENT, NOW_S, event, record};
use hitwire_event::filter::{
    Addresses, ApplicationName, AttackTypeName, DomainPattern, Filter, List, MinScore, Network,
};
use hitwire_event::hit::{AttackType, BlockStatus, Hit};
use hitwire_event::vulnerability::Vulnerability;
use hitwire_event::{Kind, Number, Record, Risk, test_message};
use proptest::option::of;
use proptest::prelude::*;
use serde_json::value::RawValue;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

fn filter(json: &str) -> Filter {
    serde_json::from_str(json).expect(json)
}

fn refused(json: &str) -> String {
    serde_json::from_str::<Filter>(json).expect_err(json).to_string()
}

fn hit(fields: &str) -> Arc<Record> {
    record(event(&format!(r#"{{"object_type":"hit",{fields}"type":"sqli"}}"#)))
}

#[test]
fn a_filter_is_written_as_the_api_shows_it() {
    let json = concat!(
        r#"{"applications":["shop"],"attack_types":["sqli"],"domains":["*.example.com"],"#,
        r#""addresses":{"in":["10.0.0.0/8"],"not_in":["203.0.113.0/24","192.0.2.1"]},"block_status":["blocked"],"#,
        r#""min_score":5,"risks":["critical","high"]}"#
    );
    let read = filter(json);
    assert!(!read.is_empty());
    assert_eq!(serde_json::to_string(&read).expect("writes"), json);
}

#[test]
fn parts_without_a_condition_are_left_out() {
    for json in [r#"{"domains":[],"addresses":{"in":[]},"risks":[]}"#, "{}"] {
        assert!(filter(json).is_empty());
        assert_eq!(filter(json), Filter::default());
        assert_eq!(serde_json::to_string(&filter(json)).expect("writes"), "{}");
    }
}

#[test]
fn a_list_has_its_bound_and_no_entry_twice() {
    let of = |entries: usize| {
        let names: Vec<_> = (0..entries).map(|number| number.to_string()).collect();
        serde_json::json!({ "applications": names }).to_string()
    };
    assert_eq!(filter(&of(100)).applications.len(), 100);
    assert!(refused(&of(101)).contains("at most 100 entries are possible, and there are 101"));
    assert_eq!(filter(r#"{"domains":["A.example","a.example"]}"#).domains.len(), 1);
}

#[test]
fn what_could_fit_nothing_is_refused() {
    for json in [
        r#"{"domains":["*"]}"#,
        r#"{"addresses":{"in":["10.0.0.0/33"]}}"#,
        r#"{"addresses":{"within":["10.0.0.0/8"]}}"#,
        r#"{"block_status":["stopped"]}"#,
        r#"{"min_score":-1}"#,
        r#"{"min_score":"5"}"#,
        r#"{"risks":["grave"]}"#,
        r#"{"countries":["DE"]}"#,
    ] {
        refused(json);
    }
}

#[test]
fn what_an_event_does_not_say_passes_no_part_but_not_in() {
    let unknown = hit("");
    for json in [
        r#"{"applications":["shop"]}"#,
        r#"{"domains":["example.com"]}"#,
        r#"{"addresses":{"in":["0.0.0.0/0","::/0"]}}"#,
        r#"{"min_score":0}"#,
    ] {
        assert!(!filter(json).matches(&unknown), "{json}");
    }
    assert!(filter(r#"{"addresses":{"not_in":["0.0.0.0/0","::/0"]}}"#).matches(&unknown));
}

#[test]
fn a_part_holds_for_kinds_that_it_does_not_concern() {
    let nothing_fits = filter(
        r#"{"applications":["x"],"attack_types":["x"],"domains":["x"],"addresses":{"in":["192.0.2.77"]},"min_score":1000}"#,
    );
    let of_hits = filter(
        r#"{"attack_types":["x"],"addresses":{"in":["192.0.2.77"]},"block_status":["blocked"],"min_score":9}"#,
    );
    let of_vulnerabilities = filter(r#"{"risks":["critical"]}"#);
    for kind in Kind::ALL {
        let message = test_message(kind, CLIENT, NOW_S);
        let concerned = matches!(kind, Kind::Hit | Kind::Vulnerability(_));
        assert_eq!(nothing_fits.matches(&message), !concerned, "{kind:?}");
        assert_eq!(of_hits.matches(&message), kind != Kind::Hit, "{kind:?}");
        let less = matches!(kind, Kind::Vulnerability(risk) if risk != Risk::Critical);
        assert_eq!(of_vulnerabilities.matches(&message), !less, "{kind:?}");
    }
}

#[test]
fn applications_are_an_array_or_one_name() {
    let shop = filter(r#"{"applications":["shop \"1\""]}"#);
    for fields in [r#""applications":["a",1,"shop \"1\""],"#, r#""applications":"shop \u00221\u0022","#] {
        assert!(shop.matches(&hit(fields)), "{fields}");
    }
    for fields in [r#""applications":[],"#, r#""applications":null,"#, r#""applications":{"shop \"1\"":1},"#]
    {
        assert!(!shop.matches(&hit(fields)), "{fields}");
    }
}

#[test]
fn applications_are_found_by_id_where_hits_carry_ids() {
    let by_id = filter(r#"{"applications":["12","-1"]}"#);
    for fields in [
        r#""applications":[3,12],"#,
        r#""applications":12,"#,
        r#""applications":["12"],"#,
        r#""applications":[-1],"#,
    ] {
        assert!(by_id.matches(&hit(fields)), "{fields}");
    }
    for fields in [r#""applications":[112,120],"#, r#""applications":[[12],{"id":12},null,true],"#, ""] {
        assert!(!by_id.matches(&hit(fields)), "{fields}");
    }
}

#[test]
fn an_application_is_found_by_its_name_where_hits_carry_ids_and_the_other_way_round() {
    let also = |entry: &str| match entry {
        "shop" => vec!["12".to_owned()],
        "13" => vec!["blog".to_owned()],
        _ => Vec::new(),
    };
    let both = filter(r#"{"applications":["shop","13"]}"#).with_synonyms_of_applications(also);
    for fields in [
        r#""applications":[12],"#,
        r#""applications":["shop"],"#,
        r#""applications":["blog"],"#,
        r#""applications":[13],"#,
    ] {
        assert!(both.matches(&hit(fields)), "{fields}");
    }
    assert!(!both.matches(&hit(r#""applications":[14,"other"],"#)));
    let none = filter("{}").with_synonyms_of_applications(also);
    assert!(none.is_empty(), "a filter without applications asks for none");
}

#[test]
fn facets_say_what_stands_in_the_body() {
    let record = hit(concat!(
        r#""domain":"A.\u0065xample","remote_addr6":"2001:db8::1","block_status":"blocked","probability":1e300,"#,
        r#""applications":["a",7,"b"],"#
    ));
    let facets = record.facets();
    assert_eq!(facets.domain().as_deref(), Some("A.example"));
    assert_eq!(facets.attack_type().as_deref(), Some("sqli"));
    assert_eq!(facets.address(), Some(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1])));
    assert_eq!(facets.block_status(), Some(BlockStatus::Blocked));
    assert_eq!(facets.score(), Some(1e300));
    assert_eq!(facets.applications().collect::<Vec<_>>(), ["a", "7", "b"]);
    assert!(filter(r#"{"min_score":1000000000}"#).matches(&record));
}

#[test]
fn a_record_weighs_the_same_before_and_after_a_filter_looked_at_it() {
    let record = hit(r#""domain":"example.com","#);
    let before = record.weight();
    filter(r#"{"domains":["example.com"]}"#).matches(&record);
    assert_eq!(record.weight(), before);
}

/// From a few values, so that filters and events meet.
const DOMAINS: [&str; 5] = ["example.com", "a.example.com", "A.B.example.com", "other.test", "xexample.com."];
const PATTERNS: [&str; 4] = ["example.com", "*.example.com", "*.b.example.com", "other.test"];
const TYPES: [&str; 3] = ["sqli", "xss", "Own"];
const NAMES: [&str; 3] = ["shop", "Shop", "bl\"og"];
const NETWORKS: [&str; 6] = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "2001:db8::/32", "::/0", "0.0.0.0/0"];
const ADDRESSES: [&str; 6] =
    ["10.1.2.3", "10.1.9.9", "10.200.0.1", "192.0.2.1", "2001:db8::1", "::ffff:10.1.2.3"];

fn list<T: Clone + PartialEq + std::fmt::Debug + 'static>(entries: Vec<T>) -> impl Strategy<Value = List<T>> {
    let entries = prop::sample::subsequence(entries.clone(), 0..=entries.len());
    prop_oneof![Just(List::default()), entries.prop_map(|kept| List::new(kept).expect("few"))]
}

fn parsed<T>(texts: &[&str], parse: impl Fn(&str) -> Result<T, hitwire_event::filter::EntryError>) -> Vec<T> {
    texts.iter().map(|text| parse(text).expect(text)).collect()
}

prop_compose! {
    fn any_filter()(
        applications in list(parsed(&NAMES, ApplicationName::parse)),
        attack_types in list(parsed(&TYPES, AttackTypeName::parse)),
        domains in list(parsed(&PATTERNS, DomainPattern::parse)),
        within in list(parsed(&NETWORKS, Network::parse)),
        not_in in list(parsed(&NETWORKS, Network::parse)),
        block_status in list(vec![BlockStatus::Monitored, BlockStatus::Blocked]),
        min_score in of((0..12_u32).prop_map(|score| MinScore::new(f64::from(score) / 2.0).expect("a score"))),
        risks in list(Risk::ALL.to_vec()),
    ) -> Filter {
        let addresses = Addresses { within, not_in };
        Filter { applications, attack_types, domains, addresses, block_status, min_score, risks }
    }
}

/// What the model looks at: the facts, before they become a body.
#[derive(Clone, Debug)]
struct Facts {
    domain: Option<&'static str>,
    attack_type: &'static str,
    address: Option<IpAddr>,
    blocked: bool,
    half_scores: Option<u32>,
    applications: Vec<&'static str>,
    risk: Option<Risk>,
}

prop_compose! {
    fn facts()(
        domain in of(prop::sample::select(&DOMAINS[..])),
        attack_type in prop::sample::select(&TYPES[..]),
        address in of(prop::sample::select(&ADDRESSES[..])),
        blocked in any::<bool>(),
        half_scores in of(0..12_u32),
        applications in prop::sample::subsequence(&NAMES[..], 0..=2),
        risk in of(prop::sample::select(&Risk::ALL[..])),
    ) -> Facts {
        let address = address.map(|address| address.parse().expect("an address"));
        Facts { domain, attack_type, address, blocked, half_scores, applications, risk }
    }
}

impl Facts {
    fn record(&self) -> Arc<Record> {
        let names = serde_json::to_string(&self.applications).expect("writes");
        let extra = vec![("applications".to_owned(), RawValue::from_string(names).expect("JSON"))];
        let domain = self.domain.map(str::to_owned);
        if let Some(threat) = self.risk {
            let (title, id) = ("t".to_owned(), "i".to_owned());
            return record(
                Vulnerability { title, id, domain, threat, extra, ..Vulnerability::default() }
                    .to_event(CLIENT),
            );
        }
        let (remote_addr4, remote_addr6): (Option<Ipv4Addr>, Option<Ipv6Addr>) = match self.address {
            Some(IpAddr::V4(address)) => (Some(address), None),
            Some(IpAddr::V6(address)) => (None, Some(address)),
            None => (None, None),
        };
        let block_status = if self.blocked { BlockStatus::Blocked } else { BlockStatus::Monitored };
        let probability = self.half_scores.and_then(|halves| Number::from_f64(f64::from(halves) / 2.0));
        let attack_type = AttackType::from(self.attack_type);
        record(
            Hit {
                domain,
                remote_addr4,
                remote_addr6,
                block_status,
                probability,
                attack_type,
                extra,
                ..Hit::default()
            }
            .to_event(CLIENT),
        )
    }

    /// The documented rules, as plainly as they can be said.
    fn pass(&self, filter: &Filter) -> bool {
        let place = (filter.applications.is_empty()
            || self
                .applications
                .iter()
                .any(|name| filter.applications.iter().any(|listed| listed.as_str() == *name)))
            && (filter.domains.is_empty()
                || self.domain.is_some_and(|domain| {
                    filter.domains.iter().any(|listed| below_or_same(listed.as_str(), domain))
                }));
        if let Some(risk) = self.risk {
            return place && (filter.risks.is_empty() || filter.risks.contains(&risk));
        }
        let within = |networks: &List<Network>| networks.iter().any(|network| self.is_in(*network));
        place
            && (filter.attack_types.is_empty()
                || filter
                    .attack_types
                    .iter()
                    .any(|listed| listed.as_str() == self.attack_type.to_lowercase()))
            && (filter.addresses.within.is_empty() || within(&filter.addresses.within))
            && !within(&filter.addresses.not_in)
            && (filter.block_status.is_empty()
                || filter.block_status.iter().any(|status| (*status == BlockStatus::Blocked) == self.blocked))
            && filter.min_score.as_ref().is_none_or(|least| {
                self.half_scores.is_some_and(|halves| f64::from(halves) / 2.0 >= least.as_f64())
            })
    }

    fn is_in(&self, network: Network) -> bool {
        let text = String::from(network);
        let Some(address) = self.address else { return false };
        match (text.as_str(), address.to_canonical()) {
            ("0.0.0.0/0", address) => address.is_ipv4(),
            ("::/0", address) => address.is_ipv6(),
            ("10.0.0.0/8", IpAddr::V4(address)) => address.octets()[0] == 10,
            ("10.1.0.0/16", IpAddr::V4(address)) => address.octets()[..2] == [10, 1],
            ("10.1.2.3", IpAddr::V4(address)) => address.octets() == [10, 1, 2, 3],
            ("2001:db8::/32", IpAddr::V6(address)) => address.segments()[..2] == [0x2001, 0xdb8],
            _ => false,
        }
    }
}

fn below_or_same(pattern: &str, domain: &str) -> bool {
    let domain = domain.to_lowercase();
    let labels: Vec<_> = domain.trim_end_matches('.').split('.').collect();
    match pattern.strip_prefix("*.") {
        Some(parent) => (1..labels.len()).any(|start| labels[start..].join(".") == parent),
        None => labels.join(".") == pattern,
    }
}

proptest! {
    #[test]
    fn a_filter_does_what_its_documentation_says(filter in any_filter(), facts in facts()) {
        prop_assert_eq!(filter.matches(&facts.record()), facts.pass(&filter));
    }

    #[test]
    fn a_filter_is_the_conjunction_of_its_parts(filter in any_filter(), facts in facts()) {
        let none = Filter::default;
        let Addresses { within, not_in } = filter.addresses.clone();
        let parts = [
            Filter { applications: filter.applications.clone(), ..none() },
            Filter { attack_types: filter.attack_types.clone(), ..none() },
            Filter { domains: filter.domains.clone(), ..none() },
            Filter { addresses: Addresses { within, ..Addresses::default() }, ..none() },
            Filter { addresses: Addresses { not_in, ..Addresses::default() }, ..none() },
            Filter { block_status: filter.block_status.clone(), ..none() },
            Filter { min_score: filter.min_score.clone(), ..none() },
            Filter { risks: filter.risks.clone(), ..none() },
        ];
        let record = facts.record();
        let all = parts.iter().all(|part| part.matches(&record));
        prop_assert_eq!(filter.matches(&record), all);
        prop_assert!(Filter::default().matches(&record));
    }

    #[test]
    fn a_filter_reads_back_as_it_was(filter in any_filter()) {
        let json = serde_json::to_string(&filter).expect("writes");
        prop_assert_eq!(&serde_json::from_str::<Filter>(&json).expect("reads"), &filter);
        let value = serde_json::to_value(&filter).expect("writes");
        prop_assert_eq!(&serde_json::from_value::<Filter>(value).expect("reads"), &filter);
        prop_assert_eq!(filter.is_empty(), json == "{}");
    }
}
