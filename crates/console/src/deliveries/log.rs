//! The delivery log of an integration.

use super::fresh::{Fresh, Gap};
use super::{Attempt, Crumbs, Outcome, positions};
use crate::failure::Failure;
use crate::frame::{Frame, Nav, Tab};
use crate::session::Session;
use crate::text::{count, number, part_of, rfc3339, span_us};
use crate::zone::{self, End};
use crate::{Console, Shared, live};
use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use serde::Deserialize;
use url::form_urlencoded;

/// Attempts on a page.
pub(super) const ROWS: usize = 50;

/// Attempts that are counted at most: the API's bound.
const COUNTED_MAX: usize = 10_000;

/// Attempts on the page of an integration.
pub(crate) const NEWEST: usize = 20;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/settings/integrations/{id}/attempts", get(show))
        .route("/settings/integrations/{id}/attempts/live", get(fresh))
        .route("/settings/integrations/{id}/attempts/export", get(export))
}

/// Which attempts are wanted, as the form has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    outcome: String,
    status: String,
    from: String,
    until: String,
    event: String,
    webhook_id: String,
    before: String,
    /// Attempts on the pages before this one.
    at: String,
    /// Only for [`fresh`]: what is known already.
    after: String,
    /// Only for [`export`]: `csv`, or `ndjson`.
    format: String,
}

/// What is wrong with the fields of the form, in words; empty where nothing is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wrong {
    status: &'static str,
    from: String,
    until: String,
    event: &'static str,
}

/// An attempt in a table.
pub(crate) struct Row {
    pub(crate) id: u64,
    pub(crate) integration: u64,
    pub(crate) started_ms: u64,
    pub(crate) outcome: Outcome,
    pub(crate) status: Option<u16>,
    pub(crate) events: String,
    pub(crate) positions: String,
    pub(crate) took: String,
    pub(crate) number: u32,
    pub(crate) error: Option<String>,
}

#[derive(Template)]
#[template(path = "deliveries/log.html")]
struct Page {
    frame: Frame,
    crumbs: Crumbs,
    id: u64,
    wanted: Wanted,
    wrong: Wrong,
    error: String,
    rows: Vec<Row>,
    /// `1–50 of 1,234`.
    part: String,
    /// Where new attempts are told; empty: this page is about the past.
    live: String,
    /// All that fit, as files.
    csv: String,
    ndjson: String,
    newest: Option<String>,
    older: Option<String>,
}

/// Rows alone, for a page that is open.
#[derive(Template)]
#[template(path = "deliveries/rows.html")]
struct Rows {
    rows: Vec<Row>,
}

