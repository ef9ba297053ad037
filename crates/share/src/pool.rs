//! Units that are handed out by the rule, and those who wait for some.

use crate::notice::Notices;
use std::collections::{HashMap, VecDeque};
use std::fmt::{self, Debug, Display};
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::oneshot;

/// What a holder is told apart by.
pub trait Key: Clone + Eq + Hash + Display + Debug + Send + 'static {}

impl<K: Clone + Eq + Hash + Display + Debug + Send + 'static> Key for K {}

/// A bounded number of units, of which many holders take some. Cheap to clone; clones hand out the same units.
pub struct Shares<K: Key>(Arc<Pool<K>>);

/// Why nothing can be had now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsedUp {
    /// The holder has its share.
    Own,
    /// All units are held by others.
    All,
}

/// Units that a holder has, until this is dropped.
pub struct Share<K: Key> {
    pool: Arc<Pool<K>>,
    holder: K,
    units: usize,
}

struct Pool<K: Key> {
    name: &'static str,
    total: usize,
    each: usize,
    /// Whether those whose share is used up are logged.
    is_told: bool,
    refusals: AtomicU64,
    state: Mutex<State<K>>,
}

struct State<K: Key> {
    used: usize,
    held: HashMap<K, usize>,
    waiting: HashMap<K, VecDeque<Waiter<K>>>,
    /// Holders that wait, in the order in which they are served.
    turns: VecDeque<K>,
    /// Whether the first in turn holds nothing and waits for what the others give back: then nobody passes it.
    is_reserving: bool,
    tickets: u64,
    notices: Notices<K>,
}

struct Waiter<K: Key> {
    ticket: u64,
    units: usize,
    rule: Rule,
    granted: oneshot::Sender<Share<K>>,
}

/// What bounds a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// The holder's share.
    Share,
    /// What is free, and nothing else.
    Free,
}

impl<K: Key> Shares<K> {
    /// So many units. `name` is what they are, as the log and the metrics call it: `connections`.
    pub fn new(name: &'static str, total: usize) -> Self {
        Self::with_each(name, total, total)
    }

    /// The same, of which no holder has more than `each`.
    pub fn with_each(name: &'static str, total: usize, each: usize) -> Self {
        Self::of(name, total, each, true)
    }

    fn of(name: &'static str, total: usize, each: usize, is_told: bool) -> Self {
        let state = State {
            used: 0,
            held: HashMap::new(),
            waiting: HashMap::new(),
            turns: VecDeque::new(),
            is_reserving: false,
            tickets: 0,
            notices: Notices::default(),
        };
        Shares(Arc::new(Pool {
            name,
            total,
            each,
            is_told,
            refusals: AtomicU64::new(0),
            state: Mutex::new(state),
        }))
    }

    /// What the units are.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// All units.
    pub fn total(&self) -> usize {
        self.0.total
    }

    /// Units that are held now.
    pub fn used(&self) -> usize {
        self.0.state().used
    }

    /// How often a holder was refused, or had to wait, because its share was used up; since the start.
    pub fn refusals(&self) -> u64 {
        self.0.refusals.load(Ordering::Relaxed)
    }

    /// So many units at once, or why not. More than there are count as all of them.
    pub fn try_take(&self, holder: K, units: usize) -> Result<Share<K>, UsedUp> {
        let units = self.0.clamped(units);
        let mut state = self.0.state();
        let verdict = if state.waiting.contains_key(&holder) {
            Err(if state.own(&holder) == 0 { UsedUp::All } else { UsedUp::Own })
        } else if state.is_reserving {
            Err(UsedUp::All)
        } else {
            self.0.admits(&state, Rule::Share, &holder, units)
        };
        match verdict {
            Ok(()) => {
                state.give(&holder, units);
                Ok(Share { pool: Arc::clone(&self.0), holder, units })
            }
            Err(used_up) => {
                self.0.note(&mut state, &holder, used_up);
                Err(used_up)
            }
        }
    }

