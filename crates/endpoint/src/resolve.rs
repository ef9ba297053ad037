//! Names into addresses.

use hitwire_event::{ClientId, escape};
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The most lookups under way. The system's resolver blocks a thread for each, out of the runtime's 512 for blocking
/// work, and a name server that hangs may block it for half a minute.
const LOOKUPS_MAX: usize = 256;

/// The most lookups under way for one client, so that one with names that hang cannot use up those of the others.
const CLIENT_LOOKUPS_MAX: usize = 32;

/// From this many clients on those without a lookup under way are forgotten.
const CLIENTS_KEPT: usize = 1024;

/// Resolves names. Cheap to clone; clones share their lookups.
#[derive(Clone, Debug)]
pub struct Resolver(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System(Arc<Lookups>),
    Table(Arc<HashMap<String, Answer>>),
}

/// What a fixed table says about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Its addresses.
    Addresses(Vec<IpAddr>),
    /// Nothing, ever: a name server that hangs.
    Silence,
}

impl Resolver {
    /// The system's resolver (`getaddrinfo`: hosts file, DNS and what else is configured).
    pub fn system() -> Resolver {
        Resolver(Kind::System(Arc::new(Lookups::default())))
    }

    /// A fixed table, for tests and simulations; names that are not in it do not exist.
    pub fn table(names: impl IntoIterator<Item = (String, Answer)>) -> Resolver {
        Resolver(Kind::Table(Arc::new(names.into_iter().collect())))
    }

    /// All addresses of a name, in the order in which they should be tried; at least one. Has no timeout of its own.
    pub(crate) async fn resolve(&self, client: ClientId, host: &str) -> Result<Arc<[IpAddr]>, Unresolved> {
        let addresses = match &self.0 {
            Kind::System(lookups) => lookups.join(client, host).await?,
            Kind::Table(names) => match names.get(host) {
                Some(Answer::Addresses(addresses)) => addresses.as_slice().into(),
                Some(Answer::Silence) => std::future::pending().await,
                None => return Err(Unresolved::new("the name does not exist")),
            },
        };
        if addresses.is_empty() {
            return Err(Unresolved::new("the name has no address"));
        }
        Ok(addresses)
    }
}

/// Why a name has no address, in the system's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unresolved(Arc<str>);

impl Unresolved {
    fn new(words: &str) -> Self {
        Unresolved(words.into())
    }

    fn of_io(error: &io::Error) -> Self {
        // The standard library puts the same words before every answer of `getaddrinfo`.
        let words = error.to_string();
        let words = words.strip_prefix("failed to lookup address information: ").unwrap_or(&words);
        Unresolved::new(&escape::visible(words))
    }
}

type Outcome = Result<Arc<[IpAddr]>, Unresolved>;

/// The lookups under way. A name is looked up once at a time, however many wait for it: a name that hangs blocks one
/// thread, not one for each integration and attempt.
#[derive(Debug)]
struct Lookups {
    running: Mutex<HashMap<String, watch::Receiver<Option<Outcome>>>>,
    slots: Arc<Semaphore>,
    clients: Mutex<HashMap<ClientId, Arc<Semaphore>>>,
}

impl Default for Lookups {
    fn default() -> Self {
        Lookups {
            running: Mutex::default(),
            slots: Arc::new(Semaphore::new(LOOKUPS_MAX)),
            clients: Mutex::default(),
        }
    }
}

impl Lookups {
    async fn join(self: &Arc<Self>, client: ClientId, host: &str) -> Outcome {
        let running = lock(&self.running).get(host).cloned();
        let mut outcome = if let Some(running) = running {
            running
        } else {
            let slots = self.slots(client).await?;
            self.begin(host, slots)
        };
        let done = outcome.wait_for(Option::is_some).await;
        match done.as_deref() {
            Ok(Some(outcome)) => outcome.clone(),
            Ok(None) | Err(_) => Err(Unresolved::new("the lookup was abandoned")),
        }
    }

    async fn slots(&self, client: ClientId) -> Result<Slots, Unresolved> {
        let of_client = {
            let mut clients = lock(&self.clients);
            if clients.len() >= CLIENTS_KEPT {
                clients.retain(|_, slots| Arc::strong_count(slots) > 1);
            }
            clients.entry(client).or_insert_with(|| Arc::new(Semaphore::new(CLIENT_LOOKUPS_MAX))).clone()
        };
        // Semaphores are never closed; the error cannot occur.
        let closed = |_| Unresolved::new("the lookup was abandoned");
        let of_client = of_client.acquire_owned().await.map_err(closed)?;
        let of_all = self.slots.clone().acquire_owned().await.map_err(closed)?;
        Ok(Slots { _of_client: of_client, _of_all: of_all })
    }

