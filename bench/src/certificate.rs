//! A CA and a server certificate for loopback, made anew for each receiver.

use crate::Failure;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;

/// What a receiver needs.
pub(crate) struct Certificate {
    /// The CA, for those who connect.
    pub(crate) ca_pem: String,
    /// For those who listen.
    pub(crate) config: Arc<rustls::ServerConfig>,
}

/// A certificate for 127.0.0.1, HTTP/1.1 only: what most receivers speak behind their proxies is measured.
pub(crate) fn make() -> Result<Certificate, Failure> {
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "hitwire benchmark");
    let issuer = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Certificate { ca_pem: issuer.pem(), config: Arc::new(config) })
}
