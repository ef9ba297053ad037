//! Sending one message to one target.

mod cause;
mod exchange;
mod fetch;

pub use cause::Cause;
pub use fetch::Fetch;

use crate::body::Incomplete;
use crate::connection::Connection;
use crate::connector::{Connector, Progress, Way};
use crate::error::SendError;
use crate::guard::Guard;
use crate::headers;
use crate::memory::Places;
use crate::pool::{Place, Pool};
use crate::proxy::{Outbound, Proxy, ProxySettings, Route};
use crate::resolve::Resolver;
use crate::response::Response;
use crate::spelling::Spellings;
use crate::target::{HttpVersion, Message, Target};
use exchange::{Failure, Request};
use hitwire_event::ClientId;
use http::HeaderMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// Sends messages. Cheap to clone; clones share connections and TLS sessions.
#[derive(Clone, Debug)]
pub struct Sender {
    connector: Arc<Connector>,
    pool: Pool,
    spellings: Spellings,
    http1_places: Places,
}

/// What became of a message.
#[derive(Debug)]
pub struct Sent {
    /// An answer of whatever status, complete at least to the end of its headers, or why there is none.
    pub outcome: Result<Response, SendError>,
    /// How long each part took.
    pub timings: Timings,
    /// The address that was used, tried, or refused by the guard; none if it did not come to that.
    pub address: Option<SocketAddr>,
    /// The connection had been used before.
    pub reused: bool,
    /// Of the response.
    pub http_version: Option<http::Version>,
    /// The request's headers as they were sent, but for those of the connection; values that the user set are marked as
    /// sensitive. Empty if no request could be made of the settings.
    pub headers: HeaderMap,
}

/// How long each part took; none for a part that was not reached, or not needed on a reused connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Resolving the name.
    pub dns: Option<Duration>,
    /// The TCP connection.
    pub connect: Option<Duration>,
    /// The TLS handshake.
    pub tls: Option<Duration>,
    /// From the first byte of the request to the response's headers.
    pub first_byte: Option<Duration>,
    /// All of it.
    pub total: Duration,
}

/// What is known of an attempt while it goes on.
#[derive(Debug, Default)]
struct Trace {
    opening: Progress,
    first_byte: Option<Duration>,
    address: Option<SocketAddr>,
    reused: bool,
    http_version: Option<http::Version>,
}

impl Sender {
    /// A sender that dials what this guard lets pass, without a proxy.
    pub fn new(guard: Guard, resolver: Resolver) -> Sender {
        Sender::leaving(guard, resolver, Outbound::default())
    }

    /// The same, whose connections leave in this way.
    pub fn leaving(guard: Guard, resolver: Resolver, outbound: Outbound) -> Sender {
        Sender::with(Connector::new(guard, resolver, Arc::new(outbound)))
    }

    /// The same, with at most so many connections that are kept for the next request.
    #[must_use]
    pub fn keeping_at_most(mut self, connections: usize) -> Sender {
        self.pool = self.pool.keeping_at_most(connections);
        self
    }

    fn with(connector: Connector) -> Sender {
        Sender {
            connector: Arc::new(connector),
            pool: Pool::default(),
            spellings: Spellings::default(),
            http1_places: Places::wanting_http1(),
        }
    }

    /// Another one with the same guard and resolver, that has no connections and no TLS sessions yet, and remembers
    /// nothing: its first request meets the receiver as a stranger does, and finds out what has changed there.
    #[must_use]
    pub fn anew(&self) -> Sender {
        Sender::with(self.connector.anew())
    }

    /// The guard, for checking a URL before it is set up.
    pub fn guard(&self) -> &Guard {
        self.connector.guard()
    }

    /// How connections leave.
    pub fn outbound(&self) -> &Outbound {
        self.connector.outbound()
    }

    /// How many connections are kept for the next request. They are closed when unused for a minute.
    pub fn kept_connections(&self) -> usize {
        self.pool.len()
    }

    /// Sends once, on a kept connection or a new one. Must be called within a Tokio runtime with IO and time.
    ///
    /// A kept connection may turn out to have been closed by the receiver meanwhile. If nothing of a response came over it,
    /// the same request is sent once more, at once, on a new connection. The receiver may then have got it twice, which
    /// the common `webhook-id` tells it. The same happens once if a TLS session was resumed on a new connection.
    ///
    /// A receiver that answers over HTTP/2 that it wants HTTP/1.1 gets the request once more too, at once and in that version;
    /// and so do the next ones for a day.
    pub async fn send(&self, client: ClientId, target: &Target, message: Message) -> Sent {
        let begun = Instant::now();
        let mut trace = Trace::default();
        let (outcome, headers) = match self.request(client, target, &message) {
            Ok((url, route, request)) => {
                let way = Way { url: &url, target, route: &route };
                let outcome = self.attempt(client, way, &request, &mut trace).await;
                (outcome, request.into_headers())
            }
            Err(error) => (Err(error), HeaderMap::new()),
        };
        let Progress { address, dns, connect, tls, .. } = trace.opening;
        Sent {
            outcome,
            timings: Timings { dns, connect, tls, first_byte: trace.first_byte, total: begun.elapsed() },
            address: trace.address.or(address),
            reused: trace.reused,
            http_version: trace.http_version,
            headers,
        }
    }

    fn request(
        &self,
        client: ClientId,
        target: &Target,
        message: &Message,
    ) -> Result<(Url, Route, Request), SendError> {
        let url = self.connector.guard().check_url(client, &target.url)?;
        let own: Option<Proxy> = target.proxy.as_ref().map(ProxySettings::read).transpose()?;
        let route = self.outbound().route(&url, own);
        let headers = headers::request_headers(target, message)?;
        let request = Request::new(&url, target.method, headers, message)?;
        Ok((url, route, request.spelled(self.spellings.of(&target.headers))))
    }

