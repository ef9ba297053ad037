//! The address ranges that are not dialled, from the IANA special-purpose registries (RFC 6890 and its updates) and the
//! metadata services of cloud providers.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A rule of the guard. Displays as the words after "is".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// The machine itself.
    Loopback,
    /// RFC 1918.
    Private,
    /// RFC 6598.
    CarrierGradeNat,
    /// RFC 3927, RFC 4291.
    LinkLocal,
    /// A cloud provider's metadata or platform service: it hands out credentials to whoever asks.
    CloudMetadata,
    /// RFC 4193.
    UniqueLocal,
    /// RFC 3879.
    SiteLocal,
    /// "This network": on most systems the machine itself.
    Unspecified,
    /// RFC 5771, RFC 4291.
    Multicast,
    /// RFC 919.
    Broadcast,
    /// RFC 5737, RFC 3849, RFC 9637.
    Documentation,
    /// RFC 2544, RFC 5180.
    Benchmarking,
    /// RFC 1112, RFC 6666.
    Reserved,
    /// RFC 6890, RFC 2928.
    ProtocolAssignments,
    /// RFC 7526.
    RelayAnycast,
    /// RFC 4291, deprecated.
    Ipv4Compatible,
    /// RFC 8215: where the IPv4 address is inside depends on the local network.
    LocalNat64,
    /// RFC 4380.
    Teredo,
    /// Not in `2000::/3`, the only part of IPv6 given out for the Internet.
    NotGlobal,
}

impl Rule {
    /// All of them.
    pub const ALL: [Rule; 19] = [
        Rule::Loopback,
        Rule::Private,
        Rule::CarrierGradeNat,
        Rule::LinkLocal,
        Rule::CloudMetadata,
        Rule::UniqueLocal,
        Rule::SiteLocal,
        Rule::Unspecified,
        Rule::Multicast,
        Rule::Broadcast,
        Rule::Documentation,
        Rule::Benchmarking,
        Rule::Reserved,
        Rule::ProtocolAssignments,
        Rule::RelayAnycast,
        Rule::Ipv4Compatible,
        Rule::LocalNat64,
        Rule::Teredo,
        Rule::NotGlobal,
    ];

    /// In one word.
    pub const fn name(self) -> &'static str {
        match self {
            Rule::Loopback => "loopback",
            Rule::Private => "private",
            Rule::CarrierGradeNat => "carrier_grade_nat",
            Rule::LinkLocal => "link_local",
            Rule::CloudMetadata => "cloud_metadata",
            Rule::UniqueLocal => "unique_local",
            Rule::SiteLocal => "site_local",
            Rule::Unspecified => "unspecified",
            Rule::Multicast => "multicast",
            Rule::Broadcast => "broadcast",
            Rule::Documentation => "documentation",
            Rule::Benchmarking => "benchmarking",
            Rule::Reserved => "reserved",
            Rule::ProtocolAssignments => "protocol_assignments",
            Rule::RelayAnycast => "relay_anycast",
            Rule::Ipv4Compatible => "ipv4_compatible",
            Rule::LocalNat64 => "local_nat64",
            Rule::Teredo => "teredo",
            Rule::NotGlobal => "not_global",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::Loopback => "a loopback address",
            Rule::Private => "a private address (RFC 1918)",
            Rule::CarrierGradeNat => "an address behind carrier-grade NAT (RFC 6598)",
            Rule::LinkLocal => "a link-local address",
            Rule::CloudMetadata => "the address of a cloud metadata service",
            Rule::UniqueLocal => "a unique local address (RFC 4193)",
            Rule::SiteLocal => "a site-local address (RFC 3879)",
            Rule::Unspecified => "an unspecified address (this network)",
            Rule::Multicast => "a multicast address",
            Rule::Broadcast => "the broadcast address",
            Rule::Documentation => "an address for documentation",
            Rule::Benchmarking => "an address for benchmarks",
            Rule::Reserved => "a reserved address",
            Rule::ProtocolAssignments => "an address for protocol assignments (IETF)",
            Rule::RelayAnycast => "a 6to4 relay address",
            Rule::Ipv4Compatible => "an IPv4-compatible address",
            Rule::LocalNat64 => "an address of a local NAT64 (RFC 8215)",
            Rule::Teredo => "a Teredo address",
            Rule::NotGlobal => "not a global unicast address",
        })
    }
}

/// A range and the rule that refuses it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) rule: Rule,
    pub(super) network: IpNet,
}

const fn v4(rule: Rule, octets: [u8; 4], prefix: u8) -> (Rule, Ipv4Net) {
    (rule, Ipv4Net::new_assert(Ipv4Addr::from_octets(octets), prefix))
}

