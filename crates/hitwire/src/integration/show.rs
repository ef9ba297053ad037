//! Integrations as people read them. What the API answers goes in, lines come out; fields that an older or newer server does
//! not have are left out.

use crate::remote::Object;
use crate::table::{Cell, Facts, Table};
use crate::terminal::{self, Style, Terminal};
use crate::units;
use serde_json::Value;
use std::fmt::Write as _;
use std::time::Duration;

/// Of a test message's body and answer, so many characters are shown.
const BODY_SHOWN: usize = 600;

/// Of a body that is asked for by itself, so many characters are shown.
const BODY_RENDERED: usize = 4_000;

/// `SIEM (1)`, harmless.
pub(crate) fn name(integration: &Object) -> String {
    let id = integration.number("/id").unwrap_or_default();
    format!("{} ({id})", terminal::safe(integration.text("/name").unwrap_or_default()))
}

/// The table of `list`; with each integration how it is doing, where that was asked.
pub(super) fn list(rows: &[(Object, Option<Object>)], terminal: Terminal) -> String {
    if rows.is_empty() {
        return "there are no integrations; hitwire integration add makes one".to_owned();
    }
    let mut table = Table::new(&["ID", "NAME", "STATE", "BEHIND", "EVENTS", "URL"]);
    for (integration, status) in rows {
        let behind: u64 = lanes(status.as_ref()).filter_map(|lane| lane["lag"]["events"].as_u64()).sum();
        table.row([
            integration.number("/id").unwrap_or_default().into(),
            Cell::from(integration.text("/name").unwrap_or_default()).styled(Style::Strong),
            state(integration, status.as_ref()),
            match status {
                None => "-".into(),
                Some(_) if behind == 0 => "0".into(),
                Some(_) => Cell::from(units::count(behind)).styled(Style::Notice),
            },
            events(integration).into(),
            integration.text("/target/url").unwrap_or_default().into(),
        ]);
    }
    table.lines(terminal)
}

/// In a word or two: what an operator has to know first.
fn state(integration: &Object, status: Option<&Object>) -> Cell {
    let failures = status.and_then(|status| status.number("/failures_in_a_row")).unwrap_or(0);
    if integration.text("/broken").is_some() {
        return Cell::from("damaged: delete it").styled(Style::Bad);
    }
    if !integration.is("/active") {
        let automatic =
            status.and_then(|status| status.text("/notice")).is_some_and(|why| why.contains("by hitwire"));
        return if automatic {
            Cell::from("disabled by hitwire").styled(Style::Bad)
        } else {
            Cell::from("disabled").styled(Style::Faint)
        };
    }
    if ticked(integration).next().is_none() {
        return Cell::from("no events").styled(Style::Notice);
    }
    match failures {
        0 => Cell::from("active").styled(Style::Good),
        failures => Cell::from(format!("failing ({})", units::count(failures))).styled(Style::Bad),
    }
}

fn ticked(integration: &Object) -> impl Iterator<Item = &str> {
    let events = integration.value["events"].as_array().map_or(&[][..], Vec::as_slice);
    events.iter().filter(|tick| tick["active"] == true).filter_map(|tick| tick["event"].as_str())
}

