//! Adding and changing a webhook.
//!
//! - [`model`]: the fields, between what a browser sends and what the API takes. [`errors`]: what is wrong, beside its field,
//!   and [`further`]: what else is. [`certificate`]: files into texts.
//! - here: the pages. Every button posts the whole form to the page's own address and says in `action` what is wanted; what is
//!   only shown (a test, a preview) is answered to htmx with the part that changes, to others with the whole page.

mod certificate;
mod errors;
mod further;
mod model;
mod stored;

use super::tested::{Preview, PreviewPart, Tested, TestedPart};
use super::{EVENTS, HOME, RISKS, check_may, event_label};
use crate::failure::{Failure, Refused};
use crate::fields::{Fields, Posted};
use crate::frame::{Frame, Nav, Tab};
use crate::session::Session;
use crate::text::{month_and_day, number};
use crate::{Console, Shared};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use errors::Errors;
pub(super) use errors::sentence;
use http::{HeaderMap, StatusCode};
use model::{Form, HEADERS_MAX, Header};
use serde_json::Value;
use stored::Stored;
pub(super) use stored::{Certificate, certificates};

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/settings/integrations/add", get(add).post(add_posted))
        .route("/settings/integrations/{id}/edit", get(edit).post(edit_posted))
}

/// Which page it is.
#[derive(Clone, Debug)]
struct Place {
    /// None: a new integration.
    id: Option<u64>,
    /// Of the integration that the fields were made from.
    etag: String,
    /// When the fields were made, milliseconds since the epoch.
    opened: u64,
}

impl Place {
    fn path(&self) -> String {
        self.id.map_or_else(|| format!("{HOME}/add"), |id| format!("{HOME}/{id}/edit"))
    }

    fn cancel(&self) -> String {
        self.id.map_or_else(|| HOME.to_owned(), |id| format!("{HOME}/{id}"))
    }
}

/// What a filter would have let pass.
struct WouldSend {
    error: Option<String>,
    words: String,
}

#[derive(Template)]
#[template(path = "integrations/would_send.html")]
struct WouldSendPart {
    would_send: WouldSend,
}

/// What is shown beside the fields.
#[derive(Default)]
struct Shown {
    errors: Errors,
    /// The errors are why it was not saved.
    saving: bool,
    /// It was changed meanwhile: what was.
    conflict: Option<Vec<String>>,
    tested: Option<Tested>,
    would_send: Option<WouldSend>,
    /// "Advanced settings" are open because somebody works there.
    open: bool,
    /// The last row for a header was just added.
    added: bool,
}

/// A row for a header, as the page shows it.
struct HeaderRow {
    id: String,
    name: String,
    value: String,
    kept: String,
    error: String,
    /// It was just added: somebody wants to fill it in.
    is_new: bool,
}

#[derive(Template)]
#[template(path = "integrations/form.html")]
struct Page {
    frame: Frame,
    id: Option<u64>,
    path: String,
    cancel: String,
    etag: String,
    opened: u64,
    stored: Stored,
    form: Form,
    headers: Vec<HeaderRow>,
    /// Events of which an example can be had.
    examples: Vec<(&'static str, String)>,
    errors: Errors,
    saving: bool,
    conflict: Option<Vec<String>>,
    tested: Option<Tested>,
    would_send: Option<WouldSend>,
    preview: Option<Preview>,
    advanced: bool,
    client_open: bool,
    pins_open: bool,
    filter_open: bool,
    limits_open: bool,
}

impl Page {
    fn key_placeholder(&self) -> &'static str {
        if self.stored.client.is_empty() { "-----BEGIN PRIVATE KEY-----" } else { "unchanged" }
    }

    fn signing_hint(&self) -> &'static str {
        if self.id.is_some() {
            "The secret is replaced on the integration's page."
        } else {
            "The secret is shown once, after the integration is added."
        }
    }
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
}

async fn add(State(console): State<Shared>, session: Session) -> Result<Response, Failure> {
    check_may(&console, &session)?;
    let now_ms = (console.now_ms)();
    let name = format!("Webhook integration by {}, {}", session.user.name, month_and_day(now_ms));
    let place = Place { id: None, etag: String::new(), opened: now_ms };
    page(&console, &session, place, Form::new(name), Stored::default(), Shown::default()).await
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
            if form.headers.len() < HEADERS_MAX {
                form.headers.push(Header::default());
                shown.added = true;
            }
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
            Ok(answer) => return saved(console, session, place.id, &answer.object()),
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
) -> Result<Response, Failure> {
    if let Some(id) = id {
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
    };
    Ok(Html(page.render()?).into_response())
}

/// Sends a test message of what is in the fields.
async fn test(
    console: &Console,
    session: &Session,
    place: &Place,
    form: &Form,
    stored: &Stored,
    errors: &mut Errors,
) -> Result<Tested, Failure> {
    let mut body = form.to_body(&stored.integration, errors);
    if let Some(id) = place.id {
        body["id"] = id.into();
    }
    if !form.example.is_empty() {
        body["test"] = serde_json::json!({"event": form.example});
    }
    if errors.is_empty() {
        match console.post(session, "/v2/integration/test", &body).await {
            Ok(answer) => return Ok(Tested::of(&answer.object())),
            Err(refused) if refused.status == StatusCode::TOO_MANY_REQUESTS => {
                return Ok(Tested::refused(&refused));
            }
            Err(refused) => *errors = errors_of(form, refused)?,
        }
    }
    let wrong = errors.all().iter().map(|wrong| match &*wrong.id {
        "" => wrong.message.clone(),
        _ => format!("{}: {}", wrong.label, wrong.message),
    });
    Ok(Tested::wrong(wrong.collect()))
}

