//! The first step: e-mail and password.

use super::password::Verdict;
use super::{Proof, between, note_refused, own_path, second, signed_in, too_many};
use crate::Shared;
use crate::failure::Failure;
use crate::fields::Fields;
use crate::session::From;
use askama::Template;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use hitwire_log::{Op, Secret};
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Deserialize;
use std::time::Instant;
use url::form_urlencoded::byte_serialize;

#[derive(Template)]
#[template(path = "sign_in/sign_in.html")]
struct Page<'a> {
    email: &'a str,
    next: &'a str,
    /// `next` as a query's value.
    next_encoded: String,
    error: &'a str,
    /// How the provider is called, if there is one.
    provider: Option<&'a str>,
}

impl<'a> Page<'a> {
    fn new(console: &'a Shared, email: &'a str, next: &'a str, error: &'a str) -> Page<'a> {
        let provider = console.sign_in.provider_name();
        Page { email, next, next_encoded: byte_serialize(next.as_bytes()).collect(), error, provider }
    }
}

/// Where to go on after signing in.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Next {
    pub(super) next: String,
}

pub(super) async fn form(
    State(console): State<Shared>,
    Query(next): Query<Next>,
) -> Result<Html<String>, Failure> {
    Ok(Html(Page::new(&console, "", own_path(&next.next), "").render()?))
}

pub(super) async fn sign_in(
    State(console): State<Shared>,
    from: From,
    jar: CookieJar,
    fields: Fields,
) -> Result<Response, Failure> {
    let (email, next) = (fields.get("email").trim(), own_path(fields.get("next")));
    let tried = console.sign_in.limiter().password(email, from.ip(), Instant::now());
    if let Err(wait) = tried {
        let page = Page::new(&console, email, next, &too_many(wait)).render()?;
        let wait = [(RETRY_AFTER, wait.seconds.to_string())];
        return Ok((StatusCode::TOO_MANY_REQUESTS, wait, Html(page)).into_response());
    }
    let user = console.store.user_of_email(email).await?;
    let credential = match &user {
        Some(user) => console.store.credential(user.id).await?,
        None => None,
    };
    let hash = credential.as_ref().and_then(|credential| credential.password.clone());
    let password = Secret::new(fields.get("password"));
    // Also of nobody, so that the time does not tell who has an account.
    let verdict = console.sign_in.passwords.verify(password.clone(), hash).await?;
    let refused = match (&user, credential, verdict) {
        (Some(user), Some(mut credential), Verdict::Right | Verdict::Outdated) if user.enabled => {
            console.sign_in.limiter().password_was_right(email, from.ip(), Instant::now());
            let mut ops = Vec::new();
            if verdict == Verdict::Outdated {
                credential.password = Some(console.sign_in.passwords.hash(password).await?);
                ops.push(Op::PutCredential(credential.clone()));
            }
            if credential.totp.is_none() {
                if ops.is_empty() {
                    // A password that is changed in this moment must not let in any more.
                    ops.push(Op::SameCredential { user: user.id, revision: credential.revision });
                }
                return signed_in(&console, Proof { user, with: "password", from: &from }, ops, jar, next)
                    .await;
            }
            if !ops.is_empty() {
                console.store.commit(ops).await?;
                credential.revision += 1;
            }
            let ticket = second::ticket(&console, &credential, next);
            let jar = jar.add(between(second::COOKIE, ticket, second::GOOD_FOR));
            return Ok((jar, Redirect::to("/sign-in/code")).into_response());
        }
        (Some(user), _, Verdict::Right | Verdict::Outdated) => Some((user, "disabled")),
        (Some(user), _, Verdict::Wrong) => Some((user, "wrong password")),
        (None, ..) => None,
    };
    if let Some((user, why)) = refused {
        note_refused(&console, user, why, &from);
    } else {
        tracing::info!(address = from.address, "sign-in refused: there is no such user");
    }
    let error = "There is no user with this e-mail and this password, or the account is disabled.";
    let page = Page::new(&console, email, next, error).render()?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response())
}
