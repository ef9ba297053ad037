//! What goes on.

use crate::Shared;
use crate::failure::Failure;
use crate::frame::{Frame, Nav};
use crate::session::Session;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Html;
use axum::routing::get;

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/dashboard", get(show))
}

#[derive(Template)]
#[template(path = "dashboard.html")]
struct Page {
    frame: Frame,
}

async fn show(State(console): State<Shared>, session: Session) -> Result<Html<String>, Failure> {
    let frame = Frame::new(&console, &session, Nav::Dashboard, "Dashboard");
    Ok(Html(Page { frame }.render()?))
}