    /// Begins a lookup, or joins one that was begun while waiting for a slot. It runs to its end whether or not anyone
    /// still waits, as its thread does.
    fn begin(self: &Arc<Self>, host: &str, slots: Slots) -> watch::Receiver<Option<Outcome>> {
        let mut running = lock(&self.running);
        if let Some(running) = running.get(host) {
            return running.clone();
        }
        let (done, outcome) = watch::channel(None);
        running.insert(host.to_owned(), outcome.clone());
        let lookup = Lookup { lookups: self.clone(), host: host.to_owned(), _slots: slots };
        tokio::spawn(async move {
            let outcome = lookup.run().await;
            drop(lookup);
            // Nobody may be waiting any more.
            let _ = done.send(Some(outcome));
        });
        outcome
    }
}

#[derive(Debug)]
struct Slots {
    _of_client: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

/// A lookup under way; leaves the list when dropped, however it ended.
struct Lookup {
    lookups: Arc<Lookups>,
    host: String,
    _slots: Slots,
}

impl Lookup {
    async fn run(&self) -> Outcome {
        match tokio::net::lookup_host((self.host.as_str(), 0)).await {
            Ok(addresses) => Ok(addresses.map(|address| address.ip()).collect()),
            Err(error) => Err(Unresolved::of_io(&error)),
        }
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        lock(&self.lookups.running).remove(&self.host);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: ClientId = ClientId(1);

    #[tokio::test]
    async fn the_system_knows_localhost_and_no_invalid_name() {
        let resolver = Resolver::system();
        let addresses = resolver.resolve(CLIENT, "localhost").await.unwrap();
        assert!(addresses.iter().all(IpAddr::is_loopback), "{addresses:?}");
        assert!(resolver.resolve(CLIENT, "name.invalid").await.is_err());
        let Kind::System(lookups) = &resolver.0 else { unreachable!() };
        assert!(lock(&lookups.running).is_empty());
        assert_eq!(lookups.slots.available_permits(), LOOKUPS_MAX);
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_at_a_time_however_many_wait() {
        let resolver = Resolver::system();
        let Kind::System(lookups) = &resolver.0 else { unreachable!() };
        let (done, outcome) = watch::channel(None);
        lock(&lookups.running).insert("slow.example".to_owned(), outcome);
        let waiting: Vec<_> = (0..5)
            .map(|_| {
                let resolver = resolver.clone();
                tokio::spawn(async move { resolver.resolve(CLIENT, "slow.example").await })
            })
            .collect();
        tokio::task::yield_now().await;
        assert_eq!(lookups.slots.available_permits(), LOOKUPS_MAX, "joining takes no slot");
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        done.send(Some(Ok([address].into()))).unwrap();
        for one in waiting {
            assert_eq!(*one.await.unwrap().unwrap(), [address]);
        }
    }

    #[tokio::test]
    async fn names_that_hang_use_up_only_their_own_clients_lookups() {
        let lookups = Lookups::default();
        let mut hanging = Vec::new();
        for _ in 0..CLIENT_LOOKUPS_MAX {
            hanging.push(lookups.slots(CLIENT).await.unwrap());
        }
        let waits = tokio::time::timeout(std::time::Duration::ZERO, lookups.slots(CLIENT)).await;
        assert!(waits.is_err(), "the client's next lookup waits");
        assert!(lookups.slots(ClientId(2)).await.is_ok(), "another client's does not");
        hanging.pop();
        assert!(lookups.slots(CLIENT).await.is_ok());
    }

    #[tokio::test]
    async fn a_table_says_what_it_was_told() {
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let resolver = Resolver::table([
            ("a.example".to_owned(), Answer::Addresses(vec![address])),
            ("empty.example".to_owned(), Answer::Addresses(vec![])),
        ]);
        assert_eq!(*resolver.resolve(CLIENT, "a.example").await.unwrap(), [address]);
        let error = resolver.resolve(CLIENT, "b.example").await.unwrap_err();
        assert_eq!(error.to_string(), "the name does not exist");
        let error = resolver.resolve(CLIENT, "empty.example").await.unwrap_err();
        assert_eq!(error.to_string(), "the name has no address");
    }
}
