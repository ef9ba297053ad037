//! A transaction into hits: one for each attack type, and at least one if it was blocked.

use super::transaction::{Match, Transaction};
use crate::crs::{self, Direction, Verdict};
use crate::evidence::Evidence;
use crate::payload::{PAYLOADS_MAX, payload};
use crate::point::{Place, locate, split};
use crate::request::Request;
use crate::text::cut;
use crate::{Position, Settings, redact};
use hitwire_event::hit::{AttackType, BlockStatus, Hit, document_id, index, stamps_hash};
use hitwire_event::{Number, Point, Step};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest path that a hit shows, in characters: what web servers take as a request line by default.
const PATH_CHARS_MAX: usize = 8_192;

/// The longest domain that a hit shows, in characters: the longest that the DNS allows.
const DOMAIN_CHARS_MAX: usize = 253;

/// The longest method that a hit shows, in characters; real ones have up to 17.
const METHOD_CHARS_MAX: usize = 64;

/// The CRS' inbound anomaly score, which stands for an anomality of 1.
const SCORE_OF_ANOMALITY_1: f64 = 40.0;

/// The matches that speak for one attack type.
struct Group<'a> {
    attack_type: AttackType,
    matches: Vec<&'a Match<'a>>,
}

/// The hits of a transaction.
pub(crate) fn hits(transaction: &Transaction<'_>, at: Position, settings: &Settings, now_s: u64) -> Vec<Hit> {
    let groups = groups(transaction, settings);
    if groups.is_empty() {
        return Vec::new();
    }
    let request =
        Request::new(&transaction.uri, &transaction.request_headers, transaction.request_body.as_deref());
    let common = common(transaction, &request, settings, now_s);
    groups.iter().map(|group| hit(&common, group, transaction, &request, at)).collect()
}

/// The attack types that the rules saw, in the order in which they were reported.
fn groups<'a>(transaction: &'a Transaction<'a>, settings: &Settings) -> Vec<Group<'a>> {
    let groups = attacks(&transaction.matches, settings, settings.max_paranoia);
    if !groups.is_empty() || !transaction.blocked {
        return groups;
    }
    // A block must never be silent: first the types that the settings left out, then what there always is.
    let groups = attacks(&transaction.matches, settings, None);
    if groups.is_empty() { vec![reason_of_block(&transaction.matches, settings)] } else { groups }
}

fn attacks<'a>(matches: &'a [Match<'a>], settings: &Settings, max_paranoia: Option<u8>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    let mut add = |attack_type: AttackType, rule: &'a Match<'a>| match groups
        .iter_mut()
        .find(|group| group.attack_type == attack_type)
    {
        Some(group) => group.matches.push(rule),
        None => groups.push(Group { attack_type, matches: vec![rule] }),
    };
    for rule in matches.iter().filter(|rule| is_within(rule, max_paranoia)) {
        match crs::verdict(rule.rule, &rule.tags, settings) {
            Verdict::Attack(attack_type) => {
                if settings.xxe_from_entities && may_be_xxe(&attack_type, rule) {
                    add(AttackType::from("xxe"), rule);
                }
                add(attack_type, rule);
            }
            Verdict::Protocol if settings.protocol_hits => add(crs::INVALID_REQUEST, rule),
            Verdict::ScriptingClient if settings.scripting_clients => add(crs::SCANNER, rule),
            Verdict::Response(attack_type) if settings.response_rules => add(attack_type, rule),
            Verdict::Protocol | Verdict::ScriptingClient | Verdict::Response(_) | Verdict::Skip => {}
        }
    }
    groups
}

fn is_within(rule: &Match<'_>, max_paranoia: Option<u8>) -> bool {
    let level = || rule.tags.iter().find_map(|tag| crs::paranoia_level(tag));
    max_paranoia.is_none_or(|max| level().is_none_or(|level| level <= max))
}

/// A rule of a class under which the CRS sees external entities, matched in XML that declares one.
fn may_be_xxe(attack_type: &AttackType, rule: &Match<'_>) -> bool {
    let declares_entity = |text: &str| text.to_ascii_uppercase().contains("<!ENTITY");
    matches!(attack_type.as_str(), "rce" | "ptrav" | "xss")
        && (rule.description.contains("against variable `XML:") || rule.logged.contains(" found within XML:"))
        && (declares_entity(&rule.logged) || declares_entity(&rule.description))
}

