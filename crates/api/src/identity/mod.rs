//! Who may do what: tokens, the users whose they are, and clients (tenants).
//!
//! - [`Accounts`]: whose token it is and what it may do now; changes of accounts, in force when they are answered.
//! - [`tokens`]: known tokens, and when they were last used.
//! - [`pass`]: whether a token is still good, for answers that do not end.

mod pass;
mod tokens;

pub(crate) use pass::Pass;
pub use tokens::{FIRST_CLIENT, hash};

use hitwire_delivery::{Clients, Dispatch, Names};
use hitwire_endpoint::Guard;
use hitwire_event::{Actor, ClientId};
use hitwire_store::{
    ActivitySource, Authority, Done, Op, Role, Secret, Sequence, Store, StoreError, Token, TokenId, User,
};
use std::sync::Arc;
use tokens::{Known, Tokens};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Whoever presented a token that is good, or is signed in.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The token, or what stands for the session.
    pub token: Token,
    /// Whose token it is.
    pub user: Option<User>,
    /// What it may do now: never more than its user.
    pub role: Role,
    /// By which way it comes.
    pub source: ActivitySource,
    /// SHA-256 of the session of somebody who is signed in; none: a token was presented.
    pub session: Option<[u8; 32]>,
}

/// Why a token is not good.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No token is like this.
    #[error("the token is not known; check that it was copied whole, and was not revoked")]
    Unknown,
    /// It was good until a while ago.
    #[error("the token has expired; make a new one")]
    Expired,
    /// Its client is disabled.
    #[error("client {0} is disabled; an operator can enable it again")]
    ClientDisabled(ClientId),
    /// Its user is disabled.
    #[error("the user {0} is disabled; an administrator can enable the account again")]
    UserDisabled(String),
    /// It may more than its user.
    #[error("the user {0} may not send events, so this token may not either")]
    BeyondUser(String),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who must know of a change of clients.
#[derive(Clone, Debug)]
pub struct Told {
    /// Clients as they are known without asking.
    pub clients: Clients,
    /// Knows which targets each client may have.
    pub guard: Guard,
    /// What clients are called.
    pub names: Names,
}

impl Told {
    /// Reads the clients and tells of them. Answers those that were enabled or disabled: their integrations must look at their
    /// settings.
    pub async fn tell(&self, store: &dyn Store) -> Result<Vec<ClientId>, StoreError> {
        let clients = store.clients().await?;
        for client in &clients {
            // They were checked when they were set.
            let networks = client.limits.allow_targets.iter().filter_map(|network| network.parse().ok());
            self.guard.set_allowed_for(client.id, networks.collect());
            self.names.set_client(client.id, &client.name);
        }
        let replaced = self.clients.replace(&clients);
        for gone in replaced.gone {
            self.guard.set_allowed_for(gone, Vec::new());
            self.names.forget_client(gone);
        }
        Ok(replaced.switched)
    }
}

impl Identity {
    /// Who it is, for the activity log and for events.
    pub fn actor(&self) -> Actor {
        match &self.user {
            Some(user) => Actor { name: user.name.clone(), email: Some(user.email.clone()) },
            None => Actor { name: self.token.name.clone(), email: None },
        }
    }

    /// As `created_by` names it: the user's e-mail, or the token's name.
    pub fn name(&self) -> &str {
        self.user.as_ref().map_or(&self.token.name, |user| &user.email)
    }

    /// Commits a change in this name. It is refused if whoever makes it may not do so any more at the moment of the commit.
    pub async fn commit(&self, store: &dyn Store, ops: Vec<Op>) -> Result<Vec<Done>, StoreError> {
        let mut all = vec![Op::Require(self.authority())];
        all.extend(ops);
        let mut done = store.commit(all).await?;
        done.remove(0);
        Ok(done)
    }

    fn authority(&self) -> Authority {
        // Tokens of the configuration are not in the store.
        let of_store = self.token.id != TokenId(0);
        Authority {
            client: self.token.client,
            token: of_store.then_some(self.token.id),
            session: self.session,
            user: self.user.as_ref().map(|user| (user.id, user.role)),
        }
    }
}

/// All accounts. Handlers share one.
pub struct Accounts {
    store: Arc<dyn Store>,
    dispatch: Dispatch,
    tokens: Tokens,
    told: Told,
}

impl Accounts {
    /// Accounts of the store, and the configured tokens. `told` knows the clients already.
    pub fn new(
        store: Arc<dyn Store>,
        dispatch: Dispatch,
        told: Told,
        admin: &Secret,
        ingest: Option<&Secret>,
        now_s: u64,
    ) -> Self {
        Accounts { store, dispatch, tokens: Tokens::new(admin, ingest, now_s), told }
    }

    /// What is known of clients.
    pub fn clients(&self) -> &Clients {
        &self.told.clients
    }

    /// Whether the token with this hash is known without asking the store.
    pub fn remembers(&self, sha256: &[u8; 32]) -> bool {
        self.tokens.remembers(sha256)
    }

    /// Whose token has this hash, and what it may do at this moment (Unix seconds).
    pub async fn identify(&self, sha256: &[u8; 32], now_s: u64) -> Result<Identity, Refusal> {
        let Some(Known { token, user }) = self.tokens.find(&*self.store, sha256).await? else {
            return Err(Refusal::Unknown);
        };
        if token.expires_at.is_some_and(|expires_at| expires_at <= now_s) {
            return Err(Refusal::Expired);
        }
        if !self.told.clients.is_enabled(token.client) {
            return Err(Refusal::ClientDisabled(token.client));
        }
        let role = match &user {
            None => token.role,
            Some(user) if !user.enabled => return Err(Refusal::UserDisabled(user.email.clone())),
            Some(user) => {
                capped(token.role, user.role).ok_or_else(|| Refusal::BeyondUser(user.email.clone()))?
            }
        };
        self.tokens.note_use(token.id, now_s);
        Ok(Identity { token, user, role, source: ActivitySource::Api, session: None })
    }

