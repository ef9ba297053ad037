//! The description of the API for programs (OpenAPI 3.1) and for people (a page made of it).
//!
//! Each call is described above its handler, each answer by its own type; what callers send is described in [`schema`],
//! since it is read field by field. Here stands what all calls have in common.

mod page;
pub(super) mod schema;

use super::Shared;
use super::json;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use http::{HeaderValue, StatusCode};
use serde_json::Value;
use std::sync::Arc;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;

/// The tags, in the order of the page.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "hitwire",
        description = "Security events in, notifications out: integrations, what became of each event, and who may do what. \
            Every error is a problem (RFC 9457) whose `detail` says what to do.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT")
    ),
    tags(
        (name = "events", description = "What happened: sent in, and read back."),
        (name = "integrations", description = "Webhooks: where notifications go, and how they are doing."),
        (name = "accounts", description = "Clients, users, tokens, applications, and who changed what."),
        (name = "service", description = "Whether hitwire is up and how it is doing."),
    ),
    components(schemas(schema::Problem)),
    modifiers(&Common)
)]
struct Api;

/// What all calls have in common: how a caller shows who it is, and how errors look.
struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let header = ApiKey::Header(ApiKeyValue::new("X-WallarmAPI-Token"));
        components.add_security_scheme("token", SecurityScheme::ApiKey(header));
    }
}

/// A router whose calls describe themselves.
pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Api::openapi())
}

/// The router with the two calls that show the description.
pub(super) fn described(router: OpenApiRouter<Shared>) -> Router<Shared> {
    let (router, document) = router.split_for_parts();
    // What hitwire describes can always be written as JSON.
    let mut document = serde_json::to_value(document).unwrap_or_default();
    describe_what_is_common(&mut document);
    let shown = Arc::new(Shown { page: page::of(&document), document });
    router.route("/openapi.json", get(openapi)).route("/docs", get(docs)).layer(Extension(shown))
}

/// Made once, when hitwire starts.
struct Shown {
    document: Value,
    page: String,
}

async fn openapi(Extension(shown): Extension<Arc<Shown>>) -> Response {
    json(StatusCode::OK, &shown.document)
}

async fn docs(Extension(shown): Extension<Arc<Shown>>) -> Response {
    let mut response = Html(shown.page.clone()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(page::POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Every call may answer with a problem: what the caller did wrong, or that it cannot be done now. And a parameter that may
/// be left out cannot be null: there is no null in a URL.
fn describe_what_is_common(document: &mut Value) {
    let items = document["paths"].as_object_mut().into_iter().flatten();
    for (_, operation) in items.filter_map(|(_, item)| item.as_object_mut()).flatten() {
        for (range, description) in
            [("4XX", "The call is not right; `detail` says why."), ("5XX", "Not possible at the moment.")]
        {
            operation["responses"][range] = serde_json::json!({
                "description": description,
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            });
        }
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            parameter.get_mut("schema").map(without_null);
        }
    }
}

fn without_null(schema: &mut Value) {
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|kind| kind != "null");
    }
    if let Some(choices) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        choices.retain(|choice| choice["type"] != "null");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_call_says_what_it_is_for_what_it_answers_and_who_may() {
        let (_, document) = super::super::calls().split_for_parts();
        assert!(document.paths.paths.len() > 10, "{:?}", document.paths.paths.keys());
        for (path, item) in &document.paths.paths {
            for operation in [&item.get, &item.post, &item.put, &item.delete].into_iter().flatten() {
                let name = operation.operation_id.as_deref().unwrap_or_default();
                assert!(operation.summary.is_some(), "{path} {name} has no summary");
                assert_eq!(operation.tags.as_ref().map(Vec::len), Some(1), "{path} {name} has no tag");
                assert!(!operation.responses.responses.is_empty(), "{path} {name} has no answer");
            }
        }
    }
}
