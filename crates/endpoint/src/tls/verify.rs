//! The judges of a server's certificate.

use super::certificate::Certificate;
use super::certificate_problem::CertificateProblem;
use super::identity::Trusted;
use super::key::SHORT_RSA_SCHEMES;
use super::names::Names;
use super::outline::Outline;
use super::pin::Pin;
use super::private_ca;
use super::proof::Proof;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::{Arc, OnceLock};
use x509_parser::x509::X509Version;

/// The judge for these settings.
pub(super) fn verifier(
    provider: &Arc<CryptoProvider>,
    trusted: Option<Trusted>,
    pins: &[Pin],
    verify: bool,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let algorithms = provider.signature_verification_algorithms;
    if !pins.is_empty() {
        return Ok(Arc::new(LeafAlone { algorithms, proof: Proof::OfAnyKey, pins: pins.to_vec() }));
    }
    if !verify {
        return Ok(Arc::new(LeafAlone { algorithms, proof: Proof::IfPossible, pins: Vec::new() }));
    }
    let (verifier, own) = match trusted {
        None => (Some(public_roots(provider)?), Vec::new()),
        // What can be no root, as some certificates that were made for one server, counts for itself alone.
        Some(Trusted { roots, certificates }) if roots.is_empty() => (None, certificates),
        Some(Trusted { roots, certificates }) => (Some(chain_verifier(provider, roots)?), certificates),
    };
    Ok(Arc::new(Chain { verifier, own, algorithms }))
}

fn chain_verifier(
    provider: &Arc<CryptoProvider>,
    roots: RootCertStore,
) -> Result<Arc<WebPkiServerVerifier>, Error> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| Error::General(error.to_string()))
}

