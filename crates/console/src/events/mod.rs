//! Events and vulnerabilities: a list that is told what is new, and each event in full.
//!
//! - [`asked`]: the query of a list's address. [`row`]: an event in it.
//! - [`show`]: one event.

mod asked;
mod row;
mod show;

pub(crate) use row::kind as kind_words;

use crate::failure::Failure;
use crate::frame::{Frame, Nav};
use crate::live;
use crate::session::Session;
use crate::{Console, Shared, text};
use askama::Template;
use asked::{Asked, List, PAGE_EVENTS, Wrong};
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, Redirect, Response};
use axum::routing::get;
use hitwire_event::{IntegrationId, Seq};
use hitwire_index::{COUNTED_MAX, Count, EventRow, Found, Progress, Search};
use hitwire_store::{Activity, IntegrationQuery};
use http::Method;
use row::{Known, Row};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Integrations that a list says of whether they got an event; with more than these it says nothing.
const INTEGRATIONS_MAX: usize = 10;

/// One open page is searched for at a time, and then nobody for three times as long as that took: however many are open, and
/// whatever they look for, a quarter of a core is for them at most.
static LIVE_SEARCH: Semaphore = Semaphore::const_new(1);
const RESTS: u32 = 3;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/events", get(events))
        .route("/events/live", get(events_live))
        .route("/events/{seq}", get(show::show))
        .route("/events/{seq}/raw", get(show::raw))
        .route("/object/{id}", get(object))
        .route("/vulnerabilities", get(vulnerabilities))
        .route("/vulnerabilities/live", get(vulnerabilities_live))
}

#[derive(Template)]
#[template(path = "events/list.html")]
struct Page {
    frame: Frame,
    list: List,
    asked: Asked,
    wrong: Wrong,
    rows: Vec<Row>,
    shows_deliveries: bool,
    /// Of some deliveries it is not certain that they were.
    is_uncertain: bool,
    progress: Progress,
    /// `1–50 of 1,234`.
    part: String,
    /// The query of the next page.
    older: Option<String>,
    /// The page ended because enough was looked through: so far back it came.
    searched_to_ms: Option<u64>,
    looked_at: u64,
    /// The index begins there, and the log earlier.
    begins_ms: Option<u64>,
    /// Where a script hears what is new.
    live: Option<String>,
    /// The query that turns that on or off.
    toggle: String,
    /// Where events are sent.
    url: String,
    /// An event that is good for a first one.
    first_event: &'static str,
}

/// What an empty list shows how to send.
pub(crate) const FIRST_HIT: &str = r#"{"object_type": "hit", "type": "sqli", "domain": "shop.example.com", "path": "/search", "method": "GET",
   "point": ["get", "q"], "payloads": ["1 or 1=1"], "remote_addr4": "203.0.113.7", "block_status": "blocked"}"#;
const FIRST_VULNERABILITY: &str = r#"{"object_type": "vuln", "title": "Reflected XSS", "threat": "High", "type": "xss", "domain": "shop.example.com"}"#;

/// The rows alone: what a page is told.
#[derive(Template)]
#[template(path = "events/rows.html")]
struct Told {
    list: List,
    rows: Vec<Row>,
    shows_deliveries: bool,
    /// More came than is shown.
    has_gap: bool,
}

