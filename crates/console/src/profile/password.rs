//! Another password.

use super::{Page, Problems};
use crate::Shared;
use crate::failure::Failure;
use crate::fields::Posted;
use crate::session::From;
use crate::sign_in::{changed, confirmed, password};
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use hitwire_store::Secret;

pub(super) async fn change(
    State(console): State<Shared>,
    from: From,
    jar: CookieJar,
    posted: Posted,
) -> Result<Response, Failure> {
    let Posted { session, fields } = posted;
    let new = fields.get("password");
    let mut problems = Problems {
        password: password::problem(new, fields.get("password_again"), &session.user.email),
        ..Problems::default()
    };
    let credential = confirmed(&console, &session.user, &from, fields.get("current")).await?;
    let credential = credential.map_err(|problem| problems.current = problem).ok();
    let Some(mut credential) = credential.filter(|_| problems.password.is_empty()) else {
        return Page::load(&console, &session).await?.refused(problems);
    };
    credential.password = Some(console.sign_in.passwords.hash(Secret::new(new)).await?);
    credential.password_set_at = Some(console.now_s());
    let jar = changed(&console, &session, &from, credential, "set_password", jar).await?;
    Ok((jar, Redirect::to("/settings/profile?done=password")).into_response())
}