    /// A user who is signed in to the console with this session, as read from the store just now.
    pub fn signed_in(&self, user: User, session: [u8; 32]) -> Result<Identity, Refusal> {
        if !self.told.clients.is_enabled(user.client) {
            return Err(Refusal::ClientDisabled(user.client));
        }
        if !user.enabled {
            return Err(Refusal::UserDisabled(user.email));
        }
        let token = Token {
            // As for the configured ones: it is no token of the store.
            id: TokenId(0),
            sha256: [0; 32],
            client: user.client,
            user: Some(user.id),
            role: user.role,
            name: user.email.clone(),
            created_at: user.created_at,
            created_by: user.created_by.clone(),
            expires_at: None,
            last_used_at: None,
        };
        let role = user.role;
        Ok(Identity {
            token,
            user: Some(user),
            role,
            source: ActivitySource::Console,
            session: Some(session),
        })
    }

    /// Changes whenever a token may be good no longer.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.tokens.changes()
    }

    /// Reserves an id.
    pub async fn next_id(&self, sequence: Sequence) -> Result<u64, StoreError> {
        match self.store.commit(vec![Op::NextId(sequence)]).await?.pop() {
            Some(Done::Id(id)) => Ok(id),
            _ => Err(StoreError::Closed),
        }
    }

    /// Makes changes of accounts in somebody's name. They are in force when this answers, and also if nobody waits for the answer
    /// any more.
    pub async fn commit(self: &Arc<Self>, by: &Identity, ops: Vec<Op>) -> Result<Vec<Done>, StoreError> {
        let (accounts, by) = (Arc::clone(self), by.clone());
        let committing = tokio::spawn(async move {
            let of_clients = ops.iter().any(|op| matches!(op, Op::PutClient(_) | Op::DeleteClient { .. }));
            let done = by.commit(&*accounts.store, ops).await;
            if of_clients && done.is_ok() {
                accounts.clients_changed().await?;
            }
            // Also after a failure: who knows how far it came.
            accounts.tokens.forget();
            done
        });
        // It is never aborted; a panic was logged.
        committing.await.unwrap_or(Err(StoreError::Closed))
    }

    async fn clients_changed(&self) -> Result<(), StoreError> {
        for client in self.told.tell(&*self.store).await? {
            for id in self.store.integration_ids(Some(client)).await? {
                self.dispatch.configured(id);
            }
        }
        Ok(())
    }

    /// Writes down when tokens were used, until told to stop.
    pub async fn write_uses_down(self: Arc<Self>, stop: CancellationToken) {
        let mut stopping = false;
        while !stopping {
            tokio::select! {
                () = stop.cancelled() => stopping = true,
                () = self.tokens.used() => {}
            }
            let uses = self.tokens.take_uses();
            if !uses.is_empty()
                && let Err(error) = self.store.commit(vec![Op::TokensUsed(uses)]).await
            {
                // A minute later there is more to be written.
                tracing::debug!(%error, "when tokens were last used could not be written down");
            }
        }
    }
}

/// What a token of one role may do that belongs to a user of another; none: nothing.
pub(crate) fn capped(token: Role, user: Role) -> Option<Role> {
    match (token, user) {
        (Role::Ingest, Role::Operator | Role::Administrator | Role::Ingest) => Some(Role::Ingest),
        (Role::Ingest, _) | (_, Role::Ingest) => None,
        // The order is that of power, the most first.
        (token, user) => Some(token.max(user)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitwire_store::Registry;

    #[tokio::test]
    async fn a_commit_is_refused_once_its_token_is_revoked() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = hitwire_store::SqliteStore::open(hitwire_store::Options::new(dir.path())).expect("open");
        let token = Token {
            id: TokenId(7),
            sha256: [7; 32],
            client: FIRST_CLIENT,
            user: None,
            role: Role::Administrator,
            name: "ci".to_owned(),
            created_at: 1,
            created_by: "admin".to_owned(),
            expires_at: None,
            last_used_at: None,
        };
        store.commit(vec![Op::PutToken(token.clone())]).await.expect("made");
        let by = Identity {
            token,
            user: None,
            role: Role::Administrator,
            source: ActivitySource::Api,
            session: None,
        };
        let change = |text: &str| vec![Op::Remember { name: "changed", text: text.to_owned() }];
        let done = by.commit(&store, change("before")).await.expect("allowed");
        assert!(matches!(done[..], [Done::Kept]), "one answer for each op: {done:?}");
        store.commit(vec![Op::DeleteToken { id: TokenId(7) }]).await.expect("revoked");
        let refused = by.commit(&store, change("after")).await.expect_err("refused");
        assert_eq!(refused, StoreError::Revoked(hitwire_store::Revoked::Token));
        assert_eq!(store.remembered("changed").await.expect("read").as_deref(), Some("before"));
    }

    #[test]
    fn a_token_may_never_do_more_than_its_user() {
        use Role::{Administrator, Analyst, Ingest, Operator, ReadOnly};
        for (token, user, may) in [
            (Operator, Administrator, Some(Administrator)),
            (Administrator, Administrator, Some(Administrator)),
            (Analyst, Administrator, Some(Analyst)),
            (Administrator, ReadOnly, Some(ReadOnly)),
            (Ingest, Administrator, Some(Ingest)),
            (Ingest, Analyst, None),
            (Ingest, ReadOnly, None),
        ] {
            assert_eq!(capped(token, user), may, "{token:?} of {user:?}");
        }
    }
}