/// The one hit of a blocked transaction in which no rule stands for an attack: what leaked, or what was wrong with the request.
fn reason_of_block<'a>(matches: &'a [Match<'a>], settings: &Settings) -> Group<'a> {
    let having = |is: fn(&Verdict) -> bool| -> Vec<&'a Match<'a>> {
        matches.iter().filter(|rule| is(&crs::verdict(rule.rule, &rule.tags, settings))).collect()
    };
    let response = having(|verdict| matches!(verdict, Verdict::Response(_)));
    let protocol = having(|verdict| matches!(verdict, Verdict::Protocol));
    let evaluated = matches.iter().filter_map(|rule| rule.rule).find_map(crs::evaluation);
    let (attack_type, reasons) =
        if evaluated == Some(Direction::Outbound) || (protocol.is_empty() && !response.is_empty()) {
            (crs::INFOLEAK, response)
        } else {
            (crs::INVALID_REQUEST, protocol)
        };
    // Nothing but a crawler's name, or rules that only count: those are the reason then.
    let others = having(|verdict| !matches!(verdict, Verdict::Skip));
    let all = matches.iter().collect();
    let reasons = [reasons, others, all].into_iter().find(|reasons| !reasons.is_empty());
    Group { attack_type, matches: reasons.unwrap_or_default() }
}

/// What all hits of the transaction share.
fn common(transaction: &Transaction<'_>, request: &Request<'_>, settings: &Settings, now_s: u64) -> Hit {
    let request_time = transaction.time_s.and_then(|time_s| u64::try_from(time_s).ok()).unwrap_or(now_s);
    let (remote_addr4, remote_addr6) = addresses(&transaction.client_ip);
    let domain = request.header("host").or(transaction.hostname.as_deref()).map(without_port);
    let extra = if transaction.lossy {
        vec![("invalid_utf8".to_owned(), RawValue::TRUE.to_owned())]
    } else {
        Vec::new()
    };
    Hit {
        anomality: Number::from_f64(f64::from(inbound_score(&transaction.matches)) / SCORE_OF_ANOMALITY_1),
        domain: domain.map(|domain| cut(domain, DOMAIN_CHARS_MAX).to_owned()),
        method: Some(cut(&transaction.method, METHOD_CHARS_MAX).to_owned()),
        path: Some(cut(request.path(), PATH_CHARS_MAX).to_owned()),
        remote_port: Some(transaction.client_port).filter(|port| *port != 0),
        remote_addr4,
        remote_addr6,
        request_time,
        create_time: now_s,
        response_len: transaction.response_len,
        response_status: Some(transaction.response_status).filter(|status| *status != 0),
        block_status: if transaction.blocked { BlockStatus::Blocked } else { BlockStatus::Monitored },
        id: [index(settings.client, &settings.env, request_time.cast_signed()), String::new()],
        headers: redact::headers(&transaction.request_headers),
        extra,
        ..Hit::default()
    }
}

/// One hit: the common part, and what the matches of one type say.
fn hit(
    common: &Hit,
    group: &Group<'_>,
    transaction: &Transaction<'_>,
    request: &Request<'_>,
    at: Position,
) -> Hit {
    let signs: Vec<Sign<'_>> = group.matches.iter().map(|rule| Sign::of(rule, request)).collect();
    let (point, name_only) = place(&signs);
    let scores: BTreeMap<u32, u32> =
        group.matches.iter().filter_map(|rule| Some((rule.rule?, crs::score(&rule.severity)))).collect();
    let score = Number::from(scores.values().sum::<u32>());
    let stamps: Vec<u32> = scores.into_keys().collect();
    let [index, _] = &common.id;
    let document = document_id(&[
        transaction.server_id.as_bytes(),
        transaction.unique_id.as_bytes(),
        group.attack_type.as_str().as_bytes(),
        at.offset.to_string().as_bytes(),
    ]);
    Hit {
        heur_distance: Some(score.clone()),
        parameter: point.parameter(name_only),
        payloads: payloads(&signs),
        point,
        probability: Some(score),
        stamps_hash: stamps_hash(&stamps),
        stamps,
        attack_type: group.attack_type.clone(),
        id: [index.clone(), document],
        ..common.clone()
    }
}

/// A match, taken apart and located.
struct Sign<'a> {
    rule: &'a Match<'a>,
    evidence: Evidence<'a>,
    place: Option<Place<'a>>,
}

