//! `GET /v1/events`: the log read back, in pages or as a stream that goes on.
//!
//! The cast:
//!
//! - [`read`]: the call; a page at once, or the beginning of a stream.
//! - [`pages`]: events after a position, or the newest ones.
//! - [`follower`]: a stream, chunk by chunk.

mod follower;
mod pages;

use super::auth::Caller;
use super::description::schema::EventKindName;
use super::places::leaving;
use super::problem::Problem;
use super::query::Query;
use super::turnstile::{ComeAgain, Passage, Turnstile};
use super::{Api, Shared, json_bytes, json_text, rfc3339};
use crate::identity::Pass;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use follower::Follower;
use futures_util::stream;
use hitwire_event::{ClientId, Kind, Record, Seq, Stream};
use hitwire_receiver::{Labels, Rendered as _, Rendering, Style};
use hitwire_share::{Holder, Shares};
use hitwire_store::StreamFrom;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use pages::{newest, page};
use serde::Serialize;
use serde_json::value::RawValue;
use std::convert::Infallible;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

/// Events of one answer unless the caller says otherwise, and at most.
const LIMIT_DEFAULT: u64 = 50;
const LIMIT_MAX: u64 = 1_000;

/// Streams of one client at once: a few terminals and programs. And how many may begin within a minute.
const STREAMS_AT_ONCE: usize = 16;
const STREAMS_OF_ALL: usize = 256;
const STREAMS_A_MINUTE: usize = 120;

/// Pages of one client at once, each of which may hold 8 MiB. And how many in a minute.
const PAGES_AT_ONCE: usize = 4;
const PAGES_OF_ALL: usize = 16;
const PAGES_A_MINUTE: usize = 1_200;

/// What the feed needs beside the store.
#[derive(Debug)]
pub struct Feed {
    streams: Turnstile,
    pages: Turnstile,
    stop: CancellationToken,
}

impl Feed {
    /// A feed whose streams end with `stop`.
    pub fn new(stop: CancellationToken) -> Self {
        Feed {
            streams: Turnstile::new("streams", STREAMS_A_MINUTE, STREAMS_AT_ONCE, STREAMS_OF_ALL),
            pages: Turnstile::new("pages", PAGES_A_MINUTE, PAGES_AT_ONCE, PAGES_OF_ALL),
            stop,
        }
    }
}

impl Feed {
    /// What streams and pages take a share of.
    pub fn shares(&self) -> [Shares<Holder>; 2] {
        [self.streams.shares(), self.pages.shares()]
    }
}

/// An event of the log.
#[derive(Serialize, ToSchema)]
pub(super) struct LoggedEvent<'a> {
    /// Its position in the log.
    seq: u64,
    /// When it was appended, RFC 3339.
    appended_at: String,
    /// What it is.
    #[schema(value_type = EventKindName)]
    kind: &'static str,
    /// Its stable id.
    id: &'a str,
    /// The event as it is kept.
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
    body: &'a RawValue,
}

/// A page of the log, the newest event last.
#[derive(Serialize, ToSchema)]
pub(super) struct Events<'a> {
    events: Vec<LoggedEvent<'a>>,
    /// Ask again with `after` set to this for what comes next.
    next: u64,
}

/// What a caller wants to read.
struct Wanted {
    streams: Vec<StreamFrom>,
    begin: Begin,
}

#[derive(Clone, Copy)]
enum Begin {
    After(Seq),
    Newest(u64),
}

