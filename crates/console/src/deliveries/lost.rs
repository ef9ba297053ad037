//! Ranges of the log that an integration did not get, with the reason.

use super::{Crumbs, positions};
use crate::Shared;
use crate::failure::Failure;
use crate::frame::{Frame, Nav, Tab};
use crate::integrations::event_label;
use crate::session::Session;
use crate::text::count;
use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Html;
use axum::routing::get;
use http::Method;
use serde::Deserialize;

/// Ranges on a page.
const ROWS: usize = 50;

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/settings/integrations/{id}/lost", get(show))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Page {
    before: String,
}

/// A range as the API tells it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    id: u64,
    recorded_at: String,
    lane: String,
    kinds: Vec<String>,
    first: u64,
    last: u64,
    events: u64,
    range: String,
    reason: String,
    detail: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Found {
    lost: Vec<Told>,
    next: Option<u64>,
}

/// A range in the table.
struct Lost {
    id: u64,
    recorded_ms: u64,
    is_dead: bool,
    reason: &'static str,
    kinds: String,
    positions: String,
    events: String,
    detail: String,
}

#[derive(Template)]
#[template(path = "deliveries/lost.html")]
struct LostPage {
    frame: Frame,
    crumbs: Crumbs,
    id: u64,
    lost: Vec<Lost>,
    newest: bool,
    may_resend: bool,
    older: Option<u64>,
}

async fn show(
    State(console): State<Shared>,
    session: Session,
    Path(id): Path<u64>,
    Query(page): Query<Page>,
) -> Result<Html<String>, Failure> {
    let before = page.before.parse::<u64>().ok();
    let before_asked = before.map(|before| format!("&before={before}")).unwrap_or_default();
    let path = format!("/v2/integration/{id}/lost?limit={ROWS}{before_asked}");
    let found: Found = console.get(&session, &path).await?.read()?;
    let crumbs = Crumbs::of(&console, &session, id).await;
    let title = format!("What {} did not get", crumbs.called());
    let page = LostPage {
        frame: Frame::new(&console, &session, Nav::Settings(Tab::Integrations), title),
        crumbs,
        id,
        lost: found.lost.into_iter().map(Lost::from).collect(),
        newest: before.is_none(),
        may_resend: console.may(&session, &Method::POST, "/v2/integration/{id}/replays"),
        older: found.next,
    };
    Ok(Html(page.render()?))
}

impl From<Told> for Lost {
    fn from(told: Told) -> Self {
        Lost {
            id: told.id,
            recorded_ms: crate::text::ms_of(&told.recorded_at),
            is_dead: told.range == "dead",
            reason: in_words(&told.reason),
            kinds: kinds_in_words(&told.kinds),
            positions: positions(told.first, told.last),
            events: count(told.events, "event", "events"),
            detail: told.detail,
        }
    }
}

/// Kinds as the form of an integration calls them.
fn kinds_in_words(kinds: &[String]) -> String {
    let words: Vec<_> = kinds.iter().map(|kind| event_label(kind)).collect();
    words.join(", ")
}

fn in_words(reason: &str) -> &'static str {
    match reason {
        "gave_up" => "The retry schedule ended without a success",
        "retention" => "The log made room before they were delivered",
        "damaged" => "A file of the log is damaged or missing",
        "unticked" => "The event was unticked",
        "enabled_from_now" => "The integration was enabled again from that moment on",
        _ => "Another reason",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_called_as_the_form_calls_them() {
        let kinds = ["siem".to_owned(), "security_issue_low".to_owned()];
        assert_eq!(kinds_in_words(&kinds), "Hits detected, Vulnerabilities detected (Low)");
    }

    #[test]
    fn every_reason_has_words() {
        for reason in ["gave_up", "retention", "damaged", "unticked", "enabled_from_now"] {
            assert_ne!(in_words(reason), in_words("something else"));
        }
    }
}
