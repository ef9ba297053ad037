//! The second step, for who has a second factor: a code of the app, or a recovery code.

use super::{Proof, own_path, recovery, refusals, signed_in, too_many, totp};
use crate::failure::Failure;
use crate::fields::Fields;
use crate::session::{From, no_cookie};
use crate::{Console, Shared};
use askama::Template;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use hitwire_store::{Credential, Op, User, UserId};
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Holds the ticket of somebody whose password was right.
pub(super) const COOKIE: &str = "__Host-hitwire-code";

/// How long a code may take after the password.
pub(super) const GOOD_FOR: Duration = Duration::from_mins(5);

/// What the ticket is for.
const PURPOSE: &str = "second step";

/// Somebody whose password was right.
#[derive(Serialize, Deserialize)]
struct Half {
    user: u64,
    /// Of the credential: once it is another, the password may be, too.
    revision: u64,
    next: String,
}

/// The ticket of somebody whose password was right.
pub(super) fn ticket(console: &Console, credential: &Credential, next: &str) -> String {
    let half = Half { user: credential.user.0, revision: credential.revision, next: next.to_owned() };
    console.sign_in.tickets.issue(PURPOSE, &half, console.now_s() + GOOD_FOR.as_secs())
}

#[derive(Template)]
#[template(path = "sign_in/code.html")]
struct Page<'a> {
    error: &'a str,
}

/// Who the ticket is of, if it is still good.
async fn half_in(console: &Shared, jar: &CookieJar) -> Result<Option<(User, Credential, String)>, Failure> {
    let Some(cookie) = jar.get(COOKIE) else { return Ok(None) };
    let half: Option<Half> = console.sign_in.tickets.read(PURPOSE, cookie.value(), console.now_s());
    let Some(half) = half else { return Ok(None) };
    let user = console.store.user(UserId(half.user)).await?.filter(|user| user.enabled);
    let credential = console.store.credential(UserId(half.user)).await?;
    let credential = credential.filter(|one| one.revision == half.revision && one.totp.is_some());
    Ok(user.zip(credential).map(|(user, credential)| (user, credential, half.next)))
}

pub(super) async fn form(State(console): State<Shared>, jar: CookieJar) -> Result<Response, Failure> {
    if half_in(&console, &jar).await?.is_none() {
        return Ok((jar.add(no_cookie(COOKIE)), Redirect::to("/sign-in")).into_response());
    }
    Ok(Html(Page { error: "" }.render()?).into_response())
}

pub(super) async fn sign_in(
    State(console): State<Shared>,
    from: From,
    jar: CookieJar,
    fields: Fields,
) -> Result<Response, Failure> {
    let Some((user, mut credential, next)) = half_in(&console, &jar).await? else {
        return Ok((jar.add(no_cookie(COOKIE)), Redirect::to("/sign-in")).into_response());
    };
    let tried = console.sign_in.limiter().code(&user.email, from.ip(), Instant::now());
    if let Err(wait) = tried {
        let page = Page { error: &too_many(wait) }.render()?;
        let wait = [(RETRY_AFTER, wait.seconds.to_string())];
        return Ok((StatusCode::TOO_MANY_REQUESTS, wait, Html(page)).into_response());
    }
    let Some(with) = accept(&mut credential, fields.get("code"), console.now_s()) else {
        refusals::note(&console, &user, "wrong code", &from);
        let error = "This code is not right. Each code is good once, and only while the app shows it; is the clock of your device right?";
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(Page { error }.render()?)).into_response());
    };
    console.sign_in.limiter().code_was_right(&user.email, from.ip(), Instant::now());
    let jar = jar.add(no_cookie(COOKIE));
    // Refused by the store if the credential was changed meanwhile: of two who send the same code one is let in.
    let ops = vec![Op::PutCredential(credential)];
    signed_in(&console, Proof { user: &user, with, from: &from }, ops, jar, own_path(&next)).await
}

/// Takes a code, which is used up then. Answers of which kind it was; none: it is not right.
fn accept(credential: &mut Credential, typed: &str, now_s: u64) -> Option<&'static str> {
    if recovery::looks_like_one(typed) {
        return recovery::use_up(&mut credential.recovery, typed).then_some("recovery");
    }
    let step = totp::accepted(credential.totp.as_ref()?, typed, now_s, credential.totp_step)?;
    credential.totp_step = step;
    Some("totp")
}
