//! Signing in and out.
//!
//! The steps: [`first`], e-mail and password (of which client: [`candidates`]), or [`provider`], an account at an OpenID provider; then, after a password, [`second`],
//! a code, if there is a second factor; then a session. [`set_up`]: the links with which people choose a password.
//!
//! What they stand on knows neither pages nor the store: [`password`], [`totp`], [`recovery`] (what proves who somebody is),
//! [`limiter`] (how often it may be tried), [`ticket`] (what the browser keeps between two steps), [`oidc`] (what is said with a
//! provider). [`record`]: what the activity log says;
//! [`refusals`]: how often a refused sign-in is recorded.

mod candidates;
mod first;
mod limiter;
mod oidc;
pub(crate) mod password;
mod provider;
pub(crate) mod record;
pub(crate) mod recovery;
mod refusals;
mod second;
pub mod set_up;
pub(crate) mod ticket;
pub(crate) mod totp;

pub use oidc::ProviderSettings;

use crate::failure::Failure;
use crate::fields::Posted;
use crate::session::{self, COOKIE, From, Lifetime, Session};
use crate::{Console, Shared};
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum_extra::extract::cookie::{Cookie, CookieJar};
use hitwire_endpoint::Sender;
use hitwire_store::{Credential, Op, Secret, StoreError, User};
use http::StatusCode;
use ipnet::IpNet;
use limiter::{Limiter, Wait};
use oidc::Provider;
use password::{HashError, Passwords, Verdict};
use refusals::Refusals;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use ticket::Tickets;

/// What an operator says of signing in.
#[derive(Clone, Debug)]
pub struct SignInSettings {
    /// How long sessions are good.
    pub sessions: Lifetime,
    /// Whose `X-Forwarded-For` is believed.
    pub proxies: Vec<IpNet>,
    /// An OpenID provider, and what asks it.
    pub provider: Option<(ProviderSettings, Sender)>,
    /// Where people reach the console, without a slash at the end: a provider sends them back there. None: not configured.
    pub public_url: Option<String>,
}

/// What signing in stands on.
#[derive(Debug)]
pub struct SignIn {
    pub(crate) settings: SignInSettings,
    pub(crate) passwords: Passwords,
    pub(crate) tickets: Tickets,
    pub(crate) refusals: Refusals,
    limiter: Mutex<Limiter>,
    provider: Option<Provider>,
}

impl SignIn {
    /// Takes some 50 ms: a hash is made.
    ///
    /// # Errors
    ///
    /// The system gives no random bytes; in words.
    pub fn new(mut settings: SignInSettings) -> Result<SignIn, String> {
        let provider = settings.provider.take().map(|(settings, sender)| Provider::new(settings, sender));
        Ok(SignIn {
            passwords: Passwords::new().map_err(|error| error.to_string())?,
            tickets: Tickets::new().map_err(|error| error.to_string())?,
            refusals: Refusals::default(),
            limiter: Mutex::new(Limiter::new()),
            provider,
            settings,
        })
    }

    /// How long sessions are good.
    pub(crate) fn lifetime(&self) -> Lifetime {
        self.settings.sessions
    }

    /// What the provider is called, if there is one.
    pub(crate) fn provider_name(&self) -> Option<&str> {
        self.provider.as_ref().map(|provider| provider.settings.name.as_str())
    }

    fn limiter(&self) -> MutexGuard<'_, Limiter> {
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/sign-in", get(first::form).post(first::sign_in))
        .route("/sign-in/code", get(second::form).post(second::sign_in))
        .route("/sign-in/oidc", get(provider::begin))
        .route("/sign-in/oidc/callback", get(provider::come_back))
        .route("/sign-out", post(sign_out))
        .route("/set-up/{token}", get(set_up::form).post(set_up::set_up))
}

/// How somebody proved who they are.
#[derive(Clone, Copy, Debug)]
struct Proof<'a> {
    user: &'a User,
    /// As [`hitwire_store::Session::signed_in_with`].
    with: &'static str,
    from: &'a From,
}

/// Begins a session, in one commit with what made it possible, and goes on. A session that the browser had before ends.
async fn signed_in(
    console: &Console,
    proof: Proof<'_>,
    mut ops: Vec<Op>,
    jar: CookieJar,
    next: &str,
) -> Result<Response, Failure> {
    let Proof { user, with, from } = proof;
    if !(console.is_enabled)(user.client) {
        let detail = "The client that your account belongs to is disabled. An operator of this installation can enable it again.";
        return Err(Failure::forbidden(detail));
    }
    let (kept, cookie) = session::begin(console, user, with, from)?;
    if let Some(before) = jar.get(COOKIE) {
        ops.push(Op::DeleteSession { sha256: session::hash(before.value()) });
    }
    ops.extend([Op::PutSession(kept), record::signed_in(user, with, from)]);
    console.store.commit(ops).await?;
    console.sign_in.limiter().signed_in(&user.email, from.ip(), Instant::now());
    tracing::info!(user = %user.id, with, address = from.address, "signed in");
    Ok((jar.add(cookie), Redirect::to(next)).into_response())
}

