//! What a test message came to, and what a message would be.

use super::event_label;
use super::text;
use crate::failure::Refused;
use crate::text::{bytes, span_us};
use askama::Template;
use serde_json::Value;
use std::fmt::Write as _;

/// What a test came to.
pub(super) struct Tested {
    /// All of it.
    pub(super) delivered: bool,
    /// Why nothing was sent.
    pub(super) error: Option<String>,
    /// What is wrong with the settings; then nothing was sent.
    pub(super) wrong: Vec<String>,
    /// Each message, in the order of sending.
    pub(super) sent: Vec<Exchange>,
    /// Events of which none was sent, since a message before got no answer.
    pub(super) not_sent: Vec<String>,
}

/// What was sent, and what came back.
pub(super) struct Exchange {
    pub(super) delivered: bool,
    pub(super) error: Option<String>,
    pub(super) event: String,
    pub(super) address: Option<String>,
    /// What each part of it took.
    pub(super) timings: Vec<(&'static str, String)>,
    pub(super) request: String,
    pub(super) response: Option<String>,
    pub(super) truncated: bool,
}

/// The part of a page that shows it.
#[derive(Template)]
#[template(path = "integrations/tested.html")]
pub(super) struct TestedPart {
    pub(super) tested: Tested,
}

impl Tested {
    /// What the API answered to a test.
    pub(super) fn of(answer: &Value) -> Tested {
        let sent = match answer["messages"].as_array() {
            Some(messages) => messages.iter().map(Exchange::of).collect(),
            None => vec![Exchange::of(answer)],
        };
        let not_sent = answer["not_sent"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Tested {
            delivered: answer["delivered"] == true,
            error: None,
            wrong: Vec::new(),
            sent,
            not_sent: not_sent.map(event_label).collect(),
        }
    }

    /// What is wrong with the settings.
    pub(super) fn wrong(wrong: Vec<String>) -> Tested {
        Tested { delivered: false, error: None, wrong, sent: Vec::new(), not_sent: Vec::new() }
    }

    /// Why the API did not send it.
    pub(super) fn refused(refused: &Refused) -> Tested {
        let error = format!("{}.", refused.detail.trim_end_matches('.'));
        Tested {
            delivered: false,
            error: Some(error),
            wrong: Vec::new(),
            sent: Vec::new(),
            not_sent: Vec::new(),
        }
    }
}

impl Exchange {
    fn of(answer: &Value) -> Exchange {
        let timings = &answer["timings_ms"];
        let took = |(name, label): (&str, &'static str)| {
            let us = timings[name].as_f64()? * 1_000.0;
            Some((label, span_us(us as u64)))
        };
        let parts = [
            ("dns", "DNS"),
            ("connect", "connect"),
            ("tls", "TLS"),
            ("first_byte", "first byte"),
            ("total", "total"),
        ];
        let (request, response) = (&answer["request"], &answer["response"]);
        Exchange {
            delivered: answer["delivered"] == true,
            error: answer["error"].as_str().map(str::to_owned),
            event: event_label(text(answer, "event")),
            address: answer["address"].as_str().map(str::to_owned),
            timings: parts.into_iter().filter_map(took).collect(),
            request: message(&format!("{} {}", text(request, "method"), text(request, "url")), request),
            response: response["status"].as_u64().map(|status| message(&format!("HTTP {status}"), response)),
            truncated: response["truncated"] == true,
        }
    }
}

/// A request or an answer as it goes over the wire: first line, headers, body.
fn message(first: &str, of: &Value) -> String {
    let mut shown = first.to_owned();
    for (name, values) in of["headers"].as_object().into_iter().flatten() {
        let values = match values {
            Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
            one => Vec::from_iter(one.as_str()),
        };
        for value in values {
            // Writing to a string cannot fail.
            let _ = write!(shown, "\n{name}: {value}");
        }
    }
    shown.push_str("\n\n");
    shown.push_str(text(of, "body"));
    shown
}

/// What would be sent.
pub(super) struct Preview {
    pub(super) error: Option<String>,
    pub(super) event: String,
    pub(super) content_type: String,
    pub(super) bytes: String,
    pub(super) body: String,
    /// The body is shown otherwise than it is sent.
    pub(super) indented: bool,
}

/// The part of a page that shows it.
#[derive(Template)]
#[template(path = "integrations/preview.html")]
pub(super) struct PreviewPart {
    pub(super) preview: Preview,
}

impl Preview {
    /// What the API answered.
    pub(super) fn of(answer: &Value) -> Preview {
        let request = &answer["request"];
        let body = text(request, "body");
        let content_type = text(&request["headers"], "content-type");
        // Lines are what they are sent as.
        let indented = content_type == "application/json";
        Preview {
            error: None,
            event: event_label(text(answer, "event")),
            content_type: content_type.to_owned(),
            bytes: bytes(body.len() as u64),
            body: if indented { crate::text::indented(body) } else { body.to_owned() },
            indented,
        }
    }

    /// Why there is none.
    pub(super) fn refused(refused: &Refused) -> Preview {
        let first = refused.errors.first().map_or(&refused.detail, |error| &error.message);
        Preview {
            error: Some(format!("There is nothing to show yet: {first}.")),
            event: String::new(),
            content_type: String::new(),
            bytes: String::new(),
            body: String::new(),
            indented: false,
        }
    }
}
