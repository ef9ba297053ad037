//! The installation: what it is, how full it is, how it is set, and the clients (tenants) in it.

mod client_form;
mod clients;
mod facts;

use crate::Shared;
use crate::failure::Failure;
use crate::frame::{Frame, Nav, Tab};
use crate::installation::Setting;
use crate::session::Session;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Html;
use axum::routing::get;
use clients::{Client, first_page};
use facts::Facts;
use http::Method;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/settings/general", get(show))
        .route("/settings/general/clients", get(clients::list))
        .route("/settings/general/clients/add", get(client_form::new).post(client_form::create))
        .route("/settings/general/clients/{id}", get(client_form::edit).post(client_form::change))
        .route(
            "/settings/general/clients/{id}/delete",
            get(client_form::ask_delete).post(client_form::delete),
        )
}

#[derive(Template)]
#[template(path = "general/show.html")]
struct Page {
    frame: Frame,
    version: &'static str,
    url: String,
    /// For operators.
    facts: Option<Facts>,
    settings: Vec<Setting>,
    clients: Vec<Client>,
    /// There are more clients than are shown.
    more_clients: bool,
    may_make_clients: bool,
}

async fn show(State(console): State<Shared>, session: Session) -> Result<Html<String>, Failure> {
    // Who may see metrics may see the same in words.
    let is_operator = console.may(&session, &Method::GET, "/metrics");
    let facts = if is_operator { Some(Facts::read(&console).await?) } else { None };
    let (clients, next) = first_page(&console, &session).await?;
    let installation = &console.installation;
    let page = Page {
        frame: Frame::new(&console, &session, Nav::Settings(Tab::General), "General"),
        version: installation.version,
        url: installation.url.clone(),
        facts,
        settings: if is_operator { installation.settings.clone() } else { Vec::new() },
        clients,
        more_clients: next.is_some(),
        may_make_clients: console.may(&session, &Method::POST, "/v1/clients"),
    };
    Ok(Html(page.render()?))
}
