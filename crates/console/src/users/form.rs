//! Adding somebody, and changing who they are and what they may do.

use super::{HOME, How, Known, acts, how};
use crate::Shared;
use crate::calls::Answered;
use crate::failure::{Failure, Refused};
use crate::fields::{Fields, Posted};
use crate::frame::{Frame, Nav, Tab};
use crate::session::Session;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use hitwire_store::Role;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

/// The roles that people have, and what each may, the most powerful first.
const ROLES: &[(Role, &str)] = &[
    (Role::Operator, "all of the installation: every client, retention, sources"),
    (Role::Administrator, "all of this client: integrations, users, tokens"),
    (Role::Analyst, "events, vulnerabilities and what was delivered"),
    (Role::ReadOnly, "views, users and the activity log"),
];

/// A role to choose.
struct Choice {
    name: &'static str,
    title: &'static str,
    may: &'static str,
    chosen: bool,
}

/// What is typed, and what is wrong with it.
#[derive(Default)]
struct Form {
    email: String,
    name: String,
    role: String,
    email_error: String,
    name_error: String,
    role_error: String,
    error: String,
}

impl Form {
    fn of(fields: &Fields) -> Form {
        let text = |name| fields.get(name).trim().to_owned();
        Form { email: text("email"), name: text("name"), role: text("role"), ..Form::default() }
    }

    /// What is asked of the API; without a name it is left to the API.
    fn body(&self) -> Value {
        let mut user = json!({"email": self.email, "role": self.role});
        if !self.name.is_empty() {
            user["name"] = json!(self.name);
        }
        user
    }

    /// With what the API says is wrong; an e-mail that somebody else has is a conflict.
    fn refused(self, refused: &Refused) -> Form {
        let mut form = Form {
            email_error: refused.at("/email"),
            name_error: refused.at("/name"),
            role_error: refused.at("/role"),
            error: refused.whole(),
            ..self
        };
        if form.error.contains("e-mail") && !form.email.is_empty() && form.error.contains(&form.email) {
            form.email_error = std::mem::take(&mut form.error);
        }
        form
    }

    /// The roles that whoever is signed in can give.
    fn choices(&self, session: &Session) -> Vec<Choice> {
        let given = ROLES.iter().filter(|(role, _)| *role >= session.role());
        given
            .map(|(role, may)| Choice {
                name: role.name(),
                title: role.title(),
                may,
                chosen: role.name() == self.role,
            })
            .collect()
    }
}

#[derive(Template)]
#[template(path = "users/add.html")]
struct AddPage {
    frame: Frame,
    form: Form,
    choices: Vec<Choice>,
}

#[derive(Template)]
#[template(path = "users/user.html")]
struct UserPage {
    frame: Frame,
    user: Known,
    how: How,
    etag: String,
    form: Form,
    choices: Vec<Choice>,
    /// Whoever is signed in may change it.
    may: bool,
    is_me: bool,
}

pub(super) async fn new(State(console): State<Shared>, session: Session) -> Result<Response, Failure> {
    may_add(&console, &session)?;
    let form = Form { role: Role::Analyst.name().to_owned(), ..Form::default() };
    add_page(&console, &session, form).map(IntoResponse::into_response)
}

/// Adds somebody, and shows the link with which they choose a password.
pub(super) async fn add(State(console): State<Shared>, posted: Posted) -> Result<Response, Failure> {
    let Posted { session, fields } = posted;
    let form = Form::of(&fields);
    match console.post(&session, "/v1/users", &form.body()).await {
        Ok(made) => {
            let made: Known = known(made)?;
            acts::show_link(&console, &session, &made, "The user was added.").await
        }
        Err(refused) if refused.is_for_the_form() => {
            let page = add_page(&console, &session, form.refused(&refused))?;
            Ok((refused.status, page).into_response())
        }
        Err(refused) => Err(refused.into()),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Done {
    done: String,
}

pub(super) async fn show(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    Query(Done { done }): Query<Done>,
    session: Session,
) -> Result<Html<String>, Failure> {
    let (user, etag) = find(&console, &session, id).await?;
    let (email, name, role) = (user.email.clone(), user.name.clone(), user.role.clone());
    let mut page =
        user_page(&console, &session, user, etag, Form { email, name, role, ..Form::default() }).await?;
    page.frame.done = match done.as_str() {
        "changed" => Some("The user was changed."),
        "disabled" => Some("The user is disabled: signed out everywhere, and tokens are refused."),
        "enabled" => Some("The user is enabled."),
        _ => None,
    };
    Ok(Html(page.render()?))
}

pub(super) async fn change(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    posted: Posted,
) -> Result<Response, Failure> {
    let Posted { session, fields } = posted;
    let form = Form::of(&fields);
    let etag = fields.get("etag");
    let etag = (!etag.is_empty()).then_some(etag);
    match console.put(&session, &format!("/v1/users/{id}"), &form.body(), etag).await {
        Ok(_) => Ok(Redirect::to(&format!("{HOME}/{id}?done=changed")).into_response()),
        Err(refused) if refused.is_for_the_form() => {
            let (user, etag) = find(&console, &session, id).await?;
            let page = user_page(&console, &session, user, etag, form.refused(&refused)).await?;
            Ok((refused.status, Html(page.render()?)).into_response())
        }
        Err(refused) => Err(refused.into()),
    }
}

/// One user, and the `ETag` for the next change.
pub(super) async fn find(console: &Shared, session: &Session, id: u64) -> Result<(Known, String), Failure> {
    let answered = console.get(session, &format!("/v1/users/{id}")).await?;
    let etag = answered.etag.clone().unwrap_or_default();
    Ok((known(answered)?, etag))
}

pub(super) fn known(answered: Answered) -> Result<Known, Failure> {
    Ok(answered.read_object()?)
}

fn may_add(console: &Shared, session: &Session) -> Result<(), Failure> {
    if console.may(session, &Method::POST, "/v1/users") {
        return Ok(());
    }
    Err(Failure::forbidden("Users are for Administrators to add."))
}

fn add_page(console: &Shared, session: &Session, form: Form) -> Result<Html<String>, Failure> {
    let frame = Frame::new(console, session, Nav::Settings(Tab::Users), "Add user");
    let choices = form.choices(session);
    Ok(Html(AddPage { frame, form, choices }.render()?))
}

async fn user_page(
    console: &Shared,
    session: &Session,
    user: Known,
    etag: String,
    form: Form,
) -> Result<UserPage, Failure> {
    let may_change = console.may(session, &Method::PUT, "/v1/users/{id}");
    let below = Role::named(&user.role).is_some_and(|role| role >= session.role());
    Ok(UserPage {
        frame: Frame::new(console, session, Nav::Settings(Tab::Users), user.called()),
        how: how(console, &user).await?,
        choices: form.choices(session),
        may: may_change && below,
        is_me: user.id == session.user.id.0,
        user,
        etag,
        form,
    })
}
