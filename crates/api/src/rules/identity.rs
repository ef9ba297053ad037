//! As whom an integration appears: the rules for its client certificate and key.

use crate::contract::AskedClient;
use crate::fields::Errors;
use hitwire_endpoint::{ClientIdentity, PASSWORD_BYTES_MAX, TlsConfigError, client_identity};
use hitwire_store::{MASK, Secret, Target};

const CERTIFICATE_AT: &str = "/target/client_cert";
const KEY_AT: &str = "/target/client_key";
const PASSWORD_AT: &str = "/target/client_key_password";

/// The certificate and the key as they are kept. Like every secret a key that is left out or masked stays as it is, unless
/// `moved` says why it must be sent again; a certificate that is left out stays with its key.
pub(super) fn checked(
    asked: AskedClient,
    current: Option<&Target>,
    moved: Option<&'static str>,
    errors: &Errors,
) -> (String, Option<Secret>) {
    let none = || (String::new(), None);
    let kept = current.and_then(|current| Some((current.client_cert.as_str(), current.client_key.as_ref()?)));
    let is_mask = asked.key.as_ref().is_some_and(|key| key.expose() == MASK);
    if is_mask && kept.is_none() && asked.cert.as_deref().is_none_or(is_pem) {
        errors.add(KEY_AT, "is only the mask, and there is no key yet; send the key");
        return none();
    }
    let key = asked.key.as_ref().map(Secret::expose).filter(|key| *key != MASK);
    let password = asked.password.as_ref().map(Secret::expose);
    if password.is_some_and(|password| password.len() > PASSWORD_BYTES_MAX) {
        errors.add(PASSWORD_AT, format!("is longer than {PASSWORD_BYTES_MAX} bytes"));
        return none();
    }
    let identity = match (asked.cert.as_deref(), key) {
        (None, None) => {
            return kept.map_or_else(none, |(cert, key)| keep(cert, key, moved, errors));
        }
        (Some(cert), None) if kept.is_some_and(|(kept, _)| kept.trim() == cert.trim()) => {
            return kept.map_or_else(none, |(cert, key)| keep(cert, key, moved, errors));
        }
        (None | Some(""), Some("")) | (Some(""), None) => return none(),
        (Some(cert), None) => with_the_kept_key(cert, password, kept.map(|(_, key)| key), moved, errors),
        (cert, Some(key)) => {
            let cert = cert.or(kept.map(|(cert, _)| cert)).unwrap_or_default();
            client_identity(cert, Some(key), password).map_err(Some)
        }
    };
    match identity {
        Ok(identity) => (identity.chain_pem, Some(Secret::new(identity.key_pem.as_str()))),
        Err(Some(error)) => {
            errors.add(format!("/target/{}", error.field()), error.to_string());
            none()
        }
        // Told already.
        Err(None) => none(),
    }
}

fn is_pem(cert: &str) -> bool {
    cert.contains("-----BEGIN ")
}

fn keep(cert: &str, key: &Secret, moved: Option<&'static str>, errors: &Errors) -> (String, Option<Secret>) {
    if let Some(why) = moved {
        errors.add(KEY_AT, needed_again(why));
    }
    (cert.to_owned(), Some(key.clone()))
}

fn needed_again(why: &str) -> String {
    format!("{why}, so the key of the client certificate must be sent again")
}

/// A certificate without a key beside it brings its own (PKCS#12, or PEM of both), or is a new one for the key that is kept.
fn with_the_kept_key(
    cert: &str,
    password: Option<&str>,
    kept: Option<&Secret>,
    moved: Option<&'static str>,
    errors: &Errors,
) -> Result<ClientIdentity, Option<TlsConfigError>> {
    let own = client_identity(cert, None, password);
    match (&own, kept) {
        (Err(TlsConfigError::KeyMissing | TlsConfigError::NoKeyInPkcs12), Some(kept)) => {
            if let Some(why) = moved {
                errors.add(KEY_AT, needed_again(why));
                return Err(None);
            }
            client_identity(cert, Some(kept.expose()), password).map_err(|error| {
                if matches!(error, TlsConfigError::KeyMismatch { .. }) {
                    errors.add(CERTIFICATE_AT, "does not belong to the key that is kept; send the key too");
                    return None;
                }
                Some(error)
            })
        }
        _ => own.map_err(Some),
    }
}
