//! A new connection: resolve, judge, connect to a judged address, shake hands.

use crate::connection::{Connection, Peer};
use crate::descriptors;
use crate::error::{Phase, SendError};
use crate::guard::Guard;
use crate::memory::FailedAddresses;
use crate::pool::Place;
use crate::proxy::{Aim, Outbound, Proxied, ProxyFault, ProxyName, Route, through};
use crate::resolve::Resolver;
use crate::stream::Stream;
use crate::target::{HttpVersion, Target};
use crate::tls::{ClientAuth, Configs, Handshake, TlsProblem};
use crate::transport::Transport;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hitwire_event::ClientId;
use rustls_pki_types::ServerName;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};

/// How many addresses of one name are tried.
const ADDRESSES_TRIED: usize = 8;

/// How long an address is waited for alone before the next is tried beside it (RFC 8305 names this value).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// Opens connections.
#[derive(Debug)]
pub(crate) struct Connector {
    guard: Guard,
    resolver: Resolver,
    tls: Configs,
    failed: FailedAddresses,
    outbound: Arc<Outbound>,
}

/// A target, and the way to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way<'a> {
    /// The target's, as the guard has read it.
    pub(crate) url: &'a Url,
    pub(crate) target: &'a Target,
    pub(crate) route: &'a Route,
}

impl Way<'_> {
    /// Where this client's requests go.
    pub(crate) fn place(&self, client: ClientId) -> Place {
        Place::of(client, self.target, self.url, self.route)
    }
}

/// A connection that carries the target's bytes, before TLS with the target.
struct Dialled {
    transport: Transport,
    peer: Peer,
}

/// How far a connection has come; what is left of it when a timeout ends it.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) phase: Phase,
    /// The target's address that is tried, then the one that is connected; or the one that the guard refused. None while a proxy
    /// is reached.
    pub(crate) address: Option<SocketAddr>,
    pub(crate) dns: Option<Duration>,
    pub(crate) connect: Option<Duration>,
    pub(crate) tls: Option<Duration>,
}

impl Default for Progress {
    fn default() -> Self {
        Progress { phase: Phase::Resolve, address: None, dns: None, connect: None, tls: None }
    }
}

impl Connector {
    pub(crate) fn new(guard: Guard, resolver: Resolver, outbound: Arc<Outbound>) -> Connector {
        Connector { guard, resolver, tls: Configs::new(), failed: FailedAddresses::default(), outbound }
    }

    /// The same, without TLS sessions and without what is remembered of addresses.
    pub(crate) fn anew(&self) -> Connector {
        Connector::new(self.guard.clone(), self.resolver.clone(), Arc::clone(&self.outbound))
    }

