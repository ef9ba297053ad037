//! `/v2/integration/{id}/attempts` and `/lost`: what became of an integration's events.

use super::auth::Caller;
use super::description::schema;
use super::export::{self, FileFormat};
use super::path::Path;
use super::problem::Problem;
use super::query::Query;
use super::{Shared, integrations, json, rfc3339};
use axum::extract::State;
use axum::response::Response;
use hitwire_courier::{LostReason, Verdict};
use hitwire_event::{Lane, Seq, WebhookId};
use hitwire_index::{IndexError, Search};
use hitwire_store::{AttemptPage, AttemptQuery, AttemptRow, Integration, LostRow, Role};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use std::cmp::Reverse;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use utoipa::ToSchema;

/// Rows of one answer unless the caller says otherwise, and at most.
const LIMIT_DEFAULT: u64 = 50;
const LIMIT_MAX: u64 = 500;

/// Searches that count attempts, and attempts that are counted.
const COUNT_SEARCHES_MAX: usize = 4;
const COUNTED_MAX: usize = 10_000;

/// Events with the same id that are looked for. There is one, unless a sender gave an id twice.
const EVENTS_WITH_AN_ID_MAX: usize = 10;

/// An attempt as the API writes it.
#[derive(Serialize, ToSchema)]
pub(super) struct Attempt {
    pub(super) id: u64,
    #[schema(value_type = String, example = "bulk")]
    pub(super) lane: Lane,
    pub(super) webhook_id: String,
    /// 1 for the first attempt of the batch.
    pub(super) number: u32,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) events: u32,
    pub(super) body_bytes: u64,
    pub(super) started_at: String,
    pub(super) took_us: u64,
    pub(super) status: Option<u16>,
    #[schema(value_type = schema::VerdictName)]
    pub(super) verdict: Verdict,
    /// Where the request went, or would have gone. Internal addresses are for operators; null for others.
    pub(super) address: Option<String>,
    pub(super) error: Option<String>,
}

/// A page of the delivery log.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempts)]
pub(super) struct DeliveryLogPage {
    attempts: Vec<Attempt>,
    /// Ask again with `before` set to this for the next older ones; null: there are none.
    next: Option<u64>,
    /// How many attempts fit, on whatever page; left out unless the call asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    total: Option<Total>,
}

/// How many there are.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[schema(as = Total)]
pub(super) struct Total {
    /// So many were counted, 10,000 at most.
    count: usize,
    /// There are more, or there may be: counting has a bound.
    is_more: bool,
}

/// A range of the log that the integration did not get.
#[derive(Serialize, ToSchema)]
pub(super) struct Lost {
    id: u64,
    recorded_at: String,
    #[schema(value_type = String, example = "bulk")]
    lane: Lane,
    /// The kinds that were lost, by their event names.
    kinds: Vec<&'static str>,
    first: u64,
    last: u64,
    /// How many events of these kinds.
    events: u64,
    /// `dead` (given up on) or `skipped` (not asked for).
    range: &'static str,
    /// `gave_up`, `retention`, `damaged`, `unticked`, `enabled_from_now`
    #[schema(value_type = String)]
    reason: LostReason,
    detail: String,
}

/// A page of dead and skipped ranges.
#[derive(Serialize, ToSchema)]
pub(super) struct LostRanges {
    lost: Vec<Lost>,
    next: Option<u64>,
}

