//! Pages that stay open and are told what is new: server-sent events.

use crate::Shared;
use crate::failure::Failure;
use crate::session::{self, Session};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};
use http::StatusCode;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Pages that stay open at the same time, in the whole installation.
pub(crate) const LIVE_MAX: usize = 256;

/// How often it is looked whether whoever watches may still see it.
const STILL_SIGNED_IN_EVERY: Duration = Duration::from_secs(15);

/// Something to say at least this often, so that neither side takes the connection for dead.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);

/// Places for pages that stay open.
#[derive(Clone, Debug)]
pub struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Places(Arc::new(Semaphore::new(LIVE_MAX)))
    }
}

/// Sends events as they come, until the page is closed, the session ends (or its user's role changes), or hitwire stops. A page whose
/// stream has ended asks again by itself, and is told then that nobody is signed in any more.
pub(crate) fn events(
    console: &Shared,
    session: &Session,
    events: impl Stream<Item = Event> + Send + 'static,
) -> Result<Response, Failure> {
    let Ok(place) = Arc::clone(&console.live.0).try_acquire_owned() else {
        return Err(Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many pages are open",
            format!(
                "{LIVE_MAX} pages are told what is new at the moment. Close some, or reload this one by hand."
            ),
        ));
    };
    let ended = ended(Arc::clone(console), session.clone());
    let events = events.take_until(Box::pin(ended)).map(move |event| {
        // As long as the stream is there, so is its place.
        let _ = &place;
        Ok::<_, Infallible>(event)
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE_EVERY)).into_response())
}

/// Waits until whoever watches is signed in no more, or hitwire stops.
async fn ended(console: Shared, session: Session) {
    loop {
        tokio::select! {
            () = console.stop.cancelled() => return,
            () = tokio::time::sleep(STILL_SIGNED_IN_EVERY) => {}
        }
        match console.store.session(session.kept.sha256).await {
            Ok(Some((kept, user))) => {
                let is_good = session::is_good(console.sign_in.lifetime(), &kept, &user, console.now_s());
                if !is_good || user.role != session.user.role || user.client != session.user.client {
                    return;
                }
            }
            // The store may be busy for a moment; what it says next counts.
            Err(error) => tracing::debug!(%error, "a session could not be looked up"),
            Ok(None) => return,
        }
    }
}
