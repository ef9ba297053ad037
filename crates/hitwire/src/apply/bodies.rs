//! The steps of a plan as bodies of the API.

use super::document::Desired;
use super::plan::{Field, Step, is_blank, plain_fields};
use serde_json::{Map, Value, json};

impl Step {
    /// The body of the call that carries it out; none where there is none to send.
    pub(super) fn body(&self) -> Option<Value> {
        match self {
            Step::Create { desired } => Some(creation(desired)),
            Step::Change { desired, current, fields, .. } => Some(change(desired, current, fields)),
            Step::Delete { .. } | Step::Unchanged { .. } => None,
        }
    }
}

fn creation(desired: &Desired) -> Value {
    let mut target = desired.target.clone();
    if !desired.headers.is_empty() {
        target.insert("headers".to_owned(), headers(desired));
    }
    let mut body = json!({
        "type": "web_hooks",
        "name": desired.name,
        "active": desired.active,
        "events": events(desired),
        "target": target,
    });
    if !desired.filter.is_empty() {
        body["filter"] = json!(desired.filter);
    }
    body
}

/// Only what differs; but a target is whole in the API. What neither the file nor this version knows of stays as it is.
fn change(desired: &Desired, current: &Value, fields: &[Field]) -> Value {
    let mut body = Map::new();
    let differs = |name: &str| fields.iter().any(|field| field.name == name);
    if differs("active") {
        body.insert("active".to_owned(), json!(desired.active));
    }
    if differs("events") {
        body.insert("events".to_owned(), events(desired));
    }
    if differs("filter") {
        body.insert("filter".to_owned(), json!(desired.filter));
    }
    if fields.iter().any(|field| field.name.starts_with("target.")) || desired.has_secrets() {
        let mut target = current["target"].as_object().cloned().unwrap_or_default();
        // Said outright: what is left out may stay as it is.
        for (name, default) in
            plain_fields().into_iter().chain([("in_flight", 1.into()), ("ca_file", "".into())])
        {
            if target.contains_key(name) {
                target.insert(name.to_owned(), default);
            }
        }
        target.insert("pin_sha256".to_owned(), json!([]));
        for name in ["client_cert", "client_key", "proxy_credentials"] {
            target.remove(name);
        }
        if !is_blank(&current["target"]["proxy_credentials"]) {
            target.insert("proxy_credentials".to_owned(), json!(""));
        }
        if !is_blank(&current["target"]["client_cert"]) || !is_blank(&current["target"]["client_key"]) {
            // Left out, a secret keeps its value: only an empty text takes a key away.
            target.insert("client_cert".to_owned(), json!(""));
            target.insert("client_key".to_owned(), json!(""));
        }
        // Left out, a key that signs would stay.
        target.insert("signing".to_owned(), json!("v1"));
        target.extend(desired.target.clone());
        if desired.certificate_has_key() {
            target.remove("client_key");
        }
        target.insert("headers".to_owned(), headers(desired));
        body.insert("target".to_owned(), target.into());
    }
    body.into()
}

fn events(desired: &Desired) -> Value {
    let tick = |(name, with_headers): (&&str, &bool)| {
        let mut tick = json!({"event": name, "active": true});
        if *name == "siem" {
            tick["with_headers"] = json!(with_headers);
        }
        tick
    };
    desired.events.iter().map(tick).collect()
}

fn headers(desired: &Desired) -> Value {
    let headers: Map<String, Value> =
        desired.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    headers.into()
}
