//! A certificate and its key. They belong together if the certificate has the key's public half; nothing else is asked of a
//! client's certificate here, since the receiver judges it.

use super::config_error::TlsConfigError;
use super::key::PublicKey;
use rustls::crypto::CryptoProvider;
use rustls::sign::SigningKey;
use rustls_pki_types::PrivateKeyDer;
use std::sync::Arc;

/// The key, ready to sign.
pub(super) fn signing_key(
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<Arc<dyn SigningKey>, TlsConfigError> {
    provider.key_provider.load_private_key(key).map_err(|_| TlsConfigError::KeyUnreadable)
}

/// Whether a certificate with this public key is the key's.
pub(super) fn fits(public: &PublicKey<'_>, key: &dyn SigningKey) -> bool {
    key.public_key().is_some_and(|info| PublicKey::of_info(&info).is_some_and(|own| own.is_same(public)))
}