    /// Waits for so many units; more than a holder can have count as all that it can have. Dropped before it is ready, it leaves the queue.
    pub async fn take(&self, holder: K, units: usize) -> Share<K> {
        self.take_by(Rule::Share, holder, units).await
    }

    /// The same for a holder that is bounded by what is free alone: one that brings what many others ask for.
    pub async fn take_exempt(&self, holder: K, units: usize) -> Share<K> {
        self.take_by(Rule::Free, holder, units).await
    }

    async fn take_by(&self, rule: Rule, holder: K, units: usize) -> Share<K> {
        let units = self.0.clamped(units);
        let (waiting, grant) = {
            let mut state = self.0.state();
            let passes_nobody = !state.is_reserving && !state.waiting.contains_key(&holder);
            let verdict = self.0.admits(&state, rule, &holder, units);
            if passes_nobody && verdict.is_ok() {
                state.give(&holder, units);
                return Share { pool: Arc::clone(&self.0), holder, units };
            }
            if let Err(used_up) = verdict {
                self.0.note(&mut state, &holder, used_up);
            }
            self.0.queue(&mut state, rule, holder, units)
        };
        let share = grant.await.expect("a request stays in the queue until it is served or dropped");
        drop(waiting);
        share
    }
}

/// A lock that holders get in turn, one request of each: a thousand requests of one holder delay another holder's by one.
#[derive(Debug)]
pub struct Turns<K: Key>(Shares<K>);

impl<K: Key> Turns<K> {
    /// A lock. `name` is what it is for.
    pub fn new(name: &'static str) -> Self {
        Turns(Shares::of(name, 1, 1, false))
    }

    /// Waits for the turn, which lasts until the share is dropped.
    pub async fn wait(&self, holder: K) -> Share<K> {
        self.0.take(holder, 1).await
    }
}

impl<K: Key> Share<K> {
    /// How many units these are.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Makes one share of two of the same holder.
    pub fn merge(&mut self, mut other: Share<K>) {
        debug_assert!(Arc::ptr_eq(&self.pool, &other.pool) && self.holder == other.holder);
        self.units += std::mem::take(&mut other.units);
    }
}

impl<K: Key> Drop for Share<K> {
    fn drop(&mut self) {
        if self.units > 0 {
            self.pool.give_back(&self.holder, self.units);
        }
    }
}

/// A place in the queue, which is left when this is dropped.
struct Waiting<K: Key> {
    pool: Arc<Pool<K>>,
    holder: K,
    ticket: u64,
}

impl<K: Key> Drop for Waiting<K> {
    fn drop(&mut self) {
        let grants = {
            let mut state = self.pool.state();
            let Some(queue) = state.waiting.get_mut(&self.holder) else { return };
            let before = queue.len();
            queue.retain(|waiter| waiter.ticket != self.ticket);
            if queue.len() == before {
                return;
            }
            if queue.is_empty() {
                state.waiting.remove(&self.holder);
                state.turns.retain(|holder| *holder != self.holder);
            }
            self.pool.serve(&mut state)
        };
        self.pool.hand_out(grants);
    }
}

/// A request that is served, and whose it is.
type Grant<K> = (Waiter<K>, K);

impl<K: Key> Pool<K> {
    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request for more than can ever be had would wait for ever.
    fn clamped(&self, units: usize) -> usize {
        units.min(self.total).min(self.each)
    }

    /// Whether a request may be served now, by the rule of this crate.
    fn admits(&self, state: &State<K>, rule: Rule, holder: &K, units: usize) -> Result<(), UsedUp> {
        let (own, free) = (state.own(holder), self.total - state.used);
        if rule == Rule::Free || own == 0 {
            return if units <= free { Ok(()) } else { Err(UsedUp::All) };
        }
        let leaves_room = units <= free && own + units <= free - units;
        if leaves_room && own + units <= self.each { Ok(()) } else { Err(UsedUp::Own) }
    }

