//! The API: handlers that authenticate, parse, call one thing and shape the answer.
//!
//! The cast, in the order in which a request meets it:
//!
//! - [`listener`](crate::listener): connections, their number and their timeouts.
//! - [`observe`]: one log line for each request, and 500 instead of a dropped connection when a handler panics; with it
//!   [`leftover`]: what a handler left unread of a body.
//! - [`auth`]: whose token it is, for which client, and whether that role may: [`roles`] says who may what.
//! - [`quota`]: what a client may use.
//! - [`incoming`]: calls with a body, and who makes them when it has arrived; [`body`]: the body, within bounds of size, time and
//!   memory.
//! - [`fields`], [`contract`]: the body into what is asked for, every wrong field named.
//! - [`precondition`]: `ETag` and `If-Match`.
//! - [`rules`]: what is asked for into what shall be, or everything that is wrong with it.
//! - [`places`]: how many calls, and answers of a size, may be under way at once.
//! - [`turnstile`]: how often a client may make a call that costs more than an answer.
//! - [`description`]: all calls described, for programs and for people.
//! - the handlers: [`events`], [`counters`], [`feed`], [`event`], [`integrations`], [`listing`], [`testing`], [`previews`], [`history`], [`attempt`], [`status`], [`overview`], [`metrics`], [`accounts`],
//!   [`activity`], [`health`].
//! - [`problem`]: every error, in one form.
//!
//! No handler holds policy or knows how something is stored.

mod accounts;
mod activity;
mod attempt;
mod auth;
pub(crate) mod body;
mod broken;
mod contract;
mod counters;
mod description;
mod event;
mod events;
mod feed;
mod fields;
mod health;
mod history;
mod incoming;
mod integrations;
mod leftover;
mod listing;
mod metrics;
mod name;
mod observe;
mod overview;
mod path;
mod places;
mod precondition;
mod previews;
mod problem;
mod query;
mod quota;
mod roles;
mod rotation;
mod rules;
mod status;
mod testing;
mod trust;
mod turnstile;
mod unknown_applications;

use crate::Names;
use crate::accounts::Accounts;
use crate::change::By;
use crate::config::ApiBounds;
use crate::dispatch::{Clock, Dispatch};
use crate::metrics::{Counted, Metrics};
use crate::rfc3339;
use crate::sources::SourceGauge;
use crate::supervisor::Supervisor;
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use body::BodyBudget;
use bytes::Bytes;
use description::described;
pub(crate) use feed::Feed;
pub(crate) use health::Readiness;
use hitwire_endpoint::{Guard, Sender};
use hitwire_index::Index;
use hitwire_receiver::Style;
use hitwire_share::{Holder, Turns};
use hitwire_store::{Details, Store};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
pub(crate) use integrations::{IDENTITIES_A_MINUTE, IDENTITIES_AT_ONCE, IDENTITIES_OF_ALL};
pub(crate) use metrics::router as metrics_router;
pub(crate) use places::AnswerPlaces;
pub(crate) use previews::{PREVIEWS_A_MINUTE, PREVIEWS_AT_ONCE, PREVIEWS_OF_ALL};
use problem::{FieldError, Problem};
pub(crate) use quota::Quotas;
pub(crate) use roles::may;
use serde::Serialize;
use std::sync::Arc;
pub(crate) use testing::{TESTS_A_MINUTE, TESTS_AT_ONCE, TESTS_OF_ALL};
pub(crate) use turnstile::Turnstile;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the handlers share.
pub(crate) struct Api {
    /// Knows whether hitwire has failed.
    pub(crate) supervisor: Supervisor,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) details: Arc<Details>,
    /// For what became of an event.
    pub(crate) index: Index,
    pub(crate) dispatch: Dispatch,
    pub(crate) guard: Guard,
    /// Of integrations that name none.
    pub(crate) default_rendering: Style,
    pub(crate) names: Names,
    /// For test messages.
    pub(crate) sender: Sender,
    pub(crate) tests: Turnstile,
    pub(crate) previews: Turnstile,
    pub(crate) identities: Turnstile,
    /// For events that are read back.
    pub(crate) feed: Feed,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) quotas: Quotas,
    /// Held by whoever makes something of which there is a limited number, or that must be the only one, from looking what
    /// there is until it is made.
    pub(crate) making: Turns<Holder>,
    pub(crate) bodies: BodyBudget,
    pub(crate) places: AnswerPlaces,
    pub(crate) bounds: ApiBounds,
    pub(crate) sources: Vec<Arc<SourceGauge>>,
    pub(crate) readiness: Readiness,
    pub(crate) counted: Counted,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
}

/// How handlers get at it.
pub(crate) type Shared = Arc<Api>;

impl Api {
    /// A caller's change, made now.
    fn by(&self, caller: &auth::Caller) -> By {
        By { actor: caller.actor(), now_s: self.now_s(), source: caller.source() }
    }

    /// Unix seconds.
    fn now_s(&self) -> u64 {
        self.clock.wall_ms() / 1_000
    }
}

