//! Signing in at an OpenID provider: out, and back.

use super::candidates::{Choice, choices};
use super::first::Next;
use super::oidc::{Begun, Failed, Person, Provider};
use super::{Proof, between, no_randomness, own_path, record, refusals, signed_in};
use crate::failure::Failure;
use crate::session::{From, no_cookie};
use crate::{Console, Shared};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use hitwire_event::ClientId;
use hitwire_store::{Credential, Done, Op, Sequence, StoreError, User, UserId};
use http::StatusCode;
use serde::Deserialize;
use std::time::Duration;

/// Holds the ticket of a sign-in that is under way at the provider.
const COOKIE: &str = "__Host-hitwire-oidc";

/// How long it may take there.
const GOOD_FOR: Duration = Duration::from_mins(10);

/// What the ticket is for.
const PURPOSE: &str = "provider";

/// New users belong to the first client.
const CLIENT: ClientId = ClientId(1);

/// Users of a client, as of the API.
const USERS_MAX: usize = 1_000;

/// Characters of a new user's name, as of the API.
const NAME_CHARS_MAX: usize = 200;

/// What the browser brings back.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Back {
    code: String,
    state: String,
    error: Option<String>,
    /// Which provider sends it (RFC 9207), if it says so.
    iss: Option<String>,
}

/// Sends the browser to the provider.
pub(super) async fn begin(
    State(console): State<Shared>,
    Query(next): Query<Next>,
    jar: CookieJar,
) -> Result<Response, Failure> {
    let (provider, redirect_uri) = provider(&console)?;
    let begun = Begun::new(own_path(&next.next).to_owned(), next.client).map_err(no_randomness)?;
    let url = provider.ask(&begun, &redirect_uri).await.map_err(failed)?;
    let ticket = console.sign_in.tickets.issue(PURPOSE, &begun, console.now_s() + GOOD_FOR.as_secs());
    Ok((jar.add(between(COOKIE, ticket, GOOD_FOR)), Redirect::to(url.as_str())).into_response())
}

/// Takes what the browser brings back from the provider.
pub(super) async fn come_back(
    State(console): State<Shared>,
    Query(back): Query<Back>,
    from: From,
    jar: CookieJar,
) -> Result<Response, Failure> {
    let (provider, redirect_uri) = provider(&console)?;
    let ticket = jar.get(COOKIE).map(|cookie| cookie.value().to_owned()).unwrap_or_default();
    let begun: Option<Begun> = console.sign_in.tickets.read(PURPOSE, &ticket, console.now_s());
    let Some(begun) = begun.filter(|begun| begun.is_answered_by(&back.state)) else {
        return Err(refused(
            "This sign-in was not begun in this browser, or took more than ten minutes. Begin again.",
        ));
    };
    if back.iss.is_some_and(|iss| iss != provider.settings.issuer) {
        return Err(refused("The answer comes from another provider."));
    }
    if back.error.is_some() {
        return Err(refused("The provider did not let you in, or you broke off there."));
    }
    let person =
        provider.answered(&begun, &back.code, &redirect_uri, console.now_s()).await.map_err(failed)?;
    let (user, ops) = user_of(&console, provider, person, begun.client.map(ClientId)).await?;
    if !user.enabled {
        refusals::note(&console, &user, "disabled", &from);
        return Err(refused("Your account is disabled. An administrator can enable it."));
    }
    let jar = jar.add(no_cookie(COOKIE));
    signed_in(&console, Proof { user: &user, with: "oidc", from: &from }, ops, jar, own_path(&begun.next))
        .await
}

/// The provider, and where it sends people back to.
fn provider(console: &Console) -> Result<(&Provider, String), Failure> {
    let provider = console.sign_in.provider.as_ref();
    let base = console.sign_in.settings.public_url.as_deref();
    match provider.zip(base) {
        Some((provider, base)) => Ok((provider, format!("{base}/sign-in/oidc/callback"))),
        None => Err(Failure::not_found("No OpenID provider is configured.")),
    }
}

