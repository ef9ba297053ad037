//! One log line for each request; a panic becomes a 500; what a handler left unread is read.

use super::leftover;
use super::problem::Problem;
use crate::counted::Requests;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::Method;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

/// The routes by which events come.
const INGEST: [&str; 2] = ["/v1/events", "/v1/counters"];

/// Runs a request. The line names the route, not the path as it came: paths and queries are the caller's.
pub(super) async fn observe(State(requests): State<Requests>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let (request, leftover) = leftover::watch(request);
    // After a panic nothing of the request is looked at again; what is shared is behind locks that forgive poisoning.
    let response = AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(%method, route, "a handler panicked");
        Problem::internal().into_response()
    });
    leftover.discard().await;
    let status = response.status().as_u16();
    let took = started.elapsed();
    requests.answered(status, INGEST.contains(&route) && method == Method::POST, took);
    let took_us = took.as_micros() as u64;
    if response.status().is_server_error() {
        tracing::warn!(%method, route, status, took_us, "request");
    } else {
        tracing::debug!(%method, route, status, took_us, "request");
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    async fn panics() -> Response {
        panic!("on purpose")
    }

    #[tokio::test]
    async fn a_handler_that_panics_is_answered_with_500() {
        let observe = axum::middleware::from_fn_with_state(Requests::default(), observe);
        let router = Router::new().route("/", get(panics)).layer(observe);
        let request = Request::get("/").body(Body::empty()).expect("a request");
        let response = TowerToHyperService::new(router).call(request).await.expect("an answer");
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}