/// All calls that are described.
fn calls() -> OpenApiRouter<Shared> {
    description::router()
        .routes(routes!(events::post, feed::read))
        .routes(routes!(event::show))
        .routes(routes!(event::deliveries))
        .routes(routes!(counters::post))
        .routes(routes!(listing::list, integrations::create))
        .routes(routes!(integrations::show, integrations::change, integrations::delete))
        .routes(routes!(previews::preview))
        .routes(routes!(overview::page))
        .routes(routes!(testing::unsaved))
        .routes(routes!(testing::render))
        .routes(routes!(testing::stored))
        .routes(routes!(rotation::rotate))
        .routes(routes!(history::attempts))
        .routes(routes!(attempt::show))
        .routes(routes!(history::lost))
        .routes(routes!(status::show))
        .routes(routes!(accounts::original::user, accounts::own::change))
        .routes(routes!(accounts::original::list, accounts::original::list_by_post))
        .routes(routes!(accounts::clients::list, accounts::clients::create))
        .routes(routes!(accounts::clients::show, accounts::clients::change, accounts::clients::delete))
        .routes(routes!(accounts::users::list, accounts::users::create))
        .routes(routes!(accounts::users::show, accounts::users::change, accounts::users::delete))
        .routes(routes!(accounts::links::make))
        .routes(routes!(accounts::tokens::list, accounts::tokens::create))
        .routes(routes!(accounts::tokens::show, accounts::tokens::revoke))
        .routes(routes!(accounts::applications::list, accounts::applications::create))
        .routes(routes!(
            accounts::applications::show,
            accounts::applications::rename,
            accounts::applications::delete
        ))
        .routes(routes!(activity::list))
        .routes(routes!(health::sources))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::show))
}

/// All calls, for the console, which makes them without leaving the process.
pub(crate) fn calls_alone(api: Shared) -> Router {
    described(calls()).fallback(no_such_call).method_not_allowed_fallback(no_such_method).with_state(api)
}

/// What reads the console's forms: as the API's own bodies are read.
pub(crate) fn read_body(bodies: BodyBudget) -> hitwire_console::ReadBody {
    Box::new(move |body, bytes_max, holder| {
        let bodies = bodies.clone();
        Box::pin(async move {
            match bodies.read(body, bytes_max, holder).await {
                Ok(body::Held { bytes, share }) => {
                    Ok(hitwire_console::HeldBody { bytes: bytes.into(), share: Arc::new(share) })
                }
                Err(problem) => Err(problem.in_words()),
            }
        })
    })
}

/// All calls, and the console's pages.
pub(crate) fn router(api: Shared, pages: Router) -> Router {
    let requests = api.counted.requests.clone();
    described(calls())
        .with_state(api)
        .merge(pages)
        .fallback(no_such_call)
        .method_not_allowed_fallback(no_such_method)
        .layer(axum::middleware::from_fn_with_state(requests, observe::observe))
}

async fn no_such_call(headers: HeaderMap, uri: Uri) -> Response {
    hitwire_console::not_found(&headers).unwrap_or_else(|| {
        let path = hitwire_event::escape::visible(uri.path());
        Problem::not_found(format!("there is no call {path}")).into_response()
    })
}

async fn no_such_method(method: Method, uri: Uri) -> Problem {
    Problem::method_not_allowed(format!(
        "{method} does not fit {}; the header Allow says what does",
        hitwire_event::escape::visible(uri.path())
    ))
}

/// A value as JSON text. What hitwire answers can always be written; if not, that is a mistake of its own.
fn json_text(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer could not be written as JSON");
        b"null".to_vec()
    })
}

/// An answer in JSON.
fn json(status: StatusCode, value: &impl Serialize) -> Response {
    json_bytes(status, json_text(value).into())
}

/// An answer that is JSON already.
fn json_bytes(status: StatusCode, text: Bytes) -> Response {
    json_body(status, Body::from(text))
}

/// An answer of which each part is JSON already.
fn json_body(status: StatusCode, body: Body) -> Response {
    let mut response = (status, body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // The creation of an integration shows a secret; and every other answer is about this moment.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An answer in the envelope of the original's newer calls: `{"body":{"result":"success","object":...}}`.
fn success(object: impl Serialize) -> Response {
    enveloped("success", object)
}

/// The same with another `result`.
fn enveloped(result: &'static str, object: impl Serialize) -> Response {
    with_warnings(result, object, &[])
}

/// The same with what of the request was passed over, in `warnings` beside `body`, where the original's clients do not look.
fn with_warnings(result: &'static str, object: impl Serialize, warnings: &[FieldError]) -> Response {
    json_bytes(StatusCode::OK, enveloped_text(result, object, warnings).into())
}

/// The text of such an answer.
fn enveloped_text(result: &'static str, object: impl Serialize, warnings: &[FieldError]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Envelope<'a, T> {
        body: Result<T>,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        warnings: &'a [FieldError],
    }
    #[derive(Serialize)]
    struct Result<T> {
        result: &'static str,
        object: T,
    }
    json_text(&Envelope { body: Result { result, object }, warnings })
}

/// An answer in the envelope of the original's older calls: `{"status":200,"body":...}`.
fn older_success(body: impl Serialize) -> Response {
    #[derive(Serialize)]
    struct Envelope<T> {
        status: u16,
        body: T,
    }
    json(StatusCode::OK, &Envelope { status: 200, body })
}
