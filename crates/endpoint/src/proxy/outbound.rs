//! How connections leave this machine: through which proxy, from which address.

use super::settings::{Proxy, ProxyError, host_and_port};
use crate::guard::{Guard, Refusal};
use crate::tls::TlsIdentity;
use hitwire_event::ClientId;
use ipnet::IpNet;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpSocket, TcpStream};
use url::{Host, Url};

/// How connections leave this machine; the operator's.
#[derive(Clone, Debug, Default)]
pub struct Outbound {
    /// The proxy of targets that name none. It may be at an internal address.
    pub proxy: Option<Proxy>,
    /// Targets that are connected to without it.
    pub no_proxy: Vec<NoProxy>,
    /// Proxies, the installation's or a target's own, that are trusted to resolve and judge names by themselves. They may be at
    /// internal addresses.
    pub trusted: Vec<ProxyAddress>,
    /// Whom to trust when TLS is spoken with a proxy.
    pub proxy_tls: TlsIdentity,
    /// Connections to IPv4 addresses, proxies' included, leave from this one. None: the system chooses.
    pub source_v4: Option<Ipv4Addr>,
    /// The same for IPv6.
    pub source_v6: Option<Ipv6Addr>,
}

impl Outbound {
    /// The way to a target; `own`: the proxy that it names.
    pub(crate) fn route(&self, url: &Url, own: Option<Proxy>) -> Route {
        let is_own = own.is_some();
        let installations = || self.proxy.clone().filter(|_| !self.goes_directly(url));
        let Some(proxy) = own.or_else(installations) else { return Route::Direct };
        let trusted = self.trusts(&proxy);
        Route::Proxied(Arc::new(Proxied { proxy, is_own, trusted }))
    }

    /// Which proxy a target with this URL is sent to through, and whether that is trusted to resolve and judge by itself. `own`: the
    /// proxy that the target names.
    pub fn in_use(&self, url: &str, own: Option<&str>) -> (ProxyInUse, bool) {
        match (own, Url::parse(url)) {
            (Some(own), _) => {
                let trusted = Proxy::parse(own, None).is_ok_and(|proxy| self.trusts(&proxy));
                (ProxyInUse::Own, trusted)
            }
            (None, Ok(url)) => match self.route(&url, None) {
                Route::Direct => (ProxyInUse::None, false),
                Route::Proxied(proxied) => (ProxyInUse::Installation, proxied.trusted),
            },
            (None, Err(_)) => (ProxyInUse::None, false),
        }
    }

    /// Whether the operator trusts a proxy to resolve and judge by itself.
    pub fn trusts(&self, proxy: &Proxy) -> bool {
        self.trusted.iter().any(|trusted| trusted.host == proxy.host && trusted.port == proxy.port)
    }

    /// Whether a target of this client may name this proxy, as far as that is known before its name is resolved: an address is
    /// judged like a target's, unless the operator trusts the proxy.
    ///
    /// # Errors
    ///
    /// Why the guard refuses its address.
    pub fn judge(&self, guard: &Guard, client: ClientId, proxy: &Proxy) -> Result<(), Refusal> {
        match proxy.host {
            _ if self.trusts(proxy) => Ok(()),
            Host::Ipv4(address) => guard.judge(client, address.into()),
            Host::Ipv6(address) => guard.judge(client, address.into()),
            Host::Domain(_) => Ok(()),
        }
    }

    fn goes_directly(&self, url: &Url) -> bool {
        url.host().is_some_and(|host| self.no_proxy.iter().any(|entry| entry.covers(&host)))
    }

    /// A TCP connection, from the source address of its kind.
    pub(crate) async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let source = match address {
            SocketAddr::V4(_) => self.source_v4.map(IpAddr::from),
            SocketAddr::V6(_) => self.source_v6.map(IpAddr::from),
        };
        let Some(source) = source else { return TcpStream::connect(address).await };
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.bind(SocketAddr::new(source, 0))?;
        socket.connect(address).await
    }
}

/// Which proxy a target is sent to through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyInUse {
    /// None.
    None,
    /// The one that the target names.
    Own,
    /// The installation's.
    Installation,
}

impl ProxyInUse {
    /// All of them.
    pub const ALL: [ProxyInUse; 3] = [ProxyInUse::None, ProxyInUse::Own, ProxyInUse::Installation];

    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            ProxyInUse::None => "none",
            ProxyInUse::Own => "own",
            ProxyInUse::Installation => "installation",
        }
    }
}

