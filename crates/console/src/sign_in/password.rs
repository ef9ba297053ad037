//! Passwords: argon2id.

use crate::failure::Failure;
use argon2::password_hash::SaltString;
use argon2::password_hash::rand_core::OsRng;
use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use http::StatusCode;
use tokio::sync::Semaphore;

/// Hashes at once: each takes 19 MiB and some 30 ms of a core.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// Why a password is not taken; none: it is.
pub(super) fn problem(password: &str) -> Option<&'static str> {
    match password.chars().count() {
        0..12 => Some("A password has at least 12 characters."),
        12..=256 => None,
        _ => Some("A password has at most 256 characters."),
    }
}

/// The hash of a password as a PHC string.
pub(super) async fn hash(password: String) -> Result<String, Failure> {
    on_a_thread(move || {
        let salt = SaltString::generate(&mut OsRng);
        Argon2::default().hash_password(password.as_bytes(), &salt).map(|hash| hash.to_string()).ok()
    })
    .await?
    .ok_or_else(failed)
}

/// Whether a password has this hash; of none it is computed all the same.
pub(super) async fn verify(password: String, hash: Option<String>) -> Result<bool, Failure> {
    const NOBODYS: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlz$3rD5T6vWn8Bf0OyQ0vT0x3Yp3m1bq2Jx0oXkQm2c0aY";
    on_a_thread(move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODYS.to_owned());
        let good = PasswordHash::new(&hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
        good && known
    })
    .await
}

async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let turn = AT_ONCE.acquire().await.map_err(|_| failed())?;
    let done = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    });
    done.await.map_err(|_| failed())
}

fn failed() -> Failure {
    Failure::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Internal error",
        "The password could not be checked; the log says why.",
    )
}
