//! `/v2/integration/overview`: integrations page by page, each with how it is doing.

use super::auth::Caller;
use super::broken;
use super::name::NAME_CHARS_MAX;
use super::problem::Problem;
use super::query::Query;
use super::status::{self, LagAnswer};
use super::{Shared, json, rfc3339};
use axum::extract::State;
use axum::response::Response;
use hitwire_delivery::{CourierStatus, streams_of};
use hitwire_event::{IntegrationId, Lane};
use hitwire_store::{Activity, IntegrationQuery, IntegrationRow};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// Integrations of one answer unless the caller says otherwise, and at most: each may cost some reads.
const LIMIT_DEFAULT: u64 = 48;
const LIMIT_MAX: u64 = 100;

/// So many of the newest attempts are looked at for why one failed: those of other lanes may lie between.
const ATTEMPTS_LOOKED_AT: usize = 20;

/// Some integrations.
#[derive(Serialize, ToSchema)]
#[schema(as = IntegrationOverview)]
pub(super) struct Overview {
    integrations: Vec<Entry>,
    /// How many there are, whatever was asked for.
    counts: CountsAnswer,
    /// Ask again with `after` set to this for the next ones; null: there are none.
    next: Option<u64>,
}

/// How many integrations a client has.
#[derive(Serialize, ToSchema)]
#[schema(as = IntegrationCounts)]
pub(super) struct CountsAnswer {
    all: u64,
    enabled: u64,
    disabled: u64,
}

/// An integration without its settings, and how it is doing.
#[derive(Serialize, ToSchema)]
#[schema(as = IntegrationState)]
pub(super) struct Entry {
    id: u64,
    name: String,
    active: bool,
    /// If it is not active: `user`, `hitwire`.
    disabled_by: Option<&'static str>,
    created_at: u64,
    created_by: String,
    /// The events that are active.
    events: Vec<&'static str>,
    /// Whether events that come now will be sent.
    sends: bool,
    /// Why not, or what to do; null when all is well.
    notice: Option<String>,
    /// Of its lanes, the one that needs most attention: `refused`, `waiting`, `sending`, `caught_up`, `disabled`. `broken`: its
    /// stored settings are damaged, `notice` tells more.
    state: &'static str,
    /// Requests fail, and no success has followed yet.
    failing: bool,
    /// Failed attempts in a row; 0 when well.
    failures_in_a_row: u32,
    /// Of both lanes together; null if it is disabled: what it misses is counted by its status.
    lag: Option<LagAnswer>,
    /// When the oldest request that is under way was sent: since then a response is awaited.
    waiting_for_response_since: Option<String>,
    /// The earlier one of its lanes.
    next_attempt_at: Option<String>,
    /// Of the newest attempt that failed, while the integration fails; null otherwise.
    last_error: Option<String>,
}

/// States of a lane, the one that needs most attention first.
const STATES: [&str; 5] = ["refused", "waiting", "sending", "caught_up", "disabled"];

/// Integrations page by page, each with how it is doing.
///
/// In the order of their ids. A page may end early, or be empty, although there is more: only 5,000 names are looked at for a
/// part of one in one call.
#[utoipa::path(
    get,
    path = "/v2/integration/overview",
    tag = "integrations",
    operation_id = "overviewIntegrations",
    params(
        ("active" = Option<bool>, Query, description = "only those that are, or are not"),
        ("name" = Option<String>, Query, description = "only names with this in them, whatever the case", max_length = 200),
        ("after" = Option<u64>, Query, description = "`next` of the answer before"),
        ("limit" = Option<u64>, Query, description = "at most so many", minimum = 1, maximum = 100),
        ("clientid" = Option<u64>, Query, description = "whose: an operator may name any client, others their own")
    ),
    responses((status = 200, description = "Integrations.", body = Overview)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn page(
    State(api): State<Shared>,
    caller: Caller,
    mut query: Query,
) -> Result<Response, Problem> {
    let enabled = query.one_of("active", &[("true", true), ("false", false)])?;
    let name = query.text("name")?.unwrap_or_default();
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(Problem::bad_request(format!(
            "the parameter name has more than {NAME_CHARS_MAX} characters"
        )));
    }
    let after = query.integer("after", 0..=i64::MAX as u64)?.unwrap_or(0);
    let limit = query.integer("limit", 1..=LIMIT_MAX)?.unwrap_or(LIMIT_DEFAULT) as usize;
    query.finish()?;
    let wanted = IntegrationQuery {
        client: caller.client(),
        enabled,
        name: name.trim().to_owned(),
        after: IntegrationId(after),
        limit,
    };
    let page = api.store.integration_page(wanted).await?;
    let ids: Vec<_> = page.rows.iter().map(|row| row.id).collect();
    let statuses = api.dispatch.statuses(&ids).await;
    let mut integrations = Vec::with_capacity(ids.len());
    for (row, status) in page.rows.into_iter().zip(statuses) {
        // Those that cannot be read have no courier.
        let broken = match (&row.broken, &status) {
            (Some(why), _) => Some(why.clone()),
            (None, None) => broken::why(&api, row.client, row.id).await?,
            (None, Some(_)) => None,
        };
        if let Some(why) = broken {
            integrations.push(broken_entry(row, why));
            continue;
        }
        let status = match status {
            Some(status) => status,
            None => status::saved(&api, row.id, &row.activity).await?,
        };
        integrations.push(entry(&api, row, &status).await?);
    }
    let counts = CountsAnswer {
        all: page.counts.enabled + page.counts.disabled,
        enabled: page.counts.enabled,
        disabled: page.counts.disabled,
    };
    Ok(json(StatusCode::OK, &Overview { integrations, counts, next: page.next.map(|next| next.0) }))
}

