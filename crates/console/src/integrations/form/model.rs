//! The form between what a browser sends and what the API takes. No IO: an integration goes in and fields come out, fields go in
//! and a body for the API comes out.
//!
//! Secrets are one-way: of a header's value or of a key the form knows only that there is one. A field for it that stays empty
//! leaves it as it is.

use super::certificate::{lines, text_of};
use super::errors::Errors;
use crate::fields::Fields;
use crate::integrations::{EVENTS, RISKS};
use serde_json::{Map, Value, json};

/// What the API shows in place of a secret.
const MASK: &str = "********";

/// What stands in the fields, as it was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) method: String,
    pub(super) headers: Vec<Header>,
    /// A new CA; empty: as it is.
    pub(super) ca: String,
    pub(super) remove_ca: bool,
    pub(super) verify: bool,
    pub(super) pins: String,
    /// A new client certificate; empty: as it is.
    pub(super) client_cert: String,
    pub(super) client_key: String,
    pub(super) client_key_password: String,
    pub(super) remove_client_cert: bool,
    pub(super) timeout: String,
    pub(super) open_timeout: String,
    pub(super) http_version: String,
    pub(super) proxy: String,
    /// New `user:password`; empty: as they are.
    pub(super) proxy_credentials: String,
    pub(super) remove_proxy_credentials: bool,
    pub(super) format: String,
    pub(super) rendering: String,
    pub(super) retry: String,
    pub(super) max_events: String,
    pub(super) max_bytes: String,
    pub(super) rate: String,
    pub(super) in_flight: String,
    pub(super) signing: String,
    pub(super) filter: Filter,
    /// The names of the ticked events.
    pub(super) events: Vec<String>,
    pub(super) with_headers: bool,
    /// The event of a test message and of the preview; empty: the first that is ticked.
    pub(super) example: String,
}

/// A row for a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) name: String,
    /// As it was typed just now; the value that is kept is never here.
    pub(super) value: String,
    /// The name under which a value is kept; empty: none is.
    pub(super) kept: String,
}

/// The lines of a list, and what was picked beside it that is not in it yet.
fn with_picked<'a>(lines: &str, picked: impl Iterator<Item = &'a str>) -> String {
    let mut all: Vec<&str> = lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    for entry in picked.map(str::trim).filter(|entry| !entry.is_empty()) {
        if !all.contains(&entry) {
            all.push(entry);
        }
    }
    all.join("\n")
}

/// The parts of a filter; lists one entry a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) applications: String,
    pub(super) attack_types: String,
    pub(super) domains: String,
    pub(super) within: String,
    pub(super) not_in: String,
    pub(super) block_status: Vec<String>,
    pub(super) min_score: String,
    pub(super) risks: Vec<String>,
}

impl Form {
    /// An empty form, with what a new integration has unless told otherwise. `rendering`: the installation's default.
    pub(super) fn new(name: String, rendering: &str) -> Form {
        Form {
            name,
            method: "POST".to_owned(),
            verify: true,
            timeout: "15".to_owned(),
            open_timeout: "20".to_owned(),
            http_version: "auto".to_owned(),
            format: "json".to_owned(),
            rendering: rendering.to_owned(),
            retry: "patient".to_owned(),
            in_flight: "1".to_owned(),
            signing: "v1".to_owned(),
            ..Form::default()
        }
    }

    /// The form of an integration, as the API shows it.
    pub(super) fn of(integration: &Value) -> Form {
        let target = &integration["target"];
        let of = |name: &str| text(&target[name]);
        let headers = target["headers"].as_object().into_iter().flatten();
        let ticked = entries(&integration["events"]).filter(|entry| entry["active"] == true);
        let filter = &integration["filter"];
        Form {
            name: text(&integration["name"]),
            url: of("url"),
            method: of("http_method"),
            headers: headers
                .map(|(name, _)| Header { name: name.clone(), value: String::new(), kept: name.clone() })
                .collect(),
            verify: target["ca_verify"] == true,
            pins: listed(&target["pin_sha256"]),
            timeout: of("timeout"),
            open_timeout: of("open_timeout"),
            http_version: of("http_version"),
            proxy: of("proxy"),
            format: of("format"),
            rendering: of("rendering"),
            retry: of("retry"),
            max_events: of("max_events"),
            max_bytes: of("max_bytes"),
            rate: of("rate"),
            in_flight: of("in_flight"),
            signing: of("signing"),
            filter: Filter {
                applications: listed(&filter["applications"]),
                attack_types: listed(&filter["attack_types"]),
                domains: listed(&filter["domains"]),
                within: listed(&filter["addresses"]["in"]),
                not_in: listed(&filter["addresses"]["not_in"]),
                block_status: entries(&filter["block_status"]).map(text).collect(),
                min_score: text(&filter["min_score"]),
                risks: entries(&filter["risks"]).map(text).collect(),
            },
            events: ticked.map(|entry| text(&entry["event"])).collect(),
            with_headers: entries(&integration["events"]).any(|entry| entry["with_headers"] == true),
            ..Form::default()
        }
    }

