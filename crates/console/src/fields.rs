//! What a form sends: fields of any number, and files; from a page of ours.

use crate::Shared;
use crate::failure::Failure;
use crate::session::{From, Session, check_origin};
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Multipart, Request};
use bytes::Bytes;
use hitwire_share::Holder;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;

/// The largest form of somebody who is signed in: certificates, keys and headers fit many times.
const FORM_BYTES_MAX: u64 = 1 << 20;

/// The largest form of anybody else: an e-mail, a password, and where to go on.
const FORM_OF_ANYBODY_BYTES_MAX: u64 = 16 << 10;

/// The most fields of a form.
const FIELDS_MAX: usize = 4_096;

/// The fields of a form, in the order in which they were sent. As an extractor it refuses what does not come from a page of the
/// console; who is signed in is for [`Posted`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    fields: Vec<Field>,
    /// Of the memory that bodies may take.
    _share: Option<Arc<dyn Any + Send + Sync>>,
}

/// A body in memory.
pub struct HeldBody {
    /// All of it.
    pub bytes: Bytes,
    /// Its share of the memory that bodies may take, until it is dropped.
    pub share: Arc<dyn Any + Send + Sync>,
}

/// Reads a body of at most so many bytes from a client or an address, within bounds of time and memory. If it does not come to that: a status, and words.
pub type ReadBody = Box<
    dyn Fn(Body, u64, Holder) -> Pin<Box<dyn Future<Output = Result<HeldBody, (StatusCode, String)>> + Send>>
        + Send
        + Sync,
>;

/// A field, or a file.
#[derive(Clone, Debug)]
struct Field {
    name: String,
    value: Bytes,
    is_file: bool,
}

/// A form of somebody who is signed in, sent from a page of this very session.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) session: Session,
    pub(crate) fields: Fields,
}

impl Fields {
    /// Fields from names and values.
    #[cfg(test)]
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Fields {
        let field = |(name, value): &(&str, &str)| Field {
            name: (*name).to_owned(),
            value: Bytes::copy_from_slice(value.as_bytes()),
            is_file: false,
        };
        Fields { fields: pairs.iter().map(field).collect(), _share: None }
    }

    /// The first value of this name; empty if there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        let first = self.fields.iter().find(|field| field.name == name && !field.is_file);
        first.and_then(|field| std::str::from_utf8(&field.value).ok()).unwrap_or_default()
    }

    /// Whether there is a value of this name: a box that is ticked, a button that was pressed.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name && !field.is_file)
    }

    /// All values of this name, in their order. What is not UTF-8 is left out.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let of_name = self.fields.iter().filter(move |field| field.name == name && !field.is_file);
        of_name.filter_map(|field| std::str::from_utf8(&field.value).ok())
    }

    /// The file of this name, if one was chosen.
    pub(crate) fn file(&self, name: &str) -> Option<&Bytes> {
        let file = self.fields.iter().find(|field| field.name == name && field.is_file)?;
        (!file.value.is_empty()).then_some(&file.value)
    }
}

impl FromRequest<Shared> for Fields {
    type Rejection = Failure;

    async fn from_request(request: Request, console: &Shared) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let from = From::from_request_parts(&mut parts, console).await.unwrap_or_else(|never| match never {});
        let request = Request::from_parts(parts, body);
        read(request, console, FORM_OF_ANYBODY_BYTES_MAX, Holder::address(from.ip())).await
    }
}

impl FromRequest<Shared> for Posted {
    type Rejection = Failure;

    async fn from_request(request: Request, console: &Shared) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        // Nobody else may send so much.
        let session = Session::from_request_parts(&mut parts, console).await?;
        let holder = Holder::Client(session.user.client);
        let sent = parts.headers.get("x-csrf-token").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let request = Request::from_parts(parts.clone(), body);
        let fields = read(request, console, FORM_BYTES_MAX, holder).await?;
        // Whoever sends slowly must not keep what has been taken from them meanwhile: what counts is who it is now.
        let session = Session::from_request_parts(&mut parts, console).await?;
        let sent = sent.unwrap_or_else(|| fields.get("csrf").to_owned());
        // Compared by their hashes: the time that it takes tells nothing.
        if crate::session::hash(&sent) != crate::session::hash(&session.csrf) {
            return Err(Failure::new(
                StatusCode::FORBIDDEN,
                "The form is out of date",
                "You have signed in again since the page was opened, or it is not a page of the console. Go back, reload the page, and send it again.",
            ));
        }
        Ok(Posted { session, fields })
    }
}

async fn read(request: Request, console: &Shared, bytes_max: u64, holder: Holder) -> Result<Fields, Failure> {
    check_origin(request.headers())?;
    let (parts, body) = request.into_parts();
    let held = (console.read_body)(body, bytes_max, holder).await;
    let HeldBody { bytes, share } =
        held.map_err(|(status, detail)| Failure::new(status, "The form was not taken", detail))?;
    let content_type =
        parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let fields = if content_type.starts_with("multipart/form-data") {
        multipart(Request::from_parts(parts, Body::from(bytes))).await?
    } else {
        let pairs = url::form_urlencoded::parse(&bytes).take(FIELDS_MAX);
        let field = |(name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| Field {
            name: name.into_owned(),
            value: Bytes::from(value.into_owned()),
            is_file: false,
        };
        pairs.map(field).collect()
    };
    Ok(Fields { fields, _share: Some(share) })
}

/// The parts of a form that may hold files; it is whole already.
async fn multipart(request: Request) -> Result<Vec<Field>, Failure> {
    let unreadable = |_| Failure::new(StatusCode::BAD_REQUEST, "The form cannot be read", "Send it again.");
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|_| Failure::new(StatusCode::BAD_REQUEST, "The form cannot be read", "Send it again."))?;
    let mut fields = Vec::new();
    while let Some(part) = form.next_field().await.map_err(unreadable)? {
        if fields.len() >= FIELDS_MAX {
            let detail = format!("A form may have {FIELDS_MAX} fields.");
            return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "The form was not taken", detail));
        }
        let name = part.name().unwrap_or_default().to_owned();
        let is_file = part.file_name().is_some();
        let value = part.bytes().await.map_err(unreadable)?;
        fields.push(Field { name, value, is_file });
    }
    Ok(fields)
}
