//! `/v2/integration/{id}/attempts` and `/lost`: what became of an integration's events.

use super::auth::Caller;
use super::problem::Problem;
use super::query::Query;
use super::{Shared, integrations, json, rfc3339};
use axum::extract::{Path, State};
use axum::response::Response;
use hitwire_courier::{LostReason, Verdict};
use hitwire_log::{AttemptRow, LostRow, Role};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// Rows of one answer unless the caller says otherwise, and at most.
const LIMIT_DEFAULT: u64 = 50;
const LIMIT_MAX: u64 = 500;

/// An attempt as the API writes it.
#[derive(Serialize, ToSchema)]
pub(super) struct Attempt {
    id: u64,
    lane: &'static str,
    webhook_id: String,
    /// 1 for the first attempt of the batch.
    number: u32,
    first: u64,
    last: u64,
    events: u32,
    body_bytes: u64,
    started_at: String,
    took_us: u64,
    status: Option<u16>,
    /// `delivered`, `sick`, `refused`, `gone`
    #[schema(value_type = String)]
    verdict: Verdict,
    address: Option<String>,
    error: Option<String>,
}

/// A page of the delivery log.
#[derive(Serialize, ToSchema)]
pub(super) struct Attempts {
    attempts: Vec<Attempt>,
    /// Ask again with `before` set to this for the next older ones; null: there are none.
    next: Option<u64>,
}

/// A range of the log that the integration did not get.
#[derive(Serialize, ToSchema)]
pub(super) struct Lost {
    id: u64,
    recorded_at: String,
    lane: &'static str,
    /// The kinds that were lost, by their event names.
    kinds: Vec<&'static str>,
    first: u64,
    last: u64,
    /// How many events of these kinds.
    events: u64,
    /// `dead` (given up on) or `skipped` (not asked for).
    range: &'static str,
    /// `gave_up`, `retention`, `unticked`, `enabled_from_now`
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
#[utoipa::path(
    get,
    path = "/v2/integration/{id}/attempts",
    tag = "integrations",
    operation_id = "listAttempts",
    params(
        ("id" = u64, Path, description = "the integration"),
        ("limit" = Option<u64>, Query, description = "at most so many", minimum = 1, maximum = 500),
        ("before" = Option<u64>, Query, description = "`next` of the answer before")
    ),
    responses((status = 200, description = "Attempts.", body = Attempts)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn attempts(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, Problem> {
    let (before, limit) = page(query)?;
    let integration = integrations::find(&api, &caller, &id).await?;
    let rows = api.store.attempts(integration.id, before, limit).await?;
    let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.id);
    let attempts = rows.into_iter().map(|row| Attempt::of(row, caller.role())).collect();
    Ok(json(StatusCode::OK, &Attempts { attempts, next }))
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
            lane: attempt.lane.name(),
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
            address: attempt.address,
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
            lane: range.lane.name(),
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

/// What stands before the status and the words of a receiver (see [`refusal_in_words`](crate::dispatch::refusal_in_words)).
const ANSWERED: &str = "the receiver answered ";

/// Why something failed, as a caller with this role may see it: what a receiver said is for those who set it up.
fn shown(mut words: String, role: Role) -> String {
    if matches!(role, Role::Operator | Role::Administrator) {
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
            ("the receiver answered 403: who are you?", "the receiver answered 403"),
            (
                "no success for 72 h; last: the receiver answered 500: \u{fc}",
                "no success for 72 h; last: the receiver answered 500",
            ),
            ("the name cannot be resolved", "the name cannot be resolved"),
        ] {
            assert_eq!(shown(words.to_owned(), Role::Analyst), analyst);
            assert_eq!(shown(words.to_owned(), Role::Administrator), words);
        }
    }
}
