//! The guard: which URLs may be set up, and which addresses may be dialled.
//!
//! Whoever may set up an integration chooses where hitwire sends requests from inside the operator's network. Without a
//! guard he could reach what only that network should (cloud metadata, databases, the router). So every address is
//! judged just before it is dialled, whatever name or spelling led to it, and only the judged address is dialled.

mod ranges;
mod spelling;

pub use ranges::Rule;
pub use spelling::{SpellingError, check as check_url_spelling};

pub(crate) use spelling::check_name;

use hitwire_event::ClientId;
use ipnet::IpNet;
use ranges::Range;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use url::{Host, Url};

/// The longest URL that is accepted, in bytes; receivers and proxies commonly refuse longer request lines.
pub const URL_BYTES_MAX: usize = 8 * 1024;

/// Judges URLs and addresses. Cheap to clone; clones share what is allowed for single clients.
#[derive(Clone, Debug)]
pub struct Guard {
    allow: Arc<[IpNet]>,
    allow_http: bool,
    /// Beside `allow`; only clients for whom something is allowed.
    allow_for: Arc<RwLock<HashMap<ClientId, Vec<IpNet>>>>,
}

impl Guard {
    /// `allow`: networks that may be dialled although a rule refuses them (`--allow-target`); `allow_http`: whether plain
    /// HTTP is accepted beside HTTPS (`--allow-http`).
    pub fn new(allow: Vec<IpNet>, allow_http: bool) -> Guard {
        Guard { allow: allow.into(), allow_http, allow_for: Arc::default() }
    }

    /// From now on this client, and no other, may dial these networks too, instead of those that were allowed for him
    /// before. A kept connection to a network that is not among them any more is not used again.
    pub fn set_allowed_for(&self, client: ClientId, networks: Vec<IpNet>) {
        let mut allow_for = self.allow_for.write().unwrap_or_else(PoisonError::into_inner);
        if networks.is_empty() {
            allow_for.remove(&client);
        } else {
            allow_for.insert(client, networks);
        }
    }

    /// Parses the URL of a client's target and judges what can be judged without resolving its name. The host of the result is
    /// normalised: a literal address in any spelling (`0x7f.1`, `2130706433`, `[::ffff:7f00:1]`) is that address.
    pub fn check_url(&self, client: ClientId, url: &str) -> Result<Url, UrlError> {
        if url.len() > URL_BYTES_MAX {
            return Err(UrlError::TooLong);
        }
        if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            // The parser would drop or encode these in silence; the user should see what is dialled.
            return Err(UrlError::Blank);
        }
        spelling::check(url)?;
        let parsed = Url::parse(url).map_err(|error| match error {
            // It has no scheme at all.
            url::ParseError::RelativeUrlWithoutBase => UrlError::Scheme,
            url::ParseError::EmptyHost => UrlError::NoHost,
            error => spelling::of_parser(error).map_or(UrlError::Invalid, UrlError::Spelling),
        })?;
        match parsed.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            "http" => return Err(UrlError::PlainHttp),
            _ => return Err(UrlError::Scheme),
        }
        // The parser takes an empty user for none.
        if spelling::has_user(url) || !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(UrlError::UserInfo);
        }
        if parsed.fragment().is_some() {
            return Err(UrlError::Fragment);
        }
        if parsed.port() == Some(0) {
            return Err(UrlError::PortZero);
        }
        match parsed.host() {
            Some(Host::Ipv4(address)) => self.judge(client, address.into())?,
            Some(Host::Ipv6(address)) => self.judge(client, address.into())?,
            Some(Host::Domain(name)) if !name.trim_matches('.').is_empty() => spelling::check_name(name)?,
            Some(Host::Domain(_)) | None => return Err(UrlError::NoHost),
        }
        Ok(parsed)
    }

    /// Whether this address may be dialled for this client. An address that carries an IPv4 address inside (IPv4-mapped, NAT64, 6to4,
    /// translated) is judged by that; an allowed network may name either form.
    pub fn judge(&self, client: ClientId, address: IpAddr) -> Result<(), Refusal> {
        let (inner, range) = range_of(address);
        match range {
            None => Ok(()),
            Some(_)
                if self.allows(client, address)
                    || inner.is_some_and(|inner| self.allows(client, inner.into())) =>
            {
                Ok(())
            }
            Some(Range { rule, network }) => Err(Refusal { address, inner, rule, network }),
        }
    }

    fn allows(&self, client: ClientId, address: IpAddr) -> bool {
        let within = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&address));
        within(&self.allow) || {
            let allow_for = self.allow_for.read().unwrap_or_else(PoisonError::into_inner);
            allow_for.get(&client).is_some_and(|networks| within(networks))
        }
    }
}

