//! What an integration would send: `preview`, `render`. Nothing is sent.

use super::flags::event_names;
use super::{Desk, id_of, secret, show};
use crate::failure::{Failure, Origins};
use crate::units;
use http::Method;
use serde_json::{Value, json};

const ORIGINS: &Origins = &[("/events", "--event"), ("/filter", "--filter"), ("/last", "--last")];

/// What `hitwire integration preview` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The integration whose events and filter count where no flag says otherwise: its id, or its name
    #[arg(value_name = "ID|NAME", required_unless_present = "events")]
    which: Option<String>,

    /// Count these events (repeatable, or with commas)
    #[arg(long = "event", value_name = "EVENT", value_delimiter = ',', value_parser = event_names())]
    events: Vec<String>,

    /// Count with this filter: JSON, or @FILE with JSON
    #[arg(long, value_name = "JSON|@FILE")]
    filter: Option<String>,

    /// Look at the newest so many events of these kinds, up to 100,000 [default: 40000]
    #[arg(long, value_name = "NUMBER")]
    last: Option<u32>,
}

impl Desk {
    /// How many of the newest events would be sent.
    pub(super) async fn preview(&mut self, args: Args) -> Result<(), Failure> {
        let Args { which, events, filter, last } = args;
        let mut body = json!({});
        if let Some(which) = which {
            let integration = self.find(&which).await?;
            for field in ["events", "filter"] {
                body[field] = integration.value.get(field).cloned().unwrap_or_else(|| json!({}));
            }
        }
        if !events.is_empty() {
            body["events"] = events.iter().map(|event| json!({"event": event})).collect();
        }
        if let Some(filter) = secret::filter("--filter", filter.as_deref())? {
            body["filter"] = filter;
        }
        if let Some(last) = last {
            body["last"] = last.into();
        }
        let path = self.tenant.path(&format!("{}/preview", super::PATH));
        let counted = self.session.object(Method::POST, &path, body).await;
        let counted = counted.map_err(|error| Failure::of_call(error, ORIGINS))?;
        self.output.print(&counted.json, |_| in_words(&counted.value))
    }

    /// The request that a test would send.
    pub(super) async fn render(&mut self, which: &str, event: Option<&str>) -> Result<(), Failure> {
        let id = id_of(&self.find(which).await?)?;
        let mut body = json!({"id": id});
        if let Some(event) = event {
            body["test"] = json!({"event": event});
        }
        let path = self.tenant.path(&format!("{}/render", super::PATH));
        let rendered = self.session.object(Method::POST, &path, body).await;
        let rendered = rendered.map_err(|error| Failure::of_call(error, &[("/test/event", "--event")]))?;
        self.output.print(&rendered.json, |terminal| show::rendered(&rendered.value, terminal))
    }
}

/// `312 of the newest 10,000 events would be sent (the oldest of them came 2026-01-01T06:12:44.120Z)`
fn in_words(counted: &Value) -> String {
    let number = |name: &str| counted[name].as_u64().unwrap_or_default();
    let Some(from) = counted["from"].as_str() else {
        return "the log has no events of these kinds yet".to_owned();
    };
    format!(
        "{} of the newest {} would be sent (the oldest of them came {from})",
        units::count(number("would_send")),
        units::counted(number("looked_at"), "event"),
    )
}