    /// What a browser sent. Files count before what was pasted.
    pub(super) fn read(fields: &Fields) -> Form {
        let of = |name: &str| fields.get(name).trim().to_owned();
        let all = |name: &str| fields.all(name).map(str::to_owned).collect::<Vec<_>>();
        let upload = |name: &str, pasted: &str| {
            fields.file(name).map_or_else(|| lines(fields.get(pasted)), |file| text_of(file))
        };
        let (values, kept) = (all("header_value"), all("header_kept"));
        let header = |(at, name): (usize, &str)| Header {
            name: name.trim().to_owned(),
            value: values.get(at).cloned().unwrap_or_default(),
            kept: kept.get(at).cloned().unwrap_or_default(),
        };
        Form {
            name: of("name"),
            url: of("url"),
            method: of("method"),
            headers: fields.all("header_name").enumerate().map(header).collect(),
            ca: upload("ca_file", "ca"),
            remove_ca: fields.has("remove_ca"),
            verify: fields.has("verify"),
            pins: lines(fields.get("pins")),
            client_cert: upload("client_cert_file", "client_cert"),
            client_key: upload("client_key_file", "client_key"),
            client_key_password: fields.get("client_key_password").to_owned(),
            remove_client_cert: fields.has("remove_client_cert"),
            timeout: of("timeout"),
            open_timeout: of("open_timeout"),
            http_version: of("http_version"),
            proxy: of("proxy"),
            proxy_credentials: fields.get("proxy_credentials").to_owned(),
            remove_proxy_credentials: fields.has("remove_proxy_credentials"),
            format: of("format"),
            rendering: of("rendering"),
            retry: of("retry"),
            max_events: of("max_events"),
            max_bytes: of("max_bytes"),
            rate: of("rate"),
            in_flight: of("in_flight"),
            signing: of("signing"),
            filter: Filter {
                applications: with_picked(&lines(fields.get("applications")), fields.all("application")),
                attack_types: lines(fields.get("attack_types")),
                domains: lines(fields.get("domains")),
                within: lines(fields.get("within")),
                not_in: lines(fields.get("not_in")),
                block_status: all("block_status"),
                min_score: of("min_score"),
                risks: all("risks"),
            },
            events: all("events"),
            with_headers: fields.has("with_headers"),
            example: of("example"),
        }
    }

    /// The body for the API, made of the form and of the integration that it changes (null: a new one). What cannot be said in
    /// a body is noted.
    pub(super) fn to_body(&self, stored: &Value, errors: &mut Errors) -> Value {
        json!({
            "name": self.name,
            "target": self.target(&stored["target"], errors),
            "events": self.ticks(&stored["events"]),
            "filter": self.filter(),
        })
    }

    fn target(&self, stored: &Value, errors: &mut Errors) -> Value {
        let mut target = Map::new();
        let mut put = |name: &str, value: Value| target.insert(name.to_owned(), value);
        put("url", self.url.as_str().into());
        put("http_method", self.method.as_str().into());
        put("headers", self.headers(errors));
        put("ca_file", self.ca_file(stored));
        put("ca_verify", self.verify.into());
        put("pin_sha256", list(&self.pins, is_separator));
        for (name, value) in [
            ("timeout", &self.timeout),
            ("open_timeout", &self.open_timeout),
            ("max_events", &self.max_events),
            ("max_bytes", &self.max_bytes),
            ("rate", &self.rate),
            ("in_flight", &self.in_flight),
        ] {
            put(name, number(value));
        }
        for (name, value) in [
            ("http_version", &self.http_version),
            ("format", &self.format),
            ("rendering", &self.rendering),
            ("retry", &self.retry),
            ("signing", &self.signing),
        ] {
            put(name, value.as_str().into());
        }
        put("proxy", Some(self.proxy.as_str()).filter(|proxy| !proxy.is_empty()).into());
        if self.remove_proxy_credentials || !self.proxy_credentials.is_empty() {
            put("proxy_credentials", self.proxy_credentials.as_str().into());
        }
        if self.remove_client_cert && self.client_cert.is_empty() && self.client_key.is_empty() {
            put("client_cert", "".into());
            put("client_key", "".into());
        }
        for (name, value) in [
            ("client_cert", &self.client_cert),
            ("client_key", &self.client_key),
            ("client_key_password", &self.client_key_password),
        ] {
            if !value.is_empty() {
                put(name, value.as_str().into());
            }
        }
        target.into()
    }

    /// A row without a name and a value is none; one whose name was taken away takes its header away.
    fn headers(&self, errors: &mut Errors) -> Value {
        let mut headers = Map::new();
        for (at, row) in self.headers.iter().enumerate() {
            if row.name.is_empty() {
                if !row.value.is_empty() {
                    errors.add(format!("header-{at}"), format!("Header {}", at + 1), "a value needs a name");
                }
                continue;
            }
            let value = if row.value.is_empty() && !row.kept.is_empty() { MASK } else { row.value.as_str() };
            let is_there = headers.keys().any(|name| name.eq_ignore_ascii_case(&row.name));
            if is_there {
                errors.add(format!("header-{at}"), format!("Header {}", at + 1), "is there twice");
            }
            headers.insert(row.name.clone(), value.into());
        }
        headers.into()
    }

