//! The activity log: who changed what, from where, and what it was before.

mod entry;
mod export;
mod filters;

use crate::Shared;
use crate::failure::{Failure, Refused};
use crate::frame::{Frame, Nav, Tab};
use crate::session::Session;
use askama::Template;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use entry::{Entry, Shown};
use filters::{ACTIONS, Filters, OBJECT_TYPES, Wrong};
use http::{Method, StatusCode};
use serde::Deserialize;

/// Entries of a page.
const ENTRIES: usize = 50;

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/settings/activity", get(show)).route("/settings/activity.csv", get(export::export))
}

/// A page of the API's answer.
#[derive(Default, Deserialize)]
struct Found {
    activity: Vec<Entry>,
    next: Option<u64>,
}

#[derive(Template)]
#[template(path = "activity/list.html")]
struct Page {
    frame: Frame,
    filters: Filters,
    object_types: Vec<String>,
    actions: Vec<String>,
    entries: Vec<Shown>,
    older: Option<String>,
    export: String,
    rows_max: u64,
    is_fine: bool,
    wrong: Wrong,
    /// What is wrong with the filters and belongs to no field.
    problem: String,
}

async fn show(
    State(console): State<Shared>,
    session: Session,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let filters = Filters::read(query.as_deref().unwrap_or_default());
    let wrong = filters.wrong();
    let (found, problem) = match filters.call(ENTRIES, filters.before) {
        Ok(call) => find(&console, &session, &call).await?,
        Err(_) => (Found::default(), String::new()),
    };
    let is_fine = problem.is_empty() && wrong == Wrong::default();
    let status = if is_fine { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let opens_integrations = console.may(&session, &Method::GET, "/v2/integration/{id}");
    let page = Page {
        frame: Frame::new(&console, &session, Nav::Settings(Tab::Activity), "Activity log"),
        object_types: choices(OBJECT_TYPES, &filters.object_type),
        actions: choices(ACTIONS, &filters.action),
        entries: found.activity.into_iter().map(|entry| entry.shown(&session, opens_integrations)).collect(),
        older: found.next.map(|next| filters.path("/settings/activity", Some(next))),
        export: filters.path("/settings/activity.csv", None),
        rows_max: export::ROWS_MAX as u64,
        filters,
        is_fine,
        wrong,
        problem,
    };
    Ok((status, Html(page.render()?)).into_response())
}

/// What the API finds, or what it has against the filters.
async fn find(console: &Shared, session: &Session, call: &str) -> Result<(Found, String), Failure> {
    match console.get(session, call).await {
        Ok(answered) => Ok((answered.read()?, String::new())),
        Err(Refused { status: StatusCode::BAD_REQUEST, detail, .. }) => Ok((Found::default(), detail)),
        Err(refused) => Err(refused.into()),
    }
}

/// What can be chosen, and what is chosen if it is none of them.
fn choices(known: &[&str], chosen: &str) -> Vec<String> {
    let other = (!chosen.is_empty() && !known.contains(&chosen)).then_some(chosen);
    known.iter().copied().chain(other).map(str::to_owned).collect()
}
