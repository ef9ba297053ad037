//! Passwords: what is asked of them, and their hashes (argon2id, RFC 9106, as PHC strings).

use argon2::password_hash::{Output, PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use hitwire_store::Secret;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// A password has at least so many characters: long enough that guessing over the network is hopeless, and no rule about
/// what kinds of characters it must have (NIST SP 800-63B).
pub(crate) const CHARS_MIN: usize = 12;

/// And at most so many bytes: more would only cost hashing time.
pub(crate) const BYTES_MAX: usize = 1_024;

/// Memory that one hash takes, in KiB, and how often it is gone over: what OWASP asks for as the least.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Bytes of the salt.
const SALT_BYTES: usize = 16;

/// How many hashes are worked out at once: with [`MEMORY_KIB`] each, this bounds what sign-ins can take.
const AT_ONCE: usize = 4;

/// How long a sign-in waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(10);

/// Why a password is not accepted as a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("A password has at least {CHARS_MIN} characters; a few words in a row make a good one.")]
    Short,
    #[error("A password has at most {BYTES_MAX} bytes.")]
    Long,
    #[error("The password is the e-mail address; choose something that others do not know.")]
    Email,
}

/// Whether somebody with this e-mail may have this password.
pub(crate) fn check(password: &str, email: &str) -> Result<(), Unfit> {
    if password.len() > BYTES_MAX {
        return Err(Unfit::Long);
    }
    if password.chars().count() < CHARS_MIN {
        return Err(Unfit::Short);
    }
    if password.trim().to_lowercase() == email.trim().to_lowercase() {
        return Err(Unfit::Email);
    }
    Ok(())
}

/// What is wrong with a new password that was typed twice; empty: nothing.
pub(crate) fn problem(password: &str, again: &str, email: &str) -> String {
    match check(password, email) {
        Err(unfit) => unfit.to_string(),
        Ok(()) if password != again => "The two passwords differ.".to_owned(),
        Ok(()) => String::new(),
    }
}

/// What a password that somebody typed is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is not the one.
    Wrong,
    /// It is, and its hash is as hashes are made today.
    Right,
    /// It is, but its hash was made otherwise: hash it again.
    Outdated,
}

/// No hash could be worked out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HashError {
    #[error("too many people sign in at this moment; try again in a few seconds")]
    Busy,
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
    #[error("the password could not be hashed: {0}")]
    Hash(argon2::password_hash::Error),
    #[error("the password could not be hashed; see hitwire's log")]
    Panicked,
}

/// Hashes and verifies passwords, a few at once, never on a thread that serves requests. Clones share the bound.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    /// The hash of no password: verified when there is no user, so that the time tells nothing about who has an account.
    nobody: Arc<str>,
}

impl Passwords {
    /// With the hash of nobody's password, which is drawn: to work one out takes 50 ms and 19 MiB of memory.
    pub(crate) fn new() -> Result<Self, HashError> {
        let (mut salt, mut hash) = ([0; SALT_BYTES], [0; Params::DEFAULT_OUTPUT_LEN]);
        getrandom::fill(&mut salt).map_err(HashError::Random)?;
        getrandom::fill(&mut hash).map_err(HashError::Random)?;
        let salt = SaltString::encode_b64(&salt).map_err(HashError::Hash)?;
        let nobody = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: (&params()).try_into().map_err(HashError::Hash)?,
            salt: Some(salt.as_salt()),
            hash: Some(Output::new(&hash).map_err(HashError::Hash)?),
        };
        let nobody = nobody.to_string().into();
        Ok(Passwords { turns: Arc::new(Semaphore::new(AT_ONCE)), nobody })
    }

    /// The hash of a new password.
    pub(crate) async fn hash(&self, password: Secret) -> Result<String, HashError> {
        self.in_turn(move || hash_now(password.expose().as_bytes())).await
    }

    /// Whether a typed password has this hash. Without a hash it takes as long, and is wrong.
    pub(crate) async fn verify(&self, password: Secret, hash: Option<String>) -> Result<Verdict, HashError> {
        if password.expose().len() > BYTES_MAX {
            return Ok(Verdict::Wrong);
        }
        let nobody = self.nobody.clone();
        self.in_turn(move || {
            let verdict = verify_now(password.expose(), hash.as_deref().unwrap_or(&nobody));
            Ok(if hash.is_some() { verdict } else { Verdict::Wrong })
        })
        .await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let turn = tokio::time::timeout(TURN_WITHIN, self.turns.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(HashError::Busy) };
        let worked = tokio::task::spawn_blocking(move || {
            // Held until the work is done, also if nobody waits for it any more.
            let _turn = turn;
            work()
        });
        worked.await.unwrap_or(Err(HashError::Panicked))
    }
}

