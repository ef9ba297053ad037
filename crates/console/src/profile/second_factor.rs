//! The second factor: turned on with a code of the app, so that nobody is locked out by a QR code that was not read.

use super::Done;
use crate::Shared;
use crate::failure::Failure;
use crate::fields::Posted;
use crate::frame::{Frame, Nav, Tab};
use crate::session::{From, Session};
use crate::sign_in::totp::{self, Picture};
use crate::sign_in::{changed, confirmed, no_randomness, recovery};
use askama::Template;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use hitwire_store::{Credential, Secret};
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

/// How long the QR code may take to be read, in seconds.
const OFFER_FOR_S: u64 = 900;

/// What the ticket with the secret is for.
const PURPOSE: &str = "second factor";

#[derive(Template)]
#[template(path = "profile/second_factor.html")]
struct Page {
    frame: Frame,
    on: bool,
    recovery_left: u64,
    /// There is no password that a second factor could follow.
    no_password: bool,
    offer: Option<Offer>,
    password_error: String,
    code_error: String,
}

/// A secret that is on its way into an app.
struct Offer {
    ticket: String,
    in_groups: String,
    picture: Option<Picture>,
}

#[derive(Template)]
#[template(path = "profile/codes.html")]
struct CodesPage {
    frame: Frame,
    codes: Vec<String>,
}

impl Page {
    fn new(console: &Shared, session: &Session, credential: &Credential) -> Page {
        Page {
            frame: Frame::new(console, session, Nav::Settings(Tab::Profile), "Second factor"),
            on: credential.totp.is_some(),
            recovery_left: credential.recovery.len() as u64,
            no_password: credential.password.is_none(),
            offer: None,
            password_error: String::new(),
            code_error: String::new(),
        }
    }

    /// With a secret to be taken into an app.
    fn offering(self, console: &Shared, session: &Session, secret: &Secret) -> Page {
        let user = &session.user;
        let expires_s = console.now_s() + OFFER_FOR_S;
        let ticket = console.sign_in.tickets.issue(PURPOSE, &(user.id.0, secret.expose()), expires_s);
        let picture = totp::picture(&totp::uri(&console.product, &user.email, secret));
        Page { offer: Some(Offer { ticket, in_groups: totp::in_groups(secret), picture }), ..self }
    }

    fn refused(self) -> Result<Response, Failure> {
        Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(self.render()?)).into_response())
    }
}

pub(super) async fn show(
    State(console): State<Shared>,
    Query(Done { done }): Query<Done>,
    session: Session,
) -> Result<Html<String>, Failure> {
    let credential = console.store.credential(session.user.id).await?.unwrap_or_default();
    let mut page = Page::new(&console, &session, &credential);
    if !page.on && !page.no_password {
        let secret = totp::new_secret().map_err(no_randomness)?;
        page = page.offering(&console, &session, &secret);
    }
    page.frame.done =
        (done == "late").then_some("That took more than 15 minutes. Here is a new code to scan.");
    Ok(Html(page.render()?))
}

/// Takes the secret for good once the app shows the right code.
pub(super) async fn turn_on(
    State(console): State<Shared>,
    from: From,
    jar: CookieJar,
    posted: Posted,
) -> Result<Response, Failure> {
    let Posted { session, fields } = posted;
    let now_s = console.now_s();
    let offered: Option<(u64, String)> = console.sign_in.tickets.read(PURPOSE, fields.get("ticket"), now_s);
    let Some((_, secret)) = offered.filter(|(user, _)| *user == session.user.id.0) else {
        return Ok(Redirect::to("/settings/profile/second-factor?done=late").into_response());
    };
    let secret = Secret::new(secret);
    let confirmed = confirmed(&console, &session.user, &from, fields.get("current")).await?;
    let step = totp::accepted(&secret, fields.get("code"), now_s, 0);
    let (mut credential, step) = match (confirmed, step) {
        (Ok(credential), Some(step)) if credential.totp.is_none() => (credential, step),
        (Ok(Credential { totp: Some(_), .. }), _) => {
            return Ok(Redirect::to("/settings/profile/second-factor").into_response());
        }
        (confirmed, step) => {
            let before = console.store.credential(session.user.id).await?.unwrap_or_default();
            let mut page = Page::new(&console, &session, &before).offering(&console, &session, &secret);
            page.password_error = confirmed.err().unwrap_or_default();
            if step.is_none() {
                "This code is not right. Type the one that the app shows now; is the clock of your device right?"
                    .clone_into(&mut page.code_error);
            }
            return page.refused();
        }
    };
    credential.totp = Some(secret);
    credential.totp_step = step;
    let codes = new_codes(&mut credential)?;
    let jar = changed(&console, &session, &from, credential, "enable_totp", jar).await?;
    show_codes(&console, session, codes, jar, "The second factor is on. You are signed out everywhere else.")
}

