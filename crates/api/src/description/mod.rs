//! The description of the API for programs (OpenAPI 3.1) and for people (a page made of it).
//!
//! Each call is described above its handler, each answer by its own type; what callers send is described in [`schema`],
//! since it is read field by field. Here stands what all calls have in common.

mod page;
pub(super) mod schema;

use super::problem::meaning;
use super::{Shared, json_bytes, json_text};
use axum::Router;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use http::{HeaderValue, StatusCode};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::LazyLock;
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
    let (router, _) = router.split_for_parts();
    router.route("/openapi.json", get(openapi)).route("/docs", get(docs))
}

/// The description as it is sent.
struct Shown {
    document: Bytes,
    page: Bytes,
}

/// Made when somebody asks for it first, and the same for all servers of the process: as values it takes megabytes, as text a
/// tenth.
static SHOWN: LazyLock<Shown> = LazyLock::new(|| {
    let (_, document) = super::calls().split_for_parts();
    // What hitwire describes can always be written as JSON.
    let mut document = serde_json::to_value(document).unwrap_or_default();
    describe_what_is_common(&mut document);
    Shown { page: page::of(&document).into(), document: json_text(&document).into() }
});

async fn openapi() -> Response {
    json_bytes(StatusCode::OK, SHOWN.document.clone())
}

async fn docs() -> Response {
    let mut response = Html(SHOWN.page.clone()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(page::POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// The problems with which a call may answer: those that its handler names, and those of all calls of its shape. And a parameter
/// that may be left out cannot be null: there is no null in a URL.
fn describe_what_is_common(document: &mut Value) {
    let items = document["paths"].as_object_mut().into_iter().flatten();
    for (_, operation) in items.filter_map(|(_, item)| item.as_object_mut()).flatten() {
        let named = operation["responses"].as_object().into_iter().flatten();
        let named = named.filter_map(|(status, _)| status.parse().ok()).filter(|status| *status >= 400);
        let statuses: BTreeSet<u16> = named.chain(problems_of_shape(operation)).collect();
        for status in statuses {
            operation["responses"][status.to_string()] = problem(status);
        }
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            parameter.get_mut("schema").map(without_null);
        }
    }
}

/// What calls of this shape are refused with: by those who identify the caller, read the query and the body, and compare `If-Match`.
fn problems_of_shape(operation: &Value) -> impl Iterator<Item = u16> {
    let has = |what: bool, statuses: &'static [u16]| if what { statuses } else { &[] };
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let mut parameters = parameters.map(|parameter| &parameter["name"]);
    let parts = [
        // Something failed that is hitwire's, or is not there at this moment.
        &[500, 503],
        // Who it is, whether the role may, and whether there is the client that `clientid` names.
        has(operation.get("security").is_some(), &[400, 401, 403, 404]),
        // A body that is no JSON, does not come, is too large, is not valid, or finds no room.
        has(operation.get("requestBody").is_some(), &[400, 408, 413, 422, 429]),
        has(parameters.any(|name| name == "If-Match"), &[409, 412]),
    ];
    parts.into_iter().flatten().copied()
}

/// The answer with a problem of this status.
fn problem(status: u16) -> Value {
    let mut answer = serde_json::json!({
        "description": format!("{}; `detail` says why.", meaning(status).unwrap_or("It is refused")),
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    });
    let header = match status {
        401 => Some(("WWW-Authenticate", "how to show who one is", "string")),
        429 | 503 => Some(("Retry-After", "in how many seconds to come again", "integer")),
        _ => None,
    };
    if let Some((name, description, of)) = header {
        answer["headers"] = serde_json::json!({
            name: {"description": description, "required": true, "schema": {"type": of}},
        });
    }
    answer
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
    use super::schema;
    use hitwire_endpoint::ProxyInUse;
    use hitwire_event::Kind;
    use hitwire_receiver::Style;
    use hitwire_store::{HttpVersion, Role};
    use serde_json::Value;
    use utoipa::PartialSchema;

    /// The names that a type of the description lists.
    fn listed<T: PartialSchema>() -> Vec<String> {
        let schema = serde_json::to_value(T::schema()).expect("JSON");
        let names = schema["enum"].as_array().expect("a list of names").iter();
        names.map(|name| name.as_str().expect("a name").to_owned()).collect()
    }

    #[test]
    fn what_the_description_lists_is_what_there_is() {
        let roles = Role::ALL.map(Role::name);
        assert_eq!(listed::<schema::EventKindName>(), Kind::ALL.map(Kind::name));
        assert_eq!(listed::<schema::RenderingName>(), Style::ALL.map(Style::name));
        assert_eq!(listed::<schema::HttpVersionName>(), HttpVersion::ALL.map(HttpVersion::name));
        assert_eq!(listed::<schema::ProxyInUseName>(), ProxyInUse::ALL.map(ProxyInUse::name));
        assert_eq!(listed::<schema::TokenRole>(), roles);
        let people: Vec<_> = roles.into_iter().filter(|role| *role != Role::Ingest.name()).collect();
        assert_eq!(listed::<schema::UserRole>(), people);
        let named = listed::<schema::EventName>();
        assert!(named.iter().all(|name| !Kind::named(name).is_empty()), "{named:?}");
        let verdicts = [
            hitwire_courier::Verdict::Delivered,
            hitwire_courier::Verdict::Sick,
            hitwire_courier::Verdict::Refused,
            hitwire_courier::Verdict::Gone,
        ];
        let verdicts = verdicts.map(|verdict| serde_json::to_value(verdict).expect("a name"));
        assert_eq!(
            listed::<schema::VerdictName>().into_iter().map(Value::from).collect::<Vec<_>>(),
            verdicts
        );
    }

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