    fn ca_file(&self, stored: &Value) -> Value {
        match &*self.ca {
            "" if self.remove_ca => "".into(),
            "" => stored["ca_file"].as_str().unwrap_or_default().into(),
            new => new.into(),
        }
    }

    /// The entries that there are, ticked as the form says, and after them what is ticked newly.
    fn ticks(&self, stored: &Value) -> Value {
        let is_ticked = |name: &str| self.events.iter().any(|event| event == name);
        let entry = |name: &str| {
            let mut entry = json!({"event": name, "active": is_ticked(name)});
            if name == "siem" {
                entry["with_headers"] = self.with_headers.into();
            }
            entry
        };
        let there: Vec<String> = entries(stored).map(|entry| text(&entry["event"])).collect();
        let known = EVENTS.iter().map(|event| event.name).chain(RISKS.iter().map(|risk| risk.name));
        let new = known.filter(|name| is_ticked(name) && !there.iter().any(|other| other == name));
        there.iter().map(String::as_str).chain(new).map(entry).collect()
    }

    fn filter(&self) -> Value {
        let of = &self.filter;
        let mut filter = Map::new();
        let mut put = |name: &str, value: Value| {
            let is_empty = match &value {
                Value::Array(entries) => entries.is_empty(),
                Value::Object(members) => members.is_empty(),
                other => other.is_null(),
            };
            if !is_empty {
                filter.insert(name.to_owned(), value);
            }
        };
        // Names of applications may have blanks and commas.
        put("applications", list(&of.applications, |c| c == '\n'));
        put("attack_types", list(&of.attack_types, is_separator));
        put("domains", list(&of.domains, is_separator));
        let mut addresses = Map::new();
        for (name, text) in [("in", &of.within), ("not_in", &of.not_in)] {
            let networks = list(text, is_separator);
            if networks != json!([]) {
                addresses.insert(name.to_owned(), networks);
            }
        }
        put("addresses", addresses.into());
        put("block_status", of.block_status.iter().map(String::as_str).collect());
        put("min_score", score(&of.min_score));
        put("risks", of.risks.iter().map(String::as_str).collect());
        filter.into()
    }

    /// What is asked of the API to show what would be sent: rendering, format and events; where to does not matter.
    pub(super) fn to_preview(&self) -> Value {
        let mut body = json!({
            "target": {"url": "https://receiver.example/", "rendering": self.rendering, "format": self.format},
            "events": self.ticks(&Value::Null),
        });
        if !self.example.is_empty() {
            body["test"] = json!({"event": self.example});
        }
        body
    }

    /// What is asked of the API to count what the filter would have let pass.
    pub(super) fn to_filter_preview(&self) -> Value {
        json!({"events": self.ticks(&Value::Null), "filter": self.filter()})
    }

    /// Whether something under "advanced settings" is not as it is by default. `rendering`: the installation's default.
    pub(super) fn is_advanced(&self, rendering: &str) -> bool {
        let plain = Form {
            name: self.name.clone(),
            url: self.url.clone(),
            events: self.events.clone(),
            with_headers: self.with_headers,
            example: self.example.clone(),
            ..Form::new(String::new(), rendering)
        };
        *self != plain
    }

    /// Whether something of a new client certificate is there.
    pub(super) fn has_client(&self) -> bool {
        self.remove_client_cert || !(self.client_cert.is_empty() && self.client_key.is_empty())
    }

    /// Whether it goes through a proxy of its own.
    pub(super) fn has_proxy(&self) -> bool {
        !(self.proxy.is_empty() && self.proxy_credentials.is_empty())
    }

    /// Whether some events are to be left out.
    pub(super) fn has_filter(&self) -> bool {
        self.filter != Filter::default()
    }

    /// Whether there is a limit.
    pub(super) fn has_limits(&self) -> bool {
        let none = [&self.max_events, &self.max_bytes, &self.rate].into_iter().all(String::is_empty);
        !none || self.in_flight != "1"
    }
}

fn entries(of: &Value) -> impl Iterator<Item = &Value> {
    of.as_array().into_iter().flatten()
}

/// A text or a number, as it is typed; nothing for null.
fn text(of: &Value) -> String {
    match of {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// A list, one entry a line.
fn listed(of: &Value) -> String {
    entries(of).map(text).collect::<Vec<_>>().join("\n")
}

fn is_separator(c: char) -> bool {
    c == ',' || c.is_whitespace()
}

fn list(text: &str, is_separator: impl Fn(char) -> bool) -> Value {
    text.split(is_separator).map(str::trim).filter(|entry| !entry.is_empty()).collect()
}

/// A whole number; what is none stays a text, and the API says so.
fn number(text: &str) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    text.parse::<u64>().map_or_else(|_| text.into(), Value::from)
}

/// The same of a score, which may have decimals.
fn score(text: &str) -> Value {
    match (number(text), text.parse::<f64>()) {
        (Value::String(_), Ok(score)) => score.into(),
        (other, _) => other,
    }
}

#[cfg(test)]
mod tests;