/// New recovery codes in place of those that are left.
pub(super) async fn renew(
    State(console): State<Shared>,
    from: From,
    jar: CookieJar,
    posted: Posted,
) -> Result<Response, Failure> {
    let Posted { session, fields } = posted;
    let mut credential = match with_second_factor(&console, &session, &from, fields.get("current")).await? {
        Ok(credential) => credential,
        Err(answer) => return Ok(answer),
    };
    let codes = new_codes(&mut credential)?;
    let jar = changed(&console, &session, &from, credential, "renew_recovery_codes", jar).await?;
    show_codes(&console, session, codes, jar, "The codes that you had before are not good any more.")
}

pub(super) async fn turn_off(
    State(console): State<Shared>,
    from: From,
    jar: CookieJar,
    posted: Posted,
) -> Result<Response, Failure> {
    let Posted { session, fields } = posted;
    let mut credential = match with_second_factor(&console, &session, &from, fields.get("current")).await? {
        Ok(credential) => credential,
        Err(answer) => return Ok(answer),
    };
    credential.totp = None;
    credential.recovery.clear();
    let jar = changed(&console, &session, &from, credential, "disable_totp", jar).await?;
    Ok((jar, Redirect::to("/settings/profile?done=off")).into_response())
}

/// The codes as a text file: they come from the page that shows them, since nobody else knows them any more.
pub(super) async fn text(posted: Posted) -> Response {
    let codes = posted.fields.all("code").filter(|code| recovery::looks_like_one(code)).take(recovery::CODES);
    let text: String = codes.flat_map(|code| [code, "\n"]).collect();
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"hitwire-recovery-codes.txt\""),
    ];
    (headers, text).into_response()
}

/// How somebody with a second factor signs in, if the password is right; else the answer.
async fn with_second_factor(
    console: &Shared,
    session: &Session,
    from: &From,
    password: &str,
) -> Result<Result<Credential, Response>, Failure> {
    match confirmed(console, &session.user, from, password).await? {
        Ok(credential) if credential.totp.is_some() => Ok(Ok(credential)),
        Ok(_) => Ok(Err(Redirect::to("/settings/profile/second-factor").into_response())),
        Err(problem) => {
            let credential = console.store.credential(session.user.id).await?.unwrap_or_default();
            let page = Page::new(console, session, &credential);
            Page { password_error: problem, ..page }.refused().map(Err)
        }
    }
}

fn new_codes(credential: &mut Credential) -> Result<Vec<String>, Failure> {
    let codes = recovery::new_codes().map_err(no_randomness)?;
    credential.recovery = codes.iter().filter_map(|code| recovery::hash(code)).collect();
    Ok(codes)
}

/// The one page that shows the codes. Its forms carry the secret of the session that goes on.
fn show_codes(
    console: &Shared,
    session: Session,
    codes: Vec<String>,
    jar: CookieJar,
    done: &'static str,
) -> Result<Response, Failure> {
    let session = session.renewed(&jar);
    let frame =
        Frame::new(console, &session, Nav::Settings(Tab::Profile), "Recovery codes").with_done(Some(done));
    let page = CodesPage { frame, codes }.render()?;
    Ok((jar, Html(page)).into_response())
}
