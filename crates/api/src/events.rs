//! `POST /v1/events`: events into the log. 202 means: on disk, synced.

use super::description::schema;
use super::incoming::IncomingCall;
use super::problem::{FieldError, Problem};
use super::query::Query;
use super::{Shared, json, quota};
use crate::counted::{Intake, Origin};
use axum::extract::State;
use axum::response::Response;
use hitwire_event::ingest::{self, IngestError, Invalid, ItemError, Lines, Taken};
use hitwire_event::{ClientId, Event};
use hitwire_store::{Append, Appended, Done, Op};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// Bodies up to this are parsed where they were read, some 1 ms; larger ones where they hold up nobody.
const PARSED_INLINE_BYTES_MAX: usize = 256 << 10;

/// Content types that say "one object a line".
const LINES: [&str; 4] =
    ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"];

/// What became of the events of a call.
#[derive(Serialize, ToSchema)]
#[schema(as = Accepted)]
pub(super) struct Answer {
    /// Events that are in the log now because of this call.
    accepted: u64,
    /// Events that were there before: same client, id and content, within the deduplication window.
    duplicates: u64,
    /// The ids of all events of the call that are in the log, in the order of the body.
    #[schema(value_type = Vec<String>)]
    ids: EventIds,
    /// Only with `?invalid=skip`: every item that was not taken, at most 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<Vec<FieldError>>,
    /// How many these are.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_total: Option<usize>,
}

/// The ids of a call's events, which the log takes over: in one piece of memory.
struct EventIds {
    text: String,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl EventIds {
    fn of(events: &[Event]) -> Self {
        let bytes = events.iter().map(|event| event.id.as_str().len()).sum();
        let (mut text, mut ends) = (String::with_capacity(bytes), Vec::with_capacity(events.len()));
        for event in events {
            text.push_str(event.id.as_str());
            ends.push(text.len());
        }
        EventIds { text, ends }
    }
}

impl Serialize for EventIds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let begins = [0].iter().chain(&self.ends);
        serializer.collect_seq(begins.zip(&self.ends).map(|(begin, end)| &self.text[*begin..*end]))
    }
}

/// Takes the events of one call.
///
/// One object, an array of them, or one object a line. 202: on disk, synced. All or nothing, unless `invalid=skip`: then
/// invalid items are named and the others taken; in lines that includes lines that are not JSON.
#[utoipa::path(
    post,
    path = "/v1/events",
    tag = "events",
    operation_id = "sendEvents",
    params(("invalid" = inline(Option<schema::InvalidItems>), Query, description = "`refuse` (default) or `skip`: take the good ones and name the others")),
    request_body(content(
        (Vec<schema::SentItem> = "application/json"),
        (String = "application/x-ndjson")
    )),
    responses((status = 202, description = "What was taken.", body = Answer), (status = 415)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn post(
    State(api): State<Shared>,
    mut query: Query,
    headers: HeaderMap,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    let invalid = query.one_of("invalid", &[("refuse", Invalid::Refuse), ("skip", Invalid::Skip)])?;
    let invalid = invalid.unwrap_or(Invalid::Refuse);
    query.finish()?;
    let lines = lines(&headers)?;
    let (caller, held) = incoming.read(&api, api.body_bytes_max).await?;
    let (client, now_s) = (caller.client(), api.now_s());
    let bytes = held.bytes;
    let taken = if bytes.len() <= PARSED_INLINE_BYTES_MAX {
        parse(&bytes, lines, client, now_s, invalid)?
    } else {
        let parsing = tokio::task::spawn_blocking(move || parse(&bytes, lines, client, now_s, invalid));
        parsing.await.map_err(|_| Problem::internal())??
    };
    if invalid == Invalid::Refuse && !taken.rejected.is_empty() {
        return Err(refused(taken.rejected));
    }
    // Reading a large body takes a while.
    caller.check_again(&api).await?;
    quota::count(&api, client, taken.events.len())?;
    let ids = EventIds::of(&taken.events);
    let appended = append(&api, taken.events).await?;
    // The events' share of memory is given back only here: until now they were in it.
    drop(held.share);
    let rejected = (invalid == Invalid::Skip).then_some(taken.rejected);
    let answer = Answer {
        accepted: appended.accepted,
        duplicates: appended.duplicate.iter().filter(|duplicate| **duplicate).count() as u64,
        ids,
        rejected_total: rejected.as_ref().map(Vec::len),
        rejected: rejected.map(|items| {
            // Every one of them: a caller that skips must be able to tell which items to mend. `ITEMS_MAX` bounds them.
            items.into_iter().map(FieldError::from).collect()
        }),
    };
    Ok(json(StatusCode::ACCEPTED, &answer))
}

async fn append(api: &Shared, events: Vec<Event>) -> Result<Appended, Problem> {
    if events.is_empty() {
        return Ok(Appended::default());
    }
    let kinds = Intake::kinds(&events);
    let append = Append { events, deduplicate: true, checkpoint: None };
    match api.store.commit(vec![Op::Append(append)]).await?.pop() {
        Some(Done::Appended(appended)) => {
            api.intake.appended(Origin::Api, &kinds, &appended);
            Ok(appended)
        }
        _ => Err(Problem::internal()),
    }
}

/// Whether the body's type says lines. No type at all counts as JSON.
fn lines(headers: &HeaderMap) -> Result<Lines, Problem> {
    if let Some(encoding) = headers.get(CONTENT_ENCODING)
        && encoding != "identity"
    {
        return Err(Problem::unsupported_media_type(
            "compressed bodies are not taken; send the body as it is",
        ));
    }
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(Lines::Detect) };
    let value = value.to_str().unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => Ok(Lines::Detect),
        essence if LINES.contains(&essence) => Ok(Lines::Declared),
        _ => Err(Problem::unsupported_media_type(
            "send events as \"Content-Type: application/json\" (an object or an array) or \"application/x-ndjson\" (one object a line)",
        )),
    }
}

fn parse(
    bytes: &[u8],
    lines: Lines,
    client: ClientId,
    now_s: u64,
    invalid: Invalid,
) -> Result<Taken, Problem> {
    ingest::parse(bytes, lines, client, now_s, invalid).map_err(|error| match error {
        IngestError::Malformed { line, column, message } => Problem::malformed(line, column, message),
        IngestError::TooManyItems { .. } => Problem::too_large(error.to_string()),
    })
}

fn refused(rejected: Vec<ItemError>) -> Problem {
    let items =
        if rejected.len() == 1 { "1 item is".to_owned() } else { format!("{} items are", rejected.len()) };
    let detail = format!(
        "{items} not valid, so nothing was taken; correct them, or take the others with ?invalid=skip"
    );
    Problem::invalid(detail, rejected.into_iter().map(FieldError::from).collect())
}

impl From<ItemError> for FieldError {
    fn from(error: ItemError) -> Self {
        let ItemError { index, line, pointer, message } = error;
        FieldError { index: Some(index), line, pointer, message }
    }
}
