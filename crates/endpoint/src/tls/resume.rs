//! Resuming TLS sessions, and where it is not tried.
//!
//! A resumed session saves a round trip and the certificates. But some servers offer tickets and then break off when one is
//! used: those on OpenSSL that ask for client certificates without setting a session id context, for one. To such a server
//! every handshake is made in full, after one resumption has failed there.

use crate::pool::Place;
use rustls::NamedGroup;
use rustls::client::{ClientConfig, ClientSessionMemoryCache, ClientSessionStore, Resumption};
use rustls::client::{Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls_pki_types::ServerName;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// TLS sessions kept for resumption in one identity: for 16 servers, 8 tickets each.
const SESSIONS_KEPT: usize = 128;

/// How long resumption is not tried where it failed: a server that was mended is found out, at the price of one handshake.
const NOT_AGAIN_WITHIN: Duration = Duration::from_hours(12);

/// How many places are remembered; some 200 bytes each. One that is forgotten costs one failed handshake.
const PLACES_MAX: usize = 4096;

/// An identity ready for the TLS library, with the sessions that were kept for it.
#[derive(Debug)]
pub(crate) struct Prepared {
    config: ClientConfig,
    sessions: Arc<ClientSessionMemoryCache>,
}

impl Prepared {
    pub(super) fn new(config: ClientConfig) -> Prepared {
        Prepared { config, sessions: Arc::new(ClientSessionMemoryCache::new(SESSIONS_KEPT)) }
    }

    /// The configuration of one handshake. `resume`: a kept session may be offered.
    pub(crate) fn handshake(&self, resume: bool) -> Handshake {
        let sessions =
            Arc::new(Sessions { kept: self.sessions.clone(), resume, offered: AtomicBool::new(false) });
        let mut config = self.config.clone();
        config.resumption = Resumption::store(sessions.clone());
        Handshake { config: Arc::new(config), sessions }
    }
}

/// What one handshake is made with.
#[derive(Debug)]
pub(crate) struct Handshake {
    pub(crate) config: Arc<ClientConfig>,
    sessions: Arc<Sessions>,
}

impl Handshake {
    /// Whether a session was offered. Known as soon as the handshake has begun.
    pub(crate) fn has_offered_a_session(&self) -> bool {
        self.sessions.offered.load(Relaxed)
    }
}

/// The sessions of an identity, as one handshake sees them.
#[derive(Debug)]
struct Sessions {
    kept: Arc<ClientSessionMemoryCache>,
    resume: bool,
    offered: AtomicBool,
}

impl Sessions {
    fn noted<T>(&self, session: Option<T>) -> Option<T> {
        if session.is_some() {
            self.offered.store(true, Relaxed);
        }
        session
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, server_name: ServerName<'static>, group: NamedGroup) {
        self.kept.set_kx_hint(server_name, group);
    }

    fn kx_hint(&self, server_name: &ServerName<'_>) -> Option<NamedGroup> {
        self.kept.kx_hint(server_name)
    }

    fn set_tls12_session(&self, server_name: ServerName<'static>, value: Tls12ClientSessionValue) {
        if self.resume {
            self.kept.set_tls12_session(server_name, value);
        }
    }

    fn tls12_session(&self, server_name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.noted(self.resume.then(|| self.kept.tls12_session(server_name)).flatten())
    }

    fn remove_tls12_session(&self, server_name: &ServerName<'static>) {
        self.kept.remove_tls12_session(server_name);
    }

    fn insert_tls13_ticket(&self, server_name: ServerName<'static>, value: Tls13ClientSessionValue) {
        if self.resume {
            self.kept.insert_tls13_ticket(server_name, value);
        }
    }

    fn take_tls13_ticket(&self, server_name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.noted(self.resume.then(|| self.kept.take_tls13_ticket(server_name)).flatten())
    }
}

/// The places where resumption has failed.
#[derive(Debug, Default)]
pub(super) struct Failed(Mutex<HashMap<Place, Instant>>);

impl Failed {
    pub(super) fn contains(&self, place: &Place) -> bool {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match since.get(place) {
            Some(at) if at.elapsed() < NOT_AGAIN_WITHIN => true,
            Some(_) => {
                since.remove(place);
                false
            }
            None => false,
        }
    }

    pub(super) fn insert(&self, place: &Place) {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if since.len() >= PLACES_MAX && !since.contains_key(place) {
            let oldest = since.iter().min_by_key(|(_, at)| **at).map(|(place, _)| place.clone());
            if let Some(oldest) = oldest {
                since.remove(&oldest);
            }
        }
        since.insert(place.clone(), Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::HttpVersion;
    use crate::tls::TlsIdentity;
    use hitwire_event::ClientId;

    fn place(port: u16) -> Place {
        Place {
            client: ClientId(1),
            identity: TlsIdentity::default().fingerprint(),
            https: true,
            host: "a.example".to_owned(),
            port,
            http_version: HttpVersion::Auto,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_remembered_for_hours_and_then_tried_again() {
        let failed = Failed::default();
        assert!(!failed.contains(&place(1)));
        failed.insert(&place(1));
        tokio::time::advance(NOT_AGAIN_WITHIN / 2).await;
        assert!(failed.contains(&place(1)));
        assert!(!failed.contains(&place(2)), "another port is another server");
        tokio::time::advance(NOT_AGAIN_WITHIN / 2).await;
        assert!(!failed.contains(&place(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_of_places_is_bounded_and_the_oldest_goes_first() {
        let failed = Failed::default();
        for port in 0..=PLACES_MAX as u16 {
            failed.insert(&place(port));
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert!(!failed.contains(&place(0)));
        assert!(failed.contains(&place(1)));
        assert_eq!(failed.0.lock().unwrap().len(), PLACES_MAX);
    }
}