    pub(crate) fn outbound(&self) -> &Outbound {
        &self.outbound
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Resumes no more TLS sessions at this place for half a day.
    pub(crate) fn stop_resuming(&self, place: &Place) {
        self.tls.stop_resuming(place);
    }

    /// The addresses that are tried after the others.
    pub(crate) fn failed(&self) -> &FailedAddresses {
        &self.failed
    }

    /// Opens a connection within the target's open timeout. An address that fails, or is being tried when the time is up, is
    /// tried after the others of its name next time.
    pub(crate) async fn open(
        &self,
        place: &Place,
        way: Way<'_>,
        progress: &mut Progress,
    ) -> Result<Connection, SendError> {
        let after = way.target.open_timeout;
        let opened = match tokio::time::timeout(after, self.dial(place, way, progress)).await {
            Ok(result) => result,
            Err(_) => Err(SendError::OpenTimeout { phase: progress.phase, address: progress.address, after }),
        };
        // Refused connections, and those that a proxy did not make, have been noted one by one.
        let is_noted = matches!(opened, Err(SendError::Connect { .. } | SendError::Proxy { .. }));
        if let (Err(_), Some(address), false) = (&opened, progress.address, is_noted) {
            self.failed.insert(place, address);
        }
        opened
    }

    async fn dial(
        &self,
        place: &Place,
        way: Way<'_>,
        progress: &mut Progress,
    ) -> Result<Connection, SendError> {
        let Dialled { transport, peer } = match way.route {
            Route::Direct => self.dial_directly(place, way.url, progress).await?,
            Route::Proxied(proxied) => self.dial_through(place, way.url, proxied, progress).await?,
        };
        let address = peer.target;
        progress.address = address;
        let stream = if place.https {
            progress.phase = Phase::Tls;
            let begun = Instant::now();
            let stream = self.shake_hands(place, way, transport, peer).await;
            let stream = stream.map_err(|problem| SendError::Tls { address, problem })?;
            progress.tls = Some(begun.elapsed());
            stream
        } else {
            Stream::plain(transport)
        };
        let meter = stream.meter();
        let begun = Connection::begin(stream, peer).await;
        begun.map_err(|error| SendError::of_exchange(&error, Phase::Headers, &meter, address))
    }

    async fn dial_directly(
        &self,
        place: &Place,
        url: &Url,
        progress: &mut Progress,
    ) -> Result<Dialled, SendError> {
        let addresses = self.judged_addresses(place, url, progress).await?;
        progress.phase = Phase::Connect;
        progress.address = addresses.first().copied();
        let begun = Instant::now();
        let refused = |address| self.failed.insert(place, address);
        let connected = connect_first(&self.outbound, &addresses, refused).await;
        let (tcp, address) = connected.map_err(|failed| match failed {
            Unconnected::Descriptors => SendError::Descriptors,
            Unconnected::Refused(address, source) => {
                SendError::Connect { address, others: addresses.len() - 1, source }
            }
            Unconnected::NoAddress => SendError::Url(crate::UrlError::NoHost),
        })?;
        progress.connect = Some(begun.elapsed());
        Ok(Dialled { transport: Transport::Tcp(tcp), peer: Peer::direct(address) })
    }

    /// Through a proxy to the target: to an address that was judged here; or to its name, if the proxy is trusted. An address that
    /// the proxy cannot connect to makes room for the next.
    async fn dial_through(
        &self,
        place: &Place,
        url: &Url,
        proxied: &Proxied,
        progress: &mut Progress,
    ) -> Result<Dialled, SendError> {
        let aims = match url.host() {
            // A literal address was judged with the URL, and is again here.
            Some(Host::Domain(name)) if proxied.trusted => vec![Aim::Name(name.to_owned(), place.port)],
            _ => self.judged_addresses(place, url, progress).await?.into_iter().map(Aim::Judged).collect(),
        };
        let begun = Instant::now();
        let name = || ProxyName::of(proxied);
        let mut first_fault = None;
        for aim in aims {
            let (transport, proxy) = self.reach(place.client, proxied, progress).await?;
            progress.phase = Phase::ProxyTunnel;
            progress.address = aim.address();
            let fault = match through(&proxied.proxy, transport, &aim).await {
                Ok(transport) => {
                    progress.connect = Some(begun.elapsed());
                    let judged_proxy = proxied.is_judged().then_some(proxy);
                    return Ok(Dialled { transport, peer: Peer { target: aim.address(), judged_proxy } });
                }
                Err(fault) => fault,
            };
            if !fault.is_of_the_address() {
                return Err(SendError::Proxy { proxy: name(), fault });
            }
            if let Some(address) = aim.address() {
                self.failed.insert(place, address);
            }
            first_fault.get_or_insert(fault);
        }
        Err(match first_fault {
            Some(fault) => SendError::Proxy { proxy: name(), fault },
            None => SendError::Url(crate::UrlError::NoHost),
        })
    }

    /// A connection to a proxy itself, whose address is judged unless the operator named the proxy.
    async fn reach(
        &self,
        client: ClientId,
        proxied: &Proxied,
        progress: &mut Progress,
    ) -> Result<(Transport, SocketAddr), SendError> {
        let proxy = &proxied.proxy;
        let fault = |fault| SendError::Proxy { proxy: ProxyName::of(proxied), fault };
        progress.phase = Phase::ProxyResolve;
        progress.address = None;
        let addresses = match &proxy.host {
            Host::Ipv4(address) => vec![IpAddr::from(*address)],
            Host::Ipv6(address) => vec![IpAddr::from(*address)],
            Host::Domain(name) => {
                self.resolved(client, name).await?.map_err(|detail| fault(ProxyFault::Resolve(detail)))?
            }
        };
        if proxied.is_judged() {
            for &address in &addresses {
                if let Err(refusal) = self.guard.judge(client, address) {
                    progress.address = Some(SocketAddr::new(address, proxy.port));
                    return Err(fault(ProxyFault::Guard(refusal)));
                }
            }
        }
        progress.phase = Phase::ProxyConnect;
        let addresses: Vec<SocketAddr> = interleaved(&addresses)
            .take(ADDRESSES_TRIED)
            .map(|address| SocketAddr::new(address, proxy.port))
            .collect();
        let connected = connect_first(&self.outbound, &addresses, |_| {}).await;
        let (tcp, address) = connected.map_err(|failed| match failed {
            Unconnected::Descriptors => SendError::Descriptors,
            Unconnected::Refused(_, error) => fault(ProxyFault::Connect(error)),
            Unconnected::NoAddress => fault(ProxyFault::Resolve("the name has no address".to_owned())),
        })?;
        if !proxy.is_tls() {
            return Ok((Transport::Tcp(tcp), address));
        }
        progress.phase = Phase::ProxyTls;
        let stream = self.shake_hands_with_proxy(client, proxied, tcp).await;
        let stream = stream.map_err(|problem| fault(ProxyFault::Tls(problem)))?;
        Ok((Transport::Tls(Box::new(stream)), address))
    }

    async fn shake_hands_with_proxy(
        &self,
        client: ClientId,
        proxied: &Proxied,
        tcp: TcpStream,
    ) -> Result<TlsStream<Transport>, TlsProblem> {
        let proxy = &proxied.proxy;
        let place = Place {
            client,
            identity: self.outbound.proxy_tls.fingerprint(),
            https: true,
            host: proxy.host.to_string(),
            port: proxy.port,
            proxy: None,
            http_version: HttpVersion::Http1,
        };
        let identity = self.tls.get(&place, &self.outbound.proxy_tls)?;
        let name = server_name(&proxy.host).ok_or_else(no_certificate_name)?;
        let handshake = identity.handshake(false);
        Ok(handshaken(&handshake, place.http_version, name, Transport::Tcp(tcp)).await?.0)
    }

    /// The addresses of a name; or, in the system's words, why there are none.
    async fn resolved(&self, client: ClientId, name: &str) -> Result<Result<Vec<IpAddr>, String>, SendError> {
        match self.resolver.resolve(client, name).await {
            Ok(addresses) => Ok(Ok(addresses.to_vec())),
            // The system's resolver needs descriptors too, and does not say that it had none.
            Err(_) if descriptors::none_left() => Err(SendError::Descriptors),
            Err(unresolved) => Ok(Err(unresolved.to_string())),
        }
    }

    /// The addresses of the target's host, each of them judged. One bad address refuses all: a name that leads inside now
    /// and then is not to be trusted.
    async fn judged_addresses(
        &self,
        place: &Place,
        url: &Url,
        progress: &mut Progress,
    ) -> Result<Vec<SocketAddr>, SendError> {
        let (name, addresses) = match url.host() {
            Some(Host::Ipv4(address)) => (None, vec![IpAddr::from(address)]),
            Some(Host::Ipv6(address)) => (None, vec![IpAddr::from(address)]),
            Some(Host::Domain(name)) => {
                let begun = Instant::now();
                let found = self.resolved(place.client, name).await;
                progress.dns = Some(begun.elapsed());
                let found = found?.map_err(|detail| SendError::Resolve { host: name.to_owned(), detail })?;
                (Some(name), found)
            }
            None => return Err(SendError::Url(crate::UrlError::NoHost)),
        };
        for &address in &addresses {
            if let Err(refusal) = self.guard.judge(place.client, address) {
                progress.address = Some(SocketAddr::new(address, place.port));
                return Err(SendError::Guard { host: name.map(str::to_owned), refusal });
            }
        }
        let addresses = interleaved(&addresses).map(|address| SocketAddr::new(address, place.port));
        let mut addresses: Vec<SocketAddr> = addresses.collect();
        self.failed.put_last(place, &mut addresses);
        addresses.truncate(ADDRESSES_TRIED);
        Ok(addresses)
    }

    /// The TLS handshake. If a session was offered and the receiver does not go on from there, a handshake is made in full, at
    /// once, on another connection to the same address.
    async fn shake_hands(
        &self,
        place: &Place,
        way: Way<'_>,
        transport: Transport,
        peer: Peer,
    ) -> Result<Stream, TlsProblem> {
        let identity = self.tls.get(place, &way.target.tls)?;
        let name = way.url.host().and_then(|host| server_name(&host)).ok_or_else(no_certificate_name)?;
        let handshake = identity.handshake(self.tls.may_resume(place));
        let problem = match handshaken(&handshake, place.http_version, name.clone(), transport).await {
            Ok((stream, auth)) => return Ok(Stream::tls(stream, auth)),
            Err(problem) => problem,
        };
        // A certificate came, so the session was declined, as any server may, and the handshake was in full already.
        if !handshake.has_offered_a_session() || matches!(problem, TlsProblem::Certificate(_)) {
            return Err(problem);
        }
        tracing::debug!(?peer, %problem, "a TLS session was not resumed, trying a handshake in full");
        let Some(transport) = self.dial_again(place, way, peer).await else { return Err(problem) };
        let handshake = identity.handshake(false);
        let (stream, auth) = handshaken(&handshake, place.http_version, name, transport).await?;
        self.tls.stop_resuming(place);
        Ok(Stream::tls(stream, auth))
    }

    /// Another connection on the same way to the same address.
    async fn dial_again(&self, place: &Place, way: Way<'_>, peer: Peer) -> Option<Transport> {
        match (way.route, peer.target) {
            (Route::Direct, Some(address)) => {
                Some(Transport::Tcp(connect(&self.outbound, address).await.ok()?))
            }
            (Route::Direct, None) => None,
            (Route::Proxied(proxied), address) => {
                let name = || Some(Aim::Name(way.url.host_str()?.to_owned(), place.port));
                let aim = address.map(Aim::Judged).or_else(name)?;
                let mut progress = Progress::default();
                let (transport, _) = self.reach(place.client, proxied, &mut progress).await.ok()?;
                through(&proxied.proxy, transport, &aim).await.ok()
            }
        }
    }
}

fn no_certificate_name() -> TlsProblem {
    TlsProblem::Other { detail: "the host of the URL cannot be the name of a certificate".to_owned() }
}

async fn handshaken(
    handshake: &Handshake,
    version: HttpVersion,
    name: ServerName<'static>,
    transport: Transport,
) -> Result<(TlsStream<Transport>, ClientAuth), TlsProblem> {
    let own = handshake.config.client_auth_cert_resolver.has_certs();
    let connector = TlsConnector::from(handshake.config.clone());
    let connecting = match version {
        HttpVersion::Auto => connector.connect(name, transport),
        HttpVersion::Http1 => connector.with_alpn(vec![b"http/1.1".to_vec()]).connect(name, transport),
    };
    let (stream, auth) = ClientAuth::watch(own, connecting).await;
    match stream {
        Ok(stream) => Ok((stream, auth)),
        Err(error) => Err(TlsProblem::of_io(&error, auth)),
    }
}

/// The name that the server's certificate must be valid for.
fn server_name<S: AsRef<str>>(host: &Host<S>) -> Option<ServerName<'static>> {
    match host {
        // A name's final dot says that it is complete; certificates are written without.
        Host::Domain(name) => ServerName::try_from(name.as_ref().trim_end_matches('.').to_owned()).ok(),
        Host::Ipv4(address) => Some(ServerName::from(IpAddr::from(*address))),
        Host::Ipv6(address) => Some(ServerName::from(IpAddr::from(*address))),
    }
}

