//! Parts of what is protected, as their owners call them.

use crate::Shared;
use crate::failure::{Failure, Refused};
use crate::fields::{Fields, Posted};
use crate::frame::{Frame, Nav, Tab};
use crate::session::Session;
use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::Method;
use serde::Deserialize;
use serde_json::json;
use url::form_urlencoded::byte_serialize;

/// Where the list is; the other pages are below it.
const HOME: &str = "/settings/applications";

/// Applications of a page.
const ROWS: usize = 100;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route(HOME, get(list).post(add))
        .route("/settings/applications/{id}", get(show).post(rename))
        .route("/settings/applications/{id}/delete", post(delete))
}

/// An application as the API answers it.
#[derive(Clone, Debug, Deserialize)]
struct Known {
    id: i64,
    name: String,
}

#[derive(Template)]
#[template(path = "applications/list.html")]
struct Page {
    frame: Frame,
    rows: Vec<Known>,
    all: usize,
    q: String,
    may_change: bool,
    next: Option<String>,
    first: Option<String>,
    form: Form,
}

#[derive(Template)]
#[template(path = "applications/application.html")]
struct OnePage {
    frame: Frame,
    application: Known,
    form: Form,
}

/// What is typed, and what is wrong with it.
#[derive(Default)]
struct Form {
    name: String,
    id: String,
    name_error: String,
    id_error: String,
    error: String,
}

impl Form {
    fn refused(fields: &Fields, refused: &Refused) -> Form {
        Form {
            name: fields.get("name").to_owned(),
            id: fields.get("id").to_owned(),
            name_error: refused.at("/name"),
            id_error: refused.at("/id"),
            error: refused.whole(),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    /// A part of the name, or the id.
    q: String,
    /// Go on after this id.
    after: Option<i64>,
    done: String,
}

async fn list(
    State(console): State<Shared>,
    Query(wanted): Query<Wanted>,
    session: Session,
) -> Result<Html<String>, Failure> {
    Ok(Html(page(&console, &session, wanted, Form::default()).await?.render()?))
}

async fn page(console: &Shared, session: &Session, wanted: Wanted, form: Form) -> Result<Page, Failure> {
    let mut applications: Vec<Known> = console.get(session, "/v1/applications").await?.read_object()?;
    applications.sort_by_key(|one| one.id);
    let q = wanted.q.trim().to_lowercase();
    let fits = |one: &&Known| q.is_empty() || one.name.to_lowercase().contains(&q) || one.id.to_string() == q;
    let mut found =
        applications.iter().filter(fits).filter(|one| wanted.after.is_none_or(|after| one.id > after));
    let rows: Vec<Known> = found.by_ref().take(ROWS).cloned().collect();
    let query: String = byte_serialize(wanted.q.as_bytes()).collect();
    let next = found.next().and(rows.last()).map(|last| format!("{HOME}?q={query}&after={}", last.id));
    let mut frame = Frame::new(console, session, Nav::Settings(Tab::Applications), "Applications");
    frame.done = match wanted.done.as_str() {
        "added" => Some("The application was added."),
        "renamed" => Some("The application was renamed."),
        "deleted" => Some("The application was deleted. Hits that name it keep its number."),
        _ => None,
    };
    Ok(Page {
        frame,
        rows,
        all: applications.len(),
        may_change: console.may(session, &Method::POST, "/v1/applications"),
        next,
        first: wanted.after.map(|_| format!("{HOME}?q={query}")),
        q: wanted.q,
        form,
    })
}

async fn add(State(console): State<Shared>, posted: Posted) -> Result<Response, Failure> {
    let Posted { session, fields } = posted;
    let mut application = json!({"name": fields.get("name").trim()});
    let id = fields.get("id").trim();
    if !id.is_empty() {
        // What is no number is refused by the API, in its words.
        application["id"] = id.parse::<i64>().map_or_else(|_| json!(id), |id| json!(id));
    }
    match console.post(&session, "/v1/applications", &application).await {
        Ok(_) => Ok(Redirect::to(&format!("{HOME}?done=added")).into_response()),
        Err(refused) if refused.is_for_the_form() => {
            let form = Form::refused(&fields, &refused);
            let page = page(&console, &session, Wanted::default(), form).await?;
            Ok((refused.status, Html(page.render()?)).into_response())
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn show(
    State(console): State<Shared>,
    Path(id): Path<i64>,
    session: Session,
) -> Result<Html<String>, Failure> {
    if !console.may(&session, &Method::PUT, "/v1/applications/{id}") {
        return Err(Failure::forbidden("Applications are for Administrators to change."));
    }
    let application = find(&console, &session, id).await?;
    let form = Form { name: application.name.clone(), ..Form::default() };
    let frame = Frame::new(&console, &session, Nav::Settings(Tab::Applications), application.name.clone());
    Ok(Html(OnePage { frame, application, form }.render()?))
}

async fn rename(
    State(console): State<Shared>,
    Path(id): Path<i64>,
    posted: Posted,
) -> Result<Response, Failure> {
    let Posted { session, fields } = posted;
    let body = json!({"name": fields.get("name").trim()});
    match console.put(&session, &format!("/v1/applications/{id}"), &body, None).await {
        Ok(_) => Ok(Redirect::to(&format!("{HOME}?done=renamed")).into_response()),
        Err(refused) if refused.is_for_the_form() => {
            let application = find(&console, &session, id).await?;
            let form = Form::refused(&fields, &refused);
            let title = application.name.clone();
            let frame = Frame::new(&console, &session, Nav::Settings(Tab::Applications), title);
            let page = OnePage { frame, application, form }.render()?;
            Ok((refused.status, Html(page)).into_response())
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn delete(
    State(console): State<Shared>,
    Path(id): Path<i64>,
    posted: Posted,
) -> Result<Redirect, Failure> {
    console.delete(&posted.session, &format!("/v1/applications/{id}"), None).await?;
    Ok(Redirect::to(&format!("{HOME}?done=deleted")))
}

async fn find(console: &Shared, session: &Session, id: i64) -> Result<Known, Failure> {
    let answered = console.get(session, &format!("/v1/applications/{id}")).await?;
    Ok(answered.read_object()?)
}
