//! What has to be done so that the server has what the file says. Plain functions: the file and the server's answers go in,
//! a plan comes out.
//!
//! The server never shows a secret, so a plan cannot tell whether one has changed: headers are compared by their names, a
//! key by whether there is one. Whatever else changes in an integration, its secrets are sent with it; and all of them, if
//! the caller says so. Nothing is kept beside the server that could tell more: it would have to be kept as safe as the
//! secrets themselves.

use super::document::Desired;
use crate::remote::Object;
use hitwire_endpoint::PemText;
use hitwire_event::filter::Filter;
use serde_json::Value;
use std::collections::BTreeMap;

/// What shall become of one integration.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// It is not there.
    Create { desired: Desired },
    /// It is there, and differs; `current` is what the server answered.
    Change { id: u64, desired: Desired, current: Value, fields: Vec<Field> },
    /// It is there, and the file does not name it.
    Delete { id: u64, name: String },
    /// It is as it shall be.
    Unchanged { name: String },
}

/// A field that differs, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// As the API calls it: `target.timeout`.
    pub(super) name: String,
    /// What changes: `15 -> 30`; empty where that would be too much, or a secret.
    pub(super) how: String,
}

/// Fields of a target that are compared as they are, and what they are in a new integration.
///
/// `rendering` is not among them: its default is the installation's, which only the server knows. Unless the file names it, it
/// stays as it is.
pub(super) fn plain_fields() -> [(&'static str, Value); 13] {
    [
        ("url", Value::Null),
        ("http_method", "POST".into()),
        ("ca_verify", true.into()),
        ("timeout", 15.into()),
        ("open_timeout", 20.into()),
        ("http_version", "auto".into()),
        ("proxy", Value::Null),
        ("format", "json".into()),
        ("retry", "patient".into()),
        ("signing", "v1".into()),
        ("max_events", Value::Null),
        ("max_bytes", Value::Null),
        ("rate", Value::Null),
    ]
}

/// The plan, in the order in which it is carried out: what is made, what changes, what goes.
///
/// # Errors
///
/// When the server has a name twice: the file cannot say which is meant.
pub(super) fn plan(
    desired: Vec<Desired>,
    current: &[Object],
    prune: bool,
    resend_secrets: bool,
) -> Result<Vec<Step>, String> {
    let (mut made, mut changed, mut gone, mut unchanged) = (vec![], vec![], vec![], vec![]);
    for object in current {
        let name = object.text("/name").unwrap_or_default();
        let is_named = desired.iter().any(|desired| desired.name == name);
        if !is_named && prune {
            let id = object.number("/id").unwrap_or_default();
            gone.push(Step::Delete { id, name: name.to_owned() });
        }
    }
    for desired in desired {
        let named: Vec<_> =
            current.iter().filter(|object| object.text("/name") == Some(&desired.name)).collect();
        match named.as_slice() {
            [] => made.push(Step::Create { desired }),
            [object] => {
                let mut fields = differences(&desired, &object.value);
                if fields.is_empty() && resend_secrets && desired.has_secrets() {
                    fields.push(Field { name: "secrets".to_owned(), how: "sent again".to_owned() });
                }
                if fields.is_empty() {
                    unchanged.push(Step::Unchanged { name: desired.name });
                } else {
                    let id = object.number("/id").unwrap_or_default();
                    changed.push(Step::Change { id, current: object.value.clone(), desired, fields });
                }
            }
            several => {
                let ids: Vec<_> = several.iter().filter_map(|object| object.number("/id")).collect();
                return Err(format!(
                    "the server has {} integrations called {:?} (ids {ids:?}), and they are matched by name: rename all but one",
                    several.len(),
                    desired.name
                ));
            }
        }
    }
    Ok([made, changed, gone, unchanged].into_iter().flatten().collect())
}

impl Desired {
    pub(super) fn has_secrets(&self) -> bool {
        !self.headers.is_empty()
            || self.target.contains_key("client_key")
            || self.target.contains_key("proxy_credentials")
            || self.certificate_has_key()
    }

    /// A client certificate may come with its key: as PKCS#12, or as PEM of both.
    pub(super) fn certificate_has_key(&self) -> bool {
        let certificate = self.field("client_cert");
        let text = certificate.as_str().unwrap_or_default();
        !is_blank(certificate) && (!is_pem(certificate) || text.contains("PRIVATE KEY-----"))
    }

    fn field(&self, name: &str) -> &Value {
        self.target.get(name).unwrap_or(&Value::Null)
    }
}

/// What differs between what shall be and what is.
fn differences(desired: &Desired, current: &Value) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut differs = |name: &str, how: String| fields.push(Field { name: name.to_owned(), how });
    if current["active"] != desired.active {
        differs("active", format!("{} -> {}", current["active"], desired.active));
    }
    let events = ticked(current);
    if events != desired.events {
        differs("events", names_changed(&events, &desired.events));
    }
    let filter: Filter = serde_json::from_value(current["filter"].clone()).unwrap_or_default();
    if filter != desired.filter {
        differs("filter", String::new());
    }
    let target = &current["target"];
    for (name, default) in plain_fields() {
        let value = |given: &Value| if given.is_null() { default.clone() } else { given.clone() };
        let (before, after) = (value(&target[name]), value(desired.field(name)));
        if before != after {
            differs(&format!("target.{name}"), format!("{} -> {}", in_words(&before), in_words(&after)));
        }
    }
    let rendering = desired.field("rendering");
    if !rendering.is_null() && target["rendering"] != *rendering {
        differs("target.rendering", format!("{} -> {}", in_words(&target["rendering"]), in_words(rendering)));
    }
    let in_flight = |value: &Value| value.as_u64().unwrap_or(1);
    let (before, after) = (in_flight(&target["in_flight"]), in_flight(desired.field("in_flight")));
    if before != after {
        differs("target.in_flight", format!("{before} -> {after}"));
    }
    let (before, after) = (header_names(target), desired.header_names());
    if before.keys().ne(after.keys()) {
        differs("target.headers", names_changed(&before, &after));
    }
    if pem(&target["ca_file"]) != pem(desired.field("ca_file")) {
        differs("target.ca_file", String::new());
    }
    if pins(&target["pin_sha256"]) != pins(desired.field("pin_sha256")) {
        differs("target.pin_sha256", String::new());
    }
    if is_blank(&target["proxy_credentials"]) != is_blank(desired.field("proxy_credentials")) {
        differs("target.proxy_credentials", String::new());
    }
    let certificate = desired.field("client_cert");
    // What a PKCS#12 file holds is not looked at.
    let same = if is_blank(certificate) || is_pem(certificate) {
        certificates(&target["client_cert"]) == certificates(certificate)
    } else {
        !is_blank(&target["client_cert"])
    };
    if !same {
        differs("target.client_cert", String::new());
    } else if !desired.certificate_has_key()
        && is_blank(&target["client_key"]) != is_blank(desired.field("client_key"))
    {
        differs("target.client_key", String::new());
    }
    fields
}

