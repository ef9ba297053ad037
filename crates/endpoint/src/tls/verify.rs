//! The judges of a server's certificate.

use super::certificate::Certificate;
use super::identity::Trusted;
use super::pin::Pin;
use super::problem::{NotPinned, Untrusted};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::{Arc, OnceLock};

/// The judge for these settings.
pub(super) fn verifier(
    provider: &Arc<CryptoProvider>,
    trusted: Option<Trusted>,
    pins: &[Pin],
    verify: bool,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    if !verify || !pins.is_empty() {
        let algorithms = provider.signature_verification_algorithms;
        return Ok(Arc::new(LeafAlone { algorithms, pins: pins.to_vec() }));
    }
    Ok(Arc::new(match trusted {
        None => Chain { verifier: public_roots(provider)?, own: Vec::new() },
        Some(Trusted { roots, certificates }) => {
            Chain { verifier: chain_verifier(provider, roots)?, own: certificates }
        }
    }))
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
    verifier: Arc<WebPkiServerVerifier>,
    /// The certificates that the user gave as CA; none with the public roots.
    own: Vec<CertificateDer<'static>>,
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
            return verify_own(end_entity, server_name, now);
        }
        self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now).map_err(
            |error| match error {
                Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                    self.untrusted(end_entity, intermediates)
                }
                // Common tools make a self-signed certificate as that of a CA, and the library only says that it is one.
                Error::InvalidCertificate(CertificateError::Other(_))
                    if Certificate::parse(end_entity).is_some_and(|leaf| leaf.is_self_issued()) =>
                {
                    self.untrusted(end_entity, intermediates)
                }
                error => error,
            },
        )
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

impl Chain {
    /// Says who issued a chain that ends in no trusted root. The TLS library says only that nobody known did.
    fn untrusted(&self, end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Error {
        let leaf = Certificate::parse(end_entity);
        // The issuer that is missing is that of the last certificate sent.
        let last = intermediates.last().and_then(|der| Certificate::parse(der));
        let last = last.as_ref().or(leaf.as_ref());
        CertificateError::Other(OtherError(Arc::new(Untrusted {
            self_signed: leaf.as_ref().is_some_and(Certificate::is_self_issued),
            issuer: last.and_then(Certificate::issuer_name),
            own_ca: self.own.first().map(|own| {
                let own = Certificate::parse(own).and_then(|own| own.subject_name());
                own.unwrap_or_else(|| "without a name".to_owned())
            }),
        })))
        .into()
    }
}

/// The server shows the very certificate that the user gave: a self-signed one, mostly, which common tools make as a CA,
/// and which a chain verifier refuses as a server's. Who trusts the certificate itself needs no issuer; name and validity
/// still count, and the handshake proves that the server holds its key.
fn verify_own(
    certificate: &CertificateDer<'_>,
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, Error> {
    verify_server_name(&ParsedCertificate::try_from(certificate)?, server_name)?;
    let validity = Certificate::parse(certificate).ok_or(CertificateError::BadEncoding)?;
    let now_s = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let unix =
        |seconds: i64| UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds.max(0) as u64));
    if now_s < validity.not_before() {
        let not_before = unix(validity.not_before());
        return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
    }
    if now_s > validity.not_after() {
        let not_after = unix(validity.not_after());
        return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
    }
    Ok(ServerCertVerified::assertion())
}

/// Looks at the server's own certificate alone: it must be one of those pinned or, with verification off and none pinned,
/// any will do. The signatures of the handshake are checked all the same, so that the connection is to whoever has the
/// certificate's key.
#[derive(Debug)]
struct LeafAlone {
    algorithms: WebPkiSupportedAlgorithms,
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
        Err(CertificateError::Other(OtherError(Arc::new(NotPinned(presented)))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