async fn show(
    State(console): State<Shared>,
    session: Session,
    Path(id): Path<u64>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failure> {
    let crumbs = Crumbs::of(&console, &session, id).await;
    let title = format!("Attempts of {}", crumbs.called());
    let frame = Frame::new(&console, &session, Nav::Settings(Tab::Integrations), title);
    let wrong = wanted.wrong();
    // What is wrong is left out, so that whoever may not see attempts learns of that first.
    let right = if wrong == Wrong::default() { wanted.clone() } else { Wanted::default() };
    let indexed_to = attempts_to(&console);
    let (found, error) = match find(&console, &session, id, &right, ROWS, true).await {
        Ok(_) if wrong != Wrong::default() => {
            (Found::default(), "Mend the marked fields, and filter again.".to_owned())
        }
        Ok(found) => (found, String::new()),
        // Something else that cannot be, in an address that was not made by the form.
        Err(refused) if refused.status == StatusCode::BAD_REQUEST => (Found::default(), refused.whole()),
        Err(refused) => return Err(refused.into()),
    };
    let status = if error.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let path = format!("/settings/integrations/{id}/attempts");
    let is_about_now = wanted.before.is_empty() && wanted.until.is_empty() && error.is_empty();
    let after = found.attempts.first().map_or(0, |attempt| attempt.id).max(indexed_to);
    let page = Page {
        frame,
        crumbs,
        id,
        error,
        live: if is_about_now {
            wanted.address(&format!("{path}/live"), &[("after", after)])
        } else {
            String::new()
        },
        newest: (!wanted.before.is_empty()).then(|| wanted.address(&path, &[])),
        older: found.next.map(|next| {
            let at = wanted.at().saturating_add(found.attempts.len()) as u64;
            wanted.address(&path, &[("before", next), ("at", at)])
        }),
        csv: wanted.file(&path, "csv"),
        ndjson: wanted.file(&path, "ndjson"),
        part: found.total.map_or_else(String::new, |total| {
            part_of(wanted.at(), found.attempts.len(), total.count, total.is_more, COUNTED_MAX)
        }),
        rows: found.attempts.into_iter().map(|attempt| Row::of(id, attempt)).collect(),
        wanted,
        wrong,
    };
    Ok((status, Html(page.render()?)).into_response())
}

/// All attempts that fit, as a file: the API writes it.
async fn export(
    State(console): State<Shared>,
    session: Session,
    Path(id): Path<u64>,
    Query(mut wanted): Query<Wanted>,
) -> Result<Response, Failure> {
    wanted.before.clear();
    let format = if wanted.format == "ndjson" { "ndjson" } else { "csv" };
    let path = format!("/v2/integration/{id}/attempts?format={format}{}", wanted.asked());
    Ok(console.file(&session, &path).await?)
}

/// The newest attempts of an integration, and where newer ones are told: for a page with `deliveries/newest.html`.
pub(crate) async fn newest(
    console: &Console,
    session: &Session,
    id: u64,
) -> Result<(Vec<Row>, String), Failure> {
    let wanted = Wanted::default();
    let indexed_to = attempts_to(console);
    let found = find(console, session, id, &wanted, NEWEST, false).await?;
    let after = found.attempts.first().map_or(0, |attempt| attempt.id).max(indexed_to);
    let live = wanted.address(&format!("/settings/integrations/{id}/attempts/live"), &[("after", after)]);
    Ok((found.attempts.into_iter().map(|attempt| Row::of(id, attempt)).collect(), live))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Found {
    pub(super) attempts: Vec<Attempt>,
    pub(super) next: Option<u64>,
    pub(super) total: Option<Total>,
}

/// How many attempts fit, as the API tells it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Total {
    count: usize,
    is_more: bool,
}

async fn find(
    console: &Console,
    session: &Session,
    id: u64,
    wanted: &Wanted,
    rows: usize,
    counts: bool,
) -> Result<Found, crate::failure::Refused> {
    let path = format!("/v2/integration/{id}/attempts?limit={rows}&count={counts}{}", wanted.asked());
    console.get(session, &path).await?.read()
}

/// Rows of attempts that came after the last ones that an open page was told.
async fn fresh(
    State(console): State<Shared>,
    session: Session,
    Path(id): Path<u64>,
    Query(mut wanted): Query<Wanted>,
) -> Result<Response, Failure> {
    let _place = console.live.request(&session.user)?;
    let indexed_to = attempts_to(&console);
    let mut fresh = Fresh::after(wanted.after.parse().unwrap_or_default());
    wanted.before.clear();
    while let Some(next) = fresh.take(find(&console, &session, id, &wanted, ROWS, false).await?) {
        wanted.before = next.to_string();
    }
    let newest = fresh.attempts.first().map_or(fresh.after, |attempt| attempt.id).max(indexed_to);
    let rows: Vec<_> = fresh.attempts.into_iter().map(|attempt| Row::of(id, attempt)).collect();
    if rows.is_empty() {
        return Ok(live::rows(String::new(), newest));
    }
    let mut html = Rows { rows }.render()?;
    if let Some(before) = fresh.more_before {
        let path = format!("/settings/integrations/{id}/attempts");
        html += &Gap { before, address: wanted.address(&path, &[("before", before)]) }.render()?;
    }
    Ok(live::rows(html, newest))
}

/// Up to here every attempt of any integration is on record: a page that has looked need not look at them again.
fn attempts_to(console: &Console) -> u64 {
    console.index.progress().borrow().attempts_to
}

impl Row {
    fn of(integration: u64, attempt: Attempt) -> Row {
        Row {
            id: attempt.id,
            integration,
            started_ms: attempt.started_ms(),
            outcome: attempt.outcome(),
            status: attempt.status,
            events: count(attempt.events, "event", "events"),
            positions: positions(attempt.first, attempt.last),
            took: span_us(attempt.took_us),
            number: attempt.number,
            error: attempt.error,
        }
    }
}

impl Wanted {
    /// Whether anything is left out.
    fn is_filtered(&self) -> bool {
        [&self.outcome, &self.status, &self.from, &self.until, &self.event, &self.webhook_id]
            .iter()
            .any(|text| !text.is_empty())
    }

    fn at(&self) -> usize {
        self.at.parse().unwrap_or_default()
    }

    /// What the fields say that cannot be.
    fn wrong(&self) -> Wrong {
        let said = |text: &str, is_good: fn(&str) -> bool| text.trim().is_empty() || is_good(text.trim());
        let words = |is_good: bool, words: &'static str| if is_good { "" } else { words };
        let moment = |text: &str, end| match text.trim() {
            "" => String::new(),
            text => moment(text, end).err().unwrap_or_default(),
        };
        Wrong {
            status: words(said(&self.status, is_status), "A status such as 503, or a class such as 5xx."),
            from: moment(&self.from, End::From),
            until: moment(&self.until, End::Before),
            event: words(said(&self.event, is_event), "The id of an event, or its position in the log."),
        }
    }

    /// The fields of the form that say something.
    fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let fields = [
            ("outcome", &self.outcome),
            ("status", &self.status),
            ("from", &self.from),
            ("until", &self.until),
            ("event", &self.event),
            ("webhook_id", &self.webhook_id),
        ];
        fields.into_iter().map(|(name, value)| (name, value.trim())).filter(|(_, value)| !value.is_empty())
    }

    /// A page with the same filters.
    fn address(&self, path: &str, and: &[(&str, u64)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.fields());
        query.extend_pairs(and.iter().map(|(name, value)| (*name, value.to_string())));
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }

    /// All that fit, as a file of this format.
    fn file(&self, path: &str, format: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("format", format).extend_pairs(self.fields());
        format!("{path}/export?{}", query.finish())
    }

    /// What the API is asked for: `&outcome=failed&...`.
    fn asked(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.fields() {
            match name {
                "from" => query.append_pair(name, &in_the_api(value, End::From)),
                "until" => query.append_pair(name, &in_the_api(value, End::Before)),
                _ if name == "event" && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                    query.append_pair("seq", value)
                }
                _ => query.append_pair(name, value),
            };
        }
        if !self.before.is_empty() {
            query.append_pair("before", &self.before);
        }
        let query = query.finish();
        if query.is_empty() { query } else { format!("&{query}") }
    }
}

