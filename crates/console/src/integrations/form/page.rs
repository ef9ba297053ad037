//! The page of the form: the fields, what is wrong with them, and what was asked for beside them.

use super::asked::{WouldSend, preview};
use super::errors::Errors;
use super::model::{Form, Header};
use super::stored::Stored;
use crate::Console;
use crate::failure::Failure;
use crate::frame::{Frame, Nav, Tab};
use crate::integrations::tested::{Preview, Tested};
use crate::integrations::{EVENTS, HOME, RISKS, event_label, proxy_in_words};
use crate::session::Session;
use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;

/// Which page it is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// None: a new integration.
    pub(super) id: Option<u64>,
    /// Of the integration that the fields were made from.
    pub(super) etag: String,
    /// When the fields were made, milliseconds since the epoch.
    pub(super) opened: u64,
}

impl Place {
    fn path(&self) -> String {
        self.id.map_or_else(|| format!("{HOME}/add"), |id| format!("{HOME}/{id}/edit"))
    }

    fn cancel(&self) -> String {
        self.id.map_or_else(|| HOME.to_owned(), |id| format!("{HOME}/{id}"))
    }
}

/// What is shown beside the fields.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) errors: Errors,
    /// The errors are why it was not saved.
    pub(super) saving: bool,
    /// It was changed meanwhile: what was.
    pub(super) conflict: Option<Vec<String>>,
    pub(super) tested: Option<Tested>,
    pub(super) would_send: Option<WouldSend>,
    /// "Advanced settings" are open because somebody works there.
    pub(super) open: bool,
    /// The last row for a header was just added.
    pub(super) added: bool,
}

/// Applications that can be picked for the filter; of more the id is typed.
const APPLICATIONS_SHOWN: usize = 500;

/// An application that can be picked.
#[derive(serde::Deserialize)]
struct Application {
    id: i64,
    name: String,
}

async fn applications(console: &Console, session: &Session) -> Result<Vec<Application>, Failure> {
    let mut applications: Vec<Application> = console.get(session, "/v1/applications").await?.read_object()?;
    applications.sort_by(|one, other| (&one.name, one.id).cmp(&(&other.name, other.id)));
    applications.truncate(APPLICATIONS_SHOWN);
    Ok(applications)
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
    /// The client's applications, the first of them: id and name.
    applications: Vec<Application>,
    /// Events of which an example can be had.
    examples: Vec<(&'static str, String)>,
    errors: Errors,
    saving: bool,
    conflict: Option<Vec<String>>,
    tested: Option<Tested>,
    /// The rendering of the installation's new integrations.
    default_rendering: &'static str,
    would_send: Option<WouldSend>,
    preview: Option<Preview>,
    advanced: bool,
    client_open: bool,
    pins_open: bool,
    proxy_open: bool,
    filter_open: bool,
    limits_open: bool,
}

impl Page {
    fn key_placeholder(&self) -> &'static str {
        if self.stored.client.is_empty() { "-----BEGIN PRIVATE KEY-----" } else { "unchanged" }
    }

    /// What is said of the proxy in use, as the API shows the integration.
    fn proxy_in_use(&self) -> Option<&'static str> {
        proxy_in_words(&self.stored.integration["target"])
    }

    fn proxy_credentials_hint(&self) -> &'static str {
        if self.has_proxy_credentials() {
            "Written as user:password. Leave empty to keep what is stored. Kept encrypted and never shown again."
        } else {
            "Written as user:password, if the proxy asks for them. Kept encrypted and never shown again."
        }
    }

    /// Whether there are credentials for the proxy.
    fn has_proxy_credentials(&self) -> bool {
        self.stored.integration["target"]["proxy_credentials"].is_string()
    }

    fn signing_hint(&self) -> &'static str {
        if self.id.is_some() {
            "The secret is replaced on the integration's page."
        } else {
            "The secret is shown once, after the integration is added."
        }
    }
}

pub(super) async fn page(
    console: &Console,
    session: &Session,
    place: Place,
    form: Form,
    stored: Stored,
    shown: Shown,
) -> Result<Response, Failure> {
    let preview = preview(console, session, &form).await?;
    let default_rendering = console.installation.default_rendering;
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
        advanced: open
            || errors.is_advanced()
            || form.is_advanced(default_rendering)
            || stored.has_certificates(),
        client_open: form.has_client() || !stored.client.is_empty() || errors.any(&CLIENT_FIELDS),
        pins_open: !form.pins.is_empty() || errors.any(&["pins"]),
        proxy_open: form.has_proxy() || errors.any(&PROXY_FIELDS),
        filter_open: form.has_filter() || would_send.is_some() || errors.any(&FILTER_FIELDS),
        limits_open: form.has_limits() || errors.any(&LIMIT_FIELDS),
        default_rendering,
        headers: header_rows(&form, &errors, added),
        applications: applications(console, session).await?,
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
pub(in crate::integrations) fn examples() -> Vec<(&'static str, String)> {
    let names = EVENTS.iter().map(|event| event.name).chain(RISKS.iter().map(|risk| risk.name));
    names.map(|name| (name, event_label(name))).collect()
}

/// Fields that stand in parts of their own, which open when one of them is wrong.
const CLIENT_FIELDS: [&str; 3] = ["client_cert", "client_key", "client_key_password"];
const PROXY_FIELDS: [&str; 2] = ["proxy", "proxy_credentials"];
const FILTER_FIELDS: [&str; 8] =
    ["applications", "attack_types", "domains", "within", "not_in", "block_status", "min_score", "risks"];
const LIMIT_FIELDS: [&str; 4] = ["max_events", "max_bytes", "rate", "in_flight"];
