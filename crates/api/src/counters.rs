//! `POST /v1/counters`: how many requests were processed, to be told by the hour.

use super::description::schema;
use super::fields::{self, Errors, Fields};
use super::incoming::IncomingCall;
use super::problem::Problem;
use super::query::Query;
use super::{Shared, json, quota};
use axum::extract::State;
use axum::response::Response;
use hitwire_event::requests_per_hour::hour_of;
use hitwire_event::{ClientId, Counter};
use hitwire_store::{Append, Done, Op};
use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use std::ops::RangeInclusive;
use utoipa::ToSchema;

/// Counters in one call.
const COUNTERS_MAX: usize = 10_000;

/// Requests of one counter: a thousand million a second for an hour, and still exact in every JSON reader.
const REQUESTS: RangeInclusive<u64> = 0..=1_000_000_000_000_000;

/// Unix seconds, up to the year 9999.
const TIMES: RangeInclusive<u64> = 0..=253_402_300_799;

/// Characters of a counter's id.
const ID_CHARS_MAX: usize = 128;

/// What became of the counters of a call.
#[derive(Serialize, ToSchema)]
#[schema(as = CountersTaken)]
pub(super) struct Answer {
    /// Counters that are kept now because of this call.
    accepted: u64,
    /// Counters whose id was there before, within the deduplication window.
    duplicates: u64,
    /// Counters whose hour was told already: they count in the hour that runs now.
    late: u64,
}

/// A counter as it was sent.
struct Sent {
    id: Option<String>,
    counter: Counter,
}

/// Takes counters of processed requests.
///
/// One object, or an array of them. A minute after each hour (UTC) their sum becomes an event
/// `number_of_requests_per_hour`. 202: on disk, synced.
#[utoipa::path(
    post,
    path = "/v1/counters",
    tag = "events",
    operation_id = "sendCounters",
    request_body(content = schema::SentCounters, content_type = "application/json"),
    responses((status = 202, description = "What was taken.", body = Answer)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn post(
    State(api): State<Shared>,
    query: Query,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    query.finish()?;
    let (caller, held) = incoming.settings(&api).await?;
    let bytes = &held.bytes;
    let now_s = api.now_s();
    let sent = read(bytes, caller.client(), now_s)?;
    quota::count(&api, caller.client(), sent.len())?;
    let mut late = 0;
    let mut events = Vec::with_capacity(sent.len());
    for Sent { id, counter } in &sent {
        late += u64::from(hour_of(counter.at, now_s).1);
        let own = || hitwire_store::new_uuid().simple().to_string();
        events.push(counter.to_event(&id.clone().unwrap_or_else(own)));
    }
    let mut answer = Answer { accepted: 0, duplicates: 0, late };
    if !events.is_empty() {
        let append = Append { events, deduplicate: true, checkpoint: None };
        let Some(Done::Appended(appended)) = api.store.commit(vec![Op::Append(append)]).await?.pop() else {
            return Err(Problem::internal());
        };
        answer.accepted = appended.accepted;
        answer.duplicates = appended.duplicate.iter().filter(|duplicate| **duplicate).count() as u64;
    }
    Ok(json(StatusCode::ACCEPTED, &answer))
}

fn read(bytes: &[u8], client: ClientId, now_s: u64) -> Result<Vec<Sent>, Problem> {
    let errors = Errors::default();
    let document = fields::document(bytes)?;
    let sent = if document.get().starts_with('[') {
        let elements = fields::elements(document, "", COUNTERS_MAX, &errors).unwrap_or_default();
        let numbered = elements.into_iter().enumerate();
        numbered.filter_map(|(at, raw)| one(raw, format!("/{at}"), client, now_s, &errors)).collect()
    } else {
        one(document, String::new(), client, now_s, &errors).into_iter().collect()
    };
    if errors.is_empty() {
        return Ok(sent);
    }
    Err(Problem::invalid("not every counter is valid, so nothing was counted", errors.into_vec()))
}

fn one(raw: &RawValue, at: String, client: ClientId, now_s: u64, errors: &Errors) -> Option<Sent> {
    let mut fields = Fields::of(raw, at, errors)?;
    if !fields.tells("requests") {
        fields.refuse("requests", "this field is required: how many requests were processed");
    }
    let requests = fields.integer("requests", REQUESTS);
    let at = fields.integer("at", TIMES).unwrap_or(now_s);
    let id = fields.string("id");
    if let Some(id) = &id
        && !(1..=ID_CHARS_MAX).contains(&id.chars().count())
    {
        fields.refuse("id", format!("must have 1 to {ID_CHARS_MAX} characters"));
    }
    fields.finish();
    Some(Sent { id, counter: Counter { client, requests: requests?, at } })
}