fn ticked(current: &Value) -> BTreeMap<&str, bool> {
    let events = current["events"].as_array().into_iter().flatten();
    let active = events.filter(|tick| tick["active"] == true);
    active.filter_map(|tick| Some((tick["event"].as_str()?, tick["with_headers"] == true))).collect()
}

/// Names of headers are the same in any letter case.
fn header_names(target: &Value) -> BTreeMap<String, bool> {
    let headers = target["headers"].as_object().into_iter().flatten();
    headers.map(|(name, _)| (name.to_ascii_lowercase(), true)).collect()
}

impl Desired {
    fn header_names(&self) -> BTreeMap<String, bool> {
        self.headers.iter().map(|(name, _)| (name.to_ascii_lowercase(), true)).collect()
    }
}

/// `+system -scope ~siem`: what comes, what goes, what is otherwise.
fn names_changed<K: AsRef<str>, L: AsRef<str>>(
    before: &BTreeMap<K, bool>,
    after: &BTreeMap<L, bool>,
) -> String {
    let was = |name: &str| before.iter().find(|(other, _)| other.as_ref() == name).map(|(_, value)| value);
    let mut words = Vec::new();
    for (name, value) in after {
        match was(name.as_ref()) {
            None => words.push(format!("+{}", name.as_ref())),
            Some(other) if other != value => words.push(format!("~{}", name.as_ref())),
            Some(_) => {}
        }
    }
    let is = |name: &str| after.keys().any(|other| other.as_ref() == name);
    words.extend(before.keys().filter(|name| !is(name.as_ref())).map(|name| format!("-{}", name.as_ref())));
    words.join(" ")
}

fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub(super) fn is_blank(value: &Value) -> bool {
    value.as_str().is_none_or(|text| text.trim().is_empty())
}

fn is_pem(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains("-----BEGIN "))
}

/// The lines of PEM blocks: what stands around them, and how lines end, does not count.
fn pem(value: &Value) -> Vec<&str> {
    let mut inside = false;
    let lines = value.as_str().unwrap_or_default().lines().map(str::trim);
    lines
        .filter(|line| {
            inside |= line.starts_with("-----BEGIN ");
            let counts = inside && !line.is_empty();
            inside &= !line.starts_with("-----END ");
            counts
        })
        .collect()
}

/// The certificates of a chain, in whatever order it is written; keys beside them do not count. A text that cannot be read
/// is compared as it is; the server says what is wrong with it.
fn certificates(value: &Value) -> Vec<Vec<u8>> {
    let text = value.as_str().unwrap_or_default();
    let Ok(PemText { certificates, .. }) = PemText::read(text) else { return vec![text.as_bytes().to_vec()] };
    let mut found: Vec<_> = certificates.iter().map(|certificate| certificate.to_vec()).collect();
    found.sort_unstable();
    found
}

/// Hashes in any letter case, with colons or without, in any order.
fn pins(value: &Value) -> Vec<String> {
    let pins = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut pins: Vec<_> = pins.map(|pin| pin.to_ascii_lowercase().replace(':', "")).collect();
    pins.sort_unstable();
    pins
}

#[cfg(test)]
mod tests;
