//! `/metrics`: what hitwire tells a Prometheus.

use super::auth::Operator;
use super::{Api, Shared};
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

/// The text format of OpenMetrics 1.0, which Prometheus reads since 2018.
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What hitwire tells a Prometheus.
///
/// The listener of `--metrics-listen` tells the same without a token.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "service",
    operation_id = "readMetrics",
    responses((status = 200, description = "OpenMetrics.", body = String, content_type = "application/openmetrics-text")),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn show(State(api): State<Shared>, _: Operator) -> Response {
    text(&api).await
}

/// The calls of the listener for metrics alone: nobody is asked for a token, and there is nothing else to call.
pub(crate) fn router(api: Shared) -> Router {
    Router::new()
        .route("/metrics", get(|State(api): State<Shared>| async move { text(&api).await }))
        .route("/healthz", get(super::health::alive))
        .fallback(super::no_such_call)
        .method_not_allowed_fallback(super::no_such_method)
        .with_state(api)
}

async fn text(api: &Api) -> Response {
    ([(CONTENT_TYPE, FORMAT), (CACHE_CONTROL, "no-store")], api.metrics.text().await).into_response()
}
