//! The first step: e-mail and password.

use super::candidates::{Choice, Fitting, Tried, choices, try_password};
use super::password::Verdict;
use super::{Proof, between, own_path, refusals, second, signed_in, too_many};
use crate::Shared;
use crate::failure::Failure;
use crate::fields::Fields;
use crate::session::From;
use askama::Template;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use hitwire_event::ClientId;
use hitwire_store::{Op, Secret};
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
    /// The client that the page's address names.
    named: Option<ClientId>,
    /// Clients to choose from, if the password fits several.
    clients: Vec<Choice>,
}

impl<'a> Page<'a> {
    fn new(console: &'a Shared, email: &'a str, next: &'a str, error: &'a str) -> Page<'a> {
        let provider = console.sign_in.provider_name();
        let next_encoded = byte_serialize(next.as_bytes()).collect();
        Page { email, next, next_encoded, error, provider, named: None, clients: Vec::new() }
    }
}

/// Where to go on after signing in.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Next {
    pub(super) next: String,
    /// The client that is meant, if an e-mail has users in several.
    pub(super) client: Option<u64>,
}

pub(super) async fn form(
    State(console): State<Shared>,
    Query(next): Query<Next>,
) -> Result<Html<String>, Failure> {
    let named = next.client.map(ClientId);
    Ok(Html(Page { named, ..Page::new(&console, "", own_path(&next.next), "") }.render()?))
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
    let password = Secret::new(fields.get("password"));
    let client = fields.get("client").parse().ok().map(ClientId);
    let Tried { mut fitting, refused } = try_password(&console, email, client, &password).await?;
    if !fitting.is_empty() {
        console.sign_in.limiter().password_was_right(email, from.ip(), Instant::now());
    }
    if fitting.len() > 1 {
        let clients = choices(&console, fitting.iter().map(|one| one.user.client)).await?;
        let error = "This password fits your users of several clients. Choose one, and enter it again.";
        let page = Page { clients, ..Page::new(&console, email, next, error) }.render()?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response());
    }
    if let Some(Fitting { user, mut credential, verdict }) = fitting.pop() {
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
            let proof = Proof { user: &user, with: "password", from: &from };
            return signed_in(&console, proof, ops, jar, next).await;
        }
        if !ops.is_empty() {
            console.store.commit(ops).await?;
            credential.revision += 1;
        }
        let ticket = second::ticket(&console, &credential, next);
        let jar = jar.add(between(second::COOKIE, ticket, second::GOOD_FOR));
        return Ok((jar, Redirect::to("/sign-in/code")).into_response());
    }
    for (user, why) in &refused {
        refusals::note(&console, user, why, &from);
    }
    if refused.is_empty() {
        tracing::info!(address = from.address, "sign-in refused: there is no such user");
    }
    let error = "There is no user with this e-mail and this password, or the account is disabled.";
    let page = Page { named: client, ..Page::new(&console, email, next, error) }.render()?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response())
}
