//! The settings of an integration field by field, as the activity log shows them, and what differs between two.

use crate::{Activity, FieldChange, HttpMethod, Integration, MASK, NewIntegration, Secret, Target, Ticked};
use data_encoding::HEXLOWER;
use hitwire_courier::Preset;
use hitwire_event::filter::Filter;
use hitwire_receiver::Format;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use url::Url;

/// What can be set of an integration.
pub(super) struct Settings<'a> {
    name: &'a str,
    active: bool,
    events: &'a [Ticked],
    filter: &'a Filter,
    target: &'a Target,
}

/// One setting.
struct Field<'a> {
    name: String,
    /// As it is shown: never a secret.
    shown: Value,
    /// What else must be equal for the setting to be the same.
    hidden: &'a str,
}

impl<'a> From<&'a Integration> for Settings<'a> {
    fn from(integration: &'a Integration) -> Self {
        Settings {
            name: &integration.name,
            active: integration.activity == Activity::Active,
            events: &integration.events,
            filter: &integration.filter,
            target: &integration.target,
        }
    }
}

impl<'a> From<&'a NewIntegration> for Settings<'a> {
    fn from(new: &'a NewIntegration) -> Self {
        Settings {
            name: &new.name,
            active: new.active,
            events: &new.events,
            filter: &new.filter,
            target: &new.target,
        }
    }
}

/// What differs, in the order of the fields; none for what there was or is not.
pub(super) fn differences(before: Option<&Settings<'_>>, after: Option<&Settings<'_>>) -> Vec<FieldChange> {
    let (before, after) = (before.map(fields).unwrap_or_default(), after.map(fields).unwrap_or_default());
    // There may be thousands of headers: each is looked up, not searched for.
    let was: HashSet<&str> = before.iter().map(|field| field.name.as_str()).collect();
    let by_name: HashMap<&str, &Field<'_>> = after.iter().map(|field| (field.name.as_str(), field)).collect();
    let mut changes = Vec::new();
    for old in &before {
        let new = by_name.get(old.name.as_str()).copied();
        let is_there = new.is_some() || !old.shown.is_null();
        if is_there && new.is_none_or(|new| (new.hidden, &new.shown) != (old.hidden, &old.shown)) {
            let new = new.map_or(Value::Null, |new| new.shown.clone());
            changes.push(FieldChange { field: old.name.clone(), old: old.shown.clone(), new });
        }
    }
    for new in &after {
        if !was.contains(new.name.as_str()) && !new.shown.is_null() {
            changes.push(FieldChange { field: new.name.clone(), old: Value::Null, new: new.shown.clone() });
        }
    }
    changes
}

fn fields<'a>(settings: &Settings<'a>) -> Vec<Field<'a>> {
    let Settings { name, active, events, filter, target } = *settings;
    let mut fields = vec![open("name", name.into()), open("active", active.into())];
    for ticked in events {
        fields.push(open(format!("events.{}", ticked.kind.name()), ticked_as(ticked)));
    }
    // What can be a filter has JSON; it was JSON before.
    fields.push(open("filter", serde_json::to_value(filter).unwrap_or_default()));
    of_target(target, &mut fields);
    fields
}

fn ticked_as(ticked: &Ticked) -> Value {
    if ticked.with_headers {
        json!({"active": ticked.active, "with_headers": true})
    } else {
        ticked.active.into()
    }
}

fn of_target<'a>(target: &'a Target, fields: &mut Vec<Field<'a>>) {
    let mut put = |name: &str, shown: Value| fields.push(open(format!("target.{name}"), shown));
    put(
        "http_method",
        match target.http_method {
            HttpMethod::Post => "POST",
            HttpMethod::Put => "PUT",
        }
        .into(),
    );
    put("ca_file", text_by_hash(&target.ca_file));
    put("ca_verify", target.ca_verify.into());
    put("client_cert", text_by_hash(&target.client_cert));
    put("pin_sha256", target.pins.iter().map(|pin| HEXLOWER.encode(pin)).collect::<Vec<_>>().into());
    put("timeout", target.timeout_s.into());
    put("open_timeout", target.open_timeout_s.into());
    put("http_version", target.http_version.name().into());
    put("proxy", target.proxy.as_deref().into());
    put(
        "format",
        match target.format {
            Format::Json => "json",
            Format::Jsonl => "jsonl",
        }
        .into(),
    );
    put("rendering", target.rendering.name().into());
    put(
        "retry",
        match target.retry {
            Preset::Original => "original",
            Preset::Patient => "patient",
        }
        .into(),
    );
    put("max_events", target.max_events.into());
    put("max_bytes", target.max_bytes.into());
    put("rate", target.rate.into());
    put("in_flight", target.in_flight.into());
    fields.push(Field {
        name: "target.url".to_owned(),
        shown: place(&target.url).into(),
        hidden: target.url.expose(),
    });
    for (name, value) in &target.headers {
        fields.push(secret(format!("target.headers.{name}"), value));
    }
    fields.extend(target.client_key.as_ref().map(|key| secret("target.client_key", key)));
    fields.extend(target.proxy_credentials.as_ref().map(|it| secret("target.proxy_credentials", it)));
    fields.push(secret("signing_secret", &target.signing_secret));
    fields.extend(target.signing_key.as_ref().map(|key| secret("signing_key", key)));
}

/// A setting that is no secret.
fn open(name: impl Into<String>, shown: Value) -> Field<'static> {
    Field { name: name.into(), shown, hidden: "" }
}

fn secret(name: impl Into<String>, value: &Secret) -> Field<'_> {
    Field { name: name.into(), shown: MASK.into(), hidden: value.expose() }
}

/// Scheme, host and port of a URL; its path and query are secret.
pub(super) fn place(url: &Secret) -> String {
    match Url::parse(url.expose()) {
        Ok(url) => format!("{}/{MASK}", url.origin().ascii_serialization()),
        Err(_) => MASK.to_owned(),
    }
}

/// A long text by its hash: enough to see that it changed, and to what.
fn text_by_hash(text: &str) -> Value {
    if text.trim().is_empty() {
        Value::Null
    } else {
        format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(text))).into()
    }
}
