//! The proof that a server has the key of the certificate that it shows: its signature over the handshake. It is verified
//! with the certificate's public key alone, since the TLS library's own way reads the whole certificate by the rules of the
//! web, which a pinned one need not keep.

use super::certificate_problem::CertificateProblem;
use super::key::{PublicKey, Unproven};
use super::outline::Outline;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::{DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};

/// How much is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// By a key that is safe.
    OfSoundKey,
    /// By any key that can be verified with, short RSA keys too: the certificate is pinned, and with it its key.
    OfAnyKey,
    /// A signature that can be verified must be right; one that cannot be verified passes. Any certificate is accepted here, so
    /// the signature only protects against damage on the way.
    IfPossible,
}

impl Proof {
    /// In TLS 1.2 the scheme does not say which curve, so all that it may mean are considered.
    pub(super) fn check_tls12(
        self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<HandshakeSignatureValid, Error> {
        let candidates = of_scheme(signed.scheme, algorithms);
        self.check(message, certificate, signed, candidates.unwrap_or_default())
    }

    /// In TLS 1.3 the scheme says all, and RSA signs by PSS alone.
    pub(super) fn check_tls13(
        self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<HandshakeSignatureValid, Error> {
        if matches!(
            signed.scheme,
            SignatureScheme::RSA_PKCS1_SHA256
                | SignatureScheme::RSA_PKCS1_SHA384
                | SignatureScheme::RSA_PKCS1_SHA512
        ) {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        let candidates = of_scheme(signed.scheme, algorithms).and_then(|candidates| candidates.get(..1));
        self.check(message, certificate, signed, candidates.unwrap_or_default())
    }

    fn check(
        self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        candidates: &[&dyn SignatureVerificationAlgorithm],
    ) -> Result<HandshakeSignatureValid, Error> {
        if candidates.is_empty() {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        let Some(Outline { key, .. }) = Outline::of(certificate) else {
            return match self {
                Proof::IfPossible => Ok(HandshakeSignatureValid::assertion()),
                Proof::OfSoundKey | Proof::OfAnyKey => Err(CertificateProblem::Unreadable.refuse()),
            };
        };
        match self.verified(key, message, signed, candidates) {
            Ok(()) => Ok(HandshakeSignatureValid::assertion()),
            Err(Unproven::Kind) if self == Proof::IfPossible => Ok(HandshakeSignatureValid::assertion()),
            Err(Unproven::Kind) => {
                Err(CertificateProblem::Key { ca: None, kind: key.kind().to_string() }.refuse())
            }
            Err(Unproven::Wrong) => Err(CertificateProblem::NotProven.refuse()),
        }
    }

    fn verified(
        self,
        key: PublicKey<'_>,
        message: &[u8],
        signed: &DigitallySignedStruct,
        candidates: &[&dyn SignatureVerificationAlgorithm],
    ) -> Result<(), Unproven> {
        match key.verify(candidates, message, signed.signature()) {
            Err(Unproven::Kind) if self != Proof::OfSoundKey => {
                key.verify_short_rsa(signed.scheme, message, signed.signature())
            }
            verified => verified,
        }
    }
}

fn of_scheme(
    scheme: SignatureScheme,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Option<&'static [&'static dyn SignatureVerificationAlgorithm]> {
    algorithms.mapping.iter().find(|(offered, _)| *offered == scheme).map(|(_, candidates)| *candidates)
}