/// Whether somebody who is signed in is still the one who has the password: what changes how they sign in asks for it again. Answers how
/// they sign in, or what is wrong in words.
pub(crate) async fn confirmed(
    console: &Shared,
    user: &User,
    from: &From,
    password: &str,
) -> Result<Result<Credential, String>, Failure> {
    if let Err(wait) = console.sign_in.limiter().password(&user.email, from.ip(), Instant::now()) {
        return Ok(Err(too_many(wait)));
    }
    let credential = console.store.credential(user.id).await?.unwrap_or_default();
    let password = Secret::new(password);
    let verdict = console.sign_in.passwords.verify(password, credential.password.clone()).await?;
    if verdict == Verdict::Wrong {
        refusals::note(console, user, "wrong password", from);
        return Ok(Err("This is not your password.".to_owned()));
    }
    console.sign_in.limiter().password_was_right(&user.email, from.ip(), Instant::now());
    Ok(Ok(Credential { user: user.id, ..credential }))
}

/// Makes a change of how somebody signs in: all sessions end, and the one that made it goes on under a new secret.
pub(crate) async fn changed(
    console: &Console,
    session: &Session,
    from: &From,
    credential: Credential,
    action: &str,
    jar: CookieJar,
) -> Result<CookieJar, Failure> {
    let user = &session.user;
    let (kept, cookie) = session::begin(console, user, &session.kept.signed_in_with, from)?;
    let ops = vec![
        Op::PutCredential(credential),
        Op::DeleteSessions { user: user.id, but: None },
        Op::PutSession(kept),
        record::changed(user, action),
    ];
    console.store.commit(ops).await?;
    tracing::info!(user = %user.id, action, "how a user signs in was changed");
    Ok(jar.add(cookie))
}

async fn sign_out(
    State(console): State<Shared>,
    jar: CookieJar,
    posted: Posted,
) -> Result<Response, Failure> {
    let kept = &posted.session.kept;
    let entry = record::session_ended(&posted.session.user, "sign_out", Some(&kept.address));
    console.store.commit(vec![Op::DeleteSession { sha256: kept.sha256 }, entry]).await?;
    Ok((jar.add(session::no_cookie(COOKIE)), Redirect::to("/sign-in")).into_response())
}

/// A cookie for the time between two steps.
fn between(name: &'static str, value: String, good_for: Duration) -> Cookie<'static> {
    let mut cookie = session::cookie(name, value);
    cookie.set_max_age(good_for.try_into().ok());
    cookie
}

/// How long to wait, as a page says it.
pub(crate) fn too_many(wait: Wait) -> String {
    format!("Too many tries. Try again in {}.", wait.in_words())
}

/// The longest page that is gone on with: it has to fit into a cookie between two steps.
const NEXT_BYTES_MAX: usize = 1_024;

/// A path of the console; anything else (another host in any of the forms that browsers take) is the first page.
fn own_path(next: &str) -> &str {
    let is_own = next.len() <= NEXT_BYTES_MAX
        && next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && !next.chars().any(char::is_control)
        // Signing in again would be no use.
        && !next.starts_with("/sign-");
    if is_own { next } else { "/" }
}

impl std::convert::From<HashError> for Failure {
    fn from(error: HashError) -> Self {
        if matches!(error, HashError::Busy) {
            return Failure::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "Not possible at the moment",
                error.to_string(),
            );
        }
        tracing::error!(%error, "a password could not be hashed");
        Failure::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Internal error",
            "The password could not be checked; the log says why.",
        )
    }
}

/// What the system's randomness failing means to a page.
pub(crate) fn no_randomness(error: getrandom::Error) -> StoreError {
    StoreError::Unavailable(format!("the system gives no random bytes: {error}"))
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
            "/\r\n//evil",
            "/sign-out",
            "",
            &format!("/{}", "x".repeat(NEXT_BYTES_MAX)),
        ] {
            assert_eq!(own_path(foreign), "/", "{foreign}");
        }
        assert_eq!(own_path("/events?type=sqli"), "/events?type=sqli");
    }
}