/// Events of the log, oldest first: after a position, or the newest ones.
///
/// With `follow=true` the answer does not end: one event a line (`application/x-ndjson`), as they come, and a blank line
/// every 15 s in which none came.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "events",
    operation_id = "readEvents",
    params(
        ("after" = Option<u64>, Query, description = "only events after this position"),
        ("tail" = Option<u64>, Query, description = "the newest so many events (0 to 1,000); 50 where `after` is not given either", minimum = 0, maximum = 1000),
        ("limit" = Option<u64>, Query, description = "with `after`: at most so many events (1 to 1,000, 50)", minimum = 1, maximum = 1000),
        ("kind" = Option<String>, Query, description = "only these kinds, with commas between them"),
        ("follow" = Option<bool>, Query, description = "go on with what comes"),
        ("clientid" = Option<u64>, Query, description = "the client whose events they are"),
    ),
    responses((status = 200, description = "A page of the log; with `follow=true` lines.", content((Events<'_> = "application/json"), (String = "application/x-ndjson"))), (status = 429)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn read(
    State(api): State<Shared>,
    caller: Caller,
    mut query: Query,
) -> Result<Response, Problem> {
    let after = query.integer("after", 0..=i64::MAX as u64)?;
    let tail = query.integer("tail", 0..=LIMIT_MAX)?;
    let limit = query.integer("limit", 1..=LIMIT_MAX)?;
    let kinds = kinds(query.text("kind")?)?;
    let follow = query.one_of("follow", &[("true", true), ("false", false)])?.unwrap_or(false);
    query.finish()?;
    let begin = match (after, tail) {
        (Some(_), Some(_)) => {
            return Err(Problem::bad_request("after and tail exclude each other: say where to begin once"));
        }
        (Some(after), None) => Begin::After(Seq(after)),
        (None, tail) => Begin::Newest(tail.unwrap_or(LIMIT_DEFAULT)),
    };
    if limit.is_some() && (follow || matches!(begin, Begin::Newest(_))) {
        return Err(Problem::bad_request(
            "limit goes with after alone; a stream has no limit, and tail is one",
        ));
    }
    let (client, holder) = (caller.client(), caller.own_client());
    let wanted = Wanted { streams: streams(client, &kinds), begin };
    let passage = |turnstile: &Turnstile, what: &str, at_once: usize| {
        turnstile.pass(holder, api.clock.now()).map_err(|ComeAgain(wait)| {
            let detail = format!(
                "a client may have {at_once} {what} of the log at once, fewer while many clients read; the header Retry-After says when to come again"
            );
            Problem::too_many(detail, wait)
        })
    };
    if follow {
        let passage = passage(&api.feed.streams, "streams", STREAMS_AT_ONCE)?;
        let pass = Pass::new(&api.accounts, &caller.identity, api.clock);
        return followed(&api, wanted, passage, pass).await;
    }
    let passage = passage(&api.feed.pages, "pages", PAGES_AT_ONCE)?;
    let (records, next) = match wanted.begin {
        Begin::After(after) => {
            page(&*api.store, wanted.streams, after, limit.unwrap_or(LIMIT_DEFAULT) as usize).await?
        }
        Begin::Newest(tail) => newest(&*api.store, &wanted.streams, tail).await?,
    };
    let events = records.iter().map(|record| event(record)).collect::<Result<_, _>>()?;
    let text = json_text(&Events { events, next: next.0 });
    Ok(json_bytes(StatusCode::OK, leaving(text, passage)))
}

/// The kinds that names stand for; all of them if there is no name.
fn kinds(names: Option<String>) -> Result<Vec<Kind>, Problem> {
    let Some(names) = names else { return Ok(Kind::ALL.to_vec()) };
    let mut kinds = Vec::new();
    for name in names.split(',') {
        let named = Kind::named(name.trim());
        if named.is_empty() {
            let known = Kind::ALL.map(Kind::name).join(", ");
            return Err(Problem::bad_request(format!(
                "the parameter kind has {:?}, which is no kind; kinds are: {known}",
                hitwire_event::escape::visible(name)
            )));
        }
        kinds.extend(named);
    }
    kinds.sort_unstable();
    kinds.dedup();
    Ok(kinds)
}

fn streams(client: ClientId, kinds: &[Kind]) -> Vec<StreamFrom> {
    let from = |kind: &Kind| StreamFrom { stream: Stream { client, kind: *kind }, from: Seq::ZERO };
    kinds.iter().map(from).collect()
}

const WITH_HEADERS: Rendering = Rendering { style: Style::Classic, with_headers: true };

/// An event as the API writes it.
pub(super) fn event(record: &Record) -> Result<LoggedEvent<'_>, Problem> {
    // The classic form of a hit is its body as it is stored, but without the secrets that an older version kept in its headers.
    let text = match record.event.kind {
        Kind::Hit => record.rendered(WITH_HEADERS, &Labels::default()),
        _ => &record.event.body,
    };
    let body = serde_json::from_str(text).map_err(|error| {
        tracing::error!(%error, seq = record.seq.0, "an event in the log is no JSON");
        Problem::internal()
    })?;
    Ok(LoggedEvent {
        seq: record.seq.0,
        appended_at: rfc3339(record.appended_ms),
        kind: record.event.kind.name(),
        id: record.event.id.as_str(),
        body,
    })
}

async fn followed(api: &Arc<Api>, wanted: Wanted, passage: Passage, pass: Pass) -> Result<Response, Problem> {
    let (first, after) = match wanted.begin {
        Begin::After(after) => (Vec::new(), after),
        Begin::Newest(tail) => newest(&*api.store, &wanted.streams, tail).await?,
    };
    let follower = Follower::new(
        Arc::clone(&api.store),
        api.feed.stop.clone(),
        wanted.streams,
        after,
        first,
        passage,
        Some(pass),
    );
    let lines = stream::unfold(follower, async |mut follower: Follower| {
        let chunk = follower.next().await?;
        Some((Ok::<_, Infallible>(chunk), follower))
    });
    let mut response = Body::from_stream(lines).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
