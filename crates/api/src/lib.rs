//! The API: handlers that authenticate, parse, call one thing and shape the answer.
//!
//! The cast, in the order in which a request meets it:
//!
//! - `observe`: one log line for each request, and 500 instead of a dropped connection when a handler panics; with it
//!   `leftover`: what a handler left unread of a body.
//! - `auth`: whose token it is, for which client, and whether that role may: `roles` says who may what.
//! - `quota`: what a client may use.
//! - `incoming`: calls with a body, and who makes them when it has arrived; `body`: the body, within bounds of size, time and
//!   memory.
//! - `fields`, `contract`: the body into what is asked for, every wrong field named.
//! - `precondition`: `ETag` and `If-Match`.
//! - `rules`: what is asked for into what shall be, or everything that is wrong with it.
//! - `places`: how many calls, and answers of a size, may be under way at once.
//! - `turnstile`: how often a client may make a call that costs more than an answer.
//! - `description`: all calls described, for programs and for people.
//! - the handlers: `events`, `counters`, `feed`, `event`, `integrations`, `listing`, `testing`, `previews`, `history`, `export`, `attempt`, `curl`, `signature`, `status`, `overview`, `metrics`, `accounts`,
//!   `activity`, `health`.
//! - `problem`: every error, in one form.
//!
//! No handler holds policy or knows how something is stored.

mod accounts;
mod activity;
mod attempt;
mod auth;
pub mod body;
mod broken;
mod contract;
mod counted;
mod counters;
mod curl;
mod description;
mod event;
mod events;
mod export;
mod feed;
mod fields;
mod health;
mod history;
mod identity;
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
pub mod random_token;
mod replays;
mod roles;
mod rotation;
mod rules;
mod signature;
mod source_status;
mod status;
mod testing;
mod time;
mod trust;
mod turnstile;
mod unknown_applications;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use body::BodyBudget;
use bytes::Bytes;
pub use counted::{Intake, Open, Origin, Requests};
use description::described;
pub use feed::Feed;
pub use health::Readiness;
use hitwire_delivery::supervisor::Supervisor;
use hitwire_delivery::{Clock, Dispatch, Names};
use hitwire_endpoint::{Guard, Sender};
use hitwire_index::Index;
use hitwire_receiver::Style;
use hitwire_share::{Holder, Turns};
use hitwire_store::change::By;
use hitwire_store::{Details, Store};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
pub use identity::{Accounts, FIRST_CLIENT, Identity, Refusal, Told, hash};
pub use integrations::{IDENTITIES_A_MINUTE, IDENTITIES_AT_ONCE, IDENTITIES_OF_ALL};
pub use metrics::{Exposition, router as metrics_router};
pub use places::AnswerPlaces;
pub use previews::{PREVIEWS_A_MINUTE, PREVIEWS_AT_ONCE, PREVIEWS_OF_ALL};
use problem::{FieldError, Problem};
pub use quota::Quotas;
pub use roles::may;
use serde::Serialize;
pub use source_status::{SourceGauge, SourceStatus};
use std::sync::Arc;
pub use testing::{TESTS_A_MINUTE, TESTS_AT_ONCE, TESTS_OF_ALL};
pub use time::rfc3339;
pub use turnstile::Turnstile;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the handlers share.
pub struct Api {
    /// Knows whether hitwire has failed.
    pub supervisor: Supervisor,
    /// What is durable.
    pub store: Arc<dyn Store>,
    /// Single attempts in detail.
    pub details: Arc<Details>,
    /// For what became of an event.
    pub index: Index,
    /// The couriers' shell.
    pub dispatch: Dispatch,
    /// Judges targets before they are saved.
    pub guard: Guard,
    /// Of integrations that name none.
    pub default_rendering: Style,
    /// What the installation and its clients are called.
    pub names: Names,
    /// For test messages.
    pub sender: Sender,
    /// How often test messages may be sent.
    pub tests: Turnstile,
    /// How often filters may be tried on past events.
    pub previews: Turnstile,
    /// How often certificates and keys may be read.
    pub identities: Turnstile,
    /// For events that are read back.
    pub feed: Feed,
    /// Who may do what.
    pub accounts: Arc<Accounts>,
    /// What clients may use.
    pub quotas: Quotas,
    /// Held by whoever makes something of which there is a limited number, or that must be the only one, from looking what
    /// there is until it is made.
    pub making: Turns<Holder>,
    /// Memory for bodies.
    pub bodies: BodyBudget,
    /// Answers under way at once.
    pub places: AnswerPlaces,
    /// The largest body of `POST /v1/events`, in bytes; larger ones get 413.
    pub body_bytes_max: u64,
    /// The sources, and how far they are.
    pub sources: Vec<Arc<SourceGauge>>,
    /// Whether the store takes events.
    pub readiness: Readiness,
    /// Counts events that come in.
    pub intake: Intake,
    /// Counts requests.
    pub requests: Requests,
    /// What is told to a Prometheus.
    pub metrics: Box<dyn Exposition>,
    /// The time.
    pub clock: Clock,
}

/// How handlers get at it.
pub type Shared = Arc<Api>;

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
        .routes(routes!(signature::check))
        .routes(routes!(history::attempts))
        .routes(routes!(attempt::show))
        .routes(routes!(curl::show))
        .routes(routes!(history::lost))
        .routes(routes!(status::show))
        .routes(routes!(replays::list, replays::start))
        .routes(routes!(replays::show, replays::steer, replays::cancel))
        .routes(routes!(replays::retry))
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
pub fn calls_alone(api: Shared) -> Router {
    calls_with_state(api).fallback(no_such_call).method_not_allowed_fallback(no_such_method)
}

/// All calls, to be joined with other pages: they have no fallback yet.
pub fn calls_with_state(api: Shared) -> Router {
    described(calls()).with_state(api)
}

/// One log line for each request of `routes`, and 500 instead of a dropped connection when a handler panics.
pub fn observed(routes: Router, requests: Requests) -> Router {
    routes.layer(axum::middleware::from_fn_with_state(requests, observe::observe))
}

/// Answers a call that there is not.
pub async fn no_such_call(uri: Uri) -> Response {
    let path = hitwire_event::escape::visible(uri.path());
    Problem::not_found(format!("there is no call {path}")).into_response()
}

/// Answers a method that a call does not have.
pub async fn no_such_method(method: Method, uri: Uri) -> Response {
    let path = hitwire_event::escape::visible(uri.path());
    Problem::method_not_allowed(format!("{method} does not fit {path}; the header Allow says what does"))
        .into_response()
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
