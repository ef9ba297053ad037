//! Which certificates belong to a key, in the order in which they are shown: the key's own, then each one's issuer
//! (RFC 8446, 4.4.2). People paste them in any order, and files hold more than one needs.

use crate::tls::certificate::Certificate;
use crate::tls::config_error::{Field, TlsConfigError};
use crate::tls::outline::Outline;
use crate::tls::pair;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// The chain of this key.
pub(super) fn of_key(
    certificates: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let mut parsed = Vec::with_capacity(certificates.len());
    for (index, der) in certificates.iter().enumerate() {
        parsed.push(Certificate::parse(der).ok_or_else(|| TlsConfigError::Certificate {
            field: Field::ClientCertificate,
            number: index + 1,
        })?);
    }
    let key = pair::signing_key(key.clone_key(), &rustls::crypto::aws_lc_rs::default_provider())?;
    let is_of_key = |der: &CertificateDer<'static>| {
        Outline::of(der).is_some_and(|outline| pair::fits(&outline.key, &*key))
    };
    let own = certificates.iter().position(is_of_key);
    let own = own.ok_or(TlsConfigError::KeyMismatch { certificates: certificates.len() })?;
    Ok(linked(&parsed, own).into_iter().map(|index| certificates[index].clone()).collect())
}

/// Follows the issuers' names from this certificate on, as far as they are there, and at most once through each.
fn linked(certificates: &[Certificate<'_>], own: usize) -> Vec<usize> {
    let mut order = vec![own];
    let mut last = own;
    while !certificates[last].is_self_issued() {
        let issuer = (0..certificates.len()).find(|index| {
            !order.contains(index) && certificates[*index].is_named_as_issuer_of(&certificates[last])
        });
        let Some(issuer) = issuer else { break };
        order.push(issuer);
        last = issuer;
    }
    order
}