/// The user who is this person, and what is to be made durable for it: the user who signed in so before; else the one who has the
/// e-mail that the provider vouches for, and is this person from now on; else a new one, if the operator wants that. A person may be
/// a user of several clients; `client` says which is meant.
async fn user_of(
    console: &Console,
    provider: &Provider,
    person: Person,
    client: Option<ClientId>,
) -> Result<(User, Vec<Op>), Failure> {
    let issuer = &provider.settings.issuer;
    let is_meant = |of: ClientId| client.is_none_or(|client| of == client);
    let mut linked = console.store.users_of_subject(issuer, &person.subject).await?;
    linked.retain(|(of, _)| is_meant(*of));
    if linked.len() > 1 {
        return Err(which_client(console, linked.into_iter().map(|(of, _)| of)).await?);
    }
    if let Some((_, id)) = linked.pop() {
        let user = console.store.user(id).await?.ok_or(StoreError::NotFound)?;
        let revision = console.store.credential(id).await?.map_or(0, |credential| credential.revision);
        return Ok((user, vec![Op::SameCredential { user: id, revision }]));
    }
    let Some(email) = person.verified_email else {
        return Err(refused("The provider does not say what your e-mail is, or that it is really yours."));
    };
    let subject = Some((issuer.clone(), person.subject));
    let mut users = console.store.users_of_email(&email).await?;
    users.retain(|user| is_meant(user.client));
    let mut clients: Vec<_> = users.iter().map(|user| user.client).collect();
    if provider.settings.new_users.is_some()
        && is_meant(CLIENT)
        && !clients.contains(&CLIENT)
        && !clients.is_empty()
    {
        // The new user that this person could become.
        clients.insert(0, CLIENT);
    }
    if clients.len() > 1 {
        // Whose the e-mail is may know where it has users; and must choose, since any client's administrator may have made one.
        return Err(which_client(console, clients.into_iter()).await?);
    }
    if let Some(user) = users.pop() {
        let credential = console.store.credential(user.id).await?.unwrap_or_default();
        if credential.subject.is_some() {
            return Err(refused(
                "The user with your e-mail signs in with another account of the provider. An administrator can reset that.",
            ));
        }
        if credential.password.is_some() || credential.totp.is_some() {
            // Whoever set it, an administrator for example, could go on signing in with it as this person.
            return Err(refused(
                "The user with your e-mail has a password. Sign in with it, or have an administrator reset how you sign in; then come back here.",
            ));
        }
        let ops = vec![
            Op::PutCredential(Credential { user: user.id, subject, ..credential }),
            record::changed(&user, "link_provider"),
        ];
        return Ok((user, ops));
    }
    if !is_meant(CLIENT) {
        return Err(refused(
            "There is no user with your e-mail in that client. An administrator can add you.",
        ));
    }
    let Some(role) = provider.settings.new_users else {
        return Err(refused("There is no user with your e-mail. An administrator can add you."));
    };
    if console.store.users(Some(CLIENT)).await?.len() >= USERS_MAX {
        return Err(refused("There are as many users as there can be. An administrator can delete one."));
    }
    let id = match console.store.commit(vec![Op::NextId(Sequence::User)]).await?.pop() {
        Some(Done::Id(id)) => UserId(id),
        _ => return Err(StoreError::Closed.into()),
    };
    let now_s = console.now_s();
    let name = person.name.unwrap_or_else(|| email.clone());
    let user = User {
        id,
        uuid: hitwire_store::new_uuid().to_string(),
        client: CLIENT,
        name: name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect(),
        role,
        enabled: true,
        created_at: now_s,
        created_by: email.clone(),
        email,
        time_zone: None,
        revision: 0,
    };
    let mut ops = (console.first_user)(user.clone(), now_s);
    ops.push(Op::PutCredential(Credential { user: id, subject, ..Credential::default() }));
    tracing::info!(user = %id, "a user was made who signed in at the OpenID provider");
    Ok((user, ops))
}

/// Asks a person who is a user of several clients which one is meant.
async fn which_client(
    console: &Console,
    clients: impl Iterator<Item = ClientId>,
) -> Result<Failure, StoreError> {
    let ways: Vec<_> = choices(console, clients)
        .await?
        .into_iter()
        .map(|Choice { id, name }| format!("/sign-in?client={id} for {name}"))
        .collect();
    let detail = format!(
        "You are a user of several clients. Open one of these pages and sign in there: {}.",
        ways.join(", ")
    );
    Ok(Failure::new(StatusCode::CONFLICT, "Which client?", detail))
}

fn refused(detail: &str) -> Failure {
    Failure::new(StatusCode::FORBIDDEN, "You could not be signed in", detail)
}

/// What the provider did wrong; the log says it too, since the operator has to mend it.
fn failed(failed: Failed) -> Failure {
    tracing::warn!(error = %failed, "somebody could not be signed in at the OpenID provider");
    let mut detail = failed.to_string();
    if let Some(first) = detail.get(..1) {
        let first = first.to_uppercase();
        detail.replace_range(..1, &first);
    }
    detail.push('.');
    let status = match failed {
        Failed::Untrue(_) | Failed::Code(_) => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_GATEWAY,
    };
    Failure::new(status, "You could not be signed in", detail)
}
