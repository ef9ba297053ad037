//! What goes on: events by the minute, what is frequent, and how integrations, sources and the log are doing.
//!
//! - [`now`]: the part that is told anew while the page is open.
//! - [`health`]: integrations and sources, the ones that need attention first.

mod health;
mod now;

use crate::events::FIRST_HIT;
use crate::failure::Failure;
use crate::frame::{Frame, Nav};
use crate::session::Session;
use crate::{Console, Shared};
use askama::Template;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Html;
use axum::routing::get;
use health::{IntegrationHealth, SourceHealth};
use hitwire_event::Kind;
use hitwire_index::{Search, TopOf};
use hitwire_store::Figures;
use http::Method;
use now::Now;

/// How often a page that is open asks for the newest figures, milliseconds.
const TOLD_EVERY_MS: u64 = 10_000;

/// Values of each list of frequent ones.
const TOPS_SHOWN: usize = 8;

/// Units of width of a bar.
const METER_WIDTH: u64 = 1_000;

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/dashboard", get(show)).route("/dashboard/live", get(live_now))
}

#[derive(Template)]
#[template(path = "dashboard/page.html")]
struct Page {
    frame: Frame,
    /// None: whoever looks may not see events.
    now: Option<Now>,
    tops: Vec<Tops>,
    hours: u64,
    integrations: Option<IntegrationHealth>,
    sources: Option<Vec<SourceHealth>>,
    figures: Figures,
    /// Nothing has come yet but what hitwire tells of itself.
    is_empty: bool,
    is_live: bool,
    /// Where events are sent.
    url: String,
    /// To try it with.
    first_event: &'static str,
}

/// Frequent values.
struct Tops {
    title: &'static str,
    values: Vec<TopValue>,
}

struct TopValue {
    value: String,
    events: u64,
    /// So many may have been others.
    error: u64,
    /// Of [`METER_WIDTH`].
    width: u64,
    link: String,
}

async fn show(
    State(console): State<Shared>,
    session: Session,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, Failure> {
    let query = query.unwrap_or_default();
    let chosen = |name: &str| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let hours = if chosen("hours") == "1" { 1 } else { 24 };
    let is_live = chosen("live") != "off";
    let sees_events = console.may(&session, &Method::GET, "/v1/events");
    let (mut now, mut tops, mut is_empty) = (None, Vec::new(), false);
    if sees_events {
        // The index may be on its way still; the rest of the page is worth seeing.
        match Now::read(&console, &session).await {
            Ok(read) => now = Some(read),
            Err(failure) => tracing::debug!(?failure, "the dashboard goes without counts"),
        }
        if now.is_some() {
            tops = read_tops(&console, &session, hours).await?;
            // What hitwire tells of itself is there from the first user on.
            let kinds =
                Kind::ALL.into_iter().filter(|kind| !matches!(kind, Kind::System | Kind::RulesAndTriggers));
            let any =
                Search { client: session.user.client, kinds: kinds.collect(), limit: 1, ..Search::default() };
            is_empty = console.index.search(any).await?.events.is_empty();
        }
    }
    let page = Page {
        frame: Frame::new(&console, &session, Nav::Dashboard, "Dashboard"),
        now,
        tops,
        hours,
        integrations: health::integrations(&console, &session).await?,
        sources: health::sources(&console, &session).await?,
        figures: console.store.file_figures().await?,
        is_empty,
        is_live,
        url: console.installation.url.clone(),
        first_event: FIRST_HIT,
    };
    Ok(Html(page.render()?))
}

async fn read_tops(console: &Console, session: &Session, hours: u64) -> Result<Vec<Tops>, Failure> {
    let mut lists = Vec::new();
    for (what, title, field) in [
        (TopOf::Types, "Attack types", "type"),
        (TopOf::Addresses, "Clients", "address"),
        (TopOf::Domains, "Domains", "domain"),
    ] {
        let tops = console.index.tops(session.user.client, what, hours).await?;
        let most = tops.values.first().map_or(1, |top| top.events).max(1);
        let values = tops.values.into_iter().take(TOPS_SHOWN).map(|top| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("kind", "hit").append_pair(field, &top.value);
            TopValue {
                width: (top.events * METER_WIDTH / most).max(4),
                link: format!("/events?{}", query.finish()),
                value: top.value,
                events: top.events,
                error: top.error,
            }
        });
        lists.push(Tops { title, values: values.collect() });
    }
    Ok(lists)
}

/// The newest figures, for a page that is open.
async fn live_now(State(console): State<Shared>, session: Session) -> Result<Html<String>, Failure> {
    if !console.may(&session, &Method::GET, "/v1/events") {
        return Err(Failure::forbidden("Your role sees no events."));
    }
    let _place = console.live.request(&session.user)?;
    Ok(Html(Now::read(&console, &session).await?.render()?))
}