/// A moment in milliseconds since the epoch, or what is wrong with it. A page's address may have Unix seconds too.
fn moment(text: &str, end: End) -> Result<u64, String> {
    match text.parse::<u32>() {
        Ok(seconds) => Ok(u64::from(seconds) * 1_000),
        Err(_) => zone::moment(text, end),
    }
}

/// A moment as the API takes it; what is none is left to the API.
fn in_the_api(text: &str, end: End) -> String {
    moment(text, end).map_or_else(|_| text.to_owned(), rfc3339)
}

/// `503`, or `5xx`.
fn is_status(text: &str) -> bool {
    let digits = text.strip_suffix("xx").unwrap_or(text);
    let is_long_enough = text.len() == 3 && (digits.len() == 1 || digits.len() == 3);
    is_long_enough && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0')
}

/// An id, or a position that there can be.
fn is_event(text: &str) -> bool {
    !text.bytes().all(|byte| byte.is_ascii_digit()) || text.parse::<i64>().is_ok()
}

/// How many attempts a page shows at most, in words.
fn most() -> String {
    number(ROWS as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_form_says_is_what_the_api_is_asked_for() {
        let wanted = Wanted {
            outcome: "failed".to_owned(),
            status: " 5xx ".to_owned(),
            from: "2026-11-25T21:59".to_owned(),
            event: "17".to_owned(),
            before: "9".to_owned(),
            ..Wanted::default()
        };
        assert_eq!(
            wanted.asked(),
            "&outcome=failed&status=5xx&from=2026-11-25T21%3A59%3A00.000Z&seq=17&before=9"
        );
        let address = wanted.address("/a", &[("before", 5)]);
        assert_eq!(address, "/a?outcome=failed&status=5xx&from=2026-11-25T21%3A59&event=17&before=5");
        assert_eq!(Wanted::default().asked(), "");
        assert_eq!(Wanted::default().address("/a", &[]), "/a");
    }

    #[test]
    fn what_cannot_be_is_told_at_its_field() {
        let of = |status: &str, from: &str, event: &str| {
            let [status, from, event] = [status, from, event].map(str::to_owned);
            Wanted { status, from, event, ..Wanted::default() }.wrong()
        };
        for status in ["503", "5xx", " 404 ", ""] {
            assert_eq!(of(status, "2026-11-25T21:59", "17"), Wrong::default(), "{status}");
        }
        for status in ["abc", "5x", "50xx", "x", "xx", "099", "0xx", "+50"] {
            assert!(of(status, "", "").status.contains("5xx"), "{status}");
        }
        let wrong = of("", "yesterday", "99999999999999999999");
        assert!(
            wrong.from.starts_with("A date") && wrong.event.contains("position") && wrong.until.is_empty()
        );
    }

    #[test]
    fn a_moment_without_a_zone_is_in_the_pages() {
        assert_eq!(in_the_api("2026-11-25T21:59:34+01:00", End::From), "2026-11-25T20:59:34.000Z");
        assert_eq!(in_the_api("1764107974", End::From), "2025-11-25T21:59:34.000Z");
        zone::tests::within("America/New_York", || {
            assert_eq!(in_the_api("2026-11-25T21:59", End::From), "2026-11-26T02:59:00.000Z");
            let wanted = Wanted { until: "2026-03-08T02:30".to_owned(), ..Wanted::default() };
            assert!(wanted.wrong().until.contains("clocks were set forward"), "{}", wanted.wrong().until);
        });
    }
}
