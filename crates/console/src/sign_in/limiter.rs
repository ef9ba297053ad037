//! How often somebody may try to sign in.
//!
//! Each account and each address has a bucket of tries that fills again with time. A try takes one from both before anything
//! is looked at, and a password that is right gives its own back. An account that does not exist has a bucket too, so that nobody
//! learns which do.
//!
//! Nobody is locked out for good: buckets fill again by themselves; and an account has a bucket of its own at each address from
//! which it was signed in to before, in place of those two, so that strangers cannot use up its tries.
//!
//! No clock, and bounded memory: a full table forgets the bucket that has most left in it.

use hitwire_share::network;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Buckets of each kind that are remembered, some 100 bytes each.
const BUCKETS_MAX: usize = 10_000;

/// How much a bucket holds, and how long it takes until one more is in it.
#[derive(Clone, Copy, Debug)]
struct Size {
    tries: u32,
    refill: Duration,
}

/// Passwords of one account: 10 at once, then one a minute, 1,450 a day.
const ACCOUNT: Size = Size { tries: 10, refill: Duration::from_mins(1) };

/// Passwords from one address, of whatever account: an office behind one address must not notice.
const ADDRESS: Size = Size { tries: 30, refill: Duration::from_secs(10) };

/// Codes of one account, by somebody who has its password: 5 at once, then one every 5 minutes, so that guessing one of a
/// million codes, of which three are good at a time, takes years.
const CODES: Size = Size { tries: 5, refill: Duration::from_mins(5) };

/// Too many tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    /// Whole seconds until another try is let through.
    pub(crate) seconds: u64,
}

impl Wait {
    /// As people say it: `40 seconds`, `3 minutes`.
    pub(crate) fn in_words(self) -> String {
        let (number, unit) =
            if self.seconds <= 90 { (self.seconds, "second") } else { (self.seconds.div_ceil(60), "minute") };
        format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
    }
}

/// All buckets.
#[derive(Debug)]
pub(crate) struct Limiter {
    accounts: Buckets<String>,
    /// Accounts at the addresses from which they were signed in to.
    known: Buckets<(String, IpAddr)>,
    addresses: Buckets<IpAddr>,
    codes: Buckets<String>,
    /// Codes of accounts at the addresses from which they were signed in to.
    known_codes: Buckets<(String, IpAddr)>,
}

impl Limiter {
    /// All buckets full.
    pub(crate) fn new() -> Self {
        Limiter {
            accounts: Buckets::new(ACCOUNT),
            known: Buckets::new(ACCOUNT),
            addresses: Buckets::new(ADDRESS),
            codes: Buckets::new(CODES),
            known_codes: Buckets::new(CODES),
        }
    }

    /// Before a password is looked at. `account`: the e-mail as it was typed.
    pub(crate) fn password(&mut self, account: &str, address: IpAddr, now: Instant) -> Result<(), Wait> {
        let known = (folded(account), network(address));
        if self.known.has(&known) {
            self.known.wait(&known, now)?;
            self.known.take(known, now);
            return Ok(());
        }
        let (account, address) = known;
        self.addresses.wait(&address, now)?;
        self.accounts.wait(&account, now)?;
        self.addresses.take(address, now);
        self.accounts.take(account, now);
        Ok(())
    }

    /// The password was right.
    pub(crate) fn password_was_right(&mut self, account: &str, address: IpAddr, now: Instant) {
        let known = (folded(account), network(address));
        if self.known.has(&known) {
            self.known.give_back(&known, now);
            return;
        }
        self.accounts.give_back(&known.0, now);
        self.addresses.give_back(&known.1, now);
    }

    /// Somebody is signed in, with the second factor if there is one.
    pub(crate) fn signed_in(&mut self, account: &str, address: IpAddr, now: Instant) {
        let known = (folded(account), network(address));
        if !self.known.has(&known) {
            self.known.note(known, now);
        }
    }