    /// Puts a request into the queue.
    fn queue(
        self: &Arc<Self>,
        state: &mut State<K>,
        rule: Rule,
        holder: K,
        units: usize,
    ) -> (Waiting<K>, oneshot::Receiver<Share<K>>) {
        let (granted, grant) = oneshot::channel();
        state.tickets += 1;
        let ticket = state.tickets;
        let queue = state.waiting.entry(holder.clone()).or_default();
        if queue.is_empty() {
            state.turns.push_back(holder.clone());
        }
        queue.push_back(Waiter { ticket, units, rule, granted });
        // Nothing was given back, so nobody is served: this only finds out whether the first in turn is to be passed.
        let grants = self.serve(state);
        debug_assert!(grants.is_empty(), "somebody waited for what was free");
        (Waiting { pool: Arc::clone(self), holder, ticket }, grant)
    }

    fn give_back(self: &Arc<Self>, holder: &K, units: usize) {
        let grants = {
            let mut state = self.state();
            state.used -= units;
            if let Some(own) = state.held.get_mut(holder) {
                *own -= units;
                if *own == 0 {
                    state.held.remove(holder);
                }
            }
            if state.turns.is_empty() { Vec::new() } else { self.serve(&mut state) }
        };
        self.hand_out(grants);
    }

    /// Not under the lock: the share of somebody who waits no longer is dropped here, which gives it back.
    fn hand_out(self: &Arc<Self>, grants: Vec<Grant<K>>) {
        for (Waiter { units, granted, .. }, holder) in grants {
            drop(granted.send(Share { pool: Arc::clone(self), holder, units }));
        }
    }

    /// Gives what is free to those who wait, one request of each holder in turn.
    fn serve(&self, state: &mut State<K>) -> Vec<Grant<K>> {
        let mut grants = Vec::new();
        // Holders that have their share. With less free they still have it, so each is looked at once.
        let mut satisfied = Vec::new();
        state.is_reserving = false;
        while let Some(holder) = state.turns.pop_front() {
            let Some(first) = state.waiting.get(&holder).and_then(|queue| queue.front()) else { continue };
            let (rule, units) = (first.rule, first.units);
            match self.admits(state, rule, &holder, units) {
                Ok(()) => {
                    state.give(&holder, units);
                    if let Some(queue) = state.waiting.get_mut(&holder) {
                        grants.extend(queue.pop_front().map(|waiter| (waiter, holder.clone())));
                        if queue.is_empty() {
                            state.waiting.remove(&holder);
                        } else {
                            state.turns.push_back(holder);
                        }
                    }
                }
                Err(UsedUp::Own) => satisfied.push(holder),
                Err(UsedUp::All) => {
                    state.turns.push_front(holder);
                    state.is_reserving = true;
                    break;
                }
            }
        }
        state.turns.extend(satisfied);
        grants
    }

    /// Counts that a holder got nothing because of its own share, and logs it if a line is due.
    fn note(&self, state: &mut State<K>, holder: &K, used_up: UsedUp) {
        if used_up == UsedUp::All {
            return;
        }
        self.refusals.fetch_add(1, Ordering::Relaxed);
        if self.is_told
            && let Some(not_logged) = state.notices.due(holder, Instant::now())
        {
            tracing::warn!(
                share = self.name,
                %holder,
                held = state.own(holder),
                used = state.used,
                total = self.total,
                not_logged,
                "a share is used up: its holder waits or is refused until it gives something back"
            );
        }
    }
}

impl<K: Key> State<K> {
    fn own(&self, holder: &K) -> usize {
        self.held.get(holder).copied().unwrap_or(0)
    }

    fn give(&mut self, holder: &K, units: usize) {
        self.used += units;
        *self.held.entry(holder.clone()).or_default() += units;
    }
}

impl<K: Key> Clone for Shares<K> {
    fn clone(&self) -> Self {
        Shares(Arc::clone(&self.0))
    }
}

impl<K: Key> Debug for Shares<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shares")
            .field("name", &self.0.name)
            .field("total", &self.0.total)
            .finish_non_exhaustive()
    }
}

impl<K: Key> Debug for Share<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share")
            .field("holder", &self.holder)
            .field("units", &self.units)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
