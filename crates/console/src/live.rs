//! Pages that stay open and are told what is new.
//!
//! A browser opens no more than six connections to a host, so pages do not hold one each. One stream (`/live`), shared by all tabs of a
//! browser, says only *that* something has come; each tab that can be seen then asks, by a plain request, for the rows or the part that
//! it shows. See `assets/live.js`.

use crate::Shared;
use crate::failure::Failure;
use crate::session::{self, Session};
use axum::Router;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use futures_util::{StreamExt, stream};
use hitwire_event::{ClientId, Seq};
use hitwire_index::Progress;
use hitwire_share::{Holder, Share, Shares};
use hitwire_store::{User, UserId};
use http::{HeaderValue, StatusCode};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Where the stream is. Opening it is no use of a session: an open window does not keep one alive.
pub(crate) const PATH: &str = "/live";

/// Says up to where an answer tells: what a page asks for next with `after`.
const TOLD_TO: &str = "x-live-after";

/// Streams, and likewise requests of open pages that are being answered, at the same time in the whole installation.
pub(crate) const LIVE_MAX: usize = 256;

/// The same of one user, who may have several browsers.
const LIVE_OF_A_USER_MAX: usize = 12;

/// A stream says no more often than this that something has come. What comes together is told together, and what is delivered at once
/// is told as delivered.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// How often it is checked whether the user of a stream is still signed in.
const STILL_SIGNED_IN_EVERY: Duration = Duration::from_secs(2);

/// Something to say at least this often, so that neither side takes the connection for dead.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route(PATH, get(news))
}

/// Places for streams, and for requests of open pages. Clients have their share of each.
#[derive(Clone, Debug)]
pub struct Places {
    streams: Taken,
    requests: Taken,
}

impl Default for Places {
    fn default() -> Self {
        Places { streams: Taken::new("live_streams"), requests: Taken::new("live_requests") }
    }
}

impl Places {
    /// Streams that are open now.
    pub fn streams(&self) -> usize {
        self.streams.users().values().sum()
    }

    /// Of what clients have a share.
    pub fn shares(&self) -> [Shares<Holder>; 2] {
        [self.streams.all.clone(), self.requests.all.clone()]
    }

    /// A place for a request of an open page of this user.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub(crate) fn request(&self, user: &User) -> Result<Place, Failure> {
        self.requests.take(user.client, user.id).ok_or_else(too_many)
    }
}

/// How many places each user has taken.
#[derive(Clone, Debug)]
struct Taken {
    all: Shares<Holder>,
    users: Arc<Mutex<HashMap<UserId, usize>>>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    taken: Taken,
    user: UserId,
    _share: Share<Holder>,
}

impl Taken {
    fn new(name: &'static str) -> Self {
        Taken { all: Shares::new(name, LIVE_MAX), users: Arc::default() }
    }

    fn users(&self) -> std::sync::MutexGuard<'_, HashMap<UserId, usize>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for this user, if there is one.
    fn take(&self, client: ClientId, user: UserId) -> Option<Place> {
        let mut users = self.users();
        let of_user = users.get(&user).copied().unwrap_or_default();
        if of_user >= LIVE_OF_A_USER_MAX {
            return None;
        }
        let share = self.all.try_take(Holder::Client(client), 1).ok()?;
        users.insert(user, of_user + 1);
        Some(Place { taken: self.clone(), user, _share: share })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut users = self.taken.users();
        match users.get_mut(&self.user) {
            Some(of_user) if *of_user > 1 => *of_user -= 1,
            _ => {
                users.remove(&self.user);
            }
        }
    }
}

fn too_many() -> Failure {
    Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "Too many pages are open",
        format!(
            "A user may have {LIVE_OF_A_USER_MAX} browsers that are told what is new, all users of a client its share of {LIVE_MAX}. Close some, or reload this page by hand."
        ),
    )
}

/// Says that something has come, until the browser leaves, the session ends (or its user's role changes), or hitwire stops. A browser
/// reconnects by itself when its stream ends, and then learns that the session is over.
async fn news(State(console): State<Shared>, session: Session) -> Result<Response, Failure> {
    let place = console.live.streams.take(session.user.client, session.user.id).ok_or_else(too_many)?;
    // The first message is sent at once: events may have come while the browser was not listening.
    let told: Option<(Seq, u64)> = None;
    let news = stream::unfold((console.index.progress(), told), async |(mut progress, told)| {
        if told.is_some() {
            progress.wait_for(|progress| Some(reached(progress)) != told).await.ok()?;
            tokio::time::sleep(TOLD_EVERY).await;
        }
        let now = reached(&progress.borrow_and_update());
        Some((Event::default().event("news").data("new"), (progress, Some(now))))
    });
    let ended = ended(Arc::clone(&console), session);
    let news = news.take_until(Box::pin(ended)).map(move |event| {
        // As long as the stream is there, so is its place.
        let _ = &place;
        Ok::<_, Infallible>(event)
    });
    Ok(Sse::new(news).keep_alive(KeepAlive::new().interval(KEEP_ALIVE_EVERY)).into_response())
}

/// What is news when it changes: events and attempts that the index has.
fn reached(progress: &Progress) -> (Seq, u64) {
    (progress.indexed_to, progress.attempts_to)
}

/// Waits until the user of a stream is no longer signed in, or hitwire stops.
async fn ended(console: Shared, session: Session) {
    loop {
        tokio::select! {
            () = console.stop.cancelled() => return,
            () = tokio::time::sleep(STILL_SIGNED_IN_EVERY) => {}
        }
        match session::good(&console, session.kept.sha256).await {
            Ok(Some((_, user))) => {
                if user.role != session.user.role || user.client != session.user.client {
                    return;
                }
            }
            // The store may be busy for a moment; what it says next counts.
            Err(error) => tracing::debug!(%error, "a session could not be looked up"),
            Ok(None) => return,
        }
    }
}

/// New rows for an open page, which asks next for what comes after `told_to`.
pub(crate) fn rows(html: String, told_to: u64) -> Response {
    let mut response =
        if html.is_empty() { StatusCode::NO_CONTENT.into_response() } else { Html(html).into_response() };
    response.headers_mut().insert(TOLD_TO, HeaderValue::from(told_to));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ClientId = ClientId(1);

    /// As many places as users of a client get, twelve for each user.
    fn hog(taken: &Taken, client: u64) -> Vec<Place> {
        let user = |at| UserId(client * 1_000 + at / LIVE_OF_A_USER_MAX as u64);
        (0..).map_while(|at| taken.take(ClientId(client), user(at))).collect()
    }

    #[test]
    fn one_user_cannot_take_the_places_of_all() {
        let taken = Taken::new("live_streams");
        let mut held: Vec<_> =
            (0..LIVE_OF_A_USER_MAX).map(|_| taken.take(ONE, UserId(1)).expect("a place")).collect();
        assert!(taken.take(ONE, UserId(1)).is_none());
        assert!(taken.take(ONE, UserId(2)).is_some(), "others have theirs");
        held.pop();
        let again = taken.take(ONE, UserId(1)).expect("a place is free again");
        drop((held, again));
        assert!(taken.users().is_empty(), "nothing is kept of who has gone");
    }

    #[test]
    fn one_client_leaves_places_to_the_users_of_others() {
        let taken = Taken::new("live_streams");
        let first = hog(&taken, 1);
        assert_eq!(first.len(), LIVE_MAX / 2);
        let second = hog(&taken, 2);
        assert!(second.len() >= LIVE_MAX / 4, "{}", second.len());
        assert!(taken.take(ClientId(3), UserId(9)).is_some());
    }
}
