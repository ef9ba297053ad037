//! What an integration is like at the moment, beside its form.

use super::Place;
use crate::Console;
use crate::failure::Failure;
use crate::integrations::{moment, text};
use crate::session::Session;
use serde_json::Value;

/// Entries of the activity log that are looked through for what was changed meanwhile.
const ENTRIES_LOOKED_AT: usize = 100;

/// The longest part of a value that is told of a change, in characters.
const VALUE_CHARS_MAX: usize = 80;

/// An integration as it is kept; empty for a new one.
#[derive(Clone, Debug, Default)]
pub(super) struct Stored {
    pub(super) name: String,
    /// As the API shows it.
    pub(super) integration: Value,
    pub(super) ca: Vec<Certificate>,
    pub(super) client: Vec<Certificate>,
}

/// A certificate in words.
#[derive(Clone, Debug)]
pub(in crate::integrations) struct Certificate {
    pub(in crate::integrations) subject: String,
    pub(in crate::integrations) issuer: String,
    pub(in crate::integrations) self_signed: bool,
    pub(in crate::integrations) names: String,
    pub(in crate::integrations) valid: String,
    pub(in crate::integrations) sha256: String,
}

impl Stored {
    /// The integration, and the tag of this state of it.
    pub(super) async fn read(
        console: &Console,
        session: &Session,
        id: u64,
    ) -> Result<(Stored, String), Failure> {
        let answer = console.get(session, &format!("/v2/integration/{id}")).await?;
        let etag = answer.etag.clone().unwrap_or_default();
        let integration = answer.object();
        let status = console.get(session, &format!("/v2/integration/{id}/status")).await?.body;
        let stored = Stored {
            name: text(&integration, "name").to_owned(),
            ca: certificates(&status["tls"]["ca"]),
            client: certificates(&status["tls"]["client_cert"]),
            integration,
        };
        Ok((stored, etag))
    }

    pub(super) fn has_certificates(&self) -> bool {
        !self.ca.is_empty() || !self.client.is_empty()
    }
}

/// Certificates of a status.
pub(in crate::integrations) fn certificates(of: &Value) -> Vec<Certificate> {
    let day = |of: &Value, name: &str| text(of, name).chars().take("2026-01-01".len()).collect::<String>();
    let certificate = |of: &Value| Certificate {
        subject: text(of, "subject").to_owned(),
        issuer: text(of, "issuer").to_owned(),
        self_signed: of["self_signed"] == true,
        names: of["names"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(", "),
        valid: format!("{} to {}", day(of, "not_before"), day(of, "not_after")),
        sha256: text(of, "sha256").to_owned(),
    };
    of.as_array().into_iter().flatten().map(certificate).collect()
}

/// What was changed since a form was opened, one line a field, the newest last; by the activity log.
pub(super) async fn changed_since(
    console: &Console,
    session: &Session,
    place: &Place,
) -> Result<Vec<String>, Failure> {
    let path = format!("/v1/activity?object_type=integration&limit={ENTRIES_LOOKED_AT}");
    let log = console.get(session, &path).await?.body;
    let id = place.id.map(|id| id.to_string());
    let entries = log["activity"].as_array().into_iter().flatten().take_while(|entry| {
        // To the second: the form may have been made within the one in which it was changed.
        moment(&entry["time"]).is_some_and(|at| at / 1_000 >= place.opened / 1_000)
    });
    let mut lines = Vec::new();
    for entry in entries.filter(|entry| entry["object_id"].as_str() == id.as_deref()) {
        let by = entry["actor"]["name"].as_str().unwrap_or("hitwire");
        for change in entry["changes"].as_array().into_iter().flatten() {
            let field = text(change, "field");
            lines.push(format!("{field}: {} → {}, by {by}", value(&change["old"]), value(&change["new"])));
        }
    }
    lines.reverse();
    Ok(lines)
}

/// A value of a change, cut.
fn value(of: &Value) -> String {
    let text = match of {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
