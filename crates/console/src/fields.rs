//! What a form sends: fields of any number, and files; from a page of ours.

use crate::Shared;
use crate::failure::Failure;
use crate::session::{Session, check_origin};
use axum::extract::{FromRequest, Multipart, Request};
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;

/// The largest form: certificates, keys and headers fit many times.
const FORM_BYTES_MAX: usize = 1 << 20;

/// The most fields of a form.
const FIELDS_MAX: usize = 4_096;

/// The fields of a form, in the order in which they were sent. As an extractor it refuses what does not come from a page of the
/// console; who is signed in is for [`Posted`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Vec<Field>);

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
        Fields(pairs.iter().map(field).collect())
    }

    /// The first value of this name; empty if there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        let first = self.0.iter().find(|field| field.name == name && !field.is_file);
        first.and_then(|field| std::str::from_utf8(&field.value).ok()).unwrap_or_default()
    }

    /// Whether there is a value of this name: a box that is ticked, a button that was pressed.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|field| field.name == name && !field.is_file)
    }

    /// All values of this name, in their order. What is not UTF-8 is left out.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let of_name = self.0.iter().filter(move |field| field.name == name && !field.is_file);
        of_name.filter_map(|field| std::str::from_utf8(&field.value).ok())
    }

    /// The file of this name, if one was chosen.
    pub(crate) fn file(&self, name: &str) -> Option<&Bytes> {
        let file = self.0.iter().find(|field| field.name == name && field.is_file)?;
        (!file.value.is_empty()).then_some(&file.value)
    }
}

impl FromRequest<Shared> for Fields {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Failure> {
        check_origin(request.headers())?;
        read(request).await
    }
}

impl FromRequest<Shared> for Posted {
    type Rejection = Failure;

    async fn from_request(request: Request, console: &Shared) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let session =
            <Session as axum::extract::FromRequestParts<Shared>>::from_request_parts(&mut parts, console)
                .await?;
        let sent = parts.headers.get("x-csrf-token").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let fields = Fields::from_request(Request::from_parts(parts, body), console).await?;
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

async fn read(request: Request) -> Result<Fields, Failure> {
    let content_type =
        request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if content_type.starts_with("multipart/form-data") {
        return multipart(request).await;
    }
    let bytes = axum::body::to_bytes(request.into_body(), FORM_BYTES_MAX).await.map_err(|_| too_large())?;
    let pairs = url::form_urlencoded::parse(&bytes).take(FIELDS_MAX);
    let field = |(name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| Field {
        name: name.into_owned(),
        value: Bytes::from(value.into_owned()),
        is_file: false,
    };
    Ok(Fields(pairs.map(field).collect()))
}

async fn multipart(request: Request) -> Result<Fields, Failure> {
    let unreadable = |_| Failure::new(StatusCode::BAD_REQUEST, "The form cannot be read", "Send it again.");
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|_| Failure::new(StatusCode::BAD_REQUEST, "The form cannot be read", "Send it again."))?;
    let (mut fields, mut bytes) = (Vec::new(), 0);
    while let Some(mut part) = form.next_field().await.map_err(unreadable)? {
        let name = part.name().unwrap_or_default().to_owned();
        let is_file = part.file_name().is_some();
        let mut value = Vec::new();
        while let Some(chunk) = part.chunk().await.map_err(unreadable)? {
            bytes += chunk.len();
            if bytes > FORM_BYTES_MAX {
                return Err(too_large());
            }
            value.extend_from_slice(&chunk);
        }
        if fields.len() >= FIELDS_MAX {
            return Err(too_large());
        }
        fields.push(Field { name, value: value.into(), is_file });
    }
    Ok(Fields(fields))
}

fn too_large() -> Failure {
    let detail = format!("A form may have {FORM_BYTES_MAX} bytes and {FIELDS_MAX} fields.");
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "The form is too large", detail)
}
