//! All integrations, as cards.

use super::doing::{Doing, Told, behind, doing, percent};
use super::{HOME, check_may, events_in_words, moment, text};
use crate::Shared;
use crate::failure::Failure;
use crate::frame::{Frame, Nav, Tab};
use crate::session::Session;
use crate::text::{count, number};
use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Html;
use axum::routing::get;
use hitwire_event::IntegrationId;
use hitwire_index::{Health, Point};
use serde::Deserialize;
use serde_json::Value;
use url::form_urlencoded::Serializer;

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route(HOME, get(show))
}

/// Integrations of a page.
const CARDS: usize = 48;

/// Which are to be shown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    /// `enabled`, `disabled`; else all.
    state: String,
    /// A part of the name.
    q: String,
    /// Go on after this id.
    after: Option<u64>,
    /// What was just done.
    done: String,
}

impl Wanted {
    /// The address of these, for another state.
    fn of_state(&self, state: &str) -> String {
        Wanted { state: state.to_owned(), after: None, ..self.clone() }.address()
    }

    /// The address of the page after this id; none: of the first one.
    fn from(&self, after: Option<u64>) -> String {
        Wanted { after, ..self.clone() }.address()
    }

    fn address(&self) -> String {
        let mut query = Serializer::new(String::new());
        if !self.state.is_empty() {
            query.append_pair("state", &self.state);
        }
        if !self.q.is_empty() {
            query.append_pair("q", &self.q);
        }
        if let Some(after) = self.after {
            query.append_pair("after", &after.to_string());
        }
        let query = query.finish();
        if query.is_empty() { HOME.to_owned() } else { format!("{HOME}?{query}") }
    }

    /// The call of the API that answers it.
    fn call(&self) -> String {
        let mut query = Serializer::new(format!("/v2/integration/overview?limit={CARDS}"));
        match &*self.state {
            "enabled" => query.append_pair("active", "true"),
            "disabled" => query.append_pair("active", "false"),
            _ => &mut query,
        };
        if !self.q.is_empty() {
            query.append_pair("name", &self.q);
        }
        if let Some(after) = self.after {
            query.append_pair("after", &after.to_string());
        }
        query.finish()
    }
}

/// One way to narrow the list down.
struct Segment {
    label: &'static str,
    number: String,
    address: String,
    current: bool,
}

struct Card {
    id: u64,
    name: String,
    events: String,
    state: Doing,
    enabled: bool,
    /// What it is behind; none: nothing.
    lag: Option<String>,
    /// Why it does not get on, or why nothing is sent.
    why: Option<String>,
    /// Milliseconds since the epoch.
    next_attempt: Option<u64>,
    /// Of the last 24 hours; none: nothing was sent.
    lately: Option<Lately>,
}

/// The requests of the last 24 hours.
struct Lately {
    success: String,
    requests: String,
    bars: Vec<Bar>,
}

/// An hour of the sparkline, in the units of its picture.
#[derive(Debug, PartialEq, Eq)]
struct Bar {
    x: usize,
    ok: u64,
    failed: u64,
}

impl Bar {
    /// Where the part that failed begins, from the top.
    fn failed_y(&self) -> u64 {
        HEIGHT - self.failed
    }

    /// The same of the part that was delivered, which stands upon it.
    fn ok_y(&self) -> u64 {
        HEIGHT - self.failed - self.ok
    }
}

/// The height of the sparkline in its units; a bar's width is [`BAR`] with its gap.
const HEIGHT: u64 = 32;
const BAR: usize = 5;

#[derive(Template)]
#[template(path = "integrations/list.html")]
struct Page {
    frame: Frame,
    wanted: Wanted,
    segments: [Segment; 3],
    cards: Vec<Card>,
    /// How many there are at all.
    all: u64,
    summary: String,
    /// The address of the next page.
    next: Option<String>,
    first: Option<String>,
}

