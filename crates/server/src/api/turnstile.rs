//! How often a client may make a call that costs more than an answer.

use hitwire_event::ClientId;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Within which the calls are counted.
const WINDOW: Duration = Duration::from_mins(1);

/// When to come again if too many are under way: nobody knows when one of them ends.
const RETRY_WHEN_BUSY: Duration = Duration::from_secs(10);

/// Lets a client through so many times a minute, and so many at once. It remembers nobody who did not come within the last
/// minute.
#[derive(Debug)]
pub(crate) struct Turnstile {
    a_minute: usize,
    at_once: usize,
    clients: Clients,
}

/// Those who came lately; shared with those who are still inside.
type Clients = Arc<Mutex<HashMap<ClientId, Passages>>>;

#[derive(Debug, Default)]
struct Passages {
    /// When they began, monotonic; not before the window.
    begun: VecDeque<Duration>,
    under_way: usize,
}

/// One who was let through; dropped when the call has ended.
#[derive(Debug)]
pub(crate) struct Passage {
    clients: Clients,
    client: ClientId,
}

/// Come again after this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ComeAgain(pub(crate) Duration);

impl Turnstile {
    pub(crate) fn new(a_minute: usize, at_once: usize) -> Self {
        Turnstile { a_minute, at_once, clients: Clients::default() }
    }

    /// Lets the client through, or says when to come again. `now` is monotonic time.
    pub(crate) fn pass(&self, client: ClientId, now: Duration) -> Result<Passage, ComeAgain> {
        let mut clients = locked(&self.clients);
        clients.retain(|_, passages| {
            passages.forget_before(now);
            passages.under_way > 0 || !passages.begun.is_empty()
        });
        let passages = clients.entry(client).or_default();
        if passages.under_way >= self.at_once {
            return Err(ComeAgain(RETRY_WHEN_BUSY));
        }
        if passages.begun.len() >= self.a_minute {
            let oldest = passages.begun.front().copied().unwrap_or(now);
            return Err(ComeAgain((oldest + WINDOW).saturating_sub(now)));
        }
        passages.begun.push_back(now);
        passages.under_way += 1;
        Ok(Passage { clients: Arc::clone(&self.clients), client })
    }
}

fn locked(clients: &Clients) -> MutexGuard<'_, HashMap<ClientId, Passages>> {
    clients.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Passages {
    fn forget_before(&mut self, now: Duration) {
        while self.begun.front().is_some_and(|begun| *begun + WINDOW <= now) {
            self.begun.pop_front();
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        if let Some(passages) = locked(&self.clients).get_mut(&self.client) {
            passages.under_way = passages.under_way.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ClientId = ClientId(1);
    const OTHER: ClientId = ClientId(2);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn who_comes_too_often_is_told_when_to_come_again() {
        let turnstile = Turnstile::new(2, 9);
        for now in [at(0), at(10)] {
            turnstile.pass(ONE, now).expect("let through");
        }
        assert_eq!(turnstile.pass(ONE, at(20)).map(drop), Err(ComeAgain(at(40))));
        turnstile.pass(OTHER, at(20)).expect("another client");
        turnstile.pass(ONE, at(60)).expect("the first is a minute ago");
        assert_eq!(turnstile.pass(ONE, at(61)).map(drop), Err(ComeAgain(at(9))));
    }

    #[test]
    fn a_call_that_lasts_takes_a_place_until_it_ends() {
        let turnstile = Turnstile::new(100, 1);
        let first = turnstile.pass(ONE, at(0)).expect("let through");
        turnstile.pass(ONE, at(300)).expect_err("one is under way");
        turnstile.pass(OTHER, at(300)).expect("another client");
        drop(first);
        turnstile.pass(ONE, at(300)).expect("the place is free");
    }

    #[test]
    fn nobody_is_remembered_for_longer_than_a_minute() {
        let turnstile = Turnstile::new(10, 10);
        for client in 0..1_000 {
            turnstile.pass(ClientId(client), at(0)).expect("let through");
        }
        turnstile.pass(ONE, at(60)).expect("let through");
        assert_eq!(locked(&turnstile.clients).len(), 1);
    }
}