/// The IPv4 address that an address carries, and the range of internal addresses that it is in.
fn range_of(address: IpAddr) -> (Option<Ipv4Addr>, Option<Range>) {
    let inner = match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => embedded(v6),
    };
    let range = match (address, inner) {
        (_, Some(inner)) => ranges::of_v4(inner),
        (IpAddr::V4(v4), None) => ranges::of_v4(v4),
        (IpAddr::V6(v6), None) => ranges::of_v6(v6),
    };
    (inner, range)
}

/// Whether an address is one of the public internet, whatever is allowed. Others are internal: which of them a name leads to, and
/// what listens there, is for operators to see.
pub fn is_public(address: IpAddr) -> bool {
    range_of(address).1.is_none()
}

/// An address in words for the integration's user: the address itself if it is public, else only that it is internal.
pub(crate) struct PublicOnly(pub(crate) SocketAddr);

impl fmt::Display for PublicOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_public(self.0.ip()) { self.0.fmt(f) } else { f.write_str("an internal address") }
    }
}

/// The IPv4 address to which a packet for this IPv6 address goes in the end, for the forms that carry one:
/// IPv4-mapped `::ffff:0:0/96` (RFC 4291), NAT64 `64:ff9b::/96` (RFC 6052), 6to4 `2002::/16` (RFC 3056) and
/// IPv4-translated `::ffff:0:0:0/96` (RFC 7915).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let ([0, 0, 0, 0, 0, 0xffff, high, low]
    | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
    | [0, 0, 0, 0, 0xffff, 0, high, low]
    | [0x2002, high, low, ..]) = address.segments()
    else {
        return None;
    };
    Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
}

/// Why an address is not dialled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    /// The address that was to be dialled.
    pub address: IpAddr,
    /// The IPv4 address inside it that was judged, if it carries one.
    pub inner: Option<Ipv4Addr>,
    /// The rule that refuses it.
    pub rule: Rule,
    /// The network that the rule is about; allowing it would lift the refusal.
    pub network: IpNet,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.address)?;
        if let Some(inner) = self.inner {
            write!(f, "carries {inner}, which ")?;
        }
        write!(
            f,
            "is {}; an operator can allow it with hitwire serve --allow-target {}",
            self.rule, self.network
        )
    }
}

/// Why a URL is not accepted. The words are for users and never quote the URL: its path and query are secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Longer than [`URL_BYTES_MAX`].
    #[error("the URL is longer than {URL_BYTES_MAX} bytes")]
    TooLong,
    /// A space or a control character.
    #[error("the URL contains a space or a control character; write spaces as %20")]
    Blank,
    /// Not a URL.
    #[error("the URL is not valid; write one as in https://siem.example.com/hits")]
    Invalid,
    /// Written in a way that would be mended in silence, or that no host has.
    #[error(transparent)]
    Spelling(#[from] SpellingError),
    /// Neither `https` nor `http`.
    #[error("the URL must begin with https://")]
    Scheme,
    /// Plain HTTP without permission.
    #[error(
        "the URL must begin with https://; plain http:// is accepted only with hitwire serve --allow-http"
    )]
    PlainHttp,
    /// `user:password@`.
    #[error(
        "the URL must not contain a user name or password before the host; send them in the header Authorization"
    )]
    UserInfo,
    /// `#...`
    #[error("the URL must not contain a fragment (#...): it would never be sent")]
    Fragment,
    /// Port 0.
    #[error("the URL names port 0, on which nothing can listen")]
    PortZero,
    /// No host.
    #[error("the URL names no host")]
    NoHost,
    /// The host is a literal address that the guard refuses.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

#[cfg(test)]
mod tests;