/// `siem, security_issue_*`: what is subscribed to.
fn events(integration: &Object) -> String {
    const RISKS: [&str; 5] = ["critical", "high", "medium", "low", "info"];
    let mut names: Vec<_> = ticked(integration).collect();
    let is_risk = |name: &&str| RISKS.iter().any(|risk| *name == format!("security_issue_{risk}"));
    if names.iter().filter(|name| is_risk(name)).count() == RISKS.len() {
        names.retain(|name| !is_risk(name));
        names.push("security_issue_*");
    }
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn lanes(status: Option<&Object>) -> impl Iterator<Item = &Value> {
    status.and_then(|status| status.value["lanes"].as_array()).into_iter().flatten()
}

/// What `add` says: above all the secret, which is shown this once.
pub(super) fn created(created: &Object, terminal: Terminal) -> String {
    let mut facts = Facts::default();
    facts.maybe(
        "signing secret",
        created.text("/signing_secret").map(|secret| Cell::from(secret).styled(Style::Strong)),
    );
    facts.maybe("public key", created.text("/target/signing_public_key"));
    facts.add("events", events(created));
    facts.maybe("sends to", created.text("/target/url"));
    let mut text = format!("created {}\n{}", name(created), facts.lines(terminal));
    if created.text("/signing_secret").is_some() {
        text.push_str("  Keep the signing secret: it is not shown again.\n");
    }
    if !created.is("/active") {
        let _ = writeln!(
            text,
            "  It sends nothing until: hitwire integration enable {}",
            created.number("/id").unwrap_or(0)
        );
    } else if ticked(created).next().is_none() {
        text.push_str("  It is subscribed to nothing: add events with hitwire integration edit --event\n");
    }
    text
}

/// The page of `show`.
pub(super) fn page(integration: &Object, status: &Object, lost: &Object, terminal: Terminal) -> String {
    let state = state(integration, Some(status));
    let mut facts = Facts::default();
    facts.add("state", state);
    facts.maybe("notice", status.text("/notice").map(|notice| Cell::from(notice).styled(Style::Notice)));
    for warning in status.value["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        facts.add("warning", Cell::from(warning).styled(Style::Notice));
    }
    let method = integration.text("/target/http_method").unwrap_or("POST");
    facts.add("sends to", format!("{method} {}", integration.text("/target/url").unwrap_or_default()));
    facts.add("events", events(integration));
    settings(integration, &mut facts);
    certificates(status, &mut facts);
    let made = integration.number("/created_at").map(units::day);
    let by = integration.text("/created_by").unwrap_or_default();
    facts.maybe("created", made.map(|day| format!("{day} by {by}")));
    let title = terminal.paint(Style::Strong, name(integration)).to_string();
    let mut page = format!("{title}\n{}", facts.lines(terminal));
    lanes_of(status, terminal, &mut page);
    lost_ranges(lost, integration.number("/id").unwrap_or_default(), terminal, &mut page);
    page
}

/// Settings that are not what they are in a new integration.
fn settings(integration: &Object, facts: &mut Facts) {
    let target = &integration.value["target"];
    if integration.value["events"].as_array().into_iter().flatten().any(|tick| tick["with_headers"] == true) {
        facts.add("with headers", "yes");
    }
    let names: Vec<_> =
        target["headers"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    if !names.is_empty() {
        facts.add("headers", names.join(", "));
    }
    if target["ca_verify"] == false {
        facts.add("verification", Cell::from("off: any certificate is accepted").styled(Style::Bad));
    }
    facts.maybe("proxy", proxy(target));
    if let Some(filter) = integration.value.get("filter").filter(|filter| is_set(filter)) {
        facts.add("filter", filter.to_string());
    }
    for (field, name, usual) in [
        ("http_version", "HTTP version", Value::from("auto")),
        ("format", "format", "json".into()),
        ("rendering", "rendering", "classic".into()),
        ("retry", "retry", "patient".into()),
        ("signing", "signing", "v1".into()),
        ("signing_public_key", "public key", Value::Null),
        ("timeout", "timeout", 15.into()),
        ("open_timeout", "open timeout", 20.into()),
        ("max_events", "events at most", Value::Null),
        ("max_bytes", "bytes at most", Value::Null),
        ("rate", "requests a minute", Value::Null),
        ("in_flight", "requests at once", 1.into()),
        ("pin_sha256", "pins", Value::Null),
    ] {
        let value = &target[field];
        if is_set(value) && *value != usual {
            facts.add(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
    }
}

/// The proxy that requests are sent through; none: they are sent directly.
fn proxy(target: &Value) -> Option<Cell> {
    let which = match target["proxy_in_use"].as_str()? {
        "own" => target["proxy"].as_str().unwrap_or_default().to_owned(),
        "installation" => "the installation's".to_owned(),
        _ => return None,
    };
    Some(if target["proxy_trusted"] == true {
        let words =
            format!("{which}; it resolves and judges the endpoint by itself (trusted by the operator)");
        Cell::from(words).styled(Style::Notice)
    } else {
        which.into()
    })
}

fn is_set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Object(members) => !members.is_empty(),
        Value::Array(elements) => !elements.is_empty(),
        _ => true,
    }
}

/// The certificates, as the server describes them.
fn certificates(status: &Object, facts: &mut Facts) {
    for (pointer, name) in [("/tls/ca", "CA"), ("/tls/client_cert", "client certificate")] {
        let listed = status.value.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
        for certificate in listed {
            let subject = certificate["subject"].as_str().unwrap_or_default();
            let until = certificate["not_after"].as_str().unwrap_or("?");
            facts.add(name, format!("{subject}, until {until}"));
        }
    }
}

fn lanes_of(status: &Object, terminal: Terminal, page: &mut String) {
    let mut table = Table::new(&["LANE", "STATE", "BEHIND", "OLDEST", "OPEN BATCH", "NEXT ATTEMPT"]);
    let mut errors = String::new();
    for lane in
        lanes(Some(status)).filter(|lane| lane["events"].as_array().is_none_or(|events| !events.is_empty()))
    {
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let behind = lane["lag"]["events"].as_u64().unwrap_or(0);
        let oldest = lane["lag"]["seconds"].as_u64().unwrap_or(0);
        let open = lane["open_batch"].as_object().map_or_else(
            || "-".to_owned(),
            |batch| {
                let count = batch.get("events").and_then(Value::as_u64).unwrap_or(0);
                let tries = batch.get("tries").and_then(Value::as_u64).unwrap_or(0);
                format!("{}, tried {}", units::counted(count, "event"), units::counted(tries, "time"))
            },
        );
        table.row([
            text(&lane["lane"]).into(),
            text(&lane["state"]).into(),
            units::counted(behind, "event").into(),
            if behind == 0 { "-".into() } else { units::rough(Duration::from_secs(oldest)).into() },
            open.into(),
            text(&lane["next_attempt_at"]).into(),
        ]);
        if let Some(error) = lane["last_error"].as_str() {
            let error = terminal.paint(Style::Bad, terminal::cut(error, 2 * BODY_SHOWN));
            let _ = writeln!(errors, "last error ({}): {error}", text(&lane["lane"]));
        }
    }
    if !table.is_empty() {
        let _ = write!(page, "\n{}", table.lines(terminal));
    }
    if !errors.is_empty() {
        let _ = write!(page, "\n{errors}");
    }
}

fn lost_ranges(lost: &Object, id: u64, terminal: Terminal, page: &mut String) {
    let ranges = lost.value["lost"].as_array().map_or(&[][..], Vec::as_slice);
    if ranges.is_empty() {
        return;
    }
    let _ = write!(page, "\n{}", crate::lost::table(ranges).lines(terminal));
    if !lost.value["next"].is_null() {
        let _ = writeln!(page, "older ones: hitwire lost {id}");
    }
}

/// What `test` says: of each message that was sent.
pub(super) fn test(outcome: &Object, terminal: Terminal) -> String {
    let Some(messages) = outcome.value["messages"].as_array() else {
        return message(&outcome.value, terminal);
    };
    let mut page = messages.iter().map(|one| message(one, terminal)).collect::<Vec<_>>().join("\n");
    let not_sent: Vec<_> =
        outcome.value["not_sent"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !not_sent.is_empty() {
        let _ = write!(
            page,
            "\nnot sent, because there was no answer before: {}",
            terminal::safe(&not_sent.join(", "))
        );
    }
    page
}

/// What `render` says: the request that a test message would be.
pub(super) fn rendered(answer: &Value, terminal: Terminal) -> String {
    let mut facts = Facts::default();
    let part = |name: &str| answer["request"][name].as_str().unwrap_or_default();
    facts.add("request", format!("{} {}", part("method"), part("url")));
    facts.maybe("event", answer["event"].as_str());
    for (name, value) in answer["request"]["headers"].as_object().into_iter().flatten() {
        facts.add(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    format!("{}{}\n", facts.lines(terminal), terminal::cut_naming_length(part("body"), BODY_RENDERED))
}

/// What `rotate-secret` says.
pub(super) fn rotated(rotated: &Object, integration: &Object, terminal: Terminal) -> String {
    let mut facts = Facts::default();
    facts.maybe(
        "signing secret",
        rotated.text("/signing_secret").map(|secret| Cell::from(secret).styled(Style::Strong)),
    );
    let until = rotated.value["previous_expires_at"].as_i64();
    let until = until.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    facts.add(
        "previous one",
        until.map_or_else(|| "no longer used".to_owned(), |until| format!("signs as well until {until}")),
    );
    format!(
        "rotated the signing secret of {}\n{}  Keep the signing secret: it is not shown again.\n",
        name(integration),
        facts.lines(terminal)
    )
}

/// What became of one message.
fn message(outcome: &Value, terminal: Terminal) -> String {
    let delivered = outcome["delivered"] == true;
    let mut facts = Facts::default();
    let text = |pointer: &str| outcome.pointer(pointer).and_then(Value::as_str);
    let request = |name: &str| text(&format!("/request/{name}")).unwrap_or_default();
    facts.add("request", format!("{} {}", request("method"), request("url")));
    facts.maybe("event", text("/event"));
    facts.maybe("dialled", text("/address"));
    if let Some(status) = outcome["response"]["status"].as_u64() {
        let style = if delivered { Style::Good } else { Style::Bad };
        facts.add("answered", Cell::from(status).styled(style));
    }
    facts.maybe(
        "answer",
        text("/response/body")
            .filter(|body| !body.is_empty())
            .map(|body| terminal::cut_naming_length(body, BODY_SHOWN)),
    );
    let timings: Vec<_> = ["dns", "connect", "tls", "first_byte", "total"]
        .into_iter()
        .filter_map(|name| {
            let ms = outcome["timings_ms"][name].as_f64()?;
            Some(format!(
                "{} {}",
                name.replace('_', " "),
                units::short(Duration::from_secs_f64((ms / 1_000.0).max(0.0)))
            ))
        })
        .collect();
    if !timings.is_empty() {
        facts.add("took", timings.join(", "));
    }
    facts.maybe(
        "body",
        Some(request("body"))
            .filter(|body| !body.is_empty())
            .map(|body| terminal::cut_naming_length(body, BODY_SHOWN)),
    );
    let (style, word) = if delivered { (Style::Good, "delivered") } else { (Style::Bad, "not delivered") };
    format!("{}\n{}", terminal.paint(style, word), facts.lines(terminal))
}

#[cfg(test)]
mod tests;
