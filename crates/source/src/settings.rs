//! What an operator may decide about the conversion of records into hits.

use hitwire_event::ClientId;
use hitwire_event::hit::AttackType;
use jiff::tz::TimeZone;

/// How records of a source become hits. The default is what a newcomer should have.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The tenant whose hits these are; part of each hit's `id`.
    pub client: ClientId,
    /// The environment in each hit's `id`: `hits_<env>_<client>_<yyyymm>_v_1`. Default `production`.
    pub env: String,
    /// The zone in which the WAF writes its local times. `None`: the zone of this machine.
    pub timezone: Option<TimeZone>,
    /// Also make hits of protocol violations (`invalid_request`), which are the bulk of a WAF's noise. Default off; a
    /// request that was blocked for nothing else makes a hit all the same.
    pub protocol_hits: bool,
    /// Also make hits of leaks found in responses (`infoleak`, web shells). Default off: such rules match on harmless
    /// requests whose answer shows an error.
    pub response_rules: bool,
    /// Also make `scanner` hits of mere scripting clients and crawlers (rules 913101, 913102). Default off.
    pub scripting_clients: bool,
    /// Call remote file inclusion `ssrf` instead of `rfi`, for receivers that know only the seed's types. Default off.
    pub rfi_as_ssrf: bool,
    /// Also make an `xxe` hit where a rule matched an XML variable that declares an entity. The CRS has no class for
    /// it, so this is a guess. Default off.
    pub xxe_from_entities: bool,
    /// Leave out what only rules above this paranoia level saw. `None`: take all.
    pub max_paranoia: Option<u8>,
    /// The response statuses with which the operator's own rules block. Default 403, 406, 429.
    pub block_statuses: Vec<u16>,
    /// The types of the operator's own rules, for those whose tags name none. The first range that fits counts.
    pub rules: Vec<RuleRange>,
}

/// Rules by their ids, both ends included, and the attack type that they stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleRange {
    /// The lowest id.
    pub first: u32,
    /// The highest id.
    pub last: u32,
    /// The type of their hits.
    pub attack_type: AttackType,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            client: ClientId::default(),
            env: "production".to_owned(),
            timezone: None,
            protocol_hits: false,
            response_rules: false,
            scripting_clients: false,
            rfi_as_ssrf: false,
            xxe_from_entities: false,
            max_paranoia: None,
            block_statuses: vec![403, 406, 429],
            rules: Vec::new(),
        }
    }
}
