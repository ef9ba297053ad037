//! `/healthz`, `/readyz` and `/v1/sources`: is it up, does it work, how far are the sources.

use super::auth::Caller;
use super::problem::Problem;
use super::{Shared, json};
use crate::identity::FIRST_CLIENT;
use axum::extract::State;
use axum::response::Response;
use hitwire_store::{Append, Op, Store, StoreError};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use utoipa::ToSchema;

/// How long an answer about the log holds, so that asking often does not write often.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// A log that has not answered for so long is not ready.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The checkpoint that is written to see whether the log can be written.
const PROBE: &str = "hitwire:readyz";

/// Whether the log can be written, as far as is known.
#[derive(Debug, Default)]
pub struct Readiness {
    last: Mutex<Option<(Instant, Result<(), String>)>>,
}

impl Readiness {
    /// Writes to the log, unless that was done a moment ago.
    async fn ask(&self, store: &dyn Store) -> Result<(), String> {
        let mut last = self.last.lock().await;
        if let Some((at, answer)) = &*last
            && at.elapsed() < ASKED_AGAIN_AFTER
        {
            return answer.clone();
        }
        let answer = probe(store).await;
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}

async fn probe(store: &dyn Store) -> Result<(), String> {
    let append = Append { checkpoint: Some((PROBE.to_owned(), Vec::new())), ..Append::default() };
    match timeout(ANSWER_MAX, store.commit(vec![Op::Append(append)])).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(StoreError::Closed)) => Err("hitwire is stopping".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("the log did not answer within {} s", ANSWER_MAX.as_secs())),
    }
}

/// How far the sources are.
#[derive(Serialize, ToSchema)]
pub(super) struct Sources {
    sources: Vec<crate::SourceStatus>,
}

/// The process is up, and no part of it has failed that it cannot do without.
///
/// 503 says what has failed; hitwire stops then, and wants to be started again.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "service",
    operation_id = "isUp",
    responses((status = 200, description = "It is up."))
)]
pub(super) async fn alive(State(api): State<Shared>) -> Result<Response, Problem> {
    sound(&api)?;
    Ok(json(StatusCode::OK, &json!({"status": "up"})))
}

/// 503 if hitwire has failed.
fn sound(api: &Shared) -> Result<(), Problem> {
    match api.supervisor.failure() {
        None => Ok(()),
        Some(reason) => Err(Problem::unavailable(format!("hitwire has failed and stops: {reason}"))),
    }
}

/// Events are taken and delivered.
///
/// 503 says what does not work.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "service",
    operation_id = "isReady",
    responses((status = 200, description = "It works."))
)]
pub(super) async fn ready(State(api): State<Shared>) -> Result<Response, Problem> {
    sound(&api)?;
    if !api.dispatch.is_running() {
        return Err(Problem::unavailable(
            "nothing is delivered: the dispatch has ended; hitwire's log says why",
        ));
    }
    let missing = api.store.missing_files();
    if !missing.is_empty() {
        return Err(Problem::unavailable(missing.join("\n")));
    }
    api.readiness.ask(&*api.store).await.map_err(Problem::unavailable)?;
    Ok(json(StatusCode::OK, &json!({"status": "ready"})))
}

/// How far the sources are.
///
/// Their events are the first client's, so other clients have none.
#[utoipa::path(
    get,
    path = "/v1/sources",
    tag = "service",
    operation_id = "listSources",
    responses((status = 200, description = "Sources.", body = Sources)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn sources(State(api): State<Shared>, caller: Caller) -> Response {
    let visible = if caller.reaches(FIRST_CLIENT) { &api.sources[..] } else { &[] };
    let sources = visible.iter().map(|source| source.status()).collect();
    json(StatusCode::OK, &Sources { sources })
}
