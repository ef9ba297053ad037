//! Adding and changing a webhook.
//!
//! - [`model`]: the fields, between what a browser sends and what the API takes. [`errors`]: what is wrong, beside its field,
//!   and [`further`]: what else is. [`certificate`]: files into texts.
//! - [`page`]: all of it as a page. [`asked`]: what is only shown.
//! - here: what is done. Every button posts the whole form to the page's own address and says in `action` what is wanted; what is
//!   only shown (a test, a preview) is answered to htmx with the part that changes, to others with the whole page.

mod asked;
mod certificate;
mod errors;
mod further;
mod model;
mod page;
mod stored;

use super::tested::{PreviewPart, TestedPart};
use super::{HOME, check_may};
use crate::failure::{Failure, Refused};
use crate::fields::{Fields, Posted};
use crate::frame::{Frame, Nav, Tab};
use crate::session::Session;
use crate::text::month_and_day;
use crate::{Console, Shared};
use askama::Template;
use asked::{WouldSendPart, preview, test, would_send};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use errors::Errors;
pub(super) use errors::sentence;
use http::{HeaderMap, StatusCode};
use model::{Form, Header};
pub(super) use page::examples;
use page::{Place, Shown, page};
use serde_json::Value;
use stored::Stored;
pub(super) use stored::{Certificate, certificates};

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/settings/integrations/add", get(add).post(add_posted))
        .route("/settings/integrations/{id}/edit", get(edit).post(edit_posted))
}

/// The page after the integration was added, or its secret replaced: the only one that shows the secret.
#[derive(Template)]
#[template(path = "integrations/secret.html")]
pub(super) struct SecretPage {
    pub(super) frame: Frame,
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) secret: String,
    /// It is a new integration.
    pub(super) added: bool,
    /// Milliseconds since the epoch: until then the secret before signs too.
    pub(super) previous_until: Option<u64>,
    /// Nothing is ticked.
    pub(super) sends_nothing: bool,
    /// What the API passed over, or doubts.
    pub(super) warnings: Vec<String>,
}

async fn add(State(console): State<Shared>, session: Session) -> Result<Response, Failure> {
    check_may(&console, &session)?;
    let now_ms = (console.now_ms)();
    let name = format!("Webhook integration by {}, {}", session.user.name, month_and_day(now_ms));
    let place = Place { id: None, etag: String::new(), opened: now_ms };
    let form = Form::new(name, console.installation.default_rendering);
    page(&console, &session, place, form, Stored::default(), Shown::default()).await
}

async fn edit(
    State(console): State<Shared>,
    session: Session,
    Path(id): Path<u64>,
) -> Result<Response, Failure> {
    check_may(&console, &session)?;
    let (stored, etag) = Stored::read(&console, &session, id).await?;
    let place = Place { id: Some(id), etag, opened: (console.now_ms)() };
    let form = Form::of(&stored.integration);
    page(&console, &session, place, form, stored, Shown::default()).await
}

async fn add_posted(
    State(console): State<Shared>,
    headers: HeaderMap,
    Posted { session, fields }: Posted,
) -> Result<Response, Failure> {
    check_may(&console, &session)?;
    let place = Place { id: None, etag: String::new(), opened: (console.now_ms)() };
    posted(&console, &session, place, Stored::default(), &fields, is_partial(&headers)).await
}

async fn edit_posted(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    headers: HeaderMap,
    Posted { session, fields }: Posted,
) -> Result<Response, Failure> {
    check_may(&console, &session)?;
    let (stored, _) = Stored::read(&console, &session, id).await?;
    let place = Place {
        id: Some(id),
        etag: fields.get("etag").to_owned(),
        opened: fields.get("opened").parse().unwrap_or(0),
    };
    posted(&console, &session, place, stored, &fields, is_partial(&headers)).await
}

/// Whether only a part of the page is wanted.
fn is_partial(headers: &HeaderMap) -> bool {
    headers.contains_key("hx-request")
}