/// One verifier with Mozilla's roots for all integrations that trust them.
fn public_roots(provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, Error> {
    static VERIFIER: OnceLock<Arc<WebPkiServerVerifier>> = OnceLock::new();
    if let Some(verifier) = VERIFIER.get() {
        return Ok(verifier.clone());
    }
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let verifier = chain_verifier(provider, roots)?;
    Ok(VERIFIER.get_or_init(|| verifier).clone())
}

/// Verifies the chain up to a root, the name and the validity.
#[derive(Debug)]
struct Chain {
    /// None if nothing that is trusted can be a root.
    verifier: Option<Arc<WebPkiServerVerifier>>,
    /// The certificates that the user gave as CA; none with the public roots.
    own: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Chain {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.own.iter().any(|own| own == end_entity) {
            verify_own(end_entity, server_name, now).map_err(CertificateProblem::refuse)?;
            return Ok(ServerCertVerified::assertion());
        }
        let verified = match &self.verifier {
            Some(verifier) => {
                verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        verified.or_else(|error| match error {
            Error::InvalidCertificate(error) => self
                .second_opinion(&error, end_entity, server_name, now)
                .unwrap_or_else(|| Err(self.problem(error, end_entity, intermediates, server_name)))
                .map(|()| ServerCertVerified::assertion())
                .map_err(CertificateProblem::refuse),
            error => Err(error),
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Proof::OfSoundKey.check_tls12(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Proof::OfSoundKey.check_tls13(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl Chain {
    /// A judgement on what the library refused by its form; none if the library's stands.
    fn second_opinion(
        &self,
        error: &CertificateError,
        end_entity: &CertificateDer<'_>,
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Option<Result<(), CertificateProblem>> {
        is_about_form(error)
            .then(|| private_ca::judge(end_entity, &self.own, server_name, now, &self.algorithms))
            .flatten()
    }

    /// What the library's error means. It seldom says which certificate it is about, or why.
    fn problem(
        &self,
        error: CertificateError,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
    ) -> CertificateProblem {
        let Some(leaf) = Certificate::parse(end_entity) else { return CertificateProblem::Unreadable };
        let chain: Vec<Certificate<'_>> =
            intermediates.iter().filter_map(|der| Certificate::parse(der)).collect();
        match error {
            CertificateError::UnknownIssuer => self.untrusted(&leaf, chain.last()),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                CertificateProblem::wrong_name(&leaf, server_name)
            }
            CertificateError::BadSignature => self.badly_signed(&leaf, &chain),
            CertificateError::UnsupportedSignatureAlgorithmContext { signature_algorithm_id, .. } => {
                CertificateProblem::signature(&signature_algorithm_id)
            }
            CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id,
                ..
            } => self
                .weak_key(&chain)
                .unwrap_or_else(|| CertificateProblem::signature(&signature_algorithm_id)),
            // Common tools make a self-signed certificate as that of a CA, and the library only says that it is one.
            error if is_about_form(&error) && leaf.is_self_issued() => self.untrusted(&leaf, None),
            error if is_about_form(&error) => self.formless(&leaf, &chain),
            error => error.into(),
        }
    }

    /// Says who issued a chain that ends in no trusted root. The TLS library says only that nobody known did.
    fn untrusted(&self, leaf: &Certificate<'_>, last: Option<&Certificate<'_>>) -> CertificateProblem {
        let own_ca = self.own.first().map(|own| {
            let own = Certificate::parse(own).and_then(|own| own.subject_name());
            own.unwrap_or_else(|| "without a name".to_owned())
        });
        if leaf.is_self_issued() {
            return CertificateProblem::SelfSigned { own_ca };
        }
        // The issuer that is missing is that of the last certificate sent.
        CertificateProblem::UnknownIssuer { issuer: last.unwrap_or(leaf).issuer_name(), own_ca }
    }

    /// A signature in the chain is not by the key that it should be by.
    fn badly_signed(&self, leaf: &Certificate<'_>, chain: &[Certificate<'_>]) -> CertificateProblem {
        if let Some(weak) = self.weak_key(chain) {
            return weak;
        }
        let named_as_issuer = |own: &&CertificateDer<'static>| {
            Certificate::parse(own).is_some_and(|own| {
                own.is_named_as_issuer_of(leaf) || chain.iter().any(|below| own.is_named_as_issuer_of(below))
            })
        };
        let own = self.own.iter().find(named_as_issuer);
        match own.and_then(|own| Certificate::parse(own)).and_then(|own| own.subject_name()) {
            Some(own_ca) => CertificateProblem::NotSignedByOwnCa { own_ca },
            None => CertificateProblem::Other,
        }
    }

    /// A CA's key that nothing is verified with.
    fn weak_key(&self, chain: &[Certificate<'_>]) -> Option<CertificateProblem> {
        let of = |ca: &Certificate<'_>, key: super::key::PublicKey<'_>| {
            let name = ca.subject_name().unwrap_or_else(|| "without a name".to_owned());
            (!key.is_sound())
                .then(|| CertificateProblem::Key { ca: Some(name), kind: key.kind().to_string() })
        };
        let in_chain = chain.iter().find_map(|ca| of(ca, Outline::of(ca.der())?.key));
        in_chain
            .or_else(|| self.own.iter().find_map(|own| of(&Certificate::parse(own)?, Outline::of(own)?.key)))
    }

    /// What the library finds wrong with the form of a certificate, found out anew.
    fn formless(&self, leaf: &Certificate<'_>, chain: &[Certificate<'_>]) -> CertificateProblem {
        let all = || std::iter::once(leaf).chain(chain);
        if leaf.0.version() != X509Version::V3 {
            return CertificateProblem::OldVersion;
        }
        if let Some(oid) = all().find_map(Certificate::critical_extension_unknown_to_the_library) {
            return CertificateProblem::CriticalExtension { oid };
        }
        if leaf.0.is_ca() {
            return CertificateProblem::MarkedAsCa;
        }
        let own: Vec<Certificate<'_>> = self.own.iter().filter_map(|der| Certificate::parse(der)).collect();
        if chain.iter().chain(&own).any(|ca| !matches!(ca.0.name_constraints(), Ok(None))) {
            return CertificateProblem::NameConstraints;
        }
        CertificateProblem::Other
    }
}

/// The library refuses the certificate for its own form, not for its signer.
fn is_about_form(error: &CertificateError) -> bool {
    matches!(
        error,
        CertificateError::Other(_)
            | CertificateError::BadEncoding
            | CertificateError::UnhandledCriticalExtension
    )
}

/// The server shows the very certificate that the user gave: a self-signed one, mostly, which common tools make as a CA,
/// and which a chain verifier refuses as a server's. Who trusts the certificate itself needs no issuer, and no other form;
/// name and validity still count, and the handshake proves that the server holds its key.
fn verify_own(
    certificate: &CertificateDer<'_>,
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), CertificateProblem> {
    let certificate = Certificate::parse(certificate).ok_or(CertificateProblem::Unreadable)?;
    private_ca::check_name(&certificate, &Names::of(&certificate).include_common_name(), server_name)?;
    private_ca::check_validity(&certificate, now)
}

/// Looks at the server's own certificate alone: it must be one of those pinned or, with verification off and none pinned,
/// any will do. Nothing else is asked of it, not even that it keep the rules for certificates.
#[derive(Debug)]
struct LeafAlone {
    algorithms: WebPkiSupportedAlgorithms,
    proof: Proof,
    /// None: any certificate will do.
    pins: Vec<Pin>,
}

impl ServerCertVerifier for LeafAlone {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let presented = Pin::of(end_entity);
        if self.pins.is_empty() || self.pins.contains(&presented) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateProblem::NotPinned { presented }.refuse())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.proof.check_tls12(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.proof.check_tls13(message, certificate, signed, &self.algorithms)
    }

    /// The ways in which short RSA keys can be verified come first: a server of TLS 1.2 takes the first that it knows.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.algorithms.supported_schemes();
        schemes.sort_by_key(|scheme| !SHORT_RSA_SCHEMES.contains(scheme));
        schemes
    }
}