impl<'a> Sign<'a> {
    fn of(rule: &'a Match<'a>, request: &'a Request<'_>) -> Self {
        let evidence = rule.evidence(request);
        let located = evidence.variables().find_map(|variable| locate(variable, evidence.seen(), request));
        let usual = || locate(crs::usual_variable(rule.rule?)?, evidence.seen(), request);
        Sign { rule, place: located.or_else(usual), evidence }
    }

    fn names_no_variable(&self) -> bool {
        self.evidence.variables().any(|variable| split(variable).0.starts_with("MATCHED_VAR"))
    }
}

/// Where the attack lies: the place of the first match of the highest severity that has one.
fn place(signs: &[Sign<'_>]) -> (Point, bool) {
    let located =
        signs.iter().filter_map(|sign| Some((crs::score(&sign.rule.severity), sign.place.as_ref()?)));
    // Of equals the last is the greatest to `max_by_key`.
    let best = located.rev().max_by_key(|(score, _)| *score);
    match best {
        Some((_, place)) => (place.point.clone(), place.name_only),
        None if signs.iter().any(Sign::names_no_variable) => (Point(vec![Step::from("uri")]), false),
        None => (Point::default(), false),
    }
}

/// The payloads of all matches, each once.
fn payloads(signs: &[Sign<'_>]) -> Vec<String> {
    let mut payloads: Vec<String> = Vec::new();
    for sign in signs {
        let value_counts = sign.rule.rule.is_some_and(crs::shows_no_payload);
        let argument = sign.place.as_ref().and_then(|place| place.argument.as_deref());
        let shown: Option<Cow<'_, str>> = payload(&sign.evidence, value_counts, argument);
        if let Some(shown) = shown.filter(|shown| payloads.iter().all(|other| other != shown)) {
            payloads.push(shown.into_owned());
        }
        if payloads.len() == PAYLOADS_MAX {
            break;
        }
    }
    payloads
}

/// The transaction's inbound anomaly score: what the rule says that judges it, else what the rules add up to.
fn inbound_score(matches: &[Match<'_>]) -> u32 {
    let stated = matches.iter().find_map(|rule| {
        let inbound = crs::evaluation(rule.rule?) == Some(Direction::Inbound);
        inbound.then(|| total_score(&rule.message))?
    });
    stated.unwrap_or_else(|| {
        let counted = matches.iter().filter_map(|rule| {
            let id = rule.rule.filter(|_| crs::is_crs_rule(rule.rule, &rule.version))?;
            let inbound = crs::counts_inbound(id);
            inbound.then(|| (id, crs::score(&rule.severity)))
        });
        counted.collect::<BTreeMap<_, _>>().into_values().sum()
    })
}

/// `Inbound Anomaly Score Exceeded (Total Score: 25)`
fn total_score(message: &str) -> Option<u32> {
    let (_, rest) = message.split_once("Total Score: ")?;
    let digits = rest.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

/// The address by its family; an IPv4 address in IPv6 clothes is an IPv4 address.
fn addresses(client_ip: &str) -> (Option<Ipv4Addr>, Option<Ipv6Addr>) {
    match client_ip.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => (Some(address), None),
        Ok(IpAddr::V6(address)) => (None, Some(address)),
        Err(_) => (None, None),
    }
}

/// A Host header without its port: `example.com:8080`, `[::1]:8080`.
fn without_port(host: &str) -> &str {
    let host = host.trim();
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() => {
            // A bare IPv6 address has colons, but no port.
            if name.contains(':') && !name.ends_with(']') { host } else { name }
        }
        _ => host,
    }
}