async fn show(
    State(console): State<Shared>,
    session: Session,
    Query(mut wanted): Query<Wanted>,
) -> Result<Html<String>, Failure> {
    check_may(&console, &session)?;
    wanted.q = wanted.q.trim().to_owned();
    let done = match &*wanted.done {
        "deleted" => Some("The integration is deleted."),
        _ => None,
    };
    let answer = console.get(&session, &wanted.call()).await?.body;
    let counts = &answer["counts"];
    let of = |name: &str| counts[name].as_u64().unwrap_or(0);
    let segment = |label, state: &str, of: u64| Segment {
        label,
        number: number(of),
        address: wanted.of_state(state),
        current: wanted.state == state,
    };
    let mut cards: Vec<_> = answer["integrations"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|of| card(of, (console.now_ms)()))
        .collect();
    let ids = cards.iter().map(|card| IntegrationId(card.id)).collect();
    // Without the index the cards say less.
    for health in console.index.health(ids).await.unwrap_or_default() {
        if let Some(card) = cards.iter_mut().find(|card| card.id == health.integration.0) {
            card.lately = lately(&health);
        }
    }
    let page = Page {
        segments: [
            segment("All", "", of("all")),
            segment("Enabled", "enabled", of("enabled")),
            segment("Disabled", "disabled", of("disabled")),
        ],
        cards,
        all: of("all"),
        summary: format!("{} active, {} disabled", number(of("enabled")), number(of("disabled"))),
        next: answer["next"].as_u64().map(|next| wanted.from(Some(next))),
        first: wanted.after.map(|_| wanted.from(None)),
        frame: Frame::new(&console, &session, Nav::Settings(Tab::Integrations), "Integrations")
            .with_done(done),
        wanted,
    };
    Ok(Html(page.render()?))
}

fn card(of: &Value, now_ms: u64) -> Card {
    let events: Vec<_> = of["events"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let enabled = of["active"] == true;
    let why = of["last_error"].as_str().or(of["notice"].as_str());
    Card {
        id: of["id"].as_u64().unwrap_or(0),
        name: name(of),
        state: state(of, now_ms),
        events: events_in_words(&events),
        enabled,
        lag: lag(&of["lag"]).map(|lag| format!("Behind by {lag}")),
        // That a user disabled it, or that nothing is ticked, is said already.
        why: why
            .filter(|_| of["state"] == "broken" || (of["disabled_by"] != "user" && !events.is_empty()))
            .map(str::to_owned),
        next_attempt: moment(&of["next_attempt_at"]),
        lately: None,
    }
}

/// What an integration is called; where its name is damaged too, by its id.
pub(super) fn name(of: &Value) -> String {
    match text(of, "name") {
        "" => format!("Integration {}", of["id"].as_u64().unwrap_or(0)),
        name => name.to_owned(),
    }
}

/// What the index knows of the last day; none if nothing was sent.
fn lately(health: &Health) -> Option<Lately> {
    let success = health.success()?;
    let highest = health.hours.iter().map(|hour| hour.delivered + hour.failed()).max().unwrap_or(0).max(1);
    // Whatever is there is seen.
    let height = |requests: u64| if requests == 0 { 0 } else { (requests * HEIGHT / highest).max(1) };
    let bar = |(at, hour): (usize, &Point)| {
        let failed = height(hour.failed());
        Bar { x: at * BAR, failed, ok: height(hour.delivered).min(HEIGHT - failed) }
    };
    Some(Lately {
        success: percent(success),
        requests: count(health.delivered + health.failed, "request", "requests"),
        bars: health.hours.iter().enumerate().map(bar).collect(),
    })
}

/// The state of an integration of the overview.
pub(super) fn state(of: &Value, now_ms: u64) -> Doing {
    doing(&Told {
        disabled_by: of["disabled_by"].as_str(),
        sends: of["sends"] == true,
        state: text(of, "state"),
        failing: of["failing"] == true,
        awaited_ms: moment(&of["waiting_for_response_since"]).map(|since| now_ms.saturating_sub(since)),
    })
}

/// What is behind, of a `lag` of the API.
pub(super) fn lag(of: &Value) -> Option<String> {
    let number = |name: &str| of[name].as_u64().unwrap_or(0);
    behind(number("events"), number("seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hour_with_requests_has_a_bar_that_is_seen() {
        let hour = |delivered, sick| Point { delivered, sick, ..Point::default() };
        let hours = vec![hour(1_000, 0), hour(0, 0), hour(1, 0), hour(500, 500)];
        let health =
            Health { integration: IntegrationId(1), delivered: 1_501, failed: 500, events: 0, hours };
        let lately = lately(&health).expect("requests");
        let bars: Vec<_> = lately.bars.iter().map(|bar| (bar.x, bar.ok, bar.failed)).collect();
        assert_eq!(bars, [(0, 32, 0), (5, 0, 0), (10, 1, 0), (15, 16, 16)]);
        assert_eq!((&*lately.success, &*lately.requests), ("75.0 %", "2,001 requests"));
    }
}
