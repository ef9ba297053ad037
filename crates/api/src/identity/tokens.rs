//! Known tokens: the configured ones in memory, the others in the store, by their hash.
//!
//! The configured tokens are not written to the store: who changes `HITWIRE_ADMIN_TOKEN` or deletes the `admin-token`
//! file and starts again has taken the old token back.

use hitwire_event::ClientId;
use hitwire_store::{Role, Secret, Store, StoreError, Token, TokenId, User};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// The tenant of the configured tokens and of the sources.
pub const FIRST_CLIENT: ClientId = ClientId(1);

/// Tokens of the store that are remembered: a token and its user cost some 400 bytes.
const REMEMBERED_MAX: usize = 1_024;

/// How long. A change of accounts makes all of them forgotten at once; this is for what nobody tells.
const REMEMBERED_FOR: Duration = Duration::from_secs(10);

/// When a token was last used is written down at most this often, seconds.
const USE_NOTED_EVERY_S: u64 = 60;

/// Uses that are remembered, and that wait to be written down; more than a busy installation has tokens.
const USES_MAX: usize = 10_000;

/// A token, and the user whose it is.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) token: Token,
    pub(crate) user: Option<User>,
}

/// Finds tokens.
pub(super) struct Tokens {
    configured: Vec<Token>,
    remembered: Mutex<HashMap<[u8; 32], (Known, Instant)>>,
    /// Rises when what is remembered is forgotten: what was read before must not be remembered after.
    generation: watch::Sender<u64>,
    uses: Mutex<Uses>,
    used: Notify,
}

/// When tokens were used, Unix seconds.
#[derive(Default)]
struct Uses {
    noted: HashMap<TokenId, u64>,
    to_be_written: Vec<(TokenId, u64)>,
}

impl Tokens {
    /// Knows the configured tokens; the others are looked up.
    pub(super) fn new(admin: &Secret, ingest: Option<&Secret>, now_s: u64) -> Self {
        let token = |secret: &Secret, role, name: &str| Token {
            // Numbers of the store begin at 1.
            id: TokenId(0),
            sha256: hash(secret.expose()),
            client: FIRST_CLIENT,
            user: None,
            role,
            name: name.to_owned(),
            created_at: now_s,
            created_by: "configuration".to_owned(),
            expires_at: None,
            last_used_at: None,
        };
        let mut configured = vec![token(admin, Role::Operator, "admin")];
        configured.extend(ingest.map(|secret| token(secret, Role::Ingest, "ingest")));
        Tokens {
            configured,
            remembered: Mutex::default(),
            generation: watch::Sender::default(),
            uses: Mutex::default(),
            used: Notify::new(),
        }
    }

    /// The token with this hash, if it is known. Tokens are compared by their hashes, so the time that a comparison takes tells
    /// nothing about a token.
    pub(super) async fn find(
        &self,
        store: &dyn Store,
        sha256: &[u8; 32],
    ) -> Result<Option<Known>, StoreError> {
        if let Some(token) = self.configured.iter().find(|token| token.sha256 == *sha256) {
            return Ok(Some(Known { token: token.clone(), user: None }));
        }
        if let Some(known) = self.recall(sha256) {
            return Ok(Some(known));
        }
        let generation = *self.generation.borrow();
        let Some(token) = store.token(*sha256).await? else { return Ok(None) };
        let user = match token.user {
            None => None,
            // A token goes with its user; one that is left over is nobody's.
            Some(id) => match store.user(id).await?.filter(|user| user.client == token.client) {
                None => return Ok(None),
                user => user,
            },
        };
        let known = Known { token, user };
        self.remember(&known, generation);
        Ok(Some(known))
    }

    /// Whether a token is known without asking the store.
    pub(super) fn remembers(&self, sha256: &[u8; 32]) -> bool {
        self.configured.iter().any(|token| token.sha256 == *sha256) || self.recall(sha256).is_some()
    }

    /// To be called after every change of accounts: from here on the store is asked again.
    pub(super) fn forget(&self) {
        let mut remembered = self.remembered();
        remembered.clear();
        // While nobody can remember anything.
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// Changes whenever a token may be good no longer.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<[u8; 32], (Known, Instant)>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recall(&self, sha256: &[u8; 32]) -> Option<Known> {
        let remembered = self.remembered();
        let (known, since) = remembered.get(sha256)?;
        (since.elapsed() < REMEMBERED_FOR).then(|| known.clone())
    }

    fn remember(&self, known: &Known, generation: u64) {
        let mut remembered = self.remembered();
        if *self.generation.borrow() != generation {
            return;
        }
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, (_, since)| since.elapsed() < REMEMBERED_FOR);
        }
        if remembered.len() < REMEMBERED_MAX {
            remembered.insert(known.token.sha256, (known.clone(), Instant::now()));
        }
    }

    fn uses(&self) -> MutexGuard<'_, Uses> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a token of the store was used.
    pub(super) fn note_use(&self, token: TokenId, now_s: u64) {
        if token == TokenId(0) {
            return;
        }
        let mut uses = self.uses();
        if uses.noted.get(&token).is_some_and(|noted| now_s < noted + USE_NOTED_EVERY_S) {
            return;
        }
        if uses.noted.len() >= USES_MAX {
            uses.noted.retain(|_, noted| now_s < *noted + USE_NOTED_EVERY_S);
        }
        if uses.noted.len() < USES_MAX && uses.to_be_written.len() < USES_MAX {
            uses.noted.insert(token, now_s);
            uses.to_be_written.push((token, now_s));
            self.used.notify_one();
        }
    }

    /// Waits until there are uses to be written down.
    pub(super) async fn used(&self) {
        self.used.notified().await;
    }

    /// Takes what is to be written down.
    pub(super) fn take_uses(&self) -> Vec<(TokenId, u64)> {
        std::mem::take(&mut self.uses().to_be_written)
    }
}

/// What stands for a token.
pub fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_use_of_a_token_is_written_down_once_a_minute() {
        let tokens = Tokens::new(&Secret::new("a"), None, 0);
        for now_s in [1_000, 1_001, 1_059, 1_060, 1_061] {
            tokens.note_use(TokenId(7), now_s);
            tokens.note_use(TokenId(0), now_s);
        }
        assert_eq!(tokens.take_uses(), [(TokenId(7), 1_000), (TokenId(7), 1_060)]);
        assert_eq!(tokens.take_uses(), []);
    }
}
