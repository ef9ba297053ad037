//! Connections kept for the next request.

use crate::connection::{Connection, Http2};
use crate::proxy::{ProxyKey, Route};
use crate::target::{HttpVersion, Target};
use crate::tls::Fingerprint;
use hitwire_event::ClientId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// How long an unused connection is kept. Many servers close theirs after 60 to 75 s; to close first avoids sending into a
/// connection that is just being closed.
pub(crate) const IDLE_MAX: Duration = Duration::from_mins(1);

/// How often unused connections are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// Unused HTTP/1.1 connections kept to one place: an integration's two lanes.
const KEPT_PER_PLACE: usize = 2;

/// Connections kept in all. Each takes up to some 50 KiB, and a file descriptor.
const KEPT_MAX: usize = 1024;

/// What a connection can be used for: requests of the same client, with the same TLS identity, to the same server, on the same
/// way.
/// Anything less would let one user's requests travel on a connection that another user's credentials opened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) client: ClientId,
    pub(crate) identity: Fingerprint,
    pub(crate) https: bool,
    /// As in the URL, normalised; an IPv6 address in brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// None: without a proxy.
    pub(crate) proxy: Option<ProxyKey>,
    /// An HTTP/2 connection is not for those who want HTTP/1.1.
    pub(crate) http_version: HttpVersion,
}

impl Place {
    /// Where this client's requests to a target go; `url` is the target's, `route` the way there.
    pub(crate) fn of(client: ClientId, target: &Target, url: &Url, route: &Route) -> Place {
        Place {
            client,
            identity: target.tls.fingerprint(),
            https: url.scheme() == "https",
            host: url.host_str().unwrap_or_default().to_owned(),
            port: url.port_or_known_default().unwrap_or_default(),
            proxy: route.key(),
            http_version: target.http_version,
        }
    }
}

/// The connections that are kept. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    kept: Arc<Mutex<Kept>>,
    kept_max: usize,
}

impl Default for Pool {
    fn default() -> Self {
        Pool { kept: Arc::default(), kept_max: KEPT_MAX }
    }
}

impl Pool {
    /// The same with another bound.
    pub(crate) fn keeping_at_most(self, connections: usize) -> Pool {
        Pool { kept_max: connections, ..self }
    }
}

#[derive(Debug, Default)]
struct Kept {
    places: HashMap<Place, Vec<Entry>>,
    /// In all places.
    entries: usize,
    /// A task sweeps; it ends when nothing is kept.
    swept: bool,
}

/// A connection; an HTTP/2 connection stays here also while it is used.
#[derive(Debug)]
struct Entry {
    connection: Connection,
    used: Instant,
}

impl Entry {
    fn is_in_use(&self) -> bool {
        matches!(&self.connection, Connection::Http2(http2) if Arc::strong_count(http2) > 1)
    }

    fn is_worn(&self, now: Instant) -> bool {
        self.connection.is_closed() || (!self.is_in_use() && now.duration_since(self.used) >= IDLE_MAX)
    }
}

impl Pool {
    /// A connection to this place, the one used last. HTTP/1.1 leaves the pool, HTTP/2 is shared.
    pub(crate) fn take(&self, place: &Place) -> Option<Connection> {
        let now = Instant::now();
        let mut worn = Vec::new();
        let taken = {
            let mut kept = self.lock();
            let entries = kept.places.get_mut(place)?;
            let before = entries.len();
            worn.extend(entries.extract_if(.., |entry| entry.is_worn(now)));
            let taken = match entries.last_mut() {
                Some(Entry { connection: Connection::Http2(http2), used }) => {
                    *used = now;
                    Some(Connection::Http2(http2.clone()))
                }
                _ => entries.pop().map(|entry| entry.connection),
            };
            let gone = before - entries.len();
            if entries.is_empty() {
                kept.places.remove(place);
            }
            kept.entries -= gone;
            taken
        };
        close(worn);
        taken
    }

    /// Keeps a connection for the next request to this place.
    pub(crate) fn put(&self, place: &Place, connection: Connection) {
        let now = Instant::now();
        let mut surplus = Vec::new();
        {
            let mut kept = self.lock();
            if let Connection::Http2(http2) = &connection
                && let Some(entry) = kept.places.get_mut(place).and_then(|entries| find(entries, http2))
            {
                entry.used = now;
                return;
            }
            if kept.entries >= self.kept_max {
                surplus.extend(kept.remove_oldest());
            }
            let kept = &mut *kept;
            let entries = kept.places.entry(place.clone()).or_default();
            if entries.len() >= KEPT_PER_PLACE {
                surplus.push(entries.remove(0));
                kept.entries -= 1;
            }
            entries.push(Entry { connection, used: now });
            kept.entries += 1;
            if !kept.swept {
                kept.swept = true;
                tokio::spawn(sweep(Arc::downgrade(&self.kept)));
            }
        }
        close(surplus);
    }