    async fn attempt(
        &self,
        client: ClientId,
        way: Way<'_>,
        request: &Request,
        trace: &mut Trace,
    ) -> Result<Response, SendError> {
        let mut place = way.place(client);
        if self.http1_places.contains(&place) {
            place.http_version = HttpVersion::Http1;
        }
        match self.on_some_connection(&place, way, request, trace).await {
            Err(Failure { http1_required: true, error, .. }) if place.http_version == HttpVersion::Auto => {
                tracing::debug!(%error, "the receiver wants HTTP/1.1");
                self.http1_places.insert(&place);
                place.http_version = HttpVersion::Http1;
                *trace = Trace::default();
                self.on_some_connection(&place, way, request, trace).await
            }
            outcome => outcome,
        }
        .map_err(|failure| failure.error)
    }

    /// Sends on a kept connection; if there is none, or it is dead, on a new one.
    async fn on_some_connection(
        &self,
        place: &Place,
        way: Way<'_>,
        request: &Request,
        trace: &mut Trace,
    ) -> Result<Response, Failure> {
        let timeout = way.target.timeout;
        if let Some(connection) = self.kept(place) {
            trace.reused = true;
            match self.exchange(place, connection, request, timeout, trace).await {
                Err(Failure { error, unanswered: true, http1_required: false, .. }) => {
                    tracing::debug!(%error, "a kept connection was dead, trying a new one");
                }
                outcome => return outcome,
            }
            *trace = Trace::default();
        }
        let connection = self.connector.open(place, way, &mut trace.opening).await?;
        let meter = connection.meter().clone();
        match self.exchange(place, connection, request, timeout, trace).await {
            Err(Failure { error, unanswered: true, http1_required: false, .. })
                if meter.is_resumed_in_vain() =>
            {
                tracing::debug!(%error, "a resumed TLS session was refused, trying a handshake in full");
                self.connector.stop_resuming(place);
            }
            outcome => return outcome,
        }
        *trace = Trace::default();
        let connection = self.connector.open(place, way, &mut trace.opening).await?;
        self.exchange(place, connection, request, timeout, trace).await
    }

    /// A kept connection. It was judged when it was dialled, and is judged again: the address may have been allowed then
    /// and not be so any more.
    fn kept(&self, place: &Place) -> Option<Connection> {
        loop {
            let connection = self.pool.take(place)?;
            let peer = connection.peer();
            let judged = [peer.target, peer.judged_proxy].into_iter().flatten();
            let mut refusals =
                judged.filter_map(|address| self.guard().judge(place.client, address.ip()).err());
            let Some(refusal) = refusals.next() else { return Some(connection) };
            tracing::debug!(%refusal, "a kept connection is not used again");
            if let Connection::Http2(http2) = &connection {
                self.pool.retire(place, http2);
            }
            connection.close();
        }
    }

    /// One request and its response. The next connection goes to another address if this one is silent.
    async fn exchange(
        &self,
        place: &Place,
        connection: Connection,
        request: &Request,
        timeout: Duration,
        trace: &mut Trace,
    ) -> Result<Response, Failure> {
        let address = connection.peer().target;
        trace.address = address;
        let outcome = self.exchange_on(place, connection, request, timeout, trace).await;
        let Some(address) = address else { return outcome };
        match &outcome {
            // A kept connection that is found closed says nothing of its address.
            Err(Failure { unanswered: true, .. }) if trace.reused => {}
            Err(Failure { silent: true, .. }) => self.connector.failed().insert(place, address),
            Ok(_) if !trace.reused => self.connector.failed().remove(place, address),
            _ => {}
        }
        outcome
    }

    /// The same; keeps the connection if it can be used again.
    async fn exchange_on(
        &self,
        place: &Place,
        connection: Connection,
        request: &Request,
        timeout: Duration,
        trace: &mut Trace,
    ) -> Result<Response, Failure> {
        match connection {
            Connection::Http1(mut http1) => {
                let answer = exchange::over_http1(&mut http1, request, timeout).await?;
                trace.note(&answer);
                let connection = Connection::Http1(http1);
                // What was not read to its end cannot be used again; dropping it cuts it.
                if answer.ended && !connection.is_closed() {
                    self.pool.put(place, connection);
                }
                Ok(answer.response)
            }
            Connection::Http2(http2) => {
                if !trace.reused {
                    // Others to the same place may share it from now on, and while this request is under way.
                    self.pool.put(place, Connection::Http2(http2.clone()));
                }
                match exchange::over_http2(&http2, request, timeout).await {
                    Ok(answer) => {
                        trace.note(&answer);
                        match answer.response.incomplete {
                            // One response was broken off or left, the others go on.
                            None | Some(Incomplete::Reset { .. }) => {
                                self.pool.put(place, Connection::Http2(http2));
                            }
                            // It may have died in silence.
                            Some(_) => self.pool.retire(place, &http2),
                        }
                        Ok(answer.response)
                    }
                    Err(failure) => {
                        // A connection that has died in silence would fail every further request until it is closed.
                        self.pool.retire(place, &http2);
                        Err(failure)
                    }
                }
            }
        }
    }
}

impl Trace {
    fn note(&mut self, answer: &exchange::Answer) {
        self.first_byte = Some(answer.first_byte);
        self.http_version = Some(answer.http_version);
    }
}
