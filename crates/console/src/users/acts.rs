//! What is done to somebody: a new link, disabled, enabled, deleted.

use super::form::find;
use super::{HOME, Known};
use crate::Shared;
use crate::failure::Failure;
use crate::fields::Posted;
use crate::frame::{Frame, Nav, Tab};
use crate::session::Session;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

#[derive(Template)]
#[template(path = "users/link.html")]
struct LinkPage {
    frame: Frame,
    id: u64,
    called: String,
    email: String,
    link: String,
    /// Where hitwire listens, if it does not know how others reach it.
    listens: Option<String>,
    expires_ms: u64,
}

#[derive(Template)]
#[template(path = "users/delete.html")]
struct DeletePage {
    frame: Frame,
    user: Known,
    etag: String,
    typed: String,
    error: String,
}

/// Takes back how somebody signed in, and shows a link with which they choose a password.
pub(super) async fn link(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    posted: Posted,
) -> Result<Response, Failure> {
    let (user, _) = find(&console, &posted.session, id).await?;
    show_link(&console, &posted.session, &user, "The link was made.").await
}

/// Makes a link, and shows it once.
pub(super) async fn show_link(
    console: &Shared,
    session: &Session,
    user: &Known,
    done: &'static str,
) -> Result<Response, Failure> {
    #[derive(Deserialize)]
    struct Made {
        path: String,
        expires_at: u64,
    }
    let made = console.post(session, &format!("/v1/users/{}/sign-in-link", user.id), &json!({})).await?;
    let made: Made = made.read_object()?;
    let installation = &console.installation;
    let page = LinkPage {
        frame: Frame::new(console, session, Nav::Settings(Tab::Users), "Sign-in link").with_done(Some(done)),
        id: user.id,
        called: user.called().to_owned(),
        email: user.email.clone(),
        link: format!("{}{}", installation.url, made.path),
        listens: (!installation.url_is_configured).then(|| installation.listen.clone()),
        expires_ms: made.expires_at * 1_000,
    };
    Ok(Html(page.render()?).into_response())
}

pub(super) async fn disable(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    posted: Posted,
) -> Result<Redirect, Failure> {
    switch(&console, &posted.session, id, false).await?;
    Ok(Redirect::to(&format!("{HOME}/{id}?done=disabled")))
}

pub(super) async fn enable(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    posted: Posted,
) -> Result<Redirect, Failure> {
    switch(&console, &posted.session, id, true).await?;
    Ok(Redirect::to(&format!("{HOME}/{id}?done=enabled")))
}

async fn switch(console: &Shared, session: &Session, id: u64, enabled: bool) -> Result<(), Failure> {
    console.put(session, &format!("/v1/users/{id}"), &json!({"enabled": enabled}), None).await?;
    Ok(())
}

/// Asks whether it is meant.
pub(super) async fn ask(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    session: Session,
) -> Result<Html<String>, Failure> {
    let (user, etag) = find(&console, &session, id).await?;
    let frame = Frame::new(&console, &session, Nav::Settings(Tab::Users), "Delete user");
    Ok(Html(DeletePage { frame, user, etag, typed: String::new(), error: String::new() }.render()?))
}

pub(super) async fn delete(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    posted: Posted,
) -> Result<Response, Failure> {
    let Posted { session, fields } = posted;
    let (user, etag) = find(&console, &session, id).await?;
    let typed = fields.get("email").trim();
    if !typed.eq_ignore_ascii_case(&user.email) {
        let frame = Frame::new(&console, &session, Nav::Settings(Tab::Users), "Delete user");
        let error = "This is not the e-mail of the user.".to_owned();
        let page = DeletePage { frame, user, etag, typed: typed.to_owned(), error }.render()?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response());
    }
    let etag = fields.get("etag");
    console.delete(&session, &format!("/v1/users/{id}"), (!etag.is_empty()).then_some(etag)).await?;
    Ok(Redirect::to(&format!("{HOME}?done=deleted")).into_response())
}
