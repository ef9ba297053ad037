//! How often a client may make a call that costs more than an answer.

use hitwire_event::ClientId;
use hitwire_share::{Holder, Share, Shares};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Within which the calls are counted.
const WINDOW: Duration = Duration::from_mins(1);

/// When to come again if too many are under way: nobody knows when one of them ends.
const RETRY_WHEN_BUSY: Duration = Duration::from_secs(10);

/// Lets a client through so many times a minute, and so many at once; of all clients together there is a number at once too,
/// of which each has its share. It remembers nobody who did not come within the last minute.
#[derive(Debug)]
pub struct Turnstile {
    a_minute: usize,
    inside: Shares<Holder>,
    /// When those who came lately began, monotonic; not before the window.
    begun: Mutex<HashMap<ClientId, VecDeque<Duration>>>,
}

/// One who was let through; dropped when the call has ended.
#[derive(Debug)]
pub struct Passage {
    _inside: Share<Holder>,
}

/// Come again after this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComeAgain(pub Duration);

impl Turnstile {
    /// `name`: what is let through, as the log and the metrics call it.
    pub fn new(name: &'static str, a_minute: usize, at_once: usize, all_at_once: usize) -> Self {
        Turnstile { a_minute, inside: Shares::with_each(name, all_at_once, at_once), begun: Mutex::default() }
    }

    /// What those who are inside take a share of.
    pub fn shares(&self) -> Shares<Holder> {
        self.inside.clone()
    }

    /// Lets the client through, or says when to come again. `now` is monotonic time.
    pub fn pass(&self, client: ClientId, now: Duration) -> Result<Passage, ComeAgain> {
        let mut all = self.begun();
        all.retain(|_, begun| {
            while begun.front().is_some_and(|begun| *begun + WINDOW <= now) {
                begun.pop_front();
            }
            !begun.is_empty()
        });
        let begun = all.get(&client).map_or(0, VecDeque::len);
        if begun >= self.a_minute {
            let oldest = all.get(&client).and_then(|begun| begun.front()).copied().unwrap_or(now);
            return Err(ComeAgain((oldest + WINDOW).saturating_sub(now)));
        }
        let inside = self.inside.try_take(Holder::Client(client), 1);
        let inside = inside.map_err(|_| ComeAgain(RETRY_WHEN_BUSY))?;
        all.entry(client).or_default().push_back(now);
        Ok(Passage { _inside: inside })
    }

    fn begun(&self) -> MutexGuard<'_, HashMap<ClientId, VecDeque<Duration>>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
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
        let turnstile = Turnstile::new("calls", 2, 9, 100);
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
        let turnstile = Turnstile::new("calls", 100, 1, 100);
        let first = turnstile.pass(ONE, at(0)).expect("let through");
        turnstile.pass(ONE, at(300)).expect_err("one is under way");
        turnstile.pass(OTHER, at(300)).expect("another client");
        drop(first);
        turnstile.pass(ONE, at(300)).expect("the place is free");
    }

    #[test]
    fn all_together_have_a_number_of_places_of_which_a_newcomer_finds_one() {
        let turnstile = Turnstile::new("calls", 100, 4, 16);
        let mut inside = Vec::new();
        for client in 1..=3 {
            inside.extend(std::iter::from_fn(|| turnstile.pass(ClientId(client), at(0)).ok()));
        }
        assert_eq!(inside.len(), 12, "four each");
        for client in 4..=5 {
            inside.extend(std::iter::from_fn(|| turnstile.pass(ClientId(client), at(0)).ok()));
        }
        assert!((14..=16).contains(&inside.len()), "{}", inside.len());
        drop(inside);
        turnstile.pass(ClientId(6), at(0)).expect("let through");
    }

    #[test]
    fn nobody_is_remembered_for_longer_than_a_minute() {
        let turnstile = Turnstile::new("calls", 10, 10, 2_000);
        for client in 0..1_000 {
            turnstile.pass(ClientId(client), at(0)).expect("let through");
        }
        turnstile.pass(ONE, at(60)).expect("let through");
        assert_eq!(turnstile.begun().len(), 1);
    }
}
