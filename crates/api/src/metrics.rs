//! `/metrics`: what hitwire tells a Prometheus.

use super::auth::Caller;
use super::{Api, Shared};
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};

/// What tells a Prometheus everything that is counted and seen, in text.
pub trait Exposition: Send + Sync {
    /// In the text format of OpenMetrics 1.0.
    fn text(&self) -> BoxFuture<'_, String>;

    /// In the older text format of Prometheus (0.0.4).
    fn classic_text(&self) -> BoxFuture<'_, String>;
}

/// The text format of OpenMetrics 1.0, for who asks for it, as every Prometheus does since 2018.
const OPEN: &str = "application/openmetrics-text";
const OPEN_FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The older one, for everybody else.
const CLASSIC_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What hitwire tells a Prometheus.
///
/// In the text format of OpenMetrics 1.0, if `Accept` names it, or in the older one of Prometheus (0.0.4). The listener of
/// `--metrics-listen` tells the same without a token.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "service",
    operation_id = "readMetrics",
    responses((status = 200, description = "Series.", content((String = "text/plain"), (String = "application/openmetrics-text")))),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn show(State(api): State<Shared>, _: Caller, headers: HeaderMap) -> Response {
    text(&api, &headers).await
}

/// The calls of the listener for metrics alone: nobody is asked for a token, and there is nothing else to call.
pub fn router(api: Shared) -> Router {
    Router::new()
        .route("/metrics", get(unasked))
        .route("/healthz", get(super::health::alive))
        .fallback(super::no_such_call)
        .method_not_allowed_fallback(super::no_such_method)
        .with_state(api)
}

async fn unasked(State(api): State<Shared>, headers: HeaderMap) -> Response {
    text(&api, &headers).await
}

async fn text(api: &Api, headers: &HeaderMap) -> Response {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (format, text) = if accepted.into_iter().any(|value| value.contains(OPEN)) {
        (OPEN_FORMAT, api.metrics.text().await)
    } else {
        (CLASSIC_FORMAT, api.metrics.classic_text().await)
    };
    ([(CONTENT_TYPE, format), (CACHE_CONTROL, "no-store")], text).into_response()
}