async fn preview(console: &Console, session: &Session, form: &Form) -> Result<Preview, Failure> {
    match console.post(session, "/v2/integration/render", &form.to_preview()).await {
        Ok(answer) => Ok(Preview::of(&answer.object())),
        Err(refused) if refused.status == StatusCode::UNPROCESSABLE_ENTITY => Ok(Preview::refused(&refused)),
        Err(refused) => Err(refused.into()),
    }
}

async fn would_send(
    console: &Console,
    session: &Session,
    form: &Form,
    errors: &mut Errors,
) -> Result<WouldSend, Failure> {
    let refused = match console.post(session, "/v2/integration/preview", &form.to_filter_preview()).await {
        Ok(answer) => {
            let found = answer.object();
            let of = |name: &str| found[name].as_u64().unwrap_or(0);
            let words = match (form.events.is_empty(), of("looked_at")) {
                (true, _) => "No event is ticked, so nothing would have been sent.".to_owned(),
                (_, 0) => "There are no events of these kinds yet.".to_owned(),
                (_, all) => {
                    format!("Would have sent {} of the last {}.", number(of("would_send")), number(all))
                }
            };
            return Ok(WouldSend { error: None, words });
        }
        Err(refused) => refused,
    };
    if refused.status == StatusCode::TOO_MANY_REQUESTS {
        return Ok(WouldSend { error: Some(sentence(&refused.detail)), words: String::new() });
    }
    *errors = errors_of(form, refused)?;
    let wrong = errors.all().iter().map(|wrong| format!("{}: {}", wrong.label, sentence(&wrong.message)));
    Ok(WouldSend { error: Some(wrong.collect::<Vec<_>>().join(" ")), words: String::new() })
}

fn part(part: &impl Template) -> Result<Response, Failure> {
    Ok(Html(part.render()?).into_response())
}

async fn page(
    console: &Console,
    session: &Session,
    place: Place,
    form: Form,
    stored: Stored,
    shown: Shown,
) -> Result<Response, Failure> {
    let preview = preview(console, session, &form).await?;
    let title = if place.id.is_some() { "Edit integration" } else { "Add integration" };
    let Shown { errors, saving, conflict, tested, would_send, open, added } = shown;
    let is_bad = !errors.is_empty() || conflict.is_some();
    let (path, cancel) = (place.path(), place.cancel());
    let page = Page {
        frame: Frame::new(console, session, Nav::Settings(Tab::Integrations), title),
        id: place.id,
        etag: place.etag,
        opened: place.opened,
        path,
        cancel,
        advanced: open || errors.is_advanced() || form.is_advanced() || stored.has_certificates(),
        client_open: form.has_client() || !stored.client.is_empty() || errors.any(&CLIENT_FIELDS),
        pins_open: !form.pins.is_empty() || errors.any(&["pins"]),
        filter_open: form.has_filter() || would_send.is_some() || errors.any(&FILTER_FIELDS),
        limits_open: form.has_limits() || errors.any(&LIMIT_FIELDS),
        headers: header_rows(&form, &errors, added),
        examples: examples(),
        stored,
        form,
        errors,
        saving,
        conflict,
        tested,
        would_send,
        preview: Some(preview),
    };
    let status = match (is_bad, &page.conflict) {
        (false, _) => StatusCode::OK,
        (_, Some(_)) => StatusCode::CONFLICT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    Ok((status, Html(page.render()?)).into_response())
}

fn header_rows(form: &Form, errors: &Errors, added: bool) -> Vec<HeaderRow> {
    let row = |(at, header): (usize, &Header)| {
        let id = format!("header-{at}");
        HeaderRow {
            error: errors.at(&id),
            id,
            name: header.name.clone(),
            value: header.value.clone(),
            kept: header.kept.clone(),
            is_new: added && at + 1 == form.headers.len(),
        }
    };
    form.headers.iter().enumerate().map(row).collect()
}

/// All events, as a choice of which one is to be shown.
pub(super) fn examples() -> Vec<(&'static str, String)> {
    let names = EVENTS.iter().map(|event| event.name).chain(RISKS.iter().map(|risk| risk.name));
    names.map(|name| (name, event_label(name))).collect()
}

/// Fields that stand in parts of their own, which open when one of them is wrong.
const CLIENT_FIELDS: [&str; 3] = ["client_cert", "client_key", "client_key_password"];
const FILTER_FIELDS: [&str; 8] =
    ["applications", "attack_types", "domains", "within", "not_in", "block_status", "min_score", "risks"];
const LIMIT_FIELDS: [&str; 4] = ["max_events", "max_bytes", "rate", "in_flight"];