/// Does what the button says that was pressed.
async fn posted(
    console: &Console,
    session: &Session,
    place: Place,
    stored: Stored,
    fields: &Fields,
    partial: bool,
) -> Result<Response, Failure> {
    let mut form = Form::read(fields);
    let action = fields.get("action");
    let mut shown = Shown::default();
    match action {
        "add-header" => {
            form.headers.push(Header::default());
            shown.added = true;
            shown.open = true;
        }
        "test" => {
            let tested = test(console, session, &place, &form, &stored, &mut shown.errors).await?;
            if partial {
                return part(&TestedPart { tested });
            }
            shown.tested = Some(tested);
        }
        "preview" => {
            if partial {
                return part(&PreviewPart { preview: preview(console, session, &form).await? });
            }
            shown.open = true;
        }
        "would-send" => {
            let would_send = would_send(console, session, &form, &mut shown.errors).await?;
            if partial {
                return part(&WouldSendPart { would_send });
            }
            (shown.would_send, shown.open) = (Some(would_send), true);
        }
        other => match other.strip_prefix("remove-header-").and_then(|at| at.parse().ok()) {
            Some(at) => {
                if at < form.headers.len() {
                    form.headers.remove(at);
                }
                shown.open = true;
            }
            None => return save(console, session, place, form, stored).await,
        },
    }
    page(console, session, place, form, stored, shown).await
}

async fn save(
    console: &Console,
    session: &Session,
    mut place: Place,
    form: Form,
    stored: Stored,
) -> Result<Response, Failure> {
    let mut shown = Shown { saving: true, ..Shown::default() };
    let body = form.to_body(&stored.integration, &mut shown.errors);
    if shown.errors.is_empty() {
        let answer = match place.id {
            None => console.post(session, "/v2/integration", &body).await,
            Some(id) => {
                console.put(session, &format!("/v2/integration/{id}"), &body, Some(&place.etag)).await
            }
        };
        match answer {
            Ok(answer) => {
                let warnings = Errors::of(&form, &answer.warnings()).in_sentences();
                return saved(console, session, place.id, &answer.object(), warnings);
            }
            Err(refused) if refused.status == StatusCode::PRECONDITION_FAILED => {
                shown.conflict = Some(stored::changed_since(console, session, &place).await?);
                let (now, etag) = Stored::read(console, session, place.id.unwrap_or(0)).await?;
                (place.etag, place.opened) = (etag, (console.now_ms)());
                return page(console, session, place, form, now, shown).await;
            }
            Err(refused) => {
                let rest = further::readable(&body, &stored.integration, &refused.errors);
                shown.errors = errors_of(&form, refused)?;
                if let Some(rest) = rest {
                    look_further(console, session, &place, &form, rest, &mut shown.errors).await;
                }
            }
        }
    }
    page(console, session, place, form, stored, shown).await
}

/// Notes what is wrong with the rest of a body of which some cannot be read.
async fn look_further(
    console: &Console,
    session: &Session,
    place: &Place,
    form: &Form,
    mut rest: Value,
    errors: &mut Errors,
) {
    if let Some(id) = place.id {
        rest["id"] = id.into();
    }
    // Nothing is sent by it. Should it be refused for another reason, what is known already is enough.
    if let Err(refused) = console.post(session, "/v2/integration/render", &rest).await
        && refused.status == StatusCode::UNPROCESSABLE_ENTITY
    {
        errors.extend(Errors::of(form, &refused.errors));
    }
}

/// What a refusal says of the form; whoever may not do it, or what is not there, is a page of its own.
fn errors_of(form: &Form, refused: Refused) -> Result<Errors, Failure> {
    if matches!(refused.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED) {
        return Err(refused.into());
    }
    if refused.errors.is_empty() {
        let mut errors = Errors::default();
        errors.add("", "The integration", sentence(&refused.detail));
        return Ok(errors);
    }
    Ok(Errors::of(form, &refused.errors))
}

fn saved(
    console: &Console,
    session: &Session,
    id: Option<u64>,
    integration: &Value,
    warnings: Vec<String>,
) -> Result<Response, Failure> {
    if let Some(id) = id {
        // The integration's page has the same warnings.
        return Ok(Redirect::to(&format!("{HOME}/{id}?done=saved")).into_response());
    }
    let events = integration["events"].as_array().into_iter().flatten();
    let page = SecretPage {
        frame: Frame::new(console, session, Nav::Settings(Tab::Integrations), "Integration added"),
        id: integration["id"].as_u64().unwrap_or(0),
        name: super::text(integration, "name").to_owned(),
        secret: super::text(integration, "signing_secret").to_owned(),
        added: true,
        previous_until: None,
        sends_nothing: !events.into_iter().any(|entry| entry["active"] == true),
        warnings,
    };
    Ok(Html(page.render()?).into_response())
}

fn part(part: &impl Template) -> Result<Response, Failure> {
    Ok(Html(part.render()?).into_response())
}
