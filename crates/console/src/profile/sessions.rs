//! Where one is signed in.

use super::device::device;
use crate::Shared;
use crate::failure::Failure;
use crate::fields::Posted;
use crate::session::{COOKIE, Session, no_cookie};
use crate::sign_in::record;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use data_encoding::HEXLOWER;
use hitwire_store::{Op, Session as Kept};

/// A session as the page shows it.
#[derive(Debug)]
pub(super) struct Row {
    /// Names it in a form: the hash of its secret, which opens nothing.
    pub(super) key: String,
    pub(super) device: String,
    pub(super) address: String,
    pub(super) with: String,
    pub(super) created_ms: u64,
    pub(super) used_ms: u64,
    /// The one that shows the page.
    pub(super) is_this: bool,
}

impl Row {
    /// `provider`: how the OpenID provider is called.
    pub(super) fn of(kept: &Kept, session: &Session, provider: &str) -> Row {
        let with = match kept.signed_in_with.as_str() {
            "totp" => "password and app code",
            "recovery" => "password and recovery code",
            "oidc" => provider,
            "link" => "a link",
            _ => "password",
        };
        Row {
            key: HEXLOWER.encode(&kept.sha256),
            device: device(&kept.agent),
            address: kept.address.clone(),
            with: with.to_owned(),
            created_ms: kept.created_at * 1_000,
            used_ms: kept.last_used_at * 1_000,
            is_this: kept.sha256 == session.kept.sha256,
        }
    }
}

/// Ends one of one's own.
pub(super) async fn end(
    State(console): State<Shared>,
    jar: CookieJar,
    posted: Posted,
) -> Result<Response, Failure> {
    let Posted { session, fields } = posted;
    let key = HEXLOWER.decode(fields.get("key").as_bytes()).ok();
    let own = console.store.sessions(session.user.id).await?;
    let Some(kept) = own.into_iter().find(|one| key.as_deref() == Some(one.sha256.as_slice())) else {
        return Ok(Redirect::to("/settings/profile?done=ended").into_response());
    };
    let entry = record::session_ended(&session.user, "end_session", Some(&kept.address));
    console.store.commit(vec![Op::DeleteSession { sha256: kept.sha256 }, entry]).await?;
    if kept.sha256 == session.kept.sha256 {
        return Ok((jar.add(no_cookie(COOKIE)), Redirect::to("/sign-in")).into_response());
    }
    Ok(Redirect::to("/settings/profile?done=ended").into_response())
}

/// Ends all of them, this one too.
pub(super) async fn end_all(
    State(console): State<Shared>,
    jar: CookieJar,
    posted: Posted,
) -> Result<Response, Failure> {
    let user = &posted.session.user;
    let ended = Op::DeleteSessions { user: user.id, but: None };
    console.store.commit(vec![ended, record::session_ended(user, "end_all_sessions", None)]).await?;
    Ok((jar.add(no_cookie(COOKIE)), Redirect::to("/sign-in")).into_response())
}
