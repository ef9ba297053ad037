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
use rustls::client::ClientConfig;
use rustls::crypto::CryptoProvider;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many identities are kept ready. Each holds its parsed CA and a few session tickets, some 10 KiB; making one anew
/// costs well under a millisecond, much less than the handshake that it is for.
const CONFIGS_MAX: usize = 512;

/// The identities that were used last, ready for a connection. They are kept apart by client too: a session of one
/// client is never resumed for another.
#[derive(Debug)]
pub(crate) struct Configs {
    provider: Arc<CryptoProvider>,
    kept: Mutex<Kept>,
    not_resuming: Places,
}

#[derive(Debug, Default)]
struct Kept {
    configs: HashMap<(ClientId, Fingerprint), Used>,
    /// Rises with each use; the lowest was used longest ago.
    uses: u64,
}

#[derive(Debug)]
struct Used {
    config: Arc<Prepared>,
    at: u64,
}

impl Configs {
    pub(crate) fn new() -> Configs {
        Configs {
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
            kept: Mutex::default(),
            not_resuming: Places::not_resuming(),
        }
    }

    /// The identity of this place, made ready.
    pub(crate) fn get(&self, place: &Place, identity: &TlsIdentity) -> Result<Arc<Prepared>, ConfigError> {
        let key = (place.client, place.identity);
        if let Some(config) = self.lock().get(key) {
            return Ok(config);
        }
        // Made outside the lock: a large CA bundle must not hold up the others. Two may make the same; either will do.
        let config = Arc::new(Prepared::new(self.make(identity)?));
        self.lock().put(key, config.clone());
        Ok(config)
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn get(&mut self, key: (ClientId, Fingerprint)) -> Option<Arc<Prepared>> {
        self.uses += 1;
        let used = self.configs.get_mut(&key)?;
        used.at = self.uses;
        Some(used.config.clone())
    }

    fn put(&mut self, key: (ClientId, Fingerprint), config: Arc<Prepared>) {
        if self.configs.len() >= CONFIGS_MAX && !self.configs.contains_key(&key) {
            let oldest = self.configs.iter().min_by_key(|(_, used)| used.at).map(|(&key, _)| key);
            if let Some(oldest) = oldest {
                self.configs.remove(&oldest);
            }
        }
        self.configs.insert(key, Used { config, at: self.uses });
    }
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

    fn config(configs: &Configs, client: u64, identity: &TlsIdentity) -> Arc<Prepared> {
        let place = Place {
            client: ClientId(client),
            identity: identity.fingerprint(),
            https: true,
            host: "a.example".to_owned(),
            port: 443,
            http_version: HttpVersion::Auto,
        };
        configs.get(&place, identity).unwrap()
    }

    #[test]
    fn equal_identities_of_one_client_share_a_configuration() {
        let configs = Configs::new();
        let identity = TlsIdentity::default();
        let first = config(&configs, 1, &identity);
        assert!(Arc::ptr_eq(&first, &config(&configs, 1, &identity.clone())));
        assert!(!Arc::ptr_eq(&first, &config(&configs, 2, &identity)), "clients share no sessions");
        let unverified = TlsIdentity { verify: false, ..identity };
        assert!(!Arc::ptr_eq(&first, &config(&configs, 1, &unverified)));
    }

    #[test]
    fn the_number_of_configurations_is_bounded_and_the_one_unused_longest_goes_first() {
        let configs = Configs::new();
        let identity = TlsIdentity::default();
        let often = config(&configs, 0, &identity);
        let once = config(&configs, 1, &identity);
        for client in 2..=CONFIGS_MAX as u64 {
            config(&configs, 0, &identity);
            config(&configs, client, &identity);
        }
        assert_eq!(configs.lock().configs.len(), CONFIGS_MAX);
        assert!(Arc::ptr_eq(&often, &config(&configs, 0, &identity)));
        assert!(!Arc::ptr_eq(&once, &config(&configs, 1, &identity)));
    }
}
