//! What can stand in a filter, each parsed once.

use crate::escape::visible;
use crate::hit::BlockStatus;
use crate::{Number, Risk};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv6Addr};

/// The longest name or pattern, in characters.
pub const TEXT_CHARS_MAX: usize = 200;

/// The highest least score that can be asked for: far beyond what rules add up to, and exact as a float.
const SCORE_MAX: f64 = 1e9;

/// Why something cannot stand in a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Nothing stands there.
    #[error("an entry must not be empty; leave it out")]
    Empty,
    /// It is longer than [`TEXT_CHARS_MAX`].
    #[error("an entry has at most {TEXT_CHARS_MAX} characters, and this one has {0}")]
    TooLong(usize),
    /// It has blanks or control characters where none can be.
    #[error("\"{0}\" has blanks or characters that cannot be seen; no event could fit it")]
    Unseen(String),
    /// It is neither a name nor `*.` and a name.
    #[error(
        "\"{0}\" is no pattern; write a name (\"www.example.com\"), or \"*.example.com\" for all names below it"
    )]
    Pattern(String),
    /// It has a scheme, a port or a path.
    #[error(
        "\"{0}\" is more than a name; write it without scheme, port and path, such as \"www.example.com\""
    )]
    MoreThanName(String),
    /// It is no network.
    #[error(
        "\"{0}\" is neither an address nor a network; write \"192.0.2.1\", \"10.0.0.0/8\" or \"2001:db8::/32\""
    )]
    Network(String),
    /// It has bits where the network has none.
    #[error("\"{found}\" names an address within a network; the network is \"{network}\"")]
    HostBits {
        /// What was given.
        found: String,
        /// What was perhaps meant.
        network: IpNet,
    },
    /// It is an IPv4 network in the clothes of IPv6; addresses are compared without them.
    #[error(
        "\"{0}\" holds IPv4 addresses written as IPv6; write it as an IPv4 network, such as \"10.0.0.0/8\""
    )]
    Mapped(String),
    /// It is no score.
    #[error("a score is a number from 0 to 1000000000")]
    Score,
    /// It is no block status.
    #[error("\"{0}\" is no block status; it is one of monitored, blocked")]
    BlockStatus(String),
    /// It is no risk.
    #[error("\"{0}\" is no risk; it is one of critical, high, medium, low, info")]
    Risk(String),
}

/// `text` if it can be a name of anything; else why not.
fn named(text: &str) -> Result<&str, EntryError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(EntryError::Empty);
    }
    let chars = text.chars().count();
    if chars > TEXT_CHARS_MAX {
        return Err(EntryError::TooLong(chars));
    }
    Ok(text)
}

/// The same for what has no blanks either.
fn word(text: &str) -> Result<&str, EntryError> {
    let text = named(text)?;
    if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return Err(EntryError::Unseen(shown(text)));
    }
    Ok(text)
}

/// A message's way to quote what was given.
fn shown(text: &str) -> String {
    visible(text).into_owned()
}

/// The name of an application, compared as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ApplicationName(Box<str>);

