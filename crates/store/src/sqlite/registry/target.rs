//! An integration's target: what is not secret as JSON, what is secret as sealed JSON.

use crate::sqlite::seal::{Place, Sealer};
use crate::sqlite::state::codes::{from_json, to_json, unwritable};
use crate::sqlite::state::context::Context;
use crate::sqlite::state::context::Trouble;
use crate::{HttpMethod, HttpVersion, PreviousSecret, Secret, StoreError, Target};
use hitwire_courier::Preset;
use hitwire_receiver::{Format, Style};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What of a target is not secret.
#[derive(Debug, Serialize, Deserialize)]
struct PlainTarget {
    http_method: HttpMethod,
    header_names: Vec<String>,
    ca_file: String,
    ca_verify: bool,
    timeout_s: u16,
    open_timeout_s: u16,
    #[serde(default)]
    http_version: HttpVersion,
    #[serde(default)]
    proxy: Option<String>,
    format: Format,
    rendering: Style,
    retry: Preset,
    max_events: Option<u32>,
    max_bytes: Option<u32>,
    client_cert: String,
    #[serde(default)]
    pins: Vec<[u8; 32]>,
    #[serde(default)]
    rate: Option<u32>,
    #[serde(default = "one")]
    in_flight: u8,
    /// Of the secret before.
    #[serde(default)]
    previous_expires_at: Option<u64>,
}

const fn one() -> u8 {
    1
}

/// What of a target is sealed.
#[derive(Serialize, Deserialize)]
struct SecretTarget<T> {
    url: T,
    header_values: Vec<T>,
    client_key: Option<T>,
    signing_secret: T,
    #[serde(default = "Option::default")]
    previous_secret: Option<T>,
    #[serde(default = "Option::default")]
    signing_key: Option<T>,
    #[serde(default = "Option::default")]
    proxy_credentials: Option<T>,
}

/// What is not secret, for its column.
pub(in crate::sqlite) fn plain(target: &Target) -> Result<String, Trouble> {
    to_json(&PlainTarget {
        http_method: target.http_method,
        header_names: target.headers.iter().map(|(name, _)| name.clone()).collect(),
        ca_file: target.ca_file.clone(),
        ca_verify: target.ca_verify,
        timeout_s: target.timeout_s,
        open_timeout_s: target.open_timeout_s,
        http_version: target.http_version,
        proxy: target.proxy.clone(),
        format: target.format,
        rendering: target.rendering,
        retry: target.retry,
        max_events: target.max_events,
        max_bytes: target.max_bytes,
        client_cert: target.client_cert.clone(),
        pins: target.pins.clone(),
        rate: target.rate,
        in_flight: target.in_flight,
        previous_expires_at: target.previous_secret.as_ref().map(|previous| previous.expires_at),
    })
}

/// What is secret, sealed for its column.
pub(in crate::sqlite) fn seal(context: &Context<'_>, id: u64, target: &Target) -> Result<Vec<u8>, Trouble> {
    let secret = SecretTarget {
        url: target.url.expose(),
        header_values: target.headers.iter().map(|(_, value)| value.expose()).collect(),
        client_key: target.client_key.as_ref().map(Secret::expose),
        signing_secret: target.signing_secret.expose(),
        previous_secret: target.previous_secret.as_ref().map(|previous| previous.secret.expose()),
        signing_key: target.signing_key.as_ref().map(Secret::expose),
        proxy_credentials: target.proxy_credentials.as_ref().map(Secret::expose),
    };
    let json = Zeroizing::new(serde_json::to_vec(&secret).map_err(unwritable)?);
    Ok(context.sealer.seal(place(id), &json)?)
}

/// The target of these columns.
pub(in crate::sqlite) fn load(
    sealer: &Sealer,
    id: u64,
    plain: &[u8],
    sealed: &[u8],
) -> Result<Target, Trouble> {
    let opened = sealer.open(place(id), sealed).map_err(|_| unopened(id))?;
    Ok(join(from_json(plain, 8)?, from_json(&opened, 9)?))
}

/// The same secrets, sealed with another key; whether they can be read is for who reads them.
pub(in crate::sqlite) fn seal_anew(
    old: &Sealer,
    new: &Sealer,
    id: u64,
    sealed: &[u8],
) -> Result<Vec<u8>, Trouble> {
    let opened = old.open(place(id), sealed).map_err(|_| unopened(id))?;
    Ok(new.seal(place(id), &opened)?)
}

fn unopened(id: u64) -> StoreError {
    StoreError::Open(format!(
        "the secrets of integration {id} do not open: its row is damaged, or was changed from outside; delete the \
         integration and set it up again"
    ))
}

const fn place(id: u64) -> Place {
    Place { table: "integration", id, field: "secrets" }
}

fn join(plain: PlainTarget, secret: SecretTarget<String>) -> Target {
    let previous = secret.previous_secret.zip(plain.previous_expires_at);
    let values = secret.header_values.into_iter().map(Secret::new);
    Target {
        url: Secret::new(secret.url),
        http_method: plain.http_method,
        headers: plain.header_names.into_iter().zip(values).collect(),
        ca_file: plain.ca_file,
        ca_verify: plain.ca_verify,
        timeout_s: plain.timeout_s,
        open_timeout_s: plain.open_timeout_s,
        http_version: plain.http_version,
        proxy: plain.proxy,
        proxy_credentials: secret.proxy_credentials.map(Secret::new),
        format: plain.format,
        rendering: plain.rendering,
        retry: plain.retry,
        max_events: plain.max_events,
        max_bytes: plain.max_bytes,
        client_cert: plain.client_cert,
        client_key: secret.client_key.map(Secret::new),
        pins: plain.pins,
        rate: plain.rate,
        in_flight: plain.in_flight,
        signing_secret: Secret::new(secret.signing_secret),
        previous_secret: previous
            .map(|(secret, expires_at)| PreviousSecret { secret: Secret::new(secret), expires_at }),
        signing_key: secret.signing_key.map(Secret::new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_an_older_version_has_the_defaults_of_newer_settings() {
        let target =
            Target { http_version: HttpVersion::Http1, ..Target::new("https://a.example/", "whsec_a") };
        let written = plain(&target).expect("written");
        let mut row: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&written).expect("JSON");
        assert_eq!(row["http_version"], "1.1");
        for newer in ["pins", "rate", "in_flight", "http_version", "proxy", "previous_expires_at"] {
            row.remove(newer).expect(newer);
        }
        let read: PlainTarget = serde_json::from_value(row.into()).expect("read");
        assert_eq!((read.http_version, read.in_flight), (HttpVersion::Auto, 1));
    }
}
