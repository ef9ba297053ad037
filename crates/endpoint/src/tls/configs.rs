//! Identities made ready for the TLS library.

use super::client_auth::Shown;
use super::config_error::TlsConfigError;
use super::identity::{Fingerprint, TlsIdentity};
use super::resume::Prepared;
use super::verify;
use crate::WallClock;
use crate::memory::Places;
use crate::pool::Place;
use hitwire_event::ClientId;
use quick_cache::Weighter;
use quick_cache::unsync::Cache;
use rustls::client::ClientConfig;
use rustls::crypto::CryptoProvider;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of all configurations that are kept ready. One takes some 4 KiB and three times its PEM, so those of two thousand
/// integrations with a CA of their own each fit in; making one anew costs well under a millisecond.
const CONFIG_BYTES_MAX: u64 = 32 << 20;

/// What a configuration takes besides what is in the user's PEM.
const CONFIG_BYTES: u64 = 4 << 10;

/// Bytes of all TLS sessions that are kept for resumption: those of three thousand identities.
const SESSION_BYTES_MAX: u64 = 24 << 20;

/// What the sessions of one identity take, roughly: tickets for a server or two.
const SESSION_BYTES: u64 = 8 << 10;

/// Identities that the caches expect to hold: their tables begin with as many places.
const EXPECTED: usize = 64;

/// The identities that were used lately, ready for a connection. Equal settings share one configuration, whoever made them.
/// Sessions are kept apart by client too: a session of one client is never resumed for another.
#[derive(Debug)]
pub(crate) struct Configs {
    provider: Arc<CryptoProvider>,
    kept: Mutex<Kept>,
    not_resuming: Places,
}

struct Kept {
    configs: Cache<Fingerprint, Config, ByBytes>,
    prepared: Cache<(ClientId, Fingerprint), Arc<Prepared>, ByBytes>,
}

/// A configuration, and about how many bytes it takes.
#[derive(Clone, Debug)]
struct Config {
    config: Arc<ClientConfig>,
    bytes: u64,
}

#[derive(Clone, Debug)]
struct ByBytes;

impl Weighter<Fingerprint, Config> for ByBytes {
    fn weight(&self, _: &Fingerprint, config: &Config) -> u64 {
        config.bytes
    }
}

impl Weighter<(ClientId, Fingerprint), Arc<Prepared>> for ByBytes {
    fn weight(&self, _: &(ClientId, Fingerprint), _: &Arc<Prepared>) -> u64 {
        SESSION_BYTES
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("configs", &self.configs.len()).finish_non_exhaustive()
    }
}

impl Configs {
    pub(crate) fn new() -> Configs {
        let kept = Kept {
            configs: Cache::with_weighter(EXPECTED, CONFIG_BYTES_MAX, ByBytes),
            prepared: Cache::with_weighter(EXPECTED, SESSION_BYTES_MAX, ByBytes),
        };
        Configs {
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
            kept: Mutex::new(kept),
            not_resuming: Places::not_resuming(),
        }
    }

    /// The identity of this place, made ready.
    pub(crate) fn get(&self, place: &Place, identity: &TlsIdentity) -> Result<Arc<Prepared>, ConfigError> {
        let key = (place.client, place.identity);
        let known = {
            let kept = self.lock();
            if let Some(prepared) = kept.prepared.get(&key) {
                return Ok(Arc::clone(prepared));
            }
            kept.configs.get(&place.identity).cloned()
        };
        // Made outside the lock: a large CA bundle must not hold up the others. Two may make the same; either will do.
        let config = match known {
            Some(config) => config,
            None => Config { config: Arc::new(self.make(identity)?), bytes: bytes_of(identity) },
        };
        let prepared = Arc::new(Prepared::new(Arc::clone(&config.config)));
        let mut kept = self.lock();
        kept.configs.insert(place.identity, config);
        kept.prepared.insert(key, Arc::clone(&prepared));
        Ok(prepared)
    }

