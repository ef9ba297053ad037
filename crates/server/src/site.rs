//! The API's calls and the console's pages as one site.

use axum::Router;
use axum::response::Response;
use hitwire_api::Shared;
use hitwire_api::body::BodyBudget;
use http::{HeaderMap, Uri};
use std::sync::Arc;

/// What reads the console's forms: as the API's own bodies are read.
pub(crate) fn read_body(bodies: BodyBudget) -> hitwire_console::ReadBody {
    Box::new(move |body, bytes_max, holder| {
        let bodies = bodies.clone();
        Box::pin(async move {
            let (bytes, share) = bodies.read_for(body, bytes_max, holder).await?;
            Ok(hitwire_console::HeldBody { bytes: bytes.into(), share: Arc::new(share) })
        })
    })
}

/// All calls, and the console's pages.
pub(crate) fn router(api: Shared, pages: Router) -> Router {
    let requests = api.requests.clone();
    let all = hitwire_api::calls_with_state(api)
        .merge(pages)
        .fallback(not_found)
        .method_not_allowed_fallback(hitwire_api::no_such_method);
    hitwire_api::observed(all, requests)
}

/// A page for who looks with a browser, a problem for who calls.
async fn not_found(headers: HeaderMap, uri: Uri) -> Response {
    match hitwire_console::not_found(&headers) {
        Some(page) => page,
        None => hitwire_api::no_such_call(uri).await,
    }
}