/// The delivery log, newest first.
///
/// With `format=csv` or `format=ndjson`, or such an `Accept`, the answer is a file of all attempts that fit, as many as `limit` says.
#[utoipa::path(
    get,
    path = "/v2/integration/{id}/attempts",
    tag = "integrations",
    operation_id = "listAttempts",
    params(
        ("id" = u64, Path, description = "the integration"),
        ("limit" = Option<u64>, Query, description = "at most so many: of a page 500 (50 if not given), of a file 1,000,000", minimum = 1, maximum = 1_000_000),
        ("before" = Option<u64>, Query, description = "`next` of the answer before"),
        ("format" = inline(Option<schema::AttemptFormat>), Query, description = "`json`: a page; `csv`, `ndjson`: a file of all attempts that fit"),
        ("outcome" = inline(Option<schema::AttemptOutcome>), Query, description = "only such attempts; `failed`: all but those that were delivered"),
        ("status" = Option<String>, Query, description = "only with this status (`503`), or with one of such (`5xx`)", pattern = "^[1-9][0-9x]{2}$"),
        ("from" = Option<String>, Query, description = "only what ended then or later: RFC 3339, or Unix seconds"),
        ("until" = Option<String>, Query, description = "only what ended before: RFC 3339, or Unix seconds"),
        ("seq" = Option<u64>, Query, description = "only those whose batch reaches over this position of the log"),
        ("event" = Option<String>, Query, description = "only those whose batch reaches over the event with this id"),
        ("webhook_id" = Option<String>, Query, description = "only those of the batch with this `webhook-id`"),
        ("count" = Option<bool>, Query, description = "`true`: the answer says in `total` how many attempts fit, on whatever page")
    ),
    responses((status = 200, description = "Attempts.", content((DeliveryLogPage = "application/json"), (String = "text/csv"), (String = "application/x-ndjson")))),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn attempts(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    mut query: Query,
) -> Result<Response, Problem> {
    let wanted = Wanted::read(&mut query)?;
    let format = FileFormat::asked(&mut query, &headers)?;
    if let Some(format) = format {
        let bounds = export::bounds(query)?;
        if wanted.counts {
            return Err(Problem::bad_request("a file has no total: leave count out"));
        }
        let integration = integrations::find(&api, &caller, &id).await?;
        return export::file(api, caller, integration, wanted, format, bounds).await;
    }
    let (before, limit) = page(query)?;
    let integration = integrations::find(&api, &caller, &id).await?;
    let total = if wanted.counts { Some(wanted.count(&api, &integration).await?) } else { None };
    let AttemptPage { rows, next } = wanted.find(&api, &integration, before, limit).await?;
    let attempts = rows.into_iter().map(|row| Attempt::of(row, caller.role())).collect();
    Ok(json(StatusCode::OK, &DeliveryLogPage { attempts, next, total }))
}