const fn v6(rule: Rule, segments: [u16; 8], prefix: u8) -> (Rule, Ipv6Net) {
    (rule, Ipv6Net::new_assert(Ipv6Addr::from_segments(segments), prefix))
}

/// The first that contains the address counts: particular addresses stand before the ranges around them.
const V4: &[(Rule, Ipv4Net)] = &[
    v4(Rule::CloudMetadata, [169, 254, 169, 254], 32), // AWS, Azure, Google, Oracle, DigitalOcean and others
    v4(Rule::CloudMetadata, [169, 254, 170, 2], 32),   // AWS: credentials of containers
    v4(Rule::CloudMetadata, [169, 254, 170, 23], 32),  // AWS: credentials of pods
    v4(Rule::CloudMetadata, [100, 100, 100, 200], 32), // Alibaba
    v4(Rule::CloudMetadata, [192, 0, 0, 192], 32),     // Oracle
    v4(Rule::CloudMetadata, [168, 63, 129, 16], 32),   // Azure's platform; looks public, answers inside only
    v4(Rule::Loopback, [127, 0, 0, 0], 8),
    v4(Rule::Private, [10, 0, 0, 0], 8),
    v4(Rule::Private, [172, 16, 0, 0], 12),
    v4(Rule::Private, [192, 168, 0, 0], 16),
    v4(Rule::CarrierGradeNat, [100, 64, 0, 0], 10),
    v4(Rule::LinkLocal, [169, 254, 0, 0], 16),
    v4(Rule::Unspecified, [0, 0, 0, 0], 8),
    v4(Rule::ProtocolAssignments, [192, 0, 0, 0], 24),
    v4(Rule::Documentation, [192, 0, 2, 0], 24),
    v4(Rule::Documentation, [198, 51, 100, 0], 24),
    v4(Rule::Documentation, [203, 0, 113, 0], 24),
    v4(Rule::RelayAnycast, [192, 88, 99, 0], 24),
    v4(Rule::Benchmarking, [198, 18, 0, 0], 15),
    v4(Rule::Multicast, [224, 0, 0, 0], 4),
    v4(Rule::Broadcast, [255, 255, 255, 255], 32),
    v4(Rule::Reserved, [240, 0, 0, 0], 4),
];

/// As [`V4`]. Addresses that carry an IPv4 address are judged by it and don't come here, except the IPv4-compatible form,
/// which nobody uses for good.
const V6: &[(Rule, Ipv6Net)] = &[
    v6(Rule::CloudMetadata, [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128), // AWS
    v6(Rule::CloudMetadata, [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23], 128),  // AWS: credentials of pods
    v6(Rule::CloudMetadata, [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128),  // Google
    v6(Rule::Unspecified, [0, 0, 0, 0, 0, 0, 0, 0], 128),
    v6(Rule::Loopback, [0, 0, 0, 0, 0, 0, 0, 1], 128),
    v6(Rule::Ipv4Compatible, [0, 0, 0, 0, 0, 0, 0, 0], 96),
    v6(Rule::LocalNat64, [0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
    v6(Rule::Reserved, [0x100, 0, 0, 0, 0, 0, 0, 0], 64), // discarded by routers
    v6(Rule::Teredo, [0x2001, 0, 0, 0, 0, 0, 0, 0], 32),
    v6(Rule::Benchmarking, [0x2001, 2, 0, 0, 0, 0, 0, 0], 48),
    v6(Rule::ProtocolAssignments, [0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    v6(Rule::Documentation, [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    v6(Rule::Documentation, [0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
    v6(Rule::UniqueLocal, [0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
    v6(Rule::LinkLocal, [0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
    v6(Rule::SiteLocal, [0xfec0, 0, 0, 0, 0, 0, 0, 0], 10),
    v6(Rule::Multicast, [0xff00, 0, 0, 0, 0, 0, 0, 0], 8),
];

/// The part of IPv6 that is given out for the Internet (RFC 4291). What lies outside and in no range of [`V6`] is
/// refused all the same: nobody there can be a receiver, and future uses are unknown.
const GLOBAL_UNICAST: Ipv6Net = v6(Rule::NotGlobal, [0x2000, 0, 0, 0, 0, 0, 0, 0], 3).1;

pub(super) fn of_v4(address: Ipv4Addr) -> Option<Range> {
    V4.iter()
        .find(|(_, network)| network.contains(&address))
        .map(|&(rule, network)| Range { rule, network: network.into() })
}

pub(super) fn of_v6(address: Ipv6Addr) -> Option<Range> {
    if let Some(&(rule, network)) = V6.iter().find(|(_, network)| network.contains(&address)) {
        return Some(Range { rule, network: network.into() });
    }
    (!GLOBAL_UNICAST.contains(&address))
        .then(|| Range { rule: Rule::NotGlobal, network: IpNet::from(std::net::IpAddr::V6(address)) })
}
