//! Refused sign-ins on their way to the activity log. Whoever knocks must not fill it: of one account and one address there is an
//! entry at once, and then one a minute that says how many there were.

use super::record;
use crate::Shared;
use crate::session::From;
use hitwire_event::ClientId;
use hitwire_share::network;
use hitwire_store::{Op, User, UserId};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often there is an entry of the same account and address.
const ENTRY_EVERY: Duration = Duration::from_mins(1);

/// Pairs of account and address of one client that are counted apart; the rest of its refusals are counted together.
const APART_MAX: usize = 100;

/// The refusals of the last minute, some 500 bytes for each pair.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<Knocker, Count>>);

/// Who is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Knocker {
    /// Somebody at an address who tries one account.
    One(ClientId, UserId, IpAddr),
    /// All for whom there was no place of their own.
    Others(ClientId),
}

impl Knocker {
    fn client(self) -> ClientId {
        match self {
            Knocker::One(client, ..) | Knocker::Others(client) => client,
        }
    }
}

/// What came since the entry before.
#[derive(Debug, Default)]
struct Count {
    times: u64,
    latest: Option<Refusal>,
}

/// A sign-in that was refused.
#[derive(Clone, Debug)]
struct Refusal {
    user: User,
    why: &'static str,
    from: From,
}

impl Refusals {
    fn counts(&self) -> MutexGuard<'_, HashMap<Knocker, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a refusal. If it is the first one in a while it is given back, to be written down now.
    fn note(&self, refusal: Refusal) -> Option<(Knocker, Refusal)> {
        let client = refusal.user.client;
        let mut counts = self.counts();
        let mut knocker = Knocker::One(client, refusal.user.id, network(refusal.from.ip()));
        if !counts.contains_key(&knocker)
            && counts.keys().filter(|other| other.client() == client).count() >= APART_MAX
        {
            knocker = Knocker::Others(client);
        }
        if let Some(count) = counts.get_mut(&knocker) {
            count.times += 1;
            count.latest = Some(refusal);
            return None;
        }
        counts.insert(knocker, Count::default());
        Some((knocker, refusal))
    }

    /// What came since the entry before; none: nothing, and the next one is the first again.
    fn take(&self, knocker: Knocker) -> Option<Count> {
        let mut counts = self.counts();
        match counts.get_mut(&knocker) {
            Some(count) if count.times > 0 => Some(std::mem::take(count)),
            _ => {
                counts.remove(&knocker);
                None
            }
        }
    }
}

/// Records a refused sign-in without delaying the answer: its timing must not show who has an account.
pub(super) fn note(console: &Shared, user: &User, why: &'static str, from: &From) {
    tracing::info!(user = %user.id, why, address = from.address, "sign-in refused");
    let refusal = Refusal { user: user.clone(), why, from: from.clone() };
    let Some((knocker, refusal)) = console.sign_in.refusals.note(refusal) else { return };
    let writing = write(Arc::clone(console), knocker, refusal);
    console.tasks.spawn(writing);
}

/// Writes the first refusal, and what comes after it minute by minute, until a minute brings none or hitwire stops.
async fn write(console: Shared, knocker: Knocker, first: Refusal) {
    commit(&console, record::refused(&first.user, first.why, &first.from)).await;
    loop {
        let is_last = tokio::select! {
            () = tokio::time::sleep(ENTRY_EVERY) => false,
            () = console.stop.cancelled() => true,
        };
        let Some(Count { times, latest: Some(latest) }) = console.sign_in.refusals.take(knocker) else {
            return;
        };
        let entry = match knocker {
            Knocker::One(..) => record::refused_again(&latest.user, latest.why, &latest.from, times),
            Knocker::Others(client) => record::refused_elsewhere(client, times),
        };
        commit(&console, entry).await;
        if is_last {
            return;
        }
    }
}

async fn commit(console: &Shared, entry: Op) {
    if let Err(error) = console.store.commit(vec![entry]).await {
        tracing::warn!(%error, "a refused sign-in could not be written down");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitwire_store::Role;

    fn refusal(client: u64, user: u64, address: &str) -> Refusal {
        let user = User {
            id: UserId(user),
            uuid: String::new(),
            client: ClientId(client),
            email: format!("{user}@example.com"),
            name: String::new(),
            role: Role::Administrator,
            enabled: true,
            created_at: 0,
            created_by: String::new(),
            revision: 1,
            time_zone: None,
        };
        let from = From { address: address.to_owned(), agent: String::new() };
        Refusal { user, why: "wrong password", from }
    }

    #[test]
    fn the_first_refusal_is_written_at_once_and_the_rest_of_a_minute_counted() {
        let refusals = Refusals::default();
        let (one, _) = refusals.note(refusal(1, 1, "192.0.2.1")).expect("the first");
        for _ in 0..5 {
            assert!(refusals.note(refusal(1, 1, "192.0.2.1")).is_none());
        }
        assert!(refusals.note(refusal(1, 2, "192.0.2.1")).is_some(), "another account");
        assert!(refusals.note(refusal(1, 1, "192.0.2.2")).is_some(), "another address");
        assert_eq!(refusals.take(one).map(|count| count.times), Some(5));
        assert!(refusals.note(refusal(1, 1, "192.0.2.1")).is_none(), "counted for the next minute");
        assert_eq!(refusals.take(one).map(|count| count.times), Some(1));
        assert!(refusals.take(one).is_none(), "a minute without");
        assert!(refusals.note(refusal(1, 1, "192.0.2.1")).is_some());
    }

    #[test]
    fn addresses_without_number_are_counted_together_and_other_clients_are_not_touched() {
        let refusals = Refusals::default();
        let written = (0..5_000_u32)
            .filter(|n| refusals.note(refusal(1, 1, &std::net::Ipv4Addr::from(*n).to_string())).is_some());
        assert_eq!(written.count(), APART_MAX + 1);
        let others = refusals.take(Knocker::Others(ClientId(1))).expect("some");
        assert_eq!(others.times, 5_000 - APART_MAX as u64 - 1);
        assert!(refusals.note(refusal(2, 9, "192.0.2.1")).is_some());
    }
}