/// The addresses, IPv6 and IPv4 by turns, beginning with the kind that the resolver put first: one kind that
/// leads nowhere must not use up all tries.
fn interleaved(addresses: &[IpAddr]) -> impl Iterator<Item = IpAddr> {
    let first_is_v6 = addresses.first().is_some_and(IpAddr::is_ipv6);
    let (first, second): (Vec<IpAddr>, Vec<IpAddr>) =
        addresses.iter().partition(|address| address.is_ipv6() == first_is_v6);
    let turns = first.len().max(second.len());
    (0..turns).flat_map(move |turn| [first.get(turn).copied(), second.get(turn).copied()]).flatten()
}

/// Why there is no TCP connection.
enum Unconnected {
    /// hitwire had no file descriptor left.
    Descriptors,
    /// The first address that failed, and what the system says.
    Refused(SocketAddr, io::Error),
    /// There was no address.
    NoAddress,
}

/// Connects to the first address that answers. The next one is tried as soon as one fails, or beside it after a while.
/// Each address that fails is told of.
async fn connect_first(
    outbound: &Outbound,
    addresses: &[SocketAddr],
    refused: impl Fn(SocketAddr),
) -> Result<(TcpStream, SocketAddr), Unconnected> {
    let mut waiting = addresses.iter().copied();
    let mut tries = FuturesUnordered::new();
    let mut failed: Option<(SocketAddr, io::Error)> = None;
    let mut shortage = false;
    loop {
        let next = waiting.next();
        let more = next.is_some();
        tries.extend(next.map(|address| async move { (address, connect(outbound, address).await) }));
        tokio::select! {
            ended = tries.next() => match ended {
                Some((address, Ok(stream))) => return Ok((stream, address)),
                Some((address, Err(error))) => {
                    // A shortage of our own says nothing about the address.
                    if descriptors::is_shortage(&error) {
                        shortage = true;
                    } else {
                        refused(address);
                    }
                    failed = failed.or(Some((address, error)));
                }
                None => break,
            },
            () = tokio::time::sleep(NEXT_ADDRESS_AFTER), if more => {}
        }
    }
    Err(match failed {
        Some(_) if shortage => Unconnected::Descriptors,
        Some((address, error)) => Unconnected::Refused(address, error),
        None => Unconnected::NoAddress,
    })
}