    /// Whether a session may be resumed there. It may, until that has failed.
    pub(crate) fn may_resume(&self, place: &Place) -> bool {
        !self.not_resuming.contains(place)
    }

    /// Resumes no more sessions there, for half a day.
    pub(crate) fn stop_resuming(&self, place: &Place) {
        self.not_resuming.insert(place);
    }

    fn make(&self, identity: &TlsIdentity) -> Result<ClientConfig, ConfigError> {
        let client = identity.client(&self.provider)?;
        let verifier =
            verify::verifier(&self.provider, identity.trusted()?, &identity.pins, identity.verify)?;
        let builder = ClientConfig::builder_with_details(self.provider.clone(), Arc::new(WallClock))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let shown = Arc::new(Shown::new(client));
        let mut config = builder.with_client_cert_resolver(shown);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// About how many bytes the configuration of an identity takes: what is parsed out of PEM, and copies of it.
fn bytes_of(identity: &TlsIdentity) -> u64 {
    let key = identity.client_key_pem.as_ref().map_or(0, |key| key.len());
    let pem = identity.ca_pem.len() + identity.client_cert_pem.len() + key;
    CONFIG_BYTES + 3 * pem as u64
}

/// Why no configuration could be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The user's settings are wrong.
    #[error(transparent)]
    Settings(#[from] TlsConfigError),
    /// The TLS library refuses them.
    #[error(transparent)]
    Library(#[from] rustls::Error),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::HttpVersion;
    use crate::tls::Pin;

    fn config(configs: &Configs, client: u64, identity: &TlsIdentity) -> Arc<Prepared> {
        let place = Place {
            client: ClientId(client),
            identity: identity.fingerprint(),
            https: true,
            host: "a.example".to_owned(),
            port: 443,
            proxy: None,
            http_version: HttpVersion::Auto,
        };
        configs.get(&place, identity).unwrap()
    }

    #[test]
    fn equal_identities_of_one_client_share_a_configuration_and_sessions() {
        let configs = Configs::new();
        let identity = TlsIdentity::default();
        let first = config(&configs, 1, &identity);
        assert!(Arc::ptr_eq(&first, &config(&configs, 1, &identity.clone())));
        let unverified = TlsIdentity { verify: false, ..identity };
        assert!(!Arc::ptr_eq(&first, &config(&configs, 1, &unverified)));
    }

    #[test]
    fn equal_identities_of_several_clients_share_the_configuration_and_no_sessions() {
        let configs = Configs::new();
        let identity = TlsIdentity::default();
        let (one, two) = (config(&configs, 1, &identity), config(&configs, 2, &identity));
        assert!(!Arc::ptr_eq(&one, &two), "sessions are apart");
        assert!(Prepared::share_configuration(&one, &two));
        assert_eq!(configs.lock().configs.len(), 1);
    }

    #[test]
    fn thousands_of_identities_in_turn_are_made_once() {
        let configs = Configs::new();
        let identity =
            |n: u64| TlsIdentity { pins: vec![Pin::of(&n.to_le_bytes())], ..TlsIdentity::default() };
        let made: Vec<_> = (0..2_000).map(|n| config(&configs, n % 7, &identity(n))).collect();
        for _ in 0..3 {
            for (n, made) in (0..).zip(&made) {
                assert!(Arc::ptr_eq(made, &config(&configs, n % 7, &identity(n))), "{n} was made again");
            }
        }
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes() {
        let configs = Configs::new();
        let pem = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap().cert.pem();
        for n in 0..400 {
            // Comments between the certificates count as well.
            let ca_pem = format!("{n} {}\n{pem}", "x".repeat(100_000));
            config(&configs, n, &TlsIdentity { ca_pem, ..TlsIdentity::default() });
        }
        let kept = configs.lock();
        assert!(kept.configs.weight() <= CONFIG_BYTES_MAX && kept.configs.len() > 50, "{kept:?}");
        assert!(kept.prepared.weight() <= SESSION_BYTES_MAX);
    }
}
