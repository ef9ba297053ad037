//! Whether a token is still good, for answers that do not end by themselves.

use super::{Accounts, Identity, Refusal};
use hitwire_delivery::Clock;
use hitwire_store::Role;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long to wait before the store is asked again when it does not answer.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// What a caller was let in with.
pub(crate) struct Pass {
    accounts: Arc<Accounts>,
    clock: Clock,
    sha256: [u8; 32],
    role: Role,
    expires_at: Option<u64>,
    changes: watch::Receiver<u64>,
    /// Something changed, and nobody has looked yet what it means for this one.
    unsure: bool,
}

impl Pass {
    /// Of one who was just identified.
    pub(crate) fn new(accounts: &Arc<Accounts>, identity: &Identity, clock: Clock) -> Self {
        Pass {
            accounts: Arc::clone(accounts),
            clock,
            sha256: identity.token.sha256,
            role: identity.role,
            expires_at: identity.token.expires_at,
            changes: accounts.changes(),
            // Between being let in and now something may have changed.
            unsure: true,
        }
    }

    /// Waits until the token is good no longer, or for less than before. May be dropped and called again.
    pub(crate) async fn ended(&mut self) {
        loop {
            if self.unsure {
                self.changes.mark_unchanged();
                match self.accounts.identify(&self.sha256, self.clock.wall_ms() / 1_000).await {
                    Ok(identity) if identity.role == self.role => self.unsure = false,
                    Err(Refusal::Store(_)) => tokio::time::sleep(STORE_RETRY).await,
                    Ok(_) | Err(_) => return,
                }
                continue;
            }
            let left = self.expires_at.map(|at| (at * 1_000).saturating_sub(self.clock.wall_ms()));
            let expiry = async {
                match left {
                    Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = self.changes.changed() => if changed.is_err() { return },
                () = expiry => {}
            }
            self.unsure = true;
        }
    }
}
