//! What is remembered of places for a while, so that the next attempt goes another way.
//!
//! Lost with the process: it costs an attempt to learn it again.

use crate::pool::Place;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Places of which something is remembered; past that the oldest is forgotten. Each takes well under 1 KiB.
const PLACES_MAX: usize = 4096;

/// How long a place is spoken to in HTTP/1.1 after it asked for that.
const HTTP1_FOR: Duration = Duration::from_hours(24);

/// How long TLS sessions are not resumed where that failed: a server that was mended is found out, at the price of one handshake.
const FULL_HANDSHAKES_FOR: Duration = Duration::from_hours(12);

/// How long an address that failed is tried after the others of its name.
const FAILED_FOR: Duration = Duration::from_mins(10);

/// The most addresses of one name that are remembered as failed.
const FAILED_MAX: usize = 16;

/// Something that is remembered of places. Cheap to clone; clones share it.
#[derive(Debug)]
struct Memory<T> {
    places: Arc<Mutex<HashMap<Place, Remembered<T>>>>,
    time: Duration,
}

#[derive(Debug)]
struct Remembered<T> {
    what: T,
    at: Instant,
}

impl<T> Clone for Memory<T> {
    fn clone(&self) -> Self {
        Memory { places: self.places.clone(), time: self.time }
    }
}

impl<T> Memory<T> {
    fn new(time: Duration) -> Self {
        Memory { places: Arc::default(), time }
    }

    /// What is remembered of this place, if it is not too old.
    fn get<R>(&self, place: &Place, read: impl FnOnce(&T) -> R) -> Option<R> {
        let places = self.lock();
        let remembered = places.get(place)?;
        (remembered.at.elapsed() < self.time).then(|| read(&remembered.what))
    }

    /// Changes what is remembered, beginning with what there is or nothing, and keeps it if `change` says so.
    fn change(&self, place: &Place, change: impl FnOnce(&mut T) -> bool)
    where
        T: Default,
    {
        let now = Instant::now();
        let mut places = self.lock();
        let before = places.remove(place).filter(|before| now.duration_since(before.at) < self.time);
        let mut what = before.map(|before| before.what).unwrap_or_default();
        if !change(&mut what) {
            return;
        }
        if places.len() >= PLACES_MAX {
            places.retain(|_, remembered| now.duration_since(remembered.at) < self.time);
        }
        if places.len() >= PLACES_MAX {
            let oldest = places.iter().min_by_key(|(_, remembered)| remembered.at);
            if let Some(oldest) = oldest.map(|(place, _)| place.clone()) {
                places.remove(&oldest);
            }
        }
        places.insert(place.clone(), Remembered { what, at: now });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Remembered<T>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Places that are spoken to in another way for a while.
#[derive(Clone, Debug)]
pub(crate) struct Places(Memory<()>);

impl Places {
    /// Those that answered over HTTP/2 that they want HTTP/1.1.
    pub(crate) fn wanting_http1() -> Places {
        Places(Memory::new(HTTP1_FOR))
    }

    /// Those where resuming a TLS session has failed.
    pub(crate) fn not_resuming() -> Places {
        Places(Memory::new(FULL_HANDSHAKES_FOR))
    }

    pub(crate) fn contains(&self, place: &Place) -> bool {
        self.0.get(place, |()| ()).is_some()
    }

    pub(crate) fn insert(&self, place: &Place) {
        self.0.change(place, |()| true);
    }
}

/// The addresses that failed below HTTP, by the name that led to them: refused, hung, or ended without a byte of an answer.
/// The next connection to the place tries the others first. An address is forgotten when it answers, and after
/// [`FAILED_FOR`] without another failure at its place.
#[derive(Clone, Debug)]
pub(crate) struct FailedAddresses(Memory<Vec<SocketAddr>>);

impl Default for FailedAddresses {
    fn default() -> Self {
        FailedAddresses(Memory::new(FAILED_FOR))
    }
}

impl FailedAddresses {
    /// Puts the addresses that failed behind the others, the one that failed last at the end.
    pub(crate) fn put_last(&self, place: &Place, addresses: &mut [SocketAddr]) {
        if addresses.len() > 1 {
            self.0.get(place, |failed| {
                addresses.sort_by_key(|address| failed.iter().position(|other| other == address));
            });
        }
    }

    pub(crate) fn insert(&self, place: &Place, address: SocketAddr) {
        self.0.change(place, |failed| {
            failed.retain(|other| *other != address);
            if failed.len() >= FAILED_MAX {
                failed.remove(0);
            }
            failed.push(address);
            true
        });
    }

    /// This one has answered.
    pub(crate) fn remove(&self, place: &Place, address: SocketAddr) {
        let is_there = self.0.get(place, |failed| failed.contains(&address));
        if is_there == Some(true) {
            self.0.change(place, |failed| {
                failed.retain(|other| *other != address);
                !failed.is_empty()
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::HttpVersion;
    use crate::tls::TlsIdentity;
    use hitwire_event::ClientId;

    fn place(port: u16) -> Place {
        let identity = TlsIdentity::default().fingerprint();
        let (client, host) = (ClientId(1), "a.example".to_owned());
        Place { client, identity, https: true, host, port, proxy: None, http_version: HttpVersion::Auto }
    }

    fn address(number: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, number], 443))
    }

    fn order(failed: &FailedAddresses, place: &Place) -> Vec<u8> {
        let mut addresses = [1, 2, 3].map(address);
        failed.put_last(place, &mut addresses);
        let last = |address: &SocketAddr| match address {
            SocketAddr::V4(v4) => v4.ip().octets()[3],
            SocketAddr::V6(_) => 0,
        };
        addresses.iter().map(last).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_failed_goes_behind_the_rest_until_it_answers_or_a_while_has_passed() {
        let failed = FailedAddresses::default();
        assert_eq!(order(&failed, &place(1)), [1, 2, 3]);
        failed.insert(&place(1), address(1));
        assert_eq!(order(&failed, &place(1)), [2, 3, 1]);
        failed.insert(&place(1), address(2));
        assert_eq!(order(&failed, &place(1)), [3, 1, 2]);
        failed.insert(&place(1), address(1));
        assert_eq!(order(&failed, &place(1)), [3, 2, 1]);
        assert_eq!(order(&failed, &place(2)), [1, 2, 3], "another place");
        failed.remove(&place(1), address(2));
        assert_eq!(order(&failed, &place(1)), [2, 3, 1]);
        tokio::time::advance(FAILED_FOR).await;
        assert_eq!(order(&failed, &place(1)), [1, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn not_more_than_the_bound_is_remembered_and_the_oldest_forgotten() {
        let (places, failed) = (Places::wanting_http1(), FailedAddresses::default());
        for port in 0..=PLACES_MAX as u16 {
            places.insert(&place(port));
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(places.0.lock().len(), PLACES_MAX);
        assert!(!places.contains(&place(0)) && places.contains(&place(1)));
        tokio::time::advance(HTTP1_FOR).await;
        assert!(!places.contains(&place(1)));
        for number in 0..=FAILED_MAX as u8 {
            failed.insert(&place(1), address(number));
        }
        assert_eq!(failed.0.get(&place(1), Vec::len), Some(FAILED_MAX));
    }
}
