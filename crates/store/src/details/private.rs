//! What of a detail lies sealed, with the key of the secrets.

use super::{AttemptKey, PrivateDetail};
use crate::sqlite::seal::{Place, Sealer};
use crate::{Secret, StoreError};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What is sealed. It names its attempt: that of another attempt does not count.
#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    webhook_id: T,
    number: u32,
    path_and_query: T,
    signature: Option<T>,
}

const fn place(key: &AttemptKey) -> Place {
    Place { table: "detail", id: key.integration.0, field: "sealed" }
}

/// Seals it for its attempt.
pub(super) fn seal(
    sealer: &Sealer,
    key: &AttemptKey,
    private: &PrivateDetail,
) -> Result<Vec<u8>, StoreError> {
    let sealed = Sealed {
        webhook_id: key.webhook_id.as_str(),
        number: key.number,
        path_and_query: private.path_and_query.expose(),
        signature: private.signature.as_ref().map(Secret::expose),
    };
    let json = serde_json::to_vec(&sealed).map(Zeroizing::new);
    let json = json.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    sealer.seal(place(key), &json)
}

/// Opens it; none if it was sealed with another key, or for another attempt.
pub(super) fn open(sealer: &Sealer, key: &AttemptKey, sealed: &[u8]) -> Option<PrivateDetail> {
    let json = sealer.open(place(key), sealed).ok()?;
    let opened: Sealed<String> = serde_json::from_slice(&json).ok()?;
    let is_of_it = opened.webhook_id == key.webhook_id.as_str() && opened.number == key.number;
    is_of_it.then(|| PrivateDetail {
        path_and_query: Secret::new(opened.path_and_query),
        signature: opened.signature.map(Secret::new),
    })
}
