//! A certificate authority for tests; every certificate is made when it is needed.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientCertVerifierBuilder, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
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
        self.certify_client_as(|_| {})
    }

    /// The same, changed.
    pub(crate) fn certify_client_as(&self, change: impl FnOnce(&mut CertificateParams)) -> Certified {
        let mut params = leaf_params(ExtendedKeyUsagePurpose::ClientAuth);
        change(&mut params);
        self.sign(params)
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
        let builder =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
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
        self.server_judging(trusting(clients.der()).build().unwrap(), versions, alpn)
    }

    /// The same with an authority in PEM.
    pub(crate) fn server_demanding(
        &self,
        clients_pem: &str,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &[&str],
    ) -> ServerConfig {
        let clients = CertificateDer::from_pem_slice(clients_pem.as_bytes()).unwrap();
        self.server_judging(trusting(clients).build().unwrap(), versions, alpn)
    }

    /// A server that asks for a client certificate from this authority, but goes on without.
    pub(crate) fn asking_server(&self, clients: &Authority) -> ServerConfig {
        let verifier = trusting(clients.der()).allow_unauthenticated().build().unwrap();
        self.server_judging(verifier, rustls::ALL_VERSIONS, &["http/1.1"])
    }

    /// A server that finds this fault with every client certificate.
    pub(crate) fn refusing_server(
        &self,
        fault: CertificateError,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &[&str],
    ) -> ServerConfig {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let algorithms = provider.signature_verification_algorithms;
        self.server_judging(Arc::new(FaultFinder { fault, algorithms }), versions, alpn)
    }

    fn server_judging(
        &self,
        clients: Arc<dyn ClientCertVerifier>,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &[&str],
    ) -> ServerConfig {
        let builder =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
        let builder = builder.with_protocol_versions(versions).unwrap().with_client_cert_verifier(clients);
        let mut config = builder.with_single_cert(self.chain.clone(), self.key_der()).unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}

fn trusting(ca: CertificateDer<'static>) -> ClientCertVerifierBuilder {
    let mut roots = RootCertStore::empty();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
}

#[derive(Debug)]
struct FaultFinder {
    fault: CertificateError,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for FaultFinder {
    fn root_hint_subjects(&self) -> &[rustls::DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Err(self.fault.clone().into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