    /// Takes an HTTP/2 connection out for good: it has failed a request. Those that still use it may finish.
    pub(crate) fn retire(&self, place: &Place, http2: &Arc<Http2>) {
        let mut kept = self.lock();
        let Some(entries) = kept.places.get_mut(place) else { return };
        let before = entries.len();
        entries.retain(|entry| !is(entry, http2));
        let gone = before - entries.len();
        if entries.is_empty() {
            kept.places.remove(place);
        }
        kept.entries -= gone;
    }

    /// How many connections are kept.
    pub(crate) fn len(&self) -> usize {
        self.lock().entries
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn remove_worn(&mut self, now: Instant) -> Vec<Entry> {
        let mut worn = Vec::new();
        self.places.retain(|_, entries| {
            worn.extend(entries.extract_if(.., |entry| entry.is_worn(now)));
            !entries.is_empty()
        });
        self.entries -= worn.len();
        worn
    }

    /// The connection that was used longest ago. Looks at all of them, which is done only when the pool is full.
    fn remove_oldest(&mut self) -> Option<Entry> {
        // Within a place the first entry is the oldest.
        let oldest = self.places.iter().min_by_key(|(_, entries)| entries.first().map(|entry| entry.used));
        let place = oldest?.0.clone();
        let entries = self.places.get_mut(&place)?;
        let entry = entries.remove(0);
        if entries.is_empty() {
            self.places.remove(&place);
        }
        self.entries -= 1;
        Some(entry)
    }
}

fn is(entry: &Entry, http2: &Arc<Http2>) -> bool {
    matches!(&entry.connection, Connection::Http2(kept) if Arc::ptr_eq(kept, http2))
}

fn find<'a>(entries: &'a mut [Entry], http2: &Arc<Http2>) -> Option<&'a mut Entry> {
    entries.iter_mut().find(|entry| is(entry, http2))
}

/// Outside the lock: saying goodbye spawns tasks.
fn close(entries: Vec<Entry>) {
    for entry in entries {
        entry.connection.close();
    }
}

/// Sweeps as long as there is something to sweep, and a pool.
async fn sweep(kept: Weak<Mutex<Kept>>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let Some(kept) = kept.upgrade() else { return };
        let (worn, done) = {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            let worn = kept.remove_worn(Instant::now());
            kept.swept = kept.entries > 0;
            (worn, !kept.swept)
        };
        close(worn);
        if done {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Peer;
    use crate::stream::Stream;
    use crate::tls::TlsIdentity;
    use crate::transport::Transport;
    use std::net::SocketAddr;
    use tokio::net::{TcpListener, TcpStream};

    /// Accepts connections and holds them open.
    async fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.push(stream);
            }
        });
        address
    }

    async fn connection(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).await.unwrap();
        Connection::begin(Stream::plain(Transport::Tcp(stream)), Peer::direct(address)).await.unwrap()
    }

    fn place(port: u16) -> Place {
        let identity = TlsIdentity::default().fingerprint();
        let (client, host) = (ClientId(1), "a.example".to_owned());
        Place { client, identity, https: false, host, port, proxy: None, http_version: HttpVersion::Auto }
    }

    fn bounded(kept_max: usize) -> Pool {
        Pool { kept: Arc::default(), kept_max }
    }

    fn assert_counted(pool: &Pool) {
        let kept = pool.lock();
        assert_eq!(kept.entries, kept.places.values().map(Vec::len).sum::<usize>());
        assert!(kept.places.values().all(|entries| !entries.is_empty()), "an empty place is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_pool_gives_up_the_connection_unused_longest() {
        let address = server().await;
        let pool = bounded(3);
        for port in 1..=5 {
            pool.put(&place(port), connection(address).await);
            tokio::time::advance(Duration::from_millis(10)).await;
            assert_counted(&pool);
        }
        assert_eq!(pool.len(), 3);
        let kept: Vec<u16> = (1..=5).filter(|&port| pool.take(&place(port)).is_some()).collect();
        assert_eq!(kept, [3, 4, 5]);
        assert_counted(&pool);
        assert_eq!(pool.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_keeps_two_and_hands_out_the_one_used_last() {
        let address = server().await;
        let pool = bounded(10);
        for _ in 0..4 {
            pool.put(&place(1), connection(address).await);
            tokio::time::advance(Duration::from_secs(20)).await;
            assert_counted(&pool);
        }
        assert_eq!(pool.len(), KEPT_PER_PLACE);
        // The older of the two has been unused for 40 s, then 60 s.
        assert!(pool.take(&place(1)).is_some());
        tokio::time::advance(Duration::from_secs(20)).await;
        assert!(pool.take(&place(1)).is_none(), "too old");
        assert_counted(&pool);
    }

    #[tokio::test(start_paused = true)]
    async fn the_sweep_ends_with_the_last_connection_and_begins_again_with_the_next() {
        let address = server().await;
        let pool = bounded(10);
        for _ in 0..2 {
            pool.put(&place(1), connection(address).await);
            assert!(pool.lock().swept);
            tokio::time::sleep(IDLE_MAX + SWEEP_EVERY * 2).await;
            assert_eq!(pool.len(), 0);
            assert!(!pool.lock().swept);
        }
    }
}