/// Dead and skipped ranges, newest first.
#[utoipa::path(
    get,
    path = "/v2/integration/{id}/lost",
    tag = "integrations",
    operation_id = "listLost",
    params(
        ("id" = u64, Path, description = "the integration"),
        ("limit" = Option<u64>, Query, description = "at most so many", minimum = 1, maximum = 500),
        ("before" = Option<u64>, Query, description = "`next` of the answer before")
    ),
    responses((status = 200, description = "Ranges.", body = LostRanges)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn lost(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, Problem> {
    let (before, limit) = page(query)?;
    let integration = integrations::find(&api, &caller, &id).await?;
    let rows = api.store.lost(integration.id, before, limit).await?;
    let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.id);
    let lost = rows.into_iter().map(|row| Lost::of(row, caller.role())).collect();
    Ok(json(StatusCode::OK, &LostRanges { lost, next }))
}

/// Which attempts a caller wants to see.
pub(super) struct Wanted {
    verdicts: &'static [Verdict],
    statuses: Option<RangeInclusive<u16>>,
    from_ms: Option<u64>,
    until_ms: Option<u64>,
    seq: Option<u64>,
    event: Option<String>,
    webhook_id: Option<String>,
    counts: bool,
}

impl Wanted {
    fn read(query: &mut Query) -> Result<Self, Problem> {
        let outcomes: &[(&str, &'static [Verdict])] = &[
            ("delivered", &[Verdict::Delivered]),
            ("failed", &[Verdict::Sick, Verdict::Refused, Verdict::Gone]),
            ("sick", &[Verdict::Sick]),
            ("refused", &[Verdict::Refused]),
            ("gone", &[Verdict::Gone]),
        ];
        let (seq, event) = (query.integer("seq", 0..=i64::MAX as u64)?, query.text("event")?);
        if seq.is_some() && event.is_some() {
            return Err(Problem::bad_request("seq and event exclude each other: name the event once"));
        }
        Ok(Wanted {
            verdicts: query.one_of("outcome", outcomes)?.unwrap_or_default(),
            statuses: query.text("status")?.map(|text| statuses(&text)).transpose()?,
            from_ms: query.moment_ms("from")?,
            until_ms: query.moment_ms("until")?,
            seq,
            event,
            webhook_id: query.text("webhook_id")?,
            counts: query.one_of("count", &[("true", true), ("false", false)])?.unwrap_or_default(),
        })
    }

    /// The next attempts: at most `limit` of them, older than `before`.
    pub(super) async fn find(
        &self,
        api: &Shared,
        integration: &Integration,
        before: Option<u64>,
        limit: usize,
    ) -> Result<AttemptPage, Problem> {
        let query = AttemptQuery {
            verdicts: self.verdicts.to_vec(),
            statuses: self.statuses.clone(),
            ended_from_ms: self.from_ms,
            ended_before_ms: self.until_ms,
            webhook_id: self.webhook_id.as_deref().map(|id| WebhookId(id.into())),
            ..AttemptQuery::of(integration.id, before, limit)
        };
        let unindexed = |error: IndexError| {
            tracing::error!(%error, "attempts cannot be found by an event or a webhook-id");
            Problem::unavailable(error.to_string())
        };
        // An event belongs to one lane, by its kind: batches of the other may reach over its position, and have not got it.
        let events: Vec<(Seq, Option<Lane>)> = if let Some(seq) = self.seq.map(Seq) {
            let event = api.index.event(integration.client, seq).await.map_err(unindexed)?;
            vec![(seq, event.map(|event| event.kind.lane()))]
        } else if let Some(id) = &self.event {
            let search = Search {
                client: integration.client,
                id: Some(id.clone()),
                limit: EVENTS_WITH_AN_ID_MAX,
                ..Search::default()
            };
            let found = api.index.search(search).await.map_err(unindexed)?;
            found.events.into_iter().map(|event| (event.seq, Some(event.kind.lane()))).collect()
        } else if let Some(webhook_id) = &query.webhook_id {
            let indexed =
                api.index.attempts_of(integration.id, webhook_id.clone(), before.unwrap_or(u64::MAX));
            let indexed = indexed.await.map_err(unindexed)?;
            return of_webhook(api, query, indexed).await;
        } else {
            return Ok(api.store.find_attempts(query).await?);
        };
        let mut page = AttemptPage::default();
        for (seq, lane) in events {
            let found =
                api.store.find_attempts(AttemptQuery { seq: Some(seq), lane, ..query.clone() }).await?;
            page.rows.extend(found.rows);
            page.next = page.next.max(found.next);
        }
        Ok(in_order(page, limit))
    }

    /// How many there are: those of some searches, each of which looks at a few thousand.
    async fn count(&self, api: &Shared, integration: &Integration) -> Result<Total, Problem> {
        let (mut count, mut before) = (0, None);
        for _ in 0..COUNT_SEARCHES_MAX {
            let page = self.find(api, integration, before, COUNTED_MAX + 1 - count).await?;
            count += page.rows.len();
            before = page.next;
            if count > COUNTED_MAX || before.is_none() {
                break;
            }
        }
        Ok(Total { count: count.min(COUNTED_MAX), is_more: count > COUNTED_MAX || before.is_some() })
    }
}

/// The attempts of a batch: the newest, of which the index may not know yet, and those that it knows.
pub(super) async fn of_webhook(
    api: &Shared,
    query: AttemptQuery,
    indexed: Vec<u64>,
) -> Result<AttemptPage, Problem> {
    let limit = query.limit;
    let mut page = api.store.find_attempts(query.clone()).await?;
    for id in indexed {
        if page.rows.iter().any(|row| row.id == id) {
            continue;
        }
        let this = AttemptQuery { before: Some(id + 1), limit: 1, ..query.clone() };
        let found = api.store.find_attempts(this).await?;
        page.rows.extend(found.rows.into_iter().filter(|row| row.id == id));
    }
    page.next = None;
    Ok(in_order(page, limit))
}

/// A page of attempts from several searches, newest first and each once.
fn in_order(mut page: AttemptPage, limit: usize) -> AttemptPage {
    // Two events with the same id may have been in the same batch.
    page.rows.sort_unstable_by_key(|row| Reverse(row.id));
    page.rows.dedup_by_key(|row| row.id);
    if page.rows.len() > limit || page.next.is_some() {
        page.rows.truncate(limit);
        page.next = page.rows.last().map(|row| row.id);
    }
    page
}

/// `503`, or `5xx`.
fn statuses(text: &str) -> Result<RangeInclusive<u16>, Problem> {
    let refused =
        || Problem::bad_request("the parameter status must be one such as 503, or 2xx, 3xx, 4xx, 5xx");
    let (low, high) = match text.strip_suffix("xx") {
        Some(class) => (format!("{class}00"), format!("{class}99")),
        None => (text.to_owned(), text.to_owned()),
    };
    let number = |text: &str| text.parse().ok().filter(|status| (100..=999).contains(status));
    let (low, high) = (number(&low).ok_or_else(refused)?, number(&high).ok_or_else(refused)?);
    Ok(low..=high)
}

fn page(mut query: Query) -> Result<(Option<u64>, usize), Problem> {
    let before = query.integer("before", 0..=i64::MAX as u64)?;
    let limit = query.integer("limit", 1..=LIMIT_MAX)?.unwrap_or(LIMIT_DEFAULT);
    query.finish()?;
    Ok((before, limit as usize))
}

impl Attempt {
    /// As a caller with this role may see it.
    pub(super) fn of(row: AttemptRow, role: Role) -> Self {
        let attempt = row.attempt;
        Attempt {
            id: row.id,
            lane: attempt.lane,
            webhook_id: attempt.webhook_id.to_string(),
            number: attempt.number,
            first: attempt.first.0,
            last: attempt.last.0,
            events: attempt.events,
            body_bytes: attempt.body_bytes,
            started_at: rfc3339(attempt.started_ms),
            took_us: attempt.took_us,
            status: attempt.status,
            verdict: attempt.verdict,
            address: attempt.address.filter(|address| sees_address(address, role)),
            error: attempt.error.map(|words| shown(words, role)),
        }
    }
}

impl Lost {
    fn of(row: LostRow, role: Role) -> Self {
        let range = row.range;
        Lost {
            id: row.id,
            recorded_at: rfc3339(row.recorded_ms),
            lane: range.lane,
            kinds: range.kinds.iter().map(|kind| kind.name()).collect(),
            first: range.first.0,
            last: range.last.0,
            events: range.events,
            range: if range.reason.is_dead() { "dead" } else { "skipped" },
            reason: range.reason,
            detail: shown(range.detail, role),
        }
    }
}

/// Whether this role may see what a receiver answered: that is for those who set it up.
pub(super) fn sees_receivers(role: Role) -> bool {
    matches!(role, Role::Operator | Role::Administrator)
}

/// Whether this role may see where a request went (`address:port`): which internal addresses names lead to is for operators.
pub(super) fn sees_address(address: &str, role: Role) -> bool {
    let is_public = |address: SocketAddr| hitwire_endpoint::is_public(address.ip());
    role == Role::Operator || address.parse().is_ok_and(is_public)
}

/// What stands before the status and the words of a receiver (see [`refusal_in_words`](hitwire_delivery::refusal_in_words)).
const ANSWERED: &str = "the endpoint returned ";

/// Why something failed, as a caller with this role may see it: what a receiver said is for those who set it up.
fn shown(mut words: String, role: Role) -> String {
    if sees_receivers(role) {
        return words;
    }
    if let Some(at) = words.find(ANSWERED) {
        let status = &words[at + ANSWERED.len()..];
        let digits = status.bytes().take_while(u8::is_ascii_digit).count();
        words.truncate(at + ANSWERED.len() + digits);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_analyst_sees_the_status_and_not_what_the_receiver_said() {
        for (words, analyst) in [
            ("the endpoint returned 403: who are you?", "the endpoint returned 403"),
            (
                "no success for 72 h; last: the endpoint returned 500: \u{fc}",
                "no success for 72 h; last: the endpoint returned 500",
            ),
            ("the name cannot be resolved", "the name cannot be resolved"),
        ] {
            assert_eq!(shown(words.to_owned(), Role::Analyst), analyst);
            assert_eq!(shown(words.to_owned(), Role::Administrator), words);
        }
    }
}
