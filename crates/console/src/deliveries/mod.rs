//! What became of an integration's events.
//!
//! - [`log`]: the delivery log, with filters, and told what is new while it is open ([`fresh`]). [`attempt`]: one attempt in full.
//! - [`explain`]: what an attempt came to, in words, and what helps; [`since`]: what followed it. [`bar`]: where its time went.
//! - [`lost`]: ranges that the integration did not get.
//! - here: attempts as the API tells them, and what the pages have in common.

mod attempt;
mod bar;
mod explain;
mod fresh;
pub(crate) mod log;
mod lost;
mod since;

use crate::session::Session;
use crate::{Console, Shared};
use axum::Router;
use http::Method;
use serde::Deserialize;

pub(crate) fn routes() -> Router<Shared> {
    log::routes().merge(attempt::routes()).merge(lost::routes())
}

/// An attempt as the API tells it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Attempt {
    id: u64,
    lane: String,
    webhook_id: String,
    number: u32,
    first: u64,
    last: u64,
    events: u64,
    body_bytes: u64,
    started_at: String,
    took_us: u64,
    status: Option<u16>,
    verdict: String,
    address: Option<String>,
    error: Option<String>,
}

/// What an attempt came to, as pages show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) class: &'static str,
    pub(crate) word: &'static str,
}

impl Attempt {
    fn outcome(&self) -> Outcome {
        let (class, word) = match &*self.verdict {
            "delivered" => ("ok", "Delivered"),
            "sick" if self.status.is_none() => ("warn", "No response"),
            "sick" => ("warn", "Unavailable"),
            "refused" => ("bad", "Failed"),
            "gone" => ("bad", "Gone"),
            _ => ("off", "Unknown"),
        };
        Outcome { class, word }
    }

    fn started_ms(&self) -> u64 {
        crate::text::ms_of(&self.started_at)
    }
}

/// Positions of the log: `17`, `17 to 29`.
fn positions(first: u64, last: u64) -> String {
    let number = crate::text::number;
    if first == last { number(first) } else { format!("{} to {}", number(first), number(last)) }
}

/// What the integration is called: its name, for whoever may see integrations.
pub(crate) async fn name(console: &Console, session: &Session, id: u64) -> Option<String> {
    if !console.may(session, &Method::GET, "/v2/integration/{id}") {
        return None;
    }
    let integration = console.get(session, &format!("/v2/integration/{id}")).await.ok()?.object();
    integration["name"].as_str().map(str::to_owned)
}

/// The trail of links above a page.
pub(crate) struct Crumbs {
    id: u64,
    /// None for whoever may not see integrations: there is no page to go back to.
    name: Option<String>,
}

impl Crumbs {
    async fn of(console: &Console, session: &Session, id: u64) -> Crumbs {
        Crumbs { id, name: name(console, session, id).await }
    }

    /// What the integration is called in a heading.
    fn called(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("integration {}", self.id))
    }
}
