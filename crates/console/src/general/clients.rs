//! The clients (tenants) of the installation, page by page.

use crate::Shared;
use crate::failure::Failure;
use crate::frame::{Frame, Nav, Tab};
use crate::session::Session;
use crate::text;
use askama::Template;
use axum::extract::{Query, State};
use axum::response::Html;
use http::Method;
use serde::Deserialize;

/// Clients of a page.
const CLIENTS: usize = 50;

/// A client as the API tells of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Client {
    pub(super) id: u64,
    pub(super) uuid: String,
    pub(super) name: String,
    pub(super) enabled: bool,
    pub(super) integrations_max: Option<u32>,
    pub(super) events_per_s: Option<u32>,
    pub(super) allow_targets: Vec<String>,
    /// Unix seconds.
    pub(super) created_at: u64,
    pub(super) created_by: String,
}

impl Client {
    /// One client, and the `ETag` for the next change.
    pub(super) async fn load(
        console: &Shared,
        session: &Session,
        id: u64,
    ) -> Result<(Client, String), Failure> {
        let answered = console.get(session, &format!("/v1/clients/{id}")).await?;
        let etag = answered.etag.clone().unwrap_or_default();
        Ok((answered.read_object()?, etag))
    }

    pub(super) fn created_ms(&self) -> u64 {
        self.created_at * 1_000
    }

    pub(super) fn integrations_in_words(&self) -> String {
        self.integrations_max.map_or_else(|| "10,000".to_owned(), text::number)
    }

    pub(super) fn events_in_words(&self) -> String {
        self.events_per_s.map_or_else(|| "any number".to_owned(), |max| format!("{}/s", text::number(max)))
    }

    pub(super) fn networks(&self) -> String {
        if self.allow_targets.is_empty() { "none".to_owned() } else { self.allow_targets.join(", ") }
    }
}

/// The clients that the reader may see, from the first on.
pub(super) async fn first_page(
    console: &Shared,
    session: &Session,
) -> Result<(Vec<Client>, Option<u64>), Failure> {
    page(console, session, 0).await
}

/// Those after one, and the last if there are more.
async fn page(
    console: &Shared,
    session: &Session,
    after: u64,
) -> Result<(Vec<Client>, Option<u64>), Failure> {
    let path = format!("/v1/clients?after={after}&limit={CLIENTS}");
    let clients: Vec<Client> = console.get(session, &path).await?.read_object()?;
    let next = clients.last().filter(|_| clients.len() == CLIENTS).map(|last| last.id);
    Ok((clients, next))
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    after: u64,
    done: String,
}

#[derive(Template)]
#[template(path = "general/clients.html")]
struct Page {
    frame: Frame,
    clients: Vec<Client>,
    next: Option<u64>,
    is_first: bool,
    may_make_clients: bool,
}

pub(super) async fn list(
    State(console): State<Shared>,
    session: Session,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Failure> {
    let (clients, next) = page(&console, &session, asked.after).await?;
    let done = match &*asked.done {
        "created" => Some("The client was added."),
        "changed" => Some("The client was changed."),
        "deleted" => Some("The client was deleted, with its users, tokens and applications."),
        _ => None,
    };
    let page = Page {
        frame: Frame::new(&console, &session, Nav::Settings(Tab::General), "Clients").with_done(done),
        clients,
        next,
        is_first: asked.after == 0,
        may_make_clients: console.may(&session, &Method::POST, "/v1/clients"),
    };
    Ok(Html(page.render()?))
}