async fn connect(outbound: &Outbound, address: SocketAddr) -> io::Result<TcpStream> {
    let stream = outbound.connect(address).await?;
    // A request leaves in one piece; to wait for more would only delay its end.
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn both_kinds_of_addresses_are_tried_by_turns_beginning_with_the_resolvers_choice() {
        let order: Vec<IpAddr> = interleaved(&addresses(&[
            "2001:4860::1",
            "2001:4860::2",
            "2001:4860::3",
            "192.0.2.1",
            "192.0.2.2",
        ]))
        .collect();
        assert_eq!(
            order,
            addresses(&["2001:4860::1", "192.0.2.1", "2001:4860::2", "192.0.2.2", "2001:4860::3"])
        );
        let order: Vec<IpAddr> = interleaved(&addresses(&["192.0.2.1", "2001:4860::1"])).collect();
        assert_eq!(order, addresses(&["192.0.2.1", "2001:4860::1"]));
    }

    proptest! {
        #[test]
        fn each_address_has_its_turn_once(found in proptest::collection::hash_set(any::<IpAddr>(), 0..20)) {
            let found: Vec<IpAddr> = found.into_iter().collect();
            let order: Vec<IpAddr> = interleaved(&found).collect();
            prop_assert_eq!(order.len(), found.len());
            for (index, address) in order.iter().enumerate() {
                prop_assert!(found.contains(address));
                prop_assert!(!order[..index].contains(address));
            }
        }
    }

    #[test]
    fn a_certificate_is_checked_against_the_host_without_its_final_dot() {
        for (url, name) in [
            ("https://hooks.example./", "hooks.example"),
            ("https://HOOKS.example:8443/", "hooks.example"),
            ("https://[2001:4860::1]/", "2001:4860::1"),
            ("https://0x7f.1/", "127.0.0.1"),
        ] {
            let parsed = server_name(&Url::parse(url).unwrap().host().unwrap()).unwrap();
            assert_eq!(parsed.to_str(), name);
        }
    }
}
