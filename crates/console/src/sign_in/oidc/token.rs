//! ID tokens: what a provider says of somebody who signed in there (OpenID Connect Core 1.0, sections 2 and 3.1.3.7).

use super::keys::Keys;
use serde::Deserialize;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

/// The longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 64 * 1024;

/// How far the provider's clock may be off, in seconds.
const SKEW_S: u64 = 60;

/// The longest subject (section 2 allows 255 ASCII characters).
const SUBJECT_CHARS_MAX: usize = 255;

/// What must be true of a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    /// Unix seconds.
    pub(super) now_s: u64,
}

/// Somebody, as the provider knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// Never changes, and is nobody else's at this provider.
    pub(crate) subject: String,
    /// Only if the provider says that it is really theirs.
    pub(crate) verified_email: Option<String>,
    pub(crate) name: Option<String>,
}

/// Why a token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Untrue {
    #[error("the ID token cannot be read")]
    Malformed,
    #[error("the ID token is signed in another way than RS256 or ES256")]
    Algorithm,
    #[error("the ID token is signed with a key that the provider does not show")]
    UnknownKey,
    #[error("the ID token's signature is wrong")]
    Signature,
    #[error("the ID token is of another issuer")]
    Issuer,
    #[error("the ID token is for another application")]
    Audience,
    #[error("the ID token has expired; is the clock right here and at the provider?")]
    Expired,
    #[error("the ID token is of the future; is the clock right here and at the provider?")]
    Future,
    #[error("the ID token belongs to another sign-in")]
    Nonce,
    #[error("the ID token says of nobody that it is about them")]
    Subject,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Value,
    azp: Option<String>,
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
    nonce: Option<String>,
    email: Option<String>,
    email_verified: Option<Value>,
    name: Option<String>,
}

/// Whom a token is about, if everything about it is as it must be.
pub(super) fn verify(token: &str, keys: &Keys, expected: Expected<'_>) -> Result<Person, Untrue> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Untrue::Malformed);
    }
    let claims: Claims = keys.decode(token)?;
    claims.hold(expected)?;
    Ok(claims.person())
}

impl Claims {
    fn hold(&self, expected: Expected<'_>) -> Result<(), Untrue> {
        if self.iss != expected.issuer {
            return Err(Untrue::Issuer);
        }
        let (named, alone) = match &self.aud {
            Value::String(one) => (one == expected.client_id, true),
            Value::Array(several) => {
                (several.iter().any(|one| one == expected.client_id), several.len() == 1)
            }
            _ => (false, false),
        };
        let party_is_us = self.azp.as_deref().map(|azp| azp == expected.client_id);
        if !named || party_is_us == Some(false) || (!alone && party_is_us.is_none()) {
            return Err(Untrue::Audience);
        }
        let (now, skew) = (expected.now_s as f64, SKEW_S as f64);
        if self.exp + skew <= now {
            return Err(Untrue::Expired);
        }
        let from = self.nbf.unwrap_or(self.iat).max(self.iat);
        if from - skew > now {
            return Err(Untrue::Future);
        }
        let nonce = self.nonce.as_deref().unwrap_or_default();
        if nonce.is_empty() || !bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
            return Err(Untrue::Nonce);
        }
        if self.sub.is_empty() || self.sub.chars().count() > SUBJECT_CHARS_MAX {
            return Err(Untrue::Subject);
        }
        Ok(())
    }

    fn person(self) -> Person {
        // Some providers write it as text.
        let verified = match &self.email_verified {
            Some(Value::Bool(verified)) => *verified,
            Some(Value::String(verified)) => verified == "true",
            _ => false,
        };
        Person {
            subject: self.sub,
            verified_email: self.email.filter(|email| verified && !email.is_empty()),
            name: self.name.filter(|name| !name.trim().is_empty()),
        }
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
