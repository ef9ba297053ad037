//! A client's form: a new one, a change, and its end.

use super::clients::Client;
use crate::Shared;
use crate::failure::{Failure, Refused};
use crate::fields::{Fields, Posted};
use crate::frame::{Frame, Nav, Tab};
use crate::session::Session;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::StatusCode;
use serde_json::{Value, json};

/// The client of the sources and of the configured tokens: it cannot be disabled or deleted.
const FIRST: u64 = 1;

/// What stands in the form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Form {
    name: String,
    enabled: bool,
    integrations_max: String,
    events_per_s: String,
    /// A network a line.
    allow_targets: String,
    etag: String,
}

/// What is wrong with it, field by field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Errors {
    name: String,
    integrations_max: String,
    events_per_s: String,
    allow_targets: String,
    /// What belongs to no field.
    whole: String,
}

#[derive(Template)]
#[template(path = "general/client_form.html")]
struct Page {
    frame: Frame,
    /// None: a new one.
    client: Option<Client>,
    can_end: bool,
    form: Form,
    errors: Errors,
}

#[derive(Template)]
#[template(path = "general/client_delete.html")]
struct DeletePage {
    frame: Frame,
    client: Client,
    etag: String,
    error: String,
}

pub(super) async fn new(State(console): State<Shared>, session: Session) -> Result<Html<String>, Failure> {
    let frame = Frame::new(&console, &session, Nav::Settings(Tab::General), "Add a client");
    let form = Form { enabled: true, ..Form::default() };
    Ok(Html(Page { frame, client: None, can_end: true, form, errors: Errors::default() }.render()?))
}

pub(super) async fn create(State(console): State<Shared>, posted: Posted) -> Result<Response, Failure> {
    let form = Form::of(&posted.fields);
    match console.post(&posted.session, "/v1/clients", &form.body(true)).await {
        Ok(_) => Ok(Redirect::to("/settings/general/clients?done=created").into_response()),
        Err(refused) => {
            let frame = Frame::new(&console, &posted.session, Nav::Settings(Tab::General), "Add a client");
            again(frame, None, form, refused)
        }
    }
}

pub(super) async fn edit(
    State(console): State<Shared>,
    session: Session,
    Path(id): Path<u64>,
) -> Result<Html<String>, Failure> {
    let (client, etag) = Client::load(&console, &session, id).await?;
    let frame = Frame::new(&console, &session, Nav::Settings(Tab::General), client.name.clone());
    let form = Form::from(&client, etag);
    let can_end = client.id != FIRST;
    Ok(Html(Page { frame, client: Some(client), can_end, form, errors: Errors::default() }.render()?))
}

pub(super) async fn change(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    posted: Posted,
) -> Result<Response, Failure> {
    let form = Form::of(&posted.fields);
    let path = format!("/v1/clients/{id}");
    let body = form.body(id != FIRST);
    match console.put(&posted.session, &path, &body, Some(&form.etag)).await {
        Ok(_) => Ok(Redirect::to("/settings/general/clients?done=changed").into_response()),
        Err(refused) => {
            let (client, _) = Client::load(&console, &posted.session, id).await?;
            let frame =
                Frame::new(&console, &posted.session, Nav::Settings(Tab::General), client.name.clone());
            again(frame, Some(client), form, refused)
        }
    }
}

pub(super) async fn ask_delete(
    State(console): State<Shared>,
    session: Session,
    Path(id): Path<u64>,
) -> Result<Html<String>, Failure> {
    let (client, etag) = Client::load(&console, &session, id).await?;
    let frame = Frame::new(&console, &session, Nav::Settings(Tab::General), "Delete a client");
    Ok(Html(DeletePage { frame, client, etag, error: String::new() }.render()?))
}

pub(super) async fn delete(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    posted: Posted,
) -> Result<Response, Failure> {
    let path = format!("/v1/clients/{id}");
    let (client, _) = Client::load(&console, &posted.session, id).await?;
    let etag = posted.fields.get("etag").to_owned();
    let error = if posted.fields.get("name").trim() == client.name {
        match console.delete(&posted.session, &path, Some(&etag)).await {
            Ok(_) => return Ok(Redirect::to("/settings/general/clients?done=deleted").into_response()),
            Err(refused) if refused.status == StatusCode::FORBIDDEN => return Err(refused.into()),
            Err(refused) => sentence(&refused.detail),
        }
    } else {
        "That is not its name. Nothing was deleted.".to_owned()
    };
    let frame = Frame::new(&console, &posted.session, Nav::Settings(Tab::General), "Delete a client");
    let page = DeletePage { frame, client, etag, error }.render()?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response())
}

