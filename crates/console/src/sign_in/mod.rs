//! Signing in and out.

mod password;
pub mod set_up;

use crate::failure::Failure;
use crate::fields::{Fields, Posted};
use crate::session::{self, COOKIE};
use crate::{Console, Shared};
use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum_extra::extract::cookie::CookieJar;
use hitwire_log::{Op, User};
use http::StatusCode;
use serde::Deserialize;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/sign-in", get(form).post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/set-up/{token}", get(set_up::form).post(set_up::set_up))
}

#[derive(Template)]
#[template(path = "sign_in/sign_in.html")]
struct SignInPage<'a> {
    email: &'a str,
    next: &'a str,
    error: &'a str,
}

/// Where to go on after signing in.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Next {
    next: String,
}

async fn form(Query(next): Query<Next>) -> Result<Html<String>, Failure> {
    Ok(Html(SignInPage { email: "", next: own_path(&next.next), error: "" }.render()?))
}

async fn sign_in(
    State(console): State<Shared>,
    from: session::From,
    jar: CookieJar,
    fields: Fields,
) -> Result<Response, Failure> {
    let (email, next) = (fields.get("email").trim(), own_path(fields.get("next")));
    if let Some(user) = known(&console, email, fields.get("password")).await? {
        return signed_in(&console, &user, "password", &from, jar, next).await;
    }
    let error = "There is no user with this e-mail and this password, or the account is disabled.";
    let page = SignInPage { email, next, error }.render()?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response())
}

/// The user with this e-mail and password.
async fn known(console: &Console, email: &str, password: &str) -> Result<Option<User>, Failure> {
    let user = console.store.user_of_email(email).await?.filter(|user| user.enabled);
    let credential = match &user {
        Some(user) => console.store.credential(user.id).await?,
        None => None,
    };
    let hash = credential.and_then(|credential| credential.password);
    // Also for nobody a hash is computed, so that the time does not tell who has an account.
    let good = password::verify(password.to_owned(), hash).await?;
    Ok(user.filter(|_| good))
}

/// Begins a session and goes on.
async fn signed_in(
    console: &Console,
    user: &User,
    with: &str,
    from: &session::From,
    jar: CookieJar,
    next: &str,
) -> Result<Response, Failure> {
    let (kept, cookie) = session::begin(console, user, with, from)?;
    console.store.commit(vec![Op::PutSession(kept)]).await?;
    Ok((jar.add(cookie), Redirect::to(next)).into_response())
}

async fn sign_out(
    State(console): State<Shared>,
    jar: CookieJar,
    posted: Posted,
) -> Result<Response, Failure> {
    console.store.commit(vec![Op::DeleteSession { sha256: posted.session.kept.sha256 }]).await?;
    Ok((jar.add(session::no_cookie(COOKIE)), Redirect::to("/sign-in")).into_response())
}

/// A path of the console; anything else (another host in any of the forms that browsers take) is the first page.
fn own_path(next: &str) -> &str {
    let is_own = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && !next.chars().any(char::is_control);
    if is_own { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_signing_in_nobody_is_sent_to_another_site() {
        for foreign in [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "\\/evil",
            "javascript:x",
            "/\t/evil",
            "",
        ] {
            assert_eq!(own_path(foreign), "/", "{foreign}");
        }
        assert_eq!(own_path("/events?type=sqli"), "/events?type=sqli");
    }
}
