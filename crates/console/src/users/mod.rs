//! People with an account.
//!
//! - here: all of them. [`form`]: adding and changing one. [`acts`]: what is done to one: a new link, disable, enable, delete.

mod acts;
mod form;

use crate::failure::Failure;
use crate::frame::{Frame, Nav, Tab};
use crate::session::Session;
use crate::{Console, Shared};
use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Html;
use axum::routing::{get, post};
use hitwire_store::{Role, UserId};
use http::Method;
use serde::Deserialize;
use url::form_urlencoded::byte_serialize;

/// Where the list is; the other pages are below it.
const HOME: &str = "/settings/users";

/// Users of a page; of each it is read how they sign in.
const ROWS: usize = 50;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route(HOME, get(list))
        .route("/settings/users/add", get(form::new).post(form::add))
        .route("/settings/users/{id}", get(form::show).post(form::change))
        .route("/settings/users/{id}/link", post(acts::link))
        .route("/settings/users/{id}/disable", post(acts::disable))
        .route("/settings/users/{id}/enable", post(acts::enable))
        .route("/settings/users/{id}/delete", get(acts::ask).post(acts::delete))
}

/// A user as the API answers it.
#[derive(Clone, Debug, Deserialize)]
struct Known {
    id: u64,
    email: String,
    name: String,
    role: String,
    enabled: bool,
    created_at: u64,
    created_by: String,
}

impl Known {
    /// The role as people call it.
    fn title(&self) -> &'static str {
        Role::named(&self.role).map_or("", Role::title)
    }

    /// The name, or the e-mail of who has none.
    fn called(&self) -> &str {
        if self.name.is_empty() { &self.email } else { &self.name }
    }
}

/// How somebody signs in, in words, and the class of its badge.
struct How {
    words: &'static str,
    class: &'static str,
}

struct Row {
    user: Known,
    how: How,
    /// Milliseconds since the epoch, to about a minute; none: not signed in anywhere.
    seen_ms: Option<u64>,
    is_me: bool,
}

#[derive(Template)]
#[template(path = "users/list.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    all: usize,
    q: String,
    may_add: bool,
    next: Option<String>,
    first: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    /// A part of name or e-mail.
    q: String,
    /// Go on after this id.
    after: Option<u64>,
    done: String,
}

async fn list(
    State(console): State<Shared>,
    Query(wanted): Query<Wanted>,
    session: Session,
) -> Result<Html<String>, Failure> {
    let users: Vec<Known> = console.get(&session, "/v1/users").await?.read_object()?;
    let q = wanted.q.trim().to_lowercase();
    let fits = |user: &&Known| {
        q.is_empty() || user.name.to_lowercase().contains(&q) || user.email.to_lowercase().contains(&q)
    };
    let mut found = users.iter().filter(fits).filter(|user| wanted.after.is_none_or(|after| user.id > after));
    let shown: Vec<Known> = found.by_ref().take(ROWS).cloned().collect();
    let query: String = byte_serialize(wanted.q.as_bytes()).collect();
    let next = found.next().and(shown.last()).map(|last| format!("{HOME}?q={query}&after={}", last.id));
    let mut rows = Vec::with_capacity(shown.len());
    for user in shown {
        rows.push(row(&console, &session, user).await?);
    }
    let mut frame = Frame::new(&console, &session, Nav::Settings(Tab::Users), "Users");
    frame.done = match wanted.done.as_str() {
        "deleted" => Some("The user was deleted."),
        _ => None,
    };
    let page = Page {
        frame,
        rows,
        all: users.len(),
        may_add: console.may(&session, &Method::POST, "/v1/users"),
        next,
        first: wanted.after.map(|_| format!("{HOME}?q={query}")),
        q: wanted.q,
    };
    Ok(Html(page.render()?))
}

async fn row(console: &Console, session: &Session, user: Known) -> Result<Row, Failure> {
    let id = UserId(user.id);
    let how = how(console, &user).await?;
    let sessions = console.store.sessions(id).await?;
    let seen = sessions.iter().map(|one| one.last_used_at * 1_000).max();
    Ok(Row { is_me: id == session.user.id, how, seen_ms: seen, user })
}

async fn how(console: &Console, user: &Known) -> Result<How, Failure> {
    if !user.enabled {
        return Ok(How { words: "disabled", class: "off" });
    }
    let credential = console.store.credential(UserId(user.id)).await?.unwrap_or_default();
    Ok(match (credential.password, credential.totp, credential.subject) {
        (Some(_), Some(_), _) => How { words: "password and app", class: "ok" },
        (Some(_), None, _) => How { words: "password", class: "ok" },
        (None, _, Some(_)) => How { words: "OpenID", class: "ok" },
        (None, _, None) => How { words: "not yet", class: "warn" },
    })
}