    /// Before a code of an app, or a recovery code, is looked at. Whoever has the password alone cannot keep its owner out: the
    /// owner has tries of their own where they were signed in before.
    pub(crate) fn code(&mut self, account: &str, address: IpAddr, now: Instant) -> Result<(), Wait> {
        let known = (folded(account), network(address));
        if self.known.has(&known) {
            self.known_codes.wait(&known, now)?;
            self.known_codes.take(known, now);
            return Ok(());
        }
        self.codes.wait(&known.0, now)?;
        self.codes.take(known.0, now);
        Ok(())
    }

    /// The code was right.
    pub(crate) fn code_was_right(&mut self, account: &str, address: IpAddr, now: Instant) {
        let known = (folded(account), network(address));
        if self.known.has(&known) {
            self.known_codes.give_back(&known, now);
        } else {
            self.codes.give_back(&known.0, now);
        }
    }
}

/// Letter case aside, and no longer than an e-mail can be.
fn folded(account: &str) -> String {
    account.trim().chars().take(254).flat_map(char::to_lowercase).collect()
}

/// Buckets of one kind. Each is the time at which it will be, or was, full: that is all that its content depends on.
#[derive(Debug)]
struct Buckets<K> {
    size: Size,
    full_at: HashMap<K, Instant>,
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    fn new(size: Size) -> Self {
        Buckets { size, full_at: HashMap::new() }
    }

    fn has(&self, key: &K) -> bool {
        self.full_at.contains_key(key)
    }

    /// An error if the bucket is empty.
    fn wait(&self, key: &K, now: Instant) -> Result<(), Wait> {
        let Some(full_at) = self.full_at.get(key) else { return Ok(()) };
        // With one try taken out it must be full again within the time that all of them take.
        let until_full = full_at.saturating_duration_since(now) + self.size.refill;
        let over = until_full.saturating_sub(self.size.refill * self.size.tries);
        if over.is_zero() {
            return Ok(());
        }
        Err(Wait { seconds: over.as_millis().div_ceil(1_000) as u64 })
    }

    fn take(&mut self, key: K, now: Instant) {
        let full_at = self.full_at.get(&key).map_or(now, |full_at| (*full_at).max(now));
        self.put(key, full_at + self.size.refill);
    }

    fn give_back(&mut self, key: &K, now: Instant) {
        if let Some(full_at) = self.full_at.get_mut(key) {
            *full_at = full_at.checked_sub(self.size.refill).unwrap_or(now);
        }
    }

    /// Remembers a full bucket.
    fn note(&mut self, key: K, now: Instant) {
        self.put(key, now);
    }

    fn put(&mut self, key: K, full_at: Instant) {
        if self.full_at.len() >= BUCKETS_MAX && !self.full_at.contains_key(&key) {
            let fullest = self.full_at.iter().min_by_key(|(_, at)| **at).map(|(key, _)| key.clone());
            if let Some(fullest) = fullest {
                self.full_at.remove(&fullest);
            }
        }
        self.full_at.insert(key, full_at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;

    const ADA: &str = "ada@example.com";

    fn address(last: u32) -> IpAddr {
        IpAddr::from((0xcb00_7100 + last).to_be_bytes())
    }

    fn tries_let_through(mut attempt: impl FnMut() -> Result<(), Wait>) -> (usize, Wait) {
        for number in 0..1_000 {
            if let Err(wait) = attempt() {
                return (number, wait);
            }
        }
        panic!("never refused")
    }

    #[test]
    fn an_account_takes_ten_tries_and_then_one_a_minute_from_wherever_they_come() {
        let (mut limiter, now) = (Limiter::new(), Instant::now());
        let mut from = 0;
        let (tries, wait) = tries_let_through(|| {
            from += 1;
            limiter.password(if from % 2 == 0 { ADA } else { " ADA@example.COM" }, address(from), now)
        });
        assert_eq!((tries, wait), (10, Wait { seconds: 60 }));
        let later = now + Duration::from_mins(1);
        assert_eq!(limiter.password(ADA, address(50), later), Ok(()));
        assert!(limiter.password(ADA, address(51), later).is_err());
        assert_eq!(limiter.password("bob@example.com", address(51), later), Ok(()), "others are not touched");
    }

    #[test]
    fn strangers_cannot_use_up_the_tries_of_somebody_at_a_known_address() {
        let (mut limiter, now) = (Limiter::new(), Instant::now());
        limiter.signed_in(ADA, address(200), now);
        for from in 0..100 {
            let _ = limiter.password(ADA, address(from), now);
        }
        assert!(limiter.password(ADA, address(101), now).is_err());
        assert_eq!(limiter.password(ADA, address(200), now), Ok(()));
        let (more, _) = tries_let_through(|| limiter.password(ADA, address(200), now));
        assert_eq!(more, 9, "which has a bound as well");
    }

    #[test]
    fn an_address_is_limited_over_all_accounts_and_an_ipv6_network_is_one_address() {
        let (mut limiter, now) = (Limiter::new(), Instant::now());
        let mut number = 0_u16;
        let (tries, wait) = tries_let_through(|| {
            number += 1;
            let from = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, number, 0, 0, number);
            limiter.password(&format!("user{number}@example.com"), from.into(), now)
        });
        assert_eq!((tries, wait), (30, Wait { seconds: 10 }));
        let other = Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 1);
        assert_eq!(limiter.password(ADA, other.into(), now), Ok(()));
    }

