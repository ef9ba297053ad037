//! `/v1/activity`: who changed what.

use super::auth::Caller;
use super::problem::Problem;
use super::query::Query;
use super::{Shared, json, rfc3339};
use axum::extract::State;
use axum::response::Response;
use hitwire_store::{ActivityPage, ActivityQuery, ActivityRow, ActivitySource, Role};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Entries of one answer unless the caller says otherwise, and at most.
const LIMIT_DEFAULT: u64 = 50;
const LIMIT_MAX: u64 = 500;

/// A page of the activity log, the newest entry first.
#[derive(Serialize, ToSchema)]
#[schema(as = ActivityPage)]
pub(super) struct Answer {
    activity: Vec<Entry>,
    /// Ask again with `before` set to this for the next older ones; null: there are none. A page may be short, or empty, and
    /// have a next one: it looks through 5,000 entries.
    next: Option<u64>,
}

/// A change.
#[derive(Serialize, ToSchema)]
#[schema(as = ActivityEntry)]
pub(super) struct Entry {
    id: u64,
    /// When it was made, RFC 3339.
    time: String,
    client_id: u64,
    /// Who made it; null: hitwire itself, or the configuration.
    actor: Option<Actor>,
    /// `console`, `api`, `configuration`, `hitwire`
    source: &'static str,
    /// `create`, `update`, `delete`, `enable`, `disable`, `rotate`, `revoke`
    action: String,
    /// `integration`, `client`, `user`, `token`, `application`, `source`
    object_type: String,
    object_id: String,
    object_name: String,
    changes: Vec<Change>,
}

/// Who made a change.
#[derive(Serialize, ToSchema)]
#[schema(as = ActivityActor)]
pub(super) struct Actor {
    /// The user's, or that of the token.
    name: String,
    /// The user's; null if a token was nobody's.
    email: Option<String>,
}

/// One field of a change. What is secret is masked.
#[derive(Serialize, ToSchema)]
#[schema(as = FieldChange)]
pub(super) struct Change {
    /// `target.timeout`
    field: String,
    /// Before; null for something new.
    old: Value,
    /// After; null for something that is gone.
    new: Value,
}

/// The activity log, newest first: of the caller's client; an operator who names none sees all clients.
#[utoipa::path(
    get,
    path = "/v1/activity",
    tag = "accounts",
    operation_id = "listActivity",
    params(
        ("limit" = Option<u64>, Query, description = "at most so many", minimum = 1, maximum = 500),
        ("before" = Option<u64>, Query, description = "`next` of the answer before"),
        ("object_type" = Option<String>, Query, description = "only changes of such things"),
        ("object_id" = Option<String>, Query, description = "only changes of things with this id"),
        ("action" = Option<String>, Query, description = "only such changes"),
        ("actor" = Option<String>, Query, description = "only changes by whoever has this name or e-mail"),
        ("from" = Option<String>, Query, description = "only changes then or later: RFC 3339, or Unix seconds"),
        ("until" = Option<String>, Query, description = "only changes before: RFC 3339, or Unix seconds"),
        ("clientid" = Option<u64>, Query, description = "whose: an operator may name any client, others their own")
    ),
    responses((status = 200, description = "Entries.", body = Answer)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn list(
    State(api): State<Shared>,
    caller: Caller,
    mut query: Query,
) -> Result<Response, Problem> {
    let before = query.integer("before", 0..=i64::MAX as u64)?;
    let limit = query.integer("limit", 1..=LIMIT_MAX)?.unwrap_or(LIMIT_DEFAULT) as usize;
    let mut asked = ActivityQuery {
        client: None,
        object_type: query.text("object_type")?,
        object_id: query.text("object_id")?,
        action: query.text("action")?,
        actor: query.text("actor")?,
        since_ms: query.moment_ms("from")?,
        until_ms: query.moment_ms("until")?,
        before,
        limit,
    };
    query.finish()?;
    asked.client = match caller.role() {
        Role::Operator => caller.named_client(),
        _ => Some(caller.client()),
    };
    let ActivityPage { rows, next } = api.store.activity(asked).await?;
    let activity = rows.into_iter().map(Entry::from).collect();
    Ok(json(StatusCode::OK, &Answer { activity, next }))
}

impl From<ActivityRow> for Entry {
    fn from(row: ActivityRow) -> Self {
        let entry = row.entry;
        Entry {
            id: row.id,
            time: rfc3339(row.at_ms),
            client_id: entry.client.0,
            actor: entry.actor.map(|actor| Actor { name: actor.name, email: actor.email }),
            source: match entry.source {
                ActivitySource::Api => "api",
                ActivitySource::Configuration => "configuration",
                ActivitySource::Hitwire => "hitwire",
                ActivitySource::Console => "console",
            },
            action: entry.action,
            object_type: entry.object_type,
            object_id: entry.object_id,
            object_name: entry.object_name,
            changes: entry
                .changes
                .into_iter()
                .map(|change| Change { field: change.field, old: change.old, new: change.new })
                .collect(),
        }
    }
}
