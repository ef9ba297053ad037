//! The settings of an integration in words.

use crate::integrations::{events_in_words, proxy_in_words, text};
use crate::text::number;
use serde_json::Value;

/// A setting: what it is called, and what it is.
pub(super) struct Setting {
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) mono: bool,
}

/// The settings, as the API shows an integration; those that limit nothing are left out.
pub(super) fn of(integration: &Value) -> Vec<Setting> {
    let target = &integration["target"];
    let mut settings = Vec::new();
    let mut add = |label, value: String, mono| {
        if !value.is_empty() {
            settings.push(Setting { label, value, mono });
        }
    };
    add("Webhook URL", format!("{} {}", text(target, "http_method"), text(target, "url")), true);
    add("Events", events(integration), false);
    let headers = target["headers"].as_object().into_iter().flatten();
    add("Request headers", headers.map(|(name, _)| &**name).collect::<Vec<_>>().join(", "), true);
    add("TLS certificate", tls(target), false);
    let seconds = |name: &str| target[name].as_u64().unwrap_or(0);
    add(
        "Timeouts",
        format!("{} s for a request, {} s to connect", seconds("timeout"), seconds("open_timeout")),
        false,
    );
    let is_http1 = target["http_version"] == "1.1";
    add("HTTP version", if is_http1 { "HTTP/1.1 only".to_owned() } else { String::new() }, false);
    add("Proxy", proxy(target), false);
    add("What is sent", format!("{}, {}", format(target), rendering(target)), false);
    add("Filters", filters(&integration["filter"]), false);
    add("Retries", retries(target), false);
    add("Limits", limits(target), false);
    add("Signature", signature(target), false);
    add("Public key", text(target, "signing_public_key").to_owned(), true);
    settings
}

fn events(integration: &Value) -> String {
    let active =
        integration["events"].as_array().into_iter().flatten().filter(|entry| entry["active"] == true);
    let names: Vec<_> = active.clone().filter_map(|entry| entry["event"].as_str()).collect();
    let with_headers = active.clone().any(|entry| entry["with_headers"] == true);
    let words = events_in_words(&names);
    if with_headers { format!("{words}; hits with their headers") } else { words }
}

fn tls(target: &Value) -> String {
    let pins = target["pin_sha256"].as_array().map_or(0, Vec::len);
    let ca = if text(target, "ca_file").is_empty() { "public authorities" } else { "a CA of your own" };
    match (pins, target["ca_verify"] == true) {
        (0, true) => format!("verified, by {ca}"),
        (0, false) => "not verified".to_owned(),
        (1, _) => "must be the pinned one".to_owned(),
        (pins, _) => format!("must be one of {pins} that are pinned"),
    }
}

/// The proxy that requests are sent through; empty: none.
fn proxy(target: &Value) -> String {
    let Some(words) = proxy_in_words(target) else { return String::new() };
    match text(target, "proxy") {
        "" => words.to_owned(),
        url => format!("{url}: {words}"),
    }
}

fn format(target: &Value) -> &'static str {
    if target["format"] == "jsonl" { "New line delimited JSON" } else { "JSON array" }
}

fn rendering(target: &Value) -> &'static str {
    if target["rendering"] == "envelope" {
        "envelopes with summary and details"
    } else {
        "bare objects (classic)"
    }
}

fn retries(target: &Value) -> String {
    match text(target, "retry") {
        "original" => "original: 16 in 51 minutes; disabled at 60 % failures in 12 hours",
        _ => "patient: goes on for 72 hours, hourly in the end",
    }
    .to_owned()
}

fn limits(target: &Value) -> String {
    let limit = |name: &str, what: &str| {
        target[name].as_u64().map(|at_most| format!("at most {} {what}", number(at_most)))
    };
    let parts = [
        limit("max_events", "events in a request"),
        limit("max_bytes", "bytes in a request"),
        limit("rate", "requests a minute"),
        target["in_flight"]
            .as_u64()
            .filter(|number| *number > 1)
            .map(|number| format!("{number} requests at once, in any order")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn signature(target: &Value) -> String {
    match text(target, "signing") {
        "v1a" => "HMAC-SHA256 with a shared secret, and Ed25519 with a private key",
        _ => "HMAC-SHA256 with a shared secret",
    }
    .to_owned()
}

fn filters(filter: &Value) -> String {
    let list = |of: &Value| {
        let entries = of.as_array().into_iter().flatten().filter_map(Value::as_str);
        Some(entries.collect::<Vec<_>>().join(", ")).filter(|list| !list.is_empty())
    };
    let part = |label: &str, of: &Value| list(of).map(|list| format!("{label} {list}"));
    let parts = [
        part("applications", &filter["applications"]),
        part("domains", &filter["domains"]),
        part("attack types", &filter["attack_types"]),
        part("only from", &filter["addresses"]["in"]),
        part("not from", &filter["addresses"]["not_in"]),
        part("only", &filter["block_status"]),
        filter["min_score"].as_f64().map(|score| format!("score at least {score}")),
        part("risks", &filter["risks"]),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn words(integration: &Value) -> Vec<String> {
        of(integration).into_iter().map(|setting| format!("{}: {}", setting.label, setting.value)).collect()
    }

    #[test]
    fn settings_are_told_in_words() {
        let target = json!({
            "url": "https://siem.example.com/hits", "http_method": "PUT", "headers": {"X-Key": "********"}, "ca_file": "",
            "ca_verify": true, "pin_sha256": [], "timeout": 15, "open_timeout": 20, "format": "jsonl", "rendering": "envelope",
            "retry": "patient", "max_events": 1000, "max_bytes": null, "rate": null, "in_flight": 4, "signing": "v1",
            "http_version": "1.1", "proxy": "socks5://proxy.example.com:1080", "proxy_in_use": "own", "proxy_trusted": true,
            "signing_public_key": null,
        });
        let filter =
            json!({"domains": ["*.example.com"], "addresses": {"not_in": ["10.0.0.0/8"]}, "min_score": 5.0});
        let events = json!([{"event": "siem", "active": true, "with_headers": true}, {"event": "system", "active": false}]);
        let expected = [
            "Webhook URL: PUT https://siem.example.com/hits",
            "Events: Hits detected; hits with their headers",
            "Request headers: X-Key",
            "TLS certificate: verified, by public authorities",
            "Timeouts: 15 s for a request, 20 s to connect",
            "HTTP version: HTTP/1.1 only",
            "Proxy: socks5://proxy.example.com:1080: the integration's own proxy, which resolves and judges the endpoint by itself (trusted by the operator)",
            "What is sent: New line delimited JSON, envelopes with summary and details",
            "Filters: domains *.example.com; not from 10.0.0.0/8; score at least 5",
            "Retries: patient: goes on for 72 hours, hourly in the end",
            "Limits: at most 1,000 events in a request; 4 requests at once, in any order",
            "Signature: HMAC-SHA256 with a shared secret",
        ];
        assert_eq!(words(&json!({"target": target, "filter": filter, "events": events})), expected);
    }
}
