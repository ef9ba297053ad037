//! What programs show the API: made, shown once, revoked.

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
use hitwire_store::Role;
use http::Method;
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;

/// Where the list is; the other pages are below it.
const HOME: &str = "/settings/tokens";

/// Tokens of a page.
const ROWS: usize = 100;

/// How long a token may be good, in days; 0: for ever.
const LIFETIMES: &[(u64, &str)] =
    &[(30, "30 days"), (90, "90 days"), (365, "a year"), (0, "for ever, until it is revoked")];

/// What each role lets a program do, the most powerful first.
const ROLES: &[(Role, &str)] = &[
    (Role::Operator, "everything of the installation"),
    (Role::Administrator, "everything of this client"),
    (Role::Analyst, "reads events and what was delivered"),
    (Role::ReadOnly, "reads views, users and the activity log"),
    (Role::Ingest, "sends events, reads nothing"),
];

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route(HOME, get(list))
        .route("/settings/tokens/add", get(new).post(add))
        .route("/settings/tokens/{id}/revoke", post(revoke))
}

/// A token as the API answers it.
#[derive(Clone, Debug, Deserialize)]
struct Known {
    id: u64,
    name: String,
    role: String,
    user: Option<u64>,
    created_at: u64,
    created_by: String,
    expires_at: Option<u64>,
    last_used_at: Option<u64>,
}

impl Known {
    /// The role as people call it.
    fn title(&self) -> &'static str {
        match Role::named(&self.role) {
            Some(Role::Ingest) => "Ingest",
            Some(role) => role.title(),
            None => "",
        }
    }
}

struct Row {
    token: Known,
    /// E-mail of the user whose it is.
    owner: Option<String>,
    expired: bool,
    may_revoke: bool,
}

#[derive(Template)]
#[template(path = "tokens/list.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    all: usize,
    next: Option<u64>,
    first: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    /// Go on with those made before this one.
    before: Option<u64>,
    done: String,
}

/// A role, or a length of time, to choose.
struct Choice {
    value: String,
    label: &'static str,
    hint: &'static str,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "tokens/add.html")]
struct AddPage {
    frame: Frame,
    name: String,
    own: bool,
    roles: Vec<Choice>,
    lifetimes: Vec<Choice>,
    name_error: String,
    role_error: String,
    error: String,
}

#[derive(Template)]
#[template(path = "tokens/made.html")]
struct MadePage {
    frame: Frame,
    name: String,
    token: String,
    ingest: bool,
}

/// The newest first.
async fn list(
    State(console): State<Shared>,
    Query(wanted): Query<Wanted>,
    session: Session,
) -> Result<Html<String>, Failure> {
    let mut tokens: Vec<Known> = console.get(&session, "/v1/tokens").await?.read_object()?;
    let users = console.get(&session, "/v1/users").await?.object();
    let owners: HashMap<u64, String> = users
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|user| Some((user["id"].as_u64()?, user["email"].as_str()?.to_owned())))
        .collect();
    let all = tokens.len();
    tokens.sort_by_key(|token| std::cmp::Reverse(token.id));
    tokens.retain(|token| wanted.before.is_none_or(|before| token.id < before));
    let next = (tokens.len() > ROWS).then(|| tokens[ROWS - 1].id);
    tokens.truncate(ROWS);
    let now_s = console.now_s();
    let rows = tokens.into_iter().map(|token| Row {
        owner: token.user.and_then(|user| owners.get(&user).cloned()),
        expired: token.expires_at.is_some_and(|at| at <= now_s),
        may_revoke: Role::named(&token.role).is_some_and(|role| role >= session.role()),
        token,
    });
    let mut frame = Frame::new(&console, &session, Nav::Settings(Tab::Tokens), "API tokens");
    frame.done = (wanted.done == "revoked")
        .then_some("The token was revoked: whoever has it may do nothing any more.");
    let page = Page { frame, rows: rows.collect(), all, next, first: wanted.before.is_some() };
    Ok(Html(page.render()?))
}

async fn new(State(console): State<Shared>, session: Session) -> Result<Html<String>, Failure> {
    if !console.may(&session, &Method::POST, "/v1/tokens") {
        return Err(Failure::forbidden("API tokens are for Administrators to make."));
    }
    add_page(&console, &session, &Fields::default(), None)
}

async fn add(State(console): State<Shared>, posted: Posted) -> Result<Response, Failure> {
    let Posted { session, fields } = posted;
    let mut token = json!({"name": fields.get("name").trim(), "role": fields.get("role")});
    if fields.has("own") {
        token["user"] = json!(session.user.id.0);
    }
    // What is none of the choices is none: the form has no others.
    let days = LIFETIMES.iter().map(|(days, _)| *days).find(|days| days.to_string() == fields.get("days"));
    if let Some(days @ 1..) = days {
        token["expires_at"] = json!(console.now_s() + days * 86_400);
    }
    match console.post(&session, "/v1/tokens", &token).await {
        Ok(made) => {
            let made = made.object();
            let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
            let frame = Frame::new(&console, &session, Nav::Settings(Tab::Tokens), "API token");
            let ingest = made["role"] == Role::Ingest.name();
            let page = MadePage { frame, name: text("name"), token: text("token"), ingest };
            Ok(Html(page.render()?).into_response())
        }
        Err(refused) if refused.is_for_the_form() => {
            let status = refused.status;
            Ok((status, add_page(&console, &session, &fields, Some(&refused))?).into_response())
        }
        Err(refused) => Err(refused.into()),
    }
}

fn add_page(
    console: &Shared,
    session: &Session,
    fields: &Fields,
    refused: Option<&Refused>,
) -> Result<Html<String>, Failure> {
    let at = |pointer: &str| refused.map(|refused| refused.at(pointer)).unwrap_or_default();
    let (role, days) = match refused {
        Some(_) => (fields.get("role"), fields.get("days")),
        None => (Role::Ingest.name(), "90"),
    };
    let roles = ROLES.iter().filter(|(role, _)| *role >= session.role()).map(|(one, hint)| Choice {
        value: one.name().to_owned(),
        label: if *one == Role::Ingest { "Ingest" } else { one.title() },
        hint,
        chosen: one.name() == role,
    });
    let lifetimes = LIFETIMES.iter().map(|(number, label)| {
        let value = number.to_string();
        Choice { chosen: value == days, value, label, hint: "" }
    });
    let page = AddPage {
        frame: Frame::new(console, session, Nav::Settings(Tab::Tokens), "Make a token"),
        name: fields.get("name").to_owned(),
        own: fields.has("own"),
        roles: roles.collect(),
        lifetimes: lifetimes.collect(),
        name_error: at("/name"),
        role_error: at("/role"),
        error: refused.map(Refused::whole).unwrap_or_default(),
    };
    Ok(Html(page.render()?))
}

async fn revoke(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    posted: Posted,
) -> Result<Redirect, Failure> {
    console.delete(&posted.session, &format!("/v1/tokens/{id}"), None).await?;
    Ok(Redirect::to(&format!("{HOME}?done=revoked")))
}