impl ApplicationName {
    /// Any name; blanks around it are left out.
    pub fn parse(text: &str) -> Result<Self, EntryError> {
        named(text).map(|name| ApplicationName(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The code of an attack type, compared without regard to case. Codes that nobody here knows are possible: sources pass them
/// on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct AttackTypeName(Box<str>);

impl AttackTypeName {
    /// One word.
    pub fn parse(text: &str) -> Result<Self, EntryError> {
        word(text).map(|code| AttackTypeName(code.to_ascii_lowercase().into()))
    }

    /// The code, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is(&self, found: &str) -> bool {
        self.0.eq_ignore_ascii_case(found)
    }
}

/// A host's name, or `*.` and a name for all names below it (but not that name itself). Compared without regard to case; a
/// dot at the end of the name that an event has makes no difference, since anybody may write one in a `Host`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DomainPattern(Box<str>);

impl DomainPattern {
    /// Checks that events could fit it: hits have names without port.
    pub fn parse(text: &str) -> Result<Self, EntryError> {
        let text = word(text)?.trim_end_matches('.');
        let name = text.strip_prefix("*.").unwrap_or(text);
        if name.is_empty() || name.starts_with('.') || name.contains('*') {
            return Err(EntryError::Pattern(shown(text)));
        }
        let port = name.rsplit_once(':').is_some_and(|(host, port)| {
            (!host.contains(':') || host.ends_with(']')) && port.bytes().all(|byte| byte.is_ascii_digit())
        });
        if port || name.contains("://") || name.ends_with('/') {
            return Err(EntryError::MoreThanName(shown(text)));
        }
        Ok(DomainPattern(text.to_ascii_lowercase().into()))
    }

    /// The pattern, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn fits(&self, found: &str) -> bool {
        let found = found.strip_suffix('.').unwrap_or(found);
        match self.0.strip_prefix('*') {
            // `.example.com`: something must stand before it. The bytes are compared, since cutting a text of unknown
            // letters at a length may hit the middle of one.
            Some(end) => found
                .len()
                .checked_sub(end.len())
                .filter(|start| *start > 0)
                .and_then(|start| found.as_bytes().get(start..))
                .is_some_and(|tail| tail.eq_ignore_ascii_case(end.as_bytes())),
            None => self.0.eq_ignore_ascii_case(found),
        }
    }
}

/// Addresses: one, or all of a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Network(IpNet);

impl Network {
    /// `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`. Bits beyond the prefix are most likely a slip, and refused.
    pub fn parse(text: &str) -> Result<Self, EntryError> {
        let text = word(text)?;
        let network = text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
            .map_err(|_| EntryError::Network(shown(text)))?;
        if network.trunc() != network {
            return Err(EntryError::HostBits { found: shown(text), network: network.trunc() });
        }
        if let IpNet::V6(v6) = network
            && v6.prefix_len() >= MAPPED_BITS
            && v6.addr().to_ipv4_mapped().is_some()
        {
            return Err(EntryError::Mapped(shown(text)));
        }
        Ok(Network(network))
    }

    /// An IPv4 address written as IPv6 is compared as the IPv4 address that it is.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// `::ffff:0:0/96`: RFC 4291 section 2.5.5.2.
const MAPPED_BITS: u8 = (Ipv6Addr::BITS - 32) as u8;

/// The least score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Number", try_from = "Number")]
pub struct MinScore(Number);

impl MinScore {
    /// 0 to 1e9, in the shortest digits.
    pub fn new(score: f64) -> Result<Self, EntryError> {
        // Adding zero makes a zero of minus zero.
        Some(score + 0.0)
            .filter(|score| (0.0..=SCORE_MAX).contains(score))
            .and_then(Number::from_f64)
            .map(MinScore)
            .ok_or(EntryError::Score)
    }

    /// As a float.
    pub fn as_f64(&self) -> f64 {
        self.0.as_f64()
    }
}

/// Reads `monitored` or `blocked`, in any letter case.
pub fn block_status(text: &str) -> Result<BlockStatus, EntryError> {
    let name = named(text)?.to_ascii_lowercase();
    BlockStatus::from_name(&name).ok_or_else(|| EntryError::BlockStatus(shown(text)))
}

/// Reads `critical`, `high`, `medium`, `low` or `info`, in any letter case.
pub fn risk(text: &str) -> Result<Risk, EntryError> {
    Risk::from_title(named(text)?).ok_or_else(|| EntryError::Risk(shown(text)))
}

macro_rules! parsed_from_text {
    ($($entry:ty),*) => {$(
        impl TryFrom<String> for $entry {
            type Error = EntryError;

            fn try_from(text: String) -> Result<Self, EntryError> {
                <$entry>::parse(&text)
            }
        }
    )*};
}
parsed_from_text!(ApplicationName, AttackTypeName, DomainPattern, Network);

macro_rules! written_as_text {
    ($($entry:ty),*) => {$(
        impl From<$entry> for String {
            fn from(entry: $entry) -> String {
                entry.0.into()
            }
        }
    )*};
}
written_as_text!(ApplicationName, AttackTypeName, DomainPattern);

impl From<Network> for String {
    /// One address is written without its prefix.
    fn from(Network(network): Network) -> String {
        if network.prefix_len() == network.max_prefix_len() {
            network.addr().to_string()
        } else {
            network.to_string()
        }
    }
}

impl From<MinScore> for Number {
    fn from(MinScore(score): MinScore) -> Number {
        score
    }
}

impl TryFrom<Number> for MinScore {
    type Error = EntryError;

    fn try_from(score: Number) -> Result<Self, EntryError> {
        MinScore::new(score.as_f64())
    }
}

#[cfg(test)]
mod tests;