/// The form again, with what is wrong.
fn again(frame: Frame, client: Option<Client>, form: Form, refused: Refused) -> Result<Response, Failure> {
    if refused.status == StatusCode::FORBIDDEN {
        return Err(refused.into());
    }
    let errors = Errors::of(&refused, &form);
    let can_end = client.as_ref().is_none_or(|client| client.id != FIRST);
    let page = Page { frame, client, can_end, form, errors }.render()?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response())
}

impl Form {
    fn of(fields: &Fields) -> Form {
        let text = |name| fields.get(name).trim().to_owned();
        Form {
            name: text("name"),
            enabled: fields.has("enabled"),
            integrations_max: text("integrations_max"),
            events_per_s: text("events_per_s"),
            allow_targets: text("allow_targets"),
            etag: text("etag"),
        }
    }

    fn from(client: &Client, etag: String) -> Form {
        let limit = |limit: Option<u32>| limit.map(|limit| limit.to_string()).unwrap_or_default();
        Form {
            name: client.name.clone(),
            enabled: client.enabled,
            integrations_max: limit(client.integrations_max),
            events_per_s: limit(client.events_per_s),
            allow_targets: client.allow_targets.join("\n"),
            etag,
        }
    }

    fn networks(&self) -> impl Iterator<Item = &str> {
        self.allow_targets.split([',', '\n', ' ']).map(str::trim).filter(|network| !network.is_empty())
    }

    /// As the API takes it; what is no number goes there as it was typed, and is refused there.
    fn body(&self, with_enabled: bool) -> Value {
        let limit = |text: &str| match text {
            "" => Value::Null,
            text => text.parse::<u64>().map_or_else(|_| Value::from(text), Value::from),
        };
        let mut body = json!({
            "name": self.name,
            "integrations_max": limit(&self.integrations_max),
            "events_per_s": limit(&self.events_per_s),
            "allow_targets": self.networks().collect::<Vec<_>>(),
        });
        if with_enabled {
            body["enabled"] = self.enabled.into();
        }
        body
    }
}

impl Errors {
    fn of(refused: &Refused, form: &Form) -> Errors {
        let mut errors = Errors::default();
        for error in &refused.errors {
            let words = sentence(&error.message);
            match &*error.pointer {
                "/name" => errors.name = words,
                "/integrations_max" => errors.integrations_max = words,
                "/events_per_s" => errors.events_per_s = words,
                pointer => match pointer.strip_prefix("/allow_targets/").and_then(|at| at.parse().ok()) {
                    Some(at) => {
                        let network = form.networks().nth(at).unwrap_or_default();
                        errors.allow_targets = format!("{network} {}", error.message);
                    }
                    None if pointer == "/allow_targets" => errors.allow_targets = words,
                    None => errors.whole = format!("{pointer}: {}", error.message),
                },
            }
        }
        if refused.status == StatusCode::PRECONDITION_FAILED {
            errors.whole = String::from(
                "Somebody has changed it since this page was opened, so nothing was saved. Open it again to see what it is now.",
            );
        } else if refused.errors.is_empty() {
            errors.whole = sentence(&refused.detail);
        }
        errors
    }
}

/// The API's words begin small.
fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FieldError;

    #[test]
    fn an_empty_limit_is_none_and_what_is_no_number_is_for_the_api_to_refuse() {
        let form = Form::of(&Fields::of(&[
            ("name", " Shop "),
            ("integrations_max", ""),
            ("events_per_s", "many"),
            ("allow_targets", "10.0.0.0/8\r\n\r\nfd00::/8, 192.0.2.0/24"),
            ("enabled", "on"),
        ]));
        let expected = json!({
            "name": "Shop", "integrations_max": null, "events_per_s": "many",
            "allow_targets": ["10.0.0.0/8", "fd00::/8", "192.0.2.0/24"], "enabled": true,
        });
        assert_eq!(form.body(true), expected);
        assert!(form.body(false).get("enabled").is_none());
    }

    #[test]
    fn what_is_wrong_stands_beside_its_field() {
        let form = Form { allow_targets: "10.0.0.0/8\nhere".to_owned(), ..Form::default() };
        let error = |pointer: &str, message: &str| FieldError {
            pointer: pointer.to_owned(),
            message: message.to_owned(),
        };
        let mut refused = Refused {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            title: String::new(),
            detail: "2 fields are not valid".to_owned(),
            errors: vec![error("/name", "must not be empty"), error("/allow_targets/1", "is no network")],
            retry_after_s: None,
        };
        let errors = Errors::of(&refused, &form);
        assert_eq!(errors.name, "Must not be empty");
        assert_eq!(errors.allow_targets, "here is no network");
        assert_eq!(errors.whole, "");
        refused.errors.clear();
        assert_eq!(Errors::of(&refused, &form).whole, "2 fields are not valid");
    }
}