    #[test]
    fn who_signs_in_well_is_never_refused() {
        let (mut limiter, now) = (Limiter::new(), Instant::now());
        for _ in 0..1_000 {
            assert_eq!(limiter.password(ADA, address(1), now), Ok(()));
            limiter.password_was_right(ADA, address(1), now);
            assert_eq!(limiter.code(ADA, address(1), now), Ok(()));
            limiter.code_was_right(ADA, address(1), now);
            limiter.signed_in(ADA, address(1), now);
        }
    }

    #[test]
    fn codes_are_few_and_come_back_slowly() {
        let (mut limiter, now) = (Limiter::new(), Instant::now());
        let (tries, wait) = tries_let_through(|| limiter.code(ADA, address(1), now));
        assert_eq!((tries, wait), (5, Wait { seconds: 300 }));
        let mut let_through = 0;
        for minute in 0..24 * 60 {
            let at = now + Duration::from_mins(minute);
            let_through += usize::from(limiter.code(ADA, address(1), at).is_ok());
        }
        assert!(let_through < 300, "{let_through}");
    }

    #[test]
    fn memory_is_bounded_and_what_is_nearly_full_is_forgotten_first() {
        let (mut limiter, now) = (Limiter::new(), Instant::now());
        let (_, _) = tries_let_through(|| limiter.code(ADA, address(1), now));
        for number in 0..BUCKETS_MAX + 100 {
            assert_eq!(limiter.code(&format!("user{number}"), address(1), now), Ok(()));
        }
        assert_eq!(limiter.codes.full_at.len(), BUCKETS_MAX);
        assert!(limiter.code(ADA, address(1), now).is_err(), "still remembered");
    }

    #[test]
    fn how_long_to_wait_is_said_in_words() {
        for (seconds, words) in [(1, "1 second"), (60, "60 seconds"), (91, "2 minutes"), (300, "5 minutes")] {
            assert_eq!(Wait { seconds }.in_words(), words);
        }
    }

    #[test]
    fn whoever_has_the_password_cannot_keep_its_owner_out_with_wrong_codes() {
        let (mut limiter, now) = (Limiter::new(), Instant::now());
        limiter.signed_in(ADA, address(1), now);
        tries_let_through(|| limiter.code(ADA, address(2), now));
        assert_eq!(limiter.code(ADA, address(1), now), Ok(()), "where she was signed in before");
        assert!(limiter.code(ADA, address(3), now).is_err(), "not everywhere");
        let (tries, _) = tries_let_through(|| limiter.code(ADA, address(1), now));
        assert_eq!(tries, 4, "nor without end");
    }
}
