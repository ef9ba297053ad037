//! One's own account: name, looks, password, second factor, sessions.

mod device;
mod password;
mod second_factor;
mod sessions;

use crate::failure::Failure;
use crate::fields::Posted;
use crate::frame::{Frame, Nav, Tab};
use crate::session::{self, Session, cookie};
use crate::{Shared, zone};
use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum_extra::extract::cookie::CookieJar;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use sessions::Row;
use std::time::Duration;

/// How long a browser remembers the looks.
const THEME_FOR: Duration = Duration::from_hours(365 * 24);

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/settings/profile", get(show).post(rename))
        .route("/settings/profile/theme", post(theme))
        .route("/settings/profile/time-zone", post(time_zone))
        .route("/settings/profile/password", post(password::change))
        .route("/settings/profile/second-factor", get(second_factor::show).post(second_factor::turn_on))
        .route("/settings/profile/second-factor/off", post(second_factor::turn_off))
        .route("/settings/profile/recovery-codes", post(second_factor::renew))
        .route("/settings/profile/recovery-codes/text", post(second_factor::text))
        .route("/settings/profile/sessions/end", post(sessions::end))
        .route("/settings/profile/sessions/end-all", post(sessions::end_all))
}

/// What a redirect says was done.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Done {
    done: String,
}

/// What is wrong with what was sent; empty: nothing.
#[derive(Debug, Default)]
struct Problems {
    name: String,
    time_zone: String,
    current: String,
    password: String,
}

#[derive(Template)]
#[template(path = "profile/profile.html")]
struct Page {
    frame: Frame,
    name: String,
    email: String,
    problems: Problems,
    /// The zone that the user chose; empty: the browser's.
    time_zone: String,
    time_zones: Vec<String>,
    has_password: bool,
    password_set_ms: Option<u64>,
    has_second_factor: bool,
    recovery_left: u64,
    /// How the provider is called, if the account is linked to one there.
    provider: Option<String>,
    sessions: Vec<Row>,
}

impl Page {
    async fn load(console: &Shared, session: &Session) -> Result<Page, Failure> {
        let user = &session.user;
        let credential = console.store.credential(user.id).await?.unwrap_or_default();
        let kept = console.store.sessions(user.id).await?;
        let good = kept.iter().filter(|one| session::is_good(console, one, user));
        let provider = console.sign_in.provider_name().unwrap_or("an OpenID provider");
        Ok(Page {
            frame: Frame::new(console, session, Nav::Settings(Tab::Profile), "Profile"),
            name: user.name.clone(),
            email: user.email.clone(),
            problems: Problems::default(),
            time_zone: user.time_zone.clone().unwrap_or_default(),
            time_zones: zone::all(),
            has_password: credential.password.is_some(),
            password_set_ms: credential.password_set_at.map(|at| at * 1_000),
            has_second_factor: credential.totp.is_some(),
            recovery_left: credential.recovery.len() as u64,
            provider: credential.subject.is_some().then(|| provider.to_owned()),
            sessions: good.map(|one| Row::of(one, session, provider)).collect(),
        })
    }

    /// The page with what is wrong.
    fn refused(self, problems: Problems) -> Result<Response, Failure> {
        let page = Page { problems, ..self }.render()?;
        Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response())
    }
}

async fn show(
    State(console): State<Shared>,
    Query(Done { done }): Query<Done>,
    session: Session,
) -> Result<Html<String>, Failure> {
    let mut page = Page::load(&console, &session).await?;
    page.frame.done = match done.as_str() {
        "name" => Some("Your name was changed."),
        "zone" => Some("Times are now shown in this time zone."),
        "password" => Some("Your password was changed. You are signed out everywhere else."),
        "off" => Some("The second factor is off. You are signed out everywhere else."),
        "ended" => Some("The session was ended."),
        _ => None,
    };
    Ok(Html(page.render()?))
}

async fn rename(State(console): State<Shared>, posted: Posted) -> Result<Response, Failure> {
    let name = posted.fields.get("name").trim();
    let Err(refused) = console.put(&posted.session, "/v1/user", &json!({"name": name}), None).await else {
        return Ok(Redirect::to("/settings/profile?done=name").into_response());
    };
    let Some(error) = refused.errors.first() else { return Err(refused.into()) };
    let problem = format!("The name {}.", error.message);
    let page = Page { name: name.to_owned(), ..Page::load(&console, &posted.session).await? };
    page.refused(Problems { name: problem, ..Problems::default() })
}

async fn time_zone(State(console): State<Shared>, posted: Posted) -> Result<Response, Failure> {
    let chosen = posted.fields.get("time_zone").trim();
    let body = json!({"time_zone": (!chosen.is_empty()).then_some(chosen)});
    let Err(refused) = console.put(&posted.session, "/v1/user", &body, None).await else {
        return Ok(Redirect::to("/settings/profile?done=zone#time-zone").into_response());
    };
    let Some(error) = refused.errors.first() else { return Err(refused.into()) };
    let problem = format!("The time zone {}.", error.message);
    let page = Page::load(&console, &posted.session).await?;
    page.refused(Problems { time_zone: problem, ..Problems::default() })
}

async fn theme(jar: CookieJar, posted: Posted) -> Response {
    let theme = match posted.fields.get("theme") {
        "light" => "light",
        "dark" => "dark",
        _ => "auto",
    };
    let mut cookie = cookie("hitwire-theme", theme.to_owned());
    cookie.set_max_age(THEME_FOR.try_into().ok());
    (jar.add(cookie), Redirect::to("/settings/profile")).into_response()
}
