//! A certificate authority for tests; every certificate is made when it is needed.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;

/// The name under which receivers are dialled in most tests.
pub(crate) const NAME: &str = "receiver.test";

/// A root, or an authority below one.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key.
pub(crate) struct Certified {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: KeyPair,
    pub(crate) cert_pem: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let issuer = CertifiedIssuer::self_signed(ca_params(name), KeyPair::generate().unwrap()).unwrap();
        Authority { issuer }
    }

    pub(crate) fn below(&self, name: &str) -> Authority {
        let issuer =
            CertifiedIssuer::signed_by(ca_params(name), KeyPair::generate().unwrap(), &self.issuer).unwrap();
        Authority { issuer }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// A server's certificate for [`NAME`].
    pub(crate) fn certify(&self) -> Certified {
        self.certify_as(|_| {})
    }

    /// The same, changed.
    pub(crate) fn certify_as(&self, change: impl FnOnce(&mut CertificateParams)) -> Certified {
        let mut params = leaf_params(ExtendedKeyUsagePurpose::ServerAuth);
        change(&mut params);
        self.sign(params)
    }

    /// A client's certificate.
    pub(crate) fn certify_client(&self) -> Certified {
        self.sign(leaf_params(ExtendedKeyUsagePurpose::ClientAuth))
    }

    fn sign(&self, params: CertificateParams) -> Certified {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Certified { chain: vec![certificate.der().clone()], cert_pem: certificate.pem(), key }
    }
}

/// A certificate that is its own issuer.
pub(crate) fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> Certified {
    let mut params = leaf_params(ExtendedKeyUsagePurpose::ServerAuth);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Certified { chain: vec![certificate.der().clone()], cert_pem: certificate.pem(), key }
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn leaf_params(purpose: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
    params.distinguished_name = named(NAME);
    params.extended_key_usages = vec![purpose];
    params
}

pub(crate) fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

impl Certified {
    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    pub(crate) fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    /// Shows these certificates too.
    pub(crate) fn with_chain(mut self, more: CertificateDer<'static>) -> Certified {
        self.chain.push(more);
        self
    }

    /// A server with this certificate that speaks HTTP/1.1.
    pub(crate) fn server(&self) -> ServerConfig {
        self.server_of(rustls::ALL_VERSIONS, &["http/1.1"])
    }

    /// A server with this certificate that speaks HTTP/2.
    pub(crate) fn http2_server(&self) -> ServerConfig {
        self.server_of(rustls::ALL_VERSIONS, &["h2", "http/1.1"])
    }

    pub(crate) fn server_of(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &[&str],
    ) -> ServerConfig {
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_protocol_versions(versions).unwrap().with_no_client_auth();
        let mut config = builder.with_single_cert(self.chain.clone(), self.key_der()).unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }

    /// A server that demands a client certificate from this authority.
    pub(crate) fn demanding_server(
        &self,
        clients: &Authority,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &[&str],
    ) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(clients.der()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(versions).unwrap().with_client_cert_verifier(verifier);
        let mut config = builder.with_single_cert(self.chain.clone(), self.key_der()).unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}
