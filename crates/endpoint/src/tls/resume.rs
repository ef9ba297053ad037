//! TLS sessions that are kept to be resumed.
//!
//! A resumed session saves a round trip and the certificates. But some servers offer tickets and then break off when one is
//! used: those on OpenSSL that ask for client certificates without setting a session id context, for one. To such a server
//! every handshake is made in full, after one resumption has failed there.

use rustls::NamedGroup;
use rustls::client::{ClientConfig, ClientSessionMemoryCache, ClientSessionStore, Resumption};
use rustls::client::{Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls_pki_types::ServerName;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// TLS sessions kept for resumption in one identity: for 16 servers, 8 tickets each.
const SESSIONS_KEPT: usize = 128;

/// An identity ready for the TLS library, with the sessions that were kept for it.
#[derive(Debug)]
pub(crate) struct Prepared {
    config: Arc<ClientConfig>,
    sessions: Arc<ClientSessionMemoryCache>,
}

impl Prepared {
    pub(super) fn new(config: Arc<ClientConfig>) -> Prepared {
        Prepared { config, sessions: Arc::new(ClientSessionMemoryCache::new(SESSIONS_KEPT)) }
    }

    #[cfg(test)]
    pub(super) fn share_configuration(one: &Prepared, other: &Prepared) -> bool {
        Arc::ptr_eq(&one.config, &other.config)
    }

    /// The configuration of one handshake. `resume`: a kept session may be offered.
    pub(crate) fn handshake(&self, resume: bool) -> Handshake {
        let sessions =
            Arc::new(Sessions { kept: self.sessions.clone(), resume, offered: AtomicBool::new(false) });
        let mut config = ClientConfig::clone(&self.config);
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