fn params() -> Params {
    Params::new(MEMORY_KIB, PASSES, LANES, None).unwrap_or_default()
}

fn hash_now(password: &[u8]) -> Result<String, HashError> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(HashError::Random)?;
    let salt = SaltString::encode_b64(&salt).map_err(HashError::Hash)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params());
    let hash = argon2.hash_password(password, &salt).map_err(HashError::Hash)?;
    Ok(hash.to_string())
}

/// A hash that cannot be read matches nothing.
fn verify_now(password: &str, hash: &str) -> Verdict {
    let Ok(hash) = PasswordHash::new(hash) else { return Verdict::Wrong };
    // The parameters come from the hash.
    if Argon2::default().verify_password(password.as_bytes(), &hash).is_err() {
        return Verdict::Wrong;
    }
    let today = params();
    let as_today = hash.algorithm == Algorithm::Argon2id.ident()
        && Params::try_from(&hash).is_ok_and(|made| {
            (made.m_cost(), made.t_cost(), made.p_cost()) == (today.m_cost(), today.t_cost(), today.p_cost())
        });
    if as_today { Verdict::Right } else { Verdict::Outdated }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "correct horse battery";

    fn secret(text: &str) -> Secret {
        Secret::new(text)
    }

    #[test]
    fn a_password_is_long_enough_not_too_long_and_not_the_email() {
        let email = "Ada.Lovelace@example.com";
        assert_eq!(check("11 chars ok", email), Err(Unfit::Short));
        assert_eq!(check("äöüäöüäöüäöü", email), Ok(()), "characters are counted, not bytes");
        assert_eq!(check(&"x".repeat(BYTES_MAX), email), Ok(()));
        assert_eq!(check(&"x".repeat(BYTES_MAX + 1), email), Err(Unfit::Long));
        assert_eq!(check(" ada.lovelace@EXAMPLE.com", email), Err(Unfit::Email));
    }

    #[tokio::test]
    async fn a_hash_lets_its_password_in_and_no_other() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash(secret(PASSWORD)).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, passwords.hash(secret(PASSWORD)).await.unwrap(), "each has a salt of its own");
        for (typed, verdict) in [
            (PASSWORD.to_owned(), Verdict::Right),
            (format!("{PASSWORD} "), Verdict::Wrong),
            (String::new(), Verdict::Wrong),
            (PASSWORD.repeat(100), Verdict::Wrong),
        ] {
            assert_eq!(passwords.verify(secret(&typed), Some(hash.clone())).await.unwrap(), verdict);
        }
    }

    #[tokio::test]
    async fn an_unknown_user_and_a_damaged_hash_let_nobody_in() {
        let passwords = Passwords::new().unwrap();
        for hash in [None, Some(""), Some("$argon2id$v=19$m=19456,t=2,p=1$AAAA")] {
            let verdict = passwords.verify(secret(PASSWORD), hash.map(str::to_owned)).await.unwrap();
            assert_eq!(verdict, Verdict::Wrong, "{hash:?}");
        }
    }

    #[tokio::test]
    async fn nobodys_hash_costs_what_any_other_costs() {
        let passwords = Passwords::new().unwrap();
        let made = passwords.hash(secret(PASSWORD)).await.unwrap();
        let (made, nobody) =
            (PasswordHash::new(&made).unwrap(), PasswordHash::new(&passwords.nobody).unwrap());
        assert_eq!(
            (nobody.algorithm, nobody.version, &nobody.params),
            (made.algorithm, made.version, &made.params)
        );
        let length = |hash: &PasswordHash<'_>| hash.hash.map(|output| output.len());
        assert_eq!(length(&nobody), length(&made));
        assert_ne!(passwords.nobody, Passwords::new().unwrap().nobody);
    }

    #[tokio::test]
    async fn a_hash_that_was_made_with_other_parameters_is_good_but_outdated() {
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
        let salt = SaltString::encode_b64(&[7; SALT_BYTES]).unwrap();
        let hash = weak.hash_password(PASSWORD.as_bytes(), &salt).unwrap().to_string();
        let passwords = Passwords::new().unwrap();
        assert_eq!(passwords.verify(secret(PASSWORD), Some(hash)).await.unwrap(), Verdict::Outdated);
    }

    #[tokio::test]
    async fn no_more_than_a_few_are_hashed_at_once() {
        let passwords = Passwords::new().unwrap();
        let turns = passwords.turns.clone().acquire_many_owned(AT_ONCE as u32).await.unwrap();
        let hashing = tokio::spawn({
            let passwords = passwords.clone();
            async move { passwords.hash(secret(PASSWORD)).await }
        });
        tokio::task::yield_now().await;
        assert!(!hashing.is_finished());
        drop(turns);
        assert!(hashing.await.unwrap().is_ok());
    }
}
