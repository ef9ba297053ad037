//! Pages that stay open and are told what is new: server-sent events.

use crate::Shared;
use crate::failure::Failure;
use crate::session::{self, Session};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};
use hitwire_log::UserId;
use http::StatusCode;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Pages that stay open at the same time, in the whole installation.
pub(crate) const LIVE_MAX: usize = 256;

/// The same of one user: a browser opens no more than six connections to a host, and a user may have two of them.
const LIVE_OF_A_USER_MAX: usize = 12;

/// How often it is looked whether whoever watches may still see it.
const STILL_SIGNED_IN_EVERY: Duration = Duration::from_secs(2);

/// Something to say at least this often, so that neither side takes the connection for dead.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);

/// Places for pages that stay open.
#[derive(Clone, Debug, Default)]
pub struct Places(Arc<Mutex<HashMap<UserId, usize>>>);

/// A place, until it is dropped.
struct Place {
    places: Places,
    user: UserId,
}

impl Places {
    /// A place for a page of this user, if there is one.
    fn take(&self, user: UserId) -> Option<Place> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_user = taken.get(&user).copied().unwrap_or_default();
        if of_user >= LIVE_OF_A_USER_MAX || taken.values().sum::<usize>() >= LIVE_MAX {
            return None;
        }
        taken.insert(user, of_user + 1);
        Some(Place { places: self.clone(), user })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.user) {
            Some(of_user) if *of_user > 1 => *of_user -= 1,
            _ => {
                taken.remove(&self.user);
            }
        }
    }
}

/// Sends events as they come, until the page is closed, the session ends (or its user's role changes), or hitwire stops. A page whose
/// stream has ended asks again by itself, and is told then that nobody is signed in any more.
pub(crate) fn events(
    console: &Shared,
    session: &Session,
    events: impl Stream<Item = Event> + Send + 'static,
) -> Result<Response, Failure> {
    let Some(place) = console.live.take(session.user.id) else {
        return Err(Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many pages are open",
            format!(
                "A user may have {LIVE_OF_A_USER_MAX} pages that are told what is new, all users together {LIVE_MAX}. Close some, or reload this one by hand."
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_cannot_take_the_places_of_all() {
        let places = Places::default();
        let mut held: Vec<_> =
            (0..LIVE_OF_A_USER_MAX).map(|_| places.take(UserId(1)).expect("a place")).collect();
        assert!(places.take(UserId(1)).is_none());
        assert!(places.take(UserId(2)).is_some(), "others have theirs");
        held.pop();
        let again = places.take(UserId(1)).expect("a place is free again");
        drop((held, again));
        let all: Vec<_> = (0..LIVE_MAX).map(|at| places.take(UserId(at as u64 / 8))).collect();
        assert!(all.iter().all(Option::is_some));
        assert!(places.take(UserId(1_000)).is_none());
        drop(all);
        assert!(places.0.lock().expect("no panic").is_empty(), "nothing is kept of who has gone");
    }
}
