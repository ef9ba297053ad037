//! A new connection: resolve, judge, connect to a judged address, shake hands.

use crate::connection::Connection;
use crate::descriptors;
use crate::error::{Phase, SendError};
use crate::guard::Guard;
use crate::memory::FailedAddresses;
use crate::pool::Place;
use crate::resolve::Resolver;
use crate::stream::Stream;
use crate::target::{HttpVersion, Target};
use crate::tls::{ClientAuth, Configs, Handshake, TlsProblem};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rustls_pki_types::ServerName;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
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
}

/// How far a connection has come; what is left of it when a timeout ends it.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) phase: Phase,
    /// The address that is tried, then the one that is connected; or the one that the guard refused.
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
    pub(crate) fn new(guard: Guard, resolver: Resolver) -> Connector {
        Connector { guard, resolver, tls: Configs::new(), failed: FailedAddresses::default() }
    }

    /// The same, without TLS sessions and without what is remembered of addresses.
    pub(crate) fn anew(&self) -> Connector {
        Connector::new(self.guard.clone(), self.resolver.clone())
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
        url: &Url,
        target: &Target,
        progress: &mut Progress,
    ) -> Result<Connection, SendError> {
        let opened =
            match tokio::time::timeout(target.open_timeout, self.dial(place, url, target, progress)).await {
                Ok(result) => result,
                Err(_) => Err(SendError::OpenTimeout {
                    phase: progress.phase,
                    address: progress.address,
                    after: target.open_timeout,
                }),
            };
        // Refused connections have been noted one by one.
        let is_noted = matches!(opened, Err(SendError::Connect { .. }));
        if let (Err(_), Some(address), false) = (&opened, progress.address, is_noted) {
            self.failed.insert(place, address);
        }
        opened
    }

    async fn dial(
        &self,
        place: &Place,
        url: &Url,
        target: &Target,
        progress: &mut Progress,
    ) -> Result<Connection, SendError> {
        let addresses = self.judged_addresses(place, url, progress).await?;
        progress.phase = Phase::Connect;
        progress.address = addresses.first().copied();
        let begun = Instant::now();
        let refused = |address| self.failed.insert(place, address);
        let (tcp, address) = connect_first(&addresses, refused).await?;
        progress.connect = Some(begun.elapsed());
        progress.address = Some(address);
        // A request leaves in one piece; to wait for more would only delay its end.
        tcp.set_nodelay(true).map_err(|source| SendError::Connect { address, others: 0, source })?;
        let stream = if place.https {
            progress.phase = Phase::Tls;
            let begun = Instant::now();
            let stream = self.shake_hands(place, url, target, tcp, address).await;
            let stream = stream.map_err(|problem| SendError::Tls { address, problem })?;
            progress.tls = Some(begun.elapsed());
            stream
        } else {
            Stream::plain(tcp)
        };
        let meter = stream.meter();
        let begun = Connection::begin(stream, address).await;
        begun.map_err(|error| SendError::of_exchange(&error, Phase::Headers, &meter, address))
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
                let found = self.resolver.resolve(place.client, name).await;
                progress.dns = Some(begun.elapsed());
                let found = found.map_err(|unresolved| {
                    // The system's resolver needs descriptors too, and does not say that it had none.
                    if descriptors::none_left() {
                        return SendError::Descriptors;
                    }
                    SendError::Resolve { host: name.to_owned(), detail: unresolved.to_string() }
                })?;
                (Some(name), found.to_vec())
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
        url: &Url,
        target: &Target,
        tcp: TcpStream,
        address: SocketAddr,
    ) -> Result<Stream, TlsProblem> {
        let identity = self.tls.get(place, &target.tls)?;
        let name = server_name(url).ok_or_else(|| TlsProblem::Other {
            detail: "the host of the URL cannot be the name of a certificate".to_owned(),
        })?;
        let handshake = identity.handshake(self.tls.may_resume(place));
        let problem = match handshaken(&handshake, place.http_version, name.clone(), tcp).await {
            Ok(stream) => return Ok(stream),
            Err(problem) => problem,
        };
        // A certificate came, so the session was declined, as any server may, and the handshake was in full already.
        if !handshake.has_offered_a_session() || matches!(problem, TlsProblem::Certificate(_)) {
            return Err(problem);
        }
        tracing::debug!(%address, %problem, "a TLS session was not resumed, trying a handshake in full");
        let Ok(tcp) = TcpStream::connect(address).await else { return Err(problem) };
        // That it is slower without does no harm.
        let _ = tcp.set_nodelay(true);
        let stream = handshaken(&identity.handshake(false), place.http_version, name, tcp).await?;
        self.tls.stop_resuming(place);
        Ok(stream)
    }
}

async fn handshaken(
    handshake: &Handshake,
    version: HttpVersion,
    name: ServerName<'static>,
    tcp: TcpStream,
) -> Result<Stream, TlsProblem> {
    let own = handshake.config.client_auth_cert_resolver.has_certs();
    let connector = TlsConnector::from(handshake.config.clone());
    let connecting = match version {
        HttpVersion::Auto => connector.connect(name, tcp),
        HttpVersion::Http1 => connector.with_alpn(vec![b"http/1.1".to_vec()]).connect(name, tcp),
    };
    let (stream, auth) = ClientAuth::watch(own, connecting).await;
    match stream {
        Ok(stream) => Ok(Stream::tls(stream, auth)),
        Err(error) => Err(TlsProblem::of_io(&error, auth)),
    }
}

/// The name that the server's certificate must be valid for.
fn server_name(url: &Url) -> Option<ServerName<'static>> {
    match url.host()? {
        // A name's final dot says that it is complete; certificates are written without.
        Host::Domain(name) => ServerName::try_from(name.trim_end_matches('.').to_owned()).ok(),
        Host::Ipv4(address) => Some(ServerName::from(IpAddr::from(address))),
        Host::Ipv6(address) => Some(ServerName::from(IpAddr::from(address))),
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

/// Connects to the first address that answers. The next one is tried as soon as one fails, or beside it after a while.
/// Each address that fails is told of.
async fn connect_first(
    addresses: &[SocketAddr],
    refused: impl Fn(SocketAddr),
) -> Result<(TcpStream, SocketAddr), SendError> {
    let mut waiting = addresses.iter().copied();
    let mut tries = FuturesUnordered::new();
    let mut failed: Option<(SocketAddr, io::Error)> = None;
    let mut shortage = false;
    loop {
        let next = waiting.next();
        let more = next.is_some();
        tries.extend(next.map(|address| async move { (address, TcpStream::connect(address).await) }));
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
        Some(_) if shortage => SendError::Descriptors,
        Some((address, source)) => SendError::Connect { address, others: addresses.len() - 1, source },
        None => SendError::Url(crate::UrlError::NoHost),
    })
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
            let parsed = server_name(&Url::parse(url).unwrap()).unwrap();
            assert_eq!(parsed.to_str(), name);
        }
    }
}