/// A proxy's host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyAddress {
    host: Host<String>,
    port: u16,
}

impl ProxyAddress {
    /// Reads `proxy.example.com:3128`.
    ///
    /// # Errors
    ///
    /// Why it is none, in words for the operator.
    pub fn parse(text: &str) -> Result<ProxyAddress, ProxyAddressError> {
        if text.contains(['/', '@', '?', '#']) || text.contains(char::is_whitespace) {
            return Err(ProxyAddressError::Shape);
        }
        match host_and_port(text)? {
            (host, Some(port)) => Ok(ProxyAddress { host, port }),
            (_, None) => Err(ProxyAddressError::Shape),
        }
    }
}

impl fmt::Display for ProxyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Why a text is no [`ProxyAddress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyAddressError {
    /// Not `host:port`.
    #[error("a proxy's host and port are written as in proxy.example.com:3128")]
    Shape,
    /// A host or port that cannot be.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
}

/// Targets that are connected to without the installation's proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoProxy {
    /// URLs that name an address of this network. What a name leads to does not count.
    Network(IpNet),
    /// URLs that name this host.
    Host(String),
    /// URLs that name a host below this one: `.example.com`.
    Below(String),
}

impl NoProxy {
    /// Reads `10.0.0.0/8`, `10.1.2.3`, `siem.example.com` or `.example.com`.
    ///
    /// # Errors
    ///
    /// What it must be, in words for the operator.
    pub fn parse(text: &str) -> Result<NoProxy, String> {
        if let Ok(network) = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
            return Ok(NoProxy::Network(network));
        }
        let name = text.strip_prefix('.').unwrap_or(text);
        match host_and_port(name) {
            Ok((Host::Domain(host), None)) if !name.contains(['/', '@', '?', '#', ':']) => {
                Ok(if text.starts_with('.') { NoProxy::Below(host) } else { NoProxy::Host(host) })
            }
            _ => Err(format!(
                "\"{text}\" is no host, domain or network; write one as in siem.example.com, .example.com or 10.0.0.0/8"
            )),
        }
    }

    fn covers(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (NoProxy::Network(network), Host::Ipv4(address)) => network.contains(&IpAddr::from(*address)),
            (NoProxy::Network(network), Host::Ipv6(address)) => network.contains(&IpAddr::from(*address)),
            (NoProxy::Host(name), Host::Domain(host)) => {
                host.trim_end_matches('.') == name.trim_end_matches('.')
            }
            (NoProxy::Below(name), Host::Domain(host)) => {
                let above = host.trim_end_matches('.').strip_suffix(name.trim_end_matches('.'));
                above.is_some_and(|above| above.ends_with('.'))
            }
            _ => false,
        }
    }
}

impl fmt::Display for NoProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoProxy::Network(network) => network.fmt(f),
            NoProxy::Host(name) => f.write_str(name),
            NoProxy::Below(name) => write!(f, ".{name}"),
        }
    }
}

/// The way to a target.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    /// To its address.
    Direct,
    /// Through a proxy.
    Proxied(Arc<Proxied>),
}

/// A proxy, as a target is sent to through it.
#[derive(Debug)]
pub(crate) struct Proxied {
    pub(crate) proxy: Proxy,
    /// The target names it, not the operator.
    pub(crate) is_own: bool,
    /// It is asked for names, and judges what they lead to.
    pub(crate) trusted: bool,
}

impl Proxied {
    /// Whether the proxy's own address is judged: unless the operator named the proxy.
    pub(crate) fn is_judged(&self) -> bool {
        self.is_own && !self.trusted
    }
}

/// The same for connections that may be shared as far as the way is concerned: SHA-256 of all that is known of the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ProxyKey([u8; 32]);

impl Route {
    /// None: directly.
    pub(crate) fn key(&self) -> Option<ProxyKey> {
        let Route::Proxied(proxied) = self else { return None };
        let Proxied { proxy, is_own, trusted } = &**proxied;
        let mut hash = Sha256::new();
        let url = proxy.url();
        let credentials = proxy.credentials();
        for part in [Some(url.as_str()), credentials.as_ref().map(|it| it.as_str())] {
            let part = part.unwrap_or_default();
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.update([u8::from(*is_own), u8::from(*trusted), u8::from(credentials.is_some())]);
        Some(ProxyKey(hash.finalize().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(url: &str) -> Proxy {
        Proxy::parse(url, None).expect("a proxy")
    }

    fn outbound(no_proxy: &[&str], trusted: &[&str]) -> Outbound {
        Outbound {
            proxy: Some(proxy("http://proxy.example.com:3128")),
            no_proxy: no_proxy.iter().map(|text| NoProxy::parse(text).expect("an entry")).collect(),
            trusted: trusted.iter().map(|text| ProxyAddress::parse(text).expect("an address")).collect(),
            ..Outbound::default()
        }
    }

    #[test]
    fn a_target_goes_through_its_own_proxy_or_the_installations_or_none() {
        let outbound = outbound(
            &["10.0.0.0/8", "siem.example.com", ".corp.example.com", "2001:db8::1"],
            &["own.example.com:1080"],
        );
        let of = |url: &str, own| outbound.in_use(url, own);
        assert_eq!(of("https://a.example/", None), (ProxyInUse::Installation, false));
        assert_eq!(of("https://a.example/", Some("socks5://own.example.com")), (ProxyInUse::Own, true));
        assert_eq!(of("https://10.1.2.3/", Some("socks5://own.example.com:9")), (ProxyInUse::Own, false));
        for direct in [
            "https://10.1.2.3/",
            "https://0x0a000001/",
            "https://siem.example.com:8443/",
            "https://SIEM.example.com./",
            "https://a.corp.example.com/",
            "https://[2001:db8::1]/",
        ] {
            assert_eq!(of(direct, None), (ProxyInUse::None, false), "{direct}");
        }
        for proxied in [
            "https://11.1.2.3/",
            "https://a.siem.example.com/",
            "https://corp.example.com/",
            "https://acorp.example.com/",
        ] {
            assert_eq!(of(proxied, None).0, ProxyInUse::Installation, "{proxied}");
        }
        assert_eq!(Outbound::default().in_use("https://a.example/", None), (ProxyInUse::None, false));
    }

    #[test]
    fn trust_is_by_host_and_port() {
        let outbound = outbound(&[], &["proxy.example.com:3128", "[2001:db8::1]:80"]);
        for (url, trusted) in [
            ("http://proxy.example.com:3128", true),
            ("socks5://user:password@proxy.example.com:3128", true),
            ("http://proxy.example.com:3129", false),
            ("http://a.proxy.example.com:3128", false),
            ("http://[2001:db8:0::1]", true),
        ] {
            assert_eq!(outbound.trusts(&proxy(url)), trusted, "{url}");
        }
    }

    #[test]
    fn entries_are_read_and_written_alike() {
        for text in ["10.0.0.0/8", "siem.example.com", ".example.com"] {
            assert_eq!(NoProxy::parse(text).expect(text).to_string(), text);
        }
        for wrong in ["", ".", "a b", "https://a.example", "a.example:443", "*"] {
            assert!(NoProxy::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            ProxyAddress::parse("Proxy.example.com:80").expect("an address").to_string(),
            "proxy.example.com:80"
        );
        for wrong in ["proxy.example.com", "http://proxy.example.com:80", "u@proxy.example.com:80", ":80", ""]
        {
            assert!(ProxyAddress::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn everything_about_a_proxy_counts_in_its_key() {
        let url = Url::parse("https://a.example/").expect("a URL");
        let key = |trusted: &[&str], own: &str| outbound(&[], trusted).route(&url, Some(proxy(own))).key();
        let all = [
            Outbound::default().route(&url, None).key(),
            outbound(&[], &[]).route(&url, None).key(),
            key(&[], "http://proxy.example.com:3128"),
            key(&["proxy.example.com:3128"], "http://proxy.example.com:3128"),
            key(&[], "https://proxy.example.com:3128"),
            key(&[], "socks5://proxy.example.com:3128"),
            key(&[], "http://proxy.example.com:3129"),
            key(&[], "http://a:b@proxy.example.com:3128"),
            key(&[], "http://a:c@proxy.example.com:3128"),
        ];
        for (i, one) in all.iter().enumerate() {
            for (j, other) in all.iter().enumerate() {
                assert_eq!(one == other, i == j, "{i} {j}");
            }
        }
        assert!(all[0].is_none());
    }
}
