//! Known tokens: the configured ones in memory, the others in the store, by their hash.
//!
//! The configured tokens are not written to the store: who changes `HITWIRE_ADMIN_TOKEN` or deletes the `admin-token`
//! file and starts again has taken the old token back.

use hitwire_event::ClientId;
use hitwire_log::{Role, Secret, Store, StoreError, Token, TokenId};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The tenant of the configured tokens and of the sources.
pub(crate) const FIRST_CLIENT: ClientId = ClientId(1);

/// Tokens of the store that are remembered: a token costs some 150 bytes.
const REMEMBERED_MAX: usize = 1_024;

/// How long a token that was taken back may still be let in.
const REMEMBERED_FOR: Duration = Duration::from_secs(10);

/// Finds tokens.
pub(crate) struct Tokens {
    configured: Vec<Token>,
    remembered: Mutex<HashMap<[u8; 32], (Token, Instant)>>,
}

impl Tokens {
    /// Knows the configured tokens; the others are looked up.
    pub(crate) fn new(admin: &Secret, ingest: Option<&Secret>, now_s: u64) -> Self {
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
        Tokens { configured, remembered: Mutex::default() }
    }

    /// The token of this text, if it is known.
    pub(crate) async fn find(&self, store: &dyn Store, text: &str) -> Result<Option<Token>, StoreError> {
        // Tokens are compared by their hashes, so the time that a comparison takes tells nothing about a token.
        let sha256 = hash(text);
        if let Some(token) = self.configured.iter().find(|token| token.sha256 == sha256) {
            return Ok(Some(token.clone()));
        }
        if let Some(token) = self.recall(&sha256) {
            return Ok(Some(token));
        }
        let found = store.token(sha256).await?;
        if let Some(token) = &found {
            self.remember(token.clone());
        }
        Ok(found)
    }

    fn recall(&self, sha256: &[u8; 32]) -> Option<Token> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered
            .get(sha256)
            .filter(|(_, since)| since.elapsed() < REMEMBERED_FOR)
            .map(|(token, _)| token.clone())
    }

    fn remember(&self, token: Token) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, (_, since)| since.elapsed() < REMEMBERED_FOR);
        }
        if remembered.len() < REMEMBERED_MAX {
            remembered.insert(token.sha256, (token, Instant::now()));
        }
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