fn broken_entry(row: IntegrationRow, why: String) -> Entry {
    let active = row.events.iter().filter(|ticked| ticked.active);
    Entry {
        id: row.id.0,
        active: row.activity == Activity::Active,
        disabled_by: status::disabled_by(&row.activity),
        created_at: row.created_at,
        created_by: row.created_by,
        events: active.map(|ticked| ticked.kind.name()).collect(),
        sends: false,
        notice: Some(why),
        state: "broken",
        failing: false,
        failures_in_a_row: 0,
        lag: None,
        waiting_for_response_since: None,
        next_attempt_at: None,
        last_error: None,
        name: row.name,
    }
}

async fn entry(api: &Shared, row: IntegrationRow, status: &CourierStatus) -> Result<Entry, Problem> {
    let notice =
        status::notice(row.client, &row.activity, &row.events, api.accounts.clients().is_enabled(row.client));
    let in_use = |lane: &Lane| row.events.iter().any(|ticked| ticked.active && ticked.kind.lane() == *lane);
    let lanes: Vec<_> =
        Lane::LIVE.into_iter().filter(in_use).map(|lane| (lane, &status.lanes[lane])).collect();
    let states = lanes.iter().filter_map(|(_, now)| STATES.iter().position(|state| *state == now.state));
    let idle = if row.activity == Activity::Active { "caught_up" } else { "disabled" };
    let state = states.min().map_or(idle, |at| STATES[at]);
    let next_attempt_ms = lanes.iter().filter_map(|(_, now)| now.next_attempt_ms).min();
    let requested_ms = lanes.iter().filter_map(|(_, now)| now.requested_ms).min();
    let failing = row.activity == Activity::Active && status.is_failing();
    let last_error = if failing {
        let attempts = api.store.attempts(row.id, None, ATTEMPTS_LOOKED_AT).await?;
        attempts.into_iter().find_map(|row| row.attempt.error)
    } else {
        None
    };
    // A page of disabled ones would count the whole log for each.
    let lag = if row.activity == Activity::Active { Some(lag(api, &row, status).await?) } else { None };
    let active = row.events.iter().filter(|ticked| ticked.active);
    Ok(Entry {
        id: row.id.0,
        active: row.activity == Activity::Active,
        disabled_by: status::disabled_by(&row.activity),
        created_at: row.created_at,
        created_by: row.created_by,
        events: active.map(|ticked| ticked.kind.name()).collect(),
        sends: notice.is_none(),
        notice,
        state,
        failing,
        failures_in_a_row: status.failures_in_a_row,
        lag,
        waiting_for_response_since: requested_ms.map(rfc3339),
        next_attempt_at: next_attempt_ms.map(rfc3339),
        last_error,
        name: row.name,
    })
}

/// What the lanes that are not caught up are behind.
async fn lag(api: &Shared, row: &IntegrationRow, status: &CourierStatus) -> Result<LagAnswer, Problem> {
    let head = api.store.head().now();
    let mut sum = LagAnswer::default();
    for (lane, now) in status.lanes.iter() {
        let streams = streams_of(row.client, &row.events, lane);
        if streams.is_empty() || now.state == "caught_up" {
            continue;
        }
        let lag = api.store.lag(streams, now.cursor, head).await?;
        sum.events += lag.events.saturating_sub(now.settled_ahead);
        let age_s = lag.oldest_ms.map_or(0, |oldest| api.clock.wall_ms().saturating_sub(oldest) / 1_000);
        sum.seconds = sum.seconds.max(age_s);
    }
    Ok(sum)
}