async fn events(
    State(console): State<Shared>,
    session: Session,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, Failure> {
    page(&console, &session, List::Events, &query.unwrap_or_default()).await
}

/// Where links in notifications lead: the newest vulnerability with this id; if there is none, the list, which says so.
async fn object(
    State(console): State<Shared>,
    session: Session,
    Path(id): Path<String>,
) -> Result<Redirect, Failure> {
    let id = hitwire_event::cut(&id, asked::VALUE_BYTES_MAX);
    let search = Search {
        client: session.user.client,
        kinds: asked::VULNERABILITIES.to_vec(),
        id: Some(id.to_owned()),
        limit: 1,
        ..Search::default()
    };
    let found = console.index.search(search).await?;
    if let Some(event) = found.events.first() {
        return Ok(Redirect::to(&format!("/events/{}", event.seq.0)));
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("id", id).finish();
    Ok(Redirect::to(&format!("{}?{query}", List::Vulnerabilities.path())))
}

async fn vulnerabilities(
    State(console): State<Shared>,
    session: Session,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, Failure> {
    page(&console, &session, List::Vulnerabilities, &query.unwrap_or_default()).await
}

async fn events_live(
    State(console): State<Shared>,
    session: Session,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    live_rows(&console, &session, List::Events, &query.unwrap_or_default()).await
}

async fn vulnerabilities_live(
    State(console): State<Shared>,
    session: Session,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    live_rows(&console, &session, List::Vulnerabilities, &query.unwrap_or_default()).await
}

/// Whoever may read events may see the lists.
fn check(console: &Console, session: &Session) -> Result<(), Failure> {
    if console.may(session, &Method::GET, "/v1/events") {
        return Ok(());
    }
    Err(Failure::forbidden("Events are for operators, administrators, analysts and those who only read."))
}

async fn page(console: &Shared, session: &Session, list: List, query: &str) -> Result<Html<String>, Failure> {
    check(console, session)?;
    let asked = Asked::of(query);
    let progress = console.index.progress().borrow().clone();
    let (search, wrong) = asked.search(session.user.client, list);
    // A filter that makes no sense finds nothing: all events would pass for what was asked for.
    let (found, count) = if wrong.is_empty() {
        (console.index.search(search.clone()).await?, console.index.count(search).await?)
    } else {
        (Found::default(), Count::default())
    };
    let known = integrations(console, session).await?;
    let rows = rows(console, session, known.as_deref(), found.events).await?;
    let is_uncertain = rows.iter().flat_map(|row| &row.delivered).any(|to| !to.certain);
    let next = found.next.map(|next| next.0.to_string());
    let off = if asked.wants_live() { "" } else { "off" };
    let at = asked.at.saturating_add(rows.len()).to_string();
    let older = next.map(|next| asked.query(&[("before", &next), ("at", &at), ("live", off)]));
    let searched_to_ms =
        found.searched_to.filter(|_| rows.len() < PAGE_EVENTS).map(|searched_to| searched_to.appended_ms);
    let live = (wrong.is_empty() && asked.is_newest() && asked.wants_live()).then(|| {
        // What came between the two looks is in the list.
        let after = rows.first().map_or(0, |row| row.seq).max(progress.indexed_to.0).to_string();
        format!("{}/live?{}", list.path(), asked.query(&[("after", &after)]))
    });
    let toggle = asked.query(&[("live", if asked.wants_live() { "off" } else { "" })]);
    let (nav, title) = match list {
        List::Events => (Nav::Events, "Events"),
        List::Vulnerabilities => (Nav::Vulnerabilities, "Vulnerabilities"),
    };
    let page = Page {
        frame: Frame::new(console, session, nav, title),
        list,
        wrong,
        part: text::part_of(asked.at, rows.len(), count.events, count.is_more, COUNTED_MAX),
        rows,
        shows_deliveries: known.is_some(),
        is_uncertain,
        progress,
        older,
        searched_to_ms,
        looked_at: found.looked_at as u64,
        begins_ms: found.begins.map(|begins| begins.appended_ms),
        live,
        toggle,
        url: console.installation.url.clone(),
        first_event: if list.is_events() { FIRST_HIT } else { FIRST_VULNERABILITY },
        asked,
    };
    Ok(Html(page.render()?))
}

/// The integrations that a list tells of; none: nobody may see them, or there are too many.
async fn integrations(console: &Console, session: &Session) -> Result<Option<Vec<Known>>, Failure> {
    if !console.may(session, &Method::GET, "/v1/events/{seq}/deliveries") {
        return Ok(None);
    }
    let query = IntegrationQuery {
        client: session.user.client,
        enabled: None,
        name: String::new(),
        after: IntegrationId(0),
        limit: INTEGRATIONS_MAX,
    };
    let page = console.store.integration_page(query).await?;
    if page.next.is_some() || page.rows.is_empty() {
        return Ok(None);
    }
    let mut known = Vec::with_capacity(page.rows.len());
    for row in page.rows {
        let Some(integration) = console.store.integration(row.id).await? else { continue };
        known.push(Known {
            id: row.id,
            name: row.name,
            active: row.activity == Activity::Active,
            events: row.events,
            filters: !integration.filter.is_empty(),
            revision: integration.content_revision,
        });
    }
    Ok(Some(known))
}

async fn rows(
    console: &Console,
    session: &Session,
    known: Option<&[Known]>,
    events: Vec<EventRow>,
) -> Result<Vec<Row>, Failure> {
    let Some(known) = known else { return Ok(events.into_iter().map(Row::of).collect()) };
    let positions = events.iter().map(|event| (event.seq, event.kind.lane())).collect();
    let ids = known.iter().map(|known| known.id).collect();
    let delivered = console.index.delivered(ids, positions).await?;
    let now_ms = (console.now_ms)();
    let mut rows = Vec::with_capacity(events.len());
    for (event, by) in events.into_iter().zip(delivered) {
        let ways = if row::needs_ways(&by, known) {
            show::ways(console, session, event.seq.0).await?
        } else {
            Vec::new()
        };
        let delivered = row::delivered_to((event.seq.0, event.kind), &by, known, &ways);
        let is_open = row::is_open(&event, &delivered, known, now_ms);
        rows.push(Row { delivered, is_open, ..Row::of(event) });
    }
    Ok(rows)
}

/// Rows that came after the last ones that an open page was told.
async fn live_rows(
    console: &Shared,
    session: &Session,
    list: List,
    query: &str,
) -> Result<Response, Failure> {
    check(console, session)?;
    let asked = Asked::of(query);
    let ((search, wrong), again) = (asked.search(session.user.client, list), asked.again());
    if !wrong.is_empty() {
        return Err(Failure::not_found("A filter is not valid, so nothing is searched."));
    }
    let _place = console.live.request(&session.user)?;
    let indexed_to = console.index.progress().borrow().indexed_to;
    let after = search.after.unwrap_or(indexed_to);
    // What was told and may have been delivered since is told again.
    let from = again.map_or(after, |again| after.min(Seq(again.saturating_sub(1))));
    if indexed_to <= from {
        return Ok(live::rows(String::new(), after.0));
    }
    let search = Search { after: Some(from), before: Some(indexed_to.next()), ..search };
    let turn = LIVE_SEARCH.acquire().await.map_err(|_| Failure::not_found("hitwire stops."))?;
    let began = Instant::now();
    let told = told(console, session, list, search, after).await;
    let rest = began.elapsed() * RESTS;
    tokio::spawn(async move {
        tokio::time::sleep(rest).await;
        drop(turn);
    });
    Ok(live::rows(told?, indexed_to.0))
}

/// The rows that a search finds, or nothing if there are none. Rows up to `known_to` are on the page already.
async fn told(
    console: &Console,
    session: &Session,
    list: List,
    search: Search,
    known_to: Seq,
) -> Result<String, Failure> {
    let found = console.index.search(search).await?;
    if found.events.is_empty() {
        return Ok(String::new());
    }
    let known = integrations(console, session).await?;
    let has_gap = found.next.is_some() && found.events.last().is_some_and(|oldest| oldest.seq > known_to);
    let rows = rows(console, session, known.as_deref(), found.events).await?;
    Ok(Told { list, rows, shows_deliveries: known.is_some(), has_gap }.render()?)
}
